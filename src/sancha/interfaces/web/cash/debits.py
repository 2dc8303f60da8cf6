"""批量代扣：生成、送盘、回盘、入账。"""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import debit_batches, debit_file, debit_items, own_accounts
from sancha.apps.servicing.queries import due_items
from sancha.interfaces.web.cash.collection import due_with_accounts, post_paid_items, waiting_items
from sancha.interfaces.web.cash.files import read_debit_accounts, read_results
from sancha.interfaces.web.cash.forms import BatchForm, ResultForm
from sancha.interfaces.web.cash.receipts import READ, TAKE
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kernel.money import format_yuan
from sancha.kit import spreadsheets

REPAY = "servicing.repay"
BATCH_TONES = {"CREATED": "amber", "SENT": "blue", "DONE": "green"}
ITEM_TONES = {"PENDING": "", "PAID": "green", "PARTLY": "amber", "FAILED": "red"}
ON_SCREEN = 200


def _pill(tone: str, text: str) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', tone, text)


@page(READ)
@require_safe
def batches(request: PageRequest) -> HttpResponse:
    """代扣批次。"""
    actor = request.actor
    found = debit_batches(actor, page=page_number(request.GET))
    table = Table(
        [
            Column("id", _("批次"), link=lambda r: reverse("cash:batch", args=[r.id])),
            Column("day", _("日期"), kind="day"),
            Column("items_count", _("笔数"), kind="int"),
            Column("amount_fen", _("应扣"), kind="fen", total=True),
            Column("paid_fen", _("实扣"), kind="fen"),
            Column("failed_count", _("失败"), kind="int"),
            Column("pending_count", _("待回盘"), kind="int"),
            Column("state", _("状态"), show=lambda r: _pill(BATCH_TONES[r.state], r.state_name)),
        ],
        found.page.rows,
        totals={"amount_fen": found.total_fen},
        pagination=Pagination.over(found.page),
        stack=True,
        empty=_("还没有代扣过"),
    )
    return render(request, "cash/debits.html", {"table": table, "may_take": actor.may(TAKE)})


@page(TAKE)
@require_http_methods(["GET", "HEAD", "POST"])
def new_batch(request: PageRequest) -> HttpResponse:
    """生成批次：今日应扣清单，配上扣款账号表。"""
    actor, today = request.actor, request.business_date
    form = BatchForm(request.POST or None, request.FILES or None, accounts=own_accounts(actor, kind="BANK"))
    if request.method == "POST" and form.is_valid():
        known = attempt(form, read_debit_accounts, form.cleaned_data["file"])
        if known is not None:
            items = due_with_accounts(actor, day=today, accounts=known)
            done = attempt(
                form, operations.create_debit_batch, **submission(request), items=items,
                own_account_id=form.cleaned_data["own_account_id"],
            )  # fmt: skip
            if done is not None:
                said = _("已生成，共 %(n)s 笔；核对后送盘。") % {"n": len(items)}
                return go(request, "cash:batch", done["batch_id"], said=said)
    due = due_items(actor=actor, day=today)
    table = Table(
        [
            Column("number", _("借据号"), link=_loan_url),
            Column("name", _("客户")),
            Column("days_past_due", _("逾期天数"), kind="overdue"),
            Column("amount_fen", _("应扣"), kind="fen", total=True),
        ],
        due[:ON_SCREEN],
        totals={"amount_fen": sum(item["amount_fen"] for item in due)},
        stack=True,
        hint=_("共 %(n)s 笔，本页最多列 %(most)s 笔。") % {"n": len(due), "most": ON_SCREEN},
        empty=_("今天没有应扣的借据"),
    )
    return show(request, "cash/new_batch.html", {"form": form, "table": table, "day": today})


def _loan_url(row: dict[str, Any]) -> str:
    try:
        return reverse("loans:detail", args=[row["loan_id"]])
    except NoReverseMatch:
        return ""


@page(READ)
@require_safe
def batch(request: PageRequest, batch_id: int) -> HttpResponse:
    """一批代扣。"""
    return _batch(request, batch_id)


def _batch(request: PageRequest, batch_id: int, **extra: Any) -> HttpResponse:
    actor = request.actor
    found = debit_items(actor, batch_id=batch_id, page=page_number(request.GET), size=100)
    waiting = waiting_items(actor, batch_id=batch_id)
    table = Table(
        [
            Column("reference", _("序号"), css="mono"),
            Column("payer_name", _("户名")),
            Column("payer_account_masked", _("账号"), css="mono"),
            Column("amount_fen", _("应扣"), kind="fen", total=True),
            Column("paid_fen", _("实扣"), kind="fen"),
            Column("state", _("结果"), show=lambda r: _pill(ITEM_TONES[r["state"]], r["state_name"])),
            Column("failure", _("失败原因"), css="wrap"),
        ],
        found.page.rows,
        totals={"amount_fen": found.total_fen},
        pagination=Pagination.over(found.page),
        stack=True,
    )
    context = {
        "batch_id": batch_id,
        "table": table,
        "waiting": len(waiting),
        "waiting_fen": sum(fen for _item, fen in waiting),
        "may_take": actor.may(TAKE),
        "may_repay": actor.may(REPAY),
        "result_form": ResultForm() if actor.may(TAKE) else None,
    }
    return show(request, "cash/batch.html", context | extra)


@page(TAKE)
@post_only("cash:batch", "batch_id")
def send(request: PageRequest, batch_id: int) -> HttpResponse:
    """送盘：此后可以下载文件，不能再改。"""
    plain = Form(request.POST)
    if attempt(plain, operations.send_debit_batch, **submission(request), batch_id=batch_id) is not None:
        return go(request, "cash:batch", batch_id, said=_("已送盘，可以下载文件交给银行。"))
    return _batch(request, batch_id, plain=plain)


@page(TAKE)
@require_safe
def file_out(request: PageRequest, batch_id: int) -> FileResponse:
    """送盘文件（含完整账号）。"""
    rows = debit_file(request.actor, batch_id=batch_id)
    return excel(
        f"代扣送盘 {batch_id}",
        columns=[
            spreadsheets.Column("reference", "序号"),
            spreadsheets.Column("payer_name", "户名"),
            spreadsheets.Column("payer_account", "扣款账号"),
            spreadsheets.Column("amount_fen", "应扣金额", spreadsheets.Kind.MONEY),
        ],
        rows=rows,
        totals={"amount_fen": sum(row["amount_fen"] for row in rows)},
    )


@page(TAKE)
@post_only("cash:batch", "batch_id")
def results(request: PageRequest, batch_id: int) -> HttpResponse:
    """回盘：到账的成为收款。"""
    form = ResultForm(request.POST, request.FILES)
    if form.is_valid():
        rows = attempt(form, read_results, form.cleaned_data["file"])
        if rows is not None:
            done = attempt(
                form, operations.record_debit_results, **submission(request), batch_id=batch_id, results=rows
            )
            if done is not None:
                said = _("回盘 %(paid)s 笔成功、%(failed)s 笔失败，实扣 %(yuan)s 元；到账的已成为收款，请入账。") % {
                    "paid": done["paid"], "failed": done["failed"], "yuan": format_yuan(done["paid_fen"]),
                }  # fmt: skip
                return go(request, "cash:batch", batch_id, said=said)
    return _batch(request, batch_id, result_form=form)


@page(REPAY)
@post_only("cash:batch", "batch_id")
def post_money(request: PageRequest, batch_id: int) -> HttpResponse:
    """入账：到账的逐笔记到借据上。"""
    done = post_paid_items(request.actor, batch_id=batch_id, on=request.business_date)
    said = _("已入账 %(n)s 笔，合计 %(yuan)s 元。") % {"n": done.posted, "yuan": format_yuan(done.amount_fen)}
    if not done.problems:
        return go(request, "cash:batch", batch_id, said=said)
    return _batch(request, batch_id, posting=done, said=said)
