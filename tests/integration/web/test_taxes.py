"""税费页：两张卡、Excel、凭证草稿。"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date

import pytest
from django.db import transaction
from django.test import Client

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger.models import ManualDraft
from sancha.interfaces.web.ledger.taxes import bounds, per_mille, periods
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.spreadsheets import read_table
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db


def lend(lending: Lending, principal_fen: int = 5_010_000) -> None:
    start = lending.county.opened_on
    lending.lend(
        Terms(start=start, principal_fen=principal_fen, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12)
    )


def test_months_and_quarters() -> None:
    assert bounds("2026-02") == (date(2026, 2, 1), date(2026, 2, 28))
    assert bounds("2026Q4") == (date(2026, 10, 1), date(2026, 12, 31))
    (_m, months), (_q, quarters) = periods(date(2026, 1, 31))
    assert [value for value, _text in months][:3] == ["2026-01", "2025-12", "2025-11"]
    assert [value for value, _text in quarters][:2] == ["2026Q1", "2025Q4"]
    assert per_mille(50) == "0.05‰"


def test_the_page_shows_both_taxes_and_leads_to_the_loan(as_post: Callable[..., Client], lending: Lending) -> None:
    lend(lending)
    client = as_post("ACCOUNTING_SUPERVISOR")
    text = client.get("/ledger/taxes/").content.decode()
    assert "2.51" in text
    assert "0.05‰" in text
    assert "/loans/" in text
    assert "所属期未完" in text
    quarter = f"{lending.today.year}Q{(lending.today.month + 2) // 3}"
    assert "2.51" in client.get(f"/ledger/taxes/?period={quarter}").content.decode()
    assert "2.51" not in client.get(f"/ledger/taxes/?period={lending.today.year - 1}Q4").content.decode()
    assert client.get("/ledger/taxes/?period=junk&institution=x").status_code == 200
    table = read_table(io.BytesIO(client.get("/ledger/taxes/stamp-duty.xlsx").getvalue()))
    assert next(row.cells["税额"] for row in table.rows) == "2.51"
    assert client.get("/ledger/taxes/vat.xlsx").status_code == 200
    assert as_post("CASHIER").get("/ledger/taxes/vat.xlsx").status_code == 403


def test_the_vat_leads_to_its_entries(as_post: Callable[..., Client], county: County, lending: Lending) -> None:
    ledger.map_account(
        actor=SYSTEM, key=fresh_key(), position_code="FEE_INCOME", account_code="601101", vat_ppm=60_000,
        valid_from=county.opened_on, on=county.opened_on,
    )  # fmt: skip
    lines = [ledger.LineSpec(106_00, "FEE_RECEIVABLE"), ledger.LineSpec(-106_00, "FEE_INCOME")]
    spec = ledger.VoucherSpec(county.opened_on, county.ids["S1"], "SERVICING", "EXAMPLE", "收手续费", lines)
    with transaction.atomic():
        ledger.post_vouchers([spec], actor=SYSTEM)
    client = as_post("ACCOUNTING_SUPERVISOR")
    text = client.get("/ledger/taxes/").content.decode()
    assert ">100.00<" in text
    link = re.search(r'href="(/ledger/accounts/[^"]+)"[^>]*><span[^>]*>6\.00<', text)
    assert link is not None
    assert "收手续费" in client.get(link.group(1).replace("&amp;", "&")).content.decode()


def test_the_draft_is_entered_once_with_the_tax_accounts(
    as_post: Callable[..., Client], county: County, lending: Lending, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend(lending)
    today = county.opened_on
    monkeypatch.setattr("sancha.interfaces.web.ledger.taxes.bounds", lambda _period: (today.replace(day=1), today))
    cashier = as_post("CASHIER")
    url = f"/ledger/taxes/stamp-duty/?institution={county.ids['S1']}&period={today:%Y-%m}"
    page = cashier.get("/ledger/taxes/").content.decode()
    assert "生成凭证草稿" in page
    form = cashier.get(url).content.decode()
    assert 'value="6403" selected' in form
    assert 'value="222102" selected' in form
    given = {
        "booked_on": str(today), "amount_fen": "2.51", "debit_account": "6403", "credit_account": "222102",
        "summary": "计提印花税",
    }  # fmt: skip
    first = cashier.post(url, given | {"submission_key": fresh_key()})
    again = cashier.post(url, given | {"submission_key": fresh_key()})
    draft = ManualDraft.objects.get()
    assert first.status_code == again.status_code == 302
    assert first["Location"] == again["Location"] == f"/ledger/manual/{draft.pk}/"
    assert [line["amount_fen"] for line in draft.lines] == [251, -251]
    assert "看凭证草稿" in cashier.get("/ledger/taxes/").content.decode()
    assert "生成凭证草稿" not in cashier.get("/ledger/taxes/").content.decode()


def test_an_unfinished_period_is_refused_in_place(as_post: Callable[..., Client], lending: Lending) -> None:
    lend(lending)
    given = {
        "booked_on": str(lending.today), "amount_fen": "2.51", "debit_account": "6403", "credit_account": "222102",
        "summary": "计提印花税", "submission_key": fresh_key(),
    }  # fmt: skip
    response = as_post("CASHIER").post("/ledger/taxes/stamp-duty/", given)
    assert response.status_code == 422
    assert "TAX_PERIOD_OPEN" in response.content.decode()
    assert not ManualDraft.objects.exists()
