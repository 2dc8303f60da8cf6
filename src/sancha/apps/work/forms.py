"""表单：栏目定义、填写校验、从填报里取出要进报表的发现。"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sancha.kit.errors import DomainError
from sancha.kit.operation import canonical

FieldType = Literal["fen", "int", "text", "date", "choice", "bool"]

LONGEST_FINDING = 400
_LARGEST = 2**63 - 1


class FormField(BaseModel):
    """栏目。``report`` 的栏目按类型另存为发现；``fen`` 是整数分。"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    label: str
    type: FieldType
    required: bool = False
    report: bool = False
    choices: dict[str, str] = Field(default_factory=dict)
    longest: int = LONGEST_FINDING
    least: int | None = None
    most: int | None = None

    @model_validator(mode="after")
    def _fits_a_finding(self) -> Self:
        if self.report and self.type == "text" and self.longest > LONGEST_FINDING:
            raise ValueError(f"{self.code}: 进报表的文字最多 {LONGEST_FINDING} 字")
        if (self.type == "choice") != bool(self.choices):
            raise ValueError(f"{self.code}: 选择题须有选项，其他题不得有")
        return self


class SignatureSlot(BaseModel):
    """签字的位置：谁要在表上签字。``required`` 的没有签，任务办结不了。"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str = Field(max_length=40)
    label: str
    required: bool = True


class FormSchema(BaseModel):
    """表单的全部栏目与签字的位置。"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    fields: tuple[FormField, ...]
    signatures: tuple[SignatureSlot, ...] = ()

    def sha(self) -> str:
        """内容摘要：同一版本不许有两份内容。"""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class FindingValue:
    """一项发现：数、字、日三者有其一。"""

    code: str
    num: int | None = None
    text: str = ""
    day: date | None = None


def check(schema: FormSchema, data: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    """校验填报，返回可存 JSON 的干净值。``complete`` 为假（暂存）时不查必填。

    :raises DomainError: 一次列出全部有问题的栏目，填过的内容一项不丢。
    """
    known = {item.code: item for item in schema.fields}
    problems = [(name, "表单里没有这一栏") for name in data if name not in known]
    clean: dict[str, Any] = {}
    for item in schema.fields:
        value = data.get(item.code)
        if value is None or value == "":
            if complete and item.required:
                problems.append((item.code, f"「{item.label}」必填"))
            continue
        if problem := _problem(item, value):
            problems.append((item.code, f"「{item.label}」{problem}（填的是 {value!r}）"))
        else:
            clean[item.code] = value
    if problems:
        raise DomainError(
            "FORM_INVALID",
            f"《{schema.title}》有 {len(problems)} 处要改：" + "；".join(text for _, text in problems) + "。",
            field=problems[0][0],
            fix="请按提示修改后再提交，已填内容都还在。",
        )
    return clean


def findings(schema: FormSchema, clean: dict[str, Any]) -> list[FindingValue]:
    """从干净的填报取出标了 ``report`` 的栏目。"""
    return [
        _finding(item, clean[item.code]) for item in schema.fields if item.report and clean.get(item.code) is not None
    ]


def _finding(item: FormField, value: Any) -> FindingValue:
    if item.type in {"fen", "int", "bool"}:
        return FindingValue(item.code, num=int(value))
    if item.type == "date":
        return FindingValue(item.code, day=date.fromisoformat(value))
    return FindingValue(item.code, text=value)


def _problem(item: FormField, value: Any) -> str:
    """一栏的毛病，没有则空串。"""
    if item.type in {"fen", "int"}:
        return _number_problem(item, value)
    if item.type == "bool":
        return "" if isinstance(value, bool) else "应为是或否"
    if not isinstance(value, str):
        return "应为文字"
    if item.type == "date":
        return "" if _is_date(value) else "应为日期，写作 2026-03-02"
    if item.type == "choice":
        return "" if value in item.choices else "不在选项之中"
    return "" if len(value) <= item.longest else f"最多 {item.longest} 字"


def _number_problem(item: FormField, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return "应为整数" + ("分" if item.type == "fen" else "")
    least = item.least if item.least is not None else -_LARGEST
    most = item.most if item.most is not None else _LARGEST
    return "" if least <= value <= most else f"应在 {least} 与 {most} 之间"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
