"""行集：把一批行作为一个数据源交给 SQL，一条语句办一批，SQLite 与 PostgreSQL 同一写法。

PostgreSQL 用 ``unnest`` 数组，SQLite 用 ``json_each``；两者的参数个数与行数无关，不受语句参数上限之限。
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from django.db import connection

ColumnType = Literal["bigint", "text", "date", "jsonb", "boolean"]


@dataclass(frozen=True, slots=True)
class Rowset:
    """可放进 ``FROM`` 之后的 ``sql`` 片段（别名为给定名字）及其参数。"""

    sql: str
    params: list[Any]


def rowset(alias: str, columns: dict[str, ColumnType], rows: Iterable[Sequence[Any]]) -> Rowset:
    """由列名、类型与行造一个行集。

    ``alias`` 与列名只许来自代码，不得来自输入。``jsonb`` 列给 Python 对象。
    """
    listed = [list(row) for row in rows]
    for row in listed:
        assert len(row) == len(columns), f"rowset: {len(row)} values for {len(columns)} columns"
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        names = ", ".join(columns)
        by_column = [
            [_for_postgresql(row[index], kind) for row in listed] for index, kind in enumerate(columns.values())
        ]
        return Rowset(f"unnest({arrays}) AS {alias}({names})", by_column)
    picks = ", ".join(f"json_extract(value, '$[{index}]') AS {name}" for index, name in enumerate(columns))
    kinds = list(columns.values())
    document = json.dumps([[_for_sqlite(value, kinds[i]) for i, value in enumerate(row)] for row in listed])
    return Rowset(f"(SELECT {picks} FROM json_each(%s)) AS {alias}", [document])


def _for_postgresql(value: Any, kind: ColumnType) -> Any:
    return json.dumps(value, ensure_ascii=False) if kind == "jsonb" and value is not None else value


def _for_sqlite(value: Any, kind: ColumnType) -> Any:
    """SQLite 里日期是文本，JSON 也是文本，布尔是 0/1。"""
    if value is None:
        return None
    if kind == "jsonb":
        return json.dumps(value, ensure_ascii=False)
    if kind == "boolean":
        return int(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value
