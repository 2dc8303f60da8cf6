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
from sancha.apps.servicing.operations.importing.batches import PERMISSION, locked_batch, report_of
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation
from sancha.kit.rowset import rowset


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
            settled = {item["component"]: item for item in row.result.get("differences", []) if item.get("settled_seq")}
            found = reconciling.differences(
                terms_of(documents[row.loan_id]),
                facts_of(facts[row.loan_id]),
                as_of=date.fromisoformat(row.result["as_of"]),
                last_seq=row.result["last_seq"],
                expected=row.result["expected"],
            )
            merged = [settled.get(str(item["component"]), item) for item in found]
            left += sum(not item.get("settled_seq") for item in merged)
            if merged != row.result.get("differences", []):
                updates.append([row.pk, row.result | {"differences": merged}])
        if updates:
            source = rowset("n", {"pk": "bigint", "result": "jsonb"}, updates)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {ImportRow._meta.db_table} SET result = n.result FROM {source.sql} WHERE id = n.pk",
                    source.params,
                )
        progress("对账", min(start + 500, len(rows)), len(rows))
    return left


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


@operation("servicing.adjust_import_difference", permission="servicing.authorize")
def adjust_import_difference(
    *, actor: Actor, key: str, on: date, row_id: int, component: str, entered_by: int, reason: str
) -> dict[str, Any]:
    """把一处对账差异做成调整事实：账上比文件多的调减，少的调增；录入人与授权人须为两人。

    :raises DomainError: 同一人；这一成分不能用调整消掉（日期、分类的差异须更正来源）。
    :raises Conflict: 没有这处差异，或已调整。
    """
    row = (
        ImportRow.objects.select_for_update(of=("self",))
        .select_related("batch")
        .filter(access.in_scope(actor, "batch__institution"), pk=row_id)
        .first()
    )
    found = (
        next((item for item in row.result.get("differences", []) if item["component"] == component), None)
        if row is not None
        else None
    )
    if row is None or found is None:
        raise NotFound(
            "DIFFERENCE_NOT_FOUND",
            "没有这处差异，或不在您的机构范围内。",
            field="row_id",
            value=row_id,
            fix="请从对账表上选择。",
        )
    if found.get("settled_seq"):
        raise Conflict("DIFFERENCE_SETTLED", "这处差异已经调整。", field="component", value=component, fix="无需再调。")
    if component not in reconciling.ADJUSTABLE:
        raise DomainError(
            "DIFFERENCE_NOT_ADJUSTABLE",
            f"「{found['name']}」的差异来自日期或计划，不能用金额调整消掉。",
            field="component",
            value=component,
            clause="books.md F7",
            fix="更正来源文件，撤回后重新转入；或按实际办理展期、重订计划、分类认定。",
        )
    gap = int(found["difference"])
    result = record_adjustment(
        actor=actor,
        loan_id=row.loan_id,
        component=reconciling.ADJUSTABLE[component],
        direction="DECREASE" if gap > 0 else "INCREASE",
        amount_fen=abs(gap),
        reason=reason,
        entered_by=entered_by,
        on=on,
    )
    seq = LoanFact.objects.filter(loan_id=row.loan_id).order_by("-seq").values_list("seq", flat=True)[0]
    row.result["differences"] = [
        item | {"settled_seq": seq} if item["component"] == component else item for item in row.result["differences"]
    ]
    row.save(update_fields=["result"])
    ImportBatch.objects.filter(pk=row.batch_id, differences_open__gt=0).update(
        differences_open=_open_count(row.batch_id)
    )
    return {
        "subject": f"loan:{row.loan_id}",
        "loan_id": row.loan_id,
        "seq": seq,
        "voucher_id": result.get("voucher_id"),
    }


def _open_count(batch_id: int) -> int:
    rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.IMPORTED).values_list(
        "result", flat=True
    )
    return sum(not item.get("settled_seq") for result in rows for item in result.get("differences", []))
