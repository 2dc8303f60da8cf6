"""两人办理：送件开出复核任务，报告是证据；同意才转入，退回留着；送件的人自己办不了。"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.models import ImportBatch, Loan
from sancha.apps.servicing.operations import importing
from sancha.apps.work.models import Task
from sancha.apps.work.operations import evidence_path
from sancha.apps.work.queries import my_tasks, task_detail
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, NotFound, NotPermitted
from sancha.kit.models import AuditEvent
from sancha.kit.spreadsheets import read_table
from tests.integration.importing.conftest import Desk, register_row, sheet
from tests.support.at_once import at_once
from tests.support.factories_access import fresh_key


def test_staging_raises_a_check_whose_evidence_is_the_report(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1), register_row(2, 金额="-5")]))
    (row,) = my_tasks(desk.second, on=desk.on).rows
    assert (row.id, row.kind, row.clause) == (staged["task_id"], "IMPORT_CHECK", "ORG-3")
    assert row.facts["可转入（笔）"] == 1
    assert row.facts["有错误（笔）"] == 1
    assert row.facts["余额_fen"] == 619_942
    assert "金额为负" in row.facts["主要毛病"]
    detail = task_detail(desk.second, row.id, on=desk.on)
    assert detail.may_act
    (evidence,) = detail.evidence
    table = read_table(evidence_path(evidence.sha256).read_bytes())
    (line,) = table.rows
    assert (line.cells["行号"], line.cells["值"], line.cells["规则"]) == ("3", "-5", "金额为负")


def test_the_one_who_staged_cannot_agree_whatever_post_he_holds(desk: Desk) -> None:
    batch_id = desk.stage(sheet([register_row(1)]))["batch_id"]
    turncoat = replace(desk.second, person_id=desk.actor.person_id)
    with pytest.raises(NotPermitted) as refused:
        desk.approve(batch_id, actor=turncoat)
    assert (refused.value.code, refused.value.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "转入的送件与同意须两人办理" in refused.value.message
    with pytest.raises(NotPermitted):
        desk.approve(batch_id, actor=desk.actor)
    with pytest.raises(Conflict) as unapproved:
        desk.run(batch_id)
    assert unapproved.value.code == "IMPORT_NOT_APPROVED"
    with pytest.raises(NotPermitted):
        importing.install_import(
            actor=desk.second, key=fresh_key(), on=desk.on, batch_id=batch_id, os_user="root", accept_doubts=True
        )
    assert Loan.objects.count() == 0
    done = desk.commit(batch_id)
    loan = Loan.objects.get()
    assert (done["status"], loan.booked_by_id, loan.authorized_by_id) == (
        "DONE",
        desk.actor.person_id,
        desk.second.person_id,
    )


def test_sent_back_keeps_the_staging_and_a_recheck_asks_again(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1)]))
    desk.submit(staged["task_id"], "RETURNED", opinion="切换日不对")
    detail = queries.batch_detail(actor=desk.actor, batch_id=staged["batch_id"])
    assert (detail.row.status, detail.returned, Loan.objects.count()) == ("STAGED", "切换日不对", 0)
    again = importing.recheck_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])
    assert again["task_id"] != staged["task_id"]
    assert queries.batch_detail(actor=desk.actor, batch_id=staged["batch_id"]).returned == ""
    third = importing.recheck_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])
    states = dict(Task.objects.filter(kind="IMPORT_CHECK").values_list("pk", "state"))
    assert states == {staged["task_id"]: "done", again["task_id"]: "cancelled", third["task_id"]: "open"}
    assert desk.commit(staged["batch_id"])["imported"] == 1


def test_giving_up_takes_the_check_off_the_desk(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1)]))
    importing.cancel_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])
    assert Task.objects.get(pk=staged["task_id"]).state == "cancelled"


def test_a_file_with_nothing_to_import_asks_nobody(desk: Desk) -> None:
    staged = desk.stage(sheet([register_row(1, 金额="-5")]))
    assert staged["task_id"] is None
    assert not Task.objects.filter(kind="IMPORT_CHECK").exists()


def test_the_check_belongs_where_all_its_institutions_are_covered(desk: Desk) -> None:
    """一批落到两家支行的，归它们的上级：一家支行的主管管不到另一家。"""
    staged = desk.stage(sheet([register_row(1), register_row(2, 机构="S9")]))
    task = Task.objects.get(pk=staged["task_id"])
    assert task.institution_id == desk.lending.county.ids["B2"]
    with pytest.raises(NotFound):
        desk.approve(staged["batch_id"])
    above = desk.lending.county.actor("ACCOUNTING_SUPERVISOR", at="B2")
    desk.approve(staged["batch_id"], actor=above)
    done = importing.run_import(actor=above, on=desk.on, batch_id=staged["batch_id"])
    assert (done["imported"], done["failed"]) == (2, 0)
    assert set(Loan.objects.values_list("institution__code", flat=True)) == {"S1", "S9"}


def test_the_operator_of_an_installation_may_do_both_and_is_on_record(desk: Desk) -> None:
    given = {"layout": "sancha", "institution_id": desk.lending.county.ids["S1"], "product_id": desk.lending.product_id}
    staged = importing.stage_import(
        actor=SYSTEM, key=fresh_key(), on=desk.on, files=[sheet([register_row(1)])], os_user="zhuangji", **given
    )
    done = importing.install_import(
        actor=SYSTEM, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"], os_user="zhuangji"
    )
    assert (done["status"], done["imported"]) == ("DONE", 1)
    decision = task_detail(desk.second, staged["task_id"], on=desk.on).decisions[0]
    assert "操作系统用户 zhuangji" in decision.opinion
    told = AuditEvent.objects.filter(operation__in=("servicing.stage_import", "servicing.check_import"))
    assert all("zhuangji" in str(event.data) for event in told)
    assert told.count() == 2
    assert queries.batch_detail(actor=desk.actor, batch_id=staged["batch_id"]).row.staged_by == "命令行 zhuangji"


def test_resuming_needs_the_authority_and_an_approval(desk: Desk) -> None:
    batch_id = desk.stage(sheet([register_row(1)]))["batch_id"]
    with pytest.raises(Conflict) as early:
        importing.resume_import(actor=desk.second, key=fresh_key(), on=desk.on, batch_id=batch_id)
    assert early.value.code == "IMPORT_NOT_APPROVED"
    desk.approve(batch_id)
    assert ImportBatch.objects.get().status == "COMMITTING"
    with pytest.raises(NotPermitted):
        importing.resume_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=batch_id)
    importing.resume_import(actor=desk.second, key=fresh_key(), on=desk.on, batch_id=batch_id)
    assert desk.run(batch_id)["status"] == "DONE"


@pytest.mark.django_db(transaction=True)
def test_agreeing_while_the_maker_gives_up_does_not_wait_in_a_circle(committed_desk: Desk) -> None:
    """先锁批次、再碰任务，两边一个次序：一边成，另一边被告知，没有死锁。"""
    desk = committed_desk
    staged = desk.stage(sheet([register_row(1)]))

    def give_up() -> dict[str, Any]:
        with transaction.atomic():
            ImportBatch.objects.select_for_update().get(pk=staged["batch_id"])
            time.sleep(0.5)  # the other one is by now as far as it gets
            return importing.cancel_import(actor=desk.actor, key=fresh_key(), on=desk.on, batch_id=staged["batch_id"])

    results = at_once(give_up, lambda: desk.approve(staged["batch_id"]))
    assert sum(isinstance(result, dict) for result in results) == 1, results
    assert not Task.objects.filter(state="open").exists()
