"""对账：文件说的余额与重放不符的，一处也不放过；能调的由另一人调，不能调的一直红着。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from sancha.apps.servicing.guards import GUARDS
from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.models import ImportBatch, ImportRow, LoanFact, LoanState
from sancha.apps.servicing.operations import importing
from sancha.dayclose import engine, invariants
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.guards import drop_guards
from tests.integration.importing.conftest import Desk, register_row, sheet
from tests.support.factories_access import fresh_key


@pytest.fixture
def different(desk: Desk) -> tuple[Desk, int, int]:
    """照历史转入一笔：文件说余额 7,900，重放是 8,000；还说逾期 99 天。"""
    loan = register_row(
        1, 余额="7,900", 期限="3", 到期日="2025-12-02", 利率="0", 五级分类="", 逾期天数="99", 逾期本金="", 欠息=""
    )
    plan = [{"借据号": "OLD0001", "应还日": f"2025-{9 + no}-02", "应还本": "4000"} for no in (1, 2, 3)]
    paid = [{"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "4000"}]
    staged = desk.stage(sheet([loan], "贷款台账.csv"), sheet(plan, "还款计划.csv"), sheet(paid, "还款明细.csv"))
    done = desk.commit(staged["batch_id"])
    assert (done["status"], done["differences_open"]) == ("DONE", 2)
    return desk, staged["batch_id"], ImportRow.objects.get(role="loan").pk


def propose(desk: Desk, row_id: int, **options: Any) -> int:
    given = {
        "actor": desk.actor, "key": fresh_key(), "on": desk.on, "row_id": row_id, "component": "principal",
        "reason": "原系统 10 月有一笔 100 元未列入还款文件",
    }  # fmt: skip
    return int(importing.propose_import_adjustment(**(given | options))["task_id"])


def test_a_difference_becomes_an_adjustment_by_a_second_person(different: tuple[Desk, int, int]) -> None:
    desk, batch_id, row_id = different
    (row,) = queries.differences(actor=desk.actor, batch_id=batch_id).rows
    assert {item["component"]: (item["file"], item["book"], item["difference"]) for item in row["differences"]} == {
        "principal": (790_000, 800_000, 10_000),
        "days_past_due": (99, 120, 21),
    }

    task_id = propose(desk, row_id)
    assert not LoanFact.objects.filter(kind="ADJUSTMENT").exists(), "录入还没有动账"
    with pytest.raises(Conflict) as proposed:
        propose(desk, row_id)
    assert proposed.value.code == "DIFFERENCE_PROPOSED"
    turncoat = replace(desk.second, person_id=desk.actor.person_id)
    with pytest.raises(NotPermitted) as same:
        desk.submit(task_id, "APPROVED", actor=turncoat)
    assert (same.value.code, same.value.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "调整的录入与授权须两人办理" in same.value.message
    desk.submit(task_id, "APPROVED")

    fact = LoanFact.objects.order_by("-seq")[0]
    assert (fact.kind, fact.amount_fen, fact.data["direction"]) == ("ADJUSTMENT", 10_000, "DECREASE")
    assert (fact.data["entered_by"], fact.recorded_by_id) == (desk.actor.person_id, desk.second.person_id)
    assert LoanState.objects.get().principal_fen == 790_000
    assert ImportBatch.objects.get().differences_open == 1
    again = importing.reconcile_import(actor=desk.actor, key=fresh_key(), batch_id=batch_id)
    assert again["differences_open"] == 1, "重新对账不会把调过的又算一遍"
    with pytest.raises(Conflict) as twice:
        propose(desk, row_id)
    assert twice.value.code == "DIFFERENCE_SETTLED"
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_an_adjustment_sent_back_leaves_the_difference_red_and_may_come_again(
    different: tuple[Desk, int, int],
) -> None:
    desk, batch_id, row_id = different
    first = propose(desk, row_id)
    desk.submit(first, "RETURNED", opinion="请附原系统流水")
    assert ImportBatch.objects.get().differences_open == 2
    assert not LoanFact.objects.filter(kind="ADJUSTMENT").exists()
    second = propose(desk, row_id, reason="流水已附")
    assert second != first
    importing.reconcile_import(actor=desk.actor, key=fresh_key(), batch_id=batch_id)
    desk.submit(second, "APPROVED")
    assert ImportBatch.objects.get().differences_open == 1


def test_a_difference_of_dates_cannot_be_adjusted_away(different: tuple[Desk, int, int]) -> None:
    desk, _, row_id = different
    with pytest.raises(DomainError) as refused:
        propose(desk, row_id, component="days_past_due")
    assert refused.value.code == "DIFFERENCE_NOT_ADJUSTABLE"
    with pytest.raises(NotFound):
        propose(desk, row_id, component="fee")
    with pytest.raises(DomainError) as silent:
        propose(desk, row_id, reason=" ")
    assert silent.value.code == "REASON_MISSING"


def test_reconciling_reads_the_book_not_the_draft(different: tuple[Desk, int, int]) -> None:
    """对账从库里的事实重放：库里的事实被动过手脚，就看得出来。"""
    desk, batch_id, _ = different
    drop_guards("servicing", GUARDS)(apps, connection.schema_editor())
    LoanFact.objects.filter(kind="REPAYMENT").update(amount_fen=350_000)
    importing.reconcile_import(actor=desk.actor, key=fresh_key(), batch_id=batch_id)
    (row,) = queries.differences(actor=desk.actor, batch_id=batch_id).rows
    assert next(item for item in row["differences"] if item["component"] == "principal")["book"] == 850_000
