"""方案：一个项目从受理到批复走哪几步，每步谁办、几日办完、查哪一步的规则、依据哪条（``packs/*.yaml``）。

引擎只有一个，项目之间的不同写在这里；同一步的做法（指派、调查、审查、审批）由 ``StepType`` 定。
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType

from pydantic import Field, model_validator

from sancha.rulebook.catalog import ROOT, Catalog, catalog, documents
from sancha.rulebook.documents import CLAUSE_PATTERN, ORIGIN_PATTERN, UNSURE_ORIGINS, Document
from sancha.rulebook.errors import Problem, RulebookError, UnknownCode
from sancha.rulebook.posts import find_post
from sancha.rulebook.rules import Stage
from sancha.rulebook.vocabulary import CustomerKind, Term

FOLDER = "packs"


class StepType(Term):
    """办理环节的做法。"""

    ASSIGNMENT = "ASSIGNMENT", "指派"
    SURVEY = "SURVEY", "调查"
    REVIEW = "REVIEW", "审查"
    APPROVAL = "APPROVAL", "审批"


class StepDocument(Document):
    """一步：主办岗位、时限（自然日）、办结前要过哪一环节的规则、依据。"""

    code: str = Field(pattern=r"^[A-Z][A-Z_]+$")
    name: str = Field(min_length=2)
    waiting: str = Field(min_length=2)
    type: StepType
    posts: tuple[str, ...] = Field(min_length=1)
    days: int = Field(ge=0)
    rules: Stage | None = None
    clause: str = Field(pattern=CLAUSE_PATTERN)
    source: str = Field(min_length=2)
    origin: str = Field(pattern=ORIGIN_PATTERN)
    unsure: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> StepDocument:
        if unknown := [code for code in self.posts if find_post(code) is None]:
            raise ValueError(f"posts：没有岗位 {'、'.join(unknown)}")
        if self.origin in UNSURE_ORIGINS and not self.unsure:
            raise ValueError(f"unsure：出处标记 {self.origin} 把握不足，须写明 unsure: true")
        return self


class ProgramPack(Document):
    """一个项目的方案。``applicant_kinds``：客户类别 → 规则里的申请人类别。"""

    program: str = Field(pattern=r"^S\d{1,2}$")
    name: str = Field(min_length=2)
    valid_from: date
    last_checked: date
    products: tuple[str, ...] = Field(min_length=1)
    applicant_kinds: Mapping[CustomerKind, str]
    steps: tuple[StepDocument, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> ProgramPack:
        codes = [step.code for step in self.steps]
        if len(set(codes)) != len(codes):
            raise ValueError("steps：环节代码重复")
        if self.steps[-1].type is not StepType.APPROVAL:
            raise ValueError("steps：最后一步须是审批")
        return self

    def step(self, code: str) -> StepDocument:
        """按代码取一步。

        :raises LookupError: 方案里没有。
        """
        for step in self.steps:
            if step.code == code:
                return step
        raise LookupError(f"{self.program} has no step {code}")

    def after(self, code: str) -> StepDocument | None:
        """下一步，没有则空。"""
        position = self.steps.index(self.step(code)) + 1
        return self.steps[position] if position < len(self.steps) else None

    def last_before(self, code: str, kind: StepType) -> StepDocument:
        """某步之前最近的一个某做法的环节：退回时回到那里。

        :raises LookupError: 前面没有。
        """
        for step in reversed(self.steps[: self.steps.index(self.step(code))]):
            if step.type is kind:
                return step
        raise LookupError(f"{self.program} has no {kind} before {code}")


def read_packs(root: Path, book: Catalog) -> tuple[dict[str, ProgramPack], list[Problem]]:
    """读方案；条款不认识、项目重复的列为问题。装载与体检共用。"""
    problems: list[Problem] = []
    found: dict[str, ProgramPack] = {}
    for name, pack in documents(root, FOLDER, ProgramPack, lambda file: (file,), problems):
        if pack.program in found:
            problems.append(Problem("error", name, pack.program, "program", "方案重复"))
            continue
        problems.extend(
            Problem(
                "error", name, pack.program, f"steps.{step.code}", str(UnknownCode("条款", step.clause, book.clauses))
            )
            for step in pack.steps
            if step.clause not in book.clauses
        )
        found[pack.program] = pack
    return found, problems


@functools.cache
def packs() -> Mapping[str, ProgramPack]:
    """随系统发布的方案：项目代码 → 方案。

    :raises RulebookError: 方案有错。
    """
    found, problems = read_packs(ROOT, catalog())
    if problems:
        raise RulebookError(problems)
    return MappingProxyType(found)
