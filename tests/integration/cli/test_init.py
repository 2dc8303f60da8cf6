"""``sancha init``：空库开门、断了接上、建成之后拒绝；Excel 名册逐行核对，有错就什么也不建。"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sancha.apps.access import operations as access_operations
from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.ledger.queries import chart_of_accounts
from sancha.dayclose import invariants
from sancha.interfaces.cli.main import main
from sancha.kit.actor import SYSTEM
from sancha.kit.spreadsheets import Column, write_table

pytestmark = pytest.mark.django_db
OPENING = date(2026, 3, 2)
BASE = [
    "init",
    "--chart",
    "BANK",
    "--institution-name",
    "青川县农村商业银行",
    "--code",
    "QC01",
    "--date",
    "2026-03-02",
    "--admin",
    "LiMing",
]
PLACES = ("机构号", "名称", "类别", "上级机构号", "地址", "电话")
PEOPLE = ("用户名", "姓名", "工号", "电话", "机构号", "岗位", "任职机构号", "起始日")


def sheet(path: Path, titles: Sequence[str], *rows: Sequence[str]) -> Path:
    write_table(
        path,
        columns=[Column(title, title) for title in titles],
        rows=[dict(zip(titles, row, strict=False)) for row in rows],
    )
    return path


def ran(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code = main([*BASE, "--json", *more])
    shown = capsys.readouterr()
    return code, json.loads(shown.out or shown.err)


def test_an_empty_base_becomes_an_office(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = ran(capsys)
    assert code == 0
    admin = access.find_person("liming")
    assert admin is not None
    assert admin.must_change_password
    held = access.holdings_of(admin.id, OPENING)
    assert [(holding.post_code, holding.institution_code) for holding in held] == [("ADMINISTRATOR", "QC01")]
    (group,) = businessday.groups()
    assert group.business_date == OPENING
    assert businessday.business_date(institution_id=held[0].institution_id) == OPENING
    assert len(chart_of_accounts()) == document["accounts"] > 50
    assert 2027 in document["calendar_unpublished"]
    assert all(finding.ok for finding in invariants.check(group_id=group.id))
    people = access.list_people(SYSTEM, on=OPENING)
    assert [person.username for person in people.rows] == ["liming"]


def test_the_first_password_works_and_is_nowhere_stored(capsys: pytest.CaptureFixture[str]) -> None:
    from django.contrib.auth import get_user_model

    from sancha.kit.models import AuditEvent, Idempotency

    password = ran(capsys)[1]["administrator"]["password"]
    assert len(password) >= 12
    assert get_user_model().objects.get(username="liming").check_password(password)
    stored = "".join(map(str, Idempotency.objects.values_list("result", flat=True))) + "".join(
        map(str, AuditEvent.objects.values_list("data", flat=True))
    )
    assert password not in stored


def test_a_second_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys)[0] == 0
    code, document = ran(capsys)
    assert code == 1
    assert "青川县农村商业银行" in document["message"]
    code, document = ran(capsys, "--code", "QC02")
    assert code == 1


def test_killed_before_the_last_step_it_goes_on_with_a_new_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(**_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(access_operations, "grant_post", killed)
        assert main(BASE) == 130
    capsys.readouterr()
    code, document = ran(capsys)
    assert code == 0
    from django.contrib.auth import get_user_model

    assert get_user_model().objects.get(username="liming").check_password(document["administrator"]["password"])
    assert len(businessday.groups()) == 1


@pytest.mark.parametrize("chart", ["BANK", "MICROLOAN_COMPANY", "GUARANTEE_CENTER"])
def test_every_chart_opens(capsys: pytest.CaptureFixture[str], chart: str) -> None:
    code, document = ran(capsys, "--chart", chart)
    assert (code, document["chart"]) == (0, chart)


def test_institutions_people_and_posts_come_from_excel(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    places = sheet(
        tmp_path / "机构.xlsx", PLACES,
        ("S2", "石桥支行", "二级支行", "S1", "石桥镇", ""),
        ("S1", "柳溪支行", "TIER1_SUB_BRANCH", "", "柳溪镇 1 号", "0839-1"),
    )  # fmt: skip
    people = sheet(
        tmp_path / "人员.xlsx", PEOPLE,
        ("Zhang.San", "张三", "0101", "", "S1", "信贷员岗", "", ""),
        ("li.si", "李四", "0102", "13800000000", "S1", "会计（柜员）、贷后管理岗", "S1", "2026-03-05"),
    )  # fmt: skip
    code, document = ran(capsys, "--institutions", str(places), "--people", str(people))
    assert code == 0, document
    tree = {item.code: item for item in access.institution_tree(SYSTEM)}
    assert tree["S2"].parent_id == tree["S1"].id
    assert tree["S1"].parent_id == tree["QC01"].id
    assert businessday.business_date(institution_id=tree["S2"].id) == OPENING
    zhang, li = access.find_person("zhang.san"), access.find_person("li.si")
    assert zhang is not None
    assert li is not None
    assert [held.post_code for held in access.holdings_of(zhang.id, OPENING)] == ["LOAN_OFFICER"]
    assert access.holdings_of(li.id, OPENING) == []
    assert {held.post_code for held in access.holdings_of(li.id, date(2026, 3, 5))} == {"CASHIER", "POST_LOAN"}
    assert {person["username"]: bool(person["password"]) for person in document["people"]} == {
        "zhang.san": True,
        "li.si": True,
    }


def test_every_bad_row_is_told_and_nothing_is_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    places = sheet(
        tmp_path / "机构.xlsx", PLACES,
        ("S1", "柳溪支行", "一级支行", "", "", ""),
        ("S1", "又一个", "一级支行", "", "", ""),
        ("S2", "石桥支行", "支行", "S1", "", ""),
        ("S3", "无名", "二级支行", "S7", "", ""),
        ("S4", "圈一", "二级支行", "S5", "", ""),
        ("S5", "圈二", "二级支行", "S4", "", ""),
        ("C1", "社区", "社区平台", "S1", "", ""),
    )  # fmt: skip
    people = sheet(
        tmp_path / "人员.xlsx", PEOPLE,
        ("a.one", "甲", "", "", "S1", "行长助理", "", ""),
        ("a.one", "甲", "", "", "S9", "信贷员岗", "", ""),
        ("b.two", "乙", "", "", "S1", "信贷员岗、审查岗", "", "昨天"),
        ("c.three", "", "", "", "S1", "审批岗", "", ""),
    )  # fmt: skip
    code, document = ran(capsys, "--institutions", str(places), "--people", str(people), "--dry-run")
    assert code == 1
    found = {(item["file"], item["row"], item["column"]) for item in document["problems"]}
    assert found >= {
        ("机构.xlsx", 3, "机构号"), ("机构.xlsx", 4, "类别"), ("机构.xlsx", 5, "上级机构号"), ("机构.xlsx", 6, "上级机构号"),
        ("机构.xlsx", 8, "上级机构号"), ("人员.xlsx", 2, "岗位"), ("人员.xlsx", 3, "用户名"), ("人员.xlsx", 3, "机构号"),
        ("人员.xlsx", 4, "岗位"), ("人员.xlsx", 4, "起始日"), ("人员.xlsx", 5, "姓名"), ("人员.xlsx", 5, "岗位"),
    }  # fmt: skip
    assert all(item["message"] and item["fix"] for item in document["problems"])
    assert access.institution_tree(SYSTEM) == []


def test_a_dry_run_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "--dry-run") == (0, {"dry_run": True, "institutions": 0, "people": 0})
    assert access.institution_tree(SYSTEM) == []
