"""读入：xlsx、xls、ods、csv。每一格还原成文字，记住它在原文件的第几行；压缩炸弹、重复表头、没有表头都说清。"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import python_calamine as calamine

from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets.tables import DANGEROUS, EXACT_DIGITS, MAX_SHEET_ROWS, Row, Table

MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024


"""解压后的上限：一份几百 KB 的压缩炸弹不能拖垮服务器。"""


_TOTAL_WORDS: Final = frozenset({"合计", "总计", "小计", "本页合计", "total"})


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
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= 10**EXACT_DIGITS:
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
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(DANGEROUS) else text


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
