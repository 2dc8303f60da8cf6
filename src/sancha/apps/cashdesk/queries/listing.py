"""列表的公共部分：一页、全部合计、数据范围、账号掩码。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum, Window

from sancha.apps.access.queries import in_scope, require_institution
from sancha.kit.actor import Actor
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class Listing:
    """一页与全部（不只本页）的金额合计。"""

    page: Page[Any]
    total_fen: int


def masked(number: str) -> str:
    """账号掩码：留前四后四。"""
    return number if len(number) <= 8 else f"{number[:4]}****{number[-4:]}"


def place_of(actor: Actor, institution_id: int | None, field: str = "institution") -> Q:
    """数据范围，或指定机构及其下级；``field`` 是指向机构的外键名。"""
    if institution_id is None:
        return in_scope(actor, field)
    return Q(**{f"{field}__path__startswith": require_institution(actor, institution_id).path})


def listing_of(rows: QuerySet[Any], total: str, page: int, size: int, to_row: Any) -> Listing:
    """列表：一页，连同全部行在 ``total`` 栏上的合计（分）。"""
    sums = rows.order_by().aggregate(fen=Sum(total), many=Count("pk"))
    found = paginate(rows, page=page, size=size, to_row=to_row, total=int(sums["many"]))
    return Listing(found, int(sums["fen"] or 0))


def small_listing(rows: QuerySet[Any], total: str, page: int, size: int) -> Listing:
    """小表的列表：条数与合计由窗口函数随行带回，一条查询；行数随业务日而不随笔数增长的表才用。"""
    counted = rows.annotate(all_rows=Window(Count("pk")), all_fen=Window(Sum(total)))
    start = (max(page, 1) - 1) * size
    shown = list(counted[start : start + size])
    if not shown and page > 1:
        return listing_of(rows, total, page, size, lambda row: row)
    many, fen = (shown[0].all_rows, int(shown[0].all_fen)) if shown else (0, 0)
    return Listing(Page(rows=shown, total=many, number=max(page, 1), size=size), fen)
