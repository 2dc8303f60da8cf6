"""登记资料核对：把一行登记资料（网页、接口、表格都一样）核成可写入的样子，或列出这一行的全部毛病。纯函数，不碰库。"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sancha.apps.parties.identity import Identity, check_identity
from sancha.apps.parties.masking import mask_phone
from sancha.apps.parties.models import Gender
from sancha.kit.errors import DomainError
from sancha.rulebook.vocabulary import CustomerKind, choices

LONGEST = {"name": 100, "address": 200, "industry_name": 60, "occupation": 60}
TITLES = {
    "kind": "客户类别",
    "name": "名称",
    "id_kind": "证件类别",
    "id_number": "证件号码",
    "gender": "性别",
    "birth": "出生日期",
    "phone": "电话",
    "address": "地址",
    "industry_code": "行业代码",
    "industry_name": "行业名称",
    "occupation": "职业",
    "officer_id": "管户经理",
    "institution_id": "管户机构",
}
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"(0\d{2,3})?[2-9]\d{6,7}")
_INDUSTRY = re.compile(r"[A-T]\d{0,4}|\d{2,4}")
_GENDERS = {"男": Gender.MALE, "女": Gender.FEMALE, "MALE": Gender.MALE, "FEMALE": Gender.FEMALE, "": ""}
# 少数民族姓名的间隔号有多种录法，归成一种，否则同一个人查不到。
_DOTS = re.compile("[•‧∙\u30fb\uff0e]")


@dataclass(frozen=True, slots=True)
class Prepared:
    """核对过的一行：主档各栏的值与证件。"""

    values: dict[str, Any]
    identity: Identity
    institution_id: int | None


def prepare(row: Mapping[str, Any], *, on: date) -> tuple[Prepared | None, list[DomainError]]:
    """核对一行：全部毛病一次列出，一处错不挡住看别处的错。"""
    errors: list[DomainError] = [
        DomainError("FIELD_UNKNOWN", f"不认识的栏目「{field}」。", field=str(field), fix="对照栏目名更正。")
        for field in row
        if field not in TITLES
    ]

    def taken(function: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return function()
        except DomainError as error:
            errors.append(error)
            return otherwise

    kind = taken(lambda: _kind(row), None)
    values = {
        "name": taken(lambda: clean_name(_text(row, "name")), ""),
        "phone": taken(lambda: clean_phone(_text(row, "phone")), ""),
        "industry_code": taken(lambda: clean_industry(_text(row, "industry_code")), ""),
        "address": taken(lambda: clean_text(row, "address"), ""),
        "industry_name": taken(lambda: clean_text(row, "industry_name"), ""),
        "occupation": taken(lambda: clean_text(row, "occupation"), ""),
        "officer_id": taken(lambda: _whole(row, "officer_id"), None),
    }
    institution_id = taken(lambda: _whole(row, "institution_id"), None)
    identity = None
    if kind is not None:
        identity = taken(
            lambda: check_identity(kind, _text(row, "id_kind"), _text(row, "id_number"), on=on),
            None,
        )
    if identity is not None:
        taken(lambda: values.update(_person_facts(row, identity, on)), None)
    if errors or kind is None or identity is None:
        return None, errors
    values |= {
        "kind": kind.value,
        "id_kind": identity.kind.value,
        "id_number": identity.number,
        "identity_key": identity.key,
    }
    return Prepared(values, identity, institution_id), []


def clean_name(name: str) -> str:
    """名称归一：去首尾空白、并空白、统一间隔号。

    :raises DomainError: 空、过长或含控制字符。
    """
    text = _DOTS.sub("·", re.sub(r"\s+", " ", name).strip())
    if re.fullmatch(r"[\u4e00-\u9fff ]+", text):
        text = text.replace(" ", "")
    if not text or len(text) > LONGEST["name"] or not text.isprintable():
        raise DomainError(
            "NAME_WRONG",
            f"名称不能为空，且不超过 {LONGEST['name']} 个字。",
            field="name",
            value=text[:20] or None,
            fix="填写与证件一致的名称。",
        )
    return text


def clean_phone(phone: str) -> str:
    """电话归一：去掉空格与连字符，去掉国家码。

    :raises DomainError: 既不是手机号也不是固定电话。
    """
    text = re.sub(r"[\s()（）-]", "", phone)
    text = text.removeprefix("+86")
    if text and not _MOBILE.fullmatch(text) and not _LANDLINE.fullmatch(text):
        raise DomainError(
            "PHONE_WRONG",
            "电话应为 11 位手机号（1 开头，第二位 3 至 9），或带区号的固定电话。",
            field="phone",
            value=mask_phone(text),
            fix="核对号码位数；没有电话就留空。",
        )
    return text


def clean_industry(code: str) -> str:
    """行业代码：门类字母加 0 至 4 位数字，或 2 至 4 位数字（GB/T 4754）。

    :raises DomainError: 不是这个样子。
    """
    text = code.strip().upper()
    if text and not _INDUSTRY.fullmatch(text):
        raise DomainError(
            "INDUSTRY_WRONG",
            f"行业代码「{text[:10]}」不合 GB/T 4754 的写法。",
            field="industry_code",
            value=text[:10],
            fix="门类字母 A 至 T，可接至多 4 位数字，如 A0111、F5299。",
        )
    return text


def clean_text(row: Mapping[str, Any], field: str) -> str:
    """文字栏：去首尾空白，限长。

    :raises DomainError: 过长。
    """
    text = _text(row, field).strip()
    if len(text) > LONGEST[field]:
        raise DomainError(
            "TEXT_TOO_LONG",
            f"{TITLES[field]}最多 {LONGEST[field]} 个字，现有 {len(text)} 个。",
            field=field,
            fix="缩短，详情记入信用档案。",
        )
    return text


def _kind(row: Mapping[str, Any]) -> CustomerKind:
    value = _text(row, "kind")
    names = choices(CustomerKind)
    for code, name in names:
        if value in {code, name}:
            return CustomerKind(code)
    raise DomainError(
        "CUSTOMER_KIND_UNKNOWN",
        f"不认识的客户类别「{value}」。",
        field="kind",
        value=value,
        fix=f"可选：{'、'.join(name for _, name in names)}。",
    )


def _person_facts(row: Mapping[str, Any], identity: Identity, on: date) -> dict[str, Any]:
    """生日与性别：证件里有的以证件为准，填了就要一致。"""
    given_birth, given_gender = _day(row, "birth", on), _gender(row)
    if identity.birth and given_birth and identity.birth != given_birth:
        raise DomainError(
            "BIRTH_DIFFERS",
            "出生日期与身份证号码第 7 至 14 位不一致。",
            field="birth",
            fix="核对证件；不填则按证件取。",
        )
    if identity.gender and given_gender and identity.gender != given_gender:
        raise DomainError(
            "GENDER_DIFFERS", "性别与身份证号码第 17 位不一致。", field="gender", fix="核对证件；不填则按证件取。"
        )
    return {"birth": identity.birth or given_birth, "gender": identity.gender or given_gender}


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        # A number here has already lost its leading zeros or its last digits in a spreadsheet.
        raise DomainError(
            "NOT_TEXT",
            f"{TITLES[field]}须为文字，不能是数字格式。",
            field=field,
            fix="在表格里把这一列设为文本格式后重填。",
        )
    return value


def _whole(row: Mapping[str, Any], field: str) -> int | None:
    value: object = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise DomainError("NOT_A_NUMBER", f"{TITLES[field]}须为编号。", field=field, value=value, fix="从列表选择。")
    return value


def _day(row: Mapping[str, Any], field: str, on: date) -> date | None:
    value = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, date) or value > on:
        raise DomainError(
            "DATE_WRONG", f"{TITLES[field]}不是有效的日期，或晚于营业日。", field=field, fix="写成 1990-05-01。"
        )
    return value


def _gender(row: Mapping[str, Any]) -> str:
    value = _text(row, "gender").strip()
    if value not in _GENDERS:
        raise DomainError(
            "GENDER_UNKNOWN", f"不认识的性别「{value[:10]}」。", field="gender", value=value[:10], fix="填男或女。"
        )
    return str(_GENDERS[value])
