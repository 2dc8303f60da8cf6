"""收尾的事实：核销、核销后收回、冲正。"""

from __future__ import annotations

from sancha.kernel.allocation import (
    allocate,
    compound_owed,
    half_up,
    penalty_owed,
)
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold
from sancha.kernel.terms import PPM


def write_off(fold: Fold, fact: Fact) -> None:
    """核销：本金转损失，停止计息，债权保留在表外（账销案存）。"""
    state, terms = fold.state, fold.terms
    if state.written_off or not state.principal:
        return
    interest = (
        state.interest_billed
        + half_up(state.acc_num, state.acc_den)
        - state.subsidy_billed
        - half_up(state.subsidy_num, state.acc_den * PPM)
    )
    interest -= state.interest_paid + state.interest_waived
    state.written_off_interest = interest + penalty_owed(terms, state) + compound_owed(terms, state)
    state.written_off_principal = state.principal
    state.written_off = True


def recovery(fold: Fold, fact: Fact) -> None:
    """核销后收回：先冲已核销本金，再冲已核销利息；多出的为溢缴款。"""
    state = fold.state
    state.received += fact.amount_fen
    if not state.written_off:
        state.overpayment += allocate(fold.terms, state, fact.amount_fen)
        return
    part = min(fact.amount_fen, state.written_off_principal + state.written_off_interest - state.recovered)
    state.recovered += part
    state.overpayment += fact.amount_fen - part


def reversal(fold: Fold, fact: Fact) -> None:
    """冲正在 ``facts.effective`` 里已经生效；走到这里没有余下的事。"""
