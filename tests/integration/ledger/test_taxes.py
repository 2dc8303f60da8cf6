"""增值税表只从分录得出；印花税凭证草稿一家机构一个所属期只有一张。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.models import ManualDraft
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import DomainError
from tests.support.factories_access import OPENING_DAY, County, fresh_key
from tests.support.factories_loans import open_lending

pytestmark = pytest.mark.django_db
FIRST, LAST = OPENING_DAY.replace(day=1), OPENING_DAY


@pytest.fixture
def books(county: County) -> County:
    open_lending(county)
    return county


def book(county: County, source: str, *lines: ledger.LineSpec) -> None:
    with transaction.atomic():
        spec = ledger.VoucherSpec(OPENING_DAY, county.ids["S1"], source, "EXAMPLE", "例", list(lines))
        ledger.post_vouchers([spec], actor=SYSTEM)


def income(county: County, fen: int, code: str = "INTEREST") -> None:
    book(county, "SERVICING", ledger.LineSpec(fen, f"{code}_RECEIVABLE"), ledger.LineSpec(-fen, f"{code}_INCOME"))


def with_vat(position: str = "INTEREST_INCOME") -> None:
    ledger.map_account(
        actor=SYSTEM, key=fresh_key(), position_code=position, account_code="601101", vat_ppm=60_000,
        valid_from=OPENING_DAY, on=OPENING_DAY,
    )  # fmt: skip


def sheet() -> queries.VatSheet:
    return queries.vat_sheet(SYSTEM, first=FIRST, last=LAST)


def test_income_with_vat_without_and_a_payment_stand_apart(books: County) -> None:
    income(books, 50_00)
    with_vat()
    income(books, 106_00)
    income(books, 53_00)
    income(books, 7_00, "PENALTY")
    by_code = {facts.code: facts.id for facts in ledger.resolve_accounts(OPENING_DAY).accounts.values()}
    book(
        books, "MANUAL", ledger.LineSpec(4_00, account_id=by_code["222101"]),
        ledger.LineSpec(-4_00, account_id=by_code["6601"]),
    )  # fmt: skip
    found = {row.position_code: row for row in sheet().rows}
    shown = {code: (row.net_fen, row.tax_fen, row.untaxed_fen, row.vouchers) for code, row in found.items()}
    assert shown == {
        "INTEREST_INCOME": (150_00, 9_00, 50_00, 2), "PENALTY_INCOME": (0, 0, 7_00, 0), "": (0, -4_00, 0, 1),
    }  # fmt: skip
    assert (sheet().total("net_fen"), sheet().total("tax_fen"), sheet().total("untaxed_fen")) == (150_00, 9_00, 57_00)
    later = queries.vat_sheet(SYSTEM, first=LAST + timedelta(days=1), last=LAST + timedelta(days=9))
    assert later.rows == []


def test_the_statements_do_not_grow_with_the_lines(books: County) -> None:
    with_vat()
    counts = []
    for _round in range(2):
        income(books, 106_00)
        with CaptureQueriesContext(connection) as asked:
            sheet()
        counts.append(len(asked))
    assert counts == [1, 1]


def enter(county: County, post: str = "CASHIER", **other: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "institution_id": county.ids["S1"], "first": FIRST, "last": LAST, "booked_on": OPENING_DAY, "amount_fen": 250,
        "debit_account": "6403", "credit_account": "222102", "summary": "计提印花税", "on": OPENING_DAY,
    }  # fmt: skip
    return ledger.enter_stamp_duty(actor=county.actor(post), key=fresh_key(), **{**given, **other})


def test_one_draft_for_an_institution_and_a_period(books: County) -> None:
    done = enter(books)
    assert not done["existing"]
    again = enter(books, amount_fen=999)
    assert (again["draft_id"], again["existing"]) == (done["draft_id"], True)
    draft = ManualDraft.objects.get()
    assert sorted(line["amount_fen"] for line in draft.lines) == [-250, 250]
    occasion = ledger.stamp_duty_occasion(FIRST, LAST)
    key = (books.ids["S1"], occasion)
    assert queries.tax_drafts(SYSTEM, occasions=[occasion]) == {key: (draft.pk, "ENTERED")}
    draft.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.save(force_insert=True)
    clerk = books.actor("CASHIER")
    ledger.withdraw_manual_voucher(
        actor=clerk, key=fresh_key(), draft_id=done["draft_id"], reason="重算", on=OPENING_DAY
    )
    assert enter(books)["draft_id"] != done["draft_id"]


def test_a_second_person_books_it(books: County) -> None:
    draft_id = enter(books)["draft_id"]
    done = ledger.authorize_manual_voucher(
        actor=books.actor("ACCOUNTING_SUPERVISOR"), key=fresh_key(), draft_id=draft_id, on=OPENING_DAY
    )
    lines = queries.voucher_detail(SYSTEM, done["voucher_id"]).lines
    assert {line.account_code: line.debit_fen - line.credit_fen for line in lines} == {"6403": 250, "222102": -250}


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"last": OPENING_DAY + timedelta(days=1)}, "TAX_PERIOD_OPEN"),
        ({"amount_fen": 0}, "TAX_NOTHING"),
        ({"debit_account": "0000"}, "LINE_INVALID"),
    ],
)
def test_what_is_refused(books: County, other: dict[str, Any], code: str) -> None:
    with pytest.raises(DomainError) as refused:
        enter(books, **other)
    assert refused.value.code == code
    assert not ManualDraft.objects.exists()
