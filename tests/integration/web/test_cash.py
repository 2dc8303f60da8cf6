"""出纳各页：收款、退回、付款单、现金清点、银行对账、代扣到入账。"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.cashdesk.models import DebitBatch, PaymentOrder, Receipt, Reconciliation, StatementLine, TellerDay
from sancha.apps.ledger import operations as ledger
from sancha.apps.servicing.models import LoanFact
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.spreadsheets import read_table
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending, open_lending

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8


@pytest.fixture
def lending(county: County) -> Lending:
    return open_lending(county)


@pytest.fixture
def accounts(county: County, lending: Lending) -> dict[str, int]:
    """基本户与现金箱。"""
    made = {}
    for code, name, kind, number in (
        ("100201", "基本户", "BANK", "6228480012345678901"),
        ("100101", "现金箱", "CASH", ""),
    ):
        ledger.add_account(
            actor=SYSTEM,
            key=fresh_key(),
            code=code,
            name=name,
            category="ASSET",
            normal_side="DEBIT",
            on=county.opened_on,
        )
        made[kind] = cashdesk.open_own_account(
            actor=county.actor("ACCOUNTING_SUPERVISOR"), key=fresh_key(), institution_id=county.ids["S1"], kind=kind, name=name,
            account_code=code, on=county.opened_on, number=number,
        )["own_account_id"]  # fmt: skip
    return made


def receipt_form(county: County, account: int, **changes: Any) -> dict[str, Any]:
    return {
        "own_account_id": account, "amount_fen": "1,000.00", "serial": "B1", "value_on": str(county.opened_on),
        "channel": "TRANSFER", "payer_name": "王秀兰", "submission_key": fresh_key(), **changes,
    }  # fmt: skip


def sheet(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("f.csv", text.encode())


def test_a_receipt_is_recorded_and_leads_to_the_repayment(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    client = as_post("CASHIER")
    done = client.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"]))
    receipt = Receipt.objects.get()
    assert done["Location"] == f"/cash/receipts/{receipt.pk}/"
    page = client.get(done["Location"]).content.decode()
    assert f"receipt={receipt.pk}" in page
    listing = client.get("/cash/receipts/").content.decode()
    assert "1,000.00" in listing
    assert f"/loans/repay/?receipt={receipt.pk}" in listing
    assert "王秀兰" in listing
    again = client.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"]))
    assert again.status_code == 409
    assert "RECEIPT_EXISTS" in again.content.decode()
    assert Receipt.objects.count() == 1


def test_money_goes_back_through_an_order_of_two_people(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    cashier, supervisor = as_post("CASHIER"), as_post("ACCOUNTING_SUPERVISOR")
    cashier.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"]))
    receipt = Receipt.objects.get()
    given = {"reason": "误汇", "payee_account": "6217001234567890123", "submission_key": fresh_key()}
    assert cashier.post(f"/cash/receipts/{receipt.pk}/return/", given).status_code == 302
    order = PaymentOrder.objects.get()
    assert "授权</button>" not in cashier.get(f"/cash/orders/{order.pk}/").content.decode()
    assert "授权</button>" in supervisor.get(f"/cash/orders/{order.pk}/").content.decode()
    supervisor.post(f"/cash/orders/{order.pk}/authorize/", {"submission_key": fresh_key()})
    sent = cashier.post(f"/cash/orders/{order.pk}/send/", {"submission_key": fresh_key()}).content.decode()
    assert "6217001234567890123" in sent
    for url in ("/cash/orders/", f"/cash/orders/{order.pk}/", f"/cash/orders/{order.pk}/brief/"):
        assert "6217001234567890123" not in cashier.get(url).content.decode()
    missing = cashier.post(f"/cash/orders/{order.pk}/settle/", {"bank_serial": "", "submission_key": fresh_key()})
    assert missing.status_code == 422
    cashier.post(f"/cash/orders/{order.pk}/settle/", {"bank_serial": "P1", "submission_key": fresh_key()})
    order.refresh_from_db()
    assert (order.state, order.voucher_id is None) == ("SETTLED", False)


def test_an_order_can_be_cancelled_with_a_reason(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    client = as_post("CASHIER")
    given = {
        "own_account_id": accounts["BANK"], "purpose": "DISBURSEMENT", "amount_fen": "500", "payee_name": "王秀兰",
        "loan_number": "JK-NONE", "submission_key": fresh_key(),
    }  # fmt: skip
    assert "照借据台账上的借据号填写" in client.post("/cash/orders/new/", given).content.decode()
    assert client.post("/cash/orders/new/", given | {"loan_number": ""}).status_code == 302
    order = PaymentOrder.objects.get()
    client.post(f"/cash/orders/{order.pk}/cancel/", {"reason": "金额填错", "submission_key": fresh_key()})
    order.refresh_from_db()
    assert (order.state, order.failure) == ("CANCELLED", "金额填错")


def test_an_order_names_its_loan_by_the_loan_number(
    as_post: Callable[..., Client], county: County, lending: Lending, accounts: dict[str, int]
) -> None:
    terms = Terms(
        start=county.opened_on, principal_fen=1_200_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12
    )
    loan = lending.lend(terms)
    client = as_post("CASHIER")
    given = {
        "own_account_id": accounts["BANK"], "purpose": "DISBURSEMENT", "amount_fen": "500", "payee_name": "王秀兰",
        "loan_number": loan.number, "submission_key": fresh_key(),
    }  # fmt: skip
    assert client.post("/cash/orders/new/", given).status_code == 302
    order = PaymentOrder.objects.get(purpose="DISBURSEMENT", payee_name="王秀兰")
    assert order.subject == f"loan:{loan.pk}"
    text = client.get(f"/cash/orders/{order.pk}/").content.decode()
    assert f'<a href="/loans/{loan.pk}/">借据 {loan.number}</a>' in text
    assert "loan:" not in text


def test_a_teller_counts_and_must_explain_a_difference(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    client = as_post("CASHIER")
    client.post("/cash/receipts/new/", receipt_form(county, accounts["CASH"], channel="COUNTER"))
    assert "1 个柜员未清点" in client.get("/cash/till/").content.decode()
    given = {"own_account_id": accounts["CASH"], "counted_fen": "999.00", "submission_key": fresh_key()}
    refused = client.post("/cash/till/count/", given)
    assert refused.status_code == 422
    assert "DIFFERENCE_UNEXPLAINED" in refused.content.decode()
    assert (
        client.post("/cash/till/count/", given | {"reason": "少收一元", "submission_key": fresh_key()}).status_code
        == 302
    )
    assert TellerDay.objects.get().difference_fen == -100


def test_cash_is_banked(as_post: Callable[..., Client], county: County, accounts: dict[str, int]) -> None:
    client = as_post("CASHIER")
    client.post("/cash/receipts/new/", receipt_form(county, accounts["CASH"], channel="COUNTER"))
    given = {
        "from_account_id": accounts["CASH"], "to_account_id": accounts["BANK"], "amount_fen": "600", "serial": "M1",
        "submission_key": fresh_key(),
    }  # fmt: skip
    assert client.post("/cash/till/move/", given).status_code == 302
    assert "600.00" in client.get("/cash/reconciliation/").content.decode()


def test_a_statement_reconciles_to_the_fen(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    client = as_post("CASHIER")
    client.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"]))
    before = client.get("/cash/reconciliation/").content.decode()
    assert "没有银行余额" in before
    assert "B1" in before
    wrong = sheet("流水号,日期,金额,余额\nB1,2026-03-02,十元,1000\n")
    given = {"own_account_id": accounts["BANK"], "create_receipts": "on", "submission_key": fresh_key()}
    refused = client.post("/cash/reconciliation/statement/", given | {"file": wrong})
    assert "第 2 行「金额」" in refused.content.decode()
    assert not StatementLine.objects.exists()
    right = sheet(
        "流水号,日期,收入,支出,余额,对方户名\nB1,20260302,1000.00,,1000.00,王秀兰\nB2,2026-03-02,250.00,,1250.00,李建国\n"
    )
    done = client.post("/cash/reconciliation/statement/", given | {"file": right, "submission_key": fresh_key()})
    assert done.status_code == 302
    assert Receipt.objects.get(serial="B2").amount_fen == 25_000
    text = client.get("/cash/reconciliation/").content.decode()
    assert "分毫不差" in text
    confirm = {"account": accounts["BANK"], "day": str(county.opened_on), "submission_key": fresh_key()}
    assert client.post("/cash/reconciliation/confirm/", confirm).status_code == 302
    assert Reconciliation.objects.count() == 1
    assert "已确认" in client.get("/cash/reconciliation/").content.decode()


def test_a_bank_fee_is_explained_by_a_voucher(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int]
) -> None:
    client = as_post("CASHIER")
    given = {"own_account_id": accounts["BANK"], "submission_key": fresh_key()}
    client.post("/cash/reconciliation/statement/", given | {"file": sheet("流水号,日期,金额\nF1,2026-03-02,-5.00\n")})
    line = StatementLine.objects.get()
    draft = ledger.enter_manual_voucher(
        actor=county.actor("CASHIER"), key=fresh_key(), institution_id=county.ids["S1"], booked_on=county.opened_on,
        summary="手续费", on=county.opened_on,
        lines=[{"account": "6421", "amount_fen": 500}, {"account": "100201", "amount_fen": -500}],
    )["draft_id"]  # fmt: skip
    voucher = ledger.authorize_manual_voucher(
        actor=county.actor("ACCOUNTING_SUPERVISOR"), key=fresh_key(), draft_id=draft, on=county.opened_on
    )["voucher_id"]
    client.post(f"/cash/reconciliation/explain/{line.pk}/", {"voucher_id": voucher, "submission_key": fresh_key()})
    line.refresh_from_db()
    assert line.explained_by == voucher


def test_a_debit_batch_ends_on_the_loans(
    as_post: Callable[..., Client], county: County, lending: Lending, accounts: dict[str, int]
) -> None:
    terms = Terms(
        start=county.opened_on - timedelta(days=40), principal_fen=1_200_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT,
        periods=12,
    )  # fmt: skip
    loans = [lending.lend(terms) for _n in range(3)]
    client = as_post("CASHIER")
    assert loans[0].number in client.get("/cash/debits/new/").content.decode()
    known = "借据号,户名,扣款账号\n" + "".join(
        f"{loan.number},王秀兰,62170012345678901{n}\n" for n, loan in enumerate(loans[:2])
    )
    done = client.post(
        "/cash/debits/new/", {"own_account_id": accounts["BANK"], "file": sheet(known), "submission_key": fresh_key()}
    )
    batch = DebitBatch.objects.get()
    assert done["Location"] == f"/cash/debits/{batch.pk}/"
    assert batch.items_count == 2
    assert client.get(f"/cash/debits/{batch.pk}/file/").status_code == 404  # not before it is sent
    client.post(f"/cash/debits/{batch.pk}/send/", {"submission_key": fresh_key()})
    table = read_table(io.BytesIO(client.get(f"/cash/debits/{batch.pk}/file/").getvalue()))
    assert [row.cells["扣款账号"] for row in table.rows] == ["621700123456789010", "621700123456789011"]
    first, second = table.rows
    answers = f"序号,实扣金额,流水号,失败原因\n{first.cells['序号']},{first.cells['应扣金额']},D1,\n{second.cells['序号']},0,,余额不足\n"
    given = {"file": sheet(answers), "submission_key": fresh_key()}
    assert client.post(f"/cash/debits/{batch.pk}/results/", given).status_code == 302
    page = client.get(f"/cash/debits/{batch.pk}/").content.decode()
    assert "余额不足" in page
    assert "入账 1 笔" in page
    assert client.post(f"/cash/debits/{batch.pk}/post/").status_code == 302
    assert LoanFact.objects.filter(loan=loans[0], kind="REPAYMENT").count() == 1
    assert Receipt.objects.get(serial="D1").state == "MATCHED"
    client.post(f"/cash/debits/{batch.pk}/post/")  # a second click finds nothing left to do
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == 1


def test_a_held_loan_keeps_its_money_in_suspense_and_is_named(
    as_post: Callable[..., Client], county: County, lending: Lending, accounts: dict[str, int]
) -> None:
    terms = Terms(
        start=county.opened_on - timedelta(days=40), principal_fen=1_200_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT,
        periods=12,
    )  # fmt: skip
    loan = lending.lend(terms)
    batch = cashdesk.create_debit_batch(
        actor=county.actor("CASHIER"), key=fresh_key(), own_account_id=accounts["BANK"], on=county.opened_on,
        items=[{"subject": f"loan:{loan.pk}", "amount_fen": 10_000, "payer_name": "王", "payer_account": "1"}],
    )["batch_id"]  # fmt: skip
    cashdesk.send_debit_batch(actor=county.actor("CASHIER"), key=fresh_key(), batch_id=batch, on=county.opened_on)
    item = DebitBatch.objects.get(pk=batch).items.get()
    cashdesk.record_debit_results(
        actor=county.actor("CASHIER"), key=fresh_key(), batch_id=batch, on=county.opened_on,
        results=[{"reference": item.reference, "paid_fen": 10_000, "serial": "D9"}],
    )  # fmt: skip
    loan.state.held = True
    loan.state.save(update_fields=["held"])
    text = as_post("CASHIER").post(f"/cash/debits/{batch}/post/").content.decode()
    assert "没有记上的" in text
    assert item.reference in text
    assert Receipt.objects.get(serial="D9").state == "UNMATCHED"


def test_own_accounts_are_opened_by_the_supervisor_only(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    given = {
        "institution_id": county.ids["S1"], "kind": "BANK", "name": "一般户", "account_code": "1011", "number": "6228481",
        "submission_key": fresh_key(),
    }  # fmt: skip
    assert as_post("CASHIER").post("/cash/accounts/", given).status_code == 403
    supervisor = as_post("ACCOUNTING_SUPERVISOR")
    assert supervisor.post("/cash/accounts/", given).status_code == 302
    assert "一般户" in supervisor.get("/cash/accounts/").content.decode()


@pytest.mark.parametrize(
    ("url", "budget"), [("/cash/receipts/", LIST_PAGE_BUDGET), ("/cash/orders/", LIST_PAGE_BUDGET)]
)
def test_lists_do_not_query_per_row(
    as_post: Callable[..., Client], county: County, accounts: dict[str, int], url: str, budget: int
) -> None:
    client = as_post("CASHIER")
    client.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"]))
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(5):
        client.post("/cash/receipts/new/", receipt_form(county, accounts["BANK"], serial=f"X{n}"))
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few) <= budget, [q["sql"][:100] for q in many.captured_queries]
