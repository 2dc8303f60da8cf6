"""docs/algorithms/rule-expression.md 的两张表由这里读取。"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sancha.rulebook.evaluation import evaluate
from sancha.rulebook.expression import BOOL, parse
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Known

PAGE = Path(__file__).resolve().parents[3] / "docs" / "algorithms" / "rule-expression.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("|")
]
TRUTH = [row for row in ROWS if row[0] in {"真", "假", "未知"}]
FLIPS = [row for row in ROWS if row[0].startswith("s11.")]
VALUE = {"真": True, "假": False, "未知": None}
AROUND = {
    "applicant.kind": "MERCHANT",
    "business.is_service": False,
    "business.assets_fen": 60_000_000,
    "business.debts_fen": 15_000_000,
    "loan.amount_fen": 31_000_000,
}


def test_the_page_has_its_tables() -> None:
    assert (len(TRUTH), len(FLIPS)) == (9, 4)


@pytest.mark.parametrize("row", TRUTH)
def test_three_values(row: list[str]) -> None:
    p, q, both, either, negated = row
    facts = {"p": VALUE[p], "q": VALUE[q]}
    names = {"p": BOOL, "q": BOOL}
    for text, wanted in (("p and q", both), ("p or q", either), ("not p", negated)):
        assert evaluate(parse(text, names), facts).value is VALUE[wanted], text


@pytest.mark.parametrize("row", FLIPS)
def test_smallest_changes(row: list[str]) -> None:
    code, fact, before, after = row
    facts = {**AROUND, fact: int(before)}
    decision = rulebase().decide(
        {name: Known(value) for name, value in facts.items()}, on=date(2026, 11, 22), program="S11"
    )
    verdict = next(item for item in decision.verdicts if item.rule.code == code)
    assert {change.fact: change.after for change in verdict.changes}[fact] == int(after)
