"""称呼：一种东西的编号与名字，几种可合并成一条语句取。"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast

Labels = QuerySet[Any, tuple[str, int, str]]


def labels(rows: QuerySet[Any], kind: str, ids: Collection[int], name: str) -> Labels:
    """称呼的各行：（种类, 编号, 名字），尚未执行：各应用的几个用 ``union`` 合成一条语句。只作称呼，不看范围。"""
    found: Labels = (
        rows.filter(pk__in=ids)
        .order_by()
        .annotate(label_kind=Value(kind, TextField()), label=Cast(F(name), TextField()))
        .values_list("label_kind", "pk", "label")
    )
    return found
