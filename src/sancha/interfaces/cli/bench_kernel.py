"""内核测速：重放、接着走、存取状态。"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import positions
from sancha.kernel.replay import advance, project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Method, Terms

_START = date(2026, 1, 15)


def _terms(periods: int, day_count: DayCount) -> Terms:
    return Terms(
        start=_START,
        principal_fen=10_000_000,
        rate_ppm=120_000,
        method=Method.LEVEL_PAYMENT,
        periods=periods,
        day_count=day_count,
    )


def _best(function: Callable[[], Any], times: int) -> float:
    """每次微秒数：五轮取最快一轮的平均，避开机器的噪声。"""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            function()
        best = min(best, (time.perf_counter() - started) / times)
    return best * 1e6


def _written(state: State) -> str:
    return json.dumps(state.as_document())


def _read(stored: str) -> State:
    return State.from_document(json.loads(stored))


def measure() -> dict[str, Any]:
    """测若干典型借据，返回每种情形的微秒数。"""
    rows = []
    for periods, times in ((12, 200), (36, 60), (240, 8)):
        for day_count in (DayCount.MONTHLY, DayCount.ACT_360):
            terms = _terms(periods, day_count)
            disbursed = Fact(1, FactKind.DISBURSEMENT, _START, _START, terms.principal_fen)
            plan = project(terms, replay(terms, [disbursed], on=_START)).installments
            facts = [disbursed] + [
                Fact(i + 2, FactKind.REPAYMENT, item.due_date, item.due_date, item.unpaid_fen)
                for i, item in enumerate(plan)
            ]
            end = plan[-1].due_date

            def whole(
                periods: int = periods, day_count: DayCount = day_count, facts: list[Fact] = facts, end: date = end
            ) -> None:
                fresh = _terms(periods, day_count)
                positions(fresh, replay(fresh, facts, on=end))

            half = periods // 2
            state = replay(terms, facts[: half + 1], on=facts[half].value_on)
            following = facts[half + 1]
            stored = json.dumps(state.as_document())
            label = f"{periods} 期 {periods} 还 {day_count}"
            rows.append({"case": f"{label} 生成并重放", "microseconds": _best(whole, times)})
            rows.append(
                {
                    "case": f"{label} 接着走一期一还",
                    "microseconds": _best(partial(advance, terms, state, [following], to=following.value_on), times),
                }
            )
            rows.append(
                {
                    "case": f"{label} 读入存好的状态",
                    "microseconds": _best(partial(_read, stored), times),
                }
            )
            rows.append({"case": f"{label} 写出状态", "microseconds": _best(partial(_written, state), times)})
    return {"rows": rows}
