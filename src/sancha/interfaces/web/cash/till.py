"""柜员现金：清点、缴存提取；自有账户。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import own_accounts, teller_days, uncounted_cash
from sancha.interfaces.web.cash.forms import CountForm, MoveForm, OwnAccountForm
from sancha.interfaces.web.cash.orders import AUTHORIZE
from sancha.interfaces.web.cash.receipts import READ, TAKE
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kernel.money import format_yuan


@page(READ)
@require_safe
def till(request: PageRequest) -> HttpResponse:
    """现金日结。"""
    return _till(request)


def _till(request: PageRequest, **forms: Form) -> HttpResponse:
    actor = request.actor
    accounts = own_accounts(actor)
    names = {account.id: account.name for account in accounts}
    found = teller_days(actor, page=page_number(request.GET))
    takes = actor.may(TAKE)
    cash = [account for account in accounts if account.kind == "CASH"]
    context: dict[str, Any] = {
        "table": Table(
            [
                Column("day", _("日期"), kind="day"),
                Column("own_account_id", _("账户"), show=lambda r: names.get(r.own_account_id, "")),
                Column("teller_name", _("柜员")),
                Column("opening_fen", _("期初"), kind="fen"),
                Column("in_fen", _("收"), kind="fen"),
                Column("out_fen", _("付"), kind="fen"),
                Column("counted_fen", _("清点"), kind="fen"),
                Column("difference_fen", _("长短款"), kind="fen", total=True),
                Column("reason", _("原因"), css="wrap muted"),
            ],
            found.page.rows,
            totals={"difference_fen": found.total_fen},
            pagination=Pagination.over(found.page),
            stack=True,
            row_css=lambda r: "bad" if r.difference_fen else "",
            empty=_("还没有清点过"),
        ),
        "waiting": len(uncounted_cash(actor, on=request.business_date)),
        "count": CountForm(accounts=cash) if takes and cash else None,
        "move": MoveForm(accounts=accounts) if takes and len(accounts) > 1 else None,
    }
    return show(request, "cash/till.html", context | forms)


@page(TAKE)
@post_only("cash:till")
def count(request: PageRequest) -> HttpResponse:
    """清点。"""
    form = CountForm(request.POST, accounts=own_accounts(request.actor, kind="CASH"))
    if form.is_valid():
        done = attempt(form, operations.count_cash, **submission(request), **form.cleaned_data)
        if done is not None:
            gap = done["difference_fen"]
            said = (
                _("清点完毕，账实相符。")
                if not gap
                else _("清点完毕，长短款 %(yuan)s 元。") % {"yuan": format_yuan(gap)}
            )
            return go(request, "cash:till", said=said)
    return _till(request, count=form)


@page(TAKE)
@post_only("cash:till")
def move(request: PageRequest) -> HttpResponse:
    """缴存或提取。"""
    form = MoveForm(request.POST, accounts=own_accounts(request.actor))
    if form.is_valid():
        done = attempt(form, operations.move_cash, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "cash:till", said=_("已记账。"))
    return _till(request, move=form)


@page(READ)
@require_http_methods(["GET", "HEAD", "POST"])
def own_account_list(request: PageRequest) -> HttpResponse:
    """自有账户：银行账户与现金，各对应一个总账科目。"""
    actor = request.actor
    form = None
    if actor.may(AUTHORIZE):
        initial = {"institution_id": actor.institution_id}
        form = OwnAccountForm(request.POST or None, tree=institution_tree(actor), initial=initial)
    if request.method == "POST" and form is None:
        actor.require(AUTHORIZE)
    if form is not None and request.method == "POST" and form.is_valid():
        done = attempt(form, operations.open_own_account, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "cash:accounts", said=_("已登记。"))
    context = {
        "form": form,
        "table": Table(
            [
                Column("name", _("名称")),
                Column("institution_name", _("机构")),
                Column("kind", _("种类"), show=lambda r: _("银行账户") if r.kind == "BANK" else _("现金")),
                Column("bank_name", _("开户行")),
                Column("number_masked", _("账号"), css="mono"),
                Column("account_code", _("科目"), link=lambda r: reverse("ledger:account", args=[r.account_id])),
            ],
            own_accounts(actor),
            stack=True,
            empty=_("还没有登记自有账户，收付款之前先登记"),
        ),
    }
    return show(request, "cash/accounts.html", context)
