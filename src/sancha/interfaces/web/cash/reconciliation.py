"""银行对账：流水进来，两边对上的、只有我方的、只有银行的，加减相等才算对平。"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import OpenItem, OwnAccountInfo, own_accounts, reconcile
from sancha.interfaces.web.cash.files import read_statement
from sancha.interfaces.web.cash.forms import AccountDay, ExplainForm, StatementForm
from sancha.interfaces.web.cash.receipts import READ
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table

MATCH = "cashdesk.reconcile"
KINDS: dict[str, Any] = {
    "RECEIPT": gettext_lazy("收款"),
    "PAYMENT": gettext_lazy("付款"),
    "MOVE": gettext_lazy("缴存提取"),
    "VOUCHER": gettext_lazy("手工凭证"),
    "STATEMENT": gettext_lazy("银行流水"),
}


@page(READ)
@require_safe
def reconciliation(request: PageRequest) -> HttpResponse:
    """银行对账。"""
    return _page(request)


def _banks(request: PageRequest) -> list[OwnAccountInfo]:
    return own_accounts(request.actor, kind="BANK")


def _page(request: PageRequest, upload_form: Form | None = None, plain: Form | None = None) -> HttpResponse:
    actor, today = request.actor, request.business_date
    banks = _banks(request)
    form = AccountDay({"day": today.isoformat(), **request.GET.dict()}, accounts=banks)
    form.is_valid()
    data = getattr(form, "cleaned_data", {})
    chosen = data.get("account") or (banks[0].id if banks else None)
    day = data.get("day") or today
    may_match = actor.may(MATCH)
    proof = reconcile(actor, own_account_id=chosen, day=day) if chosen else None
    context = {
        "form": form,
        "account_id": chosen,
        "day": day,
        "proof": proof,
        "ours": _open_table(proof.only_ours) if proof else None,
        "theirs": proof.only_bank if proof else [],
        "kinds": KINDS,
        "upload_form": upload_form or (StatementForm(accounts=banks, initial={"own_account_id": chosen}) if may_match and banks else None),
        "plain": plain,
        "may_match": may_match,
        "agrees": bool(proof and proof.bank_fen is not None and not proof.difference_fen),
    }  # fmt: skip
    return show(request, "cash/reconciliation.html", context)


def _open_table(items: list[OpenItem]) -> Table:
    return Table(
        [
            Column("day", _("日期"), kind="day"),
            Column("kind", _("种类"), show=lambda r: KINDS.get(r.kind, r.kind)),
            Column("text", _("对方"), link=_item_url),
            Column("serial", _("流水号"), css="mono"),
            Column("amount_fen", _("收正付负"), kind="fen"),
        ],
        items,
        empty=_("没有：我方记的银行都有"),
    )


def _item_url(item: OpenItem) -> str:
    if item.kind == "RECEIPT":
        return reverse("cash:receipt", args=[item.id])
    return reverse("ledger:voucher", args=[item.id]) if item.kind == "VOUCHER" else ""


def _back(account_id: int, day: Any = "") -> str:
    chosen = {"account": account_id, **({"day": day} if day else {})}
    return f"{reverse('cash:reconciliation')}?{urlencode(chosen)}"


@page(MATCH)
@post_only("cash:reconciliation")
def upload(request: PageRequest) -> HttpResponse:
    """导入银行流水。"""
    form = StatementForm(request.POST, request.FILES, accounts=_banks(request))
    if form.is_valid():
        data = dict(form.cleaned_data)
        rows = attempt(form, read_statement, data.pop("file"))
        if rows is not None:
            done = attempt(form, operations.import_statement, **submission(request), **data, rows=rows)
            if done is not None:
                said = _("已导入 %(new)s 笔流水，重复的 %(old)s 笔跳过，新成挂账收款 %(taken)s 笔。") % {
                    "new": done["imported"], "old": done["duplicates"], "taken": done["receipts"],
                }  # fmt: skip
                return go(request, _back(data["own_account_id"]), said=said)
    return _page(request, upload_form=form)


@page(MATCH)
@post_only("cash:reconciliation")
def explain(request: PageRequest, line_id: int) -> HttpResponse:
    """用一张凭证解释一笔流水。"""
    form = ExplainForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.explain_statement_line, **submission(request), line_id=line_id,
            voucher_id=form.cleaned_data["voucher_id"],
        )  # fmt: skip
        if done is not None:
            return go(request, "cash:reconciliation", said=_("已用凭证解释这笔流水。"))
    return _page(request, plain=form)


@page(MATCH)
@post_only("cash:reconciliation")
def confirm(request: PageRequest) -> HttpResponse:
    """确认对平。"""
    form = AccountDay(request.POST, accounts=_banks(request))
    if form.is_valid() and form.cleaned_data["account"] and form.cleaned_data["day"]:
        account_id, day = form.cleaned_data["account"], form.cleaned_data["day"]
        done = attempt(
            form, operations.confirm_reconciliation, **submission(request), own_account_id=account_id, day=day
        )
        if done is not None:
            return go(request, _back(account_id, day), said=_("%(day)s 对平，已确认。") % {"day": day})
    return _page(request, plain=form)
