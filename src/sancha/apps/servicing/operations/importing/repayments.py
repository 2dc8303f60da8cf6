"""批量还款：文件一行一笔，逐笔入账，每行有结果。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing import staging
from sancha.apps.servicing.importing.layout import Layout, read_layout
from sancha.apps.servicing.importing.problems import ERROR, Entry
from sancha.apps.servicing.importing.reading import SourceFile, digest_of, read_file
from sancha.apps.servicing.importing.staging import Progress, quiet
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
    Loan,
    LoanStatus,
    RowStatus,
)
from sancha.apps.servicing.operations.importing.batches import (
    REPAYMENTS,
    batch_of,
    described,
    layout_called,
    locked_batch,
    report_of,
    require_business_date,
)
from sancha.apps.servicing.operations.repayment import post_repayment
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation, write_audit


@dataclass(slots=True)
class _Posting:
    """还款文件的一行，与它要入的借据。"""

    entry: Entry
    loan_id: int | None


def post_repayments_file(
    *,
    actor: Actor,
    key: str,
    on: date,
    file: SourceFile,
    institution_id: int,
    layout: str = "sancha_repayments",
    stop_on_error: bool = False,
    allow_overpayment: bool = False,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """批量还款：文件一行一笔，逐笔入账，每行有结果。一行不成不碍别的行；``stop_on_error`` 时有一行不成立就一行也不入。

    同一文件再送，已入账的不再入（行的幂等键由文件摘要与行号得出），没成的行再试一次。文件内同流水号、或已入过的流水号，报为重复。

    :raises DomainError: 文件读不出、缺列。
    :raises Conflict: ``stop_on_error`` 而有行不成立。
    """
    actor.require("servicing.repay")
    staged = stage_repayments(
        actor=actor,
        key=key,
        on=on,
        file=file,
        institution_id=institution_id,
        layout=layout,
        stop_on_error=stop_on_error,
    )
    batch_id = staged["batch_id"]
    batch = batch_of(actor, batch_id)
    rows = list(
        ImportRow.objects.filter(batch_id=batch_id, status__in=(RowStatus.READY, RowStatus.FAILED)).order_by("pk")
    )
    chosen = read_layout(batch.layout)
    for index, row in enumerate(rows, start=1):
        posted = _post_row(row, chosen, batch, actor, on, allow_overpayment)
        progress("入账", index, len(rows))
        if not posted and stop_on_error:
            break
    with transaction.atomic():
        batch = locked_batch(actor, batch_id)
        counts = {str(status): batch.rows.filter(status=status).count() for status in RowStatus}
        batch.summary = batch.summary | {"counts": {name: count for name, count in counts.items() if count}}
        batch.status = BatchStatus.INCOMPLETE if counts["FAILED"] or counts["READY"] else BatchStatus.DONE
        batch.finished_at = now()
        batch.save(update_fields=["summary", "status", "finished_at"])
        write_audit(
            actor=actor,
            operation="servicing.finish_repayments_file",
            subject=f"import:{batch_id}",
            data=batch.summary["counts"],
        )
    return report_of(batch) | {"existing": staged["existing"], "rows": _row_results(batch_id)}


post_repayments_file.permission = "servicing.repay"  # type: ignore[attr-defined]  # read by the permission sweep test
post_repayments_file.operation_name = "servicing.post_repayments_file"  # type: ignore[attr-defined]


@operation("servicing.stage_repayments", permission="servicing.repay")
def stage_repayments(
    *,
    actor: Actor,
    key: str,
    on: date,
    file: SourceFile,
    institution_id: int,
    layout: str = "sancha_repayments",
    stop_on_error: bool = False,
) -> dict[str, Any]:
    """还款文件送件预检：认列、认借据、查重复，存下各行。

    :raises Conflict: ``stop_on_error`` 而有行不成立。
    """
    require_business_date(institution_id, on)
    access.require_institution(actor, institution_id)
    digest = digest_of([file])
    found = (
        ImportBatch.objects.filter(access.in_scope(actor), digest=digest, kind=REPAYMENTS)
        .exclude(status=BatchStatus.CANCELLED)
        .first()
    )
    if found is not None:
        return {"subject": f"import:{found.pk}", "batch_id": found.pk, "existing": True}
    chosen = layout_called(layout, actor)
    read = read_file(file, chosen, 1)
    postings = _match_loans(read.entries, actor)
    _find_doubled_postings(postings)
    wrong = sum(posting.entry.has_error for posting in postings)
    if wrong and stop_on_error:
        first = next(posting.entry for posting in postings if posting.entry.has_error)
        raise Conflict(
            "FILE_HAS_ERRORS",
            f"有 {wrong} 行不成立，一行也没有入账；第一处在第 {first.number} 行：{first.problems[0].message}",
            field="file",
            value=file.name,
            fix="更正后重新送件；或不选「有错就停」，只留下错的行。",
        )
    batch = ImportBatch.objects.create(
        kind=REPAYMENTS,
        institution_id=institution_id,
        layout_code=layout,
        layout=chosen.model_dump(mode="json"),
        options={"stop_on_error": stop_on_error},
        files=[described(read)],
        digest=digest,
        staged_on=on,
        staged_at=now(),
        staged_by_id=actor.person_id,
        committed_on=on,
        committed_by_id=actor.person_id,
        status=BatchStatus.COMMITTING,
        summary={"errors": wrong, "amount_fen": sum(item.entry.values.get("amount_fen", 0) for item in postings)},
    )
    ImportRow.objects.bulk_create(
        [
            ImportRow(
                batch=batch,
                role="payment",
                file_no=1,
                number=item.entry.number,
                ref=item.entry.ref[:80],
                serial=item.entry.serial[:80],
                cells=item.entry.cells,
                status=RowStatus.ERROR
                if item.entry.has_error
                else RowStatus.SKIPPED
                if item.entry.is_skipped
                else RowStatus.READY,
                problems=[problem.as_dict() for problem in item.entry.problems],
                doubtful=bool(item.entry.problems),
                loan_id=item.loan_id,
            )
            for item in postings
        ],
        batch_size=2000,
    )
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "existing": False}


def _match_loans(entries: Sequence[Entry], actor: Actor) -> list[_Posting]:
    refs = sorted({entry.ref for entry in entries if entry.ref})
    loans: dict[str, int] = {}
    for start in range(0, len(refs), 900):
        part = refs[start : start + 900]
        scoped = Loan.objects.filter(access.in_scope(actor)).exclude(status__in=(LoanStatus.VOID, LoanStatus.PENDING))
        loans |= dict(scoped.filter(number__in=part).values_list("number", "pk"))
        loans |= {
            ref.partition(":")[2]: pk
            for ref, pk in scoped.filter(external_ref__in=[f"sancha:{ref}" for ref in part]).values_list(
                "external_ref", "pk"
            )
        }
    postings = []
    for entry in entries:
        loan_id = loans.get(entry.ref)
        if entry.ref and loan_id is None:
            entry.add(
                ERROR,
                "LOAN_UNKNOWN",
                "借据号",
                entry.ref,
                f"没有存续的借据「{entry.ref}」，或不在您的机构范围内。",
                "核对借据号；待复核的借据须先复核放款。",
            )
        if entry.values.get("amount_fen") == 0:
            entry.add(
                ERROR,
                "AMOUNT_ABSURD",
                "金额",
                entry.cells.get("amount_fen", ""),
                "还款金额为 0。",
                "删去这一行（扣款失败的不必送）。",
            )
        postings.append(_Posting(entry, loan_id))
    return postings


def _find_doubled_postings(postings: Sequence[_Posting]) -> None:
    serials = sorted({item.entry.serial for item in postings if item.entry.serial})
    used: set[tuple[int | None, str]] = set()
    for start in range(0, len(serials), 900):
        rows = ImportRow.objects.filter(
            serial__in=serials[start : start + 900], status=RowStatus.IMPORTED, batch__kind=REPAYMENTS
        )
        used |= {(loan_id, serial) for loan_id, serial in rows.values_list("loan_id", "serial")}
    seen: dict[tuple[Any, ...], Entry] = {}
    for item in postings:
        entry = item.entry
        if entry.serial and (item.loan_id, entry.serial) in used:
            entry.add(
                "SKIP",
                "DUPLICATE_PAYMENT",
                "流水号",
                entry.serial,
                f"流水号「{entry.serial}」已在别的文件里入账。",
                "不再入账。",
            )
        mark = (
            ("serial", entry.serial)
            if entry.serial
            else ("same", entry.ref, entry.values.get("value_on"), entry.values.get("amount_fen"))
        )
        first = seen.setdefault(mark, entry)
        if first is not entry:
            what = f"流水号「{entry.serial}」" if entry.serial else "借据、日期、金额"
            entry.add(
                ERROR,
                "DUPLICATE_PAYMENT",
                "流水号" if entry.serial else "金额",
                entry.serial or entry.cells.get("amount_fen", ""),
                f"{what}与第 {first.number} 行相同。",
                "重复的删去；确是两笔的，各写不同的流水号。",
            )


def _post_row(
    row: ImportRow, layout: Layout, batch: ImportBatch, actor: Actor, on: date, allow_overpayment: bool
) -> bool:
    """入一行：还款与行的状态同一事务；不成则把原因留在行上。"""
    (entry,) = staging.entries_of([row], layout, 0)
    assert row.loan_id is not None
    try:
        with transaction.atomic():
            result = post_repayment(
                actor=actor,
                key=f"import:{batch.digest[:24]}:{row.number}",
                loan_id=row.loan_id,
                amount_fen=entry.values["amount_fen"],
                on=on,
                value_on=entry.values.get("value_on"),
                channel=str(entry.values.get("channel", "FILE"))[:20],
                payer_name=str(entry.values.get("payer_name", "")),
                remark=str(entry.values.get("remark", "")),
                allow_overpayment=allow_overpayment,
            )
            row.status, row.result = (
                RowStatus.IMPORTED,
                {"seq": result["seq"], "voucher_id": result["voucher_id"], "allocated": result["allocated"]},
            )
            row.problems = [problem for problem in row.problems if problem["code"] != "NOT_POSTED"]
            row.doubtful = bool(row.problems)
            row.save(update_fields=["status", "result", "problems", "doubtful"])
    except DomainError as error:
        entry.add(ERROR, "NOT_POSTED", error.field or "", error.value, error.message, error.fix or "更正后重新送件。")
        row.problems = [
            *(problem for problem in row.problems if problem["code"] != "NOT_POSTED"),
            entry.problems[-1].as_dict(),
        ]
        row.status, row.doubtful = RowStatus.FAILED, True
        row.save(update_fields=["status", "problems", "doubtful"])
        return False
    return True


def _row_results(batch_id: int) -> list[dict[str, Any]]:
    rows = (
        ImportRow.objects.filter(batch_id=batch_id)
        .order_by("pk")
        .values_list("number", "ref", "status", "problems", "result", "loan_id")
    )
    return [
        {"row": number, "ref": ref, "status": status, "loan_id": loan_id, "problems": problems, "result": result}
        for number, ref, status, problems, result, loan_id in rows
    ]
