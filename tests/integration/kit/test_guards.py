"""只许追加：事实、分户账、收款、现金、档案、任职……绕过程序直接写 SQL，改与删都不成；点名放行的列照常变。"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from sancha.apps.access import guards as access
from sancha.apps.cashdesk import guards as cashdesk
from sancha.apps.ledger.guards import FROZEN_TABLES
from sancha.apps.parties import guards as parties
from sancha.apps.servicing import guards as servicing
from sancha.apps.work import guards as work
from sancha.kit.erasure import erasing
from sancha.kit.guards import Guard, guard_statements, missing_triggers
from sancha.kit.models import ErasureInProgress
from tests.support.factories_access import fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db
GUARDED = [
    (label, guard)
    for label, guards in (
        ("access", access.GUARDS), ("work", work.GUARDS), ("parties", parties.GUARDS), ("cashdesk", cashdesk.GUARDS),
        ("servicing", servicing.GUARDS),
    )
    for guard in guards
]  # fmt: skip
IDS = [f"{label}.{guard.model}" for label, guard in GUARDED]


def table_of(label: str, guard: Guard) -> str:
    return str(apps.get_model(label, guard.model)._meta.db_table)


@pytest.fixture
def busy() -> Office:
    """一个办过事的支行：借据、还款、冲正、挂账、任职、隶属都有行。"""
    from sancha.apps.servicing import operations

    office = open_office()
    loan = office.lend()
    paid = office.repay(loan, 10_000, receipt_id=office.receive(10_000))
    operations.reverse_fact(
        actor=office.supervisor, key=fresh_key(), loan_id=loan, seq=paid["seq"], reason="错账", on=office.today
    )
    return office


def one_row(table: str) -> int:
    """表里随便一行的编号。"""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} LIMIT 1")
        return int(cursor.fetchone()[0])


def change(table: str, row: int, column: str, value: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, row])
        assert cursor.rowcount == 1


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("servicing_loanfact", "amount_fen", 1),
        ("servicing_loanfact", "data", '{"x": 1}'),
        ("servicing_loanfact", "value_on", "2020-01-01"),
        ("servicing_movement", "amount_fen", 1),
        ("cashdesk_receipt", "amount_fen", 99_999_999),
        ("cashdesk_receipt", "payer_name", "别人"),
        ("cashdesk_receipt", "voucher_id", 7),
        ("cashdesk_receiptuse", "amount_fen", 1),
        ("access_postholding", "post_code", "APPROVER"),
        ("access_postholding", "valid_to", "2020-01-01"),
        ("access_placement", "valid_from", "2020-01-01"),
    ],
)
def test_an_update_by_sql_is_refused(busy: Office, table: str, column: str, value: Any) -> None:
    row = one_row(table)
    with pytest.raises(DatabaseError, match=f"APPEND_ONLY: {table} is append-only"):
        change(table, row, column, value)


@pytest.mark.parametrize(
    "table",
    ["servicing_loanfact", "servicing_movement", "cashdesk_receipt", "cashdesk_receiptuse", "access_postholding"],
)
def test_a_delete_by_sql_is_refused(busy: Office, table: str) -> None:
    with pytest.raises(DatabaseError, match="APPEND_ONLY"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [one_row(table)])


def test_what_may_change_changes(busy: Office) -> None:
    row = one_row("cashdesk_receipt")
    change("cashdesk_receipt", row, "state", "PARTLY")
    change("cashdesk_receipt", row, "used_fen", 1)


@pytest.mark.parametrize(("label", "guard"), GUARDED, ids=IDS)
def test_every_guarded_table_has_its_triggers(label: str, guard: Guard) -> None:
    table = table_of(label, guard)
    assert missing_triggers([table], erasable=[table] if guard.erasable else []) == []


def test_personal_columns_yield_to_an_erasure_and_to_nothing_else(busy: Office) -> None:
    """只有依法删除的那个事务改得动个人信息的栏；金额与整行那时也动不得，出来就复原。"""
    row = one_row("cashdesk_receipt")
    with erasing():
        change("cashdesk_receipt", row, "payer_name", "〔已删除〕")
        with pytest.raises(DatabaseError, match="APPEND_ONLY"):
            change("cashdesk_receipt", row, "amount_fen", 1)
        with pytest.raises(DatabaseError, match="APPEND_ONLY"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM cashdesk_receipt WHERE id = %s", [row])
    with pytest.raises(DatabaseError, match="APPEND_ONLY"):
        change("cashdesk_receipt", row, "payer_name", "别人")
    assert not ErasureInProgress.objects.exists()


def test_no_amount_date_or_link_is_erasable() -> None:
    for label, guard in GUARDED:
        for column in guard.erasable:
            field = apps.get_model(label, guard.model)._meta.get_field(column)
            assert field.get_internal_type() in {"CharField", "TextField", "JSONField"}, (label, guard.model, column)


def test_the_books_have_theirs() -> None:
    assert missing_triggers(FROZEN_TABLES) == []


def test_a_missing_trigger_is_named() -> None:
    on_table = " ON servicing_loanfact" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER servicing_loanfact_no_delete{on_table}")
    assert missing_triggers(["servicing_loanfact", "servicing_movement"]) == ["servicing_loanfact_no_delete"]


def test_a_misspelt_column_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(AssertionError, match="use_fen"):
        guard_statements("sqlite", "t", ["id", "used_fen"], changing=["use_fen"])


@pytest.mark.parametrize(("label", "guard"), GUARDED, ids=IDS)
def test_every_column_but_the_named_ones_is_kept(label: str, guard: Guard) -> None:
    """触发器里点到的列，恰好是放行之外的全部：以后添的列忘了守，这里就红。"""
    meta = apps.get_model(label, guard.model)._meta
    with connection.cursor() as cursor:
        name = f"{meta.db_table}_no_update"
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [name])
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [name])
        (text,) = cursor.fetchone()
    kept = {field.column for field in meta.local_concrete_fields} - {*guard.changing, *guard.erasable}
    if guard.changing or guard.erasable:
        # PostgreSQL writes the condition anew, with casts: new.memo::text.
        named = set(re.findall(r"new\.(\w+)", text.replace('"', "").lower()))
        assert named == kept
    else:
        assert "WHEN" not in text
