"""网页测试的客户端：以某个岗位登录好的、与刚打开浏览器的。"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from sancha.apps.parties.models import PartyBigram
from sancha.apps.parties.queries import name_grams
from sancha.interfaces.web.middleware import HOLDING, INSTITUTION
from sancha.kit.actor import Actor
from tests.support.factories_access import County
from tests.support.factories_loans import Lending, open_lending

BACKEND = "sancha.apps.access.login.HoldingsBackend"


def signed_in(actor: Actor) -> Client:
    """以该岗位登录好的客户端（不走登录页；登录页另有测试）。"""
    client = Client()
    client.force_login(get_user_model().objects.get(pk=actor.person_id), backend=BACKEND)
    session = client.session
    session[HOLDING], session[INSTITUTION] = actor.post_holding_id, actor.institution_id
    session.save()
    return client


@pytest.fixture
def as_post(county: County) -> Callable[..., Client]:
    """``as_post("LOAN_OFFICER")``：以该岗位登录好的客户端。"""
    return lambda code, **where: signed_in(county.actor(code, **where))


@pytest.fixture
def lending(county: County) -> Lending:
    """配好科目、产品与客户的县域银行；客户按姓名查得到。"""
    opened = open_lending(county)
    PartyBigram.objects.bulk_create(PartyBigram(party_id=opened.party_id, gram=gram) for gram in name_grams("王秀兰"))
    return opened
