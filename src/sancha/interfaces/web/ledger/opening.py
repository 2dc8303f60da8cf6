"""读科目余额表：一行一个末级科目，借方或贷方余额。"""

from __future__ import annotations

from typing import BinaryIO

from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets import read_table

CODE, DEBIT, CREDIT = "科目代号", "借方余额", "贷方余额"


def read_balances(file: BinaryIO) -> dict[str, int]:
    """科目代号 → 余额（分，借正贷负）。

    :raises DomainError: 缺列、金额写错、科目重复、借贷两边都填；指出第几行。
    """
    balances: dict[str, int] = {}
    for row in read_table(file, required=(CODE, DEBIT, CREDIT), max_rows=5000).rows:
        code = row.cells[CODE].strip()
        sides = [_amount(row.number, title, row.cells[title]) for title in (DEBIT, CREDIT)]
        if code in balances or not code or all(sides):
            raise DomainError(
                "OPENING_ROW", f"第 {row.number} 行：科目「{code}」重复、空白，或借贷两边都有数。", field="file", value=code,
                fix="一个末级科目一行，只填借方或贷方一边。",
            )  # fmt: skip
        balances[code] = sides[0] - sides[1]
    return balances


def _amount(number: int, title: str, text: str) -> int:
    if not text.strip():
        return 0
    try:
        return parse_yuan(text, allow_negative=True)
    except MoneyError as wrong:
        raise DomainError(
            "OPENING_ROW",
            f"第 {number} 行「{title}」：{wrong}",
            field="file",
            value=text,
            fix="请改正后重新上传，整张表未登记。",
        ) from wrong
