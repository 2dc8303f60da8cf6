"""试建一档：合同条款 + 事实 + 重放出的状态。预检与入账用的是同一个函数，所以预检过得去的，入账也过得去。

有历史的：放款、照录计划、逐笔还款，各按原日期起息，记在今天（倒签）。只有余额的：切换日一条期初事实，此前不算。
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sancha.apps.products import queries as products
from sancha.apps.servicing.importing.checks import uses_history
from sancha.apps.servicing.importing.dossier import Choices, Dossier
from sancha.apps.servicing.importing.layout import Layout
from sancha.apps.servicing.importing.problems import DOUBT, ERROR
from sancha.kernel.allocation import half_up
from sancha.kernel.dates import PeriodUnit, add_months
from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.fold import fresh
from sancha.kernel.money import Rounding, format_yuan
from sancha.kernel.positions import accrual_lines, fits
from sancha.kernel.quote import payoff
from sancha.kernel.replay import replay
from sancha.kernel.schedule import level_payment, period_rate
from sancha.kernel.state import State
from sancha.kernel.terms import Allocation, Compound, Future, Method, Terms, TermsError
from sancha.kit.errors import DomainError
from sancha.rulebook import NotYetInForce
from sancha.rulebook.product_terms import PinnedTerms, pin, plain, plain_int

WHOLE_HISTORY = "HISTORY"
CUT_OVER = "BALANCE"


@dataclass(slots=True)
class Blueprint:
    """试建的结果：可直接入账。``expected`` 是文件说的余额（``as_of`` 日），入账后与重放比对。"""

    institution_id: int
    institution_code: str
    product_id: int
    version_id: int
    terms: Terms
    facts: list[Fact]
    state: State
    basis: str
    as_of: date
    expected: dict[str, int]


def build(dossier: Dossier, layout: Layout, choices: Choices, pins: Pins) -> Blueprint | None:
    """试建；不成立的记为毛病，返回空。只在这一档没有错误、不跳过时调用。"""
    loan = dossier.loan
    institution_id, institution_code = choices.institutions.get(
        str(loan.values.get("institution", "")), (choices.institution_id, "")
    )
    institution_code = institution_code or choices.institutions[f"#{institution_id}"][1]
    product_id = choices.products.get(str(loan.values.get("product", "")), choices.product_id or 0)
    history = uses_history(dossier, layout, choices)
    try:
        version_id, pinned = pins.on(product_id, loan.values["starts_on"])
        terms = _terms(
            dossier, layout, choices, pinned, institution_id=institution_id, product_id=product_id, history=history
        )
        facts = _history(dossier, layout, choices, terms) if history else _opening(dossier, choices, terms)
        state = replay(terms, facts, on=choices.business_date)
    except TermsError as error:
        loan.add(ERROR, "TERMS_INVALID", error.field, error.value, error.message, error.fix or "更正后重新转入。")
        return None
    except DomainError as error:
        loan.add(ERROR, "TERMS_INVALID", error.field or "", error.value, error.message, error.fix or "更正后重新转入。")
        return None
    if not fits(accrual_lines(terms, state)):
        loan.add(
            ERROR,
            "AMOUNT_ABSURD",
            "金额",
            format_yuan(terms.principal_fen),
            "本金与利率的乘积超出计提精度上限。",
            "核对金额单位；确系大额的请拆分为多笔。",
        )
        return None
    as_of = choices.business_date if history else choices.cutover_on
    blueprint = Blueprint(
        institution_id,
        institution_code,
        product_id,
        version_id,
        terms,
        facts,
        state,
        WHOLE_HISTORY if history else CUT_OVER,
        as_of,
        _expected(dossier, history),
    )
    _notice_overpayment(dossier, blueprint, history=history)
    return blueprint


# --- 条款 ------------------------------------------------------------------------------


class Pins:
    """钉住的产品条款：每个产品的版本读一次，每个放款日钉一次。放款早于首个版本的，取首个版本。"""

    def __init__(self) -> None:
        self._versions: dict[int, list[products.VersionInfo]] = {}
        self._pinned: dict[tuple[int, date], tuple[int, PinnedTerms]] = {}

    def on(self, product_id: int, start: date) -> tuple[int, PinnedTerms]:
        """（版本编号, 钉住的条款）。

        :raises DomainError: 产品还没有版本。
        """
        found = self._pinned.get((product_id, start))
        if found is None:
            found = self._pinned[product_id, start] = self._pin(product_id, start)
        return found

    def _pin(self, product_id: int, start: date) -> tuple[int, PinnedTerms]:
        if product_id not in self._versions:
            self._versions[product_id] = products.version_history(product_id=product_id)
        versions = self._versions[product_id]
        if not versions:
            raise DomainError(
                "PRODUCT_VERSION_NOT_FOUND",
                "产品还没有版本，没有约定可依。",
                field="product",
                value=product_id,
                fix="先发布产品版本。",
            )
        version = next((item for item in versions if item.valid_from <= start), versions[-1])
        try:
            return version.id, pin(version.terms, start)
        except NotYetInForce:
            # The loan is older than a parameter of the product: what first came into force is the nearest there is.
            return version.id, pin(version.terms, max(start, version.valid_from))


def _terms(
    dossier: Dossier,
    layout: Layout,
    choices: Choices,
    pinned: PinnedTerms,
    *,
    institution_id: int,
    product_id: int,
    history: bool,
) -> Terms:
    rule, policy = layout.terms, pinned.terms
    start: date = dossier.value("starts_on")
    amount: int = dossier.value("amount_fen")
    method = Method(dossier.value("method", "BULLET"))
    plan: tuple[int, ...] = ()
    lines = _plan_entries(dossier)
    if lines and history:
        # The given schedule replaces the generated one; the terms still name how many periods there were.
        plan, periods = tuple(entry.values.get("principal_fen", 0) for entry in lines), len(lines)
        if "method" not in dossier.loan.values:
            method = Method.INTEREST_WITH_PLAN
    else:
        periods = _periods(dossier, rule.period_days)
    unit, every = PeriodUnit(rule.period_unit), rule.period_every
    if rule.period_days:
        unit, every = PeriodUnit.DAY, min(rule.period_days, dossier.value("term_count") or rule.period_days)
    total_due = dossier.value("total_due_fen")
    if method is Method.BULLET and unit is PeriodUnit.MONTH:
        every, periods = (dossier.value("term_count") or periods), 1
    maturity = _maturity(dossier, method)
    penalty = policy.penalty
    order = policy.allocation
    return Terms(
        start=start,
        principal_fen=amount,
        rate_ppm=dossier.value("rate_ppm", 0),
        method=method,
        periods=periods,
        period_unit=unit,
        period_every=every,
        first_due=dossier.value("first_due_on") if method is not Method.BULLET else None,
        maturity=maturity,
        day_count=DayCount(plain(policy.day_count)),
        rounding=Rounding(rule.rounding) if rule.rounding else policy.rounding.mode,
        multiple_fen=policy.rounding.multiple_fen,
        plan=plan if method is Method.INTEREST_WITH_PLAN else (),
        flat_fee_fen=max(0, total_due - amount) if method is Method.FLAT_FEE and total_due is not None else 0,
        grace_days=plain_int(policy.grace_days) if rule.grace_days is None else rule.grace_days,
        grace_retroactive=plain(penalty.grace_retroactive),
        penalty_multiplier_ppm=plain_int(penalty.multiplier_ppm)
        if rule.penalty_multiplier_ppm is None
        else rule.penalty_multiplier_ppm,
        misuse_multiplier_ppm=plain_int(penalty.misuse_multiplier_ppm),
        compound=rule.compound or Compound(plain(penalty.compound)),
        allocation=Allocation(
            order=plain(order.order),
            by_installment=order.by_installment,
            npl_after_dpd=plain_int(order.npl_after_dpd) if plain(order.npl_enabled) else None,
            npl_order=plain(order.npl_order),
            future=Future(plain(order.future)),
        ),
        class_thresholds=tuple((dpd, grade) for dpd, grade in plain(policy.class_thresholds)),
        nonaccrual_after_dpd=plain_int(policy.nonaccrual_after_dpd),
        prepayment_fee_ppm=0 if history else policy.prepayment_fee_ppm,
        institution=str(institution_id),
        product=str(product_id),
        currency=dossier.value("currency") or choices.currency,
    )


def _maturity(dossier: Dossier, method: Method) -> date | None:
    matures_on: date | None = dossier.value("matures_on")
    if matures_on is None or dossier.value("term_count") is None or method is Method.BULLET:
        return matures_on
    # With a whole term the periods end by themselves; a maturity that says the same is left out so that month ends stay nominal.
    by_term = add_months(
        dossier.value("starts_on").toordinal(), dossier.value("term_count"), dossier.value("starts_on").day
    )
    return None if by_term == matures_on.toordinal() else matures_on


def _periods(dossier: Dossier, period_days: int) -> int:
    count: int | None = dossier.value("term_count")
    if count and period_days:
        return max(1, -(-count // period_days))
    if count:
        return count
    start: date = dossier.value("starts_on")
    matures_on: date | None = dossier.value("matures_on")
    if matures_on is None:
        return max(1, len(dossier.installments))
    months = (matures_on.year - start.year) * 12 + matures_on.month - start.month
    return max(1, months)


def _plan_entries(dossier: Dossier) -> list[Any]:
    return sorted(dossier.installments, key=lambda entry: (entry.values["due_on"], entry.number))


# --- 历史 ------------------------------------------------------------------------------


def _history(dossier: Dossier, layout: Layout, choices: Choices, terms: Terms) -> list[Fact]:
    booked_on, start = choices.business_date, terms.start
    drafts: list[tuple[FactKind, date, int, dict[str, Any]]] = []
    if lines := _plan_entries(dossier):
        rows = [
            {"due_on": entry.values["due_on"].isoformat(), "principal_fen": entry.values.get("principal_fen", 0)}
            | ({"interest_fen": entry.values["interest_fen"]} if "interest_fen" in entry.values else {})
            for entry in lines
        ]
        drafts.append((FactKind.PLAN_GIVEN, start, 0, {"lines": rows}))
    drafts.append((FactKind.DISBURSEMENT, start, terms.principal_fen, {}))
    drafts += sorted(_payments(dossier, start), key=lambda draft: draft[1])
    facts = [
        Fact(seq, kind, value_on, booked_on, amount, data)
        for seq, (kind, value_on, amount, data) in enumerate(drafts, start=1)
    ]
    if len(facts) == 1 + bool(lines):
        facts += _derived_settlement(dossier, layout, choices, terms, facts)
    return facts


def _payments(dossier: Dossier, start: date) -> list[tuple[FactKind, date, int, dict[str, Any]]]:
    drafts = []
    for entry in dossier.payments:
        drafts.append(_payment(entry, entry.values["value_on"], entry.values["amount_fen"], start))
    for entry in dossier.installments:
        paid = entry.values.get("paid_fen")
        if paid is None and "unpaid_principal_fen" in entry.values and entry.values.get("paid_on") is not None:
            paid = (
                entry.values.get("principal_fen", 0)
                + entry.values.get("interest_fen", 0)
                - entry.values["unpaid_principal_fen"]
                - entry.values.get("unpaid_interest_fen", 0)
            )
        if paid and paid > 0:
            drafts.append(_payment(entry, entry.values.get("paid_on") or entry.values["due_on"], paid, start))
    return drafts


def _payment(entry: Any, day: date, amount: int, start: date) -> tuple[FactKind, date, int, dict[str, Any]]:
    data = {"payer": "BORROWER", "channel": "IMPORT"} | {
        name: entry.values[name] for name in ("serial", "payer_name", "remark") if entry.values.get(name)
    }
    if day < start:
        # Money that came before the loan: it counts from the day of the loan and waits as overpayment for the first due date.
        data["paid_on"] = day.isoformat()
    return FactKind.REPAYMENT, max(day, start), amount, data


def _derived_settlement(
    dossier: Dossier, layout: Layout, choices: Choices, terms: Terms, facts: list[Fact]
) -> list[Fact]:
    """没有逐笔还款而知道结清日的：那天按结清报价一笔结清（版式的假定里写明）。"""
    settled_on: date | None = dossier.value("settled_on")
    if settled_on is None and layout.settle_on_due_if_settled and dossier.value("status") == "SETTLED":
        settled_on = date.fromordinal(max(fresh(terms).dues))
    if settled_on is None or settled_on > choices.business_date:
        return []
    day = max(settled_on, terms.start)
    owed = payoff(terms, replay(terms, facts, on=day), day)["total"]
    if owed <= 0:
        return []
    return [
        Fact(
            len(facts) + 1,
            FactKind.SETTLEMENT,
            day,
            choices.business_date,
            owed,
            {"channel": "IMPORT", "derived": "按结清日推定一笔结清"},
        )
    ]


# --- 期初余额 ---------------------------------------------------------------------------


def _opening(dossier: Dossier, choices: Choices, terms: Terms) -> list[Fact]:
    cutover: date = choices.cutover_on
    values = dossier.loan.values
    balance: int = values["balance_fen"]
    overdue, days = values.get("overdue_principal_fen", 0), values.get("overdue_days", 0)
    arrears = values.get("interest_due_fen", 0) + values.get("off_interest_fen", 0)
    state = fresh(terms)
    matures_on = values.get("matures_on") or date.fromordinal(max(state.ends))
    oldest = cutover - timedelta(days=days)
    if matures_on < cutover and overdue < balance:
        dossier.loan.add(
            DOUBT,
            "MATURED_NOT_OVERDUE",
            "逾期本金",
            format_yuan(overdue),
            f"到期日 {matures_on} 已过切换日 {cutover}，余额 {format_yuan(balance)} 却没有全部列为逾期；按全部到期未还开账。",
            "核对到期日；已展期的请写展期后的到期日。",
        )
        overdue, oldest = balance, min(oldest, matures_on)
    data: dict[str, Any] = {"principal_fen": balance - overdue, "class": int(values.get("loan_class", 1))}
    if overdue or (arrears and days):
        data["unpaid"] = [
            {"due_on": oldest.isoformat(), "principal_fen": overdue, "interest_fen": arrears if days or overdue else 0}
        ]
        arrears = 0
    if days > terms.nonaccrual_after_dpd:
        # A loan past the threshold carried its interest off balance in the old books; it comes in as it stood.
        data["off_balance"] = True
    data |= {
        name: values[name] for name in ("penalty_fen", "compound_fen", "fee_fen", "overpayment_fen") if values.get(name)
    }
    if values.get("installment_fen"):
        data["level_fen"] = values["installment_fen"]
    _future_plan(dossier, data, cutover)
    ends = [end for end in state.ends if end > cutover.toordinal()]
    passed = [end for end in state.ends if end <= cutover.toordinal()]
    data["settled_periods"] = len(passed)
    if terms.method is Method.FLAT_INTEREST:
        data["flat_base_fen"] = terms.principal_fen
    since = date.fromordinal(passed[-1]) if passed else terms.start
    if ends and "plan" not in data:
        data["period_start"] = since.isoformat()
        accrued = values.get("accrued_interest_fen", arrears or None)
        data["accrued_interest_fen"] = _accrued(terms, data, since, cutover) if accrued is None else accrued
    elif values.get("accrued_interest_fen", arrears):
        data["accrued_interest_fen"] = values.get("accrued_interest_fen", arrears)
    data["maturity"] = matures_on.isoformat()
    _notice_level(dossier, terms)
    return [Fact(1, FactKind.OPENING, cutover, choices.business_date, 0, data)]


def _future_plan(dossier: Dossier, data: dict[str, Any], cutover: date) -> None:
    """给了还款计划的：切换日之后的各期照录；合计须等于未到期本金。"""
    lines = [entry for entry in _plan_entries(dossier) if entry.values["due_on"] > cutover]
    if not lines:
        return
    planned = sum(entry.values.get("principal_fen", 0) for entry in lines)
    if planned != data["principal_fen"]:
        lines[-1].add(
            ERROR,
            "SCHEDULE_SUM",
            "应还本",
            format_yuan(planned),
            f"切换日 {cutover} 之后各期应还本金合计 {format_yuan(planned)}，"
            f"未到期本金 {format_yuan(data['principal_fen'])}，差 {format_yuan(planned - data['principal_fen'])}。",
            "核对计划与余额；已提前还本的请用最新的计划。",
        )
        return
    data["plan"] = [
        {"due_on": entry.values["due_on"].isoformat(), "principal_fen": entry.values.get("principal_fen", 0)}
        | ({"interest_fen": entry.values["interest_fen"]} if "interest_fen" in entry.values else {})
        for entry in lines
    ]


def _accrued(terms: Terms, data: dict[str, Any], since: date, cutover: date) -> int:
    """自上一结息日到切换日的应计利息：文件没有给，就由内核按余额与利率算出（一次取整）。"""
    if since >= cutover or not data["principal_fen"]:
        return 0
    before = {name: data[name] for name in ("principal_fen", "flat_base_fen", "settled_periods") if name in data}
    state = replay(terms, [Fact(1, FactKind.OPENING, since, since, 0, before)], on=cutover)
    return half_up(state.acc_num, state.acc_den)


def _notice_level(dossier: Dossier, terms: Terms) -> None:
    given = dossier.value("installment_fen")
    if not given or terms.method is not Method.LEVEL_PAYMENT:
        return
    level = level_payment(
        terms.principal_fen,
        period_rate(terms.rate_ppm, terms.period_unit, terms.period_every, terms.day_count),
        terms.periods,
        terms.rounding,
        terms.multiple_fen,
    )
    if level != given:
        dossier.loan.add(
            DOUBT,
            "INSTALLMENT_DIFFERS",
            "每期还款额",
            format_yuan(given),
            f"每期还款额 {format_yuan(given)}，按金额、利率、期限算得 {format_yuan(level)}。",
            "以文件为准入账；核对利率与期限。",
        )


# --- 对账与提示 --------------------------------------------------------------------------


def _expected(dossier: Dossier, history: bool) -> dict[str, int]:
    values = dossier.loan.values
    expected: dict[str, int] = {}
    if "balance_fen" in values:
        expected["principal"] = values["balance_fen"]
    elif values.get("paid_principal_fen") is not None and "amount_fen" in values:
        expected["principal"] = values["amount_fen"] - values["paid_principal_fen"]
    elif values.get("status") == "SETTLED":
        expected["principal"] = 0
    for name, component in (
        ("overdue_principal_fen", "overdue_principal"),
        ("overpayment_fen", "overpayment"),
        ("fee_fen", "fee"),
    ):
        if name in values:
            expected[component] = values[name]
    if not history:
        # Accrued but not yet due interest and arrears stand in one column of most registers; what is due is compared only when days say so.
        if values.get("overdue_days"):
            expected["interest_due"] = values.get("interest_due_fen", 0) + values.get("off_interest_fen", 0)
        for name, component in (("penalty_fen", "penalty"), ("compound_fen", "compound")):
            if name in values:
                expected[component] = values[name]
    if "overdue_days" in values:
        expected["days_past_due"] = values["overdue_days"]
    if "loan_class" in values:
        expected["loan_class"] = int(values["loan_class"])
    return expected


def _notice_overpayment(dossier: Dossier, blueprint: Blueprint, *, history: bool) -> None:
    state = blueprint.state
    if history and state.overpayment and not state.not_due and state.first >= len(state.installments):
        entry = max(
            dossier.payments or dossier.installments or [dossier.loan],
            key=lambda item: (item.values.get("value_on") or item.values.get("paid_on") or date.min, item.number),
        )
        entry.add(
            DOUBT,
            "ABOVE_DEBT",
            "金额",
            format_yuan(state.overpayment),
            f"还款合计超过应还 {format_yuan(state.overpayment)}，多出部分记溢缴款。",
            "核对是否含利息、费用，或还款记错了借据；确系多还就认可，可退还。",
        )
