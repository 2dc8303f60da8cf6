"""表格：台账导出（xlsx、csv）与导入读取（xlsx、xls、ods、csv）。

导出时证件号、账号等一律是文本格式，金额由整数分精确写成数字；导入时每一格都还原成文字，并记住它在原文件的第几行，
好让报告指得出「第 17 行，证件号」。金额文字由 ``kernel.money.parse_yuan`` 读，这里不作解释。
"""

from sancha.kit.spreadsheets.reading import MAX_UNPACKED_BYTES, read_table
from sancha.kit.spreadsheets.tables import (
    MAX_CELL_CHARACTERS,
    MAX_SHEET_ROWS,
    Column,
    Kind,
    Row,
    Table,
)
from sancha.kit.spreadsheets.writing import display_width, write_csv, write_table

__all__ = [
    "MAX_CELL_CHARACTERS",
    "MAX_SHEET_ROWS",
    "MAX_UNPACKED_BYTES",
    "Column",
    "Kind",
    "Row",
    "Table",
    "display_width",
    "read_table",
    "write_csv",
    "write_table",
]
