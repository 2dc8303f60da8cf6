"""各个数：余额、应还、结清金额、逾期天数、五级分类。"""

from __future__ import annotations

from fractions import Fraction

from sancha.kernel.allocation import fee_owed
from sancha.kernel.derivation.installments import _Installments
from sancha.kernel.derivation.nodes import Node, Rule, day_text, percent, rounded, summed
from sancha.kernel.fold import Fold
from sancha.kernel.money import Rounding, format_yuan, round_div
from sancha.kernel.positions import classify
from sancha.kernel.terms import PPM


class _Balances(_Installments):
    """各个余额与金额的推导；方法名就是数的名字。"""

    def principal(self) -> Node:
        return summed(
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
        return summed("已到期未还本金", items)

    def overdue_principal(self) -> Node:
        items = enumerate(self.state.installments)
        unpaid = (self.unpaid(index, "principal") for index, item in items if item.due_on < self.state.on)
        return summed("逾期本金", unpaid, "应还日早于当日的各期未还本金")

    def interest_due(self) -> Node:
        items = (self.unpaid(index, "interest") for index in range(self.state.first, len(self.state.installments)))
        return summed("已结未还利息", items)

    def interest_accrued(self) -> Node:
        return summed("应计利息（借款人）", (self.running(), self.running(subsidy=True).negated()), "总额 − 第三方承担")

    def subsidy_accrued(self) -> Node:
        return self.running(subsidy=True)

    def penalty(self) -> Node:
        return self._owed("penalty", "应还罚息")

    def compound(self) -> Node:
        return self._owed("compound", "应还复利")

    def _owed(self, component: str, label: str) -> Node:
        return summed(
            label,
            (
                self.charges(component), self.given("opened", component), self.given("adjusted", component),
                self.counter(f"{component}_paid").negated(), self.counter(f"{component}_waived").negated(),
            ),
            "累计 + 期初 + 调整 − 已还 − 减免",
        )  # fmt: skip

    def fee(self) -> Node:
        node = summed(
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
            return summed("结清金额（已核销）", self._claim())
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
                rounded("提前还款费", (part,), round_div(exact.numerator, exact.denominator, Rounding.HALF_UP))
            )
        return summed("结清金额", (*nodes, self.overpayment().negated()), "各项之和 − 溢缴款")

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
        formula = f"{day_text(state.on)} − 最早未还清的应还日 {item.due_date} = {days} 天"
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
