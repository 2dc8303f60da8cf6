"""受理：选客户与产品、填申请表（存草稿，当场看规则）、受理、不予受理、撤回、告知单。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import full_name
from sancha.apps.origination import operations
from sancha.apps.origination.queries import view_case
from sancha.apps.parties.queries import party_row, search
from sancha.apps.products.queries import product_ids, product_version_on
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.origination.case import asked_of, draft_form, show_case
from sancha.interfaces.web.origination.forms import IntakeForm, ReasonForm
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.kit.errors import DomainError
from sancha.rulebook.packs import packs
from sancha.rulebook.vocabulary import CustomerKind

READ, RECEIVE = "origination.view", "origination.receive"
MATCHES = 8


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _offers(kind: str, today: Any) -> list[dict[str, Any]]:
    """按客户类别可办的：项目与其中的产品。"""
    found = []
    for pack in packs().values():
        if kind not in pack.applicant_kinds:
            continue
        ids = product_ids(pack.products)
        versions = [product_version_on(product_id=ids[code], on=today) for code in pack.products if code in ids]
        products = [version for version in versions if version.offered and kind in version.customer_kinds]
        if products:
            found.append({"program": pack.program, "name": pack.name, "products": products})
    return found


def _program_of(product_code: str, kind: CustomerKind) -> str:
    """产品所属的项目。

    :raises DomainError: 没有项目办这个产品，或不办这一类客户。
    """
    for pack in packs().values():
        if product_code in pack.products and kind in pack.applicant_kinds:
            return pack.program
    raise DomainError(
        "PRODUCT_OUT_OF_PROGRAM", _("没有项目给这一类客户办这个产品。"), field="product", value=product_code,
        fix=_("请从列出的产品里选。"),
    )  # fmt: skip


@page(RECEIVE)
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: PageRequest) -> HttpResponse:
    """登记一次询问：找客户 → 选产品 → 填申请表。"""
    actor, today = request.actor, request.business_date
    text = request.GET.get("q", "").strip()
    party_id, product_id = (_number(request.GET.get(name, "")) for name in ("party", "product"))
    party = party_row(actor=actor, party_id=party_id) if party_id else None
    context: dict[str, Any] = {
        "q": text,
        "matches": search(actor=actor, text=text, limit=MATCHES) if text and not party else [],
        "party": party,
        "offers": _offers(party.kind, today) if party and not product_id else [],
    }
    if party and product_id:
        version = product_version_on(product_id=product_id, on=today)
        program = _program_of(version.product_code, party.kind)
        form = IntakeForm(request.POST or None, version=version, asked=asked_of(program, party.kind, version, today))
        if request.method == "POST":
            form.is_valid()
            done = attempt(
                form, operations.open_application, **submission(request), program=program, party_id=party.id,
                product_id=product_id, **_given(form),
            )  # fmt: skip
            if done is not None:
                return go(
                    request,
                    "origination:detail",
                    done["application_id"],
                    said=_("已登记，存为草稿；右边是此刻受理的裁定。"),
                )
        context |= {"form": form, "version": version}
    return show(request, "origination/new.html", context)


def _given(form: IntakeForm) -> dict[str, Any]:
    return {"channel": str(form.data.get("channel", "")), "alone": bool(form.data.get("alone")), "typed": form.typed}


@page(RECEIVE)
@post_only("origination:detail", "application_id")
def save(request: PageRequest, application_id: int) -> HttpResponse:
    """存草稿；同一个按钮里可以接着受理。"""
    view = view_case(actor=request.actor, application_id=application_id, on=request.business_date)
    form = draft_form(request, view, request.POST)
    form.is_valid()  # a draft keeps what is typed, right or wrong: the operation judges, not the form
    saved = attempt(form, operations.save_draft, **submission(request), application_id=application_id, **_given(form))
    if saved is None:
        return show_case(request, application_id, draft=form)
    if request.POST.get("act") == "accept":
        return _accept(request, application_id, form)
    return go(request, "origination:detail", application_id, said=_("草稿已存。"))


def _accept(request: PageRequest, application_id: int, form: IntakeForm) -> HttpResponse:
    done = attempt(form, operations.accept_application, **submission(request), application_id=application_id)
    if done is None:
        return show_case(request, application_id, draft=form)
    said = _("已受理，待上报决定。") if done["state"] == "REFERRED" else _("已受理，待主管指派调查。")
    return go(request, "origination:detail", application_id, said=said)


@page(RECEIVE)
@post_only("origination:detail", "application_id")
def refuse(request: PageRequest, application_id: int) -> HttpResponse:
    """不予受理。"""
    return _with_reason(request, application_id, operations.refuse_application, _("已记下不予受理，请打印告知单。"))


@page(RECEIVE)
@post_only("origination:detail", "application_id")
def withdraw(request: PageRequest, application_id: int) -> HttpResponse:
    """申请人撤回。"""
    return _with_reason(request, application_id, operations.withdraw_application, _("已撤回。"))


def _with_reason(request: PageRequest, application_id: int, operation: Any, said: str) -> HttpResponse:
    form: Form = ReasonForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, operation, **submission(request), application_id=application_id, reason=form.cleaned_data["reason"]
        )
        if done is not None:
            return go(request, "origination:detail", application_id, said=said)
    return show_case(request, application_id, plain=form)


@page(READ)
@require_safe
def refusal_notice(request: PageRequest, application_id: int) -> HttpResponse:
    """不予受理告知单：给申请人，写明原因、依据与怎样再来；浏览器打印。"""
    view = view_case(actor=request.actor, application_id=application_id, on=request.business_date)
    last = view.rulings[0] if view.rulings else None
    failed = (
        [verdict for verdict in last.verdicts if verdict["outcome"] == "FAIL" and verdict["blocks"]] if last else []
    )
    context = {
        "view": view,
        "failed": failed,
        "institution": full_name(view.application.institution_id),
    }
    return render(request, "origination/refusal_notice.html", context)
