"""撤回整批：事实逐条冲正，头寸归零，借据作废；凭证与事实都留着。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.ledger.mapping import resolve_accounts
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.servicing.books import difference, keyed, open_loan, write_movements
from sancha.apps.servicing.importing.staging import Progress, quiet
from sancha.apps.servicing.importing.writing import opening_lines
from sancha.apps.servicing.mapping import booked_position
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
    Loan,
    LoanFact,
    LoanState,
    LoanStatus,
    RowStatus,
)
from sancha.apps.servicing.operations.importing.batches import (
    PERMISSION,
    PORTFOLIO,
    batch_of,
    close_batch,
    locked_batch,
    report_of,
    require_business_date,
)
from sancha.apps.servicing.operations.importing.checks import (
    AUTHORIZE,
    WITHDRAWAL_CHECK,
    review_of,
    start_after_commit,
)
from sancha.apps.work import operations as work
from sancha.kernel.facts import FactKind
from sancha.kernel.positions import Key
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation, write_audit


@operation("servicing.request_import_withdrawal", permission=PERMISSION)
def request_import_withdrawal(*, actor: Actor, key: str, on: date, batch_id: int, reason: str) -> dict[str, Any]:
    """申请撤回：转入后又办过业务的借据一笔也不能有；开出复核任务，另一人同意后才撤。

    :raises DomainError: 没有理由。
    :raises Conflict: 状态不对，或有借据已办过业务。
    """
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "撤回须写明理由。", field="reason", fix="请写明原因（文件送错、版式对错……）。"
        )
    batch = locked_batch(actor, batch_id)
    require_business_date(batch.institution_id, on)
    _require_withdrawable(batch)
    before = batch.summary.get("withdrawal", {})
    number = int(before.get("number", 0)) + (0 if before.get("task_id") else 1)
    task_id = work.ask_second_person(
        WITHDRAWAL_CHECK,
        actor=actor,
        on=on,
        subject=("import", batch.pk),
        institution_id=review_of(batch).get("institution_id") or batch.institution_id,
        title=f"撤回转入 第 {batch.pk} 批",
        reason=reason[:200],
        cause=f"withdrawal-{number}",
        by_operator=True,
        facts={"已入账（笔）": batch.summary.get("imported", 0), "申请人": actor.name, "理由": reason[:200]},
    )
    batch.summary = batch.summary | {"withdrawal": {"number": number, "task_id": task_id, "reason": reason}}
    batch.save(update_fields=["summary"])
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        "task_id": task_id,
        "audit": {"reason": reason},
    }


def _require_withdrawable(batch: ImportBatch) -> None:
    if batch.kind != PORTFOLIO or batch.status not in {
        BatchStatus.DONE,
        BatchStatus.INCOMPLETE,
        BatchStatus.COMMITTING,
    }:
        raise Conflict(
            "BATCH_NOT_DONE",
            f"批次是「{batch.get_status_display()}」，没有可撤回的。",
            field="batch_id",
            value=batch.pk,
            fix="没有转入的用「放弃」；还款入错了的逐笔冲正。",
        )
    touched = _touched(batch.pk)
    if touched:
        raise Conflict(
            "LOANS_TOUCHED",
            f"有 {len(touched)} 笔转入后已办过业务，如 {'、'.join(touched[:3])}，整批不能撤回。",
            field="batch_id",
            value=batch.pk,
            fix="先冲正那些业务；或逐笔用冲正、调整处理。",
        )


@operation("servicing.check_import_withdrawal", permission=AUTHORIZE)
def check_import_withdrawal(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核撤回：同意则此后逐笔冲正（另起后台）；退回则批次照旧。

    :raises NotPermitted: 复核人就是申请人或送件人（ORG-3）。
    :raises Conflict: 状态变了，或申请之后有借据办过业务。
    """
    batch = locked_batch(actor, work.subject_to_check(WITHDRAWAL_CHECK, task_id=task_id))
    require_business_date(batch.institution_id, on)
    work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    asked = batch.summary.get("withdrawal", {})
    batch.summary = batch.summary | {"withdrawal": asked | {"task_id": None, "returned": opinion}}
    if outcome == work.APPROVED:
        _require_withdrawable(batch)
        batch.status = BatchStatus.WITHDRAWING
        batch.options = batch.options | {"withdraw_reason": asked.get("reason", "")}
        start_after_commit(actor, batch.pk, on)
    batch.save(update_fields=["status", "options", "summary"])
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status)}


def withdraw_batch(*, actor: Actor, batch_id: int, progress: Progress = quiet) -> dict[str, Any]:
    """把一个已同意撤回的批次撤完：每笔的事实逐条冲正，头寸归零，借据作废，外部编号让出来；凭证与事实都留着。可杀可续。"""
    batch = batch_of(actor, batch_id)
    reason = str(batch.options.get("withdraw_reason", ""))
    rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.IMPORTED).order_by("pk")
    total = rows.count()
    done = 0
    while pairs := list(rows.values_list("pk", "loan_id")[:100]):
        with transaction.atomic():
            for row_id, loan_id in pairs:
                assert loan_id is not None, "an imported row has its loan"
                _withdraw_loan(loan_id, actor=actor, reason=reason)
                ImportRow.objects.filter(pk=row_id).update(status=RowStatus.WITHDRAWN)
        done += len(pairs)
        progress("撤回", done, total)
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        ImportRow.objects.filter(batch_id=batch_id, status=RowStatus.IMPORTED).update(status=RowStatus.WITHDRAWN)
        batch.differences_open = None
        batch.save(update_fields=["differences_open"])
        close_batch(batch, BatchStatus.WITHDRAWN)
        write_audit(
            actor=actor,
            operation="servicing.finish_import_withdrawal",
            subject=f"import:{batch_id}",
            data={"loans": total},
        )
    return report_of(batch)


def _touched(batch_id: int) -> list[str]:
    last = {
        loan_id: result["last_seq"]
        for loan_id, result in ImportRow.objects.filter(
            batch_id=batch_id, role="loan", status=RowStatus.IMPORTED
        ).values_list("loan_id", "result")
    }
    ids = list(last)
    found = []
    for start in range(0, len(ids), 900):
        for pk, number, seq in LoanState.objects.filter(pk__in=ids[start : start + 900]).values_list(
            "pk", "loan__number", "last_seq"
        ):
            if seq != last[pk]:
                found.append(number)
    return found


def _withdraw_loan(loan_id: int, *, actor: Actor, reason: str) -> None:
    """撤回一笔：冲正全部事实，头寸记一张反向的期初凭证，投影删去（无事可重放），借据作废。"""
    opened = open_loan(loan_id=loan_id, actor=actor)
    loan, row = opened.loan, opened.row
    history = opened.all_facts()
    booked_on = opened.partition.business_date
    key = Key(str(row.institution_id), str(row.product_id), row.loan_class, row.accrual, row.currency)
    moved = difference({}, keyed(key, booked_position(row, opened.stands_on.toordinal())))
    moment = now()
    LoanFact.objects.bulk_create(
        [
            LoanFact(
                loan_id=loan_id,
                seq=row.last_seq + offset,
                kind=str(FactKind.REVERSAL),
                value_on=opened.stands_on,
                booked_on=booked_on,
                data={"seq": fact.seq, "reason": reason},
                recorded_at=moment,
                recorded_by_id=actor.person_id,
                operation="withdraw_import",
            )
            for offset, fact in enumerate(history, start=1)
        ]
    )
    voucher = None
    if moved:
        accounts = resolve_accounts(booked_on)
        cut_over = any(fact.kind is FactKind.OPENING for fact in history)
        spec = VoucherSpec(
            booked_on=booked_on,
            institution_id=row.institution_id,
            source="OPENING",
            kind="IMPORT",
            summary=f"撤回转入 {loan.number}",
            subject=f"loan:{loan_id}",
            lines=opening_lines(moved, loan_id=loan_id, accounts=accounts, history=not cut_over),
        )
        voucher = post_vouchers([spec], actor=actor, accounts=accounts)[0]
    write_movements([(loan_id, booked_on, row.last_seq + len(history), voucher, moved)])
    row.delete()
    # The number of a voided loan is not reused by Sancha's own numbering; a number that came with the file must be free to come again.
    Loan.objects.filter(pk=loan_id).update(
        status=LoanStatus.VOID, external_ref="", settled_on=None, number=f"{loan.number[:28]}-撤{loan_id}"
    )
