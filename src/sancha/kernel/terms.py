"""合同条款：一笔借据从登记时起钉死的约定。政策值按版本抄进来，此后只有事实能改变借据。

利率是年利率的百万分之一（``rate_ppm``：14.4% = 144000）；金额是分；日期是 ``date``。

制度里的数（罚息倍数、分类天数、非应计天数、不良冲账次序）在这里没有默认值可言，缺省一律是 *中性* 的：罚息不加成、不计复利、
分类与应计只凭认定、不良不换次序。真正的值由产品条款按日期取自规则库，逐项抄进来（ADR 0003）。
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import DAYS, MONTHS, PeriodUnit
from sancha.kernel.daycount import ACTUAL_BASIS, BASIS, DayCount
from sancha.kernel.money import MAX_YUAN, Rounding, round_div

PPM = 1_000_000

# 重放对任何条款都要走得完：期限与年份的边界（一百年；历法只到 9999 年）。
LONGEST_TERM_DAYS = 36_600
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)


class Method(StrEnum):
    """还款方式（POL-10）。"""

    __hash__ = str.__hash__  # see FactKind

    BULLET = "BULLET"  # 一次性还本付息
    LEVEL_PAYMENT = "LEVEL_PAYMENT"  # 等额本息
    GRACE_LEVEL_PAYMENT = "GRACE_LEVEL_PAYMENT"  # 阶段性等额本息
    INTEREST_FIRST = "INTEREST_FIRST"  # 按周期付息、到期一次还本
    INTEREST_WITH_PLAN = "INTEREST_WITH_PLAN"  # 按周期付息、按还本计划表还本
    LEVEL_PRINCIPAL = "LEVEL_PRINCIPAL"  # 等额本金
    FLAT_INTEREST = "FLAT_INTEREST"  # 按原始本金计息、均摊
    FLAT_FEE = "FLAT_FEE"  # 定额费用短贷


class Roll(StrEnum):
    """应还日遇节假日。"""

    NONE = "NONE"  # 不顺延
    FOLLOWING = "FOLLOWING"  # 应还日顺延到下一工作日，计息期不变
    FOLLOWING_ADJUSTED = "FOLLOWING_ADJUSTED"  # 应还日与计息期一并顺延


class Compound(StrEnum):
    """复利政策：对已结未付利息。"""

    NONE = "NONE"
    CONTRACT_THEN_PENALTY = "CONTRACT_THEN_PENALTY"  # 期内按合同利率，到期后按罚息利率
    PENALTY = "PENALTY"  # 一律按罚息利率


class Future(StrEnum):
    """还款超过应还部分的去向。"""

    NEXT = "NEXT"  # 留作溢缴款，到下一应还日冲抵
    LAST = "LAST"  # 提前还本，缩短期限
    REDUCE = "REDUCE"  # 提前还本，减少每期


COMPONENTS = ("fee", "penalty", "compound", "interest", "principal")


class TermsError(ValueError):
    """条款不成立。带出错的栏目、值与补救。"""

    def __init__(self, field_name: str, value: object, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.field, self.value, self.message, self.fix = field_name, value, message, fix


@dataclass(frozen=True)
class Allocation:
    """冲账顺序（数据，不是代码）。

    ``order`` 是五种成分的一个排列（缺省即 :data:`COMPONENTS`：费用、息、本，民法典第五百六十一条无约定时的次序）；
    ``by_installment`` 为真时，相邻的利息、本金按期从旧到新冲，为假则一种成分冲完各期再冲下一种。
    ``npl_order`` 在逾期超过 ``npl_after_dpd`` 天时取代 ``order``（常见：本金优先）；不给天数即不换次序。
    """

    order: tuple[str, ...] = COMPONENTS
    by_installment: bool = True
    npl_after_dpd: int | None = None
    npl_order: tuple[str, ...] = COMPONENTS
    future: Future = Future.NEXT

    def __post_init__(self) -> None:
        for name in ("order", "npl_order"):
            if sorted(getattr(self, name)) != sorted(COMPONENTS):
                raise TermsError(
                    f"allocation.{name}",
                    getattr(self, name),
                    "冲账顺序必须恰好包含费用、罚息、复利、利息、本金各一次。",
                )


@dataclass(frozen=True)
class Terms:
    """合同条款。"""

    start: date
    principal_fen: int
    rate_ppm: int
    method: Method
    periods: int = 0
    period_unit: PeriodUnit = PeriodUnit.MONTH
    period_every: int = 1
    due_day: int | None = None
    first_due: date | None = None
    maturity: date | None = None
    first_period_min_days: int = 1
    day_count: DayCount = DayCount.MONTHLY
    rounding: Rounding = Rounding.HALF_UP
    multiple_fen: int = 1
    grace_periods: int = 0
    plan: tuple[int, ...] = ()
    flat_fee_fen: int = 0
    roll: Roll = Roll.NONE
    calendar: Calendar = field(default_factory=lambda: Calendar(frozenset(), frozenset(), frozenset()))
    grace_days: int = 0
    grace_retroactive: bool = True
    penalty_multiplier_ppm: int = PPM
    misuse_multiplier_ppm: int = PPM
    compound: Compound = Compound.NONE
    allocation: Allocation = field(default_factory=Allocation)
    class_thresholds: tuple[tuple[int, int], ...] = ()  # （逾期天数 ≥, 不低于的级别）；空则只凭认定
    nonaccrual_after_dpd: int | None = None  # 逾期超过几天转非应计；空则只凭认定
    payer_shares: tuple[tuple[date, tuple[tuple[str, int], ...]], ...] = ()
    prepayment_fee_ppm: int = 0
    rate_link: tuple[str, int, str] | None = None  # (基准期限, 加点 bp, 重定价方式)：重定价以事实到达
    institution: str = ""
    product: str = ""
    currency: str = "CNY"
    calc_version: int = 1

    def __post_init__(self) -> None:
        checks = (
            (EARLIEST <= self.start <= LATEST, "start", f"起息日须在 {EARLIEST} 到 {LATEST} 之间。"),
            (0 < self.principal_fen <= MAX_YUAN * 100, "principal_fen", f"本金必须大于 0、不超过 {MAX_YUAN:,} 元。"),
            (0 <= self.rate_ppm <= 10 * PPM, "rate_ppm", "年利率须在 0 到 1000% 之间（0 就是 0，不会取产品利率）。"),
            (self.period_every >= 1, "period_every", "周期倍数至少为 1。"),
            (self.multiple_fen >= 1, "multiple_fen", "取整单位至少 1 分。"),
            (self.due_day is None or 1 <= self.due_day <= 31, "due_day", "固定还款日须在 1 到 31 之间。"),
            (0 <= self.grace_days <= 366, "grace_days", "宽限天数须在 0 到 366 之间。"),
            (0 <= self.first_period_min_days <= 366, "first_period_min_days", "首期最短天数须在 0 到 366 之间。"),
            (self.grace_periods >= 0, "grace_periods", "只付息的期数不能为负。"),
            (self.misuse_multiplier_ppm >= 0, "misuse_multiplier_ppm", "挪用倍数不能为负。"),
            ((self.nonaccrual_after_dpd or 0) >= 0, "nonaccrual_after_dpd", "非应计天数不能为负。"),
            ((self.allocation.npl_after_dpd or 0) >= 0, "allocation.npl_after_dpd", "不良天数不能为负。"),
            (
                all(days >= 1 and 1 <= grade <= 5 for days, grade in self.class_thresholds),
                "class_thresholds",
                "分类门槛须为至少 1 天、级别 1 到 5。",
            ),
            (self.penalty_multiplier_ppm >= 0, "penalty_multiplier_ppm", "罚息倍数不能为负。"),
            (0 <= self.flat_fee_fen <= MAX_YUAN * 100, "flat_fee_fen", f"费用须在 0 到 {MAX_YUAN:,} 元之间。"),
            (0 <= self.prepayment_fee_ppm < PPM, "prepayment_fee_ppm", "提前还款费率须在 0 到 100% 之间。"),
            (self.calc_version == 1, "calc_version", "未知的计算版本。"),
            (self.periods >= 1 or self.maturity is not None, "periods", "须给出期数或到期日。"),
            (self._span_days() <= LONGEST_TERM_DAYS, "periods", f"期限不能超过 {LONGEST_TERM_DAYS} 天（约一百年）。"),
            (self.maturity is None or self.maturity > self.start, "maturity", "到期日须晚于起息日。"),
            (self.first_due is None or self.first_due > self.start, "first_due", "首期还款日须晚于起息日。"),
            (
                self.due_day is None or self.period_unit not in {PeriodUnit.DAY, PeriodUnit.WEEK},
                "due_day",
                "按日、按周还款不能指定每月还款日。",
            ),
        )
        for passed, name, message in checks:
            if not passed:
                raise TermsError(name, getattr(self, name, None), message)
        if self.method is Method.INTEREST_WITH_PLAN and sum(self.plan) != self.principal_fen:
            raise TermsError(
                "plan", self.plan, f"还本计划合计 {sum(self.plan)} 分，应等于本金 {self.principal_fen} 分。"
            )
        if any(amount < 0 for amount in self.plan):
            raise TermsError("plan", self.plan, "还本计划不能有负数。")
        if self.method is Method.GRACE_LEVEL_PAYMENT and not 0 < self.grace_periods < max(self.periods, 2):
            raise TermsError("grace_periods", self.grace_periods, "只付息的期数须至少 1 期且少于总期数。")
        for _, shares in self.payer_shares:
            total = sum(share for _, share in shares)
            if any(share < 0 for _, share in shares) or total > PPM:
                raise TermsError("payer_shares", shares, "第三方承担利息的份额须在 0 到 100% 之间，合计不超过 100%。")
        if list(self.payer_shares) != sorted(self.payer_shares, key=lambda entry: entry[0]):
            raise TermsError("payer_shares", self.payer_shares, "承担份额须按日期先后排列。")

    def _span_days(self) -> int:
        each = DAYS[self.period_unit] if self.period_unit in DAYS else MONTHS[self.period_unit] * 31
        by_maturity = (self.maturity - self.start).days if self.maturity else 0
        return max(self.periods * self.period_every * each * 360 // 372, by_maturity)

    @cached_property
    def actual_basis(self) -> int:
        """罚息、复利的年基数。"""
        return ACTUAL_BASIS[self.day_count]

    @cached_property
    def actual_den(self) -> int:
        """罚息、复利累计分子的分母。"""
        return PPM * self.actual_basis

    @cached_property
    def accrual_den(self) -> int:
        """按利率计的合同利息的分母。"""
        return PPM * BASIS[self.day_count]

    @cached_property
    def has_kinks(self) -> bool:
        """计息天数有没有折点。"""
        return self.day_count not in (DayCount.ACT_360, DayCount.ACT_365)

    @cached_property
    def dpd_marks(self) -> tuple[int, ...]:
        """会改变头寸或会计键的逾期天数：转逾期、分类门槛、转非应计。"""
        marks = {1, *(threshold for threshold, _ in self.class_thresholds)}
        if self.nonaccrual_after_dpd is not None:
            marks.add(self.nonaccrual_after_dpd + 1)
        return tuple(sorted(marks))

    @cached_property
    def contract_day(self) -> int:
        """名义还款日（每月几号）。"""
        return self.due_day or (self.first_due.day if self.first_due else self.start.day)

    def penalty_rate_ppm(self, rate_ppm: int) -> int:
        """逾期罚息利率 = 执行利率 × 倍数，取整到百万分之一。"""
        return round_div(rate_ppm * self.penalty_multiplier_ppm, PPM, Rounding.HALF_UP)

    def misuse_rate_ppm(self, rate_ppm: int) -> int:
        """挪用罚息利率。"""
        return round_div(rate_ppm * self.misuse_multiplier_ppm, PPM, Rounding.HALF_UP)

    def as_document(self) -> dict[str, Any]:
        """存成 JSON 的字典；与默认值相同的项也写出，因为条款是钉死的。"""
        document: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, date):
                value = value.isoformat()
            elif isinstance(value, Calendar):
                value = value.as_document()
            elif isinstance(value, Allocation):
                value = {
                    f.name: (list(v) if isinstance(v := getattr(value, f.name), tuple) else v) for f in fields(value)
                }
            elif item.name == "payer_shares":
                value = [[since.isoformat(), [list(share) for share in shares]] for since, shares in value]
            elif isinstance(value, tuple):
                value = [list(entry) if isinstance(entry, tuple) else entry for entry in value]
            document[item.name] = value
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Terms:
        """从 JSON 字典读回。

        :raises TermsError: 未知栏目、缺项或取值不成立。
        """
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(document) - known):
            raise TermsError(
                unknown[0], document[unknown[0]], f"不认识的条款栏目「{unknown[0]}」。", "请对照接口说明更正栏目名。"
            )
        # A rate of 0 is a rate: only an absent or empty field is missing.
        if missing := [name for name in REQUIRED if document.get(name) is None]:
            raise TermsError(
                missing[0], None, f"条款缺少「{missing[0]}」。", "起息日、本金、利率、还款方式必填；免息写 0。"
            )
        values: dict[str, Any] = dict(document)
        for name, convert in _CONVERT.items():
            if values.get(name) is not None:
                try:
                    values[name] = convert(values[name])
                except TermsError:
                    raise
                except (ValueError, TypeError, KeyError, IndexError) as error:
                    fix = str(error) if _CHINESE.search(str(error)) else "请对照接口说明更正取值。"
                    raise TermsError(
                        name, document[name], f"条款「{name}」的值 {document[name]!r} 不能识别。", fix
                    ) from error
        # What the document leaves empty is left to the default, which is neutral.
        return cls(**{name: value for name, value in values.items() if value is not None})


REQUIRED = ("start", "principal_fen", "rate_ppm", "method")
_CHINESE = re.compile("[\u4e00-\u9fff]")


def iso_date(value: Any) -> date:
    """日期：ISO 8601 文本 → ``date``。

    :raises ValueError: 写法不对或超出边界。
    """
    try:
        day = date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise ValueError("须为 YYYY-MM-DD 写法的日期。") from error
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"日期须在 {EARLIEST} 到 {LATEST} 之间。")
    return day


def _choice(kind: type[StrEnum]) -> Any:
    def convert(value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError as error:
            raise ValueError(f"须为 {'、'.join(kind)} 之一。") from error

    return convert


def _allocation(document: dict[str, Any]) -> Allocation:
    values = dict(document)
    if unknown := sorted(set(values) - {item.name for item in fields(Allocation)}):
        raise TermsError(
            f"allocation.{unknown[0]}",
            values[unknown[0]],
            f"不认识的冲账栏目「{unknown[0]}」。",
            "请对照接口说明更正栏目名。",
        )
    for name in ("order", "npl_order"):
        if name in values:
            values[name] = tuple(values[name])
    if "future" in values:
        values["future"] = _choice(Future)(values["future"])
    if "by_installment" in values:
        values["by_installment"] = _boolean(values["by_installment"])
    if values.get("npl_after_dpd") is not None:
        values["npl_after_dpd"] = _integer(values["npl_after_dpd"])
    return Allocation(**values)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("须为 true 或 false。")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("须为文本。")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("须为整数。")
    return int(value)


_CONVERT: dict[str, Any] = {
    "start": iso_date,
    "first_due": iso_date,
    "maturity": iso_date,
    "method": _choice(Method),
    "period_unit": _choice(PeriodUnit),
    "day_count": _choice(DayCount),
    "rounding": _choice(Rounding),
    "roll": _choice(Roll),
    "compound": _choice(Compound),
    "calendar": Calendar.from_document,
    "allocation": _allocation,
    "plan": lambda value: tuple(_integer(amount) for amount in value),
    "class_thresholds": lambda value: tuple((_integer(dpd), _integer(grade)) for dpd, grade in value),
    "payer_shares": lambda value: tuple(
        (iso_date(since), tuple((str(payer), _integer(share)) for payer, share in shares)) for since, shares in value
    ),
    "grace_retroactive": _boolean,
    "institution": _text,
    "product": _text,
    "currency": _text,
    "rate_link": lambda value: (str(value[0]), _integer(value[1]), str(value[2])),
} | dict.fromkeys(
    (
        "principal_fen", "rate_ppm", "periods", "period_every", "due_day", "first_period_min_days", "multiple_fen",
        "grace_periods", "flat_fee_fen", "grace_days", "penalty_multiplier_ppm", "misuse_multiplier_ppm",
        "nonaccrual_after_dpd", "prepayment_fee_ppm", "calc_version",
    ),
    _integer,
)  # fmt: skip
