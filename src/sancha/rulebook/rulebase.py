"""规则集：一套事实词典与规则，按项目、环节、日期取用；例子随时可跑。"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sancha.kernel.money import format_yuan
from sancha.rulebook.catalog import ROOT, Catalog, catalog, documents
from sancha.rulebook.errors import Problem, RulebookError
from sancha.rulebook.expression import PPM_UNIT
from sancha.rulebook.facts import FactDefinition, FactFile, check_value, definition
from sancha.rulebook.flips import changes
from sancha.rulebook.rules import (
    CaseDocument,
    Effect,
    Known,
    Outcome,
    Rule,
    RuleFile,
    Stage,
    Verdict,
    bind,
    judge,
)

_PLACE = re.compile(r"\{([a-z][a-z0-9_.]*)\}")


@dataclass(frozen=True, slots=True)
class Rulebase:
    """一套规则：事实、规则（代码 → 各版，按起效日）、所在文件。"""

    book: Catalog
    facts: Mapping[str, FactDefinition]
    rules: Mapping[str, tuple[Rule, ...]]
    files: Mapping[str, str]

    def on(self, day: date, *, program: str, stage: Stage | None = None) -> tuple[Rule, ...]:
        """某日某项目（某环节）有效的规则，按代码。"""
        found = []
        for versions in self.rules.values():
            rule = next((item for item in reversed(versions) if item.effective_from <= day), None)
            if rule is not None and rule.program == program and (stage is None or stage in rule.stages):
                found.append(rule)
        return tuple(found)

    def decide(self, known: Mapping[str, Known], *, on: date, program: str, stage: Stage | None = None) -> Decision:
        """对一个案子跑完一个环节的全部规则。

        :raises ValueError: 事实不认识，或值不合类型。
        """
        self.check(known)
        verdicts = []
        for rule in self.on(on, program=program, stage=stage):
            verdict = judge(rule, known, on=on, book=self.book)
            verdicts.append(replace(verdict, changes=changes(verdict, self.facts)))
        return Decision(tuple(verdicts))

    def check(self, known: Mapping[str, Known]) -> None:
        """事实都认识、值都合类型。

        :raises ValueError: 头一处不合。
        """
        for name, item in known.items():
            if name not in self.facts:
                raise ValueError(f"规则库里没有事实「{name}」")
            if problem := check_value(self.facts[name], item.value):
                raise ValueError(problem)

    def ask(self, missing: str) -> str:
        """缺一个事实时对经办人说的话；``guarantors[2].age_years`` 说明是第几条。"""
        base, _, column = missing.partition("]")
        name, _, number = base.partition("[")
        fact = self.facts[name]
        return f"第 {number} 条：{fact.fields[column[1:]].ask}" if column else fact.ask

    def wording(self, verdict: Verdict, text: str) -> str:
        """把说明里的 ``{名字}`` 换成值：分写成元，百万分写成百分数。"""

        def put(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in verdict.parameters:
                return show(verdict.parameters[name].value, verdict.parameters[name].unit)
            if name in verdict.inputs and name in self.facts:
                fact = self.facts[name]
                value = verdict.inputs[name].value
                return fact.choices.get(value, "") if fact.choices else show(value, fact.unit)
            return "（待补）"

        return _PLACE.sub(put, text)


@dataclass(frozen=True, slots=True)
class Decision:
    """一个环节全部规则的裁定。"""

    verdicts: tuple[Verdict, ...]

    @property
    def outcome(self) -> Outcome:
        """总的结论：有不符合的就不符合，否则有待补就待补，否则符合。提示类的不算。"""
        blocking = {verdict.outcome for verdict in self.verdicts if verdict.blocks}
        return Outcome.FAIL if Outcome.FAIL in blocking else Outcome.UNKNOWN if blocking else Outcome.PASS

    @property
    def effect(self) -> Effect | None:
        """不符合的规则要求怎么办：有一条不予办理就不予办理，否则是上报；没有不符合的为空。"""
        failed = {
            verdict.rule.effect for verdict in self.verdicts if verdict.blocks and verdict.outcome is Outcome.FAIL
        }
        return next((effect for effect in (Effect.REFUSE, Effect.REFER) if effect in failed), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """还缺的全部事实。"""
        return tuple(sorted({name for verdict in self.verdicts for name in verdict.missing}))

    @property
    def binding_limit(self) -> Verdict | None:
        """各限额中最小的一条；还有限额待补时也给出已知中最小的。"""
        limits = [verdict for verdict in self.verdicts if verdict.limit_fen is not None]
        return min(limits, key=lambda verdict: verdict.limit_fen or 0, default=None)


def show(value: Any, unit: str) -> str:
    """给人看的值。"""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int) and unit == "分":
        return f"{format_yuan(value)}元"
    if isinstance(value, int) and unit == PPM_UNIT:
        whole, rest = divmod(value, 10_000)
        return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"
    if isinstance(value, tuple | frozenset | list):
        return "、".join(str(item) for item in value)
    return f"{value}{unit}" if isinstance(value, int) else str(value)


def read_rulebase(root: Path, book: Catalog) -> tuple[Rulebase, list[Problem]]:
    """读事实与规则；有毛病的不进规则集，毛病列在第二项里。"""
    problems: list[Problem] = []
    files: dict[str, str] = {}
    facts: dict[str, FactDefinition] = {}
    for name, fact in documents(root, "facts", FactFile, lambda file: file.facts, problems):
        if fact.code in facts:
            problems.append(Problem("error", name, fact.code, "code", "事实重复"))
            continue
        facts[fact.code], files[fact.code] = definition(fact), name
    rules: dict[str, tuple[Rule, ...]] = {}
    for name, rule in documents(root, "rules", RuleFile, lambda file: file.rules, problems):
        if rule.code in rules:
            problems.append(Problem("error", name, rule.code, "code", "规则重复"))
            continue
        try:
            rules[rule.code] = bind(rule, book, facts)
        except (ValueError, LookupError) as error:
            problems.append(Problem("error", name, rule.code, "versions", str(error)))
            continue
        files[rule.code] = name
    base = Rulebase(
        book, MappingProxyType(facts), MappingProxyType(dict(sorted(rules.items()))), MappingProxyType(files)
    )
    problems += [problem for versions in rules.values() for item in versions for problem in case_problems(base, item)]
    problems += [problem for versions in rules.values() for item in versions for problem in _wording_problems(base, item)]  # fmt: skip
    return base, problems


def _wording_problems(base: Rulebase, rule: Rule) -> list[Problem]:
    known = rule.fact_names | rule.uses.keys()
    return [
        Problem("error", base.files[rule.code], rule.code, field, f"说明里的「{name}」不是这条规则用到的事实或参数")
        for field, text in (("message", rule.message), ("remedy", rule.remedy))
        for name in _PLACE.findall(text)
        if name not in known
    ]


def case_problems(base: Rulebase, rule: Rule) -> list[Problem]:
    """跑一条规则的例子：结论不同的、事实不合的、没有一正一反的。发布前必须为空。"""
    problems = []
    place = base.files[rule.code]
    for case in rule.cases:
        if message := _wrong(base, rule, case):
            problems.append(Problem("error", place, rule.code, f"例「{case.name}」", message))
    outcomes = {case.then for case in rule.cases}
    wanted = {Outcome.PASS} if rule.effect is Effect.LIMIT else {Outcome.PASS, Outcome.FAIL}
    if lacking := wanted - outcomes:
        problems.append(Problem("error", place, rule.code, "cases", f"缺少结论为 {'、'.join(sorted(lacking))} 的例子"))
    return problems


def _wrong(base: Rulebase, rule: Rule, case: CaseDocument) -> str:
    on = case.on or rule.effective_from
    if on < rule.effective_from or (rule.effective_to is not None and on >= rule.effective_to):
        return f"{on} 不在这一版的有效期内"
    try:
        base.check({name: Known(value) for name, value in case.given.items()})
    except ValueError as error:
        return str(error)
    if extra := case.given.keys() - rule.fact_names:
        return f"给了用不到的事实 {'、'.join(sorted(extra))}"
    verdict = judge(rule, {name: Known(value) for name, value in case.given.items()}, on=on, book=base.book)
    if verdict.outcome is not case.then:
        return f"应为 {case.then}，得到 {verdict.outcome}"
    if case.limit is not None and verdict.limit_fen != case.limit:
        return f"限额应为 {case.limit} 分，得到 {verdict.limit_fen} 分"
    return ""


def load_rulebase(root: Path, book: Catalog) -> Rulebase:
    """装载一套规则，有任何错误（包括例子不符）都不装载。

    :raises RulebookError: 列出全部错误。
    """
    base, problems = read_rulebase(root, book)
    if problems:
        raise RulebookError(problems)
    return base


@functools.cache
def rulebase() -> Rulebase:
    """随程序发布的规则集，装载一次。"""
    return load_rulebase(ROOT, catalog())
