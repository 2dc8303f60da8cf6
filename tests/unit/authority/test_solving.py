"""谁今天能批：算法页的表。"""

from __future__ import annotations

import pytest

from sancha.apps.authority.solving import Ask, Grant, Seat, solve
from sancha.kernel.money import parse_yuan
from sancha.rulebook.vocabulary import GuaranteeKind
from tests.support.tables import table

PLACES = {"二级分行": (3, "/1/2/3/"), "一级分行": (2, "/1/2/"), "别的一级分行": (9, "/1/9/")}
SEATS = [("甲", "二级分行"), ("丙", "二级分行"), ("乙", "一级分行"), ("丁", "别的一级分行")]
PEOPLE = {name: number for number, (name, _place) in enumerate(SEATS, start=1)}
PRODUCTS = {"农户保证": "FARMER_GUARANTEE"}
KINDS = {kind.label: kind for kind in GuaranteeKind}


def seats() -> list[Seat]:
    return [Seat(PEOPLE[name], name, "APPROVER", *PLACES[place]) for name, place in SEATS]


def grants() -> list[Grant]:
    return [
        Grant(
            id=number,
            number=row["书"],
            institution_id=PLACES[row["机构"]][0],
            post_code="APPROVER",
            person_id=PEOPLE.get(row["指定"]),
            program="S11",
            products=frozenset() if row["产品"] == "全部" else frozenset({PRODUCTS[row["产品"]]}),
            guarantees=frozenset() if row["担保"] == "全部" else frozenset({KINDS[row["担保"]]}),
            max_fen=parse_yuan(row["金额"]),
            max_months=int(row["月"]),
            for_new=row["新"] == "是",
            for_repeat=row["老"] == "是",
        )
        for number, row in enumerate(table("approval-authority", "授权"), start=1)
    ]


@pytest.mark.parametrize(
    "row", table("approval-authority", "算例"), ids=lambda row: f"{row['金额']}×{row['月']}{row['经手']}"
)
def test_the_page_s_cases(row: dict[str, str]) -> None:
    ask = Ask(
        institution_path="/1/2/3/7/",
        program="S11",
        product=PRODUCTS[row["产品"]],
        guarantee=KINDS[row["担保"]],
        amount_fen=parse_yuan(row["金额"]),
        months=int(row["月"]),
        repeat=row["老客户"] == "是",
        involved={PEOPLE[row["经手"]]: "在本案已任主调人"} if row["经手"] else {},
    )
    answers = solve(ask, seats(), grants())
    able = [answer for answer in answers if answer.may]
    assert [answer.seat.name for answer in able] == [name for name in row["能批"].split("、") if name]
    assert [answer.grant.number for answer in able if answer.grant] == [name for name in row["用"].split("、") if name]
    first = next(answer for answer in answers if answer.seat.name == "甲")
    assert (first.why if not first.may else "") == row["甲不能的原因"]
    assert "丁" not in {answer.seat.name for answer in answers}


def test_who_must_recuse_is_told_so() -> None:
    ask = Ask("/1/2/3/7/", "S11", "FARMER_GUARANTEE", GuaranteeKind.GUARANTEE, 100, 1, barred={1: "与申请人是亲属"})
    first = next(answer for answer in solve(ask, seats(), grants()) if answer.seat.name == "甲")
    assert (first.may, first.why, first.clause) == (False, "与申请人是亲属", "AUTHORITY-RECUSAL")


def test_another_program_s_mandate_is_none() -> None:
    ask = Ask("/1/2/3/7/", "S1", "STARTUP_PERSON", GuaranteeKind.GUARANTEE, 100, 1)
    assert {answer.why for answer in solve(ask, seats(), grants())} == {"没有本项目的有效授权"}
