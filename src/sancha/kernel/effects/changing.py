"""改约定的事实：利率、承担份额、节假日、展期、重订计划、划转、认定、挪用、重述。"""

from __future__ import annotations

from sancha.kernel.allocation import (
    move_first,
)
from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit, add_periods
from sancha.kernel.facts import Fact
from sancha.kernel.fold import Fold, as_ordinal
from sancha.kernel.terms import Method


def rate_change(fold: Fold, fact: Fact) -> None:
    """利率变更：自起息日起按新利率；``relevel`` 为假时保持每期还款额。"""
    fold.state.rate_ppm = max(0, fact.data["rate_ppm"])
    if fold.state.misuse_rate_ppm:
        fold.state.misuse_rate_ppm = fold.terms.misuse_rate_ppm(fold.state.rate_ppm)
    if fact.data.get("relevel", True):
        fold.relevel()


def payer_shares(fold: Fold, fact: Fact) -> None:
    """利息承担份额变更（第三方），取代条款里此后的份额。"""
    fold.state.share_changes = []
    fold.set_shares([list(share) for share in fact.data["shares"]])


def calendar(fold: Fold, fact: Fact) -> None:
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


def extension(fold: Fold, fact: Fact) -> None:
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


def new_plan(fold: Fold, fact: Fact) -> None:
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


def transfer(fold: Fold, fact: Fact) -> None:
    """机构或产品划转：头寸整体换键。"""
    fold.state.institution = fact.data.get("institution", fold.state.institution)
    fold.state.product = fact.data.get("product", fold.state.product)


def classification(fold: Fold, fact: Fact) -> None:
    """五级分类认定：不低于该级（逾期天数决定的级别更差时仍从其差）。"""
    fold.state.class_floor = fact.data["class"]


def accrual_status(fold: Fold, fact: Fact) -> None:
    """认定非应计（停产等），或撤销认定；逾期超过门槛的仍为非应计。"""
    fold.state.forced_nonaccrual = not fact.data["accrual"]


def misuse(fold: Fold, fact: Fact) -> None:
    """挪用罚息：自起息日起未到期本金按挪用利率（合同利息照计，加重部分记罚息）；``active`` 为假则停止。"""
    state = fold.state
    state.misuse_rate_ppm = fold.terms.misuse_rate_ppm(state.rate_ppm) if fact.data.get("active", True) else 0


def restatement(fold: Fold, fact: Fact) -> None:
    """重述：改用另一计算版本。目前只有版本 1。"""
    fold.state.calc_version = fact.data["calc_version"]
