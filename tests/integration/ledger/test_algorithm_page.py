"""docs/algorithms/ledger.md 的两张表：照第一张记账，得出第二张。"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kit.actor import SYSTEM
from tests.support.factories_access import fresh_key, open_county

PAGE = Path(__file__).parents[3] / "docs" / "algorithms" / "ledger.md"
START = date(2026, 1, 5)


def tables() -> list[list[list[str]]]:
    """页面上的表，去掉表头与分隔行。"""
    found: list[list[list[str]]] = [[]]
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table[2:] for table in found if table]


@pytest.mark.django_db
def test_the_page_is_what_the_program_does():
    vouchers, trial = tables()
    assert (len(vouchers), len(trial)) == (9, 9)
    county = open_county(START)
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=START)
    ledger.map_account(
        actor=SYSTEM, key=fresh_key(), position_code="INTEREST_INCOME", account_code="601101", vat_ppm=60_000,
        valid_from=START, on=START,
    )  # fmt: skip
    place = county.ids["S1"]
    by_code = {facts.code: facts.id for facts in resolve_accounts(START).accounts.values()}
    for day, source, lines, fold in vouchers:
        booked_on = date.fromisoformat(day)
        pairs = [(code, int(fen)) for code, fen in (part.split(":") for part in lines.split())]
        specs = [
            LineSpec(fen, account_id=by_code[code]) if code.isdigit() else LineSpec(fen, code) for code, fen in pairs
        ]
        post_vouchers([VoucherSpec(booked_on, place, source, "EXAMPLE", "例", specs)], actor=SYSTEM)
        if fold == "是":
            fold_day(day=booked_on, institution_ids=[place])
    table = queries.trial_balance(SYSTEM, first=date(2026, 2, 1), last=date(2026, 2, 2), with_parents=False)
    shown = [[row.code, row.opening_fen, row.debit_fen, row.credit_fen, row.closing_fen] for row in table.rows]
    assert shown == [[code, *map(int, figures)] for code, *figures in trial]
    assert table.balanced
    assert f"借方 {table.debit_fen} = 贷方 {table.credit_fen}" in PAGE.read_text("utf-8")
    assert queries.fold_differences() == []
