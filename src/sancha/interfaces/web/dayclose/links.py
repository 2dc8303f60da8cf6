"""不变式的每条问题都点得到对象：「借据 12：…」「借据 JKT000012：…」「凭证 34 …」。"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

_OBJECT = re.compile(r"^(借据|凭证) ([0-9A-Za-z-]+)")


def loan_link(loan_id: int, text: Any) -> SafeString | str:
    """借据的链接；借据页面没有装时只写文字。"""
    return _link("loans:detail", [loan_id], text)


def linked(problem: str) -> SafeString | str:
    """问题里的对象变成链接，其余照写。"""
    found = _OBJECT.match(problem)
    if found is None:
        return problem
    kind, name = found.groups()
    rest = problem[found.end() :]
    text = f"{kind} {name}"
    if kind == "凭证":
        return format_html("{}{}", _link("ledger:voucher", [int(name)], text) if name.isdigit() else text, rest)
    if name.isdigit():
        return format_html("{}{}", loan_link(int(name), text), rest)
    return format_html("{}{}", _search(name, text), rest)


def _link(page: str, arguments: list[Any], text: Any) -> SafeString | str:
    try:
        return format_html('<a href="{}">{}</a>', reverse(page, args=arguments), text)
    except NoReverseMatch:
        return str(text)


def _search(number: str, text: str) -> SafeString | str:
    try:
        return format_html('<a href="{}?{}">{}</a>', reverse("loans:list"), urlencode({"q": number}), text)
    except NoReverseMatch:
        return text
