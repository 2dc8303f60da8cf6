"""不可改的凭证：两种数据库上的触发器，由迁移建立。

- 凭证、分录、日汇总、月末结存、凭证号：UPDATE 与 DELETE 一律拒绝；科目不得删除。
- 记账日已结账（``closed_to``）：任何来源都拒绝；记账日已汇总（``folded_to``）：只有手工、准备、期末凭证可以迟到。
- 机构第一张凭证顺带建立它的账簿状态行，余额查询据此知道哪些机构尚未折叠。
错误文字以大写代码开头，``operations`` 据此翻译成业务错误。
"""

from __future__ import annotations

from typing import Any

from sancha.kit.guards import guard_statements

FROZEN_TABLES = (
    "ledger_voucher",
    "ledger_line",
    "ledger_accountday",
    "ledger_monthbalance",
    "ledger_vouchernumber",
    "ledger_openingbalance",
)
LATE_SOURCES = ("MANUAL", "PROVISION", "CLOSING")
_LATE = ", ".join(f"'{source}'" for source in LATE_SOURCES)


def _postgresql() -> list[str]:
    return [
        """CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'LEDGER_IMMUTABLE: % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$""",
        f"""CREATE OR REPLACE FUNCTION ledger_check_booked_on() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE books ledger_institutionbooks%ROWTYPE;
        BEGIN
          SELECT * INTO books FROM ledger_institutionbooks WHERE institution_id = NEW.institution_id;
          IF NOT FOUND THEN
            INSERT INTO ledger_institutionbooks (institution_id) VALUES (NEW.institution_id) ON CONFLICT DO NOTHING;
          ELSIF NEW.booked_on <= books.closed_to THEN
            RAISE EXCEPTION 'PERIOD_CLOSED: %', books.closed_to USING ERRCODE = 'restrict_violation';
          ELSIF NEW.booked_on <= books.folded_to AND NEW.source NOT IN ({_LATE}) THEN
            RAISE EXCEPTION 'DAY_CLOSED: %', books.folded_to USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN NEW;
        END $$""",
        "CREATE TRIGGER ledger_voucher_booked_on BEFORE INSERT ON ledger_voucher "
        "FOR EACH ROW EXECUTE FUNCTION ledger_check_booked_on()",
        "CREATE TRIGGER ledger_account_kept BEFORE DELETE ON ledger_account "
        "FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()",
    ]


def _sqlite() -> list[str]:
    books = "SELECT 1 FROM ledger_institutionbooks b WHERE b.institution_id = NEW.institution_id"
    return [
        f"""CREATE TRIGGER ledger_voucher_period BEFORE INSERT ON ledger_voucher
        WHEN EXISTS ({books} AND NEW.booked_on <= b.closed_to)
        BEGIN SELECT RAISE(ABORT, 'PERIOD_CLOSED: '); END""",
        f"""CREATE TRIGGER ledger_voucher_booked_on BEFORE INSERT ON ledger_voucher
        WHEN NEW.source NOT IN ({_LATE}) AND EXISTS ({books} AND NEW.booked_on <= b.folded_to)
        BEGIN SELECT RAISE(ABORT, 'DAY_CLOSED: '); END""",
        """CREATE TRIGGER ledger_voucher_books AFTER INSERT ON ledger_voucher
        BEGIN INSERT OR IGNORE INTO ledger_institutionbooks (institution_id) VALUES (NEW.institution_id); END""",
        """CREATE TRIGGER ledger_account_kept BEFORE DELETE ON ledger_account
        BEGIN SELECT RAISE(ABORT, 'LEDGER_IMMUTABLE: ledger_account'); END""",
    ]


def create_guards(apps: Any, schema_editor: Any) -> None:
    """建触发器（迁移用）。``params=None`` 使百分号原样送达。"""
    vendor = schema_editor.connection.vendor
    own = _postgresql() if vendor == "postgresql" else _sqlite()
    frozen = [
        statement
        for table in FROZEN_TABLES
        for statement in guard_statements(vendor, table, (), code="LEDGER_IMMUTABLE")
    ]
    for statement in own + frozen:
        schema_editor.execute(statement, params=None)
