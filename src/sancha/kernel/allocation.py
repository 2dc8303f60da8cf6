"""还款分配：按冲账顺序把一笔钱分到费用、罚息、复利和各期利息、本金。

顺序是条款里的数据（:class:`sancha.kernel.terms.Allocation`），没有任何一步会被忽略；分不完的余额原样返回，由调用者决定留存或提前还本。
依据 docs/algorithms/allocation.md。
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

from sancha.kernel.state import State
from sancha.kernel.terms import Terms


def half_up(numerator: int, denominator: int) -> int:
    """四舍五入（非负数）。"""
    return (2 * numerator + denominator) // (2 * denominator)


def penalty_owed(terms: Terms, state: State) -> int:
    """未付罚息：累计罚息一次取整，减已付与减免。"""
    accrued = half_up(state.penalty_num, terms.actual_den)
    return accrued + state.opened[2] + state.adjusted[2] - state.penalty_paid - state.penalty_waived


def compound_owed(terms: Terms, state: State) -> int:
    """未付复利。"""
    accrued = half_up(state.compound_num, terms.actual_den)
    return accrued + state.opened[3] + state.adjusted[3] - state.compound_paid - state.compound_waived


def fee_owed(state: State) -> int:
    """未付费用。"""
    return state.fee_due + state.opened[4] + state.adjusted[4] - state.fee_paid - state.fee_waived


def order_for(terms: Terms, state: State) -> tuple[str, ...]:
    """此刻适用的冲账顺序：逾期超过约定天数时改用不良顺序。"""
    rule = terms.allocation
    if rule.npl_after_dpd is not None and state.days_past_due > rule.npl_after_dpd:
        return rule.npl_order
    return rule.order


@lru_cache(maxsize=256)
def _runs(order: tuple[str, ...], by_installment: bool) -> tuple[tuple[bool, tuple[str, ...]], ...]:
    """把次序切成段：（是否按期冲, 成分）。相邻的利息、本金合为一段，按期从旧到新；其余各是借据的一个数。"""
    runs: list[tuple[bool, tuple[str, ...]]] = []
    for swept, run in groupby(order, key=lambda name: name in {"interest", "principal"}):
        names = tuple(run)
        if swept and by_installment:
            runs.append((True, names))
        else:
            runs.extend((swept, (name,)) for name in names)
    return tuple(runs)


def allocate(terms: Terms, state: State, amount: int, order: tuple[str, ...] | None = None) -> int:
    """把 ``amount`` 分到已到期的各项，返回分不完的余额。"""
    left = amount
    for swept, names in _runs(order or order_for(terms, state), terms.allocation.by_installment):
        left = _sweep(state, names, left) if swept else _pay_single(terms, state, names[0], left)
        if not left:
            break
    move_first(state)
    return left


def _pay_single(terms: Terms, state: State, name: str, left: int) -> int:
    if name == "fee":
        paid = min(left, fee_owed(state))
        state.fee_paid += paid
    elif name == "penalty":
        paid = min(left, penalty_owed(terms, state))
        state.penalty_paid += paid
    else:
        paid = min(left, compound_owed(terms, state))
        state.compound_paid += paid
    return left - paid


def _sweep(state: State, names: tuple[str, ...], left: int) -> int:
    installments = state.installments
    for index in range(state.first, len(installments)):
        if not left:
            break
        item = installments[index]
        for name in names:
            if name == "interest":
                if paid := min(left, item.interest_unpaid):
                    item.interest_unpaid -= paid
                    item.interest_paid += paid
                    state.interest_paid += paid
                    if item.bearing:
                        state.compound_base -= paid
                    left -= paid
            elif paid := min(left, item.principal_unpaid):
                item.principal_unpaid -= paid
                item.principal_paid += paid
                state.principal_paid += paid
                if item.bearing:
                    state.penalty_base -= paid
                left -= paid
    return left


def allocate_subsidy(state: State, payer: str, amount: int) -> int:
    """第三方（财政、学校……）付来的利息：只冲该方名下的应付，从最早一期起；返回余额。"""
    pair = state.payers.get(payer)
    if pair is None:
        return amount
    paid = left = min(amount, pair[0] - pair[1])
    pair[1] += paid
    state.subsidy_paid += paid
    for item in state.installments:
        if not left:
            break
        part = min(left, item.subsidy_unpaid)
        item.subsidy_unpaid -= part
        item.subsidy_paid += part
        left -= part
    return amount - paid


def move_first(state: State) -> None:
    """把「最早未付清期」移到正确的位置，并记下各期付清之日。"""
    installments = state.installments
    first = None
    for index in range(state.first, len(installments)):
        item = installments[index]
        if item.principal_unpaid or item.interest_unpaid:
            first = index if first is None else first
        elif not item.settled_on:
            item.settled_on = state.on
    state.first = len(installments) if first is None else first
