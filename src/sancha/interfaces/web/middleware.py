"""会话里的岗位身份，与页面的安全响应头。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from sancha.apps.access.queries import actor_for
from sancha.apps.businessday.queries import business_date
from sancha.interfaces.web.pages import denied
from sancha.interfaces.web.request import SessionRequest, account_of
from sancha.kit.actor import Actor
from sancha.kit.clock import calendar_today
from sancha.kit.errors import NotFound, NotPermitted
from sancha.rulebook.posts import needs_second_factor

HOLDING = "holding_id"
INSTITUTION = "institution_id"
SECOND_FACTOR_DUE = "second_factor_due"

API_PREFIX = "/api/"
"""接口自己认证（令牌或会话），不走页面的登录跳转。"""

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def secured(response: HttpResponseBase) -> HttpResponseBase:
    """安全响应头：只许本站脚本与样式，没有内联脚本；不许被嵌入；不泄露来路。"""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Permissions-Policy", "microphone=(), payment=(), usb=()")
    if "Cache-Control" not in response.headers:
        # Pages show personal and money data: a shared desk's Back button must not show the last person's pages.
        response.headers["Cache-Control"] = "no-store"
    return response


class ActorMiddleware:
    """``request.actor``：当前岗位身份（未选岗位为 None）；``request.business_date``：其机构的营业日。

    每个请求都重新查任职：岗位一经解除，下一次点击就失效。
    """

    def __init__(self, get_response: Callable[[SessionRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: SessionRequest) -> HttpResponseBase:
        identify(request)
        return secured(self.get_response(request))

    def process_view(
        self, request: SessionRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """按视图的标记放行、转去登录，或拒绝。"""
        if request.path.startswith(API_PREFIX) or getattr(view, "public", False):
            return None
        if not request.user.is_authenticated:
            return _send(request, "login", back=True)
        return self._standing(request, view)

    @staticmethod
    def _standing(request: SessionRequest, view: Callable[..., HttpResponseBase]) -> HttpResponse | None:
        """登录之后还缺的步骤，按次序一步步补齐。"""
        step = getattr(view, "login_step", "")
        account = account_of(request)
        if step == "logout":
            return None
        if request.session.get(SECOND_FACTOR_DUE) and not account.is_verified():
            return None if step == "second_factor" else _send(request, "second-factor-verify", back=True)
        if account.must_change_password:
            return None if step == "password" else _send(request, "password")
        if getattr(view, "personal", False):
            return None
        if request.actor is None:
            return _send(request, "choose-post", back=True)
        if factor_due(request, request.actor):
            return _send(request, "second-factor", back=True)
        if not getattr(view, "permission", ""):
            return denied(request, getattr(view, "__name__", "?"))
        return None


def factor_due(request: SessionRequest, actor: Actor) -> bool:
    """此岗位须有第二因素，而这次登录没有验过：去绑定（已绑定的在登录时就验过）。"""
    enforced = settings.SECOND_FACTOR_ENFORCED and needs_second_factor(actor.post_code)
    return bool(enforced and not account_of(request).is_verified())


def identify(request: SessionRequest) -> None:
    """由会话里的任职取岗位身份；任职已失效就从会话里拿掉。"""
    request.actor = None
    request.business_date = None
    holding_id = request.session.get(HOLDING)
    if holding_id is None or not request.user.is_authenticated:
        return
    today = business_date_or_calendar(request.session.get(INSTITUTION))
    try:
        actor = actor_for(holding_id, today, person=request.user)
    except NotPermitted:
        actor = None
    # The session names a holding; that it is this person's own is checked again, not believed.
    if actor is None or actor.person_id != request.user.pk:
        request.session.pop(HOLDING, None)
        return
    request.actor = actor
    request.business_date = today


def business_date_or_calendar(institution_id: int | None) -> date:
    """机构的营业日；机构还没有开业（未建营业日）时用自然日，否则第一位管理员无从登录去建它。"""
    if institution_id is None:
        return calendar_today()
    try:
        return business_date(institution_id=institution_id)
    except NotFound:
        return calendar_today()


def _send(request: SessionRequest, name: str, *, back: bool = False) -> HttpResponse:
    url = reverse(name)
    if back and request.method == "GET" and request.path != "/" and not request.htmx:
        url += "?" + urlencode({"next": request.get_full_path()}, safe="/")
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)
