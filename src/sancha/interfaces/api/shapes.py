"""形状：由操作的签名得请求的样子，由查询的返回类型得响应的样子。

内部的 ``amount_fen: int``（分）在接口上是 ``amount``（元的十进制字符串），进出各换一次，别处不换。
输入从严：不认识的栏目、空白控制字符、越界的数与日期，在到达操作之前就拒绝，并说清是哪一栏。
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    create_model,
)

from sancha.interfaces.api.words import describe
from sancha.kernel.money import MAX_YUAN
from sancha.kernel.terms import EARLIEST, LATEST

FEN = "_fen"
YUAN_PATTERN = r"^-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?$"
LARGEST_ID = 2**63 - 1
LARGEST_INT = 2**31 - 1
LONGEST_TEXT = 2000
LONGEST_LIST = 5000
_YUAN = re.compile(YUAN_PATTERN)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LONGEST_BY_NAME = {
    "employee_no": 20, "phone": 20, "address": 200, "purpose": 200, "guarantor": 200, "holder": 60, "value": 200, "note": 200,
    "reason": 200, "opinion": 2000, "serial": 64, "bank_serial": 64, "payer_name": 80, "payer_account": 40, "payee_name": 80, "payee_account": 40,
    "payee_bank": 80, "bank_name": 80, "subject": 60, "subject_hint": 60, "memo": 200, "failure": 100, "counterparty": 80, "contract_number": 60,
    "external_ref": 80, "summary": 200, "username": 40, "code": 40, "name": 100, "number": 40, "source": 200,
}  # fmt: skip
"""各栏最多多少字（库里存得下的）；不在此列的最多 ``LONGEST_TEXT``。"""
FEN_MAPS = frozenset({"allocated", "balances", "classes", "payoff"})
"""值为分的字典：键是成分或级别，没有 ``_fen`` 后缀可认。"""


# 一格 ------------------------------------------------------------------------------------------------------


def yuan(fen: int) -> str:
    """分 → 元的十进制字符串，两位小数，无千分位。"""
    whole, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{cents:02d}"


def _to_fen(value: Any) -> int:
    if not isinstance(value, str) or not _YUAN.fullmatch(value):
        raise ValueError('须为元的十进制字符串，最多两位小数，如 "1234.50"。')
    whole, _, part = value.lstrip("-").partition(".")
    fen = int(whole) * 100 + int(part.ljust(2, "0") or 0)
    if fen > MAX_YUAN * 100:
        raise ValueError(f"超过金额上限 {MAX_YUAN:,} 元。")
    return -fen if value.startswith("-") else fen


def _to_date(value: Any) -> date:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError('须为 ISO 8601 日期，如 "2026-03-02"。')
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"没有 {value} 这一天。") from None
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"须在 {EARLIEST} 到 {LATEST} 之间。")
    return day


def _clean(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("含有控制字符。")
    return text


Yuan = Annotated[
    int,
    BeforeValidator(_to_fen),
    WithJsonSchema({"type": "string", "pattern": YUAN_PATTERN, "examples": ["1234.50"]}),
]
Day = Annotated[date, BeforeValidator(_to_date), WithJsonSchema({"type": "string", "format": "date"})]


def text_of(longest: int) -> Any:
    """最多 ``longest`` 个字的文本。"""
    return Annotated[str, Field(max_length=longest), AfterValidator(_clean)]


Word = Annotated[str, Field(max_length=100), AfterValidator(_clean)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Whole = Annotated[int, Field(strict=True, ge=-LARGEST_INT, le=LARGEST_INT)]
StrictId = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
Flag = Annotated[bool, Field(strict=True)]
YuanOut = Annotated[str, WithJsonSchema({"type": "string", "pattern": YUAN_PATTERN})]


def list_of(kind: Any) -> Any:
    """``list[kind]``，``kind`` 是运行时造的模型：照字面写，类型检查会当它是变量而不认。"""
    return types.GenericAlias(list, (kind,))


# 请求 ------------------------------------------------------------------------------------------------------


class Input(BaseModel):
    """请求正文。``originals`` 接口栏目名 → 操作的参数名；``target`` 给出时还原成那个数据类；``only_given`` 只取给了的栏目。"""

    model_config = ConfigDict(extra="forbid")
    originals: ClassVar[dict[str, str]] = {}
    target: ClassVar[Callable[..., Any] | None] = None
    only_given: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True)
class Spec:
    """一栏的规定：类型（内部的）与缺省值；``required`` 时没有缺省值。"""

    hint: Any
    default: Any = ...


def body_of(
    name: str, specs: Mapping[str, Spec], *, target: Callable[..., Any] | None = None, example: Any = None
) -> type[Input]:
    """由各栏规定造请求模型。"""
    fields: dict[str, Any] = {}
    originals: dict[str, str] = {}
    for original, spec in specs.items():
        shown = original.removesuffix(FEN)
        originals[shown] = original
        hint = input_type(original, spec.hint)
        fields[shown] = (hint, Field(_shown_default(original, spec.default), description=describe(shown)))
    model = create_model(name, __base__=Input, **fields)
    model.originals, model.target = originals, target
    if example is not None:
        model.model_config["json_schema_extra"] = {"examples": [example]}
        model.model_rebuild(force=True)
    return model


def _shown_default(original: str, default: Any) -> Any:
    # Defaults are not validated: what stands here is already the inner value.
    return default if default is not ... else ...


def specs_of(function: Callable[..., Any], *, without: Sequence[str] = ()) -> dict[str, Spec]:
    """操作签名里的各栏。"""
    plain = inspect.unwrap(function)
    hints = typing.get_type_hints(plain, include_extras=True)
    left_out = {"actor", "key", "on", "return", *without}
    return {
        name: Spec(hints[name], ... if parameter.default is inspect.Parameter.empty else parameter.default)
        for name, parameter in inspect.signature(plain).parameters.items()
        if name not in left_out
    }


def input_type(name: str, hint: Any) -> Any:
    """内部类型 → 从严的输入类型。"""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        inner = [input_type(name, one) for one in arguments if one is not type(None)]
        return Union[tuple(inner) + ((type(None),) if type(None) in arguments else ())]  # noqa: UP007 - built at run time
    if origin in {list, tuple, Sequence}:
        inner_list = list_of(input_type(name, arguments[0]))
        return Annotated[inner_list, Field(max_length=LONGEST_LIST)]
    if origin is dict:
        if arguments[1] is int and name in FEN_MAPS:
            return dict[Word, Yuan]
        return dict[str, Any]
    if hint is int:
        return Yuan if name.endswith(FEN) else StrictId if name.endswith("_id") else Whole
    simple = {bool: Flag, str: text_of(LONGEST_BY_NAME.get(name, LONGEST_TEXT)), date: Day}
    if hint in simple:
        return simple[hint]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return dataclass_body(hint)
    return hint


_bodies: dict[type, type[Input]] = {}


def dataclass_body(kind: type) -> type[Input]:
    """数据类 → 请求模型；校验后还原成那个数据类。"""
    if kind not in _bodies:
        hints = typing.get_type_hints(kind)
        specs = {
            item.name: Spec(
                hints[item.name],
                item.default
                if item.default is not dataclasses.MISSING
                else item.default_factory()
                if item.default_factory is not dataclasses.MISSING
                else ...,
            )
            for item in dataclasses.fields(kind)
        }
        _bodies[kind] = body_of(kind.__name__, specs, target=kind)
    return _bodies[kind]


def unfold(value: Any) -> Any:
    """请求模型 → 操作的参数（内部名、内部值）。"""
    if isinstance(value, Input):
        names = value.model_fields_set if value.only_given else type(value).model_fields
        inner = {value.originals.get(name, name): unfold(getattr(value, name)) for name in names}
        target = type(value).target
        return target(**inner) if target else inner
    if isinstance(value, list):
        return [unfold(item) for item in value]
    if isinstance(value, dict):
        return {key: unfold(item) for key, item in value.items()}
    return value


# 查询条件 --------------------------------------------------------------------------------------------------


def query_of(kind: type, **extra: tuple[Any, Any]) -> type[BaseModel]:
    """筛选条件的数据类 → 查询参数模型。"""
    hints = typing.get_type_hints(kind)
    fields: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        default = item.default if item.default is not dataclasses.MISSING else ...
        fields[item.name] = (query_type(hints[item.name]), Field(default, description=describe(item.name)))
    for name, (hint, default) in extra.items():
        fields[name] = (query_type(hint), Field(default, description=describe(name)))
    return create_model(f"{kind.__name__}Query", __config__=ConfigDict(extra="ignore"), **fields)


def query_type(hint: Any) -> Any:
    """查询参数都是文本：整数照读，但有界。"""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        inner = [query_type(one) for one in arguments if one is not type(None)]
        return Union[(*inner, type(None))]
    if hint is int:
        return Annotated[int, Field(ge=0, le=LARGEST_ID)]
    return {str: Word, date: Day}.get(hint, hint)


# 响应 ------------------------------------------------------------------------------------------------------


class AsIs(dict[str, Any]):
    """照原样给出的文档：内核的条款与事实是计算器的输入，金额是整数分，不换成元。"""


class Done(BaseModel):
    """办成的结果：``subject`` 是办的对象（如 ``loan:12``），其余随操作而定。"""

    model_config = ConfigDict(extra="allow")
    subject: str = Field(description=describe("subject"))


def done(name: str, **hints: Any) -> type[BaseModel]:
    """写入的结果里一定有的栏目。"""
    fields: dict[str, Any] = {
        title.removesuffix(FEN): (output_type(title, hint), Field(description=describe(title.removesuffix(FEN))))
        for title, hint in hints.items()
    }
    return create_model(name, __base__=Done, __doc__="办成的结果。", **fields)


class Output(BaseModel):
    """响应。"""

    model_config = ConfigDict(extra="ignore")


_replies: dict[Any, Any] = {}


def reply_of(kind: type, *, without: Sequence[str] = (), name: str = "", **extra: Any) -> type[BaseModel]:
    """数据类 → 响应模型，标了返回类型的 ``property`` 一并列出；``extra`` 是另加的栏目。"""
    slot = (kind, tuple(without), name, tuple(extra))
    if slot not in _replies:
        known = typing.get_type_hints(kind)
        hints = {title: known[title] for title in _titles(kind)}
        for title, member in [] if issubclass(kind, BaseModel) else inspect.getmembers(kind, _is_property):
            hints[title] = typing.get_type_hints(member.fget).get("return", Any)
        chosen = {title: hint for title, hint in hints.items() if title not in without} | extra
        _replies[slot] = record(name or kind.__name__, chosen, (kind.__doc__ or "").split("\n")[0])
    return typing.cast(type[BaseModel], _replies[slot])


def _is_property(member: object) -> bool:
    return isinstance(member, property)


def _titles(kind: type) -> list[str]:
    if issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [item.name for item in dataclasses.fields(typing.cast(Any, kind))]


def record(name: str, hints: Mapping[str, Any], text: str = "") -> type[BaseModel]:
    """由栏目与类型造响应模型。"""
    fields: dict[str, Any] = {
        title.removesuffix(FEN): (
            output_type(title, hint),
            Field(description=describe(title.removesuffix(FEN))),
        )
        for title, hint in hints.items()
    }
    return create_model(name, __base__=Output, __doc__=text, **fields)


def output_type(name: str, hint: Any) -> Any:
    """内部类型 → 响应类型。"""
    if isinstance(hint, type) and issubclass(hint, BaseModel) and issubclass(hint, Output | Done):
        return hint
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return output_type(name, arguments[0])
    if origin in {Union, types.UnionType}:
        inner = [output_type(name, one) for one in arguments if one is not type(None)]
        return Union[tuple(inner) + ((type(None),) if type(None) in arguments else ())]  # noqa: UP007 - built at run time
    if origin in {list, tuple, frozenset, Sequence}:
        if origin is tuple and len(arguments) > 1 and arguments[1] is not Ellipsis:
            return list[Any]
        return list_of(output_type(name, arguments[0]))
    if origin in {dict, Mapping}:
        return dict[str, YuanOut] if name in FEN_MAPS and arguments[1] is int else dict[str, Any]
    if hint is int and name.endswith(FEN):
        return YuanOut
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return reply_of(hint)
    if isinstance(hint, type) and (issubclass(hint, int | str | bool | date | datetime | Enum) or hint is dict):
        return hint
    return Any


def page_of(kind: type[BaseModel], **totals: Any) -> type[BaseModel]:
    """一页：``items``、总条数、页码、页长、总页数；``totals`` 是筛选结果的合计。"""
    slot = ("page", kind, tuple(totals))
    if slot not in _replies:
        hints: dict[str, Any] = {"items": list_of(kind), "total": int, "page": int, "size": int, "pages": int}
        _replies[slot] = record(f"{kind.__name__}Page", hints | totals, f"{kind.__doc__ or ''}（一页）")
    return typing.cast(type[BaseModel], _replies[slot])


def present(value: Any, name: str = "") -> Any:
    """内部值 → 响应里的样子：分成了元，数据类成了对象，机密不外露。"""
    if value is None or isinstance(value, bool | date | AsIs):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return yuan(value) if name.endswith(FEN) else value
    if isinstance(value, SecretStr):
        return None
    if isinstance(value, BaseModel):
        return present(value.model_dump(mode="json"), name)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        titles = [item.name for item in dataclasses.fields(value)]
        titles += [title for title, _ in inspect.getmembers(type(value), _is_property)]
        return {title.removesuffix(FEN): present(getattr(value, title), title) for title in titles}
    if isinstance(value, Mapping):
        if name in FEN_MAPS:
            return {str(key): yuan(item) if isinstance(item, int) else present(item) for key, item in value.items()}
        return {str(key).removesuffix(FEN): present(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        listed = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [present(item, name) for item in listed]
    return value
