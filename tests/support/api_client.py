"""接口测试的客户端：一段任职签一个令牌，之后按网址与正文调用。"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client

from sancha.apps.access import operations as access
from sancha.kit.actor import SYSTEM, Actor
from tests.support.factories_access import OPENING_DAY, fresh_key

BASE = "/api/v1"
UNSET = object()


class Api:
    """以某段任职的令牌调用接口；写入自带新的幂等键，除非给出。"""

    def __init__(self, actor: Actor | None) -> None:
        self.client = Client(raise_request_exception=False)
        self.token = token_for(actor) if actor is not None else ""

    def __call__(
        self, method: str, path: str, body: Any = UNSET, *, key: str | None = "", headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """发一次请求；``key`` 为 None 时不带幂等键，空串时自动给一个新的。"""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if method != "GET" and key is not None:
            sent["Idempotency-Key"] = key or fresh_key("api")
        data = "" if body is UNSET else body if isinstance(body, (str, bytes)) else json.dumps(body)
        if method == "GET":
            return self.client.get(BASE + path, headers=sent)
        return self.client.generic(method, BASE + path, data, content_type="application/json", headers=sent)

    def get(self, path: str, **kwargs: Any) -> HttpResponse:
        """查询。"""
        return self("GET", path, **kwargs)

    def post(self, path: str, body: Any = UNSET, **kwargs: Any) -> HttpResponse:
        """写入。"""
        return self("POST", path, body, **kwargs)


def token_for(actor: Actor) -> str:
    """给这段任职签一个令牌，返回明文。"""
    assert actor.post_holding_id is not None
    issued = access.issue_token(
        actor=SYSTEM, key=fresh_key("token"), on=OPENING_DAY, holding_id=actor.post_holding_id, name="测试",
        expires_on=OPENING_DAY + timedelta(days=3650),
    )  # fmt: skip
    return str(issued["token"])


def assert_problem(response: HttpResponse, status: int, code: str = "") -> dict[str, Any]:
    """是一份完整的 problem+json。"""
    assert response.status_code == status, response.content.decode()
    assert response["Content-Type"] == "application/problem+json", response["Content-Type"]
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body), body
    assert body["status"] == status
    assert body["type"] == f"urn:sancha:problem:{body['code']}"
    if code:
        assert body["code"] == code, body
    return body
