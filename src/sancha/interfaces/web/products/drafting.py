"""起草与复核：建产品、起草新版本、停办与利率；修订稿与它改了什么。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree, institutions_by_id, names_of
from sancha.apps.products import operations
from sancha.apps.products.queries import (
    DraftInfo,
    VersionInfo,
    draft,
    list_products,
    product_info,
    version_history,
)
from sancha.apps.work.queries import open_task_of
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.products.forms import ProductForm, RateCardForm, VersionForm, WithdrawForm
from sancha.interfaces.web.products.terms import Change, changes, clause_changes, show_percent
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table
from sancha.rulebook.product_terms import LprRate
from sancha.rulebook.vocabulary import CustomerKind, label

READ, WRITE = "products.view", "products.edit"
CHECK_KIND, SUBJECT = "PRODUCT_CHECK", "product_draft"


def change_table(rows: list[Change]) -> Table:
    """改了什么：栏目、现行、拟改。"""
    return Table(
        [Column("title", _("栏目")), Column("before", _("现行"), css="wrap"), Column("after", _("拟改"), css="wrap")],
        rows,
        stack=True,
        empty=_("没有不同"),
    )


def draft_changes(found: DraftInfo) -> list[Change]:
    """修订稿与起草时的现行版本的不同。"""
    history = version_history(product_id=found.product_id)
    base = next((item for item in history if item.seq == found.base_seq), None)
    since = Change(_("起效日"), base.valid_from.isoformat() if base else "—", found.valid_from.isoformat())
    if found.kind == "WITHDRAWAL":
        return [Change(_("办理"), _("在办"), _("停办")), since]
    if found.kind == "RATE":
        return [*_rate_changes(found), Change(_("起效日"), "—", found.valid_from.isoformat())]
    before = base.terms.model_dump(mode="json") if base else None
    rows = changes(before, found.content["terms"])
    return [*rows, *clause_changes(base.clauses if base else (), found.content["clauses"]), since]


def _rate_changes(found: DraftInfo) -> list[Change]:
    content = found.content
    place = institutions_by_id([content["institution_id"]]).get(content["institution_id"])
    price = (
        show_percent(content["rate_ppm"]) if content["rate_ppm"] is not None else f"LPR {content['spread_bp']:+d} bp"
    )
    return [
        Change(_("适用机构"), "", place.name if place else ""),
        Change(_("客户类别"), "", label(CustomerKind(content["customer_kind"]))),
        Change(_("执行价"), "", price),
    ]


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: PageRequest) -> HttpResponse:
    """建产品，随后起草首个版本。"""
    form = ProductForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.create_product, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "products:draft-version", done["product_id"], said=_("产品已建，请起草首个版本。"))
    return show(request, "products/create.html", {"form": form})


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def draft_version(request: PageRequest, product_id: int) -> HttpResponse:
    """起草新版本：从现行版本改起；首个版本可以照抄另一个产品的条款。"""
    info = product_info(product_id=product_id, on=request.business_date)
    base = _base_of(request, product_id)
    others = [row for row in list_products(actor=request.actor, on=request.business_date) if row.version_seq]
    if base is None:
        return show(request, "products/draft_version.html", {"product": info, "others": others})
    first = base.product_id != product_id
    document = base.terms.model_dump(mode="json")
    form = VersionForm(
        request.POST or None, document=document, based_on=list(base.clauses), valid_from=request.business_date
    )
    context: dict[str, Any] = {"product": info, "form": form, "base": base, "first": first}
    if request.method == "POST" and form.is_valid():
        given = {
            "product_id": product_id,
            "valid_from": form.cleaned_data["valid_from"],
            "terms": form.document,
            "clauses": form.clause_codes,
            "reason": form.cleaned_data["reason"],
        }
        if request.POST.get("act") == "compare":
            found = changes(None if first else document, form.document)
            context["table"] = change_table([*found, *clause_changes(base.clauses, form.clause_codes)])
            return render(request, "products/draft_version.html", context)
        done = attempt(form, operations.propose_version, **submission(request), **given)
        if done is not None:
            return go(request, "products:draft", done["draft_id"], said=_("修订稿已提交，待另一人复核后发布。"))
    return show(request, "products/draft_version.html", context)


def _base_of(request: PageRequest, product_id: int) -> VersionInfo | None:
    """从哪个版本改起：自己的最新版本；还没有版本的，照抄 ``?copy=`` 的那个产品。"""
    if own := version_history(product_id=product_id):
        return own[0]
    copied = request.GET.get("copy", "")
    found = version_history(product_id=int(copied)) if copied.isascii() and copied.isdigit() else []
    return found[0] if found else None


@page(WRITE)
@post_only("products:detail", "product_id")
def withdraw(request: PageRequest, product_id: int) -> HttpResponse:
    """起草停办。"""
    return _propose(request, product_id, WithdrawForm(request.POST), operations.propose_withdrawal)


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def draft_rate(request: PageRequest, product_id: int) -> HttpResponse:
    """起草利率。"""
    history = version_history(product_id=product_id)
    info = product_info(product_id=product_id, on=request.business_date)
    form = RateCardForm(
        request.POST or None,
        tree=institution_tree(request.actor),
        kinds=info.customer_kinds,
        by_spread=bool(history) and isinstance(history[0].terms.rate, LprRate),
        initial={"valid_from": request.business_date},
    )
    if request.method == "POST":
        return _propose(request, product_id, form, operations.propose_rate)
    return show(request, "products/propose.html", {"form": form, "product": info, "heading": _("起草利率")})


def _propose(request: PageRequest, product_id: int, form: Form, operation: Any) -> HttpResponse:
    if form.is_valid():
        done = attempt(form, operation, **submission(request), product_id=product_id, **form.cleaned_data)
        if done is not None:
            return go(request, "products:draft", done["draft_id"], said=_("修订稿已提交，待另一人复核后发布。"))
    info = product_info(product_id=product_id, on=request.business_date)
    heading = _("起草停办") if isinstance(form, WithdrawForm) else _("起草利率")
    return show(request, "products/propose.html", {"form": form, "product": info, "heading": heading})


@page(READ)
@require_safe
def draft_page(request: PageRequest, draft_id: int) -> HttpResponse:
    """一份修订稿：改了什么、谁起草、复核到哪一步。"""
    return render(request, "products/draft.html", _draft_context(draft_id))


@page(READ)
@require_safe
def draft_brief(request: PageRequest, draft_id: int) -> HttpResponse:
    """任务页上的片段：改了什么。"""
    return render(request, "products/draft_brief.html", _draft_context(draft_id))


def _draft_context(draft_id: int) -> dict[str, Any]:
    found = draft(draft_id=draft_id)
    task_id = open_task_of(kind=CHECK_KIND, subject_type=SUBJECT, subject_id=draft_id)
    return {
        "draft": found,
        "table": change_table(draft_changes(found)),
        "drafted_by": names_of([found.drafted_by_id]).get(found.drafted_by_id, ""),
        "task_url": reverse("task", args=[task_id]) if task_id else "",
    }
