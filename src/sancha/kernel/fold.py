"""折叠：让状态沿时间走。结息、到期、宽限期满、直线的折点，都在这里；事实的作用在 :mod:`sancha.kernel.effects`。

内部事件先于同日事实，次序固定：折点与份额变更 → 宽限期满 → 结息 → 应还日（含溢缴款冲抵）。

五百行是一件事：:class:`Fold` 是状态唯一的改动者，它的方法共守一组不变量（分子、余额、排队、下一事件），
拆到几个文件里，看一处改动就要翻几处才知道别的还成不成立。事实的作用、分配、头寸各在自己的模块里。
"""

from __future__ import annotations

from bisect import insort
from datetime import date
from typing import cast

from sancha.kernel.allocation import allocate, half_up, move_first
from sancha.kernel.calendar import Calendar, CalendarDocument
from sancha.kernel.dates import nominal_day
from sancha.kernel.daycount import next_kink, step, units
from sancha.kernel.schedule import level_payment, level_principal, period_ends, period_rate, rolled
from sancha.kernel.state import Installment, State
from sancha.kernel.terms import PPM, Compound, Method, Terms
from sancha.kernel.trace import Form, Level, Segment, Trace

NEVER = 1 << 40
REBASE_DAYS = 366  # 直线最长一年重算一次，保证整数不溢出（docs/algorithms/accrual-line.md）

_BY_PRINCIPAL = (Method.LEVEL_PRINCIPAL, Method.FLAT_INTEREST, Method.FLAT_FEE)


class Fold:
    """一笔借据正在走的时间：条款 + 状态（就地改）+ 可选的计算痕迹。"""

    __slots__ = ("state", "terms", "trace")

    def __init__(self, terms: Terms, state: State, trace: Trace | None = None) -> None:
        self.terms, self.state, self.trace = terms, state, trace

    # --- 时间 -----------------------------------------------------------------

    def run_to(self, to: int) -> None:
        """走到 ``to`` 日开门：途中的内部事件全部处理。"""
        state = self.state
        while (event := self.next_internal()) <= to:
            self.accrue(event)
            self.internal_events()
            if self.trace is not None:
                self.trace.settle(state, 0)
        if to > state.on:
            self.accrue(to)

    def next_internal(self) -> int:
        """``on`` 之后最近的、会改变余额或斜率的内部事件。"""
        state = self.state
        if state.written_off:
            return NEVER
        event = NEVER
        if state.cur < len(state.ends):
            event = state.ends[state.cur]
            terms = self.terms
            if terms.has_kinks and state.given_interest < 0 and event > state.on + 1 and self.base:
                kink = next_kink(terms.day_count, state.period_start, state.nominal_day, state.on)
                event = min(event, kink)
        if state.share_changes:
            event = min(event, state.share_changes[0][0])
        if state.waiting:
            event = min(event, state.installments[state.waiting[0]].due_on)
        if state.in_grace:
            event = min(event, self._grace_end(state.in_grace[0]))
        return event

    def next_event(self) -> int:
        """``on`` 之后最近的、会改变任何头寸或会计键的日子：内部事件，加上逾期次日、分类与非应计的门槛、一年重算。"""
        state = self.state
        if state.written_off:
            return NEVER
        on, event = state.on, self.next_internal()
        if event > on + REBASE_DAYS and self.is_bearing:
            event = on + REBASE_DAYS
        installments = state.installments
        if state.first < len(installments):
            oldest = installments[state.first].due_on
            for dpd in self.terms.dpd_marks:
                if oldest + dpd > on:
                    event = min(event, oldest + dpd)
                    break
            for index in range(len(installments) - 1, state.first - 1, -1):
                day = installments[index].due_on + 1
                if day <= on:
                    break
                if installments[index].principal_unpaid and day < event:
                    event = day
        return event

    def _grace_end(self, index: int) -> int:
        return self.state.installments[index].due_on + self.terms.grace_days + 1

    @property
    def base(self) -> int:
        """合同利息的计息本金。"""
        return self.state.flat_base if self.state.method is Method.FLAT_INTEREST else self.state.not_due

    @property
    def is_bearing(self) -> bool:
        """是否还有任何成分在逐日增加。"""
        state = self.state
        return bool(self.base or state.given_interest > 0 or state.penalty_base or state.compound_base)

    @property
    def penalty_rate(self) -> int:
        """逾期罚息利率；挪用与逾期并存时取重者，不并处。"""
        return max(self.terms.penalty_rate_ppm(self.state.rate_ppm), self.state.misuse_rate_ppm)

    @property
    def compound_rate(self) -> int:
        """复利利率。"""
        policy, state = self.terms.compound, self.state
        if policy is Compound.NONE:
            return 0
        if policy is Compound.PENALTY or state.on >= state.maturity:
            return self.penalty_rate
        return state.rate_ppm

    def slopes(self) -> tuple[int, int, int, int]:
        """（合同, 第三方, 罚息, 复利）每日增加的分子。分母见 :mod:`sancha.kernel.positions`。"""
        state = self.state
        if state.written_off:
            return 0, 0, 0, 0
        if state.cur >= len(state.ends):
            contract = 0
        elif state.given_interest >= 0:
            contract = state.given_interest
        else:
            contract = self.base * state.rate_ppm * step(self.terms.day_count, state.on)
        return contract, contract * state.share_ppm, self.penalty_slope, state.compound_base * self.compound_rate

    @property
    def penalty_slope(self) -> int:
        """罚息每日分子：逾期本金按罚息利率，挪用时未到期本金再加重利率与合同利率之差。"""
        state = self.state
        slope = state.penalty_base * self.penalty_rate if state.penalty_base else 0
        if state.misuse_rate_ppm > state.rate_ppm:
            slope += state.not_due * (state.misuse_rate_ppm - state.rate_ppm)
        return slope

    def accrue(self, to: int) -> None:
        """利息从 ``state.on`` 计到 ``to``（不含）。其间不得有事件。"""
        state = self.state
        days = to - state.on
        if days <= 0:
            return
        if not state.written_off:
            if state.cur < len(state.ends):
                self._accrue_contract(to, days)
            if slope := self.penalty_slope:
                state.penalty_num += slope * days
                if self.trace is not None:
                    self._trace_penalty(self.trace, to, days)
            if state.compound_base and (rate := self.compound_rate):
                state.compound_num += state.compound_base * rate * days
                if self.trace is not None:
                    self._charge(self.trace, "compound", state.on, to, state.compound_base, rate)
        state.on = to

    def _accrue_contract(self, to: int, days: int) -> None:
        state, terms = self.state, self.terms
        given = state.given_interest >= 0
        if given:
            base, rate, counted = state.given_interest, 0, days
            numerator = base * days
        else:
            base, rate = self.base, state.rate_ppm
            reached = (
                units(terms.day_count, state.period_start, state.nominal_day, to)
                if terms.has_kinks
                else to - state.period_start
            )
            counted, state.units = reached - state.units, reached
            numerator = base * rate * counted
        if not numerator:
            return
        state.acc_num += numerator
        if state.share_ppm:
            state.subsidy_num += numerator * state.share_ppm
        if self.trace is not None:
            self.trace.segment(
                Segment("interest", state.on, to, base, rate, counted, numerator, state.acc_den, state.share_ppm, given)
            )

    def _charge(self, trace: Trace, component: str, since: int, to: int, base: int, rate: int) -> None:
        """罚息、复利的一段：按实际天数。"""
        if base and rate:
            days = to - since
            trace.segment(Segment(component, since, to, base, rate, days, base * rate * days, self.terms.actual_den))

    def _trace_penalty(self, trace: Trace, to: int, days: int) -> None:
        state = self.state
        self._charge(trace, "penalty", state.on, to, state.penalty_base, self.penalty_rate)
        if state.misuse_rate_ppm > state.rate_ppm:
            self._charge(trace, "penalty", state.on, to, state.not_due, state.misuse_rate_ppm - state.rate_ppm)

    # --- 内部事件 --------------------------------------------------------------

    def internal_events(self) -> None:
        """处理恰在 ``state.on`` 的内部事件。"""
        state = self.state
        on = state.on
        while state.share_changes and state.share_changes[0][0] <= on:
            self.set_shares(state.share_changes.pop(0)[1])
        while state.in_grace and self._grace_end(state.in_grace[0]) <= on:
            self._end_grace(state.in_grace.pop(0))
        # Several periods may end on one day only when a roll has pushed two together.
        while state.cur < len(state.ends) and state.ends[state.cur] <= on:
            self._bill_period()
        while state.waiting and state.installments[state.waiting[0]].due_on <= on:
            self._fall_due(state.waiting.pop(0))

    def _end_grace(self, index: int) -> None:
        state, item = self.state, self.state.installments[index]
        days = state.on - item.due_on
        if self.terms.grace_retroactive and days:
            state.penalty_num += item.principal_unpaid * self.penalty_rate * days
            state.compound_num += item.interest_unpaid * self.compound_rate * days
            if self.trace is not None:
                self._charge(self.trace, "penalty", item.due_on, state.on, item.principal_unpaid, self.penalty_rate)
                self._charge(self.trace, "compound", item.due_on, state.on, item.interest_unpaid, self.compound_rate)
        self._bear(item)

    def _bear(self, item: Installment) -> None:
        if not item.unpaid_fen:
            # A settled instalment is shared with the states before; it must not be written to, and nothing bears on it.
            return
        item.bearing = True
        self.state.penalty_base += item.principal_unpaid
        self.state.compound_base += item.interest_unpaid

    def _fall_due(self, index: int) -> None:
        state, item = self.state, self.state.installments[index]
        if state.overpayment and (item.principal_unpaid or item.interest_unpaid):
            amount, state.overpayment = state.overpayment, 0
            state.overpayment = allocate(self.terms, state, amount)
        if self.terms.grace_days and (item.principal_unpaid or item.interest_unpaid):
            self._queue(state.in_grace, index)
        else:
            self._bear(item)
        move_first(state)

    def _queue(self, queue: list[int], index: int) -> None:
        """按应还日排队：照录的计划与改过的日历可能让后一期的应还日更早。"""
        insort(queue, index, key=lambda i: self.state.installments[i].due_on)

    def _bill_period(self) -> None:
        """结息：本期利息取整，按还款方式得出本期本金，形成一期应还。"""
        state = self.state
        index, last = state.cur, state.cur == len(state.ends) - 1
        gross, subsidy = self.take_accrued(final=last)
        why, principal = self._principal_of_period(index, last, gross)
        form = None
        if self.trace is not None:
            form = Form(why, self.trace.level, gross, state.not_due)
        empties = last or principal == state.not_due > 0
        deferred = self.take_deferred() if empties else 0
        # Prepaid loans that keep the instalment end early: what is left of the plan is empty, so its fee is due now.
        fee = self._fee_of_period(empties)
        state.fee_due += fee
        starts_on, due_on = state.period_start, state.dues[index]
        if empties:
            del state.ends[index + 1 :], state.dues[index + 1 :]
            state.maturity = state.ends[index]
        state.cur += 1
        self.add_installment(
            kind="PLAN", starts_on=starts_on, due_on=due_on, principal=principal, interest=gross - subsidy + deferred,
            subsidy=subsidy, fee=fee, deferred=deferred, form=form,
        )  # fmt: skip
        self.start_period(state.on)

    def take_deferred(self) -> int:
        """取出重订计划移来的欠息：随最后一笔应还收回。"""
        deferred, self.state.deferred_interest = self.state.deferred_interest, 0
        return deferred

    def _principal_of_period(self, index: int, last: bool, gross: int) -> tuple[str, int]:
        """（由来, 本期本金）。"""
        state = self.state
        balance = state.not_due
        if last:
            return "LAST", balance
        if state.plan_principal is not None:
            why, amount = "PLAN", state.plan_principal[index]
        elif state.method in _BY_PRINCIPAL:
            why, amount = "LEVEL_PRINCIPAL", state.level
        elif state.method is Method.LEVEL_PAYMENT or (
            state.method is Method.GRACE_LEVEL_PAYMENT and index >= state.grace_periods
        ):
            why, amount = "LEVEL_PAYMENT", max(0, state.level - gross)
        else:
            return "NONE", 0
        return (why, amount) if amount <= balance else ("CAPPED", balance)

    def _fee_of_period(self, last: bool) -> int:
        if not self.terms.flat_fee_fen:
            return 0
        rest = self.rest_of_flat_fee()
        return rest if last else min(rest, half_up(self.terms.flat_fee_fen, len(self.state.ends)))

    def rest_of_flat_fee(self) -> int:
        """定额费用中尚未计收的部分；提前结束时一并收取。"""
        if not self.terms.flat_fee_fen or self.state.opened[0] or not self.state.drawn:
            return 0
        return self.terms.flat_fee_fen - sum(
            item.fee_due for item in self.state.installments if item.kind != "PREPAYMENT"
        )

    # --- 供事实使用的动作 ---------------------------------------------------------

    def take_accrued(self, *, final: bool = False) -> tuple[int, int]:
        """取出本期至今的利息（总额, 第三方承担），一次取整，计数归零。

        按原始本金计息（FLAT_INTEREST）的末期收齐各期取整的尾差，使各期合计等于总利息的一次取整。
        """
        state = self.state
        gross = half_up(state.acc_num, state.acc_den)
        subsidy = half_up(state.subsidy_num, state.acc_den * PPM)
        if state.method is Method.FLAT_INTEREST and state.given_interest < 0:
            state.flat_num += state.acc_num
            if final:
                gross = max(0, half_up(state.flat_num, state.acc_den) - state.flat_billed)
            state.flat_billed += gross
            subsidy = min(subsidy, gross)
        if state.subsidy_num:
            self._split_subsidy()
        if subsidy:
            state.subsidy_billed += subsidy
            self._owe_payers(subsidy)
        state.acc_num = state.subsidy_num = 0
        state.subsidy_split = {}
        state.interest_billed += gross
        if self.trace is not None:
            self.trace.take(on=state.on, gross=gross, subsidy=subsidy)
        return gross, subsidy

    def _owe_payers(self, subsidy: int) -> None:
        """第三方合计拆给各承担人：按各自的精确分子，余额递减，最后一人收尾。"""
        for payer, part in self._subsidy_parts(subsidy):
            self.state.payers.setdefault(payer, [0, 0])[0] += part

    def _split_subsidy(self) -> None:
        """至今的第三方利息记到此刻的承担人名下；此后换人、改份额都不动它。"""
        state = self.state
        fresh_part = state.subsidy_num - sum(state.subsidy_split.values())
        if fresh_part:
            for payer, share in state.shares:
                before = state.subsidy_split.get(payer, 0)
                state.subsidy_split[payer] = before + fresh_part * share // state.share_ppm

    def _subsidy_parts(self, subsidy: int) -> list[tuple[str, int]]:
        left, weight = subsidy, sum(self.state.subsidy_split.values())
        parts = []
        for payer, numerator in self.state.subsidy_split.items():
            part = half_up(left * numerator, weight) if weight else 0
            parts.append((payer, part))
            left -= part
            weight -= numerator
        return parts

    def add_installment(
        self, *, kind: str, starts_on: int, due_on: int, principal: int, interest: int, subsidy: int, fee: int = 0,
        deferred: int = 0, form: Form | None = None,
    ) -> Installment:  # fmt: skip
        """形成一期应还；``principal`` 从未到期本金转出，``deferred`` 是 ``interest`` 里重订计划移来的部分。"""
        state = self.state
        state.numbered += 1
        item = Installment(
            no=state.numbered, kind=kind, starts_on=starts_on, bill_on=state.on, due_on=due_on,
            opening_principal=state.not_due, principal_due=principal, interest_due=interest, subsidy_due=subsidy, fee_due=fee,
            rate_ppm=state.rate_ppm, principal_unpaid=principal, interest_unpaid=interest, subsidy_unpaid=subsidy,
        )  # fmt: skip
        state.not_due -= principal
        state.installments.append(item)
        index = len(state.installments) - 1
        if self.trace is not None:
            self.trace.formed(index, item, deferred=deferred, form=form)
        if due_on > state.on:
            self._queue(state.waiting, index)
            move_first(state)
        else:
            self._fall_due(index)
        return item

    def charge_rest_of_flat_fee(self) -> None:
        """计划提前走完：把余下的定额费用记到最后一期。"""
        if rest := self.rest_of_flat_fee():
            self.state.fee_due += rest
            self.state.installments[-1].fee_due += rest

    def start_period(self, on: int) -> None:
        """开始新的一期计息。"""
        state = self.state
        state.period_start, state.units = on, 0
        state.nominal_day = nominal_day(on, self.terms.contract_day)
        self._fit_period()

    def _fit_period(self) -> None:
        """本期利息按利率还是照录；分母随之。"""
        state = self.state
        if state.plan_interest is not None and state.cur < len(state.ends) and state.plan_interest[state.cur] >= 0:
            state.given_interest = state.plan_interest[state.cur]
            state.acc_den = max(1, state.ends[state.cur] - state.period_start)
        else:
            state.given_interest = -1
            state.acc_den = self.terms.accrual_den

    def restart_given_interest(self) -> None:
        """照录利息的一期改了期末：此前已计的按分留下，余下的给定利息摊到新的期末，合计不变。"""
        state = self.state
        if state.given_interest >= 0 and state.plan_interest is not None:
            accrued = half_up(state.acc_num, state.acc_den)
            state.plan_interest[state.cur] = max(0, state.plan_interest[state.cur] - accrued)
            self.replan(
                state.ends[state.cur :], state.dues[state.cur :],
                principal=state.plan_principal[state.cur :] if state.plan_principal is not None else None,
                interest=state.plan_interest[state.cur :],
            )  # fmt: skip

    def replan(
        self, ends: list[int], dues: list[int], *, principal: list[int] | None = None, interest: list[int] | None = None
    ) -> None:
        """换掉尚未结息的计划。已计未结的利息按分保留，换算到新分母。

        任何写法都走得通：期次按期末排序，应还日不早于期末，缺的本金为零，末期收齐；没有期次而还有本金，当天到期。
        """
        state = self.state
        if not ends and state.not_due:
            ends = dues = [state.on]
        order = sorted(range(len(ends)), key=ends.__getitem__)
        if principal is not None:
            principal = [max(0, principal[i]) if i < len(principal) else 0 for i in order]
        if interest is not None:
            interest = [interest[i] if i < len(interest) else -1 for i in order]
        ends, dues = [ends[i] for i in order], [max(dues[i], ends[i]) for i in order]
        was_den, was_given = state.acc_den, state.given_interest
        carried, carried_subsidy = half_up(state.acc_num, was_den), half_up(state.subsidy_num, was_den * PPM)
        state.ends[state.cur :] = ends
        state.dues[state.cur :] = dues
        blank_p, blank_i = [0] * state.cur, [-1] * state.cur
        state.plan_principal = blank_p + principal if principal is not None else None
        state.plan_interest = blank_i + interest if interest is not None else None
        state.maturity = state.ends[-1] if state.ends else state.on
        if state.plan_interest is not None or was_given >= 0:
            state.period_start = state.on
            state.nominal_day = nominal_day(state.on, self.terms.contract_day)
            state.units = 0
        self._fit_period()
        if state.acc_den != was_den or was_given >= 0:
            self._split_subsidy()
            scale = state.acc_den * PPM
            state.subsidy_split = {payer: part * scale for payer, part in self._subsidy_parts(carried_subsidy)}
            state.acc_num, state.subsidy_num = carried * state.acc_den, carried_subsidy * scale
            if self.trace is not None:
                self.trace.carry(on=state.on, amount=carried, subsidy=carried_subsidy, denominator=state.acc_den)

    def relevel(self) -> None:
        """按未到期本金、现行利率与剩余期数重算每期还款额（或每期本金）。"""
        state, terms = self.state, self.terms
        remaining = len(state.ends) - state.cur
        if remaining <= 0:
            state.level = 0
            return
        rate, paying = (0, 1), remaining
        if state.method in _BY_PRINCIPAL:
            state.level = level_principal(state.not_due, remaining, terms.rounding, terms.multiple_fen)
        elif state.method in {Method.LEVEL_PAYMENT, Method.GRACE_LEVEL_PAYMENT}:
            paying = len(state.ends) - max(
                state.cur, state.grace_periods if state.method is Method.GRACE_LEVEL_PAYMENT else 0
            )
            rate = period_rate(state.rate_ppm, state.unit, state.every, terms.day_count)
            paying = max(1, paying)
            state.level = level_payment(state.not_due, rate, paying, terms.rounding, terms.multiple_fen)
        if self.trace is not None:
            self.trace.level = Level(state.on, state.not_due, rate, paying, state.level, self.trace.cause)

    def set_shares(self, shares: list[list[object]]) -> None:
        """改第三方承担份额（从 ``state.on`` 起）。此前已计的仍归原来的承担人。"""
        self._split_subsidy()
        rest, kept = PPM, []
        for payer, share in shares:
            part = max(0, min(rest, cast(int, share)))
            kept.append([payer, part])
            rest -= part
        self.state.shares, self.state.share_ppm = kept, PPM - rest

    def calendar(self) -> Calendar:
        """现行日历：条款里的，或事实带来的。"""
        return (
            Calendar.from_document(cast(CalendarDocument, self.state.calendar))
            if self.state.calendar
            else self.terms.calendar
        )

    def dues_for(self, ends: list[int]) -> tuple[list[int], list[int]]:
        """按合同的顺延规则得出（期末, 应还日）。"""
        return rolled(self.terms.roll, self.calendar(), ends)


def fresh(terms: Terms) -> State:
    """尚未放款的初始状态。"""
    ends, dues = rolled(terms.roll, terms.calendar, period_ends(terms))
    start = terms.start.toordinal()
    state = State(
        on=start, institution=terms.institution, product=terms.product, method=terms.method, unit=terms.period_unit, every=terms.period_every,
        ends=ends, dues=dues, grace_periods=terms.grace_periods, plan_principal=None, plan_interest=None,
        rate_ppm=terms.rate_ppm, maturity=ends[-1],
    )  # fmt: skip
    if terms.method is Method.INTEREST_WITH_PLAN:
        state.plan_principal = list(terms.plan[: len(ends)]) + [0] * max(0, len(ends) - len(terms.plan))
    state.share_changes = [
        [since.toordinal(), [list(share) for share in shares]] for since, shares in terms.payer_shares
    ]
    fold = Fold(terms, state)
    fold.start_period(start)
    fold.internal_events()
    return state


def as_ordinal(day: str | date) -> int:
    """日序数：由 ISO 文本或日期。"""
    return (date.fromisoformat(day) if isinstance(day, str) else day).toordinal()
