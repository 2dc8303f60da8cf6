"""开头的事实：期初余额、照录计划、放款。"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sancha.kernel.daycount import units
from sancha.kernel.effects.paying import left_over
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold, as_ordinal
from sancha.kernel.state import Installment


def opening(fold: Fold, fact: Fact) -> None:
    """期初余额：切换日的头寸。此前的历史不重算，只按给定的未还期次、应计与余额接着走。"""
    state, data, on = fold.state, fact.data, fold.state.on
    unpaid = data.get("unpaid", [])
    if state.drawn or any(state.opened):
        # An opening stands for everything before it; a loan that already lives cannot be opened again.
        left_over(state, fact, data.get("principal_fen", 0) + sum(row.get("principal_fen", 0) for row in unpaid))
        return
    state.installments, state.first, state.waiting, state.in_grace = [], 0, [], []
    state.numbered = data.get("settled_periods", 0)
    principal_unpaid = sum(row.get("principal_fen", 0) for row in unpaid)
    interest_unpaid = sum(row.get("interest_fen", 0) for row in unpaid)
    accrued = data.get("accrued_interest_fen", 0)
    state.opened = [
        data.get("principal_fen", 0) + principal_unpaid,
        interest_unpaid + accrued,
        data.get("penalty_fen", 0),
        data.get("compound_fen", 0),
        data.get("fee_fen", 0),
        data.get("overpayment_fen", 0),
    ]
    # Interest that the old books kept off balance never was income there: it has no equity behind it.
    state.opened_off_balance = bool(data.get("off_balance"))
    state.overpayment += state.opened[5]
    state.class_floor = max(state.class_floor, data.get("class", 1))
    state.rate_ppm = data.get("rate_ppm", state.rate_ppm)
    state.not_due = data.get("principal_fen", 0)
    passed = sum(end <= on for end in state.ends)
    state.ends, state.dues, state.cur = state.ends[passed:], [], 0
    if "plan" in data:
        ends = [as_ordinal(row.get("bill_on", row["due_on"])) for row in data["plan"]]
        dues = [as_ordinal(row["due_on"]) for row in data["plan"]]
        principal = [row["principal_fen"] for row in data["plan"]]
        interest = [row.get("interest_fen", -1) for row in data["plan"]]
        state.ends = []
        fold.replan(
            ends, dues, principal=principal, interest=interest if any(value >= 0 for value in interest) else None
        )
    else:
        state.ends, state.dues = fold.dues_for(state.ends)
        if state.plan_principal is not None:
            state.plan_principal = state.plan_principal[passed:]
        if not state.ends and state.not_due:
            # The agreed plan is over while some principal is said to be not yet due: it falls due at the cut-over.
            fold.replan([on], [on])
    state.maturity = state.ends[-1] if state.ends else as_ordinal(data["maturity"]) if "maturity" in data else on
    state.flat_base = data.get("flat_base_fen", state.not_due)
    state.grace_periods = max(0, state.grace_periods - data.get("settled_periods", 0))
    still_owed = principal_unpaid
    for row in unpaid:
        _open_installment(fold, row, opening_principal=state.not_due + still_owed)
        still_owed -= row.get("principal_fen", 0)
    fold.start_period(as_ordinal(data["period_start"]) if "period_start" in data else on)
    if "period_start" in data:
        _catch_up_units(fold)
    # What accrued before the cut-over comes as given; the exact remainder, if the old books had one, is kept.
    extra = data.get("carry_num", 0)
    state.acc_num += accrued * state.acc_den + extra
    if fold.trace is not None:
        fold.trace.carry(on=on, amount=accrued, subsidy=0, denominator=state.acc_den, extra=extra, opened=True)
    state.interest_billed += interest_unpaid
    fold.relevel()
    if "level_fen" in data:
        state.level = data["level_fen"]


def _open_installment(fold: Fold, row: Mapping[str, Any], *, opening_principal: int) -> None:
    state = fold.state
    due_on = as_ordinal(row["due_on"])
    principal, interest = row.get("principal_fen", 0), row.get("interest_fen", 0)
    item = Installment(
        no=row.get("no", state.numbered + 1), kind="OPENING", starts_on=due_on, bill_on=due_on, due_on=due_on,
        opening_principal=opening_principal, principal_due=principal, interest_due=interest, subsidy_due=0, fee_due=0, rate_ppm=state.rate_ppm,
        principal_unpaid=principal, interest_unpaid=interest, subsidy_unpaid=0, bearing=True,
    )  # fmt: skip
    state.installments.append(item)
    state.numbered = max(state.numbered, item.no)
    if fold.trace is not None:
        fold.trace.formed(len(state.installments) - 1, item, deferred=0, form=None)
    state.penalty_base += principal
    state.compound_base += interest


def _catch_up_units(fold: Fold) -> None:
    state = fold.state
    if state.given_interest < 0:
        state.units = units(fold.terms.day_count, state.period_start, state.nominal_day, state.on)


def plan_given(fold: Fold, fact: Fact) -> None:
    """照录还款计划：从起息日起，尚未结息的各期以给定的本金、利息为准。"""
    rows = fact.data["lines"]
    ends = [as_ordinal(row.get("bill_on", row["due_on"])) for row in rows]
    dues = [as_ordinal(row["due_on"]) for row in rows]
    principal = [row["principal_fen"] for row in rows]
    interest = [row.get("interest_fen", -1) for row in rows]
    fold.replan(ends, dues, principal=principal, interest=interest if any(value >= 0 for value in interest) else None)


def disbursement(fold: Fold, fact: Fact) -> None:
    """放款：未到期本金增加，每期还款额重算。计划已走完时，所放之款当天到期。"""
    state = fold.state
    state.drawn += fact.amount_fen
    state.not_due += fact.amount_fen
    state.flat_base += fact.amount_fen
    if state.cur >= len(state.ends):
        fold.add_installment(
            kind="PLAN", starts_on=state.on, due_on=state.on, principal=state.not_due, interest=0, subsidy=0
        )
    else:
        fold.relevel()
