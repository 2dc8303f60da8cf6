"""事实的作用：每种事实怎样改变状态。事实是 *完全的*——任何事实在任何状态下都有定义，绝不抛错；
用不上的金额记入 ``state.unapplied``（按事实序号），由操作在登记之前决定要不要拒绝。

各种事实的 ``data`` 见 docs/algorithms/facts.md。
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sancha.kernel.allocation import (
    allocate,
    allocate_subsidy,
    compound_owed,
    fee_owed,
    half_up,
    move_first,
    penalty_owed,
)
from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit, add_periods
from sancha.kernel.daycount import units
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.fold import Fold, as_ordinal
from sancha.kernel.state import Installment, State
from sancha.kernel.terms import PPM, Future, Method

BORROWER = "BORROWER"
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
        _left_over(fold.state, fact, fact.amount_fen)
        return
    EFFECTS[fact.kind](fold, fact)


def _left_over(state: State, fact: Fact, amount: int) -> None:
    if amount:
        state.unapplied[fact.seq] = amount


# --- 开户与放款 ------------------------------------------------------------------


def _opening(fold: Fold, fact: Fact) -> None:
    """期初余额：切换日的头寸。此前的历史不重算，只按给定的未还期次、应计与余额接着走。"""
    state, data, on = fold.state, fact.data, fold.state.on
    unpaid = data.get("unpaid", [])
    if state.drawn or any(state.opened):
        # An opening stands for everything before it; a loan that already lives cannot be opened again.
        _left_over(state, fact, data.get("principal_fen", 0) + sum(row.get("principal_fen", 0) for row in unpaid))
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


def _plan_given(fold: Fold, fact: Fact) -> None:
    """照录还款计划：从起息日起，尚未结息的各期以给定的本金、利息为准。"""
    rows = fact.data["lines"]
    ends = [as_ordinal(row.get("bill_on", row["due_on"])) for row in rows]
    dues = [as_ordinal(row["due_on"]) for row in rows]
    principal = [row["principal_fen"] for row in rows]
    interest = [row.get("interest_fen", -1) for row in rows]
    fold.replan(ends, dues, principal=principal, interest=interest if any(value >= 0 for value in interest) else None)


def _disbursement(fold: Fold, fact: Fact) -> None:
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


# --- 条件变更 --------------------------------------------------------------------


def _rate_change(fold: Fold, fact: Fact) -> None:
    """利率变更：自起息日起按新利率；``relevel`` 为假时保持每期还款额。"""
    fold.state.rate_ppm = max(0, fact.data["rate_ppm"])
    if fold.state.misuse_rate_ppm:
        fold.state.misuse_rate_ppm = fold.terms.misuse_rate_ppm(fold.state.rate_ppm)
    if fact.data.get("relevel", True):
        fold.relevel()


def _payer_shares(fold: Fold, fact: Fact) -> None:
    """利息承担份额变更（第三方），取代条款里此后的份额。"""
    fold.state.share_changes = []
    fold.set_shares([list(share) for share in fact.data["shares"]])


def _calendar(fold: Fold, fact: Fact) -> None:
    """节假日公布：其余应还日按新日历重新顺延。"""
    state = fold.state
    known = fold.calendar()
    published = Calendar.from_document(fact.data["calendar"])
    years = published.published_years
    merged = Calendar(
        holidays=frozenset(d for d in known.holidays if d.year not in years) | published.holidays,
        makeup_workdays=frozenset(d for d in known.makeup_workdays if d.year not in years) | published.makeup_workdays,
        published_years=known.published_years | years,
    )
    state.calendar = dict(merged.as_document())
    nominal = [as_ordinal(day) for day in fact.data["ends"]] if "ends" in fact.data else state.ends[state.cur :]
    ends, dues = fold.dues_for(nominal)
    state.ends[state.cur :] = [max(end, state.on) for end in ends]
    state.dues[state.cur :] = [max(due, state.on) for due in dues]
    if state.cur < len(state.ends):
        # The compound rate turns at maturity: it must move with the last period, or it would turn between two events.
        state.maturity = state.ends[-1]
        fold.restart_given_interest()


def _extension(fold: Fold, fact: Fact) -> None:
    """展期：尚未到期的本金延到新到期日，中间的期次照原周期补上。已全部到期的不能展期（改用重订计划）。"""
    state, terms = fold.state, fold.terms
    if state.cur >= len(state.ends) or not state.not_due:
        return
    if "rate_ppm" in fact.data:
        state.rate_ppm = fact.data["rate_ppm"]
    last = as_ordinal(fact.data["maturity"])
    ends = state.ends[state.cur :]
    if state.method is Method.BULLET:
        ends = [last]
    else:
        ends = (
            ends[:-1]
            if state.method in {Method.INTEREST_FIRST, Method.INTEREST_WITH_PLAN} and ends[-1] >= last
            else list(ends)
        )
        due_day = terms.contract_day
        anchor, k = ends[-1] if ends else state.period_start, 1
        while (following := add_periods(anchor, k, PeriodUnit(state.unit), state.every, due_day)) < last:
            ends.append(following)
            k += 1
        if not ends or ends[-1] < last:
            ends.append(last)
    principal = None
    if state.plan_principal is not None:
        kept = state.plan_principal[state.cur :]
        # Old lines keep their principal except the last, whose principal moves to the new maturity.
        principal = kept[:-1][: len(ends) - 1]
    ends, dues = fold.dues_for(ends)
    fold.replan(ends, dues, principal=principal)
    fold.relevel()


def _new_plan(fold: Fold, fact: Fact) -> None:
    """重订计划（重组、困难分期、变更还款方式）：此后的期次以给定为准；可把已逾期本息移回计划。"""
    state, data = fold.state, fact.data
    if data.get("reopen_overdue"):
        _reopen(fold)
    if "rate_ppm" in data:
        state.rate_ppm = data["rate_ppm"]
    if "method" in data:
        state.method = Method(data["method"])
        state.flat_base = state.not_due
        state.flat_num = state.flat_billed = 0
    if "unit" in data:
        state.unit, state.every = PeriodUnit(data["unit"]), data.get("every", 1)
    ends = [as_ordinal(day) for day in data["ends"]]
    was_finished = state.cur >= len(state.ends)
    ends, dues = fold.dues_for(sorted(ends))
    fold.replan(ends, dues, principal=list(data["principal"]) if data.get("principal") else None)
    if was_finished:
        fold.start_period(state.on)
    state.grace_periods = state.cur + data.get("grace_periods", 0)
    fold.relevel()


def _reopen(fold: Fold) -> None:
    state = fold.state
    for index in range(state.first, len(state.installments)):
        item = state.installments[index]
        if not item.unpaid_fen:
            continue
        if item.bearing:
            state.penalty_base -= item.principal_unpaid
            state.compound_base -= item.interest_unpaid
        item.moved_principal += item.principal_unpaid
        item.moved_interest += item.interest_unpaid
        state.not_due += item.principal_unpaid
        state.deferred_interest += item.interest_unpaid
        item.principal_unpaid = item.interest_unpaid = 0
        item.bearing = False
    state.waiting, state.in_grace = [], []
    move_first(state)


def _transfer(fold: Fold, fact: Fact) -> None:
    """机构或产品划转：头寸整体换键。"""
    fold.state.institution = fact.data.get("institution", fold.state.institution)
    fold.state.product = fact.data.get("product", fold.state.product)


def _classification(fold: Fold, fact: Fact) -> None:
    """五级分类认定：不低于该级（逾期天数决定的级别更差时仍从其差）。"""
    fold.state.class_floor = fact.data["class"]


def _accrual_status(fold: Fold, fact: Fact) -> None:
    """认定非应计（停产等），或撤销认定；逾期超过门槛的仍为非应计。"""
    fold.state.forced_nonaccrual = not fact.data["accrual"]


def _misuse(fold: Fold, fact: Fact) -> None:
    """挪用罚息：自起息日起未到期本金按挪用利率（合同利息照计，加重部分记罚息）；``active`` 为假则停止。"""
    state = fold.state
    state.misuse_rate_ppm = fold.terms.misuse_rate_ppm(state.rate_ppm) if fact.data.get("active", True) else 0


def _restatement(fold: Fold, fact: Fact) -> None:
    """重述：改用另一计算版本。目前只有版本 1。"""
    fold.state.calc_version = fact.data["calc_version"]


# --- 收费、减免、调整 --------------------------------------------------------------


def _fee(fold: Fold, fact: Fact) -> None:
    """收费：应收费用增加。"""
    fold.state.fee_due += fact.amount_fen


_ADJUSTED = {"principal": 0, "interest": 1, "penalty": 2, "compound": 3, "fee": 4, "overpayment": 5}


def _adjustment(fold: Fold, fact: Fact) -> None:
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
    _left_over(state, fact, abs(amount - applied))


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
    _finish_empty_plan(fold)
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


def _waiver(fold: Fold, fact: Fact) -> None:
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
    _left_over(state, fact, left)


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
        _finish_empty_plan(fold)
    move_first(state)
    return left


# --- 还款 ------------------------------------------------------------------------


def _repayment(fold: Fold, fact: Fact) -> None:
    """还款：按冲账顺序分配；多出的按约定留存或提前还本。第三方来款只冲其名下应付。"""
    state, terms = fold.state, fold.terms
    if state.written_off:
        _recovery(fold, fact)
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


def _prepayment(fold: Fold, fact: Fact) -> None:
    """提前部分还本：先清欠款，再把利息结到起息日，余下还本；``mode`` TERM 缩期、INSTALLMENT 减额。"""
    state = fold.state
    if state.written_off:
        _recovery(fold, fact)
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
    _finish_empty_plan(fold)
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


def _finish_empty_plan(fold: Fold) -> None:
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


def _settlement(fold: Fold, fact: Fact) -> None:
    """提前结清：利息结到起息日，全部本息当日付清。钱不够结清时按缩期的提前还本处理（事实不抛错）。"""
    state = fold.state
    if state.written_off:
        _recovery(fold, fact)
        return
    parts = payoff_parts(fold)
    if fact.amount_fen < sum(parts.values()):
        _prepayment(fold, fact)
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


def _acceleration(fold: Fold, fact: Fact) -> None:
    """宣布提前到期：应计利息与全部本金当日到期。"""
    if fold.state.cur < len(fold.state.ends) and not fold.state.written_off:
        _bill_all(fold, "ACCELERATION")


def _refund(fold: Fold, fact: Fact) -> None:
    """退还溢缴款：不超过溢缴款余额。"""
    state = fold.state
    paid = min(fact.amount_fen, state.overpayment)
    state.overpayment -= paid
    state.refunded += paid
    _left_over(state, fact, fact.amount_fen - paid)


# --- 核销 ------------------------------------------------------------------------


def _write_off(fold: Fold, fact: Fact) -> None:
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


def _recovery(fold: Fold, fact: Fact) -> None:
    """核销后收回：先冲已核销本金，再冲已核销利息；多出的为溢缴款。"""
    state = fold.state
    state.received += fact.amount_fen
    if not state.written_off:
        state.overpayment += allocate(fold.terms, state, fact.amount_fen)
        return
    part = min(fact.amount_fen, state.written_off_principal + state.written_off_interest - state.recovered)
    state.recovered += part
    state.overpayment += fact.amount_fen - part


def _reversal(fold: Fold, fact: Fact) -> None:
    """冲正在 ``facts.effective`` 里已经生效；走到这里没有余下的事。"""


EFFECTS: dict[FactKind, Callable[[Fold, Fact], None]] = {
    FactKind.OPENING: _opening,
    FactKind.PLAN_GIVEN: _plan_given,
    FactKind.CALENDAR: _calendar,
    FactKind.PAYER_SHARES: _payer_shares,
    FactKind.RATE_CHANGE: _rate_change,
    FactKind.DISBURSEMENT: _disbursement,
    FactKind.FEE: _fee,
    FactKind.EXTENSION: _extension,
    FactKind.NEW_PLAN: _new_plan,
    FactKind.TRANSFER: _transfer,
    FactKind.CLASSIFICATION: _classification,
    FactKind.ACCRUAL_STATUS: _accrual_status,
    FactKind.MISUSE: _misuse,
    FactKind.RESTATEMENT: _restatement,
    FactKind.ADJUSTMENT: _adjustment,
    FactKind.WAIVER: _waiver,
    FactKind.REPAYMENT: _repayment,
    FactKind.PREPAYMENT: _prepayment,
    FactKind.SETTLEMENT: _settlement,
    FactKind.REFUND: _refund,
    FactKind.ACCELERATION: _acceleration,
    FactKind.WRITE_OFF: _write_off,
    FactKind.RECOVERY: _recovery,
    FactKind.REVERSAL: _reversal,
}
