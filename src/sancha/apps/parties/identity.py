"""证件核对：号码归一、逐位检查、由身份证得出生日与性别。

身份证按 GB 11643-1999（ISO 7064 MOD 11-2），统一社会信用代码按 GB 32100-2015，校验码由 python-stdnum 计算。
错误只说哪几位不对，不说正确的校验码，也不回显号码：号码是个人信息，错误信息会进日志与批量结果。
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from stdnum import numdb
from stdnum.cn import ric, uscc

from sancha.apps.parties.masking import mask_id_number
from sancha.apps.parties.models import Gender, IdKind
from sancha.kit.errors import DomainError
from sancha.rulebook.vocabulary import CustomerKind

RESIDENT_CLAUSE = "《公民身份号码》（GB 11643-1999）"
USCC_CLAUSE = "《法人和其他组织统一社会信用代码编码规则》（GB 32100-2015）"
LENGTH = 18
OLD_LENGTH = 15
OLDEST_BIRTH_YEAR = 1900
# Before the ISO check digit the century was not written; such numbers were only ever given to people of the 1900s.
OLD_CENTURY = "19"
HMT_REGIONS = {"81", "82", "83"}

# 同一个人的几种证件共用一个号码空间：临时身份证与身份证同号。
NUMBER_SPACE = {IdKind.RESIDENT_ID: "RIC", IdKind.TEMPORARY_ID: "RIC"}
PERSONAL = frozenset({
    IdKind.RESIDENT_ID, IdKind.TEMPORARY_ID, IdKind.HMT_RESIDENCE, IdKind.HK_MACAU_PERMIT, IdKind.TAIWAN_PERMIT,
    IdKind.FOREIGN_PERMANENT, IdKind.PASSPORT, IdKind.MILITARY, IdKind.HOUSEHOLD_BOOK, IdKind.OTHER,
})  # fmt: skip
BUSINESS = frozenset({IdKind.USCC, IdKind.BUSINESS_LICENSE, IdKind.OTHER})
ALLOWED: dict[CustomerKind, frozenset[IdKind]] = {
    CustomerKind.PERSON: PERSONAL,
    CustomerKind.FARMER: PERSONAL,
    CustomerKind.STUDENT: PERSONAL,
    CustomerKind.SOLE_TRADER: PERSONAL | BUSINESS,
    CustomerKind.COMPANY: BUSINESS,
    CustomerKind.HOUSEHOLD: frozenset({IdKind.HOUSEHOLD_BOOK, IdKind.OTHER, IdKind.ABSENT}),
    CustomerKind.GROUP: frozenset({IdKind.OTHER, IdKind.ABSENT}),
}
# 没有公开校验码的证件只查样子。
SHAPES: dict[IdKind, tuple[str, str]] = {
    IdKind.HK_MACAU_PERMIT: (r"[HM]\d{8}(\d{2})?", "H 或 M 开头，后接 8 位或 10 位数字"),
    IdKind.TAIWAN_PERMIT: (r"\d{8}|[A-Z]?\d{10}", "8 位数字（旧版 10 位）"),
    IdKind.FOREIGN_PERMANENT: (r"[A-Z]{3}\d{12}|9\d{16}[\dX]", "3 位字母加 12 位数字，或 9 开头的 18 位"),
    IdKind.PASSPORT: (r"[A-Z0-9]{5,20}", "5 至 20 位字母或数字"),
    IdKind.MILITARY: (r"[\u4e00-\u9fffA-Z0-9第号字]{6,20}", "6 至 20 位"),
    IdKind.HOUSEHOLD_BOOK: (r"[A-Z0-9]{4,20}", "4 至 20 位字母或数字"),
    IdKind.BUSINESS_LICENSE: (r"\d{13}|\d{15}", "13 位或 15 位数字"),
    IdKind.OTHER: (r"\S{1,40}", "1 至 40 个字符，不含空格"),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """核对过的证件：归一后的号码、唯一键、由号码得出的生日与性别（得不出为空）。"""

    kind: IdKind
    number: str
    key: str | None
    birth: date | None
    gender: str


def check_identity(customer_kind: CustomerKind, id_kind: str, id_number: str, *, on: date) -> Identity:
    """核对证件：类别配不配客户类别，号码对不对。

    :raises DomainError: 说明错在第几位、依据哪个标准、怎么改；号码遮蔽。
    """
    kind = _kind(customer_kind, id_kind)
    number = normalized(id_number)
    if kind is IdKind.ABSENT:
        if number:
            raise _wrong(kind, number, "选了「无证件」就不能再填号码", fix="清空号码，或选对应的证件类别。")
        return Identity(kind, "", None, None, "")
    if not number:
        raise _wrong(kind, number, f"没有填{kind.label}号码", fix="填写证件号码。")
    number, birth, gender = CHECKS.get(kind, _shape)(kind, number, on)
    return Identity(kind, number, identity_key(kind, number), birth, gender)


def identity_key(kind: IdKind, number: str) -> str:
    """证件的唯一键：号码空间加归一后的号码。"""
    return f"{NUMBER_SPACE.get(kind, kind.value)}:{number}"


def normalized(id_number: str) -> str:
    """归一：全角转半角、去掉空格与连字符、字母大写。"""
    text = unicodedata.normalize("NFKC", id_number)
    return re.sub(r"[\s\u2010-\u2015-]", "", text).upper()


def _kind(customer_kind: CustomerKind, id_kind: str) -> IdKind:
    allowed = ALLOWED[customer_kind]
    if id_kind not in allowed:
        names = "、".join(kind.label for kind in IdKind if kind in allowed)
        raise DomainError(
            "ID_KIND_WRONG",
            f"{customer_kind.label}不能用证件类别「{id_kind}」。",
            field="id_kind",
            value=id_kind,
            fix=f"可用：{names}。",
        )
    return IdKind(id_kind)


def _resident(kind: IdKind, number: str, on: date) -> tuple[str, date, str]:
    number = _from_old(number)
    _eighteen(kind, number, letters_at_end="X", clause=RESIDENT_CLAUSE)
    if not _is_province(number[:2]):
        raise _wrong(kind, number, "第 1 至 2 位不是省级行政区划代码", clause=RESIDENT_CLAUSE)
    return _born(kind, number, on)


@functools.cache
def _is_province(region: str) -> bool:
    """两位省级代码是否存在；查表是逐行找，几万行的批量登记要记住结果。"""
    return "province" in numdb.get("cn/loc").info(f"{region}0000")[0][1]


def _hmt(kind: IdKind, number: str, on: date) -> tuple[str, date, str]:
    _eighteen(kind, number, letters_at_end="X", clause=RESIDENT_CLAUSE)
    if number[:2] not in HMT_REGIONS:
        raise _wrong(kind, number, "第 1 至 2 位应为 81（香港）、82（澳门）或 83（台湾）")
    return _born(kind, number, on)


def _foreign(kind: IdKind, number: str, on: date) -> tuple[str, date | None, str]:
    _shape(kind, number, on)
    return _born(kind, number, on) if len(number) == LENGTH else (number, None, "")


def _born(kind: IdKind, number: str, on: date) -> tuple[str, date, str]:
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise _wrong(kind, number, "第 7 至 14 位不是有效的出生日期", clause=RESIDENT_CLAUSE) from None
    if birth.year < OLDEST_BIRTH_YEAR or birth > on:
        raise _wrong(kind, number, "第 7 至 14 位的出生日期过早，或晚于营业日", clause=RESIDENT_CLAUSE)
    if number[-1] != ric.calc_check_digit(number):
        raise _wrong(
            kind,
            number,
            "第 18 位校验码与前 17 位不符：前 17 位或末位有一处录错",
            clause=RESIDENT_CLAUSE,
            fix="对照证件逐位核对，注意相邻两位颠倒。",
        )
    return number, birth, Gender.MALE if int(number[16]) % 2 else Gender.FEMALE


def _from_old(number: str) -> str:
    """十五位旧号码补成十八位，旧台账里常见；新旧两种写法是同一个人。"""
    if len(number) != OLD_LENGTH or not number.isdigit():
        return number
    longer = f"{number[:6]}{OLD_CENTURY}{number[6:]}"
    return longer + ric.calc_check_digit(longer + "0")


def _organization(kind: IdKind, number: str, on: date) -> tuple[str, None, str]:
    if len(number) != LENGTH:
        raise _wrong(kind, number, f"应为 {LENGTH} 位，现为 {len(number)} 位", clause=USCC_CLAUSE)
    for position, letter in enumerate(number, start=1):
        if not re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]", letter):
            raise _wrong(kind, number, f"第 {position} 位不是允许的字符（不用 I、O、S、V、Z）", clause=USCC_CLAUSE)
        if 3 <= position <= 8 and not letter.isdigit():  # the region of registration
            raise _wrong(
                kind, number, f"第 {position} 位应为数字（第 3 至 8 位是登记机关行政区划码）", clause=USCC_CLAUSE
            )
    if number[-1] != uscc.calc_check_digit(number[:-1]):
        raise _wrong(
            kind,
            number,
            "第 18 位校验码与前 17 位不符：前 17 位或末位有一处录错",
            clause=USCC_CLAUSE,
            fix="对照营业执照逐位核对，注意 0 与 O、1 与 I。",
        )
    return number, None, ""


def _shape(kind: IdKind, number: str, on: date) -> tuple[str, date | None, str]:
    pattern, words = SHAPES[kind]
    if not re.fullmatch(pattern, number):
        raise _wrong(kind, number, f"应为{words}")
    return number, None, ""


def _eighteen(kind: IdKind, number: str, *, letters_at_end: str, clause: str) -> None:
    if len(number) != LENGTH:
        raise _wrong(kind, number, f"应为 {LENGTH} 位，现为 {len(number)} 位", clause=clause)
    for position, letter in enumerate(number, start=1):
        if letter.isascii() and letter.isdigit():
            continue
        if position == LENGTH and letter in letters_at_end:
            continue
        raise _wrong(kind, number, f"第 {position} 位不是数字{'或 X' if position == LENGTH else ''}", clause=clause)


def _wrong(
    kind: IdKind, number: str, what: str, *, clause: str | None = None, fix: str = "对照证件原件更正。"
) -> DomainError:
    return DomainError(
        "ID_NUMBER_WRONG",
        f"{kind.label}号码不对：{what}。",
        field="id_number",
        value=mask_id_number(number) or None,
        clause=clause,
        fix=fix,
    )


Check = Callable[[IdKind, str, date], tuple[str, date | None, str]]
CHECKS: dict[IdKind, Check] = {
    IdKind.RESIDENT_ID: _resident,
    IdKind.TEMPORARY_ID: _resident,
    IdKind.HMT_RESIDENCE: _hmt,
    IdKind.FOREIGN_PERMANENT: _foreign,
    IdKind.USCC: _organization,
}
