"""节假日：各年是否已公布，录入国务院公布的放假安排。"""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.businessday.operations import publish_calendar_year
from sancha.apps.businessday.queries import calendar_years, holidays_of
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.rulebook.forms import CalendarForm, as_lines
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table
from sancha.kit.errors import NotFound

READ, WRITE = "businessday.view", "businessday.manage"
BEFORE, AFTER = 3, 5
FIRST_YEAR, LAST_YEAR = 1990, 2200
SUNDAY_FIRST, SATURDAY = 6, 5


@page(READ)
@require_safe
def years(request: PageRequest) -> HttpResponse:
    """年历一览。"""
    this = request.business_date.year
    rows = calendar_years(first_year=this - BEFORE, last_year=this + AFTER)
    table = Table(
        [
            Column("year", _("年"), link=lambda r: reverse("rulebook:calendar-year", args=[r.year])),
            Column(
                "published", _("状态"),
                show=lambda r: format_html(
                    '<span class="pill {}">{}</span>', "green" if r.published else "amber", _("已公布") if r.published else _("未公布，按周末推算")
                ),
            ),
            Column("holidays", _("放假天数"), kind="int"),
            Column("makeup_workdays", _("调休上班"), kind="int"),
            Column("revision", _("版本"), kind="int"),
            Column("source", _("来源"), css="wrap muted"),
        ],
        rows,
        stack=True,
    )  # fmt: skip
    return render(request, "rulebook/calendar.html", {"table": table})


def _known(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise NotFound("YEAR_UNKNOWN", _("没有 %(year)s 年的年历。") % {"year": year}, field="year", value=year)
    return year


@page(READ)
@require_safe
def year(request: PageRequest, year: int) -> HttpResponse:
    """一年的放假安排。"""
    return _year(request, _known(year))


def _year(request: PageRequest, year: int, form: CalendarForm | None = None) -> HttpResponse:
    days = holidays_of(year=year)
    info = calendar_years(first_year=year, last_year=year)[0]
    initial = {"holidays": as_lines(days, "holiday"), "makeup": as_lines(days, "makeup")}
    may_publish = request.actor.may(WRITE)
    context = {
        "year": year,
        "info": info,
        "months": _months(year, {day: (kind, name) for day, kind, name in days}),
        "form": form or (CalendarForm(initial=initial) if may_publish else None),
    }
    return show(request, "rulebook/year.html", context)


def _months(year: int, days: dict[date, tuple[str, str]]) -> list[dict[str, Any]]:
    """十二个月的格子：周日起，空格补齐。"""
    return [
        {"name": _("%(n)s 月") % {"n": month}, "cells": [_cell(day, month, days) for day in _grid(year, month)]}
        for month in range(1, 13)
    ]


def _grid(year: int, month: int) -> list[date]:
    return [day for week in calendar.Calendar(SUNDAY_FIRST).monthdatescalendar(year, month) for day in week]


def _cell(day: date, month: int, days: dict[date, tuple[str, str]]) -> dict[str, Any]:
    if day.month != month:
        return {"text": "", "css": "", "title": ""}
    kind, name = days.get(day, ("off" if day.weekday() >= SATURDAY else "", ""))
    return {"text": day.day, "css": kind, "title": f"{day} {name}".strip()}


@page(WRITE)
@post_only("rulebook:calendar-year", "year")
def publish(request: PageRequest, year: int) -> HttpResponse:
    """录入公布的安排，成为新版本。"""
    form = CalendarForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, publish_calendar_year, **submission(request), year=_known(year), days=form.days,
            source=form.cleaned_data["source"],
        )  # fmt: skip
        if done is not None:
            said = _("%(year)s 年年历已录入（第 %(n)s 版）；已生成的还款计划不变。") % {
                "year": year,
                "n": done["revision"],
            }
            return go(request, "rulebook:calendar-year", year, said=said)
    return _year(request, year, form=form)
