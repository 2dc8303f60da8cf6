"""金额：整数分的读入、显示、大写与取整。

全系统的金额是整数 ``fen``（分），元只出现在边缘。取整规则必须写明名字（:class:`Rounding`），没有默认值。
来源：《支付结算办法》附一《正确填写票据和结算凭证的基本规定》；算法页 ``docs/algorithms/rmb-uppercase.md``。
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Final

MAX_YUAN: Final = 10**13
"""金额上限（元）。再大的数一定是多打了字；也保证 64 位整数分有余地。"""

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")
# Grouped digits must be grouped by three: "1234,56" is a decimal comma or a slip, never 123456 yuan.
_AMOUNT: Final = re.compile(
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]*)(?:\.(?P<part>[0-9]+))?"
)


class Rounding(StrEnum):
    """取整规则。正负对称：负数按绝对值取整再还原符号，冲正因此恰好抵消。

    HALF_UP 四舍五入；HALF_EVEN 四舍六入五成双；UP 进位（远离零）；DOWN 舍去（趋向零）。
    """

    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"
    UP = "UP"
    DOWN = "DOWN"


class MoneyError(ValueError):
    """金额写法不能接受。``reason`` 是稳定的英文代码，``text`` 是原文，``message`` 是一句中文说明。"""

    def __init__(self, reason: str, text: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.text, self.message = reason, text, message


def parse_yuan(text: str, *, allow_negative: bool = False) -> int:
    """读金额：把「1,234.56」「￥1 234.5」「１２３元」读成整数分。

    全角字符先折成半角；千分位必须三位一组。负数可写作 ``-1``、``−1`` 或会计式 ``(1.00)``。

    :raises MoneyError: ``empty`` 空；``exponent`` 科学计数法；``decimals`` 超过两位小数；``grouping`` 千分位不对；
        ``not_a_number`` 不是数字；``negative`` 不许负数；``too_large`` 超过 10^13 元。
    """
    folded = unicodedata.normalize("NFKC", text).strip()
    folded = folded.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    body, negative = _strip_sign(folded)
    body = body.removesuffix("元").strip()
    if not body:
        raise MoneyError("empty", text, "没有填写金额。")
    match = _AMOUNT.fullmatch(body)
    if match is None or not (match["whole"] or match["part"]):
        raise _unreadable(body, text)
    part = match["part"] or ""
    if len(part) > 2:
        raise MoneyError("decimals", text, f"金额「{text}」超过两位小数，最小单位是分。")
    if negative and not allow_negative:
        raise MoneyError("negative", text, f"金额「{text}」不能为负数。")
    whole = (match["whole"] or "0").replace(",", "").replace(" ", "").lstrip("0") or "0"
    # Length is judged before int(): Python refuses to convert thousands of digits and says so in English.
    if len(whole) > len(str(MAX_YUAN)):
        raise _too_large(text)
    fen = int(whole) * 100 + int(part.ljust(2, "0"))
    if fen > MAX_YUAN * 100:
        raise _too_large(text)
    return -fen if negative else fen


def _strip_sign(text: str) -> tuple[str, bool]:
    """拆出负号、括号与货币符号；符号可在 ￥ 之前或之后。"""
    if text.startswith("(") and text.endswith(")"):
        inner, negative = _strip_sign(text[1:-1].strip())
        # Two signs in one amount are a slip; leaving the bracket makes it unreadable below.
        return (text, False) if negative else (inner, True)
    negative = False
    if text.startswith("-"):
        text, negative = text[1:].lstrip(), True
    for symbol in ("人民币", "RMB", "CNY", "¥"):
        if text.startswith(symbol):
            text = text.removeprefix(symbol).lstrip()
    if text.startswith("-") and not negative:
        text, negative = text[1:].lstrip(), True
    return text, negative


def _unreadable(body: str, text: str) -> MoneyError:
    if re.fullmatch(r"[0-9.,+ -]*[0-9][eE][+-]?[0-9]+", body):
        return MoneyError("exponent", text, f"金额「{text}」是科学计数法，请写成普通数字。")
    if re.fullmatch(r"[0-9][0-9, ]*(?:\.[0-9]*)?", body):
        return MoneyError("grouping", text, f"金额「{text}」的千分位不是三位一组，无法确定是多少。")
    return MoneyError("not_a_number", text, f"金额「{text}」不是数字。")


def _too_large(text: str) -> MoneyError:
    return MoneyError("too_large", text if len(text) <= 40 else text[:40] + "…", f"金额超过上限 {MAX_YUAN:,} 元。")


def format_yuan(fen: int) -> str:
    """显示金额：整数分 → 带千分位、两位小数的元，如 ``-1,234.56``。"""
    yuan, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{yuan:,}.{cents:02d}"


def rmb_uppercase(fen: int, *, prefix: str = "") -> str:
    """大写金额：整数分 → 「壹仟肆佰零玖元伍角」。

    到元为止写「整」，到角不写，有分不写。中间连续的零只写一个；万位、亿位为零而后位不为零时不写零；
    元位为零而角位不为零写零。负数以「负」开头（票据不许为负，只用于内部凭证）。``prefix`` 常用「人民币」。
    来源：《支付结算办法》附一第二、三条。
    """
    if abs(fen) > MAX_YUAN * 100:
        raise MoneyError("too_large", str(fen), f"金额超过上限 {MAX_YUAN:,} 元。")
    yuan, cents = divmod(abs(fen), 100)
    jiao, cent = divmod(cents, 10)
    words = f"{_whole(yuan)}元" if yuan or not cents else ""
    if not cents:
        words += "整"
    elif yuan and (not jiao or yuan % 10 == 0):
        words += "零"
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    if cent:
        words += f"{_DIGITS[cent]}分"
    return f"{prefix}{'负' if fen < 0 else ''}{words}"


def _whole(number: int) -> str:
    """整数部分的大写：按亿、万分节，节首缺位补一个零。"""
    if number == 0:
        return "零"
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return f"{_whole(high)}{name}{gap}{_whole(low) if low else ''}"
    words, zero = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            words += ("零" if zero and words else "") + _DIGITS[digit] + _PLACES[place]
        zero = digit == 0
    return words


def date_uppercase(day: date) -> str:
    """票据日期大写：2026-01-15 →「贰零贰陆年零壹月壹拾伍日」。

    壹、贰、壹拾月前加零；日为壹至玖及壹拾、贰拾、叁拾的前加零；拾壹至拾玖前加壹。防止票据日期被添改。
    来源：《支付结算办法》附一第七条。
    """
    year = "".join(_DIGITS[int(figure)] for figure in f"{day.year:04d}")
    month = ("零" if day.month in {1, 2, 10} else "") + _tens(day.month)
    of_month = ("零" if day.day < 10 or day.day % 10 == 0 else "") + _tens(day.day)
    return f"{year}年{month}月{of_month}日"


def _tens(number: int) -> str:
    tens, ones = divmod(number, 10)
    return (f"{_DIGITS[tens]}拾" if tens else "") + (_DIGITS[ones] if ones else "")


def round_div(numerator: int, denominator: int, rule: Rounding) -> int:
    """取整相除：精确的 ``numerator / denominator`` 按 ``rule`` 取整为整数，正负对称。

    :raises ZeroDivisionError: 分母为零。
    """
    if denominator == 0:
        raise ZeroDivisionError("取整相除的分母为零")
    negative = (numerator < 0) != (denominator < 0)
    quotient, remainder = divmod(abs(numerator), abs(denominator))
    twice = 2 * remainder - abs(denominator)
    if rule is Rounding.HALF_UP:
        up = twice >= 0
    elif rule is Rounding.HALF_EVEN:
        up = twice > 0 or (twice == 0 and quotient % 2 == 1)
    elif rule is Rounding.UP:
        up = remainder > 0
    else:
        up = False
    quotient += up
    return -quotient if negative else quotient


def round_to_multiple(fen: int, multiple_fen: int, rule: Rounding) -> int:
    """取到倍数：把金额取整到 ``multiple_fen`` 的整数倍，如期供取到元（100）或十元（1000）。

    :raises ValueError: 倍数不是正数。
    """
    if multiple_fen <= 0:
        raise ValueError(f"取整倍数必须是正数，得到 {multiple_fen}")
    return round_div(fen, multiple_fen, rule) * multiple_fen
