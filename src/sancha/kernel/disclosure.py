"""综合融资成本：年化成本（内部收益率）与《综合融资成本明示表》。

年化成本按实际占用本金计算：使借款人各笔收付现值之和为零的利率。方法与算例见 ``docs/algorithms/disclosure.md``。
来源：《个人贷款业务明示综合融资成本规定》（金规〔2026〕2号）；中国人民银行公告〔2021〕第3号。

现金流一律站在借款人一方：收到为正，付出为负，单位分。利率以整数百万分（``_ppm``）给出，四舍五入。
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise
from typing import Final

Flow = tuple[int, int]
"""现金流：（期序号，分）。期序号从 0 起，0 是放款。"""

DatedFlow = tuple[date, int]
"""有日期的现金流：（日期，分）。"""

PPM: Final = 1_000_000
YEAR_DAYS: Final = 365
"""按日年化的一年天数：act/365，与 XIRR 的通行定义一致，不随闰年变。"""

_DIGITS: Final = 60
_TOLERANCE: Final = Decimal("1e-24")
_ANNUAL_LIMIT: Final = Decimal(10**9)
"""年化上限（倍）。每周 40 % 的贷款也还在其内；再高说明现金流填错，而不是贷款贵。"""


class Convention(StrEnum):
    """年化口径。明示时必须同时写出口径，三者数值不同。

    NOMINAL 名义：每期内部收益率 × 每年期数；EFFECTIVE 复利：(1+i)^每年期数 − 1；
    XIRR 按日：以实际日期计、一年 365 天的复利年化。
    """

    NOMINAL = "nominal"
    EFFECTIVE = "effective"
    XIRR = "xirr"


class DisclosureError(ValueError):
    """年化成本算不出或不唯一。``reason`` 是稳定的英文代码，``message`` 是一句中文说明。"""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True, slots=True)
class AnnualizedCost:
    """年化成本。``rate_ppm`` 年化百万分；``step_ppm`` 每期（按日口径则为每日）百万分；``convention`` 口径。"""

    rate_ppm: int
    step_ppm: int
    convention: Convention


def annualized_cost(
    flows: Sequence[Flow], *, convention: Convention = Convention.NOMINAL, periods_per_year: int = 12
) -> AnnualizedCost:
    """年化成本（等距各期）。

    :param flows: 借款人一方的现金流，期距相等；同一期可有多笔。
    :param periods_per_year: 每年期数，按月 12、按季 4、按周 52。
    :raises DisclosureError: ``convention`` 口径不适用；其余同 :func:`dated_cost`。
    """
    if convention is Convention.XIRR:
        raise DisclosureError("convention", "按日年化（XIRR）需要有日期的现金流。")
    if periods_per_year <= 0:
        raise DisclosureError("periods", f"每年期数必须是正数，得到 {periods_per_year}。")
    with localcontext(prec=_DIGITS):
        factor = _growth_factor(_by_step(flows), periods_per_year)
        step = factor - 1
        annual = step * periods_per_year if convention is Convention.NOMINAL else factor**periods_per_year - 1
        return AnnualizedCost(_ppm(annual), _ppm(step), convention)


def dated_cost(flows: Sequence[DatedFlow]) -> AnnualizedCost:
    """年化成本（按实际日期，XIRR，act/365）。

    先求每日增长因子，再升到 365 次方：与「幂次为 天数÷365」的定义完全等价，却只用整数次幂，可以精确求值。

    :raises DisclosureError: ``one_sided`` 只收不付或只付不收；``ambiguous`` 收付交替而解不唯一；
        ``out_of_range`` 超过上限。
    """
    first = min((day for day, _ in flows), default=None)
    steps = [((day - first).days, fen) for day, fen in flows] if first else []
    with localcontext(prec=_DIGITS):
        factor = _growth_factor(_by_step(steps), YEAR_DAYS)
        return AnnualizedCost(_ppm(factor**YEAR_DAYS - 1), _ppm(factor - 1), Convention.XIRR)


def _ppm(rate: Decimal) -> int:
    """四舍五入到百万分，正负对称。"""
    whole = int((abs(rate) * PPM + Decimal("0.5")).to_integral_value(rounding=ROUND_FLOOR))
    return -whole if rate < 0 else whole


def _by_step(flows: Sequence[Flow]) -> list[Flow]:
    """同期合并、去零、按期排序，首期平移到 0。平移不改变解。"""
    summed: dict[int, int] = {}
    for step, fen in flows:
        summed[step] = summed.get(step, 0) + fen
    kept = sorted((step, fen) for step, fen in summed.items() if fen)
    return [(step - kept[0][0], fen) for step, fen in kept]


def _require_one_root(flows: Sequence[Flow]) -> None:
    """解唯一才算：笛卡儿符号法则（收付只变号一次），或 Norstrøm 准则（累计额只变号一次且期末不为零）。

    后者容许多次放款与还款交错，保证非负解唯一。两者都不满足时可能有几个利率同样成立，宁可拒绝。
    """
    if not (any(fen > 0 for _, fen in flows) and any(fen < 0 for _, fen in flows)):
        raise DisclosureError("one_sided", "现金流只有收入或只有支出，算不出年化成本。")
    running, cumulative = 0, []
    for _, fen in flows:
        running += fen
        cumulative.append(running)
    if _sign_changes([fen for _, fen in flows]) == 1 or (running != 0 and _sign_changes(cumulative) == 1):
        return
    raise DisclosureError("ambiguous", "借款人的收付多次交替，年化成本的解不唯一，请按每次放款分别计算。")


def _sign_changes(values: Sequence[int]) -> int:
    signs = [value > 0 for value in values if value]
    return sum(1 for before, after in pairwise(signs) if before is not after)


def _growth_factor(flows: Sequence[Flow], steps_per_year: int) -> Decimal:
    """每期增长因子 1+i：先证明区间两端异号，再以牛顿法（出界即二分）收缩，最后再证一次。

    在 60 位有效数字下计算；返回值左右各 1e-24 处现值异号，因此误差小于 1e-24，足以把年利率定到百万分之一。
    """
    _require_one_root(flows)
    if sum(fen for _, fen in flows) == 0:
        return Decimal(1)  # what was received is what was paid: the cost is exactly zero
    value = _future_value(flows)
    positive = (sum(fen for _, fen in flows) < 0) == (flows[0][1] > 0)
    low, high = _bracket(lambda x: value(x)[0], steps_per_year, positive=positive)
    rising = value(high)[0] > 0
    guess = (low + high) / 2
    while high - low > _TOLERANCE:
        result, slope = value(guess)
        if result == 0:
            return guess
        low, high = (low, guess) if (result > 0) is rising else (guess, high)
        step = guess - result / slope if slope else low
        if abs(step - guess) < _TOLERANCE / 4 and _crosses(value, step, rising):
            return step
        guess = step if low < step < high else (low + high) / 2
    return guess


def _crosses(value: Callable[[Decimal], tuple[Decimal, Decimal]], at: Decimal, rising: bool) -> bool:
    """在 ``at`` 两侧各 1e-24 处异号：解就在这两点之间。"""
    below, above = value(at - _TOLERANCE)[0], value(at + _TOLERANCE)[0]
    return (below < 0 < above) if rising else (above < 0 < below)


def _future_value(flows: Sequence[Flow]) -> Callable[[Decimal], tuple[Decimal, Decimal]]:
    """终值函数 Σ cf·x^(末期−期) 与其导数，秦九韶法求值：与现值同根，但没有除法。"""
    gaps = [after[0] - before[0] for before, after in pairwise(flows)]
    amounts = [Decimal(fen) for _, fen in flows]

    def evaluate(x: Decimal) -> tuple[Decimal, Decimal]:
        total, slope = amounts[0], Decimal(0)
        for gap, amount in zip(gaps, amounts[1:], strict=True):
            power = x ** (gap - 1)
            slope = slope * power * x + total * gap * power
            total = total * power * x + amount
        return total, slope

    return evaluate


def _bracket(value: Callable[[Decimal], Decimal], steps_per_year: int, *, positive: bool) -> tuple[Decimal, Decimal]:
    """找两端异号的区间：付多于收则利率为正，从 1 向上成倍找，否则向下折半找。"""
    at_one = value(Decimal(1)) > 0
    near, distance = Decimal(1), Decimal(1) / 1024
    while True:
        far = 1 + distance if positive else 1 / (1 + distance)
        if (value(far) > 0) is not at_one:
            return (near, far) if positive else (far, near)
        if far**steps_per_year > _ANNUAL_LIMIT or far**steps_per_year < 1 / _ANNUAL_LIMIT:
            raise DisclosureError("out_of_range", "年化成本超出可计算的范围，请核对现金流的金额与日期。")
        near, distance = far, distance * 2


@dataclass(frozen=True, slots=True)
class CostItem:
    """正常情形下的息费项目：借款人按约履行也要付的每一项。

    ``flows`` 是（期序号，借款人付出的分，正数）；``collection`` 收取方式，``standard`` 收取标准，``payee`` 收取主体。
    """

    name: str
    collection: str
    standard: str
    payee: str
    flows: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class ContingentItem:
    """或有成本：违约或特定情形才发生的项目，如罚息、违约金，不计入年化合计。

    ``rate_ppm`` 为按年计的标准，按次或按比例收取的为 ``None``，以 ``standard`` 的文字为准。
    """

    name: str
    condition: str
    standard: str
    payee: str
    rate_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class CostLine:
    """明示表的一行：项目、金额合计（分）与该项折合年化（百万分）。"""

    name: str
    collection: str
    standard: str
    payee: str
    amount_fen: int
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class CostStatement:
    """《综合融资成本明示表》的数据。各行 ``rate_ppm`` 之和恒等于 ``total_ppm``，金额之和恒等于 ``total_fen``。"""

    principal_fen: int
    convention: Convention
    lines: tuple[CostLine, ...]
    total_fen: int
    total_ppm: int
    contingent: tuple[ContingentItem, ...]
    closing_sentence: str


CONVENTION_NOTES: Final[Mapping[Convention, str]] = {
    Convention.NOMINAL: "每期内部收益率×每年期数（单利年化）",
    Convention.EFFECTIVE: "(1+每期内部收益率)^每年期数-1（复利年化）",
    Convention.XIRR: "按实际日期的内部收益率（一年365天，复利年化）",
}
"""口径的说明文字，明示时随数字一并写出。"""

CLOSING_SENTENCE: Final = "除以上已明示的项目外，不再向借款人收取其他息费。"


def cost_statement(
    *,
    principal_flows: Sequence[Flow],
    items: Sequence[CostItem],
    contingent: Sequence[ContingentItem] = (),
    convention: Convention = Convention.NOMINAL,
    periods_per_year: int = 12,
) -> CostStatement:
    """综合融资成本明示表。

    ``principal_flows`` 只含本金：放款为正、还本为负，合计必须为零。各项折合年化用逐项加入法：
    按给定次序把项目加入现金流，该项年化 = 加入后的年化 − 加入前的年化。次序写入合同后固定，各行因此恰好加总。

    :raises DisclosureError: ``unbalanced`` 本金收付不平；``item`` 项目含负数；其余同 :func:`annualized_cost`。
    """
    if sum(fen for _, fen in principal_flows) != 0:
        raise DisclosureError("unbalanced", "本金的发放与归还不相等，无法编制明示表。")
    flows, reached, lines = list(principal_flows), 0, []
    for item in items:
        if any(fen < 0 for _, fen in item.flows):
            raise DisclosureError("item", f"「{item.name}」含有负数，借款人付出的金额应为正数。")
        flows.extend((step, -fen) for step, fen in item.flows)
        now = annualized_cost(flows, convention=convention, periods_per_year=periods_per_year).rate_ppm
        amount = sum(fen for _, fen in item.flows)
        lines.append(CostLine(item.name, item.collection, item.standard, item.payee, amount, now - reached))
        reached = now
    return CostStatement(
        principal_fen=sum(fen for _, fen in principal_flows if fen > 0),
        convention=convention,
        lines=tuple(lines),
        total_fen=sum(line.amount_fen for line in lines),
        total_ppm=reached,
        contingent=tuple(contingent),
        closing_sentence=CLOSING_SENTENCE,
    )
