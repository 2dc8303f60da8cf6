"""指派、调查、审查、审批：职责分离、事实的由来与缺口、限额、退回、授权、批复。"""

from __future__ import annotations

from datetime import timedelta

import pytest

from sancha.apps.authority.operations import suspend_officer
from sancha.apps.origination import operations, queries
from sancha.apps.origination.models import Approval, CaseFact, Proposal, Ruling
from sancha.apps.origination.operations import Observation
from sancha.apps.work.models import Decision
from sancha.kit.errors import DomainError, NotPermitted
from tests.support.applications import SURVEY, Desk, case, elements
from tests.support.factories_access import fresh_key
from tests.support.mandates import grant_mandate


@pytest.fixture
def mandate(desk: Desk) -> int:
    """二级分行审批岗有五万元、十二个月的授权。"""
    return grant_mandate(desk.county)


def test_two_investigators_and_the_lone_receiver_does_not_lead(desk: Desk) -> None:
    one = desk.to("ASSIGN")
    with pytest.raises(DomainError, match="须是两个人"):
        operations.assign_investigators(
            actor=desk.head, key=fresh_key(), on=desk.today, application_id=one,
            lead_id=desk.lead.person_id or 0, assistant_id=desk.lead.person_id or 0,
        )  # fmt: skip
    with pytest.raises(DomainError, match="在任信贷员"):
        operations.assign_investigators(
            actor=desk.head, key=fresh_key(), on=desk.today, application_id=one,
            lead_id=desk.reviewer.person_id or 0, assistant_id=desk.assistant.person_id or 0,
        )  # fmt: skip
    found = case(one)
    found.received_by_id, found.received_alone = desk.lead.person_id, True
    found.save()
    with pytest.raises(NotPermitted) as no:
        desk.assign(one)
    assert (no.value.code, no.value.clause) == ("RECEIVED_ALONE", "PSBC-2014-ASSIGNMENT")


def test_a_suspended_or_uncertified_officer_is_listed_with_the_reason_and_not_taken(desk: Desk) -> None:
    one = desk.to("ASSIGN")
    fresh = desk.county.actor("LOAN_OFFICER", nth=3)
    suspend_officer(
        actor=desk.head, key=fresh_key(), on=desk.today, person_id=desk.lead.person_id or 0, cause="LATENT_RISK",
        reason="集中投放同村",
    )  # fmt: skip
    why = {person.id: bar.code if bar else "" for person, bar in queries.offered(case(one), on=desk.today, lead=True)}
    assert why == {
        desk.lead.person_id: "INVESTIGATION_SUSPENDED", desk.assistant.person_id: "", fresh.person_id: "CERTIFICATE_MISSING",
    }  # fmt: skip
    with pytest.raises(NotPermitted) as no:
        desk.assign(one)
    assert (no.value.code, no.value.clause) == ("INVESTIGATION_SUSPENDED", "PSBC-2014-SUSPENSION")


def test_the_survey_task_goes_to_the_lead(desk: Desk) -> None:
    one = desk.to("SURVEY")
    assert desk.task(one).assignee_id == desk.lead.person_id
    with pytest.raises(NotPermitted):
        operations.record_facts(
            actor=desk.county.actor("LOAN_OFFICER", nth=3), key=fresh_key(), on=desk.today, application_id=one,
            observations=[Observation("applicant.credit_grade", "NORMAL", "THIRD_PARTY")],
        )  # fmt: skip


def test_facts_only_grow_and_the_gap_is_a_list(desk: Desk) -> None:
    one = desk.to("SURVEY")
    before = queries.view_case(actor=desk.lead, application_id=one, on=desk.today)
    assert {cell.code for cell in before.gaps} >= {"household.laborers", "business.months"}
    desk.observe(one, {"household.laborers": "1", "business.months": "30"})
    desk.observe(one, {"household.laborers": "3"})
    after = queries.view_case(actor=desk.lead, application_id=one, on=desk.today)
    cell = next(cell for cell in after.facts if cell.code == "household.laborers")
    assert (cell.text, cell.evidence_name, cell.recorded_by) == ("3人", "交叉核对", desk.lead.name)
    assert CaseFact.objects.filter(application_id=one, code="household.laborers").count() == 3
    assert "household.laborers" not in {cell.code for cell in after.gaps}


def test_bad_observations_are_told_all_at_once_and_none_is_kept(desk: Desk) -> None:
    one = desk.to("SURVEY")
    count = CaseFact.objects.count()
    with pytest.raises(DomainError) as wrong:
        operations.record_facts(
            actor=desk.lead, key=fresh_key(), on=desk.today, application_id=one,
            observations=[
                Observation("business.months", "24", "SEEN"),
                Observation("applicant.age_years", "30", "SEEN"),
                Observation("household.laborers", "-1", "SEEN"),
                Observation("business.is_lawful", "yes", "COMPUTED"),
                Observation("loan.reasonable_need_fen", "", "SEEN"),
            ],
        )  # fmt: skip
    for words in ("由系统得出", "不能是负数", "凭什么", "没有填"):
        assert words in wrong.value.message
    assert CaseFact.objects.count() == count


def test_a_survey_with_open_questions_does_not_go_to_review(desk: Desk) -> None:
    one = desk.to("SURVEY")
    desk.observe(one, {name: text for name, text in SURVEY.items() if name != "applicant.credit_grade"})
    desk.guarantor(one)
    with pytest.raises(DomainError) as missing:
        desk.finish(one)
    assert missing.value.field == "applicant.credit_grade"
    assert case(one).step == "SURVEY"


def test_a_guarantor_over_capacity_by_a_hundred_yuan(desk: Desk) -> None:
    one = desk.to("SURVEY")
    desk.observe(one, SURVEY)
    desk.guarantor(one, annual_income_fen="59900", other_guarantees_fen="10000")
    with pytest.raises(DomainError) as over:
        desk.finish(one)
    assert (over.value.code, over.value.clause) == ("AMOUNT_OVER_LIMIT", "POL-7")
    assert "49,900.00" in over.value.message
    desk.collect(one)
    desk.finish(one, amount_fen=4_990_000)
    assert case(one).step == "REVIEW"


def test_a_guarantor_changed_stays_on_record(desk: Desk) -> None:
    one = desk.to("SURVEY")
    desk.observe(one, SURVEY)
    first = desk.guarantor(one, has_bad_record="yes")
    with pytest.raises(DomainError) as bad:
        desk.finish(one)
    assert bad.value.value == "s11.guarantor.conduct"
    operations.remove_guarantor(
        actor=desk.lead, key=fresh_key(), on=desk.today, application_id=one, guarantor_id=first, reason="有不良记录"
    )
    with pytest.raises(DomainError) as none:
        desk.finish(one)
    assert none.value.value == "s11.guarantor.count"
    desk.guarantor(one, desk.farmer(901, name="赵有田"))
    desk.collect(one)
    desk.finish(one)
    with pytest.raises(DomainError):
        desk.observe(one, {"is_parent": "no"}, guarantor_id=first)


def test_the_borrower_cannot_guarantee_himself(desk: Desk) -> None:
    one = desk.to("SURVEY")
    with pytest.raises(DomainError) as no:
        desk.guarantor(one, case(one).party_id)
    assert no.value.code == "GUARANTOR_IS_BORROWER"


def test_who_investigated_neither_reviews_nor_approves(desk: Desk, mandate: int) -> None:
    one = desk.to("REVIEW")
    as_reviewer = desk.county.grant(desk.county.person("both", name="两岗", at="B2"), "REVIEWER", at="B2")
    from sancha.apps.work.operations import record_involvement

    record_involvement(
        root_type="application",
        root_id=one,
        person_id=as_reviewer.person_id or 0,
        duty="CO_INVESTIGATOR",
        on=desk.today,
    )
    with pytest.raises(NotPermitted) as no:
        operations.pass_review(actor=as_reviewer, key=fresh_key(), on=desk.today, application_id=one, opinion="同意")
    assert (no.value.code, "审查独立于受理与调查" in no.value.message) == ("SEPARATION_OF_DUTIES", True)
    desk.review(one)
    record_involvement(
        root_type="application", root_id=one, person_id=desk.approver.person_id or 0, duty="REVIEWER", on=desk.today
    )
    with pytest.raises(NotPermitted, match="在本案已任审查人"):
        desk.close(desk.approver, one, "APPROVED")


def test_review_returns_with_a_list_and_a_new_round_is_surveyed(desk: Desk) -> None:
    one = desk.to("REVIEW")
    first = desk.task(one)
    with pytest.raises(DomainError):
        desk.close(desk.reviewer, one, "RETURNED")
    desk.close(desk.reviewer, one, "RETURNED", "补保证人收入证明；说明饲料欠款")
    found = case(one)
    assert (found.step, found.round) == ("SURVEY", 2)
    again = desk.task(one)
    assert again.reason == "退回补充：补保证人收入证明；说明饲料欠款"
    assert again.pk != first.pk
    desk.finish(one)
    desk.review(one)
    assert case(one).step == "APPROVAL"


def test_approval_freezes_elements_authority_and_ruling(desk: Desk, mandate: int) -> None:
    one = desk.to("APPROVAL")
    done = operations.approve(
        actor=desk.approver, key=fresh_key(), on=desk.today, application_id=one, opinion="同意",
        chosen=elements(amount_fen=4_000_000),
    )  # fmt: skip
    approval = Approval.objects.get(pk=done["approval_id"])
    assert (approval.amount_fen, approval.conditions) == (4_000_000, ["面签前补交收入证明"])
    assert approval.expires_on == desk.today + timedelta(days=30)
    assert approval.authority["mandate"] == "授字〔2026〕第0001号"
    assert (approval.authority["mandate_id"], approval.authority["max_fen"]) == (mandate, 5_000_000)
    assert approval.ruling.outcome == "PASS"
    assert Decision.objects.get(task__kind="S11_APPROVAL").authority["mandate_id"] == mandate
    view = queries.view_case(actor=desk.approver, application_id=one, on=desk.today)
    assert view.approval is not None
    assert (view.row.state_name, view.approval.elements.amount_fen) == ("已批复", 4_000_000)


def test_no_mandate_no_approval_and_it_says_who_could(desk: Desk, mandate: int) -> None:
    one = desk.to("APPROVAL", desk.open(amount="60000"))
    # The survey proposed 50,000; nobody may raise it, and above the mandate nobody here may sign.
    with pytest.raises(NotPermitted) as no:
        operations.approve(
            actor=desk.approver,
            key=fresh_key(),
            on=desk.today,
            application_id=one,
            chosen=elements(amount_fen=5_500_000),
        )
    assert (no.value.code, no.value.clause) == ("AUTHORITY_MISSING", "AUTHORITY-MANDATE")
    assert "授权单笔最高 50,000.00 元，本笔 55,000.00 元" in no.value.message
    assert no.value.fix == "本机构线上今天没有人能批，请先取得授权。"
    assert case(one).step == "APPROVAL"


def test_a_rejection_closes_with_its_reason(desk: Desk, mandate: int) -> None:
    one = desk.to("APPROVAL")
    desk.close(desk.approver, one, "REJECTED", "用途与经营不符")
    assert (case(one).state, case(one).closing_reason) == ("REJECTED", "用途与经营不符")


def test_every_gate_keeps_its_ruling_and_proposals_their_authors(desk: Desk, mandate: int) -> None:
    one = desk.to("APPROVAL")
    desk.close(desk.approver, one, "APPROVED")
    stages = list(Ruling.objects.filter(application_id=one).order_by("pk").values_list("stage", flat=True))
    assert stages == ["INTAKE", "REVIEW", "REVIEW", "APPROVAL"]
    authors = list(Proposal.objects.filter(application_id=one).order_by("pk").values_list("step", "by_id"))
    assert authors == [("SURVEY", desk.lead.person_id), ("REVIEW", desk.reviewer.person_id)]


def test_a_case_is_viewed_in_a_fixed_number_of_statements(desk: Desk, django_assert_max_num_queries) -> None:
    one, reader = desk.to("REVIEW"), desk.reviewer
    with django_assert_max_num_queries(25):
        queries.view_case(actor=reader, application_id=one, on=desk.today)
