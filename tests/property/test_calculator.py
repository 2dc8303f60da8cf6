"""计算器：结果合乎公布的格式；什么样的文档都只给结果或错误，从不抛错；同一份文档给出同一份结果。"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancha.kernel import positions
from sancha.kernel.calculator import calculate, schema
from tests.support.json_schema import problems
from tests.support.lives import live

SCHEMA = schema()
EXAMPLE: dict[str, Any] = {
    "terms": {
        "start": "2026-01-15", "principal_fen": 5_000_000, "rate_ppm": 144_000, "method": "LEVEL_PAYMENT", "periods": 12,
        "penalty_multiplier_ppm": 1_500_000, "allocation": {"future": "LAST"}, "class_thresholds": [[1, 2], [91, 3]],
    },
    "facts": [
        {"seq": 1, "kind": "DISBURSEMENT", "value_on": "2026-01-15", "amount_fen": 5_000_000},
        {"seq": 2, "kind": "REPAYMENT", "value_on": "2026-02-15", "amount_fen": 449_877, "data": {"channel": "柜面"}},
        {"seq": 3, "kind": "WAIVER", "value_on": "2026-03-01", "amount_fen": 100, "data": {"component": "penalty"}},
    ],
    "on": "2026-03-20",
    "known_at": None,
    "want": ["schedule", "payoff", "disclosure", "derivation:penalty"],
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_documents_keep_the_schema(seed: int) -> None:
    """随机借据写成文档，合乎请求格式；算出的合乎结果格式，头寸与重放相同；两次相同。"""
    life = live(seed)
    facts = [fact.as_document() for fact in life.facts]
    document = json.loads(json.dumps({"terms": life.terms.as_document(), "facts": facts, "on": life.today.isoformat()}))
    assert problems(SCHEMA["request"], document) == []
    result = calculate(document)
    assert result["ok"], result["errors"]
    assert problems(SCHEMA["result"], json.loads(json.dumps(result))) == []
    assert result["positions"] == positions(life.terms, life.on(life.today))
    assert calculate(document) == result
    assert calculate(result | {"facts": facts, "on": document["on"]}) != result  # extra keys are refused, not ignored


def spoil(rng: Any, value: Any) -> Any:
    """把文档弄坏一处：换类型、删栏目、改值、加栏目。"""
    junk = rng.choice(
        [None, -1, 0, 10**20, "", "x", "2026-02-30", "9999-12-31", True, [], {}, [1], {"a": 1}, 1.5, "NaN"]
    )
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        if rng.random() < 0.15:
            return {key: entry for key, entry in value.items() if key != name}
        if rng.random() < 0.1:
            return value | {"别的": junk}
        return value | {name: spoil(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        index = rng.randrange(len(value))
        return [*value[:index], spoil(rng, value[index]), *value[index + 1 :]]
    return junk


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 4))
def test_bad_documents_get_errors_not_exceptions(seed: int, times: int) -> None:
    from random import Random

    rng = Random(seed)
    document: Any = json.loads(json.dumps(EXAMPLE))
    if rng.random() < 0.6:
        life = live(seed, events=12)
        facts = [fact.as_document() for fact in life.facts]
        document = json.loads(
            json.dumps({"terms": life.terms.as_document(), "facts": facts, "on": life.today.isoformat()})
        )
    for _ in range(times):
        document = spoil(rng, document)
    result = calculate(document)
    assert problems(SCHEMA["result"], json.loads(json.dumps(result))) == []
    if not result["ok"]:
        assert all(error["message"] for error in result["errors"])


def test_the_example_works() -> None:
    assert problems(SCHEMA["request"], EXAMPLE) == []
    result = calculate(EXAMPLE)
    assert result["ok"]
    # 3 月 15 日到期 3,945.56 本金逾期 5 天：3,945.56 × 21.6% ÷ 360 × 5 = 11.84
    assert result["summary"]["penalty_fen"] == 1184
    assert result["unapplied"] == {"3": 100}
    assert result["derivations"]["penalty"]["value_fen"] == 1184
    assert [row["status"] for row in result["schedule"]][:3] == ["PAID", "OVERDUE", "FUTURE"]
    assert result["totals"]["principal_fen"] == 5_000_000
    assert result["disclosure"]["nominal"] == {"rate_ppm": 144_000}


JUNK: tuple[Any, ...] = (
    None,
    -1,
    0,
    1,
    10**20,
    "",
    "x",
    "2026-02-30",
    "9999-12-31",
    "1900-01-01",
    True,
    [],
    {},
    [1],
    [[]],
    {"a": 1},
    1.5,
)
FULL: dict[str, Any] = EXAMPLE | {
    "terms": live(7, events=1).terms.as_document() | {"class_thresholds": [[1, 2]], "payer_shares": [["2024-08-01", [["财政", 500_000]]]]},
    "facts": [
        {"seq": 1, "kind": "DISBURSEMENT", "value_on": "2025-06-01", "booked_on": "2025-06-02", "amount_fen": 5_000_000},
        {"seq": 2, "kind": "PLAN_GIVEN", "value_on": "2025-06-01", "data": {
            "lines": [{"due_on": "2025-09-01", "principal_fen": 1, "interest_fen": 2}]}},
        {"seq": 3, "kind": "CALENDAR", "value_on": "2025-06-02", "data": {
            "calendar": {"holidays": ["2025-07-01"], "makeup_workdays": [], "published_years": [2025]}, "ends": ["2025-09-02"]}},
        {"seq": 4, "kind": "NEW_PLAN", "value_on": "2025-06-03", "data": {
            "ends": ["2025-10-01"], "principal": [1], "method": "LEVEL_PAYMENT", "unit": "MONTH", "every": 1, "grace_periods": 1}},
        {"seq": 5, "kind": "EXTENSION", "value_on": "2025-06-04", "data": {"maturity": "2026-10-01", "rate_ppm": 60_000}},
        {"seq": 6, "kind": "RATE_CHANGE", "value_on": "2025-06-05", "data": {"rate_ppm": 50_000, "relevel": False}},
        {"seq": 7, "kind": "PAYER_SHARES", "value_on": "2025-06-06", "data": {"shares": [["财政", 500_000]]}},
        {"seq": 8, "kind": "REPAYMENT", "value_on": "2025-12-06", "amount_fen": 9, "data": {"payer": "财政", "future": "LAST"}},
        {"seq": 9, "kind": "REVERSAL", "value_on": "2025-12-07", "data": {"seq": 8}},
    ],
    "on": "2026-03-20",
}  # fmt: skip
OPENED: dict[str, Any] = FULL | {
    "facts": [
        {"seq": 1, "kind": "OPENING", "value_on": "2025-06-01", "data": {
            "principal_fen": 5_000_000, "unpaid": [{"no": 3, "due_on": "2025-05-01", "principal_fen": 1, "interest_fen": 2}],
            "plan": [{"due_on": "2025-09-01", "bill_on": "2025-08-20", "principal_fen": 5_000_000, "interest_fen": 9}],
            "accrued_interest_fen": 7, "carry_num": 5, "penalty_fen": 1, "compound_fen": 1, "fee_fen": 1, "overpayment_fen": 1,
            "off_balance": True, "class": 2, "rate_ppm": 70_000, "period_start": "2025-05-20", "maturity": "2026-01-01",
            "flat_base_fen": 5_000_000, "level_fen": 10, "settled_periods": 3}},
    ],
}  # fmt: skip


def spoiled(value: Any) -> Any:
    """每一处换成每一样垃圾，一次一处。"""
    yield from JUNK
    if isinstance(value, dict):
        for name, entry in value.items():
            yield {key: other for key, other in value.items() if key != name}
            yield from (value | {name: changed} for changed in spoiled(entry))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in spoiled(entry))


@pytest.mark.parametrize("document", [FULL, OPENED], ids=["facts", "opening"])
def test_every_place_may_hold_anything(document: dict[str, Any]) -> None:
    """逐处试遍：要么算成，要么指出错在哪一栏，不抛错，也不死循环。"""
    assert calculate(document)["ok"], calculate(document)
    refused = 0
    for changed in spoiled(document):
        result = calculate(changed)
        assert problems(SCHEMA["result"], json.loads(json.dumps(result))) == []
        refused += not result["ok"]
    assert refused > 500
