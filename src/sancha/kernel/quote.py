"""结清报价与结清判断。"""

from __future__ import annotations

from datetime import date

from sancha.kernel.allocation import compound_owed, fee_owed, penalty_owed
from sancha.kernel.effects import payoff_parts
from sancha.kernel.fold import Fold
from sancha.kernel.state import State
from sancha.kernel.terms import Terms


def payoff(terms: Terms, state: State, on: date | None = None) -> dict[str, int]:
    """结清报价：``on`` 当日结清要付的各项与 ``total``（分）。与结清入账同一算法，一分不差。

    ``on`` 晚于状态日时，假定其间没有任何收付。
    """
    moved = state.clone()
    fold = Fold(terms, moved)
    if on is not None:
        fold.run_to(on.toordinal())
    if moved.written_off:
        return {"total": moved.written_off_principal + moved.written_off_interest - moved.recovered}
    parts = payoff_parts(fold)
    return parts | {"total": sum(parts.values())}


def is_settled(terms: Terms, state: State) -> bool:
    """是否结清：放过款、未核销、没有本金、没有任何借款人应还。"""
    return (
        state.drawn + state.opened[0] > 0
        and not state.written_off
        and state.principal == 0
        and state.cur >= len(state.ends)
        and state.interest_unpaid == 0
        and penalty_owed(terms, state) == 0
        and compound_owed(terms, state) == 0
        and fee_owed(state) == 0
    )
