"""随机的一家银行：两个分区，每天放款（部分补登）、各种事实（倒签、冲正的冲正、划转、核销、收回）、日终（时常半途被杀，其间照常营业）。

一切由种子决定，可以重演。业务走真正的入口（``books``、``operations``、``engine.run``），核对用 ``independent``。
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

from sancha.apps.businessday import operations as businessday
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.books import PositionMismatch
from sancha.dayclose import engine
from sancha.dayclose.step import CloseContext, Step
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.terms import Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict
from tests.simulation.independent import check_close, check_still
from tests.support.factories_access import fresh_key, open_county
from tests.support.factories_loans import Lending, open_lending
from tests.support.random_loans import disbursement, random_fact, random_terms

ONE_DAY = timedelta(days=1)
POLICY: dict[str, Any] = {
    "penalty_multiplier_ppm": 1_500_000, "misuse_multiplier_ppm": 2_000_000, "nonaccrual_after_dpd": 90,
    "class_thresholds": ((1, 2), (91, 3), (271, 4), (361, 5)),
}  # fmt: skip
PLACES = {"A": "S1", "B": "S2", "C": "S9"}  # S9 stands in the second partition


class Killed(Exception):
    """模拟进程被杀：从步骤之间或一批之后抛出。"""


@dataclass
class Business:
    """一家银行的随机营业。``guarded`` 为假时，凭证前的核对抛错只计数、跳过那条事实（变体测试用）。"""

    seed: int
    opening_loans: int = 8
    most_loans: int = 30
    halves: float = 0.4
    activity: float = 0.3
    guarded: bool = True
    on_day: Callable[[Business, int], None] | None = None
    rng: Random = field(init=False)
    lending: Lending = field(init=False)
    terms: dict[int, Terms] = field(default_factory=dict)
    facts: dict[int, list[Fact]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    first: date = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        county = open_county()
        self.lending = open_lending(county)
        second = businessday.add_partition(
            actor=SYSTEM, key=fresh_key(), on=county.opened_on, group_id=county.group_id, name="二区"
        )
        businessday.assign_institution(
            actor=SYSTEM,
            key=fresh_key(),
            on=county.opened_on,
            institution_id=county.ids["S9"],
            partition_id=second["partition_id"],
        )
        self.first = self.today
        for _ in range(self.opening_loans):
            self.lend(back=200)

    @property
    def today(self) -> date:
        """当前营业日。"""
        return self.lending.today

    # --- 营业 -----------------------------------------------------------------------

    def lend(self, back: int = 120) -> None:
        """放一笔，三成补登。"""
        rng = self.rng
        start = self.today - timedelta(days=rng.randrange(1, back) if back > 150 or rng.random() < 0.3 else 0)
        linked = {"rate_link": ("1Y", 50, "EVERY_MONTHS:1")} if rng.random() < 0.15 else {}
        terms = random_terms(rng, start, **POLICY, **linked)
        loan = self.lending.lend(terms, at=PLACES[rng.choice("ABC")])
        self.terms[loan.pk] = terms
        self.facts[loan.pk] = [disbursement(terms, booked_on=self.today)]
        self.counts["lend"] += 1

    def trade(self, chance: float | None = None) -> None:
        """一段营业：可能放款，每笔借据以 ``chance`` 的可能发生一件事。"""
        chance = self.activity if chance is None else chance
        if self.rng.random() < 0.3 and len(self.terms) < self.most_loans:
            self.lend()
        for loan_id in sorted(self.terms):
            if self.rng.random() < chance:
                self.happen(loan_id)

    def happen(self, loan_id: int) -> None:
        """一件随机的事。"""
        facts = self.facts[loan_id]
        fact = random_fact(self.rng, self.terms[loan_id], facts, booked_on=self.today)
        try:
            if fact.kind is FactKind.TRANSFER:
                servicing.transfer_loan(
                    actor=SYSTEM, key=fresh_key(), loan_id=loan_id, reason="模拟",
                    institution_id=self.lending.county.ids[PLACES[fact.data["institution"]]],
                )  # fmt: skip
            else:
                self.lending.record(loan_id, fact)
        except PositionMismatch:
            if self.guarded:
                raise
            self.counts["guard"] += 1
            return
        except Conflict as refused:
            if refused.code not in {"PARTITION_NOT_ALIGNED", "ALREADY_THERE"}:
                raise
            return
        # Repricing adds facts of its own at the close, so the number is the row's, not ours.
        facts.append(replace(fact, seq=len(facts) + 1))
        self.counts[str(fact.kind)] += 1

    # --- 日终 -----------------------------------------------------------------------

    def close(self) -> date:
        """日终一天，时常被杀几次，其间照常营业；返回所关之日。"""
        day = self.today
        while self.rng.random() < self.halves:
            if not self.killed(day):
                return day
            self.counts["killed"] += 1
            if self.today > day:
                self.trade(chance=0.15)
        engine.run(actor=SYSTEM, group_id=self.lending.county.group_id, until=day)
        return day

    def killed(self, day: date) -> bool:
        """跑到随机一处被杀；没杀成（已跑完）返回假。"""
        group_id, point = self.lending.county.group_id, self.rng.randrange(28)
        with patch.object(engine, "PIPELINE", dying(point)):
            try:
                engine.run(
                    actor=SYSTEM,
                    group_id=group_id,
                    until=day,
                    chunk=self.rng.choice([1, 2, 5]),
                    progress=after_calls(self.rng.randrange(1, 12)),
                )
            except Conflict as stopped:
                if not isinstance(stopped.__cause__, Killed):
                    raise
                return True
        return False

    def run(self, days: int, *, check: bool = True) -> None:
        """营业若干天，每天核对。"""
        for number in range(days):
            if self.on_day is not None:
                self.on_day(self, number)
            self.trade()
            day = self.close()
            if check:
                check_close(day, past=self.past_days(1 if number % 3 else 2))
            if check and number % 10 == 9:
                check_still(self.past_days(3))
        if check:
            check_still(self.past_days(12))

    def past_days(self, count: int) -> list[date]:
        """随机的过去各日。"""
        span = (self.today - self.first).days
        return [self.first + timedelta(days=self.rng.randrange(span)) for _ in range(count)]


def after_calls(number: int) -> Callable[[str, int, int], None]:
    """第 ``number`` 次报进度时死去。"""
    calls = iter(range(1, number + 1))

    def tell(name: str, done: int, total: int) -> None:
        if next(calls, number) >= number:
            raise Killed(f"{name} {done}/{total}")

    return tell


def dying(point: int, pipeline: tuple[Step, ...] = engine.PIPELINE) -> tuple[Step, ...]:
    """在第 ``point`` 个关口死去的流水线：偶数在一步之前，奇数在一步之后（步骤已提交、台账还没记）。"""
    passed = iter(range(point + 2))

    def wrap(step: Step) -> Step:
        def run(context: CloseContext) -> int:
            if next(passed, point) == point:
                raise Killed(f"before {step.code}")
            count: Any = step.run(context)
            if next(passed, point) == point:
                raise Killed(f"after {step.code}")
            return int(count)

        return replace(step, run=run)

    return tuple(wrap(step) for step in pipeline)
