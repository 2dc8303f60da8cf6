"""中途出事：杀掉、一笔坏掉、两个人同时点、营业日变了。接着做，不重不漏；撤得回来。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sancha.apps.ledger import queries as ledger
from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.models import ImportBatch, ImportRow, Loan, LoanFact, LoanState
from sancha.apps.servicing.operations import importing
from sancha.apps.servicing.operations.repayment import post_repayment
from sancha.dayclose import engine, invariants
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from tests.integration.importing.conftest import Desk, register_row, sheet
from tests.support.at_once import at_once
from tests.support.factories_access import fresh_key


class Killed(BaseException):
    """被杀：不是普通异常，什么也拦不住它。"""


def kill_at(monkeypatch: pytest.MonkeyPatch, nth: int, *, after: bool) -> None:
    """第 ``nth`` 批写到一半（``after`` 为真则账已写完、行还没标）时被杀。"""
    write, calls = importing.committing.write_loans, {"n": 0}

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls["n"] += 1
        if calls["n"] != nth:
            return write(*args, **kwargs)
        if after:
            write(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(importing.committing, "write_loans", dying)


@pytest.mark.parametrize("after", [False, True])
def test_killed_in_the_middle_and_continued(committed_desk: Desk, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    desk = committed_desk
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 8)]))["batch_id"]
    with monkeypatch.context() as patch:
        kill_at(patch, 3, after=after)
        with pytest.raises(Killed):
            desk.commit(batch_id, chunk=2)

    assert ImportBatch.objects.get(pk=batch_id).status == "COMMITTING"
    assert Loan.objects.count() == LoanState.objects.count() == 4, "被杀的那一批一行也没有留下"
    assert queries.batch_detail(actor=desk.actor, batch_id=batch_id).progress == (4, 7)
    assert not [p for finding in invariants.check(group_id=desk.group_id) for p in finding.problems], (
        "停在半路，账也是平的"
    )

    done = desk.commit(batch_id, chunk=2)

    assert (done["status"], done["imported"], Loan.objects.count()) == ("DONE", 7, 7)
    assert LoanFact.objects.count() == 7
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_a_day_close_in_between_does_not_stand_in_the_way(
    committed_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = committed_desk
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 5)]))["batch_id"]
    with monkeypatch.context() as patch:
        kill_at(patch, 2, after=True)
        with pytest.raises(Killed):
            desk.commit(batch_id, chunk=2)
    engine.run(actor=SYSTEM, group_id=desk.group_id)

    done = desk.commit(batch_id, chunk=2)

    assert (done["status"], done["differences_open"]) == ("DONE", 0)
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_one_loan_that_fails_keeps_out_only_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 5)]))["batch_id"]
    write = importing.committing.write_loans

    def picky(drafts: Any, **kwargs: Any) -> Any:
        if any(draft.dossier.ref == "OLD0003" for draft in drafts):
            raise RuntimeError("磁盘写不进")
        return write(drafts, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(importing.committing, "write_loans", picky)
        done = desk.commit(batch_id)

    assert (done["status"], done["imported"], done["failed"]) == ("INCOMPLETE", 3, 1)
    row = ImportRow.objects.get(ref="OLD0003")
    assert (row.status, row.problems[-1]["code"]) == ("FAILED", "FAILED")
    assert "磁盘写不进" in row.problems[-1]["message"]
    assert desk.commit(batch_id)["status"] == "DONE"
    assert Loan.objects.count() == 4


def test_committing_needs_the_business_date(desk: Desk) -> None:
    batch_id = desk.stage(sheet([register_row(1)]))["batch_id"]
    stale = desk.on
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    with pytest.raises(Conflict) as refused:
        desk.approve(batch_id, on=stale)
    assert refused.value.code == "NOT_BUSINESS_DATE"
    assert importing.recheck_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=batch_id)["ready"] == 1
    assert desk.commit(batch_id)["status"] == "DONE"


def test_recheck_after_the_missing_thing_was_made(desk: Desk) -> None:
    batch_id = desk.stage(sheet([register_row(1)]), product_id=None)["batch_id"]
    assert queries.batch_detail(actor=desk.actor, batch_id=batch_id).statuses == {"loan": {"ERROR": 1}}
    batch = ImportBatch.objects.get(pk=batch_id)
    batch.options["product_id"] = desk.lending.product_id
    batch.save(update_fields=["options"])
    again = importing.recheck_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=batch_id)
    assert (again["ready"], again["errors"], ImportRow.objects.get().problems) == (1, 0, [])


def ask(desk: Desk, batch_id: int, **options: Any) -> int:
    given = {"actor": desk.actor, "key": fresh_key(), "on": desk.on, "batch_id": batch_id, "reason": "文件送错了"}
    return int(importing.request_import_withdrawal(**(given | options))["task_id"])


def withdraw(desk: Desk, batch_id: int) -> dict[str, Any]:
    desk.submit(ask(desk, batch_id), "APPROVED")
    return desk.run(batch_id)


def test_a_batch_is_withdrawn_without_a_trace_in_the_balances_and_may_come_again(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1, 逾期天数="28", 逾期本金="900"), register_row(2)]))
    desk.commit(staged["batch_id"])
    engine.run(actor=SYSTEM, group_id=desk.group_id)

    done = withdraw(desk, staged["batch_id"])

    assert done["status"] == "WITHDRAWN"
    assert not any(ledger.position_totals(desk.on, ledger.EVERYWHERE).values())
    assert set(Loan.objects.values_list("status", "external_ref")) == {("VOID", "")}
    assert LoanFact.objects.filter(kind="REVERSAL").count() == 2, "事实还在，各有一条冲正"
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]
    again = desk.stage(sheet([register_row(1, 逾期天数="28", 逾期本金="900"), register_row(2)]))
    assert (again["existing"], again["ready"]) == (False, 2)
    assert desk.commit(again["batch_id"])["imported"] == 2
    engine.run(actor=SYSTEM, group_id=desk.group_id)
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_withdrawal_needs_a_second_person_a_reason_and_untouched_loans(desk: Desk) -> None:
    batch_id = desk.stage(sheet([register_row(1)]))["batch_id"]
    with pytest.raises(Conflict) as refused:
        ask(desk, batch_id)
    assert refused.value.code == "BATCH_NOT_DONE"
    desk.commit(batch_id)
    with pytest.raises(DomainError) as refused_again:
        ask(desk, batch_id, reason=" ")
    assert refused_again.value.code == "REASON_MISSING"
    task_id = ask(desk, batch_id)
    assert ask(desk, batch_id) == task_id, "同一次申请只开一条"
    with pytest.raises(NotPermitted) as same:
        desk.submit(task_id, "APPROVED", actor=replace(desk.second, person_id=desk.actor.person_id))
    assert same.value.code == "SEPARATION_OF_DUTIES"
    assert "撤回的申请与同意须两人办理" in same.value.message
    desk.submit(task_id, "RETURNED", opinion="先核对")
    assert ImportBatch.objects.get(pk=batch_id).status == "DONE"
    later = ask(desk, batch_id)
    assert later != task_id
    post_repayment(actor=SYSTEM, key=fresh_key(), loan_id=Loan.objects.get().pk, amount_fen=100)
    for refused_now in (lambda: ask(desk, batch_id), lambda: desk.submit(later, "APPROVED")):
        with pytest.raises(Conflict) as touched:
            refused_now()
        assert touched.value.code == "LOANS_TOUCHED"


def test_withdrawal_killed_and_continued(committed_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = committed_desk
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 4)]))["batch_id"]
    desk.commit(batch_id)
    take, calls = importing.withdrawing._withdraw_loan, {"n": 0}

    def dying(*args: Any, **kwargs: Any) -> None:
        calls["n"] += 1
        if calls["n"] == 3:
            raise Killed
        take(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(importing.withdrawing, "_withdraw_loan", dying)
        with pytest.raises(Killed):
            withdraw(desk, batch_id)
    assert LoanState.objects.count() == 3, "那一批没做完，全部退回"
    assert desk.run(batch_id)["status"] == "WITHDRAWN"
    assert LoanState.objects.count() == 0


def test_a_withdrawal_agreed_to_during_the_last_step_is_not_written_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 4)]))["batch_id"]
    compare = importing.committing.reconcile

    def agreed_meanwhile(number: int, progress: Any) -> int:
        ImportBatch.objects.filter(pk=number).update(status="WITHDRAWING")
        return compare(number, progress)

    with monkeypatch.context() as patch:
        patch.setattr(importing.committing, "reconcile", agreed_meanwhile)
        assert desk.commit(batch_id)["status"] == "WITHDRAWING"
    assert desk.run(batch_id)["status"] == "WITHDRAWN"
    assert LoanState.objects.count() == 0


def test_two_runners_of_one_batch_double_nothing(committed_desk: Desk) -> None:
    desk = committed_desk
    batch_id = desk.stage(sheet([register_row(nth) for nth in range(1, 13)]))["batch_id"]

    desk.approve(batch_id)
    done = at_once(lambda: desk.run(batch_id, chunk=3), lambda: desk.run(batch_id, chunk=3))

    assert {result["status"] for result in done} == {"DONE"}
    assert (Loan.objects.count(), LoanFact.objects.count()) == (12, 12)
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]


def test_two_batches_with_the_same_loan_let_it_in_once(committed_desk: Desk) -> None:
    desk = committed_desk
    first = desk.stage(sheet([register_row(1), register_row(2)]))["batch_id"]
    second = desk.stage(sheet([register_row(2), register_row(3)]))["batch_id"]

    at_once(lambda: desk.commit(first), lambda: desk.commit(second))
    for batch_id in (first, second):
        desk.commit(batch_id)

    assert sorted(Loan.objects.values_list("number", flat=True)) == ["OLD0001", "OLD0002", "OLD0003"]
    assert set(ImportBatch.objects.values_list("status", flat=True)) == {"DONE"}
    assert not [p for finding in invariants.check(group_id=desk.group_id, everything=True) for p in finding.problems]
