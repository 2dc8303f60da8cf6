"""试算：由内核排计划、算年化、报结清、比方式。没有数据库，没有一条写入。"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.disclosure import DisclosureError, annualized_cost, dated_cost
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.quote import payoff
from sancha.kernel.replay import replay
from sancha.kernel.terms import Method, Terms
from sancha.kernel.timetable import TimetableRow, agreed, timetable

PER_YEAR = {
    PeriodUnit.MONTH: 12,
    PeriodUnit.QUARTER: 4,
    PeriodUnit.HALF_YEAR: 2,
    PeriodUnit.YEAR: 1,
    PeriodUnit.WEEK: 52,
}
COMPARED = (Method.LEVEL_PAYMENT, Method.LEVEL_PRINCIPAL, Method.INTEREST_FIRST, Method.BULLET, Method.FLAT_INTEREST)
STATE = "财政"


@dataclass(frozen=True, slots=True)
class Outcome:
    """一种方式的试算结果（金额为分）。年化算不出时为空。"""

    terms: Terms
    rows: list[TimetableRow]
    upfront_fee_fen: int
    nominal_ppm: int | None
    xirr_ppm: int | None

    @property
    def interest_fen(self) -> int:
        """借款人付的利息。"""
        return sum(row.interest_fen for row in self.rows)

    @property
    def subsidy_fen(self) -> int:
        """贴息。"""
        return sum(row.subsidy_fen for row in self.rows)

    @property
    def fee_fen(self) -> int:
        """全部费用。"""
        return self.upfront_fee_fen + sum(row.fee_fen for row in self.rows)

    @property
    def total_fen(self) -> int:
        """借款人一共要付出。"""
        return sum(row.total_fen for row in self.rows) + self.upfront_fee_fen

    @property
    def cost_fen(self) -> int:
        """总成本 = 利息 + 费用。"""
        return self.interest_fen + self.fee_fen

    @property
    def first_fen(self) -> int:
        """首期应还。"""
        return self.rows[0].total_fen if self.rows else 0

    @property
    def highest_fen(self) -> int:
        """最高一期应还。"""
        return max((row.total_fen for row in self.rows), default=0)


def run(terms: Terms, *, upfront_fee_fen: int = 0) -> Outcome:
    """试算一种方式。"""
    rows = timetable(terms, agreed(terms))
    flows = [(terms.start, terms.principal_fen - upfront_fee_fen), *((row.due_on, -row.total_fen) for row in rows)]
    steps = [
        (0, terms.principal_fen - upfront_fee_fen),
        *((number, -row.total_fen) for number, row in enumerate(rows, start=1)),
    ]
    per_year = PER_YEAR.get(terms.period_unit)
    nominal = xirr = None
    try:
        xirr = dated_cost(flows).rate_ppm
        # Equal steps are only true of a plan whose every period is the contract's period.
        if (
            per_year
            and terms.method is not Method.BULLET
            and terms.due_day is None
            and terms.first_due is None
            and per_year % terms.period_every == 0
        ):
            nominal = annualized_cost(steps, periods_per_year=per_year // terms.period_every).rate_ppm
    except DisclosureError:
        pass
    return Outcome(terms, rows, upfront_fee_fen, nominal, xirr)


def compare(terms: Terms, *, upfront_fee_fen: int = 0) -> list[Outcome]:
    """同样的金额、利率、期限，换几种还款方式。"""
    plain = replace(terms, grace_periods=0, plan=(), flat_fee_fen=0)
    return [run(replace(plain, method=method), upfront_fee_fen=upfront_fee_fen) for method in COMPARED]


def payoff_on(outcome: Outcome, day: date) -> dict[str, int]:
    """假定此前各期都按时还清，``day`` 那天结清要付多少。"""
    return payoff(outcome.terms, replay(outcome.terms, _paid_facts(outcome, before=day), on=day))


def with_rate(outcome: Outcome, rate_ppm: int, day: date) -> list[TimetableRow]:
    """假定此前各期按时还清，``day`` 起改用另一利率的计划。"""
    facts = _paid_facts(outcome, before=day)
    change = Fact(len(facts) + 1, FactKind.RATE_CHANGE, day, day, 0, {"rate_ppm": rate_ppm, "relevel": True})
    return timetable(outcome.terms, replay(outcome.terms, [*facts, change], on=day))


def _paid_facts(outcome: Outcome, *, before: date) -> list[Fact]:
    start, terms = outcome.terms.start, outcome.terms
    facts = [Fact(1, FactKind.DISBURSEMENT, start, start, terms.principal_fen)]
    for row in outcome.rows:
        if row.due_on < before and row.total_fen:
            facts.append(Fact(len(facts) + 1, FactKind.REPAYMENT, row.due_on, row.due_on, row.total_fen))
    return facts
