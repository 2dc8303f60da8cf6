"""机构树、人员、任职：查看与办理。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access import operations
from sancha.apps.access.queries import (
    InstitutionInfo,
    PersonInfo,
    holding_history,
    institution_tree,
    list_people,
    names_of,
    person_detail,
)
from sancha.interfaces.web.access.forms import EndForm, GrantForm, PeopleFilter, PersonForm
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.session import second_factor
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.rulebook.posts import permission_names, posts

ON_SCREEN = 50
READ = "access.view"
WRITE = "access.manage"


def _posts_of(person: PersonInfo) -> SafeString | str:
    tags = format_html_join(
        " ",
        '<span class="pill blue" title="{}">{}</span>',
        ((h.institution_name, h.post_name) for h in person.holdings),
    )
    return tags or format_html('<span class="pill amber">{}</span>', _("无岗位"))


def _state_of(person: PersonInfo) -> SafeString:
    if not person.is_active:
        return format_html('<span class="pill red">{}</span>', _("停用"))
    if person.must_change_password:
        return format_html('<span class="pill">{}</span>', _("待改密码"))
    return format_html('<span class="pill green">{}</span>', _("启用"))


def _people_table(rows: list[PersonInfo], pagination: Pagination) -> Table:
    return Table(
        [
            Column("name", _("姓名"), link=lambda p: reverse("access:person", args=[p.id])),
            Column("username", _("用户名"), css="mono"),
            Column("employee_no", _("工号")),
            Column("institution_name", _("所属机构")),
            Column("holdings", _("岗位"), show=_posts_of, css="wrap"),
            Column("is_active", _("账户"), show=_state_of),
        ],
        rows,
        pagination=pagination,
        stack=True,
        row_css=lambda p: "" if p.is_active else "off",
        empty=_("没有符合条件的人员"),
    )


@page(READ)
@require_safe
def institutions(request: PageRequest) -> HttpResponse:
    """机构树与所选机构的人员。"""
    actor, today = request.actor, request.business_date
    form = PeopleFilter(request.GET)
    wanted = form.wanted
    tree = institution_tree(actor, with_closed=True)
    chosen = _chosen(tree, wanted["institution_id"])
    wanted["institution_id"] = chosen.id if chosen else None
    people = list_people(actor, on=today, page=page_number(request.GET), size=ON_SCREEN, **wanted)
    context = {
        "nodes": _nodes(tree),
        "chosen": chosen,
        "form": form,
        "table": _people_table(people.rows, Pagination.over(people)),
    }
    return render(request, "access/institutions.html", context)


def _chosen(tree: list[InstitutionInfo], wanted: int | None) -> InstitutionInfo | None:
    """点中的机构；没点或不在范围内，就是自己所在的那棵的根。"""
    return next((node for node in tree if node.id == wanted), tree[0] if tree else None)


def _nodes(tree: list[InstitutionInfo]) -> list[tuple[int, InstitutionInfo]]:
    top = min((node.depth for node in tree), default=0)
    return [(node.depth - top, node) for node in tree]


@page(READ)
@require_safe
def post_catalog(request: PageRequest) -> HttpResponse:
    """岗位目录：每个岗位能做什么、设在哪里、依据哪条。"""
    names = permission_names()
    rows = [
        {"post": post, "permissions": sorted(names[code] for code in post.permissions)} for post in posts().values()
    ]
    return render(request, "access/posts.html", {"rows": rows})


@page(READ)
@require_safe
def person(request: PageRequest, person_id: int) -> HttpResponse:
    """一个人：资料、任职、履历，与可办的事。"""
    return _person_page(request, person_id)


def _person_page(
    request: PageRequest, person_id: int, form: GrantForm | None = None, plain: Form | None = None
) -> HttpResponse:
    actor, today = request.actor, request.business_date
    found = person_detail(actor, person_id, on=today)
    history = holding_history(person_id)
    recorders = names_of(by for _info, _day, by in history)
    steps = [
        {
            "title": f"{info.post_name} · {info.institution_name}",
            "by": recorders.get(by, _("系统")) if by else _("系统"),
            "on": booked_on,
            "note": _("自 %(from)s 起，%(to)s") % {"from": info.valid_from, "to": _until(info.valid_to)},
            "state": "bad" if info.valid_to else "done",
        }
        for info, booked_on, by in reversed(history)
    ]
    context = {
        "person": found,
        "state": _state_of(found),
        "steps": steps,
        "form": form or (GrantForm(tree=institution_tree(actor)) if actor.may(WRITE) else None),
        "plain": plain,
        "may_manage": actor.may(WRITE),
        "is_self": actor.person_id == person_id,
        "second_factor": second_factor.is_bound(person_id),
    }
    return show(request, "access/person.html", context)


def _until(day: Any) -> str:
    return _("止于 %(day)s（不含）") % {"day": day} if day else _("长期")


@page(WRITE)
@post_only("access:person", "person_id")
def grant(request: PageRequest, person_id: int) -> HttpResponse:
    """授予岗位。"""
    form = GrantForm(request.POST, tree=institution_tree(request.actor))
    if form.is_valid():
        done = attempt(form, operations.grant_post, **submission(request), person_id=person_id, **form.cleaned_data)
        if done is not None:
            return go(request, "access:person", person_id, said=_("岗位已授予，下一次点击即生效。"))
    return _person_page(request, person_id, form=form)


@page(WRITE)
@post_only("access:person", "person_id")
def end(request: PageRequest, person_id: int, holding_id: int) -> HttpResponse:
    """结束任职：止日不填为今日；填了以后的日子，到那天才失效。"""
    form = EndForm(request.POST)
    if form.is_valid():
        given = {"holding_id": holding_id, "valid_to": form.cleaned_data["valid_to"]}
        if attempt(form, operations.end_post, **submission(request), **given) is not None:
            return go(request, "access:person", person_id, said=_("任职的止日已记下。"))
    return _person_page(request, person_id, plain=form)


@page(WRITE)
@post_only("access:person", "person_id")
def deactivate(request: PageRequest, person_id: int) -> HttpResponse:
    """停用账户。"""
    return _act(request, person_id, operations.deactivate_person, _("账户已停用。"), person_id=person_id)


@page(WRITE)
@post_only("access:person", "person_id")
def reactivate(request: PageRequest, person_id: int) -> HttpResponse:
    """恢复账户。"""
    return _act(request, person_id, operations.reactivate_person, _("账户已恢复。"), person_id=person_id)


@page(WRITE)
@post_only("access:person", "person_id")
def clear_second_factor(request: PageRequest, person_id: int) -> HttpResponse:
    """代为解除第二因素。"""
    return _act(request, person_id, second_factor.clear, _("验证器已解除，本人可重新绑定。"), person_id=person_id)


def _act(request: PageRequest, person: int, operation: Any, said: str, **values: Any) -> HttpResponse:
    plain = Form(request.POST)
    if attempt(plain, operation, **submission(request), **values) is not None:
        return go(request, "access:person", person, said=said)
    return _person_page(request, person, plain=plain)


@page(WRITE)
@post_only("access:person", "person_id")
def reset_password(request: PageRequest, person_id: int) -> HttpResponse:
    """重置密码：新密码只在这一页显示一次。"""
    plain = Form(request.POST)
    done = attempt(plain, operations.reset_password, **submission(request), person_id=person_id)
    if done is None:
        return _person_page(request, person_id, plain=plain)
    found = person_detail(request.actor, person_id, on=request.business_date)
    return _password_page(request, found, done["password"])


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def add_person(request: PageRequest) -> HttpResponse:
    """添加人员：首次密码只显示一次。"""
    actor = request.actor
    initial = {"institution_id": request.GET.get("institution")}
    form = PersonForm(request.POST or None, tree=institution_tree(actor), initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.add_person, **submission(request), **form.cleaned_data)
        if done is not None:
            found = person_detail(actor, done["person_id"], on=request.business_date)
            return _password_page(request, found, done["password"])
    return show(request, "access/add_person.html", {"form": form})


def _password_page(request: PageRequest, found: PersonInfo, password: str | None) -> HttpResponse:
    # Not a redirect: the password exists in this response only, and must not pass through session or URL.
    return render(request, "access/password_once.html", {"person": found, "password": password})
