"""对账与差异调整。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import connection, transaction

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing import reconciling
from sancha.apps.servicing.importing.staging import Progress, quiet
from sancha.apps.servicing.mapping import facts_of, terms_of
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
    Loan,
    LoanFact,
    RowStatus,
)
from sancha.apps.servicing.operations.adjusting import record_adjustment
from sancha.apps.servicing.operations.importing.batches import (
    PERMISSION,
    locked_batch,
    report_of,
    require_business_date,
)
from sancha.apps.servicing.operations.importing.checks import AUTHORIZE, DIFFERENCE_CHECK
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation
from sancha.kit.rowset import rowset

ROW = "import_row"


def reconcile(batch_id: int, progress: Progress) -> int:
    """逐笔对账，差异记在行上；返回还没处理的差异数。已调整的差异保留原样。"""
    rows = list(
        ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.IMPORTED)
        .order_by("pk")
        .only("pk", "loan_id", "result")
    )
    left = 0
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        ids = [row.loan_id for row in part]
        documents = dict(Loan.objects.filter(pk__in=ids).values_list("pk", "terms"))
        facts: dict[int, list[LoanFact]] = {}
        for fact in LoanFact.objects.filter(loan_id__in=ids).order_by("loan_id", "seq"):
            facts.setdefault(fact.loan_id, []).append(fact)
        updates = []
        for row in part:
            assert row.loan_id is not None
            before = {str(item["component"]): item for item in row.result.get("differences", [])}
            found = reconciling.differences(
                terms_of(documents[row.loan_id]),
                facts_of(facts[row.loan_id]),
                as_of=date.fromisoformat(row.result["as_of"]),
                last_seq=row.result["last_seq"],
                expected=row.result["expected"],
            )
            merged = [_as_handled(before.get(str(item["component"]), {}), item) for item in found]
            still = sum(not item.get("settled_seq") for item in merged)
            left += still
            if merged != row.result.get("differences", []):
                updates.append([row.pk, row.result | {"differences": merged, "open": still}])
        if updates:
            source = rowset("n", {"pk": "bigint", "result": "jsonb"}, updates)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {ImportRow._meta.db_table} SET result = n.result FROM {source.sql} WHERE id = n.pk",
                    source.params,
                )
        progress("对账", min(start + 500, len(rows)), len(rows))
    return left


def _as_handled(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """调整过的保留原样；在复核的，账上的数没变就还是那一条。"""
    if before.get("settled_seq"):
        return before
    handled = {name: before[name] for name in ("proposals", "proposal") if name in before}
    if before.get("difference") != found["difference"]:
        handled.pop("proposal", None)
    return found | handled


@operation("servicing.reconcile_import", permission=PERMISSION)
def reconcile_import(*, actor: Actor, key: str, batch_id: int) -> dict[str, Any]:
    """重新对账：文件说的余额与账上事实从头重放的，逐笔逐成分比对。

    :raises Conflict: 批次还没转入。
    """
    batch = locked_batch(actor, batch_id)
    if batch.status not in {BatchStatus.DONE, BatchStatus.INCOMPLETE}:
        raise Conflict(
            "BATCH_NOT_DONE",
            f"批次是「{batch.get_status_display()}」，没有可对的账。",
            field="batch_id",
            value=batch_id,
            fix="转入之后再对账。",
        )
    batch.differences_open = reconcile(batch_id, quiet)
    batch.save(update_fields=["differences_open"])
    return report_of(batch)


@operation("servicing.propose_import_adjustment", permission=PERMISSION)
def propose_import_adjustment(
    *, actor: Actor, key: str, on: date, row_id: int, component: str, reason: str
) -> dict[str, Any]:
    """录入一处对账差异的调整，开出复核任务；账上还没有动，另一人同意后才记调整事实。

    :raises DomainError: 没有理由；这一成分不能用调整消掉（日期、分类的差异须更正来源）。
    :raises Conflict: 没有这处差异，已调整，或已有一条在复核。
    """
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "调整须写明理由。", field="reason", fix="请写明查到的原因与依据（原系统流水、对账单……）。"
        )
    row = _difference_row(actor, row_id)
    found = _open_difference(row, component)
    require_business_date(row.batch.institution_id, on)
    if component not in reconciling.ADJUSTABLE:
        raise DomainError(
            "DIFFERENCE_NOT_ADJUSTABLE",
            f"「{found['name']}」的差异来自日期或计划，不能用金额调整消掉。",
            field="component",
            value=component,
            clause="对账差异不得略过",
            fix="更正来源文件，撤回后重新转入；或按实际办理展期、重订计划、分类认定。",
        )
    if found.get("proposal", {}).get("task_id"):
        raise Conflict(
            "DIFFERENCE_PROPOSED",
            f"「{found['name']}」的调整已录入，等待复核。",
            field="component",
            value=component,
            fix="请由另一人在复核任务上办理；要改理由，先由他退回。",
        )
    gap, number = int(found["difference"]), int(found.get("proposals", 0)) + 1
    assert row.loan_id is not None, "an imported row has its loan"
    loan = Loan.objects.values("number", "institution_id").get(pk=row.loan_id)
    task_id = work.ask_second_person(
        DIFFERENCE_CHECK,
        actor=actor,
        on=on,
        subject=(ROW, row.pk),
        institution_id=loan["institution_id"],
        title=f"对账差异调整 {loan['number']} {found['name']}",
        reason=reason[:200],
        cause=f"{component}-{number}",
        by_operator=True,
        facts={
            "借据号": loan["number"],
            "成分": found["name"],
            "文件_fen": found["file"],
            "账上_fen": found["book"],
            "调减_fen" if gap > 0 else "调增_fen": abs(gap),
            "批次": row.batch_id,
            "录入人": actor.name,
        },
    )
    _mark(
        row,
        component,
        proposals=number,
        proposal={"task_id": task_id, "by": actor.person_id, "reason": reason, "on": on.isoformat()},
    )
    return {"subject": f"loan:{row.loan_id}", "loan_id": row.loan_id, "task_id": task_id, "audit": {"reason": reason}}


@operation("servicing.adjust_import_difference", permission=AUTHORIZE)
def adjust_import_difference(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核一处对账差异的调整：同意则记调整事实，账上比文件多的调减，少的调增；退回则差异照旧红着。

    :raises NotPermitted: 复核人就是录入人（ORG-3）。
    :raises Conflict: 差异已经没有了。
    """
    row = _difference_row(actor, work.subject_to_check(DIFFERENCE_CHECK, task_id=task_id))
    work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    found = next(
        (item for item in row.result["differences"] if item.get("proposal", {}).get("task_id") == task_id), None
    )
    if found is None:
        raise Conflict(
            "DIFFERENCE_GONE",
            "这处差异重新对账后已经没有了。",
            field="task_id",
            value=task_id,
            fix="请退回这条任务。",
        )
    component = str(found["component"])
    done = {"subject": f"loan:{row.loan_id}", "loan_id": row.loan_id}
    if outcome != work.APPROVED:
        _mark(row, component, proposal={"returned": opinion})
        return done | {"seq": None, "voucher_id": None}
    _open_difference(row, component)
    gap, proposal = int(found["difference"]), found["proposal"]
    assert row.loan_id is not None, "an imported row has its loan"
    result = record_adjustment(
        actor=actor,
        loan_id=row.loan_id,
        component=reconciling.ADJUSTABLE[component],
        direction="DECREASE" if gap > 0 else "INCREASE",
        amount_fen=abs(gap),
        reason=proposal["reason"],
        entered_by=proposal["by"] or 0,
        on=on,
    )
    _mark(row, component, settled_seq=result["seq"])
    ImportBatch.objects.filter(pk=row.batch_id, differences_open__gt=0).update(
        differences_open=_open_count(row.batch_id)
    )
    return done | {"seq": result["seq"], "voucher_id": result.get("voucher_id")}


def _difference_row(actor: Actor, row_id: int) -> ImportRow:
    row = (
        ImportRow.objects.select_for_update(of=("self",))
        .select_related("batch")
        .filter(access.in_scope(actor, "batch__institution"), pk=row_id, status=RowStatus.IMPORTED)
        .first()
    )
    if row is None:
        raise _no_difference("row_id", row_id)
    return row


def _no_difference(field: str, value: object) -> NotFound:
    return NotFound(
        "DIFFERENCE_NOT_FOUND",
        "没有这处差异，或不在您的机构范围内。",
        field=field,
        value=value,
        fix="请从对账表上选择。",
    )


def _open_difference(row: ImportRow, component: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next(
        (item for item in row.result.get("differences", []) if item["component"] == component), None
    )
    if found is None:
        raise _no_difference("component", component)
    if found.get("settled_seq"):
        raise Conflict("DIFFERENCE_SETTLED", "这处差异已经调整。", field="component", value=component, fix="无需再调。")
    return found


def _mark(row: ImportRow, component: str, **changes: Any) -> None:
    row.result["differences"] = [
        item | changes if item["component"] == component else item for item in row.result["differences"]
    ]
    row.result["open"] = sum(not item.get("settled_seq") for item in row.result["differences"])
    row.save(update_fields=["result"])


def _open_count(batch_id: int) -> int:
    rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.IMPORTED).values_list(
        "result", flat=True
    )
    return sum(not item.get("settled_seq") for result in rows for item in result.get("differences", []))
