"""存量转入：选版式 → 送件 → 预检报告 → 复核同意 → 进度 → 对账。"""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.products.queries import list_products
from sancha.apps.servicing.importing.queries import (
    PROBLEM_COLUMNS,
    BatchDetail,
    batch_detail,
    batch_problems,
    batch_rows,
    differences,
    layouts,
    list_batches,
    problem_lines,
)
from sancha.apps.servicing.operations import importing
from sancha.apps.work.queries import task_detail
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.imports import parts
from sancha.interfaces.web.imports.forms import PostForm, ProblemFilter, SaveLayoutForm, UploadForm
from sancha.interfaces.web.imports.parts import AUTHORIZE, PORTFOLIO, REPAY, STAGE, VIEW
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kit.errors import NotFound

FEW = 8
KINDS = ("", PORTFOLIO, "REPAYMENTS")


@page(VIEW)
@require_safe
def batches(request: PageRequest) -> HttpResponse:
    """转入批次与还款文件。"""
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    found = list_batches(actor=request.actor, kind=kind, page=page_number(request.GET))
    table = Table(
        [
            Column("id", _("批次"), link=lambda r: reverse("imports:batch", args=[r.id])),
            Column("kind_name", _("种类")),
            Column("files", _("文件"), show=lambda r: "、".join(r.files), css="wrap"),
            Column("institution_name", _("机构")),
            Column("staged_on", _("送件"), kind="day"),
            Column("staged_by", _("送件人")),
            Column("ready", _("可转入"), show=lambda r: f"{r.summary.get('ready', 0):,}", css="r"),
            Column("errors", _("有错误"), show=lambda r: f"{r.summary.get('errors', 0):,}", css="r"),
            Column("status", _("状态"), show=parts.status_pill),
            Column("committed_by", _("同意人")),
            Column("differences_open", _("未了差异"), kind="int"),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
        empty=_("还没有转入过"),
    )
    here = reverse("imports:list")
    tabs = [
        {"label": label, "url": f"{here}?kind={value}" if value else here, "active": value == kind}
        for value, label in zip(KINDS, (_("全部"), _("存量转入"), _("批量还款")), strict=True)
    ]
    may = {"stage": request.actor.may(STAGE), "repay": request.actor.may(REPAY)}
    return render(request, "imports/list.html", {"table": table, "tabs": tabs, "may": may})


@page(STAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: PageRequest) -> HttpResponse:
    """送件预检：账上什么也不动。"""
    actor = request.actor
    known = [layout for layout in layouts(actor=actor) if "借据" in layout.roles]
    products = [(item.id, item.name) for item in list_products(actor=actor, on=request.business_date)]
    wanted = request.GET.get("layout", "")
    first = wanted if wanted in {item.code for item in known} else "sancha"
    form = UploadForm(
        request.POST or None, request.FILES or None, layouts=known, tree=institution_tree(actor), products=products,
        initial={"institution_id": actor.institution_id, "layout": first, "shift_months": 0},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        done = attempt(form, importing.stage_import, **submission(request), **form.cleaned_data)
        if done is not None:
            same = _("同样的文件已有这一批，没有重复送件。")
            asked = _("预检完毕，复核任务已开出；请看报告。") if done.get("task_id") else _("预检完毕，请看报告。")
            return go(request, "imports:batch", done["batch_id"], said=same if done.get("existing") else asked)
    return show(request, "imports/upload.html", {"form": form, "steps": parts.wizard(0)})


@page(VIEW)
@require_safe
def batch(request: PageRequest, batch_id: int) -> HttpResponse:
    """一批：报告、复核、进度、对账；还款文件则是各行与结果。"""
    return batch_page(request, batch_id)


def batch_page(
    request: PageRequest,
    batch_id: int,
    *,
    plain: Form | None = None,
    post_form: PostForm | None = None,
    layout_form: SaveLayoutForm | None = None,
) -> HttpResponse:
    """一批的整页；办不成的表单连同错误带回来。"""
    actor = request.actor
    found = batch_detail(actor=actor, batch_id=batch_id)
    row, status = found.row, found.row.status
    filters = ProblemFilter(request.GET)
    problems = batch_problems(actor=actor, batch_id=batch_id, page=page_number(request.GET), **filters.wanted)
    panel = parts.progress_panel(found)
    context = {
        **panel,
        "batch": found,
        "is_portfolio": row.kind == PORTFOLIO,
        "status": parts.status_pill(row),
        "steps": parts.steps_of(found),
        "tiles": parts.tiles(found),
        "filters": filters,
        "table": parts.problem_table(problems),
        "plain": plain,
        "may_stage": actor.may(STAGE),
        "may_resume": actor.may(AUTHORIZE)
        and row.kind == PORTFOLIO
        and not panel["running"]
        and status in {"COMMITTING", "INCOMPLETE", "WITHDRAWING"},
        "may_withdraw": actor.may(STAGE)
        and row.kind == PORTFOLIO
        and status in {"DONE", "INCOMPLETE", "COMMITTING"}
        and not found.withdrawal_task_id,
        "layout_form": layout_form or (SaveLayoutForm() if actor.may(STAGE) else None),
    }
    if row.kind == PORTFOLIO:
        context |= _review(request, found)
        if status in {"DONE", "INCOMPLETE"}:
            gaps = differences(actor=actor, batch_id=batch_id, size=FEW, only_open=True)
            context |= {"gaps": gaps, "gap_table": parts.gap_table(gaps.rows, actor=actor)}
    else:
        open_for_posting = status in {"STAGED", "INCOMPLETE", "COMMITTING"} and not panel["running"]
        context["post_form"] = post_form or (PostForm() if actor.may(REPAY) and open_for_posting else None)
        context["results"] = _results(request, batch_id)
    return show(request, "imports/batch.html", context)


def _review(request: PageRequest, found: BatchDetail) -> dict[str, Any]:
    """复核到哪一步：现在的岗位办得了的，给去办的链接。"""
    task_id = found.task_id if found.row.status == "STAGED" and not found.returned else found.withdrawal_task_id
    if task_id is None:
        return {"review": None}
    try:
        detail = task_detail(request.actor, task_id, on=request.business_date)
    except NotFound:  # the task belongs to an institution above the reader's
        return {"review": None}
    return {"review": detail.row, "may_review": detail.may_act, "why_not": detail.why_not}


def _results(request: PageRequest, batch_id: int) -> Table:
    wanted = request.GET.get("result", "")
    found = batch_rows(actor=request.actor, batch_id=batch_id, status=wanted, page=page_number(request.GET))
    return Table(
        [
            Column("row", _("行"), kind="int"),
            Column("ref", _("借据号"), show=lambda r: r["number"] or r["ref"], link=parts.loan_url, css="mono"),
            Column("serial", _("流水号"), css="mono"),
            Column("value_on", _("还款日")),
            Column("amount", _("金额"), css="r"),
            Column("status", _("结果"), show=_row_status),
            Column("problems", _("说明"), show=lambda r: " ".join(r["problems"]), css="wrap muted"),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
    )


def _row_status(row: dict[str, Any]) -> Any:
    return format_html('<span class="pill {}">{}</span>', parts.ROW_TONES.get(row["status"], ""), row["status_name"])


@page(VIEW)
@require_safe
def brief(request: PageRequest, batch_id: int) -> HttpResponse:
    """复核任务页上的预检报告：指标与头几行毛病。"""
    found = batch_detail(actor=request.actor, batch_id=batch_id)
    problems = batch_problems(actor=request.actor, batch_id=batch_id, size=FEW)
    context = {
        "batch": found,
        "tiles": parts.tiles(found),
        "table": parts.problem_table(problems, paged=False),
        "more": max(0, problems.total - FEW),
    }
    return render(request, "imports/brief.html", context)


@page(VIEW)
@require_safe
def progress(request: PageRequest, batch_id: int) -> HttpResponse:
    """进度片段；做完让整页刷新。"""
    panel = parts.progress_panel(batch_detail(actor=request.actor, batch_id=batch_id))
    response = render(request, "imports/panel.html", panel)
    if not panel["running"]:
        response["HX-Refresh"] = "true"
    return response


def _act(request: PageRequest, batch_id: int, said: str, operation: Any, **values: Any) -> HttpResponse:
    plain = Form(request.POST)
    if attempt(plain, operation, batch_id=batch_id, **values) is not None:
        return go(request, "imports:batch", batch_id, said=said)
    return batch_page(request, batch_id, plain=plain)


@page(AUTHORIZE)
@post_only("imports:batch", "batch_id")
def resume(request: PageRequest, batch_id: int) -> HttpResponse:
    """接着做：断了的、没入成的，后台从断处接上。"""
    return _act(request, batch_id, "", importing.resume_import, **submission(request))


@page(STAGE)
@post_only("imports:batch", "batch_id")
def recheck(request: PageRequest, batch_id: int) -> HttpResponse:
    """重新预检，另开复核任务。"""
    return _act(
        request, batch_id, _("已重新预检，复核任务另开了一条。"), importing.recheck_import, **submission(request)
    )


@page(STAGE)
@post_only("imports:batch", "batch_id")
def cancel(request: PageRequest, batch_id: int) -> HttpResponse:
    """放弃还没转入的批次。"""
    return _act(request, batch_id, _("已放弃，账上没有动过。"), importing.cancel_import, **submission(request))


@page(STAGE)
@post_only("imports:batch", "batch_id")
def reconcile(request: PageRequest, batch_id: int) -> HttpResponse:
    """重新对账。"""
    given = submission(request)
    given.pop("on")
    return _act(request, batch_id, _("已重新对账。"), importing.reconcile_import, **given)


@page(VIEW)
@require_safe
def problems_excel(request: PageRequest, batch_id: int) -> FileResponse:
    """毛病清单，Excel：一处一行。"""
    lines = problem_lines(actor=request.actor, batch_id=batch_id)
    return excel(f"转入批次 {batch_id} 报告", columns=PROBLEM_COLUMNS, rows=lines)
