"""规则集：装载时例子全跑；裁定说清版本、依据、缺什么、最少改什么；坏规则不装载。"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sancha.rulebook.catalog import ROOT, catalog
from sancha.rulebook.errors import RulebookError
from sancha.rulebook.rulebase import Rulebase, load_rulebase, rulebase, show
from sancha.rulebook.rules import Effect, Known, Outcome, Stage, Verdict

ON = date(2026, 11, 22)


def decided(program: str, facts: dict[str, Any], *, on: date = ON, stage: Stage | None = None) -> dict[str, Verdict]:
    known = {name: Known(value) for name, value in facts.items()}
    decision = rulebase().decide(known, on=on, program=program, stage=stage)
    return {verdict.rule.code: verdict for verdict in decision.verdicts}


def test_the_published_rules_load_with_all_their_cases() -> None:
    base = rulebase()
    cases = sum(len(rule.cases) for versions in base.rules.values() for rule in versions)
    assert len(base.rules) >= 33
    assert cases >= 95


@pytest.mark.parametrize(("age", "outcome"), [(19, "FAIL"), (20, "PASS"), (60, "PASS"), (61, "FAIL")])
def test_the_age_of_a_borrower(age: int, outcome: str) -> None:
    verdict = decided("S11", {"applicant.age_years": age})["s11.borrower.age"]
    assert verdict.outcome == outcome
    assert verdict.parameters["age_max"].value == 60
    assert catalog().clause(verdict.rule.clause).citation.startswith("《中国邮政储蓄银行小额贷款管理办法》")


def test_the_smallest_change_flips_and_one_less_does_not() -> None:
    facts = {
        "applicant.kind": "MERCHANT",
        "business.is_service": False,
        "business.assets_fen": 60_000_000,
        "business.debts_fen": 15_000_000,
        "loan.amount_fen": 31_000_000,
    }
    verdict = decided("S11", facts)["s11.merchant.debt_ratio"]
    after = {change.fact: change.after for change in verdict.changes}
    assert after["loan.amount_fen"] == 30_000_000
    assert after["business.is_service"] is True
    for fact, value in after.items():
        again = decided("S11", {**facts, fact: value})["s11.merchant.debt_ratio"]
        assert again.outcome is Outcome.PASS, fact
        if isinstance(value, int) and not isinstance(value, bool):
            nearer = value + (1 if value < facts[fact] else -1)
            assert decided("S11", {**facts, fact: nearer})["s11.merchant.debt_ratio"].outcome is Outcome.FAIL, fact


def test_the_change_inside_a_record_names_its_line() -> None:
    facts = {"loan.guarantee": "GUARANTEE", "guarantors": [{"age_years": 35}, {"age_years": 61}]}
    (change,) = decided("S11", facts)["s11.guarantor.age"].changes
    assert (change.fact, change.before, change.after) == ("guarantors[2].age_years", 61, 60)


def test_what_is_missing_is_asked_for_by_name() -> None:
    facts = {"loan.guarantee": "GUARANTEE", "guarantors": [{"age_years": 35}, {}]}
    verdict = decided("S11", facts)["s11.guarantor.age"]
    assert verdict.outcome is Outcome.UNKNOWN
    assert [rulebase().ask(name) for name in verdict.missing] == ["第 2 条：请核对保证人身份证"]


def test_guarantor_over_capacity_by_a_hundred_yuan() -> None:
    guarantor = {
        "kind": "SALARIED", "monthly_income_fen": 500_000, "annual_income_fen": 6_000_000, "own_loans_fen": 5_000_000,
        "other_guarantees_fen": 5_000_000,
    }  # fmt: skip
    known = {"loan.guarantee": Known("GUARANTEE"), "guarantors": Known([guarantor]), "loan.reasonable_need_fen": Known(30_000_000)}  # fmt: skip
    decision = rulebase().decide(known, on=ON, program="S11", stage=Stage.APPROVAL)
    limit = decision.binding_limit
    assert limit is not None
    assert (limit.rule.code, limit.limit_fen) == ("s11.limit.guarantors", 20_000_000)


def test_a_rule_is_not_in_force_before_its_day() -> None:
    assert "s11.borrower.age" not in decided("S11", {"applicant.age_years": 61}, on=date(2013, 12, 31))


def test_what_must_be_referred_is_not_refused() -> None:
    """跨地域的上报一级分行，不是径行拒绝（POL-1）；同时另有不符合的，就是拒绝。"""
    outside = {"business.in_service_area": Known(False)}
    decision = rulebase().decide(outside, on=ON, program="S11", stage=Stage.INTAKE)
    assert (decision.outcome, decision.effect) == (Outcome.FAIL, Effect.REFER)
    decision = rulebase().decide(outside | {"applicant.age_years": Known(61)}, on=ON, program="S11", stage=Stage.INTAKE)
    assert decision.effect is Effect.REFUSE
    assert rulebase().decide({}, on=ON, program="S11").effect is None


def test_a_stage_asks_only_its_own_rules() -> None:
    assert "s11.limit.need" not in decided("S11", {}, stage=Stage.INTAKE)
    assert "s11.limit.need" in decided("S11", {}, stage=Stage.APPROVAL)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("applicant.age_years", "二十", "应为整数"),
        ("applicant.age_years", True, "应为整数"),
        ("applicant.kind", "ALIEN", "没有这个取值"),
        ("guarantors", [{"wage": 1}], "记录里没有「wage」"),
        ("no.such_fact", 1, "没有事实"),
    ],
)
def test_bad_facts_are_refused(name: str, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rulebase().decide({name: Known(value)}, on=ON, program="S11")


def test_wording_shows_yuan_and_percent() -> None:
    facts = {
        "applicant.kind": "MERCHANT",
        "business.is_service": True,
        "business.assets_fen": 100,
        "business.debts_fen": 1_234_500,
        "loan.amount_fen": 100,
    }
    verdict = decided("S11", facts)["s11.merchant.debt_ratio"]
    text = rulebase().wording(verdict, verdict.rule.message)
    assert "12,345.00元" in text
    assert "70%" in text
    assert show(123_400, "ppm") == "12.34%"


RULE = """
rules:
  - code: x.rule
    name: 试规则
    program: S11
    stages: [INTAKE]
    effect: REFUSE
    versions:
      - from: 2014-01-01
        clause: PSBC-2014-BORROWER
        source: 资料
        origin: S4
        last_checked: 2026-11-22
        require: "applicant.age_years >= 20"
        message: 年龄{applicant.age_years}不足
        remedy: 等一等吧
        cases:
          - {name: 够, given: {applicant.age_years: 20}, then: PASS}
          - {name: 不够, given: {applicant.age_years: 19}, then: FAIL}
"""


def load(tmp_path: Path, text: str) -> Rulebase:
    for folder in ("facts", "rules"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "facts" / "case.yaml").write_text((ROOT / "facts" / "case.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "rules" / "x.yaml").write_text(text, "utf-8")
    return load_rulebase(tmp_path, catalog())


def test_a_good_rule_loads(tmp_path: Path) -> None:
    assert list(load(tmp_path, RULE).rules) == ["x.rule"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (">= 20", ">= 21", "应为 PASS，得到 FAIL"),
        ("applicant.age_years >= 20", "applicant.height >= 20", "不认识"),
        ("applicant.age_years >= 20", "applicant.age_years", "应是条件"),
        ("PSBC-2014-BORROWER", "PSBC-1900-NOTHING", "没有条款"),
        ("from: 2014-01-01", "from: 2001-01-01", "还未施行"),
        ("then: FAIL", "then: PASS", "应为 PASS，得到 FAIL"),
        ("given: {applicant.age_years: 19}, then: FAIL", "given: {applicant.age_years: 30}, then: PASS", "缺少结论为 FAIL"),
        ("{applicant.age_years}不足", "{applicant.kind}不足", "不是这条规则用到的"),
        ("        require:", "        uses: {floor: s11.borrower_age_min}\n        require:", "没有用到"),
        ("        require:", "        uses: {floor: s11.nothing}\n        require:", "没有参数"),
        ("effect: REFUSE", "effect: LIMIT", "要写 limit"),
        ("        origin: S4\n", "", "缺少此栏"),
        ("given: {applicant.age_years: 20}", "given: {applicant.age_years: 20, applicant.kind: FARMER}", "用不到的事实"),
    ],
)  # fmt: skip
def test_a_bad_rule_does_not_load(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in RULE
    with pytest.raises(RulebookError, match=why):
        load(tmp_path, RULE.replace(old, new))
