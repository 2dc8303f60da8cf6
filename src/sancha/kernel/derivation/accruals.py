"""叶子与计息段：每次变动的缘由、利率、基数，一段计息、一次结息的精确分数。"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sancha.kernel.daycount import BASIS, DayCount
from sancha.kernel.derivation.labels import COUNTER_LABELS, FACT_LABELS, GIVEN_LABELS
from sancha.kernel.derivation.nodes import Node, Rule, day_text, percent, rounded, summed
from sancha.kernel.facts import Fact
from sancha.kernel.money import Rounding, format_yuan, round_div
from sancha.kernel.state import State
from sancha.kernel.terms import PPM, Terms
from sancha.kernel.trace import Billing, Carry, Move, Part, Segment, Trace


class _Sources:
    """一次推导：条款、生效的事实、状态与痕迹；叶子从这里来。"""

    def __init__(self, terms: Terms, facts: list[Fact], state: State, trace: Trace) -> None:
        self.terms, self.state, self.trace = terms, state, trace
        self.facts = {fact.seq: fact for fact in facts}

    def cause(self, move: Move, what: str = "") -> Node:
        """一次变动：哪条事实，或哪天到期。"""
        if fact := self.facts.get(move.cause):
            label = f"{day_text(move.on)} {FACT_LABELS[fact.kind]}（事实 {fact.seq}）"
            return Node(label + what, move.amount, Rule.GIVEN, source=f"fact:{fact.seq}")
        return Node(f"{day_text(move.on)} 到期处理{what}", move.amount, Rule.GIVEN, source=f"event:{day_text(move.on)}")

    def counter(self, name: str) -> Node:
        """一个累计数：历次变动相加。"""
        return summed(COUNTER_LABELS[name], (self.cause(move) for move in self.trace.moves.get(name, ())))

    def given(self, kind: str, component: str) -> Node:
        """期初带来的，或调整。"""
        word = {"opened": "期初", "adjusted": "调整"}[kind]
        moves = self.trace.moves.get(f"{kind}.{component}", ())
        return summed(f"{word}{GIVEN_LABELS[component]}", (self.cause(move) for move in moves))

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
                    [*sources, f"fact:{fact.seq}" if fact else f"event:{day_text(move.on)}"],
                )
        return summed(
            label,
            (Node(word, amount, Rule.GIVEN, source=" ".join(sources)) for word, (amount, sources) in groups.items()),
        )

    def place(self, cause: int, on: int) -> str:
        return f"fact:{cause}" if cause in self.facts else f"event:{day_text(on)}"

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


class _Accruals(_Sources):
    """计息段：每一段的基数 × 利率 × 天数 ÷ 年基数，合计一次取整。"""

    def part(self, part: Part, *, subsidy: bool = False) -> Node:
        """一段计息或一次结转，精确到分数。"""
        if isinstance(part, Carry):
            return self.carried(part, subsidy)
        exact = Fraction(part.numerator, part.denominator)
        span = f"{day_text(part.start)} 至 {day_text(part.end)}（不含）"
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
            node = summed(label, chosen)
            if node.value_fen == segment.base:
                return node
        node = self.balance_at("not_due", segment.start, "未到期本金（挪用）")
        return (
            node
            if node.value_fen == segment.base
            else Node(label, segment.base, Rule.GIVEN, source=f"event:{day_text(segment.start)}")
        )

    def _due_items(self, nodes: list[Node]) -> list[Any]:
        by_source = {f"installment:{item.no}": item for item in self.state.installments}
        return [by_source[node.source.partition(".")[0]] for node in nodes]

    def carried(self, carry: Carry, subsidy: bool) -> Node:
        amount = carry.subsidy_fen if subsidy else carry.amount_fen
        exact = Fraction(amount * carry.denominator + (0 if subsidy else carry.extra), carry.denominator)
        children: tuple[Node, ...] = ()
        if carry.parts:
            children = (rounded("此前各段", (self.part(part, subsidy=subsidy) for part in carry.parts), amount),)
        return Node(
            f"{day_text(carry.on)} 结转应计利息", None, Rule.EXACT, "换计划或期初：已计未结的利息按整分接着走", self.place(carry.cause, carry.on),
            children, exact,
        )  # fmt: skip

    def running(self, *, subsidy: bool = False) -> Node:
        """本期至今的利息（总额或第三方），合计一次取整。"""
        label = "本期应计，第三方承担" if subsidy else "本期应计利息总额"
        parts = [self.part(part, subsidy=subsidy) for part in self.trace.running]
        exact = sum((part.exact or Fraction(0) for part in parts), Fraction(0))
        return rounded(label, parts, round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))

    def charges(self, component: str) -> Node:
        """罚息或复利自始累计，一次取整。"""
        segments = self.trace.penalty if component == "penalty" else self.trace.compound
        parts = [self.part(segment) for segment in segments]
        exact = sum((part.exact or Fraction(0) for part in parts), Fraction(0))
        label = "累计罚息" if component == "penalty" else "累计复利"
        return rounded(label, parts, round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))

    def gross(self, billing: Billing) -> Node:
        """一次结息的总额。"""
        parts = (self.part(part) for part in billing.parts)
        return rounded(f"{day_text(billing.on)} 结息", parts, billing.gross_fen)

    def shared(self, billing: Billing) -> Node:
        """一次结息中第三方承担的部分。"""
        parts = (self.part(part, subsidy=True) for part in billing.parts)
        return rounded(f"{day_text(billing.on)} 结息，第三方承担", parts, billing.subsidy_fen)

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
        return summed("历次结息" if name == "interest_billed" else "历次结息，第三方承担", (*children, *rest))
