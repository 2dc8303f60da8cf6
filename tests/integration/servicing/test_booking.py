"""登记借据与复核放款：两人办理、要素、起息日、范围、幂等。"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from sancha.apps.parties.models import Party
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import Loan, LoanFact, LoanState
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import KeyReused
from sancha.rulebook.product_terms import LoanElements, PeriodRule
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind
from tests.support.factories_access import fresh_key
from tests.support.office import Office


def elements(start: date, **changes: Any) -> LoanElements:
    """农户保证贷款的一份合格要素。"""
    chosen = LoanElements(
        customer_kind=CustomerKind.FARMER, amount_fen=5_000_000, term_unit=PeriodUnit.MONTH, term_count=12, method=Method.LEVEL_PAYMENT,
        period=PeriodRule(unit=PeriodUnit.MONTH), rate_ppm=144_000, guarantee=GuaranteeKind.GUARANTEE, start=start,
    )  # fmt: skip
    return replace(chosen, **changes)


def book(office: Office, **changes: Any) -> dict[str, Any]:
    start = changes.pop("start", office.today)
    values: dict[str, Any] = {
        "actor": office.clerk, "key": fresh_key(), "on": office.today, "party_id": office.lending.party_id, "product_id": farmer_product(),
        "institution_id": office.county.ids["S1"], "elements": elements(start, **changes.pop("elements", {})), "guarantor": "李四",
    }  # fmt: skip
    return servicing.book_loan(**{**values, **changes})


def farmer_product() -> int:
    from sancha.apps.products.models import Product

    return int(Product.objects.get(code="FARMER_GUARANTEE").pk)


def authorize(office: Office, booked: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = {
        "actor": office.supervisor,
        "key": fresh_key(),
        "task_id": booked["task_id"],
        "outcome": "APPROVED",
        "on": office.today,
    }
    return servicing.authorize_booking(**{**values, **changes})


def test_no_books_before_the_second_person(office: Office) -> None:
    """登记之后还没有账；复核放款之后才有一条放款事实和凭证。"""
    booked = book(office)
    assert Loan.objects.get(pk=booked["loan_id"]).status == "PENDING"
    assert not LoanState.objects.filter(pk=booked["loan_id"]).exists()
    done = authorize(office, booked)
    assert (done["status"], bool(done["voucher_id"])) == ("ACTIVE", True)
    assert list(LoanFact.objects.filter(loan_id=booked["loan_id"]).values_list("seq", "kind", "amount_fen")) == [
        (1, "DISBURSEMENT", 5_000_000)
    ]
    assert office.problems() == []


def test_the_same_person_cannot_do_both(office: Office) -> None:
    """录入人自己复核：拒绝并写明规则，借据仍待复核。"""
    booked = book(office)
    with pytest.raises(NotPermitted) as refused:
        authorize(office, booked, actor=replace(office.supervisor, person_id=office.clerk.person_id))
    assert "两人" in f"{refused.value.message}{refused.value.fix}"
    assert refused.value.clause == "CON-2"
    assert Loan.objects.get(pk=booked["loan_id"]).status == "PENDING"


def test_without_the_permission_nothing_begins(office: Office) -> None:
    with pytest.raises(NotPermitted) as refused:
        book(office, actor=office.supervisor)
    assert "servicing.book" in refused.value.message
    assert Loan.objects.count() == 0


def test_sent_back_is_void_and_has_no_books(office: Office) -> None:
    booked = book(office)
    done = authorize(office, booked, outcome="REJECTED", opinion="担保人证件过期")
    assert done["status"] == "VOID"
    assert not LoanState.objects.filter(pk=booked["loan_id"]).exists()
    with pytest.raises(DomainError):
        authorize(office, booked)


def test_authorized_once(office: Office) -> None:
    """复核过的任务再复核：冲突，放款事实仍只有一条。"""
    booked = book(office)
    authorize(office, booked)
    with pytest.raises(DomainError):
        authorize(office, booked)
    assert LoanFact.objects.filter(loan_id=booked["loan_id"]).count() == 1


def test_same_key_same_content_is_one_loan(office: Office) -> None:
    first = book(office, key="登记-1")
    assert book(office, key="登记-1") == first
    assert Loan.objects.count() == 1


def test_same_key_other_content_is_refused(office: Office) -> None:
    book(office, key="登记-1")
    with pytest.raises(KeyReused) as refused:
        book(office, key="登记-1", elements={"amount_fen": 4_000_000})
    assert refused.value.code == "KEY_REUSED"
    assert Loan.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_fen": 20_000_000}, "amount"),
        ({"amount_fen": -100}, "amount"),
        ({"amount_fen": 0}, "amount"),
        ({"rate_ppm": 999_000}, "rate"),
        ({"term_count": 99}, "term"),
        ({"guarantee": GuaranteeKind.UNSECURED}, "guarantee"),
        ({"customer_kind": CustomerKind.COMPANY}, "customer"),
    ],
)  # fmt: skip
def test_elements_outside_the_product_are_listed(office: Office, changes: dict[str, Any], field: str) -> None:
    """要素超出产品条款：逐项说出哪一栏、什么值、怎么改；什么也没留下。"""
    with pytest.raises(DomainError) as refused:
        book(office, elements=changes)
    assert refused.value.code == "ELEMENTS_OUT_OF_PRODUCT"
    assert field in (refused.value.field or "")
    assert refused.value.fix
    assert Loan.objects.count() == 0


def test_value_date_in_the_future_is_refused(office: Office) -> None:
    with pytest.raises(DomainError) as refused:
        book(office, start=office.today + timedelta(days=1))
    assert refused.value.code == "START_IN_FUTURE"


def test_a_date_outside_the_open_day_is_refused(office: Office) -> None:
    for day in (office.today - timedelta(days=1), office.today + timedelta(days=1)):
        with pytest.raises(Conflict) as refused:
            book(office, on=day, start=office.today - timedelta(days=1))
        assert refused.value.code == "NOT_BUSINESS_DATE"


def test_a_back_dated_booking_catches_up(office: Office) -> None:
    """补登四个月前的放款：复核之日一张凭证补足其间的利息与逾期，与一直在账上的一样。"""
    start = office.today - timedelta(days=120)
    booked = book(office, start=start)
    authorize(office, booked)
    row = office.row(booked["loan_id"])
    assert row.oldest_due_day is not None
    assert row.overdue_principal_fen > 0
    assert office.problems() == []
    office.close(2)
    assert office.problems() == []


def test_another_line_is_out_of_scope(office: Office) -> None:
    """北坪支行的人看不见也办不了柳溪支行的借据；说法与不存在一样。"""
    clerk = office.county.actor("DISBURSEMENT_CLERK", at="S9")
    with pytest.raises(NotFound):
        book(office, actor=clerk)
    booked = book(office)
    with pytest.raises(DomainError):
        authorize(office, booked, actor=office.county.actor("ACCOUNTING_SUPERVISOR", at="S9"))
    authorize(office, booked)
    with pytest.raises(NotFound) as refused:
        office.repay(booked["loan_id"], 100, actor=clerk)
    with pytest.raises(NotFound) as absent:
        office.repay(999_999, 100, actor=clerk)
    assert refused.value.code == absent.value.code == "LOAN_NOT_FOUND"


def test_a_party_that_is_not_there(office: Office) -> None:
    with pytest.raises(NotFound):
        book(office, party_id=Party.objects.order_by("-pk").first().pk + 100)


def test_a_principal_too_large_for_the_accrual_line(office: Office) -> None:
    """本金大到计提直线会溢出：登记时拒绝，写明依据与办法。"""
    with pytest.raises(DomainError) as refused:
        office.lend(principal_fen=10**15 - 7, rate_ppm=9_999_999)
    assert refused.value.code == "LINE_TOO_STEEP"
    assert Loan.objects.count() == 0


def test_a_foreign_currency_is_refused_not_ignored(office: Office) -> None:
    """收付只有人民币：外币借据不能当作人民币立账。"""
    with pytest.raises(DomainError) as refused:
        office.lend(currency="USD")
    error = refused.value
    assert (error.code, error.field, error.value) == ("CURRENCY_UNSUPPORTED", "currency", "USD")
    assert "人民币" in error.message
    assert "CNY" in (error.fix or "")
    assert not LoanState.objects.exists()
