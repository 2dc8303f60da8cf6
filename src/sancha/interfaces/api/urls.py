"""接口网址：``/api/v1/`` 之下的端点与 OpenAPI 文档；其余一律答「没有这个接口」。"""

from __future__ import annotations

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from sancha.interfaces.api.endpoints import open_to_all
from sancha.interfaces.api.problems import problem, unknown_address
from sancha.interfaces.api.site import api, openapi

ROOT = "api-root"


def _speaking(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """方法不对也答 ``problem+json``。"""

    @functools.wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        allowed = response.headers.get("Allow", "")
        answer = problem(
            405, "METHOD_NOT_ALLOWED", f"{request.path} 不支持 {request.method}。", field="method", value=request.method,
            fix=f"可用：{allowed}。",
        )  # fmt: skip
        answer["Allow"] = allowed
        return answer

    return csrf_exempt(run)


def _endpoints() -> list[URLPattern]:
    patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
    for pattern in patterns:
        pattern.callback = _speaking(pattern.callback)
    return sorted((pattern for pattern in patterns if pattern.name != ROOT), key=_fixed_first)


def _fixed_first(pattern: URLPattern) -> list[tuple[bool, str]]:
    """``parties/batch`` 在 ``parties/<party_id>`` 之前，不论登记的先后：否则前者永远走不到。"""
    return [(segment.startswith("<"), segment) for segment in str(pattern.pattern).split("/")]


urlpatterns = [
    path("v1/openapi.json", openapi, name="openapi"),
    path("v1/", include(_endpoints())),
    re_path(r"", csrf_exempt(open_to_all(unknown_address))),
]
