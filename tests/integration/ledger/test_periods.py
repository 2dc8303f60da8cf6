"""手工凭证的双人制、期初、月结与年结。"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from django.db import transaction

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from tests.support.factories_access import County, fresh_key, open_county

pytestmark = pytest.mark.django_db
NOVEMBER = date(2025, 11, 3)
NEW_YEAR = date(2026, 1, 5)


@pytest.fixture
def county() -> County:
    county = open_county(NEW_YEAR)
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=NOVEMBER)
    return county


def enter(county: County, **changes) -> int:
    given = {
        "institution_id": county.ids["S1"], "booked_on": NEW_YEAR, "summary": "支付办公费", "on": NEW_YEAR,
        "lines": [{"account": "6601", "amount_fen": 300_00}, {"account": "1002", "amount_fen": -300_00}],
    }  # fmt: skip
    clerk = county.actor("CASHIER")
    return ledger.enter_manual_voucher(actor=clerk, key=fresh_key(), **{**given, **changes})["draft_id"]


def authorize(county: County, draft_id: int, **changes) -> int:
    given = {"actor": county.actor("ACCOUNTING_SUPERVISOR"), "key": fresh_key(), "on": NEW_YEAR, "opinion": "同意"}
    return ledger.authorize_manual_voucher(draft_id=draft_id, **{**given, **changes})["voucher_id"]


def income(county: County, on: date, fen: int, place: str = "S1") -> None:
    lines = [LineSpec(fen, "INTEREST_RECEIVABLE"), LineSpec(-fen, "INTEREST_INCOME")]
    post_vouchers([VoucherSpec(on, county.ids[place], "ACCRUAL", "DAILY", "计提", lines)], actor=SYSTEM)


def balance(on: date, code: str, place: int | None = None) -> int:
    table = queries.trial_balance(SYSTEM, first=on, last=on, institution_id=place)
    return next((row.closing_fen for row in table.rows if row.code == code), 0)


def test_manual_voucher_needs_a_second_person_and_then_stands_in_the_books(county):
    draft = enter(county)
    assert queries.voucher_list(SYSTEM).total == 0
    voucher = authorize(county, draft)
    detail = queries.voucher_detail(SYSTEM, voucher)
    assert detail.posted_by == county.actor("CASHIER").person_id
    assert detail.authorized_by == county.actor("ACCOUNTING_SUPERVISOR").person_id
    assert [(line.account_code, line.debit_fen, line.credit_fen) for line in detail.lines] == [
        ("6601", 300_00, 0),
        ("1002", 0, 300_00),
    ]
    with pytest.raises(Conflict) as refused:
        authorize(county, draft)
    assert refused.value.code == "DRAFT_DECIDED"


def test_nobody_authorizes_what_they_entered(county):
    accountant = county.actor("ACCOUNTING_SUPERVISOR")
    both = replace(accountant, permissions=accountant.permissions | {"ledger.manual", "ledger.authorize"})
    draft = ledger.enter_manual_voucher(
        actor=both, key=fresh_key(), institution_id=county.ids["S1"], booked_on=NEW_YEAR, summary="自录自核",
        on=NEW_YEAR, lines=[{"account": "6601", "amount_fen": 1}, {"account": "1002", "amount_fen": -1}],
    )["draft_id"]  # fmt: skip
    with pytest.raises(NotPermitted) as refused:
        authorize(county, draft, actor=both)
    assert refused.value.code == "SEPARATION_OF_DUTIES"
    assert "手工凭证的录入与复核须两人办理" in refused.value.message
    with pytest.raises(NotPermitted):
        authorize(county, draft, actor=county.actor("CASHIER"))


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([{"account": "6601", "amount_fen": 5}, {"account": "1002", "amount_fen": -4}], "VOUCHER_UNBALANCED"),
        (
            [{"account": "130301", "amount_fen": 5}, {"account": "1002", "amount_fen": -5}],
            "ACCOUNT_POSITION_CONTROLLED",
        ),
        ([{"account": "1303", "amount_fen": 5}, {"account": "1002", "amount_fen": -5}], "ACCOUNT_NOT_LEAF"),
        ([{"account": "7777", "amount_fen": 5}, {"account": "1002", "amount_fen": -5}], "LINE_INVALID"),
        ([{"account": "6601", "amount_fen": 5.0}, {"account": "1002", "amount_fen": -5}], "LINE_INVALID"),
        ([], "VOUCHER_EMPTY"),
    ],
)
def test_a_bad_draft_is_refused_when_it_is_entered(county, lines, code):
    with pytest.raises(DomainError) as refused:
        enter(county, lines=lines)
    assert refused.value.code == code
    assert queries.manual_drafts(SYSTEM).total == 0


def test_draft_of_another_branch_is_not_found(county):
    draft = enter(county)
    with pytest.raises(NotFound):
        authorize(county, draft, actor=county.actor("ACCOUNTING_SUPERVISOR", at="S9"))
    with pytest.raises(NotFound):
        enter(county, institution_id=county.ids["S9"])
    assert queries.manual_drafts(county.actor("ACCOUNTING_SUPERVISOR", at="S9")).total == 0


def test_rejected_draft_never_posts_and_says_why(county):
    draft = enter(county)
    accountant = county.actor("ACCOUNTING_SUPERVISOR")
    with pytest.raises(DomainError):
        ledger.reject_manual_voucher(actor=accountant, key=fresh_key(), draft_id=draft, on=NEW_YEAR, opinion=" ")
    ledger.reject_manual_voucher(actor=accountant, key=fresh_key(), draft_id=draft, on=NEW_YEAR, opinion="附件不全")
    row = queries.manual_drafts(SYSTEM, state="REJECTED").rows[0]
    assert (row.id, row.opinion, row.voucher_id) == (draft, "附件不全", None)
    assert row.lines == [("6601", "业务及管理费", 300_00, ""), ("1002", "银行存款", -300_00, "")]


def test_reversal_mirrors_the_voucher_once(county):
    voucher = authorize(county, enter(county))
    clerk = county.actor("CASHIER")
    reverse = {"actor": clerk, "voucher_id": voucher, "reason": "重复支付", "on": NEW_YEAR}
    draft = ledger.reverse_manual_voucher(key=fresh_key(), **reverse)["draft_id"]
    with pytest.raises(Conflict) as refused:
        ledger.reverse_manual_voucher(key=fresh_key(), **reverse)
    assert refused.value.code == "ALREADY_REVERSED"
    reversal = authorize(county, draft)
    assert queries.voucher_detail(SYSTEM, voucher).reversed_by_id == reversal
    assert balance(NEW_YEAR, "6601") == 0
    with pytest.raises(Conflict) as refused:
        ledger.reverse_manual_voucher(key=fresh_key(), **reverse)
    assert refused.value.code == "ALREADY_REVERSED"


def test_a_loans_voucher_is_not_reversed_here(county):
    income(county, NEW_YEAR, 5)
    number = queries.voucher_list(SYSTEM).rows[0].id
    with pytest.raises(Conflict) as refused:
        ledger.reverse_manual_voucher(
            actor=county.actor("CASHIER"), key=fresh_key(), voucher_id=number, reason="x", on=NEW_YEAR
        )
    assert refused.value.code == "VOUCHER_NOT_MANUAL"


def opening(county: County, balances: dict[str, int]) -> dict:
    return ledger.post_opening_balances(
        actor=SYSTEM, key=fresh_key(), institution_id=county.ids["S1"], cut_over_on=NOVEMBER, on=NOVEMBER,
        balances=balances,
    )  # fmt: skip


def test_opening_meets_the_loans(county):
    result = opening(county, {"1002": 900, "130301": 500, "113201": 20, "4001": -1420, "900101": 7, "900199": -7})
    assert result["awaiting_loans_fen"] == 520
    assert balance(NOVEMBER, "4199") == 520
    place = county.ids["S1"]
    loans = [
        LineSpec(500, "PRINCIPAL"), LineSpec(18, "INTEREST_RECEIVABLE"), LineSpec(-518, "OPENING_EQUITY"),
        LineSpec(7, "OFF_INTEREST"), LineSpec(-7, "OFF_CONTRA"),
    ]  # fmt: skip
    post_vouchers([VoucherSpec(NOVEMBER, place, "OPENING", "OPENING", "借据期初", loans)], actor=SYSTEM)
    rows = {
        row.code: (row.stated_fen, row.opened_fen, row.difference_fen)
        for row in queries.compare_opening(SYSTEM, institution_id=place)
    }
    assert rows["130301"] == (500, 500, 0)
    assert rows["113201"] == (20, 18, -2)
    assert rows["900101"] == (7, 7, 0)
    assert rows["4199"][2] == 520 - 518
    with pytest.raises(Conflict) as refused:
        opening(county, {"1002": 5, "4001": -5})
    assert refused.value.code == "OPENING_DONE"


@pytest.mark.parametrize(
    ("balances", "code"),
    [
        ({"1002": 5, "4001": -4}, "OPENING_UNBALANCED"),
        ({"1002": 5, "4001": -5, "900101": 3}, "OPENING_UNBALANCED"),
        ({"1002": 5, "4199": -5}, "ACCOUNT_UNUSABLE"),
        ({"1303": 5, "4001": -5}, "ACCOUNT_UNUSABLE"),
    ],
)
def test_a_bad_opening_is_refused(county, balances, code):
    with pytest.raises(DomainError) as refused:
        opening(county, balances)
    assert refused.value.code == code


def close_month(county: County, month: date, on: date = NEW_YEAR, place: str = "HO") -> dict:
    return ledger.close_month(actor=SYSTEM, key=fresh_key(), institution_id=county.ids[place], month=month, on=on)


def everyone(county: County) -> list[int]:
    return [number for code, number in county.ids.items() if not code.startswith("GC")]


def test_month_closes_in_order_once_and_for_good(county):
    income(county, NOVEMBER, 100)
    with pytest.raises(Conflict) as refused:
        close_month(county, NOVEMBER)
    assert refused.value.code == "DAY_OPEN"
    fold_day(day=date(2025, 12, 31), institution_ids=everyone(county))
    with pytest.raises(Conflict) as refused:
        close_month(county, date(2026, 1, 1))
    assert refused.value.code == "PERIOD_NOT_OVER"
    draft = enter(county, booked_on=date(2025, 11, 30))
    with pytest.raises(Conflict) as refused:
        close_month(county, NOVEMBER)
    assert refused.value.code == "DRAFTS_WAITING"
    assert f"草稿 {draft}（柳溪支行 2025-11-30 支付办公费）" in refused.value.message
    voucher = authorize(county, draft)
    assert queries.voucher_detail(SYSTEM, voucher).head.booked_on == date(2025, 11, 30)
    assert close_month(county, NOVEMBER)["closed_to"] == "2025-11-30"
    with pytest.raises(Conflict) as refused:
        close_month(county, NOVEMBER)
    assert refused.value.code == "PERIOD_CLOSED"
    with pytest.raises(Conflict) as refused:
        enter(county, booked_on=date(2025, 11, 30))
    assert refused.value.code == "PERIOD_CLOSED"
    accounts = resolve_accounts(NOVEMBER)
    lines = [LineSpec(1, account_id=accounts.role("BANK")), LineSpec(-1, account_id=accounts.role("CASH_ON_HAND"))]
    late = VoucherSpec(date(2025, 11, 30), county.ids["S2"], "PROVISION", "X", "x", lines)
    with pytest.raises(Conflict) as refused, transaction.atomic():
        post_vouchers([late], actor=SYSTEM)
    assert refused.value.code == "PERIOD_CLOSED"
    with pytest.raises(Conflict) as refused:
        close_month(county, date(2025, 12, 1))
    assert refused.value.code == "DECEMBER_BY_YEAR"
    assert [row.kind for row in queries.closed_periods(SYSTEM).rows] == ["MONTH"]


def test_a_month_cannot_be_skipped(county):
    income(county, date(2025, 10, 8), 100)
    fold_day(day=date(2025, 12, 31), institution_ids=everyone(county))
    with pytest.raises(Conflict) as refused:
        close_month(county, NOVEMBER)
    assert refused.value.code == "EARLIER_PERIOD_OPEN"
    assert "2025 年 10 月" in str(refused.value)


def test_a_business_day_still_in_the_month_refuses_the_close():
    county = open_county(date(2025, 11, 28))
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=NOVEMBER)
    with pytest.raises(Conflict) as refused:
        close_month(county, NOVEMBER)
    assert refused.value.code == "DAY_OPEN"


def test_year_close_moves_profit_by_institution_and_leaves_positions_alone(county):
    income(county, NOVEMBER, 1_000)
    income(county, date(2025, 12, 30), 234, place="S9")
    fold_day(day=date(2025, 12, 31), institution_ids=everyone(county))
    authorize(county, enter(county, booked_on=date(2025, 12, 31), lines=[
        {"account": "6601", "amount_fen": 300}, {"account": "1002", "amount_fen": -300},
    ]))  # fmt: skip
    close_month(county, NOVEMBER)
    positions = queries.position_totals(date(2025, 12, 31))
    last = date(2025, 12, 31)
    result = ledger.close_year(actor=SYSTEM, key=fresh_key(), institution_id=county.ids["HO"], year=2025, on=NEW_YEAR)
    assert len(result["voucher_ids"]) == 4
    assert queries.position_totals(last) == positions
    for code in ("601101", "6601", "4103"):
        assert balance(last, code) == 0
    assert balance(last, "410401") == -934
    assert balance(last, "410401", county.ids["S9"]) == -234
    assert balance(last, "410401", county.ids["S1"]) == -700
    assert queries.fold_differences() == []
    assert queries.trial_balance(SYSTEM, first=date(2025, 1, 1), last=last).balanced
    assert [row.kind for row in queries.closed_periods(SYSTEM).rows] == ["YEAR", "MONTH", "MONTH"]
    with pytest.raises(Conflict):
        ledger.close_year(actor=SYSTEM, key=fresh_key(), institution_id=county.ids["HO"], year=2025, on=NEW_YEAR)


def test_operations_repeat_their_first_result(county):
    given = {
        "actor": county.actor("CASHIER"), "key": "same", "institution_id": county.ids["S1"], "booked_on": NEW_YEAR,
        "summary": "重复提交", "on": NEW_YEAR,
        "lines": [{"account": "6601", "amount_fen": 9}, {"account": "1002", "amount_fen": -9}],
    }  # fmt: skip
    assert ledger.enter_manual_voucher(**given) == ledger.enter_manual_voucher(**given)
    assert queries.manual_drafts(SYSTEM).total == 1
