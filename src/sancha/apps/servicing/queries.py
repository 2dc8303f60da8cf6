"""借据的查询：台账、360、计划、时间线、分户账、推导、合计。列表语句数固定，不随借据年龄增长。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Mod

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.parties import queries as parties
from sancha.apps.parties.masking import mask_id_number
from sancha.apps.products import queries as products
from sancha.apps.products.mapping import kernel_terms
from sancha.apps.servicing.mapping import booked_position, day_of, facts_of, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, LoanStatus, Movement
from sancha.apps.servicing.rotation import SHARES
from sancha.kernel import quote
from sancha.kernel.facts import Fact, FactKind, effective
from sancha.kernel.positions import accounting_key, accrual_lines, accrual_status, classify, line_growth
from sancha.kernel.replay import advance, follows, project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms, TermsError
from sancha.kernel.timetable import Standing, TimetableRow, agreed, timetable
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate
from sancha.rulebook.product_terms import ElementProblem, LoanElements


@dataclass(frozen=True, slots=True)
class LoanFilter:
    """借据台账的筛选条件；空为不限。"""

    keyword: str = ""
    status: str = ""
    product_id: int | None = None
    institution_id: int | None = None
    officer_id: int | None = None
    loan_class: int | None = None
    overdue_from: int | None = None
    overdue_to: int | None = None
    starts_from: date | None = None
    starts_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None
    party_id: int | None = None
    class_from: int | None = None
    held: bool = False
    order: str = "-starts_on"


@dataclass(frozen=True, slots=True)
class LoanRow:
    """借据台账一行（金额为分）。"""

    id: int
    number: str
    contract_number: str
    party_id: int
    party_name: str
    party_id_number: str  # 遮蔽的；看明文走 parties.reveal_party
    institution_name: str
    product_name: str
    officer_name: str
    method: str
    guarantee: str
    purpose: str
    principal_fen: int
    balance_fen: int
    overdue_principal_fen: int
    interest_due_fen: int
    charges_due_fen: int
    rate_ppm: int
    starts_on: date
    matures_on: date
    status: str
    status_name: str
    loan_class: int
    days_past_due: int
    next_due_on: date | None
    held: bool
    party_kind: str
    industry_name: str
    guarantor: str


ORDERS = {
    "starts_on": "starts_on",
    "matures_on": "matures_on",
    "number": "number",
    "principal_fen": "principal_fen",
    "balance_fen": "state__principal_fen",
    "overdue_principal_fen": "state__overdue_principal_fen",
    "next_due_on": "state__next_due_day",
    # The longer overdue, the earlier the day it fell due.
    "days_past_due": "-state__oldest_due_day",
}
"""排序参数 → 列；空值总在最后，两库一致。"""
SHORTEST_ID_TAIL = 4


def _ordering(order: str) -> list[Any]:
    name, down = order.lstrip("-"), order.startswith("-")
    column = ORDERS.get(name, "")
    if not column:
        name, column, down = "starts_on", "starts_on", True
    if column.startswith("-"):
        column, down = column[1:], not down
    return [F(column).desc(nulls_last=True) if down else F(column).asc(nulls_last=True), "-pk"]


def _filtered(actor: Actor, where: LoanFilter, today: date) -> Any:
    rows = Loan.objects.filter(access.in_scope(actor)).exclude(status=LoanStatus.VOID)
    if where.status:
        rows = rows.filter(status=where.status)
    for name in ("product_id", "officer_id", "party_id"):
        if (value := getattr(where, name)) is not None:
            rows = rows.filter(**{name: value})
    if where.institution_id is not None:
        # An institution stands for its whole subtree, as everywhere else.
        rows = rows.filter(institution__path__contains=f"/{where.institution_id}/")
    if where.loan_class is not None:
        rows = rows.filter(state__loan_class=where.loan_class)
    if where.class_from is not None:
        rows = rows.filter(state__loan_class__gte=where.class_from)
    if where.held:
        rows = rows.filter(state__held=True)
    ordinal = today.toordinal()
    if where.overdue_from is not None:
        rows = rows.filter(state__oldest_due_day__lte=ordinal - where.overdue_from)
    if where.overdue_to is not None:
        rows = rows.filter(state__oldest_due_day__gte=ordinal - where.overdue_to)
    if where.starts_from:
        rows = rows.filter(starts_on__gte=where.starts_from)
    if where.starts_to:
        rows = rows.filter(starts_on__lte=where.starts_to)
    if where.due_from:
        rows = rows.filter(state__next_due_day__gte=where.due_from.toordinal())
    if where.due_to:
        rows = rows.filter(state__next_due_day__lte=where.due_to.toordinal())
    if where.keyword:
        word = where.keyword.strip()
        found = (
            Q(number__icontains=word)
            | Q(contract_number__icontains=word)
            | Q(party_id__in=parties.matching_party_ids(word))
        )
        if len(word) == SHORTEST_ID_TAIL and word.isascii() and word.isalnum():
            found |= Q(party__id_number__endswith=word.upper())
        rows = rows.filter(found)
    return rows


def list_loans(*, actor: Actor, where: LoanFilter, today: date, page: int = 1, size: int = 50) -> Page[LoanRow]:
    """借据台账。"""
    actor.require("servicing.view")
    rows = (
        _filtered(actor, where, today)
        .select_related("state", "party", "institution", "product", "officer")
        .order_by(*_ordering(where.order))
    )
    return paginate(
        rows.defer("terms", "state__state", "state__base"), page=page, size=size, to_row=lambda loan: _row(loan, today)
    )


def loan_totals(*, actor: Actor, where: LoanFilter, today: date) -> dict[str, int]:
    """筛选结果的合计（一条 SQL）。"""
    totals = _filtered(actor, where, today).aggregate(
        count=Count("pk"),
        principal_fen=Sum("principal_fen"),
        balance_fen=Sum("state__principal_fen"),
        overdue_principal_fen=Sum("state__overdue_principal_fen"),
        interest_due_fen=Sum("state__interest_due_fen"),
        charges_due_fen=Sum("state__charges_due_fen"),
    )
    return {name: int(value or 0) for name, value in totals.items()}


def all_loans(*, actor: Actor, where: LoanFilter, today: date) -> Any:
    """导出用：逐行产生，不分页。"""
    actor.require("reporting.export")
    rows = (
        _filtered(actor, where, today)
        .select_related("state", "party", "institution", "product", "officer")
        .order_by("number")
    )
    for loan in rows.defer("terms", "state__state", "state__base").iterator(chunk_size=2000):
        yield _row(loan, today)


def _row(loan: Loan, today: date) -> LoanRow:
    state = getattr(loan, "state", None)
    oldest = state.oldest_due_day if state else None
    return LoanRow(
        id=loan.pk,
        number=loan.number,
        contract_number=loan.contract_number,
        party_id=loan.party_id,
        party_name=loan.party.name,
        party_id_number=mask_id_number(loan.party.id_number),
        institution_name=loan.institution.name,
        product_name=loan.product.name,
        officer_name=loan.officer.name if loan.officer else "",
        method=loan.method,
        guarantee=loan.guarantee,
        purpose=loan.purpose,
        principal_fen=loan.principal_fen,
        balance_fen=state.principal_fen if state else 0,
        overdue_principal_fen=state.overdue_principal_fen if state else 0,
        interest_due_fen=state.interest_due_fen if state else 0,
        charges_due_fen=state.charges_due_fen if state else 0,
        rate_ppm=loan.rate_ppm,
        starts_on=loan.starts_on,
        matures_on=loan.matures_on,
        status=loan.status,
        status_name=loan.get_status_display(),
        loan_class=state.loan_class if state else 1,
        days_past_due=max(0, today.toordinal() - oldest) if oldest is not None else 0,
        next_due_on=day_of(state.next_due_day) if state else None,
        held=bool(state and state.held),
        party_kind=loan.party.kind,
        industry_name=loan.party.industry_name,
        guarantor=loan.guarantor,
    )


# --- 一笔借据 ------------------------------------------------------------------------


@dataclass(slots=True)
class LoanView:
    """一笔借据在某日、按当时所知的样子。"""

    loan: Loan
    row: LoanState | None
    terms: Terms
    facts: list[Fact]
    state: State
    on: date
    known_at: date | None
    business_date: date

    @property
    def is_today(self) -> bool:
        """看的是不是账上的现状。"""
        return self.known_at is None and self.on == self.business_date

    def schedule(self) -> State:
        """推演到末期的状态：还款计划 = 已结各期 + 假定无收付的未来各期。"""
        return project(self.terms, self.state)

    def payoff(self) -> dict[str, int]:
        """当日结清报价。"""
        return quote.payoff(self.terms, self.state)

    def timetable(self) -> list[TimetableRow]:
        """还款计划表（E4）。尚未放款的，按约定足额放款排出。"""
        if not self.state.installments and not self.state.principal and not self.facts:
            return timetable(self.terms, agreed(self.terms))
        return timetable(self.terms, self.state)

    def figures(self) -> Figures:
        """摘要数。"""
        return figures_of(self.terms, self.state)


@dataclass(frozen=True, slots=True)
class Figures:
    """一笔借据此刻的主要数字（金额为分）。``owed_fen`` 是今天就该付的：欠本、欠息、罚息、复利、费用，减溢缴款，不小于零。"""

    balance_fen: int
    overdue_principal_fen: int
    interest_due_fen: int
    interest_accrued_fen: int
    penalty_fen: int
    compound_fen: int
    fee_fen: int
    overpayment_fen: int
    owed_fen: int
    payoff_fen: int
    days_past_due: int
    loan_class: int
    accrual: int
    rate_ppm: int
    maturity: date | None
    next_due_on: date | None
    next_due_fen: int
    installments_left: int

    @property
    def charges_fen(self) -> int:
        """罚息、复利、费用之和。"""
        return self.penalty_fen + self.compound_fen + self.fee_fen


def figures_of(terms: Terms, state: State) -> Figures:
    """由状态取主要数字。"""
    parts = quote.payoff(terms, state)
    coming = next(
        (
            row
            for row in timetable(terms, state)
            if row.due_on.toordinal() >= state.on and row.standing is Standing.FUTURE
        ),
        None,
    )
    written_off = state.written_off
    return Figures(
        balance_fen=state.principal,
        overdue_principal_fen=0 if written_off else state.overdue_principal,
        interest_due_fen=0 if written_off else state.interest_unpaid,
        interest_accrued_fen=parts.get("interest_accrued", 0),
        penalty_fen=parts.get("penalty", 0),
        compound_fen=parts.get("compound", 0),
        fee_fen=parts.get("fee", 0),
        overpayment_fen=state.overpayment,
        owed_fen=max(
            0,
            sum(
                parts.get(name, 0)
                for name in ("fee", "penalty", "compound", "interest_due", "principal_due", "overpayment")
            ),
        ),
        payoff_fen=parts["total"],
        days_past_due=state.days_past_due,
        loan_class=classify(terms, state),
        accrual=accrual_status(terms, state),
        rate_ppm=state.rate_ppm,
        maturity=day_of(state.maturity),
        next_due_on=coming.due_on if coming and not written_off else None,
        next_due_fen=coming.total_fen if coming and not written_off else 0,
        installments_left=len(state.ends) - state.cur,
    )


PAID = (
    "fee_paid",
    "penalty_paid",
    "compound_paid",
    "interest_paid",
    "principal_paid",
    "subsidy_paid",
    "overpayment",
    "recovered",
)


def paid_between(before: State, after: State) -> dict[str, int]:
    """两个状态之间这笔钱去了哪里：累计已付之差（分）。"""
    moved = {name.removesuffix("_paid"): getattr(after, name) - getattr(before, name) for name in PAID}
    return {name: amount for name, amount in moved.items() if amount}


@dataclass(frozen=True, slots=True)
class Simulation:
    """试算：如果今天记这条事实，前后各是什么样。什么也没有写。"""

    before: Figures
    after: Figures
    allocated: dict[str, int]
    plan_before: list[TimetableRow]
    plan_after: list[TimetableRow]
    unapplied_fen: int

    @property
    def plan_changed(self) -> bool:
        """未来各期变了没有。"""
        return self.future(self.plan_before) != self.future(self.plan_after)

    @staticmethod
    def future(rows: list[TimetableRow]) -> list[tuple[date, int, int]]:
        """未来各期的（应还日, 本, 息）。"""
        return [(row.due_on, row.principal_fen, row.interest_fen) for row in rows if row.standing is Standing.FUTURE]


def simulate(
    view: LoanView,
    *,
    kind: FactKind,
    value_on: date | None = None,
    amount_fen: int = 0,
    data: dict[str, Any] | None = None,
) -> Simulation:
    """试算一条事实（纯内核，不写库）：与入账同一算法，起息日在过去的同样重放。"""
    value_on = value_on or view.on
    seq = max((fact.seq for fact in view.facts), default=0) + 1
    fact = Fact(seq, kind, value_on, view.business_date, amount_fen, data or {})
    after = _with(view, fact)
    return Simulation(
        before=figures_of(view.terms, view.state),
        after=figures_of(view.terms, after),
        allocated=paid_between(view.state, after),
        plan_before=timetable(view.terms, view.state),
        plan_after=timetable(view.terms, after),
        unapplied_fen=after.unapplied.get(seq, 0),
    )


def _with(view: LoanView, fact: Fact) -> State:
    if follows(view.state, fact):
        return advance(view.terms, view.state, [fact], to=view.on)
    return replay(view.terms, [*view.facts, fact], on=view.on)


@dataclass(frozen=True, slots=True)
class Step:
    """时间线一条：事实、谁何时录的、分到了哪里、凭证、被哪一号冲正。"""

    seq: int
    kind: str
    value_on: date
    booked_on: date
    amount_fen: int
    data: dict[str, Any]
    recorded_at: datetime
    recorded_by: str
    allocated: dict[str, int]
    balance_fen: int | None
    voucher_id: int | None
    reversed_by: int | None

    @property
    def backdated(self) -> bool:
        """倒签：起息日早于记账日。"""
        return self.value_on < self.booked_on


def history(view: LoanView) -> list[Step]:
    """事实时间线，新的在前；按当时所知，冲掉的也列（划去）。三条 SQL，不随年龄增长。"""
    rows = [
        row
        for row in LoanFact.objects.filter(loan_id=view.loan.pk).order_by("-seq")
        if view.known_at is None or row.booked_on <= view.known_at
    ]
    vouchers = dict(
        Movement.objects.filter(loan_id=view.loan.pk, fact_seq__isnull=False)
        .order_by("fact_seq")
        .values_list("fact_seq", "voucher_id")
        .distinct()
    )
    names = access.names_of(row.recorded_by_id for row in rows)
    spread = allocations(view)
    dead = reversed_by(view.facts, known_at=view.known_at)
    return [
        Step(
            seq=row.seq, kind=row.kind, value_on=row.value_on, booked_on=row.booked_on, amount_fen=row.amount_fen, data=row.data,
            recorded_at=row.recorded_at, recorded_by=names.get(row.recorded_by_id or 0, "系统"), allocated=spread.get(row.seq, ({}, None))[0],
            balance_fen=spread.get(row.seq, ({}, None))[1], voucher_id=vouchers.get(row.seq), reversed_by=dead.get(row.seq),
        )
        for row in rows
    ]  # fmt: skip


def allocations(view: LoanView) -> dict[int, tuple[dict[str, int], int]]:
    """每条生效的事实把钱分到了哪里、其后的本金余额：一条条接着走。"""
    spread: dict[int, tuple[dict[str, int], int]] = {}
    chosen = effective(view.facts, on=view.on, known_at=view.known_at)
    if not chosen:
        return spread
    state = replay(view.terms, chosen[:1], on=chosen[0].value_on)
    spread[chosen[0].seq] = (paid_between(replay(view.terms, [], on=view.terms.start), state), state.principal)
    for fact in chosen[1:]:
        before = advance(view.terms, state, [], to=max(fact.value_on, state.day))
        state = advance(view.terms, state, [fact], to=max(fact.value_on, state.day))
        spread[fact.seq] = (paid_between(before, state), state.principal)
    return spread


def reversed_by(facts: list[Fact], *, known_at: date | None = None) -> dict[int, int]:
    """已被冲正的事实 → 冲它的那条。冲正本身被冲的不算。"""
    dead: dict[int, int] = {}
    for fact in sorted(facts, key=lambda item: item.seq, reverse=True):
        if fact.kind is FactKind.REVERSAL and fact.seq not in dead and (known_at is None or fact.booked_on <= known_at):
            dead[int(fact.data["seq"])] = fact.seq
    return dead


def balance_path(view: LoanView) -> list[tuple[date, int, int | None]]:
    """余额走势：（日期, 按约定计划的本金余额, 实际本金余额）；``view.on`` 之后实际为空。"""
    chosen = effective(view.facts, on=view.on, known_at=view.known_at)
    starters = [fact for fact in chosen if fact.kind in {FactKind.DISBURSEMENT, FactKind.OPENING, FactKind.PLAN_GIVEN}]
    if not starters:
        return []
    origin = agreed(view.terms, starters)
    planned = {origin.day: origin.principal}
    left = origin.principal
    for row in timetable(view.terms, origin):
        if row.due_on > origin.day:
            left -= row.principal_fen
            planned[row.due_on] = left
    actual = {view.facts[0].value_on: 0}
    after = allocations(view)
    for fact in chosen:
        actual[fact.value_on] = after[fact.seq][1]
    actual[view.on] = view.state.principal
    days = sorted({*planned, *(day for day in actual if day >= origin.day)})
    return [(day, _last_before(planned, day), _last_before(actual, day) if day <= view.on else None) for day in days]


def _last_before(steps: dict[date, int], day: date) -> int:
    return steps[max(known for known in steps if known <= day)]


@dataclass(frozen=True, slots=True)
class BookingPreview:
    """登记前的试排：要素的毛病、条款、还款计划。"""

    problems: list[ElementProblem]
    terms: Terms | None
    rows: list[TimetableRow]


def preview_booking(
    *, actor: Actor, product_id: int, institution_id: int, elements: LoanElements, plan: tuple[int, ...] = (), first_due: date | None = None,
    study_ends: date | None = None,
) -> BookingPreview:  # fmt: skip
    """登记前试排还款计划：与登记同一套核对，什么也不写。

    :raises DomainError: 条款合不成（期数不整、缺毕业日、产品停办……）。
    """
    actor.require("servicing.book")
    problems = products.element_problems(product_id=product_id, chosen=elements)
    pinned = products.pinned_terms(product_id=product_id, on=elements.start)
    calendar = businessday.calendar_for(first_year=elements.start.year, last_year=elements.start.year + 31)
    try:
        terms = kernel_terms(
            pinned, elements, product_code=str(product_id), institution_code=str(institution_id), calendar=calendar, plan=plan,
            first_due=first_due, study_ends=study_ends,
        )  # fmt: skip
    except TermsError as error:
        return BookingPreview(
            [*problems, ElementProblem(error.field, str(error.value), error.message, error.fix)], None, []
        )
    return BookingPreview(problems, terms, timetable(terms, agreed(terms)))


def find_loan(*, actor: Actor, loan_id: int | None = None, number: str = "") -> Loan:
    """按编号或借据号取借据（在数据范围内）。

    :raises NotFound: 没有，或不在范围内。
    """
    actor.require("servicing.view")
    rows = Loan.objects.filter(access.in_scope(actor)).select_related(
        "party", "institution", "product", "officer", "state"
    )
    loan = (rows.filter(pk=loan_id) if loan_id is not None else rows.filter(number=number)).first()
    if loan is None:
        raise NotFound(
            "LOAN_NOT_FOUND",
            "没有这笔借据，或不在您的机构范围内。",
            field="loan",
            value=loan_id or number,
            fix="请核对借据号。",
        )
    return loan


def view_loan(*, actor: Actor, loan_id: int, on: date | None = None, known_at: date | None = None) -> LoanView:
    """一笔借据：缺省是账上现状；给 ``on``（某日开门）或 ``known_at``（当时所知）则重放。两三条 SQL，不随年龄增长。"""
    loan = find_loan(actor=actor, loan_id=loan_id)
    row = getattr(loan, "state", None)
    terms = terms_of(loan.terms)
    facts = facts_of(LoanFact.objects.filter(loan_id=loan_id).order_by("seq"))
    today = businessday.business_date(institution_id=loan.institution_id)
    day = on or today
    if row is not None and known_at is None and day >= day_of(row.from_day):  # type: ignore[operator]
        state = advance(terms, state_of(row), [], to=day)
    else:
        state = replay(terms, facts, on=day, known_at=known_at)
    return LoanView(
        loan=loan, row=row, terms=terms, facts=facts, state=state, on=day, known_at=known_at, business_date=today
    )


def timeline(*, loan_id: int) -> list[LoanFact]:
    """事实时间线（已由 ``find_loan`` 验过范围）。"""
    return list(LoanFact.objects.filter(loan_id=loan_id).order_by("-seq"))


def movements(*, actor: Actor, loan_id: int, page: int = 1, size: int = 100) -> Page[Movement]:
    """分户账，新的在前。"""
    find_loan(actor=actor, loan_id=loan_id)
    return paginate(
        Movement.objects.filter(loan_id=loan_id).order_by("-booked_on", "-pk"),
        page=page,
        size=size,
        to_row=lambda row: row,
    )


def loans_of_party(*, actor: Actor, party_id: int, today: date) -> list[LoanRow]:
    """客户名下的借据。"""
    rows = Loan.objects.filter(access.in_scope(actor), party_id=party_id).select_related(
        "state", "party", "institution", "product", "officer"
    )
    return [_row(loan, today) for loan in rows.order_by("-starts_on")]


# --- 日终、审计与预演 ------------------------------------------------------------------


def loan_ids(*, partition_id: int, share: int | None = None) -> list[int]:
    """分区里的借据编号；``share`` 给出时只取轮转的那一份。"""
    rows = LoanState.objects.filter(partition_id=partition_id)
    if share is not None:
        rows = rows.annotate(share=Mod("pk", SHARES)).filter(share=share)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def held_or_stale(*, partition_id: int, accrued_to: date) -> list[tuple[str, str]]:
    """隔离的，或事件日已过而没有走的借据：（借据号, 原因）。"""
    ordinal = accrued_to.toordinal()
    rows = LoanState.objects.filter(
        Q(held=True) | Q(next_day__lte=ordinal, from_day__lt=ordinal), partition_id=partition_id
    ).select_related("loan")
    return [
        (
            row.loan.number,
            f"已隔离：{row.held_reason.splitlines()[0] if row.held_reason else ''}"
            if row.held
            else f"事件日 {day_of(row.next_day)} 已过而未处理",
        )
        for row in rows[:200]
    ]


def book_summary(*, partition_ids: list[int]) -> dict[str, Any]:
    """全部借据的汇总：笔数、余额、逾期、应收、各分类余额（两条 SQL）。"""
    rows = LoanState.objects.filter(partition_id__in=partition_ids)
    total = rows.aggregate(
        loans=Count("pk"),
        principal_fen=Sum("principal_fen"),
        overdue_principal_fen=Sum("overdue_principal_fen"),
        interest_due_fen=Sum("interest_due_fen"),
        charges_due_fen=Sum("charges_due_fen"),
    )
    classes = {
        row["loan_class"]: int(row["fen"] or 0)
        for row in rows.values("loan_class").annotate(fen=Sum("principal_fen")).order_by("loan_class")
    }
    return {name: int(value or 0) for name, value in total.items()} | {"classes": classes}


Mark = tuple[int, int, int, int]


def watch_marks(*, partition_ids: list[int]) -> dict[int, Mark]:
    """每笔借据的要紧标记：分类、应计、逾期本金、已结期数（预演前后对比用）。"""
    rows = LoanState.objects.filter(partition_id__in=partition_ids).values_list(
        "pk", "loan_class", "accrual", "overdue_principal_fen", "installments_billed"
    )
    return {pk: (grade, accrual, overdue, billed) for pk, grade, accrual, overdue, billed in rows}


def changed_since(marks: dict[int, Mark], *, partition_ids: list[int]) -> list[dict[str, Any]]:
    """与标记相比变化了的借据，说出变了什么。"""
    changes = []
    for row in (
        LoanState.objects.filter(partition_id__in=partition_ids)
        .select_related("loan__party")
        .defer("state", "base", "loan__terms")
    ):
        now = (row.loan_class, row.accrual, row.overdue_principal_fen, row.installments_billed)
        before = marks.get(row.pk, now)
        if before == now:
            continue
        changes.append(
            {
                "loan_id": row.pk,
                "number": row.loan.number,
                "name": row.loan.party.name,
                "class_before": before[0],
                "class_after": now[0],
                "accrual_before": before[1],
                "accrual_after": now[1],
                "overdue_before_fen": before[2],
                "overdue_after_fen": now[2],
                "billed": now[3] - before[3],
            }
        )
    return changes


def overdue_loans(
    *, partition_id: int, on: date, untouched_on: date | None = None
) -> list[tuple[int, str, int, int, int, int]]:
    """逾期借据：（编号, 借据号, 机构, 客户, 逾期天数, 最早应还日序数）。

    给了 ``untouched_on`` 就略去那天记过事实或解除过隔离的借据：当天才成为逾期的，还没有经过日终。
    """
    rows = LoanState.objects.filter(
        partition_id=partition_id, oldest_due_day__lt=on.toordinal(), loan__status=LoanStatus.ACTIVE
    )
    if untouched_on is not None:
        rows = rows.exclude(pk__in=LoanFact.objects.filter(booked_on__gte=untouched_on).values("loan_id"))
        rows = rows.exclude(Exists(Movement.objects.filter(loan_id=OuterRef("pk"), booked_on__gte=untouched_on)))
    return [
        (pk, number, institution, party, on.toordinal() - oldest, oldest)
        for pk, number, institution, party, oldest in rows.order_by("pk").values_list(
            "pk", "loan__number", "institution_id", "loan__party_id", "oldest_due_day"
        )
    ]


def due_items(*, actor: Actor, day: date) -> list[dict[str, Any]]:
    """某日应还清单（代扣、还款窗口用）：到期的与欠着的，金额按当日开门推演。"""
    actor.require("servicing.view")
    rows = (
        LoanState.objects.filter(
            access.in_scope(actor, "loan__institution"), loan__status=LoanStatus.ACTIVE, held=False
        )
        .filter(Q(oldest_due_day__isnull=False) | Q(next_due_day__lte=day.toordinal()))
        .select_related("loan__party")
        .order_by("pk")
    )
    items = []
    for row in rows.iterator(chunk_size=1000):
        terms = terms_of(row.loan.terms)
        state = advance(terms, state_of(row), [], to=max(day, date.fromordinal(row.from_day)))
        parts = quote.payoff(terms, state)
        owed = (
            parts["fee"]
            + parts["penalty"]
            + parts["compound"]
            + parts["interest_due"]
            + parts["principal_due"]
            - state.overpayment
        )
        if owed > 0:
            items.append(
                {
                    "loan_id": row.pk,
                    "number": row.loan.number,
                    "party_id": row.loan.party_id,
                    "name": row.loan.party.name,
                    "amount_fen": owed,
                    "days_past_due": state.days_past_due,
                }
            )
    return items


def accrued_on(row: LoanState, on: date) -> dict[str, int]:
    """账上头寸（含直线增量）。"""
    return booked_position(row, max(on.toordinal(), row.from_day))


def aggregate_parts(*, partition_id: int, day: date, institution_id: int) -> list[tuple[int, str, int]]:
    """某日计提凭证的构成：每笔借据当日增量（F13：汇总凭证可以点开）。按当时所知重放，合计须等于凭证。

    当日逐笔走过的（有事件，或半关时因业务先走的）不在汇总里：它们那天有自己的分户账行。
    """
    parts = []
    # A loan transferred since belongs to another partition now, and did not then.
    moved = LoanFact.objects.filter(kind=str(FactKind.TRANSFER)).values("loan_id")
    mine = Q(partition_id=partition_id) | Q(pk__in=moved)
    rows = LoanState.objects.filter(mine).select_related("loan").order_by("pk")
    ids = rows.values("pk")
    facts: dict[int, list[LoanFact]] = {}
    for fact in LoanFact.objects.filter(loan_id__in=ids, booked_on__lte=day).order_by("loan_id", "seq"):
        facts.setdefault(fact.loan_id, []).append(fact)
    alone = set(
        Movement.objects.filter(loan_id__in=ids, booked_on=day, fact_seq=None).values_list("loan_id", flat=True)
    )
    for row in rows.iterator(chunk_size=500):
        if row.pk not in facts or row.pk in alone or (row.held and row.from_day <= day.toordinal()):
            continue
        terms = terms_of(row.loan.terms)
        state = replay(terms, facts_of(facts[row.pk]), on=day)
        key = accounting_key(terms, state)
        if state.next_on <= day.toordinal() + 1 or int(key.institution) != institution_id:
            continue
        grown = line_growth(accrual_lines(terms, state), key.accrual, 1)
        amount = grown.get("INTEREST_INCOME", 0) + grown.get("PENALTY_INCOME", 0) + grown.get("COMPOUND_INCOME", 0)
        if grown:
            parts.append((row.pk, row.loan.number, -amount))
    return parts


def live_loans_reason(institution_id: int) -> str | None:
    """撤销机构前的检查：还有存续或待复核的借据就不能撤，返回理由。"""
    live = Loan.objects.filter(
        institution_id=institution_id, status__in=[LoanStatus.ACTIVE, LoanStatus.PENDING]
    ).count()
    return f"尚有 {live} 笔存续或待复核的借据，请先划转或结清" if live else None
