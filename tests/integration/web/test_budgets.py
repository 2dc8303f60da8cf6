"""列表页的查询预算：有数据时也不超过八条，且不随行数增长。每加一个列表页，就在这里加一行。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.models import Period
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import now
from tests.integration.web.conftest import signed_in
from tests.support.api_things import things_at_s1
from tests.support.factories_access import OPENING_DAY, County, fresh_key

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8

PAGES = [
    *((name, "ACCOUNTING_SUPERVISOR") for name in (
        "tasks", "ledger:trial-balance", "ledger:accounts", "ledger:vouchers", "ledger:drafts", "ledger:periods",
        "ledger:opening", "ledger:taxes", "cash:receipts", "cash:orders", "cash:till", "cash:accounts", "cash:debits", "loans:list",
        "products:list",
    )),
    *((name, "CASHIER") for name in ("cash:till", "cash:receipts", "cash:orders", "ledger:drafts")),
    ("audit:events", "AUDITOR"),
    ("parties:list", "LOAN_OFFICER"),
    *((name, "BUSINESS_MANAGER") for name in ("origination:list", "authority:mandates", "authority:officers", "authority:board", "agreements:list")),
    ("access:institutions", "ADMINISTRATOR"),
]  # fmt: skip


def busy_branch(county: County) -> dict[str, object]:
    """柳溪支行各样都有几条：借据、收付款、手工凭证、柜员日结、批扣、结账记录、上月已折叠的账。"""
    things = things_at_s1(county)
    fold_day(day=OPENING_DAY - timedelta(days=2), institution_ids=list(county.ids.values()))
    clerk, s1 = county.actor("CASHIER"), county.ids["S1"]
    cash = cashdesk.open_own_account(
        actor=SYSTEM,
        key=fresh_key(),
        institution_id=s1,
        kind="CASH",
        name="柜台现金",
        account_code="1001",
        on=OPENING_DAY,
    )["own_account_id"]
    cashdesk.record_receipt(
        actor=clerk,
        key=fresh_key(),
        own_account_id=cash,
        serial="X1",
        amount_fen=500,
        value_on=OPENING_DAY,
        on=OPENING_DAY,
    )
    cashdesk.count_cash(actor=clerk, key=fresh_key(), own_account_id=cash, counted_fen=500, on=OPENING_DAY)
    cashdesk.create_debit_batch(
        actor=clerk, key=fresh_key(), own_account_id=things["own_account_id"], on=OPENING_DAY,
        items=[{"subject": "loan:1", "amount_fen": 5, "payer_name": "王秀兰", "payer_account": "6217000200020002"}],
    )  # fmt: skip
    Period.objects.create(
        institution_id=s1, kind="MONTH", first_on=date(2026, 1, 1), last_on=date(2026, 1, 31), closed_at=now(),
        closed_by=clerk.person_id,
    )  # fmt: skip
    grow(county, things, 1)
    return things


def grow(county: County, things: dict[str, object], many: int) -> None:
    """再添 ``many`` 张草稿、付款单、收款：查询条数不该跟着涨。"""
    clerk: Any = county.actor("CASHIER")
    for number in range(many):
        ledger.enter_manual_voucher(
            actor=clerk, key=fresh_key(), institution_id=county.ids["S1"], booked_on=OPENING_DAY, summary=f"办公费 {number}",
            lines=[{"account": "6601", "amount_fen": 5}, {"account": "1002", "amount_fen": -5}], on=OPENING_DAY,
        )  # fmt: skip
        cashdesk.enter_payment_order(
            actor=clerk, key=fresh_key(), own_account_id=things["own_account_id"], purpose="REFUND", subject="loan:1",
            amount_fen=7, payee_name="王秀兰", payee_account="6217000200020002", on=OPENING_DAY,
        )  # fmt: skip
        cashdesk.record_receipt(
            actor=clerk, key=fresh_key(), own_account_id=things["own_account_id"], serial=fresh_key("G"), amount_fen=9,
            value_on=OPENING_DAY, on=OPENING_DAY,
        )  # fmt: skip


@pytest.mark.parametrize(("name", "post"), PAGES)
def test_a_list_page_keeps_the_statement_budget(county: County, name: str, post: str) -> None:
    things = busy_branch(county)
    client = signed_in(county.actor(post))
    assert client.get(reverse(name)).status_code == 200
    with CaptureQueriesContext(connection) as few:
        client.get(reverse(name))
    grow(county, things, 4)
    with CaptureQueriesContext(connection) as many:
        client.get(reverse(name))
    shown = [query["sql"][:110] for query in many.captured_queries]
    assert len(many) <= LIST_PAGE_BUDGET, shown
    assert len(many) == len(few), shown


def test_the_trial_balance_in_two_statements_equals_the_two_it_replaced(county: County) -> None:
    """期初与发生额一次取：与分别求得的逐科目相等，不论从哪天看起，折叠到哪里。"""
    things = busy_branch(county)
    for day in (OPENING_DAY - timedelta(days=1), OPENING_DAY):
        fold_day(day=day, institution_ids=[county.ids["S2"], county.ids["S9"]])
    grow(county, things, 2)
    everywhere = queries.Scope()
    for first, last in (
        (OPENING_DAY, OPENING_DAY), (date(2026, 1, 1), OPENING_DAY), (OPENING_DAY + timedelta(days=1), OPENING_DAY),
        (date(2026, 2, 15), date(2026, 2, 20)),
    ):  # fmt: skip
        opening = queries.balances_by(everywhere, first - timedelta(days=1), ("account_id",))
        moved = queries.turnovers_by(everywhere, first, last, ("account_id",))
        expected = {
            account_id: [opening.get((account_id,), 0), *moved.get((account_id,), (0, 0))]
            for (account_id,) in opening.keys() | moved.keys()
        }
        assert queries.opening_and_turnover(everywhere, first, last) == expected
