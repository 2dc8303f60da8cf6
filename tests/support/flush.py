"""测试之间清空 SQLite：Django 用 DELETE 清表，会撞上「只许追加」的触发器；清空时先拆下、再原样装回。

PostgreSQL 用 TRUNCATE 清表，行触发器不管，无须处理。生产代码里没有这个口子。
"""

from typing import Any

from django.db.backends.sqlite3.base import DatabaseOperations

_flush = DatabaseOperations.sql_flush


def _sql_flush(self: DatabaseOperations, *args: Any, **kwargs: Any) -> list[str]:
    statements = _flush(self, *args, **kwargs)
    if not statements:
        return statements
    with self.connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
    return [f'DROP TRIGGER "{name}"' for name, _ in triggers] + statements + [sql for _, sql in triggers]


def lift_guards_while_flushing() -> None:
    """装上；重复调用无妨。"""
    DatabaseOperations.sql_flush = _sql_flush
