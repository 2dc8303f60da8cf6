"""签约放款：清单、一卷、面签、作废重出、落实条件、送放款。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.seats import seats_on_line
from sancha.apps.agreements import operations
from sancha.apps.agreements.queries import FileRow, FileView, PaperInfo, list_files, view_file
from sancha.interfaces.web.agreements import forms
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, own_institution, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.errors import NotFound

READ, SIGN, LEND = "agreements.view", "agreements.sign", "servicing.book"
TONES = {"OPEN": "blue", "SENT": "green", "CLOSED": ""}
WITNESS_POSTS = ("LOAN_OFFICER", "TEAM_LEAD", "BRANCH_MANAGER", "INTAKE", "POST_LOAN", "DISBURSEMENT_CLERK")


def _state(row: FileRow) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', TONES[row.state], row.state_name)


def _expiry(row: FileRow) -> SafeString | str:
    if row.expired and row.state == "OPEN":
        return format_html('{} <span class="pill red">{}</span>', words.day(row.expires_on), _("已过期"))
    return words.day(row.expires_on)


def _loan(row: FileRow) -> SafeString | str:
    if not row.loan_id:
        return words.NOTHING
    url = reverse("loans:detail", args=[row.loan_id])
    return format_html('<a class="mono" href="{}">{}</a> {}', url, row.loan_number, row.loan_state)


@page(READ)
@require_safe
def files(request: PageRequest) -> HttpResponse:
    """签约放款清单。"""
    form = forms.FilesFilter(request.GET)
    found = list_files(
        actor=request.actor, filters=form.wanted, on=request.business_date, page=page_number(request.GET)
    )
    table = Table(
        [
            Column("number", _("合同号"), link=lambda r: reverse("agreements:detail", args=[r.id])),
            Column("state", _("状态"), show=_state),
            Column("party_name", _("客户"), link=lambda r: reverse("parties:detail", args=[r.party_id])),
            Column("product_name", _("产品")),
            Column("amount_fen", _("金额"), kind="fen"),
            Column("term", _("期限")),
            Column("rate_ppm", _("年利率"), kind="ppm"),
            Column("expires_on", _("批复有效期至"), show=_expiry),
            Column("loan_number", _("借据"), show=_loan),
            Column("institution_name", _("机构")),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
        empty=_("还没有批复下来的"),
    )
    return render(request, "agreements/list.html", {"form": form, "table": table})


@page(READ)
@require_safe
def file(request: PageRequest, file_id: int) -> HttpResponse:
    """一卷：离放款还差什么、文书与签字、条件、三方核对。"""
    return _file(request, file_id)


def _file(request: PageRequest, file_id: int, **given: Form) -> HttpResponse:
    actor = request.actor
    view = view_file(actor=actor, file_id=file_id, on=request.business_date)
    is_open = view.row.state == "OPEN"
    context: dict[str, Any] = {
        "view": view,
        "tone": TONES[view.row.state],
        "items": _summary(view),
        "may_sign": is_open and actor.may(SIGN),
        "meet_form": given.get("meet") or forms.ProofForm(),
        "lend_form": (given.get("lend") or forms.LendForm()) if is_open and actor.may(LEND) else None,
        **given,
    }
    return show(request, "agreements/detail.html", context)


def _summary(view: FileView) -> list[dict[str, Any]]:
    row = view.row
    return [
        {"label": _("批准金额"), "value": words.fen(row.amount_fen), "big": True},
        {"label": _("期限"), "value": row.term},
        {"label": _("年利率"), "value": words.ppm(row.rate_ppm)},
        {"label": _("还款方式"), "value": row.method_name},
        {"label": _("担保"), "value": row.guarantee_name},
        {"label": _("用途"), "value": row.purpose or words.NOTHING},
        {"label": _("批复有效期至"), "value": _expiry(row)},
        {"label": _("借据"), "value": _loan(row)},
    ]


def paper_of(view: FileView, paper_id: int) -> PaperInfo:
    """卷里的一份文书。

    :raises NotFound: 没有。
    """
    for paper in (*view.papers, *view.void_papers):
        if paper.id == paper_id:
            return paper
    raise NotFound("PAPER_NOT_FOUND", _("没有这份文书。"), field="paper_id", value=paper_id, fix=_("请刷新签约卷。"))


@page(SIGN)
@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: PageRequest, file_id: int, paper_id: int) -> HttpResponse:
    """记一次面签。"""
    view = view_file(actor=request.actor, file_id=file_id, on=request.business_date)
    paper = paper_of(view, paper_id)
    seats = seats_on_line(WITNESS_POSTS, institution_id=own_institution(request), on=request.business_date)
    staff = {seat.person_id: f"{seat.name}（{seat.institution_name}）" for seat in seats}
    staff.pop(request.actor.person_id or 0, None)
    capacity = paper.wanted[0][0] if paper.wanted else ""
    initial = {"signer": "" if capacity == "SPOUSE" else paper.party_name, "place": view.row.institution_name}
    form = forms.SignForm(request.POST or None, paper=paper, staff=list(staff.items()), initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form, operations.sign_paper, **submission(request), file_id=file_id, paper_id=paper_id, **form.cleaned_data
        )
        if done is not None:
            return go(request, "agreements:detail", file_id, said=_("已记面签。"))
    return show(request, "agreements/sign.html", {"form": form, "view": view, "paper": paper})


@page(SIGN)
@require_http_methods(["GET", "HEAD", "POST"])
def redraw(request: PageRequest, file_id: int, paper_id: int) -> HttpResponse:
    """作废重出。"""
    view = view_file(actor=request.actor, file_id=file_id, on=request.business_date)
    form = forms.ReasonForm(request.POST or None)
    ready = request.method == "POST" and form.is_valid()
    given = {**submission(request), "file_id": file_id, "paper_id": paper_id}
    if ready and attempt(form, operations.redraw_paper, **given, **form.cleaned_data) is not None:
        return go(request, "agreements:detail", file_id, said=_("已作废，新的一份请重新签。"))
    return show(request, "agreements/redraw.html", {"form": form, "view": view, "paper": paper_of(view, paper_id)})


@page(SIGN)
@post_only("agreements:detail", "file_id")
def meet(request: PageRequest, file_id: int, condition_id: int) -> HttpResponse:
    """落实一条放款条件。"""
    form = forms.ProofForm(request.POST)
    if form.is_valid():
        given = {**submission(request), "file_id": file_id, "condition_id": condition_id}
        if attempt(form, operations.meet_condition, **given, **form.cleaned_data) is not None:
            return go(request, "agreements:detail", file_id, said=_("已落实。"))
    return _file(request, file_id, meet=form)


@page(LEND)
@post_only("agreements:detail", "file_id")
def lend(request: PageRequest, file_id: int) -> HttpResponse:
    """送放款：三方核对之后登记借据，另一人复核。"""
    form = forms.LendForm(request.POST)
    if form.is_valid():
        done = attempt(form, operations.send_to_lend, **submission(request), file_id=file_id, **form.cleaned_data)
        if done is not None:
            return go(
                request, "loans:detail", done["loan_id"], said=_("三方核对相符，借据已登记，待会计主管复核放款。")
            )
    return _file(request, file_id, lend=form)
