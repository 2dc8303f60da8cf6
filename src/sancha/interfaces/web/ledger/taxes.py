"""税费：增值税与印花税一页看全，印花税的凭证草稿从这里生成。"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import FileResponse, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha import rulebook
from sancha.apps.access.queries import InstitutionInfo, institution_tree
from sancha.apps.ledger import operations
from sancha.apps.ledger.queries import VatRow, VatSheet, chart_of_accounts, tax_drafts, vat_sheet
from sancha.apps.servicing.queries import EXEMPT, TO_CHECK, DutyRow, stamp_duty
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.forms import DateField, Form, YuanField, choices_of, lay
from sancha.interfaces.web.ledger.books import EXPORT, READ
from sancha.interfaces.web.ledger.forms import account_choices
from sancha.interfaces.web.ledger.names import POSITIONS
from sancha.interfaces.web.pages import attempt, go, own_institution, page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.money import format_yuan
from sancha.kit import spreadsheets
from sancha.kit.paging import Page

MANUAL = "ledger.manual"
MONTHS, QUARTERS, PAGE_SIZE = 24, 8, 50
EXPENSE_ACCOUNT, PAYABLE_ACCOUNT = "6403", "222102"
TONES = {TO_CHECK: "amber", EXEMPT: "green"}
NAMES = {"TAXABLE": _("应税"), TO_CHECK: _("待核"), EXEMPT: _("免税")}


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _quarter(day: date) -> str:
    return f"{day.year}Q{(day.month + 2) // 3}"


def periods(today: date) -> list[tuple[Any, Any]]:
    """可选的所属期：近两年的月与季，新的在前。"""
    months = [date(index // 12, index % 12 + 1, 1) for index in range(_index(today), _index(today) - MONTHS, -1)]
    quarters = list(dict.fromkeys(_quarter(month) for month in months))[:QUARTERS]
    return [(_("月"), [(_month(m), _month(m)) for m in months]), (_("季"), [(q, q) for q in quarters])]


def _index(day: date) -> int:
    return day.year * 12 + day.month - 1


def bounds(period: str) -> tuple[date, date]:
    """所属期的首日与末日：``2026-03`` 或 ``2026Q1``。"""
    year = int(period[:4])
    quarter = int(period[5:]) if period[4] == "Q" else 0
    first, last = (quarter * 3 - 2, quarter * 3) if quarter else (int(period[5:]), int(period[5:]))
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


class TaxFilter(Form):
    """机构与所属期；没写或乱写的是本月。"""

    use_required_attribute = False
    institution = forms.TypedChoiceField(label=_("机构（含下级）"), coerce=int, required=False, empty_value=None)
    period = forms.ChoiceField(label=_("所属期"), required=False)
    lay(institution, col="w2")

    def __init__(self, data: Any, *, today: date, tree: list[InstitutionInfo]) -> None:
        given = {name: data.get(name, "") for name in data}
        choices = periods(today)
        known = {value for _name, group in choices for value, _text in group}
        given["period"] = given.get("period") if given.get("period") in known else _month(today)
        super().__init__(given)
        self.offer("institution", [("", _("全部所辖")), *institution_choices(tree)])
        self.offer("period", choices)

    @property
    def period_code(self) -> str:
        """所属期。"""
        return str(self.data["period"])

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的机构与起止日。"""
        self.is_valid()
        first, last = bounds(self.period_code)
        return {"institution_id": self.cleaned_data.get("institution"), "first": first, "last": last}


def _form(request: PageRequest) -> TaxFilter:
    return TaxFilter(request.GET, today=request.business_date, tree=institution_tree(request.actor))


@dataclass
class DutyTotal:
    """一家机构的印花税合计（金额为分）；``check_fen`` 是其中规模待核的税额。"""

    institution_id: int
    institution_name: str
    contracts: int = 0
    exempt: int = 0
    principal_fen: int = 0
    tax_fen: int = 0
    check_fen: int = 0
    draft: tuple[int, str] | None = field(default=None)


def duty_totals(rows: list[DutyRow]) -> list[DutyTotal]:
    """逐份的印花税 → 各机构合计。"""
    found: dict[int, DutyTotal] = {}
    for row in rows:
        total = found.setdefault(row.institution_id, DutyTotal(row.institution_id, row.institution_name))
        total.contracts += 1
        total.exempt += row.treatment == EXEMPT
        total.principal_fen += 0 if row.treatment == EXEMPT else row.principal_fen
        total.tax_fen += row.tax_fen
        total.check_fen += row.tax_fen if row.treatment == TO_CHECK else 0
    return [found[key] for key in sorted(found)]


def per_mille(ppm: int) -> str:
    """印花税税率：50 → 「0.05‰」。"""
    return f"{Decimal(ppm).scaleb(-3).normalize():f}‰"


@page(READ)
@require_safe
def taxes(request: PageRequest) -> HttpResponse:
    """税费：所选机构与所属期的增值税、印花税。"""
    form = _form(request)
    wanted = form.wanted
    sheet = vat_sheet(request.actor, **wanted)
    rows = stamp_duty(request.actor, **wanted)
    totals = duty_totals(rows)
    occasion = operations.stamp_duty_occasion(wanted["first"], wanted["last"])
    drafts = tax_drafts(request.actor, occasions=[occasion])
    for total in totals:
        total.draft = drafts.get((total.institution_id, occasion))
    is_over = wanted["last"] <= request.business_date
    context = {
        "form": form,
        "period": form.period_code,
        "vat": _vat_table(sheet, wanted),
        "vat_rates": _vat_rates(wanted["last"]),
        "totals": _totals_table(totals, form.period_code, may_enter=request.actor.may(MANUAL) and is_over),
        "is_over": is_over,
        "has_loans": bool(rows),
        "loans": _loans_table(rows, page_number(request.GET)),
        "may_export": request.actor.may(EXPORT),
    }
    return show(request, "ledger/taxes.html", context)


def _vat_rates(on: date) -> list[SafeString]:
    known = [item.effective_from for item in rulebook.history("tax.vat_general_ppm")]
    if on < min(known):
        return []
    return [words.ppm(rulebook.parameter(code, on).as_int()) for code in ("tax.vat_general_ppm", "tax.vat_small_ppm")]


def _income_name(row: VatRow) -> Any:
    return POSITIONS.get(row.position_code, row.position_code) if row.position_code else _("手工（缴税、调整）")


def _vat_table(sheet: VatSheet, wanted: dict[str, Any]) -> Table:
    def tax(row: VatRow) -> SafeString:
        if not sheet.accounts or not row.vouchers:
            return words.fen(row.tax_fen)
        query = urlencode({"first": wanted["first"], "last": wanted["last"], "institution": row.institution_id})
        return format_html(
            '<a href="{}?{}">{}</a>', reverse("ledger:account", args=[sheet.accounts[0]]), query, words.fen(row.tax_fen)
        )

    return Table(
        [
            Column("institution_name", _("机构")),
            Column("position_code", _("收入"), show=_income_name),
            Column("net_fen", _("不含税收入"), kind="fen", total=True),
            Column("tax_fen", _("税额"), kind="fen", show=tax, total=True),
            Column("untaxed_fen", _("没有拆税的收入"), kind="fen", total=True),
            Column("vouchers", _("凭证张数"), css="r"),
        ],
        sheet.rows,
        totals={name: sheet.total(name) for name in ("net_fen", "tax_fen", "untaxed_fen")},
        stack=True,
        empty=_("这个所属期没有收入，也没有税额"),
        hint=_("合计不含手工凭证；点税额看逐笔与凭证。拆不拆税、税率多少，照「科目」页的对照。"),
    )


def _totals_table(totals: list[DutyTotal], period: str, *, may_enter: bool) -> Table:
    def action(row: DutyTotal) -> SafeString:
        if row.draft:
            return format_html('<a href="{}">{}</a>', reverse("ledger:draft", args=[row.draft[0]]), _("看凭证草稿"))
        if not may_enter or not row.tax_fen:
            return words.NOTHING
        query = urlencode({"institution": row.institution_id, "period": period})
        text = _("生成凭证草稿")
        return format_html('<a class="btn btn-sm" href="{}?{}">{}</a>', reverse("ledger:stamp-draft"), query, text)

    names = ("contracts", "exempt", "principal_fen", "tax_fen", "check_fen")
    return Table(
        [
            Column("institution_name", _("机构")),
            Column("contracts", _("合同份数"), css="r", total=True),
            Column("exempt", _("其中免税"), css="r", total=True),
            Column("principal_fen", _("计税金额"), kind="fen", total=True),
            Column("tax_fen", _("应交印花税"), kind="fen", total=True),
            Column("check_fen", _("其中待核"), kind="fen", total=True),
        ],
        totals,
        totals={name: sum(getattr(row, name) for row in totals) for name in names},
        actions=action,
        stack=True,
        empty=_("这个所属期没有放款的借据"),
    )


def _loans_table(rows: list[DutyRow], number: int) -> Table:
    number = min(max(number, 1), max(1, -(-len(rows) // PAGE_SIZE)))
    shown = Page(rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE], len(rows), number, PAGE_SIZE)

    def loan(row: DutyRow) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("loans:detail", args=[row.loan_id]), row.number)

    def how(row: DutyRow) -> SafeString:
        return format_html(
            '<span class="pill {}">{}</span> <span title="{}">{}</span>', TONES.get(row.treatment, ""),
            NAMES[row.treatment], rulebook.clause(row.clause).citation, row.reason,
        )  # fmt: skip

    return Table(
        [
            Column("booked_on", _("放款记账日"), kind="day"),
            Column("number", _("借据号"), show=loan),
            Column("institution_name", _("机构")),
            Column("principal_fen", _("借款金额"), kind="fen"),
            Column("rate_ppm", _("税率"), show=lambda r: per_mille(r.rate_ppm), css="r"),
            Column("treatment", _("征免"), show=how, css="wrap"),
            Column("tax_fen", _("税额"), kind="fen"),
        ],
        shown.rows,
        pagination=Pagination.over(shown),
        stack=True,
        empty=_("这个所属期没有放款的借据"),
    )


@page(EXPORT)
@require_safe
def vat_excel(request: PageRequest) -> FileResponse:
    """增值税表，Excel。"""
    request.actor.require(READ)
    form = _form(request)
    sheet = vat_sheet(request.actor, **form.wanted)
    money = spreadsheets.Kind.MONEY
    return excel(
        f"增值税 {form.period_code}",
        columns=[
            spreadsheets.Column("institution", "机构"),
            spreadsheets.Column("income", "收入"),
            spreadsheets.Column("net_fen", "不含税收入", money),
            spreadsheets.Column("tax_fen", "税额", money),
            spreadsheets.Column("untaxed_fen", "没有拆税的收入", money),
            spreadsheets.Column("vouchers", "凭证张数"),
        ],
        rows=(
            {
                "institution": row.institution_name, "income": str(_income_name(row)), "net_fen": row.net_fen,
                "tax_fen": row.tax_fen, "untaxed_fen": row.untaxed_fen, "vouchers": str(row.vouchers),
            }
            for row in sheet.rows
        ),
        totals={name: sheet.total(name) for name in ("net_fen", "tax_fen", "untaxed_fen")},
        notes=["合计不含手工凭证"],
    )  # fmt: skip


@page(EXPORT)
@require_safe
def stamp_excel(request: PageRequest) -> FileResponse:
    """印花税逐份清单，Excel。"""
    request.actor.require(READ)
    form = _form(request)
    rows = stamp_duty(request.actor, **form.wanted)
    money = spreadsheets.Kind.MONEY
    return excel(
        f"印花税 {form.period_code}",
        columns=[
            spreadsheets.Column("booked_on", "放款记账日"),
            spreadsheets.Column("number", "借据号"),
            spreadsheets.Column("contract_number", "合同号"),
            spreadsheets.Column("institution", "机构"),
            spreadsheets.Column("principal_fen", "借款金额", money),
            spreadsheets.Column("rate", "税率"),
            spreadsheets.Column("treatment", "征免"),
            spreadsheets.Column("reason", "理由"),
            spreadsheets.Column("clause", "依据"),
            spreadsheets.Column("tax_fen", "税额", money),
        ],
        rows=(
            {
                "booked_on": row.booked_on.isoformat(), "number": row.number, "contract_number": row.contract_number,
                "institution": row.institution_name, "principal_fen": row.principal_fen, "rate": per_mille(row.rate_ppm),
                "treatment": str(NAMES[row.treatment]), "reason": row.reason,
                "clause": rulebook.clause(row.clause).citation, "tax_fen": row.tax_fen,
            }
            for row in rows
        ),
        totals={"tax_fen": sum(row.tax_fen for row in rows)},
    )  # fmt: skip


class StampForm(Form):
    """印花税凭证草稿。"""

    booked_on = DateField(label=_("记账日"), help_text=_("可以是已日终而未结账的日子，不能晚于营业日。"))
    amount_fen = YuanField(label=_("印花税"), help_text=_("缺省是算出的税额；核实属小型、微型企业的，从中减去。"))
    debit_account = forms.ChoiceField(label=_("借方科目"))
    credit_account = forms.ChoiceField(label=_("贷方科目"))
    summary = forms.CharField(label=_("摘要"), max_length=200)
    lay(booked_on, amount_fen, debit_account, credit_account, col="f6")
    lay(summary, col="f12")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("debit_account", "credit_account"):
            self.offer(name, choices)


@page(MANUAL)
@require_http_methods(["GET", "HEAD", "POST"])
def stamp_draft(request: PageRequest) -> HttpResponse:
    """生成印花税凭证草稿：一家机构、一个所属期一张，交另一人授权。"""
    where = _form(request)
    wanted = where.wanted
    place = wanted["institution_id"] or own_institution(request)
    rows = stamp_duty(request.actor, **{**wanted, "institution_id": place})
    total = next((item for item in duty_totals(rows) if item.institution_id == place), None)
    choices = account_choices(chart_of_accounts())
    codes = {code for code, _name in choices}
    due = total.tax_fen if total else 0
    initial = {
        "booked_on": min(wanted["last"], request.business_date), "amount_fen": due,
        "debit_account": EXPENSE_ACCOUNT if EXPENSE_ACCOUNT in codes else "",
        "credit_account": PAYABLE_ACCOUNT if PAYABLE_ACCOUNT in codes else "",
        "summary": f"计提 {where.period_code} 借款合同印花税，算得 {format_yuan(due)} 元",
    }  # fmt: skip
    form = StampForm(request.POST or None, choices=choices, initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form, operations.enter_stamp_duty, **submission(request), institution_id=place, first=wanted["first"],
            last=wanted["last"], **form.cleaned_data,
        )  # fmt: skip
        if done is not None:
            said = str(_("这个所属期已有凭证草稿。") if done["existing"] else _("已录入，待另一人授权后记账。"))
            return go(request, "ledger:draft", done["draft_id"], said=said)
    name = dict(choices_of(where, "institution")).get(str(place), "")
    context = {"form": form, "total": total, "period": where.period_code, "name": str(name).strip("\u3000")}
    return show(request, "ledger/stamp_draft.html", context)
