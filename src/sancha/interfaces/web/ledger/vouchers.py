"""凭证：列表、记账凭证、打印、汇总凭证的构成。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.businessday.queries import partition_of
from sancha.apps.ledger.queries import VoucherDetail, VoucherRow, voucher_detail, voucher_list
from sancha.apps.servicing.documents import models as papers
from sancha.apps.servicing.documents import print_document
from sancha.apps.servicing.queries import aggregate_parts
from sancha.interfaces.web.downloads import excel, pdf
from sancha.interfaces.web.ledger.books import EXPORT, READ, period_form, scope_name
from sancha.interfaces.web.ledger.forms import ReverseForm, VoucherFilter
from sancha.interfaces.web.pages import page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.subjects import plain, subject_words
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kernel.money import format_yuan, rmb_uppercase
from sancha.kit import spreadsheets
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.paging import LONGEST_PAGE

INCOMES = frozenset({"INTEREST_INCOME", "PENALTY_INCOME", "COMPOUND_INCOME"})
MOST_EXPORTED = 100_000
EXPORTED = ("id", "number", "booked_on", "institution_name", "source_name", "summary", "subject", "amount_fen")


def number_of(row: VoucherRow) -> str:
    """凭证号：日终编号之前写流水号。"""
    return _("记字第 %(n)s 号") % {"n": row.number} if row.number else _("未编号（流水 %(id)s）") % {"id": row.id}


def _summary(row: VoucherRow) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("ledger:voucher", args=[row.id]), row.summary)


@page(READ)
@require_safe
def voucher_page(request: PageRequest) -> HttpResponse:
    """凭证列表。"""
    form = period_form(request, VoucherFilter)
    found = voucher_list(request.actor, page=page_number(request.GET), **form.wanted)
    table = Table(
        [
            Column("booked_on", _("记账日"), kind="day"),
            Column(
                "number", _("凭证号"), show=lambda r: r.number or format_html('<span class="muted">{}</span>', r.id)
            ),
            Column("summary", _("摘要"), show=_summary, css="wrap"),
            Column("source_name", _("来源"), show=lambda r: format_html('<span class="pill">{}</span>', r.source_name)),
            Column("institution_name", _("机构")),
            Column("amount_fen", _("金额"), kind="fen"),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
    )
    may_export = request.actor.may(EXPORT)
    context = {
        "form": form,
        "table": table,
        "export_url": f"{reverse('ledger:vouchers-excel')}?{request.GET.urlencode()}" if may_export else "",
    }
    return render(request, "ledger/vouchers.html", context)


@page(EXPORT)
@require_safe
def voucher_excel(request: PageRequest) -> FileResponse:
    """凭证列表，Excel；按筛选条件逐页取，内存恒定。"""
    form = period_form(request, VoucherFilter)
    wanted = form.wanted
    first = voucher_list(request.actor, size=LONGEST_PAGE, **wanted)
    if first.total > MOST_EXPORTED:
        raise DomainError(
            "EXPORT_TOO_LONG", _("符合条件的凭证有 %(n)s 张，一次最多导出 %(most)s 张。") % {"n": first.total, "most": MOST_EXPORTED},
            field="first", value=first.total, fix=_("请缩短期间或加筛选条件。"),
        )  # fmt: skip

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(1, first.pages + 1):
            found = first if number == 1 else voucher_list(request.actor, page=number, size=LONGEST_PAGE, **wanted)
            for row in found.rows:
                yield {name: getattr(row, name) for name in EXPORTED}

    kinds = spreadsheets.Kind
    return excel(
        f"凭证清单 {wanted['first']} 至 {wanted['last']}",
        columns=[
            spreadsheets.Column("booked_on", "记账日", kinds.DATE),
            spreadsheets.Column("number", "凭证号", kinds.INTEGER),
            spreadsheets.Column("id", "流水号", kinds.INTEGER),
            spreadsheets.Column("institution_name", "机构"),
            spreadsheets.Column("source_name", "来源"),
            spreadsheets.Column("summary", "摘要"),
            spreadsheets.Column("subject", "对象"),
            spreadsheets.Column("amount_fen", "金额", kinds.MONEY),
        ],
        rows=rows(),
        notes=[scope_name(form, wanted["institution_id"])],
    )


@page(READ)
@require_safe
def voucher(request: PageRequest, voucher_id: int) -> HttpResponse:
    """记账凭证。"""
    return voucher_view(request, voucher_id)


def voucher_view(request: PageRequest, voucher_id: int, form: ReverseForm | None = None) -> HttpResponse:
    """记账凭证页；``form`` 是填错的冲回表单。"""
    actor = request.actor
    found = voucher_detail(actor, voucher_id)
    may_reverse = found.head.source == "MANUAL" and not found.reversed_by_id and actor.may("ledger.manual")
    debit = sum(line.debit_fen for line in found.lines)
    context = {
        "voucher": found,
        "number": number_of(found.head),
        "lines": [{"line": line, "loan": _loan(line.loan_id)} for line in found.lines],
        "subject": plain(*subject_words(actor, found.head.subject)),
        "debit_fen": debit,
        "credit_fen": sum(line.credit_fen for line in found.lines),
        "words": rmb_uppercase(debit),
        "is_aggregate": found.head.source == "ACCRUAL" and actor.may("servicing.view"),
        "form": form or (ReverseForm() if may_reverse else None),
    }
    return show(request, "ledger/voucher.html", context)


def _loan(loan_id: int | None) -> str:
    """借据页的网址；没有借据或页面没装则空。"""
    if loan_id is None:
        return ""
    try:
        return reverse("loans:detail", args=[loan_id])
    except NoReverseMatch:
        return ""


@page(READ)
@require_safe
def voucher_pdf(request: PageRequest, voucher_id: int) -> HttpResponse:
    """记账凭证，打印件。"""
    found = voucher_detail(request.actor, voucher_id)
    return pdf(f"记账凭证{voucher_id}", print_document(_paper(found, request.actor)))


def _paper(found: VoucherDetail, reader: Actor) -> papers.Voucher:
    about, _url = subject_words(reader, found.head.subject)
    return papers.Voucher(
        letterhead=papers.Letterhead(
            institution=found.head.institution_name, number=number_of(found.head), printed_by=reader.name, printed_at=now()
        ),
        booked_on=found.head.booked_on, kind=found.head.summary, source=found.head.source_name, subject=about,
        entries=tuple(
            papers.Entry(
                summary=line.summary or found.head.summary, account_code=line.account_code, account_name=line.account_name,
                debit_fen=line.debit_fen, credit_fen=line.credit_fen,
            )
            for line in found.lines
        ),
        maker=found.posted_by_name, checker=found.authorized_by_name,
    )  # fmt: skip


@page("servicing.view")
@require_safe
def voucher_parts(request: PageRequest, voucher_id: int) -> HttpResponse:
    """汇总计提凭证的构成：每笔借据当日多少，合计与凭证的收入行对得上。"""
    found = voucher_detail(request.actor, voucher_id)
    head = found.head
    partition = partition_of(institution_id=head.institution_id)
    parts = aggregate_parts(
        partition_id=partition.id, day=found.day or head.booked_on, institution_id=head.institution_id
    )
    booked = sum(line.credit_fen - line.debit_fen for line in found.lines if line.position_code in INCOMES)
    total = sum(fen for _id, _number, fen in parts)
    largest = sorted(parts, key=lambda part: -abs(part[2]))[:LONGEST_PAGE]
    table = Table(
        [
            Column("number", _("借据号"), link=lambda r: _loan(r["id"])),
            Column("amount_fen", _("当日利息、罚息、复利"), kind="fen", total=True),
        ],
        [{"id": loan_id, "number": number, "amount_fen": fen} for loan_id, number, fen in largest],
        totals={"amount_fen": total},
        empty=_("这一天没有按直线计提的借据"),
    )
    context = {
        "table": table,
        "count": len(parts),
        "shown": len(largest),
        "booked_fen": booked,
        "total_fen": total,
        "difference": format_yuan(total - booked) if total != booked else "",
    }
    return render(request, "ledger/parts.html", context)
