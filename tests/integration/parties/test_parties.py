"""客户：登记、一人一档、变更留痕、关系、信用档案、查看明文、查找与范围。"""

from __future__ import annotations

import json
from datetime import date

import pytest
from stdnum.cn import ric

from sancha.apps.parties import operations, queries
from sancha.apps.parties.models import Party, PartyBigram, PartyFileEntry, PartyReveal
from sancha.apps.parties.queries import PartyFilter
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import AuditEvent, Idempotency
from tests.support.factories_access import OPENING_DAY, fresh_key

SAMPLE = "11010519491231002X"
LATER = date(2026, 4, 1)


def card(order: int, birth: str = "19850615", region: str = "510823") -> str:
    """造一个校验码正确的身份证号。"""
    body = f"{region}{birth}{order:03d}"
    return body + ric.calc_check_digit(body + "0")


def register(actor, **changes):
    row = {"kind": "FARMER", "name": "王伟", "id_kind": "RESIDENT_ID", "id_number": card(1), "phone": "13800138001"}
    return operations.register_party(actor=actor, key=fresh_key("party"), on=OPENING_DAY, **(row | changes))


@pytest.fixture
def officer(county):
    return county.actor("LOAN_OFFICER")


@pytest.fixture
def far_officer(county):
    return county.actor("LOAN_OFFICER", at="S9")


# 登记 -------------------------------------------------------------------------------------------------------


def test_registering_gives_a_number_and_what_the_card_says(officer):
    first = register(officer)
    second = register(officer, name="李娜", id_number=card(2))

    assert (first["number"], second["number"]) == ("C0000000001", "C0000000002")
    assert first["existing"] is False
    party = Party.objects.get(pk=first["party_id"])
    assert (party.birth, party.gender, party.institution_id) == (date(1985, 6, 15), "MALE", officer.institution_id)


def test_one_person_is_one_record_in_every_branch(officer, far_officer):
    first = register(officer)
    again = register(far_officer, id_kind="TEMPORARY_ID", phone="13900139001")

    assert (again["party_id"], again["existing"]) == (first["party_id"], True)
    assert Party.objects.count() == 1
    detail = queries.party_detail(actor=far_officer, party_id=first["party_id"], on=OPENING_DAY)
    assert detail.presences == ("北坪支行",)
    assert detail.institution_name == "柳溪支行"
    assert detail.row.phone == "138****8001"
    (claimed,) = detail.entries
    assert claimed.content == {"field": "phone", "claimed": "139****9001"}


def test_the_same_number_under_another_name_is_refused_without_telling_the_name(officer):
    register(officer)
    with pytest.raises(Conflict) as caught:
        register(officer, name="李四")
    assert caught.value.code == "IDENTITY_TAKEN"
    assert "王伟" not in caught.value.message
    assert card(1) not in caught.value.message
    assert Party.objects.count() == 1


def test_households_and_groups_need_no_paper(officer):
    first = register(officer, kind="GROUP", name="柳溪三组联保", id_kind="ABSENT", id_number="")
    second = register(officer, kind="GROUP", name="柳溪三组联保", id_kind="ABSENT", id_number="")
    assert first["party_id"] != second["party_id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id_number": "110105194912310021"}, "ID_NUMBER_WRONG"),
        ({"officer_id": 987_654}, "OFFICER_NOT_FOUND"),
        ({"kind": "ROBOT"}, "CUSTOMER_KIND_UNKNOWN"),
    ],
)
def test_a_doubtful_registration_writes_nothing(officer, change, code):
    with pytest.raises(DomainError) as caught:
        register(officer, **change)
    assert caught.value.code == code
    assert Party.objects.count() == 0


def test_registering_for_another_branch_is_refused(officer, county):
    with pytest.raises(DomainError) as caught:
        register(officer, institution_id=county.ids["S9"])
    assert caught.value.code == "INSTITUTION_NOT_FOUND"


def test_who_may_not_edit_may_not_register(county):
    with pytest.raises(NotPermitted):
        register(county.actor("AUDITOR"))


def test_personal_data_stays_out_of_the_technical_tables(officer):
    register(officer, name="王伟", address="四川省广元市剑阁县柳溪镇3组")
    stored = json.dumps(
        [
            list(Idempotency.objects.values_list("result", flat=True)),
            list(AuditEvent.objects.values_list("data", "subject")),
        ]
    )
    for secret in (card(1), "13800138001", "柳溪镇"):
        assert secret not in stored


def test_a_registration_costs_few_statements(officer, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):  # 2 of them are the savepoint of the test itself
        register(officer)


# 变更与档案 ---------------------------------------------------------------------------------------------------


def amend(actor, party_id, changes, on=LATER, **more):
    given = {"key": fresh_key("amend"), "on": on, "party_id": party_id, "changes": changes, "reason": "本人到店变更"}
    return operations.amend_party(actor=actor, **(given | more))


def test_nothing_is_overwritten_without_a_trace(officer):
    party_id = register(officer)["party_id"]
    result = amend(officer, party_id, {"phone": "13900139999", "name": "王卫"}, source="SEEN")

    assert sorted(result["changed"]) == ["name", "phone"]
    party = Party.objects.get(pk=party_id)
    assert (party.name, party.phone) == ("王卫", "13900139999")
    kept = {entry.content["field"]: entry for entry in PartyFileEntry.objects.filter(party_id=party_id)}
    assert kept["phone"].content == {"field": "phone", "before": "13800138001", "after": "13900139999"}
    assert kept["name"].content["before"] == "王伟"
    assert (kept["name"].source, kept["name"].note, kept["name"].booked_on) == ("SEEN", "本人到店变更", LATER)
    shown = queries.party_detail(actor=officer, party_id=party_id, on=LATER).entries
    assert {e.content["after"] for e in shown if e.content["field"] == "phone"} == {"139****9999"}


def test_a_new_name_is_found_and_the_old_is_not(officer):
    party_id = register(officer)["party_id"]
    amend(officer, party_id, {"name": "欧阳修文"})

    assert [row.id for row in queries.search(actor=officer, text="修文")] == [party_id]
    assert queries.search(actor=officer, text="王伟") == []


def test_a_new_id_number_brings_its_birth_and_gender(officer):
    party_id = register(officer)["party_id"]
    amend(officer, party_id, {"id_number": SAMPLE})
    party = Party.objects.get(pk=party_id)
    assert (party.birth, party.gender, party.identity_key) == (date(1949, 12, 31), "FEMALE", f"RIC:{SAMPLE}")


@pytest.mark.parametrize(
    ("changes", "more", "code"),
    [
        ({"phone": "1"}, {}, "PHONE_WRONG"),
        ({"phone": "13800138001"}, {}, "NOTHING_CHANGED"),
        ({"phone": "13800138002"}, {"reason": " "}, "REASON_MISSING"),
        ({"phone": "13800138002"}, {"source": "RUMOR"}, "SOURCE_UNKNOWN"),
        ({"officer_id": 987_654}, {}, "OFFICER_NOT_FOUND"),
        ({"number": "C0000000009"}, {}, "FIELD_UNKNOWN"),
    ],
)
def test_a_doubtful_change_is_refused(officer, changes, more, code):
    party_id = register(officer)["party_id"]
    with pytest.raises(DomainError) as caught:
        amend(officer, party_id, changes, **more)
    assert caught.value.code == code
    assert not PartyFileEntry.objects.exists()


def test_a_change_to_anothers_number_is_refused(officer):
    register(officer)
    other = register(officer, name="李娜", id_number=card(2))["party_id"]
    with pytest.raises(Conflict) as caught:
        amend(officer, other, {"id_number": card(1)})
    assert caught.value.code == "IDENTITY_TAKEN"


def test_a_customer_of_another_branch_is_not_there(officer, far_officer):
    party_id = register(officer)["party_id"]
    for act in (
        lambda: amend(far_officer, party_id, {"phone": "13900139999"}),
        lambda: queries.party_detail(actor=far_officer, party_id=party_id, on=OPENING_DAY),
        lambda: operations.reveal_party(
            actor=far_officer, key=fresh_key(), on=OPENING_DAY, party_id=party_id, fields=["phone"], reason="核实申请"
        ),
    ):
        with pytest.raises(NotFound):
            act()
    assert queries.list_parties(actor=far_officer, filters=PartyFilter()).total == 0


def test_facts_are_added_and_corrected_never_changed(officer):
    party_id = register(officer)["party_id"]

    def record(**changes):
        given = {
            "key": fresh_key("fact"),
            "on": LATER,
            "party_id": party_id,
            "topic": "income.year",
            "source": "CLAIMED",
        }
        return operations.record_fact(actor=officer, **(given | changes))

    first = record(content={"amount_fen": 8_000_000})["entry_id"]
    record(content={"amount_fen": 6_000_000}, source="CROSS_CHECKED", corrects=first)
    shown = queries.party_detail(actor=officer, party_id=party_id, on=LATER).entries
    assert [(e.content["amount_fen"], e.source_name, e.corrects_id) for e in shown] == [
        (6_000_000, "交叉核对", first),
        (8_000_000, "自述", None),
    ]
    other = register(officer, name="李娜", id_number=card(2))["party_id"]
    with pytest.raises(NotFound):
        record(party_id=other, content={}, corrects=first)
    with pytest.raises(DomainError):
        record(topic="Income Year", content={})


# 关系与联系方式 -----------------------------------------------------------------------------------------------


def test_a_relation_is_seen_from_both_ends_and_ends_by_a_new_record(officer):
    husband = register(officer)["party_id"]
    wife = register(officer, name="李娜", id_number=card(2))["party_id"]

    def relate(**changes):
        given = {"key": fresh_key("relation"), "on": OPENING_DAY, "party_id": husband, "other_id": wife}
        return operations.add_relation(
            actor=officer, **(given | {"kind": "SPOUSE", "valid_from": date(2010, 5, 1)} | changes)
        )

    relation = relate()["relation_id"]
    with pytest.raises(Conflict):
        relate()
    with pytest.raises(DomainError):
        relate(other_id=husband)
    with pytest.raises(DomainError):
        relate(kind="FRIEND")
    (seen,) = queries.relations_of(party_id=wife, on=OPENING_DAY)
    assert (seen.other_name, seen.kind_name, seen.inverse) == ("王伟", "配偶", True)

    operations.end_relation(
        actor=officer,
        key=fresh_key(),
        on=LATER,
        party_id=husband,
        relation_id=relation,
        valid_to=date(2026, 3, 20),
        reason="离婚证已核验",
    )
    assert len(queries.relations_of(party_id=husband, on=date(2026, 3, 19))) == 1
    assert queries.relations_of(party_id=husband, on=date(2026, 3, 20)) == []
    known = queries.relations_of(party_id=husband, on=date(2026, 3, 25), known_on=OPENING_DAY)
    assert len(known) == 1
    with pytest.raises(NotFound):
        operations.end_relation(
            actor=officer,
            key=fresh_key(),
            on=LATER,
            party_id=husband,
            relation_id=relation,
            valid_to=LATER,
            reason="再结束一次",
        )
    relate(valid_from=LATER, on=LATER)


def test_a_replaced_contact_is_no_longer_current(officer):
    party_id = register(officer)["party_id"]

    def add(value, on, **more):
        return operations.add_contact(
            actor=officer,
            key=fresh_key(),
            on=on,
            party_id=party_id,
            channel="MOBILE",
            value=value,
            holder="母亲",
            **more,
        )

    old = add("13700137000", OPENING_DAY)
    assert old["shown"] == "137****7000"
    add("13600136000", LATER, replaces=old["contact_id"])
    values = [row.value for row in queries.party_detail(actor=officer, party_id=party_id, on=LATER).contacts]
    assert values == ["136****6000"]
    with pytest.raises(DomainError):
        operations.add_contact(actor=officer, key=fresh_key(), on=LATER, party_id=party_id, channel="TELEX", value="1")


# 查看明文 -----------------------------------------------------------------------------------------------------


def reveal(actor, party_id, **changes):
    given = {"key": fresh_key("reveal"), "on": OPENING_DAY, "fields": ["id_number", "phone"], "reason": "电话核实申请"}
    return operations.reveal_party(actor=actor, party_id=party_id, **(given | changes))


def test_seeing_in_the_clear_is_an_act_on_record(officer):
    party_id = register(officer)["party_id"]
    shown = reveal(officer, party_id)

    assert shown["clear"] == {"id_number": card(1), "phone": "13800138001"}
    record = PartyReveal.objects.get()
    assert (record.person_id, record.fields, record.reason) == (
        officer.person_id,
        ["id_number", "phone"],
        "电话核实申请",
    )
    event = AuditEvent.objects.get(operation="parties.record_reveal")
    assert event.subject == f"party:{party_id}"
    kept = json.dumps([list(Idempotency.objects.values_list("result", flat=True)), event.data])
    assert card(1) not in kept
    assert "13800138001" not in kept


def test_a_repeat_is_one_record(officer):
    party_id = register(officer)["party_id"]
    assert reveal(officer, party_id, key="again")["clear"] == reveal(officer, party_id, key="again")["clear"]
    assert PartyReveal.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": "看"}, "REASON_MISSING"),
        ({"fields": []}, "REVEAL_FIELD_WRONG"),
        ({"fields": ["name"]}, "REVEAL_FIELD_WRONG"),
    ],
)
def test_no_reason_no_clear_text(officer, changes, code):
    party_id = register(officer)["party_id"]
    with pytest.raises(DomainError) as caught:
        reveal(officer, party_id, **changes)
    assert caught.value.code == code
    assert not PartyReveal.objects.exists()


def test_who_may_not_reveal_sees_only_stars(county, officer):
    party_id = register(officer)["party_id"]
    cashier = county.actor("CASHIER")
    with pytest.raises(NotPermitted):
        reveal(cashier, party_id)
    assert operations.reveal_party.permission == "parties.reveal"


# 查找 -------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(officer):
    names = ["王伟", "王伟民", "张王伟", "伟大王", "欧阳修文", "阿依努尔·买买提", "柳溪镇伟王农资有限公司"]
    return {
        name: register(officer, name=name, id_number=card(n), phone=f"1380013{n:04d}")["party_id"]
        for n, name in enumerate(names)
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("王伟", ["王伟", "王伟民", "张王伟"]),
        ("修文", ["欧阳修文"]),
        ("欧阳修", ["欧阳修文"]),
        ("欧", ["欧阳修文"]),
        ("努尔•买买", ["阿依努尔·买买提"]),
        ("农资", ["柳溪镇伟王农资有限公司"]),
        ("王伟王", []),
        ("C0000000005", ["欧阳修文"]),
        ("13800130004", ["欧阳修文"]),
        ("1380013", []),
        ("%", []),
    ],
)
def test_search(officer, people, text, found):
    assert sorted(row.name for row in queries.search(actor=officer, text=text)) == sorted(found)


def test_the_exact_name_comes_first(officer, people):
    (first,) = queries.search(actor=officer, text="王伟", limit=1)
    assert first.name == "王伟"


def test_search_by_the_whole_id_number(officer, people):
    assert [row.name for row in queries.search(actor=officer, text=card(4).lower())] == ["欧阳修文"]
    assert queries.search(actor=officer, text=card(4)[:10]) == []


def test_a_person_is_found_by_the_whole_number_from_any_branch(far_officer, officer, people):
    found = queries.find_by_id_number(actor=far_officer, id_kind="TEMPORARY_ID", id_number=card(4))
    assert (found.name, found.id_number) == ("欧阳修文", f"{card(4)[:6]}********{card(4)[-4:]}")
    assert queries.find_by_id_number(actor=far_officer, id_kind="RESIDENT_ID", id_number=card(999)) is None


def test_a_list_costs_two_statements_and_is_masked(officer, people, django_assert_num_queries):
    with django_assert_num_queries(2):
        page = queries.list_parties(actor=officer, filters=PartyFilter(text="王伟", kind="FARMER"), page=1, size=2)
    assert (page.total, len(page.rows), page.pages) == (3, 2, 2)
    assert all("*" in row.id_number and "*" in row.phone for row in page.rows)


def test_the_head_office_sees_all_and_a_branch_its_own(county, people):
    assert queries.list_parties(actor=county.actor("DEPARTMENT_HEAD"), filters=PartyFilter()).total == len(people)
    assert queries.list_parties(actor=county.actor("LOAN_OFFICER", at="S9"), filters=PartyFilter()).total == 0


def test_a_detail_does_not_cost_more_when_the_file_is_long(officer, people, django_assert_max_num_queries):
    party_id = people["王伟"]
    operations.append_facts(
        actor=officer,
        on=LATER,
        facts=[{"party_id": party_id, "topic": "visit.note", "content": {"n": n}, "source": "SEEN"} for n in range(60)],
    )
    with django_assert_max_num_queries(8):
        detail = queries.party_detail(actor=officer, party_id=party_id, on=LATER)
    assert len(detail.entries) == 60


def test_other_apps_filter_by_a_subquery(officer, people):
    assert set(queries.matching_party_ids("王伟")) == {people["王伟"], people["王伟民"], people["张王伟"]}
    assert {row.name for row in queries.party_rows(people.values()).values()} == set(people)
    assert queries.party_ids(["C0000000001", "C9999999999"]) == {"C0000000001": people["王伟"]}


def test_a_two_character_name_uses_the_index(officer, people):
    from django.db import connection

    sql, params = queries.parties_in_scope(officer).filter(queries.matching("王伟")).query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql, params)
        plan = "\n".join(str(row) for row in cursor.fetchall())
    expected = "SEARCH U0 USING COVERING INDEX" if connection.vendor == "sqlite" else "parties_gram_party"
    assert expected in plan
    assert "SCAN" not in plan.upper().replace("INDEX SCAN", "").replace("INDEX ONLY SCAN", "").replace(
        "BITMAP HEAP SCAN", ""
    )


# 批量 -------------------------------------------------------------------------------------------------------


def rows(*changes):
    base = {"kind": "FARMER", "id_kind": "RESIDENT_ID"}
    return [base | change for change in changes]


def bulk(actor, given, **more):
    return operations.register_parties(actor=actor, key=fresh_key("bulk"), on=OPENING_DAY, rows=given, **more)


def test_a_batch_is_deduplicated_by_id_number(officer):
    register(officer)
    result = bulk(
        officer,
        rows(
            {"name": "王伟", "id_number": card(1)},
            {"name": "李娜", "id_number": card(2)},
            {"name": "李娜", "id_number": card(2).lower()},
            {"name": "赵敏", "id_number": card(3)},
        ),
    )
    assert [row["status"] for row in result["rows"]] == ["EXISTING", "NEW", "EXISTING", "NEW"]
    assert result["rows"][1]["party_id"] == result["rows"][2]["party_id"]
    assert result["counts"] == {"NEW": 2, "EXISTING": 2, "ERROR": 0}
    assert Party.objects.count() == 3
    assert PartyBigram.objects.filter(gram="李娜").count() == 1


BAD = rows(
    {"name": "李娜", "id_number": card(2)},
    {"name": "", "id_number": "1", "phone": "5"},
    {"name": "李四", "id_number": card(2)},
    {"name": "赵敏", "id_number": card(3)},
)


def test_one_bad_row_and_nothing_is_written(officer):
    result = bulk(officer, BAD)

    assert result["written"] is False
    assert [row["status"] for row in result["rows"]] == ["NEW", "ERROR", "ERROR", "NEW"]
    assert {error["field"] for error in result["rows"][1]["errors"]} == {"name", "id_number", "phone"}
    assert result["rows"][2]["errors"][0]["code"] == "DUPLICATE_IN_FILE"
    assert "第 1 行" in result["rows"][2]["errors"][0]["message"]
    assert card(2) not in json.dumps(result, ensure_ascii=False)
    assert Party.objects.count() == 0


def test_the_good_rows_alone_when_asked(officer):
    result = bulk(officer, BAD, all_or_nothing=False)
    assert result["written"] is True
    assert Party.objects.count() == 2
    assert [len(found) for found in queries.preview_parties(actor=officer, on=OPENING_DAY, rows=BAD)] == [0, 3, 0, 0]


def test_a_batch_repeated_adds_nothing(officer):
    given = rows(*({"name": f"客户{n}", "id_number": card(n)} for n in range(30)))
    bulk(officer, given)
    again = bulk(officer, given)
    assert again["counts"] == {"NEW": 0, "EXISTING": 30, "ERROR": 0}
    assert Party.objects.count() == 30
    assert not PartyFileEntry.objects.exists()


def test_a_batch_has_no_query_per_row(officer, django_assert_max_num_queries):
    given = rows(*({"name": f"客户{n}", "id_number": card(n), "officer_id": officer.person_id} for n in range(400)))
    with django_assert_max_num_queries(40):
        bulk(officer, given)
    assert Party.objects.count() == 400
