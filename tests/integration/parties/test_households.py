"""家庭：谁与谁同户、哪天起哪天止；一人一户，家长里短都留着；并档与删除跟着走。"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from stdnum.cn import ric

from sancha.apps.parties import operations, queries
from sancha.apps.parties.models import HouseholdMember, Party
from sancha.apps.parties.operations.registering import SEQUENCE
from sancha.apps.work import operations as work
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.models import NumberSequence
from tests.support.factories_access import OPENING_DAY, fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db
ONE_DAY = timedelta(days=1)


def card(serial: int) -> str:
    """第几个人的身份证号。"""
    body = f"51082319850615{serial:03d}"
    return body + ric.calc_check_digit(body + "0")


@pytest.fixture
def office(db: None) -> Office:
    opened = open_office()
    NumberSequence.objects.update_or_create(name=SEQUENCE, defaults={"last": 100})
    return opened


def person(office: Office, name: str, serial: int, **more) -> int:
    given = {"kind": "FARMER", "id_kind": "RESIDENT_ID", "id_number": card(serial), **more}
    return int(
        operations.register_party(actor=office.clerk, key=fresh_key(), on=office.today, name=name, **given)["party_id"]
    )


def opened(office: Office, head: int, **more) -> int:
    given = {"valid_from": office.today, **more}
    return int(
        operations.open_household(actor=office.clerk, key=fresh_key(), on=office.today, head_id=head, **given)[
            "household_id"
        ]
    )


def join(office: Office, household: int, **more) -> int:
    given = {"role": "OTHER", "labors": True, "valid_from": office.today, **more}
    return int(
        operations.add_household_member(
            actor=office.clerk, key=fresh_key(), on=office.today, household_id=household, **given
        )["member_id"]
    )


def leave(office: Office, household: int, member: int, **more) -> None:
    given = {"valid_to": office.today, "reason": "分户另过", **more}
    operations.end_household_member(
        actor=office.clerk, key=fresh_key(), on=office.today, household_id=household, member_id=member, **given
    )


def test_a_household_has_its_account_its_members_and_its_laborers(office: Office) -> None:
    head, wife = person(office, "赵大山", 1), person(office, "钱桂兰", 2)
    home = opened(office, head, book_number="510822001")
    join(office, home, party_id=wife, role="SPOUSE")
    join(office, home, name="赵小山", role="CHILD", labors=False)
    found = queries.household_of(wife, on=office.today)
    assert found is not None
    assert (found.id, found.name, found.laborers) == (home, "赵大山户", 2)
    assert [(row.name, row.role) for row in found.members] == [
        ("赵大山", "HEAD"), ("钱桂兰", "SPOUSE"), ("赵小山", "CHILD"),
    ]  # fmt: skip
    assert set(queries.household_party_ids(head, on=office.today)) == {head, wife, home}
    assert queries.spouse_ids(head, on=office.today) == (wife,)
    assert queries.household_id_of(home, on=office.today) == home, "the account answers for itself"


def test_membership_is_of_a_day_and_what_was_is_kept(office: Office) -> None:
    head, son = person(office, "赵大山", 1), person(office, "赵小山", 2)
    since = office.today - 10 * ONE_DAY
    home = opened(office, head, valid_from=since)
    member = join(office, home, party_id=son, role="CHILD", valid_from=since)
    leave(office, home, member)
    assert queries.household_id_of(son, on=office.today - ONE_DAY) == home
    assert queries.household_id_of(son, on=office.today) is None, "the day of leaving no longer counts"
    own = opened(office, son)
    assert queries.household_id_of(son, on=office.today) == own
    assert HouseholdMember.objects.filter(party_id=son).count() == 3, "nothing was overwritten"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"name": "赵小山", "role": "CHILD"}, "MEMBER_TWICE"),
        ({"party": "head", "role": "OTHER"}, "MEMBER_TWICE"),
        ({"party": "other", "role": "OTHER"}, "IN_ANOTHER_HOUSEHOLD"),
        ({"party": "company", "role": "OTHER"}, "MEMBER_NOT_A_PERSON"),
        ({"name": "钱桂兰", "role": "HEAD"}, "HOUSEHOLD_ROLE_TAKEN"),
        ({"name": "钱桂兰", "role": "NEIGHBOR"}, "HOUSEHOLD_ROLE_UNKNOWN"),
        ({"role": "CHILD"}, "MEMBER_UNNAMED"),
        ({"party": "free", "name": "孙二", "role": "CHILD"}, "MEMBER_UNNAMED"),
        ({"name": "孙二", "role": "CHILD", "days": 1}, "DATE_WRONG"),
        ({"party": "nobody", "role": "CHILD"}, "PARTY_NOT_FOUND"),
    ],
)
def test_a_member_that_does_not_fit_is_refused(office: Office, given: dict, code: str) -> None:
    head, other = person(office, "赵大山", 1), person(office, "孙二", 2)
    home = opened(office, head)
    join(office, home, name="赵小山", role="CHILD", labors=False)
    opened(office, other)
    people = {"head": head, "other": other, "free": person(office, "李四", 3), "nobody": 10**9}
    people["company"] = person(
        office, "大山农机公司", 0, kind="COMPANY", id_kind="USCC", id_number="91350100M000100Y43"
    )
    more = {name: value for name, value in given.items() if name in {"name", "role"}}
    if "party" in given:
        more["party_id"] = people[given["party"]]
    before = HouseholdMember.objects.count()
    with pytest.raises(DomainError) as refused:
        join(office, home, **more, valid_from=office.today + given.get("days", 0) * ONE_DAY)
    assert refused.value.code == code
    assert HouseholdMember.objects.count() == before


def test_leaving_needs_a_reason_and_a_day_after_joining(office: Office) -> None:
    home = opened(office, person(office, "赵大山", 1))
    member = join(office, home, name="赵小山", role="CHILD")
    for more, code in (
        ({"reason": "分"}, "REASON_MISSING"),
        ({"valid_to": office.today - ONE_DAY}, "VALID_TO_TOO_EARLY"),
        ({"valid_to": office.today + ONE_DAY}, "DATE_WRONG"),
        ({"member": 10**9}, "RECORD_NOT_FOUND"),
    ):
        with pytest.raises(DomainError) as refused:
            leave(office, home, more.pop("member", member), **more)
        assert refused.value.code == code
    leave(office, home, member)
    with pytest.raises(NotFound):
        leave(office, home, member)


def test_one_booklet_opens_one_household(office: Office) -> None:
    opened(office, person(office, "赵大山", 1), book_number="510822001")
    with pytest.raises(Conflict) as refused:
        opened(office, person(office, "钱桂兰", 2), book_number="510822001")
    assert refused.value.code == "HOUSEHOLD_BOOK_TAKEN"
    with pytest.raises(DomainError) as wrong:
        opened(office, person(office, "钱桂兰", 2), book_number="?")
    assert wrong.value.code == "ID_NUMBER_WRONG"


def test_parents_do_not_run_in_a_circle(office: Office) -> None:
    old, middle, young = (person(office, name, i) for i, name in enumerate(("赵一", "赵二", "赵三"), start=1))

    def relate(party: int, other: int, kind: str) -> None:
        operations.add_relation(
            actor=office.clerk, key=fresh_key(), on=office.today, party_id=party, other_id=other, kind=kind,
            valid_from=office.today,
        )  # fmt: skip

    relate(middle, old, "PARENT")
    relate(middle, young, "CHILD")
    assert queries.ancestor_ids(young, on=office.today) == {young, middle, old}
    for party, other, kind in ((old, young, "PARENT"), (young, old, "CHILD"), (old, middle, "PARENT")):
        with pytest.raises(DomainError) as refused:
            relate(party, other, kind)
        assert refused.value.code == "PARENTS_IN_CIRCLE"


def decide(office: Office, asked: dict) -> None:
    work.submit_task(
        actor=office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=office.today, task_id=asked["task_id"],
        outcome="APPROVED", opinion="",
    )  # fmt: skip


def test_a_merged_file_keeps_its_household_and_two_households_must_be_settled_first(office: Office) -> None:
    first, twin = person(office, "赵大山", 1), person(office, "赵大山", 0, id_kind="PASSPORT", id_number="E12345678")
    home = opened(office, twin)

    def ask() -> dict:
        return operations.request_merge(
            actor=office.clerk, key=fresh_key(), on=office.today, survivor_id=first, duplicate_id=twin,
            reason="同一人先后凭护照、身份证建档",
        )  # fmt: skip

    second = opened(office, first)
    with pytest.raises(Conflict) as refused:
        ask()
    assert refused.value.code == "MERGE_TWO_HOUSEHOLDS"
    leave(office, second, HouseholdMember.objects.get(party_id=first).pk)
    decide(office, ask())
    found = queries.household_of(first, on=office.today)
    assert found is not None
    assert [(row.party_id, row.role) for row in found.members] == [(first, "HEAD")]
    assert found.id == home
    assert set(queries.household_party_ids(first, on=office.today)) == {first, twin, home}
    with pytest.raises(Conflict):
        join(office, home, party_id=twin, role="OTHER")


def test_an_erased_head_leaves_no_name_on_the_household(office: Office) -> None:
    head = person(office, "赵大山", 1)
    home = opened(office, head)
    join(office, home, name="钱桂兰", role="SPOUSE")
    for party in (head, home):
        decide(
            office,
            operations.request_erasure(
                actor=office.clerk, key=fresh_key(), on=office.today, party_id=party, ground="CONSENT_WITHDRAWN",
                reason="本人撤回同意",
            ),
        )  # fmt: skip
        if party == head:
            assert Party.objects.get(pk=home).name == "〔已删除〕户"
            assert queries.search(actor=office.clerk, text="大山") == []
            assert HouseholdMember.objects.get(role="SPOUSE").name == "钱桂兰", "another person"
    assert HouseholdMember.objects.get(role="SPOUSE").name == "〔已删除〕"


@pytest.mark.django_db(transaction=True)
def test_two_desks_do_not_open_two_households_for_one_head(county) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("测试用的内存 SQLite 共享缓存，遇锁立即报错而不等待；并发在 PostgreSQL 上验证")
    actor = county.actor("LOAN_OFFICER")
    head = operations.register_party(
        actor=actor, key=fresh_key(), on=OPENING_DAY, kind="FARMER", name="赵大山", id_kind="RESIDENT_ID",
        id_number=card(1),
    )["party_id"]  # fmt: skip
    start, codes = threading.Barrier(2), []

    def attempt() -> None:
        try:
            start.wait()
            operations.open_household(
                actor=actor, key=fresh_key(), on=OPENING_DAY, head_id=head, valid_from=OPENING_DAY
            )
            codes.append("OK")
        except DomainError as error:
            codes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["IN_ANOTHER_HOUSEHOLD", "OK"]
