"""产品条款：一个产品版本允许什么、默认什么。是数据，由 pydantic 校验。

数值可以直接写，也可以指向参数（``{parameter: 代码}``）。登记借据时先 ``pin``：把指向参数的地方换成当日有效值，
并记下取自哪个参数、哪一版、哪一条款。此后参数再改，已登记的借据不变。
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictBool, StrictInt, model_validator

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import Rounding, format_yuan, round_div
from sancha.kernel.terms import COMPONENTS, PPM, Compound, Future, Method, Roll
from sancha.rulebook.catalog import Catalog, catalog
from sancha.rulebook.documents import CODE_PATTERN, Document
from sancha.rulebook.vocabulary import (
    CustomerKind,
    DueDayRule,
    GuaranteeKind,
    InterestPayer,
    PayerPhase,
    RepriceRule,
    label,
)

T = TypeVar("T")

PPM_PER_BP = 100
LPR_CODES = {"1Y": "lpr.1y", "5Y": "lpr.5y"}
MONTHS = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.HALF_YEAR: 6, PeriodUnit.YEAR: 12}
# A week or a day is not a part of a month; their own scale keeps the two kinds of term apart.
DAYS = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7}


class ParameterRef(Document):
    """指向参数：登记借据时取当日值。"""

    parameter: str = Field(pattern=CODE_PATTERN)


NonNegative = Annotated[StrictInt, Field(ge=0)]
Positive = Annotated[StrictInt, Field(ge=1)]


class AmountRule(Document):
    """金额：下限、上限、递增单位（分）。"""

    min_fen: Positive | ParameterRef
    max_fen: Positive | ParameterRef
    step_fen: Positive | ParameterRef


class TermRule(Document):
    """期限：以某单位计，最短最长几个单位（POL-9）。"""

    unit: PeriodUnit
    min: Positive = 1
    max: Positive

    @model_validator(mode="after")
    def _ordered(self) -> TermRule:
        if self.min > self.max:
            raise ValueError(f"期限下限 {self.min} 大于上限 {self.max}")
        return self


class MethodLimit(Document):
    """某种还款方式另有的最长期限。"""

    method: Method
    unit: PeriodUnit
    max: Positive


class FixedRate(Document):
    """固定利率：年利率浮动范围与默认值（ppm）。"""

    kind: Literal["FIXED"] = "FIXED"
    min_ppm: NonNegative
    max_ppm: NonNegative
    default_ppm: NonNegative

    @model_validator(mode="after")
    def _ordered(self) -> FixedRate:
        if not self.min_ppm <= self.default_ppm <= self.max_ppm:
            raise ValueError(f"利率须满足 下限≤默认≤上限，得到 {self.min_ppm}、{self.default_ppm}、{self.max_ppm}")
        return self


class LprRate(Document):
    """LPR 加减点：期限档次、默认点数与范围（bp）、重定价规则。"""

    kind: Literal["LPR"] = "LPR"
    tenor: Literal["1Y", "5Y"]
    spread_bp: StrictInt | ParameterRef
    min_spread_bp: StrictInt | None = None
    max_spread_bp: StrictInt | None = None
    reprice: RepriceRule = RepriceRule.NONE
    reprice_months: Positive | None = None

    @model_validator(mode="after")
    def _coherent(self) -> LprRate:
        if (self.reprice is RepriceRule.EVERY_MONTHS) != (self.reprice_months is not None):
            raise ValueError("重定价规则 EVERY_MONTHS 与 reprice_months 须同时写或同时不写")
        low, high = self.min_spread_bp, self.max_spread_bp
        if low is not None and high is not None and low > high:
            raise ValueError(f"加点下限 {low} 大于上限 {high}")
        if isinstance(self.spread_bp, int) and not self.allows(self.spread_bp):
            raise ValueError(f"默认加点 {self.spread_bp} 不在范围之内")
        return self

    def allows(self, spread_bp: int) -> bool:
        """点数是否在范围内；没有写范围时只许默认点数。"""
        low = self.spread_bp if self.min_spread_bp is None else self.min_spread_bp
        high = self.spread_bp if self.max_spread_bp is None else self.max_spread_bp
        return (isinstance(low, ParameterRef) or low <= spread_bp) and (
            isinstance(high, ParameterRef) or spread_bp <= high
        )


class RoundingRule(Document):
    """取整：规则与单位（分）。末期吸收尾差。"""

    mode: Rounding = Rounding.HALF_UP
    multiple_fen: Positive = 1


class PeriodRule(Document):
    """还款周期：单位 × 倍数。"""

    unit: PeriodUnit
    every: Positive = 1


class DueDay(Document):
    """应还日：放款日对日，或每期固定一日（数值或参数）。"""

    rule: DueDayRule = DueDayRule.DISBURSEMENT_DAY
    day: Annotated[StrictInt, Field(ge=1, le=31)] | ParameterRef | None = None

    @model_validator(mode="after")
    def _coherent(self) -> DueDay:
        if (self.rule is DueDayRule.FIXED_DAY) != (self.day is not None):
            raise ValueError("固定还款日须写明 day，放款日对日不写 day")
        return self


class PenaltyRule(Document):
    """罚息与复利：倍数（ppm）、挪用倍数、复利办法、过宽限期是否追溯。默认都取自参数。"""

    multiplier_ppm: NonNegative | ParameterRef = ParameterRef(parameter="penalty.multiplier_ppm")
    misuse_multiplier_ppm: NonNegative | ParameterRef = ParameterRef(parameter="misuse.multiplier_ppm")
    compound: Compound | ParameterRef = ParameterRef(parameter="penalty.compound_policy")
    grace_retroactive: StrictBool | ParameterRef = ParameterRef(parameter="penalty.grace_retroactive")


class AllocationRule(Document):
    """冲账：顺序、是否按期从旧到新、不良后的备选顺序、多还的去向。"""

    order: tuple[str, ...] | ParameterRef = ParameterRef(parameter="repayment.allocation_order")
    by_installment: StrictBool = True
    npl_enabled: StrictBool | ParameterRef = ParameterRef(parameter="repayment.npl_allocation_enabled")
    npl_order: tuple[str, ...] | ParameterRef = ParameterRef(parameter="repayment.npl_allocation_order")
    npl_after_dpd: NonNegative | ParameterRef = ParameterRef(parameter="repayment.npl_allocation_after_dpd")
    future: Future | ParameterRef = ParameterRef(parameter="repayment.future_rule")

    @model_validator(mode="after")
    def _complete(self) -> AllocationRule:
        for order in (self.order, self.npl_order):
            if isinstance(order, tuple) and sorted(order) != sorted(COMPONENTS):
                raise ValueError(f"冲账顺序须恰好包含费用、罚息、复利、利息、本金各一次，得到 {'、'.join(order)}")
        return self


class FlatFee(Document):
    """手续费：每笔定额（分），或按本金比例（ppm）。"""

    fixed_fen: NonNegative = 0
    of_principal_ppm: Annotated[StrictInt, Field(ge=0, lt=PPM)] = 0

    def amount_fen(self, principal_fen: int) -> int:
        """一笔贷款的手续费（分），四舍五入到分。"""
        return self.fixed_fen + round_div(principal_fen * self.of_principal_ppm, PPM, Rounding.HALF_UP)


class InterestShare(Document):
    """利息承担：某阶段由第三方（财政）承担的比例；其余由借款人付。"""

    payer: InterestPayer = InterestPayer.STATE
    share_ppm: Annotated[StrictInt, Field(ge=0, le=PPM)] | ParameterRef
    phase: PayerPhase = PayerPhase.WHOLE_TERM


class ProductTerms(Document):
    """产品条款（一个版本）。"""

    repayment_methods: tuple[Method, ...] = Field(min_length=1)
    amount: AmountRule
    terms: tuple[TermRule, ...] = Field(min_length=1)
    method_limits: tuple[MethodLimit, ...] = ()
    rate: Annotated[FixedRate | LprRate, Field(discriminator="kind")]
    day_count: DayCount | ParameterRef = ParameterRef(parameter="daycount.default")
    rounding: RoundingRule = RoundingRule()
    periods: tuple[PeriodRule, ...] = Field(min_length=1)
    due_day: DueDay = DueDay()
    roll: Roll = Roll.NONE
    grace_days: NonNegative | ParameterRef = ParameterRef(parameter="penalty.grace_days")
    max_grace_periods: NonNegative = 0
    penalty: PenaltyRule = PenaltyRule()
    allocation: AllocationRule = AllocationRule()
    guarantee_kinds: tuple[GuaranteeKind, ...] = Field(min_length=1)
    prepayment_fee_ppm: Annotated[StrictInt, Field(ge=0, lt=PPM)] = 0
    flat_fee: FlatFee = FlatFee()
    interest_shares: tuple[InterestShare, ...] = ()
    class_thresholds: tuple[tuple[StrictInt, StrictInt], ...] | ParameterRef = ParameterRef(
        parameter="classification.dpd_thresholds"
    )
    nonaccrual_after_dpd: NonNegative | ParameterRef = ParameterRef(parameter="accrual.nonaccrual_after_dpd")
    revolving: StrictBool = False

    @model_validator(mode="after")
    def _coherent(self) -> ProductTerms:
        for name in ("repayment_methods", "guarantee_kinds"):
            given = getattr(self, name)
            if len(set(given)) != len(given):
                raise ValueError(f"{name} 有重复项")
        if len({rule.unit for rule in self.terms}) != len(self.terms):
            raise ValueError("terms 同一期限单位只能写一条")
        if (Method.GRACE_LEVEL_PAYMENT in self.repayment_methods) != (self.max_grace_periods > 0):
            raise ValueError("允许阶段性等额本息时 max_grace_periods 须大于 0，不允许时须为 0")
        if Method.FLAT_FEE in self.repayment_methods and self.flat_fee == FlatFee():
            raise ValueError("允许定额手续费时须写明 flat_fee")
        low, high = self.amount.min_fen, self.amount.max_fen
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise ValueError(f"金额下限 {low} 分大于上限 {high} 分")
        if stray := sorted({limit.method for limit in self.method_limits} - set(self.repayment_methods)):
            raise ValueError(f"method_limits 写了不允许的还款方式 {'、'.join(stray)}")
        units = {rule.unit for rule in self.terms} | {limit.unit for limit in self.method_limits}
        if self.method_limits and not (units <= MONTHS.keys() or units <= DAYS.keys()):
            raise ValueError("method_limits 与 terms 的期限单位须同为日、周，或同为月、季、半年、年")
        phases = [(share.payer, share.phase) for share in self.interest_shares]
        if len(set(phases)) != len(phases):
            raise ValueError("interest_shares 同一阶段同一承担人只能写一条")
        if any(share.payer is InterestPayer.BORROWER for share in self.interest_shares):
            raise ValueError("interest_shares 只写第三方承担的部分，其余自动由借款人承担")
        return self


@dataclass(frozen=True, slots=True)
class Pin:
    """钉住的参数：条款的哪一处、取自哪个参数的哪个值（含条款与起效日）。"""

    field: str
    parameter: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PinnedTerms:
    """钉住的产品条款：不再有指向参数的地方；``pins`` 说明每个取自参数的值。"""

    terms: ProductTerms
    on: date
    pins: tuple[Pin, ...]

    def as_document(self) -> dict[str, Any]:
        """存成 JSON 的字典。"""
        return {
            "on": self.on.isoformat(),
            "terms": self.terms.model_dump(mode="json"),
            "pins": [{"field": pin.field, **pin.parameter} for pin in self.pins],
        }


@dataclass(frozen=True, slots=True)
class LoanElements:
    """贷款要素：申请或登记时选定的金额、期限、方式、利率、担保。利率 ``rate_ppm`` 为执行年利率。"""

    customer_kind: CustomerKind
    amount_fen: int
    term_unit: PeriodUnit
    term_count: int
    method: Method
    period: PeriodRule
    rate_ppm: int
    guarantee: GuaranteeKind
    start: date
    grace_periods: int = 0


@dataclass(frozen=True, slots=True)
class ElementProblem:
    """要素不合产品条款之处：哪一栏、什么值、什么规则、怎么改。"""

    field: str
    value: str
    message: str
    fix: str


def pin(terms: ProductTerms, on: date, *, book: Catalog | None = None) -> PinnedTerms:
    """钉住：把指向参数的地方换成当日有效值。

    :raises UnknownCode: 指向没有的参数。
    :raises NotYetInForce: 该日参数尚无有效值。
    :raises ValueError: 参数的值放在此处不成立（类型或范围不对）。
    """
    source = book or catalog()
    pins: list[Pin] = []

    def replaced(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            if set(node) == {"parameter"}:
                found = source.parameter(node["parameter"], on)
                pins.append(Pin(path, found.as_dict()))
                return found.as_dict()["value"]
            return {key: replaced(value, f"{path}.{key}" if path else key) for key, value in node.items()}
        if isinstance(node, list):
            return [replaced(value, f"{path}[{number}]") for number, value in enumerate(node, start=1)]
        return node

    document = replaced(terms.model_dump(mode="json"), "")
    return PinnedTerms(ProductTerms.model_validate(document), on, tuple(pins))


def lpr_ppm(tenor: str, on: date, *, book: Catalog | None = None) -> int:
    """报价：某日有效的 LPR（ppm）。"""
    return (book or catalog()).parameter(LPR_CODES[tenor], on).as_int()


def rate_band(terms: ProductTerms, on: date, *, book: Catalog | None = None) -> tuple[int, int, int]:
    """利率范围：（下限，默认，上限），年利率 ppm。条款须已钉住；LPR 取当日报价，利率不低于零。"""
    rate = terms.rate
    if isinstance(rate, FixedRate):
        return rate.min_ppm, rate.default_ppm, rate.max_ppm
    spread = plain_int(rate.spread_bp)
    base = lpr_ppm(rate.tenor, on, book=book)
    low = spread if rate.min_spread_bp is None else rate.min_spread_bp
    high = spread if rate.max_spread_bp is None else rate.max_spread_bp
    low_ppm, default_ppm, high_ppm = (max(0, base + points * PPM_PER_BP) for points in (low, spread, high))
    return low_ppm, default_ppm, high_ppm


def plain(value: T | ParameterRef) -> T:
    """钉住后的值。

    :raises TypeError: 条款还没有钉住。
    """
    if isinstance(value, ParameterRef):
        raise TypeError(f"条款尚未钉住：{value!r}，先调用 pin")
    return value


def plain_int(value: int | ParameterRef | None) -> int:
    """钉住后的整数。

    :raises TypeError: 条款还没有钉住。
    """
    if not isinstance(value, int):
        raise TypeError(f"条款尚未钉住：{value!r}，先调用 pin")
    return value


def problems_with(
    pinned: PinnedTerms, chosen: LoanElements, customer_kinds: tuple[CustomerKind, ...]
) -> list[ElementProblem]:
    """要素核对：逐项对照产品条款，列出全部不合之处（POL-9、POL-10）。空列表即相符。"""
    return [
        *_who_and_how_much(pinned.terms, chosen, customer_kinds),
        *_term_problems(pinned.terms, chosen),
        *_method_problems(pinned.terms, chosen),
        *_rate_problems(pinned.terms, chosen),
    ]


def _who_and_how_much(
    terms: ProductTerms, chosen: LoanElements, customer_kinds: tuple[CustomerKind, ...]
) -> Iterator[ElementProblem]:
    if chosen.customer_kind not in customer_kinds:
        allowed = "、".join(label(kind) for kind in customer_kinds)
        yield ElementProblem(
            "customer_kind", label(chosen.customer_kind), f"本产品的对象是{allowed}。", "换一个适用的产品。"
        )
    if chosen.guarantee not in terms.guarantee_kinds:
        allowed = "、".join(label(kind) for kind in terms.guarantee_kinds)
        yield ElementProblem(
            "guarantee", label(chosen.guarantee), f"本产品的担保方式是{allowed}。", "按产品规定落实担保。"
        )
    low, high, step = (plain_int(v) for v in (terms.amount.min_fen, terms.amount.max_fen, terms.amount.step_fen))
    amount = chosen.amount_fen
    if not low <= amount <= high:
        message = f"金额 {format_yuan(amount)} 元不在 {format_yuan(low)} 至 {format_yuan(high)} 元之间。"
        yield ElementProblem("amount_fen", format_yuan(amount), message, "改在范围之内，或换一个产品。")
    elif amount % step:
        nearest = amount - amount % step
        message = f"金额须为 {format_yuan(step)} 元的整数倍。"
        yield ElementProblem(
            "amount_fen", format_yuan(amount), message, f"最接近的较低金额是 {format_yuan(nearest)} 元。"
        )


def _term_problems(terms: ProductTerms, chosen: LoanElements) -> Iterator[ElementProblem]:
    shown = f"{chosen.term_count}{label(chosen.term_unit)}"
    rule = next((rule for rule in terms.terms if rule.unit is chosen.term_unit), None)
    if rule is None:
        allowed = "、".join(label(rule.unit) for rule in terms.terms)
        yield ElementProblem("term_unit", shown, f"本产品期限以{allowed}为单位。", "改用允许的期限单位。")
        return
    if not rule.min <= chosen.term_count <= rule.max:
        yield ElementProblem(
            "term_count", shown, f"期限须在 {rule.min} 至 {rule.max} 个{label(rule.unit)}之间。", "改在范围之内。"
        )
    for limit in terms.method_limits:
        if limit.method is chosen.method and _longer(chosen.term_unit, chosen.term_count, limit.unit, limit.max):
            message = f"{label(limit.method)}的期限最长 {limit.max} 个{label(limit.unit)}。"
            yield ElementProblem("term_count", shown, message, "缩短期限，或换一种还款方式。")


def _method_problems(terms: ProductTerms, chosen: LoanElements) -> Iterator[ElementProblem]:
    if chosen.method not in terms.repayment_methods:
        allowed = "、".join(label(method) for method in terms.repayment_methods)
        yield ElementProblem(
            "method", label(chosen.method), f"本产品的还款方式是{allowed}，一笔贷款只用一种。", "换一种允许的还款方式。"
        )
    if chosen.method is not Method.BULLET and chosen.period not in terms.periods:
        allowed = "、".join(f"每{rule.every}{label(rule.unit)}" for rule in terms.periods)
        shown = f"每{chosen.period.every}{label(chosen.period.unit)}"
        yield ElementProblem("period", shown, f"本产品的还款周期是{allowed}。", "换一个允许的还款周期。")
    if chosen.method is Method.GRACE_LEVEL_PAYMENT:
        if not 1 <= chosen.grace_periods <= terms.max_grace_periods:
            message = f"阶段性等额本息的宽限期须在 1 至 {terms.max_grace_periods} 期之间。"
            yield ElementProblem("grace_periods", str(chosen.grace_periods), message, "改在范围之内。")
    elif chosen.grace_periods:
        message = f"{label(chosen.method)}没有宽限期。"
        yield ElementProblem("grace_periods", str(chosen.grace_periods), message, "宽限期填 0，或改用阶段性等额本息。")


def _rate_problems(terms: ProductTerms, chosen: LoanElements) -> Iterator[ElementProblem]:
    low, _, high = rate_band(terms, chosen.start)
    if not low <= chosen.rate_ppm <= high:
        message = f"年利率 {percent(chosen.rate_ppm)} 不在 {percent(low)} 至 {percent(high)} 之间。"
        yield ElementProblem(
            "rate_ppm", percent(chosen.rate_ppm), message, "按公布的利率执行；要改范围须发布产品新版本。"
        )


def _longer(unit: PeriodUnit, count: int, limit_unit: PeriodUnit, limit: int) -> bool:
    for scale in (MONTHS, DAYS):
        if unit in scale and limit_unit in scale:
            return count * scale[unit] > limit * scale[limit_unit]
    raise AssertionError("ProductTerms refuses limits that cannot be compared with its terms")


def percent(rate_ppm: int) -> str:
    """百分数写法：144000 → 14.4%。"""
    whole, rest = divmod(abs(rate_ppm), 10_000)
    digits = f"{rest:04d}".rstrip("0")
    return f"{'-' if rate_ppm < 0 else ''}{whole}{'.' + digits if digits else ''}%"
