"""写出：xlsx 与 csv。证件号、账号一律是文本，金额由整数分精确写成数字，公式注入挡在外面。"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import xlsxwriter
from django.utils import timezone
from xlsxwriter.exceptions import XlsxWriterException

from sancha.kernel.money import format_yuan
from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets.tables import DANGEROUS, EXACT_DIGITS, MAX_CELL_CHARACTERS, MAX_SHEET_ROWS, Column, Kind

_FORMATS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "@",
    Kind.MONEY: "#,##0.00;[Red]-#,##0.00",
    Kind.INTEGER: "0",
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.RATE: "0.00##%",
}


def write_table(
    target: BinaryIO | Path,
    *,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    totals: Mapping[str, Any] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    sheet: str = "台账",
) -> int:
    """写 xlsx：逐行落盘、内存恒定；冻结表头、自动筛选、按中文宽度定列宽。返回数据行数。

    ``title`` 与 ``notes``（如「机构：… 日期：…」）写在表头之上，各占一行，与数据行区分得开，读回时会跳过。
    文本一律按文本写入，以 ``=`` 开头也不会变成公式。

    :raises DomainError: ``SHEET_TOO_LONG`` 超过 Excel 的行数；``CELL_TOO_LONG`` 单格过长。
    """
    options = {"constant_memory": True, "in_memory": False, "default_date_format": "yyyy-mm-dd"}
    workbook = xlsxwriter.Workbook(target if not isinstance(target, Path) else str(target), options)
    try:
        written = _fill_sheet(workbook, columns, rows, totals, [title, *notes] if title else list(notes), sheet)
    finally:
        # Closing also when a row failed removes xlsxwriter's temporary files; the caller gets the row's error.
        workbook.close()
    return written


def _fill_sheet(
    workbook: Any,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    totals: Mapping[str, Any] | None,
    banner: Sequence[str],
    sheet: str,
) -> int:
    try:
        worksheet = workbook.add_worksheet(sheet)
    except XlsxWriterException as error:
        raise DomainError(
            "SHEET_NAME",
            f"工作表名「{sheet}」不能使用：{error}",
            field="sheet",
            value=sheet,
            fix="不超过 31 个字，不含 []:*?/\\。",
        ) from error
    base = {"font_name": "宋体", "font_size": 11, "valign": "vcenter"}
    cell = {kind: workbook.add_format({**base, "num_format": shape}) for kind, shape in _FORMATS.items()}
    bold = {
        kind: workbook.add_format({**base, "num_format": shape, "bold": True, "top": 1})
        for kind, shape in _FORMATS.items()
    }
    header = workbook.add_format({**base, "bold": True, "border": 1, "bg_color": "#E8EEF7", "align": "center"})
    for line, text in enumerate(banner):
        shape = {**base, "bold": line == 0, "font_size": 14 if line == 0 else 11}
        worksheet.write_string(line, 0, text, workbook.add_format(shape))
    top = len(banner)
    for index, column in enumerate(columns):
        worksheet.write_string(top, index, column.title, header)
    widths = [display_width(column.title) + 3 for column in columns]
    count = 0
    for count, row in enumerate(rows, start=1):  # the last value is the number of rows
        if top + count + 2 > MAX_SHEET_ROWS:
            raise DomainError(
                "SHEET_TOO_LONG", f"数据超过 Excel 的 {MAX_SHEET_ROWS:,} 行上限。", fix="请缩小筛选范围，或导出为 csv。"
            )
        for index, column in enumerate(columns):
            shown = _write_cell(worksheet, top + count, index, column, row.get(column.key), cell[column.kind])
            widths[index] = max(widths[index], shown)
    if columns and count:
        worksheet.autofilter(top, 0, top + count, len(columns) - 1)
    if totals is not None:
        for index, column in enumerate(columns):
            value = totals.get(column.key)
            if index == 0 and value is None:
                worksheet.write_string(top + count + 1, 0, "合计", bold[Kind.TEXT])
            else:
                shown = _write_cell(worksheet, top + count + 1, index, column, value, bold[column.kind])
                widths[index] = max(widths[index], shown)
    worksheet.freeze_panes(top + 1, 0)
    worksheet.repeat_rows(top)
    worksheet.set_landscape()
    worksheet.set_paper(9)  # A4
    worksheet.fit_to_pages(1, 0)
    worksheet.set_footer("&C第 &P 页 共 &N 页")
    for index, column in enumerate(columns):
        worksheet.set_column(index, index, column.width or min(widths[index] + 1, 50))
    return count


def _write_cell(worksheet: Any, line: int, index: int, column: Column, value: Any, shape: Any) -> int:
    """写一格，返回显示宽度。类型不符是程序错误，立即报出，不悄悄写成别的。"""
    text = _as_text(column, value)
    if value is None or text == "":
        worksheet.write_blank(line, index, None, shape)
    elif column.kind in {Kind.DATE, Kind.DATETIME}:
        worksheet.write_datetime(line, index, _wall(value), shape)
    elif column.kind is Kind.TEXT or len(str(abs(value))) > EXACT_DIGITS:
        if len(text) > MAX_CELL_CHARACTERS:
            raise DomainError(
                "CELL_TOO_LONG",
                f"「{column.title}」有一格超过 {MAX_CELL_CHARACTERS} 字，Excel 放不下。",
                field=column.key,
                fix="请导出为 csv。",
            )
        worksheet.write_string(line, index, text, shape)
    else:
        # Decimal, never a quotient of floats: 15 digits written are the 15 digits meant.
        places = {Kind.MONEY: -2, Kind.RATE: -6}.get(column.kind, 0)
        worksheet.write_number(line, index, Decimal(value).scaleb(places), shape)
    return display_width(text)


def _as_text(column: Column, value: Any) -> str:
    """一格的文字：csv 就写它，xlsx 用它定宽。"""
    if value is None:
        return ""
    if column.kind is Kind.TEXT:
        return str(value)
    if column.kind in {Kind.DATE, Kind.DATETIME}:
        if not isinstance(value, date):
            raise TypeError(f"{column.key}: 日期列得到 {value!r}")
        return str(_wall(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{column.key}: {column.kind} 列只收整数，得到 {value!r}")
    if column.kind is Kind.MONEY:
        return format_yuan(value)
    if column.kind is Kind.RATE:
        whole, part = divmod(abs(value), 10_000)
        return f"{'-' if value < 0 else ''}{whole}.{f'{part:04d}'.rstrip('0').ljust(2, '0')}%"
    return str(value)


def _wall(value: date) -> date:
    """时刻 → 本地墙上时间（Excel 没有时区），日期原样。"""
    if not isinstance(value, datetime):
        return value
    return (timezone.localtime(value) if timezone.is_aware(value) else value).replace(tzinfo=None, microsecond=0)


def display_width(text: str) -> int:
    """显示宽度：全角字算 2，半角算 1；多行取最宽一行。"""
    return max(
        (sum(2 if unicodedata.east_asian_width(mark) in "WFA" else 1 for mark in line) for line in text.split("\n")),
        default=0,
    )


def write_csv(target: BinaryIO, *, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> int:
    """写 csv：带 BOM 的 UTF-8（Excel 双击不乱码），金额不带千分位。返回行数。

    防公式注入：文本以 ``= + - @`` 或制表符开头的，前面加一个单引号；:func:`read_table` 读回时去掉。
    """
    stream = io.TextIOWrapper(target, encoding="utf-8-sig", newline="")
    try:
        writer = csv.writer(stream)
        writer.writerow([column.title for column in columns])
        count = 0
        for row in rows:
            writer.writerow([_csv_text(column, row.get(column.key)) for column in columns])
            count += 1
        stream.flush()
    finally:
        stream.detach()
    return count


def _csv_text(column: Column, value: Any) -> str:
    text = _as_text(column, value)
    if column.kind is Kind.TEXT:
        # A text that already begins with a quote before a dangerous mark gets one more, so that reading restores it.
        return f"'{text}" if text.lstrip("'").startswith(DANGEROUS) else text
    return text.replace(",", "")
