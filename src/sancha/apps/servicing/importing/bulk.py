"""整批写行：PostgreSQL 用 COPY，SQLite 用 executemany，不为每行造模型对象。只写值齐全的行，约束照样由数据库把关。"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, models

from sancha.kit.database.lengths import require_fits


def insert_rows(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """把行写进模型的表；键是列名，各行的键相同，没写的列取缺省值。须在调用者的事务里。"""
    if not rows:
        return
    assert connection.in_atomic_block
    # A column the caller does not name takes the model's default, so that a new column never breaks an import.
    rest = {
        field.column: field.get_default()
        for field in model._meta.concrete_fields
        if field.column not in rows[0] and not isinstance(field, models.AutoField)
    }
    rows = [{**row, **rest} for row in rows]
    columns = list(rows[0])
    # Plain SQL goes around the compilers that measure; the database would refuse, but not say which column.
    texts = [field for field in model._meta.concrete_fields if isinstance(field, models.CharField)]
    for row in rows:
        for field in texts:
            require_fits(field, row[field.column])
    table, names = model._meta.db_table, ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([_plain(row[column]) for column in columns])
        else:
            marks = ", ".join(["%s"] * len(columns))
            values = [[_for_sqlite(row[column]) for column in columns] for row in rows]
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.isoformat() if isinstance(value, date) else _plain(value)
