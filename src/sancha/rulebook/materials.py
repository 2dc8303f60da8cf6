"""材料清单：一个项目要什么材料——谁的、什么情形要、哪一步之前要、要不要与原件核对（``materials/*.yaml``，APP-2、APP-3）。

情形写成对事实的条件，与规则同一种表达式；条件里的事实还不知道时，这一样列为「待定」并说向谁要，不猜。
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, model_validator

from sancha.rulebook.catalog import ROOT, Catalog, catalog, documents
from sancha.rulebook.documents import CLAUSE_PATTERN, ORIGIN_PATTERN, UNSURE_ORIGINS, Document
from sancha.rulebook.errors import Problem, RulebookError, UnknownCode
from sancha.rulebook.evaluation import evaluate
from sancha.rulebook.expression import Kind, Node, parse
from sancha.rulebook.facts import FactDefinition
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Stage
from sancha.rulebook.vocabulary import Term

FOLDER = "materials"


class Holder(Term):
    """谁的材料。"""

    APPLICANT = "APPLICANT", "申请人"
    SPOUSE = "SPOUSE", "申请人配偶"
    GUARANTOR = "GUARANTOR", "保证人"


class MaterialDocument(Document):
    """一样材料。``one_of`` 同名的几样有一样即可；``before`` 之前要有；``compared`` 复印件须与原件核对并签名。"""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str = Field(min_length=2)
    holder: Holder
    when: str = ""
    before: Stage
    compared: bool = True
    one_of: str = ""
    clause: str = Field(pattern=CLAUSE_PATTERN)
    source: str = Field(min_length=2)
    origin: str = Field(pattern=ORIGIN_PATTERN)
    unsure: bool = False

    @model_validator(mode="after")
    def _flagged(self) -> MaterialDocument:
        if self.origin in UNSURE_ORIGINS and not self.unsure:
            raise ValueError(f"unsure：出处标记 {self.origin} 把握不足，须写明 unsure: true")
        return self


class MaterialFile(Document):
    """一个项目的清单。"""

    program: str = Field(pattern=r"^S\d{1,2}$")
    valid_from: date
    last_checked: date
    materials: tuple[MaterialDocument, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> MaterialFile:
        codes = [item.code for item in self.materials]
        if len(set(codes)) != len(codes):
            raise ValueError("materials：材料代码重复")
        return self


@dataclass(frozen=True, slots=True)
class Material:
    """清单里的一样，条件已解析。"""

    document: MaterialDocument
    when: Node | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """对一个案子要的一样。``missing`` 非空即还说不准要不要，缺这些事实。"""

    material: MaterialDocument
    missing: tuple[str, ...] = ()


def read_materials(
    root: Path, book: Catalog, facts: Mapping[str, FactDefinition]
) -> tuple[dict[str, tuple[Material, ...]], list[Problem]]:
    """读清单；条件不成立、条款不认识的列为问题。"""
    problems: list[Problem] = []
    found: dict[str, tuple[Material, ...]] = {}
    names = {code: fact.type for code, fact in facts.items()}
    for name, file in documents(root, FOLDER, MaterialFile, lambda content: (content,), problems):
        listed = []
        for item in file.materials:
            if item.clause not in book.clauses:
                message = str(UnknownCode("条款", item.clause, book.clauses))
                problems.append(Problem("error", name, item.code, "clause", message))
            try:
                node = parse(item.when, names) if item.when else None
            except ValueError as wrong:
                problems.append(Problem("error", name, item.code, "when", str(wrong)))
                continue
            if node is not None and node.type.kind is not Kind.BOOL:
                problems.append(Problem("error", name, item.code, "when", "应是条件"))
                continue
            listed.append(Material(item, node))
        found[file.program] = tuple(listed)
    return found, problems


@functools.cache
def material_lists() -> Mapping[str, tuple[Material, ...]]:
    """随系统发布的清单：项目 → 各样。

    :raises RulebookError: 清单有错。
    """
    found, problems = read_materials(ROOT, catalog(), rulebase().facts)
    if problems:
        raise RulebookError(problems)
    return MappingProxyType(found)


def checklist(program: str, values: Mapping[str, Any]) -> list[Wanted]:
    """对一个案子（事实 → 值）要的材料，按清单次序；不要的不列。"""
    wanted = []
    for material in material_lists().get(program, ()):
        if material.when is None:
            wanted.append(Wanted(material.document))
            continue
        found = evaluate(material.when, values)
        if found.value is None:
            wanted.append(Wanted(material.document, tuple(sorted(found.missing))))
        elif found.value:
            wanted.append(Wanted(material.document))
    return wanted
