"""对账差异、差异调整、撤回：录入与申请在这里，同意在复核任务上。"""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.servicing.importing.queries import (
    DIFFERENCE_COLUMNS,
    batch_detail,
    difference_lines,
    difference_row,
    differences,
)
from sancha.apps.servicing.operations import importing
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.imports import parts
from sancha.interfaces.web.imports.forms import ReasonForm
from sancha.interfaces.web.imports.parts import STAGE, VIEW
from sancha.interfaces.web.pages import attempt, go, page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Pagination, page_number
from sancha.kit.errors import NotFound


@page(VIEW)
@require_safe
def difference_list(request: PageRequest, batch_id: int) -> HttpResponse:
    """对账差异：全部的，或还没处理的。"""
    only_open = request.GET.get("open") == "1"
    found = differences(
        actor=request.actor, batch_id=batch_id, page=page_number(request.GET), size=20, only_open=only_open
    )
    batch = batch_detail(actor=request.actor, batch_id=batch_id)
    context = {
        "batch": batch,
        "table": parts.gap_table(found.rows, actor=request.actor, pagination=Pagination.over(found)),
        "tabs": [
            {"label": _("全部"), "url": request.path, "active": not only_open},
            {"label": _("未处理"), "url": f"{request.path}?open=1", "active": only_open},
        ],
    }
    return render(request, "imports/differences.html", context)


@page(VIEW)
@require_safe
def differences_excel(request: PageRequest, batch_id: int) -> FileResponse:
    """对账差异，Excel：一处一行。"""
    lines = difference_lines(actor=request.actor, batch_id=batch_id)
    return excel(f"转入批次 {batch_id} 对账差异", columns=DIFFERENCE_COLUMNS, rows=lines)


@page(VIEW)
@require_safe
def row(request: PageRequest, row_id: int) -> HttpResponse:
    """一笔：文件里写的、账上的、差异与处理。"""
    found = difference_row(actor=request.actor, row_id=row_id)
    return render(request, "imports/row.html", _row_context(request, found))


@page(VIEW)
@require_safe
def row_brief(request: PageRequest, row_id: int) -> HttpResponse:
    """复核任务页上的差异。"""
    found = difference_row(actor=request.actor, row_id=row_id)
    return render(request, "imports/row_brief.html", _row_context(request, found))


def _row_context(request: PageRequest, found: dict[str, object]) -> dict[str, object]:
    return {
        "row": found,
        "loan_url": parts.loan_url(found),
        "table": parts.gap_table([found], actor=request.actor),
    }


@page(STAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def adjust(request: PageRequest, row_id: int, component: str) -> HttpResponse:
    """录入一处差异的调整：开出复核任务，另一人同意后才动账。"""
    found = difference_row(actor=request.actor, row_id=row_id)
    gap = next((item for item in found["differences"] if item["component"] == component), None)
    if gap is None:
        raise NotFound("DIFFERENCE_NOT_FOUND", _("没有这处差异。"), value=component, fix=_("请从对账表上选择。"))
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            importing.propose_import_adjustment,
            **submission(request),
            row_id=row_id,
            component=component,
            **form.cleaned_data,
        )
        if done is not None:
            said = _("已录入，等待复核；同意之前账上不动。")
            return go(request, "imports:differences", found["batch_id"], said=said)
    context = {
        "form": form,
        "row": found,
        "gap": gap,
        "loan_url": parts.loan_url(found),
        "figures": {side: parts.figure(gap, side) for side in ("file", "book", "difference")},
        "is_decrease": gap["difference"] > 0,
        "amount": parts.figure(gap | {"difference": abs(gap["difference"])}, "difference"),
    }
    return show(request, "imports/adjust.html", context)


@page(STAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: PageRequest, batch_id: int) -> HttpResponse:
    """申请撤回整批：开出复核任务，另一人同意后才撤。"""
    found = batch_detail(actor=request.actor, batch_id=batch_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            importing.request_import_withdrawal,
            **submission(request),
            batch_id=batch_id,
            **form.cleaned_data,
        )
        if done is not None:
            return go(request, "imports:batch", batch_id, said=_("已申请撤回，等待复核；同意之前账上不动。"))
    context = {"form": form, "batch": found, "tiles": parts.tiles(found)}
    return show(request, "imports/withdraw.html", context)
