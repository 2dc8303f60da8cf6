"""提前了结的事实：结清要付多少、提前结清、宣布提前到期。"""

from __future__ import annotations

from sancha.kernel.allocation import (
    allocate,
    compound_owed,
    fee_owed,
    half_up,
    penalty_owed,
)
from sancha.kernel.effects.ending import recovery
from sancha.kernel.effects.paying import prepayment
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold
from sancha.kernel.terms import PPM


def payoff_parts(fold: Fold) -> dict[str, int]:
    """当日结清要付的各项（分）。与 SETTLEMENT 入账完全同一算法，故报价即入账。"""
    state, terms = fold.state, fold.terms
    interest_accrued = (
        half_up(state.acc_num, state.acc_den) - half_up(state.subsidy_num, state.acc_den * PPM)
        if state.cur < len(state.ends)
        else 0
    )
    return {
        "fee": fee_owed(state),
        "penalty": penalty_owed(terms, state),
        "compound": compound_owed(terms, state),
        "interest_due": state.interest_unpaid,
        "interest_accrued": interest_accrued + (state.deferred_interest if state.cur < len(state.ends) else 0),
        "principal_due": sum(item.principal_unpaid for item in state.installments[state.first :]),
        "principal_not_due": state.not_due,
        "flat_fee_rest": fold.rest_of_flat_fee() if state.cur < len(state.ends) else 0,
        "prepayment_fee": half_up(state.not_due * terms.prepayment_fee_ppm, PPM),
        "overpayment": -state.overpayment,
    }


def settlement(fold: Fold, fact: Fact) -> None:
    """提前结清：利息结到起息日，全部本息当日付清。钱不够结清时按缩期的提前还本处理（事实不抛错）。"""
    state = fold.state
    if state.written_off:
        recovery(fold, fact)
        return
    parts = payoff_parts(fold)
    if fact.amount_fen < sum(parts.values()):
        prepayment(fold, fact)
        return
    state.received += fact.amount_fen
    amount = fact.amount_fen + state.overpayment
    state.overpayment = 0
    state.fee_due += parts["prepayment_fee"]
    if state.cur < len(state.ends):
        _bill_all(fold, "SETTLEMENT")
    state.overpayment = allocate(fold.terms, state, amount)


def _bill_all(fold: Fold, kind: str) -> None:
    """把应计利息与未到期本金一并结出、当日到期，计划到此为止。"""
    state = fold.state
    gross, subsidy = fold.take_accrued(final=kind == "PLAN")
    deferred = fold.take_deferred()
    principal = state.not_due
    del state.ends[state.cur :], state.dues[state.cur :]
    state.maturity = state.on
    state.flat_base = 0
    fee = fold.rest_of_flat_fee()
    state.fee_due += fee
    fold.add_installment(
        kind=kind, starts_on=state.period_start, due_on=state.on, principal=principal, interest=gross - subsidy + deferred,
        subsidy=subsidy, fee=fee, deferred=deferred,
    )  # fmt: skip
    fold.start_period(state.on)


def acceleration(fold: Fold, fact: Fact) -> None:
    """宣布提前到期：应计利息与全部本金当日到期。"""
    if fold.state.cur < len(fold.state.ends) and not fold.state.written_off:
        _bill_all(fold, "ACCELERATION")
