"""把同意了的批次做完：后台进程与命令行走的是同一条路。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.servicing.importing.staging import Progress, quiet
from sancha.apps.servicing.models import BatchStatus
from sancha.apps.servicing.operations.importing.batches import PORTFOLIO, batch_of, report_of
from sancha.apps.servicing.operations.importing.checks import AUTHORIZE, review_of
from sancha.apps.servicing.operations.importing.committing import CHUNK, commit_batch
from sancha.apps.servicing.operations.importing.repayments import post_batch
from sancha.apps.servicing.operations.importing.reviewing import check_import, resume_import
from sancha.apps.servicing.operations.importing.withdrawing import withdraw_batch
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotPermitted


def run_import(
    *, actor: Actor, on: date, batch_id: int, progress: Progress = quiet, chunk: int = CHUNK
) -> dict[str, Any]:
    """把一个批次该做的做完：转入、撤回或逐行入还款。没有人同意的什么也不做。中途被杀，再调一次从断处接上。

    :raises Conflict: 还没有人同意。
    """
    batch = batch_of(actor, batch_id)
    if batch.kind != PORTFOLIO:
        return post_batch(actor=actor, on=on, batch_id=batch_id, progress=progress)
    actor.require(AUTHORIZE)
    if batch.status == BatchStatus.COMMITTING:
        return commit_batch(actor=actor, on=on, batch_id=batch_id, progress=progress, chunk=chunk)
    if batch.status == BatchStatus.WITHDRAWING:
        return withdraw_batch(actor=actor, batch_id=batch_id, progress=progress)
    if batch.status == BatchStatus.STAGED:
        raise Conflict(
            "IMPORT_NOT_APPROVED",
            f"第 {batch.pk} 批还没有人同意转入。",
            field="batch_id",
            value=batch_id,
            fix="请由送件人以外的复核人在「存量转入复核」任务上同意。",
        )
    return report_of(batch)


def install_import(
    *,
    actor: Actor,
    key: str,
    on: date,
    batch_id: int,
    os_user: str,
    accept_doubts: bool = False,
    only_good: bool = False,
    progress: Progress = quiet,
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """装机转入：装机的人在命令行上同意并当场做完。``os_user`` 是操作系统用户，写进复核任务的决定与审计。

    能在服务器上跑命令的人本来就够得着数据库；第二人由操作系统的账户与审计守着。界面与接口上没有这条路。

    :raises NotPermitted: 登录的人来办。
    :raises Conflict: 有错误、有存疑未认可，没有可转入的。
    """
    if actor.person_id is not None or not actor.may("*"):
        raise NotPermitted(
            "OPERATOR_ONLY",
            "装机转入只能在服务器的命令行上做。",
            clause="ORG-3",
            fix="请由送件人以外的复核人在「存量转入复核」任务上同意。",
        )
    assert os_user, "an installation has somebody at the keyboard"
    batch = batch_of(actor, batch_id)
    if batch.status == BatchStatus.STAGED:
        task_id = review_of(batch).get("task_id")
        if task_id is None:
            raise Conflict(
                "NOTHING_TO_IMPORT",
                "没有可转入的借据，或复核已退回。",
                field="batch_id",
                value=batch_id,
                fix="看报告里各行不转入的原因；更正后重新送件。",
            )
        check_import(
            actor=actor,
            key=key,
            task_id=task_id,
            outcome=work.APPROVED,
            on=on,
            opinion=f"装机转入：操作系统用户 {os_user} 在命令行同意",
            data={"accept_doubts": accept_doubts, "only_good": only_good},
        )
    elif batch.status in {BatchStatus.COMMITTING, BatchStatus.INCOMPLETE, BatchStatus.WITHDRAWING}:
        resume_import(actor=actor, key=key, on=on, batch_id=batch_id)
    return run_import(actor=actor, on=on, batch_id=batch_id, progress=progress, chunk=chunk)
