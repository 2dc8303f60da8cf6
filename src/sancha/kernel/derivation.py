"""推导：任何一个数从哪里来——基数 × 利率 × 天数 ÷ 年基数、取整与规则，一层层直到事实与条款。

``derive`` 重放一次并记下痕迹（:mod:`sancha.kernel.trace`），再把所问的数拆成一棵树。每个节点说明子节点怎样得出它
（:class:`Rule`）：``SUM`` 的子节点恰好相加等于它，``HALF_UP`` 的子节点是精确分数，合计一次四舍五入等于它。
性质测试对随机借据的每一个数、每一个节点都验这两条。
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sancha.kernel.allocation import fee_owed
from sancha.kernel.daycount import BASIS, DayCount
from sancha.kernel.facts import Fact, FactKind, effective
from sancha.kernel.fold import Fold
from sancha.kernel.money import Rounding, format_yuan, round_div
from sancha.kernel.positions import ACCRUAL, CODES, NON_ACCRUAL, WRITTEN_OFF, accrual_status, classify
from sancha.kernel.replay import project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import PPM, Method, Terms
from sancha.kernel.trace import Billing, Carry, Form, Level, Move, Part, Segment, Trace


class Rule(StrEnum):
    """子节点怎样得出本节点。"""

    SUM = "SUM"  # 相加
    HALF_UP = "HALF_UP"  # 合计一次四舍五入到分
    EXACT = "EXACT"  # 精确分数：基数 × 利率 × 天数 ÷ 年基数，不取整
    FORMULA = "FORMULA"  # 按 formula 所写
    GIVEN = "GIVEN"  # 由事实或条款给定
    LESSER = "LESSER"  # 取小
    WORSE = "WORSE"  # 取差


@dataclass(frozen=True, slots=True)
class Node:
    """推导的一个节点。

    ``value_fen`` 是分（``EXACT`` 节点不取整，看 ``exact``）；天数、级别、利率之类不是钱的数在 ``number``，单位在 ``unit``。
    ``source``：``fact:序号``、``event:日期``、``terms:栏目``，多个以空格隔开。
    """

    label: str
    value_fen: int | None
    rule: Rule
    formula: str = ""
    source: str = ""
    children: tuple[Node, ...] = ()
    exact: Fraction | None = None
    number: int | None = None
    unit: str = ""

    def as_document(self) -> dict[str, Any]:
        """JSON 字典；空的项不写。"""
        document: dict[str, Any] = {"label": self.label, "rule": str(self.rule)}
        if self.value_fen is not None:
            document["value_fen"] = self.value_fen
        if self.exact is not None:
            document["exact_fen"] = f"{self.exact.numerator}/{self.exact.denominator}"
        if self.number is not None:
            document |= {"number": self.number, "unit": self.unit}
        if self.formula:
            document["formula"] = self.formula
        if self.source:
            document["source"] = self.source
        if self.children:
            document["children"] = [child.as_document() for child in self.children]
        return document

    def negated(self) -> Node:
        """贷方：整棵子树取负（天数、利率不变）。"""
        return replace(
            self,
            value_fen=None if self.value_fen is None else -self.value_fen,
            exact=None if self.exact is None else -self.exact,
            children=tuple(child if child.number is not None else child.negated() for child in self.children)
            if self.rule in {Rule.SUM, Rule.HALF_UP}
            else self.children,
        )


class UnknownFigure(ValueError):
    """没有这个数可推导。"""


FACT_LABELS = {
    FactKind.OPENING: "期初余额", FactKind.PLAN_GIVEN: "照录计划", FactKind.CALENDAR: "节假日公布", FactKind.PAYER_SHARES: "承担份额变更",
    FactKind.RATE_CHANGE: "利率变更", FactKind.DISBURSEMENT: "放款", FactKind.FEE: "收费", FactKind.EXTENSION: "展期",
    FactKind.NEW_PLAN: "重订计划", FactKind.TRANSFER: "划转", FactKind.CLASSIFICATION: "分类认定", FactKind.ACCRUAL_STATUS: "应计认定",
    FactKind.MISUSE: "挪用罚息", FactKind.RESTATEMENT: "重述", FactKind.ADJUSTMENT: "调整", FactKind.WAIVER: "减免",
    FactKind.REPAYMENT: "还款", FactKind.PREPAYMENT: "提前还本", FactKind.SETTLEMENT: "提前结清", FactKind.REFUND: "退还溢缴款",
    FactKind.ACCELERATION: "宣布提前到期", FactKind.WRITE_OFF: "核销", FactKind.RECOVERY: "核销后收回", FactKind.REVERSAL: "冲正",
}  # fmt: skip

FIGURES = {
    "principal": "本金余额",
    "principal_not_due": "未到期本金",
    "principal_due": "已到期未还本金",
    "overdue_principal": "逾期本金",
    "interest_due": "已结未还利息",
    "interest_accrued": "应计利息（本期未结，借款人）",
    "subsidy_accrued": "应计利息（本期未结，第三方）",
    "penalty": "应还罚息",
    "compound": "应还复利",
    "fee": "应还费用",
    "overpayment": "溢缴款",
    "payoff": "结清金额",
    "days_past_due": "逾期天数",
    "class": "五级分类",
}
CODE_LABELS = {
    "CASH": "贷款收付过渡", "PRINCIPAL": "正常本金", "PRINCIPAL_OVERDUE": "逾期本金", "PRINCIPAL_NONACCRUAL": "非应计本金",
    "INTEREST_RECEIVABLE": "应收利息", "SUBSIDY_RECEIVABLE": "应收第三方利息", "PENALTY_RECEIVABLE": "应收罚息",
    "COMPOUND_RECEIVABLE": "应收复利", "FEE_RECEIVABLE": "应收费用", "OVERPAYMENT": "溢缴款", "INTEREST_INCOME": "利息收入",
    "PENALTY_INCOME": "罚息收入", "COMPOUND_INCOME": "复利收入", "FEE_INCOME": "费用收入", "LOSS": "损失",
    "RECOVERY_INCOME": "核销收回", "ADJUSTMENT": "调整", "OPENING_EQUITY": "期初对应", "OFF_INTEREST": "表外利息",
    "OFF_SUBSIDY": "表外第三方利息", "OFF_PENALTY": "表外罚息", "OFF_COMPOUND": "表外复利", "OFF_CONTRA": "表外对应",
    "WRITTEN_OFF_PRINCIPAL": "已核销本金", "WRITTEN_OFF_INTEREST": "已核销利息", "WRITTEN_OFF_CONTRA": "已核销对应",
}  # fmt: skip
PARTS = {
    "principal": "应还本金", "interest": "应还利息（借款人）", "subsidy": "应还利息（第三方）", "total": "应还合计",
    "principal_unpaid": "未还本金", "interest_unpaid": "未还利息",
}  # fmt: skip

_COUNTER_LABELS = {
    "drawn": "放款", "not_due": "未到期本金", "principal_paid": "已还本金", "interest_paid": "已还利息", "subsidy_paid": "第三方已付",
    "penalty_paid": "已还罚息", "compound_paid": "已还复利", "fee_paid": "已还费用", "principal_waived": "减免本金",
    "interest_waived": "减免利息", "penalty_waived": "减免罚息", "compound_waived": "减免复利", "fee_waived": "减免费用",
    "fee_due": "应收费用", "overpayment": "溢缴款", "received": "收款", "refunded": "退款", "recovered": "核销后收回",
    "written_off_principal": "核销本金", "written_off_interest": "核销利息", "deferred_interest": "重订计划移出的欠息",
    "subsidy_billed": "第三方已结利息",
}  # fmt: skip
_GIVEN_LABELS = {
    "principal": "本金",
    "interest": "利息",
    "penalty": "罚息",
    "compound": "复利",
    "fee": "费用",
    "overpayment": "溢缴款",
}


def figures(terms: Terms, state: State) -> dict[str, str]:
    """可推导的数：名字 → 中文。含每个头寸代码与每一期（包括推演出的未来各期）。"""
    names = FIGURES | {code: CODE_LABELS[code] for code in CODES}
    for item in project(terms, state).installments:
        names |= {f"installment:{item.no}.{part}": f"第 {item.no} 期{label}" for part, label in PARTS.items()}
    return names


def derive(
    terms: Terms,
    facts: Iterable[Fact],
    figure: str,
    *,
    on: date,
    known_at: date | None = None,
    known_seq: int | None = None,
) -> Node:
    """推导 ``figure``（名字见 :func:`figures`）在 ``on`` 日开门、当时所知的由来。

    :raises UnknownFigure: 没有这个数。
    """
    facts = list(facts)
    trace = Trace()
    state = replay(terms, facts, on=on, known_at=known_at, known_seq=known_seq, trace=trace)
    chosen = effective(facts, on=on, known_at=known_at, known_seq=known_seq)
    if not figure.startswith("installment:"):
        return _Derivation(terms, chosen, state, trace).figure(figure)
    number, _, part = figure.removeprefix("installment:").partition(".")
    if number.isdigit() and part in PARTS:
        if int(number) > state.numbered:
            state = project(terms, state, trace=trace)
        for index, item in enumerate(state.installments):
            if item.no == int(number):
                return _Derivation(terms, chosen, state, trace).installment(index, part)
    raise UnknownFigure(f"没有「{figure}」这个数可推导，请从 figures() 列出的名字中选。")


def percent(ppm: int) -> str:
    """百分数：百万分之一 → 「14.4%」。"""
    whole, part = divmod(ppm, 10_000)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + "%"


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _sum(label: str, children: Iterable[Node], formula: str = "") -> Node:
    kept = tuple(child for child in children if child.value_fen)
    return Node(label, sum(child.value_fen or 0 for child in kept), Rule.SUM, formula, children=kept)


def _rounded(label: str, children: Iterable[Node], value: int, formula: str = "合计一次四舍五入到分") -> Node:
    """合计一次取整；若记下的数与之不同（均摊法末期收尾差），差额单列。"""
    kept = tuple(children)
    exact = sum((child.exact or Fraction(0) for child in kept), Fraction(0))
    rounded = round_div(exact.numerator, exact.denominator, Rounding.HALF_UP)
    node = Node(label, rounded, Rule.HALF_UP, formula, children=kept)
    if rounded == value:
        return node
    tail = Node(
        "末期收齐各期取整的尾差", value - rounded, Rule.FORMULA, "各期合计一次取整 − 各期已结之和", "terms:method"
    )
    return _sum(label, (node, tail))


_ROUNDING_WORDS = {
    Rounding.HALF_UP: "四舍五入", Rounding.HALF_EVEN: "四舍六入五成双", Rounding.UP: "进位", Rounding.DOWN: "舍去",
}  # fmt: skip


class _Derivation:
    """一次推导：条款、生效的事实、状态与痕迹。"""

    def __init__(self, terms: Terms, facts: list[Fact], state: State, trace: Trace) -> None:
        self.terms, self.state, self.trace = terms, state, trace
        self.facts = {fact.seq: fact for fact in facts}

    def figure(self, name: str) -> Node:
        if name in FIGURES:
            builder: Callable[[], Node] = getattr(self, name if name != "class" else "loan_class")
            return builder()
        if name in CODES:
            return self.position(name)
        raise UnknownFigure(f"没有「{name}」这个数可推导，请从 figures() 列出的名字中选。")

    # --- 叶子 ----------------------------------------------------------------

    def cause(self, move: Move, what: str = "") -> Node:
        """一次变动：哪条事实，或哪天到期。"""
        if fact := self.facts.get(move.cause):
            label = f"{_day(move.on)} {FACT_LABELS[fact.kind]}（事实 {fact.seq}）"
            return Node(label + what, move.amount, Rule.GIVEN, source=f"fact:{fact.seq}")
        return Node(f"{_day(move.on)} 到期处理{what}", move.amount, Rule.GIVEN, source=f"event:{_day(move.on)}")

    def counter(self, name: str) -> Node:
        """一个累计数：历次变动相加。"""
        return _sum(_COUNTER_LABELS[name], (self.cause(move) for move in self.trace.moves.get(name, ())))

    def given(self, kind: str, component: str) -> Node:
        """期初带来的，或调整。"""
        word = {"opened": "期初", "adjusted": "调整"}[kind]
        moves = self.trace.moves.get(f"{kind}.{component}", ())
        return _sum(f"{word}{_GIVEN_LABELS[component]}", (self.cause(move) for move in moves))

    def balance_at(self, name: str, day: int, label: str) -> Node:
        """某日的余额，按缘由归并（逐笔看事实）。"""
        groups: dict[str, tuple[int, list[str]]] = {}
        for move in self.trace.moves.get(name, ()):
            if move.on <= day:
                fact = self.facts.get(move.cause)
                word = FACT_LABELS[fact.kind] if fact else "各期到期转出"
                amount, sources = groups.get(word, (0, []))
                groups[word] = (
                    amount + move.amount,
                    [*sources, f"fact:{fact.seq}" if fact else f"event:{_day(move.on)}"],
                )
        return _sum(
            label,
            (Node(word, amount, Rule.GIVEN, source=" ".join(sources)) for word, (amount, sources) in groups.items()),
        )

    def rate(self, segment: Segment) -> Node:
        """利率：合同利率（条款，或最近一条改利率的事实），罚息再乘倍数。"""
        source, contract = "terms:rate_ppm", self.terms.rate_ppm
        for fact in self.facts.values():
            if fact.value_on.toordinal() <= segment.start and "rate_ppm" in fact.data:
                source, contract = f"fact:{fact.seq}", max(0, fact.data["rate_ppm"])
        if segment.rate_ppm == contract:
            return Node("合同利率", None, Rule.GIVEN, percent(contract), source, number=contract, unit="ppm")
        if segment.rate_ppm == self.terms.penalty_rate_ppm(contract):
            word, field = "罚息利率", "penalty_multiplier_ppm"
        else:
            word, field = "挪用罚息利率", "misuse_multiplier_ppm"
        multiplier = getattr(self.terms, field)
        formula = f"{percent(contract)} × {percent(multiplier)}"
        if segment.rate_ppm == self.terms.misuse_rate_ppm(contract) - contract:
            formula, word = f"{formula} − {percent(contract)}", "挪用加重利率"
        return Node(
            word, None, Rule.FORMULA, f"{formula} = {percent(segment.rate_ppm)}", f"{source} terms:{field}",
            number=segment.rate_ppm, unit="ppm",
        )  # fmt: skip

    # --- 计息段 ----------------------------------------------------------------

    def part(self, part: Part, *, subsidy: bool = False) -> Node:
        """一段计息或一次结转，精确到分数。"""
        if isinstance(part, Carry):
            return self.carried(part, subsidy)
        exact = Fraction(part.numerator, part.denominator)
        span = f"{_day(part.start)} 至 {_day(part.end)}（不含）"
        if part.given:
            total = part.denominator
            formula = f"照录利息 {format_yuan(part.base)} × {part.units} 天 ÷ 本期 {total} 天"
            children: tuple[Node, ...] = ()
        else:
            basis = self.terms.actual_basis if part.component != "interest" else BASIS[self.terms.day_count]
            formula = f"{format_yuan(part.base)} × {percent(part.rate_ppm)} × {self.counted(part)} ÷ {basis:,}"
            children = (self.base(part), self.rate(part))
        if subsidy:
            exact = exact * part.share_ppm / PPM
            formula += f" × 承担 {percent(part.share_ppm)}"
        return Node(span, None, Rule.EXACT, formula, "terms:day_count", children, exact)

    def counted(self, segment: Segment) -> str:
        days = segment.end - segment.start
        if segment.component == "interest":
            if self.terms.day_count is DayCount.MONTHLY:
                return f"{segment.units} 天（对月，整月作 30 天；实际 {days} 天）"
            if self.terms.day_count is DayCount.THIRTY_360:
                return f"{segment.units} 天（每月作 30 天；实际 {days} 天）"
            if self.terms.day_count is DayCount.ACT_ACT:
                return f"{segment.units:,}（平年每天 366、闰年每天 365；实际 {days} 天）"
        return f"{segment.units} 天"

    def base(self, segment: Segment) -> Node:
        """计息基数从哪里来。"""
        if segment.component == "interest":
            node = self.balance_at("not_due", segment.start, "未到期本金")
            if node.value_fen == segment.base:
                return node
            return Node("原始本金", segment.base, Rule.GIVEN, source="terms:method")
        field, label = (
            ("principal_unpaid", "逾期本金") if segment.component == "penalty" else ("interest_unpaid", "逾期利息")
        )
        overdue: list[Node] = []
        for index, item in enumerate(self.state.installments):
            moves = self.trace.moves.get(f"{index}.{field}", ())
            unpaid = sum(move.amount for move in moves if move.on <= segment.start)
            if unpaid and item.due_on <= segment.start:
                source = f"installment:{item.no}.{field}"
                overdue.append(Node(f"第 {item.no} 期未还，应还日 {item.due_date}", unpaid, Rule.GIVEN, source=source))
        grace = self.terms.grace_days
        due = {node.label: item.due_on for node, item in zip(overdue, self._due_items(overdue), strict=True)}
        for chosen in (
            overdue,
            [node for node in overdue if due[node.label] + grace < segment.start],
            [node for node in overdue if due[node.label] == segment.start],
        ):
            node = _sum(label, chosen)
            if node.value_fen == segment.base:
                return node
        node = self.balance_at("not_due", segment.start, "未到期本金（挪用）")
        return (
            node
            if node.value_fen == segment.base
            else Node(label, segment.base, Rule.GIVEN, source=f"event:{_day(segment.start)}")
        )

    def _due_items(self, nodes: list[Node]) -> list[Any]:
        by_source = {f"installment:{item.no}": item for item in self.state.installments}
        return [by_source[node.source.partition(".")[0]] for node in nodes]

    def carried(self, carry: Carry, subsidy: bool) -> Node:
        amount = carry.subsidy_fen if subsidy else carry.amount_fen
        exact = Fraction(amount * carry.denominator + (0 if subsidy else carry.extra), carry.denominator)
        children: tuple[Node, ...] = ()
        if carry.parts:
            children = (_rounded("此前各段", (self.part(part, subsidy=subsidy) for part in carry.parts), amount),)
        return Node(
            f"{_day(carry.on)} 结转应计利息", None, Rule.EXACT, "换计划或期初：已计未结的利息按整分接着走", self._source(carry.cause, carry.on),
            children, exact,
        )  # fmt: skip

    def _source(self, cause: int, on: int) -> str:
        return f"fact:{cause}" if cause in self.facts else f"event:{_day(on)}"

    def running(self, *, subsidy: bool = False) -> Node:
        """本期至今的利息（总额或第三方），合计一次取整。"""
        label = "本期应计，第三方承担" if subsidy else "本期应计利息总额"
        parts = [self.part(part, subsidy=subsidy) for part in self.trace.running]
        exact = sum((part.exact or Fraction(0) for part in parts), Fraction(0))
        return _rounded(label, parts, round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))

    def charges(self, component: str) -> Node:
        """罚息或复利自始累计，一次取整。"""
        segments = self.trace.penalty if component == "penalty" else self.trace.compound
        parts = [self.part(segment) for segment in segments]
        exact = sum((part.exact or Fraction(0) for part in parts), Fraction(0))
        label = "累计罚息" if component == "penalty" else "累计复利"
        return _rounded(label, parts, round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))

    def gross(self, billing: Billing) -> Node:
        """一次结息的总额。"""
        parts = (self.part(part) for part in billing.parts)
        return _rounded(f"{_day(billing.on)} 结息", parts, billing.gross_fen)

    def shared(self, billing: Billing) -> Node:
        """一次结息中第三方承担的部分。"""
        parts = (self.part(part, subsidy=True) for part in billing.parts)
        return _rounded(f"{_day(billing.on)} 结息，第三方承担", parts, billing.subsidy_fen)

    def billed(self, name: str) -> Node:
        """历次结息之和（总额或第三方），加上期初与调整带来的。"""
        node_of, field = (self.gross, "gross_fen") if name == "interest_billed" else (self.shared, "subsidy_fen")
        moves = {(move.on, move.cause): move.amount for move in self.trace.moves.get(name, ())}
        children = []
        for billing in self.trace.billings.values():
            if getattr(billing, field):
                children.append(node_of(billing))
                moves[billing.on, billing.cause] -= getattr(billing, field)
        rest = (self.cause(Move(on, cause, amount)) for (on, cause), amount in moves.items())
        return _sum("历次结息" if name == "interest_billed" else "历次结息，第三方承担", (*children, *rest))

    # --- 各个数 ----------------------------------------------------------------

    def principal(self) -> Node:
        return _sum(
            "本金余额",
            (
                self.counter("drawn"), self.given("opened", "principal"), self.given("adjusted", "principal"),
                self.counter("principal_paid").negated(), self.counter("principal_waived").negated(),
                self.counter("written_off_principal").negated(),
            ),
            "放款 + 期初 + 调整 − 已还 − 减免 − 核销",
        )  # fmt: skip

    def principal_not_due(self) -> Node:
        return self.counter("not_due")

    def principal_due(self) -> Node:
        items = (self.unpaid(index, "principal") for index in range(self.state.first, len(self.state.installments)))
        return _sum("已到期未还本金", items)

    def overdue_principal(self) -> Node:
        items = enumerate(self.state.installments)
        unpaid = (self.unpaid(index, "principal") for index, item in items if item.due_on < self.state.on)
        return _sum("逾期本金", unpaid, "应还日早于当日的各期未还本金")

    def interest_due(self) -> Node:
        items = (self.unpaid(index, "interest") for index in range(self.state.first, len(self.state.installments)))
        return _sum("已结未还利息", items)

    def interest_accrued(self) -> Node:
        return _sum("应计利息（借款人）", (self.running(), self.running(subsidy=True).negated()), "总额 − 第三方承担")

    def subsidy_accrued(self) -> Node:
        return self.running(subsidy=True)

    def penalty(self) -> Node:
        return self._owed("penalty", "应还罚息")

    def compound(self) -> Node:
        return self._owed("compound", "应还复利")

    def _owed(self, component: str, label: str) -> Node:
        return _sum(
            label,
            (
                self.charges(component), self.given("opened", component), self.given("adjusted", component),
                self.counter(f"{component}_paid").negated(), self.counter(f"{component}_waived").negated(),
            ),
            "累计 + 期初 + 调整 − 已还 − 减免",
        )  # fmt: skip

    def fee(self) -> Node:
        node = _sum(
            "应还费用",
            (
                self.counter("fee_due"), self.given("opened", "fee"), self.given("adjusted", "fee"),
                self.counter("fee_paid").negated(), self.counter("fee_waived").negated(),
            ),
            "应收 + 期初 + 调整 − 已还 − 减免",
        )  # fmt: skip
        assert node.value_fen == fee_owed(self.state)
        return node

    def overpayment(self) -> Node:
        return self.counter("overpayment")

    def payoff(self) -> Node:
        state, terms = self.state, self.terms
        if state.written_off:
            return _sum("结清金额（已核销）", self._claim())
        nodes = [
            self.fee(),
            self.penalty(),
            self.compound(),
            self.interest_due(),
            self.principal_due(),
            self.principal_not_due(),
        ]
        if state.cur < len(state.ends):
            nodes += [self.interest_accrued(), self.counter("deferred_interest")]
            rest = Fold(terms, state).rest_of_flat_fee()
            nodes.append(Node("定额费用余额", rest, Rule.FORMULA, "定额费用 − 已计收", "terms:flat_fee_fen"))
        if terms.prepayment_fee_ppm and state.not_due:
            exact = Fraction(state.not_due * terms.prepayment_fee_ppm, PPM)
            formula = f"{format_yuan(state.not_due)} × {percent(terms.prepayment_fee_ppm)}"
            part = Node("提前还款费", None, Rule.EXACT, formula, "terms:prepayment_fee_ppm", exact=exact)
            nodes.append(
                _rounded("提前还款费", (part,), round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))
            )
        return _sum("结清金额", (*nodes, self.overpayment().negated()), "各项之和 − 溢缴款")

    def _claim(self) -> tuple[Node, ...]:
        return (
            self.counter("written_off_principal"),
            self.counter("written_off_interest"),
            self.counter("recovered").negated(),
        )

    def days_past_due(self) -> Node:
        state = self.state
        days = state.days_past_due
        if not days:
            return Node("逾期天数", None, Rule.FORMULA, "没有已过应还日的欠款", number=0, unit="天")
        item = state.installments[state.first]
        children = (self.unpaid(state.first, "principal"), self.unpaid(state.first, "interest"))
        formula = f"{_day(state.on)} − 最早未还清的应还日 {item.due_date} = {days} 天"
        return Node("逾期天数", None, Rule.FORMULA, formula, f"installment:{item.no}", children, number=days, unit="天")

    def loan_class(self) -> Node:
        state = self.state
        dpd = self.days_past_due()
        floors = [self.cause(move) for move in self.trace.moves.get("class_floor", ())]
        floor = Node(
            "认定", None, Rule.GIVEN, "不低于", floors[-1].source if floors else "", number=state.class_floor, unit="级"
        )
        by_days = max((grade for days, grade in self.terms.class_thresholds if state.days_past_due >= days), default=1)
        by_dpd = Node(
            "按逾期天数", None, Rule.FORMULA, dpd.formula, "terms:class_thresholds", (dpd,), number=by_days, unit="级"
        )
        grade = classify(self.terms, state)
        formula = "已核销为损失" if state.written_off else "认定与逾期天数取其差者"
        return Node(
            "五级分类", None, Rule.WORSE, formula, "terms:class_thresholds", (floor, by_dpd), number=grade, unit="级"
        )

    # --- 各期 ----------------------------------------------------------------

    def installment(self, index: int, part: str) -> Node:
        item = self.state.installments[index]
        label = f"第 {item.no} 期{PARTS[part]}"
        if part == "principal":
            node = self.due_principal(index)
        elif part == "interest":
            node = self.due_interest(index)
        elif part == "subsidy":
            billing = self.trace.billings.get(index)
            node = self.shared(billing) if billing else Node(label, 0, Rule.GIVEN)
        elif part == "total":
            node = _sum(label, (self.due_principal(index), self.due_interest(index)), "本金 + 利息")
        else:
            node = self.unpaid(index, part.removesuffix("_unpaid"))
        return replace(node, label=label)

    def _later(self, index: int, name: str) -> tuple[Move | None, list[Node]]:
        moves = self.trace.moves.get(f"{index}.{name}", [])
        return (moves[0] if moves else None), [self.cause(move, "，调整") for move in moves[1:]]

    def due_interest(self, index: int) -> Node:
        item = self.state.installments[index]
        first, later = self._later(index, "interest_due")
        billing = self.trace.billings.get(index)
        if billing is not None:
            deferred = Node(
                "重订计划移来的欠息", billing.deferred_fen, Rule.GIVEN, source=self._source_of("deferred_interest")
            )
            formed = [self.gross(billing), self.shared(billing).negated(), deferred]
        else:
            formed = [self.cause(first)] if first else []
        return _sum(f"第 {item.no} 期应还利息", (*formed, *later))

    def _source_of(self, name: str) -> str:
        return " ".join(self.cause(move).source for move in self.trace.moves.get(name, ()) if move.amount > 0)

    def due_principal(self, index: int) -> Node:
        item = self.state.installments[index]
        first, later = self._later(index, "principal_due")
        form = self.trace.forms.get(index)
        formed = (
            self.formed(form, index, first.amount if first else 0) if form else self.cause(first) if first else None
        )
        return _sum(f"第 {item.no} 期应还本金", (*((formed,) if formed else ()), *later))

    def formed(self, form: Form, index: int, amount: int) -> Node:
        """一期本金的由来。"""
        if form.why in {"LAST", "CAPPED"}:
            word = "末期收清余额" if form.why == "LAST" else "不超过余额"
            return Node(word, amount, Rule.LESSER, f"期初余额 {format_yuan(form.balance_fen)}", "terms:method")
        if form.why == "PLAN":
            return Node("照计划还本", amount, Rule.GIVEN, source=f"terms:plan {self._source_of_plan()}".strip())
        if form.level is None or form.why == "NONE":
            return Node("本期不还本", amount, Rule.GIVEN, source="terms:method")
        level = self.level(form.level)
        if form.why == "LEVEL_PRINCIPAL" or level.value_fen == amount == 0:
            return replace(level, value_fen=amount)
        if form.level.level_fen - form.interest_fen != amount:
            return Node("本期利息已超过每期还款额，不还本", amount, Rule.LESSER, "不小于 0", "terms:method", (level,))
        billing = self.trace.billings.get(index)
        interest = self.gross(billing) if billing else Node("本期利息", form.interest_fen, Rule.GIVEN)
        return _sum("每期还款额 − 本期利息", (level, interest.negated()))

    def _source_of_plan(self) -> str:
        kinds = {FactKind.PLAN_GIVEN, FactKind.NEW_PLAN, FactKind.OPENING, FactKind.EXTENSION}
        return " ".join(f"fact:{fact.seq}" for fact in self.facts.values() if fact.kind in kinds)

    def level(self, level: Level) -> Node:
        """每期还款额（或每期本金）的算式。"""
        numerator, denominator = level.rate
        amount = format_yuan(level.principal_fen)
        if numerator:
            each = Fraction(numerator, denominator)
            formula = f"A = P·i(1+i)^n ÷ ((1+i)^n − 1)，P = {amount}，i = {each.numerator}/{each.denominator}，n = {level.periods}"
        else:
            formula = f"{amount} ÷ {level.periods} 期"
        formula += f"，{_ROUNDING_WORDS[self.terms.rounding]}到 {format_yuan(self.terms.multiple_fen)} 元"
        label = "每期还款额" if self.terms.method in {Method.LEVEL_PAYMENT, Method.GRACE_LEVEL_PAYMENT} else "每期本金"
        return Node(
            f"{label}（{_day(level.on)} 起）",
            level.level_fen,
            Rule.FORMULA,
            formula,
            self._source(level.cause, level.on),
        )

    def unpaid(self, index: int, component: str) -> Node:
        """一期未还：应还减去历次冲账、减免与移出。"""
        item = self.state.installments[index]
        due = self.due_principal(index) if component == "principal" else self.due_interest(index)
        owed = {(move.on, move.cause): move.amount for move in self.trace.moves.get(f"{index}.{component}_due", ())}
        settled: dict[tuple[int, int], int] = {}
        for move in self.trace.moves.get(f"{index}.{component}_unpaid", ()):
            settled[move.on, move.cause] = settled.get((move.on, move.cause), 0) + move.amount
        for place, amount in owed.items():
            settled[place] = settled.get(place, 0) - amount
        paid = (self.cause(Move(on, cause, amount), "，冲减") for (on, cause), amount in settled.items())
        return _sum(f"第 {item.no} 期未还{_GIVEN_LABELS[component]}", (due, *paid))

    # --- 头寸 ----------------------------------------------------------------

    def position(self, code: str) -> Node:
        """一个头寸代码；与 :func:`sancha.kernel.positions.positions` 同一口径。"""
        status = accrual_status(self.terms, self.state)
        builders = self._always()
        if status == ACCRUAL:
            builders |= self._while_accrual()
        else:
            builders |= self._while_not_accrual()
            builders |= self._off_balance() if status == NON_ACCRUAL else self._written_off()
        children = builders[code]() if code in builders else ()
        word = {ACCRUAL: "应计", NON_ACCRUAL: "非应计", WRITTEN_OFF: "已核销"}[status]
        return _sum(CODE_LABELS[code], children, f"借方为正；{word}")

    def _opened(self, component: str) -> Node:
        node = self.given("opened", component)
        off = self.state.opened_off_balance and component in {"interest", "penalty", "compound"}
        return replace(node, value_fen=0, children=()) if off else node

    def _unbooked(self, component: str) -> Node:
        node = self.given("opened", component)
        return node if self.state.opened_off_balance else replace(node, value_fen=0, children=())

    def _always(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        names = tuple(_GIVEN_LABELS)[:5]
        return {
            "CASH": lambda: (self.counter("received"), self.counter("drawn").negated(), self.counter("refunded").negated()),
            "OVERPAYMENT": lambda: (self.overpayment().negated(),),
            "FEE_RECEIVABLE": lambda: (self.fee(),),
            "FEE_INCOME": lambda: (self.counter("fee_due").negated(), self.counter("fee_waived")),
            "LOSS": lambda: (self.counter("principal_waived"), self.counter("written_off_principal")),
            "RECOVERY_INCOME": lambda: (self.counter("recovered").negated(),),
            "ADJUSTMENT": lambda: (
                *(self.given("adjusted", name).negated() for name in names), self.given("adjusted", "overpayment"),
            ),
            "OPENING_EQUITY": lambda: (*(self._opened(name).negated() for name in names), self._opened("overpayment")),
        }  # fmt: skip

    def _receivable(self) -> tuple[Node, ...]:
        return (
            self.billed("interest_billed"), self.running(), self.billed("subsidy_billed").negated(),
            self.running(subsidy=True).negated(), self.counter("interest_paid").negated(), self.counter("interest_waived").negated(),
        )  # fmt: skip

    def _subsidy(self) -> tuple[Node, ...]:
        return self.billed("subsidy_billed"), self.running(subsidy=True), self.counter("subsidy_paid").negated()

    def _while_accrual(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        def charge_income(component: str) -> Callable[[], tuple[Node, ...]]:
            return lambda: (
                self.charges(component).negated(), self.counter(f"{component}_waived"), self._unbooked(component).negated(),
            )  # fmt: skip

        return {
            "PRINCIPAL": lambda: (self.principal(), self.overdue_principal().negated()),
            "PRINCIPAL_OVERDUE": lambda: (self.overdue_principal(),),
            "INTEREST_RECEIVABLE": self._receivable,
            "SUBSIDY_RECEIVABLE": self._subsidy,
            "PENALTY_RECEIVABLE": lambda: (self.penalty(),),
            "COMPOUND_RECEIVABLE": lambda: (self.compound(),),
            "INTEREST_INCOME": lambda: (
                self.billed("interest_billed").negated(), self.running().negated(), self.counter("interest_waived"),
                self._opened("interest"), self.given("adjusted", "interest"),
            ),
            "PENALTY_INCOME": charge_income("penalty"),
            "COMPOUND_INCOME": charge_income("compound"),
        }  # fmt: skip

    def _while_not_accrual(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        def paid_income(component: str, *paid: str) -> Callable[[], tuple[Node, ...]]:
            return lambda: (
                *(self.counter(name).negated() for name in paid), self._opened(component), self.given("adjusted", component),
            )  # fmt: skip

        return {
            "INTEREST_INCOME": paid_income("interest", "interest_paid", "subsidy_paid"),
            "PENALTY_INCOME": paid_income("penalty", "penalty_paid"),
            "COMPOUND_INCOME": paid_income("compound", "compound_paid"),
        }

    def _off_balance(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        return {
            "PRINCIPAL_NONACCRUAL": lambda: (self.principal(),),
            "OFF_INTEREST": self._receivable,
            "OFF_SUBSIDY": self._subsidy,
            "OFF_PENALTY": lambda: (self.penalty(),),
            "OFF_COMPOUND": lambda: (self.compound(),),
            "OFF_CONTRA": lambda: tuple(
                node.negated() for node in (*self._receivable(), *self._subsidy(), self.penalty(), self.compound())
            ),
        }

    def _written_off(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        state = self.state
        on_principal = min(state.recovered, state.written_off_principal)
        recovered = self.counter("recovered")

        def taken(amount: int, formula: str) -> Node:
            return Node("收回冲减", -amount, Rule.LESSER, formula, children=(recovered,))

        return {
            "WRITTEN_OFF_PRINCIPAL": lambda: (self.counter("written_off_principal"), taken(on_principal, "先冲本金")),
            "WRITTEN_OFF_INTEREST": lambda: (
                self.counter("written_off_interest"), taken(state.recovered - on_principal, "本金冲完再冲利息"),
            ),
            "WRITTEN_OFF_CONTRA": lambda: tuple(node.negated() for node in self._claim()),
        }  # fmt: skip
