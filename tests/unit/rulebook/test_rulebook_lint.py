"""规则库体检：发布的规则库没有错误；种下的毛病都报得出来。"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import sancha.rulebook as rulebook
from sancha.rulebook.lint import lint

ROOT = Path(rulebook.__file__).parent


@pytest.fixture
def copied(tmp_path):
    for folder in ("clauses", "parameters", "programs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def codes(problems, level):
    return {problem.code for problem in problems if problem.level == level}


def test_the_shipped_rulebook_has_no_error():
    problems = lint(on=date(2026, 8, 25))

    assert [str(problem) for problem in problems if problem.level in {"error", "stale"}] == []
    assert "repayment.npl_allocation_order" in codes(problems, "unsure")
    assert "STUDENT-2024-RATE" in codes(problems, "unsure")
    (coverage,) = [problem for problem in problems if problem.level == "coverage"]
    assert f"参数 {len(rulebook.all_parameters())} 个" in coverage.message


def test_everything_unsure_is_listed():
    unsure = codes(lint(on=date(2026, 8, 25)), "unsure")
    flagged = {code for code, history in rulebook.all_parameters().items() if any(item.unsure for item in history)}
    flagged |= {code for code, clause in rulebook.all_clauses().items() if clause.unsure}

    assert flagged
    assert flagged <= unsure


def test_a_missing_publication_of_lpr_is_seen():
    assert "lpr.1y" in codes(lint(on=date(2026, 11, 22)), "stale")


def test_a_value_not_checked_for_a_year_is_stale():
    assert "penalty.multiplier_ppm" in codes(lint(on=date(2027, 11, 23)), "stale")


def test_a_clause_that_has_ended_is_stale(copied):
    replace(
        copied / "clauses" / "law.yaml",
        "article: 第五百六十一条\n",
        "article: 第五百六十一条\n    in_force_to: 2026-01-01\n",
    )

    assert "repayment.allocation_order" in codes(lint(on=date(2026, 8, 25), root=copied), "stale")


def test_a_required_parameter_that_is_gone_is_an_error(copied):
    (copied / "parameters" / "penalty.yaml").unlink()

    assert "penalty.multiplier_ppm" in codes(lint(on=date(2026, 8, 25), root=copied), "error")


def test_a_broken_file_does_not_stop_the_lint(copied):
    (copied / "parameters" / "broken.yaml").write_text("parameters: [\n", encoding="utf-8")
    problems = lint(on=date(2026, 8, 25), root=copied)

    assert any(problem.file == "parameters/broken.yaml" for problem in problems)
    assert "STUDENT-2024-RATE" in codes(problems, "unsure")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("{parameter: amount.min_fen}", "{parameter: amount.minimum}", "amount.min_fen"),
        ("{parameter: amount.min_fen}", "{parameter: penalty.compound_policy}", "min_fen"),
        ("PSBC-2014-PRICING", "PSBC-2014-PRICE", "PSBC-2014-PRICING"),
        ("code: FARMER_JOINT", "code: FARMER_GUARANTEE", "重复"),
        ("default_ppm: 144_000", "default_ppm: 200_000", "上限"),
        ("default_ppm: 144_000", "default_ppm: 14.4", "integer"),
        ("max_grace_periods: 10", "max_grace_periods: 0", "max_grace_periods"),
        ("[GUARANTEE, MAX_GUARANTEE]", "[GUARANTEE, GUARANTEE]", "重复"),
        ("method: BULLET, unit: MONTH", "method: FLAT_FEE, unit: MONTH", "FLAT_FEE"),
        ("method: BULLET, unit: MONTH", "method: BULLET, unit: WEEK", "同为"),
        ("valid_from: 2024-09-01", "valid_from: 2019-09-01", "没有有效值"),
        ("reprice: JANUARY_FIRST", "reprice: EVERY_MONTHS", "reprice_months"),
        ("due_day: {rule: FIXED_DAY, day: 20}", "due_day: {rule: FIXED_DAY}", "固定还款日"),
        ("{unit: MONTH, min: 1, max: 12}", "{unit: MONTH, min: 13, max: 12}", "期限下限"),
        ("payer: STATE, share_ppm: 1_000_000", "payer: BORROWER, share_ppm: 1_000_000", "第三方"),
        ("flat_fee: {of_principal_ppm: 36_000}", "grace_days: 0", "flat_fee"),
    ],
)
def test_a_product_that_does_not_hold_together_is_an_error(copied, old, new, word):
    replace(copied / "programs" / "products.yaml", old, new)
    errors = [problem for problem in lint(on=date(2026, 8, 25), root=copied) if problem.level == "error"]

    assert errors
    assert any(word in str(problem) for problem in errors)
    assert all(problem.file == "programs/products.yaml" for problem in errors)
