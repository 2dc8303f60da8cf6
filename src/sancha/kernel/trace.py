"""计算痕迹：重放途中记下的每一段计息、每次结息、每笔变动，供推导（:mod:`sancha.kernel.derivation`）还原任何一个数。

平时不记；``replay(…, trace=Trace())`` 才记。痕迹只看不改：有没有它，状态完全相同。
"""

from __future__ import annotations

from typing import NamedTuple

from sancha.kernel.state import Installment, State


class Segment(NamedTuple):
    """一段计息：基数 × 年利率 × 单位数，精确分子与分母。``rate_ppm`` 为 0 且 ``given`` 时是照录利息按天摊。"""

    component: str  # interest · penalty · compound
    start: int
    end: int
    base: int
    rate_ppm: int
    units: int
    numerator: int
    denominator: int
    share_ppm: int = 0
    given: bool = False


class Carry(NamedTuple):
    """结转：换计划或期初带来的应计利息，按整分接着走（``extra`` 是原账带来的零头分子）。"""

    on: int
    amount_fen: int
    subsidy_fen: int
    denominator: int
    extra: int
    parts: tuple[Part, ...]
    cause: int

    @property
    def numerator(self) -> int:
        """在现行分母下的分子。"""
        return self.amount_fen * self.denominator + self.extra


Part = Segment | Carry


class Billing(NamedTuple):
    """一次结息：各段合计一次取整，分出第三方承担的部分；``deferred_fen`` 是重订计划移来的欠息。"""

    on: int
    gross_fen: int
    subsidy_fen: int
    deferred_fen: int
    parts: tuple[Part, ...]
    cause: int


class Level(NamedTuple):
    """每期还款额（或每期本金）的一次计算。"""

    on: int
    principal_fen: int
    rate: tuple[int, int]
    periods: int
    level_fen: int
    cause: int


class Form(NamedTuple):
    """一期本金的由来：``why`` 为 LAST 末期收余额 · PLAN 照计划 · LEVEL_PRINCIPAL · LEVEL_PAYMENT · CAPPED 不超过余额 · NONE。"""

    why: str
    level: Level | None
    interest_fen: int
    balance_fen: int


class Move(NamedTuple):
    """一个累计数的一次变动；``cause`` 是事实序号，0 为到期等内部事件。"""

    on: int
    cause: int
    amount: int


COUNTERS = (
    "drawn", "not_due", "deferred_interest", "interest_billed", "subsidy_billed", "fee_due",
    "principal_paid", "interest_paid", "subsidy_paid", "penalty_paid", "compound_paid", "fee_paid",
    "principal_waived", "interest_waived", "penalty_waived", "compound_waived", "fee_waived",
    "overpayment", "received", "refunded", "written_off_principal", "written_off_interest", "recovered", "class_floor",
)  # fmt: skip
GIVEN = ("principal", "interest", "penalty", "compound", "fee", "overpayment")
ITEM = ("principal_due", "interest_due", "principal_unpaid", "interest_unpaid")


class Trace:
    """痕迹本身。"""

    def __init__(self) -> None:
        self.running: list[Part] = []  # 本期尚未结出的各段利息
        self.penalty: list[Segment] = []
        self.compound: list[Segment] = []
        self.billings: dict[int, Billing] = {}
        self.forms: dict[int, Form] = {}
        self.moves: dict[str, list[Move]] = {}
        self.level: Level | None = None
        self.cause = 0
        self._taken: Billing | None = None
        self._before: dict[str, int] = {"class_floor": 1}

    def segment(self, segment: Segment) -> None:
        """记一段计息。"""
        if segment.component == "interest":
            self.running.append(segment)
        else:
            (self.penalty if segment.component == "penalty" else self.compound).append(segment)

    def carry(
        self, *, on: int, amount: int, subsidy: int, denominator: int, extra: int = 0, opened: bool = False
    ) -> None:
        """记一次结转：此前各段并成一个整分数。"""
        earlier = () if opened else tuple(self.running)
        self.running = list(self.running) if opened else []
        if amount or subsidy or extra:
            self.running.append(Carry(on, amount, subsidy, denominator, extra, earlier, self.cause))

    def take(self, *, on: int, gross: int, subsidy: int) -> None:
        """记一次结息；紧接着形成的那一期就是它的去处。"""
        self._taken = Billing(on, gross, subsidy, 0, tuple(self.running), self.cause)
        self.running = []

    def formed(self, index: int, item: Installment, *, deferred: int, form: Form | None) -> None:
        """记一期应还的形成。"""
        if self._taken is not None:
            self.billings[index] = self._taken._replace(deferred_fen=deferred)
        elif deferred:
            self.billings[index] = Billing(item.bill_on, 0, 0, deferred, (), self.cause)
        self._taken = None
        if form is not None:
            self.forms[index] = form

    def settle(self, state: State, cause: int) -> None:
        """一步（内部事件或一条事实）走完：各累计数变了多少，记在它的名下。"""
        after = _snapshot(state)
        before = self._before
        for name, value in after.items():
            if amount := value - before.get(name, 0):
                self.moves.setdefault(name, []).append(Move(state.on, cause, amount))
        self._before = after
        # Interest taken without an instalment rounded to nothing; it must not be mistaken for the next one's.
        self._taken = None


def _snapshot(state: State) -> dict[str, int]:
    values = {name: getattr(state, name) for name in COUNTERS}
    for index, name in enumerate(GIVEN):
        values[f"opened.{name}"] = state.opened[index]
        values[f"adjusted.{name}"] = state.adjusted[index]
    for index, item in enumerate(state.installments):
        for name in ITEM:
            values[f"{index}.{name}"] = getattr(item, name)
    return values
