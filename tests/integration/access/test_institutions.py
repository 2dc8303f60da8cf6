"""机构树：设立、划转、撤销与数据范围。"""

from datetime import date, timedelta

import pytest

from sancha.apps.access import operations, queries
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import KeyReused
from tests.support.factories_access import INSTITUTIONS, OPENING_DAY, County, fresh_key


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
    monkeypatch.setattr(operations.institutions, "_closing_guards", [])
    operations.register_closing_guard(lambda institution_id: "还有 3 笔未结清借据")
    with pytest.raises(Conflict) as refused:
        operations.close_institution(actor=SYSTEM, key=fresh_key(), on=OPENING_DAY, institution_id=county.ids["S1"])
    for reason in ("1 个在营下级", "1 段未结束的任职", "3 笔未结清借据"):
        assert reason in refused.value.message


def test_closed_institution_leaves_the_tree_and_takes_nobody(county: County) -> None:
    day = date(2026, 4, 1)
    operations.close_institution(actor=SYSTEM, key=fresh_key(), on=day, institution_id=county.ids["S9"])
    assert "S9" not in codes(county, SYSTEM)
    assert "S9" in [info.code for info in queries.institution_tree(SYSTEM, with_closed=True)]
    with pytest.raises(Conflict) as refused:
        county.actor("LOAN_OFFICER", at="S9")
    assert refused.value.code == "INSTITUTION_CLOSED"
