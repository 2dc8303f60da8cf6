"""余额：任意日子的折叠余额 = 全部分录直接相加；试算永远平衡。"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kernel.positions import CODES
from sancha.kit.actor import SYSTEM
from tests.support.factories_access import OPENING_DAY, fresh_key, open_county

pytestmark = pytest.mark.django_db
FIRST = date(2026, 1, 20)
ON_BALANCE = [code for code in CODES if not code.startswith(("OFF_", "WRITTEN_OFF_"))]


def random_lines(dice: random.Random, places: list[int]) -> list[LineSpec]:
    place = dice.choice(places)
    key = {"institution_id": place, "product_id": dice.choice([1, 2]), "loan_class": dice.choice([1, 3]), "accrual": 1}
    parts = [LineSpec(dice.randint(-9_999, 9_999), dice.choice(ON_BALANCE), **key) for _ in range(dice.randint(1, 4))]
    return [*parts, LineSpec(-sum(part.amount_fen for part in parts) or 0, "CASH", **key)]


@pytest.mark.parametrize("seed", range(4))
def test_folded_balances_equal_the_lines_on_every_day(seed):
    dice = random.Random(seed)
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)
    places = [county.ids[code] for code in ("S1", "S2", "S9", "GC01")]
    accounts = resolve_accounts(FIRST)
    by_code = {facts.code: facts.id for facts in accounts.accounts.values()}
    booked: list[tuple[date, int, str, int]] = []  # day, institution, account code or position, fen
    by_account: list[tuple[date, int, int, int]] = []

    def post(source: str, day: date, lines: list[LineSpec]) -> None:
        spec = VoucherSpec(day, lines[0].institution_id, source, "T", "t", [line for line in lines if line.amount_fen])
        if not spec.lines:
            return
        post_vouchers([spec], actor=SYSTEM, accounts=accounts)
        for line in spec.lines:
            account_id = line.account_id or accounts.account(line.position_code)
            by_account.append((day, line.institution_id, account_id, line.amount_fen))
            if line.position_code:
                booked.append((day, line.institution_id, line.position_code, line.amount_fen))

    day, folded = FIRST, {}
    for _ in range(75):
        for _ in range(dice.randint(0, 3)):
            post("SERVICING", day, random_lines(dice, places))
        if dice.random() < 0.2:  # a month-end adjustment booked on a day that may already be folded
            fen, place = dice.randint(1, 500), dice.choice(places)
            back = max(FIRST, day - timedelta(days=dice.randint(0, 40)))
            post("PROVISION", back, [
                LineSpec(fen, account_id=by_code["6702"], institution_id=place),
                LineSpec(-fen, account_id=by_code["130401"], institution_id=place),
            ])  # fmt: skip
        for group in (places[:3], places[3:]):  # the guarantee centre closes its days in its own time
            if dice.random() < 0.6:
                fold_day(day=day, institution_ids=group)
                folded.update(dict.fromkeys(group, day))
        day = max([day, *(reach + timedelta(days=1) for reach in folded.values())])
        day += timedelta(days=dice.randint(0, 1))
    assert len(by_account) > 150

    for _ in range(25):
        upto = FIRST + timedelta(days=dice.randint(0, (day - FIRST).days))
        scope = dice.choice([queries.EVERYWHERE, queries.Scope(institution_ids=tuple(places[1:2]))])
        seen = [row for row in by_account if row[0] <= upto and scope.institution_ids in (None, (row[1],))]
        expected = Counter()
        for _, _, account_id, fen in seen:
            expected[account_id] += fen
        assert queries.totals_as_of(upto, scope) == {key: fen for key, fen in expected.items() if fen}
        positions = Counter()
        for booked_on, place, code, fen in booked:
            if booked_on <= upto and scope.institution_ids in (None, (place,)):
                positions[(place, code)] += fen
        found = Counter()
        for key, fen in queries.position_totals(upto, scope).items():
            found[(key[0], key[-1])] += fen
        assert {k: v for k, v in found.items() if v} == {k: v for k, v in positions.items() if v}
        assert queries.is_balanced(scope, upto)
        since = max(FIRST, upto - timedelta(days=dice.randint(0, 50)))
        table = queries.trial_balance(SYSTEM, first=since, last=upto)
        assert table.balanced
        moved = [row for row in by_account if since <= row[0] <= upto]
        assert table.debit_fen == sum(max(row[3], 0) for row in moved)
        for row in table.rows:
            if row.is_leaf:
                opening = sum(r[3] for r in by_account if r[0] < since and r[2] == row.account_id)
                assert (row.opening_fen, row.closing_fen) == (
                    opening,
                    opening + sum(r[3] for r in moved if r[2] == row.account_id),
                )
    assert queries.fold_differences() == []
    assert queries.unbalanced_vouchers() == []
    assert queries.orphan_lines() == []


def test_a_wrong_total_is_found():
    """`check` 若从不报警就什么也没证明：绕过记账塞一行错的日汇总，必须被找到。"""
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)
    accounts = resolve_accounts(FIRST)
    post_vouchers(
        [VoucherSpec(FIRST, county.ids["S1"], "SERVICING", "T", "t", [LineSpec(5, "CASH"), LineSpec(-5, "PRINCIPAL")])],
        actor=SYSTEM, accounts=accounts,
    )  # fmt: skip
    fold_day(day=date(2026, 2, 1), institution_ids=[county.ids["S1"]])
    assert queries.fold_differences() == []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_accountday "
            "(day, institution_id, account_id, position_code, currency, debit_fen, credit_fen) "
            "VALUES (%s, %s, %s, 'CASH', 'CNY', 9, 0)",
            [FIRST, county.ids["S1"], accounts.account("CASH")],
        )
    found = queries.fold_differences()
    assert [(row["table"], row["day"], row["difference_fen"]) for row in found] == [
        ("AccountDay", FIRST, -9),
        ("MonthBalance", date(2026, 1, 31), 9),
    ]
    assert queries.fold_differences(since=date(2026, 2, 1)) == []


def test_folding_twice_changes_nothing():
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)
    spec = VoucherSpec(FIRST, county.ids["S1"], "SERVICING", "T", "t", [LineSpec(5, "CASH"), LineSpec(-5, "PRINCIPAL")])
    post_vouchers([spec, spec], actor=SYSTEM)
    once = fold_day(day=FIRST, institution_ids=[county.ids["S1"]])
    assert once == {"rows": 2, "vouchers": 2}
    assert fold_day(day=FIRST, institution_ids=[county.ids["S1"]]) == {"rows": 0, "vouchers": 0}
    numbers = [row.number for row in queries.voucher_list(SYSTEM).rows]
    assert numbers == [2, 1]


def test_queries_do_not_grow_with_the_books():
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)

    def statements() -> list[int]:
        counts = []
        for call in (
            lambda: queries.trial_balance(SYSTEM, first=FIRST, last=FIRST + timedelta(days=60)),
            lambda: queries.voucher_list(SYSTEM, institution_id=county.ids["B2"], loan_id=3),
            lambda: queries.account_ledger(SYSTEM, account_id=accounts.account("CASH"), first=FIRST, last=FIRST),
        ):
            with CaptureQueriesContext(
                connection,
            ) as captured:
                call()
            counts.append(len(captured))
        return counts

    accounts = resolve_accounts(FIRST)
    lines = [LineSpec(5, "CASH", loan_id=3), LineSpec(-5, "PRINCIPAL", loan_id=3)]
    post_vouchers([VoucherSpec(FIRST, county.ids["S1"], "SERVICING", "T", "t", lines)], actor=SYSTEM)
    few = statements()
    post_vouchers([VoucherSpec(FIRST, county.ids["S9"], "SERVICING", "T", "t", lines)] * 60, actor=SYSTEM)
    fold_day(day=FIRST, institution_ids=list(county.ids.values()))
    many = statements()
    assert max(many) <= 9
    assert all(after <= before + 1 for before, after in zip(few, many, strict=True))  # one more part once folded


def test_account_ledger_runs_a_balance_over_pages():
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=OPENING_DAY)
    accounts = resolve_accounts(FIRST)
    amounts = [100, -30, 7, 20, -50, 4]
    for offset, fen in enumerate(amounts):
        day = FIRST + timedelta(days=offset)
        lines = [LineSpec(fen, "CASH"), LineSpec(-fen, "PRINCIPAL")]
        post_vouchers([VoucherSpec(day, county.ids["S1"], "SERVICING", "T", f"第{offset}笔", lines)], actor=SYSTEM)
    cash = accounts.account("CASH")
    first, last = FIRST + timedelta(days=1), FIRST + timedelta(days=4)
    book = queries.account_ledger(SYSTEM, account_id=cash, first=first, last=last, page=2, size=3)
    assert (book.opening_fen, book.closing_fen, book.page.total) == (100, 47, 4)
    assert [(row.summary, row.credit_fen, row.balance_fen) for row in book.page.rows] == [("第4笔", 50, 47)]
    elsewhere = county.actor("CASHIER", at="S9")
    assert queries.account_ledger(elsewhere, account_id=cash, first=first, last=last).page.total == 0
