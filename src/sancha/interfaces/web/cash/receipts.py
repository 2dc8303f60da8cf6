"""收款登记与挂账：账龄、用途、去还款、退回。"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import (
    AgeBand,
    ReceiptInfo,
    own_accounts,
    receipt_detail,
    receipts,
    suspense_ageing,
)
from sancha.interfaces.web.cash.forms import ReceiptFilter, ReceiptForm, ReturnForm
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.subjects import Show, naming
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kernel.money import format_yuan

READ, TAKE, PAY = "cashdesk.view", "cashdesk.receive", "cashdesk.pay"
TONES = {"UNMATCHED": "amber", "PARTLY": "blue", "MATCHED": "green", "RETURNED": ""}
OLD_FROM = 31
"""账龄到这一档起标红：挂账超过一个月要说得清（内部管理口径）。"""


def _state(row: ReceiptInfo) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', TONES[row.state], row.state_name)


def repay_url(receipt_id: int) -> str:
    """带着这笔收款去还款登记；那一页没有装则空。"""
    try:
        return f"{reverse('loans:repay')}?{urlencode({'receipt': receipt_id})}"
    except NoReverseMatch:
        return ""


def _actions(request: PageRequest) -> Any:
    may_repay = request.actor.may("servicing.repay")

    def of_row(row: ReceiptInfo) -> SafeString:
        if row.left_fen <= 0 or not may_repay or not (url := repay_url(row.id)):
            return SafeString("")
        return format_html('<a href="{}">{}</a>', url, _("还款登记"))

    return of_row


def _tile(band: AgeBand) -> dict[str, Any]:
    tone = ("red" if band.from_days >= OLD_FROM else "amber") if band.amount_fen else "green"
    if band.to_days is not None:
        label = _("挂账 %(days)s 天") % {"days": f"{band.from_days}–{band.to_days}"}
    else:
        label = _("挂账 %(days)s 天以上") % {"days": band.from_days}
    note = _("%(n)s 笔") % {"n": band.count}
    return {"label": label, "value": format_yuan(band.amount_fen), "icon": "hourglass", "tone": tone, "note": note}


@page(READ)
@require_safe
def receipt_list(request: PageRequest) -> HttpResponse:
    """收款与挂账。"""
    actor = request.actor
    form = ReceiptFilter(request.GET if "state" in request.GET else {"state": "OPEN", **request.GET.dict()})
    found = receipts(actor, page=page_number(request.GET), **form.wanted)
    table = Table(
        [
            Column("booked_on", _("记账日"), kind="day"),
            Column("payer_name", _("付款人"), link=lambda r: reverse("cash:receipt", args=[r.id])),
            Column("channel_name", _("渠道")),
            Column("serial", _("流水号"), css="mono"),
            Column("memo", _("备注"), css="wrap muted"),
            Column("amount_fen", _("金额"), kind="fen", total=True),
            Column("left_fen", _("余额"), kind="fen"),
            Column("state", _("状态"), show=_state),
        ],
        found.page.rows,
        totals={"amount_fen": found.total_fen},
        pagination=Pagination.over(found.page),
        actions=_actions(request),
        stack=True,
        empty=_("没有挂账的收款"),
    )
    tiles = [_tile(band) for band in suspense_ageing(actor, on=request.business_date)]
    return render(
        request, "cash/receipts.html", {"form": form, "table": table, "tiles": tiles, "may_take": actor.may(TAKE)}
    )


@page(TAKE)
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: PageRequest) -> HttpResponse:
    """收款登记：先挂账，再成为还款。"""
    accounts = own_accounts(request.actor)
    form = ReceiptForm(request.POST or None, accounts=accounts, initial={"value_on": request.business_date})
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.record_receipt, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "cash:receipt", done["receipt_id"], said=_("已登记，款项挂账；可去还款登记。"))
    return show(request, "cash/record.html", {"form": form, "has_accounts": bool(accounts)})


@page(READ)
@require_safe
def receipt(request: PageRequest, receipt_id: int) -> HttpResponse:
    """一笔收款：用到了哪里，还剩多少。"""
    return _receipt(request, receipt_id)


def _receipt(request: PageRequest, receipt_id: int, form: ReturnForm | None = None) -> HttpResponse:
    actor = request.actor
    found, uses = receipt_detail(actor, receipt_id)
    may_return = found.left_fen > 0 and actor.may(PAY)
    subject = naming(actor, [use["subject"] for use in uses])
    context = {
        "receipt": found,
        "state": _state(found),
        "table": Table(
            [
                Column("booked_on", _("记账日"), kind="day"),
                Column("subject", _("用到"), show=lambda r: _use(r, subject)),
                Column("amount_fen", _("金额"), kind="fen"),
                Column("voucher_id", _("凭证"), link=lambda r: reverse("ledger:voucher", args=[r["voucher_id"]])),
            ],
            uses,
            stack=True,
            empty=_("还没有用过"),
        ),
        "repay_url": repay_url(receipt_id) if found.left_fen > 0 and actor.may("servicing.repay") else "",
        "form": form or (ReturnForm() if may_return else None),
    }
    return show(request, "cash/receipt.html", context)


def _use(row: dict[str, Any], subject: Show) -> SafeString | str:
    # What was paid back names the receipt itself.
    kind, _colon, _number = row["subject"].partition(":")
    text = _("退回") if kind == "receipt" else subject(row["subject"])
    return format_html("{}{}", text, _("（冲正退回挂账）") if row["amount_fen"] < 0 else "")


@page(PAY)
@post_only("cash:receipt", "receipt_id")
def return_money(request: PageRequest, receipt_id: int) -> HttpResponse:
    """退回收款：开付款单，由另一人授权。"""
    form = ReturnForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.return_receipt, **submission(request), receipt_id=receipt_id, **form.cleaned_data
        )
        if done is not None:
            return go(request, "cash:orders", said=_("付款单已开，待另一人授权后发送。"))
    return _receipt(request, receipt_id, form=form)
