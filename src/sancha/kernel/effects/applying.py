"""让事实生效：每种事实交给它的作用。"""

from __future__ import annotations

from collections.abc import Callable

from sancha.kernel.effects.changing import (
    accrual_status,
    calendar,
    classification,
    extension,
    misuse,
    new_plan,
    payer_shares,
    rate_change,
    restatement,
    transfer,
)
from sancha.kernel.effects.correcting import adjustment, fee, waiver
from sancha.kernel.effects.ending import recovery, reversal, write_off
from sancha.kernel.effects.opening import disbursement, opening, plan_given
from sancha.kernel.effects.paying import left_over, prepayment, refund, repayment
from sancha.kernel.effects.settling import acceleration, settlement
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.fold import Fold

_AFTER_WRITE_OFF = frozenset(
    {
        FactKind.REPAYMENT, FactKind.PREPAYMENT, FactKind.SETTLEMENT, FactKind.RECOVERY, FactKind.REFUND, FactKind.TRANSFER,
        FactKind.CLASSIFICATION, FactKind.RESTATEMENT, FactKind.CALENDAR,
    }
)  # fmt: skip


def apply(fold: Fold, fact: Fact) -> None:
    """让一条事实生效。"""
    if fold.state.written_off and fact.kind not in _AFTER_WRITE_OFF:
        # 账销案存: the claim is frozen at the write-off; only money and bookkeeping moves still count.
        left_over(fold.state, fact, fact.amount_fen)
        return
    EFFECTS[fact.kind](fold, fact)


EFFECTS: dict[FactKind, Callable[[Fold, Fact], None]] = {
    FactKind.OPENING: opening,
    FactKind.PLAN_GIVEN: plan_given,
    FactKind.CALENDAR: calendar,
    FactKind.PAYER_SHARES: payer_shares,
    FactKind.RATE_CHANGE: rate_change,
    FactKind.DISBURSEMENT: disbursement,
    FactKind.FEE: fee,
    FactKind.EXTENSION: extension,
    FactKind.NEW_PLAN: new_plan,
    FactKind.TRANSFER: transfer,
    FactKind.CLASSIFICATION: classification,
    FactKind.ACCRUAL_STATUS: accrual_status,
    FactKind.MISUSE: misuse,
    FactKind.RESTATEMENT: restatement,
    FactKind.ADJUSTMENT: adjustment,
    FactKind.WAIVER: waiver,
    FactKind.REPAYMENT: repayment,
    FactKind.PREPAYMENT: prepayment,
    FactKind.SETTLEMENT: settlement,
    FactKind.REFUND: refund,
    FactKind.ACCELERATION: acceleration,
    FactKind.WRITE_OFF: write_off,
    FactKind.RECOVERY: recovery,
    FactKind.REVERSAL: reversal,
}
