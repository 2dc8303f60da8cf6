"""批量还款：文件一行一笔，逐笔入账，每行有结果。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing import staging
from sancha.apps.servicing.importing.layout import Layout, read_layout
from sancha.apps.servicing.importing.problems import DOUBT, ERROR, Entry
from sancha.apps.servicing.importing.reading import SourceFile, digest_of, read_file
from sancha.apps.servicing.importing.staging import Progress, quiet
from sancha.apps.servicing.mapping import state_of, terms_of
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
    Loan,
    LoanState,
    LoanStatus,
    RowStatus,
)
from sancha.apps.servicing.operations.importing.batches import (
    REPAYMENTS,
    batch_of,
    close_batch,
    described,
    layout_called,
    locked_batch,
    report_of,
    require_business_date,
)
from sancha.apps.servicing.operations.importing.checks import start_after_commit
from sancha.apps.servicing.operations.repayment import post_repayment
from sancha.kernel.money import format_yuan
from sancha.kernel.quote import payoff
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation, titled, write_audit

PERMISSION_REPAY = "servicing.repay"


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
    os_user: str = "",
    progress: Progress = quiet,
) -> dict[str, Any]:
    """批量还款，当场做完（命令行）：送件预检、同意、逐笔入账，每行有结果。

    一行不成不碍别的行；``stop_on_error`` 时有一行不成立就一行也不入。
    同一文件再送，已入账的不再入（行的幂等键由文件摘要与行号得出），没成的行再试一次。文件内同流水号、或已入过的流水号，报为重复。

    :raises DomainError: 文件读不出、缺列。
    :raises Conflict: ``stop_on_error`` 而有行不成立。
    """
    actor.require(PERMISSION_REPAY)
    staged = stage_repayments(
        actor=actor,
        key=key,
        on=on,
        file=file,
        institution_id=institution_id,
        layout=layout,
        stop_on_error=stop_on_error,
        os_user=os_user,
    )
    batch_id = staged["batch_id"]
    if batch_of(actor, batch_id).status != BatchStatus.DONE:
        begin_repayments(
            actor=actor,
            key=key,
            on=on,
            batch_id=batch_id,
            stop_on_error=stop_on_error,
            allow_overpayment=allow_overpayment,
            in_background=False,
        )
        post_batch(actor=actor, on=on, batch_id=batch_id, progress=progress)
    return report_of(batch_of(actor, batch_id)) | {"existing": staged["existing"], "rows": _row_results(batch_id)}


titled(post_repayments_file, name="servicing.post_repayments_file", permission=PERMISSION_REPAY)


@operation("servicing.begin_repayments", permission=PERMISSION_REPAY)
def begin_repayments(
    *,
    actor: Actor,
    key: str,
    on: date,
    batch_id: int,
    stop_on_error: bool = False,
    allow_overpayment: bool = False,
    in_background: bool = True,
) -> dict[str, Any]:
    """看过预检，开始逐笔入账（另起后台）；上次没入成的再试一次，已入的不再入。

    :raises Conflict: 不是还款文件、已经入完，或 ``stop_on_error`` 而有行不成立。
    """
    batch = locked_batch(actor, batch_id)
    require_business_date(batch.institution_id, on)
    if batch.kind != REPAYMENTS or batch.status not in {
        BatchStatus.STAGED,
        BatchStatus.COMMITTING,
        BatchStatus.INCOMPLETE,
    }:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，没有要入账的还款。",
            field="batch_id",
            value=batch_id,
            fix="已入完的不必再做；要补的行请另送一个文件。",
        )
    if stop_on_error:
        _require_no_error(batch)
    batch.status, batch.committed_on, batch.committed_by_id = BatchStatus.COMMITTING, on, actor.person_id
    batch.options = batch.options | {"stop_on_error": stop_on_error, "allow_overpayment": allow_overpayment}
    batch.save(update_fields=["status", "committed_on", "committed_by_id", "options"])
    if in_background:
        start_after_commit(actor, batch.pk, on)
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status)}


def _require_no_error(batch: ImportBatch) -> None:
    first = batch.rows.filter(status=RowStatus.ERROR).order_by("pk").first()
    if first is None:
        return
    wrong = batch.rows.filter(status=RowStatus.ERROR).count()
    problem = next(item for item in first.problems if item["severity"] == ERROR)
    raise _has_errors(wrong, first.number, problem["message"], batch.files[0]["name"])


def _has_errors(wrong: int, number: int, message: str, name: str) -> Conflict:
    return Conflict(
        "FILE_HAS_ERRORS",
        f"有 {wrong} 行不成立，一行也没有入账；第一处在第 {number} 行：{message}",
        field="file",
        value=name,
        fix="更正后重新送件；或不选「有错就停」，只留下错的行。",
    )


def post_batch(*, actor: Actor, on: date, batch_id: int, progress: Progress = quiet) -> dict[str, Any]:
    """逐笔入一个已开始的还款文件：一行一个事务。中途被杀，再调一次接着入，不重不漏。

    :raises Conflict: 还没有开始，营业日变了。
    """
    actor.require(PERMISSION_REPAY)
    batch = batch_of(actor, batch_id)
    require_business_date(batch.institution_id, on)
    if batch.status != BatchStatus.COMMITTING:
        raise Conflict(
            "BATCH_NOT_COMMITTING",
            f"批次是「{batch.get_status_display()}」，没有开始入账。",
            field="batch_id",
            value=batch_id,
            fix="看过预检后点「入账」。",
        )
    rows = list(
        ImportRow.objects.filter(batch_id=batch_id, status__in=(RowStatus.READY, RowStatus.FAILED)).order_by("pk")
    )
    chosen = read_layout(batch.layout)
    allowed = bool(batch.options.get("allow_overpayment"))
    for index, row in enumerate(rows, start=1):
        posted = _post_row(row, chosen, batch, actor, on, allowed)
        progress("入账", index, len(rows))
        if not posted and batch.options["stop_on_error"]:
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
    return report_of(batch)


@operation("servicing.stage_repayments", permission=PERMISSION_REPAY)
def stage_repayments(
    *,
    actor: Actor,
    key: str,
    on: date,
    file: SourceFile,
    institution_id: int,
    layout: str = "sancha_repayments",
    stop_on_error: bool = False,
    os_user: str = "",
) -> dict[str, Any]:
    """还款文件送件预检：认列、认借据、查重复、比应还，存下各行；账上什么也没有动。

    同一文件再送：入过账的返回那一批（``existing``）；只预检过的重新预检。

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
    if found is not None and found.status != BatchStatus.STAGED:
        return {"subject": f"import:{found.pk}", "batch_id": found.pk, "existing": True, "status": found.status}
    if found is not None:
        close_batch(found, BatchStatus.CANCELLED)
    chosen = layout_called(layout, actor)
    read = read_file(file, chosen, 1)
    postings = _match_loans(read.entries, actor)
    _find_doubled_postings(postings)
    _find_doubtful_amounts(postings, on)
    wrong = sum(posting.entry.has_error for posting in postings)
    if wrong and stop_on_error:
        first = next(posting.entry for posting in postings if posting.entry.has_error)
        raise _has_errors(wrong, first.number, first.problems[0].message, file.name)
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
        summary=_dry_run(postings) | {"unknown_columns": len(read.header_problems), "os_user": os_user},
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
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "existing": False,
        "status": str(batch.status),
        **batch.summary,
        "audit": {"digest": digest} | ({"os_user": os_user} if os_user else {}),
    }


def _dry_run(postings: Sequence[_Posting]) -> dict[str, Any]:
    """预检的汇总：行数、可入账、有错误、存疑、不入、金额与各类毛病几处。"""
    entries = [item.entry for item in postings]
    ready = [entry for entry in entries if not entry.has_error and not entry.is_skipped]
    kinds = Counter(f"{problem.severity}:{problem.code}" for entry in entries for problem in entry.problems)
    return {
        "rows": {"payment": len(entries)},
        "ready": len(ready),
        "errors": sum(entry.has_error for entry in entries),
        "doubts": sum(bool(entry.problems) for entry in ready),
        "skipped": sum(entry.is_skipped and not entry.has_error for entry in entries),
        "amount_fen": sum(entry.values.get("amount_fen", 0) for entry in ready),
        "problems": dict(sorted(kinds.items())),
    }


def _find_doubtful_amounts(postings: Sequence[_Posting], on: date) -> None:
    """还款日在未来、合计超过结清应付的：存疑，入账时再定（明天就不在未来了；允许溢缴就收得下）。"""
    good = [item for item in postings if item.loan_id is not None and not item.entry.problems]
    owed = _owed([item.loan_id for item in good if item.loan_id is not None], on)
    taken: dict[int, int] = {}
    for item in good:
        assert item.loan_id is not None
        entry, amount = item.entry, int(item.entry.values["amount_fen"])
        day = entry.values.get("value_on")
        if day is not None and day > on:
            entry.add(
                DOUBT,
                "PAYMENT_IN_FUTURE",
                "还款日",
                day,
                f"还款日 {day} 晚于营业日 {on}，今天入不了账。",
                "核对日期；到了那天再点「入账」。",
            )
            continue
        before, left = taken.get(item.loan_id, 0), owed.get(item.loan_id, 0)
        if before + amount <= left:
            taken[item.loan_id] = before + amount
        else:
            entry.add(
                DOUBT,
                "ABOVE_DEBT",
                "金额",
                entry.cells.get("amount_fen", ""),
                f"这笔借据在本文件里合计还 {format_yuan(before + amount)}，结清只要 {format_yuan(left)}。",
                "核对金额；确需多收的，入账时选「允许溢缴」，多出部分记溢缴款。",
            )


def _owed(loan_ids: Sequence[int], on: date) -> dict[int, int]:
    """各借据今天结清应付（分）。分块取，语句数与行数无关；没有余额投影的（已撤）为 0。"""
    ids = sorted(set(loan_ids))
    found: dict[int, int] = {}
    for start in range(0, len(ids), 500):
        for row in LoanState.objects.select_related("loan").filter(pk__in=ids[start : start + 500]):
            state = state_of(row)
            day = max(on, state.day)
            found[row.pk] = max(payoff(terms_of(row.loan.terms), state, day)["total"], 0)
    return found


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
            _require_first(row)
            row.status, row.result = (
                RowStatus.IMPORTED,
                {"seq": result["seq"], "voucher_id": result["voucher_id"], "allocated": result["allocated"]},
            )
            row.problems = [problem for problem in row.problems if problem["code"] != "NOT_POSTED"]
            row.doubtful = bool(row.problems)
            row.save(update_fields=["status", "result", "problems", "doubtful"])
    except _AlreadyPosted as error:
        entry.add("SKIP", "DUPLICATE_PAYMENT", "流水号", row.serial, error.message, "不再入账。")
        row.problems = [*row.problems, entry.problems[-1].as_dict()]
        row.status, row.doubtful = RowStatus.SKIPPED, True
        row.save(update_fields=["status", "problems", "doubtful"])
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


class _AlreadyPosted(Conflict):
    """同一流水号已由另一个文件入了这笔借据。"""


def _require_first(row: ImportRow) -> None:
    """同一流水号只入一次。预检之后别的文件可能已入；此时借据锁在手里，另一个要么已提交、要么还在等。"""
    if not row.serial:
        return
    same = ImportRow.objects.filter(
        serial=row.serial, loan_id=row.loan_id, status=RowStatus.IMPORTED, batch__kind=REPAYMENTS
    )
    if same.exclude(pk=row.pk).exists():
        raise _AlreadyPosted(
            "DUPLICATE_PAYMENT", f"流水号「{row.serial}」已在别的文件里入账。", field="serial", value=row.serial,
            fix="不再入账。",
        )  # fmt: skip


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
