"""日期：月末截断、周期推进。内核内部一律用日序数（``date.toordinal``），进出边界才是 ``date``。"""

from __future__ import annotations

from calendar import isleap
from datetime import date
from enum import StrEnum
from functools import lru_cache


class PeriodUnit(StrEnum):
    """周期单位。"""

    __hash__ = str.__hash__  # Enum's own hash is a Python call, and these are looked up for every period.

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    HALF_YEAR = "HALF_YEAR"
    YEAR = "YEAR"


# 按月推进的单位折成月数；按日推进的折成天数。
MONTHS = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.HALF_YEAR: 6, PeriodUnit.YEAR: 12}
DAYS = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7}


_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Dates repeat across a portfolio: one close of 100,000 loans asks the same few thousand questions.
CACHE = 1 << 16


def month_length(year: int, month: int) -> int:
    """当月天数。"""
    return 29 if month == 2 and isleap(year) else _LENGTHS[month - 1]


@lru_cache(maxsize=CACHE)
def add_months(ordinal: int, months: int, day_of_month: int) -> int:
    """推进若干个月并落到指定日，当月没有该日则取月末（月末截断）。

    ``day_of_month`` 始终用名义还款日：1 月 31 日放款，各期为 2 月 28 日、3 月 31 日、4 月 30 日，而不会漂移到 28 日。
    """
    start = date.fromordinal(ordinal)
    index = start.month - 1 + months
    year, month = start.year + index // 12, index % 12 + 1
    return date(year, month, min(day_of_month, month_length(year, month))).toordinal()


@lru_cache(maxsize=CACHE)
def nominal_day(ordinal: int, due_day: int) -> int:
    """期初日的名义日：若它正是 ``due_day`` 在当月的落点（可能被月末截断），名义日是 ``due_day``，否则是它自己。"""
    day = date.fromordinal(ordinal)
    clamped = min(due_day, month_length(day.year, day.month))
    return due_day if clamped == day.day else day.day


def add_periods(ordinal: int, count: int, unit: PeriodUnit, every: int, due_day: int) -> int:
    """从起日推进 ``count`` 个「每 ``every`` 个单位」的周期。"""
    if unit in DAYS:
        return ordinal + count * every * DAYS[unit]
    return add_months(ordinal, count * every * MONTHS[unit], due_day)
