"""手工凭证：一人录入、另一人授权（或退回改正、撤回）；冲回也是一张草稿。列表、详情与任务页里的片段。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.ledger import operations
from sancha.apps.ledger.queries import DraftRow, chart_of_accounts, draft_detail, manual_drafts
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.ledger.books import READ
from sancha.interfaces.web.ledger.forms import (
    DraftFilter,
    Lines,
    ManualForm,
    OpinionForm,
    ReverseForm,
    account_choices,
    filled,
)
from sancha.interfaces.web.ledger.vouchers import voucher_view
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Pagination, page_number
from sancha.interfaces.web.work.trail import told
from sancha.kernel.money import rmb_uppercase
from sancha.kit.actor import Actor

TONES = {"ENTERED": "amber", "AUTHORIZED": "green", "REJECTED": "red", "WITHDRAWN": ""}


@page(READ)
@require_safe
def drafts(request: PageRequest) -> HttpResponse:
    """手工凭证草稿。"""
    actor = request.actor
    form = DraftFilter(request.GET)
    state = form.cleaned_data.get("state", "") if form.is_valid() else ""
    found = manual_drafts(actor, state=state, page=page_number(request.GET), size=20)
    context = {
        "form": form,
        "drafts": [_item(draft, actor) for draft in found.rows],
        "pages": Pagination.over(found),
        "may_enter": actor.may("ledger.manual"),
    }
    return show(request, "ledger/drafts.html", context)


def _item(draft: DraftRow, actor: Actor) -> dict[str, Any]:
    mine = draft.entered_by is None or draft.entered_by == actor.person_id
    waiting = draft.state in {"ENTERED", "REJECTED"} and mine and actor.may("ledger.manual")
    return {
        "draft": draft,
        "tone": TONES[draft.state],
        "debit_fen": sum(fen for _code, _name, fen, _text in draft.lines if fen > 0),
        "may_decide": draft.state == "ENTERED" and actor.may("ledger.authorize") and not mine,
        "may_correct": waiting and draft.reverses_id is None,
        "may_withdraw": waiting,
    }


@page(READ)
@require_safe
def draft(request: PageRequest, draft_id: int) -> HttpResponse:
    """一张草稿：分录、谁录入、谁复核、到了哪一步。"""
    return _draft(request, draft_id)


def _draft(request: PageRequest, draft_id: int, plain: Form | None = None) -> HttpResponse:
    context = _face(request, draft_id)
    found: DraftRow = context["draft"]
    story = told(request, "manual_draft", draft_id, found, what=_("录入手工凭证"), decided={"at": found.decided_at})
    return show(request, "ledger/draft.html", context | story | {"plain": plain})


def _face(request: PageRequest, draft_id: int) -> dict[str, Any]:
    found = draft_detail(request.actor, draft_id)
    item = _item(found, request.actor)
    return {**item, "words": rmb_uppercase(item["debit_fen"])}


@page(READ)
@require_safe
def draft_brief(request: PageRequest, draft_id: int) -> HttpResponse:
    """草稿的片段：手工凭证复核的任务页取用。"""
    return render(request, "ledger/draft_brief.html", _face(request, draft_id))


@page("ledger.manual")
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: PageRequest) -> HttpResponse:
    """录入手工凭证。"""
    choices = account_choices(chart_of_accounts())
    data: Any = request.POST or None
    form = ManualForm(data, tree=institution_tree(request.actor), initial=_here(request))
    lines = Lines(data, form_kwargs={"choices": choices}, prefix="line")
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        done = attempt(
            form, operations.enter_manual_voucher, **submission(request), **form.cleaned_data, lines=filled(lines)
        )
        if done is not None:
            return go(request, "ledger:draft", done["draft_id"], said=_("已录入，待另一人授权后记账。"))
    return show(request, "ledger/enter.html", {"form": form, "lines": lines})


def _here(request: PageRequest) -> dict[str, Any]:
    return {"institution_id": request.actor.institution_id, "booked_on": request.business_date}


@page("ledger.manual")
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: PageRequest, draft_id: int) -> HttpResponse:
    """改正草稿，重新送复核；机构不能改。"""
    found = draft_detail(request.actor, draft_id)
    choices = account_choices(chart_of_accounts())
    data: Any = request.POST or None
    form = ManualForm(
        data, tree=institution_tree(request.actor),
        initial={"institution_id": found.institution_id, "booked_on": found.booked_on, "summary": found.summary},
    )  # fmt: skip
    del form.fields["institution_id"]
    given = [
        {"account": code, "summary": text, "debit": max(fen, 0) or None, "credit": max(-fen, 0) or None}
        for code, _name, fen, text in found.lines
    ]
    lines = Lines(data, form_kwargs={"choices": choices}, prefix="line", initial=given)
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        done = attempt(
            form, operations.correct_manual_voucher, **submission(request), **form.cleaned_data, draft_id=draft_id,
            lines=filled(lines),
        )  # fmt: skip
        if done is not None:
            return go(request, "ledger:draft", draft_id, said=_("已改正，重新送复核。"))
    return show(request, "ledger/enter.html", {"form": form, "lines": lines, "draft": found})


@page("ledger.manual")
@post_only("ledger:draft", "draft_id")
def withdraw(request: PageRequest, draft_id: int) -> HttpResponse:
    """撤回。"""
    form = ReverseForm(request.POST)
    return _act(request, form, operations.withdraw_manual_voucher, _("已撤回，复核任务一并撤销。"), draft_id)


@page("ledger.authorize")
@post_only("ledger:draft", "draft_id")
def authorize(request: PageRequest, draft_id: int) -> HttpResponse:
    """授权并记账。"""
    return _act(request, OpinionForm(request.POST), operations.authorize_manual_voucher, _("已授权并记账。"), draft_id)


@page("ledger.authorize")
@post_only("ledger:draft", "draft_id")
def reject(request: PageRequest, draft_id: int) -> HttpResponse:
    """退回。"""
    form = OpinionForm(request.POST)
    return _act(request, form, operations.reject_manual_voucher, _("已退回，由录入人改正或撤回。"), draft_id)


def _act(request: PageRequest, form: Form, operation: Any, said: str, draft_id: int) -> HttpResponse:
    if form.is_valid():
        given = {name: value or "" for name, value in form.cleaned_data.items()}
        done = attempt(form, operation, **submission(request), draft_id=draft_id, **given)
        if done is not None:
            return go(request, "ledger:draft", draft_id, said=said)
    return _draft(request, draft_id, plain=form)


@page("ledger.manual")
@post_only("ledger:voucher", "voucher_id")
def reverse_voucher(request: PageRequest, voucher_id: int) -> HttpResponse:
    """冲回手工凭证：录一张反向草稿，仍由另一人授权。"""
    form = ReverseForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.reverse_manual_voucher, **submission(request), voucher_id=voucher_id,
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        if done is not None:
            return go(request, "ledger:draft", done["draft_id"], said=_("冲回草稿已录入，待另一人授权。"))
    return voucher_view(request, voucher_id, form=form)
