"""授权书：清单、起草、收回、复核前看的稿；授权看板：谁今天能批、为什么，别人为什么不能。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.authority import operations
from sancha.apps.authority.queries import EVERYTHING, BoardRow, MandateInfo, draft_info, list_mandates, mandate_info
from sancha.apps.authority.queries import board as board_of
from sancha.interfaces.web.authority import forms
from sancha.interfaces.web.citations import citation
from sancha.interfaces.web.pages import attempt, go, page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words

READ, GRANT = "authority.view", "authority.grant"


def tabs(now: str) -> list[dict[str, Any]]:
    """授权的三页。"""
    pages = {
        "authority:mandates": _("授权书"),
        "authority:board": _("授权看板"),
        "authority:officers": _("资格与停权"),
    }
    return [{"label": text, "url": reverse(name), "active": name == now} for name, text in pages.items()]


def _columns(*, may_revoke: bool) -> list[Column]:
    return [
        Column("number", _("授权书号"), show=_number),
        Column("institution_name", _("机构")),
        Column("holder", _("授给")),
        Column("program_name", _("项目")),
        Column("products", _("产品、担保、客户"), show=_covers, css="wrap"),
        Column("max_fen", _("单笔最高"), kind="fen"),
        Column("max_months", _("最长（月）"), kind="int"),
        Column("valid_from", _("有效期"), show=_period),
        Column("parent_number", _("上级授权书"), show=lambda row: row.parent_number or words.NOTHING),
        Column("reason", _("说明"), css="wrap muted"),
        *([Column("id", "", show=_revoke)] if may_revoke else []),
    ]


def _number(row: MandateInfo) -> SafeString:
    tone, text = ("green", _("有效")) if row.in_force else ("", _("不在有效期"))
    return format_html('{} <span class="pill {}">{}</span>', row.number, tone, text)


def _covers(row: MandateInfo) -> str:
    """授权及于哪些：三项都不限的只写「全部」。"""
    limits = [text for text in (row.products, row.guarantees) if text != EVERYTHING]
    return "；".join([*limits, row.customers]) if limits else f"{EVERYTHING}；{row.customers}"


def _period(row: MandateInfo) -> str:
    until = words.day(row.valid_to) if row.valid_to else _("长期")
    return f"{words.day(row.valid_from)} – {until}"


def _revoke(row: MandateInfo) -> SafeString | str:
    if not row.in_force:
        return ""
    return format_html('<a href="{}">{}</a>', reverse("authority:revoke", args=[row.id]), _("收回"))


@page(READ)
@require_safe
def mandate_list(request: PageRequest) -> HttpResponse:
    """授权书清单。"""
    actor = request.actor
    rows = list_mandates(actor=actor, on=request.business_date)
    table = Table(_columns(may_revoke=actor.may(GRANT)), rows, stack=True, empty=_("还没有授权书"))
    context = {"table": table, "tabs": tabs("authority:mandates"), "may_grant": actor.may(GRANT)}
    return render(request, "authority/mandates.html", context)


@page(GRANT)
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: PageRequest) -> HttpResponse:
    """起草授权书。"""
    actor, today = request.actor, request.business_date
    parents = [row for row in list_mandates(actor=actor, on=today) if row.in_force]
    form = forms.MandateForm(
        request.POST or None, tree=institution_tree(actor), parents=parents, initial={"valid_from": today}
    )
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.propose_mandate, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "authority:draft", done["draft_id"], said=_("已送复核，另一人同意后生效。"))
    return show(request, "authority/propose.html", {"form": form})


@page(GRANT)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: PageRequest, mandate_id: int) -> HttpResponse:
    """收回授权书。"""
    found = mandate_info(actor=request.actor, mandate_id=mandate_id, on=request.business_date)
    form = forms.RevokeForm(request.POST or None, initial={"valid_to": request.business_date})
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form, operations.propose_revocation, **submission(request), mandate_id=mandate_id, **form.cleaned_data
        )
        if done is not None:
            return go(request, "authority:draft", done["draft_id"], said=_("已送复核，另一人同意后收回。"))
    delegated = [
        row for row in list_mandates(actor=request.actor, on=request.business_date) if row.parent_number == found.number
    ]
    table = Table(_columns(may_revoke=False), [found, *delegated], stack=True)
    return show(
        request, "authority/revoke.html", {"form": form, "mandate": found, "table": table, "delegated": delegated}
    )


@page(READ)
@require_safe
def draft(request: PageRequest, draft_id: int) -> HttpResponse:
    """一份授权稿。"""
    found = draft_info(actor=request.actor, draft_id=draft_id)
    return render(request, "authority/draft.html", {"draft": found})


@page(READ)
@require_safe
def draft_brief(request: PageRequest, draft_id: int) -> HttpResponse:
    """授权稿的片段：授权复核的任务页取用。"""
    found = draft_info(actor=request.actor, draft_id=draft_id)
    return render(request, "authority/draft_brief.html", {"draft": found})


@page(READ)
@require_safe
def board(request: PageRequest) -> HttpResponse:
    """授权看板：一问一答。"""
    tree = institution_tree(request.actor)
    asked = "amount_fen" in request.GET
    form = forms.BoardForm(request.GET if asked else None, tree=tree, initial={"amount_fen": 5_000_000, "months": 12})
    table = None
    if asked and form.is_valid():
        given = dict(form.cleaned_data)
        rows = board_of(actor=request.actor, institution_id=given.pop("institution"), on=request.business_date, **given)
        table = _answers(rows)
    return render(request, "authority/board.html", {"form": form, "table": table, "tabs": tabs("authority:board")})


def _answers(rows: list[BoardRow]) -> Table:
    return Table(
        [
            Column("may", _("能不能批"), show=lambda row: may_pill(row.may)),
            Column("name", _("姓名")),
            Column("post_name", _("岗位")),
            Column("institution_name", _("机构")),
            Column("why", _("为什么"), css="wrap"),
            Column("clause", _("依据"), show=lambda row: citation(row.clause), css="wrap muted"),
        ],
        rows,
        stack=True,
        empty=_("本机构线上没有审批岗的人"),
    )


def may_pill(may: bool) -> SafeString:
    """能不能批。"""
    tone, text = ("green", _("能批")) if may else ("", _("不能"))
    return format_html('<span class="pill {}">{}</span>', tone, text)
