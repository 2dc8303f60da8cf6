"""对外事件：名称、版本与栏目先登记，才能记下；栏目之外的一个字也出不去。

事件经发件箱（``kit.outbox``）与业务同生共死。内容只有编号、代码、日期、金额与计数：没有姓名、证件、电话、地址——
``code`` 一类只许可见的 ASCII 字符，中文姓名就是写错了地方也进不来。改栏目的含义须升 ``version``。
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid4

from sancha.kit import outbox
from sancha.kit.clock import now
from sancha.kit.operation import keyed_digest

INSTITUTION, GROUP = "INSTITUTION", "GROUP"
"""谁听得见：事件所在机构及其上级的订阅，或整个营业日组里各机构的订阅。"""
_NAME: Final = re.compile(r"[a-z]+(\.[a-z_]+)+")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,80}")
_YUAN: Final = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]{2}")
LARGEST: Final = 2**63 - 1


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


FIELD_TYPES: Final[dict[str, Callable[[object], bool]]] = {
    "id": lambda value: _is_count(value) and value != 0,
    "count": _is_count,
    "code": lambda value: isinstance(value, str) and _CODE.fullmatch(value) is not None,
    "day": _is_day,
    "yuan": lambda value: isinstance(value, str) and _YUAN.fullmatch(value) is not None,
    "flag": lambda value: isinstance(value, bool),
}
"""栏目类型：编号、计数、代码、日期、元、真假。"""


@dataclass(frozen=True, slots=True)
class EventField:
    """事件的一个栏目。``optional`` 为真时可以是 null，但总在。"""

    type: str
    text: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EventKind:
    """一种事件。``title`` 中文名，``when`` 何时发生，``fields`` 内容的全部栏目。"""

    name: str
    title: str
    when: str
    fields: Mapping[str, EventField]
    version: int = 1
    reach: str = INSTITUTION

    def __post_init__(self) -> None:
        assert _NAME.fullmatch(self.name), f"{self.name}: an event is named like loan.booked"
        unknown = {field.type for field in self.fields.values()} - FIELD_TYPES.keys()
        assert not unknown, f"{self.name}: unknown field types {sorted(unknown)}"


@dataclass(frozen=True, slots=True)
class Happening:
    """发生的一件事。``subject`` 是对象（如 ``loan:12``），同一对象的事件按先后送达。

    ``cause`` 给出时事件编号由它算出：批处理杀掉重跑，同一件事还是同一个编号，不会送两回。
    """

    institution_id: int | None
    on: date
    subject: str
    data: Mapping[str, Any]
    cause: str = ""


_kinds: dict[str, EventKind] = {}


def declare(kind: EventKind) -> EventKind:
    """登记一种事件；同样内容重复登记无妨。"""
    known = _kinds.setdefault(kind.name, kind)
    assert known == kind, f"event {kind.name} is declared twice with different content"
    return kind


def catalog() -> list[EventKind]:
    """全部事件，按名称。"""
    return sorted(_kinds.values(), key=lambda kind: kind.name)


def find_event(name: str) -> EventKind | None:
    """按名称取事件，没有则空。"""
    return _kinds.get(name)


def announce(kind: EventKind, /, *, institution_id: int | None, on: date, subject: str, **data: Any) -> None:
    """记下一个事件（一条 INSERT），与业务在同一事务里。"""
    announce_all(kind, [Happening(institution_id, on, subject, data)])


def announce_all(kind: EventKind, happenings: Iterable[Happening]) -> int:
    """成批记下同一种事件，返回条数；一条也没有就不碰库。

    :raises AssertionError: 栏目与登记的不符——程序的错，宁可业务停住，不可把多余的话说出去。
    """
    return outbox.record_all([(kind.name, _payload(kind, happening)) for happening in happenings])


def _payload(kind: EventKind, happening: Happening) -> dict[str, Any]:
    data = {name: value.isoformat() if isinstance(value, date) else value for name, value in happening.data.items()}
    assert data.keys() == kind.fields.keys(), f"{kind.name}: fields differ: {sorted(data.keys() ^ kind.fields.keys())}"
    for name, field in kind.fields.items():
        fits = (data[name] is None and field.optional) or FIELD_TYPES[field.type](data[name])
        assert fits, f"{kind.name}: {name} does not fit {field.type}"
    return {
        "id": str(UUID(keyed_digest(f"{kind.name}|{happening.cause}")[:32]) if happening.cause else uuid4()),
        "version": kind.version,
        "at": now().isoformat(timespec="milliseconds"),
        "institution_id": happening.institution_id,
        "on": happening.on.isoformat(),
        "subject": happening.subject,
        "data": data,
    }


__all__ = [
    "FIELD_TYPES",
    "GROUP",
    "INSTITUTION",
    "EventField",
    "EventKind",
    "Happening",
    "announce",
    "announce_all",
    "catalog",
    "declare",
    "find_event",
]
