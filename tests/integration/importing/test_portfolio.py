"""存量转入：自家台账送进来，一笔一笔开账；坏的每一种都指得出哪一行、哪一栏、怎么改。"""

from __future__ import annotations

import io
from datetime import date

import pytest
from django.db import transaction

from sancha.apps.ledger import queries as ledger
from sancha.apps.ledger.models import Line
from sancha.apps.parties.models import Party
from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.models import ImportRow, Loan, LoanFact, LoanState, Movement
from sancha.dayclose import engine, invariants
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.numbering import next_number
from sancha.kit.spreadsheets import Column, write_table
from tests.integration.importing.conftest import Desk, id_number, problems_of, register_row, sheet
from tests.support.factories_access import fresh_key


def red(desk: Desk, *, everything: bool = True) -> list[str]:
    """不变式里红的。"""
    return [
        problem
        for finding in invariants.check(group_id=desk.group_id, everything=everything)
        for problem in finding.problems
    ]


def test_balances_open_the_books_at_the_cut_over(desk: Desk) -> None:
    staged = desk.stage(
        sheet([register_row(1), register_row(2, 余额="12000", 放款日="2026-02-10", 到期日="2027-02-10")])
    )
    assert (staged["ready"], staged["errors"], staged["doubts"]) == (2, 0, 0)
    assert Loan.objects.count() == 0
    assert Party.objects.filter(name__startswith="赵春").count() == 0, "预检不留客户"

    done = desk.commit(staged["batch_id"])

    assert (done["status"], done["imported"], done["differences_open"]) == ("DONE", 2, 0)
    loan = Loan.objects.select_related("state", "party").get(external_ref="sancha:OLD0001")
    assert (loan.party.name, loan.party.id_number) == ("赵春二", id_number(1))
    assert (loan.number, loan.contract_number) == ("OLD0001", "旧合同1"), "借据号照用，合同上写着它"
    assert (loan.principal_fen, loan.status) == (1_200_000, "ACTIVE")
    assert loan.state.base["PRINCIPAL"] == 619_942
    assert loan.state.base["OPENING_EQUITY"] == -619_942, "过了整 6 期，没有在途的利息"
    young = Loan.objects.select_related("state").get(external_ref="sancha:OLD0002")
    # 2026-02-10 to 2026-03-02: 20 days at 1/360.
    assert young.state.base["INTEREST_RECEIVABLE"] == round(1_200_000 * 0.144 * 20 / 360)
    assert red(desk) == []
    for _ in range(3):
        engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert red(desk) == []


def test_arrears_come_in_as_unpaid_installments_off_balance_beyond_ninety_days(desk: Desk) -> None:
    staged = desk.stage(
        sheet(
            [
                register_row(1, 逾期天数="28", 逾期本金="900", 欠息="80.50", 五级分类="关注", 余额="7,000"),
                register_row(2, 逾期天数="120", 逾期本金="3000", 表外息="412.34", 五级分类="次级", 余额="7,000"),
            ]
        )
    )
    done = desk.commit(staged["batch_id"])

    assert (done["status"], done["differences_open"]) == ("DONE", 0), "逾期本金、欠息、天数、分类都与文件相符"
    late, worse = (row.state for row in Loan.objects.select_related("state").order_by("pk"))
    assert (late.overdue_principal_fen, late.interest_due_fen, late.loan_class, late.accrual) == (90_000, 8_050, 2, 1)
    assert (worse.loan_class, worse.accrual) == (3, 0)
    assert worse.base["OFF_INTEREST"] == 41_234
    assert "INTEREST_INCOME" not in worse.base, "表外进来的利息不冲收入"
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert red(desk) == []


def history(**changes: object) -> tuple[SourceFile, SourceFile, SourceFile]:
    plan = [
        {"借据号": "OLD0001", "期次": no, "应还日": f"2025-{9 + no}-02", "应还本": "4000", "应还息": "50.00"}
        for no in (1, 2, 3)
    ]
    paid = [
        {"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "4050", "流水号": "A1"},
        {"借据号": "OLD0001", "还款日": "2025-11-05", "金额": "4050", "流水号": "A2"},
    ]
    loan = (
        register_row(1, 余额="4000", 期限="3", 到期日="2025-12-02", 五级分类="", 逾期天数="", 逾期本金="", 欠息="")
        | changes
    )
    return sheet([loan], "贷款台账.csv"), sheet(plan, "还款计划.csv"), sheet(paid, "还款明细.csv")


def test_history_is_replayed_with_the_schedule_as_it_is(desk: Desk) -> None:
    staged = desk.stage(*history())
    assert staged["rows"] == {"loan": 1, "installment": 3, "payment": 2}

    done = desk.commit(staged["batch_id"])

    loan = Loan.objects.select_related("state").get()
    assert done["status"] == "DONE"
    kinds = list(LoanFact.objects.filter(loan=loan).order_by("seq").values_list("kind", "value_on", "booked_on"))
    assert [kind for kind, _, _ in kinds] == ["PLAN_GIVEN", "DISBURSEMENT", "REPAYMENT", "REPAYMENT"]
    assert {booked for _, _, booked in kinds} == {desk.on}
    assert kinds[-1][1] == date(2025, 11, 5)
    # Three days late with the second instalment: the penalty of those days was taken first, so a little principal is left there.
    assert loan.state.principal_fen > 400_000
    (row,) = queries.differences(actor=desk.actor, batch_id=staged["batch_id"]).rows
    assert [item["component"] for item in row["differences"]] == ["principal"]
    assert done["differences_open"] == 1, "差异摆在那里，直到处理"
    assert red(desk) == []
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert red(desk) == []


def test_imported_money_and_income_of_the_past_do_not_touch_cash_or_this_year(desk: Desk) -> None:
    done = desk.commit(desk.stage(*history())["batch_id"])
    assert done["status"] == "DONE"
    balances = ledger.position_totals(desk.on, ledger.EVERYWHERE)
    by_code = {code: amount for (*_, code), amount in balances.items() if amount}
    assert by_code["CASH"] == 810_000 - 1_200_000, "头寸照记，借据与账簿才对得上"
    voucher_lines = Line.objects.filter(position_code__in=("CASH", "INTEREST_INCOME")).values_list(
        "account__role", "account__category"
    )
    assert {category for _, category in voucher_lines} == {"EQUITY"}, "科目落在期初转入，不动银行存款，不算今年收入"


def test_the_same_file_twice_is_recognized(desk: Desk) -> None:
    file = sheet([register_row(1)])
    first = desk.stage(file)
    again = desk.stage(file)
    assert (again["existing"], again["batch_id"]) == (True, first["batch_id"])
    other = desk.stage(file, cutover_on=date(2026, 3, 1))
    assert other["batch_id"] != first["batch_id"], "只预检过的，换了选择就重来"
    with pytest.raises(Conflict) as refused:
        desk.approve(first["batch_id"])
    assert refused.value.code == "TASK_CLOSED", "作废的批次，复核任务也撤了"
    desk.commit(other["batch_id"])
    later = desk.stage(SourceFile("改了名.csv", file.content))
    assert (later["existing"], later["batch_id"], later["status"]) == (True, other["batch_id"], "DONE")
    assert desk.commit(other["batch_id"])["status"] == "DONE"
    assert Loan.objects.count() == 1


def test_own_numbering_goes_on_after_numbers_that_came_in(desk: Desk) -> None:
    rows = [register_row(1, 借据号="JKS12025000007"), register_row(2, 借据号="JKS12025000003")]
    desk.commit(desk.stage(sheet(rows))["batch_id"])
    with transaction.atomic():
        assert next_number("loan:S1:2025") == 8


def test_loans_already_in_the_book_are_left_out(desk: Desk) -> None:
    desk.commit(desk.stage(sheet([register_row(1)]))["batch_id"])
    staged = desk.stage(sheet([register_row(1, 用途="改了一个字"), register_row(2)]))
    assert problems_of(staged["batch_id"], desk.actor) == [(2, "SKIP", "ALREADY_IN_BOOK")]
    done = desk.commit(staged["batch_id"])
    assert (done["imported"], Loan.objects.count()) == (1, 2)


BAD_ROWS = {
    "DATE_WRONG": {"放款日": "2025-02-30"},
    "MONEY_WRONG": {"金额": "一万二"},
    "AMOUNT_NEGATIVE": {"金额": "-12000"},
    "AMOUNT_ABSURD": {"金额": "99,999,999,999"},
    "RATE_WRONG": {"利率": "很低"},
    "RATE_ABSURD": {"利率": "1440.5"},
    "CODE_UNKNOWN": {"还款方式": "随便还"},
    "REQUIRED_MISSING": {"姓名": ""},
    "INSTITUTION_UNKNOWN": {"机构": "Z9"},
    "PRODUCT_UNKNOWN": {"产品": "没有的产品"},
    "CUSTOMER_WRONG": {"证件号": "510822198001010019"},
    "START_IN_FUTURE": {"放款日": "2026-05-01", "到期日": "2027-05-01"},
    "MATURITY_BEFORE_START": {"到期日": "2025-08-01"},
    "TERM_MISSING": {"到期日": "", "期限": ""},
    "BALANCE_ABOVE_AMOUNT": {"余额": "20000"},
    "OVERDUE_ABOVE_BALANCE": {"逾期本金": "7000", "逾期天数": "9"},
    "OVERDUE_DAYS_MISSING": {"逾期本金": "100", "逾期天数": ""},
    "INTEGER_WRONG": {"期限": "十二"},
    "REF_TOO_LONG": {"借据号": "9" * 41},
}


@pytest.mark.parametrize("code", BAD_ROWS)
def test_each_kind_of_bad_loan_row_is_named_and_stops_the_batch(desk: Desk, code: str) -> None:
    staged = desk.stage(sheet([register_row(1), register_row(2, **BAD_ROWS[code])]))

    assert (3, "ERROR", code) in problems_of(staged["batch_id"], desk.actor)
    assert (staged["errors"], staged["ready"]) == (1, 1)
    row = queries.batch_problems(actor=desk.actor, batch_id=staged["batch_id"], code=code).rows[0]
    assert all(problem["message"] and problem["fix"] for problem in row["problems"])
    with pytest.raises(Conflict) as refused:
        desk.commit(staged["batch_id"])
    assert refused.value.code == "BATCH_HAS_ERRORS"
    assert (Loan.objects.count(), Movement.objects.count()) == (0, 0)


def test_only_the_good_loans_when_chosen(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1), register_row(2, 金额="0")]))
    done = desk.commit(staged["batch_id"], only_good=True)
    assert (done["status"], done["imported"]) == ("DONE", 1)
    assert list(Loan.objects.values_list("external_ref", flat=True)) == ["sancha:OLD0001"]
    assert ImportRow.objects.get(number=3).status == "ERROR"


DOUBTS = {
    "OFFICER_UNKNOWN": {"信贷员": "查无此人"},
    "MATURED_NOT_OVERDUE": {"到期日": "2026-01-02", "期限": "4"},
    "INSTALLMENT_DIFFERS": {"每期还款额": "1000"},
    "RATE_ABSURD": {"利率": "0.144"},
}


@pytest.mark.parametrize("code", DOUBTS)
def test_a_doubt_must_be_accepted(desk: Desk, code: str) -> None:
    staged = desk.stage(sheet([register_row(1, **DOUBTS[code])]))
    assert (2, "DOUBT", code) in problems_of(staged["batch_id"], desk.actor)
    with pytest.raises(Conflict) as refused:
        desk.commit(staged["batch_id"], accept_doubts=False)
    assert refused.value.code == "BATCH_HAS_DOUBTS"
    assert desk.commit(staged["batch_id"])["imported"] == 1


def test_bad_schedule_and_payment_rows(desk: Desk) -> None:
    loan, plan, _ = history()
    short = sheet(
        [
            {"借据号": "OLD0001", "应还日": "2025-10-02", "应还本": "4000"},
            {"借据号": "OLD0001", "应还日": "2025-11-02", "应还本": "4000"},
        ],
        "还款计划.csv",
    )
    early = sheet([{"借据号": "OLD0001", "应还日": "2025-09-02", "应还本": "12000"}], "还款计划.csv")
    payments = sheet(
        [
            {"借据号": "OLD0001", "还款日": "2025-08-20", "金额": "100", "流水号": "B1"},
            {"借据号": "OLD0001", "还款日": "2027-01-01", "金额": "100", "流水号": "B2"},
            {"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "100", "流水号": "B1"},
            {"借据号": "OLD9999", "还款日": "2025-10-02", "金额": "100", "流水号": "B4"},
            {"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "0", "流水号": "B5"},
            {"借据号": "OLD0001", "还款日": "2025-10-03", "金额": "7", "流水号": ""},
            {"借据号": "OLD0001", "还款日": "2025-10-03", "金额": "7", "流水号": ""},
        ],
        "还款明细.csv",
    )
    assert problems_of(desk.stage(loan, short, basis="HISTORY")["batch_id"], desk.actor) == [
        (3, "ERROR", "SCHEDULE_SUM")
    ]
    assert problems_of(desk.stage(loan, early, basis="HISTORY")["batch_id"], desk.actor) == [
        (2, "ERROR", "DUE_BEFORE_START")
    ]
    assert problems_of(desk.stage(loan, plan, payments)["batch_id"], desk.actor) == [
        (2, "DOUBT", "PAYMENT_BEFORE_START"),
        (3, "ERROR", "PAYMENT_IN_FUTURE"),
        (4, "ERROR", "DUPLICATE_PAYMENT"),
        (5, "ERROR", "LOAN_UNKNOWN"),
        (6, "ERROR", "AMOUNT_ABSURD"),
        (8, "DOUBT", "DUPLICATE_PAYMENT"),
    ]


def test_money_before_the_loan_and_above_the_debt_is_kept_as_overpayment(desk: Desk) -> None:
    loan, plan, _ = history()
    paid = sheet(
        [
            {"借据号": "OLD0001", "还款日": "2025-08-20", "金额": "100"},
            {"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "20000"},
        ],
        "还款明细.csv",
    )
    staged = desk.stage(loan, plan, paid)
    assert problems_of(staged["batch_id"], desk.actor) == [
        (2, "DOUBT", "PAYMENT_BEFORE_START"),
        (3, "DOUBT", "ABOVE_DEBT"),
    ]
    desk.commit(staged["batch_id"])
    row = Loan.objects.select_related("state").get()
    assert (row.status, row.state.overpayment_fen) == ("SETTLED", 2_010_000 - 1_215_000)
    first = LoanFact.objects.filter(loan=row, kind="REPAYMENT").order_by("seq")[0]
    assert (first.value_on, first.data["paid_on"]) == (date(2025, 9, 2), "2025-08-20")


def test_duplicates_inside_the_file(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1), register_row(1), register_row(2, 证件号=id_number(1))]))
    assert problems_of(staged["batch_id"], desk.actor) == [
        (3, "ERROR", "DUPLICATE_IN_FILE"),
        (4, "ERROR", "CUSTOMER_WRONG"),
    ]


def test_one_person_with_two_loans_is_one_customer(desk: Desk) -> None:
    twin = register_row(2, 姓名=register_row(1)["姓名"], 证件号=id_number(1))
    desk.commit(desk.stage(sheet([register_row(1), twin]))["batch_id"])
    assert Loan.objects.values("party_id").distinct().count() == 1


def test_customers_must_exist_when_chosen(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1)]), create_customers=False)
    assert problems_of(staged["batch_id"], desk.actor) == [(2, "ERROR", "CUSTOMER_UNKNOWN")]


def test_unknown_and_missing_columns(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1, 天气="晴")]))
    assert staged["unknown_columns"] == 1
    (line,) = queries.problem_lines(actor=desk.actor, batch_id=staged["batch_id"])
    assert (line["rule"], line["field"], line["row"]) == ("不认识的列", "天气", 1)
    row = register_row(1)
    del row["放款日"]
    with pytest.raises(DomainError) as refused:
        desk.stage(sheet([row], role="loan"))
    assert (refused.value.code, refused.value.value) == ("COLUMN_MISSING", "放款日")


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"\x1f\x8b\x08broken", b"<html></html>", "一行字".encode()])
def test_what_is_not_a_table_is_refused(desk: Desk, content: bytes) -> None:
    with pytest.raises(DomainError) as refused:
        desk.stage(SourceFile("坏.xlsx", content))
    assert refused.value.fix


def test_an_excel_register_with_title_and_totals(desk: Desk) -> None:
    row = register_row(1)
    stream = io.BytesIO()
    write_table(
        stream,
        columns=[Column(title, title) for title in row],
        rows=[row],
        totals={"金额": "12,000.00"},
        title="贷款台账",
        notes=["机构：柳溪支行"],
    )
    staged = desk.stage(SourceFile("贷款台账.xlsx", stream.getvalue()))
    assert (staged["ready"], staged["rows"]) == (1, {"loan": 1})


def test_wrong_choices_are_refused(desk: Desk) -> None:
    file = sheet([register_row(1)])
    for wrong, code in (
        ({"currency": "人民币"}, "CURRENCY_WRONG"), ({"cutover_on": date(2026, 4, 1)}, "CUTOVER_IN_FUTURE"), ({"basis": "SOME"}, "BASIS_UNKNOWN"),
        ({"layout": "unknown"}, "LAYOUT_NOT_FOUND"), ({"shift_months": 700}, "SHIFT_TOO_FAR"),
    ):  # fmt: skip
        with pytest.raises(DomainError) as refused:
            desk.stage(file, **wrong)
        assert refused.value.code == code


def test_currency_is_part_of_the_key(desk: Desk) -> None:
    desk.commit(desk.stage(sheet([register_row(1)]), currency="USD")["batch_id"])
    state = LoanState.objects.select_related("loan").get()
    assert (state.currency, state.loan.terms["currency"]) == ("USD", "USD")
    assert {place[4] for place in ledger.position_totals(desk.on, ledger.EVERYWHERE)} == {"USD"}
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert red(desk) == []


def test_scope_and_permission(desk: Desk) -> None:
    from sancha.apps.servicing.operations import importing

    officer = desk.lending.county.actor("LOAN_OFFICER")
    with pytest.raises(NotPermitted):
        importing.stage_import(
            actor=officer,
            key=fresh_key(),
            on=desk.on,
            files=[sheet([register_row(1)])],
            layout="sancha",
            institution_id=desk.lending.county.ids["S1"],
        )
    staged = desk.stage(sheet([register_row(1)]))
    outside = desk.lending.county.actor("GC_HANDLER")
    with pytest.raises(NotFound):
        queries.batch_detail(actor=outside, batch_id=staged["batch_id"])
    with pytest.raises(NotFound):
        importing.cancel_import(actor=outside, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])
    importing.cancel_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])
    assert "****" in ImportRow.objects.get().cells["id_number"], "了结的批次不留证件号"
    assert queries.list_batches(actor=desk.actor).rows[0].status == "CANCELLED"
