"""接口测试的机构：县域银行、科目、产品、客户，一笔已放款的借据，各岗位的客户端。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sancha.kernel.terms import Method, Terms
from tests.support.api_client import Api
from tests.support.factories_access import OPENING_DAY, County
from tests.support.factories_loans import Lending, open_lending


@dataclass
class Office:
    """接口测试的环境。"""

    lending: Lending
    loan_id: int

    @property
    def county(self) -> County:
        """机构与人。"""
        return self.lending.county


@pytest.fixture
def office(county: County) -> Office:
    """县域银行与一笔 5 万元、12 期等额本息、今天放款的借据。"""
    lending = open_lending(county)
    terms = Terms(start=OPENING_DAY, principal_fen=5_000_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12)
    return Office(lending, lending.lend(terms).pk)


@pytest.fixture
def as_post(office: Office) -> Callable[..., Api]:
    """``as_post("CASHIER")``：以该岗位的令牌调用的客户端；同样的参数总是同一个。"""
    made: dict[tuple[object, ...], Api] = {}

    def client(post: str, **where: str) -> Api:
        slot = (post, *where.items())
        if slot not in made:
            made[slot] = Api(office.county.actor(post, **where))
        return made[slot]

    return client
