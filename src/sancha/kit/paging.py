"""分页：列表一律带总数与页码，页码与页长有上限，超限收回界内而不是报错。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet

T = TypeVar("T")

LONGEST_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """一页。``number`` 从 1 起；``total`` 是总条数。"""

    rows: list[T]
    total: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        """总页数，至少 1。"""
        return max(1, -(-self.total // self.size))

    @property
    def has_next(self) -> bool:
        """是否有下一页。"""
        return self.number < self.pages

    @property
    def has_previous(self) -> bool:
        """是否有上一页。"""
        return self.number > 1


def paginate(
    queryset: QuerySet[Any], *, page: int, size: int, to_row: Callable[[Any], T], total: int | None = None
) -> Page[T]:
    """取一页：一条计数、一条取行。查询须已排好序；调用者数过了（``total``）就不再数。"""
    size = min(max(size, 1), LONGEST_PAGE)
    total = queryset.count() if total is None else total
    number = min(max(page, 1), max(1, -(-total // size)))
    start = (number - 1) * size
    return Page(rows=[to_row(item) for item in queryset[start : start + size]], total=total, number=number, size=size)
