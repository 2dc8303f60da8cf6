"""页面、接口、命令行办同样的事：订阅、试送、死信重送、换密钥、停用；密钥只显示一次。"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sancha.apps.webhooks.models import Delivery, Subscription
from sancha.interfaces.cli.main import main
from tests.integration.web.conftest import signed_in
from tests.integration.webhooks.conftest import Desk
from tests.integration.webhooks.test_delivering import verified
from tests.support.api_client import Api, assert_problem
from tests.support.office import Office

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"whsec_[\w-]{43}")


def test_a_subscription_lives_on_the_screens(desk: Desk, office: Office) -> None:
    client = signed_in(desk.admin)
    values = {
        "name": "核心系统", "url": "https://10.0.0.1/", "events": ["loan.booked"], "institution_id": desk.county.ids["HO"],
        "submission_key": "k1",
    }  # fmt: skip
    refused = client.post("/webhooks/new/", values)
    assert refused.status_code == 422
    assert "不是公网地址" in refused.content.decode()
    assert 'value="https://10.0.0.1/"' in refused.content.decode(), "nothing typed is lost"
    made = client.post("/webhooks/new/", values | {"url": desk.echo.url}).content.decode()
    (secret,) = set(SECRET.findall(made))
    again = client.post("/webhooks/new/", values | {"url": desk.echo.url}).content.decode()
    assert not SECRET.search(again)
    number = Subscription.objects.get().pk
    assert "核心系统" in client.get("/webhooks/").content.decode()

    client.post(f"/webhooks/{number}/test/", {"submission_key": "t"})
    desk.work()
    assert verified(desk.echo.received[0], secret)
    shown = client.get(f"/webhooks/{number}/").content.decode()
    assert "已送达" in shown
    assert not SECRET.search(shown)

    office.lend()
    Delivery.objects.all().delete()
    desk.work()
    Delivery.objects.update(state="DEAD")
    assert "重送死信" in client.get(f"/webhooks/{number}/?state=DEAD").content.decode()
    client.post(f"/webhooks/{number}/dead/", {"submission_key": "d"})
    desk.work()
    row = Delivery.objects.get()
    assert row.state == "DELIVERED"
    page = client.get(f"/webhooks/deliveries/{row.pk}/").content.decode()
    assert "loan.booked" in page
    client.post(f"/webhooks/deliveries/{row.pk}/again/", {"submission_key": "a"})
    assert Delivery.objects.get().state == "PENDING"

    client.post(f"/webhooks/{number}/pause/", {"submission_key": "p"})
    assert Subscription.objects.get().state == "PAUSED"
    client.post(f"/webhooks/{number}/resume/", {"submission_key": "r"})
    edited = client.post(
        f"/webhooks/{number}/edit/",
        {"name": "新名", "url": desk.echo.url, "events": ["day.closed"], "submission_key": "e"},
    )
    assert edited.status_code == 302
    assert Subscription.objects.get().events == ["day.closed"]
    rotated = SECRET.findall(client.post(f"/webhooks/{number}/secret/", {"submission_key": "s"}).content.decode())
    assert rotated
    assert rotated[0] != secret
    client.post(f"/webhooks/{number}/close/", {"submission_key": "c"})
    assert client.post(f"/webhooks/{number}/resume/", {"submission_key": "x"}).status_code == 409
    assert "新名" not in client.get("/webhooks/").content.decode()
    assert "新名" in client.get("/webhooks/?closed=1").content.decode()
    assert "repayment.posted" in client.get("/webhooks/events/").content.decode()


def test_an_auditor_looks_and_touches_nothing(desk: Desk) -> None:
    made = desk.subscribe()
    client = signed_in(desk.county.actor("AUDITOR"))
    page = client.get(f"/webhooks/{made['subscription_id']}/").content.decode()
    assert "试送" not in page.split("投递记录")[0]
    assert client.post(f"/webhooks/{made['subscription_id']}/close/").status_code == 403
    assert client.get("/webhooks/new/").status_code == 403


def test_the_interface_does_the_same(desk: Desk, office: Office) -> None:
    api = Api(desk.admin)
    body: dict[str, Any] = {
        "name": "核心系统", "url": desk.echo.url, "events": ["loan.booked"], "institution_id": desk.county.ids["HO"],
    }  # fmt: skip
    made = api.post("/webhooks", body, key="one")
    assert made.status_code == 201, made.content.decode()
    number, secret = made.json()["subscription_id"], made.json()["secret"]
    assert api.post("/webhooks", body, key="one").json()["secret"] is None
    assert_problem(api.post("/webhooks", body | {"events": ["no.such"]}), 422, "EVENT_UNKNOWN")
    assert api.get("/webhooks").json()["total"] == 1
    assert "secret" not in api.get(f"/webhooks/{number}").json()
    sent = api.post(f"/webhooks/{number}/test")
    assert sent.status_code == 202, sent.content.decode()
    desk.work()
    listed = api.get(f"/webhooks/{number}/deliveries?state=DELIVERED").json()["items"]
    assert [row["status_code"] for row in listed] == [200]
    one = api.get(f"/webhooks/deliveries/{listed[0]['id']}").json()
    assert json.loads(one["body"])["type"] == "webhook.test"
    assert [attempt["number"] for attempt in one["log"]] == [1]
    again = api.post("/webhooks/deliveries/redeliver", {"delivery_ids": [listed[0]["id"]]})
    assert again.json()["count"] == 1, again.content.decode()
    assert api.post(f"/webhooks/{number}/rotate-secret").json()["secret"] not in {None, secret}
    assert api.post(f"/webhooks/{number}/pause", {"reason": "升级"}).json()["state"] == "PAUSED"
    assert api.get(f"/webhooks/{number}").json()["paused_reason"] == "升级"
    assert {row["name"] for row in api.get("/webhooks/events").json()} >= {"loan.booked", "day.closed"}
    outside = Api(desk.county.actor("ADMINISTRATOR", at="GC"))
    assert outside.get("/webhooks").json()["total"] == 0
    assert_problem(outside.get(f"/webhooks/{number}"), 404)
    assert_problem(outside.post(f"/webhooks/{number}/close"), 404)


def test_the_command_does_the_same(desk: Desk, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> Any:
        assert main(["webhooks", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    made = run("add", "--institution", "HO", "--name", "核心", "--url", desk.echo.url, "--event", "loan.booked")
    assert SECRET.fullmatch(made["secret"])
    number = str(made["subscription_id"])
    assert [row["name"] for row in run("list")] == ["核心"]
    run("test", number)
    desk.work()
    assert [row["state"] for row in run("deliveries", number)] == ["DELIVERED"]
    Delivery.objects.update(state="DEAD")
    assert run("redeliver", number, "--dead")["count"] == 1
    assert run("pause", number)["state"] == "PAUSED"
    assert run("close", number)["state"] == "CLOSED"
    assert "loan.booked" in {row["name"] for row in run("events")}
    capsys.readouterr()
    assert (
        main(
            [
                "webhooks",
                "add",
                "--institution",
                "HO",
                "--name",
                "x",
                "--url",
                "https://10.0.0.1/",
                "--event",
                "day.closed",
            ]
        )
        == 1
    )
    assert "不是公网地址" in capsys.readouterr().err
