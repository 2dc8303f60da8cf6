"""机构与岗位页：树、人员、授予与结束、首次密码只显示一次。"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from sancha.apps.access.queries import holdings_of
from tests.support.factories_access import County

pytestmark = pytest.mark.django_db


def key_in(text: str) -> str:
    found = re.search(r'name="submission_key" value="([^"]+)"', text)
    assert found, "the page has a form with a key"
    return found[1]


def test_tree_people_and_filter(as_post: Callable[..., Client], county: County) -> None:
    county.person("li.min", name="李敏", at="S2")
    county.person("wang.fang", name="王芳", at="S9")
    client = as_post("ADMINISTRATOR")
    whole = client.get("/access/institutions/").content.decode()
    for name in ("柳溪支行", "石桥支行", "李敏", "王芳"):
        assert name in whole
    branch = client.get("/access/institutions/", {"institution": county.ids["S1"]}).content.decode()
    assert "李敏" in branch, "a branch shows the people below it"
    assert "王芳" not in branch
    found = client.get("/access/institutions/", {"q": "wang"}).content.decode()
    assert "王芳" in found
    assert "李敏" not in found
    assert client.get("/access/institutions/", {"institution": "x", "page": "-9", "state": "7"}).status_code == 200


def test_people_of_another_tree_are_not_found(as_post: Callable[..., Client], county: County) -> None:
    stranger = county.person("gc.zhang", at="GC")
    response = as_post("ADMINISTRATOR").get(f"/access/people/{stranger}/")
    assert response.status_code == 404
    assert "不在您的管辖范围内" in response.content.decode()


def test_grant_refuse_and_end(as_post: Callable[..., Client], county: County) -> None:
    person = county.person("li.min", name="李敏", at="S1")
    client = as_post("ADMINISTRATOR")
    home = f"/access/people/{person}/"
    grant = {
        "institution_id": county.ids["S1"],
        "post_code": "LOAN_OFFICER",
        "submission_key": key_in(client.get(home).content.decode()),
    }
    for _ in range(2):  # a double click grants once
        assert client.post(f"{home}posts/", grant)["Location"] == home
    held = holdings_of(person, county.opened_on)
    assert [h.post_code for h in held] == ["LOAN_OFFICER"]

    refused = client.post(f"{home}posts/", grant | {"post_code": "DISBURSEMENT_CLERK", "submission_key": "another"})
    text = refused.content.decode()
    assert refused.status_code == 403
    assert "LENDING_NOT_DISBURSING" in text
    assert 'class="problem"' in text
    assert '<option value="DISBURSEMENT_CLERK" selected>' in text, "what was chosen is still there"
    assert 'name="submission_key" value="another"' in text

    ended = client.post(f"{home}posts/{held[0].id}/end/", {"submission_key": "end"})
    assert ended["Location"] == home
    assert holdings_of(person, county.opened_on) == []
    assert "没有有效的任职" in client.get(home).content.decode()


def test_nobody_grants_to_themselves(as_post: Callable[..., Client], county: County) -> None:
    me = county.actor("ADMINISTRATOR")
    client = as_post("ADMINISTRATOR")
    url = f"/access/people/{me.person_id}/"
    assert "不能给自己授予岗位" in client.get(url).content.decode()
    posted = {"institution_id": county.ids["S1"], "post_code": "LOAN_OFFICER", "submission_key": "k"}
    assert client.post(f"{url}posts/", posted).status_code == 403


def test_a_first_password_is_shown_once_and_works(as_post: Callable[..., Client], county: County) -> None:
    client = as_post("ADMINISTRATOR")
    key = key_in(client.get("/access/people/new/").content.decode())
    values = {"username": "xin.ren", "name": "新人", "institution_id": county.ids["S1"], "submission_key": key}
    shown = client.post("/access/people/new/", values).content.decode()
    password = re.search(r'class="secret">([^<]+)<', shown)
    assert password
    again = client.post("/access/people/new/", values).content.decode()
    assert password[1] not in again
    assert "不再重复显示" in again
    assert get_user_model().objects.get(username="xin.ren").check_password(password[1])
    taken = client.post("/access/people/new/", values | {"submission_key": "other"})
    assert taken.status_code == 409
    assert "已被使用" in taken.content.decode()


def test_reset_disable_and_reactivate(as_post: Callable[..., Client], county: County) -> None:
    person = county.person("li.min", at="S1")
    client = as_post("ADMINISTRATOR")
    url = f"/access/people/{person}/"
    shown = client.post(f"{url}password/", {"submission_key": "r"}).content.decode()
    password = re.search(r'class="secret">([^<]+)<', shown)
    assert password
    row = get_user_model().objects.get(pk=person)
    assert row.check_password(password[1])
    assert row.must_change_password
    client.post(f"{url}deactivate/", {"submission_key": "d"})
    assert not get_user_model().objects.get(pk=person).is_active
    client.post(f"{url}reactivate/", {"submission_key": "u"})
    assert get_user_model().objects.get(pk=person).is_active


def test_who_may_only_look_has_no_buttons(as_post: Callable[..., Client], county: County) -> None:
    person = county.person("li.min", at="S1")
    page = as_post("AUDITOR").get(f"/access/people/{person}/").content.decode()
    assert "重置密码" not in page
    assert "授予岗位" not in page


def test_catalogue_of_posts(as_post: Callable[..., Client]) -> None:
    page = as_post("AUDITOR").get("/access/posts/").content.decode()
    assert "信贷员岗" in page
    assert "还款记账" in page
