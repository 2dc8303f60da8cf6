"""资格与停权的名册：谁不得调查、为什么；发证、停权、恢复。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import names_of
from sancha.apps.authority import operations
from sancha.apps.authority.queries import OFFICER_POSTS, OfficerStanding, officer_roll, suspended_officer
from sancha.interfaces.web.authority import forms
from sancha.interfaces.web.authority.mandates import READ, tabs
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table

CERTIFY, SUSPEND = "authority.certify", "authority.suspend"


@page(READ)
@require_safe
def roll(request: PageRequest) -> HttpResponse:
    """名册：不得调查的在前。"""
    actor = request.actor
    rows = officer_roll(actor=actor, posts=OFFICER_POSTS, on=request.business_date)

    def acts(row: OfficerStanding) -> SafeString:
        links = []
        if actor.may(CERTIFY):
            links.append((reverse("authority:certify", args=[row.person_id]), _("发证")))
        if actor.may(SUSPEND) and row.suspension_id:
            links.append((reverse("authority:resume", args=[row.suspension_id]), _("恢复")))
        elif actor.may(SUSPEND):
            links.append((reverse("authority:suspend", args=[row.person_id]), _("停权")))
        return format_html("{}", SafeString("　".join(format_html('<a href="{}">{}</a>', *link) for link in links)))

    table = Table(
        [
            Column("name", _("姓名")),
            Column("institution_name", _("机构")),
            Column("bar", _("能不能调查"), show=_bar, css="wrap"),
            Column("certificate", _("证书号"), css="mono"),
            Column("certificate_until", _("证书止日"), kind="day"),
            Column("suspended_since", _("停权自"), kind="day"),
            Column("suspension", _("停权原因"), css="wrap"),
            Column("acts", "", show=acts),
        ],
        rows,
        stack=True,
        row_css=lambda row: "warn" if row.bar else "",
        empty=_("范围内没有信贷员"),
    )
    return show(request, "authority/officers.html", {"table": table, "tabs": tabs("authority:officers")})


def _bar(row: OfficerStanding) -> SafeString:
    if row.bar:
        return format_html('<span class="pill red">{}</span> {}', _("不得"), row.bar)
    return format_html('<span class="pill green">{}</span>', _("可以"))


def _ask(
    request: PageRequest, form: Form, title: str, operation: Any, said: str, told: str = "", **subject: int
) -> HttpResponse:
    ready = request.method == "POST" and form.is_valid()
    if ready and attempt(form, operation, **submission(request), **subject, **form.cleaned_data) is not None:
        return go(request, "authority:officers", said=said)
    return show(request, "authority/officer.html", {"form": form, "title": title, "told": told})


@page(CERTIFY)
@require_http_methods(["GET", "HEAD", "POST"])
def certify(request: PageRequest, person_id: int) -> HttpResponse:
    """发资格证书。"""
    title = _("发上岗资格证书：%(name)s") % {"name": names_of([person_id]).get(person_id, "")}
    form = forms.CertifyForm(request.POST or None)
    return _ask(request, form, title, operations.issue_certificate, _("证书已发。"), person_id=person_id)


@page(SUSPEND)
@require_http_methods(["GET", "HEAD", "POST"])
def suspend(request: PageRequest, person_id: int) -> HttpResponse:
    """暂停贷前调查。"""
    title = _("暂停贷前调查：%(name)s") % {"name": names_of([person_id]).get(person_id, "")}
    form = forms.SuspendForm(request.POST or None)
    return _ask(request, form, title, operations.suspend_officer, _("已停权，管户照旧。"), person_id=person_id)


@page(SUSPEND)
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: PageRequest, suspension_id: int) -> HttpResponse:
    """恢复贷前调查：先看清是谁、为什么停的。"""
    found = suspended_officer(actor=request.actor, suspension_id=suspension_id, on=request.business_date)
    title = _("恢复贷前调查：%(name)s") % {"name": found.name}
    told = _("自 %(day)s 停权：%(why)s") % {"day": found.suspended_since, "why": found.suspension}
    form = forms.ResumeForm(request.POST or None)
    return _ask(request, form, title, operations.resume_officer, _("已恢复。"), told=told, suspension_id=suspension_id)
