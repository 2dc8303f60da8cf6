"""规则：对着事实的一个条件，挂着条款，有日期、有版本、有例子。求值得到裁定。

裁定说清：哪条规则的哪一版、依据哪一条、用了哪些事实（各凭什么）与参数、结论、最少改什么就会翻过来、怎么补救。
缺事实就是「待补」，从不猜。见 docs/algorithms/rule-expression.md。
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import Field, model_validator

from sancha.rulebook.catalog import Catalog, Parameter
from sancha.rulebook.documents import CLAUSE_PATTERN, CODE_PATTERN, ORIGIN_PATTERN, Document, ParameterType
from sancha.rulebook.evaluation import evaluate
from sancha.rulebook.expression import BOOL, TEXTS, Kind, Node, Type, names_in, parse
from sancha.rulebook.facts import Evidence, FactDefinition, units_of
from sancha.rulebook.vocabulary import Term


class Stage(Term):
    """规则在哪一步查。"""

    INTAKE = "INTAKE", "受理"
    INVESTIGATION = "INVESTIGATION", "调查"
    REVIEW = "REVIEW", "审查"
    APPROVAL = "APPROVAL", "审批"
    CONTRACT = "CONTRACT", "签约"
    DISBURSEMENT = "DISBURSEMENT", "放款"


class Effect(Term):
    """不符合时怎么办。"""

    REFUSE = "REFUSE", "不予办理"
    REFER = "REFER", "上报有权机构决定"
    WARN = "WARN", "提示注意"
    LIMIT = "LIMIT", "限额"


class Outcome(Term):
    """裁定的结论。"""

    PASS = "PASS", "符合"
    FAIL = "FAIL", "不符合"
    UNKNOWN = "UNKNOWN", "待补材料"
    NOT_APPLICABLE = "NOT_APPLICABLE", "不适用"


class CaseDocument(Document):
    """例子：给定这些事实、在这一天，应得这个结论（限额规则还可写限额）。"""

    name: str = Field(min_length=1)
    on: date | None = None
    given: Mapping[str, Any]
    then: Outcome
    limit: int | None = None


class VersionDocument(Document):
    """规则的一版。``uses``：别名 → 参数代码；``require`` 是条件（``LIMIT`` 规则是 ``limit`` 限额）。"""

    from_: date = Field(alias="from")
    clause: str = Field(pattern=CLAUSE_PATTERN)
    source: str = Field(min_length=2)
    origin: str = Field(pattern=ORIGIN_PATTERN)
    unsure: bool = False
    last_checked: date
    uses: Mapping[str, str] = Field(default_factory=dict)
    applies: str = ""
    require: str = ""
    limit: str = ""
    message: str = Field(min_length=4)
    remedy: str = Field(min_length=4)
    cases: tuple[CaseDocument, ...] = Field(min_length=2)


class RuleDocument(Document):
    """一条规则的全部版本。"""

    code: str = Field(pattern=CODE_PATTERN)
    name: str = Field(min_length=2)
    program: str = Field(pattern=r"^S\d{1,2}$")
    stages: tuple[Stage, ...] = Field(min_length=1)
    effect: Effect
    versions: tuple[VersionDocument, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> RuleDocument:
        previous: date | None = None
        for version in self.versions:
            wanted, other = ("limit", "require") if self.effect is Effect.LIMIT else ("require", "limit")
            if not getattr(version, wanted) or getattr(version, other):
                raise ValueError(f"{wanted}：效果是「{self.effect.label}」的规则要写 {wanted}，不写 {other}")
            if previous is not None and version.from_ <= previous:
                raise ValueError(f"versions：{version.from_} 未按日期先后排列")
            previous = version.from_
        return self


class RuleFile(Document):
    """``rules/*.yaml``。"""

    rules: tuple[RuleDocument, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """一条规则的一版，表达式已解析、类型已查清。"""

    code: str
    name: str
    program: str
    stages: frozenset[Stage]
    effect: Effect
    effective_from: date
    effective_to: date | None
    clause: str
    source: str
    origin: str
    unsure: bool
    last_checked: date
    uses: Mapping[str, str]
    applies: Node | None
    demand: Node
    applies_text: str
    demand_text: str
    """要求（或限额）的原文，给人看；``applies_text`` 是适用条件的。"""
    message: str
    remedy: str
    cases: tuple[CaseDocument, ...]

    @property
    def fact_names(self) -> frozenset[str]:
        """用到的事实。"""
        used = names_in(self.demand) | (names_in(self.applies) if self.applies is not None else frozenset())
        return used - self.uses.keys()


@dataclass(frozen=True, slots=True)
class Known:
    """一个事实的值与由来。"""

    value: Any
    evidence: Evidence = Evidence.CLAIMED
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """最少的改动：这个事实从多少改到多少，结论就翻过来。"""

    fact: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """裁定：一条规则对一个案子在一天的结论，连同依据。"""

    rule: Rule
    on: date
    outcome: Outcome
    inputs: Mapping[str, Known]
    parameters: Mapping[str, Parameter]
    missing: tuple[str, ...] = ()
    limit_fen: int | None = None
    changes: tuple[Change, ...] = field(default=())

    @property
    def blocks(self) -> bool:
        """是否挡住这一步：不符合且须拒绝或上报，或缺事实。提示不挡。"""
        if self.rule.effect is Effect.WARN:
            return False
        return self.outcome in {Outcome.FAIL, Outcome.UNKNOWN}


def bind(document: RuleDocument, book: Catalog, facts: Mapping[str, FactDefinition]) -> tuple[Rule, ...]:
    """解析并查清一条规则的全部版本。

    :raises ValueError: 表达式不合、事实或参数不认识、条款当日未施行。
    """
    rules = []
    ends: list[date | None] = [version.from_ for version in document.versions[1:]]
    for version, end in zip(document.versions, [*ends, None], strict=True):
        names = {code: fact.type for code, fact in facts.items()}
        for alias, code in version.uses.items():
            if alias in names:
                raise ValueError(f"uses.{alias}：与事实同名")
            names[alias] = parameter_type(book.history(code)[0])
        if not book.clause(version.clause).in_force(version.from_):
            raise ValueError(f"clause：{version.clause} 在 {version.from_} 还未施行或已失效")
        applies = parse(version.applies, names) if version.applies else None
        if applies is not None and applies.type.kind is not Kind.BOOL:
            raise ValueError("applies：应是条件")
        demand = parse(version.require or version.limit, names)
        wanted = Kind.INT if document.effect is Effect.LIMIT else Kind.BOOL
        if demand.type.kind is not wanted or (wanted is Kind.INT and demand.type.unit != ("分",)):
            raise ValueError("limit：限额应是以分为单位的整数" if wanted is Kind.INT else "require：应是条件")
        rule = Rule(
            code=document.code,
            name=document.name,
            program=document.program,
            stages=frozenset(document.stages),
            effect=document.effect,
            effective_from=version.from_,
            effective_to=end,
            clause=version.clause,
            source=version.source,
            origin=version.origin,
            unsure=version.unsure,
            last_checked=version.last_checked,
            uses=version.uses,
            applies=applies,
            demand=demand,
            applies_text=version.applies,
            demand_text=version.require or version.limit,
            message=version.message,
            remedy=version.remedy,
            cases=version.cases,
        )
        if unused := version.uses.keys() - (names_in(demand) | (names_in(applies) if applies else frozenset())):
            raise ValueError(f"uses：{'、'.join(sorted(unused))} 没有用到")
        rules.append(rule)
    return tuple(rules)


def parameter_type(parameter: Parameter) -> Type:
    """参数在表达式里的类型。"""
    match parameter.type:
        case ParameterType.BOOL:
            return BOOL
        case ParameterType.TEXT:
            return Type(Kind.TEXT)
        case ParameterType.LIST if all(isinstance(item, str) for item in parameter.as_texts()):
            return TEXTS
        case ParameterType.TABLE | ParameterType.LIST:
            raise ValueError(f"参数 {parameter.code} 是{parameter.type}，表达式里不能用")
    return Type(Kind.INT, units_of(parameter.unit))


def parameters_of(rule: Rule, book: Catalog, on: date) -> dict[str, Parameter]:
    """规则在某日用的参数：别名 → 参数。"""
    return {alias: book.parameter(code, on) for alias, code in rule.uses.items()}


def constants_of(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """参数的值，列表成集合。"""
    return {
        alias: frozenset(item.value) if isinstance(item.value, tuple) else item.value
        for alias, item in parameters.items()
    }


def judge(rule: Rule, known: Mapping[str, Known], *, on: date, book: Catalog) -> Verdict:
    """对一个案子求裁定，不含「最少改什么」（见 :func:`sancha.rulebook.flips.changes`）。"""
    parameters = parameters_of(rule, book, on)
    values = {name: item.value for name, item in known.items()} | constants_of(parameters)
    outcome, missing, limit = settle(rule, values)
    inputs = {name: known[name] for name in sorted(rule.fact_names) if name in known}
    return Verdict(rule, on, outcome, inputs, parameters, missing, limit)


def settle(rule: Rule, values: Mapping[str, Any]) -> tuple[Outcome, tuple[str, ...], int | None]:
    """定论：对着事实与参数的值得出（结论, 缺的事实, 限额）。"""
    if rule.applies is not None:
        applies = evaluate(rule.applies, values)
        if applies.value is None:
            return Outcome.UNKNOWN, tuple(sorted(applies.missing)), None
        if not applies.value:
            return Outcome.NOT_APPLICABLE, (), None
    found = evaluate(rule.demand, values)
    if found.value is None:
        return Outcome.UNKNOWN, tuple(sorted(found.missing)), None
    if rule.effect is Effect.LIMIT:
        return Outcome.PASS, (), found.value
    return (Outcome.PASS if found.value else Outcome.FAIL), (), None
