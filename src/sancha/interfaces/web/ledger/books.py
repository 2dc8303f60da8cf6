"""试算平衡、科目表、科目明细账。"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.ledger.mapping import ROLES
from sancha.apps.ledger.queries import (
    AccountRow,
    LedgerRow,
    MappingRow,
    TrialRow,
    account_ledger,
    account_mappings,
    chart_of_accounts,
    trial_balance,
)
from sancha.apps.servicing.documents import models as papers
from sancha.apps.servicing.documents import print_document
from sancha.interfaces.web.downloads import excel, pdf
from sancha.interfaces.web.forms import choices_of
from sancha.interfaces.web.ledger.forms import PeriodFilter
from sancha.interfaces.web.ledger.names import POSITIONS
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit import spreadsheets
from sancha.kit.clock import now

READ, EXPORT = "ledger.view", "reporting.export"


def period_form(request: PageRequest, form: type[PeriodFilter] = PeriodFilter) -> PeriodFilter:
    """机构与期间的筛选条。"""
    return form(request.GET, today=request.business_date, tree=institution_tree(request.actor))


def scope_name(form: PeriodFilter, institution_id: int | None) -> str:
    """所选机构的名字，用于抬头。"""
    names = dict(choices_of(form, "institution"))
    return str(names.get(str(institution_id), _("全部所辖"))).strip("\u3000")


def _side(fen: int) -> SafeString:
    """余额按方向写：借或贷，数为正。"""
    if not fen:
        return words.NOTHING
    return format_html(
        '<span class="muted small">{}</span> <span class="num">{}</span>',
        _("借") if fen > 0 else _("贷"),
        words.yuan(abs(fen)),
    )


@page(READ)
@require_safe
def trial_balance_page(request: PageRequest) -> HttpResponse:
    """试算平衡表。"""
    form = period_form(request)
    wanted = form.wanted
    found = trial_balance(request.actor, **wanted)
    same = {key: value for key, value in wanted.items() if value is not None and key != "institution_id"}
    if wanted["institution_id"]:
        same["institution"] = wanted["institution_id"]
    drill = urlencode(same)

    def name(row: TrialRow) -> SafeString:
        text = format_html('<span class="mono">{}</span> {}', row.code, row.name)
        if not row.is_leaf:
            return format_html("<strong>{}</strong>", text)
        return format_html('<a href="{}?{}">{}</a>', reverse("ledger:account", args=[row.account_id]), drill, text)

    table = Table(
        [
            Column("code", _("科目"), show=name),
            Column("opening_fen", _("期初余额"), show=lambda r: _side(r.opening_fen), css="r"),
            Column("debit_fen", _("本期借方"), kind="fen", show=lambda r: words.fen(r.debit_fen or None), total=True),
            Column("credit_fen", _("本期贷方"), kind="fen", show=lambda r: words.fen(r.credit_fen or None), total=True),
            Column("closing_fen", _("期末余额"), show=lambda r: _side(r.closing_fen), css="r"),
        ],
        found.rows,
        totals={"debit_fen": found.debit_fen, "credit_fen": found.credit_fen},
        stack=True,
        empty=_("这段时间没有余额也没有发生额"),
        hint=_("合计只加末级科目；点科目看逐笔明细。"),
    )
    context = {
        "form": form,
        "table": table,
        "found": found,
        "may_export": request.actor.may(EXPORT),
    }
    return render(request, "ledger/trial_balance.html", context)


@page(EXPORT)
@require_safe
def trial_balance_excel(request: PageRequest) -> FileResponse:
    """试算平衡表，Excel。"""
    form = period_form(request)
    wanted = form.wanted
    found = trial_balance(request.actor, **wanted)
    money = spreadsheets.Kind.MONEY
    return excel(
        f"试算平衡表 {wanted['first']} 至 {wanted['last']}",
        columns=[
            spreadsheets.Column("code", "科目代号"),
            spreadsheets.Column("name", "科目名称"),
            spreadsheets.Column("opening_fen", "期初余额（借正贷负）", money),
            spreadsheets.Column("debit_fen", "本期借方", money),
            spreadsheets.Column("credit_fen", "本期贷方", money),
            spreadsheets.Column("closing_fen", "期末余额（借正贷负）", money),
        ],
        rows=(
            {name: getattr(row, name) for name in ("code", "name", "opening_fen", "debit_fen", "credit_fen", "closing_fen")}
            for row in found.rows
        ),
        totals={"debit_fen": found.debit_fen, "credit_fen": found.credit_fen},
        notes=[scope_name(form, wanted["institution_id"]), "平衡" if found.balanced else "不平衡"],
    )  # fmt: skip


@page(EXPORT)
@require_safe
def trial_balance_pdf(request: PageRequest) -> HttpResponse:
    """试算平衡表，打印件。"""
    form = period_form(request)
    wanted = form.wanted
    found = trial_balance(request.actor, **wanted)
    codes = {row.code for row in found.rows}
    rows = tuple(
        papers.TrialBalanceRow(
            code=row.code, name=row.name, level=1 + sum(row.code[:n] in codes for n in range(1, len(row.code))),
            opening_debit_fen=max(row.opening_fen, 0), opening_credit_fen=max(-row.opening_fen, 0), debit_fen=row.debit_fen,
            credit_fen=row.credit_fen, closing_debit_fen=max(row.closing_fen, 0), closing_credit_fen=max(-row.closing_fen, 0),
        )
        for row in found.rows
    )  # fmt: skip
    scope = scope_name(form, wanted["institution_id"])
    letterhead = papers.Letterhead(institution=scope, number="", printed_by=request.actor.name, printed_at=now())
    paper = papers.TrialBalance(
        letterhead=letterhead, from_on=wanted["first"], to_on=wanted["last"], scope=scope, rows=rows
    )
    return pdf(f"试算平衡表{wanted['last']}", print_document(paper))


@page(READ)
@require_safe
def accounts(request: PageRequest) -> HttpResponse:
    """科目表与头寸对照。"""
    chart = chart_of_accounts()
    depth = _depths(chart)
    table = Table(
        [
            Column("code", _("科目"), show=lambda r: _account_name(r, depth[r.id])),
            Column("category_name", _("类别")),
            Column("normal_side_name", _("方向")),
            Column("position_controlled", _("记账"), show=_who_books, css="wrap"),
        ],
        chart,
        empty=_("还没有采用科目模板"),
    )
    mapping = Table(
        [
            Column("position_code", _("头寸"), show=_position, css="wrap"),
            Column("account_code", _("科目"), show=lambda r: f"{r.account_code} {r.account_name}", css="wrap"),
            Column("valid_from", _("起效"), show=_since),
        ],
        account_mappings(),
        empty=_("还没有对照"),
    )
    return render(request, "ledger/accounts.html", {"table": table, "mapping": mapping})


def _depths(chart: list[AccountRow]) -> dict[int, int]:
    depth: dict[int, int] = {}
    for row in chart:
        depth[row.id] = depth.get(row.parent_id or 0, -1) + 1
    return depth


def _account_name(row: AccountRow, depth: int) -> SafeString:
    text = format_html('{}<span class="mono">{}</span> {}', "\u3000" * depth, row.code, row.name)
    if not row.is_leaf:
        return format_html("<strong>{}</strong>", text)
    return format_html('<a href="{}">{}</a>', reverse("ledger:account", args=[row.id]), text)


def _who_books(row: AccountRow) -> SafeString | str:
    if not row.is_leaf:
        return words.NOTHING
    kind = ("blue", _("只由借据头寸记")) if row.position_controlled else ("", _("出纳、手工"))
    pill = format_html('<span class="pill {}">{}</span>', *kind)
    role = ROLES.get(row.role, row.role)
    return format_html('{} <span class="muted small">{}</span>', pill, role) if role else pill


def _position(row: MappingRow) -> SafeString:
    name = POSITIONS.get(row.position_code, row.position_code)
    product = _("产品 %(id)s") % {"id": row.product_id} if row.product_id else ""
    return format_html(
        '<span title="{}">{}</span> <span class="muted small">{}</span>', row.position_code, name, product
    )


def _since(row: MappingRow) -> SafeString | str:
    since = words.day(row.valid_from) if row.valid_from.year > 1 else _("一直")
    vat = format_html("{} {}", _("增值税"), words.ppm(row.vat_ppm)) if row.vat_ppm else ""
    return format_html("{} {} {}", since, format_html("— {}", words.day(row.valid_to)) if row.valid_to else "", vat)


@page(READ)
@require_safe
def account(request: PageRequest, account_id: int) -> HttpResponse:
    """科目明细账：逐笔余额，点得到凭证。"""
    form = period_form(request)
    found = account_ledger(request.actor, account_id=account_id, page=page_number(request.GET), **form.wanted)

    def summary(row: LedgerRow) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("ledger:voucher", args=[row.voucher_id]), row.summary)

    table = Table(
        [
            Column("booked_on", _("记账日"), kind="day"),
            Column("summary", _("摘要"), show=summary, css="wrap"),
            Column("debit_fen", _("借方"), show=lambda r: words.fen(r.debit_fen or None), css="r"),
            Column("credit_fen", _("贷方"), show=lambda r: words.fen(r.credit_fen or None), css="r"),
            Column("balance_fen", _("余额"), show=lambda r: _side(r.balance_fen), css="r"),
        ],
        found.page.rows,
        pagination=Pagination.over(found.page),
        stack=True,
        empty=_("这段时间没有发生额"),
    )
    wanted = form.wanted
    context = {
        "form": form,
        "table": table,
        "found": found,
        "opening": _side(found.opening_fen),
        "closing": _side(found.closing_fen),
        "before": wanted["first"] - timedelta(days=1),
        "last": wanted["last"],
    }
    return render(request, "ledger/account.html", context)
