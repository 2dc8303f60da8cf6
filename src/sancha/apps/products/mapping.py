"""产品条款 ↔ 内核条款：把钉住的产品条款与选定的要素合成一笔借据的合同条款。"""

from __future__ import annotations

from datetime import date

from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.terms import Allocation, Compound, Future, Method, Terms
from sancha.kit.errors import DomainError
from sancha.rulebook.product_terms import (
    DAYS,
    MONTHS,
    PPM_PER_BP,
    LoanElements,
    LprRate,
    PinnedTerms,
    lpr_ppm,
    percent,
    plain,
    plain_int,
)
from sancha.rulebook.vocabulary import DueDayRule, PayerPhase, label


def periods_of(chosen: LoanElements) -> int:
    """期数：期限 ÷ 还款周期，一次性还本付息为一期。

    :raises DomainError: 期限不是还款周期的整数倍。
    """
    if chosen.method is Method.BULLET:
        return 1
    for scale in (MONTHS, DAYS):
        if chosen.term_unit in scale and chosen.period.unit in scale:
            whole = chosen.term_count * scale[chosen.term_unit]
            each = chosen.period.every * scale[chosen.period.unit]
            if whole % each == 0:
                return whole // each
    period = f"每 {chosen.period.every} {label(chosen.period.unit)}"
    raise DomainError(
        "TERM_NOT_WHOLE_PERIODS",
        f"期限 {chosen.term_count} {label(chosen.term_unit)}不是还款周期（{period}）的整数倍。",
        field="term_count",
        value=chosen.term_count,
        fix="调整期限或还款周期，使期数为整数。",
    )


def kernel_terms(
    pinned: PinnedTerms,
    chosen: LoanElements,
    *,
    product_code: str,
    institution_code: str,
    calendar: Calendar | None = None,
    plan: tuple[int, ...] = (),
    first_due: date | None = None,
    study_ends: date | None = None,
) -> Terms:
    """合同条款：产品定的从产品，借款人选的从要素。一次性还本付息的周期就是整个期限。

    ``study_ends``：在校阶段的最后一天之后那天（毕业日），有在校贴息的产品必填。

    :raises DomainError: 期数不整，或缺毕业日。
    """
    terms = pinned.terms
    unit, every = chosen.period.unit, chosen.period.every
    if chosen.method is Method.BULLET:
        unit, every = chosen.term_unit, chosen.term_count
    fixed_day = plain_int(terms.due_day.day) if terms.due_day.rule is DueDayRule.FIXED_DAY else None
    on_given_day = chosen.method is not Method.BULLET and unit not in {PeriodUnit.DAY, PeriodUnit.WEEK}
    return Terms(
        start=chosen.start,
        principal_fen=chosen.amount_fen,
        rate_ppm=chosen.rate_ppm,
        method=chosen.method,
        periods=periods_of(chosen),
        period_unit=unit,
        period_every=every,
        due_day=fixed_day if on_given_day else None,
        first_due=first_due,
        day_count=DayCount(plain(terms.day_count)),
        rounding=terms.rounding.mode,
        multiple_fen=terms.rounding.multiple_fen,
        grace_periods=chosen.grace_periods,
        plan=plan,
        flat_fee_fen=terms.flat_fee.amount_fen(chosen.amount_fen) if chosen.method is Method.FLAT_FEE else 0,
        roll=terms.roll,
        calendar=calendar or Calendar(),
        grace_days=plain_int(terms.grace_days),
        grace_retroactive=bool(plain(terms.penalty.grace_retroactive)),
        penalty_multiplier_ppm=plain_int(terms.penalty.multiplier_ppm),
        misuse_multiplier_ppm=plain_int(terms.penalty.misuse_multiplier_ppm),
        compound=Compound(plain(terms.penalty.compound)),
        allocation=_allocation(pinned),
        class_thresholds=tuple((dpd, grade) for dpd, grade in plain(terms.class_thresholds)),
        nonaccrual_after_dpd=plain_int(terms.nonaccrual_after_dpd),
        payer_shares=_payer_shares(pinned, chosen.start, study_ends),
        prepayment_fee_ppm=terms.prepayment_fee_ppm,
        rate_link=_rate_link(pinned, chosen),
        institution=institution_code,
        product=product_code,
    )


def _allocation(pinned: PinnedTerms) -> Allocation:
    rule = pinned.terms.allocation
    return Allocation(
        order=plain(rule.order),
        by_installment=rule.by_installment,
        npl_after_dpd=plain_int(rule.npl_after_dpd) if plain(rule.npl_enabled) else None,
        npl_order=plain(rule.npl_order),
        future=Future(plain(rule.future)),
    )


def _rate_link(pinned: PinnedTerms, chosen: LoanElements) -> tuple[str, int, str] | None:
    """挂钩：点数由执行利率与放款日报价倒推，重定价时照此点数重算。"""
    rate = pinned.terms.rate
    if not isinstance(rate, LprRate):
        return None
    spread_bp, odd = divmod(chosen.rate_ppm - lpr_ppm(rate.tenor, chosen.start), PPM_PER_BP)
    if odd:
        raise DomainError(
            "RATE_NOT_WHOLE_BASIS_POINTS",
            f"执行利率 {percent(chosen.rate_ppm)} 与 LPR 之差不是整数个基点。",
            field="rate_ppm",
            value=percent(chosen.rate_ppm),
            clause="PBC-2019-15-LPR",
            fix="LPR 定价以基点（0.01 个百分点）加减，请改为整数基点。",
        )
    every = f":{rate.reprice_months}" if rate.reprice_months else ""
    return rate.tenor, spread_bp, f"{rate.reprice.value}{every}"


def _payer_shares(
    pinned: PinnedTerms, start: date, study_ends: date | None
) -> tuple[tuple[date, tuple[tuple[str, int], ...]], ...]:
    """第三方承担份额：按起始日排列，每次变动写当日起的全部份额。"""
    rules = pinned.terms.interest_shares
    if not rules:
        return ()
    by_phase = {
        phase: [(r.payer.value, plain_int(r.share_ppm)) for r in rules if r.phase is phase] for phase in PayerPhase
    }
    always, in_school, after = (
        by_phase[phase] for phase in (PayerPhase.WHOLE_TERM, PayerPhase.IN_SCHOOL, PayerPhase.AFTER_SCHOOL)
    )
    if not in_school and not after:
        return ((start, tuple(always)),)
    if study_ends is None:
        raise DomainError(
            "STUDY_END_MISSING",
            "此产品在校与毕业后的利息承担不同，须填毕业日。",
            field="study_ends",
            fix="填写学制对应的毕业日。",
        )
    if study_ends <= start:
        return ((start, (*always, *after)),)
    return ((start, (*always, *in_school)), (study_ends, (*always, *after)))
