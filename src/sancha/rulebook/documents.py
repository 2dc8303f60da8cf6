"""规则库文件的样子：条款与参数的 YAML 经这里校验成类型化的文件模型。

每个数都要有：单位、条款、来源、核对日期。缺一样就不装载——没有出处的数不能进账。
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

UNSURE_ORIGINS = frozenset({"G?", "Q?"})
ORIGIN_PATTERN = r"^(S\d{1,2}|LAW|PUB|DES|G\??|Q\d?\??|[A-Z]{2,4}\d{0,2})$"
CODE_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)+$"
CLAUSE_PATTERN = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"


class ParameterType(StrEnum):
    """参数类型。没有小数：利率用 ppm（百万分之一），金额用分。"""

    INT = "int"
    PPM = "ppm"
    BP = "bp"
    FEN = "fen"
    DAYS = "days"
    BOOL = "bool"
    TEXT = "text"
    LIST = "list"
    TABLE = "table"


# The unit of these types is fixed by the type; a file that says otherwise is a mistake of scale, the costliest kind.
FIXED_UNITS = {
    ParameterType.PPM: "ppm",
    ParameterType.BP: "bp",
    ParameterType.FEN: "分",
    ParameterType.DAYS: "天",
    ParameterType.BOOL: "是否",
}
WHOLE_NUMBERS = frozenset(
    {ParameterType.INT, ParameterType.PPM, ParameterType.BP, ParameterType.FEN, ParameterType.DAYS}
)


class Document(BaseModel):
    """文件模型的共同约定：多一个不认识的栏目就报错，读入后不可改。"""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ClauseDocument(Document):
    """条款：一份文件的一条说了什么。``gist`` 用自己的话写，不抄原文。"""

    code: str = Field(pattern=CLAUSE_PATTERN)
    document: str = Field(min_length=2)
    document_number: str = ""
    issuer: str = Field(min_length=2)
    article: str = Field(min_length=2)
    gist: str = Field(min_length=6)
    in_force_from: date
    in_force_to: date | None = None
    source: str = Field(min_length=2)
    url: str | None = Field(default=None, pattern=r"^https?://")
    origin: str = Field(pattern=ORIGIN_PATTERN)
    unsure: bool = False
    last_checked: date

    @model_validator(mode="after")
    def _coherent(self) -> ClauseDocument:
        if self.in_force_to is not None and self.in_force_to <= self.in_force_from:
            raise ValueError(f"in_force_to {self.in_force_to} 不晚于 in_force_from {self.in_force_from}")
        _unsure_is_flagged(self.origin, self.unsure)
        return self


class ValueDocument(Document):
    """一个有日期的值。条款、来源、核对日、出处标记可各自写明，不写则用参数的。"""

    from_: date = Field(alias="from")
    value: Any
    clause: str | None = None
    source: str | None = None
    origin: str | None = Field(default=None, pattern=ORIGIN_PATTERN)
    unsure: bool | None = None
    published_on: date | None = None
    last_checked: date | None = None
    note: str = ""

    @field_validator("value")
    @classmethod
    def _no_float(cls, value: Any) -> Any:
        _refuse_float(value)
        return value


class ParameterDocument(Document):
    """参数：一个有日期的值的序列，每个值都带单位、条款、来源与核对日。"""

    code: str = Field(pattern=CODE_PATTERN)
    name: str = Field(min_length=2)
    type: ParameterType
    unit: str = Field(min_length=1)
    clause: str | None = None
    source: str | None = None
    origin: str | None = Field(default=None, pattern=ORIGIN_PATTERN)
    unsure: bool = False
    last_checked: date | None = None
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    expect_new_every_days: int | None = Field(default=None, gt=0)
    note: str = ""
    values: tuple[ValueDocument, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> ParameterDocument:
        if (fixed := FIXED_UNITS.get(self.type)) and self.unit != fixed:
            raise ValueError(f"unit：类型 {self.type} 的单位必须是「{fixed}」，写成了「{self.unit}」")
        if self.type is ParameterType.TABLE and not self.columns:
            raise ValueError("columns：表格参数必须写明各列名称")
        if (self.minimum is not None or self.maximum is not None) and self.type not in WHOLE_NUMBERS:
            raise ValueError("minimum/maximum：只有整数类参数有上下限")
        previous: date | None = None
        for number, item in enumerate(self.values, start=1):
            place = f"values[{number}]（from {item.from_}）"
            _has_provenance(self, item, place)
            self._check_value(item.value, place)
            if previous is not None and item.from_ <= previous:
                word = "重复" if item.from_ == previous else "未按日期先后排列"
                raise ValueError(f"{place}.from：起效日{word}，上一个值自 {previous} 起效")
            if item.published_on is not None and item.published_on > item.from_:
                # Retroactive policy exists, but a loan must know it as a fact: replay reads no policy.
                raise ValueError(
                    f"{place}.published_on：公布日 {item.published_on} 晚于起效日，追溯生效须以业务事实处理"
                )
            previous = item.from_
        return self

    def _check_value(self, value: Any, place: str) -> None:
        match self.type:
            case ParameterType.BOOL:
                if not isinstance(value, bool):
                    raise ValueError(f"{place}.value：应为 true 或 false，得到 {value!r}")
            case ParameterType.TEXT:
                self._check_text(value, place)
            case ParameterType.LIST:
                if not isinstance(value, list) or not value:
                    raise ValueError(f"{place}.value：应为非空列表，得到 {value!r}")
                for element in value:
                    if isinstance(element, str):
                        self._check_text(element, place)
                    else:
                        _whole(element, place)
                if len(set(value)) != len(value):
                    raise ValueError(f"{place}.value：列表里有重复项 {value!r}")
            case ParameterType.TABLE:
                self._check_table(value, place)
            case _:
                _whole(value, place)
                if self.type is ParameterType.DAYS and value < 0:
                    raise ValueError(f"{place}.value：天数不能为负，得到 {value}")
                if self.minimum is not None and value < self.minimum:
                    raise ValueError(f"{place}.value：{value} 低于下限 {self.minimum}")
                if self.maximum is not None and value > self.maximum:
                    raise ValueError(f"{place}.value：{value} 高于上限 {self.maximum}")

    def _check_text(self, value: Any, place: str) -> None:
        if not isinstance(value, str) or not value:
            raise ValueError(f"{place}.value：应为文字，得到 {value!r}")
        if self.choices is not None and value not in self.choices:
            raise ValueError(f"{place}.value：「{value}」不在可选值 {'、'.join(self.choices)} 之内")

    def _check_table(self, value: Any, place: str) -> None:
        columns = self.columns or ()
        if not isinstance(value, list) or not value:
            raise ValueError(f"{place}.value：应为非空表格，得到 {value!r}")
        for row in value:
            if not isinstance(row, list) or len(row) != len(columns):
                raise ValueError(f"{place}.value：每行应有 {len(columns)} 列（{'、'.join(columns)}），得到 {row!r}")
            for cell in row:
                if not isinstance(cell, str):
                    _whole(cell, place)
        keys = [row[0] for row in value]
        if any(type(key) is not type(keys[0]) for key in keys) or sorted(set(keys)) != keys:
            raise ValueError(f"{place}.value：首列须递增且不重复，得到 {keys!r}")


class ClauseFile(Document):
    """``clauses/*.yaml``。"""

    clauses: tuple[ClauseDocument, ...] = Field(min_length=1)


class ParameterFile(Document):
    """``parameters/*.yaml``。"""

    parameters: tuple[ParameterDocument, ...] = Field(min_length=1)


def _whole(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{place}.value：应为整数，得到 {value!r}")


def _refuse_float(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError(f"规则库里没有小数（得到 {value!r}）：利率写 ppm，金额写分")
    if isinstance(value, list):
        for element in value:
            _refuse_float(element)


def _has_provenance(parameter: ParameterDocument, item: ValueDocument, place: str) -> None:
    for field in ("clause", "source", "last_checked", "origin"):
        if not (getattr(item, field) or getattr(parameter, field)):
            raise ValueError(f"{place}.{field}：没有写明（值与参数都没有），没有出处的值不装载")
    unsure = parameter.unsure if item.unsure is None else item.unsure
    _unsure_is_flagged(item.origin or parameter.origin or "", unsure, place)


def _unsure_is_flagged(origin: str, unsure: bool, place: str = "") -> None:
    if origin in UNSURE_ORIGINS and not unsure:
        raise ValueError(f"{place + '.' if place else ''}unsure：出处标记 {origin} 把握不足，须写明 unsure: true")
