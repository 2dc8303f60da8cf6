"""借据台账：筛选、排序、分页、合计。列表语句数固定，不随借据年龄增长。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Q, Sum

from sancha.apps.access import queries as access
from sancha.apps.parties import queries as parties
from sancha.apps.parties.masking import mask_id_number
from sancha.apps.servicing.mapping import day_of
from sancha.apps.servicing.models import Loan, LoanStatus
from sancha.kit.actor import Actor
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class LoanFilter:
    """借据台账的筛选条件；空为不限。"""

    keyword: str = ""
    status: str = ""
    product_id: int | None = None
    institution_id: int | None = None
    officer_id: int | None = None
    loan_class: int | None = None
    overdue_from: int | None = None
    overdue_to: int | None = None
    starts_from: date | None = None
    starts_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None
    party_id: int | None = None
    class_from: int | None = None
    held: bool = False
    order: str = "-starts_on"


@dataclass(frozen=True, slots=True)
class LoanRow:
    """借据台账一行（金额为分）。"""

    id: int
    number: str
    contract_number: str
    party_id: int
    party_name: str
    party_id_number: str  # 遮蔽的；看明文走 parties.reveal_party
    institution_name: str
    product_name: str
    officer_name: str
    method: str
    guarantee: str
    purpose: str
    principal_fen: int
    balance_fen: int
    overdue_principal_fen: int
    interest_due_fen: int
    charges_due_fen: int
    rate_ppm: int
    starts_on: date
    matures_on: date
    status: str
    status_name: str
    loan_class: int
    days_past_due: int
    next_due_on: date | None
    held: bool
    party_kind: str
    industry_name: str
    guarantor: str


ORDERS = {
    "starts_on": "starts_on",
    "matures_on": "matures_on",
    "number": "number",
    "principal_fen": "principal_fen",
    "balance_fen": "state__principal_fen",
    "overdue_principal_fen": "state__overdue_principal_fen",
    "next_due_on": "state__next_due_day",
    # The longer overdue, the earlier the day it fell due.
    "days_past_due": "-state__oldest_due_day",
}
"""排序参数 → 列；空值总在最后，两库一致。"""


SHORTEST_ID_TAIL = 4


def _ordering(order: str) -> list[Any]:
    name, down = order.lstrip("-"), order.startswith("-")
    column = ORDERS.get(name, "")
    if not column:
        name, column, down = "starts_on", "starts_on", True
    if column.startswith("-"):
        column, down = column[1:], not down
    return [F(column).desc(nulls_last=True) if down else F(column).asc(nulls_last=True), "-pk"]


def filtered_loans(actor: Actor, where: LoanFilter, today: date) -> Any:
    """符合条件、在机构范围内的借据（作废的除外）。"""
    rows = Loan.objects.filter(access.in_scope(actor)).exclude(status=LoanStatus.VOID)
    if where.status:
        rows = rows.filter(status=where.status)
    for name in ("product_id", "officer_id", "party_id"):
        if (value := getattr(where, name)) is not None:
            rows = rows.filter(**{name: value})
    if where.institution_id is not None:
        # An institution stands for its whole subtree, as everywhere else.
        rows = rows.filter(institution__path__contains=f"/{where.institution_id}/")
    if where.loan_class is not None:
        rows = rows.filter(state__loan_class=where.loan_class)
    if where.class_from is not None:
        rows = rows.filter(state__loan_class__gte=where.class_from)
    if where.held:
        rows = rows.filter(state__held=True)
    ordinal = today.toordinal()
    if where.overdue_from is not None:
        rows = rows.filter(state__oldest_due_day__lte=ordinal - where.overdue_from)
    if where.overdue_to is not None:
        rows = rows.filter(state__oldest_due_day__gte=ordinal - where.overdue_to)
    if where.starts_from:
        rows = rows.filter(starts_on__gte=where.starts_from)
    if where.starts_to:
        rows = rows.filter(starts_on__lte=where.starts_to)
    if where.due_from:
        rows = rows.filter(state__next_due_day__gte=where.due_from.toordinal())
    if where.due_to:
        rows = rows.filter(state__next_due_day__lte=where.due_to.toordinal())
    if where.keyword:
        word = where.keyword.strip()
        found = (
            Q(number__icontains=word)
            | Q(contract_number__icontains=word)
            | Q(party_id__in=parties.matching_party_ids(word))
        )
        if len(word) == SHORTEST_ID_TAIL and word.isascii() and word.isalnum():
            found |= Q(party__id_number__endswith=word.upper())
        rows = rows.filter(found)
    return rows


def list_loans(*, actor: Actor, where: LoanFilter, today: date, page: int = 1, size: int = 50) -> Page[LoanRow]:
    """借据台账。"""
    actor.require("servicing.view")
    rows = (
        filtered_loans(actor, where, today)
        .select_related("state", "party", "institution", "product", "officer")
        .order_by(*_ordering(where.order))
    )
    return paginate(
        rows.defer("terms", "state__state", "state__base"),
        page=page,
        size=size,
        to_row=lambda loan: loan_row(loan, today),
    )


def loan_totals(*, actor: Actor, where: LoanFilter, today: date) -> dict[str, int]:
    """筛选结果的合计（一条 SQL）。"""
    totals = filtered_loans(actor, where, today).aggregate(
        count=Count("pk"),
        principal_fen=Sum("principal_fen"),
        balance_fen=Sum("state__principal_fen"),
        overdue_principal_fen=Sum("state__overdue_principal_fen"),
        interest_due_fen=Sum("state__interest_due_fen"),
        charges_due_fen=Sum("state__charges_due_fen"),
    )
    return {name: int(value or 0) for name, value in totals.items()}


def loan_row(loan: Loan, today: date) -> LoanRow:
    """借据 → 台账一行；要连同状态、客户、机构、产品、信贷员一起取。"""
    state = getattr(loan, "state", None)
    oldest = state.oldest_due_day if state else None
    return LoanRow(
        id=loan.pk,
        number=loan.number,
        contract_number=loan.contract_number,
        party_id=loan.party_id,
        party_name=loan.party.name,
        party_id_number=mask_id_number(loan.party.id_number),
        institution_name=loan.institution.name,
        product_name=loan.product.name,
        officer_name=loan.officer.name if loan.officer else "",
        method=loan.method,
        guarantee=loan.guarantee,
        purpose=loan.purpose,
        principal_fen=loan.principal_fen,
        balance_fen=state.principal_fen if state else 0,
        overdue_principal_fen=state.overdue_principal_fen if state else 0,
        interest_due_fen=state.interest_due_fen if state else 0,
        charges_due_fen=state.charges_due_fen if state else 0,
        rate_ppm=loan.rate_ppm,
        starts_on=loan.starts_on,
        matures_on=loan.matures_on,
        status=loan.status,
        status_name=loan.get_status_display(),
        loan_class=state.loan_class if state else 1,
        days_past_due=max(0, today.toordinal() - oldest) if oldest is not None else 0,
        next_due_on=day_of(state.next_due_day) if state else None,
        held=bool(state and state.held),
        party_kind=loan.party.kind,
        industry_name=loan.party.industry_name,
        guarantor=loan.guarantor,
    )


def party_has_loans(party_id: int) -> bool:
    """此人在本系统放过款（作废的不算）：老客户；不看范围。"""
    return Loan.objects.filter(party_id=party_id).exclude(status__in=[LoanStatus.PENDING, LoanStatus.VOID]).exists()


def loans_of_party(*, actor: Actor, party_id: int, today: date) -> list[LoanRow]:
    """客户名下的借据。"""
    rows = Loan.objects.filter(access.in_scope(actor), party_id=party_id).select_related(
        "state", "party", "institution", "product", "officer"
    )
    return [loan_row(loan, today) for loan in rows.order_by("-starts_on")]
