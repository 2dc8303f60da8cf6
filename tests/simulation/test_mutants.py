"""八种误读各跑一遍随机营业：独立核对必须变红；同样的营业不改代码必须是绿的。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from tests.simulation.business import Business
from tests.simulation.independent import Books, BooksWrong, booked, compare
from tests.simulation.mutants import MUTANTS, policy_edited_without_fact, silence_guards

pytestmark = pytest.mark.django_db

SEED, DAYS = 2, 24
TRIES = 5
"""有的误读要碰上特定的事才显形（如倒签之后事件提前）：这几个种子里有一个抓住即可，多数第一个就抓住。"""


def test_the_same_business_unchanged_is_green() -> None:
    business = Business(SEED)
    business.run(DAYS)
    assert not business.counts["guard"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda function: function.__name__)
def test_each_misreading_is_caught(
    mutant: Callable[[pytest.MonkeyPatch, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert any(_caught(mutant, seed, monkeypatch) for seed in range(SEED, SEED + TRIES)), (
        f"{mutant.__name__} went unseen"
    )


def _caught(mutant: Callable[[pytest.MonkeyPatch, Any], None], seed: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """这一种子下独立核对是否变红；营业随后整个回滚。"""
    found = ""
    with monkeypatch.context() as patch, transaction.atomic():
        business = Business(seed, guarded=False)
        silence_guards(patch)
        mutant(patch, business)
        try:
            business.run(DAYS)
        except BooksWrong as wrong:
            found = str(wrong)
        days, guard = (business.today - business.first).days, business.counts["guard"]
        transaction.set_rollback(True)
    print(
        f"{mutant.__name__} seed {seed}: {'caught' if found else 'unseen'} on day {days}, guard {guard}: {found[:160]}"
    )
    return bool(found)


def test_the_policy_edit_hurts_the_past_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """改政策值而没有事实：今天的账会随借据走动而愈合，过去「当时所知」永远不对。"""
    business = Business(SEED, guarded=False)
    silence_guards(monkeypatch)
    business.run(10)
    _check_past(business)
    policy_edited_without_fact(monkeypatch, business)
    assert business.on_day is not None
    business.on_day(business, 8)
    with pytest.raises(BooksWrong, match="as known"):
        _check_past(business)


def _check_past(business: Business) -> None:
    """只看过去各日的当时所知。"""
    books = Books()
    for number in range((business.today - business.first).days):
        known = business.first + timedelta(days=number)
        compare(booked(known), books.replayed(known), f"as known on {known}")
