"""裁定：对着本案当日的事实跑完一个环节的规则，连同所据一并留底。"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import date
from typing import Any

from sancha.apps.origination.facts import askable_at, case_document, readable, stored
from sancha.apps.origination.models import Application, RuleException, Ruling
from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.rulebook.case_file import CaseFile, explain
from sancha.rulebook.facts import Evidence
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Effect, Outcome, Stage

Decided = dict[str, Any]


def decide(application: Application, *, stage: Stage, on: date) -> tuple[Decided, dict[str, Any]]:
    """求裁定而不留底（页面上随时可看）：（裁定的文档, 所据的案情）。"""
    document = case_document(application, on=on)
    case = CaseFile(program=application.program, stage=stage, on=on, facts=document)
    return explain(case, rulebase()), document


def foresee(application: Application, *, on: date) -> Decided:
    """草稿此刻受理会怎样：填得成的当事实，填不成的算没填；不留底。"""
    typed = application.typed
    document = case_document(application, on=on)
    answers = readable(askable_at(application.program, Stage.INTAKE, on), typed)
    for code, value in answers.items():
        held = document.get(code)
        if held is not None and held["evidence"] == Evidence.COMPUTED and held["value"] >= value:
            continue
        document[code] = {"value": stored(value), "evidence": Evidence.CLAIMED.value, "reference": "申请表"}
    with suppress(MoneyError):
        document["loan.amount_fen"] = {
            "value": parse_yuan(typed.get("amount", "")),
            "evidence": "CLAIMED",
            "reference": "",
        }
    if typed.get("guarantee"):
        document["loan.guarantee"] = {"value": typed["guarantee"], "evidence": "CLAIMED", "reference": ""}
    case = CaseFile(program=application.program, stage=Stage.INTAKE, on=on, facts=document)
    return explain(case, rulebase())


def rule(application: Application, *, actor: Actor, stage: Stage, on: date) -> tuple[Ruling, Decided]:
    """求裁定并留底。"""
    decided, document = decide(application, stage=stage, on=on)
    row = Ruling.objects.create(
        application=application,
        stage=stage,
        outcome=decided["outcome"],
        facts=document,
        verdicts=decided["verdicts"],
        limit_fen=decided["limit_fen"],
        on_day=on,
        by_id=actor.person_id,
        at=now(),
    )
    return row, decided


def failures(decided: Decided, effect: Effect | None = None) -> list[dict[str, Any]]:
    """不符合的各条；``effect`` 只取某种效果的。"""
    return [
        verdict
        for verdict in decided["verdicts"]
        if verdict["blocks"] and verdict["outcome"] == Outcome.FAIL and effect in {None, verdict["effect"]}
    ]


def require_known(decided: Decided) -> None:
    """有规则可依，也没有待补的事实。

    :raises DomainError: 这一天这一环节一条规则也没有；缺事实的逐项写明缺什么、向谁要。
    """
    if not decided["verdicts"]:
        raise DomainError(
            "NO_RULES_IN_FORCE",
            "这一天这一环节没有一条有效的规则，没有依据可以裁定。",
            clause="POL-14",
            fix="请核对方案与规则库的起效日期。",
        )
    if not decided["missing"]:
        return
    asks = "；".join(item["ask"] for item in decided["missing"])
    raise DomainError(
        "FACTS_MISSING",
        f"还缺 {len(decided['missing'])} 项事实，规则无从裁定：{asks}。",
        field=decided["missing"][0]["fact"],
        clause="POL-14",
        fix="请补齐后再办；不知道的不要猜。",
    )


def granted(application: Application) -> frozenset[str]:
    """有权机构已同意照办的规则。"""
    return frozenset(RuleException.objects.filter(application=application).values_list("rule", flat=True))


def require_passed(decided: Decided, *, excepted: Collection[str] = ()) -> None:
    """没有待补，也没有不符合；有权机构同意照办的（``excepted``）不算。

    :raises DomainError: 逐条写明哪条规则、依据哪条、怎么办。
    """
    require_known(decided)
    failed = [verdict for verdict in failures(decided) if verdict["rule"] not in excepted]
    if failed:
        raise DomainError(
            "RULES_FAILED",
            "".join(f"{verdict['message']}（{verdict['citation']}）" for verdict in failed),
            value=failed[0]["rule"],
            clause="、".join(dict.fromkeys(verdict["clause"] for verdict in failed)),
            fix="".join(verdict["remedy"] for verdict in failed),
        )
