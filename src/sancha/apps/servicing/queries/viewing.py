"""一笔借据：按日、按当时所知的状态与各数。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.servicing.mapping import day_of, facts_of, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanFact, LoanState
from sancha.kernel import quote
from sancha.kernel.facts import Fact
from sancha.kernel.positions import accrual_status, classify
from sancha.kernel.replay import advance, project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms
from sancha.kernel.timetable import Standing, TimetableRow, agreed, timetable
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound


@dataclass(slots=True)
class LoanView:
    """一笔借据在某日、按当时所知的样子。"""

    loan: Loan
    row: LoanState | None
    terms: Terms
    facts: list[Fact]
    state: State
    on: date
    known_at: date | None
    business_date: date

    @property
    def is_today(self) -> bool:
        """看的是不是账上的现状。"""
        return self.known_at is None and self.on == self.business_date

    def schedule(self) -> State:
        """推演到末期的状态：还款计划 = 已结各期 + 假定无收付的未来各期。"""
        return project(self.terms, self.state)

    def payoff(self) -> dict[str, int]:
        """当日结清报价。"""
        return quote.payoff(self.terms, self.state)

    def timetable(self) -> list[TimetableRow]:
        """还款计划表（E4）。尚未放款的，按约定足额放款排出。"""
        if not self.state.installments and not self.state.principal and not self.facts:
            return timetable(self.terms, agreed(self.terms))
        return timetable(self.terms, self.state)

    def figures(self) -> Figures:
        """摘要数。"""
        return figures_of(self.terms, self.state)


@dataclass(frozen=True, slots=True)
class Figures:
    """一笔借据此刻的主要数字（金额为分）。``owed_fen`` 是今天就该付的：欠本、欠息、罚息、复利、费用，减溢缴款，不小于零。"""

    balance_fen: int
    overdue_principal_fen: int
    interest_due_fen: int
    interest_accrued_fen: int
    penalty_fen: int
    compound_fen: int
    fee_fen: int
    overpayment_fen: int
    owed_fen: int
    payoff_fen: int
    days_past_due: int
    loan_class: int
    accrual: int
    rate_ppm: int
    maturity: date | None
    next_due_on: date | None
    next_due_fen: int
    installments_left: int

    @property
    def charges_fen(self) -> int:
        """罚息、复利、费用之和。"""
        return self.penalty_fen + self.compound_fen + self.fee_fen


def figures_of(terms: Terms, state: State) -> Figures:
    """由状态取主要数字。"""
    parts = quote.payoff(terms, state)
    coming = next(
        (
            row
            for row in timetable(terms, state)
            if row.due_on.toordinal() >= state.on and row.standing is Standing.FUTURE
        ),
        None,
    )
    written_off = state.written_off
    return Figures(
        balance_fen=state.principal,
        overdue_principal_fen=0 if written_off else state.overdue_principal,
        interest_due_fen=0 if written_off else state.interest_unpaid,
        interest_accrued_fen=parts.get("interest_accrued", 0),
        penalty_fen=parts.get("penalty", 0),
        compound_fen=parts.get("compound", 0),
        fee_fen=parts.get("fee", 0),
        overpayment_fen=state.overpayment,
        owed_fen=max(
            0,
            sum(
                parts.get(name, 0)
                for name in ("fee", "penalty", "compound", "interest_due", "principal_due", "overpayment")
            ),
        ),
        payoff_fen=parts["total"],
        days_past_due=state.days_past_due,
        loan_class=classify(terms, state),
        accrual=accrual_status(terms, state),
        rate_ppm=state.rate_ppm,
        maturity=day_of(state.maturity),
        next_due_on=coming.due_on if coming and not written_off else None,
        next_due_fen=coming.total_fen if coming and not written_off else 0,
        installments_left=len(state.ends) - state.cur,
    )


PAID = (
    "fee_paid",
    "penalty_paid",
    "compound_paid",
    "interest_paid",
    "principal_paid",
    "subsidy_paid",
    "overpayment",
    "recovered",
)


def paid_between(before: State, after: State) -> dict[str, int]:
    """两个状态之间这笔钱去了哪里：累计已付之差（分）。"""
    moved = {name.removesuffix("_paid"): getattr(after, name) - getattr(before, name) for name in PAID}
    return {name: amount for name, amount in moved.items() if amount}


def find_loan(*, actor: Actor, loan_id: int | None = None, number: str = "") -> Loan:
    """按编号或借据号取借据（在数据范围内）。

    :raises NotFound: 没有，或不在范围内。
    """
    actor.require("servicing.view")
    rows = Loan.objects.filter(access.in_scope(actor)).select_related(
        "party", "institution", "product", "officer", "state"
    )
    loan = (rows.filter(pk=loan_id) if loan_id is not None else rows.filter(number=number)).first()
    if loan is None:
        raise NotFound(
            "LOAN_NOT_FOUND",
            "没有这笔借据，或不在您的机构范围内。",
            field="loan",
            value=loan_id or number,
            fix="请核对借据号。",
        )
    return loan


def view_loan(*, actor: Actor, loan_id: int, on: date | None = None, known_at: date | None = None) -> LoanView:
    """一笔借据：缺省是账上现状；给 ``on``（某日开门）或 ``known_at``（当时所知）则重放。两三条 SQL，不随年龄增长。"""
    loan = find_loan(actor=actor, loan_id=loan_id)
    row = getattr(loan, "state", None)
    terms = terms_of(loan.terms)
    facts = facts_of(LoanFact.objects.filter(loan_id=loan_id).order_by("seq"))
    today = businessday.business_date(institution_id=loan.institution_id)
    day = on or today
    if row is not None and known_at is None and day.toordinal() >= row.from_day:
        state = advance(terms, state_of(row), [], to=day)
    else:
        state = replay(terms, facts, on=day, known_at=known_at)
    return LoanView(
        loan=loan, row=row, terms=terms, facts=facts, state=state, on=day, known_at=known_at, business_date=today
    )
