"""各命令照操作手册的写法跑一遍：退出码、给人看的话、``--json`` 的文档。"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from sancha.interfaces.cli.main import main
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(db: None) -> Office:
    """柳溪支行，一笔借据。"""
    place = open_office()
    place.lend()
    return place


def ran(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """跑一条命令，核对退出码，返回它印的话。"""
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main(list(words)))
    said = capsys.readouterr()
    assert (ended.value.code or 0) == code, said.err
    return said.out


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """同上，取 JSON。"""
    read: dict[str, Any] = json.loads(ran(capsys, *words, "--json"))
    return read


def test_the_rulebook_is_linted(capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, "policy", "lint", "--on", "2026-11-22")
    assert "[error]" not in said
    assert "规则" in said.splitlines()[-2]


def test_a_parameter_is_shown_with_its_clause(capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(capsys, "policy", "show", "s11.borrower_age_max", "--on", "2026-11-22")
    assert (shown["value"], shown["unit"], shown["clause"]) == (60, "岁", "PSBC-2014-BORROWER")


def test_a_day_is_rehearsed_closed_and_reported(capsys: pytest.CaptureFixture[str], office: Office) -> None:
    group = document(capsys, "dayclose", "status")
    before = group["business_date"]
    assert "预演" in ran(capsys, "dayclose", "rehearse")
    assert document(capsys, "dayclose", "status")["business_date"] == before
    closed = document(capsys, "dayclose", "run", "--days", "2")
    assert len(closed["days"]) == 2
    assert "完成" in ran(capsys, "dayclose", "status")


def test_everything_is_checked(capsys: pytest.CaptureFixture[str], office: Office) -> None:
    checked = ran(capsys, "check", "--all")
    assert checked


def test_a_loan_is_quoted_from_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("quote") / "one.json"
    path.write_text("{}", "utf-8")
    ran(capsys, "quote", str(path), code=1)


def test_a_case_is_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    facts = {
        "applicant.kind": "MERCHANT",
        "applicant.age_years": {"value": 61, "evidence": "SEEN", "reference": "身份证"},
        "loan.guarantee": "GUARANTEE",
        "guarantors": [{"age_years": 61}],
    }
    path.write_text(json.dumps({"program": "S11", "on": "2026-11-22", "facts": facts}), "utf-8")
    told = ran(capsys, "policy", "explain", str(path))
    assert "申请人61岁，须满20岁、不超过60岁（均含）。" in told
    assert "申请人周岁 61岁 → 60岁，结论就翻过来" in told
    assert "《中国邮政储蓄银行小额贷款管理办法》贷款对象部分" in told
    found = document(capsys, "policy", "explain", str(path))
    age = next(item for item in found["verdicts"] if item["rule"] == "s11.borrower.age")
    assert age["inputs"]["applicant.age_years"] == {"value": 61, "evidence": "SEEN", "reference": "身份证"}
    assert found["outcome"] == "FAIL"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "案情文件不合"),
        ('{"program": "S11", "on": "昨天", "facts": {}}', "案情文件不合"),
        ('{"program": "S11", "on": "2026-11-22", "facts": {"nothing.here": 1}}', "没有事实"),
        ('{"program": "S11", "on": "2026-11-22", "facts": {"applicant.age_years": "六十"}}', "应为整数"),
    ],
)
def test_a_bad_case_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(text, "utf-8")
    assert main(["policy", "explain", str(path)]) != 0
    assert why in capsys.readouterr().err


def test_a_base_that_is_not_made_is_told_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_args: Any) -> None:
        raise OperationalError("no such table: servicing_loan")

    monkeypatch.setattr("sancha.interfaces.cli.check.run", absent)
    assert main(["check"]) == 1
    assert "sancha init" in capsys.readouterr().err
