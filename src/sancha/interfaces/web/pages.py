"""页面的共同规矩：谁能看、业务错误怎么说成话、表单怎么防重复提交。

每个视图必须挂三种标记之一，没有标记的视图一律拒绝（``tests/support/sweep.py`` 也会指出来）::

    @page("servicing.repay")     # 要岗位、要权限
    @personal                    # 登录即可（切换岗位、改密码、退出）
    @public                      # 不必登录（登录页、切换语言）

一个写入页面的样子::

    @page("access.grant")
    def grant(request):
        form = GrantForm(request.POST or None, actor=request.actor)
        if form.is_valid():
            done = attempt(form, grant_post, actor=request.actor, key=submission_key(request), **form.cleaned_data)
            if done is not None:
                return go(request, "access:people")
        return show(request, "access/grant.html", {"form": form})
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _

from sancha.interfaces.web.exports import note_download
from sancha.interfaces.web.forms import Frame
from sancha.interfaces.web.request import PageRequest, SessionRequest
from sancha.kit.errors import DomainError, NotPermitted
from sancha.rulebook.posts import permission_names, post_name

View = Callable[..., HttpResponseBase]
P = ParamSpec("P")
R = TypeVar("R")

SUBMISSION_FIELD = "submission_key"
LONGEST_BESIDE_FIELD = 40


def mark(view: View, **marks: object) -> View:
    """在视图上作标记；中间件与清点测试读它。"""
    vars(view).update(marks)
    return view


def public(view: View) -> View:
    """不必登录就能看的视图。每多一个都要想清楚。"""

    @functools.wraps(view)
    def run(request: SessionRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    return mark(run, public=True)


def personal(view: View) -> View:
    """登录即可、与岗位无关的视图（只动本人的会话与密码）。"""

    @functools.wraps(view)
    def run(request: SessionRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    return mark(run, personal=True)


def page(permission: str) -> Callable[[View], View]:
    """页面：要求当前岗位有 ``permission``；视图里未处理的业务错误变成说得清的页面或片段。"""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                _require(request, permission)
                response = view(request, *args, **kwargs)
                note_download(request, response)
                return response
            except DomainError as problem:
                return problem_response(request, problem)

        return mark(run, permission=permission)

    return decorate


def _require(request: PageRequest, permission: str) -> None:
    """没有权限时用岗位与权限的中文名说清楚。"""
    actor = request.actor
    if actor.may(permission):
        return
    words = {"post": post_name(actor.post_code), "permission": permission_names().get(permission, permission)}
    raise NotPermitted(
        "PERMISSION_DENIED",
        _("「%(post)s」不能使用此功能，需要的权限：%(permission)s。") % words,
        value=permission,
        clause="ORG-3",
        fix=_("请在右上角切换到有此权限的岗位，或由有权人员办理。"),
    )


def post_only(back: str, *keep: str) -> Callable[[View], View]:
    """只收提交的网址；用浏览器打开它（刷新、切换语言后）就回到 ``back`` 那一页，而不是一片空白。"""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(request: SessionRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method in {"GET", "HEAD"}:
                return redirect(back, *(kwargs[name] for name in keep))
            return HttpResponseNotAllowed(["POST"])

        return run

    return decorate


def problem_response(request: SessionRequest, problem: DomainError) -> HttpResponse:
    """业务错误的页面；htmx 请求只回错误面板片段。"""
    partial = getattr(request, "htmx", False)
    template = "parts/problem.html" if partial else "errors/problem.html"
    heading = {403: _("无权办理"), 404: _("没有找到"), 409: _("与当前状态冲突")}.get(problem.status, _("不能办理"))
    return render(request, template, {"problem": problem, "heading": heading}, status=problem.status)


def attempt(form: Frame, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
    """执行一个操作；业务错误写回表单（栏目旁或顶部面板），返回 None，已填内容不丢。

    无权与职责分离也写回表单：办不了的原因要在原处看到，而不是换一页。
    """
    try:
        return action(*args, **kwargs)
    except DomainError as problem:
        blame(form, problem)
        return None


def succeeds(form: Frame, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """同 ``attempt``，给没有返回值的动作：办成了没有。"""
    try:
        action(*args, **kwargs)
    except DomainError as problem:
        blame(form, problem)
        return False
    return True


def blame(form: Frame, problem: DomainError) -> None:
    """把业务错误记到表单上；字段名对得上就标在该栏。"""
    form.problem = problem
    # The panel says it all; beside the field a long message would only say it twice.
    short = problem.message if len(problem.message) <= LONGEST_BESIDE_FIELD else _("见上方说明。")
    form.add_error(problem.field if problem.field in form.fields else None, short)


def show(request: SessionRequest, template: str, context: dict[str, Any] | None = None) -> HttpResponse:
    """出页面。表单有错时状态码是 422（或业务错误自己的），自动化与 htmx 都分得清成败。"""
    context = context or {}
    status = 200
    for value in context.values():
        if isinstance(value, BaseForm) and value.is_bound and request.method == "POST" and value.errors:
            status = getattr(getattr(value, "problem", None), "status", 422)
    return render(request, template, context, status=status)


def go(request: SessionRequest, to: Any, *args: Any, said: str = "", **kwargs: Any) -> HttpResponse:
    """办完转到另一页；``said`` 是那页顶上的一句话。htmx 提交则整页跳转。"""
    if said:
        messages.success(request, said)
    url = resolve_url(to, *args, **kwargs)
    if getattr(request, "htmx", False):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)


def own_institution(request: PageRequest) -> int:
    """本岗位所在的机构。"""
    place = request.actor.institution_id
    assert place is not None, "a post is held at an institution; only the system itself has none"
    return place


def submission_key(request: SessionRequest) -> str:
    """本次提交的幂等键：表单渲染时发的 ``{% idempotency_key %}``。同一张表单点两次只办一次。"""
    return request.POST.get(SUBMISSION_FIELD, "")


def fresh_submission_key(request: SessionRequest | None) -> str:
    """给表单发一个幂等键。填错重来沿用原键：上一次没有办成，换键反而会让连点两次办成两笔。"""
    if request is not None and (given := request.POST.get(SUBMISSION_FIELD, "")):
        return given[:200]
    return str(uuid4())


def denied(request: SessionRequest, missing: str) -> HttpResponse:
    """没有挂标记的视图：宁可拒绝，不可漏放。"""
    return problem_response(
        request, NotPermitted("VIEW_UNMARKED", _("此页面没有登记权限，暂不能访问。"), value=missing)
    )
