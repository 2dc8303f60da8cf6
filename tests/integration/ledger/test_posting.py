"""记账：两条 SQL、借贷必等、只追加、科目对照、成批通道。"""

from __future__ import annotations

import time
from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.mapping import split_vat
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_voucher, post_vouchers, resolve_accounts
from sancha.kernel.positions import CODES
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county

pytestmark = pytest.mark.django_db


@pytest.fixture
def county() -> County:
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)
    return county


def repayment(county: County, fen: int = 100_00, on: date = OPENING_DAY, **changes) -> VoucherSpec:
    given = {
        "booked_on": on, "institution_id": county.ids["S1"], "source": "SERVICING", "kind": "REPAYMENT",
        "summary": "还款", "subject": "loan:12",
        "lines": [
            LineSpec(fen, "CASH", product_id=1, loan_class=1, accrual=1, loan_id=12),
            LineSpec(-fen, "PRINCIPAL", product_id=1, loan_class=1, accrual=1, loan_id=12),
        ],
    }  # fmt: skip
    return VoucherSpec(**{**given, **changes})


def post(spec: VoucherSpec) -> int:
    return post_vouchers([spec], actor=SYSTEM, accounts=resolve_accounts(spec.booked_on))[0]


def test_a_voucher_takes_two_statements_however_many_lines(county, django_assert_num_queries):
    accounts = resolve_accounts(OPENING_DAY)
    lines = [LineSpec(1, "PRINCIPAL", product_id=n) for n in range(30)] + [LineSpec(-30, "CASH")]
    with django_assert_num_queries(2):
        post_voucher(
            booked_on=OPENING_DAY, institution_id=county.ids["S1"], source="SERVICING", kind="X", summary="多行",
            subject="loan:1", lines=lines, actor=SYSTEM, accounts=accounts,
        )  # fmt: skip


def test_three_vouchers_together_take_two_statements(county, django_assert_num_queries):
    accounts = resolve_accounts(OPENING_DAY)
    with django_assert_num_queries(2):
        ids = post_vouchers([repayment(county, n) for n in (1, 2, 3)], actor=SYSTEM, accounts=accounts)
    amounts = [queries.voucher_detail(SYSTEM, number).head.amount_fen for number in ids]
    assert amounts == [1, 2, 3]


def test_resolving_costs_one_statement_once_loaded(county, django_assert_num_queries):
    resolve_accounts(OPENING_DAY)
    with django_assert_num_queries(1):
        resolve_accounts(OPENING_DAY)


def test_unbalanced_voucher_is_refused_and_leaves_nothing(county):
    spec = repayment(county, lines=[LineSpec(100, "CASH"), LineSpec(-99, "PRINCIPAL")])
    with pytest.raises(DomainError) as refused:
        post_vouchers([repayment(county), spec], actor=SYSTEM)
    assert refused.value.code == "VOUCHER_UNBALANCED"
    assert "借方减贷方 CNY 0.01 元" in str(refused.value)
    assert queries.voucher_list(SYSTEM).total == 0


@pytest.mark.parametrize("lines", [[], [LineSpec(0, "CASH"), LineSpec(0, "PRINCIPAL")]])
def test_empty_voucher_is_refused(county, lines):
    with pytest.raises(DomainError) as refused:
        post(repayment(county, lines=lines))
    assert refused.value.code == "VOUCHER_EMPTY"


def test_a_float_amount_is_refused(county):
    with pytest.raises(TypeError):
        post(repayment(county, lines=[LineSpec(1.0, "CASH"), LineSpec(-1, "PRINCIPAL")]))


FROZEN = ["ledger_voucher", "ledger_line", "ledger_accountday", "ledger_monthbalance", "ledger_vouchernumber"]


@pytest.mark.parametrize("table", [*FROZEN, "ledger_openingbalance"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_database_refuses_to_change_what_is_posted(county, table, verb):
    ledger.post_opening_balances(
        actor=SYSTEM, key=fresh_key(), institution_id=county.ids["S1"], cut_over_on=OPENING_DAY, on=OPENING_DAY,
        balances={"1002": 100, "4001": -100},
    )  # fmt: skip
    month_end = date(2026, 3, 31)
    fold_day(day=month_end, institution_ids=[county.ids["S1"]])
    column = {"ledger_openingbalance": "amount_fen", "ledger_vouchernumber": "number"}.get(table, "institution_id")
    sql = f"UPDATE {table} SET {column} = {column}" if verb == "UPDATE" else f"DELETE FROM {table}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        before = cursor.fetchone()[0]
        assert before > 0
        with pytest.raises(DatabaseError, match="LEDGER_IMMUTABLE"), transaction.atomic():
            cursor.execute(sql)
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        assert cursor.fetchone()[0] == before


def test_an_account_cannot_be_deleted(county):
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="LEDGER_IMMUTABLE"), transaction.atomic():
        cursor.execute("DELETE FROM ledger_account WHERE code = '6711'")


def test_bulk_channel_writes_the_same_rows(county, capsys):
    specs = [
        repayment(county, source="ACCRUAL", kind="DAILY", subject="", day=OPENING_DAY, kernel_version="1", lines=[
            LineSpec(3, "INTEREST_RECEIVABLE", product_id=n), LineSpec(-3, "INTEREST_INCOME", product_id=n),
            LineSpec(2, "PENALTY_RECEIVABLE", product_id=n), LineSpec(-2, "PENALTY_INCOME", product_id=n),
            LineSpec(1, "OFF_INTEREST", product_id=n), LineSpec(-1, "OFF_CONTRA", product_id=n, summary="表外"),
        ])
        for n in range(5_000)
    ]  # fmt: skip
    started = time.perf_counter()
    ids = post_vouchers(specs, actor=SYSTEM, accounts=resolve_accounts(OPENING_DAY))
    with capsys.disabled():
        print(f"[{connection.vendor}] 5,000 vouchers × 6 lines: {time.perf_counter() - started:.2f} s")
    assert len(set(ids)) == 5_000
    bulk, single = queries.voucher_detail(SYSTEM, ids[7]), queries.voucher_detail(SYSTEM, post(specs[7]))
    plain = [
        (line.account_code, line.debit_fen, line.credit_fen, line.position_code, line.product_id, line.summary)
        for line in bulk.lines
    ]
    assert plain == [
        (line.account_code, line.debit_fen, line.credit_fen, line.position_code, line.product_id, line.summary)
        for line in single.lines
    ]
    assert (bulk.day, bulk.kernel_version, bulk.head.source) == (OPENING_DAY, "1", "ACCRUAL")
    assert bulk.recorded_at.tzinfo is not None
    assert abs((bulk.recorded_at - single.recorded_at).total_seconds()) < 60
    assert post(repayment(county)) > max(ids)


def test_every_position_of_every_template_has_an_account(county):
    for template in ledger.TEMPLATES:
        mapping = ledger.chart_template(template)["mapping"]
        assert set(mapping) == set(CODES), template
        codes = {row[0] for row in ledger.chart_template(template)["accounts"]}
        assert set(mapping.values()) <= codes
        leaves = {code for code in codes if not any(other != code and other.startswith(code) for other in codes)}
        assert set(mapping.values()) <= leaves, template


def test_without_a_chart_nothing_is_posted():
    county = open_county()
    with pytest.raises(DomainError) as refused:
        post_vouchers([repayment(county)], actor=SYSTEM)
    assert refused.value.code == "CHART_MISSING"


def test_a_position_without_account_stops_at_the_start(county, monkeypatch):
    monkeypatch.setattr("sancha.apps.ledger.mapping.POSITION_CODES", (*CODES, "NEW_THING"))
    with pytest.raises(DomainError) as refused:
        resolve_accounts(OPENING_DAY)
    assert refused.value.code == "MAPPING_MISSING"
    assert refused.value.value == "NEW_THING"


def test_chart_is_adopted_once_and_a_second_house_by_product(county):
    with pytest.raises(Conflict) as refused:
        ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="MICROLOAN_COMPANY", on=OPENING_DAY)
    assert refused.value.code == "CHART_ADOPTED"
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="GUARANTEE_CENTER", on=OPENING_DAY, product_ids=[90, 91])
    accounts = resolve_accounts(OPENING_DAY)
    assert accounts.accounts[accounts.account("PRINCIPAL", 90)].code == "910201"
    assert accounts.accounts[accounts.account("PRINCIPAL", 1)].code == "130301"
    assert accounts.accounts[accounts.role("LOAN_CLEARING")].code == "300101"


def add_account(code: str, name: str, category: str = "ASSET", side: str = "DEBIT") -> None:
    ledger.add_account(
        actor=SYSTEM, key=fresh_key(), code=code, name=name, category=category, normal_side=side, on=OPENING_DAY
    )


def map_account(position: str, code: str, **changes) -> None:
    given = {"valid_from": OPENING_DAY, "on": OPENING_DAY}
    ledger.map_account(actor=SYSTEM, key=fresh_key(), position_code=position, account_code=code, **{**given, **changes})


def test_the_most_specific_mapping_wins_and_history_stays(county):
    for code in ("130311", "130312", "130313", "130314"):
        add_account(code, f"贷款—{code}")
    later = date(2026, 6, 1)
    map_account("PRINCIPAL", "130311", product_id=7)
    map_account("PRINCIPAL", "130312", term_band="LONG", guarantee="PLEDGE")
    map_account("PRINCIPAL", "130313", product_id=7, term_band="LONG")
    map_account("PRINCIPAL", "130314", product_id=7, valid_from=later)

    def code(on: date, *given) -> str:
        accounts = resolve_accounts(on)
        return accounts.accounts[accounts.account("PRINCIPAL", *given)].code

    assert code(OPENING_DAY) == "130301"
    assert code(OPENING_DAY, 7) == "130311"
    assert code(OPENING_DAY, 8, "LONG", "PLEDGE") == "130312"
    assert code(OPENING_DAY, 8, "LONG") == "130301"
    assert code(OPENING_DAY, 7, "LONG", "PLEDGE") == "130313"
    assert code(later, 7) == "130314"
    assert len(queries.account_mappings(position_code="PRINCIPAL")) == 5


def test_mapping_may_not_be_backdated_nor_point_at_used_or_parent_accounts(county):
    with pytest.raises(DomainError) as refused:
        map_account("PRINCIPAL", "130301", valid_from=date(2026, 3, 1))
    assert refused.value.code == "MAPPING_BACKDATED"
    with pytest.raises(DomainError) as refused:
        map_account("PRINCIPAL", "1303")
    assert refused.value.code == "ACCOUNT_UNUSABLE"
    with pytest.raises(DomainError) as refused:
        map_account("NOTHING", "130301")
    assert refused.value.code == "POSITION_UNKNOWN"


def test_vat_is_split_off_income_and_the_position_keeps_the_gross(county):
    map_account("INTEREST_INCOME", "601101", vat_ppm=60_000)
    spec = repayment(county, lines=[LineSpec(106_00, "INTEREST_RECEIVABLE"), LineSpec(-106_00, "INTEREST_INCOME")])
    detail = queries.voucher_detail(SYSTEM, post(spec))
    shown = [(line.account_code, line.debit_fen - line.credit_fen, line.position_code) for line in detail.lines]
    assert shown == [
        ("113201", 106_00, "INTEREST_RECEIVABLE"),
        ("601101", -100_00, "INTEREST_INCOME"),
        ("222101", -6_00, "INTEREST_INCOME"),
    ]
    totals = {key[-1]: fen for key, fen in queries.position_totals(OPENING_DAY).items()}
    assert totals["INTEREST_INCOME"] == -106_00


def test_vat_parts_always_add_up_and_mirror():
    for vat_ppm in (10_000, 30_000, 60_000, 130_000):
        for fen in [*range(1, 400), 99_999_999_999_99]:
            net, tax = split_vat(fen, vat_ppm)
            assert net + tax == fen
            assert split_vat(-fen, vat_ppm) == (-net, -tax)
            # half-up on gross × rate ÷ (1 + rate): within half a fen of the exact quotient
            assert abs(2 * (tax * (1_000_000 + vat_ppm) - fen * vat_ppm)) <= 1_000_000 + vat_ppm


def test_a_voucher_over_two_institutions_balances_in_each(county):
    s1, s9 = county.ids["S1"], county.ids["S9"]
    spec = repayment(county, kind="TRANSFER", lines=[
        LineSpec(-500_00, "PRINCIPAL", institution_id=s1), LineSpec(500_00, "PRINCIPAL", institution_id=s9),
    ])  # fmt: skip
    post(spec)
    for place in (s1, s9):
        table = queries.trial_balance(SYSTEM, first=OPENING_DAY, last=OPENING_DAY, institution_id=place)
        assert table.balanced, place
    whole = {
        row.code: row.closing_fen for row in queries.trial_balance(SYSTEM, first=OPENING_DAY, last=OPENING_DAY).rows
    }
    assert whole["130301"] == 0
    assert whole["300102"] == 0


def test_only_loans_may_move_a_position_controlled_account(county):
    accounts = resolve_accounts(OPENING_DAY)
    principal, bank = accounts.account("PRINCIPAL"), accounts.role("BANK")
    for source in ("MANUAL", "CASHDESK", "PROVISION", "CLOSING"):
        lines = [LineSpec(5, account_id=bank), LineSpec(-5, account_id=principal)]
        with pytest.raises(DomainError) as refused:
            post(repayment(county, source=source, lines=lines))
        assert refused.value.code == "ACCOUNT_POSITION_CONTROLLED", source
    sneaky = [LineSpec(5, account_id=bank), LineSpec(-5, "PRINCIPAL", account_id=accounts.role("SUSPENSE"))]
    with pytest.raises(DomainError) as refused:
        post(repayment(county, source="MANUAL", lines=sneaky))
    assert refused.value.code == "ACCOUNT_POSITION_CONTROLLED"
    assert queries.uncontrolled_lines() == []


def test_closed_day_refuses_loans_but_takes_a_late_provision(county):
    s1 = county.ids["S1"]
    post(repayment(county))
    fold_day(day=OPENING_DAY, institution_ids=[s1])
    with pytest.raises(Conflict) as refused, transaction.atomic():
        post(repayment(county))
    assert refused.value.code == "DAY_CLOSED"
    accounts = resolve_accounts(OPENING_DAY)
    by_code = {facts.code: facts.id for facts in accounts.accounts.values()}
    late = repayment(county, source="PROVISION", kind="PROVISION", subject="", lines=[
        LineSpec(7_00, account_id=by_code["6702"]), LineSpec(-7_00, account_id=by_code["130401"]),
    ])  # fmt: skip
    number = post(late)
    assert queries.totals_as_of(OPENING_DAY)[by_code["130401"]] == -7_00
    assert queries.fold_differences() == []
    assert queries.voucher_detail(SYSTEM, number).head.number == 2
