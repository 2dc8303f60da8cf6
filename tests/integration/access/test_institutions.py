"""机构树：设立、划转、撤销与数据范围。"""

from datetime import date, timedelta

import pytest

from sancha.apps.access import obstacles, operations, queries
from sancha.apps.businessday.queries import partition_of
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import AuditEvent
from sancha.kit.operation import KeyReused
from tests.support.factories_access import INSTITUTIONS, OPENING_DAY, County, fresh_key
from tests.support.office import open_office


def codes(county: County, actor) -> list[str]:
    return [info.code for info in queries.institution_tree(actor)]


def test_tree_is_listed_root_first_in_one_query(county: County, django_assert_num_queries) -> None:
    actor = county.actor("ADMINISTRATOR")
    with django_assert_num_queries(1):
        tree = queries.institution_tree(actor)
    assert [(info.code, info.depth) for info in tree] == [
        ("HO", 0),
        ("B1", 1),
        ("B2", 2),
        ("S1", 3),
        ("S2", 4),
        ("S9", 3),
    ]
    assert tree[0].kind_name == "总行"


@pytest.mark.parametrize(
    ("post", "seen"),
    [
        ("LOAN_OFFICER", ["S1", "S2"]),
        ("TEAM_LEAD", ["S2"]),
        ("REVIEWER", ["B2", "S1", "S2", "S9"]),
        ("GC_HANDLER", ["GC", "GC01", "GC0101"]),
    ],
)
def test_scope_is_the_subtree_of_the_post(county: County, post: str, seen: list[str]) -> None:
    assert codes(county, county.actor(post)) == seen


def test_system_sees_every_tree(county: County) -> None:
    assert set(codes(county, SYSTEM)) == set(INSTITUTIONS)


def test_outside_scope_reads_like_absent(county: County) -> None:
    officer = county.actor("LOAN_OFFICER")
    with pytest.raises(NotFound) as absent:
        queries.require_institution(officer, 10**9)
    with pytest.raises(NotFound) as outside:
        queries.require_institution(officer, county.ids["S9"])
    assert absent.value.code == outside.value.code == "INSTITUTION_NOT_FOUND"


def test_a_sibling_whose_number_starts_alike_is_out_of_scope(county: County) -> None:
    """路径以斜杠收尾，/1/ 不会把 /12/ 也算进来。"""
    for path in (info.path for info in queries.institution_tree(SYSTEM)):
        assert path.startswith("/")
        assert path.endswith("/")


def test_move_reprojects_the_whole_subtree_and_keeps_history(county: County) -> None:
    later = OPENING_DAY + timedelta(days=30)
    moved = operations.move_institution(
        actor=SYSTEM, key=fresh_key(), on=later, institution_id=county.ids["S1"], parent_id=county.ids["B1"]
    )
    assert moved["moved"] == 2
    found = queries.institutions_by_code(["B1", "S1", "S2"])
    assert found["S1"].path == f"{found['B1'].path}{county.ids['S1']}/"
    assert found["S2"].path == f"{found['S1'].path}{county.ids['S2']}/"
    s1 = county.ids["S1"]
    assert queries.parent_at(s1, on=later - timedelta(days=1)) == county.ids["B2"]
    assert queries.parent_at(s1, on=later) == county.ids["B1"]
    assert queries.parent_at(s1, on=later, known_on=later - timedelta(days=1)) == county.ids["B2"]
    # 任职不动，范围跟着机构走
    assert codes(county, county.actor("REVIEWER")) == ["B2", "S9"]


@pytest.mark.parametrize("parent", ["S2", "S1"])
def test_moving_under_itself_is_refused(county: County, parent: str) -> None:
    with pytest.raises(DomainError):
        operations.move_institution(
            actor=SYSTEM,
            key=fresh_key(),
            on=OPENING_DAY,
            institution_id=county.ids["S1"],
            parent_id=county.ids[parent],
        )


def test_branch_cycle_names_the_rule(county: County) -> None:
    with pytest.raises(DomainError) as refused:
        operations.move_institution(
            actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, institution_id=county.ids["GC"], parent_id=county.ids["GC"]
        )
    assert (refused.value.code, refused.value.clause) == ("INSTITUTION_CYCLE", "ORG-1")


def test_parent_kind_is_checked(county: County) -> None:
    with pytest.raises(DomainError) as refused:
        operations.open_institution(
            actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, code="X1", name="某社区", kind="COMMUNITY",
            parent_id=county.ids["S1"],
        )  # fmt: skip
    assert refused.value.code == "INSTITUTION_PARENT_KIND"
    assert "街道" in refused.value.fix


def test_only_the_system_opens_a_tree(county: County) -> None:
    with pytest.raises(NotPermitted) as refused:
        operations.open_institution(
            actor=county.actor("ADMINISTRATOR"),
            key=fresh_key(),
            on=OPENING_DAY,
            code="H2",
            name="另一家",
            kind="HEAD_OFFICE",
        )
    assert refused.value.code == "INSTITUTION_NEEDS_PARENT"


def test_repeat_with_one_key_opens_once_and_other_content_is_refused(county: County) -> None:
    inputs = {"actor": SYSTEM, "key": "one", "on": OPENING_DAY, "code": "S5", "kind": "TIER1_SUB_BRANCH"}
    first = operations.open_institution(**inputs, name="新桥支行", parent_id=county.ids["B2"])
    assert operations.open_institution(**inputs, name="新桥支行", parent_id=county.ids["B2"]) == first
    with pytest.raises(KeyReused):
        operations.open_institution(**inputs, name="新城支行", parent_id=county.ids["B2"])
    with pytest.raises(Conflict):
        operations.open_institution(**{**inputs, "key": "two"}, name="新桥支行", parent_id=county.ids["B2"])


def test_closing_lists_what_is_in_the_way(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    county.actor("LOAN_OFFICER")
    monkeypatch.setattr(obstacles, "_closing_guards", {})
    obstacles.register_closing_guard("loan", lambda institution_id: "还有 3 笔未结清借据")
    with pytest.raises(Conflict) as refused:
        operations.close_institution(actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, institution_id=county.ids["S1"])
    for reason in ("1 个在营下级", "石桥支行", "1 段未结束的任职", "3 笔未结清借据"):
        assert reason in refused.value.message
    kinds = [item.kind for item in obstacles.obstacles_to_closing(institution_id=county.ids["S1"], on=OPENING_DAY)]
    assert kinds == ["child", "holding", "loan"]


def test_closed_institution_leaves_the_tree_and_takes_nobody(county: County) -> None:
    day = date(2026, 4, 1)
    operations.close_institution(actor=SYSTEM, key=fresh_key(), on=day, institution_id=county.ids["S9"])
    assert "S9" not in codes(county, SYSTEM)
    assert "S9" in [info.code for info in queries.institution_tree(SYSTEM, with_closed=True)]
    with pytest.raises(Conflict) as refused:
        county.actor("LOAN_OFFICER", at="S9")
    assert refused.value.code == "INSTITUTION_CLOSED"


def test_the_day_of_the_parent_is_taken_over_and_another_legal_person_is_out_of_reach(county: County) -> None:
    opened = operations.open_institution(
        actor=county.actor("ADMINISTRATOR"), key=fresh_key(), on=OPENING_DAY, code="S7", name="新桥支行",
        kind="TIER2_SUB_BRANCH", parent_id=county.ids["S1"],
    )  # fmt: skip
    assert partition_of(institution_id=opened["institution_id"]).id == county.partition_id
    partner = operations.open_institution(
        actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, code="P1", name="兴农饲料", kind="PARTNER",
        parent_id=county.ids["S1"],
    )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        operations.move_institution(
            actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, institution_id=partner["institution_id"],
            parent_id=county.ids["GC"],
        )  # fmt: skip
    assert refused.value.code == "INSTITUTION_CANNOT_MOVE"
    assert "担保中心" in refused.value.message


def test_renaming_keeps_the_code_and_is_audited(county: County) -> None:
    inputs = {"actor": county.actor("ADMINISTRATOR"), "on": OPENING_DAY, "institution_id": county.ids["S1"]}
    done = operations.edit_institution(**inputs, key=fresh_key(), name="柳溪镇支行", phone="0839-7200001")
    assert done["changed"] == ["name", "phone"]
    found = queries.institution_detail(SYSTEM, county.ids["S1"], on=OPENING_DAY)
    assert (found.info.name, found.info.code, found.parent_name) == ("柳溪镇支行", "S1", "河东分行")
    event = AuditEvent.objects.get(operation="access.edit_institution")
    assert event.data["name"] == ["柳溪支行", "柳溪镇支行"]
    with pytest.raises(Conflict) as refused:
        operations.edit_institution(**inputs, key=fresh_key(), name="柳溪镇支行", phone="0839-7200001")
    assert refused.value.code == "NOTHING_CHANGED"
    with pytest.raises(NotFound):
        operations.edit_institution(
            **{**inputs, "actor": county.actor("ADMINISTRATOR", at="GC")}, key=fresh_key(), name="别人的"
        )


def test_an_office_with_loans_cash_and_tasks_does_not_close_and_an_empty_one_does(county: County) -> None:
    """接好线的真检查：借据、钱箱、待办各说各的。"""
    office = open_office(county)
    loan = office.lend()
    office.repay(loan, 10_000)
    office.receive(5_000)
    kinds = {
        item.kind: item.text for item in obstacles.obstacles_to_closing(institution_id=county.ids["S1"], on=OPENING_DAY)
    }
    assert {"child", "holding", "loan", "money"} <= set(kinds)
    assert "1 笔存续" in kinds["loan"]
    assert "银行账户「基本户」账面还有 50.00 元" in kinds["money"]
    assert "1 笔收款挂账" in kinds["money"]
    assert obstacles.obstacles_to_closing(institution_id=county.ids["S9"], on=OPENING_DAY) == []


def test_kinds_are_offered_in_one_place() -> None:
    assert queries.institution_kinds()[0] == ("HEAD_OFFICE", "总行")
    assert [code for code, _ in queries.kinds_under("STREET")] == ["COMMUNITY", "PARTNER"]
