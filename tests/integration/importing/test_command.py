"""``sancha import``：缺省只预检；``--commit`` 才入账；错误走标准错误，退出码不为 0。"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sancha.apps.products import queries as products
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.models import Loan, LoanFact
from sancha.interfaces.cli.main import main
from sancha.kit.actor import SYSTEM
from tests.integration.importing.conftest import Desk, register_row, sheet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def kept(folder: Path, file: SourceFile, name: str) -> str:
    path = folder / name
    path.write_bytes(file.content)
    return str(path)


def product_code(desk: Desk) -> str:
    listed = products.list_products(actor=SYSTEM, on=desk.on)
    return next(item.code for item in listed if item.id == desk.lending.product_id)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main(["import", "--json", *arguments])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else None, shown.err


def test_dry_run_report_then_commit_and_resume(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = kept(folder, sheet([register_row(1), register_row(2, 金额="一万二")]), "贷款台账.csv")
    given = (file, "--institution", "S1", "--product", product_code(desk))

    code, staged, _ = run(capsys, *given, "--report", str(folder / "report.csv"))
    assert (code, staged["ready"], staged["errors"], Loan.objects.count()) == (0, 1, 1, 0)
    report = (folder / "report.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(report) == 2
    assert "一万二" in report[1]

    code, _, error = run(capsys, *given, "--commit", "--accept-doubts")
    assert (code, json.loads(error)["code"], Loan.objects.count()) == (1, "BATCH_HAS_ERRORS", 0)

    code, done, _ = run(capsys, "--resume", str(staged["batch_id"]), "--accept-doubts", "--only-good")
    assert (code, done["status"], done["imported"]) == (0, "DONE", 1)


def test_repayments(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk.commit(desk.stage(sheet([register_row(1, 逾期天数="28", 逾期本金="900")]))["batch_id"])
    rows = [{"借据号": "OLD0001", "金额": "300"}, {"借据号": "没有", "金额": "300"}]
    code, _, error = run(capsys, kept(folder, sheet(rows), "回盘.csv"), "--repayments", "--institution", "S1")
    assert (code, json.loads(error)["rows"][0]["row"]) == (1, 3)
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == 1


def test_what_is_missing_is_said(desk: Desk, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = kept(folder, sheet([register_row(1)]), "贷款台账.csv")
    for arguments, word in (
        ((), "没有给文件"),
        ((file,), "--institution"),
        ((file, "--institution", "Z9"), "Z9"),
        (("/nowhere.csv", "--institution", "S1"), "没有文件"),
        ((file, "--institution", "S1", "--product", "NONE"), "NONE"),
    ):
        code, _, error = run(capsys, *arguments)
        assert code == 1
        assert word in json.loads(error)["message"]
    assert main(["import", "--list-layouts"]) == 0
    assert "kiva" in capsys.readouterr().out
