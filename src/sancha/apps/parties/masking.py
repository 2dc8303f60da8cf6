"""遮蔽：个人信息默认只露首尾。看明文要写理由、留痕，见 ``operations.reveal_party``。"""

from __future__ import annotations

import re

STAR = "*"
KEEP_HEAD, KEEP_TAIL = 6, 4
# 地址露到县（区）为止；露得再细就能找上门。
_DISTRICT = re.compile(r"^(.*?(?:省|自治区|特别行政区))?(.*?(?:市|自治州|地区|盟))?(.*?(?:县|区|市|旗))?")


def mask_id_number(number: str) -> str:
    """遮蔽证件号码：18 位露前 6 后 4（``110105********002X``），短的露首尾各一位。"""
    if len(number) > KEEP_HEAD + KEEP_TAIL:
        return number[:KEEP_HEAD] + STAR * (len(number) - KEEP_HEAD - KEEP_TAIL) + number[-KEEP_TAIL:]
    return _ends(number)


def mask_phone(phone: str) -> str:
    """遮蔽电话：手机露前 3 后 4（``138****5678``），其他露首尾各一位。"""
    if re.fullmatch(r"1\d{10}", phone):
        return f"{phone[:3]}{STAR * 4}{phone[-4:]}"
    return _ends(phone)


def mask_address(address: str) -> str:
    """遮蔽地址：露到县（区），其余以星号代替；认不出县区的只露前两字。"""
    if not address:
        return ""
    found = _DISTRICT.match(address)
    shown = found.group(0) if found else ""
    if not shown or len(shown) == len(address):
        shown = address[:2]
    return shown + STAR * 4


def mask_name(name: str) -> str:
    """遮蔽姓名：只露首字（``王*``、``欧***``），公示与对外清单用；办理业务的清单露全名。"""
    return name[:1] + STAR * max(len(name) - 1, 1) if name else ""


def mask_contact(channel: str, value: str) -> str:
    """遮蔽联系方式：电话按电话，地址按地址，邮箱露首字与域名，其他露首尾。"""
    if channel in {"MOBILE", "PHONE"}:
        return mask_phone(value)
    if channel == "POSTAL_ADDRESS":
        return mask_address(value)
    if channel == "EMAIL" and "@" in value:
        local, _, domain = value.partition("@")
        return f"{local[:1]}{STAR * 4}@{domain}"
    return _ends(value)


def _ends(text: str) -> str:
    if len(text) <= 2:
        return STAR * len(text)
    return text[0] + STAR * (len(text) - 2) + text[-1]
