"""印花税：逐份四舍五入、免税的依据、列哪些不列哪些。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sancha.apps.parties.models import Party
from sancha.apps.servicing.models import ImportBatch, ImportRow, Loan
from sancha.apps.servicing.queries import EXEMPT, TAXABLE, TO_CHECK, duty_fen, stamp_duty, treatment_of
from sancha.kit.clock import now
from tests.support.office import Office

JUNE = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("principal_fen", "tax_fen"),
    [(5_000_000, 250), (9_999, 0), (10_000, 1), (29_999, 1), (30_000, 2), (1_234_567, 62), (9_999_999_999_999, 500_000_000)],
)  # fmt: skip
def test_the_duty_is_half_up_to_the_fen(principal_fen: int, tax_fen: int) -> None:
    assert duty_fen(principal_fen, 50) == tax_fen


@pytest.mark.parametrize(
    ("kind", "rate", "subsidized", "on", "treatment", "clause"),
    [
        ("FARMER", 144_000, False, JUNE, TAXABLE, "STAMP-LAW-RATE"),
        ("COMPANY", 144_000, False, JUNE, TO_CHECK, "MOF-STA-2023-13-STAMP"),
        ("SOLE_TRADER", 144_000, False, date(2027, 12, 31), TO_CHECK, "MOF-STA-2023-13-STAMP"),
        ("COMPANY", 144_000, False, date(2028, 1, 1), TAXABLE, "STAMP-LAW-RATE"),
        ("COMPANY", 144_000, True, JUNE, EXEMPT, "STAMP-LAW-EXEMPT"),
        ("FARMER", 0, False, JUNE, EXEMPT, "STAMP-LAW-EXEMPT"),
        ("FARMER", 144_000, False, date(2022, 6, 30), TAXABLE, "SANCHA-DEFAULT"),
    ],
)
def test_who_is_exempt_and_why(
    kind: str, rate: int, subsidized: bool, on: date, treatment: str, clause: str
) -> None:  # fmt: skip
    found = treatment_of(party_kind=kind, loan_rate_ppm=rate, is_subsidized=subsidized, on=on)
    assert (found.code, found.clause, found.rate_ppm) == (treatment, clause, 50)
    assert found.reason


def test_the_loans_of_the_period_are_listed_once_and_the_others_not(office: Office) -> None:
    today = office.today
    taxed = office.lend(principal_fen=5_010_000)
    free = office.lend(payer_shares=((today, (("FISCAL", 1_000_000),)),))
    void, imported = office.lend(), office.lend()
    Loan.objects.filter(pk=void).update(status="VOID")
    batch = ImportBatch.objects.create(institution_id=office.county.ids["S1"], **batch_fields(office))
    ImportRow.objects.create(
        batch=batch, role="loan", file_no=1, number=2, cells={}, status="IMPORTED", loan_id=imported
    )
    rows = {row.loan_id: row for row in stamp_duty(office.supervisor, first=today.replace(day=1), last=today)}
    assert set(rows) == {taxed, free}
    assert (rows[taxed].treatment, rows[taxed].tax_fen, rows[taxed].rate_ppm) == (TAXABLE, 251, 50)
    assert (rows[free].treatment, rows[free].tax_fen, rows[free].reason) == (EXEMPT, 0, "贴息借款合同")
    assert stamp_duty(office.supervisor, first=today + timedelta(days=1), last=today + timedelta(days=40)) == []
    Party.objects.update(kind="COMPANY")
    rows = {row.loan_id: row for row in stamp_duty(office.supervisor, first=today, last=today)}
    assert (rows[taxed].treatment, rows[taxed].tax_fen) == (TO_CHECK, 251)


def test_the_statements_do_not_grow_and_the_scope_holds(office: Office) -> None:
    office.lend()
    other = office.lend(at="S9")
    today, counts = office.today, []
    for _round in range(2):
        with CaptureQueriesContext(connection) as asked:
            rows = stamp_duty(office.supervisor, first=today, last=today)
        counts.append(len(asked))
        office.lend()
    assert counts[0] == counts[1] <= 2, [query["sql"][:150] for query in asked.captured_queries]
    assert other not in {row.loan_id for row in rows}


def batch_fields(office: Office) -> dict[str, object]:
    """一批转入的必填栏。"""
    return {
        "kind": "PORTFOLIO",
        "layout_code": "sancha",
        "layout": {},
        "options": {},
        "files": [],
        "digest": "0" * 64,
        "staged_on": office.today,
        "staged_at": now(),
    }
