"""迁移：新表的索引与约束在建表那一步里，新库第一次启动才快。"""

from __future__ import annotations

import importlib
from pathlib import Path

from django.db import models
from django.db.migrations import AddConstraint, AddField, AddIndex, CreateModel
from django.db.migrations.operations.base import Operation

import sancha
from sancha.kit.management.commands.makemigrations import folded

ROOT = Path(sancha.__file__).parent


def _migrations() -> list[tuple[str, list[Operation]]]:
    found = []
    for path in sorted(ROOT.rglob("migrations/0*.py")):
        module = ".".join(("sancha", *path.relative_to(ROOT).with_suffix("").parts))
        found.append((module, importlib.import_module(module).Migration.operations))
    return found


def test_indexes_and_constraints_of_a_new_table_come_with_it() -> None:
    listed = _migrations()
    assert len(listed) > 8
    slow = [module for module, operations in listed if len(folded(operations, "any")) != len(operations)]
    assert slow == [], "delete the 0001_initial and run makemigrations again (ours folds: kit/management)"


def _create() -> CreateModel:
    return CreateModel("Thing", [("id", models.BigAutoField(primary_key=True)), ("day", models.DateField())])


def test_folding_puts_them_into_the_table() -> None:
    index = models.Index(fields=["day"], name="thing_day")
    once = models.UniqueConstraint(fields=["day"], name="thing_once")
    (made,) = folded([_create(), AddIndex("thing", index), AddConstraint("thing", once)], "any")
    assert isinstance(made, CreateModel)
    assert made.options == {"indexes": [index], "constraints": [once]}


def test_folding_never_passes_a_later_change_of_the_table() -> None:
    field = AddField("thing", "other", models.DateField(null=True))
    index = AddIndex("thing", models.Index(fields=["other"], name="thing_other"))
    assert folded([_create(), field, index], "any")[1:] == [field, index]
    assert folded([index], "any") == [index]
