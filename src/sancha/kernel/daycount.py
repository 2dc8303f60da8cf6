"""计息天数：五种约定，各自是一个「单位数 ÷ 基数」的整数函数。

``units(convention, anchor, nominal_day, d)`` 给出从期初 ``anchor`` 到 ``d``（算头不算尾）的单位数；一段利息 =
本金 × 年利率 × (units(末) − units(首)) ÷ 基数，首末都从同一期初量起，所以怎样切分都不改变总数。

在两个 *折点* 之间 units 逐日加 ``step``，故应计利息是一条直线（线性约定，见 docs/algorithms/accrual-line.md）；
折点本身由日终按事件重算。对月（MONTHLY）的折点是每个对月日：31 天的月份第 31 天不多计一天，2 月不少计。
"""

from __future__ import annotations

from calendar import isleap
from datetime import date
from enum import StrEnum
from functools import lru_cache

from sancha.kernel.dates import CACHE, add_months, month_length

_NEVER = 1 << 40


class DayCount(StrEnum):
    """计息天数约定。"""

    __hash__ = str.__hash__  # see PeriodUnit

    MONTHLY = "MONTHLY"  # 对月：整月按 1/12，零头天数按 1/360
    ACT_360 = "ACT_360"
    ACT_365 = "ACT_365"
    ACT_ACT = "ACT_ACT"  # 平年 1/365，闰年 1/366，跨年分段
    THIRTY_360 = "THIRTY_360"  # 30E/360：每月按 30 天


BASIS = {
    DayCount.MONTHLY: 360,
    DayCount.ACT_360: 360,
    DayCount.ACT_365: 365,
    DayCount.ACT_ACT: 365 * 366,
    DayCount.THIRTY_360: 360,
}

# 罚息与复利永远按实际天数；基数随合同约定。
ACTUAL_BASIS = {
    DayCount.MONTHLY: 360,
    DayCount.ACT_360: 360,
    DayCount.ACT_365: 365,
    DayCount.ACT_ACT: 365,
    DayCount.THIRTY_360: 360,
}


@lru_cache(maxsize=CACHE)
def whole_months(anchor: int, nominal_day: int, d: int) -> tuple[int, int]:
    """从期初到 ``d`` 的整月数，以及最后一个对月日（序数）。"""
    a, b = date.fromordinal(anchor), date.fromordinal(d)
    months = (b.year - a.year) * 12 + b.month - a.month
    anniversary = anchor if months == 0 else add_months(anchor, months, nominal_day)
    if anniversary > d:
        months -= 1
        anniversary = anchor if months == 0 else add_months(anchor, months, nominal_day)
    return months, anniversary


def _thirty(d: int) -> int:
    day = date.fromordinal(d)
    return day.year * 360 + day.month * 30 + min(day.day, 30)


def _act_act(d: int) -> int:
    """以公元元年为原点的累计单位：平年每日 366，闰年每日 365（基数 365×366）。"""
    day = date.fromordinal(d)
    within = d - date(day.year, 1, 1).toordinal()
    # 每一整年，不论平闰，都恰好是 365 × 366 个单位。
    return day.year * 365 * 366 + within * (365 if isleap(day.year) else 366)


def units(convention: DayCount, anchor: int, nominal_day: int, d: int) -> int:
    """从期初 ``anchor`` 到 ``d`` 的单位数（算头不算尾）。"""
    if convention is DayCount.ACT_360 or convention is DayCount.ACT_365:
        return d - anchor
    if convention is DayCount.MONTHLY:
        months, anniversary = whole_months(anchor, nominal_day, d)
        return months * 30 + d - anniversary
    if convention is DayCount.THIRTY_360:
        return _thirty(d) - _thirty(anchor)
    return _act_act(d) - _act_act(anchor)


def step(convention: DayCount, d: int) -> int:
    """每日单位数：``d`` 之后到下一折点之前，每天增加多少。"""
    if convention is DayCount.ACT_ACT:
        return 365 if isleap(date.fromordinal(d).year) else 366
    return 1


@lru_cache(maxsize=CACHE)
def next_kink(convention: DayCount, anchor: int, nominal_day: int, d: int) -> int:
    """下一折点：``d`` 之后第一个须重算直线的日子。没有则为极大值。"""
    if convention is DayCount.ACT_360 or convention is DayCount.ACT_365:
        return _NEVER
    if convention is DayCount.MONTHLY:
        months, _ = whole_months(anchor, nominal_day, d)
        return add_months(anchor, months + 1, nominal_day)
    day = date.fromordinal(d)
    if convention is DayCount.ACT_ACT:
        return date(day.year + 1, 1, 1).toordinal()
    # 30E/360：每个 31 日不增加，3 月 1 日补足 2 月。
    if month_length(day.year, day.month) == 31 and day.day < 31:
        return date(day.year, day.month, 31).toordinal()
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    if day.month == 2:
        return following.toordinal()
    if month_length(following.year, following.month) == 31:
        return date(following.year, following.month, 31).toordinal()
    if following.month == 2:
        return date(following.year, 3, 1).toordinal()
    return date(following.year, following.month + 1, 31).toordinal()
