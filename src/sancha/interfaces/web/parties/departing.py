"""个人信息删除与客户合并：申请，与复核任务上并排看的片段。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.parties import operations
from sancha.apps.parties.queries import (
    Sheet,
    erasure_request,
    holds_on_party,
    merge_request,
    merge_sheets,
    party_in_scope,
)
from sancha.apps.servicing.queries import loans_of_party
from sancha.interfaces.web.pages import attempt, go, page, post_only
from sancha.interfaces.web.parties import forms
from sancha.interfaces.web.parties.pages import other_party, party_page
from sancha.interfaces.web.parties.requests import cited, details_of
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table
from sancha.kit.errors import DomainError

READ, EDIT = "parties.view", "parties.edit"


@page(EDIT)
@post_only("parties:detail", "party_id")
def erase(request: PageRequest, party_id: int) -> HttpResponse:
    """申请删除个人信息。"""
    form = forms.ErasureForm(request.POST)
    if form.is_valid():
        done = attempt(form, operations.request_erasure, **submission(request), party_id=party_id, **form.cleaned_data)
        if done is not None:
            return go(request, "parties:detail", party_id, said=_("删除申请已提交，待另一人复核。"))
    return party_page(request, party_id, erasure_form=form)


@page(EDIT)
@post_only("parties:detail", "party_id")
def merge(request: PageRequest, party_id: int) -> HttpResponse:
    """申请把另一档并入这一档。"""
    form = forms.MergeForm(request.POST)
    if form.is_valid():
        duplicate = other_party(form, "duplicate_number", fix=_("核对客户号。"))
        if duplicate is not None:
            done = attempt(
                form,
                operations.request_merge,
                **submission(request),
                survivor_id=party_id,
                duplicate_id=duplicate,
                reason=form.cleaned_data["reason"],
            )
            if done is not None:
                return go(request, "parties:detail", party_id, said=_("合并申请已提交，待另一人复核。"))
    return party_page(request, party_id, merge_form=form)


@page(READ)
@require_safe
def erasure_brief(request: PageRequest, request_id: int) -> HttpResponse:
    """删除复核任务上的片段：删谁、为什么、有没有妨碍、删后剩什么。"""
    asked = erasure_request(request_id)
    context: dict[str, Any] = {"asked": asked, "clause": cited(asked.clause), "details": details_of(asked)}
    try:
        party = party_in_scope(request.actor, asked.party_id)
    except DomainError:
        return render(request, "parties/erasure_brief.html", context)
    context |= {
        "party_url": reverse("parties:detail", args=[party.pk]),
        "holds": [(hold, cited(hold.clause)) for hold in holds_on_party(party, on=request.business_date)],
        "loans": len(loans_of_party(actor=request.actor, party_id=party.pk, today=request.business_date))
        if request.actor.may("servicing.view")
        else None,
    }
    return render(request, "parties/erasure_brief.html", context)


@page(READ)
@require_safe
def merge_brief(request: PageRequest, request_id: int) -> HttpResponse:
    """合并复核任务上的片段：两档并排，一样的与不一样的。"""
    asked = merge_request(request_id)
    survivor, duplicate = merge_sheets(request_id)
    loans = {
        sheet.row.id: len(loans_of_party(actor=request.actor, party_id=sheet.row.id, today=request.business_date))
        for sheet in (survivor, duplicate)
        if request.actor.may("servicing.view")
    }
    rows = [
        {"title": title, "survivor": left, "duplicate": right, "same": left == right}
        for title, left, right in _compared(survivor, duplicate, loans)
    ]
    table = Table(
        [
            Column("title", _("栏目")),
            Column("survivor", _("存续 %(number)s") % {"number": survivor.row.number}, css="wrap"),
            Column("duplicate", _("并入 %(number)s") % {"number": duplicate.row.number}, css="wrap"),
        ],
        rows,
        row_css=lambda row: "" if row["same"] else "warn",
    )
    return render(request, "parties/merge_brief.html", {"asked": asked, "table": table})


def _compared(one: Sheet, other: Sheet, loans: dict[int, int]) -> list[tuple[str, str, str]]:
    def both(title: str, show: Any) -> tuple[str, str, str]:
        return title, str(show(one) or "—"), str(show(other) or "—")

    return [
        both(_("名称"), lambda s: s.row.name),
        both(_("类别"), lambda s: s.row.kind.label),
        both(_("证件"), lambda s: f"{s.row.id_kind} {s.row.id_number}".strip()),
        both(_("性别"), lambda s: s.row.gender),
        both(_("出生年"), lambda s: s.row.birth_year),
        both(_("电话"), lambda s: s.row.phone),
        both(_("地址"), lambda s: s.row.address),
        both(_("建档日"), lambda s: s.created_on),
        both(_("借据"), lambda s: loans.get(s.row.id, "")),
        both(_("信用档案"), lambda s: s.entries),
        both(_("关系"), lambda s: s.relations),
    ]
