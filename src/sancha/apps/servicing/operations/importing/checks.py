"""两人办理：送件与同意、录入调整与授权、申请撤回与同意，第二人都办一条任务；同一人办不了，写明是哪条规则。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.servicing.importing.problems import RULE_NAMES, SEVERITY_NAMES
from sancha.apps.servicing.models import ImportBatch
from sancha.apps.work import operations as work
from sancha.apps.work import queries as work_queries
from sancha.apps.work.forms import FormField, FormSchema
from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError, NotFound

AUTHORIZE = "servicing.authorize"
APPROVED, RETURNED = "APPROVED", "RETURNED"
IMPORTER, CHECKER = "IMPORTER", "IMPORT_CHECKER"
_POSTS = ("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER")
_CLAUSE = "ORG-3"

IMPORT_CHECK = TaskKind(
    code="IMPORT_CHECK",
    name="存量转入复核",
    posts=_POSTS,
    permission=AUTHORIZE,
    outcomes=(Outcome(APPROVED, "同意转入"), Outcome(RETURNED, "退回", needs_opinion=True)),
    form_code="IMPORT_CHECK",
    duty=CHECKER,
    forbidden_duties=frozenset({IMPORTER}),
    rule="转入的送件与同意须两人办理",
    clause=_CLAUSE,
)
DIFFERENCE_CHECK = TaskKind(
    code="IMPORT_DIFFERENCE_CHECK",
    name="对账差异调整复核",
    posts=_POSTS,
    permission=AUTHORIZE,
    outcomes=(Outcome(APPROVED, "同意调整"), Outcome(RETURNED, "退回", needs_opinion=True)),
    duty=CHECKER,
    forbidden_duties=frozenset({IMPORTER}),
    rule="调整的录入与授权须两人办理",
    clause=_CLAUSE,
)
WITHDRAWAL_CHECK = TaskKind(
    code="IMPORT_WITHDRAWAL_CHECK",
    name="撤回转入复核",
    posts=_POSTS,
    permission=AUTHORIZE,
    outcomes=(Outcome(APPROVED, "同意撤回"), Outcome(RETURNED, "退回", needs_opinion=True)),
    duty=CHECKER,
    forbidden_duties=frozenset({IMPORTER}),
    rule="撤回的申请与同意须两人办理",
    clause=_CLAUSE,
)
FORM = FormSchema(
    title="存量转入复核",
    fields=(
        FormField(code="accept_doubts", label="看过报告，认可存疑与不转入的", type="bool"),
        FormField(code="only_good", label="有错误的留下，只转入没有错误的", type="bool"),
    ),
)

Runner = Callable[..., None]
_runners: dict[str, Runner] = {}


def register_runner(function: Runner) -> None:
    """登记后台：``function(*, actor, batch_id, on)`` 另起进程把一个已同意的批次做完。在 ``config/wiring`` 登记。"""
    known = _runners.setdefault("import", function)
    assert known is function, "two runners of imports"


def start_after_commit(actor: Actor, batch_id: int, on: date) -> None:
    """同意提交之后才起后台；起不来（已有一个在做）不碍同意，批次页上可以接着做。

    系统本身（命令行）没有任职，它自己在前台做。
    """
    runner = _runners.get("import")
    if runner is not None and actor.post_holding_id is not None:
        transaction.on_commit(lambda: runner(actor=actor, batch_id=batch_id, on=on), robust=True)


def raise_check(
    kind: TaskKind,
    *,
    actor: Actor,
    on: date,
    subject: tuple[str, int],
    institution_id: int,
    title: str,
    reason: str,
    cause: str,
    facts: dict[str, Any],
) -> int:
    """开出复核任务，并记下经办人：他自己办不了这一条。返回任务编号。

    :raises DomainError: 该机构及其上级没有岗位可办。
    """
    if kind.form_code:
        work.ensure_form(code=kind.form_code, schema=FORM, effective_from=on)
    spec = work.TaskSpec(
        kind=kind.code,
        subject_type=subject[0],
        subject_id=subject[1],
        institution_id=institution_id,
        title=title,
        reason=reason,
        cause=cause,
        opened_on=on,
        due_on=on,
        clause=kind.clause,
        facts=facts,
    )
    try:
        task_id = work.raise_task(spec=spec)
    except DomainError:
        if actor.person_id is not None:
            raise
        # Where no such post can sit, only the operator at the command line may go on.
        task_id = work.raise_task(spec=replace(spec, post=kind.posts[0]))
    if actor.person_id is not None:
        work.record_involvement(
            root_type=subject[0], root_id=subject[1], person_id=actor.person_id, duty=IMPORTER, on=on
        )
    return task_id


def subject_of(task_id: int, kind: TaskKind) -> int:
    """任务的对象编号。

    :raises NotFound: 没有这条任务，或不是这一种。
    """
    found = work_queries.subject_of(task_id)
    if found is None or found[0] != kind.code:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"没有编号为 {task_id} 的「{kind.name}」任务。",
            field="task_id",
            value=task_id,
            fix="请从工作台中选择。",
        )
    return found[2]


def review_of(batch: ImportBatch) -> dict[str, Any]:
    """批次上记的复核：第几次、任务、退回的意见。"""
    found: dict[str, Any] = batch.summary.get("review", {})
    return found


def report_facts(batch: ImportBatch) -> dict[str, Any]:
    """复核任务卡片上的数：笔数、金额、毛病。"""
    summary = batch.summary
    facts: dict[str, Any] = {
        "可转入（笔）": summary["ready"],
        "金额_fen": summary["amount_fen"],
        "余额_fen": summary["balance_fen"],
        "有错误（笔）": summary["errors"],
        "存疑（笔）": summary["doubts"],
        "不转入（笔）": summary["skipped"],
        "切换日": batch.options["cutover_on"],
    }
    worst = sorted(summary["problems"].items(), key=lambda item: -item[1])[:3]
    if worst:
        names = [(*mark.split(":"), count) for mark, count in worst]
        facts["主要毛病"] = "、".join(
            f"{RULE_NAMES.get(code, code)}（{SEVERITY_NAMES[severity]}）{count} 处" for severity, code, count in names
        )
    return facts
