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
        by_column = zip(*listed, strict=True) if listed else [()] * len(columns)
        literals = [_array(values, kind) for values, kind in zip(by_column, columns.values(), strict=True)]
        return Rowset(f"unnest({arrays}) AS {alias}({names})", literals)
    picks = ", ".join(f"json_extract(value, '$[{index}]') AS {name}" for index, name in enumerate(columns))
    kinds = list(columns.values())
    document = json.dumps([[_for_sqlite(value, kinds[i]) for i, value in enumerate(row)] for row in listed])
    return Rowset(f"(SELECT {picks} FROM json_each(%s)) AS {alias}", [document])


def _array(values: Sequence[Any], kind: ColumnType) -> str:
    """PostgreSQL 的数组文本。驱动逐个元素在 Python 里转义，一批宽行要用掉日终的三成时间；这里一列一次。"""
    if kind == "bigint":
        # The number's own __repr__: anything that is not an integer is refused instead of slipping into the literal.
        return "{" + ",".join(["NULL" if value is None else int.__repr__(value) for value in values]) + "}"
    texts = ["NULL" if value is None else _quoted(_as_text(value, kind)) for value in values]
    return "{" + ",".join(texts) + "}"


def _as_text(value: Any, kind: ColumnType) -> str:
    if kind == "jsonb":
        return json.dumps(value, ensure_ascii=False)
    if kind == "boolean":
        return "t" if value else "f"
    return value.isoformat() if kind == "date" else str(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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
