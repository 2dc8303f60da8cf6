"""登录、选岗位、改密码、第二因素、退出。"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.operations import change_password
from sancha.apps.access.queries import HoldingInfo, account_actor, holdings_of
from sancha.interfaces.web.middleware import HOLDING, INSTITUTION, SECOND_FACTOR_DUE, business_date_or_calendar
from sancha.interfaces.web.pages import (
    View,
    attempt,
    go,
    mark,
    personal,
    post_only,
    public,
    show,
    submission_key,
    succeeds,
)
from sancha.interfaces.web.request import SessionRequest, account_of
from sancha.interfaces.web.session import second_factor
from sancha.interfaces.web.session.forms import CodeForm, LoginForm, PasswordForm, VerifyForm
from sancha.interfaces.web.session.samples import sample_logins
from sancha.rulebook.posts import needs_second_factor

TOO_MANY = 429


def step(name: str) -> Callable[[View], View]:
    """登录步骤：中间件据此放行正在补的那一步。"""
    return functools.partial(mark, login_step=name)


def next_of(request: SessionRequest) -> str:
    """登录后要去的页；只认本站网址。"""
    url = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return url if safe else settings.LOGIN_REDIRECT_URL


@public
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: SessionRequest) -> HttpResponse:
    """用户名与密码。"""
    if request.user.is_authenticated:
        return redirect(next_of(request))
    form = LoginForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.get_user()
        auth.login(request, person)
        if second_factor.device_of(person, confirmed=True):
            request.session[SECOND_FACTOR_DUE] = True
        _take_only_post(request)
        return redirect(next_of(request))
    locked = getattr(request, "axes_locked_out", False)
    if locked:
        # Said on this page, in words; otherwise axes' middleware puts its own bare page in place.
        request.axes_locked_out = False
    context = {"form": form, "locked": locked, "next": next_of(request), "samples": sample_logins()}
    status = TOO_MANY if locked else 422 if form.is_bound else 200
    return render(request, "session/login.html", context, status=status)


@step("logout")
@personal
@post_only("home")
def logout(request: SessionRequest) -> HttpResponse:
    """退出。"""
    auth.logout(request)
    messages.success(request, _("已退出。"))
    return redirect(settings.LOGOUT_REDIRECT_URL)


def _posts(request: SessionRequest) -> list[HoldingInfo]:
    account = account_of(request)
    return holdings_of(account.pk, business_date_or_calendar(account.institution_id))


def _take(request: SessionRequest, holding: HoldingInfo) -> None:
    request.session[HOLDING] = holding.id
    request.session[INSTITUTION] = holding.institution_id


def _take_only_post(request: SessionRequest) -> None:
    """只有一个岗位就不必选。"""
    posts = _posts(request)
    if len(posts) == 1:
        _take(request, posts[0])


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def choose_post(request: SessionRequest) -> HttpResponse:
    """选岗位、切换岗位。只能选自己当日有效的任职。"""
    posts = _posts(request)
    wrong = False
    if request.method == "POST":
        chosen = next((post for post in posts if str(post.id) == request.POST.get("holding_id")), None)
        if chosen is not None:
            _take(request, chosen)
            said = _("现以「%(post)s」（%(institution)s）办理业务。") % {
                "post": chosen.post_name,
                "institution": chosen.institution_name,
            }
            return go(request, next_of(request), said=said)
        wrong = True
    elif len(posts) == 1 and request.actor is None:
        _take(request, posts[0])
        return redirect(next_of(request))
    context = {"posts": posts, "next": next_of(request), "wrong": wrong}
    return render(request, "session/posts.html", context, status=422 if wrong else 200)


@personal
@require_safe
def posts_menu(request: SessionRequest) -> HttpResponse:
    """顶栏里的岗位清单（点开才取）。"""
    return render(request, "session/posts_menu.html", {"posts": _posts(request)})


@step("password")
@personal
@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: SessionRequest) -> HttpResponse:
    """改本人密码；首次登录、重置之后必须改。"""
    account = account_of(request)
    forced = account.must_change_password
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            change_password,
            actor=account_actor(account.pk),
            key=submission_key(request),
            on=business_date_or_calendar(account.institution_id),
            **form.secrets,
        )
        if done is not None:
            assert isinstance(request.user, AbstractBaseUser), "a personal page has somebody logged in"
            request.user.refresh_from_db()
            auth.update_session_auth_hash(request, request.user)  # this session lives on, others end
            return go(request, settings.LOGIN_REDIRECT_URL, said=_("密码已修改，其他地方的登录已失效。"))
    return show(request, "session/password.html", {"form": form, "forced": forced})


@step("second_factor")
@personal
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: SessionRequest) -> HttpResponse:
    """登录时核对验证码。"""
    if not request.session.get(SECOND_FACTOR_DUE):
        return redirect(next_of(request))
    form = VerifyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if second_factor.passed(request, form.cleaned_data["code"]):
            request.session.pop(SECOND_FACTOR_DUE, None)
            return redirect(next_of(request))
        form.add_error("code", _("验证码不正确，或已用过。请等下一个码；连错多次须稍等片刻。"))
    return show(request, "session/verify.html", {"form": form, "next": next_of(request)})


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def manage_second_factor(request: SessionRequest) -> HttpResponse:
    """绑定或解除验证器。"""
    form = CodeForm()
    if request.method == "POST":
        form, done, codes = _change_second_factor(request)
        if codes:
            # Not a redirect: the codes exist in this response only, and must not pass through session or URL.
            return render(request, "session/recovery_codes.html", {"codes": codes.split()})
        if done:
            return go(request, "second-factor", said=done)
    pending = second_factor.device_of(request.user, confirmed=False)
    context = {
        "form": form,
        "bound": second_factor.device_of(request.user, confirmed=True) is not None,
        "pending": pending,
        "secret": second_factor.secret_of(pending) if pending else "",
        "uri": second_factor.otpauth_uri(pending) if pending else "",
        "codes_left": second_factor.codes_left(account_of(request).pk),
        "required": settings.SECOND_FACTOR_ENFORCED
        and request.actor is not None
        and needs_second_factor(request.actor.post_code),
    }
    return show(request, "session/second_factor.html", context)


def _change_second_factor(request: SessionRequest) -> tuple[CodeForm, str, str]:
    """办一步，返回表单、办成后说的话（没办成为空）与只显示这一次的恢复码。"""
    act = request.POST.get("act", "")
    account = account_of(request)
    common: dict[str, Any] = {
        "actor": account_actor(account.pk),
        "key": submission_key(request),
        "on": business_date_or_calendar(account.institution_id),
    }
    if act == "begin":
        form = CodeForm()
        begun = attempt(form, second_factor.begin, **common)
        return form, _("请用验证器扫描二维码，再填入六位验证码。") if begun else "", ""
    form = CodeForm(request.POST)
    if not form.is_valid():
        return form, "", ""
    code = form.cleaned_data["code"]
    said, done = "", None
    if act == "confirm" and (done := attempt(form, second_factor.confirm, **common, code=code)):
        second_factor.trust(request)
        said = _("验证器已绑定。今后登录都要填验证码。")
    elif act == "codes" and (done := attempt(form, second_factor.renew_codes, **common, code=code)):
        said = _("恢复码已换新。")
    elif act == "remove" and succeeds(form, second_factor.remove, **common, code=code):
        said = _("验证器已解除。")
    return form, said, (done or {}).get("codes") or ""
