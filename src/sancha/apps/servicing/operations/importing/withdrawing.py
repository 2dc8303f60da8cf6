"""撤回整批：事实逐条冲正，头寸归零，借据作废；凭证与事实都留着。"""

from __future__ import annotations

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
    ImportRow,
    Loan,
    LoanFact,
    LoanState,
    LoanStatus,
    RowStatus,
)
from sancha.apps.servicing.operations.importing.batches import close_batch, locked_batch, report_of
from sancha.kernel.facts import FactKind
from sancha.kernel.positions import Key
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation, write_audit


@operation("servicing.begin_import_withdrawal", permission="servicing.authorize")
def begin_import_withdrawal(*, actor: Actor, key: str, batch_id: int, reason: str) -> dict[str, Any]:
    """同意撤回：授权人不能是转入的人；转入后又办过业务的借据一笔也不能有。

    :raises DomainError: 没有理由、同一人。
    :raises Conflict: 状态不对，或有借据已办过业务。
    """
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "撤回须写明理由。", field="reason", fix="请写明原因（文件送错、版式对错……）。"
        )
    batch = locked_batch(actor, batch_id)
    if batch.status not in {BatchStatus.DONE, BatchStatus.INCOMPLETE, BatchStatus.COMMITTING, BatchStatus.WITHDRAWING}:
        raise Conflict(
            "BATCH_NOT_DONE",
            f"批次是「{batch.get_status_display()}」，没有可撤回的。",
            field="batch_id",
            value=batch_id,
            fix="没有转入的用「放弃」。",
        )
    if actor.person_id is not None and actor.person_id == batch.committed_by_id:
        raise DomainError(
            "SAME_PERSON",
            "撤回的授权人不能是转入的人。",
            field="batch_id",
            value=batch_id,
            clause="ORG-3",
            fix="请由另一人授权。",
        )
    touched = _touched(batch_id)
    if touched:
        raise Conflict(
            "LOANS_TOUCHED",
            f"有 {len(touched)} 笔转入后已办过业务，如 {'、'.join(touched[:3])}，整批不能撤回。",
            field="batch_id",
            value=batch_id,
            fix="先冲正那些业务；或逐笔用冲正、调整处理。",
        )
    batch.status = BatchStatus.WITHDRAWING
    batch.options = batch.options | {"withdraw_reason": reason}
    batch.save(update_fields=["status", "options"])
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        "audit": {"reason": reason},
    }


def withdraw_import(
    *, actor: Actor, key: str, batch_id: int, reason: str, progress: Progress = quiet
) -> dict[str, Any]:
    """撤回整批：每笔的事实逐条冲正，头寸归零，借据作废，外部编号让出来；凭证与事实都留着。可杀可续。

    :raises DomainError: 见 :func:`begin_import_withdrawal`。
    """
    begin_import_withdrawal(actor=actor, key=key, batch_id=batch_id, reason=reason)
    rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.IMPORTED).order_by("pk")
    total = rows.count()
    done = 0
    while pairs := list(rows.values_list("pk", "loan_id")[:100]):
        with transaction.atomic():
            for row_id, loan_id in pairs:
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


withdraw_import.permission = "servicing.authorize"  # type: ignore[attr-defined]  # read by the permission sweep test
withdraw_import.operation_name = "servicing.withdraw_import"  # type: ignore[attr-defined]


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
