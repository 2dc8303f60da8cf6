"""批量还款：逐行入账，一行不成不碍别的行；同一文件再送不重；重复的报得出来。"""

from __future__ import annotations

from typing import Any

import pytest

from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.models import ImportBatch, ImportRow, Loan, LoanFact
from sancha.apps.servicing.operations import importing
from sancha.dayclose import invariants
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotPermitted
from tests.integration.importing.conftest import Desk, register_row, sheet
from tests.support.factories_access import fresh_key


@pytest.fixture
def clerk(desk: Desk) -> Actor:
    """两笔存续的借据（JK…）在账，柜面人员来入账。"""
    desk.commit(
        desk.stage(
            sheet([register_row(1, 逾期天数="28", 逾期本金="900"), register_row(2, 逾期天数="28", 逾期本金="900")])
        )["batch_id"]
    )
    return desk.lending.county.actor("CASHIER")


def post(desk: Desk, clerk: Actor, file: SourceFile, **options: Any) -> dict[str, Any]:
    given = {
        "actor": clerk,
        "key": fresh_key(),
        "on": desk.on,
        "file": file,
        "institution_id": desk.lending.county.ids["S1"],
    }
    return importing.post_repayments_file(**(given | options))


def results(done: dict[str, Any]) -> list[tuple[int, str, list[str]]]:
    return [(row["row"], row["status"], [problem["code"] for problem in row["problems"]]) for row in done["rows"]]


def number(nth: int) -> str:
    return Loan.objects.get(external_ref=f"sancha:OLD{nth:04d}").number


def test_each_row_has_its_result(desk: Desk, clerk: Actor) -> None:
    file = sheet(
        [
            {"借据号": number(1), "金额": "500.00", "还款日": "2026-03-02", "流水号": "S1", "付款人": "赵春二"},
            {"借据号": "JK不存在", "金额": "500.00", "流水号": "S2"},
            {"借据号": "OLD0002", "金额": "99,999.00", "流水号": "S3"},
            {"借据号": number(2), "金额": "300", "流水号": "S1"},
            {"借据号": number(2), "金额": "-5", "流水号": "S4"},
            {"借据号": "OLD0002", "金额": "400", "流水号": "S5"},
            {"借据号": number(2), "金额": "400", "还款日": "2026-12-02", "流水号": "S6"},
        ]
    )
    done = post(desk, clerk, file)
    assert results(done) == [
        (2, "IMPORTED", []),
        (3, "ERROR", ["LOAN_UNKNOWN"]),
        (4, "FAILED", ["ABOVE_DEBT", "NOT_POSTED"]),
        (5, "ERROR", ["DUPLICATE_PAYMENT"]),
        (6, "ERROR", ["AMOUNT_NEGATIVE"]),
        (7, "IMPORTED", []),
        (8, "FAILED", ["PAYMENT_IN_FUTURE", "NOT_POSTED"]),
    ]
    assert "超过" in done["rows"][2]["problems"][1]["message"]
    assert (done["status"], done["counts"]) == ("INCOMPLETE", {"IMPORTED": 2, "ERROR": 3, "FAILED": 2})
    assert list(
        LoanFact.objects.filter(kind="REPAYMENT").order_by("amount_fen").values_list("amount_fen", flat=True)
    ) == [40_000, 50_000]

    again = post(desk, clerk, file, allow_overpayment=True)
    assert again["existing"]
    assert results(again)[2][:2] == (4, "IMPORTED"), "没成的再试一次：这回允许溢缴"
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == 3, "入过的不重"
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_a_serial_posted_by_another_file_is_left_out(desk: Desk, clerk: Actor) -> None:
    post(desk, clerk, sheet([{"借据号": number(1), "金额": "500", "流水号": "S1"}]))
    done = post(
        desk,
        clerk,
        sheet(
            [{"借据号": number(1), "金额": "500", "流水号": "S1"}, {"借据号": number(1), "金额": "20", "流水号": "S2"}]
        ),
    )
    assert results(done) == [(2, "SKIPPED", ["DUPLICATE_PAYMENT"]), (3, "IMPORTED", [])]
    assert done["status"] == "DONE"


def test_a_serial_in_two_files_checked_before_either_was_posted_goes_in_once(desk: Desk, clerk: Actor) -> None:
    rows = (
        [{"借据号": number(1), "金额": "500", "流水号": "S1"}],
        [{"借据号": number(1), "金额": "500", "流水号": "S1", "付款人": "补"}],
    )
    staged = [
        importing.stage_repayments(
            actor=clerk, key=fresh_key(), on=desk.on, file=sheet(part), institution_id=desk.lending.county.ids["S1"]
        )
        for part in rows
    ]
    for batch in staged:
        importing.begin_repayments(
            actor=clerk, key=fresh_key(), on=desk.on, batch_id=batch["batch_id"], in_background=False
        )
        importing.run_import(actor=clerk, on=desk.on, batch_id=batch["batch_id"])
    last = ImportRow.objects.get(batch_id=staged[1]["batch_id"])
    assert (last.status, [problem["code"] for problem in last.problems]) == ("SKIPPED", ["DUPLICATE_PAYMENT"])
    assert ImportBatch.objects.get(pk=staged[1]["batch_id"]).status == "DONE"
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == 1


def test_same_amount_same_day_without_serial_is_doubled(desk: Desk, clerk: Actor) -> None:
    row = {"借据号": number(1), "金额": "50", "还款日": "2026-03-02"}
    assert results(post(desk, clerk, sheet([row, row]))) == [(2, "IMPORTED", []), (3, "ERROR", ["DUPLICATE_PAYMENT"])]


def test_stop_on_error_posts_nothing(desk: Desk, clerk: Actor) -> None:
    file = sheet([{"借据号": number(1), "金额": "500"}, {"借据号": "没有", "金额": "500"}])
    with pytest.raises(Conflict) as refused:
        post(desk, clerk, file, stop_on_error=True)
    assert refused.value.code == "FILE_HAS_ERRORS"
    assert "第 3 行" in refused.value.message
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == ImportRow.objects.filter(role="payment").count() == 0


def stage(desk: Desk, clerk: Actor, file: SourceFile) -> dict[str, Any]:
    return importing.stage_repayments(
        actor=clerk, key=fresh_key(), on=desk.on, file=file, institution_id=desk.lending.county.ids["S1"]
    )


def test_the_dry_run_posts_nothing_and_says_what_will_not_go(desk: Desk, clerk: Actor) -> None:
    rows = [
        {"借据号": number(1), "金额": "500", "流水号": "D1"},
        {"借据号": number(1), "金额": "8000", "流水号": "D2"},
        {"借据号": number(2), "金额": "10", "还款日": "2026-12-02", "流水号": "D3"},
        {"借据号": "没有", "金额": "10", "流水号": "D4"},
    ]
    staged = stage(desk, clerk, sheet(rows))
    assert (staged["status"], staged["ready"], staged["errors"], staged["doubts"]) == ("STAGED", 3, 1, 2)
    assert not LoanFact.objects.filter(kind="REPAYMENT").exists()
    found = queries.batch_problems(actor=clerk, batch_id=staged["batch_id"]).rows
    told = [
        (row["row"], problem["field"], problem["value"], problem["rule"])
        for row in found
        for problem in row["problems"]
    ]
    assert told == [
        (3, "金额", "8000", "超过应还"),
        (4, "还款日", "2026-12-02", "还款日在未来"),
        (5, "借据号", "没有", "没有这笔借据"),
    ]
    assert all(problem["fix"] for row in found for problem in row["problems"])

    again = stage(desk, clerk, sheet(rows))
    assert again["batch_id"] != staged["batch_id"], "只预检过的，再送就重来"
    importing.begin_repayments(actor=clerk, key=fresh_key(), on=desk.on, batch_id=again["batch_id"])
    importing.run_import(actor=clerk, on=desk.on, batch_id=again["batch_id"])
    assert LoanFact.objects.filter(kind="REPAYMENT").count() == 1
    assert stage(desk, clerk, sheet(rows))["existing"], "入过账的，再送就是那一批"
    importing.begin_repayments(
        actor=clerk, key=fresh_key(), on=desk.on, batch_id=again["batch_id"], allow_overpayment=True
    )
    importing.run_import(actor=clerk, on=desk.on, batch_id=again["batch_id"])
    assert sorted(LoanFact.objects.filter(kind="REPAYMENT").values_list("amount_fen", flat=True)) == [50_000, 800_000]


def test_stop_on_error_after_the_dry_run(desk: Desk, clerk: Actor) -> None:
    staged = stage(desk, clerk, sheet([{"借据号": number(1), "金额": "500"}, {"借据号": "没有", "金额": "500"}]))
    with pytest.raises(Conflict) as refused:
        importing.begin_repayments(
            actor=clerk, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"], stop_on_error=True
        )
    assert refused.value.code == "FILE_HAS_ERRORS"
    assert ImportBatch.objects.get(pk=staged["batch_id"]).status == "STAGED"
    with pytest.raises(Conflict):
        importing.run_import(actor=clerk, on=desk.on, batch_id=staged["batch_id"])


def test_permission(desk: Desk, clerk: Actor) -> None:
    with pytest.raises(NotPermitted):
        post(desk, desk.lending.county.actor("LOAN_OFFICER"), sheet([{"借据号": number(1), "金额": "500"}]))
