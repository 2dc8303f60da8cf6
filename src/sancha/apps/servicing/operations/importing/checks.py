"""两人办理：送件与同意、录入调整与授权、申请撤回与同意，第二人都办一条任务；同一人办不了，写明是哪条规则。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.servicing.importing.problems import RULE_NAMES, SEVERITY_NAMES
from sancha.apps.servicing.models import ImportBatch
from sancha.apps.work import operations as work
from sancha.apps.work.forms import FormField, FormSchema
from sancha.apps.work.kinds import TaskKind
from sancha.kit.actor import Actor

AUTHORIZE = "servicing.authorize"


def _check(code: str, name: str, approve: str, rule: str, form_code: str = "") -> TaskKind:
    return work.second_check(
        code,
        name,
        posts=("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER"),
        permission=AUTHORIZE,
        approve=approve,
        rule=rule,
        duties=("IMPORTER", "IMPORT_CHECKER"),
        form_code=form_code,
    )


IMPORT_CHECK = _check(
    "IMPORT_CHECK", "存量转入复核", "同意转入", "转入的送件与同意须两人办理", form_code="IMPORT_CHECK"
)
DIFFERENCE_CHECK = _check("IMPORT_DIFFERENCE_CHECK", "对账差异调整复核", "同意调整", "调整的录入与授权须两人办理")
WITHDRAWAL_CHECK = _check("IMPORT_WITHDRAWAL_CHECK", "撤回转入复核", "同意撤回", "撤回的申请与同意须两人办理")
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
