"""各步的办理：指派、记事实、保证人、提交审查、审查、审批、退回、决定上报。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from sancha.apps.origination import operations
from sancha.apps.origination.queries import view_case, waiting_task
from sancha.apps.parties.queries import find_by_number
from sancha.apps.work.operations import submit_task
from sancha.interfaces.web.origination import forms
from sancha.interfaces.web.origination.case import assign_form, elements_form, show_case
from sancha.interfaces.web.pages import attempt, blame, go, page, post_only
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.kit.errors import DomainError

ASSIGN, INVESTIGATE, COLLECT = "origination.assign", "origination.investigate", "origination.collect"
REVIEW, APPROVE, EXCEPT, ACT = "origination.review", "origination.approve", "origination.except", "work.act"
BACK = ("origination:detail", "application_id")


def _case(request: PageRequest, application_id: int) -> Any:
    return view_case(actor=request.actor, application_id=application_id, on=request.business_date)


@page(ASSIGN)
@post_only(*BACK)
def assign(request: PageRequest, application_id: int) -> HttpResponse:
    """指派主调与辅调。"""
    form = assign_form(_case(request, application_id), request.business_date, request.POST)
    if form.is_valid():
        given = {**submission(request), "application_id": application_id, **form.cleaned_data}
        if attempt(form, operations.assign_investigators, **given) is not None:
            return go(request, "origination:detail", application_id, said=_("已指派，调查任务到了主调的工作台。"))
    return show_case(request, application_id, assign=form)


@page(INVESTIGATE)
@post_only(*BACK)
def facts(request: PageRequest, application_id: int) -> HttpResponse:
    """记事实：填了的才记。"""
    form = forms.FactsForm(request.POST, view=_case(request, application_id))
    form.is_valid()  # what cannot be read is told by the operation, all at once
    done = attempt(
        form,
        operations.record_facts,
        **submission(request),
        application_id=application_id,
        observations=form.observations,
    )
    if done is None:
        return show_case(request, application_id, facts=form)
    return go(request, _tab_url(application_id, "facts"), said=_("记下 %(n)s 项。") % {"n": done["recorded"]})


def _tab_url(application_id: int, tab: str) -> str:
    return reverse("origination:detail", args=[application_id]) + f"?tab={tab}"


@page(COLLECT)
@post_only(*BACK)
def receive_material(request: PageRequest, application_id: int) -> HttpResponse:
    """收一样材料。"""
    return _material(request, application_id, operations.receive_material, ("code", "guarantor_id", "compared"))


@page(COLLECT)
@post_only(*BACK)
def compare_material(request: PageRequest, application_id: int) -> HttpResponse:
    """与原件核对并签名。"""
    return _material(request, application_id, operations.compare_material, ("code", "guarantor_id"))


@page(COLLECT)
@post_only(*BACK)
def return_material(request: PageRequest, application_id: int) -> HttpResponse:
    """退还一样材料，写明原因。"""
    return _material(request, application_id, operations.return_material, ("code", "guarantor_id", "reason"))


def _material(request: PageRequest, application_id: int, operation: Any, names: tuple[str, ...]) -> HttpResponse:
    form = forms.MaterialForm(request.POST)
    if form.is_valid():
        given = {name: form.cleaned_data[name] for name in names}
        if attempt(form, operation, **submission(request), application_id=application_id, **given) is not None:
            return go(request, _tab_url(application_id, "materials"), said=_("已记下。"))
    return show_case(request, application_id, collecting=form)


@page(INVESTIGATE)
@post_only(*BACK)
def add_guarantor(request: PageRequest, application_id: int) -> HttpResponse:
    """登记一位保证人。"""
    form = forms.GuarantorForm(request.POST)
    if form.is_valid():
        party = attempt(form, find_by_number, actor=request.actor, number=form.cleaned_data["number"])
        if party is not None:
            done = attempt(
                form, operations.add_guarantor, **submission(request), application_id=application_id,
                party_id=party.id, kind=form.cleaned_data["kind"],
            )  # fmt: skip
            if done is not None:
                return go(request, _tab_url(application_id, "facts"), said=_("已登记保证人，请逐项记他的事实。"))
    return show_case(request, application_id, guarantor=form)


@page(INVESTIGATE)
@post_only(*BACK)
def remove_guarantor(request: PageRequest, application_id: int, guarantor_id: int) -> HttpResponse:
    """撤换保证人。"""
    form = forms.ReasonForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.remove_guarantor, **submission(request), application_id=application_id,
            guarantor_id=guarantor_id, reason=form.cleaned_data["reason"],
        )  # fmt: skip
        if done is not None:
            return go(request, _tab_url(application_id, "facts"), said=_("已撤换，记录留着。"))
    return show_case(request, application_id, plain=form)


@page(INVESTIGATE)
@post_only(*BACK)
def finish(request: PageRequest, application_id: int) -> HttpResponse:
    """提交审查。"""
    form = elements_form(_case(request, application_id), request.business_date, request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.finish_survey, **submission(request), application_id=application_id,
            proposed=form.elements, opinion=form.cleaned_data["opinion"], conditions=form.listed,
        )  # fmt: skip
        if done is not None:
            return go(request, "origination:detail", application_id, said=_("已提交审查。"))
    return show_case(request, application_id, finish=form)


@page(REVIEW)
@post_only(*BACK)
def review(request: PageRequest, application_id: int) -> HttpResponse:
    """审查通过。"""
    form = forms.OpinionForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.pass_review, **submission(request), application_id=application_id,
            opinion=form.cleaned_data["opinion"], conditions=form.listed,
        )  # fmt: skip
        if done is not None:
            return go(request, "origination:detail", application_id, said=_("审查通过，已送审批。"))
    return show_case(request, application_id, review=form)


@page(APPROVE)
@post_only(*BACK)
def approve(request: PageRequest, application_id: int) -> HttpResponse:
    """批准：按建议或改动要素。"""
    form = elements_form(_case(request, application_id), request.business_date, request.POST)
    if form.is_valid():
        done = attempt(
            form, operations.approve, **submission(request), application_id=application_id,
            chosen=form.elements, opinion=form.cleaned_data["opinion"], conditions=form.listed,
        )  # fmt: skip
        if done is not None:
            return go(
                request,
                "origination:detail",
                application_id,
                said=_("已批准，批复有效期至 %(day)s。") % {"day": done["expires_on"]},
            )
    return show_case(request, application_id, approve=form)


@page(ACT)
@post_only(*BACK)
def turn_back(request: PageRequest, application_id: int) -> HttpResponse:
    """退回补充或否决：办结走到的一步的任务。"""
    form = forms.TurnBackForm(request.POST)
    if form.is_valid() and _closed(request, application_id, form):
        return go(request, "origination:detail", application_id, said=_("已办。"))
    return show_case(request, application_id, turn_back=form)


@page(EXCEPT)
@post_only(*BACK)
def refer(request: PageRequest, application_id: int) -> HttpResponse:
    """决定上报的例外。"""
    form = forms.ReferForm(request.POST)
    if form.is_valid() and _closed(request, application_id, form):
        return go(request, "origination:detail", application_id, said=_("已决定。"))
    return show_case(request, application_id, refer=form)


def _closed(request: PageRequest, application_id: int, form: Any) -> bool:
    try:
        submit_task(**submission(request), task_id=waiting_task(request.actor, application_id), **form.cleaned_data)
    except DomainError as problem:
        blame(form, problem)
        return False
    return True
