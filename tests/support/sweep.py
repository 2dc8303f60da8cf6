"""权限清点：列出全部网址及其视图的标记；没有标记的一律算漏。

每个页面视图须是 ``@page(权限)``、``@personal`` 或 ``@public`` 之一（``interfaces/web/pages.py``）。
``/api/`` 之下由接口自己的清点负责。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

ELSEWHERE = ("api/",)


@dataclass(frozen=True)
class Endpoint:
    """一个网址：路由、名字、视图与它的标记。"""

    route: str
    name: str
    view: Callable[..., Any]
    arguments: dict[str, Any]

    @property
    def permission(self) -> str:
        """要求的权限，没有则空。"""
        return str(getattr(self.view, "permission", ""))

    @property
    def is_public(self) -> bool:
        """不必登录。"""
        return bool(getattr(self.view, "public", False))

    @property
    def is_personal(self) -> bool:
        """登录即可。"""
        return bool(getattr(self.view, "personal", False))

    @property
    def url(self) -> str:
        """可以请求的网址；路由里的参数填样值。"""
        path = self.route
        for name, converter in self.arguments.items():
            sample = "1" if converter.regex == "[0-9]+" else "x"
            path = path.replace(f"<{type(converter).__name__.removesuffix('Converter').lower()}:{name}>", sample)
            path = path.replace(f"<{name}>", sample)
        return "/" + path


def endpoints(patterns: Any = None, prefix: str = "", namespace: str = "") -> Iterator[Endpoint]:
    """全部网址。"""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(entry.pattern)
        if route.startswith(ELSEWHERE):
            continue
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from endpoints(entry.url_patterns, route, inner)
        elif isinstance(entry, URLPattern):
            yield Endpoint(route, f"{namespace}{entry.name}", entry.callback, dict(entry.pattern.converters))


def unmarked(patterns: Any = None) -> list[str]:
    """没有标记的网址；空表示都标了。"""
    return [e.route for e in endpoints(patterns) if not (e.permission or e.is_public or e.is_personal)]
