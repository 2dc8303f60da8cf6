"""只许追加：数据库触发器，改与删一律拒绝；合法会变的列逐个点名放行。两种数据库，由各应用的迁移建立。

绕过程序直接写 SQL 的也挡得住。个人信息的栏（``erasable``）只在依法删除的那个事务里可改（``kit.erasure.erasing``），
金额、日期、关系与整行任何时候都不可改、不可删。整批装载（恢复备份、测速）须先停触发器，见 ``kit.backup``。
PostgreSQL 的 TRUNCATE 不触发行触发器，靠库的权限管：业务账号不应有 TRUNCATE 权。
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps as installed
from django.db import connection

CODE = "APPEND_ONLY"
_FUNCTION = """CREATE OR REPLACE FUNCTION kit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%: % is append-only', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$"""
_ERASING_FUNCTION = """CREATE OR REPLACE FUNCTION kit_refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM kit_erasureinprogress) THEN
    RAISE EXCEPTION '%: % is append-only', TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$"""


@dataclass(frozen=True, slots=True)
class Guard:
    """守一张表。``model`` 是模型名，``changing`` 是合法会变的列（如收款的已用金额），``code`` 是错误的开头。

    ``erasable`` 是个人信息所在的列：只有依法删除时可改。
    """

    model: str
    changing: tuple[str, ...] = ()
    erasable: tuple[str, ...] = ()
    code: str = CODE


def trigger_names(table: str) -> tuple[str, str]:
    """一张表的两个触发器：拒改、拒删。"""
    return f"{table}_no_update", f"{table}_no_delete"


def erasing_trigger(table: str) -> str:
    """只许在依法删除时改的那一个触发器。"""
    return f"{table}_erasing_only"


def guard_statements(
    vendor: str,
    table: str,
    columns: Sequence[str],
    *,
    changing: Sequence[str] = (),
    erasable: Sequence[str] = (),
    code: str = CODE,
) -> list[str]:
    """建触发器的语句。``columns`` 是全部列；``changing`` 之外的一列变了就拒绝，``erasable`` 只在删除时放行。

    :raises AssertionError: 放行的列里有不存在的：写错的名字会悄悄放过别的列。
    """
    unknown = {*changing, *erasable} - set(columns)
    assert not unknown, f"{table}: no columns {sorted(unknown)}"
    no_update, no_delete = trigger_names(table)
    kept = [name for name in columns if name not in changing and name not in erasable]
    if vendor == "postgresql":
        differs = " OR ".join(f'NEW."{name}" IS DISTINCT FROM OLD."{name}"' for name in kept)
        when = f" WHEN ({differs})" if changing or erasable else ""
        call = f"EXECUTE FUNCTION kit_refuse_change('{code}')"
        statements = [
            _FUNCTION,
            f"CREATE TRIGGER {no_update} BEFORE UPDATE ON {table} FOR EACH ROW{when} {call}",
            f"CREATE TRIGGER {no_delete} BEFORE DELETE ON {table} FOR EACH ROW {call}",
        ]
        if erasable:
            personal = " OR ".join(f'NEW."{name}" IS DISTINCT FROM OLD."{name}"' for name in erasable)
            statements += [
                _ERASING_FUNCTION,
                f"CREATE TRIGGER {erasing_trigger(table)} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({personal}) "
                f"EXECUTE FUNCTION kit_refuse_unless_erasing('{code}')",
            ]
        return statements
    differs = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in kept)
    when = f" WHEN {differs}" if changing or erasable else ""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{code}: {table} is append-only'); END"
    statements = [
        f"CREATE TRIGGER {no_update} BEFORE UPDATE ON {table}{when} {refuse}",
        f"CREATE TRIGGER {no_delete} BEFORE DELETE ON {table} {refuse}",
    ]
    if erasable:
        personal = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in erasable)
        statements.append(
            f"CREATE TRIGGER {erasing_trigger(table)} BEFORE UPDATE ON {table} "
            f"WHEN ({personal}) AND NOT EXISTS (SELECT 1 FROM kit_erasureinprogress) {refuse}"
        )
    return statements


def create_guards(app_label: str, guards: Sequence[Guard]) -> Callable[[Any, Any], None]:
    """迁移里用的函数：按当时的模型建触发器。"""

    def create(apps: Any, schema_editor: Any) -> None:
        vendor = schema_editor.connection.vendor
        for guard in guards:
            meta = apps.get_model(app_label, guard.model)._meta
            columns = [field.column for field in meta.local_concrete_fields]
            for statement in guard_statements(
                vendor, meta.db_table, columns, changing=guard.changing, erasable=guard.erasable, code=guard.code
            ):
                # params=None lets the percent signs of the function through as they are.
                schema_editor.execute(statement, params=None)

    return create


def drop_guards(app_label: str, guards: Sequence[Guard]) -> Callable[[Any, Any], None]:
    """迁移倒退时拆掉。"""

    def drop(apps: Any, schema_editor: Any) -> None:
        for guard in guards:
            table = apps.get_model(app_label, guard.model)._meta.db_table
            on_table = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
            names = trigger_names(table) + ((erasing_trigger(table),) if guard.erasable else ())
            for name in names:
                schema_editor.execute(f"DROP TRIGGER {name}{on_table}")

    return drop


def missing_triggers(tables: Sequence[str], *, erasable: Sequence[str] = ()) -> list[str]:
    """应有而没有（或被停用）的触发器；空为齐全。SQLite 重建表会丢触发器，有人也可能动过手。

    ``erasable`` 是另有「只许在依法删除时改」那一个的表。
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        present = {name for (name,) in cursor.fetchall()}
    wanted = [name for table in tables for name in trigger_names(table)] + [
        erasing_trigger(table) for table in erasable
    ]
    return [name for name in wanted if name not in present]


def guarded_tables(app_label: str, guards: Sequence[Guard]) -> list[str]:
    """一个应用守着的表名。"""
    return [str(installed.get_model(app_label, guard.model)._meta.db_table) for guard in guards]


def erasable_tables(app_label: str, guards: Sequence[Guard]) -> list[str]:
    """其中有个人信息栏的表名。"""
    return guarded_tables(app_label, [guard for guard in guards if guard.erasable])
