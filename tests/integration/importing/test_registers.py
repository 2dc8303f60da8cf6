"""台账导出：列与次序照规则 E6，知道的填、不知道的空；导出的送回来，账上是一样的。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.servicing.models import ImportBatch, Loan
from sancha.apps.servicing.operations import extend_loan, post_repayment, reverse_fact
from sancha.kit.actor import SYSTEM
from sancha.kit.spreadsheets import read_table
from tests.integration.importing.conftest import Desk, id_number, register_row, sheet
from tests.integration.web.conftest import signed_in
from tests.support.factories_access import fresh_key

LOAN_COLUMNS = [
    *("机构", "借据号", "合同号", "姓名", "证件号", "客户类型", "行业", "用途", "金额", "余额", "利率", "还款方式"),
    *("放款日", "到期日", "期限", "担保方式", "担保人/押品", "信贷员", "审批人", "五级分类", "逾期天数", "逾期本金"),
    *("欠息", "表外息", "展期标志", "上次检查日", "下次检查日", "预警等级"),
]
DUE_COLUMNS = ["应还日", "应还本", "应还息", "实还", "提醒日期", "方式", "还款资金"]
NOT_KNOWN_YET = ("审批人", "上次检查日", "下次检查日", "预警等级")


def exported(desk: Desk, path: str) -> tuple[list[str], list[dict[str, str]]]:
    response: Any = signed_in(desk.second).get(path)
    assert response.status_code == 200
    table = read_table(b"".join(response.streaming_content))
    return list(table.columns), [dict(row.cells) for row in table.rows if row.cells.get("借据号")]


def imported(desk: Desk) -> None:
    rows = [
        register_row(1, **{"担保人/押品": "钱某某"}),
        register_row(2, 逾期天数="120", 逾期本金="3000", 表外息="412.34", 五级分类="次级", 余额="7,000"),
    ]
    desk.commit(desk.stage(sheet(rows))["batch_id"])


def test_the_loan_register_has_the_columns_in_order_and_what_is_known(desk: Desk) -> None:
    imported(desk)
    columns, rows = exported(desk, "/loans/export/")
    assert columns[: len(LOAN_COLUMNS)] == LOAN_COLUMNS
    first, second = rows
    assert (first["期限"], first["担保人/押品"], first["展期标志"], first["表外息"]) == ("12", "钱某某", "否", "0")
    assert second["表外息"] == "412.34"
    assert second["五级分类"] == "次级"
    assert not any(row.get(column) for row in rows for column in NOT_KNOWN_YET)

    loan = Loan.objects.get(number="OLD0001")
    extend_loan(actor=SYSTEM, key=fresh_key(), loan_id=loan.pk, matures_on=date(2026, 12, 2), reason="歉收", on=desk.on)
    assert exported(desk, "/loans/export/")[1][0]["展期标志"] == "是"
    reverse_fact(actor=SYSTEM, key=fresh_key(), loan_id=loan.pk, seq=2, reason="记错户", on=desk.on)
    assert exported(desk, "/loans/export/")[1][0]["展期标志"] == "否"
    reverse_fact(actor=SYSTEM, key=fresh_key(), loan_id=loan.pk, seq=3, reason="原来没记错", on=desk.on)
    assert exported(desk, "/loans/export/")[1][0]["展期标志"] == "是", "冲正又被冲正，展期还在"


def test_the_due_register_lists_every_installment_with_what_was_paid_and_how(desk: Desk) -> None:
    plan = [{"借据号": "OLD0001", "应还日": f"2025-{9 + no}-02", "应还本": "4000", "应还息": "0"} for no in (1, 2, 3)]
    paid = [{"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "4000", "方式": "TRANSFER"}]
    loan = register_row(1, 余额="8000", 期限="3", 到期日="2025-12-02", 利率="0", 五级分类="", 逾期天数="", 逾期本金="")
    files = (sheet([loan], "贷款台账.csv"), sheet(plan, "还款计划.csv"), sheet(paid, "还款明细.csv"))
    desk.commit(desk.stage(*files)["batch_id"])
    columns, rows = exported(desk, "/loans/export/dues/")
    assert [column for column in columns if column in DUE_COLUMNS] == DUE_COLUMNS
    assert [(row["应还日"], row["应还本"], row.get("实还"), row.get("实还日"), row.get("方式")) for row in rows] == [
        ("2025-10-02", "4000", "4000", "2025-10-02", "存量转入"),
        ("2025-11-02", "4000", "0", "", ""),
        ("2025-12-02", "4000", "0", "", ""),
    ]
    assert not any(row.get(column) for row in rows for column in ("提醒日期", "还款资金"))
    post_repayment(actor=SYSTEM, key=fresh_key(), loan_id=Loan.objects.get().pk, amount_fen=100_000, on=desk.on)
    later = exported(desk, "/loans/export/dues/")[1][1]
    assert (later["实还"], later["尚欠"], later["方式"], later["状态"]) == ("1000", "3000", "", "逾期")
    given = {"loan_id": Loan.objects.get().pk, "amount_fen": 300_000, "on": desk.on, "channel": "DEBIT"}
    post_repayment(actor=SYSTEM, key=fresh_key(), **given)
    assert exported(desk, "/loans/export/dues/")[1][1]["方式"] == "柜面、代扣"


def test_the_register_comes_back_as_the_same_loans(desk: Desk) -> None:
    imported(desk)
    before = {loan.number: loan for loan in Loan.objects.select_related("state")}
    _, rows = exported(desk, "/loans/export/")
    for nth, row in enumerate(rows, start=1):
        # Sent back as another portfolio: new numbers, and the ID numbers that the export masks.
        row |= {"借据号": f"NEW{nth:04d}", "证件号": id_number(nth)}
    staged = desk.stage(sheet(rows, "贷款台账.csv"))
    assert (staged["ready"], staged["errors"], staged["unknown_columns"]) == (2, 0, 0)
    assert ImportBatch.objects.latest("pk").files[0]["problems"] == []
    done = desk.commit(staged["batch_id"])
    assert (done["imported"], done["differences_open"]) == (2, 0)
    for nth in (1, 2):
        old = before[f"OLD{nth:04d}"]
        new = Loan.objects.select_related("state").get(number=f"NEW{nth:04d}")
        for name in (
            "principal_fen",
            "rate_ppm",
            "method",
            "starts_on",
            "matures_on",
            "purpose",
            "guarantee",
            "guarantor",
            "party_id",
        ):
            assert getattr(new, name) == getattr(old, name), name
        for name in ("principal_fen", "overdue_principal_fen", "interest_due_fen", "loan_class", "accrual"):
            assert getattr(new.state, name) == getattr(old.state, name), name
        assert new.state.base.get("OFF_INTEREST") == old.state.base.get("OFF_INTEREST")
