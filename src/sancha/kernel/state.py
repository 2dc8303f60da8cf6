"""状态：一笔借据在某日开门时的全部——各期应还与已还、余额、溢缴款、应计、在途的计划。

``on`` = D 的意思（docs/algorithms/books.md 第 1 条）：D 日开门；利息计到 D 日（不含）；D 日到期的期次已结；起息日 ≤ D 的事实已入。
状态可以存起来再接着走：``advance(state, …)`` 从它开始，结果与从头重放相同。内部日期是日序数。
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from operator import attrgetter
from typing import Any

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method


# No slots: a state is cloned and stored a hundred thousand times a night, and an instance dictionary copies in one C call.
@dataclass
class Installment:
    """一期（或提前还款、结清、加速到期形成的一笔应还）。金额为分；``interest_*`` 只是借款人承担的部分。"""

    no: int
    kind: str  # PLAN 计划期 · PREPAYMENT 提前还本 · SETTLEMENT 结清 · ACCELERATION 加速到期 · OPENING 期初欠款
    starts_on: int
    bill_on: int
    due_on: int
    opening_principal: int
    principal_due: int
    interest_due: int
    subsidy_due: int
    fee_due: int
    rate_ppm: int
    principal_unpaid: int
    interest_unpaid: int
    subsidy_unpaid: int
    principal_paid: int = 0
    interest_paid: int = 0
    subsidy_paid: int = 0
    principal_waived: int = 0
    interest_waived: int = 0
    moved_principal: int = 0  # 重订计划时移回未到期本金的部分
    moved_interest: int = 0
    settled_on: int = 0  # 借款人应还部分付清之日，0 为未付清
    bearing: bool = False  # 已起计罚息、复利（已到期且过宽限）

    @property
    def due_date(self) -> date:
        """应还日。"""
        return date.fromordinal(self.due_on)

    @property
    def unpaid_fen(self) -> int:
        """借款人未还。"""
        return self.principal_unpaid + self.interest_unpaid

    def clone(self) -> Installment:
        """副本。"""
        twin = object.__new__(Installment)
        twin.__dict__.update(self.__dict__)
        return twin


@dataclass
class State:
    """借据状态。字段名不带后缀的金额均为分，``*_num`` 是精确分子。"""

    on: int
    institution: str
    product: str
    # 计划
    method: Method
    unit: PeriodUnit
    every: int
    ends: list[int]
    dues: list[int]
    plan_principal: list[int] | None
    plan_interest: list[int] | None
    grace_periods: int
    cur: int = 0
    level: int = 0
    rate_ppm: int = 0
    not_due: int = 0  # 未到期本金
    flat_base: int = 0
    drawn: int = 0
    deferred_interest: int = 0  # 重订计划移出、随末期应还的欠息
    maturity: int = 0
    # 合同利息（本期）
    period_start: int = 0
    nominal_day: int = 1
    units: int = 0
    acc_num: int = 0
    acc_den: int = 1
    given_interest: int = -1  # 照录计划给定的本期利息；-1 为按利率计
    share_ppm: int = 0  # 第三方承担比例合计
    shares: list[list[Any]] = field(default_factory=list)
    share_changes: list[list[Any]] = field(default_factory=list)
    subsidy_num: int = 0
    subsidy_split: dict[str, int] = field(default_factory=dict)  # 份额变更之前已计的，按当时的承担人
    flat_num: int = 0
    flat_billed: int = 0
    # 罚息与复利（自始累计）
    penalty_num: int = 0
    compound_num: int = 0
    penalty_base: int = 0
    compound_base: int = 0
    misuse_rate_ppm: int = 0
    # 累计
    interest_billed: int = 0
    subsidy_billed: int = 0
    fee_due: int = 0
    principal_paid: int = 0
    interest_paid: int = 0
    subsidy_paid: int = 0
    penalty_paid: int = 0
    compound_paid: int = 0
    fee_paid: int = 0
    principal_waived: int = 0
    interest_waived: int = 0
    penalty_waived: int = 0
    compound_waived: int = 0
    fee_waived: int = 0
    overpayment: int = 0
    received: int = 0
    refunded: int = 0
    payers: dict[str, list[int]] = field(default_factory=dict)  # 第三方 → [应付, 已付]
    # 期初与调整：[本金, 利息, 罚息, 复利, 费用, 溢缴]
    opened: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0, 0])
    adjusted: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0, 0])
    opened_off_balance: bool = False
    # 各期
    installments: list[Installment] = field(default_factory=list)
    first: int = 0  # 最早未付清期的下标
    numbered: int = 0  # 期次已编到第几
    waiting: list[int] = field(default_factory=list)  # 已结息、应还日（顺延）未到
    in_grace: list[int] = field(default_factory=list)
    # 分类与状态
    class_floor: int = 1
    forced_nonaccrual: bool = False
    written_off: bool = False
    written_off_principal: int = 0
    written_off_interest: int = 0
    recovered: int = 0
    calc_version: int = 1
    unapplied: dict[int, int] = field(default_factory=dict)
    last_key: tuple[int, int, int] = (0, -1, 0)
    next_on: int = 0
    calendar: dict[str, Any] | None = None  # 事实带来的日历；空则用条款里的

    @property
    def day(self) -> date:
        """状态所在日（开门）。"""
        return date.fromordinal(self.on)

    @property
    def principal(self) -> int:
        """本金余额（含逾期；核销后为 0）。"""
        return (
            self.drawn
            + self.opened[0]
            + self.adjusted[0]
            - self.principal_paid
            - self.principal_waived
            - self.written_off_principal
        )

    @property
    def days_past_due(self) -> int:
        """逾期天数：从最早未付清的应还日算起；部分还款不重置，宽限不减少。"""
        if self.written_off or self.first >= len(self.installments):
            return 0
        return max(0, self.on - self.installments[self.first].due_on)

    @property
    def overdue_principal(self) -> int:
        """逾期本金（应还日次日起）。"""
        on = self.on
        return sum(item.principal_unpaid for item in self.installments[self.first :] if item.due_on < on)

    @property
    def interest_unpaid(self) -> int:
        """已结未付利息（借款人）。"""
        return sum(item.interest_unpaid for item in self.installments[self.first :])

    def clone(self) -> State:
        """可独立前行的副本。"""
        twin = object.__new__(State)
        values = twin.__dict__
        values.update(self.__dict__)
        for name in _MUTABLE:
            value = values[name]
            if value is not None:
                values[name] = value.copy()
        # Settled instalments are never touched again unless a third party pays late, so only open ones are copied.
        twin.installments = [
            item if item.settled_on and not item.subsidy_unpaid else item.clone() for item in self.installments
        ]
        twin.payers = {payer: list(pair) for payer, pair in self.payers.items()}
        return twin

    def as_document(self) -> dict[str, Any]:
        """存成 JSON：与默认值不同的字段，各期为数组。"""
        values = self.__dict__
        document = {name: values[name] for name, default in _DEFAULTS if values[name] != default}
        document["installments"] = [list(_ROW(item)) for item in self.installments]
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> State:
        """从 JSON 读回。

        :raises TypeError: 有不认识的字段，或缺少必有的字段。
        """
        values = _PLAIN.copy()
        values.update(document)
        for name, factory in _FACTORIES:
            if name not in document:
                values[name] = factory()
        if len(values) != len(_DEFAULTS) + 1:
            raise TypeError(
                f"状态的字段不合：{sorted(set(values) ^ {name for name, _ in _DEFAULTS} ^ {'installments'})}"
            )
        values["installments"] = [Installment(*row) for row in values["installments"]]
        values["method"] = Method(values["method"])
        values["unit"] = PeriodUnit(values["unit"])
        values["last_key"] = tuple(values["last_key"])
        if values["unapplied"]:
            values["unapplied"] = {int(seq): amount for seq, amount in values["unapplied"].items()}
        state = object.__new__(cls)
        state.__dict__ = values
        return state


_ROW = attrgetter(*(item.name for item in fields(Installment)))
_MUTABLE = (
    "ends", "dues", "plan_principal", "plan_interest", "shares", "share_changes", "opened", "adjusted", "waiting", "in_grace",
    "unapplied", "subsidy_split",
)  # fmt: skip


def _defaults() -> tuple[tuple[str, Any], ...]:
    required = object()
    return tuple(
        (
            item.name,
            item.default_factory()
            if item.default_factory is not MISSING
            else required
            if item.default is MISSING
            else item.default,
        )
        for item in fields(State)
        if item.name != "installments"
    )


_DEFAULTS = _defaults()
_PLAIN = {item.name: item.default for item in fields(State) if item.default is not MISSING}
_FACTORIES = tuple((item.name, item.default_factory) for item in fields(State) if item.default_factory is not MISSING)
