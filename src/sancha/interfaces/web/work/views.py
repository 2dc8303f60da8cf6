"""首页、我的待办、任务页。"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_safe

from sancha.apps.access.queries import holders_of
from sancha.apps.work import operations
from sancha.apps.work.kinds import kinds
from sancha.apps.work.queries import TaskDetail, TaskFilter, TaskRow, my_tasks, task_detail
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show, submission_key
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.interfaces.web.work.desk import SUBJECT_BRIEFS, desk_counts, fact_items, page_of, trail_of
from sancha.interfaces.web.work.forms import ActForm, AssignForm, CommentForm, DeskFilter, EvidenceForm, SignForm
from sancha.kit.errors import NotFound

AT_HOME = 12
# 表单没有定签字位置时可选的身份。
SIGNERS = (
    ("客户", _lazy("客户")),
    ("配偶", _lazy("配偶")),
    ("保证人", _lazy("保证人")),
    ("经办人", _lazy("经办人")),
    ("见证人", _lazy("见证人")),
)
READ, ACT, ASSIGN = "work.view", "work.act", "work.assign"


def _title(row: TaskRow) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("task", args=[row.id]), row.title)


def _due(row: TaskRow) -> SafeString:
    if not row.days_late:
        return words.day(row.due_on)
    late = _("逾期 %(n)s 天") % {"n": row.days_late}
    return format_html('{} <span class="pill red">{}</span>', words.day(row.due_on), late)


def _owner(row: TaskRow) -> SafeString | str:
    return row.assignee_name or format_html('<span class="pill">{}</span>', _("未认领"))


def _task_table(rows: list[TaskRow], *, pagination: Pagination | None = None, with_post: bool = False) -> Table:
    columns = [
        Column("title", _("事项"), show=_title, css="wrap"),
        Column("reason", _("缘由"), css="wrap muted"),
        Column("kind_name", _("种类")),
        Column("institution_name", _("机构")),
        *([Column("post_name", _("岗位"))] if with_post else []),
        Column("assignee_name", _("经办"), show=_owner),
        Column("due_on", _("期限"), show=_due),
    ]
    return Table(
        columns,
        rows,
        pagination=pagination,
        stack=True,
        row_css=lambda row: "bad" if row.days_late else "",
        empty=_("没有待办"),
    )


@page(READ)
@require_safe
def home(request: PageRequest) -> HttpResponse:
    """工作台：今天要办什么、为什么归我、去哪里办。"""
    counts = desk_counts(request)
    first = my_tasks(request.actor, on=request.business_date, size=AT_HOME)
    tasks = reverse("tasks")
    overdue = sum(kind.overdue for kind in counts)
    tiles = [
        {"label": _("待办"), "value": sum(k.open for k in counts), "unit": _("件"), "icon": "checklist", "href": tasks},
        {
            "label": _("今日到期"),
            "value": sum(k.due_today for k in counts),
            "unit": _("件"),
            "icon": "calendar",
            "tone": "amber",
            "href": f"{tasks}?due=today",
        },
        {
            "label": _("已逾期"),
            "value": overdue,
            "unit": _("件"),
            "icon": "alert-triangle",
            "tone": "red" if overdue else "green",
            "href": f"{tasks}?due=overdue",
        },
        {
            "label": _("未认领"),
            "value": sum(k.unassigned for k in counts),
            "unit": _("件"),
            "icon": "inbox",
            "href": f"{tasks}?whose=free",
        },
    ]
    context = {"tiles": tiles, "table": _task_table(first.rows), "more": first.total - len(first.rows), "kinds": counts}
    return render(request, "work/home.html", context)


@page(READ)
@require_safe
def tasks(request: PageRequest) -> HttpResponse:
    """我的待办：筛选、翻页。"""
    actor, today = request.actor, request.business_date
    form = DeskFilter(
        request.GET, kinds=[(kind.code, kind.name) for kind in kinds()], oversee=actor.may("work.oversee")
    )
    wanted: TaskFilter = form.wanted
    found = my_tasks(actor, on=today, filters=wanted, page=page_number(request.GET))
    table = _task_table(found.rows, pagination=Pagination.over(found), with_post=wanted.all_posts)
    return render(request, "work/tasks.html", {"form": form, "table": table})


@page(READ)
@require_safe
def task(request: PageRequest, task_id: int) -> HttpResponse:
    """一条任务：缘由、数字、表单、轨迹，与可办的事。"""
    return _task_page(request, task_id)


def _task_page(request: PageRequest, task_id: int, **forms: Form) -> HttpResponse:
    actor, today = request.actor, request.business_date
    detail = task_detail(actor, task_id, on=today)
    is_open = detail.row.state == "open"
    context: dict[str, Any] = {
        "task": detail.row,
        "detail": detail,
        "facts": fact_items(detail.row.facts),
        "subject_url": page_of(detail.row.subject_type, detail.row.subject_id),
        "brief_url": page_of(detail.row.subject_type, detail.row.subject_id, SUBJECT_BRIEFS),
        # What is checked by a second person is read before it is decided; a loan's long plan comes after the form.
        "brief_first": detail.row.subject_type != "loan",
        "steps": trail_of(detail),
        "act_form": _act_form(detail) if detail.may_act else None,
        "comment_form": CommentForm() if actor.may(ACT) else None,
        "evidence_form": EvidenceForm() if detail.may_act else None,
        "assign_form": _assign_form(request, detail) if is_open and actor.may(ASSIGN) else None,
        "sign_form": _sign_form(detail) if detail.may_act and detail.form and detail.revision else None,
        "is_mine": detail.row.assignee_id == actor.person_id,
    }
    return show(request, "work/task.html", context | forms)


def _act_form(detail: TaskDetail, data: Any = None) -> ActForm:
    return ActForm(data, outcomes=detail.outcomes, schema=detail.form, data_now=detail.data, revision=detail.revision)


def _sign_form(detail: TaskDetail, *data: Any) -> SignForm:
    slots = (detail.form or {}).get("signatures") or []
    roles = [(slot["role"], slot["label"]) for slot in slots] or list(SIGNERS)
    signed = {item.role for item in detail.signatures if item.current}
    waiting = next((role for role, _label in roles if role not in signed), roles[0][0])
    return SignForm(*data, roles=roles, initial={"role": waiting})


def _assign_form(request: PageRequest, detail: TaskDetail, data: Any = None) -> AssignForm:
    people = holders_of(detail.row.post, institution_id=detail.row.institution_id, on=request.business_date)
    return AssignForm(data, people=[(person.id, person.name) for person in people])


def _common(request: PageRequest, task_id: int) -> dict[str, Any]:
    return {**submission(request), "task_id": task_id}


@page(ACT)
@post_only("task", "task_id")
def act(request: PageRequest, task_id: int) -> HttpResponse:
    """暂存或办结。"""
    detail = task_detail(request.actor, task_id, on=request.business_date)
    form = _act_form(detail, request.POST)
    if form.is_valid():
        if request.POST.get("act") == "save":
            done = attempt(
                form,
                operations.save_form,
                **_common(request, task_id),
                data=form.answers or {},
                client_uuid=str(uuid5(NAMESPACE_URL, submission_key(request))),
                base_revision=form.cleaned_data.get("base_revision") or 0,
            )
            if done is not None:
                return go(request, "task", task_id, said=_("已暂存，期限之前都可以再改。"))
        else:
            done = attempt(
                form,
                operations.submit_task,
                **_common(request, task_id),
                outcome=form.cleaned_data["outcome"],
                opinion=form.cleaned_data["opinion"],
                data=form.answers,
            )
            if done is not None:
                return go(request, "tasks", said=_("「%(title)s」已办结。") % {"title": detail.row.title})
    return _task_page(request, task_id, act_form=form)


@page(ACT)
@post_only("task", "task_id")
def claim(request: PageRequest, task_id: int) -> HttpResponse:
    """认领。"""
    plain = Form(request.POST)
    if attempt(plain, operations.claim_task, **_common(request, task_id)) is not None:
        return go(request, "task", task_id, said=_("已认领，记在您名下。"))
    return _task_page(request, task_id, plain=plain)


@page(ACT)
@post_only("task", "task_id")
def release(request: PageRequest, task_id: int) -> HttpResponse:
    """退回本岗位。"""
    plain = Form(request.POST)
    if attempt(plain, operations.release_task, **_common(request, task_id)) is not None:
        return go(request, "task", task_id, said=_("已退回本岗位，其他人可以认领。"))
    return _task_page(request, task_id, plain=plain)


@page(ASSIGN)
@post_only("task", "task_id")
def assign(request: PageRequest, task_id: int) -> HttpResponse:
    """指派给某人。"""
    detail = task_detail(request.actor, task_id, on=request.business_date)
    form = _assign_form(request, detail, request.POST)
    if form.is_valid():
        done = attempt(form, operations.assign_task, **_common(request, task_id), **form.cleaned_data)
        if done is not None:
            return go(request, "task", task_id, said=_("已指派。"))
    return _task_page(request, task_id, assign_form=form)


@page(ACT)
@post_only("task", "task_id")
def comment(request: PageRequest, task_id: int) -> HttpResponse:
    """留言。"""
    form = CommentForm(request.POST)
    if form.is_valid():
        done = attempt(form, operations.comment_task, **_common(request, task_id), **form.cleaned_data)
        if done is not None:
            return go(request, "task", task_id)
    return _task_page(request, task_id, comment_form=form)


@page(ACT)
@post_only("task", "task_id")
def sign(request: PageRequest, task_id: int) -> HttpResponse:
    """签字：笔迹或照片先存为证据，再签在最近一次填写的内容上。"""
    detail = task_detail(request.actor, task_id, on=request.business_date)
    form = _sign_form(detail, request.POST, request.FILES)
    if form.is_valid():
        given, shared = form.cleaned_data, _common(request, task_id)
        photo = given.get("photo")
        kept = attempt(
            form,
            operations.attach_evidence,
            **shared | {"key": f"{shared['key']}:ink"},
            content=photo.read() if photo else given["ink"],
            name=_("签字 %(signer)s") % {"signer": given["signer"]} + (photo.name[-40:] if photo else ".png"),
            media_type=(photo.content_type or "image/*") if photo else "image/png",
        )
        if kept is not None:
            done = attempt(
                form,
                operations.sign_form,
                **shared,
                role=given["role"],
                signer=given["signer"],
                method="PAPER" if photo else "HANDWRITTEN",
                evidence_id=kept["evidence_id"],
            )
            if done is not None:
                return go(request, "task", task_id, said=_("已签字。签后内容再改，须重新签。"))
    return _task_page(request, task_id, sign_form=form)


@page(ACT)
@post_only("task", "task_id")
def attach(request: PageRequest, task_id: int) -> HttpResponse:
    """附证据。"""
    form = EvidenceForm(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        done = attempt(
            form,
            operations.attach_evidence,
            **_common(request, task_id),
            content=file.read(),
            name=file.name,
            media_type=file.content_type or "application/octet-stream",
        )
        if done is not None:
            return go(request, "task", task_id, said=_("附件已存。"))
    return _task_page(request, task_id, evidence_form=form)


@page(READ)
@require_safe
def evidence(request: PageRequest, task_id: int, evidence_id: int) -> FileResponse:
    """下载一件证据；看得见任务的人才看得见附件。"""
    detail = task_detail(request.actor, task_id, on=request.business_date)
    item = next((item for item in detail.evidence if item.id == evidence_id), None)
    path = operations.evidence_path(item.sha256) if item else None
    if item is None or path is None or not path.is_file():
        raise NotFound("EVIDENCE_NOT_FOUND", _("没有这件附件。"), value=evidence_id, fix=_("请从任务页打开。"))
    # Always a download under its own name: an uploaded HTML or SVG must not run as a page of this site.
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=item.name, content_type="application/octet-stream"
    )
