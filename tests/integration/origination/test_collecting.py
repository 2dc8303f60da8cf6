"""收材料：缺的、没有核对的挡住审查；任取其一的有一样即可；保证人各收各的；退还留着记录。"""

from __future__ import annotations

import pytest

from sancha.apps.origination import operations, queries
from sancha.apps.origination.models import CaseMaterial
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from tests.support.applications import SURVEY, Desk
from tests.support.factories_access import fresh_key


def states(desk: Desk, one: int) -> dict[str, str]:
    return {
        line.code: line.state for line in queries.case_materials(actor=desk.lead, application_id=one, on=desk.today)
    }


def act(operation, desk: Desk, one: int, code: str, **values):
    return operation(
        actor=values.pop("actor", desk.lead), key=fresh_key(), on=desk.today, application_id=one, code=code, **values
    )


@pytest.fixture
def one(desk: Desk) -> int:
    """调查中的一案，事实与保证人都记全了，材料一样没收。"""
    found = desk.to("SURVEY")
    desk.observe(found, SURVEY)
    desk.guarantor(found)
    return found


def test_a_missing_material_keeps_the_case_from_review(desk: Desk, one: int) -> None:
    desk.collect(one, but="land_contract")
    with pytest.raises(DomainError) as owed:
        desk.finish(one)
    assert (owed.value.code, owed.value.field, owed.value.clause) == (
        "MATERIALS_OWED", "land_contract", "PSBC-2014-MATERIALS",
    )  # fmt: skip
    assert "1 样材料：土地承包合同或村委会证明" in owed.value.message
    desk.collect(one)
    desk.finish(one)


def test_a_copy_not_compared_with_the_original_counts_for_nothing(desk: Desk, one: int) -> None:
    desk.collect(one, compared=False)
    with pytest.raises(DomainError, match="申请人身份证（没有与原件核对签名）"):
        desk.finish(one)
    for line in queries.case_materials(actor=desk.lead, application_id=one, on=desk.today):
        if line.state == "UNCOMPARED":
            act(operations.compare_material, desk, one, line.code, guarantor_id=line.guarantor_id)
    desk.finish(one)
    kept = CaseMaterial.objects.get(code="id_card")
    assert (kept.compared_on, kept.compared_by_id) == (desk.today, desk.lead.person_id)
    assert CaseMaterial.objects.get(code="bureau_authorization").compared_on is None, "an original is not compared"


@pytest.mark.parametrize("either", ["id_card", "temporary_id"])
def test_any_one_of_a_group_will_do(desk: Desk, one: int, either: str) -> None:
    other = {"id_card": "temporary_id", "temporary_id": "id_card"}[either]
    act(operations.receive_material, desk, one, either, compared=True)
    found = states(desk, one)
    assert (found[either], found[other]) == ("DONE", "OTHER")


def test_alternatives_are_one_line_of_what_is_owed(desk: Desk, one: int) -> None:
    desk.collect(one, but="id_card")
    with pytest.raises(DomainError, match=r"还差 1 样材料：申请人身份证或申请人临时身份证与户口簿"):
        desk.finish(one)


def test_each_guarantor_brings_his_own(desk: Desk, one: int) -> None:
    desk.collect(one)
    desk.guarantor(one, desk.farmer(901, name="赵有田"))
    lines = queries.case_materials(actor=desk.lead, application_id=one, on=desk.today)
    cards = {line.holder: line.state for line in lines if line.code == "guarantor_id_card"}
    assert cards == {"保证人李长河": "DONE", "保证人赵有田": "OWED"}


def test_what_is_returned_is_owed_again_and_stays_on_record(desk: Desk, one: int) -> None:
    desk.collect(one)
    with pytest.raises(DomainError) as blank:
        act(operations.return_material, desk, one, "id_card", reason=" ")
    assert blank.value.field == "reason"
    act(operations.return_material, desk, one, "id_card", reason="复印不清")
    assert states(desk, one)["id_card"] == "OWED"
    act(operations.receive_material, desk, one, "id_card", compared=True)
    assert list(CaseMaterial.objects.filter(code="id_card").order_by("pk").values_list("note", "returned_on")) == [
        ("复印不清", desk.today), ("", None),
    ]  # fmt: skip


def test_what_does_not_fit_is_refused(desk: Desk, one: int) -> None:
    act(operations.receive_material, desk, one, "id_card")
    with pytest.raises(Conflict, match="已收过"):
        act(operations.receive_material, desk, one, "id_card")
    with pytest.raises(Conflict, match="还没有收，或已核对过"):
        act(operations.compare_material, desk, one, "land_contract")
    with pytest.raises(Conflict, match="还没有收"):
        act(operations.return_material, desk, one, "land_contract", reason="退")
    with pytest.raises(DomainError, match="清单上没有"):
        act(operations.receive_material, desk, one, "license")
    with pytest.raises(NotPermitted):
        act(operations.receive_material, desk, one, "land_contract", actor=desk.reviewer)
    with pytest.raises(NotFound):
        act(operations.receive_material, desk, one + 999, "land_contract")


def test_the_reviewer_looks_once_more(desk: Desk, one: int) -> None:
    desk.collect(one)
    desk.finish(one)
    act(operations.return_material, desk, one, "land_contract", reason="证明过期")
    with pytest.raises(DomainError) as owed:
        desk.review(one)
    assert owed.value.code == "MATERIALS_OWED"


def test_the_list_takes_the_same_statements_with_two_guarantors(
    desk: Desk, one: int, django_assert_max_num_queries
) -> None:
    desk.collect(one)
    desk.guarantor(one, desk.farmer(901, name="赵有田"))
    with django_assert_max_num_queries(21):
        queries.case_materials(actor=desk.lead, application_id=one, on=desk.today)
