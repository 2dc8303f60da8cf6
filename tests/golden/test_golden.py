"""会计手工可核的案例：一个 YAML 一笔借据，用会计的话写条款、经过、计划与各日应有的数。"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sancha.kernel import project, replay
from sancha.kernel.derivation import derive
from sancha.kernel.money import parse_yuan
from tests.support.scenario import Scenario, day

CASES = sorted(Path(__file__).parent.glob("*.yaml"))
KEYS = {"名称", "说明", "条款", "经过", "计划", "计划立于"}


def load(path: Path) -> dict[str, Any]:
    # BaseLoader: every scalar stays the text that the accountant wrote; a date or an amount is read by our own reader.
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    assert set(document) <= KEYS, set(document) - KEYS
    assert document["条款"]
    assert document["经过"]
    return dict(document)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = load(path)
    told = Scenario(case["条款"])
    for row in case["经过"]:
        figures = dict(row)
        when = day(figures.pop("日"))
        for sentence in figures.pop("事实", []):
            told.record(when, sentence)
        told.check(when, figures)
    if "计划" in case:
        check_plan(told, case)


def check_plan(told: Scenario, case: dict[str, Any]) -> None:
    """整张计划（已结各期与推演的各期），每行「应还日 本金 利息」，费用、第三方利息有则续写。"""
    on = day(case.get("计划立于", told.terms.start.isoformat()))
    state = replay(told.terms, told.facts, on=on)
    found = [
        (item.due_date.isoformat(), item.principal_due, item.interest_due, item.fee_due, item.subsidy_due)
        for item in project(told.terms, state).installments
    ]
    wanted = []
    for line in case["计划"]:
        due, *amounts = line.split()
        wanted.append((due, *[parse_yuan(text) for text in [*amounts, *["0"] * (4 - len(amounts))]]))
    assert found == wanted
    for index, (_, principal, interest, _, _) in enumerate(found):
        no = project(told.terms, state).installments[index].no
        total = derive(told.terms, told.facts, f"installment:{no}.total", on=on)
        assert total.value_fen == principal + interest


def test_there_are_enough() -> None:
    assert len(CASES) >= 12
