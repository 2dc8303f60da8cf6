"""参数：查、看历史、看条款与出处。规则文件随版本发布，页面只读。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.interfaces.web.citations import citation
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.rulebook.forms import ParameterFilter
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.errors import NotFound
from sancha.rulebook import Parameter, UnknownCode, all_clauses, all_parameters, clause, history
from sancha.rulebook.documents import ParameterType

READ = "work.view"
LONG = 60


def value_text(item: Parameter) -> SafeString | str:
    """值的写法：利率写百分数，金额写元，表格写成行。"""
    if item.type is ParameterType.PPM:
        return words.ppm(item.as_int())
    if item.type is ParameterType.FEN:
        return format_html("{} {}", words.fen(item.as_int()), _("元"))
    if item.type is ParameterType.BOOL:
        return _("是") if item.as_bool() else _("否")
    if item.type is ParameterType.TABLE and isinstance(item.value, tuple):
        return format_html_join(SafeString("<br>"), "{}", ((" · ".join(map(str, row)),) for row in _rows(item)))
    if isinstance(item.value, tuple):
        return "、".join(map(str, item.value))
    unit = f" {item.unit}" if item.type in {ParameterType.INT, ParameterType.DAYS, ParameterType.BP} else ""
    return f"{item.value}{unit}"


def _rows(item: Parameter) -> list[tuple[Any, ...]]:
    return [row for row in item.value if isinstance(row, tuple)] if isinstance(item.value, tuple) else []


def unsure_badge(unsure: bool) -> SafeString | str:
    """出处是否可靠：G? 表示凭行业通行做法、条文待核。"""
    if not unsure:
        return ""
    return format_html('<span class="pill amber" title="{}">G?</span>', _("出处待核：行业通行做法，条文未逐字核到"))


def _current(values: tuple[Parameter, ...], on: date) -> Parameter:
    """那一天有效的值；还没起效的给第一个。"""
    return next((item for item in reversed(values) if item.effective_from <= on), values[0])


@page(READ)
@require_safe
def parameters(request: PageRequest) -> HttpResponse:
    """参数一览与覆盖数字。"""
    today: date = request.business_date
    form = ParameterFilter(request.GET)
    form.is_valid()
    data = form.cleaned_data
    everything = all_parameters()
    rows = [_current(values, today) for values in everything.values()]
    shown = [row for row in rows if _matches(row, data.get("q", "")) and (row.unsure or not data.get("unsure"))]
    values = [item for known in everything.values() for item in known]
    unsure = sum(item.unsure for item in values)
    tiles = [
        {"label": _("参数"), "value": len(everything), "unit": _("个"), "icon": "adjustments"},
        {"label": _("取值"), "value": len(values), "unit": _("个"), "icon": "history"},
        {"label": _("条款"), "value": len(all_clauses()), "unit": _("条"), "icon": "gavel"},
        {"label": _("出处可靠"), "value": len(values) - unsure, "unit": _("个"), "icon": "circle-check", "tone": "green"},
        {
            "label": _("待核（G?）"), "value": unsure, "unit": _("个"), "icon": "help-circle", "href": "?unsure=on",
            "tone": "amber" if unsure else "green",
        },
    ]  # fmt: skip
    table = Table(
        [
            Column("name", _("参数"), show=_name, css="wrap"),
            Column("value", _("今天的值"), show=_short, css="wrap"),
            Column("effective_from", _("起效"), show=lambda r: words.day(r.effective_from)),
            Column("clause", _("条款"), show=lambda r: citation(r.clause), css="wrap"),
            Column("last_checked", _("最近核对"), kind="day"),
            Column("unsure", "", show=lambda r: unsure_badge(r.unsure)),
        ],
        shown,
        stack=True,
        empty=_("没有符合条件的参数"),
    )
    return render(
        request, "rulebook/parameters.html", {"form": form, "table": table, "tiles": tiles, "count": len(shown)}
    )


def _matches(row: Parameter, text: str) -> bool:
    wanted = text.strip().casefold()
    cited = all_clauses()[row.clause].citation if row.clause in all_clauses() else ""
    return wanted in " ".join([row.code, row.name, row.clause, row.source, cited]).casefold()


def _name(row: Parameter) -> SafeString:
    url = reverse("rulebook:parameter", args=[row.code])
    return format_html('<a href="{}">{}</a><div class="mono muted small">{}</div>', url, row.name, row.code)


def _short(row: Parameter) -> SafeString | str:
    if row.type is ParameterType.TABLE:
        return _("表，%(n)s 行") % {"n": len(_rows(row))}
    text = value_text(row)
    return text if isinstance(text, SafeString) or len(text) <= LONG else f"{text[:LONG]}…"


@page(READ)
@require_safe
def parameter_page(request: PageRequest, code: str) -> HttpResponse:
    """一个参数：今天的值、历史、条款与出处。"""
    today: date = request.business_date
    try:
        values = history(code)
    except UnknownCode as unknown:
        raise NotFound(
            "PARAMETER_UNKNOWN", _("没有参数「%(code)s」。") % {"code": code}, field="code", value=code
        ) from unknown
    now_valid = _current(values, today)
    cited = [
        {"clause": clause(name), "in_force": clause(name).in_force(today)}
        for name in dict.fromkeys(item.clause for item in reversed(values))
    ]
    context = {
        "parameter": now_valid,
        "value": value_text(now_valid),
        "badge": unsure_badge(now_valid.unsure),
        "columns": now_valid.columns,
        "rows": _rows(now_valid) if now_valid.type is ParameterType.TABLE else [],
        "history": [
            {"item": item, "value": value_text(item), "badge": unsure_badge(item.unsure), "state": _state(item, now_valid, today)}
            for item in reversed(values)
        ],
        "clauses": cited,
    }  # fmt: skip
    return render(request, "rulebook/parameter.html", context)


def _state(item: Parameter, now_valid: Parameter, today: date) -> str:
    if item.effective_from > today:
        return "now"
    return "done" if item is now_valid else ""
