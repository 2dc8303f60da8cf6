"""本案的事实：记下的、系统算得的，合成规则要的样子；填写的文字读成事实的值。

记下的同一项以后记者为准；系统算得的盖过记下的——年龄由证件与日期定，不由人说；名单与在贷查得到的，不许填成没有。
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.origination.models import Application, CaseFact, CaseGuarantor
from sancha.apps.parties import queries as parties
from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kit.errors import DomainError
from sancha.rulebook.evaluation import years_between
from sancha.rulebook.expression import Kind
from sancha.rulebook.facts import Evidence, FactDefinition, check_value
from sancha.rulebook.packs import packs
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Known, Outcome, Stage
from sancha.rulebook.vocabulary import CustomerKind

GUARANTORS = "guarantors"
GUARANTOR_KIND, GUARANTOR_AGE = "kind", "age_years"
YES, NO = "yes", "no"

Document = dict[str, dict[str, Any]]
"""规则要的案情：事实代码 → {value, evidence, reference}。"""


@dataclass(frozen=True, slots=True)
class Case:
    """算事实要用的：申请、客户类别与生日、当日。"""

    application: Application
    customer_kind: CustomerKind
    birth: date | None
    on: date


def _applicant_kind(case: Case) -> str | None:
    return packs()[case.application.program].applicant_kinds.get(case.customer_kind)


COMPUTED: Mapping[str, Callable[[Case], Any]] = {
    "applicant.kind": _applicant_kind,
    "applicant.age_years": lambda case: years_between(case.birth, case.on) if case.birth else None,
    "business.is_company": lambda case: case.customer_kind is CustomerKind.COMPANY,
    "loan.amount_fen": lambda case: case.application.amount_fen,
    "loan.guarantee": lambda case: case.application.guarantee or None,
}
"""系统算得的事实：不由人填。"""


def _found_on_record(case: Case) -> dict[str, tuple[Any, str]]:
    """本系统查得到的不利事实。查不到不等于没有（别家的贷款、没录的家人），所以照样问人，只是查到的不许说成没有。"""
    party_id = case.application.party_id
    causes = {hit.cause for hit in parties.hits(on=case.on, party_id=party_id)}
    loans = parties.open_loans_of_family(party_id, on=case.on)
    program = packs()[case.application.program].name
    same = [loan.number for loan in loans if loan.program == program]
    return {
        "applicant.on_court_list": ("COURT_DISHONEST" in causes, "法院失信名单"),
        "applicant.disputes_with_post": ("DISPUTE" in causes, "风险名单"),
        "household.open_microloans": (len(same), "借据 " + "、".join(same)),
    }


def computed_codes() -> frozenset[str]:
    """系统算得、不必人填的事实。"""
    return frozenset(COMPUTED) | {GUARANTORS}


def askable_at(program: str, stage: Stage, on: date) -> list[FactDefinition]:
    """一个环节可以要人填的事实：该环节的规则用到、系统算不出、不是成组的记录，按词典次序。"""
    base = rulebase()
    used = {name for rule in base.on(on, program=program, stage=stage) for name in rule.fact_names}
    return [
        fact
        for code, fact in base.facts.items()
        if code in used - computed_codes() and fact.type.kind is not Kind.RECORDS
    ]


def asked_at(program: str, stage: Stage, on: date, *, kind: str, guarantees: Iterable[str]) -> list[FactDefinition]:
    """对这类申请人、这几种担保方式，在这一环节真要问的：对谁都不适用的规则用到的不问。"""
    base = rulebase()
    wanted: set[str] = set()
    for guarantee in guarantees:
        known = {"applicant.kind": Known(kind), "loan.guarantee": Known(guarantee)}
        for verdict in base.decide(known, on=on, program=program, stage=stage).verdicts:
            if verdict.outcome is not Outcome.NOT_APPLICABLE:
                wanted |= verdict.rule.fact_names
    return [fact for fact in askable_at(program, stage, on) if fact.code in wanted]


def read_fact(definition: FactDefinition, text: str) -> Any:
    """填写的文字 → 事实的值；空白为未知。金额填元，是非填 yes/no，日期填年-月-日。

    :raises ValueError: 读不成，说明白怎么填。
    """
    given = text.strip()
    if not given:
        return None
    match definition.type.kind:
        case Kind.BOOL:
            if given not in {YES, NO}:
                raise ValueError(f"「{definition.name}」请填是或否。")
            value: Any = given == YES
        case Kind.INT if definition.unit == "分":
            try:
                value = parse_yuan(given)
            except MoneyError as wrong:
                raise ValueError(f"「{definition.name}」{wrong}") from wrong
        case Kind.INT:
            if not given.isascii() or not given.removeprefix("-").isdigit() or len(given) > 12:
                raise ValueError(f"「{definition.name}」请填整数，单位{definition.unit}。")
            value = int(given)
            if value < 0:
                raise ValueError(f"「{definition.name}」不能是负数。")
        case Kind.DATE:
            try:
                value = date.fromisoformat(given)
            except ValueError as wrong:
                raise ValueError(f"「{definition.name}」请写成 年-月-日，如 2026-01-31。") from wrong
        case _:
            value = given
    if problem := check_value(definition, value):
        raise ValueError(problem)
    return value


def read_answers(definitions: Iterable[FactDefinition], typed: Mapping[str, str]) -> dict[str, Any]:
    """一组填写的文字 → 事实的值；没填的不在内。

    :raises DomainError: 一次列出全部读不成的，填过的内容由调用者留着。
    """
    values: dict[str, Any] = {}
    problems: list[tuple[str, str, str]] = []
    for definition in definitions:
        text = str(typed.get(definition.code, ""))
        try:
            value = read_fact(definition, text)
        except ValueError as wrong:
            problems.append((definition.code, text, str(wrong)))
            continue
        if value is not None:
            values[definition.code] = value
    if problems:
        raise DomainError(
            "FACT_INVALID",
            "；".join(message.rstrip("。") for _code, _text, message in problems) + "。",
            field=problems[0][0],
            value=problems[0][1],
            fix="请按提示修改；已填的都还在。",
        )
    return values


def readable(definitions: Iterable[FactDefinition], typed: Mapping[str, str]) -> dict[str, Any]:
    """填写里读得成的事实；读不成的略过，留在原样里。"""
    values: dict[str, Any] = {}
    for definition in definitions:
        with suppress(ValueError):
            if (value := read_fact(definition, str(typed.get(definition.code, "")))) is not None:
                values[definition.code] = value
    return values


def definition_of(code: str, *, of_guarantor: bool) -> FactDefinition:
    """事实词典里的一项（保证人的是那一栏）。

    :raises DomainError: 词典里没有，或是系统算得、不由人记的。
    """
    facts = rulebase().facts
    found = facts[GUARANTORS].fields.get(code) if of_guarantor else facts.get(code)
    computed = {GUARANTOR_KIND, GUARANTOR_AGE} if of_guarantor else computed_codes()
    if found is None or code in computed:
        why = "由系统得出，不由人记" if found else "不在事实词典里"
        raise DomainError(
            "FACT_UNKNOWN", f"「{code}」{why}。", field="code", value=code, fix="请从「规则」页的事实词典里选。"
        )
    return found


def stored(value: Any) -> Any:
    """存成 JSON 的值：日期写 ISO。"""
    return value.isoformat() if isinstance(value, date) else value


def latest(facts: Iterable[CaseFact]) -> dict[tuple[int | None, str], CaseFact]:
    """每一项最后记的：（保证人, 代码）→ 那一条。"""
    return {(fact.guarantor_id, fact.code): fact for fact in sorted(facts, key=lambda item: item.pk)}


def case_document(application: Application, *, on: date) -> Document:
    """规则要的案情；查询条数与事实、保证人多少无关。"""
    found = latest(CaseFact.objects.filter(application=application))
    guarantors = list(CaseGuarantor.objects.filter(application=application, removed_on__isnull=True).order_by("pk"))
    births = parties.applicant_marks([application.party_id, *(row.party_id for row in guarantors)])
    kind, birth = births[application.party_id]
    case = Case(application, kind, birth, on)
    document: Document = {
        code: {"value": fact.value, "evidence": fact.evidence, "reference": fact.reference}
        for (holder, code), fact in found.items()
        if holder is None
    }
    for code, finder in COMPUTED.items():
        if (value := finder(case)) is not None:
            document[code] = {"value": stored(value), "evidence": Evidence.COMPUTED.value, "reference": ""}
    for code, (value, reference) in _found_on_record(case).items():
        if value and value >= (document[code]["value"] if code in document else 0):
            document[code] = {"value": value, "evidence": Evidence.COMPUTED.value, "reference": reference[:200]}
    if guarantors or application.guarantee in NEED_GUARANTORS:
        records = [_guarantor_record(row, found, births[row.party_id][1], on) for row in guarantors]
        document[GUARANTORS] = {
            "value": records,
            "evidence": _weakest(fact for (holder, _code), fact in found.items() if holder is not None),
            "reference": "",
        }
    return document


NEED_GUARANTORS = frozenset({"GUARANTEE", "MAX_GUARANTEE"})
"""须有保证人的担保方式：一个也没登记就是「零个」，不是未知。"""

_RANK = {kind.value: rank for rank, kind in enumerate(Evidence)}


def _weakest(facts: Iterable[CaseFact]) -> str:
    """一组事实里最软的由来：整组只有它那么可靠。"""
    ranks = [fact.evidence for fact in facts]
    return min(ranks, key=lambda code: _RANK[code], default=Evidence.CLAIMED.value)


def _guarantor_record(
    row: CaseGuarantor, found: Mapping[tuple[int | None, str], CaseFact], birth: date | None, on: date
) -> dict[str, Any]:
    record = {code: fact.value for (holder, code), fact in found.items() if holder == row.pk}
    record[GUARANTOR_KIND] = row.kind
    if birth is not None:
        record[GUARANTOR_AGE] = years_between(birth, on)
    return record


def guarantor_kinds() -> list[tuple[str, str]]:
    """保证人类别的选项。"""
    return list(rulebase().facts[GUARANTORS].fields[GUARANTOR_KIND].choices.items())
