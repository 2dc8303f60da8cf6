"""规则库目录：读一次、记住，按日期给出参数与条款。

``parameter("penalty.multiplier_ppm", on=day)`` 给出那天有效的值及其单位、条款、来源；
``known_on`` 限定「当时已公布」的值。
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from sancha.rulebook.documents import (
    ClauseFile,
    Document,
    ParameterDocument,
    ParameterFile,
    ParameterType,
    ValueDocument,
)
from sancha.rulebook.errors import NotYetInForce, Problem, RulebookError, UnknownCode

ROOT = Path(__file__).resolve().parent

Cell = int | str
ParameterValue = int | str | bool | tuple[Cell, ...] | tuple[tuple[Cell, ...], ...]
FileModel = TypeVar("FileModel", bound=Document)


@dataclass(frozen=True, slots=True)
class Clause:
    """条款：文件全称、文号、条号、要点、施行起止、出处。"""

    code: str
    document: str
    document_number: str
    issuer: str
    article: str
    gist: str
    in_force_from: date
    in_force_to: date | None
    source: str
    url: str | None
    origin: str
    unsure: bool
    last_checked: date

    @property
    def citation(self) -> str:
        """引用写法：《文件》（文号）第几条。"""
        number = f"（{self.document_number}）" if self.document_number else ""
        return f"《{self.document}》{number}{self.article}"

    def in_force(self, on: date) -> bool:
        """该日是否施行中。"""
        return self.in_force_from <= on and (self.in_force_to is None or on < self.in_force_to)


@dataclass(frozen=True, slots=True)
class Parameter:
    """参数在一段日期内的值。``effective_to`` 不含当日，空为至今。

    ``value`` 是不可变的：整数、文字、真假、元组（列表）、元组的元组（表格）。取值用 ``as_int`` 等带类型的方法，
    取错类型立即报错，不会悄悄变成别的东西。
    """

    code: str
    name: str
    type: ParameterType
    value: ParameterValue
    unit: str
    clause: str
    source: str
    origin: str
    unsure: bool
    last_checked: date
    effective_from: date
    effective_to: date | None
    published_on: date | None
    minimum: int | None
    maximum: int | None
    columns: tuple[str, ...]
    note: str

    def as_int(self) -> int:
        """整数值（次数、天数、分、ppm、bp）。"""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise TypeError(f"参数「{self.code}」不是整数，是 {self.type}")
        return self.value

    def as_bool(self) -> bool:
        """真假值。"""
        if not isinstance(self.value, bool):
            raise TypeError(f"参数「{self.code}」不是真假，是 {self.type}")
        return self.value

    def as_text(self) -> str:
        """文字值。"""
        if not isinstance(self.value, str):
            raise TypeError(f"参数「{self.code}」不是文字，是 {self.type}")
        return self.value

    def as_ints(self) -> tuple[int, ...]:
        """整数列表。"""
        if self.type is not ParameterType.LIST or not isinstance(self.value, tuple):
            raise TypeError(f"参数「{self.code}」不是列表，是 {self.type}")
        return tuple(_int_cell(self.code, cell) for cell in self.value)

    def as_texts(self) -> tuple[str, ...]:
        """文字列表。"""
        if self.type is not ParameterType.LIST or not isinstance(self.value, tuple):
            raise TypeError(f"参数「{self.code}」不是列表，是 {self.type}")
        if not all(isinstance(cell, str) for cell in self.value):
            raise TypeError(f"参数「{self.code}」的列表里不全是文字")
        return tuple(str(cell) for cell in self.value)

    def as_int_rows(self) -> tuple[tuple[int, ...], ...]:
        """整数表格。"""
        if self.type is not ParameterType.TABLE or not isinstance(self.value, tuple):
            raise TypeError(f"参数「{self.code}」不是表格，是 {self.type}")
        rows = [row for row in self.value if isinstance(row, tuple)]
        return tuple(tuple(_int_cell(self.code, cell) for cell in row) for row in rows)

    def as_dict(self) -> dict[str, Any]:
        """可存成 JSON 的字典：裁定、产品定稿留痕用。"""
        return {
            "code": self.code,
            "name": self.name,
            "value": _jsonable(self.value),
            "unit": self.unit,
            "clause": self.clause,
            "source": self.source,
            "effective_from": self.effective_from.isoformat(),
            "last_checked": self.last_checked.isoformat(),
            "unsure": self.unsure,
        }


@dataclass(frozen=True, slots=True)
class Catalog:
    """一套规则库：条款、参数（按起效日排列）、各自出自哪个文件。"""

    clauses: Mapping[str, Clause]
    parameters: Mapping[str, tuple[Parameter, ...]]
    files: Mapping[str, str]
    expect_new_every_days: Mapping[str, int]

    def clause(self, code: str) -> Clause:
        """取条款。

        :raises UnknownCode: 没有这个代码。
        """
        if (found := self.clauses.get(code)) is None:
            raise UnknownCode("条款", code, self.clauses)
        return found

    def history(self, code: str) -> tuple[Parameter, ...]:
        """参数的全部历史值，按起效日排列。

        :raises UnknownCode: 没有这个代码。
        """
        if (found := self.parameters.get(code)) is None:
            raise UnknownCode("参数", code, self.parameters)
        return found

    def parameter(self, code: str, on: date, *, known_on: date | None = None) -> Parameter:
        """参数在某日的有效值；给了 ``known_on`` 则只用那天已公布的值（没写公布日的按起效日算）。

        :raises UnknownCode: 没有这个代码。
        :raises NotYetInForce: 该日之前还没有起效的值。
        """
        history = self.history(code)
        for item in reversed(history):
            if item.effective_from > on:
                continue
            if known_on is not None and (item.published_on or item.effective_from) > known_on:
                continue
            return item
        raise NotYetInForce(code, on, history[0].effective_from)


# libyaml where the wheel has it: the rulebook is read by every process that starts.
_FastLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictYaml(_FastLoader):  # type: ignore[misc, valid-type]  # the base is chosen at run time
    """重复的键不许悄悄覆盖。"""


def _mapping_without_duplicates(loader: _StrictYaml, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"同一处出现两次「{key}」", key_node.start_mark)
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_StrictYaml.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)


def read_yaml(path: Path) -> Any:
    """读一个 YAML 文件，重复的键报错。

    :raises yaml.YAMLError: 不是合格的 YAML。
    """
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictYaml)  # a SafeLoader subclass


def read_catalog(root: Path = ROOT) -> tuple[Catalog, list[Problem]]:
    """读一套规则库；有毛病的条目不进目录，毛病列在第二项里。装载与体检共用。"""
    problems: list[Problem] = []
    files: dict[str, str] = {}
    clauses: dict[str, Clause] = {}
    for name, clause_document in documents(root, "clauses", ClauseFile, lambda f: f.clauses, problems):
        if _is_new(clause_document.code, name, files, problems):
            clauses[clause_document.code] = Clause(**clause_document.model_dump())
    parameters: dict[str, tuple[Parameter, ...]] = {}
    cadence: dict[str, int] = {}
    for name, parameter_document in documents(root, "parameters", ParameterFile, lambda f: f.parameters, problems):
        code = parameter_document.code
        if not _is_new(code, name, files, problems):
            continue
        history = _history(parameter_document)
        unknown = {item.clause for item in history} - clauses.keys()
        for missing in sorted(unknown):
            problems.append(Problem("error", name, code, "clause", str(UnknownCode("条款", missing, clauses))))
        for item in history:
            cited = clauses.get(item.clause)
            if cited is not None and not cited.in_force(item.effective_from):
                message = (
                    f"{item.effective_from} 起的值引用 {cited.code}，但该条款 {cited.in_force_from} 才施行或已失效"
                )
                problems.append(Problem("error", name, code, "clause", message))
                unknown.add(item.clause)
        if not unknown:
            parameters[code] = history
            if parameter_document.expect_new_every_days:
                cadence[code] = parameter_document.expect_new_every_days
    catalog = Catalog(
        clauses=MappingProxyType(clauses),
        parameters=MappingProxyType(dict(sorted(parameters.items()))),
        files=MappingProxyType(files),
        expect_new_every_days=MappingProxyType(cadence),
    )
    return catalog, problems


def load_catalog(root: Path) -> Catalog:
    """装载一套规则库，有任何错误都不装载。

    :raises RulebookError: 列出全部错误。
    """
    catalog, problems = read_catalog(root)
    if problems:
        raise RulebookError(problems)
    return catalog


@functools.cache
def catalog() -> Catalog:
    """随程序发布的规则库，装载一次。"""
    return load_catalog(ROOT)


def parameter(code: str, on: date, *, known_on: date | None = None) -> Parameter:
    """参数在某日的有效值，见 :meth:`Catalog.parameter`。"""
    return catalog().parameter(code, on, known_on=known_on)


def history(code: str) -> tuple[Parameter, ...]:
    """参数的全部历史值。"""
    return catalog().history(code)


def all_parameters() -> Mapping[str, tuple[Parameter, ...]]:
    """全部参数：代码 → 历史值。"""
    return catalog().parameters


def clause(code: str) -> Clause:
    """条款。"""
    return catalog().clause(code)


def all_clauses() -> Mapping[str, Clause]:
    """全部条款。"""
    return catalog().clauses


Item = TypeVar("Item")


def documents(
    root: Path,
    folder: str,
    model: type[FileModel],
    items: Callable[[FileModel], tuple[Item, ...]],
    problems: list[Problem],
) -> Iterator[tuple[str, Item]]:
    """逐个读 ``folder`` 里的 YAML，给出（文件名, 条目）；读不成的记到 ``problems``。"""
    for path in sorted((root / folder).glob("*.yaml")):
        name = f"{folder}/{path.name}"
        try:
            content = read_yaml(path)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(Problem("error", name, "", "", f"不是合格的 YAML：{error}"))
            continue
        try:
            document = model.model_validate(content)
        except ValidationError as error:
            problems.extend(problems_of(name, content, error))
            continue
        for item in items(document):
            yield name, item


def problems_of(name: str, content: Any, error: ValidationError) -> Iterator[Problem]:
    """把校验错误说成「哪个文件、哪个代码、哪个栏目、怎么错」。"""
    details = error.errors()
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "too_short" and any(
            other["loc"][: len(location)] == location and other is not detail for other in details
        ):
            continue  # the list is empty only because its items are wrong, and those are told one by one
        code = ""
        if len(location) >= 2 and isinstance(location[1], int):
            try:
                code = str(content[location[0]][location[1]].get("code", f"第{location[1] + 1}条"))
            except (AttributeError, IndexError, KeyError, TypeError):
                code = f"第{location[1] + 1}条"
            location = location[2:]
        field = ".".join(f"[{part + 1}]" if isinstance(part, int) else str(part) for part in location)
        message = "缺少此栏" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = "不认识的栏目"
        yield Problem("error", name, code, field, message)


def _is_new(code: str, name: str, files: dict[str, str], problems: list[Problem]) -> bool:
    if code in files:
        problems.append(Problem("error", name, code, "code", f"代码重复，已在 {files[code]} 定义"))
        return False
    files[code] = name
    return True


def _history(document: ParameterDocument) -> tuple[Parameter, ...]:
    following: list[date | None] = [item.from_ for item in document.values[1:]]
    return tuple(_parameter(document, item, end) for item, end in zip(document.values, [*following, None], strict=True))


def _parameter(document: ParameterDocument, item: ValueDocument, effective_to: date | None) -> Parameter:
    return Parameter(
        code=document.code,
        name=document.name,
        type=document.type,
        value=_frozen(item.value),
        unit=document.unit,
        clause=item.clause or document.clause or "",
        source=item.source or document.source or "",
        origin=item.origin or document.origin or "",
        unsure=document.unsure if item.unsure is None else item.unsure,
        last_checked=item.last_checked or document.last_checked or date.min,
        effective_from=item.from_,
        effective_to=effective_to,
        published_on=item.published_on,
        minimum=document.minimum,
        maximum=document.maximum,
        columns=document.columns or (),
        note=item.note or document.note,
    )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(element) for element in value) if isinstance(value, list) else value


def _jsonable(value: ParameterValue) -> Any:
    return [_jsonable(element) for element in value] if isinstance(value, tuple) else value


def _int_cell(code: str, cell: object) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int):
        raise TypeError(f"参数「{code}」里的 {cell!r} 不是整数")
    return cell
