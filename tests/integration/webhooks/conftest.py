"""事件推送的测试：一个能办业务的支行、一个真的接收方、放行本机。"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sancha.apps.webhooks import operations
from sancha.interfaces.cli.worker import work_once
from sancha.kit.actor import Actor
from tests.support.echo import Echo, listening
from tests.support.factories_access import County, fresh_key
from tests.support.office import Office, open_office

ALL_LOAN_EVENTS = ["loan.booked", "repayment.posted", "repayment.reversed", "loan.settled", "loan.overdue_entered"]


@pytest.fixture
def echo(settings: Any) -> Iterator[Echo]:
    settings.WEBHOOK_NETWORKS, settings.WEBHOOK_PLAIN_HTTP = ["127.0.0.0/8"], True
    with listening() as opened:
        yield opened


@dataclass
class Desk:
    """订阅的台子：县域银行、管理员、接收方。"""

    county: County
    admin: Actor
    echo: Echo

    def subscribe(self, *events: str, at: str = "HO", url: str = "", actor: Actor | None = None) -> dict[str, Any]:
        return operations.subscribe(
            actor=actor or self.admin,
            key=fresh_key("hook"),
            on=self.county.opened_on,
            institution_id=self.county.ids[at],
            name=f"{at} 的核心系统",
            url=url or self.echo.url,
            events=list(events or ALL_LOAN_EVENTS),
        )

    def on(self, subscription_id: int) -> dict[str, Any]:
        """对一个订阅办事的三样。"""
        return {
            "actor": self.admin, "key": fresh_key("hook"), "on": self.county.opened_on, "subscription_id": subscription_id,
        }  # fmt: skip

    def work(self) -> dict[str, int]:
        return work_once()


@pytest.fixture
def desk(county: County, echo: Echo) -> Desk:
    return Desk(county, county.actor("ADMINISTRATOR"), echo)


@pytest.fixture
def office(county: County) -> Office:
    return open_office(county)
