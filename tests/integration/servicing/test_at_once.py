"""同时办理（PostgreSQL）：两笔还款、还款与日终、两个日终、核对与营业；不丢、不重、不误报。"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from sancha.apps.ledger.models import Voucher
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.dayclose import engine, invariants
from sancha.kernel.dates import PeriodUnit
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError
from tests.simulation.independent import check_close
from tests.support.at_once import at_once
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office, open_office

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(transactional_db: None) -> Office:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite 的写事务一个接一个，没有并发可看")
    return open_office()


def seqs(loan_id: int) -> list[int]:
    return list(LoanFact.objects.filter(loan_id=loan_id).order_by("seq").values_list("seq", flat=True))


def test_two_repayments_with_one_key_are_one(office: Office) -> None:
    loan_id = office.lend()
    first, second = at_once(*[lambda: office.repay(loan_id, 100_00, key="同一键")] * 2)
    assert first == second
    assert seqs(loan_id) == [1, 2]
    assert office.row(loan_id).overpayment_fen == 100_00
    assert office.problems() == []


def test_two_repayments_with_two_keys_are_both_there(office: Office) -> None:
    """各记各的，先后有序：序号无缺，两张凭证，余额是两笔之和。"""
    loan_id = office.lend()
    results = at_once(*[lambda fen=fen: office.repay(loan_id, fen) for fen in (100_00, 200_00, 300_00)])
    assert sorted(result["seq"] for result in results) == [2, 3, 4]
    assert len({result["voucher_id"] for result in results}) == 3
    assert office.row(loan_id).overpayment_fen == 600_00
    assert office.problems() == []


def test_the_debt_is_not_paid_twice(office: Office) -> None:
    """两个窗口同时各还清全部：一个办成，另一个被告知已结清。"""
    loan_id = office.lend()
    total = office.payoff(loan_id)
    results = at_once(*[lambda: office.repay(loan_id, total, future="LAST")] * 2)
    refused = [result for result in results if isinstance(result, DomainError)]
    assert [error.code for error in refused] == ["LOAN_SETTLED"]
    assert office.problems() == []


def test_a_settlement_reversed_at_once_leaves_the_right_status(office: Office) -> None:
    """结清与冲正先前一笔还款抢在一起：借据头上的状态总与账上相符，不会停在旧的那个。"""
    for _ in range(4):
        loan_id = office.lend(office.today - timedelta(days=40))
        paid = office.repay(loan_id, 100_00)
        total = office.payoff(loan_id)
        at_once(
            lambda pk=loan_id, fen=total: office.repay(pk, fen, future="LAST"),
            lambda pk=loan_id, seq=paid["seq"]: servicing.reverse_fact(
                actor=office.supervisor, key=fresh_key(), loan_id=pk, seq=seq, reason="错账"
            ),
        )
        owed = office.payoff(loan_id)
        assert owed == 100_00
        assert office.loan(loan_id).status == "ACTIVE"


def test_a_repayment_and_its_reversal_and_a_change(office: Office) -> None:
    """同一借据上还款、冲正、收费一起来：谁先谁后都行，账是平的。"""
    loan_id = office.lend(office.today - timedelta(days=40))
    paid = office.repay(loan_id, 100_00)
    at_once(
        lambda: office.repay(loan_id, 200_00),
        lambda: servicing.reverse_fact(
            actor=office.supervisor, key=fresh_key(), loan_id=loan_id, seq=paid["seq"], reason="错账"
        ),
        lambda: servicing.charge_fee(
            actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=1_00, name="费", reason="约定"
        ),
    )
    assert seqs(loan_id) == [1, 2, 3, 4, 5]
    assert office.problems() == []


def test_repayments_while_the_day_is_closed(office: Office) -> None:
    """日终三天，三个窗口不停地还款：都记上，日终不停，每天账平、当时所知也平。"""
    loans = [
        office.lend(office.today - timedelta(days=day), periods=20, period_unit=PeriodUnit.WEEK) for day in range(12)
    ]
    first, done = office.today, threading.Event()

    def close() -> None:
        try:
            engine.run(actor=SYSTEM, group_id=office.county.group_id, until=first + 2 * ONE_DAY, chunk=2)
        finally:
            done.set()

    def pay(mine: list[int]) -> int:
        count = 0
        while not done.is_set():
            for loan_id in mine:
                office.repay(loan_id, 1_23, allow_overpayment=True, value_on=first if count % 3 == 0 else None)
                count += 1
        return count

    _, *counts = at_once(close, *[lambda mine=loans[part::3]: pay(mine) for part in range(3)])
    assert min(counts) > 0
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == sum(counts)
    assert not LoanState.objects.filter(held=True).exists()
    for number in range(3):
        check_close(first + number * ONE_DAY)
    accrued = list(Voucher.objects.filter(kind="ACCRUAL").values_list("booked_on", flat=True))
    assert len(accrued) == len(set(accrued)) <= 3
    assert office.problems() == []
    print(f"repayments during three closes: {counts}")


def test_two_closes_at_once(office: Office) -> None:
    """两个人同时按「日终」：一个做，另一个被拒并知道为什么；这一天只做了一次。"""
    for day in range(8):
        office.lend(office.today - timedelta(days=day), periods=20, period_unit=PeriodUnit.WEEK)
    day = office.today
    results = at_once(*[lambda: engine.run(actor=SYSTEM, group_id=office.county.group_id, until=day, chunk=1)] * 2)
    refused = [result for result in results if isinstance(result, Conflict)]
    assert [error.code for error in refused] in (["DAY_CLOSE_RUNNING"], ["DAY_ALREADY_CLOSED"])
    assert office.today == day + ONE_DAY
    assert Voucher.objects.filter(kind="ACCRUAL").count() == 1
    check_close(day)
    assert office.problems() == []


def test_checking_while_business_goes_on(office: Office) -> None:
    """不变式看板查着、抽查重放着，窗口照常还款：没有误报，也没有把好借据隔离。"""
    loans = [office.lend(office.today - timedelta(days=20 * day)) for day in range(6)]
    stop = threading.Event()

    def look() -> list[str]:
        found = []
        try:
            for _ in range(12):
                for finding in (
                    invariants.books_agree(group_id=office.county.group_id),
                    invariants.projections_match(group_id=office.county.group_id, everything=True),
                ):
                    found += finding.problems
        finally:
            stop.set()
        return found

    def pay() -> None:
        while not stop.is_set():
            for loan_id in loans:
                office.repay(loan_id, 1_00, allow_overpayment=True)

    problems, *_ = at_once(look, pay, pay)
    assert problems == []
    assert office.problems() == []


def test_a_rehearsal_and_a_repayment(office: Office) -> None:
    """预演时来一笔还款：等预演回滚之后照常记上，预演没有留下什么。"""
    loan_id = office.lend(office.today - timedelta(days=27))
    told, paid = at_once(
        lambda: engine.rehearse(actor=SYSTEM, group_id=office.county.group_id), lambda: office.repay(loan_id, 100_00)
    )
    assert told["day"] == office.today
    assert paid["seq"] == 2
    assert office.problems() == []
