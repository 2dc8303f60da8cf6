"""借据台账：筛选、合计、排序、导出。"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.products.queries import list_products
from sancha.apps.servicing.queries import LoanRow, list_loans, loan_totals
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.loans.forms import NPL, ListFilter
from sancha.interfaces.web.loans.words import status_pill
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number

READ, EXPORT = "servicing.view", "reporting.export"
BAD_DAYS = 90
NOT_CONDITIONS = {"page", "sort"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

PRESETS: tuple[tuple[Any, dict[str, str]], ...] = (
    (gettext_lazy("全部"), {}),
    (gettext_lazy("存续"), {"status": "ACTIVE"}),
    (gettext_lazy("逾期"), {"overdue_from": "1", "sort": "-days_past_due"}),
    (gettext_lazy("七日内应还"), {"due": "week", "sort": "next_due_on"}),
    (gettext_lazy("不良"), {"klass": NPL, "sort": "-days_past_due"}),
    (gettext_lazy("待复核"), {"status": "PENDING"}),
    (gettext_lazy("已结清"), {"status": "SETTLED"}),
    (gettext_lazy("已核销"), {"status": "WRITTEN_OFF"}),
    (gettext_lazy("隔离"), {"status": "HELD"}),
)


def _who(row: LoanRow) -> Any:
    return format_html(
        '<a href="{}">{}</a> <span class="muted small num">{}</span>',
        reverse("parties:detail", args=[row.party_id]), row.party_name, row.party_id_number[-4:],
    )  # fmt: skip


def loan_columns(*, with_party: bool = True) -> list[Column]:
    """台账的列；客户页上不重复客户。"""
    return [
        Column("number", _("借据号"), link=lambda r: reverse("loans:detail", args=[r.id]), sort="number", css="mono"),
        *([Column("party_name", _("客户"), show=_who)] if with_party else []),
        Column("product_name", _("产品")),
        Column("institution_name", _("机构")),
        Column("principal_fen", _("借款金额"), kind="fen", total=True, sort="principal_fen"),
        Column("balance_fen", _("余额"), kind="fen", total=True, sort="balance_fen"),
        Column("rate_ppm", _("年利率"), kind="ppm"),
        Column("next_due_on", _("下次应还"), kind="day", sort="next_due_on"),
        Column("days_past_due", _("逾期天数"), kind="overdue", sort="days_past_due"),
        Column("loan_class", _("分类"), kind="klass"),
        Column("status", _("状态"), show=lambda r: status_pill(r.status, held=r.held)),
        Column("overdue_principal_fen", _("逾期本金"), kind="fen", total=True, sort="overdue_principal_fen"),
        Column("interest_due_fen", _("欠息"), kind="fen", total=True),
        Column("charges_due_fen", _("罚息等"), kind="fen", total=True),
        Column("starts_on", _("起息日"), kind="day", sort="starts_on"),
        Column("matures_on", _("到期日"), kind="day", sort="matures_on"),
    ]


def row_css(row: LoanRow) -> str:
    """逾期的行着色。"""
    return "bad" if row.days_past_due > BAD_DAYS else "warn" if row.days_past_due else ""


REPAY_COLUMNS = {
    "number", "party_name", "product_name", "balance_fen", "next_due_on", "days_past_due", "overdue_principal_fen",
    "interest_due_fen", "charges_due_fen",
}  # fmt: skip


def loan_table(rows: list[LoanRow], *, with_party: bool = True, only: set[str] | None = None, **given: Any) -> Table:
    """借据表；``only`` 只列其中几列。"""
    columns = [c for c in loan_columns(with_party=with_party) if only is None or c.key in only]
    return Table(columns, rows, stack=True, row_css=row_css, **given)


def _tabs(request: PageRequest) -> list[dict[str, Any]]:
    now = {name: value for name, value in request.GET.items() if value and name not in NOT_CONDITIONS}
    path = reverse("loans:list")
    return [
        {
            "label": text,
            "url": f"{path}?{urlencode(params)}" if params else path,
            "active": now == {name: value for name, value in params.items() if name not in NOT_CONDITIONS},
        }
        for text, params in PRESETS
    ]


@page(READ)
@require_safe
def loans(request: PageRequest) -> HttpResponse:
    """借据台账。"""
    actor, today = request.actor, request.business_date
    form = ListFilter(request.GET)
    where = form.wanted(today)
    found = list_loans(actor=actor, where=where, today=today, page=page_number(request.GET))
    _keep_choices(form, found.rows)
    context = {
        "form": form,
        "tabs": _tabs(request),
        "table": loan_table(
            found.rows,
            totals=loan_totals(actor=actor, where=where, today=today),
            pagination=Pagination.over(found),
            empty=_("没有符合条件的借据"),
        ),
        "export_url": reverse("loans:export") + "?" + request.GET.urlencode() if actor.may(EXPORT) else "",
        "dues_url": reverse("loans:export-dues") + "?" + request.GET.urlencode() if actor.may(EXPORT) else "",
        "more_url": reverse("loans:filter") + "?" + request.GET.urlencode(),
    }
    return render(request, "loans/list.html", context)


def _keep_choices(form: ListFilter, rows: list[LoanRow]) -> None:
    """没展开时只留正在用的那个选项，名字取自查到的行，不为它另查库。"""
    chosen = {}
    for name, shown in (("product", "product_name"), ("institution", "institution_name")):
        if value := form.data.get(name):
            text = getattr(rows[0], shown) if rows and name == "product" else _("已选")
            chosen[name] = [(value, text)]
    form.choose(**chosen)


@page(READ)
@require_safe
def filter_more(request: PageRequest) -> HttpResponse:
    """「更多条件」里的产品与机构。"""
    form = ListFilter(request.GET)
    actor, today = request.actor, request.business_date
    form.choose(
        product=[(p.id, p.name) for p in list_products(actor=actor, on=today)] if actor.may("products.view") else [],
        institution=institution_choices(institution_tree(actor)),
    )
    return render(request, "loans/filter_more.html", {"form": form})
