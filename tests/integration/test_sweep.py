"""清点：每个页面、每个接口都有权限或在公开名单上；每个岗位都试过，没有权限的进不去，范围外的看不见。

公开名单写死在这里：多放一个不必登录的入口，这个测试就会问一声。
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from sancha.interfaces.api import gate
from sancha.interfaces.api.endpoints import Act
from sancha.interfaces.api.site import operations
from sancha.interfaces.api.urls import urlpatterns as api_patterns
from sancha.kit.actor import Actor
from sancha.rulebook.posts import permission_names, posts
from tests.integration.web.conftest import signed_in
from tests.support.api_client import Api, assert_problem
from tests.support.api_things import all_powerful, things_at_s1
from tests.support.factories_access import OPENING_DAY, County
from tests.support.sweep import Endpoint, endpoints, unmarked

pytestmark = pytest.mark.django_db

PUBLIC_PAGES = {"login", "set_language"}
PUBLIC_API = {"/api/v1/health", "/api/v1/ready", "/api/v1/openapi.json"}

SAMPLES = {
    "code": "penalty.multiplier_ppm", "year": "2026", "first_year": "2026", "last_year": "2026", "first": "2026-03-01", "last": "2026-03-02",
    "day": "2026-03-02", "text": "王秀", "kind": "FOLLOW_UP", "figure": "principal", "customer_kind": "FARMER", "run_id": "1",
    "institution_id": "1",
}  # fmt: skip
ABSENT = 10**15
"""谁也没有的编号：权限够了也只会是 404。"""

Views = list[tuple[str, str, Callable[..., Any]]]


def gets() -> Views:
    return [item for item in operations() if item[0] == "GET"]


def address(path: str, **values: object) -> str:
    """填好路由参数的网址（不含前缀）。"""
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", str(values.get(name, SAMPLES.get(name, ABSENT))))
    return path.removeprefix("/api/v1")


# 标记 ------------------------------------------------------------------------------------------------------


def test_every_page_is_marked() -> None:
    assert unmarked() == []


def test_the_public_pages_are_these_and_no_more() -> None:
    assert {endpoint.name for endpoint in endpoints() if endpoint.is_public} <= PUBLIC_PAGES


def test_every_endpoint_has_a_permission_that_exists_or_is_public() -> None:
    for method, path, view in operations():
        permission = getattr(view, "permission", "")
        if path in PUBLIC_API:
            assert getattr(view, "public", False), path
            assert method == "GET"
        else:
            assert permission in permission_names(), f"{method} {path}"
            assert not getattr(view, "public", False), path


def test_nothing_hangs_under_api_beside_what_is_swept() -> None:
    """``/api/`` 之下除了清点过的端点，只有文档与「没有这个接口」。"""
    leaves: list[str] = []

    def walk(patterns: list[Any], prefix: str) -> None:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, route)
            else:
                leaves.append(route)
                assert getattr(pattern.callback, "public", False) or route.startswith("v1/"), route

    walk(list(api_patterns), "")
    swept = {path.removeprefix("/api/") for _, path, _ in operations()}
    plain = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route in leaves}
    assert plain - swept == {"v1/openapi.json", ""}


def test_writes_carry_the_permission_of_their_operation() -> None:
    writes = [(method, view) for method, _, view in operations() if isinstance(getattr(view, "act", None), Act)]
    assert len(writes) > 80
    assert all(method != "GET" for method, _ in writes)


# 没有身份 --------------------------------------------------------------------------------------------------


def test_anonymous_gets_nothing_but_the_public(db: None) -> None:
    stranger = Api(None)
    for method, path, view in operations():
        response = stranger(method, address(path), {})
        if getattr(view, "public", False):
            assert response.status_code == 200, path
        else:
            assert_problem(response, 401, "AUTHENTICATION_REQUIRED")


def test_anonymous_is_sent_to_the_login_page(db: None) -> None:
    client = Client()
    for endpoint in endpoints():
        if endpoint.is_public:
            continue
        response = client.get(endpoint.url)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/login/"), endpoint.route


# 每个岗位 --------------------------------------------------------------------------------------------------


@pytest.fixture
def everyone(county: County, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Actor]:
    """以任一岗位行事（机构取县域银行的一级支行）：一个登录，换岗位权限，不必建三十多个人。"""
    actor = county.actor("CASHIER")

    def post(code: str) -> Actor:
        from dataclasses import replace

        return replace(actor, post_code=code, permissions=posts()[code].permissions)

    return post


def test_every_post_meets_403_where_it_lacks_the_permission(
    everyone: Callable[[str], Actor], county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(county.actor("CASHIER"))
    guarded: dict[str, list[tuple[str, str]]] = {}
    for method, path, view in operations():
        if permission := getattr(view, "permission", ""):
            guarded.setdefault(permission, []).append((method, path))
    # One gate guards all endpoints of a permission: every post tries each permission it lacks, and by turns every
    # endpoint is tried by some post that lacks it.
    untried = {place for places in guarded.values() for place in places}
    for code in posts():
        actor = everyone(code)
        monkeypatch.setattr(gate, "_by_token", lambda _token, actor=actor: gate.Caller(actor, OPENING_DAY, "sweep"))
        for permission in guarded.keys() - actor.permissions:
            fresh = [place for place in guarded[permission] if place in untried]
            for method, path in fresh[:6] or guarded[permission][:1]:
                body = assert_problem(api(method, address(path), {}), 403, "PERMISSION_DENIED")
                assert body["value"] == permission, (code, method, path)
                untried.discard((method, path))
    common = frozenset.intersection(*(post.permissions for post in posts().values()))
    assert untried == {place for permission in common for place in guarded.get(permission, [])}


def test_every_post_is_answered_where_it_has_the_permission(
    everyone: Callable[[str], Actor], county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    """有权限的查询不许是 401、403、500：答 200，或编号不存在 404，或条件不全 422。"""
    api = Api(county.actor("CASHIER"))
    seen: set[tuple[frozenset[str], str]] = set()
    for code in posts():
        actor = everyone(code)
        monkeypatch.setattr(gate, "_by_token", lambda _token, actor=actor: gate.Caller(actor, OPENING_DAY, "sweep"))
        for method, path, view in gets():
            permission = getattr(view, "permission", "")
            # Two posts with the same permission on the same endpoint run the same code.
            if permission not in actor.permissions or (frozenset({permission}), path) in seen:
                continue
            seen.add((frozenset({permission}), path))
            response = api(method, address(path))
            assert response.status_code in {200, 404, 422}, (code, path, response.content.decode()[:300])
    assert {path for _, path in seen} == {path for _, path, view in gets() if getattr(view, "permission", "")}


def test_every_post_meets_403_on_the_pages_it_may_not_see(
    everyone: Callable[[str], Actor], county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.http import HttpResponse

    from sancha.interfaces.web import middleware, pages

    # What is judged here is the refusal, not how it looks: drawing 3,000 error pages takes minutes.
    monkeypatch.setattr(pages, "render", lambda *_args, status=200, **_kwargs: HttpResponse(status=status))
    client = signed_in(county.actor("CASHIER"))
    guarded: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints():
        if endpoint.permission:
            guarded.setdefault(endpoint.permission, []).append(endpoint)
    # One mark guards all pages of a permission: every post tries each permission it lacks, by turns on all its pages.
    untried = {endpoint.route for group in guarded.values() for endpoint in group}
    for code in posts():
        actor = everyone(code)
        monkeypatch.setattr(middleware, "actor_for", lambda *_args, actor=actor, **_kwargs: actor)
        for permission in guarded.keys() - actor.permissions:
            fresh = [endpoint for endpoint in guarded[permission] if endpoint.route in untried]
            for endpoint in fresh[:4] or guarded[permission][:1]:
                response = client.get(endpoint.url)
                # An address that takes only forms leads back to its page, and that page refuses.
                assert response.status_code in {302, 403}, (code, endpoint.route)
                untried.discard(endpoint.route)
    common = frozenset.intersection(*(post.permissions for post in posts().values()))
    assert untried == {endpoint.route for permission in common for endpoint in guarded.get(permission, [])}


# 范围之外 --------------------------------------------------------------------------------------------------


def test_what_lies_outside_the_scope_is_404(county: County) -> None:
    """北坪支行的人看不见柳溪支行的借据、客户、任务、凭证、收款、付款单……也动不了。"""
    made = things_at_s1(county)
    inside, outside = all_powerful(county, "S1"), all_powerful(county, "S9")
    looked = 0
    for method, path, view in operations():
        names = re.findall(r"{(\w+)}", path)
        if not names or not getattr(view, "permission", "") or not set(names) <= set(made):
            continue
        query = (
            "?" + "&".join(f"{name}={SAMPLES[name]}" for name in _needed(view, path))
            if method == "GET" and _needed(view, path)
            else ""
        )
        url = address(path, **made) + query
        if method == "GET":
            assert inside(method, url).status_code == 200, (path, inside(method, url).content.decode()[:300])
            assert_problem(outside(method, url), 404)
        else:
            act = getattr(view, "act", None)
            example = act.example if act is not None and act.example is not None else {}
            response = outside(method, url, example)
            assert response.status_code in {404, 422}, (
                method,
                path,
                response.status_code,
                response.content.decode()[:300],
            )
        looked += 1
    assert looked > 60
    for path in (
        "/loans",
        "/parties",
        "/tasks?all_posts=true&whose=any",
        "/ledger/vouchers",
        "/cashdesk/receipts",
        "/cashdesk/payment-orders",
    ):
        assert inside.get(path).json()["total"] > 0, path
        assert outside.get(path).json()["total"] == 0, path


def _needed(view: Callable[..., Any], path: str) -> list[str]:
    import inspect

    parameters = inspect.signature(view).parameters.values()
    return [
        item.name
        for item in parameters
        if item.name in SAMPLES and item.default is inspect.Parameter.empty and f"{{{item.name}}}" not in path
    ]
