"""计息天数的性质：切分不改变总数；两个折点之间逐日一条直线；整年整月恰好。"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancha.kernel.dates import add_months, nominal_day
from sancha.kernel.daycount import BASIS, DayCount, next_kink, step, units

DAYS = st.integers(date(1999, 1, 1).toordinal(), date(2061, 1, 1).toordinal())
CONVENTIONS = st.sampled_from(list(DayCount))


@settings(max_examples=400, deadline=None)
@given(CONVENTIONS, DAYS, st.lists(st.integers(0, 2500), min_size=1, max_size=30))
def test_splitting_changes_nothing(convention: DayCount, anchor: int, cuts: list[int]) -> None:
    """从同一期初量起，任意切分的单位数之和 = 整段的单位数。"""
    day = nominal_day(anchor, date.fromordinal(anchor).day)
    points = [0, *sorted(cuts)]
    reached = [units(convention, anchor, day, anchor + point) for point in points]
    slices = [after - before for before, after in pairwise(reached)]
    assert sum(slices) == units(convention, anchor, day, anchor + points[-1])
    assert min(slices) >= 0
    assert reached[0] == 0


@settings(max_examples=600, deadline=None)
@given(CONVENTIONS, DAYS, st.integers(0, 1200), st.integers(1, 31))
def test_between_kinks_it_is_a_line(convention: DayCount, anchor: int, offset: int, due_day: int) -> None:
    """从某日到下一折点之前，每天恰加 ``step``；折点本身在那天之后。"""
    nominal = nominal_day(anchor, due_day)
    day = anchor + offset
    kink = next_kink(convention, anchor, nominal, day)
    assert kink > day
    start, each = units(convention, anchor, nominal, day), step(convention, day)
    for later in range(day, min(kink, day + 400)):
        assert units(convention, anchor, nominal, later) == start + each * (later - day)


@pytest.mark.parametrize("convention", [DayCount.MONTHLY, DayCount.THIRTY_360, DayCount.ACT_ACT])
def test_a_kink_is_where_the_line_breaks(convention: DayCount) -> None:
    """折点不是白设的：每种约定都有折点当天与直线不合的日子。"""
    anchor = date(2026, 1, 15).toordinal()
    broken = 0
    day = anchor
    while day < anchor + 800:
        kink = next_kink(convention, anchor, 15, day)
        broken += units(convention, anchor, 15, kink + 1) != units(convention, anchor, 15, day) + step(
            convention, day
        ) * (kink + 1 - day)
        day = kink
    assert broken


@settings(max_examples=200, deadline=None)
@given(DAYS, st.integers(1, 60))
def test_whole_months_are_thirty(anchor: int, months: int) -> None:
    """对月：对日到对日，每个月恰 30 个单位，月末也是。"""
    day = date.fromordinal(anchor).day
    assert units(DayCount.MONTHLY, anchor, day, add_months(anchor, months, day)) == 30 * months


@settings(max_examples=200, deadline=None)
@given(DAYS, st.integers(1, 20))
def test_whole_years_are_whole(anchor: int, years: int) -> None:
    """实际/实际：元旦到元旦恰是整年；实际天数恰是天数。"""
    first = date(date.fromordinal(anchor).year, 1, 1)
    last = first.replace(year=first.year + years)
    whole = units(DayCount.ACT_ACT, first.toordinal(), 1, last.toordinal())
    assert whole == years * BASIS[DayCount.ACT_ACT]
    for convention in (DayCount.ACT_360, DayCount.ACT_365):
        assert units(convention, first.toordinal(), 1, last.toordinal()) == (last - first).days
