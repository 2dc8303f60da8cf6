"""案情文件：一个案子的事实写成 JSON，供命令行与接口求裁定。

``{"program": "S11", "stage": "REVIEW", "on": "2026-11-22", "facts": {"applicant.age_years": 35,
"loan.amount_fen": {"value": 5000000, "evidence": "SEEN", "reference": "申请表"}}}``。日期写 ISO，没有的事实不写。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from sancha.rulebook.documents import Document
from sancha.rulebook.expression import Kind
from sancha.rulebook.facts import Evidence, FactDefinition
from sancha.rulebook.rulebase import Rulebase
from sancha.rulebook.rules import Known, Stage, Verdict


class GivenFact(Document):
    """一个事实的值与由来。"""

    value: Any
    evidence: Evidence = Evidence.CLAIMED
    reference: str = ""


class CaseFile(Document):
    """一个案子。"""

    program: str = Field(pattern=r"^S\d{1,2}$")
    stage: Stage | None = None
    on: date
    facts: dict[str, Any]


def explain(case: CaseFile, base: Rulebase) -> dict[str, Any]:
    """求裁定并写成文档：各条裁定、总的结论、最紧的限额、还缺什么。

    :raises ValueError: 事实不认识，或值不合类型。
    """
    known = {name: _known(base, name, given) for name, given in case.facts.items()}
    decision = base.decide(known, on=case.on, program=case.program, stage=case.stage)
    limit = decision.binding_limit
    return {
        "program": case.program,
        "stage": case.stage,
        "on": case.on.isoformat(),
        "outcome": decision.outcome,
        "outcome_name": decision.outcome.label,
        "effect": decision.effect,
        "effect_name": decision.effect.label if decision.effect else "",
        "limit_fen": limit.limit_fen if limit else None,
        "limit_rule": limit.rule.code if limit else None,
        "missing": [{"fact": name, "ask": base.ask(name)} for name in decision.missing],
        "verdicts": [_verdict(base, verdict) for verdict in decision.verdicts],
    }


def _verdict(base: Rulebase, verdict: Verdict) -> dict[str, Any]:
    """一条裁定的文档：规则与版本、条款、事实与参数、结论、说明、补救、最少改动。"""
    rule = verdict.rule
    return {
        "rule": rule.code,
        "name": rule.name,
        "version": rule.effective_from.isoformat(),
        "effect": rule.effect,
        "clause": rule.clause,
        "citation": base.book.clause(rule.clause).citation,
        "outcome": verdict.outcome,
        "outcome_name": verdict.outcome.label,
        "blocks": verdict.blocks,
        "limit_fen": verdict.limit_fen,
        "message": base.wording(verdict, rule.message),
        "remedy": base.wording(verdict, rule.remedy),
        "inputs": {
            name: {"value": _plain(item.value), "evidence": item.evidence, "reference": item.reference}
            for name, item in verdict.inputs.items()
        },
        "parameters": {alias: item.as_dict() for alias, item in verdict.parameters.items()},
        "missing": list(verdict.missing),
        "changes": [
            {"fact": item.fact, "name": item.name, "before": _plain(item.before), "after": _plain(item.after)}
            for item in verdict.changes
        ],
    }


def _known(base: Rulebase, name: str, given: Any) -> Known:
    definition = base.facts.get(name)
    if not (isinstance(given, dict) and "value" in given):
        return Known(_read(definition, given))
    fact = GivenFact.model_validate(given)
    return Known(_read(definition, fact.value), fact.evidence, fact.reference)


def _read(definition: FactDefinition | None, value: Any) -> Any:
    """JSON 里没有日期：该是日期的文字读成日期，读不成的原样留着，由类型检查说明。"""
    if definition is not None and definition.type.kind is Kind.DATE and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
