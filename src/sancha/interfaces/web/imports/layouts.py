"""版式：列出、看与改对列、另存、删去。"""

from __future__ import annotations

import json

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.servicing.importing.layout import FIELDS, ROLE_NAMES
from sancha.apps.servicing.importing.queries import LayoutInfo, layout_document
from sancha.apps.servicing.importing.queries import layouts as known_layouts
from sancha.apps.servicing.operations import importing
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.imports.forms import LayoutForm, SaveLayoutForm
from sancha.interfaces.web.imports.parts import STAGE, VIEW
from sancha.interfaces.web.imports.views import batch_page
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table


@page(VIEW)
@require_safe
def layout_list(request: PageRequest) -> HttpResponse:
    """版式。"""
    return _list(request)


def _list(request: PageRequest, plain: Form | None = None) -> HttpResponse:
    may_change = request.actor.may(STAGE)

    def act(row: LayoutInfo) -> SafeString | str:
        if not may_change:
            return ""
        use = format_html(
            '<a class="btn btn-sm" href="{}?layout={}">{}</a>', reverse("imports:upload"), row.code, _("用它送件")
        )
        change = format_html(
            '<a class="btn btn-sm" href="{}">{}</a>',
            reverse("imports:layout", args=[row.code]),
            _("改成自己的") if row.built_in else _("修改"),
        )
        return format_html("{} {}", use, change) if "借据" in row.roles else change

    table = Table(
        [
            Column("name", _("版式")),
            Column("code", _("代码"), link=lambda r: reverse("imports:layout-file", args=[r.code]), css="mono"),
            Column("roles", _("文件"), show=lambda r: "、".join(r.roles), css="wrap"),
            Column("currency", _("币种")),
            Column("source", _("来源"), css="wrap muted"),
            Column("unsure", _("用前须知"), css="wrap"),
            Column("version", _("版本"), show=lambda r: _("随系统") if r.built_in else r.version),
        ],
        known_layouts(actor=request.actor),
        actions=act,
        stack=True,
    )
    return show(request, "imports/layouts.html", {"table": table, "plain": plain})


@page(VIEW)
@require_safe
def layout_file(request: PageRequest, code: str) -> HttpResponse:
    """版式全文（JSON）。"""
    document = layout_document(actor=request.actor, code=code)
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return HttpResponse(text, content_type="application/json; charset=utf-8")


@page(STAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def layout(request: PageRequest, code: str) -> HttpResponse:
    """改对列：每个栏目写表头，存成自己的版式；同一代码再存就是新版本。"""
    actor = request.actor
    document = layout_document(actor=actor, code=code)
    own = next((item for item in known_layouts(actor=actor) if item.code == code and not item.built_in), None)
    form = LayoutForm(
        request.POST or None,
        document=document,
        tree=institution_tree(actor),
        fields=FIELDS,
        initial={
            "code": code if own else "",
            "name": document["name"] if own else "",
            "institution_id": actor.institution_id,
        },
    )
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            importing.save_import_layout,
            **submission(request),
            institution_id=form.cleaned_data["institution_id"],
            document=form.changed_document(),
        )
        if done is not None:
            said = _("已存为「%(code)s」第 %(version)s 版，送件时可选。") % done
            return go(request, "imports:layouts", said=said)
    groups = [(ROLE_NAMES[role], fields) for role, fields in form.bound_groups()]
    return show(
        request, "imports/layout.html", {"form": form, "groups": groups, "document": document, "own": own, "code": code}
    )


@page(STAGE)
@post_only("imports:layouts")
def delete(request: PageRequest, code: str) -> HttpResponse:
    """删去自存的版式。"""
    plain = Form(request.POST)
    if attempt(plain, importing.delete_import_layout, **submission(request), code=code) is not None:
        return go(request, "imports:layouts", said=_("已删去；用它送过的批次不受影响。"))
    return _list(request, plain=plain)


@page(STAGE)
@post_only("imports:batch", "batch_id")
def save_used(request: PageRequest, batch_id: int) -> HttpResponse:
    """把这批所用的对列另存。"""
    form = SaveLayoutForm(request.POST)
    if form.is_valid():
        done = attempt(form, importing.save_batch_layout, **submission(request), batch_id=batch_id, **form.cleaned_data)
        if done is not None:
            return go(request, "imports:layouts", said=_("已另存，送件时可选。"))
    return batch_page(request, batch_id, layout_form=form)
