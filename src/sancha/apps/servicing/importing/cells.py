"""读一格：文字 → 值。读不懂的说清是什么、该怎么写；金额、利率、日期都不经过浮点。"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sancha.apps.servicing.importing.layout import CODES, ColumnRule, FileRule, Layout
from sancha.apps.servicing.importing.problems import DOUBT, ERROR, Entry
from sancha.kernel.money import MoneyError, parse_yuan

FIRST_YEAR, LAST_YEAR = 1949, 2099
_EMPTY = {"", "-", "—", "/", "\\N", "NULL", "null", "NaN", "nan", "无"}
_WAN = 1_000_000
_CHINESE_DATE = re.compile(
    r"(\d{4})\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})\s*日?(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?"
)
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")


class CellError(ValueError):
    """一格读不懂：规则代码、说明、补救。"""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


def read_entry(entry: Entry, rule: FileRule, layout: Layout) -> Entry:
    """按列规则读一行，读不懂的记为毛病；空的取缺省值。"""
    by_field = {column.field: column for column in rule.columns}
    for name, text in rule.defaults.items():
        if not entry.cells.get(name, "").strip():
            entry.cells[name] = text
    for name, column in by_field.items():
        text = entry.cells.get(name, "").strip()
        title = column.titles[0]
        if text in _EMPTY:
            if column.required:
                entry.add(
                    ERROR, "REQUIRED_MISSING", title, "", f"「{title}」不能为空。", "补上后重新转入，或删去这一行。"
                )
            continue
        try:
            entry.values[name] = read_cell(text, column, rule)
        except CellError as error:
            severity = ERROR if column.required or name not in _SOFT else DOUBT
            entry.add(severity, error.code, title, text, error.message, error.fix)
    for name, text in rule.defaults.items():
        if name not in by_field and name not in entry.values:
            entry.values[name] = read_cell(text, ColumnRule(field=name, titles=(name,)), rule)
    return entry


# 读不懂也不妨碍入账的栏目：记为存疑，留空。
_SOFT = {
    "phone",
    "industry",
    "officer",
    "purpose",
    "guarantee",
    "guarantor",
    "channel",
    "payer_name",
    "remark",
    "status",
    "loan_class",
}


def read_cell(text: str, column: ColumnRule, rule: FileRule) -> Any:
    """一格 → 值：金额为整数分，利率为年利率 ppm。

    :raises CellError: 读不懂。
    """
    kind = rule.type_of(column)
    if kind == "text":
        return (
            unicodedata.normalize("NFKC", text).strip()
            if column.field in {"ref", "number", "serial", "id_number", "customer_ref"}
            else text
        )
    if kind == "money":
        return read_money(text, column.unit)
    if kind in {"percent", "fraction", "permille_month"}:
        return read_rate(text, kind)
    if kind == "date":
        return read_date(text, column.formats)
    if kind == "integer":
        return read_integer(text)
    return read_code(text, column)


def read_money(text: str, unit: str) -> int:
    """金额 → 分；``unit`` 是文件里的单位（元、万元、分）。

    :raises CellError: 不是金额、为负、超过两位小数。
    """
    if unit == "yuan":
        try:
            # Machine files write 26.250 or 100.0000; trailing zeros say nothing.
            return parse_yuan(re.sub(r"(\.\d{2})0+$", r"\1", text))
        except MoneyError as error:
            code = "AMOUNT_NEGATIVE" if error.reason == "negative" else "MONEY_WRONG"
            fix = (
                "多收少收请用冲正或调整，不要写负数。"
                if code == "AMOUNT_NEGATIVE"
                else "写成 1234.56，最多两位小数，不带其他文字。"
            )
            raise CellError(code, str(error), fix) from error
    number = _decimal(text, "MONEY_WRONG", "写成数字，不带其他文字。") * (_WAN if unit == "wan" else 1)
    if number != number.to_integral_value():
        raise CellError("MONEY_WRONG", f"金额「{text}」不到分。", "最小单位是分。")
    if number < 0:
        raise CellError("AMOUNT_NEGATIVE", f"金额「{text}」不能为负数。", "多收少收请用冲正或调整，不要写负数。")
    return int(number)


def read_rate(text: str, kind: str) -> int:
    """利率 → 年利率 ppm：百分数、小数，或月利率千分数（‰）。

    :raises CellError: 不是利率、为负、细过百万分之一。
    """
    body = unicodedata.normalize("NFKC", text).strip()
    scale = {"percent": 10_000, "fraction": 1_000_000, "permille_month": 12_000}[kind]
    if body.endswith("%"):
        body, scale = body[:-1], 10_000
    elif body.endswith("‰"):
        body, scale = body[:-1], 12_000
    number = _decimal(body.replace(",", ""), "RATE_WRONG", "写成年利率百分数，如 14.4。") * scale
    if number < 0 or number != number.to_integral_value():
        raise CellError("RATE_WRONG", f"利率「{text}」为负，或细过百万分之一。", "写成年利率百分数，最多四位小数。")
    return int(number)


def _decimal(text: str, code: str, fix: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").strip())
    except InvalidOperation as error:
        raise CellError(code, f"「{text}」不是数字。", fix) from error
    if not number.is_finite():
        raise CellError(code, f"「{text}」不是数字。", fix)
    return number


def read_integer(text: str) -> int:
    """整数（期限、天数、期次）；「36.0」「12个月」也认。

    :raises CellError: 不是整数。
    """
    body = re.sub(r"\s*(个月|月|期|天|日)$", "", unicodedata.normalize("NFKC", text).strip())
    match = re.fullmatch(r"(-?\d{1,9})(?:\.0+)?", body)
    if match is None or int(match[1]) < 0:
        raise CellError("INTEGER_WRONG", f"「{text}」不是不小于 0 的整数。", "写成整数，如 12。")
    return int(match[1])


def read_date(text: str, formats: tuple[str, ...]) -> date:
    """日期：先试版式写明的写法，再试 2018-03-05、2018/3/5、2018年3月5日、20180305（可带时刻，时刻不取）。

    :raises CellError: 读不懂，或年份不合理。
    """
    body = unicodedata.normalize("NFKC", text).strip()
    day = _read_day(body, formats)
    if day is None:
        hint = (
            "这像是 Excel 的日期序号，请把这一列设成日期格式。"
            if re.fullmatch(r"\d{5}(\.\d+)?", body)
            else "写成 2018-03-05。"
        )
        raise CellError("DATE_WRONG", f"「{text}」不是有效的日期。", hint)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise CellError("DATE_WRONG", f"日期「{text}」的年份不合理。", f"年份应在 {FIRST_YEAR} 至 {LAST_YEAR} 之间。")
    return day


def _read_day(body: str, formats: tuple[str, ...]) -> date | None:
    for shape in formats:
        try:
            return datetime.strptime(body, shape).date()  # noqa: DTZ007  (a day, not an instant)
        except ValueError:
            continue
    match = _CHINESE_DATE.fullmatch(body) or _COMPACT_DATE.fullmatch(body)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def read_code(text: str, column: ColumnRule) -> str:
    """代码：版式的对照在先，系统的对照在后。

    :raises CellError: 两处都没有。
    """
    body = text.strip()
    known = {**CODES.get(column.field, {}), **column.codes}
    if body in known:
        return known[body]
    if body in known.values():
        return body
    raise CellError(
        "CODE_UNKNOWN",
        f"不认识「{column.titles[0]}」的取值「{body}」。",
        f"可用：{'、'.join(known)}；或在版式里补上对照。",
    )
