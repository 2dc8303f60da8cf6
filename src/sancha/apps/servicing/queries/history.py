"""一笔借据的来历：时间线、每条事实之后的状态、冲账、余额走势、分户账。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.servicing.models import LoanFact, Movement
from sancha.apps.servicing.queries.viewing import LoanView, find_loan, paid_between
from sancha.kernel.facts import Fact, FactKind, effective
from sancha.kernel.replay import advance, replay
from sancha.kernel.timetable import agreed, timetable
from sancha.kit.actor import Actor
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class Step:
    """时间线一条：事实、谁何时录的、分到了哪里、凭证、被哪一号冲正。"""

    seq: int
    kind: str
    value_on: date
    booked_on: date
    amount_fen: int
    data: dict[str, Any]
    recorded_at: datetime
    recorded_by: str
    allocated: dict[str, int]
    balance_fen: int | None
    voucher_id: int | None
    reversed_by: int | None

    @property
    def backdated(self) -> bool:
        """倒签：起息日早于记账日。"""
        return self.value_on < self.booked_on


def history(view: LoanView) -> list[Step]:
    """事实时间线，新的在前；按当时所知，冲掉的也列（划去）。三条 SQL，不随年龄增长。"""
    rows = [
        row
        for row in LoanFact.objects.filter(loan_id=view.loan.pk).order_by("-seq")
        if view.known_at is None or row.booked_on <= view.known_at
    ]
    vouchers = dict(
        Movement.objects.filter(loan_id=view.loan.pk, fact_seq__isnull=False)
        .order_by("fact_seq")
        .values_list("fact_seq", "voucher_id")
        .distinct()
    )
    names = access.names_of(row.recorded_by_id for row in rows)
    spread = allocations(view)
    dead = reversed_by(view.facts, known_at=view.known_at)
    return [
        Step(
            seq=row.seq, kind=row.kind, value_on=row.value_on, booked_on=row.booked_on, amount_fen=row.amount_fen, data=row.data,
            recorded_at=row.recorded_at, recorded_by=names.get(row.recorded_by_id or 0, "系统"), allocated=spread.get(row.seq, ({}, None))[0],
            balance_fen=spread.get(row.seq, ({}, None))[1], voucher_id=vouchers.get(row.seq), reversed_by=dead.get(row.seq),
        )
        for row in rows
    ]  # fmt: skip


def allocations(view: LoanView) -> dict[int, tuple[dict[str, int], int]]:
    """每条生效的事实把钱分到了哪里、其后的本金余额：一条条接着走。"""
    spread: dict[int, tuple[dict[str, int], int]] = {}
    chosen = effective(view.facts, on=view.on, known_at=view.known_at)
    if not chosen:
        return spread
    state = replay(view.terms, chosen[:1], on=chosen[0].value_on)
    spread[chosen[0].seq] = (paid_between(replay(view.terms, [], on=view.terms.start), state), state.principal)
    for fact in chosen[1:]:
        before = advance(view.terms, state, [], to=max(fact.value_on, state.day))
        state = advance(view.terms, state, [fact], to=max(fact.value_on, state.day))
        spread[fact.seq] = (paid_between(before, state), state.principal)
    return spread


def reversed_by(facts: list[Fact], *, known_at: date | None = None) -> dict[int, int]:
    """已被冲正的事实 → 冲它的那条。冲正本身被冲的不算。"""
    dead: dict[int, int] = {}
    for fact in sorted(facts, key=lambda item: item.seq, reverse=True):
        if fact.kind is FactKind.REVERSAL and fact.seq not in dead and (known_at is None or fact.booked_on <= known_at):
            dead[int(fact.data["seq"])] = fact.seq
    return dead


def balance_path(view: LoanView) -> list[tuple[date, int, int | None]]:
    """余额走势：（日期, 按约定计划的本金余额, 实际本金余额）；``view.on`` 之后实际为空。"""
    chosen = effective(view.facts, on=view.on, known_at=view.known_at)
    starters = [fact for fact in chosen if fact.kind in {FactKind.DISBURSEMENT, FactKind.OPENING, FactKind.PLAN_GIVEN}]
    if not starters:
        return []
    origin = agreed(view.terms, starters)
    planned = {origin.day: origin.principal}
    left = origin.principal
    for row in timetable(view.terms, origin):
        if row.due_on > origin.day:
            left -= row.principal_fen
            planned[row.due_on] = left
    actual = {view.facts[0].value_on: 0}
    after = allocations(view)
    for fact in chosen:
        actual[fact.value_on] = after[fact.seq][1]
    actual[view.on] = view.state.principal
    days = sorted({*planned, *(day for day in actual if day >= origin.day)})
    return [(day, _last_before(planned, day), _last_before(actual, day) if day <= view.on else None) for day in days]


def _last_before(steps: dict[date, int], day: date) -> int:
    return steps[max(known for known in steps if known <= day)]


def timeline(*, loan_id: int) -> list[LoanFact]:
    """事实时间线（已由 ``find_loan`` 验过范围）。"""
    return list(LoanFact.objects.filter(loan_id=loan_id).order_by("-seq"))


def movements(*, actor: Actor, loan_id: int, page: int = 1, size: int = 100) -> Page[Movement]:
    """分户账，新的在前。"""
    find_loan(actor=actor, loan_id=loan_id)
    return paginate(
        Movement.objects.filter(loan_id=loan_id).order_by("-booked_on", "-pk"),
        page=page,
        size=size,
        to_row=lambda row: row,
    )
