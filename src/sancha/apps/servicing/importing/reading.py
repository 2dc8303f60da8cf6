"""读文件：xlsx、csv 或其 gzip → 行。认列、缺列、多出的列都在这里说清；同一份文件的摘要也在这里算。"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from sancha.apps.servicing.importing.cells import read_entry
from sancha.apps.servicing.importing.layout import ROLE_NAMES, FileRule, Layout, plain_title
from sancha.apps.servicing.importing.problems import DOUBT, Entry, Problem
from sancha.kernel.dates import add_months
from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets import MAX_UNPACKED_BYTES, Table, read_table


@dataclass(frozen=True, slots=True)
class SourceFile:
    """送来的一个文件：角色（空则按文件名与表头认）、文件名、内容、工作表。"""

    name: str
    content: bytes
    role: str = ""
    sheet: str | None = None

    @property
    def sha256(self) -> str:
        """内容摘要。"""
        return hashlib.sha256(self.content).hexdigest()

    def model_dump(self, mode: str = "json") -> dict[str, Any]:
        """进幂等摘要的样子：内容以摘要代替。"""
        return {"name": self.name, "role": self.role, "sheet": self.sheet, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class ReadFile:
    """读好的文件：角色、行、表头的毛病。"""

    source: SourceFile
    role: str
    sha256: str
    header_row: int
    entries: list[Entry]
    header_problems: list[Problem]


def digest_of(files: Sequence[SourceFile]) -> str:
    """一组文件的摘要（与次序、文件名无关）。"""
    return hashlib.sha256("\n".join(sorted(source.sha256 for source in files)).encode()).hexdigest()


def read_file(source: SourceFile, layout: Layout, file_no: int) -> ReadFile:
    """读一个文件。

    :raises DomainError: 读不出、缺列、认不出是哪种文件。
    """
    table = read_table(_unpacked(source), sheet=source.sheet)
    rule = _rule_for(source, table, layout)
    placed, unknown = _match(table, rule)
    missing = [column.titles[0] for column in rule.columns if column.required and column.field not in placed.values()]
    if missing:
        raise DomainError(
            "COLUMN_MISSING",
            f"「{source.name}」（{ROLE_NAMES[rule.role]}）缺少列：{'、'.join(missing)}。",
            field="file",
            value="、".join(missing),
            fix="请对照模板补上这些列，或在版式里把它们对上别的表头。",
        )
    entries = []
    for row in table.rows:
        cells = {placed[title]: text for title, text in row.cells.items() if title in placed and text}
        entry = Entry(rule.role, file_no, row.number, cells)
        for title, reason in row.doubts.items():
            if title in placed:
                entry.add(DOUBT, "CELL_DOUBT", title, row.cells.get(title, ""), reason, "请在原表更正后重新转入。")
        entries.append(read_entry(entry, rule, layout))
    header_problems = [] if rule.ignore_unknown else [_unknown_column(title) for title in unknown]
    return ReadFile(source, rule.role, source.sha256, table.header_row, entries, header_problems)


def _unknown_column(title: str) -> Problem:
    return Problem(
        DOUBT,
        "COLUMN_UNKNOWN",
        title,
        "",
        f"表头「{title}」没有对上任何栏目，这一列不会转入。",
        "确实用不上就认可；否则在版式里把它对上一个栏目。",
    )


def _unpacked(source: SourceFile) -> bytes:
    if not source.content.startswith(b"\x1f\x8b"):
        return source.content
    try:
        with gzip.GzipFile(fileobj=BytesIO(source.content)) as stream:
            content = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DomainError(
            "GZIP_UNREADABLE",
            f"「{source.name}」解压不了，文件可能不完整。",
            field="file",
            value=source.name,
            fix="请重新上传，或先解压再上传。",
        ) from error
    if len(content) > MAX_UNPACKED_BYTES:
        raise DomainError(
            "SHEET_TOO_LONG",
            f"「{source.name}」解压后超过 {MAX_UNPACKED_BYTES // 1024**2} MB。",
            field="file",
            value=source.name,
            fix="请拆成几个文件。",
        )
    return content


def _rule_for(source: SourceFile, table: Table, layout: Layout) -> FileRule:
    """认角色：写明的为准；其次文件名；再其次必填列全都有、对上的列最多的。"""
    if source.role:
        return layout.file_for(source.role)
    named = [rule for rule in layout.files if rule.name_hint and rule.name_hint in source.name]
    if len(named) == 1:
        return named[0]
    scored = []
    for rule in named or layout.files:
        fields = set(_match(table, rule)[0].values())
        if all(column.field in fields for column in rule.columns if column.required):
            scored.append((len(fields), rule))
    if not scored:
        needed = "；".join(
            f"{ROLE_NAMES[rule.role]}须有 {'、'.join(column.titles[0] for column in rule.columns if column.required)}"
            for rule in layout.files
        )
        raise DomainError(
            "FILE_NOT_RECOGNIZED",
            f"认不出「{source.name}」是「{layout.name}」的哪种文件。",
            field="file",
            value=source.name,
            fix=f"{needed}。也可以写明角色，或换一个版式。",
        )
    return max(scored, key=lambda item: item[0])[1]


def _match(table: Table, rule: FileRule) -> tuple[dict[str, str], list[str]]:
    """表头 → 字段；以及没有对上也不在略过之列的表头。"""
    wanted = {plain_title(title): column.field for column in rule.columns for title in column.titles}
    ignored = {plain_title(title) for title in rule.ignored}
    placed: dict[str, str] = {}
    unknown = []
    for title in table.columns:
        plain = plain_title(title)
        field_name = wanted.get(plain)
        if field_name is not None and field_name not in placed.values():
            placed[title] = field_name
        elif plain not in ignored:
            unknown.append(title)
    return placed, unknown


def shifted(day: date, months: int) -> date:
    """日期整体平移若干个月（演示旧数据时用，批次上有记录）。"""
    return date.fromordinal(add_months(day.toordinal(), months, day.day)) if months else day


def shift_entry(entry: Entry, months: int) -> None:
    """把一行里的日期都平移。出生日期不动。"""
    if not months:
        return
    for name, value in entry.values.items():
        if isinstance(value, date) and name != "birth":
            entry.values[name] = shifted(value, months)
