"""页面的请求：中间件放在请求上的东西，写成类型。

运行时就是 Django 的请求（谁也不造这两个类的实例），这里只说视图可以指望什么：``SessionRequest`` 是认过会话的，岗位可能还没有选；
``PageRequest`` 是过了 ``pages.page`` 的，岗位与营业日一定有（``ActorMiddleware`` 没有岗位就转去登录）。
"""

from __future__ import annotations

from datetime import date
from typing import Protocol, cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from sancha.apps.work.queries import KindCount
from sancha.kit.actor import Actor


class Account(Protocol):
    """登录的人，页面用得着的几样（人员表连同 django-otp 加上的 ``is_verified``；页面不引入别家的表）。"""

    pk: int
    institution_id: int
    must_change_password: bool

    def is_verified(self) -> bool:
        """这次登录验过第二因素。"""


class SessionRequest(HttpRequest):
    """认过会话的请求：当前岗位身份与其机构的营业日，没选岗位时都是 None。"""

    actor: Actor | None
    business_date: date | None
    htmx: HtmxDetails
    axes_locked_out: bool
    """连错太多、已锁（django-axes 所记；没锁时可能没有此栏）。"""


class PageRequest(SessionRequest):
    """要岗位的页面收到的请求。"""

    actor: Actor
    business_date: date
    _desk_counts: list[KindCount]
    """本次请求查到的待办件数（``work.desk`` 存取）。"""


def account_of(request: SessionRequest) -> Account:
    """登录的人；只在登录之后的视图里用。"""
    return cast(Account, request.user)
