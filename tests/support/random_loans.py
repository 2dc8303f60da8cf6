"""随机借据：可重复（种子）的条款与事实，供性质测试与模拟使用。"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.money import Rounding
from sancha.kernel.terms import Allocation, Compound, Future, Method, Roll, Terms

K = FactKind
PAYER = "财政"
ORDERS = (
    ("fee", "penalty", "compound", "interest", "principal"),
    ("principal", "interest", "compound", "penalty", "fee"),
    ("interest", "penalty", "principal", "fee", "compound"),
)

# 与真实产品同样取值的政策项；内核缺省是中性的。
POLICY: dict[str, Any] = {
    "penalty_multiplier_ppm": 1_500_000,
    "misuse_multiplier_ppm": 2_000_000,
    "class_thresholds": ((1, 2), (91, 3), (271, 4), (361, 5)),
    "nonaccrual_after_dpd": 90,
}
NPL_ORDER = ("fee", "principal", "interest", "penalty", "compound")


def random_terms(rng: Random, start: date, **fixed: Any) -> Terms:
    """一份随机条款：各种还款方式、计息约定、宽限、承担方与冲账顺序。"""
    method = rng.choice(list(Method))
    principal = rng.randrange(50_000, 30_000_000)
    unit = rng.choice(
        [PeriodUnit.MONTH] * 5
        + [PeriodUnit.QUARTER, PeriodUnit.WEEK, PeriodUnit.HALF_YEAR, PeriodUnit.YEAR, PeriodUnit.DAY]
    )
    periods = rng.choice([3, 6, 12, 24]) if unit in {PeriodUnit.MONTH, PeriodUnit.WEEK} else rng.choice([2, 4])
    values: dict[str, Any] = {
        "start": start,
        "principal_fen": principal,
        "rate_ppm": rng.choice([0, 34_500, 43_500, 120_000, 144_000]),
        "method": method,
        "periods": periods,
        "period_unit": unit,
        "period_every": 10 if unit is PeriodUnit.DAY else 1,
        "day_count": rng.choice(list(DayCount)),
        "rounding": rng.choice(list(Rounding)),
        "multiple_fen": rng.choice([1, 1, 1, 100]),
        "grace_days": rng.choice([0, 0, 3, 10]),
        "grace_retroactive": rng.random() < 0.7,
        "compound": rng.choice(list(Compound)),
        "allocation": Allocation(
            order=rng.choice(ORDERS),
            by_installment=rng.random() < 0.7,
            npl_after_dpd=rng.choice([None, 90]),
            npl_order=NPL_ORDER,
            future=rng.choice([Future.NEXT, Future.NEXT, Future.LAST, Future.REDUCE]),
        ),
        "prepayment_fee_ppm": rng.choice([0, 0, 10_000]),
        "roll": rng.choice([Roll.NONE, Roll.NONE, Roll.FOLLOWING, Roll.FOLLOWING_ADJUSTED]),
        "institution": "A",
        "product": "P",
        **POLICY,
    }
    if unit not in {PeriodUnit.WEEK, PeriodUnit.DAY} and rng.random() < 0.3:
        values["due_day"] = rng.choice([1, 20, 31])
    if method is Method.GRACE_LEVEL_PAYMENT:
        values["grace_periods"] = 1
    if method is Method.INTEREST_WITH_PLAN:
        first = principal // 3
        values["plan"] = (first, *(0 for _ in range(periods - 2)), principal - first)
    if method is Method.FLAT_FEE:
        values["flat_fee_fen"] = rng.randrange(0, principal // 5)
    if rng.random() < 0.2:
        values["payer_shares"] = (
            (start, ((PAYER, 1_000_000 if rng.random() < 0.5 else 500_000),)),
            (start + timedelta(days=rng.randrange(30, 400)), ()),
        )
    values |= fixed
    return Terms(**values)


WEIGHTS = {
    K.REPAYMENT: 60,
    K.PREPAYMENT: 6,
    K.SETTLEMENT: 2,
    K.RATE_CHANGE: 5,
    K.WAIVER: 6,
    K.FEE: 4,
    K.TRANSFER: 4,
    K.CLASSIFICATION: 4,
    K.ACCRUAL_STATUS: 1,
    K.MISUSE: 1,
    K.ADJUSTMENT: 3,
    K.REFUND: 3,
    K.EXTENSION: 2,
    K.NEW_PLAN: 2,
    K.ACCELERATION: 1,
    K.PAYER_SHARES: 1,
    K.REVERSAL: 8,
    K.WRITE_OFF: 1,
    K.RECOVERY: 1,
    K.PLAN_GIVEN: 1,
    K.CALENDAR: 1,
}


def random_fact(
    rng: Random,
    terms: Terms,
    facts: list[Fact],
    *,
    booked_on: date,
    backdate: int = 150,
    only: set[FactKind] | None = None,
) -> Fact:
    """一条随机事实，约三分之一倒签；金额有时荒唐，因为事实必须在任何状态下都有定义。"""
    kinds = [kind for kind in WEIGHTS if only is None or kind in only]
    kind = rng.choices(kinds, [WEIGHTS[k] for k in kinds])[0]
    if kind is K.REVERSAL and not facts:
        kind = K.REPAYMENT
    value_on = booked_on - timedelta(days=rng.randrange(backdate)) if rng.random() < 0.35 and backdate else booked_on
    value_on = max(value_on, terms.start)
    if kind in {K.TRANSFER, K.REVERSAL, K.WRITE_OFF}:
        value_on = booked_on
    amount = 0
    data: dict[str, Any] = {}
    share = terms.principal_fen
    if kind in {K.REPAYMENT, K.RECOVERY, K.SETTLEMENT}:
        amount = rng.choice([share // 12, share // 12, share // 6, share // 40 + 1, rng.randrange(1, share), share * 2])
        if kind is K.REPAYMENT and terms.payer_shares and rng.random() < 0.3:
            data["payer"] = PAYER
    elif kind is K.PREPAYMENT:
        amount, data["mode"] = rng.randrange(1, share), rng.choice(["TERM", "INSTALLMENT"])
    elif kind is K.RATE_CHANGE:
        data["rate_ppm"] = rng.choice([0, 30_000, 87_600, 180_000])
    elif kind is K.WAIVER:
        amount, data["component"] = (
            rng.randrange(1, 20_000),
            rng.choice(["penalty", "compound", "interest", "fee", "principal"]),
        )
    elif kind in {K.FEE, K.REFUND}:
        amount = rng.randrange(1, 50_000)
    elif kind is K.TRANSFER:
        data["institution"] = rng.choice("ABC")
    elif kind is K.CLASSIFICATION:
        data["class"] = rng.randrange(1, 6)
    elif kind is K.ACCRUAL_STATUS:
        data["accrual"] = rng.random() < 0.5
    elif kind is K.MISUSE:
        data["active"] = rng.random() < 0.7
    elif kind is K.ADJUSTMENT:
        amount = rng.randrange(1, 30_000)
        data |= {
            "component": rng.choice(["principal", "interest", "penalty", "compound", "fee", "overpayment"]),
            "direction": rng.choice(["INCREASE", "DECREASE"]),
        }
    elif kind is K.EXTENSION:
        data["maturity"] = (value_on + timedelta(days=rng.randrange(60, 400))).isoformat()
    elif kind is K.NEW_PLAN:
        data |= {
            "ends": [(value_on + timedelta(days=30 * k)).isoformat() for k in range(1, rng.randrange(2, 8))],
            "reopen_overdue": rng.random() < 0.5,
        }
        if rng.random() < 0.3:
            data["method"] = rng.choice([str(Method.LEVEL_PRINCIPAL), str(Method.LEVEL_PAYMENT)])
    elif kind is K.PAYER_SHARES:
        data["shares"] = [[PAYER, rng.choice([0, 500_000, 1_000_000])]]
    elif kind is K.PLAN_GIVEN:
        each = share // 5
        data["lines"] = [
            {
                "due_on": (value_on + timedelta(days=30 * k)).isoformat(),
                "principal_fen": each,
                "interest_fen": rng.choice([each // 10, 0]),
            }
            for k in range(1, 6)
        ]
    elif kind is K.CALENDAR:
        holidays = frozenset(value_on + timedelta(days=rng.randrange(200)) for _ in range(30))
        data["calendar"] = dict(Calendar(holidays, published_years=frozenset({value_on.year})).as_document())
    elif kind is K.REVERSAL:
        data["seq"] = rng.choice(facts).seq
    return Fact(seq=len(facts) + 1, kind=kind, value_on=value_on, booked_on=booked_on, amount_fen=amount, data=data)


def disbursement(terms: Terms, *, seq: int = 1, booked_on: date | None = None) -> Fact:
    """放款事实。"""
    return Fact(seq, K.DISBURSEMENT, terms.start, booked_on or terms.start, terms.principal_fen)
