"""数据表：列的定义、合计行与翻页。一个模板 ``parts/table.html`` 画所有的表。

用法::

    table = Table(
        [
            Column("number", _("借据号"), link=lambda row: reverse("loans:detail", args=[row["id"]])),
            Column("balance_fen", _("余额"), kind="fen", total=True),
        ],
        rows, totals={"balance_fen": 12300}, pagination=Pagination(total=count, number=number),
    )

行可以是字典也可以是对象；每格的内容在 Python 里拼好（模板逐格 include 要慢五倍）。
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.paging import Page

NO_ROWS = _("没有符合条件的记录")
NUMERIC = frozenset({"fen", "wan", "ppm", "int", "overdue"})
KINDS: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: words.NOTHING if value in (None, "") else value,
    "int": lambda value: words.NOTHING if value is None else f"{value:,}",
    "fen": words.fen,
    "wan": words.wan,
    "ppm": words.ppm,
    "day": words.day,
    "moment": words.moment,
    "klass": words.klass,
    "overdue": words.overdue,
    "id": words.mask_id,
    "phone": words.mask_phone,
}


def value_of(row: Any, key: str) -> Any:
    """取一格的值：字典按键，对象按属性。"""
    return row.get(key) if isinstance(row, Mapping) else getattr(row, key)


def page_number(params: Mapping[str, Any]) -> int:
    """网址参数里的页码；乱写的当第一页（超出末页由查询收回）。"""
    text = str(params.get("page", "1"))
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 8 else 1


@dataclass(frozen=True)
class Column:
    """一列。``kind`` 决定写法与对齐；``link`` 由行得网址；``show`` 由行得内容；``sort`` 是排序参数名。"""

    key: str
    label: Any
    kind: str = "text"
    link: Callable[[Any], str] | None = None
    show: Callable[[Any], Any] | None = None
    total: bool = False
    sort: str = ""
    css: str = ""

    @property
    def align(self) -> str:
        """数字右对齐，其余左对齐。"""
        return f"{'r' if self.kind in NUMERIC else ''} {self.css}".strip()

    @property
    def descending(self) -> str:
        """倒序的排序参数。"""
        return f"-{self.sort}"

    def cell(self, row: Any) -> Any:
        """一格的内容（已转义）。"""
        content = self.show(row) if self.show else KINDS[self.kind](value_of(row, self.key))
        if self.link and (url := self.link(row)):
            return format_html('<a href="{}">{}</a>', url, content)
        return content


@dataclass(frozen=True)
class Pagination:
    """翻页。``number`` 从 1 起；超出范围时落在最后一页，不报错。"""

    total: int
    number: int = 1
    size: int = 50

    @classmethod
    def over(cls, page: Page[Any]) -> Pagination:
        """由查询返回的一页得到。"""
        return cls(total=page.total, number=page.number, size=page.size)

    @property
    def last(self) -> int:
        """末页。"""
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        """跳过的行数。"""
        return (self.number - 1) * self.size

    @property
    def first_row(self) -> int:
        """本页第一行是第几条。"""
        return self.offset + 1 if self.total else 0

    @property
    def last_row(self) -> int:
        """本页末行是第几条。"""
        return min(self.offset + self.size, self.total)

    @property
    def window(self) -> list[int]:
        """可点的页码：首末页与当前页前后各两页，0 表示省略。"""
        near = [n for n in range(self.number - 2, self.number + 3) if 1 <= n <= self.last]
        shown = sorted({1, self.last, *near})
        out: list[int] = []
        for n in shown:
            if out and n > out[-1] + 1:
                out.append(0)
            out.append(n)
        return out


@dataclass
class Table:
    """一张表。"""

    columns: Sequence[Column]
    rows: Iterable[Any]
    totals: Mapping[str, Any] | None = None
    pagination: Pagination | None = None
    actions: Callable[[Any], str] | None = None
    empty: Any = NO_ROWS
    hint: Any = ""
    stack: bool = False
    row_css: Callable[[Any], str] | None = None
    caption: Any = ""
    body: list[tuple[str, list[tuple[Column, Any]], SafeString | str]] = field(init=False)

    def __post_init__(self) -> None:
        self.body = [
            (
                self.row_css(row) if self.row_css else "",
                [(column, column.cell(row)) for column in self.columns],
                self.actions(row) if self.actions else "",
            )
            for row in self.rows
        ]

    @property
    def has_actions(self) -> bool:
        """有没有操作列。模板不能直接问 ``actions``：它会把函数叫一遍。"""
        return self.actions is not None

    @property
    def foot(self) -> list[tuple[Column, Any]]:
        """合计行：标了 ``total`` 的列。"""
        totals = self.totals or {}
        return [(c, KINDS[c.kind](totals.get(c.key)) if c.total else "") for c in self.columns]
