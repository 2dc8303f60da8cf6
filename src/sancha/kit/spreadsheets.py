"""表格：台账导出（xlsx、csv）与导入读取（xlsx、xls、ods、csv）。

导出时证件号、账号等一律是文本格式，金额由整数分精确写成数字；导入时每一格都还原成文字，并记住它在原文件的第几行，
好让报告指得出「第 17 行，证件号」。金额文字由 ``kernel.money.parse_yuan`` 读，这里不作解释。
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

import python_calamine as calamine
import xlsxwriter  # type: ignore[import-untyped]
from django.utils import timezone
from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]

from sancha.kernel.money import format_yuan
from sancha.kit.errors import DomainError

MAX_SHEET_ROWS: Final = 1_048_576
MAX_CELL_CHARACTERS: Final = 32_767
MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024
"""解压后的上限：一份几百 KB 的压缩炸弹不能拖垮服务器。"""
_EXACT_DIGITS: Final = 15
"""Excel 的数字只有 15 位有效数字；更长的写成文本，读到更长的存疑。"""
_TOTAL_WORDS: Final = frozenset({"合计", "总计", "小计", "本页合计", "total"})
# Full-width forms too: some locales of Excel fold them before they look for a formula.
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Kind(StrEnum):
    """列的类型：文本、金额（分）、整数、日期、时刻、比率（百万分）。"""

    TEXT = "text"
    MONEY = "money"
    INTEGER = "integer"
    DATE = "date"
    DATETIME = "datetime"
    RATE = "rate"


_FORMATS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "@",
    Kind.MONEY: "#,##0.00;[Red]-#,##0.00",
    Kind.INTEGER: "0",
    Kind.DATE: "yyyy-mm-dd",
    Kind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    Kind.RATE: "0.00##%",
}


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


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    elif column.kind is Kind.TEXT or len(str(abs(value))) > _EXACT_DIGITS:
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
        return f"'{text}" if text.lstrip("'").startswith(_DANGEROUS) else text
    return text.replace(",", "")


# ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_table(
    source: BinaryIO | Path | bytes,
    *,
    sheet: str | None = None,
    required: Sequence[str] = (),
    max_rows: int = MAX_SHEET_ROWS,
) -> Table:
    """读表格：看内容而不看扩展名，认得 xlsx、xls、ods 与 csv（UTF-8、UTF-16、GB18030）。

    表头是含有全部 ``required`` 列的第一行；没有给出时，是头 30 行里至少两格有字的第一行。表头之上的标题、说明略过。
    首格为「合计」的行归入 ``totals``。

    :raises DomainError: ``SHEET_UNREADABLE`` ``SHEET_PASSWORD`` ``SHEET_NOT_FOUND`` ``SHEET_EMPTY`` ``SHEET_HEADER``
        ``SHEET_HEADER_DUPLICATE`` ``SHEET_TOO_LONG`` ``CSV_ENCODING``，各带说明与补救办法。
    """
    content = _content(source)
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        name, names, lines = _workbook_lines(content, sheet)
    elif re.match(rb"(\xef\xbb\xbf)?\s*<", content):
        raise DomainError(
            "SHEET_UNREADABLE",
            "这个文件其实是网页（有些系统导出的 .xls 如此），不是表格。",
            field="file",
            fix="请用 Excel 打开后另存为 .xlsx 再导入。",
        )
    else:
        name, names, lines = "", (), _csv_lines(content)
    return _as_table(name, names, lines, required, max_rows)


def _content(source: BinaryIO | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    return source.read_bytes() if isinstance(source, Path) else source.read()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: list[str]
    doubts: dict[int, str]


def _workbook_lines(content: bytes, sheet: str | None) -> tuple[str, tuple[str, ...], Iterator[_Line]]:
    _refuse_bomb(content)
    try:
        workbook = calamine.load_workbook(io.BytesIO(content))
        names = tuple(
            meta.name
            for meta in workbook.sheets_metadata
            if meta.typ == calamine.SheetTypeEnum.WorkSheet and meta.visible == calamine.SheetVisibleEnum.Visible
        )
        if not names:
            raise DomainError("SHEET_EMPTY", "文件里没有可见的工作表。", field="file", fix="请核对文件是否选错。")
        chosen = names[0] if sheet is None else sheet
        if chosen not in names:
            raise DomainError(
                "SHEET_NOT_FOUND",
                f"没有名为「{chosen}」的工作表，只有：{'、'.join(names)}。",
                field="sheet",
                value=chosen,
                fix="请从现有工作表中选一个。",
            )
        grid = workbook.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
    except calamine.PasswordError as error:
        raise DomainError(
            "SHEET_PASSWORD", "表格设有打开密码，读不出来。", field="file", fix="请在 Excel 中去掉密码后再导入。"
        ) from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise DomainError(
            "SHEET_UNREADABLE",
            f"表格读不出来，文件可能已损坏（{error}）。",
            field="file",
            fix="请用 Excel 打开后另存为 .xlsx 再导入。",
        ) from error
    return chosen, names, (_line(number, row) for number, row in enumerate(grid, start=1))


def _refuse_bomb(content: bytes) -> None:
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DomainError(
            "SHEET_UNREADABLE", "表格读不出来，文件不完整。", field="file", fix="请重新上传或另存为 .xlsx。"
        ) from error
    if unpacked > MAX_UNPACKED_BYTES:
        raise DomainError(
            "SHEET_TOO_LONG",
            f"表格解压后有 {unpacked // 1024**2} MB，超过上限 {MAX_UNPACKED_BYTES // 1024**2} MB。",
            field="file",
            fix="请拆成几个文件分别导入。",
        )


def _line(number: int, values: Sequence[Any]) -> _Line:
    cells, doubts = [], {}
    for index, value in enumerate(values):
        cells.append(_cell_text(value))
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= 10**_EXACT_DIGITS:
            doubts[index] = "这一格在 Excel 中是数字而不是文本，第 15 位以后的数字已经丢失，请改成文本格式后重新填写。"
        elif isinstance(value, str) and re.fullmatch(r"#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!)", value.strip()):
            doubts[index] = f"这一格是公式错误 {value.strip()}。"
    return _Line(number, cells, doubts)


def _cell_text(value: Any) -> str:
    """一格 → 文字。数字取 15 位有效数字，正是 Excel 自己显示的精度：公式算出的 0.30000000000000004 读作 0.3。"""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return format(Decimal(format(value, ".15g")), "f")
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return ""


def _csv_lines(content: bytes) -> Iterator[_Line]:
    text = _decode(content)
    first = text.split("\n", 1)[0]
    delimiter = max(",\t;，", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for values in reader:
            yield _Line(start, [_unguarded(value.strip()) for value in values], {})
            start = reader.line_num + 1
    except csv.Error as error:
        raise DomainError(
            "SHEET_UNREADABLE",
            f"csv 第 {reader.line_num} 行读不出来（{error}）。",
            field="file",
            value=reader.line_num,
            fix="请检查该行的引号是否成对。",
        ) from error


def _decode(content: bytes) -> str:
    encodings = ["utf-16"] if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DomainError(
        "CSV_ENCODING",
        "文件既不是表格，也不是 UTF-8 或 GB18030 编码的 csv。",
        field="file",
        fix="请用 Excel 另存为 .xlsx 或「CSV UTF-8」。",
    )


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_DANGEROUS) else text


def _as_table(
    name: str, names: tuple[str, ...], lines: Iterator[_Line], required: Sequence[str], max_rows: int
) -> Table:
    header, seen = None, []
    for line in lines:
        titles = [_title(cell) for cell in line.cells]
        if set(required) <= set(titles) if required else sum(1 for title in titles if title) >= 2:
            header = line
            break
        seen.append(titles)
        if len(seen) >= 30:
            break
    if header is None:
        raise _no_header(seen, required)
    columns = _columns(header)
    rows, totals = [], []
    for line in lines:
        row = _row(columns, line)
        if row is None:
            continue
        if next(text for text in line.cells if text).replace(" ", "").casefold() in _TOTAL_WORDS:
            totals.append(row)
            continue
        rows.append(row)
        if len(rows) > max_rows:
            raise DomainError(
                "SHEET_TOO_LONG", f"数据超过 {max_rows:,} 行的上限。", field="file", fix="请拆成几个文件分别导入。"
            )
    return Table(name, names, header.number, tuple(columns), tuple(rows), tuple(totals))


def _title(cell: str) -> str:
    return re.sub(r"\s+", "", cell)


def _no_header(seen: Sequence[Sequence[str]], required: Sequence[str]) -> DomainError:
    if not any(any(titles) for titles in seen):
        return DomainError("SHEET_EMPTY", "表里没有内容。", field="file", fix="请核对文件与工作表是否选错。")
    best = max(seen, key=lambda titles: len(set(required) & set(titles)))
    missing = [title for title in required if title not in best]
    what = f"缺少列：{'、'.join(missing)}" if missing else "没有一行有两列以上的文字"
    return DomainError(
        "SHEET_HEADER", f"找不到表头：{what}。", field="file", value="、".join(missing), fix="请对照模板核对表头文字。"
    )


def _columns(header: _Line) -> list[str]:
    """表头 → 列名。没有标题的列以列标命名，重名的拒绝（否则一列会盖住另一列）。"""
    columns: list[str] = []
    used = max(index for index, cell in enumerate(header.cells) if cell) + 1
    for index, cell in enumerate(header.cells[:used]):
        title = _title(cell) or f"（{_letters(index)}列）"
        if title in columns:
            both = f"{_letters(columns.index(title))}、{_letters(index)} 列"
            raise DomainError(
                "SHEET_HEADER_DUPLICATE",
                f"第 {header.number} 行有两列都叫「{title}」（{both}）。",
                field="file",
                value=title,
                fix="请改掉其中一个列名。",
            )
        columns.append(title)
    return columns


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, place = divmod(index - 1, 26)
        letters = chr(65 + place) + letters
    return letters


def _row(columns: list[str], line: _Line) -> Row | None:
    """对上表头；空行为 ``None``。超出表头的格子有内容时按列标补列，不丢。"""
    if not any(line.cells):
        return None
    cells = dict.fromkeys(columns, "")
    doubts = {}
    for index, text in enumerate(line.cells):
        title = columns[index] if index < len(columns) else f"（{_letters(index)}列）"
        if text or index < len(columns):
            cells[title] = text
        if index in line.doubts:
            doubts[title] = line.doubts[index]
        if text and index >= len(columns):
            doubts[title] = "这一格在表头之外，没有列名。"
    return Row(line.number, cells, doubts)
