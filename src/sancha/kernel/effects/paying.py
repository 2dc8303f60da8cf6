"""收钱退钱的事实：还款、提前还本、退还溢缴款。"""

from __future__ import annotations

from sancha.kernel.allocation import (
    allocate,
    allocate_subsidy,
    half_up,
    move_first,
)
from sancha.kernel.effects.ending import recovery
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold
from sancha.kernel.state import Installment, State
from sancha.kernel.terms import PPM, Future

BORROWER = "BORROWER"


def left_over(state: State, fact: Fact, amount: int) -> None:
    """用不上的金额：记在这条事实名下。"""
    if amount:
        state.unapplied[fact.seq] = amount


def repayment(fold: Fold, fact: Fact) -> None:
    """还款：按冲账顺序分配；多出的按约定留存或提前还本。第三方来款只冲其名下应付。"""
    state, terms = fold.state, fold.terms
    if state.written_off:
        recovery(fold, fact)
        return
    state.received += fact.amount_fen
    payer = fact.data.get("payer", BORROWER)
    if payer in state.payers:
        state.overpayment += allocate_subsidy(state, payer, fact.amount_fen)
        return
    order = tuple(fact.data["order"]) if fact.data.get("order") else None
    left = allocate(terms, state, fact.amount_fen, order)
    future = Future(fact.data.get("future", terms.allocation.future))
    if left and future is not Future.NEXT and state.not_due:
        left = _prepay(fold, left, shorter=future is Future.LAST)
    state.overpayment += left


def prepayment(fold: Fold, fact: Fact) -> None:
    """提前部分还本：先清欠款，再把利息结到起息日，余下还本；``mode`` TERM 缩期、INSTALLMENT 减额。"""
    state = fold.state
    if state.written_off:
        recovery(fold, fact)
        return
    state.received += fact.amount_fen
    left = allocate(fold.terms, state, fact.amount_fen)
    if left:
        left = _prepay(fold, left, shorter=fact.data.get("mode", "TERM") == "TERM")
    state.overpayment += left


def _prepay(fold: Fold, amount: int, *, shorter: bool) -> int:
    """结息到当日并还本，返回未用完的钱。付不清当日利息时不动本金。"""
    state, terms = fold.state, fold.terms
    interest = half_up(state.acc_num, state.acc_den) - half_up(state.subsidy_num, state.acc_den * PPM)
    if not state.not_due or amount <= interest:
        return amount
    principal = min(state.not_due, (amount - interest) * PPM // (PPM + terms.prepayment_fee_ppm))
    if not principal:
        return amount
    fee = half_up(principal * terms.prepayment_fee_ppm, PPM)
    # Money held for the next due date is not what this payment brought: it stays held.
    held, state.overpayment = state.overpayment, 0
    gross, subsidy = fold.take_accrued()
    if state.flat_base and state.not_due:
        state.flat_base = half_up(state.flat_base * (state.not_due - principal), state.not_due)
    if state.plan_principal is not None and not shorter:
        _scale_plan(state, principal)
    state.fee_due += fee
    item = fold.add_installment(
        kind="PREPAYMENT",
        starts_on=state.period_start,
        due_on=state.on,
        principal=principal,
        interest=gross - subsidy,
        subsidy=subsidy,
        fee=fee,
    )
    left = amount - _pay_item(state, item) - fee
    state.fee_paid += fee
    if not shorter:
        fold.relevel()
    finish_empty_plan(fold)
    # Paying out the plan can make its last charges due (deferred interest, the rest of a flat fee).
    left = allocate(terms, state, left)
    state.overpayment += held
    return left


def _pay_item(state: State, item: Installment) -> int:
    """付清刚形成的一笔应还，返回用掉的钱。"""
    interest, principal = item.interest_unpaid, item.principal_unpaid
    item.interest_paid += interest
    item.principal_paid += principal
    state.interest_paid += interest
    state.principal_paid += principal
    if item.bearing:
        state.compound_base -= interest
        state.penalty_base -= principal
    item.interest_unpaid = item.principal_unpaid = 0
    state.in_grace = [index for index in state.in_grace if state.installments[index] is not item]
    move_first(state)
    return interest + principal


def _scale_plan(state: State, principal: int) -> None:
    assert state.plan_principal is not None
    rest = state.plan_principal[state.cur :]
    after = state.not_due - principal
    scaled = [half_up(amount * after, state.not_due) for amount in rest]
    state.plan_principal[state.cur :] = scaled


def finish_empty_plan(fold: Fold) -> None:
    """本金已清，余下的期次作废；已计未结的利息当天结出。"""
    state = fold.state
    if state.not_due or state.cur >= len(state.ends):
        return
    del state.ends[state.cur :], state.dues[state.cur :]
    state.maturity = state.on
    state.flat_base = 0
    gross, subsidy = fold.take_accrued(final=True) if state.acc_num else (0, 0)
    deferred = fold.take_deferred()
    if gross or deferred:
        fold.add_installment(
            kind="PLAN", starts_on=state.period_start, due_on=state.on, principal=0, interest=gross - subsidy + deferred,
            subsidy=subsidy, deferred=deferred,
        )  # fmt: skip
    if state.installments:
        fold.charge_rest_of_flat_fee()
    fold.start_period(state.on)


def refund(fold: Fold, fact: Fact) -> None:
    """退还溢缴款：不超过溢缴款余额。"""
    state = fold.state
    paid = min(fact.amount_fen, state.overpayment)
    state.overpayment -= paid
    state.refunded += paid
    left_over(state, fact, fact.amount_fen - paid)
