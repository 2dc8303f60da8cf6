"""事实词典：规则里能用的事实，每个都有中文名、类型、单位、由来与「缺了向谁要」。"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import Field, model_validator

from sancha.rulebook.documents import CODE_PATTERN, Document
from sancha.rulebook.expression import Kind, Type
from sancha.rulebook.vocabulary import Term

FIELD_PATTERN = r"^[a-z][a-z0-9_]*$"


class Evidence(Term):
    """事实凭什么：越往后越硬。"""

    CLAIMED = "CLAIMED", "客户自述"
    SEEN = "SEEN", "现场所见"
    CROSS_CHECKED = "CROSS_CHECKED", "交叉核对"
    THIRD_PARTY = "THIRD_PARTY", "第三方出具"
    COMPUTED = "COMPUTED", "系统算得"


class FactDocument(Document):
    """一个事实。``ask`` 是缺它时对经办人说的话；记录的栏目写在 ``fields``。"""

    code: str = Field(pattern=rf"({CODE_PATTERN})|({FIELD_PATTERN})")
    name: str = Field(min_length=2)
    type: Kind
    unit: str = ""
    choices: Mapping[str, str] = Field(default_factory=dict)
    ask: str = Field(min_length=4)
    note: str = ""
    fields: tuple[FactDocument, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> FactDocument:
        if self.type is Kind.INT and not self.unit:
            raise ValueError("unit：整数事实必须写明单位")
        if self.type is not Kind.INT and self.unit:
            raise ValueError("unit：只有整数事实有单位")
        if bool(self.fields) is not (self.type is Kind.RECORDS):
            raise ValueError("fields：记录必须写明栏目，别的没有栏目")
        if any(item.type in {Kind.RECORDS, Kind.TEXTS} for item in self.fields):
            raise ValueError("fields：栏目不能再是列表或记录")
        if self.choices and self.type not in {Kind.TEXT, Kind.TEXTS}:
            raise ValueError("choices：只有文字有可选值")
        return self


class FactFile(Document):
    """``facts/*.yaml``。"""

    facts: tuple[FactDocument, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class FactDefinition:
    """词典里的一个事实。"""

    code: str
    name: str
    type: Type
    choices: Mapping[str, str]
    ask: str
    note: str
    fields: Mapping[str, FactDefinition]

    @property
    def unit(self) -> str:
        """单位。"""
        return "·".join(self.type.unit)


def units_of(unit: str) -> tuple[str, ...]:
    """单位；倍数没有单位：五倍的年收入还是元。"""
    return (unit,) if unit and unit != "倍" else ()


def definition(document: FactDocument) -> FactDefinition:
    """文件里的一条 → 词典里的一个。"""
    fields = {item.code: definition(item) for item in document.fields}
    kind = Type(
        document.type,
        units_of(document.unit),
        frozenset(document.choices),
        {code: item.type for code, item in fields.items()},
    )
    return FactDefinition(
        document.code, document.name, kind, dict(document.choices), document.ask, document.note, fields
    )


def check_value(fact: FactDefinition, value: object) -> str:
    """值是否合类型；合则空串，不合说明白。``None`` 是未知，总是合的。"""
    if value is None:
        return ""
    wanted = {Kind.BOOL: bool, Kind.INT: int, Kind.TEXT: str, Kind.TEXTS: list, Kind.RECORDS: list}
    match fact.type.kind:
        case Kind.DATE:
            return "" if isinstance(value, date) else f"「{fact.name}」应为日期，得到 {value!r}"
        case Kind.RECORDS if isinstance(value, list):
            for number, record in enumerate(value, start=1):
                if not isinstance(record, Mapping):
                    return f"「{fact.name}」第 {number} 条应为记录，得到 {record!r}"
                for code, cell in record.items():
                    if code not in fact.fields:
                        return f"「{fact.name}」的记录里没有「{code}」"
                    if problem := check_value(fact.fields[code], cell):
                        return f"第 {number} 条{problem}"
            return ""
    kind = wanted[fact.type.kind]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return f"「{fact.name}」应为{fact.type}，得到 {value!r}"
    if fact.choices:
        given = value if isinstance(value, list) else [value]
        if wrong := [item for item in given if item not in fact.choices]:
            return f"「{fact.name}」没有这个取值：{wrong[0]!r}"
    return ""
