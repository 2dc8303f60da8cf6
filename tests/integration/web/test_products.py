"""产品页面：一览、版本、钉住的参数与条款。"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.products.queries import version_history
from sancha.rulebook.product_terms import pin
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_list_stays_within_its_budget_and_leads_to_each_product(
    lending: Lending, as_post: Callable[..., Client]
) -> None:
    client = as_post("PRODUCT_MANAGER")
    with CaptureQueriesContext(connection) as captured:
        page = client.get("/products/")
    assert len(captured) <= 8
    links = set(re.findall(r"/products/(\d+)/", page.content.decode()))
    assert len(links) > 3
    for product_id in links:
        assert client.get(f"/products/{product_id}/").status_code == 200


def test_a_version_shows_what_is_pinned_and_on_which_clause(lending: Lending, as_post: Callable[..., Client]) -> None:
    version = version_history(product_id=lending.product_id)[0]
    pinned = pin(version.terms, max(version.valid_from, lending.today))
    shown = text_of(as_post("PRODUCT_MANAGER").get(f"/products/{lending.product_id}/"))
    assert pinned.pins, "the sample product takes values from parameters"
    for item in pinned.pins:
        assert item.parameter["code"] in shown
        assert item.parameter["clause"] in shown
    for code in version.clauses:
        assert code in shown


def test_unknown_products_and_versions(lending: Lending, as_post: Callable[..., Client]) -> None:
    client = as_post("PRODUCT_MANAGER")
    assert client.get("/products/999999/").status_code == 404
    assert client.get(f"/products/{lending.product_id}/?version=abc").status_code == 200
