"""借据调整的页面：一笔的全貌与流程、任务页里的片段、改正、撤回。录入在业务页（``actions``）。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.servicing import operations
from sancha.apps.servicing.queries import simulate, view_loan
from sancha.apps.servicing.queries.adjustments import AdjustmentInfo, adjustment_detail
from sancha.interfaces.web.forms import Form, YuanField, lay
from sancha.interfaces.web.loans.action_forms import DIRECTIONS
from sancha.interfaces.web.loans.words import comparison
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.work.trail import told
from sancha.kernel.facts import FactKind
from sancha.kernel.money import rmb_uppercase

READ, CHANGE = "servicing.view", "servicing.change"
TONES = {"PROPOSED": "amber", "RETURNED": "red", "BOOKED": "green", "WITHDRAWN": ""}


class CorrectForm(Form):
    """改正调整：方向、金额、理由。"""

    direction = forms.ChoiceField(label=gettext_lazy("方向"), choices=DIRECTIONS)
    amount_fen = YuanField(label=gettext_lazy("金额"))
    reason = forms.CharField(label=gettext_lazy("理由与依据"), max_length=200, widget=forms.Textarea(attrs={"rows": 2}))
    lay(reason, col="f12")


class WithdrawForm(Form):
    """撤回的原因。"""

    reason = forms.CharField(label=gettext_lazy("撤回原因"), max_length=150)


@page(READ)
@require_safe
def adjustment(request: PageRequest, adjustment_id: int) -> HttpResponse:
    """一笔调整：调什么、为什么、记成什么样、到了哪一步。"""
    return _adjustment(request, adjustment_id)


def _adjustment(request: PageRequest, adjustment_id: int, plain: Form | None = None) -> HttpResponse:
    context = _face(request, adjustment_id)
    info: AdjustmentInfo = context["info"]
    story = told(request, "loan_adjustment", adjustment_id, info, what=_("录入调整"), decided={"on": info.decided_on})
    return show(request, "loans/adjustment.html", context | story | {"plain": plain})


def _face(request: PageRequest, adjustment_id: int) -> dict[str, Any]:
    """要素与此刻的试算；已记账的不再试算，看事实与凭证。"""
    actor = request.actor
    info = adjustment_detail(actor, adjustment_id)
    mine = info.entered_by is None or info.entered_by == actor.person_id
    undecided = info.state in {"PROPOSED", "RETURNED"}
    context: dict[str, Any] = {
        "info": info,
        "tone": TONES[info.state],
        "words": rmb_uppercase(info.amount_fen),
        "may_correct": undecided and mine and actor.may(CHANGE),
        "may_decide": info.state == "PROPOSED" and not mine and actor.may("servicing.authorize"),
    }
    if undecided:
        trial = simulate(
            view_loan(actor=actor, loan_id=info.loan_id), kind=FactKind.ADJUSTMENT, amount_fen=info.amount_fen,
            data={"component": info.component, "direction": info.direction},
        )  # fmt: skip
        context |= {"trial": trial, "rows": [row for row in comparison(trial) if row["changed"]]}
    return context


@page(READ)
@require_safe
def adjustment_brief(request: PageRequest, adjustment_id: int) -> HttpResponse:
    """调整的片段：借据调整复核的任务页取用。"""
    return render(request, "loans/adjustment_brief.html", _face(request, adjustment_id))


@page(CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: PageRequest, adjustment_id: int) -> HttpResponse:
    """改正，重新送复核；成分不对的，撤回后重录。"""
    info = adjustment_detail(request.actor, adjustment_id)
    initial = {"direction": info.direction, "amount_fen": info.amount_fen, "reason": info.reason}
    form = CorrectForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form, operations.correct_adjustment, **submission(request), adjustment_id=adjustment_id, **form.cleaned_data
        )
        if done is not None:
            return go(request, "loans:adjustment", adjustment_id, said=_("已改正，重新送复核。"))
    return show(request, "loans/correct_adjustment.html", {"form": form, "info": info})


@page(CHANGE)
@post_only("loans:adjustment", "adjustment_id")
def withdraw(request: PageRequest, adjustment_id: int) -> HttpResponse:
    """撤回。"""
    form = WithdrawForm(request.POST)
    if form.is_valid():
        done = attempt(
            form,
            operations.withdraw_adjustment,
            **submission(request),
            adjustment_id=adjustment_id,
            **form.cleaned_data,
        )
        if done is not None:
            return go(request, "loans:adjustment", adjustment_id, said=_("已撤回，复核任务一并撤销。"))
    return _adjustment(request, adjustment_id, plain=form)
