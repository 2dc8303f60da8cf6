"""月结、年结与期初余额。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.ledger import operations
from sancha.apps.ledger.queries import PeriodRow, closed_periods, compare_opening
from sancha.interfaces.web.ledger.books import READ
from sancha.interfaces.web.ledger.forms import MonthForm, OpeningForm, YearForm
from sancha.interfaces.web.ledger.opening import read_balances
from sancha.interfaces.web.pages import attempt, go, own_institution, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words

CLOSE = "ledger.period"


@page(READ)
@require_safe
def periods(request: PageRequest) -> HttpResponse:
    """已结账的期间，与结账。"""
    return _periods(request)


def _voucher(row: PeriodRow) -> Any:
    if row.closing_voucher_id is None:
        return words.NOTHING
    return format_html(
        '<a href="{}">{}</a>', reverse("ledger:voucher", args=[row.closing_voucher_id]), row.closing_voucher_id
    )


def _periods(request: PageRequest, month: MonthForm | None = None, year: YearForm | None = None) -> HttpResponse:
    actor, today = request.actor, request.business_date
    found = closed_periods(actor, page=page_number(request.GET))
    may_close = actor.may(CLOSE)
    tree = institution_tree(actor) if may_close else []
    here = {"institution_id": actor.institution_id}
    context = {
        "table": Table(
            [
                Column("institution_name", _("机构")),
                Column("kind", _("种类"), show=lambda r: _("年结") if r.kind == "YEAR" else _("月结")),
                Column("first_on", _("起"), kind="day"),
                Column("last_on", _("止"), kind="day"),
                Column("closed_at", _("结账时刻"), kind="moment"),
                Column("closing_voucher_id", _("结转凭证"), show=_voucher),
            ],
            found.rows,
            pagination=Pagination.over(found),
            stack=True,
            empty=_("还没有结过账"),
        ),
        "month": month or (MonthForm(tree=tree, initial=here) if may_close else None),
        "year": year or (YearForm(tree=tree, initial=here | {"year": today.year - 1}) if may_close else None),
    }
    return show(request, "ledger/periods.html", context)


@page(CLOSE)
@post_only("ledger:periods")
def month(request: PageRequest) -> HttpResponse:
    """月结。"""
    form = MonthForm(request.POST, tree=institution_tree(request.actor))
    if form.is_valid():
        done = attempt(form, operations.close_month, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "ledger:periods", said=_("已结账到 %(day)s。") % {"day": done["closed_to"]})
    return _periods(request, month=form)


@page(CLOSE)
@post_only("ledger:periods")
def year(request: PageRequest) -> HttpResponse:
    """年结。"""
    form = YearForm(request.POST, tree=institution_tree(request.actor))
    if form.is_valid():
        done = attempt(form, operations.close_year, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "ledger:periods", said=_("已年结到 %(day)s。") % {"day": done["closed_to"]})
    return _periods(request, year=form)


@page(CLOSE)
@require_http_methods(["GET", "HEAD", "POST"])
def opening(request: PageRequest) -> HttpResponse:
    """期初余额：上传原系统科目余额，与借据期初凭证逐科目核对。"""
    actor = request.actor
    tree = institution_tree(actor)
    here = {"institution_id": actor.institution_id, "cut_over_on": request.business_date}
    form = OpeningForm(request.POST or None, request.FILES or None, tree=tree, initial=here)
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        balances = attempt(form, read_balances, data.pop("file"))
        if balances is not None:
            done = attempt(form, operations.post_opening_balances, **submission(request), **data, balances=balances)
            if done is not None:
                to = f"{reverse('ledger:opening')}?institution={data['institution_id']}"
                return go(request, to, said=_("期初余额已登记；受控科目待各借据期初凭证形成，差额见下表。"))
    asked = request.GET.get("institution", "")
    chosen = int(asked) if asked.isdigit() and len(asked) < 12 else own_institution(request)
    rows = compare_opening(actor, institution_id=chosen)
    context = {
        "form": form,
        "chosen": next((node for node in tree if node.id == chosen), None),
        "tree": tree,
        "agrees": bool(rows) and not any(row.difference_fen for row in rows),
        "table": Table(
            [
                Column("code", _("科目"), css="mono"),
                Column("name", _("名称")),
                Column("stated_fen", _("原系统余额"), kind="fen"),
                Column("opened_fen", _("借据期初合计"), kind="fen"),
                Column("difference_fen", _("差额"), kind="fen"),
            ],
            rows,
            row_css=lambda r: "bad" if r.difference_fen else "",
            empty=_("还没有登记期初余额，也没有期初借据"),
        ),
    }
    return show(request, "ledger/opening.html", context)
