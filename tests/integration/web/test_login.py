"""登录、锁定、强制改密码、选岗位、第二因素。"""

from __future__ import annotations

import json

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from sancha.apps.access import operations as access
from sancha.kit.actor import SYSTEM
from sancha.kit.models import AuditEvent
from tests.integration.web.conftest import signed_in
from tests.support.factories_access import PASSWORD, County, fresh_key

pytestmark = pytest.mark.django_db


def log_in(username: str, password: str = PASSWORD, **extra: str) -> tuple[Client, object]:
    client = Client()
    return client, client.post("/login/", {"username": username, "password": password, **extra})


def test_one_post_goes_straight_to_the_workbench(county: County) -> None:
    person = county.person("li.min", name="李敏")
    county.grant(person, "LOAN_OFFICER")
    client, response = log_in("Li.Min ")
    assert (response.status_code, response["Location"]) == (302, "/")
    page = client.get("/")
    assert page.status_code == 200
    assert "李敏" in page.content.decode()
    assert "2026-03-02" in page.content.decode()  # the business date, not the calendar's


def test_several_posts_are_chosen_and_switched(county: County) -> None:
    person = county.person("duo", name="吴一多")
    here, there = county.grant(person, "LOAN_OFFICER", at="S1"), county.grant(person, "LOAN_OFFICER", at="S2")
    client, _ = log_in("duo")
    assert client.get("/tasks/")["Location"] == "/post/?next=/tasks/"
    choice = client.get("/post/").content.decode()
    assert "柳溪支行" in choice
    assert "石桥支行" in choice
    response = client.post("/post/", {"holding_id": there.post_holding_id, "next": "/tasks/"})
    assert response["Location"] == "/tasks/"
    assert client.get("/").context["actor"].institution_id == county.ids["S2"]
    client.post("/post/", {"holding_id": here.post_holding_id})
    assert client.get("/").context["actor"].institution_id == county.ids["S1"]


def test_the_post_of_another_person_is_refused(county: County) -> None:
    other = county.actor("BRANCH_MANAGER")
    person = county.person("duo")
    county.grant(person, "LOAN_OFFICER", at="S1")
    county.grant(person, "LOAN_OFFICER", at="S2")
    client, _ = log_in("duo")
    assert client.post("/post/", {"holding_id": other.post_holding_id}).status_code == 422
    session = client.session
    session["holding_id"] = other.post_holding_id  # even a forged session gives no other person's post
    session.save()
    assert client.get("/")["Location"] == "/post/"


def test_a_post_that_ends_stops_at_the_next_click(county: County) -> None:
    actor = county.actor("LOAN_OFFICER")
    client = signed_in(actor)
    assert client.get("/").status_code == 200
    access.end_post(actor=SYSTEM, key=fresh_key(), on=county.opened_on, holding_id=actor.post_holding_id)
    assert client.get("/")["Location"] == "/post/"
    assert "没有任何有效岗位" in client.get("/post/").content.decode()


def test_wrong_password_keeps_the_name_and_says_what_happens_next(county: County) -> None:
    county.person("li.min")
    _, response = log_in("li.min", "wrong")
    assert response.status_code == 422
    text = response.content.decode()
    assert "用户名或密码不正确" in text
    assert 'value="li.min"' in text


def test_five_failures_lock_whatever_the_letter_case(county: County) -> None:
    county.person("li.min")
    client = Client()
    for name in ("li.min", "LI.MIN", "Li.min", "li.MIN"):
        assert client.post("/login/", {"username": name, "password": "wrong"}).status_code == 422
    response = client.post("/login/", {"username": "li.min", "password": "wrong"})
    assert response.status_code == 429
    assert "锁定 15 分钟" in response.content.decode()
    still = client.post("/login/", {"username": "li.min", "password": PASSWORD})
    assert still.status_code == 429, "the right password opens nothing while locked"
    assert client.get("/")["Location"] == "/login/"


def test_first_password_must_be_changed(county: County) -> None:
    made = access.add_person(
        actor=SYSTEM, key=fresh_key(), on=county.opened_on, username="xin", name="新人", institution_id=county.ids["S1"]
    )
    county.grant(made["person_id"], "LOAN_OFFICER")
    client, _ = log_in("xin", made["password"])
    assert client.get("/tasks/")["Location"] == "/password/"
    assert client.get("/post/")["Location"] == "/password/"
    form = client.get("/password/").content.decode()
    assert "须先改密码" in form

    new = "Liuxi-2026-hao"
    values = {"submission_key": "k1", "old": "not it", "new": new, "again": new}
    refused = client.post("/password/", values)
    assert refused.status_code == 422
    assert "原密码不正确" in refused.content.decode()
    different = client.post("/password/", values | {"old": made["password"], "again": "other"})
    assert "不一样" in different.content.decode()

    done = client.post("/password/", values | {"submission_key": "k2", "old": made["password"]})
    assert done["Location"] == "/"
    assert client.get("/").status_code == 200, "the session that changed it lives on"
    event = AuditEvent.objects.get(operation="access.change_password")
    assert new not in json.dumps(event.data)


def test_next_never_leaves_the_site(county: County) -> None:
    county.grant(county.person("li.min"), "LOAN_OFFICER")
    _, response = log_in("li.min", next="https://evil.example/")
    assert response["Location"] == "/"


def test_logout_takes_a_post(county: County) -> None:
    client = signed_in(county.actor("LOAN_OFFICER"))
    client.get("/logout/")
    assert client.get("/").status_code == 200
    client.post("/logout/")
    assert client.get("/")["Location"] == "/login/"


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = totp.time + steps * device.step
    return f"{totp.token():06d}"


def wrong_code(device: TOTPDevice) -> str:
    right = {code_of(device, steps=n) for n in (-2, -1, 0, 1, 2)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)


def test_second_factor_is_bound_asked_for_and_removed_by_an_administrator(county: County) -> None:
    person = county.person("li.min")
    county.grant(person, "LOAN_OFFICER")
    client, _ = log_in("li.min")
    client.post("/second-factor/", {"act": "begin", "submission_key": "a"})
    device = TOTPDevice.objects.get(user_id=person)
    page = client.get("/second-factor/")
    assert "otpauth://totp/" in page.content.decode()
    assert not device.confirmed
    client.post("/second-factor/", {"act": "confirm", "submission_key": "b", "code": wrong_code(device)})
    device.refresh_from_db()
    assert not device.confirmed
    TOTPDevice.objects.update(throttling_failure_count=0)
    client.post("/second-factor/", {"act": "confirm", "submission_key": "c", "code": code_of(device)})
    device.refresh_from_db()
    assert device.confirmed
    assert client.get("/").status_code == 200, "who has just bound it is not asked again"

    fresh, response = log_in("li.min")
    assert response["Location"] == "/"
    assert fresh.get("/tasks/")["Location"] == "/login/code/?next=/tasks/"
    assert fresh.get("/post/")["Location"] == "/login/code/?next=/post/"
    assert fresh.post("/login/code/", {"code": wrong_code(device)}).status_code == 422
    device.refresh_from_db()
    assert device.throttling_failure_count == 1, "a failed try is counted, not rolled back"
    TOTPDevice.objects.update(throttling_failure_count=0, last_t=-1)
    good = fresh.post("/login/code/", {"code": code_of(device), "next": "/tasks/"})
    assert good["Location"] == "/tasks/"
    assert fresh.get("/tasks/").status_code == 200

    admin = signed_in(county.actor("ADMINISTRATOR"))
    admin.post(f"/access/people/{person}/second-factor/", {"submission_key": "d"})
    assert not TOTPDevice.objects.filter(user_id=person).exists()
    assert AuditEvent.objects.filter(operation="access.clear_second_factor", subject=f"person:{person}").exists()


def test_samples_need_both_the_flag_and_the_file(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path, settings) -> None:
    settings.HOME = tmp_path
    row = {
        "username": "demo.li",
        "password": "demo-pass-123",
        "name": "李敏",
        "post": "信贷员岗",
        "institution": "柳溪",
    }
    monkeypatch.setenv("SANCHA_DEMO", "1")
    assert "demo.li" not in Client().get("/login/").content.decode()
    (tmp_path / "demo-logins.json").write_text(json.dumps([row]))
    assert "demo.li" in Client().get("/login/").content.decode()
    monkeypatch.delenv("SANCHA_DEMO")
    assert "demo.li" not in Client().get("/login/").content.decode()


def test_inactive_person_cannot_log_in(county: County) -> None:
    person = county.person("li.min")
    get_user_model().objects.filter(pk=person).update(is_active=False)
    _, response = log_in("li.min")
    assert response.status_code == 422
