"""一笔随机借据的一生：条款、依记账先后的事实、当前营业日。由种子决定，失败时重放种子即可。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sancha.kernel import Fact, FactKind, State, Terms, replay
from tests.support.random_loans import disbursement, random_fact, random_terms


@dataclass
class Life:
    """一生。"""

    terms: Terms
    facts: list[Fact]
    today: date
    rng: Random

    def on(self, day: date, *, known_at: date | None = None) -> State:
        """某日开门、当时所知的状态。"""
        return replay(self.terms, self.facts, on=day, known_at=known_at)

    def some_day(self, first: date | None = None) -> date:
        """起息日（或 ``first``）到今天之间的某天。"""
        first = first or self.terms.start
        return first + timedelta(days=self.rng.randrange((self.today - first).days + 1))


def live(seed: int, *, without: Collection[FactKind] = (), backdate: int = 150, events: int = 25) -> Life:
    """活一遍：放款，然后每隔几天记一条随机事实（三分之一倒签），最后再过一阵。"""
    rng = Random(seed)
    start = date(2024, 1, 1) + timedelta(days=rng.randrange(400))
    terms = random_terms(rng, start)
    facts = [disbursement(terms)]
    day = start
    only = set(FactKind) - set(without)
    for _ in range(rng.randrange(events)):
        day += timedelta(days=rng.randrange(60))
        facts.append(random_fact(rng, terms, facts, booked_on=day, backdate=backdate, only=only))
    return Life(terms, facts, day + timedelta(days=rng.randrange(400)), rng)
