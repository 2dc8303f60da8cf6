"""改数的事实：收费、调整、减免。"""

from __future__ import annotations

from sancha.kernel.allocation import (
    compound_owed,
    fee_owed,
    move_first,
    penalty_owed,
)
from sancha.kernel.effects.paying import finish_empty_plan, left_over
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold
from sancha.kernel.state import State


def fee(fold: Fold, fact: Fact) -> None:
    """收费：应收费用增加。"""
    fold.state.fee_due += fact.amount_fen


_ADJUSTED = {"principal": 0, "interest": 1, "penalty": 2, "compound": 3, "fee": 4, "overpayment": 5}


def adjustment(fold: Fold, fact: Fact) -> None:
    """调整：某一成分加（正）或减（负）一笔，对方记「调整」。减到 0 为止，多余的记入 unapplied。"""
    state, component = fold.state, fact.data["component"]
    amount = fact.amount_fen * (-1 if fact.data.get("direction") == "DECREASE" else 1)
    if component == "principal":
        applied = max(amount, -_reducible_principal(state))
        _shift_principal(fold, applied)
    elif component == "interest":
        applied = max(amount, -state.interest_unpaid)
        _shift_interest(fold, applied)
    else:
        owed = {
            "penalty": penalty_owed(fold.terms, state),
            "compound": compound_owed(fold.terms, state),
            "fee": fee_owed(state),
            "overpayment": state.overpayment,
        }[component]
        applied = max(amount, -owed)
        if component == "overpayment":
            state.overpayment += applied
    state.adjusted[_ADJUSTED[component]] += applied
    left_over(state, fact, abs(amount - applied))


def _reducible_principal(state: State) -> int:
    return state.not_due + sum(item.principal_unpaid for item in state.installments[state.first :])


def _shift_principal(fold: Fold, amount: int) -> None:
    state = fold.state
    if amount > 0:
        if state.cur < len(state.ends):
            state.not_due += amount
            fold.relevel()
        else:
            state.not_due += amount
            fold.add_installment(
                kind="PLAN", starts_on=state.on, due_on=state.on, principal=state.not_due, interest=0, subsidy=0
            )
        return
    left = -amount
    for item in state.installments[state.first :]:
        part = min(left, item.principal_unpaid)
        item.principal_unpaid -= part
        item.principal_due -= part
        if item.bearing:
            state.penalty_base -= part
        left -= part
    if left:
        state.not_due -= left
        fold.relevel()
    finish_empty_plan(fold)
    move_first(state)


def _shift_interest(fold: Fold, amount: int) -> None:
    state = fold.state
    state.interest_billed += amount
    if amount > 0:
        fold.add_installment(kind="PLAN", starts_on=state.on, due_on=state.on, principal=0, interest=amount, subsidy=0)
        return
    left = -amount
    for item in state.installments[state.first :]:
        part = min(left, item.interest_unpaid)
        item.interest_unpaid -= part
        item.interest_due -= part
        if item.bearing:
            state.compound_base -= part
        left -= part
    move_first(state)


def waiver(fold: Fold, fact: Fact) -> None:
    """减免：某一成分减掉一笔（不超过应还），旧的一期先减；本金减免记入损失。"""
    state, component, left = fold.state, fact.data["component"], fact.amount_fen
    if component == "penalty":
        part = min(left, penalty_owed(fold.terms, state))
        state.penalty_waived += part
        left -= part
    elif component == "compound":
        part = min(left, compound_owed(fold.terms, state))
        state.compound_waived += part
        left -= part
    elif component == "fee":
        part = min(left, fee_owed(state))
        state.fee_waived += part
        left -= part
    elif component in {"interest", "principal"}:
        left = _waive_installments(fold, component, left)
    left_over(state, fact, left)


def _waive_installments(fold: Fold, component: str, left: int) -> int:
    state = fold.state
    for item in state.installments[state.first :]:
        if component == "interest":
            part = min(left, item.interest_unpaid)
            item.interest_unpaid -= part
            item.interest_waived += part
            state.interest_waived += part
            state.compound_base -= part if item.bearing else 0
        else:
            part = min(left, item.principal_unpaid)
            item.principal_unpaid -= part
            item.principal_waived += part
            state.principal_waived += part
            state.penalty_base -= part if item.bearing else 0
        left -= part
    if component == "principal" and left:
        part = min(left, state.not_due)
        state.not_due -= part
        state.principal_waived += part
        left -= part
        fold.relevel()
        finish_empty_plan(fold)
    move_first(state)
    return left
