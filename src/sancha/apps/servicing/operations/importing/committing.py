"""转入：一批一批入账，每批一个事务，批内每笔要么整笔进来、要么一行也不进；杀掉重来，从没做完的那一批接上。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import connection, transaction

from sancha.apps.parties import operations as parties
from sancha.apps.servicing.importing import staging
from sancha.apps.servicing.importing.dossier import Dossier, assemble
from sancha.apps.servicing.importing.layout import read_layout
from sancha.apps.servicing.importing.problems import ERROR, Entry
from sancha.apps.servicing.importing.staging import Progress, Workshop, quiet
from sancha.apps.servicing.importing.writing import Draft, facts_data, write_loans
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
    Loan,
    RowStatus,
)
from sancha.apps.servicing.operations.importing.batches import (
    batch_of,
    close_batch,
    report_of,
    require_business_date,
    workshop_for,
)
from sancha.apps.servicing.operations.importing.reconciling import reconcile
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict
from sancha.kit.operation import write_audit
from sancha.kit.rowset import rowset

CHUNK = 400


def commit_batch(
    *, actor: Actor, on: date, batch_id: int, progress: Progress = quiet, chunk: int = CHUNK
) -> dict[str, Any]:
    """把一个已同意的批次做完：一批一批入账，末了对账。中途被杀，同样再调一次就从断处接上，不重不漏。"""
    if batch_of(actor, batch_id).status != BatchStatus.DONE:
        _run(actor=actor, on=on, batch_id=batch_id, progress=progress, chunk=chunk)
    return report_of(batch_of(actor, batch_id))


def _run(*, actor: Actor, on: date, batch_id: int, progress: Progress, chunk: int) -> None:
    batch = batch_of(actor, batch_id)
    require_business_date(batch.institution_id, on)
    workshop = workshop_for(batch, read_layout(batch.layout), actor, on)
    waiting_rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.READY)
    total, done = waiting_rows.count(), 0
    while ids := list(waiting_rows.order_by("pk").values_list("pk", flat=True)[:chunk]):
        try:
            _commit_chunk(batch_id, ids, workshop, actor)
        except Conflict:
            raise
        except Exception:
            if len(ids) == 1:
                raise
            # One bad loan must not keep out the others of its chunk: each again, alone.
            _commit_one_by_one(batch_id, ids, workshop, actor)
        done += len(ids)
        progress("转入", min(done, total), total)
    _finish(actor=actor, batch_id=batch_id, progress=progress)


def _commit_one_by_one(batch_id: int, ids: Sequence[int], workshop: Workshop, actor: Actor) -> None:
    for row_id in ids:
        try:
            _commit_chunk(batch_id, [row_id], workshop, actor)
        except Exception as error:  # shown on the row and in the batch's state, never swallowed
            with transaction.atomic():
                row = ImportRow.objects.get(pk=row_id)
                entry = Entry(row.role, row.file_no, row.number, {})
                entry.add(ERROR, "FAILED", "", row.ref, f"入账失败：{error}", "查明后在批次上点「继续」。")
                row.problems = [*row.problems, entry.problems[0].as_dict()]
                row.status, row.doubtful = RowStatus.FAILED, True
                row.save(update_fields=["problems", "status", "doubtful"])


def _commit_chunk(batch_id: int, ids: Sequence[int], workshop: Workshop, actor: Actor) -> None:
    """一批入账：一个事务。行的状态与账同进同退，所以断在哪里都不会重。"""
    business_date = workshop.choices.business_date
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
        if batch.status != BatchStatus.COMMITTING:
            raise Conflict(
                "BATCH_NOT_COMMITTING",
                f"批次是「{batch.get_status_display()}」，转入已停。",
                field="batch_id",
                value=batch_id,
                fix="在撤回的，到批次上点「继续」撤完；其余的看批次页上的状态。",
            )
        rows = list(ImportRow.objects.filter(pk__in=ids, status=RowStatus.READY).order_by("pk"))
        dossiers = _dossiers(batch_id, rows, workshop)
        there = staging.in_book(workshop.layout, [dossier.ref for dossier in dossiers])
        plans = []
        for dossier in dossiers:
            if dossier.ref in there:
                _settle_row(dossier.loan, RowStatus.SKIPPED, "ALREADY_IN_BOOK", "这笔已在账。")
                continue
            blueprint = staging.rebuild(dossier, workshop)
            if blueprint is None:
                problem = next(
                    (item for entry in dossier.entries for item in entry.problems if item.severity != "DOUBT"), None
                )
                _settle_row(
                    dossier.loan, RowStatus.FAILED, "FAILED", problem.message if problem else "重新核对没有通过。"
                )
                continue
            plans.append((dossier, blueprint))
        if not plans:
            return
        customers, places = staging.customer_rows([dossier for dossier, _ in plans], workshop)
        outcomes = parties.add_parties(actor=actor, on=business_date, rows=customers)
        drafts = []
        for (dossier, blueprint), place in zip(plans, places, strict=True):
            party_id = outcomes[place].party_id
            if party_id is None:
                _settle_row(
                    dossier.loan,
                    RowStatus.FAILED,
                    "CUSTOMER_WRONG",
                    "；".join(error["message"] for error in outcomes[place].errors) or "客户没有登记成。",
                )
                continue
            drafts.append(
                Draft(dossier, blueprint, party_id, workshop.choices.officers.get(str(dossier.value("officer", ""))))
            )
        if not drafts:
            return
        loans = write_loans(
            drafts,
            layout=workshop.layout,
            actor=actor,
            business_date=business_date,
            people=(batch.staged_by_id, batch.committed_by_id),
        )
        _mark_imported(batch_id, drafts, loans)


def _dossiers(batch_id: int, rows: Sequence[ImportRow], workshop: Workshop) -> list[Dossier]:
    refs = [row.ref for row in rows]
    shift = workshop.choices.shift_months
    related = ImportRow.objects.filter(
        batch_id=batch_id, role__in=("installment", "payment"), ref__in=refs, status=RowStatus.READY
    ).order_by("pk")
    entries = staging.entries_of([*rows, *related], workshop.layout, shift)
    owners = sorted(
        {
            str(entry.values["customer_ref"])
            for entry in entries
            if entry.role == "loan" and entry.values.get("customer_ref")
        }
    )
    if owners:
        customers = ImportRow.objects.filter(
            batch_id=batch_id, role="customer", ref__in=owners, status=RowStatus.READY
        ).order_by("pk")
        entries += staging.entries_of(customers, workshop.layout, shift)
    return assemble(entries)[0]


def _settle_row(entry: Entry, status: str, code: str, message: str) -> None:
    row = ImportRow.objects.get(pk=entry.row_id)
    noticed = Entry(row.role, row.file_no, row.number, {})
    noticed.add(
        "SKIP" if status == RowStatus.SKIPPED else ERROR,
        code,
        "",
        row.ref,
        message,
        "查明后在批次上点「继续」。" if status == RowStatus.FAILED else "不再转入。",
    )
    row.status, row.doubtful, row.problems = status, True, [*row.problems, noticed.problems[0].as_dict()]
    row.save(update_fields=["status", "doubtful", "problems"])


def _mark_imported(batch_id: int, drafts: Sequence[Draft], loans: Sequence[Loan]) -> None:
    done = [[draft.dossier.loan.row_id, loan.pk, facts_data(draft)] for draft, loan in zip(drafts, loans, strict=True)]
    source = rowset("n", {"pk": "bigint", "loan_id": "bigint", "result": "jsonb"}, done)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {ImportRow._meta.db_table} SET status = '{RowStatus.IMPORTED.value}', loan_id = n.loan_id, result = n.result "
            f"FROM {source.sql} WHERE id = n.pk",
            source.params,
        )
    refs = [draft.dossier.ref for draft in drafts]
    ImportRow.objects.filter(
        batch_id=batch_id, role__in=("installment", "payment"), ref__in=refs, status=RowStatus.READY
    ).update(status=RowStatus.IMPORTED)


def _finish(*, actor: Actor, batch_id: int, progress: Progress) -> None:
    open_differences = reconcile(batch_id, progress)
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
        if batch.status in {BatchStatus.WITHDRAWING, BatchStatus.WITHDRAWN}:
            return  # agreed to meanwhile; to write over it would leave nobody to carry it out
        loans = ImportRow.objects.filter(batch_id=batch_id, role="loan")
        failed = loans.filter(status=RowStatus.FAILED).count()
        batch.differences_open = open_differences
        batch.summary = batch.summary | {"imported": loans.filter(status=RowStatus.IMPORTED).count(), "failed": failed}
        batch.save(update_fields=["differences_open", "summary"])
        if failed:
            batch.status = BatchStatus.INCOMPLETE
            batch.save(update_fields=["status"])
        else:
            ImportRow.objects.filter(batch_id=batch_id, role="customer", status=RowStatus.READY).update(
                status=RowStatus.IMPORTED
            )
            close_batch(batch, BatchStatus.DONE)
        write_audit(
            actor=actor,
            operation="servicing.finish_import",
            subject=f"import:{batch_id}",
            data={"status": str(batch.status), **{name: batch.summary[name] for name in ("imported", "failed")}},
        )
