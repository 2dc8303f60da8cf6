"""登记借据与复核放款（CON-2）：录入与授权必须是两个人；复核通过才有账。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.parties import queries as parties
from sancha.apps.products import queries as products
from sancha.apps.products.mapping import kernel_terms
from sancha.apps.servicing.books import OpenLoan, record_fact
from sancha.apps.servicing.mapping import projection, require_room, terms_of
from sancha.apps.servicing.models import Loan, LoanState, LoanStatus
from sancha.apps.servicing.repricing import next_reprice_on
from sancha.apps.work import operations as work
from sancha.apps.work import queries as work_queries
from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.kernel.facts import FactKind
from sancha.kernel.fold import fresh
from sancha.kernel.positions import positions
from sancha.kernel.replay import replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms, TermsError
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.numbering import next_number
from sancha.kit.operation import operation
from sancha.rulebook.product_terms import LoanElements

DOMESTIC = "CNY"

BOOKING_CHECK = TaskKind(
    code="BOOKING_CHECK",
    name="放款复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER"),
    permission="servicing.authorize",
    outcomes=(Outcome("APPROVED", "同意放款"), Outcome("REJECTED", "退回", needs_opinion=True)),
    duty="DISBURSEMENT_AUTHORIZER",
    forbidden_duties=frozenset({"BOOKER"}),
    rule="放款录入与会计授权须两人办理",
    clause="CON-2",
)


@operation("servicing.book_loan", permission="servicing.book")
def book_loan(
    *,
    actor: Actor,
    key: str,
    on: date,
    party_id: int,
    product_id: int,
    institution_id: int,
    elements: LoanElements,
    officer_id: int | None = None,
    contract_number: str = "",
    purpose: str = "",
    guarantor: str = "",
    plan: tuple[int, ...] = (),
    first_due: date | None = None,
    study_ends: date | None = None,
    external_ref: str = "",
) -> dict[str, Any]:
    """登记借据：核对客户、产品要素与机构，钉死条款，开出放款复核任务。此时还没有账。

    起息日不得晚于营业日；早于营业日即补登（倒签），复核后一次补足其间的利息。

    :raises DomainError: 要素不合产品条款（逐项列出）、起息日在未来、条款不成立。
    """
    institution = access.require_institution(actor, institution_id)
    partition = businessday.partition_of(institution_id=institution_id)
    if on != partition.business_date:
        raise Conflict(
            "NOT_BUSINESS_DATE",
            f"当前营业日是 {partition.business_date}，不能登记在 {on}。",
            field="on",
            value=on,
            fix="请按当前营业日登记。",
        )
    if elements.start > on:
        raise DomainError(
            "START_IN_FUTURE",
            f"起息日 {elements.start} 晚于营业日 {on}。",
            field="start",
            value=elements.start,
            fix="起息日不能晚于营业日。",
        )
    party = parties.live_party(actor, party_id)
    problems = products.element_problems(product_id=product_id, chosen=elements)
    if problems:
        raise DomainError(
            "ELEMENTS_OUT_OF_PRODUCT",
            "；".join(problem.message for problem in problems),
            field=problems[0].field,
            value=problems[0].value,
            clause="POL-9 POL-10",
            fix="；".join(problem.fix for problem in problems),
        )
    pinned = products.pinned_terms(product_id=product_id, on=elements.start)
    calendar = businessday.calendar_for(first_year=elements.start.year, last_year=elements.start.year + 31)
    try:
        terms = kernel_terms(
            pinned,
            elements,
            product_code=str(product_id),
            institution_code=str(institution_id),
            calendar=calendar,
            plan=plan,
            first_due=first_due,
            study_ends=study_ends,
        )
    except TermsError as error:
        raise DomainError(
            "TERMS_INVALID", error.message, field=error.field, value=error.value, fix=error.fix or "请更正后重新提交。"
        ) from error
    state = fresh(terms)
    require_room(terms)
    number = next_number(f"loan:{institution.code}:{elements.start.year}")
    loan = Loan.objects.create(
        number=f"JK{institution.code}{elements.start:%Y}{number:06d}",
        contract_number=contract_number or f"（{elements.start.year}）{institution.code}借字第{number:06d}号",
        party_id=party.id,
        product_id=product_id,
        institution_id=institution_id,
        officer_id=officer_id,
        terms=terms.as_document(),
        principal_fen=terms.principal_fen,
        rate_ppm=terms.rate_ppm,
        method=str(terms.method),
        starts_on=terms.start,
        matures_on=date.fromordinal(state.maturity),
        purpose=purpose,
        guarantee=str(elements.guarantee),
        guarantor=guarantor,
        external_ref=external_ref,
        booked_on=on,
        booked_by_id=actor.person_id,
        reprices_on=next_reprice_on(terms, terms.start),
    )
    if actor.person_id is not None:
        work.record_involvement(root_type="loan", root_id=loan.pk, person_id=actor.person_id, duty="BOOKER", on=on)
    task_id = work.raise_task(
        spec=work.TaskSpec(
            kind=BOOKING_CHECK.code,
            subject_type="loan",
            subject_id=loan.pk,
            institution_id=institution_id,
            title=f"放款复核 {loan.number} {party.name}",
            reason="放款录入与会计授权须两人办理",
            cause="booking",
            opened_on=on,
            due_on=on,
            party_id=party.id,
            clause="CON-2",
            facts={
                "借款金额_fen": terms.principal_fen,
                "年利率_ppm": terms.rate_ppm,
                "起息日": str(terms.start),
                "到期日": str(loan.matures_on),
            },
        )
    )
    return {"subject": f"loan:{loan.pk}", "loan_id": loan.pk, "number": loan.number, "task_id": task_id}


@operation("servicing.authorize_booking", permission="servicing.authorize")
def authorize_booking(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核放款：同意则放款入账，退回则借据作废（要素改了重新登记，借据号不复用）。

    :raises NotPermitted: 复核人就是录入人。
    :raises Conflict: 借据不在待复核状态。
    """
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    loan = (
        Loan.objects.select_for_update(of=("self",))
        .filter(pk__in=_loan_of(task_id), institution__path__startswith=actor.institution_path)
        .first()
    )
    if loan is None:
        raise NotFound(
            "LOAN_NOT_FOUND",
            "没有这笔待复核的借据，或不在您的机构范围内。",
            field="task_id",
            value=task_id,
            fix="请从待办中选择放款复核任务。",
        )
    if loan.status != LoanStatus.PENDING:
        raise Conflict(
            "LOAN_NOT_PENDING",
            f"借据 {loan.number} 是「{loan.get_status_display()}」，不能再复核。",
            field="loan_id",
            value=loan.number,
            fix="已复核或已撤回的不必再办；请看借据页。",
        )
    if outcome != "APPROVED":
        loan.status = LoanStatus.VOID
        loan.save(update_fields=["status"])
        return {"subject": f"loan:{loan.pk}", "loan_id": loan.pk, "status": loan.status, "task": closed["task_id"]}
    loan.authorized_by_id = actor.person_id
    loan.status = LoanStatus.ACTIVE
    loan.save(update_fields=["authorized_by_id", "status"])
    opened = start_books(loan, actor=actor)
    record_fact(
        opened,
        kind=FactKind.DISBURSEMENT,
        actor=actor,
        value_on=loan.starts_on,
        amount_fen=loan.principal_fen,
        summary="放款",
        operation="authorize_booking",
    )
    return {
        "subject": f"loan:{loan.pk}",
        "loan_id": loan.pk,
        "status": loan.status,
        "voucher_id": opened.voucher_id,
        "number": loan.number,
    }


def _loan_of(task_id: int) -> list[int]:
    subject = work_queries.subject_of(task_id)
    return [subject[2]] if subject is not None and subject[0] == BOOKING_CHECK.code else []


def start_books(loan: Loan, *, actor: Actor) -> OpenLoan:
    """为借据建立空的状态投影，账立于分区当前的日子。须紧接着记第一条事实（放款或期初余额）。

    :raises DomainError: 币种不是人民币：收款、付款与自有账户都只有人民币，外币借据收付不了。
    """
    assert transaction.get_connection().in_atomic_block
    terms = terms_of(loan.terms)
    require_domestic(terms)
    require_room(terms)
    place = businessday.partition_of(institution_id=loan.institution_id)
    partition = businessday.lock_partition(partition_id=place.id, exclusive=False)
    state = stand_at(terms, partition.business_date)
    # Nothing has been drawn yet, so nothing may stand on the books: the first fact's voucher is the whole position.
    assert not positions(terms, state), positions(terms, state)
    row = LoanState(loan=loan, partition_id=partition.id)
    for name, value in projection(terms, state, 0).items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return OpenLoan(loan=loan, row=row, terms=terms, state=state, partition=partition, facts=[])


def require_domestic(terms: Terms) -> None:
    """币种须是人民币。

    :raises DomainError: 写明币种、为什么、怎么办。
    """
    if terms.currency != DOMESTIC:
        raise DomainError(
            "CURRENCY_UNSUPPORTED",
            f"币种 {terms.currency} 的借据不能在此立账：收款、付款与自有账户都只有人民币（{DOMESTIC}）。",
            field="currency",
            value=terms.currency,
            clause="docs/algorithms/books.md",
            fix=f"请以人民币（{DOMESTIC}）登记；外币业务另用支持外币收付的系统办理。",
        )


def stand_at(terms: Terms, on: date) -> State:
    """尚无事实的状态，立于 ``on`` 日。"""
    return replay(terms, [], on=on)
