"""出纳收进来的文件：银行流水、扣款账号表、回盘。逐行读成操作要的样子，错在哪一行说得出。"""

from __future__ import annotations

from datetime import date
from typing import Any, BinaryIO

from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets import Row, read_table

MOST_ROWS = 20_000


def _wrong(row: Row, title: str, why: str) -> DomainError:
    return DomainError(
        "FILE_ROW", f"第 {row.number} 行「{title}」：{why}", field="file", value=row.cells.get(title, ""),
        fix="请改正这一行后重新上传，整个文件没有导入。",
    )  # fmt: skip


def _text(row: Row, title: str) -> str:
    text = row.cells.get(title, "")
    if title in row.doubts:
        raise _wrong(row, title, row.doubts[title])
    return text


def _fen(row: Row, title: str) -> int:
    text = _text(row, title)
    if not text.strip():
        return 0
    try:
        return parse_yuan(text, allow_negative=True)
    except MoneyError as wrong:
        raise _wrong(row, title, str(wrong)) from wrong


def _day(row: Row, title: str) -> date:
    text = _text(row, title).strip().replace("/", "-")
    if len(text) == 8 and text.isdigit():
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    try:
        return date.fromisoformat(text[:10])
    except ValueError as wrong:
        raise _wrong(row, title, "日期应为 年-月-日，如 2026-03-02。") from wrong


def read_statement(file: BinaryIO) -> list[dict[str, Any]]:
    """银行流水。

    :raises DomainError: 缺列、日期或金额读不懂。
    """
    rows = []
    for row in read_table(file, required=("流水号", "日期"), max_rows=MOST_ROWS).rows:
        amount = _fen(row, "金额") if row.cells.get("金额") else _fen(row, "收入") - _fen(row, "支出")
        rows.append(
            {
                "serial": _text(row, "流水号"), "value_on": _day(row, "日期"), "amount_fen": amount,
                "balance_fen": _fen(row, "余额") if row.cells.get("余额") else None, "counterparty": _text(row, "对方户名"),
                "counterparty_account": _text(row, "对方账号"), "memo": _text(row, "摘要"),
            }
        )  # fmt: skip
    return rows


def read_debit_accounts(file: BinaryIO) -> dict[str, tuple[str, str]]:
    """扣款账号表：借据号 → （户名，账号）。

    :raises DomainError: 缺列，或账号在 Excel 里变成了数字。
    """
    table = read_table(file, required=("借据号", "扣款账号"), max_rows=MOST_ROWS)
    return {_text(row, "借据号"): (_text(row, "户名"), _text(row, "扣款账号")) for row in table.rows}


def read_results(file: BinaryIO) -> list[dict[str, Any]]:
    """回盘。

    :raises DomainError: 缺列、金额读不懂。
    """
    return [
        {
            "reference": _text(row, "序号"), "paid_fen": _fen(row, "实扣金额"), "serial": _text(row, "流水号") or None,
            "failure": _text(row, "失败原因") or None,
        }
        for row in read_table(file, required=("序号", "实扣金额"), max_rows=MOST_ROWS).rows
    ]  # fmt: skip
