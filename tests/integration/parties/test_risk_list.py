"""风险名单：没有证据、没听过本人、没有期限的列不进去；两人决定；异议、解除、期满之后不再命中；法院名单可反复转入。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sancha.apps.parties import operations, queries
from sancha.apps.parties.models import RiskEntry, RiskReview
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from tests.integration.parties.test_households import card, office, person
from tests.support.factories_access import fresh_key
from tests.support.office import Office

pytestmark = pytest.mark.django_db
assert office, "the fixture is shared"
ONE_DAY = timedelta(days=1)
USCC = "91350100M000100Y43"
FOUND = {
    "cause": "FALSE_INFORMATION", "effect": "REFUSE", "evidence": "提交的收入证明经单位核实系伪造",
    "hearing": "三月一日面谈，本人承认找人代开",
}  # fmt: skip


def propose(office: Office, **more) -> dict:
    given = {"valid_from": office.today, "valid_to": office.today + 365 * ONE_DAY, **FOUND, **more}
    return operations.propose_risk_entry(actor=office.clerk, key=fresh_key(), on=office.today, **given)


def decide(office: Office, asked: dict, outcome: str = "APPROVED", *, actor: Actor | None = None) -> dict:
    return work.submit_task(
        actor=actor or office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=office.today,
        task_id=asked["task_id"], outcome=outcome, opinion="已核对材料",
    )  # fmt: skip


def causes(office: Office, on: date | None = None, **who) -> list[str]:
    return [hit.cause for hit in queries.hits(on=on or office.today, **who)]


def review(office: Office, entry: int, kind: str = "OBJECTION", statement: str = "证明是真的，附单位函") -> dict:
    return operations.request_risk_review(
        actor=office.clerk, key=fresh_key(), on=office.today, entry_id=entry, kind=kind, statement=statement
    )


def test_an_entry_bites_only_once_a_second_person_agreed_and_only_in_its_period(office: Office) -> None:
    who = person(office, "赵大山", 1)
    asked = propose(office, party_id=who)
    assert causes(office, party_id=who) == []
    both = office.county.grant(office.clerk.person_id, "BRANCH_MANAGER", at="S1")
    with pytest.raises(NotPermitted) as refused:
        decide(office, asked, actor=both)
    assert refused.value.code == "SEPARATION_OF_DUTIES"
    decide(office, asked)
    assert causes(office, party_id=who) == ["FALSE_INFORMATION"]
    assert causes(office, on=office.today - ONE_DAY, party_id=who) == []
    assert causes(office, on=office.today + 364 * ONE_DAY, party_id=who) == ["FALSE_INFORMATION"]
    assert causes(office, on=office.today + 365 * ONE_DAY, party_id=who) == [], "the last day is not in it"
    with pytest.raises(Conflict) as again:
        propose(office, party_id=who)
    assert again.value.code == "RISK_LISTED"


def test_what_is_returned_never_bites(office: Office) -> None:
    who = person(office, "赵大山", 1)
    decide(office, propose(office, party_id=who), "RETURNED")
    assert causes(office, party_id=who) == []
    propose(office, party_id=who)


def test_a_stranger_is_known_by_his_document_now_and_when_he_comes(office: Office) -> None:
    decide(office, propose(office, name="赵大山", id_kind="RESIDENT_ID", id_number=card(1), effect="CAUTION"))
    assert causes(office, id_kind="RESIDENT_ID", id_number=card(1).lower()) == ["FALSE_INFORMATION"]
    assert causes(office, id_kind="TEMPORARY_ID", id_number=card(1)) == ["FALSE_INFORMATION"]
    assert causes(office, id_kind="RESIDENT_ID", id_number=card(2)) == []
    assert causes(office, party_id=person(office, "赵大山", 1)) == ["FALSE_INFORMATION"]
    entry = RiskEntry.objects.get()
    assert card(1) not in str(entry.__dict__), "the number itself is nowhere"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"cause": "COURT_DISHONEST"}, "RISK_CAUSE_WRONG"),
        ({"effect": "SHAME"}, "RISK_CAUSE_WRONG"),
        ({"evidence": "人品差"}, "RISK_UNFOUNDED"),
        ({"hearing": ""}, "RISK_UNFOUNDED"),
        ({"days": 0}, "RISK_PERIOD_WRONG"),
        ({"days": -1}, "RISK_PERIOD_WRONG"),
        ({"days": 5 * 365 + 10}, "RISK_PERIOD_WRONG"),
        ({"id_number": "510823198506150010"}, "ID_NUMBER_WRONG"),
    ],
)
def test_an_unfounded_entry_is_refused(office: Office, given: dict, code: str) -> None:
    more = {"name": "赵大山", "id_kind": "RESIDENT_ID", "id_number": card(1), **given}
    if (days := more.pop("days", None)) is not None:
        more["valid_to"] = office.today + days * ONE_DAY
    with pytest.raises(DomainError) as refused:
        propose(office, **more)
    assert refused.value.code == code
    assert not RiskEntry.objects.exists()


def test_five_years_to_the_day_is_allowed(office: Office) -> None:
    who = person(office, "赵大山", 1)
    day = office.today
    propose(office, party_id=who, valid_to=date(day.year + 5, day.month, day.day))


def test_an_objection_is_decided_by_others_and_after_release_there_is_nothing_to_object_to(office: Office) -> None:
    who = person(office, "赵大山", 1)
    entry = propose(office, party_id=who)
    with pytest.raises(Conflict) as early:
        review(office, entry["entry_id"])
    assert early.value.code == "RISK_NOT_IN_FORCE"
    decide(office, entry)
    asked = review(office, entry["entry_id"])
    with pytest.raises(Conflict) as waiting:
        review(office, entry["entry_id"], "RELEASE")
    assert waiting.value.code == "REQUEST_WAITING"
    with pytest.raises(NotPermitted):
        decide(office, asked, actor=office.county.grant(office.clerk.person_id, "BRANCH_MANAGER", at="S1"))
    decide(office, asked, "RETURNED")
    assert causes(office, party_id=who) == ["FALSE_INFORMATION"], "kept, with an answer"
    assert RiskReview.objects.get().answer == "已核对材料"
    decide(office, review(office, entry["entry_id"], "RELEASE", "已还清并道歉"))
    assert causes(office, party_id=who) == []
    assert RiskEntry.objects.get().state == "RELEASED", "released, not deleted"
    with pytest.raises(Conflict) as late:
        review(office, entry["entry_id"])
    assert late.value.code == "RISK_NOT_IN_FORCE"


def court(office: Office, rows: list[dict], *, source_on: date | None = None, complete: bool = True) -> dict:
    return operations.import_court_list(
        actor=office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=office.today,
        source_on=source_on or office.today, rows=rows, complete=complete,
    )  # fmt: skip


def line(name: str = "赵大山", number: str = "", case: str = "（2025）川0822执1号", day: str = "2025-06-01") -> dict:
    return {"name": name, "id_number": number or card(1), "case": case, "published_on": day}


def test_the_court_list_may_come_again_and_who_is_off_it_is_released(office: Office) -> None:
    rows = [line(), line("大山农机公司", USCC, "（2025）川0822执2号")]
    assert court(office, rows)["counts"] == {"new": 2, "kept": 0, "released": 0, "doubtful": 0}
    assert court(office, rows)["counts"] == {"new": 0, "kept": 2, "released": 0, "doubtful": 0}
    assert causes(office, id_kind="USCC", id_number=USCC) == ["COURT_DISHONEST"]
    assert court(office, rows[:1], complete=False)["counts"]["released"] == 0, "a part says nothing of the others"
    assert court(office, rows[:1])["counts"]["released"] == 1
    assert causes(office, id_kind="USCC", id_number=USCC) == []
    assert causes(office, id_kind="RESIDENT_ID", id_number=card(1)) == ["COURT_DISHONEST"]
    assert court(office, rows)["counts"]["new"] == 1, "listed anew"
    with pytest.raises(Conflict) as old:
        court(office, rows, source_on=office.today - ONE_DAY)
    assert old.value.code == "COURT_LIST_OLD"
    with pytest.raises(Conflict) as not_ours:
        review(office, RiskEntry.objects.filter(state="IN_FORCE").first().pk)
    assert not_ours.value.code == "RISK_OF_THE_COURT"


def test_doubtful_rows_are_told_and_release_nobody(office: Office) -> None:
    court(office, [line("钱桂兰", card(2), "（2025）川0822执9号")])
    rows = [
        line(), line(), line(number=card(1)[:-1] + ("0" if card(1)[-1] != "0" else "1")),
        line(number=card(3)[:6] + "********" + card(3)[-4:]), line(number=card(4), case=""),
        line(number=card(5), day="去年"), line("", card(6)),
    ]  # fmt: skip
    result = court(office, rows)
    assert result["counts"] == {"new": 1, "kept": 0, "released": 0, "doubtful": 6}
    assert [(row["row"], row["code"]) for row in result["doubtful"]] == [
        (2, "DUPLICATE_IN_FILE"), (3, "ID_NUMBER_WRONG"), (4, "ID_NUMBER_MASKED"), (5, "CASE_MISSING"),
        (6, "DATE_WRONG"), (7, "NAME_WRONG"),
    ]  # fmt: skip
    assert causes(office, id_kind="RESIDENT_ID", id_number=card(2)) == ["COURT_DISHONEST"]


def test_who_is_listed_is_not_erased_and_afterwards_nothing_is_left(office: Office) -> None:
    who = person(office, "赵大山", 1)
    decide(office, propose(office, party_id=who))

    def erase(on: date) -> dict:
        return operations.request_erasure(
            actor=office.clerk, key=fresh_key(), on=on, party_id=who, ground="CONSENT_WITHDRAWN", reason="本人撤回同意"
        )

    with pytest.raises(Conflict) as held:
        erase(office.today)
    assert held.value.code == "ERASURE_HELD"
    assert str(office.today + 365 * ONE_DAY) in held.value.message
    later = office.today + 400 * ONE_DAY
    work.submit_task(
        actor=office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=later, task_id=erase(later)["task_id"],
        outcome="APPROVED", opinion="",
    )  # fmt: skip
    entry = RiskEntry.objects.get()
    assert (entry.name, entry.identity_digest, entry.id_shown, entry.hearing) == ("〔已删除〕", "", "", "")


def test_a_merged_file_brings_its_entries(office: Office) -> None:
    first, twin = person(office, "赵大山", 1), person(office, "赵大山", 0, id_kind="PASSPORT", id_number="E12345678")
    decide(office, propose(office, party_id=twin))
    asked = operations.request_merge(
        actor=office.clerk, key=fresh_key(), on=office.today, survivor_id=first, duplicate_id=twin,
        reason="同一人先后凭护照、身份证建档",
    )  # fmt: skip
    decide(office, asked)
    assert causes(office, party_id=first) == ["FALSE_INFORMATION"]


def test_the_list_is_two_statements(office: Office, django_assert_max_num_queries) -> None:
    court(office, [line(case=f"（2025）川0822执{number}号") for number in range(30)])
    with django_assert_max_num_queries(2):
        page = queries.list_risks(actor=office.clerk, filters=queries.RiskFilter(cause="COURT_DISHONEST"), size=20)
    assert len(page.rows) == 20
