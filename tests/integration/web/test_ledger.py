"""总账各页：试算平衡、明细账、凭证、汇总凭证的构成、手工凭证两个人、结账、期初。"""

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

from sancha.apps.ledger.models import Line, ManualDraft, OpeningBalance, Voucher
from sancha.dayclose import engine
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.models import AuditEvent
from sancha.kit.spreadsheets import read_table
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending, open_lending

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8


@pytest.fixture
def lending(county: County) -> Lending:
    return open_lending(county)


def lend(lending: Lending, *, days: int = 10, principal_fen: int = 1_200_000) -> Any:
    start = lending.county.opened_on - timedelta(days=days)
    terms = Terms(start=start, principal_fen=principal_fen, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12)
    return lending.lend(terms)


def entry(**lines: Any) -> dict[str, Any]:
    given = {"line-TOTAL_FORMS": "2", "line-INITIAL_FORMS": "0", "submission_key": fresh_key()}
    return given | lines


def manual(county: County, *, debit: str = "386.50", credit: str = "386.50") -> dict[str, Any]:
    return entry(
        institution_id=county.ids["S1"], booked_on=str(county.opened_on), summary="水电费",
        **{"line-0-account": "6601", "line-0-debit": debit, "line-1-account": "1001", "line-1-credit": credit},
    )  # fmt: skip


def test_the_trial_balance_balances_and_drills_to_the_voucher(as_post: Callable[..., Client], lending: Lending) -> None:
    lend(lending, days=0)
    client = as_post("ACCOUNTING_SUPERVISOR")
    text = client.get("/ledger/").content.decode()
    assert "借贷平衡" in text
    assert "12,000.00" in text
    account_id = Line.objects.get(position_code="PRINCIPAL").account_id
    assert f"/ledger/accounts/{account_id}/?first=" in text
    ledger = client.get(f"/ledger/accounts/{account_id}/").content.decode()
    voucher = Voucher.objects.get(kind="DISBURSEMENT")
    assert f'href="/ledger/vouchers/{voucher.pk}/"' in ledger
    paper = client.get(f"/ledger/vouchers/{voucher.pk}/").content.decode()
    assert "壹万贰仟元" in paper
    assert "记账凭证" in paper


def test_excel_and_print_carry_the_figures_and_leave_a_mark(as_post: Callable[..., Client], lending: Lending) -> None:
    lend(lending, days=0)
    client = as_post("ACCOUNTING_SUPERVISOR")
    for name, column, figure in (("trial-balance", "本期借方", "12000"), ("vouchers", "金额", "12000")):
        table = read_table(io.BytesIO(client.get(f"/ledger/{name}.xlsx").getvalue()))
        assert figure in {row.cells[column] for row in table.rows}
    assert client.get("/ledger/trial-balance.pdf").content.startswith(b"%PDF")
    voucher = Voucher.objects.get(kind="DISBURSEMENT")
    assert client.get(f"/ledger/vouchers/{voucher.pk}/pdf/").content.startswith(b"%PDF")
    marks = {event.subject: event.data for event in AuditEvent.objects.filter(operation="export.download")}
    assert set(marks) == {
        "export:ledger:trial-balance-excel", "export:ledger:vouchers-excel", "export:ledger:trial-balance-pdf",
        f"export:ledger:voucher-pdf:{voucher.pk}",
    }  # fmt: skip
    assert marks["export:ledger:vouchers-excel"]["rows"] == 1


def test_who_may_not_export_is_not_offered_it(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("CASHIER")
    assert "trial-balance.xlsx" not in client.get("/ledger/").content.decode()
    assert client.get("/ledger/trial-balance.xlsx").status_code == 403


def test_the_parts_of_an_accrual_voucher_add_up_to_it(as_post: Callable[..., Client], lending: Lending) -> None:
    loans = [lend(lending, principal_fen=1_200_000 + n * 77_700) for n in range(4)]
    engine.run(actor=SYSTEM, group_id=lending.county.group_id)
    voucher = Voucher.objects.get(source="ACCRUAL", institution_id=lending.county.ids["S1"])
    client = as_post("ACCOUNTING_SUPERVISOR")
    assert f"/ledger/vouchers/{voucher.pk}/parts/" in client.get(f"/ledger/vouchers/{voucher.pk}/").content.decode()
    text = client.get(f"/ledger/vouchers/{voucher.pk}/parts/").content.decode()
    assert "分毫不差" in text
    assert all(loan.number in text for loan in loans)


def test_a_manual_voucher_needs_two_people(as_post: Callable[..., Client], county: County, lending: Lending) -> None:
    cashier, supervisor = as_post("CASHIER"), as_post("ACCOUNTING_SUPERVISOR")
    assert "受头寸控制的科目不在其中" in cashier.get("/ledger/manual/new/").content.decode()
    assert cashier.post("/ledger/manual/new/", manual(county)).status_code == 302
    draft = ManualDraft.objects.get()
    assert not Voucher.objects.filter(source="MANUAL").exists()
    assert cashier.post(f"/ledger/manual/{draft.pk}/authorize/", {"submission_key": fresh_key()}).status_code == 403
    done = supervisor.post(f"/ledger/manual/{draft.pk}/authorize/", {"submission_key": fresh_key(), "opinion": "同意"})
    assert done.status_code == 302
    voucher = Voucher.objects.get(source="MANUAL")
    assert sorted(voucher.lines.values_list("amount_fen", flat=True)) == [-38650, 38650]
    cashier.post(f"/ledger/vouchers/{voucher.pk}/reverse/", {"reason": "记错科目", "submission_key": fresh_key()})
    assert ManualDraft.objects.filter(reverses_id=voucher.pk).count() == 1


def test_an_uneven_voucher_is_refused_in_place_and_nothing_is_lost(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    response = as_post("CASHIER").post("/ledger/manual/new/", manual(county, credit="386.49"))
    text = response.content.decode()
    assert response.status_code == 422
    assert "386.49" in text
    assert "水电费" in text
    assert not ManualDraft.objects.exists()


def test_both_sides_on_one_line_is_said_beside_the_line(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    given = manual(county) | {"line-0-credit": "1.00"}
    text = as_post("CASHIER").post("/ledger/manual/new/", given).content.decode()
    assert "借方、贷方只填一边" in text


def test_a_draft_is_sent_back_with_an_opinion(as_post: Callable[..., Client], county: County, lending: Lending) -> None:
    as_post("CASHIER").post("/ledger/manual/new/", manual(county))
    draft = ManualDraft.objects.get()
    supervisor = as_post("ACCOUNTING_SUPERVISOR")
    refused = supervisor.post(f"/ledger/manual/{draft.pk}/reject/", {"submission_key": fresh_key(), "opinion": ""})
    assert refused.status_code == 422
    supervisor.post(f"/ledger/manual/{draft.pk}/reject/", {"submission_key": fresh_key(), "opinion": "缺附件"})
    draft.refresh_from_db()
    assert (draft.state, draft.opinion) == ("REJECTED", "缺附件")


def test_a_month_still_open_cannot_be_closed_and_the_page_says_why(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    client = as_post("ACCOUNTING_SUPERVISOR")
    given = {"institution_id": county.ids["S1"], "month": str(county.opened_on), "submission_key": fresh_key()}
    response = client.post("/ledger/closing/month/", given)
    assert response.status_code == 409
    assert "PERIOD_NOT_OVER" in response.content.decode()


def test_opening_balances_come_from_a_file_and_are_compared(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    client = as_post("ACCOUNTING_SUPERVISOR")
    given = {"institution_id": county.ids["S1"], "cut_over_on": str(county.opened_on), "submission_key": fresh_key()}
    wrong = SimpleUploadedFile("a.csv", "科目代号,借方余额,贷方余额\n1001,12x,\n4001,,100\n".encode())
    refused = client.post("/ledger/opening/", given | {"file": wrong})
    assert refused.status_code == 422
    assert "第 2 行" in refused.content.decode()
    right = SimpleUploadedFile(
        "a.csv", "科目代号,借方余额,贷方余额\n1001,100.00,\n130301,900.00,\n4001,,1000.00\n".encode()
    )
    done = client.post("/ledger/opening/", given | {"file": right, "submission_key": fresh_key()})
    assert done.status_code == 302
    assert OpeningBalance.objects.count() == 3
    text = client.get(done["Location"]).content.decode()
    assert "900.00" in text
    assert "核对一致" not in text


def test_accounts_page_names_positions_in_words(as_post: Callable[..., Client], lending: Lending) -> None:
    text = as_post("CASHIER").get("/ledger/accounts/").content.decode()
    assert "只由借据头寸记" in text
    assert "应收利息" in text
    assert text.count("贷款收付过渡") >= 2


@pytest.mark.parametrize(("url", "budget"), [("/ledger/vouchers/", LIST_PAGE_BUDGET), ("/ledger/", LIST_PAGE_BUDGET)])
def test_lists_do_not_query_per_row(as_post: Callable[..., Client], lending: Lending, url: str, budget: int) -> None:
    client = as_post("ACCOUNTING_SUPERVISOR")
    lend(lending)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for _n in range(6):
        lend(lending)
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few) <= budget, [q["sql"][:100] for q in many.captured_queries]
