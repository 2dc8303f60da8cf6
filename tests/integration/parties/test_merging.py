"""客户合并：一人两档并成一档，借据与往来归存续的一档，旧客户号照样查得到；两人办理。"""

from __future__ import annotations

import pytest

from sancha.apps.parties import operations, queries
from sancha.apps.parties.models import MergeRequest, Party
from sancha.apps.parties.operations.registering import SEQUENCE
from sancha.apps.servicing.models import Loan
from sancha.apps.servicing.queries import loans_of_party
from sancha.apps.work import operations as work
from sancha.apps.work.models import Task
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import AuditEvent, NumberSequence
from tests.support.factories_access import fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db
ID = "110105194912310054"


@pytest.fixture
def office(db: None) -> Office:
    opened = open_office()
    NumberSequence.objects.update_or_create(name=SEQUENCE, defaults={"last": 100})
    return opened


def register(office: Office, name: str = "欧阳靖琪", *, id_kind: str = "RESIDENT_ID", number: str = ID) -> int:
    return int(
        operations.register_party(
            actor=office.clerk, key=fresh_key(), on=office.today, kind="FARMER", name=name, id_kind=id_kind,
            id_number=number,
        )["party_id"]
    )  # fmt: skip


@pytest.fixture
def two(office: Office) -> tuple[int, int]:
    """同一个人的两档：身份证一档，护照一档。"""
    return register(office), register(office, id_kind="PASSPORT", number="E12345678")


def ask(office: Office, survivor: int, duplicate: int, **more):
    return operations.request_merge(
        **{"actor": office.clerk, "key": fresh_key(), "on": office.today, "survivor_id": survivor,
           "duplicate_id": duplicate, "reason": "同一人先后凭护照、身份证建档", **more}
    )  # fmt: skip


def decide(office: Office, asked, *, outcome: str = "APPROVED", opinion: str = "", actor=None):
    return work.submit_task(
        actor=actor or office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=office.today,
        task_id=asked["task_id"], outcome=outcome, opinion=opinion,
    )  # fmt: skip


def test_loans_links_and_the_old_number_lead_to_the_survivor(office: Office, two: tuple[int, int]) -> None:
    survivor, duplicate = two
    old_number = Party.objects.get(pk=duplicate).number
    loan_id = office.lend()
    Loan.objects.filter(pk=loan_id).update(party_id=duplicate)
    given = {"actor": office.clerk, "on": office.today}
    operations.add_contact(**given, key=fresh_key(), party_id=duplicate, channel="MOBILE", value="13912345678")
    operations.add_relation(
        **given, key=fresh_key(), party_id=duplicate, other_id=office.lending.party_id, kind="SPOUSE",
        valid_from=office.today,
    )  # fmt: skip
    operations.add_relation(
        **given, key=fresh_key(), party_id=survivor, other_id=duplicate, kind="SIBLING", valid_from=office.today
    )
    operations.record_fact(
        **given,
        key=fresh_key(),
        party_id=duplicate,
        topic="visit.finding",
        content={"text": "养蜂二十箱"},
        source="SEEN",
    )
    decide(office, ask(office, survivor, duplicate))

    actor = office.clerk
    assert [loan.id for loan in loans_of_party(actor=actor, party_id=survivor, today=office.today)] == [loan_id]
    assert queries.party_ids([old_number]) == {old_number: survivor}
    assert queries.party_in_scope(actor, duplicate).pk == survivor
    assert [row.id for row in queries.search(actor=actor, text=old_number)] == [survivor]
    assert [row.id for row in queries.search(actor=actor, text="欧阳靖")] == [survivor]
    found = queries.party_detail(actor=actor, party_id=survivor, on=office.today)
    assert found.former_numbers == (old_number,)
    assert [row.value for row in found.contacts] == ["139****5678"]
    assert [(row.kind, row.other_id) for row in found.relations] == [("SPOUSE", office.lending.party_id)]
    assert {entry.topic for entry in found.entries} == {"visit.finding", "party.merged"}
    spouse = queries.relations_of(party_id=office.lending.party_id, on=office.today)
    assert [row.other_id for row in spouse] == [survivor], "the other side sees the survivor, too"
    assert office.problems() == [], "not a fen moved"

    record = MergeRequest.objects.get()
    assert (record.state, record.moved["servicing_loan"]) == ("DONE", 1)
    event = AuditEvent.objects.get(operation="parties.decide_merge")
    assert event.data["duplicate_id"] == duplicate
    assert event.subject == f"party:{survivor}"


def test_tasks_follow_and_a_chain_of_merges_resolves_in_one_step(office: Office, two: tuple[int, int]) -> None:
    survivor, duplicate = two
    first = register(office, id_kind="PASSPORT", number="E76543210")
    number = Party.objects.get(pk=first).number
    decide(office, ask(office, duplicate, first))
    decide(office, ask(office, survivor, duplicate))
    assert queries.party_ids([number]) == {number: survivor}
    assert set(Task.objects.exclude(party_id=None).values_list("party_id", flat=True)) == {survivor}
    assert queries.family_ids(survivor) == (survivor, *sorted([duplicate, first]))


def test_the_survivor_takes_the_identity_if_it_has_none(office: Office) -> None:
    bare = int(
        operations.register_party(
            actor=office.clerk, key=fresh_key(), on=office.today, kind="HOUSEHOLD", name="欧阳家", id_kind="ABSENT"
        )["party_id"]
    )
    booklet = int(
        operations.register_party(
            actor=office.clerk, key=fresh_key(), on=office.today, kind="HOUSEHOLD", name="欧阳家",
            id_kind="HOUSEHOLD_BOOK", id_number="510822001",
        )["party_id"]
    )  # fmt: skip
    decide(office, ask(office, bare, booklet))
    again = operations.register_party(
        actor=office.clerk, key=fresh_key(), on=office.today, kind="HOUSEHOLD", name="欧阳家",
        id_kind="HOUSEHOLD_BOOK", id_number="510822001",
    )  # fmt: skip
    assert (again["party_id"], again["existing"]) == (bare, True)


def test_the_second_person_is_another_and_may_return_it(office: Office, two: tuple[int, int]) -> None:
    asked = ask(office, *two)
    with pytest.raises(Conflict) as waiting:
        ask(office, two[1], two[0])
    assert waiting.value.code == "REQUEST_WAITING"
    both = office.county.grant(office.clerk.person_id, "BRANCH_MANAGER", at="S1")
    with pytest.raises(NotPermitted) as refused:
        decide(office, asked, actor=both)
    assert refused.value.code == "SEPARATION_OF_DUTIES"
    decide(office, asked, outcome="RETURNED", opinion="不是同一人")
    assert Party.objects.get(pk=two[1]).merged_into_id is None
    ask(office, *two)


def test_what_was_erased_or_merged_meanwhile_stops_it(office: Office, two: tuple[int, int]) -> None:
    asked = ask(office, *two)
    Party.objects.filter(pk=two[1]).update(erased_on=office.today)
    with pytest.raises(Conflict) as refused:
        decide(office, asked)
    assert refused.value.code == "MERGE_OUTDATED"


def test_an_erasure_takes_the_merged_file_along(office: Office, two: tuple[int, int]) -> None:
    decide(office, ask(office, *two))
    erasure = operations.request_erasure(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=two[0], ground="CONSENT_WITHDRAWN",
        reason="本人撤回同意",
    )  # fmt: skip
    decide(office, erasure)
    for party in Party.objects.filter(pk__in=two):
        assert (party.name, party.id_number) == ("〔已删除〕", "")


@pytest.mark.parametrize(
    ("change", "code"), [("self", "MERGE_WITH_SELF"), ("kind", "MERGE_KINDS_DIFFER"), ("reason", "REASON_MISSING")]
)
def test_what_cannot_be_merged_is_refused(office: Office, two: tuple[int, int], change: str, code: str) -> None:
    survivor, duplicate = two
    if change == "kind":
        Party.objects.filter(pk=duplicate).update(kind="STUDENT")
    given = {"reason": "重"} if change == "reason" else {}
    with pytest.raises(DomainError) as refused:
        ask(office, survivor, survivor if change == "self" else duplicate, **given)
    assert refused.value.code == code


def test_a_file_out_of_scope_is_not_found(office: Office, two: tuple[int, int]) -> None:
    with pytest.raises(NotFound):
        ask(office, *two, actor=office.county.actor("LOAN_OFFICER", at="S9"))
