"""头寸：每个头寸代码由哪些数组成，与入账同一口径。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sancha.kernel.derivation.balances import _Balances
from sancha.kernel.derivation.labels import CODE_LABELS, FIGURES, GIVEN_LABELS
from sancha.kernel.derivation.nodes import Node, Rule, UnknownFigure, summed
from sancha.kernel.positions import ACCRUAL, CODES, NON_ACCRUAL, WRITTEN_OFF, accrual_status


class _Derivation(_Balances):
    """任何一个数的推导。"""

    def figure(self, name: str) -> Node:
        if name in FIGURES:
            builder: Callable[[], Node] = getattr(self, name if name != "class" else "loan_class")
            return builder()
        if name in CODES:
            return self.position(name)
        raise UnknownFigure(f"没有「{name}」这个数可推导，请从 figures() 列出的名字中选。")

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
        return summed(CODE_LABELS[code], children, f"借方为正；{word}")

    def _opened(self, component: str) -> Node:
        node = self.given("opened", component)
        off = self.state.opened_off_balance and component in {"interest", "penalty", "compound"}
        return replace(node, value_fen=0, children=()) if off else node

    def _unbooked(self, component: str) -> Node:
        node = self.given("opened", component)
        return node if self.state.opened_off_balance else replace(node, value_fen=0, children=())

    def _always(self) -> dict[str, Callable[[], tuple[Node, ...]]]:
        names = tuple(GIVEN_LABELS)[:5]
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
