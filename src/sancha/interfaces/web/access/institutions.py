"""一家机构：开业、改名、划转、停业，历次隶属与在任人员。"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access import operations
from sancha.apps.access.obstacles import Obstacle, obstacles_to_closing
from sancha.apps.access.queries import institution_detail, institution_tree, names_of
from sancha.interfaces.web.access.forms import EditInstitutionForm, MoveInstitutionForm, OpenInstitutionForm
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.actor import Actor

READ, WRITE = "access.view", "access.manage"


@dataclass(frozen=True)
class Remedy:
    """一类妨碍去哪里了结：页面、参数名、要的权限、链接上的字。"""

    page: str
    parameter: str
    permission: str
    text: Any


# 妨碍的种类 → 去哪里了结；``child`` 与 ``holding`` 就在本页上。
REMEDIES = {
    "child": Remedy("access:institutions", "institution", "access.view", gettext_lazy("下级机构")),
    "loan": Remedy("loans:list", "institution", "servicing.view", gettext_lazy("借据台账")),
    "money": Remedy("cash:till", "", "cashdesk.view", gettext_lazy("现金与账户")),
    "task": Remedy("tasks", "institution", "work.oversee", gettext_lazy("待办")),
}


def _obstacle(actor: Actor, institution_id: int, item: Obstacle) -> dict[str, Any]:
    remedy = REMEDIES.get(item.kind)
    href, note = ("#holders", "") if item.kind == "holding" else ("", "")
    if remedy is not None and actor.may(remedy.permission):
        href = reverse(remedy.page) + (f"?{remedy.parameter}={institution_id}" if remedy.parameter else "")
    elif remedy is not None:
        note = _("请由能看「%(page)s」的岗位了结") % {"page": remedy.text}
    return {"text": item.text, "href": href, "note": note, "go": remedy.text if remedy else _("在任人员")}


@page(READ)
@require_safe
def institution(request: PageRequest, institution_id: int) -> HttpResponse:
    """一家机构。"""
    return _institution_page(request, institution_id)


def _institution_page(request: PageRequest, institution_id: int, **bound: Form) -> HttpResponse:
    actor, today = request.actor, request.business_date
    found = institution_detail(actor, institution_id, on=today)
    info = found.info
    recorders = names_of(item.recorded_by_id for item in found.placements)
    context: dict[str, Any] = {
        "found": found,
        "info": info,
        "steps": [
            {
                "title": _("由「%(parent)s」管辖") % {"parent": item.parent_name}
                if item.parent_name
                else _("独立机构"),
                "on": item.valid_from,
                "by": recorders.get(item.recorded_by_id or 0, _("系统")),
                "state": "done",
            }
            for item in found.placements
        ],
        "holders": Table(
            [
                Column(
                    "name",
                    _("姓名"),
                    show=lambda r: r[0],
                    link=lambda r: reverse("access:person", args=[r[1].person_id]),
                ),
                Column("post", _("岗位"), show=lambda r: r[1].post_name),
                Column("from", _("起日"), show=lambda r: words.day(r[1].valid_from)),
                Column(
                    "to", _("止日（不含）"), show=lambda r: words.day(r[1].valid_to) if r[1].valid_to else _("长期")
                ),
            ],
            found.holders,
            stack=True,
            empty=_("没有人在此任职"),
        ),
    }
    if actor.may(WRITE) and info.is_open:
        tree = institution_tree(actor)
        initial = {"name": info.name, "address": info.address, "phone": info.phone}
        context |= {
            "edit_form": EditInstitutionForm(initial=initial),
            "move_form": MoveInstitutionForm(tree=tree, moved=info),
            "obstacles": [
                _obstacle(actor, institution_id, item)
                for item in obstacles_to_closing(institution_id=institution_id, on=today)
            ],
            "may_close": True,
        }
    return show(request, "access/institution.html", context | bound)


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def open_institution(request: PageRequest) -> HttpResponse:
    """设立机构：归入上级的营业日与日终分区，当天即可办理业务。"""
    form = OpenInstitutionForm(
        request.POST or None,
        tree=institution_tree(request.actor),
        initial={"parent_id": request.GET.get("parent")},
    )
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.open_institution, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "access:institution", done["institution_id"], said=_("机构已设立，可以授予岗位了。"))
    return show(request, "access/open_institution.html", {"form": form})


@page(WRITE)
@post_only("access:institution", "institution_id")
def edit_institution(request: PageRequest, institution_id: int) -> HttpResponse:
    """改名、改地址与电话。"""
    form = EditInstitutionForm(request.POST)
    return _write(request, institution_id, "edit_form", form, operations.edit_institution, _("机构资料已修改。"))


@page(WRITE)
@post_only("access:institution", "institution_id")
def move_institution(request: PageRequest, institution_id: int) -> HttpResponse:
    """划转：整棵子树的数据范围随之改变。"""
    moved = institution_detail(request.actor, institution_id, on=request.business_date).info
    form = MoveInstitutionForm(request.POST, tree=institution_tree(request.actor), moved=moved)
    said = _("机构已划转，数据范围自即刻起改变；历次隶属保留。")
    return _write(request, institution_id, "move_form", form, operations.move_institution, said)


@page(WRITE)
@post_only("access:institution", "institution_id")
def close_institution(request: PageRequest, institution_id: int) -> HttpResponse:
    """停业：有妨碍的逐条列出。"""
    form = Form(request.POST)
    said = _("机构已停业；历史业务仍可查阅。")
    return _write(request, institution_id, "close_form", form, operations.close_institution, said)


def _write(request: PageRequest, institution_id: int, name: str, form: Form, operation: Any, said: str) -> HttpResponse:
    if form.is_valid():
        values = {"institution_id": institution_id, **form.cleaned_data}
        if attempt(form, operation, **submission(request), **values) is not None:
            return go(request, "access:institution", institution_id, said=said)
    return _institution_page(request, institution_id, **{name: form})
