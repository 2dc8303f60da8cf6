"""门：谁在调用、有没有权限。令牌在先，其次是已登录页面的会话（写入要过 CSRF）。

权限在读请求正文之前就判：没有权限的人不该从校验错误里看出接口长什么样。
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.interfaces.api.problems import Unauthenticated
from sancha.kit.actor import Actor
from sancha.kit.clock import calendar_today
from sancha.kit.errors import NotFound, NotPermitted
from sancha.rulebook.posts import needs_second_factor, permission_names, post_name

SECOND_FACTOR_DUE = "second_factor_due"
"""会话里的标记：已输密码、还欠第二因素（由登录页写入）。"""
FINGERPRINT = 24


@dataclass(frozen=True, slots=True)
class Caller:
    """调用者：操作人、其机构的营业日、幂等键的前缀（各令牌、各人互不相撞）。"""

    actor: Actor
    business_date: date
    prefix: str


def require(caller: Caller, permission: str) -> Caller:
    """要求有权限，用岗位与权限的中文名说清楚。

    :raises NotPermitted: 没有。
    """
    if not caller.actor.may(permission):
        name = permission_names().get(permission, permission)
        raise NotPermitted(
            "PERMISSION_DENIED",
            f"「{post_name(caller.actor.post_code)}」不能使用此接口，需要的权限：{name}（{permission}）。",
            field="permission",
            value=permission,
            clause="ORG-3",
            fix="请改用有此权限的岗位的令牌，或由有权人员办理。",
        )
    return caller


class Bearer(HttpBearer):
    """令牌：``Authorization: Bearer sancha_…``，绑定一段任职。"""

    def __init__(self, permission: str) -> None:
        self.permission = permission
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """以令牌登入；令牌不对就到此为止，不再去看会话。"""
        return require(_by_token(token), self.permission)


class Session(APIKeyCookie):
    """会话：已登录页面的人，以当前岗位。"""

    param_name = "sessionid"

    def __init__(self, permission: str) -> None:
        self.permission = permission
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller | None:
        """未登录返回空；登录而手续未完、或写入没有 CSRF 凭据，说明原因后拒绝。"""
        actor: Actor | None = getattr(request, "actor", None)
        if actor is None:
            return None
        user: Any = request.user
        if request.session.get(SECOND_FACTOR_DUE) and not user.is_verified():
            raise Unauthenticated(
                "SECOND_FACTOR_DUE", "登录还没有完成第二因素验证。", fix="请先在页面上完成登录，或改用令牌。"
            )
        if settings.SECOND_FACTOR_ENFORCED and needs_second_factor(actor.post_code) and not user.is_verified():
            raise Unauthenticated(
                "SECOND_FACTOR_REQUIRED",
                f"「{post_name(actor.post_code)}」登录须有第二因素。",
                fix="请先在页面上绑定验证器，或改用令牌。",
            )
        if user.must_change_password:
            raise Unauthenticated("PASSWORD_CHANGE_DUE", "首次登录须先改密码。", fix="请先在页面上改密码，或改用令牌。")
        if check_csrf(request) is not None:
            raise NotPermitted(
                "CSRF_FAILED",
                "写入没有带防跨站凭据。",
                field="X-CSRFToken",
                fix="以会话写入须带 X-CSRFToken 头；程序调用请用令牌。",
            )
        today = getattr(request, "business_date", None) or calendar_today()
        return require(Caller(actor, today, f"person:{actor.person_id}"), self.permission)

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """不用：见 ``__call__``。"""
        raise NotImplementedError


def _by_token(token: str) -> Caller:
    dates = [group.business_date for group in businessday.groups()]
    latest = max(dates, default=calendar_today())
    try:
        actor = access.actor_for_token(token, latest)
    except NotPermitted as refusal:
        raise Unauthenticated(refusal.code, refusal.message, fix=refusal.fix) from refusal
    today = own_date(actor, otherwise=latest)
    if today != latest and actor.post_holding_id is not None:
        # Another office of the same system may be a day ahead: a post counts by its own office's day.
        actor = access.actor_for(actor.post_holding_id, today)
    fingerprint = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:FINGERPRINT]
    return Caller(actor, today, f"token:{fingerprint}")


def own_date(actor: Actor, *, otherwise: date) -> date:
    """操作人所在机构的营业日；机构还没有归入营业日组时用给定的日子。"""
    if actor.institution_id is None:
        return otherwise
    try:
        return businessday.business_date(institution_id=actor.institution_id)
    except NotFound:
        return otherwise
