"""表格的样子：列的类型、读到的行与表，以及读写共守的上限。"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_SHEET_ROWS: Final = 1_048_576


MAX_CELL_CHARACTERS: Final = 32_767


EXACT_DIGITS: Final = 15


"""Excel 的数字只有 15 位有效数字；更长的写成文本，读到更长的存疑。"""


# Full-width forms too: some locales of Excel fold them before they look for a formula.
DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Kind(StrEnum):
    """列的类型：文本、金额（分）、整数、日期、时刻、比率（百万分）。"""

    TEXT = "text"
    MONEY = "money"
    INTEGER = "integer"
    DATE = "date"
    DATETIME = "datetime"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Column:
    """列：``key`` 取值的键，``title`` 表头文字，``kind`` 类型，``width`` 列宽（半角字符数，空为自动）。"""

    key: str
    title: str
    kind: Kind = Kind.TEXT
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """一行。``number`` 是原文件里的行号（从 1 起）；``cells`` 表头 → 文字（去首尾空白，空格子为空串）。

    ``doubts`` 表头 → 存疑说明：例如被 Excel 当成数字、末几位已丢失的证件号。
    """

    number: int
    cells: dict[str, str]
    doubts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """读到的表。``sheet`` 工作表名（csv 为空串）；``sheets`` 全部工作表；``totals`` 是合计行，可用来核对控制总数。"""

    sheet: str
    sheets: tuple[str, ...]
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    totals: tuple[Row, ...] = ()
