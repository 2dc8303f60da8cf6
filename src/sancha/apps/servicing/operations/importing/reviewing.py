"""存量转入的复核：开出任务、附上预检报告、同意或退回、接着做。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from io import BytesIO
from itertools import islice
from posixpath import commonpath
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.dossier import Dossier
from sancha.apps.servicing.importing.staging import Workshop
from sancha.apps.servicing.models import BatchStatus, ImportBatch, ImportRow, RowStatus
from sancha.apps.servicing.operations.importing.batches import (
    PORTFOLIO,
    close_batch,
    locked_batch,
    require_business_date,
)
from sancha.apps.servicing.operations.importing.checks import (
    AUTHORIZE,
    FORM,
    IMPORT_CHECK,
    report_facts,
    review_of,
    start_after_commit,
)
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict
from sancha.kit.operation import operation
from sancha.kit.spreadsheets import write_table

SUBJECT = "import"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_LINES = 100_000
"""附在任务上的报告最多写这么多处毛病；全部的在批次页上。"""


def ask_for_review(
    batch: ImportBatch, dossiers: Sequence[Dossier], workshop: Workshop, *, actor: Actor, on: date
) -> int | None:
    """开出复核任务，附上预检报告；没有可转入的不开。返回任务编号，记在批次的 ``summary`` 里（由调用者存）。

    任务归能管住这一批全部机构的那一级：同意的人管得到每一笔落在哪里。
    """
    before = review_of(batch)
    if before:
        work.cancel_check(IMPORT_CHECK, actor=actor, subject=(SUBJECT, batch.pk), on=on, reason="重新预检")
    number = int(before.get("number", 0)) + 1
    task_id = None
    institution_id = _place_of(batch, dossiers, workshop, actor)
    if batch.summary["ready"]:
        names = "、".join(item["name"] for item in batch.files)
        work.ensure_form(code=IMPORT_CHECK.form_code, schema=FORM, effective_from=on)
        task_id = work.ask_second_person(
            IMPORT_CHECK,
            actor=actor,
            on=on,
            subject=(SUBJECT, batch.pk),
            institution_id=institution_id,
            title=f"存量转入复核 第 {batch.pk} 批 {names}"[:120],
            reason="转入的送件与同意须两人办理",
            cause=f"review-{number}",
            by_operator=True,
            facts=report_facts(batch),
        )
        work.keep_evidence(
            actor=actor,
            task_id=task_id,
            content=_report_sheet(batch),
            name=f"预检报告-第{batch.pk}批-{number}.xlsx",
            media_type=XLSX,
        )
    batch.summary = batch.summary | {
        "review": {"number": number, "task_id": task_id, "institution_id": institution_id, "returned": ""}
    }
    return task_id


def _place_of(batch: ImportBatch, dossiers: Sequence[Dossier], workshop: Workshop, actor: Actor) -> int:
    """这一批落到的全部机构的最近的共同上级。"""
    known = workshop.choices.institutions
    places = {batch.institution_id} | {
        known[str(name)][0]
        for dossier in dossiers
        if not dossier.has_error and not dossier.is_skipped and (name := dossier.value("institution")) in known
    }
    if len(places) == 1:
        return batch.institution_id
    paths = [info.path for info in access.institution_tree(actor) if info.id in places]
    return int(commonpath(paths).rpartition("/")[2])


def _report_sheet(batch: ImportBatch) -> bytes:
    """预检报告：一处毛病一行，汇总在表头。"""
    summary = batch.summary
    notes = [
        f"借据 {summary['loans']} 笔：可转入 {summary['ready']}（其中存疑 {summary['doubts']}），有错误 {summary['errors']}，"
        f"不转入 {summary['skipped']}；找不到借据的行 {summary['orphans']}",
        f"文件：{'、'.join(item['name'] for item in batch.files)}　切换日：{batch.options['cutover_on']}　"
        f"币种：{batch.options['currency']}",
    ]
    stream = BytesIO()
    write_table(
        stream,
        columns=queries.PROBLEM_COLUMNS,
        rows=islice(queries.lines_of(batch), MOST_LINES),
        title=f"存量转入预检报告 第 {batch.pk} 批",
        notes=notes,
        sheet="预检报告",
    )
    return stream.getvalue()


def give_up(batch: ImportBatch, *, actor: Actor, on: date, reason: str) -> None:
    """作废一个还没转入的批次，撤销它的复核任务。"""
    work.cancel_check(IMPORT_CHECK, actor=actor, subject=(SUBJECT, batch.pk), on=on, reason=reason)
    close_batch(batch, BatchStatus.CANCELLED)


@operation("servicing.check_import", permission=AUTHORIZE)
def check_import(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核存量转入：同意则此后分批入账（另起后台）；退回则预检留着，更正后「重新预检」再送复核。

    有错误的整批不进，除非选了「只转入没有错误的」；有存疑的须认可。

    :raises NotPermitted: 复核人就是送件人（ORG-3）。
    :raises Conflict: 批次状态不对；有错误；有存疑未认可。
    """
    batch = locked_batch(actor, work.subject_to_check(IMPORT_CHECK, task_id=task_id))
    require_business_date(batch.institution_id, on)
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    if batch.status != BatchStatus.STAGED or batch.kind != PORTFOLIO:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，不能转入。",
            field="batch_id",
            value=batch.pk,
            fix="已转入的不必再做；已放弃的请重新送件。",
        )
    done = {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "task": closed["task_id"]}
    if outcome != work.APPROVED:
        batch.summary = batch.summary | {"review": review_of(batch) | {"returned": opinion}}
        batch.save(update_fields=["summary"])
        return done | {"status": str(batch.status)}
    chosen = {name: bool((data or {}).get(name)) for name in ("accept_doubts", "only_good")}
    _require_acceptable(batch, **chosen)
    batch.status, batch.committed_on, batch.committed_by_id = BatchStatus.COMMITTING, on, actor.person_id
    batch.options = batch.options | chosen
    batch.save(update_fields=["status", "committed_on", "committed_by_id", "options"])
    start_after_commit(actor, batch.pk, on)
    return done | {"status": str(batch.status), "audit": {"opinion": opinion, **chosen}}


def _require_acceptable(batch: ImportBatch, *, accept_doubts: bool, only_good: bool) -> None:
    summary = batch.summary
    wrong = summary["errors"] + summary["orphans"]
    if wrong and not only_good:
        raise Conflict(
            "BATCH_HAS_ERRORS",
            f"有 {summary['errors']} 笔借据、{summary['orphans']} 行不成立，整批没有转入。",
            field="only_good",
            value=wrong,
            fix="退回，按报告更正文件后重新送件；或选「只转入没有错误的」，其余留在报告里。",
        )
    if (summary["doubts"] or summary["skipped"] or summary.get("unknown_columns")) and not accept_doubts:
        raise Conflict(
            "BATCH_HAS_DOUBTS",
            f"有 {summary['doubts']} 笔存疑、{summary['skipped']} 笔不转入、{summary.get('unknown_columns', 0)} 列没有对上，须先认可。",
            field="accept_doubts",
            value=summary["doubts"],
            fix="看过报告后选「认可存疑」再转入。",
        )


@operation("servicing.resume_import", permission=AUTHORIZE)
def resume_import(*, actor: Actor, key: str, on: date, batch_id: int) -> dict[str, Any]:
    """接着做：上次断了的、有几笔没入成的，从断处接上（另起后台），不重不漏。

    :raises Conflict: 还没有人同意，或已经做完。
    """
    batch = locked_batch(actor, batch_id)
    require_business_date(batch.institution_id, on)
    if batch.status == BatchStatus.STAGED:
        raise Conflict(
            "IMPORT_NOT_APPROVED",
            f"第 {batch.pk} 批还没有人同意转入。",
            field="batch_id",
            value=batch_id,
            clause=IMPORT_CHECK.clause,
            fix="请由送件人以外的复核人在「存量转入复核」任务上同意。",
        )
    if batch.kind != PORTFOLIO or batch.status not in {
        BatchStatus.COMMITTING,
        BatchStatus.INCOMPLETE,
        BatchStatus.WITHDRAWING,
    }:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，没有要接着做的。",
            field="batch_id",
            value=batch_id,
            fix="已转入的不必再做；已放弃的请重新送件。",
        )
    if place := review_of(batch).get("institution_id"):
        access.require_institution(actor, place)
    if batch.status != BatchStatus.WITHDRAWING:
        ImportRow.objects.filter(batch=batch, role="loan", status=RowStatus.FAILED).update(status=RowStatus.READY)
        batch.status = BatchStatus.COMMITTING
        batch.save(update_fields=["status"])
    start_after_commit(actor, batch.pk, on)
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status)}
