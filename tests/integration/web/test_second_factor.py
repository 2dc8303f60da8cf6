"""第二因素：岗位目录说须有的，没有就只到得了绑定页；恢复码每个用一次、库里没有明文；谁也不能代自己解除。"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from sancha.kit.models import AuditEvent, Idempotency
from sancha.rulebook.posts import needs_second_factor, posts
from tests.integration.web.test_login import code_of, log_in
from tests.support.factories_access import County

pytestmark = pytest.mark.django_db


@pytest.fixture
def enforced(settings: Any) -> None:
    settings.SECOND_FACTOR_ENFORCED = True


def bind(client: Client, person: int) -> tuple[TOTPDevice, list[str]]:
    """绑定验证器，返回它与只显示一次的恢复码。"""
    client.post("/second-factor/", {"act": "begin", "submission_key": f"begin-{person}"})
    device = TOTPDevice.objects.get(user_id=person)
    page = client.post(
        "/second-factor/", {"act": "confirm", "submission_key": f"confirm-{person}", "code": code_of(device)}
    ).content.decode()
    return device, re.findall(r'<li class="mono">(\w{10})</li>', page)


def again(device: TOTPDevice) -> None:
    """同一个码在测试里再用一次：等于过了半分钟。"""
    TOTPDevice.objects.filter(pk=device.pk).update(throttling_failure_count=0, last_t=-1)
    StaticDevice.objects.update(throttling_failure_count=0)


def test_the_catalog_marks_those_who_give_authority() -> None:
    marked = {code for code in posts() if needs_second_factor(code)}
    assert {"ADMINISTRATOR", "AUDITOR", "ACCOUNTING_SUPERVISOR"} <= marked
    assert "LOAN_OFFICER" not in marked
    assert not needs_second_factor("GONE")


def test_a_post_that_needs_it_gets_no_further_than_binding(county: County, enforced: None) -> None:
    person = county.person("guan")
    county.grant(person, "ADMINISTRATOR", at="HO")
    client, _ = log_in("guan")
    assert client.get("/access/institutions/")["Location"] == "/second-factor/?next=/access/institutions/"
    assert "您的岗位须绑定" in client.get("/second-factor/").content.decode()
    refused = client.get("/api/v1/institutions")
    assert (refused.status_code, refused.json()["code"]) == (401, "SECOND_FACTOR_REQUIRED")
    device, codes = bind(client, person)
    assert len(set(codes)) == 10
    assert client.get("/access/institutions/").status_code == 200
    assert client.get("/api/v1/institutions").status_code == 200
    # The next login asks for the code, as for anyone who has bound one.
    again(device)
    fresh, _ = log_in("guan")
    assert fresh.get("/access/institutions/")["Location"].startswith("/login/code/")


def test_other_posts_and_other_deployments_are_not_asked(county: County, settings: Any) -> None:
    person = county.person("li.min")
    county.grant(person, "LOAN_OFFICER")
    settings.SECOND_FACTOR_ENFORCED = True
    client, _ = log_in("li.min")
    assert client.get("/tasks/").status_code == 200
    admin = county.person("guan")
    county.grant(admin, "ADMINISTRATOR", at="HO")
    settings.SECOND_FACTOR_ENFORCED = False
    client, _ = log_in("guan")
    assert client.get("/access/institutions/").status_code == 200


def test_a_recovery_code_logs_in_once_and_is_on_record(county: County) -> None:
    person = county.person("li.min")
    county.grant(person, "LOAN_OFFICER")
    client, _ = log_in("li.min")
    device, codes = bind(client, person)
    assert len(codes) == 10
    stored = serializers.serialize("json", [*StaticToken.objects.all(), *Idempotency.objects.all()])
    assert not [code for code in codes if code in stored], "only digests are stored"
    for attempt, wanted in ((codes[0].upper(), 302), (codes[0], 422), ("zzzzzzzzzz", 422)):
        again(device)
        fresh, _ = log_in("li.min")
        assert fresh.post("/login/code/", {"code": attempt}).status_code == wanted, attempt
        assert (fresh.get("/tasks/").status_code == 200) is (wanted == 302)
    assert "还剩 9 个" in client.get("/second-factor/").content.decode()
    event = AuditEvent.objects.get(operation="access.use_recovery_code")
    assert (event.subject, event.data) == (f"person:{person}", {"left": 9})
    assert codes[0] not in json.dumps(event.data)


def test_renewing_needs_the_code_and_ends_the_old_ones(county: County) -> None:
    person = county.person("li.min")
    county.grant(person, "LOAN_OFFICER")
    client, _ = log_in("li.min")
    device, codes = bind(client, person)
    again(device)
    refused = client.post("/second-factor/", {"act": "codes", "submission_key": "r1", "code": "000000"})
    assert refused.status_code == 422 or code_of(device) == "000000"
    again(device)
    page = client.post("/second-factor/", {"act": "codes", "submission_key": "r2", "code": code_of(device)})
    renewed = re.findall(r'<li class="mono">(\w{10})</li>', page.content.decode())
    assert len(renewed) == 10
    assert not set(renewed) & set(codes)
    again(device)
    fresh, _ = log_in("li.min")
    assert fresh.post("/login/code/", {"code": codes[1]}).status_code == 422
    again(device)
    assert fresh.post("/login/code/", {"code": renewed[1]}).status_code == 302


def test_an_administrator_resets_others_and_not_himself(county: County) -> None:
    admin = county.person("guan", at="HO")
    county.grant(admin, "ADMINISTRATOR", at="HO")
    client, _ = log_in("guan")
    bind(client, admin)
    refused = client.post(f"/access/people/{admin}/second-factor/", {"submission_key": "s"})
    assert refused.status_code == 403
    assert "SELF_RESET" in refused.content.decode()
    assert TOTPDevice.objects.filter(user_id=admin).exists()
    clerk = county.person("li.min")
    county.grant(clerk, "LOAN_OFFICER")
    other, _ = log_in("li.min")
    bind(other, clerk)
    client.post(f"/access/people/{clerk}/second-factor/", {"submission_key": "t"})
    assert not TOTPDevice.objects.filter(user_id=clerk).exists()
    assert not StaticToken.objects.filter(device__user_id=clerk).exists()
