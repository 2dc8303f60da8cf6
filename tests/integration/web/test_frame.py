"""页面的共同规矩：权限清点、安全响应头、拒绝页、错误页、菜单、语言、查询条数。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from sancha.interfaces.web import middleware
from sancha.interfaces.web.pages import page, public
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError
from sancha.rulebook.posts import permission_names
from tests.integration.web.conftest import signed_in
from tests.support.factories_access import County
from tests.support.sweep import endpoints, unmarked

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8


def _bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("leak")


@page("work.view")
def _breaks(request: HttpRequest) -> HttpResponse:
    raise DomainError("AMOUNT_WRONG", "金额不对。", field="amount", value="12,34", clause="SRV-3", fix="请改写。")


@public
def _crashes(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom")


urlpatterns = [path("bare/", _bare), path("breaks/", _breaks), path("crashes/", _crashes)]


def with_seeded_views() -> list[object]:
    from sancha.config.urls import urlpatterns as real

    return [*real, *urlpatterns]


class SeededUrls:
    """真网址加三个种下的视图。"""

    urlpatterns = property(lambda self: with_seeded_views())


@pytest.fixture
def seeded(settings) -> None:
    settings.ROOT_URLCONF = SeededUrls()


def test_every_view_is_marked_and_every_permission_exists() -> None:
    assert unmarked() == []
    unknown = {e.name: e.permission for e in endpoints() if e.permission and e.permission not in permission_names()}
    assert unknown == {}


def test_the_sweep_bites() -> None:
    assert unmarked(urlpatterns) == ["bare/"]


def test_an_unmarked_view_is_refused_not_leaked(county: County, seeded: None) -> None:
    response = signed_in(county.actor("LOAN_OFFICER")).get("/bare/")
    assert response.status_code == 403
    assert "leak" not in response.content.decode()


def test_without_login_everything_but_the_public_leads_to_the_login_page(db: None) -> None:
    client = Client()
    closed = [e for e in endpoints() if not e.is_public]
    assert len(closed) > 10
    for endpoint in closed:
        for method in (client.get, client.post):
            response = method(endpoint.url)
            assert response.status_code == 302, endpoint
            assert response["Location"].startswith("/login/"), endpoint


def test_without_its_permission_every_page_is_refused(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = county.actor("LOAN_OFFICER")
    everything = frozenset(permission_names())
    client = signed_in(actor)
    for endpoint in [e for e in endpoints() if e.permission]:
        powerless: Actor = replace(actor, permissions=everything - {endpoint.permission})
        monkeypatch.setattr(middleware, "actor_for", lambda *_args, actor=powerless, **_kwargs: actor)
        for method in (client.get, client.post):
            response = method(endpoint.url)
            assert response.status_code == 403, endpoint
            assert "PERMISSION_DENIED" in response.content.decode(), endpoint


def test_refusal_says_which_permission_in_words(as_post: Callable[..., Client]) -> None:
    response = as_post("LOAN_OFFICER").get("/access/institutions/")
    text = response.content.decode()
    assert response.status_code == 403
    assert "信贷员岗" in text
    assert "查看机构与人员" in text
    assert "切换到有此权限的岗位" in text


def test_a_domain_error_becomes_a_panel(county: County, seeded: None) -> None:
    client = signed_in(county.actor("LOAN_OFFICER"))
    response = client.get("/breaks/")
    text = response.content.decode()
    assert response.status_code == 422
    for part in ("金额不对。", "12,34", "SRV-3", "请改写。", "AMOUNT_WRONG", "主菜单"):
        assert part in text
    fragment = client.get("/breaks/", headers={"HX-Request": "true"})
    assert "AMOUNT_WRONG" in fragment.content.decode()
    assert "主菜单" not in fragment.content.decode()


def test_an_expired_session_sends_htmx_to_the_login_page(db: None) -> None:
    response = Client().get("/tasks/", headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == "/login/"


def test_security_headers_stand_on_every_answer(as_post: Callable[..., Client], seeded: None) -> None:
    client = as_post("LOAN_OFFICER")
    client.raise_request_exception = False
    for url in ("/", "/login/", "/nowhere/", "/breaks/", "/crashes/"):
        response = client.get(url)
        policy = response["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response["Cache-Control"] == "no-store" or "no-cache" in response["Cache-Control"]


def test_pages_hold_nothing_the_policy_would_block(as_post: Callable[..., Client]) -> None:
    import re

    for url in ("/", "/tasks/", "/access/institutions/", "/access/posts/", "/password/", "/second-factor/", "/login/"):
        text = as_post("ADMINISTRATOR").get(url).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), url
        assert not re.search(r"<[^>]+\son[a-z]+=", text), url
        assert not re.search(r"<[^>]+\sstyle=", text), url
        assert not re.search(r"(?:src|href)=\"https?://", text), url


def test_error_pages_speak_chinese(db: None, seeded: None) -> None:
    client = Client(raise_request_exception=False)
    missing = client.get("/nowhere/")
    assert (missing.status_code, "没有找到此页" in missing.content.decode()) == (404, True)
    broken = client.get("/crashes/")
    assert (broken.status_code, "系统出错" in broken.content.decode()) == (500, True)
    strict = Client(enforce_csrf_checks=True).post("/login/", {"username": "x", "password": "y"})
    assert (strict.status_code, "页面已过期" in strict.content.decode()) == (403, True)


def test_the_menu_shows_what_the_post_may_and_what_exists(as_post: Callable[..., Client]) -> None:
    officer = as_post("LOAN_OFFICER").get("/").content.decode()
    administrator = as_post("ADMINISTRATOR").get("/access/institutions/").content.decode()
    assert 'href="/access/institutions/"' not in officer
    assert 'href="/access/institutions/" aria-current="page"' in administrator
    assert administrator.count('aria-current="page"') == 1


def test_english_is_one_click_away(as_post: Callable[..., Client]) -> None:
    client = as_post("ADMINISTRATOR")
    assert "我的待办" in client.get("/").content.decode()
    client.post("/language/", {"language": "en", "next": "/"})
    text = client.get("/").content.decode()
    assert "My tasks" in text
    assert 'lang="en"' in text
    assert "我的待办" not in text


@pytest.mark.parametrize(
    ("url", "budget"), [("/tasks/", LIST_PAGE_BUDGET), ("/access/institutions/", LIST_PAGE_BUDGET)]
)
def test_a_list_page_keeps_the_statement_budget(as_post: Callable[..., Client], url: str, budget: int) -> None:
    client = as_post("ADMINISTRATOR")
    client.get(url)
    with CaptureQueriesContext(connection) as seen:
        client.get(url)
    assert len(seen) <= budget, [q["sql"][:90] for q in seen.captured_queries]


def test_a_form_address_opened_by_hand_leads_back(as_post: Callable[..., Client], county: County) -> None:
    person = county.person("li.min")
    response = as_post("ADMINISTRATOR").get(f"/access/people/{person}/password/")
    assert response["Location"] == f"/access/people/{person}/"


def test_static_files_are_served_from_here(settings) -> None:
    with override_settings(DEBUG=True):
        sprite = Client().get("/static/vendor/tabler-icons/sprite.svg")
    assert sprite.status_code == 200
