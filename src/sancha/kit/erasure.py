"""抹去：把只属于一个人的字样从全部表的文字里换掉。凭表的定义逐表一条语句，新添的表不必记得来登记。

只用于独一无二的字样（证件号、电话、地址）：姓名会重名，由各应用按关联的行处理。
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
from django.db import connection, models

from sancha.kit.clock import now
from sancha.kit.models import ErasureInProgress, Idempotency

UNTOUCHED = frozenset({"kit_auditevent", "ledger_voucher", "ledger_voucherline"})
"""数据库拒绝改动的表：审计只有编号与摘要，会计凭证另有法定保管期限；其中本就不写个人信息。"""
SHORTEST = 6
"""短于它的字样不扫：会误伤。"""
NARROWEST = 11


@contextmanager
def erasing() -> Iterator[None]:
    """依法删除：在事务里放行只许追加的表上个人信息的栏，出来即复原。别的事务看不见，也借不到。"""
    assert connection.in_atomic_block, "an erasure is one transaction"
    pass_row = ErasureInProgress.objects.create(started_at=now())
    try:
        yield
    finally:
        pass_row.delete()


def sweep(needles: Sequence[str], mark: str) -> dict[str, int]:
    """把 ``needles`` 在全部表的文字栏与 JSON 栏里换成 ``mark``，返回 表名 → 行数（没有的不列）。"""
    wanted = sorted({needle for needle in needles if len(needle) >= SHORTEST}, key=len, reverse=True)
    if not wanted:
        return {}
    found = {}
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        columns = _columns(model)
        if table in UNTOUCHED or not columns or not model._meta.managed:
            continue
        if count := _replace(table, columns, wanted, mark):
            found[table] = count
    return found


def forget_results(subjects: Sequence[str], fields: Sequence[str], mark: str) -> int:
    """把这些对象的幂等结果里的 ``fields`` 换掉：重试仍得首次结果的编号，但没有个人信息。返回条数。"""
    count = 0
    for row in Idempotency.objects.filter(result__subject__in=list(subjects)):
        shown = [field for field in fields if row.result.get(field)]
        if shown:
            row.result = row.result | dict.fromkeys(shown, mark)
            row.save(update_fields=["result"])
            count += 1
    return count


def _columns(model: type[models.Model]) -> list[tuple[str, bool]]:
    """能放下这类字样的栏：（列名，是否 JSON）。有选项的、太窄的放不下。"""
    found = []
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.JSONField):
            found.append((str(field.column), True))
        elif isinstance(field, models.TextField) or (
            isinstance(field, models.CharField)
            and not field.choices
            and not field.primary_key
            and (field.max_length or 0) >= NARROWEST
        ):
            found.append((str(field.column), False))
    return found


def _replace(table: str, columns: list[tuple[str, bool]], needles: list[str], mark: str) -> int:
    postgresql = connection.vendor == "postgresql"
    sets, set_params, tests, test_params = [], [], [], []
    for column, is_json in columns:
        # SQLite keeps JSON as the text Django wrote: non-ASCII letters stand there as escapes.
        escaped = is_json and not postgresql
        written = f'"{column}"::text' if is_json and postgresql else f'"{column}"'
        expression = written
        for needle in needles:
            expression = f"REPLACE({expression}, %s, %s)"
            set_params += [_escaped(needle) if escaped else needle, _escaped(mark) if escaped else mark]
        if is_json and postgresql:
            expression = f"({expression})::jsonb"
        sets.append(f'"{column}" = {expression}')
        for needle in needles:
            tests.append(f"POSITION(%s IN {written}) > 0" if postgresql else f"INSTR({written}, %s) > 0")
            test_params.append(_escaped(needle) if escaped else needle)
    sql = f'UPDATE "{table}" SET {", ".join(sets)} WHERE {" OR ".join(tests)}'
    with connection.cursor() as cursor:
        cursor.execute(sql, [*set_params, *test_params])
        return int(cursor.rowcount)


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]
