"""文字长短：每张表每一个定长文字栏，过长的怎么写也写不进去，两种数据库一个说法。"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import Error, connection, models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Concat

from sancha.apps.access.models import Institution
from sancha.kit.database.lengths import TextTooLong
from sancha.kit.errors import DomainError
from sancha.kit.models import NumberSequence
from tests.support.factories_access import County, fresh_key

pytestmark = pytest.mark.django_db


def text_fields() -> Iterator[models.CharField]:
    """全部表（连同第三方的）的定长文字栏。"""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_concrete_fields:
            if isinstance(field, models.CharField):
                yield field


def test_every_text_column_of_every_table_refuses_what_is_too_long() -> None:
    """表里没有一行也查得出：把每一栏的约束原样套在一个超长的值上。"""
    swept = list(text_fields())
    assert len(swept) > 150
    for field in swept:
        assert field.max_length, f"{field}: a text column without a limit"
        with pytest.raises(TextTooLong) as refused:
            field.model._base_manager.filter(pk=None).order_by().update(**{field.name: "长" * (field.max_length + 1)})
        assert refused.value.field == field.name
        assert f"{field.max_length + 1} 个字" in refused.value.message
        assert f"最多 {field.max_length} 个" in refused.value.message
        assert refused.value.fix


def test_the_database_itself_refuses_what_goes_around_the_orm() -> None:
    """数据库自己的约束：每一栏的列定义里都有（SQLite 查表的建法，PostgreSQL 查列的类型）。"""
    with connection.cursor() as cursor:
        for field in text_fields():
            table, column = field.model._meta.db_table, field.column
            if connection.vendor == "sqlite":
                cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s", [table])
                assert f'CHECK (length("{column}") <= {field.max_length})' in cursor.fetchone()[0], (table, column)
            else:
                cursor.execute(
                    "SELECT character_maximum_length FROM information_schema.columns"
                    " WHERE table_name = %s AND column_name = %s",
                    [table, column],
                )
                assert cursor.fetchone() == (field.max_length,), (table, column)


def test_raw_sql_is_stopped_by_the_database() -> None:
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO kit_numbersequence (name, last) VALUES (%s, 0)", ["长" * 81])
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kit_numbersequence (name, last) VALUES (%s, 0)", ["长" * 80])


def test_each_way_of_writing_is_measured() -> None:
    row = NumberSequence.objects.create(name="好", last=1)
    long = "长" * 81
    ways = [
        lambda: NumberSequence.objects.create(name=long),
        lambda: NumberSequence.objects.bulk_create([NumberSequence(name="短"), NumberSequence(name=long)]),
        lambda: NumberSequence.objects.filter(pk=row.pk).update(name=long),
        lambda: NumberSequence.objects.filter(pk=row.pk).update(name=Concat(F("name"), Value(long))),
        lambda: NumberSequence.objects.filter(pk=row.pk).update(name=Case(When(last=1, then=Value(long)))),
        lambda: NumberSequence.objects.get_or_create(name=long),
    ]
    for write in ways:
        with pytest.raises(TextTooLong), transaction.atomic():
            write()
    assert list(NumberSequence.objects.filter(pk="好").values_list("name", flat=True)) == ["好"]


def test_bulk_update_is_measured(county: County) -> None:
    rows = list(Institution.objects.all())
    rows[-1].name = "名" * 81
    with pytest.raises(TextTooLong):
        Institution.objects.bulk_update(rows, ["name"])


def test_an_operation_says_which_column_and_keeps_nothing(county: County) -> None:
    """操作里没有自己量的栏（地址），由这一层拦下：话里有栏名、现有字数、上限与办法。"""
    from sancha.apps.access import operations

    before = Institution.objects.count()
    with pytest.raises(DomainError) as refused:
        operations.open_institution(
            actor=county.actor("ADMINISTRATOR"), key=fresh_key(), on=county.opened_on, code="S7", name="新支行",
            kind="TIER2_SUB_BRANCH", parent_id=county.ids["S1"], address="路" * 201,
        )  # fmt: skip
    assert refused.value.as_dict() == {
        "code": "TEXT_TOO_LONG",
        "message": "「地址」（address）有 201 个字，最多 200 个。",
        "field": "address",
        "value": "路" * 20 + "…",
        "fix": "请缩短 1 个字以上；放不下的写在备注或附件里。",
    }
    assert Institution.objects.count() == before


def test_a_surrogate_counts_as_postgresql_counts(county: County) -> None:
    """生僻字（基本平面以外）在两库都算一个字。"""
    NumberSequence.objects.create(name="𠮷" * 80)
    with pytest.raises(TextTooLong):
        NumberSequence.objects.create(name="𠮷" * 81)


def test_the_bulk_way_of_an_import_says_which_column(county: County) -> None:
    from sancha.apps.servicing.importing.bulk import insert_rows
    from sancha.apps.servicing.models import ImportRow

    row = {"batch_id": 1, "role": "loan", "file_no": 1, "number": 1, "ref": "长" * 81, "cells": {}}
    with pytest.raises(TextTooLong) as refused:
        insert_rows(ImportRow, [row])
    assert refused.value.field == "ref"
