"""头寸：一笔借据在账上各成分的余额（借方为正），合计恒为零。

凭证 = 头寸之差。两个事件之间，每个成分是一条直线 :class:`Line`：``cum(d) = (carry + slope·(d − from)) / den`` 四舍五入，
自始累计、只取整一次；日终把同一会计键下所有借据当日的增量相加入账。Python 与 SQL 用同一公式（:mod:`sancha.apps.servicing.accrual`）。
见 docs/algorithms/accrual-line.md、books.md。
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from sancha.kernel.allocation import compound_owed, fee_owed, half_up, penalty_owed
from sancha.kernel.fold import Fold
from sancha.kernel.state import State
from sancha.kernel.terms import PPM, Terms

CODES = (
    "CASH", "PRINCIPAL", "PRINCIPAL_OVERDUE", "PRINCIPAL_NONACCRUAL",
    "INTEREST_RECEIVABLE", "SUBSIDY_RECEIVABLE", "PENALTY_RECEIVABLE", "COMPOUND_RECEIVABLE", "FEE_RECEIVABLE", "OVERPAYMENT",
    "INTEREST_INCOME", "PENALTY_INCOME", "COMPOUND_INCOME", "FEE_INCOME", "LOSS", "RECOVERY_INCOME", "ADJUSTMENT", "OPENING_EQUITY",
    "OFF_INTEREST", "OFF_SUBSIDY", "OFF_PENALTY", "OFF_COMPOUND", "OFF_CONTRA",
    "WRITTEN_OFF_PRINCIPAL", "WRITTEN_OFF_INTEREST", "WRITTEN_OFF_CONTRA",
)  # fmt: skip
OFF_BALANCE = frozenset(code for code in CODES if code.startswith(("OFF_", "WRITTEN_OFF_")))

NON_ACCRUAL, ACCRUAL, WRITTEN_OFF = 0, 1, 2

LIMIT = 1 << 62
"""直线的整数上限：2 × slope × 366 必须小于它，SQL 才不会溢出（SQLite 会悄悄变成浮点）。"""


class Key(NamedTuple):
    """会计键：头寸挂在谁名下。"""

    institution: str
    product: str
    loan_class: int
    accrual: int
    currency: str


class Line(NamedTuple):
    """一条计提直线：从 ``from`` 日起，``carry < den``，每天加 ``slope``。"""

    carry: int
    slope: int
    den: int

    def grown(self, days: int) -> int:
        """``days`` 天后的累计（含起点的零头）取整值。"""
        return (2 * (self.carry + self.slope * days) + self.den) // (2 * self.den)


# 每条直线逐日推动的头寸：应计时 (借, 贷)，非应计时 (借, 贷)。
LINE_NAMES = ("interest", "subsidy", "penalty", "compound")
LINE_CODES = {
    ("interest", ACCRUAL): ("INTEREST_RECEIVABLE", "INTEREST_INCOME"),
    ("subsidy", ACCRUAL): ("SUBSIDY_RECEIVABLE", "INTEREST_RECEIVABLE"),
    ("penalty", ACCRUAL): ("PENALTY_RECEIVABLE", "PENALTY_INCOME"),
    ("compound", ACCRUAL): ("COMPOUND_RECEIVABLE", "COMPOUND_INCOME"),
    ("interest", NON_ACCRUAL): ("OFF_INTEREST", "OFF_CONTRA"),
    ("subsidy", NON_ACCRUAL): ("OFF_SUBSIDY", "OFF_INTEREST"),
    ("penalty", NON_ACCRUAL): ("OFF_PENALTY", "OFF_CONTRA"),
    ("compound", NON_ACCRUAL): ("OFF_COMPOUND", "OFF_CONTRA"),
}


def classify(terms: Terms, state: State) -> int:
    """五级分类（按逾期天数与认定下限，取其差者；核销为损失）。"""
    if state.written_off:
        return 5
    grade, dpd = state.class_floor, state.days_past_due
    for threshold, by_days in terms.class_thresholds:
        if dpd >= threshold and by_days > grade:
            grade = by_days
    return grade


def accrual_status(terms: Terms, state: State) -> int:
    """应计 1、非应计 0（逾期超过门槛或已认定）、已核销 2。"""
    if state.written_off:
        return WRITTEN_OFF
    limit = terms.nonaccrual_after_dpd
    overdue_too_long = limit is not None and state.days_past_due > limit
    return NON_ACCRUAL if state.forced_nonaccrual or overdue_too_long else ACCRUAL


def accounting_key(terms: Terms, state: State) -> Key:
    """会计键（当日）。"""
    return Key(state.institution, state.product, classify(terms, state), accrual_status(terms, state), terms.currency)


def accrual_lines(terms: Terms, state: State) -> tuple[Line, Line, Line, Line]:
    """四条直线（合同利息、第三方承担、罚息、复利），已约分，可直接存成整数列。"""
    fold = Fold(terms, state)
    contract, subsidy, penalty, compound = fold.slopes()
    actual = terms.actual_den
    return (
        _line(state.acc_num, contract, state.acc_den),
        _line(state.subsidy_num, subsidy, state.acc_den * PPM),
        _line(state.penalty_num, penalty, actual),
        _line(state.compound_num, compound, actual),
    )


def _line(numerator: int, slope: int, den: int) -> Line:
    carry = numerator % den
    if not slope:
        # A line at rest needs no carry: its value does not move, and the whole state keeps the exact numerator.
        return Line(0, 0, 1)
    common = gcd(carry, slope, den)
    return Line(carry // common, slope // common, den // common)


def fits(lines: tuple[Line, ...]) -> bool:
    """直线是否在整数上限之内；超出的借据（本金过大）在登记时拒绝。"""
    return all(2 * (line.slope * 366 + line.carry) + line.den < LIMIT for line in lines)


def positions(terms: Terms, state: State) -> dict[str, int]:
    """各成分头寸（借方为正，零不列），合计为零。"""
    status = accrual_status(terms, state)
    interest_total = state.interest_billed + half_up(state.acc_num, state.acc_den)
    subsidy_total = state.subsidy_billed + half_up(state.subsidy_num, state.acc_den * PPM)
    actual = terms.actual_den
    penalty_total = half_up(state.penalty_num, actual)
    compound_total = half_up(state.compound_num, actual)
    interest = interest_total - subsidy_total - state.interest_paid - state.interest_waived
    subsidy = subsidy_total - state.subsidy_paid
    penalty, compound, fee = penalty_owed(terms, state), compound_owed(terms, state), fee_owed(state)
    opened, adjusted = state.opened, state.adjusted
    # What came in with the opening or an adjustment has its own counter account and never was income.
    given = [opened[i] * (0 if state.opened_off_balance and 1 <= i <= 3 else 1) + adjusted[i] for i in range(6)]
    principal = state.principal
    result = {
        "CASH": state.received - state.drawn - state.refunded,
        "OVERPAYMENT": -state.overpayment,
        "FEE_RECEIVABLE": fee,
        "FEE_INCOME": -(state.fee_due - state.fee_waived),
        "LOSS": state.principal_waived + state.written_off_principal,
        "RECOVERY_INCOME": -state.recovered,
        "ADJUSTMENT": -(sum(adjusted[:5]) - adjusted[5]),
        "OPENING_EQUITY": -(sum(given[i] - adjusted[i] for i in range(5)) - opened[5]),
    }
    if status == ACCRUAL:
        overdue = state.overdue_principal
        result |= {
            "PRINCIPAL": principal - overdue,
            "PRINCIPAL_OVERDUE": overdue,
            "INTEREST_RECEIVABLE": interest,
            "SUBSIDY_RECEIVABLE": subsidy,
            "PENALTY_RECEIVABLE": penalty,
            "COMPOUND_RECEIVABLE": compound,
            "INTEREST_INCOME": -(interest_total - state.interest_waived - given[1]),
            "PENALTY_INCOME": -(penalty_total - state.penalty_waived + opened[2] + adjusted[2] - given[2]),
            "COMPOUND_INCOME": -(compound_total - state.compound_waived + opened[3] + adjusted[3] - given[3]),
        }
    else:
        result |= {
            "INTEREST_INCOME": -(state.interest_paid + state.subsidy_paid - given[1]),
            "PENALTY_INCOME": -(state.penalty_paid - given[2]),
            "COMPOUND_INCOME": -(state.compound_paid - given[3]),
        }
        if status == NON_ACCRUAL:
            result |= {
                "PRINCIPAL_NONACCRUAL": principal,
                "OFF_INTEREST": interest,
                "OFF_SUBSIDY": subsidy,
                "OFF_PENALTY": penalty,
                "OFF_COMPOUND": compound,
                "OFF_CONTRA": -(interest + subsidy + penalty + compound),
            }
        else:
            kept_principal = state.written_off_principal - min(state.recovered, state.written_off_principal)
            kept_interest = state.written_off_interest - max(0, state.recovered - state.written_off_principal)
            result |= {
                "WRITTEN_OFF_PRINCIPAL": kept_principal,
                "WRITTEN_OFF_INTEREST": kept_interest,
                "WRITTEN_OFF_CONTRA": -(kept_principal + kept_interest),
            }
    result = {code: value for code, value in result.items() if value}
    assert sum(result.values()) == 0, (state.day, result)
    return result


def line_growth(lines: tuple[Line, ...], status: int, days: int, since: int = 0) -> dict[str, int]:
    """直线在第 ``since`` 天到第 ``days`` 天之间对头寸的增量。"""
    moved: dict[str, int] = {}
    if status == WRITTEN_OFF:
        return moved
    for name, line in zip(LINE_NAMES, lines, strict=True):
        if not line.slope:
            continue
        if amount := line.grown(days) - line.grown(since):
            debit, credit = LINE_CODES[name, status]
            moved[debit] = moved.get(debit, 0) + amount
            moved[credit] = moved.get(credit, 0) - amount
    return moved
