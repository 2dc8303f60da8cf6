"""各期：应还本金、应还利息的由来，未还 = 应还 − 冲减。"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from sancha.kernel.derivation.accruals import _Accruals
from sancha.kernel.derivation.labels import GIVEN_LABELS, PARTS
from sancha.kernel.derivation.nodes import Node, Rule, day_text, summed
from sancha.kernel.facts import FactKind
from sancha.kernel.money import Rounding, format_yuan
from sancha.kernel.terms import Method
from sancha.kernel.trace import Form, Level, Move

_ROUNDING_WORDS = {
    Rounding.HALF_UP: "四舍五入", Rounding.HALF_EVEN: "四舍六入五成双", Rounding.UP: "进位", Rounding.DOWN: "舍去",
}  # fmt: skip


class _Installments(_Accruals):
    """各期的推导。"""

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
            node = summed(label, (self.due_principal(index), self.due_interest(index)), "本金 + 利息")
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
        return summed(f"第 {item.no} 期应还利息", (*formed, *later))

    def _source_of(self, name: str) -> str:
        return " ".join(self.cause(move).source for move in self.trace.moves.get(name, ()) if move.amount > 0)

    def due_principal(self, index: int) -> Node:
        item = self.state.installments[index]
        first, later = self._later(index, "principal_due")
        form = self.trace.forms.get(index)
        formed = (
            self.formed(form, index, first.amount if first else 0) if form else self.cause(first) if first else None
        )
        return summed(f"第 {item.no} 期应还本金", (*((formed,) if formed else ()), *later))

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
        return summed("每期还款额 − 本期利息", (level, interest.negated()))

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
            f"{label}（{day_text(level.on)} 起）",
            level.level_fen,
            Rule.FORMULA,
            formula,
            self.place(level.cause, level.on),
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
        return summed(f"第 {item.no} 期未还{GIVEN_LABELS[component]}", (due, *paid))
