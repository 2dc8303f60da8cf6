"""语句预算：登记、还款、台账、借据页各用多少条 SQL（BEGIN、COMMIT、SAVEPOINT 不计），不随借据的年龄与长短增长。"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing import queries
from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.kernel.dates import PeriodUnit
from sancha.kit.clock import now
from tests.integration.servicing.test_booking import authorize, book
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office

REPAYMENT, BOOKING, LIST = 15, 25, 8
_FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET TRANSACTION")


@contextmanager
def counted() -> Iterator[list[str]]:
    """数这一段里的 SQL。"""
    statements: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield statements
    statements += [query["sql"] for query in captured.captured_queries if not query["sql"].startswith(_FRAME)]


def within(statements: list[str], budget: int) -> None:
    assert len(statements) <= budget, f"{len(statements)} > {budget}:\n" + "\n".join(sql[:150] for sql in statements)


@pytest.fixture
def grown(office: Office) -> Callable[[int], int]:
    """一笔老借据：``periods`` 期里过了大半，每期一条还款事实。"""

    def make(periods: int) -> int:
        paid = periods * 2 // 3
        start = office.today - timedelta(days=7 * paid + 3)
        loan_id = office.lend(start, periods=periods, period_unit=PeriodUnit.WEEK)
        # Written at once and taken in by a release: recording them one by one would replay the loan as many times.
        LoanFact.objects.bulk_create(
            LoanFact(
                loan_id=loan_id, seq=number + 1, kind="REPAYMENT", value_on=start + timedelta(days=7 * number), booked_on=office.today,
                amount_fen=5_100_000 // periods, recorded_at=now(),
            )
            for number in range(1, paid + 1)
        )  # fmt: skip
        LoanState.objects.filter(pk=loan_id).update(held=True, last_seq=paid + 1)
        servicing.release_loan(actor=office.supervisor, key=fresh_key(), loan_id=loan_id, reason="补录历史还款")
        assert office.row(loan_id).last_seq == paid + 1
        return loan_id

    return make


@pytest.mark.parametrize("periods", [12, 240])
@pytest.mark.parametrize("back", [0, 20])
def test_a_repayment_with_a_receipt(office: Office, grown: Callable[[int], int], periods: int, back: int) -> None:
    loan_id = grown(periods)
    receipt = office.receive(100_00)
    office.repay(office.lend(), 1_00)  # what a process looks up once (accounts by date) is not this repayment's
    value_on = office.today - back * ONE_DAY
    with counted() as statements:
        office.repay(loan_id, 100_00, receipt_id=receipt, value_on=value_on)
    within(statements, REPAYMENT)
    print(f"repayment, {periods} periods, {back} days back: {len(statements)}")


def test_booking_and_authorizing(office: Office) -> None:
    book(office)
    with counted() as statements:
        booked = book(office)
    within(statements, BOOKING)
    print(f"booking: {len(statements)}")
    with counted() as statements:
        authorize(office, booked)
    within(statements, BOOKING)
    print(f"authorizing: {len(statements)}")


def test_a_list_page(office: Office) -> None:
    for _ in range(3):
        office.lend()

    def page() -> list[str]:
        with counted() as statements:
            found = queries.list_loans(actor=office.clerk, where=queries.LoanFilter(keyword="JKT"), today=office.today)
            queries.loan_totals(actor=office.clerk, where=queries.LoanFilter(), today=office.today)
        assert found.rows
        return statements

    few = page()
    within(few, LIST)
    for _ in range(5):
        office.lend()
    assert len(page()) == len(few)
    print(f"list page: {len(few)}")


def test_a_loan_page_does_not_grow(office: Office, grown: Callable[[int], int]) -> None:
    def look(loan_id: int) -> Any:
        with counted() as statements:
            view = queries.view_loan(actor=office.clerk, loan_id=loan_id)
            view.schedule()
            view.payoff()
            queries.view_loan(actor=office.clerk, loan_id=loan_id, on=office.today - ONE_DAY, known_at=office.today)
        return len(statements)

    assert look(grown(12)) == look(grown(240)) <= LIST
