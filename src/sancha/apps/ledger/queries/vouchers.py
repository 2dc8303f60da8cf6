"""凭证列表与凭证全貌。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Model, Q, Sum

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.ledger.models import Line, Source, Voucher
from sancha.apps.ledger.queries.balances import scope_of
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class VoucherRow:
    """凭证列表一行。``number`` 日终后才有。"""

    id: int
    number: int | None
    booked_on: date
    institution_id: int
    institution_name: str
    source: str
    source_name: str
    kind: str
    summary: str
    subject: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class VoucherLine:
    """凭证分录。"""

    id: int
    account_id: int
    account_code: str
    account_name: str
    summary: str
    debit_fen: int
    credit_fen: int
    institution_id: int
    product_id: int | None
    loan_class: int | None
    accrual: int | None
    currency: str
    position_code: str
    loan_id: int | None


@dataclass(frozen=True, slots=True)
class VoucherDetail:
    """凭证全貌：表头、分录、谁记谁授权、冲回关系。"""

    head: VoucherRow
    lines: list[VoucherLine]
    day: date | None
    kernel_version: str
    posted_by: int | None
    posted_by_name: str
    post_code: str
    authorized_by: int | None
    authorized_by_name: str
    recorded_at: Any
    reverses_id: int | None
    reversed_by_id: int | None


def voucher_list(
    actor: Actor,
    *,
    institution_id: int | None = None,
    first: date | None = None,
    last: date | None = None,
    source: str = "",
    kind: str = "",
    subject: str = "",
    loan_id: int | None = None,
    text: str = "",
    page: int = 1,
    size: int = 50,
) -> Page[VoucherRow]:
    """凭证列表，新的在前；不超过五条查询。"""
    rows = Voucher.objects.filter(scope_of(actor, institution_id).q())
    exact = {"booked_on__gte": first, "booked_on__lte": last, "source": source, "kind": kind, "subject": subject}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if loan_id is not None:
        rows = rows.filter(
            Q(subject=f"loan:{loan_id}") | Q(pk__in=Line.objects.filter(loan_id=loan_id).values("voucher_id"))
        )
    if text:
        rows = rows.filter(summary__icontains=text)
    found = paginate(
        rows.select_related("numbering", "institution").order_by("-booked_on", "-id"),
        page=page,
        size=size,
        to_row=lambda v: v,
    )
    return Page(rows=_voucher_rows(found.rows), total=found.total, number=found.number, size=found.size)


def _voucher_rows(vouchers: Sequence[Voucher]) -> list[VoucherRow]:
    debit = Line.objects.filter(voucher_id__in=[v.pk for v in vouchers], amount_fen__gt=0).order_by()
    amounts = {row["voucher_id"]: int(row["fen"]) for row in debit.values("voucher_id").annotate(fen=Sum("amount_fen"))}
    return [
        VoucherRow(
            voucher.pk, voucher.numbering.number if _has(voucher, "numbering") else None, voucher.booked_on,
            voucher.institution_id, voucher.institution.name, voucher.source,
            str(Source(voucher.source).label), voucher.kind, voucher.summary, voucher.subject,
            amounts.get(voucher.pk, 0),
        )
        for voucher in vouchers
    ]  # fmt: skip


def _has(row: Model, relation: str) -> bool:
    return getattr(row, relation, None) is not None


def voucher_detail(actor: Actor, voucher_id: int) -> VoucherDetail:
    """凭证全貌。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    voucher = (
        Voucher.objects.filter(in_scope(actor), pk=voucher_id)
        .select_related("numbering", "reversed_by", "institution")
        .first()
    )
    if voucher is None:
        raise NotFound(
            "VOUCHER_NOT_FOUND", f"没有编号为 {voucher_id} 的凭证，或不在您的管辖范围内。", field="voucher_id",
            value=voucher_id, fix="请从凭证列表中选择。",
        )  # fmt: skip
    names = names_of([voucher.posted_by, voucher.authorized_by])
    lines = [
        VoucherLine(
            line.pk, line.account_id, line.account.code, line.account.name, line.summary, max(line.amount_fen, 0),
            max(-line.amount_fen, 0), line.institution_id, line.product_id, line.loan_class, line.accrual,
            line.currency, line.position_code, line.loan_id,
        )
        for line in voucher.lines.select_related("account").order_by("id")
    ]  # fmt: skip
    return VoucherDetail(
        head=_voucher_rows([voucher])[0], lines=lines, day=voucher.day, kernel_version=voucher.kernel_version,
        posted_by=voucher.posted_by, posted_by_name=names.get(voucher.posted_by or 0, "系统"),
        post_code=voucher.post_code, authorized_by=voucher.authorized_by,
        authorized_by_name=names.get(voucher.authorized_by or 0, ""), recorded_at=voucher.recorded_at,
        reverses_id=voucher.reverses_id,
        reversed_by_id=voucher.reversed_by.pk if _has(voucher, "reversed_by") else None,
    )  # fmt: skip
