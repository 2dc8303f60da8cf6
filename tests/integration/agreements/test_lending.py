"""从批复到钱：明示表先签、双人面签、配偶与保证人、作废重出、条件、三方核对、两个人放款、退回再送、过期。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sancha.apps.agreements import operations, queries
from sancha.apps.agreements.models import LendingCondition, PaperSignature, SigningFile, SigningPaper
from sancha.apps.ledger import operations as ledger
from sancha.apps.origination import operations as origination
from sancha.apps.origination.models import Ruling
from sancha.apps.servicing.models import Loan
from sancha.apps.work.operations import submit_task
from sancha.dayclose import engine, invariants
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from tests.support.applications import Desk, case, open_desk
from tests.support.factories_access import County, fresh_key
from tests.support.mandates import grant_mandate

NUMBER = "（2026）S1借字第000001号"


@pytest.fixture
def desk(county: County) -> Desk:
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key("chart"), template="BANK", on=county.opened_on)
    grant_mandate(county)
    return open_desk(county)


@pytest.fixture
def file(desk: Desk) -> SigningFile:
    desk.to("APPROVED")
    return SigningFile.objects.get()


def papers(file: SigningFile) -> dict[str, SigningPaper]:
    return {paper.kind: paper for paper in file.papers.filter(voided_on__isnull=True)}


def sign(desk: Desk, file: SigningFile, kind: str, capacity: str = "BORROWER", **changes: Any) -> dict[str, Any]:
    paper = papers(file)[kind]
    values: dict[str, Any] = {
        "actor": desk.lead, "key": fresh_key("sign"), "on": desk.today, "file_id": file.pk, "paper_id": paper.pk,
        "capacity": capacity, "signer": "赵长顺" if capacity == "SPOUSE" else paper.party.name,
        "second_witness_id": desk.assistant.person_id, "place": "柳溪支行面签室", "terms_read": True,
    }  # fmt: skip
    return operations.sign_paper(**(values | changes))


def sign_all(desk: Desk, file: SigningFile) -> None:
    sign(desk, file, "COST_STATEMENT")
    sign(desk, file, "LOAN_AGREEMENT")
    sign(desk, file, "LOAN_AGREEMENT", "SPOUSE")
    sign(desk, file, "GUARANTEE_AGREEMENT", "GUARANTOR")


def meet_all(desk: Desk, file: SigningFile) -> None:
    for condition in LendingCondition.objects.filter(file=file, met_on__isnull=True):
        operations.meet_condition(
            actor=desk.lead,
            key=fresh_key("meet"),
            on=desk.today,
            file_id=file.pk,
            condition_id=condition.pk,
            proof="已收到",
        )


def send(desk: Desk, file: SigningFile, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "actor": desk.county.actor("DISBURSEMENT_CLERK"), "key": fresh_key("send"), "on": desk.today, "file_id": file.pk,
        "amount_fen": 5_000_000, "term_count": 12, "rate_ppm": 144_000, "contract_number": NUMBER,
    }  # fmt: skip
    return operations.send_to_lend(**(values | changes))


def test_an_approval_opens_its_file_with_every_paper(desk: Desk, file: SigningFile) -> None:
    assert (file.number, file.amount_fen, file.spouse_signs) == (NUMBER, 5_000_000, True)
    numbers = sorted(file.papers.values_list("kind", "number"))
    assert numbers == [
        ("COST_STATEMENT", f"{NUMBER}-M"), ("GUARANTEE_AGREEMENT", f"{NUMBER}-B01"), ("LOAN_AGREEMENT", NUMBER),
    ]  # fmt: skip
    assert [row.text for row in file.conditions.all()] == ["面签前补交收入证明"]
    view = queries.view_file(actor=desk.lead, file_id=file.pk, on=desk.today)
    assert len(view.unmet) == 5


def test_the_cost_statement_is_signed_before_any_agreement(desk: Desk, file: SigningFile) -> None:
    for kind, capacity in (("LOAN_AGREEMENT", "BORROWER"), ("GUARANTEE_AGREEMENT", "GUARANTOR")):
        with pytest.raises(Conflict) as early:
            sign(desk, file, kind, capacity)
        assert (early.value.code, early.value.clause) == ("DISCLOSURE_FIRST", "NFRA-2026-2-COST")
    sign(desk, file, "COST_STATEMENT")
    sign(desk, file, "LOAN_AGREEMENT")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signer": "李四代"}, "SIGNER_WRONG"),
        ({"second_witness_id": 0}, "TWO_WITNESSES"),
        ({"terms_read": False}, "TERMS_NOT_READ"),
        ({"capacity": "GUARANTOR"}, "CAPACITY_WRONG"),
        ({"place": " "}, "FIELD_MISSING"),
    ],
)
def test_nobody_signs_for_another_and_two_witness_it(
    desk: Desk, file: SigningFile, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(DomainError) as wrong:
        sign(desk, file, "COST_STATEMENT", **changes)
    assert wrong.value.code == code
    assert wrong.value.clause
    assert not PaperSignature.objects.exists()


def test_the_witness_is_not_twice_the_same(desk: Desk, file: SigningFile) -> None:
    with pytest.raises(DomainError) as same:
        sign(desk, file, "COST_STATEMENT", second_witness_id=desk.lead.person_id)
    assert same.value.code == "TWO_WITNESSES"
    sign(desk, file, "COST_STATEMENT")
    with pytest.raises(Conflict, match="已签过"):
        sign(desk, file, "COST_STATEMENT")


def test_a_paper_voided_is_kept_and_the_new_one_signed_anew(desk: Desk, file: SigningFile) -> None:
    sign_all(desk, file)
    old = papers(file)["LOAN_AGREEMENT"]
    operations.redraw_paper(
        actor=desk.lead, key=fresh_key(), on=desk.today, file_id=file.pk, paper_id=old.pk, reason="账号写错"
    )
    new = papers(file)["LOAN_AGREEMENT"]
    assert (new.number, new.revision) == (f"{NUMBER}（2）", 2)
    old.refresh_from_db()
    assert (old.voided_on, old.signatures.count(), new.signatures.count()) == (desk.today, 2, 0)
    operations.redraw_paper(
        actor=desk.lead, key=fresh_key(), on=desk.today, file_id=file.pk, paper_id=papers(file)["COST_STATEMENT"].pk,
        reason="漏列保险费",
    )  # fmt: skip
    # With the statement void the order must hold again: every agreement is drawn and signed anew.
    with pytest.raises(Conflict, match="明示表"):
        sign(desk, file, "LOAN_AGREEMENT")
    assert papers(file)["LOAN_AGREEMENT"].number == f"{NUMBER}（3）"


def test_money_waits_for_every_signature_and_condition(desk: Desk, file: SigningFile) -> None:
    with pytest.raises(Conflict) as early:
        send(desk, file)
    for words in ("综合融资成本明示表", "借款人配偶", "保证合同", "面签前补交收入证明"):
        assert words in early.value.message
    sign_all(desk, file)
    with pytest.raises(Conflict) as still:
        send(desk, file)
    assert still.value.message == "还不能放款：条件「面签前补交收入证明」没有落实。"
    with pytest.raises(DomainError):
        operations.meet_condition(
            actor=desk.lead, key=fresh_key(), on=desk.today, file_id=file.pk,
            condition_id=LendingCondition.objects.get().pk, proof="",
        )  # fmt: skip
    meet_all(desk, file)
    assert send(desk, file)["loan_id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_fen": 5_000_100}, "amount_fen"),
        ({"term_count": 11}, "term_count"),
        ({"rate_ppm": 143_000}, "rate_ppm"),
        ({"contract_number": "（2026）S1借字第000002号"}, "contract_number"),
    ],
)
def test_the_instruction_must_match_approval_and_agreement(
    desk: Desk, file: SigningFile, changes: dict[str, Any], field: str
) -> None:
    sign_all(desk, file)
    meet_all(desk, file)
    with pytest.raises(DomainError) as differs:
        send(desk, file, **changes)
    assert (differs.value.code, differs.value.field) == ("INSTRUCTION_DIFFERS", field)
    assert not Loan.objects.exists()


def test_from_approval_to_money_by_two_people_and_the_books_balance(desk: Desk, file: SigningFile) -> None:
    sign_all(desk, file)
    meet_all(desk, file)
    sent = send(desk, file)
    loan = Loan.objects.get(pk=sent["loan_id"])
    assert (loan.contract_number, loan.principal_fen, loan.guarantor, loan.officer_id) == (
        NUMBER, 5_000_000, "李长河", desk.lead.person_id,
    )  # fmt: skip
    assert Ruling.objects.filter(stage="DISBURSEMENT", outcome="PASS").count() == 1
    with pytest.raises(Conflict):
        send(desk, file)
    with pytest.raises(Conflict, match="已送放款"):
        origination.withdraw_application(
            actor=desk.intake, key=fresh_key(), on=desk.today, application_id=file.application_id, reason="不要了"
        )
    supervisor = desk.county.actor("ACCOUNTING_SUPERVISOR")
    submit_task(
        actor=supervisor,
        key=fresh_key(),
        on=desk.today,
        task_id=sent["task_id"],
        outcome="APPROVED",
        opinion="与合同一致",
    )
    loan.refresh_from_db()
    assert loan.status == "ACTIVE"
    engine.run(actor=SYSTEM, group_id=desk.county.group_id)
    assert (case(file.application_id).state, case(file.application_id).get_state_display()) == ("DISBURSED", "已放款")
    findings = invariants.check(group_id=desk.county.group_id, everything=True)
    assert [problem for finding in findings for problem in finding.problems] == []


def test_a_booking_sent_back_can_be_sent_again(desk: Desk, file: SigningFile) -> None:
    sign_all(desk, file)
    meet_all(desk, file)
    first = send(desk, file)
    supervisor = desk.county.actor("ACCOUNTING_SUPERVISOR")
    submit_task(
        actor=supervisor,
        key=fresh_key(),
        on=desk.today,
        task_id=first["task_id"],
        outcome="REJECTED",
        opinion="起息日不对",
    )
    view = queries.view_file(actor=desk.lead, file_id=file.pk, on=desk.today)
    assert (view.row.state, view.row.state_name) == ("OPEN", "放款退回，可再送")
    second = send(desk, file)
    assert second["loan_id"] != first["loan_id"]
    file.refresh_from_db()
    assert file.loan_id == second["loan_id"]


def test_an_approval_left_too_long_lapses_at_the_close(desk: Desk, file: SigningFile) -> None:
    sign_all(desk, file)
    last = file.expires_on
    assert last == desk.today + timedelta(days=30)
    engine.run(actor=SYSTEM, group_id=desk.county.group_id, until=last - timedelta(days=1))
    assert case(file.application_id).state == "APPROVED", "the last day still counts"
    engine.run(actor=SYSTEM, group_id=desk.county.group_id, until=last)
    file.refresh_from_db()
    assert (case(file.application_id).state, file.state) == ("LAPSED", "CLOSED")
    desk.today = last + timedelta(days=1)
    with pytest.raises(Conflict):
        send(desk, file)


def test_a_fact_that_changed_stops_the_money(desk: Desk, file: SigningFile) -> None:
    from sancha.apps.origination.models import CaseFact

    sign_all(desk, file)
    meet_all(desk, file)
    known = CaseFact.objects.filter(application_id=file.application_id, code="applicant.on_court_list").last()
    assert known is not None
    CaseFact.objects.create(
        application_id=file.application_id,
        code=known.code,
        value=True,
        evidence="THIRD_PARTY",
        on_day=desk.today,
        at=known.at,
    )
    with pytest.raises(DomainError) as stopped:
        send(desk, file)
    assert (stopped.value.code, stopped.value.value) == ("RULES_FAILED", "s11.borrower.court_list")
    assert not Loan.objects.exists()


def test_withdrawing_before_the_money_closes_the_file(desk: Desk, file: SigningFile) -> None:
    origination.withdraw_application(
        actor=desk.intake, key=fresh_key(), on=desk.today, application_id=file.application_id, reason="不要了"
    )
    file.refresh_from_db()
    assert (file.state, "不要了" in file.closing_reason) == ("CLOSED", True)


def test_only_those_who_may_sign_and_lend_do(desk: Desk, file: SigningFile) -> None:
    with pytest.raises(NotPermitted):
        sign(desk, file, "COST_STATEMENT", actor=desk.intake)
    with pytest.raises(NotPermitted):
        send(desk, file, actor=desk.lead)
    far = desk.county.actor("LOAN_OFFICER", at="S9")
    with pytest.raises(DomainError, match="不在您的机构范围内"):
        sign(desk, file, "COST_STATEMENT", actor=far)
