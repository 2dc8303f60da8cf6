"""借据一侧交给 ``parties`` 的敞口：借款与担保。在 ``config/wiring`` 登记。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sancha.apps.parties import queries as parties
from sancha.apps.parties.exposure import Exposure, ExposureKind
from sancha.apps.servicing.mapping import state_of
from sancha.apps.servicing.models import Loan, LoanState, LoanStatus
from sancha.rulebook.vocabulary import GuaranteeKind

PERSONAL = (GuaranteeKind.GUARANTEE, GuaranteeKind.MAX_GUARANTEE, GuaranteeKind.JOINT_GUARANTEE)


def exposures(party_ids: tuple[int, ...], on: date) -> list[Exposure]:
    """这些人的借款，与他们担保的借款。待复核的算未了结：两处同时办的重复借款要看得见。

    担保合同还没有单独成册，担保人凭在期的「保证人」关系认；借据上写了担保人姓名的，须写着他。
    """
    loans = [_exposure(loan, loan.party_id, ExposureKind.LOAN, on) for loan in _loans(party_ids, on)]
    return loans + _guarantees(party_ids, on)


def _guarantees(party_ids: tuple[int, ...], on: date) -> list[Exposure]:
    pairs = parties.guarantors_on(party_ids, on=on)
    names = {guarantor: parties.former_names([guarantor]) for _, guarantor in pairs}
    given: dict[int, list[int]] = {}
    for borrower, guarantor in pairs:
        given.setdefault(borrower, []).append(guarantor)
    return [
        _exposure(loan, guarantor, ExposureKind.GUARANTEE, on)
        for loan in _loans(given, on)
        if loan.guarantee in PERSONAL
        for guarantor in given[loan.party_id]
        if not loan.guarantor or any(name in loan.guarantor for name in names[guarantor])
    ]


def _loans(party_ids: Iterable[int], on: date) -> Any:
    rows = Loan.objects.filter(party_id__in=list(party_ids), starts_on__lte=on).exclude(status=LoanStatus.VOID)
    return rows.select_related("state", "product").order_by("starts_on", "pk")


def _exposure(loan: Loan, party_id: int, kind: ExposureKind, on: date) -> Exposure:
    row: LoanState | None = getattr(loan, "state", None)
    closed = loan.settled_on if loan.settled_on is not None and loan.settled_on <= on else None
    return Exposure(
        party_id=party_id,
        kind=kind,
        number=loan.number,
        program=loan.product.program,
        guarantee=loan.guarantee,
        opened_on=loan.starts_on,
        closed_on=closed,
        principal_fen=loan.principal_fen,
        overdue_days=_overdue_days(row, on) if row else 0,
    )


def _overdue_days(row: LoanState, on: date) -> int:
    """历来逾期的天数：各期从应还日到付清日，几期同时逾期的日子只算一次。"""
    last, late = 0, 0
    for item in sorted(state_of(row).installments, key=lambda one: one.due_on):
        until = min(item.settled_on or on.toordinal(), on.toordinal())
        start = max(item.due_on, last)
        if until > start:
            late, last = late + until - start, until
    return late
