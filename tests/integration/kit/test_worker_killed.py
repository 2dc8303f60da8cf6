"""后台被杀在送的半路：租期一过，别的后台再送一遍，编号不变；心跳说得出它死了。"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.integration.kit.conftest import Office
from tests.support.echo import listening

SUBSCRIBED = """
from datetime import date
from sancha.kit.actor import SYSTEM
from sancha.apps.access.operations import open_institution
from sancha.apps.webhooks.operations import send_test, subscribe
day = date(2026, 3, 2)
place = open_institution(actor=SYSTEM, key="i", on=day, code="HO", name="总行", kind="HEAD_OFFICE")["institution_id"]
made = subscribe(actor=SYSTEM, key="s", on=day, institution_id=place, name="核心", url={url!r}, events=["loan.booked"])
send_test(actor=SYSTEM, key="t", on=day, subscription_id=made["subscription_id"])
"""
WORK = "from sancha.interfaces.cli.worker import work_once; print(work_once())"
STATE = """
from sancha.apps.webhooks.models import Delivery
row = Delivery.objects.get()
print(row.state, row.attempts, row.lease_until is not None)
"""
LEASE_OVER = """
from sancha.apps.webhooks.models import Delivery
from sancha.kit.clock import now
Delivery.objects.update(lease_until=now())
"""


def test_killed_in_mid_delivery_it_is_delivered_again(
    new_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANCHA_WEBHOOK_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("SANCHA_WEBHOOK_HTTP", "1")
    office = new_office("killed")
    with listening() as echo:
        office.run(SUBSCRIBED.format(url=echo.url))
        echo.pause = 30.0
        worker = office.start(WORK)
        until = time.monotonic() + 30
        while not echo.received and time.monotonic() < until:
            time.sleep(0.05)
        assert echo.received, "the worker never came"
        worker.kill()
        worker.communicate()
        echo.pause = 0.0
        assert office.run(STATE) == "PENDING 1 True"
        office.run(WORK)
        assert len(echo.received) == 1, "while the lease runs nobody else sends it"
        office.run(LEASE_OVER)
        office.run(WORK)
        assert office.run(STATE) == "DELIVERED 2 False"
        first, second = echo.received
        assert first.body == second.body
        assert first.headers["Sancha-Event-Id"] == second.headers["Sancha-Event-Id"]
        assert [got.headers["Sancha-Attempt"] for got in echo.received] == ["1", "2"]
