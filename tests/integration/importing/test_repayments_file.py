"""批量还款：逐行入账，一行不成不碍别的行；同一文件再送不重；重复的报得出来。"""

from __future__ import annotations

from typing import Any

import pytest

from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.models import ImportRow, Loan, LoanFact
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
        (4, "FAILED", ["NOT_POSTED"]),
        (5, "ERROR", ["DUPLICATE_PAYMENT"]),
        (6, "ERROR", ["AMOUNT_NEGATIVE"]),
        (7, "IMPORTED", []),
        (8, "FAILED", ["NOT_POSTED"]),
    ]
    assert "超过" in done["rows"][2]["problems"][0]["message"]
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


def test_permission(desk: Desk, clerk: Actor) -> None:
    with pytest.raises(NotPermitted):
        post(desk, desk.lending.county.actor("LOAN_OFFICER"), sheet([{"借据号": number(1), "金额": "500"}]))
