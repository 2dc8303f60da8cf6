"""还款计划：计息期的划分与每期还款额。

期末（``ends``）是结息日，应还日（``dues``）是节假日顺延之后的日子；两者在多数合同里相同。
每期应还多少由 :mod:`sancha.kernel.replay` 在结息那天按当时余额得出，这里只给出等额的那个数。
"""

from __future__ import annotations

from datetime import date

from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import DAYS, MONTHS, PeriodUnit, add_months, add_periods
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import Rounding, round_div
from sancha.kernel.terms import PPM, Method, Roll, Terms


def roll_forward(calendar: Calendar, ordinal: int) -> int:
    """遇节假日顺延到下一工作日。未公布的年份只认周末，见 ``Calendar.is_published``。"""
    return calendar.next_working(date.fromordinal(ordinal)).toordinal()


def period_ends(terms: Terms) -> list[int]:
    """各期名义期末（未顺延）。

    没有固定还款日：自起息日对日推进。有固定还款日：首个还款日须离起息日至少 ``first_period_min_days`` 天（首期残段并入），
    末期止于到期日（给了到期日时）或第 n 个还款日。
    """
    start = terms.start.toordinal()
    unit, every = terms.period_unit, terms.period_every
    if terms.method is Method.BULLET:
        last = (
            terms.maturity.toordinal()
            if terms.maturity
            else add_periods(start, terms.periods, unit, every, terms.start.day)
        )
        return [last]
    if terms.first_due is not None:
        first = terms.first_due.toordinal()
        due_day = terms.due_day or terms.first_due.day
    elif terms.due_day is not None:
        due_day = terms.due_day
        # The due day of the month one whole period on: n instalments then end within a month of n periods. Taking the
        # coming due day would end a 12-month loan after 11, and open a quarterly one with a stub of a few days.
        # A contract that bills the stub on its own gives the first due date and the maturity.
        first = add_months(start, MONTHS[unit] * every, due_day)
        while first <= start or first - start < terms.first_period_min_days:
            first = add_months(first, 1, due_day)
    else:
        due_day = terms.start.day
        first = add_periods(start, 1, unit, every, due_day)
    ends = [first]
    if terms.maturity is None:
        ends += [add_periods(first, k, unit, every, due_day) for k in range(1, terms.periods)]
        return ends
    last = terms.maturity.toordinal()
    k = 1
    while ends[-1] < last:
        ends.append(add_periods(first, k, unit, every, due_day))
        k += 1
    ends[-1] = last
    return ends


def rolled(terms_roll: Roll, calendar: Calendar, ends: list[int]) -> tuple[list[int], list[int]]:
    """按顺延规则给出（期末, 应还日）。"""
    if terms_roll is Roll.NONE:
        return ends, list(ends)
    dues = [roll_forward(calendar, end) for end in ends]
    # A roll may never pass the next period's end (a year not yet published plus a long holiday could).
    if terms_roll is Roll.FOLLOWING_ADJUSTED:
        return dues, list(dues)
    return ends, dues


def period_rate(rate_ppm: int, unit: PeriodUnit, every: int, day_count: DayCount) -> tuple[int, int]:
    """一期利率（分子, 分母）：按月类单位取年利率 × 月数 ÷ 12，按日类取天数 ÷ 年基数。"""
    if unit in DAYS:
        basis = 365 if day_count in {DayCount.ACT_365, DayCount.ACT_ACT} else 360
        return rate_ppm * DAYS[unit] * every, PPM * basis
    return rate_ppm * MONTHS[unit] * every, PPM * 12


def level_payment(
    principal_fen: int, rate: tuple[int, int], periods: int, rounding: Rounding, multiple_fen: int = 1
) -> int:
    """等额本息：每期还款额 A = P·i(1+i)^n ÷ ((1+i)^n − 1)，按合同写明的规则取整。

    全程整数（有理数）运算；0 利率就是本金 ÷ 期数。尾差不在此处理：末期由结息收齐。依据 docs/algorithms/level-payment.md。
    """
    assert principal_fen >= 0 and periods >= 1
    numerator, denominator = rate
    if numerator == 0:
        return _rounded(principal_fen, periods, rounding, multiple_fen)
    growth = (denominator + numerator) ** periods
    base = denominator**periods
    return _rounded(principal_fen * numerator * growth, denominator * (growth - base), rounding, multiple_fen)


def level_principal(principal_fen: int, periods: int, rounding: Rounding, multiple_fen: int = 1) -> int:
    """等额本金：每期本金 = 本金 ÷ 期数，按规则取整，末期收尾差。"""
    return _rounded(principal_fen, periods, rounding, multiple_fen)


def _rounded(numerator: int, denominator: int, rounding: Rounding, multiple_fen: int) -> int:
    # One rounding only: to the multiple directly, never to the fen first and then to the multiple.
    return round_div(numerator, denominator * multiple_fen, rounding) * multiple_fen
