"""手工凭证：一人录入、另一人授权；冲回也是一张草稿。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.ledger import operations
from sancha.apps.ledger.queries import chart_of_accounts, manual_drafts
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.ledger.books import READ
from sancha.interfaces.web.ledger.forms import (
    DraftFilter,
    LineFormSet,
    Lines,
    ManualForm,
    OpinionForm,
    ReverseForm,
    account_choices,
)
from sancha.interfaces.web.ledger.vouchers import voucher_view
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Pagination, page_number


@page(READ)
@require_safe
def drafts(request: HttpRequest) -> HttpResponse:
    """手工凭证草稿。"""
    return _drafts(request)


def _drafts(request: HttpRequest, plain: Form | None = None) -> HttpResponse:
    actor = request.actor
    form = DraftFilter(request.GET)
    state = form.cleaned_data.get("state", "") if form.is_valid() else ""
    found = manual_drafts(actor, state=state, page=page_number(request.GET), size=20)
    context = {
        "form": form,
        "plain": plain,
        "drafts": [
            {
                "draft": draft,
                "debit_fen": sum(fen for _code, _name, fen, _text in draft.lines if fen > 0),
                "may_decide": draft.state == "ENTERED" and actor.may("ledger.authorize"),
                "is_mine": draft.entered_by is not None and draft.entered_by == actor.person_id,
            }
            for draft in found.rows
        ],
        "pages": Pagination.over(found),
        "may_enter": actor.may("ledger.manual"),
    }
    return show(request, "ledger/drafts.html", context)


@page("ledger.manual")
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """录入手工凭证。"""
    choices = account_choices(chart_of_accounts())
    data: Any = request.POST or None
    form = ManualForm(data, tree=institution_tree(request.actor), initial=_here(request))
    lines: LineFormSet = Lines(data, form_kwargs={"choices": choices}, prefix="line")
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        done = attempt(
            form, operations.enter_manual_voucher, **submission(request), **form.cleaned_data, lines=lines.lines
        )
        if done is not None:
            return go(request, "ledger:drafts", said=_("已录入，待另一人授权后记账。"))
    return show(request, "ledger/enter.html", {"form": form, "lines": lines})


def _here(request: HttpRequest) -> dict[str, Any]:
    return {"institution_id": request.actor.institution_id, "booked_on": request.business_date}


@page("ledger.authorize")
@post_only("ledger:drafts")
def authorize(request: HttpRequest, draft_id: int) -> HttpResponse:
    """授权并记账。"""
    return _decide(request, operations.authorize_manual_voucher, _("已授权并记账。"), draft_id)


@page("ledger.authorize")
@post_only("ledger:drafts")
def reject(request: HttpRequest, draft_id: int) -> HttpResponse:
    """退回。"""
    return _decide(request, operations.reject_manual_voucher, _("已退回。"), draft_id)


def _decide(request: HttpRequest, operation: Any, said: str, draft_id: int) -> HttpResponse:
    form = OpinionForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operation, **submission(request), draft_id=draft_id, opinion=form.cleaned_data.get("opinion") or ""
        )
        if done is not None:
            return go(request, "ledger:drafts", said=said)
    return _drafts(request, plain=form)


@page("ledger.manual")
@post_only("ledger:voucher", "voucher_id")
def reverse_voucher(request: HttpRequest, voucher_id: int) -> HttpResponse:
    """冲回手工凭证：录一张反向草稿，仍由另一人授权。"""
    form = ReverseForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.reverse_manual_voucher, **submission(request), voucher_id=voucher_id,
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        if done is not None:
            return go(request, "ledger:drafts", said=_("冲回草稿已录入，待另一人授权。"))
    return voucher_view(request, voucher_id, form=form)
