"""授权书、资格证书、停权：两个人、转授不超上级、只追加、有日期、谁能看。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from sancha.apps.authority import operations, queries
from sancha.apps.authority.models import Certificate, Mandate, MandateDraft, Suspension
from sancha.apps.authority.solving import Ask
from sancha.apps.work.operations import submit_task
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.rulebook.vocabulary import GuaranteeKind
from tests.support.at_once import at_once
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county
from tests.support.mandates import certify, grant_mandate

TODAY = OPENING_DAY


def propose(actor: Actor, county: County, at: str = "B2", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "institution_id": county.ids[at], "post_code": "APPROVER", "program": "S11", "max_fen": 5_000_000,
        "max_months": 12, "valid_from": TODAY, "reason": "总行授权书〔2026〕3号",
    }  # fmt: skip
    return operations.propose_mandate(actor=actor, key=fresh_key("mandate"), on=TODAY, **(values | changes))


def decide(
    actor: Actor, task_id: int, outcome: str = "APPROVED", opinion: str = "", on: date = TODAY
) -> dict[str, Any]:
    return submit_task(actor=actor, key=fresh_key("decide"), on=on, task_id=task_id, outcome=outcome, opinion=opinion)


def able(county: County, fen: int, *, on: date = TODAY) -> list[str]:
    ask = Ask(
        f"/{county.ids['HO']}/{county.ids['B1']}/{county.ids['B2']}/{county.ids['S1']}/", "S11", "FARMER_GUARANTEE",
        GuaranteeKind.GUARANTEE, fen, 12,
    )  # fmt: skip
    answers = queries.who_may_approve(ask, posts=["APPROVER"], institution_id=county.ids["S1"], on=on)
    return [answer.seat.name for answer in answers if answer.may]


@pytest.fixture
def manager(county: County) -> Actor:
    return county.actor("BUSINESS_MANAGER")


@pytest.fixture
def head(county: County) -> Actor:
    return county.actor("DEPARTMENT_HEAD")


def test_two_people_make_a_mandate_and_nobody_checks_his_own(county: County, manager: Actor, head: Actor) -> None:
    approver = county.actor("APPROVER")
    draft = propose(manager, county)
    assert able(county, 100) == []
    both = county.grant(manager.person_id or 0, "DEPARTMENT_HEAD", at="B1")
    with pytest.raises(NotPermitted, match="两人"):
        decide(both, draft["task_id"])
    done = decide(head, draft["task_id"])
    assert done["number"] == "授字〔2026〕第0001号"
    assert able(county, 5_000_000) == [approver.name]
    assert able(county, 5_000_001) == []
    row = Mandate.objects.get(pk=done["mandate_id"])
    assert (row.recorded_by_id, row.authorized_by_id) == (manager.person_id, head.person_id)


def test_a_returned_draft_gives_nothing(county: County, manager: Actor, head: Actor) -> None:
    county.actor("APPROVER")
    draft = propose(manager, county)
    decide(head, draft["task_id"], "RETURNED", "额度过高")
    assert (Mandate.objects.count(), MandateDraft.objects.get().state) == (0, "RETURNED")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_fen": 5_000_001}, "金额超过 50,000.00 元"),
        ({"max_months": 13}, "期限超过 12 个月"),
        ({"products": ["FARMER_JOINT"]}, "产品超出"),
        ({"guarantees": []}, "担保方式超出"),
        ({"valid_to": None}, "有效期超出"),
    ],
)
def test_what_is_passed_on_stays_inside(county: County, manager: Actor, changes: dict[str, Any], words: str) -> None:
    parent = grant_mandate(
        county, at="B1", products=["FARMER_GUARANTEE"], guarantees=["GUARANTEE"], valid_to=date(2027, 1, 1)
    )
    inside: dict[str, Any] = {
        "parent_id": parent, "products": ["FARMER_GUARANTEE"], "guarantees": ["GUARANTEE"], "valid_to": date(2027, 1, 1),
    }  # fmt: skip
    with pytest.raises(DomainError) as wide:
        propose(manager, county, **(inside | changes))
    assert words in wide.value.message
    assert propose(manager, county, **inside)["draft_id"]


def test_a_branch_that_only_passes_on_needs_a_parent(county: County) -> None:
    below = county.actor("BUSINESS_MANAGER", at="B2")
    with pytest.raises(DomainError) as no:
        propose(below, county)
    assert (no.value.field, "只能转授" in no.value.message) == ("parent_id", True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"post_code": "REVIEWER"}, "post_code"),
        ({"at": "S1"}, "post_code"),
        ({"program": "S99"}, "program"),
        ({"products": ["STUDENT"]}, "products"),
        ({"person_id": 987654}, "person_id"),
        ({"guarantees": ["WORD"]}, "guarantees"),
        ({"max_fen": 0}, "max_fen"),
        ({"for_new": False, "for_repeat": False}, "for_new"),
        ({"valid_from": TODAY - timedelta(days=1)}, "valid_from"),
        ({"valid_to": TODAY}, "valid_from"),
        ({"reason": " "}, "reason"),
    ],
)
def test_bad_drafts_are_told_where(county: County, manager: Actor, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as wrong:
        propose(manager, county, **changes)
    assert wrong.value.field == field
    assert wrong.value.fix


def test_revoking_is_a_new_record_from_its_day_on(county: County, manager: Actor, head: Actor) -> None:
    approver = county.actor("APPROVER")
    mandate = grant_mandate(county)
    later = TODAY + timedelta(days=10)
    with pytest.raises(DomainError):
        operations.propose_revocation(
            actor=manager, key=fresh_key(), on=TODAY, mandate_id=mandate, valid_to=later, reason=" "
        )
    draft = operations.propose_revocation(
        actor=manager, key=fresh_key(), on=TODAY, mandate_id=mandate, valid_to=later, reason="不良上升"
    )
    with pytest.raises(Conflict):
        operations.propose_revocation(
            actor=manager, key=fresh_key(), on=TODAY, mandate_id=mandate, valid_to=later, reason="再来一次"
        )
    decide(head, draft["task_id"])
    assert able(county, 100, on=later - timedelta(days=1)) == [approver.name]
    assert able(county, 100, on=later) == []
    old = Mandate.objects.get(pk=mandate)
    assert (old.valid_to, Mandate.objects.count()) == (None, 2)
    with pytest.raises(NotFound):
        operations.propose_revocation(
            actor=manager, key=fresh_key(), on=later, mandate_id=mandate, valid_to=later, reason="已失效"
        )


def test_nothing_of_it_is_changed_in_place(county: County) -> None:
    mandate = grant_mandate(county)
    with pytest.raises(DatabaseError, match="APPEND_ONLY"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE authority_mandate SET max_fen = 1 WHERE id = %s", [mandate])


def test_no_certificate_no_survey_and_it_takes_the_training(county: County, manager: Actor) -> None:
    officer = county.actor("LOAN_OFFICER")
    person = officer.person_id or 0
    bar = queries.bars_on_investigating([person], on=TODAY)[person]
    assert (bar.code, bar.clause) == ("CERTIFICATE_MISSING", "PSBC-2014-CERTIFICATE")
    with pytest.raises(DomainError) as short:
        certify(manager, person, TODAY, practice_days=20)
    assert (short.value.field, "须满 21 天" in short.value.message) == ("practice_days", True)
    with pytest.raises(DomainError):
        certify(manager, person, TODAY, theory_passed_on=TODAY + timedelta(days=1))
    with pytest.raises(NotFound):
        certify(manager, county.actor("REVIEWER").person_id or 0, TODAY)
    certify(manager, person, TODAY, valid_to=date(2027, 3, 2))
    assert queries.bars_on_investigating([person], on=TODAY) == {}
    assert person in queries.bars_on_investigating([person], on=date(2027, 3, 2))
    certify(manager, person, TODAY)
    assert Certificate.objects.count() == 2
    assert queries.bars_on_investigating([person], on=date(2027, 3, 2)) == {}


def test_a_suspended_officer_is_barred_until_somebody_decides(county: County, manager: Actor, head: Actor) -> None:
    person = county.actor("LOAN_OFFICER").person_id or 0
    certify(manager, person, TODAY)
    given = {"actor": head, "on": TODAY, "person_id": person}
    with pytest.raises(DomainError):
        operations.suspend_officer(**given, key=fresh_key(), cause="VIOLATION", reason=" ")
    done = operations.suspend_officer(**given, key=fresh_key(), cause="NPL_RATIO", reason="不良率 3.2%，已满一个月")
    with pytest.raises(Conflict):
        operations.suspend_officer(**given, key=fresh_key(), cause="VIOLATION", reason="再停")
    bar = queries.bars_on_investigating([person], on=TODAY)[person]
    assert (bar.code, bar.clause) == ("INVESTIGATION_SUSPENDED", "PSBC-2014-SUSPENSION")
    later = TODAY + timedelta(days=40)
    operations.resume_officer(
        actor=head, key=fresh_key(), on=later, suspension_id=done["suspension_id"], reason="不良率 2.1%，抽查属实"
    )
    assert person not in queries.bars_on_investigating([person], on=later)
    assert person in queries.bars_on_investigating([person], on=later - timedelta(days=1))
    assert Suspension.objects.count() == 2
    with pytest.raises(Conflict):
        operations.resume_officer(
            actor=head, key=fresh_key(), on=later, suspension_id=done["suspension_id"], reason="再恢复"
        )


def test_the_roll_shows_who_may_not_and_only_inside_the_place(county: County, manager: Actor, head: Actor) -> None:
    able_one, barred_one = county.actor("LOAN_OFFICER"), county.actor("LOAN_OFFICER", nth=2)
    certify(manager, able_one.person_id or 0, TODAY)
    roll = queries.officer_roll(actor=head, posts=["LOAN_OFFICER"], on=TODAY)
    assert [(row.name, bool(row.bar)) for row in roll] == [(barred_one.name, True), (able_one.name, False)]
    far = county.actor("BRANCH_MANAGER", at="S9")
    assert queries.officer_roll(actor=far, posts=["LOAN_OFFICER"], on=TODAY) == []
    assert queries.list_mandates(actor=far, on=TODAY) == []


def test_a_mandate_for_one_person_names_a_holder_of_the_post(county: County, manager: Actor, head: Actor) -> None:
    first, second = county.actor("APPROVER"), county.actor("APPROVER", nth=2)
    with pytest.raises(DomainError) as wrong:
        propose(manager, county, person_id=head.person_id)
    assert wrong.value.field == "person_id"
    decide(head, propose(manager, county, person_id=second.person_id)["task_id"])
    assert able(county, 100) == [second.name] != [first.name]


def test_a_check_that_comes_late_does_not_reach_back(county: County, manager: Actor, head: Actor) -> None:
    approver = county.actor("APPROVER")
    late = TODAY + timedelta(days=3)
    granted = decide(head, propose(manager, county)["task_id"], on=late)
    assert able(county, 100, on=late - timedelta(days=1)) == []
    draft = operations.propose_revocation(
        actor=manager, key=fresh_key(), on=late, mandate_id=granted["mandate_id"], valid_to=late, reason="人员调整"
    )
    decide(head, draft["task_id"], on=late + timedelta(days=2))
    assert able(county, 100, on=late + timedelta(days=1)) == [approver.name]
    assert able(county, 100, on=late + timedelta(days=2)) == []


def test_the_board_knows_only_products_of_the_program(county: County, manager: Actor) -> None:
    with pytest.raises(DomainError) as wrong:
        queries.board(
            actor=manager, institution_id=county.ids["S1"], program="S11", product="STUDENT", guarantee="GUARANTEE",
            amount_fen=100, months=12, repeat=False, on=TODAY,
        )  # fmt: skip
    assert (wrong.value.field, "FARMER_GUARANTEE" in (wrong.value.fix or "")) == ("product", True)


@pytest.mark.django_db(transaction=True)
def test_two_desks_suspend_an_officer_once(transactional_db: None) -> None:
    county = open_county()
    officer, head = county.actor("LOAN_OFFICER"), county.actor("DEPARTMENT_HEAD")

    def suspend() -> dict[str, Any]:
        return operations.suspend_officer(
            actor=head, key=fresh_key(), on=TODAY, person_id=officer.person_id or 0, cause="VIOLATION", reason="代签"
        )

    results = at_once(suspend, suspend)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "dict"]
    assert Suspension.objects.count() == 1
