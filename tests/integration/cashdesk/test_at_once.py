"""同时办理：收款不超用、流水不双记、折叠不漏在途凭证（PostgreSQL）。"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.cashdesk import queries
from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries as books
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import DomainError
from tests.support.at_once import at_once
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = OPENING_DAY


@pytest.fixture
def county() -> County:
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=TODAY)
    return county


@pytest.fixture
def bank(county) -> int:
    return cashdesk.open_own_account(
        actor=SYSTEM, key=fresh_key(), institution_id=county.ids["S1"], kind="BANK", name="基本户", account_code="1002",
        number="3300012345678901", on=TODAY,
    )["own_account_id"]  # fmt: skip


def record(bank: int, serial: str, fen: int = 100, key: str = "") -> dict:
    return cashdesk.record_receipt(
        actor=SYSTEM,
        key=key or fresh_key(),
        own_account_id=bank,
        serial=serial,
        amount_fen=fen,
        value_on=TODAY,
        on=TODAY,
    )


def test_two_uses_at_once_never_exceed_the_receipt(bank):
    receipt = record(bank, "A")["receipt_id"]

    def use() -> dict:
        with transaction.atomic():
            return cashdesk.use_receipt(
                receipt_id=receipt, amount_fen=60, subject="loan:1", booked_on=TODAY, actor=SYSTEM
            )

    results = at_once(use, use)
    refused = [result for result in results if isinstance(result, DomainError)]
    assert [error.code for error in refused] == ["RECEIPT_SHORT"]
    assert queries.receipt_detail(SYSTEM, receipt)[0].left_fen == 40


def test_one_serial_at_once_is_one_receipt(bank):
    results = at_once(lambda: record(bank, "A"), lambda: record(bank, "A"))
    assert [error.code for error in results if isinstance(error, DomainError)] == ["RECEIPT_EXISTS"]
    assert queries.receipts(SYSTEM).total_fen == 100


def test_one_key_at_once_gives_both_the_same_answer(bank):
    first, second = at_once(lambda: record(bank, "A", key="k"), lambda: record(bank, "A", key="k"))
    assert first == second
    assert queries.receipts(SYSTEM).total_fen == 100


def test_folding_waits_for_a_voucher_that_is_being_written(county):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite 的写事务一个接一个，没有并发可看")
    accounts, place = resolve_accounts(TODAY), county.ids["S1"]
    voucher = VoucherSpec(TODAY, place, "SERVICING", "T", "t", [LineSpec(5, "CASH"), LineSpec(-5, "PRINCIPAL")])
    with transaction.atomic():
        post_vouchers([voucher], actor=SYSTEM, accounts=accounts)
    folded = threading.Event()

    def fold() -> None:
        with transaction.atomic():
            fold_day(day=TODAY, institution_ids=[place])
        folded.set()
        connection.close()

    thread = threading.Thread(target=fold)
    with transaction.atomic():
        post_vouchers([voucher], actor=SYSTEM, accounts=accounts)
        thread.start()
        assert not folded.wait(0.5)
    thread.join(20)
    assert folded.is_set()
    assert books.fold_differences() == []
    assert books.totals_as_of(TODAY + timedelta(days=1))[accounts.account("CASH")] == 10
