"""生成迁移：新表的索引与约束并进建表那一步。

Django 把它们各写成一步，而每一步都要把整套模型状态重新渲染一遍（约 25 毫秒）：九十步就是新库第一次启动白等两秒多。
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.commands import makemigrations
from django.db.migrations import AddConstraint, AddIndex, CreateModel
from django.db.migrations.operations.base import Operation


def folded(operations: Sequence[Operation], app_label: str) -> list[Operation]:
    """并好的步骤：本次新建、此后未再改动的表，其索引与约束并进 ``CreateModel``；其余原样、原序。"""
    result: list[Operation] = []
    for operation in operations:
        if isinstance(operation, AddIndex | AddConstraint):
            at = _created_at(result, operation.model_name_lower)
            if at is not None:
                merged = result[at].reduce(operation, app_label)
                assert isinstance(merged, list), "CreateModel takes in its own index or constraint"
                result[at : at + 1] = merged
                continue
        result.append(operation)
    return result


def _created_at(operations: Sequence[Operation], model: str) -> int | None:
    """建这张表的那一步；没有，或建后又动过（如补了外键）时为 ``None``，那样就不能并。"""
    for index in reversed(range(len(operations))):
        operation = operations[index]
        if isinstance(operation, CreateModel) and operation.name_lower == model:
            return index
        if getattr(operation, "model_name_lower", None) == model:
            return None
    return None


class Command(makemigrations.Command):
    """``makemigrations``，写文件之前先并。"""

    def write_migration_files(self, changes: dict[str, list[Any]], *args: Any, **options: Any) -> None:
        """写出迁移文件。"""
        for app_label, migrations in changes.items():
            for migration in migrations:
                migration.operations = folded(migration.operations, app_label)
        super().write_migration_files(changes, *args, **options)
