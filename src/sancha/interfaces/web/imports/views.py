"""存量转入：选版式 → 送件 → 预检报告 → 同意 → 进度 → 对账。"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.products.queries import list_products
from sancha.apps.servicing.importing.queries import (
    PROBLEM_COLUMNS,
    BatchDetail,
    batch_detail,
    batch_problems,
    differences,
    layout_document,
    layouts,
    list_batches,
    problem_lines,
)
from sancha.apps.servicing.operations import importing
from sancha.dayclose import background
from sancha.dayclose.exclusive import IMPORT
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.imports.forms import ProblemFilter, StartForm, UploadForm
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kernel.money import format_yuan

PERMISSION = "servicing.import"
TONES = {
    "STAGED": "amber", "COMMITTING": "blue", "DONE": "green", "INCOMPLETE": "red", "CANCELLED": "", "WITHDRAWING": "blue",
    "WITHDRAWN": "",
}  # fmt: skip
NOT_MONEY = frozenset({"days_past_due", "loan_class"})
SEVERITIES = {"ERROR": "red", "DOUBT": "amber", "SKIP": ""}
STEPS = (gettext_lazy("送件"), gettext_lazy("预检"), gettext_lazy("转入"), gettext_lazy("对账"))


@page(PERMISSION)
@require_safe
def batches(request: HttpRequest) -> HttpResponse:
    """转入批次。"""
    found = list_batches(actor=request.actor, page=page_number(request.GET))
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
            Column("status", _("状态"), show=_status),
            Column("differences_open", _("未了差异"), kind="int"),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
        empty=_("还没有转入过"),
    )
    return render(request, "imports/list.html", {"table": table})


def _status(row: Any) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', TONES.get(row.status, ""), row.status_name)


@page(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """送件预检：账上什么也不动。"""
    actor = request.actor
    known = [layout for layout in layouts(actor=actor) if _("借据") in layout.roles]
    products = [(item.id, item.name) for item in list_products(actor=actor, on=request.business_date)]
    form = UploadForm(
        request.POST or None, request.FILES or None, layouts=known, tree=institution_tree(actor), products=products,
        initial={"institution_id": actor.institution_id, "layout": known[0].code, "shift_months": 0},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        done = attempt(form, importing.stage_import, **submission(request), **form.cleaned_data)
        if done is not None:
            same = _("同样的文件已有这一批，没有重复送件。")
            return go(
                request,
                "imports:batch",
                done["batch_id"],
                said=same if done.get("existing") else _("预检完毕，请看报告。"),
            )
    return show(request, "imports/upload.html", {"form": form, "layouts": known, "steps": _wizard(0)})


def _wizard(at: int) -> list[dict[str, Any]]:
    return [{"name": name, "state": "done" if n < at else "now" if n == at else ""} for n, name in enumerate(STEPS)]


@page(PERMISSION)
@require_safe
def batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    """一批：报告、进度、对账。"""
    return _batch(request, batch_id)


def _batch(
    request: HttpRequest, batch_id: int, form: StartForm | None = None, plain: Form | None = None
) -> HttpResponse:
    actor = request.actor
    found = batch_detail(actor=actor, batch_id=batch_id)
    status = found.row.status
    filters = ProblemFilter(request.GET)
    problems = batch_problems(actor=actor, batch_id=batch_id, page=page_number(request.GET), **filters.wanted)
    may_start = status in {"STAGED", "COMMITTING", "INCOMPLETE"} and found.row.kind == "PORTFOLIO"
    gaps = differences(actor=actor, batch_id=batch_id, size=100) if status in {"DONE", "INCOMPLETE"} else None
    context = {
        **_progress_panel(found),
        "batch": found,
        "status": _status(found.row),
        "steps": _wizard({"STAGED": 1, "COMMITTING": 2, "INCOMPLETE": 2}.get(status, 3)),
        "tiles": _tiles(found),
        "filters": filters,
        "table": _problem_table(problems),
        "gaps": gaps,
        "gap_table": _gap_table(gaps.rows) if gaps else None,
        "form": form or (StartForm() if may_start else None),
        "plain": plain,
    }
    return show(request, "imports/batch.html", context)


def _tiles(found: BatchDetail) -> list[dict[str, Any]]:
    summary = found.row.summary
    errors, orphans = summary.get("errors", 0), summary.get("orphans", 0)
    tiles = [
        {"label": _("可转入"), "value": summary.get("ready", 0), "unit": _("笔"), "icon": "circle-check", "tone": "green"},
        {"label": _("存疑"), "value": summary.get("doubts", 0), "unit": _("笔"), "icon": "help-circle", "tone": "amber", "href": "?severity=DOUBT"},
        {"label": _("有错误"), "value": errors, "unit": _("笔"), "icon": "circle-x", "tone": "red" if errors else "green", "href": "?severity=ERROR"},
        {"label": _("不转入"), "value": summary.get("skipped", 0), "unit": _("笔"), "icon": "ban", "href": "?severity=SKIP"},
    ]  # fmt: skip
    if orphans:
        tiles.append({"label": _("找不到借据的行"), "value": orphans, "icon": "unlink", "tone": "red"})
    if found.row.differences_open is not None:
        open_gaps = found.row.differences_open
        tiles.append(
            {"label": _("未了差异"), "value": open_gaps, "icon": "scale", "tone": "red" if open_gaps else "green"}
        )
    return tiles


def _problems(row: dict[str, Any]) -> SafeString:
    return format_html_join(
        "",
        '<div><span class="pill {}">{}</span> <strong>{}</strong> {}{} <span class="muted">{}</span></div>',
        (
            (
                SEVERITIES[p["severity"]], p["severity_name"], p["rule"], f"「{p['value']}」" if p["value"] else "", p["message"],
                p["fix"],
            )
            for p in row["problems"]
        ),
    )  # fmt: skip


def _problem_table(found: Any) -> Table:
    return Table(
        [
            Column("file", _("文件"), css="muted"),
            Column("row", _("行"), kind="int"),
            Column("role", _("类别")),
            Column("ref", _("借据号"), css="mono"),
            Column("problems", _("毛病、规则与怎么改"), show=_problems, css="wrap"),
            Column("status_name", _("这一行")),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
        empty=_("没有毛病"),
    )


def _gap_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("ref", _("外部编号"), css="mono"),
            Column("number", _("借据"), link=_loan_url),
            Column("differences", _("差异：文件 / 账上"), show=_gaps, css="wrap"),
        ],
        rows,
        stack=True,
        empty=_("文件与账上逐笔相符"),
    )


def _gaps(row: dict[str, Any]) -> SafeString:
    return format_html_join(
        "", "<div>{}：{} / {}{}</div>",
        (
            (
                gap.get("name", gap["component"]), _figure(gap, "file"), _figure(gap, "book"),
                _("（已调整）") if gap.get("settled_seq") else "",
            )
            for gap in row["differences"]
        ),
    )  # fmt: skip


def _figure(gap: dict[str, Any], side: str) -> str:
    """金额写成元；日期、分类之类照写。"""
    value = gap.get(side)
    return format_yuan(value) if gap["component"] not in NOT_MONEY and isinstance(value, int) else str(value)


def _loan_url(row: dict[str, Any]) -> str:
    try:
        return reverse("loans:detail", args=[row["loan_id"]]) if row["loan_id"] else ""
    except NoReverseMatch:
        return ""


def _progress_panel(found: BatchDetail) -> dict[str, Any]:
    done, total = found.progress
    note = background.note(IMPORT, found.row.id)
    running = background.is_running(IMPORT, found.row.id)
    return {
        "batch_id": found.row.id,
        "running": running,
        "done": done,
        "total": total,
        "stage": note.get("stage", ""),
        "problem": note.get("problem") if not running else None,
        "interrupted": found.row.status == "COMMITTING" and not running,
    }


@page(PERMISSION)
@require_safe
def progress(request: HttpRequest, batch_id: int) -> HttpResponse:
    """进度片段；做完让整页刷新。"""
    panel = _progress_panel(batch_detail(actor=request.actor, batch_id=batch_id))
    response = render(request, "imports/panel.html", panel)
    if not panel["running"]:
        response["HX-Refresh"] = "true"
    return response


@page(PERMISSION)
@post_only("imports:batch", "batch_id")
def start(request: HttpRequest, batch_id: int) -> HttpResponse:
    """同意转入，另起进程分批去做。"""
    form = StartForm(request.POST)
    if form.is_valid():
        done = attempt(form, importing.begin_import, **submission(request), batch_id=batch_id, **form.cleaned_data)
        if done is not None:
            actor, today = request.actor, request.business_date
            started = attempt(form, lambda: background.start_import(actor=actor, batch_id=batch_id, on=today) or True)  # type: ignore[func-returns-value]
            if started:
                return go(request, "imports:batch", batch_id)
    return _batch(request, batch_id, form=form)


def _act(request: HttpRequest, batch_id: int, said: str, operation: Any, **values: Any) -> HttpResponse:
    plain = Form(request.POST)
    if attempt(plain, operation, batch_id=batch_id, **values) is not None:
        return go(request, "imports:batch", batch_id, said=said)
    return _batch(request, batch_id, plain=plain)


def _without_day(request: HttpRequest) -> dict[str, Any]:
    given = submission(request)
    given.pop("on")
    return given


@page(PERMISSION)
@post_only("imports:batch", "batch_id")
def recheck(request: HttpRequest, batch_id: int) -> HttpResponse:
    """重新预检。"""
    return _act(request, batch_id, _("已重新预检。"), importing.recheck_import, **submission(request))


@page(PERMISSION)
@post_only("imports:batch", "batch_id")
def cancel(request: HttpRequest, batch_id: int) -> HttpResponse:
    """放弃还没转入的批次。"""
    return _act(request, batch_id, _("已放弃，账上没有动过。"), importing.cancel_import, **_without_day(request))


@page(PERMISSION)
@post_only("imports:batch", "batch_id")
def reconcile(request: HttpRequest, batch_id: int) -> HttpResponse:
    """重新对账。"""
    return _act(request, batch_id, _("已重新对账。"), importing.reconcile_import, **_without_day(request))


@page(PERMISSION)
@require_safe
def problems_excel(request: HttpRequest, batch_id: int) -> HttpResponse:
    """毛病清单，Excel：一处一行。"""
    lines = problem_lines(actor=request.actor, batch_id=batch_id)
    return excel(f"转入批次 {batch_id} 报告", columns=PROBLEM_COLUMNS, rows=lines)


@page(PERMISSION)
@require_safe
def layout_list(request: HttpRequest) -> HttpResponse:
    """版式。"""
    table = Table(
        [
            Column("name", _("版式"), link=lambda r: reverse("imports:layout-file", args=[r.code])),
            Column("code", _("代码"), css="mono"),
            Column("roles", _("文件"), show=lambda r: "、".join(r.roles), css="wrap"),
            Column("currency", _("币种")),
            Column("source", _("来源"), css="wrap muted"),
            Column("unsure", _("用前须知"), css="wrap"),
            Column("version", _("版本"), show=lambda r: _("随系统") if r.built_in else r.version),
        ],
        layouts(actor=request.actor),
        stack=True,
    )
    return render(request, "imports/layouts.html", {"table": table})


@page(PERMISSION)
@require_safe
def layout_file(request: HttpRequest, code: str) -> HttpResponse:
    """版式全文（JSON），供改成自己的。"""
    document = layout_document(actor=request.actor, code=code)
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return HttpResponse(text, content_type="application/json; charset=utf-8")
