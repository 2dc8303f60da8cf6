"""还款计划表：由状态排出各期（E4 的各栏）。纯排列，不另算一分钱：应还、已还都是结息与冲账留下的数。

计划 = 已结各期 + 假定此后没有收付、推演出的未来各期（:func:`sancha.kernel.replay.project`）。
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.replay import project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms


class Standing(StrEnum):
    """一期的状况。"""

    FUTURE = "FUTURE"  # 未到期
    DUE = "DUE"  # 当日到期
    OVERDUE = "OVERDUE"  # 逾期未清
    PAID = "PAID"  # 按期还清
    PAID_LATE = "PAID_LATE"  # 逾期后还清
    MOVED = "MOVED"  # 重订计划时移回
    NOTHING = "NOTHING"  # 无应还


@dataclass(frozen=True, slots=True)
class TimetableRow:
    """计划表一行（金额为分）。``days_late`` 是逾期天数：未清的算到当日，迟还的算到还清日。"""

    no: int
    kind: str
    starts_on: date
    due_on: date
    days: int
    opening_fen: int
    principal_fen: int
    interest_fen: int
    subsidy_fen: int
    fee_fen: int
    closing_fen: int
    paid_principal_fen: int
    paid_interest_fen: int
    waived_fen: int
    unpaid_fen: int
    settled_on: date | None
    days_late: int
    standing: Standing
    rate_ppm: int

    @property
    def total_fen(self) -> int:
        """应还合计（借款人）。"""
        return self.principal_fen + self.interest_fen + self.fee_fen

    @property
    def paid_fen(self) -> int:
        """已还本息。"""
        return self.paid_principal_fen + self.paid_interest_fen


def timetable(terms: Terms, state: State) -> list[TimetableRow]:
    """还款计划表，立于 ``state`` 那天。"""
    on = state.on
    rows = []
    for item in project(terms, state).installments:
        principal = item.principal_due - item.moved_principal
        interest = item.interest_due - item.moved_interest
        unpaid = item.principal_unpaid + item.interest_unpaid
        settled = item.settled_on if item.settled_on and item.settled_on <= on and not unpaid else 0
        if item.due_on > on and not settled:
            standing, late = Standing.FUTURE, 0
        elif not unpaid and (item.moved_principal or item.moved_interest):
            standing, late = Standing.MOVED, 0
        elif not unpaid:
            late = max(0, settled - item.due_on) if settled else 0
            standing = Standing.PAID_LATE if late else Standing.PAID if principal + interest else Standing.NOTHING
        else:
            late = on - item.due_on
            standing = Standing.OVERDUE if late else Standing.DUE
        rows.append(
            TimetableRow(
                no=item.no, kind=item.kind, starts_on=date.fromordinal(item.starts_on), due_on=item.due_date,
                days=item.due_on - item.starts_on, opening_fen=item.opening_principal, principal_fen=principal, interest_fen=interest,
                subsidy_fen=item.subsidy_due, fee_fen=item.fee_due, closing_fen=item.opening_principal - item.principal_due,
                paid_principal_fen=item.principal_paid, paid_interest_fen=item.interest_paid,
                waived_fen=item.principal_waived + item.interest_waived, unpaid_fen=unpaid,
                settled_on=date.fromordinal(settled) if settled else None, days_late=late, standing=standing, rate_ppm=item.rate_ppm,
            )
        )  # fmt: skip
    return rows


def agreed(terms: Terms, facts: Iterable[Fact] = ()) -> State:
    """约定的样子：只有放款（或 ``facts`` 给的起点）、还没有任何还款时的状态，立于起息日。"""
    given = list(facts) or [Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen)]
    return replay(terms, given, on=max(terms.start, *(fact.value_on for fact in given)))
