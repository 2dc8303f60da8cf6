"""台账导出：贷款台账、到期与还款台账（规则 E6 的列）。逐行产生，分块取，语句数随块数而不随笔数增长。"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.parties.masking import mask_id_number
from sancha.apps.servicing.mapping import booked_position, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanFact, LoanState
from sancha.apps.servicing.queries.listing import LoanFilter, LoanRow, filtered_loans, loan_row
from sancha.kernel.facts import FactKind
from sancha.kernel.timetable import timetable
from sancha.kit.actor import Actor

CHUNK = 500
PERMISSION = "reporting.export"
WRITTEN_OFF = "WRITTEN_OFF_PRINCIPAL"
COUNTER = "COUNTER"


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """贷款台账一行：台账的列之外，期限（期数，条款没写期数的为已排出的期数）、展期过没有，与账上的各项应收（分）。

    欠息与表外息是到期未还的利息：应计的借据在前一栏，非应计的在后一栏，两栏相加是全部。应计利息还没有到期。
    """

    loan: LoanRow
    term_count: int | None
    is_extended: bool
    interest_due_fen: int
    off_interest_fen: int
    accrued_interest_fen: int
    penalty_fen: int
    compound_fen: int
    fee_fen: int
    overpayment_fen: int


@dataclass(frozen=True, slots=True)
class DueRow:
    """到期与还款台账一行：一笔借据的一期（金额为分）。``channels`` 是还清那天收的款的方式。"""

    institution_name: str
    number: str
    party_name: str
    party_id_number: str  # 遮蔽的
    no: int
    due_on: date
    principal_fen: int
    interest_fen: int
    paid_fen: int
    unpaid_fen: int
    paid_on: date | None
    channels: tuple[str, ...]
    days_late: int
    standing: str


def loan_register(*, actor: Actor, where: LoanFilter, today: date) -> Iterator[RegisterRow]:
    """贷款台账，按借据号。"""
    for loans in _chunks(actor, where, today):
        extended = _extended([loan.pk for loan in loans])
        for loan in loans:
            state = getattr(loan, "state", None)
            listed = state.installments_total if state else None
            yield RegisterRow(
                loan=loan_row(loan, today),
                term_count=loan.terms.get("periods") or listed or None,
                is_extended=loan.pk in extended,
                **_receivables(state, today),
            )


def due_register(
    *, actor: Actor, where: LoanFilter, today: date, first: date | None = None, last: date | None = None
) -> Iterator[DueRow]:
    """到期与还款台账，按借据号与应还日；``first``、``last`` 限应还日。还没放款的、作废的没有。"""
    for loans in _chunks(actor, where, today):
        booked = [loan for loan in loans if getattr(loan, "state", None) is not None]
        rows = {loan.pk: _dues(loan, first, last) for loan in booked}
        paid = {(pk, row.settled_on) for pk, found in rows.items() for row in found if row.settled_on}
        channels = _channels(sorted({pk for pk, _ in paid}), {day for _, day in paid})
        for loan in booked:
            for item in rows[loan.pk]:
                yield DueRow(
                    institution_name=loan.institution.name,
                    number=loan.number,
                    party_name=loan.party.name,
                    party_id_number=mask_id_number(loan.party.id_number),
                    no=item.no,
                    due_on=item.due_on,
                    principal_fen=item.principal_fen,
                    interest_fen=item.interest_fen,
                    paid_fen=item.paid_fen,
                    unpaid_fen=item.unpaid_fen,
                    paid_on=item.settled_on,
                    channels=tuple(channels.get((loan.pk, item.settled_on), ())),
                    days_late=item.days_late,
                    standing=str(item.standing),
                )


def _receivables(state: LoanState | None, today: date) -> dict[str, int]:
    # In the middle of a close some loans stand a day ahead of the business date.
    book = booked_position(state, max(today.toordinal(), state.from_day)) if state else {}
    due = state.interest_due_fen if state and not book.get(WRITTEN_OFF) else 0
    on_books = state is None or state.accrual == 1

    def both(name: str) -> int:
        return book.get(f"{name}_RECEIVABLE", 0) + book.get(f"OFF_{name}", 0)

    return {
        "interest_due_fen": due if on_books else 0,
        "off_interest_fen": 0 if on_books else due,
        "accrued_interest_fen": max(both("INTEREST") - due, 0),
        "penalty_fen": both("PENALTY"),
        "compound_fen": both("COMPOUND"),
        "fee_fen": both("FEE"),
        "overpayment_fen": state.overpayment_fen if state else 0,
    }


def _chunks(actor: Actor, where: LoanFilter, today: date) -> Iterator[list[Loan]]:
    actor.require(PERMISSION)
    rows = (
        filtered_loans(actor, where, today)
        .select_related("state", "party", "institution", "product", "officer")
        .order_by("number")
    )
    chunk: list[Loan] = []
    for loan in rows.iterator(chunk_size=CHUNK):
        chunk.append(loan)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _dues(loan: Loan, first: date | None, last: date | None) -> list[Any]:
    found = timetable(terms_of(loan.terms), state_of(loan.state))
    return [row for row in found if (first is None or row.due_on >= first) and (last is None or row.due_on <= last)]


def _extended(loan_ids: Sequence[int]) -> set[int]:
    """展期过、没有冲正的借据。"""
    found: dict[int, set[int]] = {}
    undone: dict[int, set[int]] = {}
    kinds = (str(FactKind.EXTENSION), str(FactKind.REVERSAL))
    facts = LoanFact.objects.filter(loan_id__in=loan_ids, kind__in=kinds).order_by("loan_id", "-seq")
    for loan_id, seq, kind, data in facts.values_list("loan_id", "seq", "kind", "data"):
        # Newest first: a reversal that was itself reversed no longer counts.
        if seq in undone.get(loan_id, set()):
            continue
        if kind == str(FactKind.REVERSAL):
            undone.setdefault(loan_id, set()).add(int(data["seq"]))
        else:
            found.setdefault(loan_id, set()).add(seq)
    return set(found)


def _channels(loan_ids: Sequence[int], days: set[date]) -> dict[tuple[int, date | None], list[str]]:
    """（借据, 还款日）→ 那天收款的方式。"""
    if not loan_ids:
        return {}
    facts = LoanFact.objects.filter(
        loan_id__in=loan_ids, kind=str(FactKind.REPAYMENT), value_on__gte=min(days), value_on__lte=max(days)
    ).order_by("loan_id", "seq")
    found: dict[tuple[int, date | None], list[str]] = {}
    for loan_id, day, data in facts.values_list("loan_id", "value_on", "data"):
        channel = str(data.get("channel", COUNTER))
        known = found.setdefault((loan_id, day), [])
        if channel not in known:
            known.append(channel)
    return found
