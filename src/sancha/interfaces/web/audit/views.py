"""审计：翻看、核对链条、带摘要导出。"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.access.queries import find_person, institution_tree
from sancha.interfaces.web.audit.contents import words_of
from sancha.interfaces.web.audit.forms import AuditFilter, VerifyForm
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.exports import with_rows
from sancha.interfaces.web.pages import attempt, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.subjects import subject_names, written
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kit import audit, spreadsheets
from sancha.kit.audit_log import EventFilter, EventRow, all_events, events
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation_names
from sancha.rulebook.posts import post_name

READ, EXPORT = "audit.view", "reporting.export"
NOBODY = -1


@page(READ)
@require_safe
def event_list(request: PageRequest) -> HttpResponse:
    """审计事件。"""
    return _events(request)


def _where(request: PageRequest) -> tuple[AuditFilter, EventFilter, dict[int, str]]:
    """筛选表单、交给查询的条件、范围内机构的名字。"""
    form = AuditFilter(request.GET)
    username = request.GET.get("person", "").strip()
    person_id = None
    if username:
        found = find_person(username)
        person_id = found.id if found else NOBODY
    places = {node.id: node.name for node in institution_tree(request.actor, with_closed=True)}
    return form, form.wanted(person_id=person_id, institution_ids=tuple(places)), places


def _events(request: PageRequest, **extra: Any) -> HttpResponse:
    actor = request.actor
    form, where, places = _where(request)
    found = events(where, page=page_number(request.GET))
    names = subject_names([*(row.subject for row in found.rows), *(f"person:{row.person_id}" for row in found.rows)])
    table = Table(
        [
            Column("at", _("时刻"), kind="moment"),
            Column("person_id", _("谁"), show=lambda r: names.get(("person", r.person_id or 0), _("系统"))),
            Column(
                "post_code", _("岗位"), show=lambda r: _("系统") if r.post_code == "SYSTEM" else post_name(r.post_code)
            ),
            Column(
                "institution_id",
                _("机构"),
                show=lambda r: places.get(r.institution_id or 0, "—"),
            ),
            Column("operation", _("操作"), css="mono"),
            Column("subject", _("对象"), show=lambda r: written(actor, r.subject, names)),
            Column("data", _("内容"), show=lambda r: words_of(r.data), css="wrap muted"),
            Column("seal_no", _("封条"), show=_seal),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
    )
    context = {
        "form": form,
        "table": table,
        "operation_names": operation_names(),
        "verify_form": VerifyForm(),
        "export_url": f"{reverse('audit:export')}?{request.GET.urlencode()}" if actor.may(EXPORT) else "",
    }
    return show(request, "audit/events.html", context | extra)


def _seal(row: EventRow) -> SafeString:
    if row.seal_no is None:
        return format_html('<span class="pill amber">{}</span>', _("待封"))
    return format_html('<span class="num" title="{}">{}</span>', row.seal, row.seal_no)


@page(READ)
@require_safe
def chain(request: PageRequest) -> HttpResponse:
    """链条的片段：链头、已封存、待封存、缺不缺触发器；翻页筛选时不必再数一遍。"""
    return render(request, "audit/chain.html", _chain())


def _chain() -> dict[str, Any]:
    return {"head": audit.head(), "pending": audit.pending_count(), "missing": audit.missing_guards()}


@page(READ)
@post_only("audit:events")
def verify(request: PageRequest) -> HttpResponse:
    """核对链条：先把没封的封上，再逐条重算。"""
    form = VerifyForm(request.POST)
    published = attempt(form, _published, request.POST.get("published", "")) if form.is_valid() else None
    if form.errors:
        return _events(request, verify_form=form)
    audit.seal_pending()
    return _events(request, verify_form=form, result=audit.verify(published=published), **_chain())


def _published(text: str) -> audit.Head | None:
    if not text.strip():
        return None
    try:
        return audit.parse_head(text)
    except ValueError as wrong:
        raise DomainError(
            "HEAD_UNREADABLE", str(wrong), field="published", value=text, fix=_("请照日终报告上印的原样填写。")
        ) from wrong


@page(EXPORT)
@require_safe
def export(request: PageRequest) -> FileResponse:
    """导出：表头注明谁、何时、链头，末行是全部内容的摘要；导出本身也进审计。"""
    actor = request.actor
    actor.require(READ)
    _form, where, _places = _where(request)
    digest = hashlib.sha256()
    head = audit.head()
    rows = list(_lines(where, digest))
    kinds = spreadsheets.Kind
    response = excel(
        "审计记录",
        columns=[
            spreadsheets.Column("id", "编号", kinds.INTEGER),
            spreadsheets.Column("at", "时刻", kinds.DATETIME),
            spreadsheets.Column("person_id", "人员编号", kinds.INTEGER),
            spreadsheets.Column("post", "岗位"),
            spreadsheets.Column("operation", "操作"),
            spreadsheets.Column("subject", "对象"),
            spreadsheets.Column("on_day", "营业日", kinds.DATE),
            spreadsheets.Column("data", "内容"),
            spreadsheets.Column("seal_no", "封存序号", kinds.INTEGER),
            spreadsheets.Column("seal", "封条"),
        ],
        rows=rows,
        notes=[
            f"导出人 {actor.name}（{post_name(actor.post_code)}） 时刻 {now().isoformat(timespec='seconds')}",
            f"链头 {head.text}",
            f"内容摘要 sha256 {digest.hexdigest()}（共 {len(rows)} 条）",
        ],
    )
    return with_rows(response, len(rows), sha256=digest.hexdigest())


def _lines(where: EventFilter, digest: Any) -> Iterator[dict[str, Any]]:
    for row in all_events(where):
        line = {
            "id": row.id, "at": row.at, "person_id": row.person_id, "post": post_name(row.post_code), "operation": row.operation,
            "subject": row.subject, "on_day": row.on_day, "data": json.dumps(row.data, ensure_ascii=False, sort_keys=True),
            "seal_no": row.seal_no, "seal": row.seal,
        }  # fmt: skip
        digest.update(json.dumps(line, ensure_ascii=False, sort_keys=True, default=str).encode())
        yield line
