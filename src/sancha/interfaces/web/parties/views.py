"""客户一览、档案、登记，与档案上的各项办理。"""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import holders_of, institution_tree
from sancha.apps.parties import operations
from sancha.apps.parties.queries import PartyRow, list_parties, party_in_scope
from sancha.interfaces.web.pages import attempt, go, own_institution, page, post_only, show
from sancha.interfaces.web.parties import forms
from sancha.interfaces.web.parties.pages import other_party, party_page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number

READ, EDIT, REVEAL = "parties.view", "parties.edit", "parties.reveal"
OFFICER_POST = "LOAN_OFFICER"


def _table(rows: list[PartyRow], pagination: Pagination) -> Table:
    return Table(
        [
            Column("name", _("名称"), link=lambda p: reverse("parties:detail", args=[p.id])),
            Column("number", _("客户号"), css="mono"),
            Column("kind", _("类别"), show=lambda p: p.kind.label),
            Column(
                "id_number",
                _("证件"),
                show=lambda p: format_html(
                    '<span class="mono">{}</span> <span class="muted small">{}</span>', p.id_number, p.id_kind
                ),
            ),
            Column("gender", _("性别")),
            Column("birth_year", _("出生年"), show=lambda p: p.birth_year or ""),
            Column("phone", _("电话"), css="mono"),
            Column("address", _("地址"), css="wrap"),
            Column("industry_name", _("行业")),
        ],
        rows,
        pagination=pagination,
        stack=True,
        empty=_("没有符合条件的客户"),
    )


@page(READ)
@require_safe
def parties(request: PageRequest) -> HttpResponse:
    """客户一览（遮蔽）。"""
    form = forms.PartiesFilter(request.GET)
    found = list_parties(actor=request.actor, filters=form.wanted, page=page_number(request.GET))
    return render(request, "parties/list.html", {"form": form, "table": _table(found.rows, Pagination.over(found))})


@page(READ)
@require_safe
def party(request: PageRequest, party_id: int) -> HttpResponse:
    """客户一档；旧档已并入别的一档的，转到那一档。"""
    found = party_in_scope(request.actor, party_id)
    if found.pk != party_id:
        return redirect("parties:detail", found.pk)
    return party_page(request, party_id)


@page(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: PageRequest) -> HttpResponse:
    """登记客户：同一证件已有档的，直接进那一档。"""
    actor, today = request.actor, request.business_date
    officers = [
        (person.id, person.name)
        for person in holders_of(OFFICER_POST, institution_id=own_institution(request), on=today)
    ]
    form = forms.RegisterForm(
        request.POST or None,
        tree=institution_tree(actor),
        officers=officers,
        initial={"institution_id": actor.institution_id, "name": request.GET.get("name", "")},
    )
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.register_party, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(
                request,
                "parties:detail",
                done["party_id"],
                said=_("客户 %(number)s 已登记。") % {"number": done["number"]},
            )
    return show(request, "parties/register.html", {"form": form})


@page(REVEAL)
@post_only("parties:detail", "party_id")
def reveal(request: PageRequest, party_id: int) -> HttpResponse:
    """查看明文：先留痕，再在这一页显示一次。"""
    form = forms.RevealForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        done = attempt(
            form,
            operations.reveal_party,
            **submission(request),
            party_id=party_id,
            fields=given["fields_wanted"],
            reason=given["reason"],
        )
        if done is not None:
            # Not a redirect: the clear text exists in this response only, never in session or URL.
            return party_page(request, party_id, clear=done["clear"])
    return party_page(request, party_id, reveal_form=form)


@page(EDIT)
@post_only("parties:detail", "party_id")
def amend(request: PageRequest, party_id: int) -> HttpResponse:
    """更正资料。"""
    form = forms.AmendForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        done = attempt(
            form,
            operations.amend_party,
            **submission(request),
            party_id=party_id,
            changes={given["field"]: given["value"]},
            reason=given["reason"],
            source=given["source"],
        )
        if done is not None:
            return go(request, "parties:detail", party_id, said=_("资料已更正，前后值记入信用档案。"))
    return party_page(request, party_id, amend_form=form)


@page(EDIT)
@post_only("parties:detail", "party_id")
def add_contact(request: PageRequest, party_id: int) -> HttpResponse:
    """添联系方式。"""
    form = forms.ContactForm(request.POST)
    if (
        form.is_valid()
        and attempt(form, operations.add_contact, **submission(request), party_id=party_id, **form.cleaned_data)
        is not None
    ):
        return go(request, "parties:detail", party_id, said=_("联系方式已添加。"))
    return party_page(request, party_id, contact_form=form)


@page(EDIT)
@post_only("parties:detail", "party_id")
def add_relation(request: PageRequest, party_id: int) -> HttpResponse:
    """添关系。"""
    form = forms.RelationForm(request.POST)
    if form.is_valid():
        given = {name: value for name, value in form.cleaned_data.items() if name != "other_number"}
        other = other_party(form, "other_number", fix=_("先登记此人，或核对客户号。"))
        if other is not None:
            done = attempt(
                form, operations.add_relation, **submission(request), party_id=party_id, other_id=other, **given
            )
            if done is not None:
                return go(request, "parties:detail", party_id, said=_("关系已添加。"))
    return party_page(request, party_id, relation_form=form)


@page(EDIT)
@post_only("parties:detail", "party_id")
def add_entry(request: PageRequest, party_id: int) -> HttpResponse:
    """记信用档案。"""
    form = forms.EntryForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        done = attempt(
            form,
            operations.record_fact,
            **submission(request),
            party_id=party_id,
            topic=given["topic"],
            source=given["source"],
            content={"text": given["text"]},
        )
        if done is not None:
            return go(request, "parties:detail", party_id, said=_("已记入信用档案；只增不改，更正另记一条。"))
    return party_page(request, party_id, entry_form=form)
