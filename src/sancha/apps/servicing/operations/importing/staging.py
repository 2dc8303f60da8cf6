"""送件预检、重新预检、放弃。账上什么也不动。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from django.db import connection, transaction

from sancha.apps.access import queries as access
from sancha.apps.parties import operations as parties
from sancha.apps.servicing.importing import staging
from sancha.apps.servicing.importing.bulk import insert_rows
from sancha.apps.servicing.importing.dossier import Dossier
from sancha.apps.servicing.importing.layout import Layout, read_layout
from sancha.apps.servicing.importing.problems import Entry
from sancha.apps.servicing.importing.reading import SourceFile, digest_of, read_file, shift_entry
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportRow,
)
from sancha.apps.servicing.operations.importing.batches import (
    PERMISSION,
    PORTFOLIO,
    described,
    layout_called,
    locked_batch,
    require_business_date,
    workshop_for,
)
from sancha.apps.servicing.operations.importing.checks import review_of
from sancha.apps.servicing.operations.importing.reviewing import ask_for_review, give_up
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation
from sancha.kit.rowset import rowset

_LIVE = (BatchStatus.STAGED, BatchStatus.COMMITTING, BatchStatus.INCOMPLETE, BatchStatus.DONE)


@operation("servicing.stage_import", permission=PERMISSION)
def stage_import(
    *,
    actor: Actor,
    key: str,
    on: date,
    files: Sequence[SourceFile],
    layout: str,
    institution_id: int,
    product_id: int | None = None,
    cutover_on: date | None = None,
    currency: str = "",
    basis: str = "AUTO",
    shift_months: int = 0,
    create_customers: bool = True,
    os_user: str = "",
) -> dict[str, Any]:
    """送件预检：读文件、认列、逐行核对、试建每一笔，报告每一处毛病。账上什么也没有动。

    有可转入的，开出复核任务（:data:`IMPORT_CHECK`），预检报告是它的证据：同意转入的须是另一人。
    ``os_user`` 是命令行上的操作系统用户，进审计。
    同样的文件（按内容认）已转入或正在转入的，直接返回那一批（``existing``）；只是预检过的，换了选择就作废旧的重来。

    :raises DomainError: 文件读不出、缺列、认不出；切换日晚于营业日；选择不成立。
    """
    require_business_date(institution_id, on)
    access.require_institution(actor, institution_id)
    chosen = layout_called(layout, actor)
    options = _options(chosen, on, product_id, cutover_on, currency, basis, shift_months, create_customers)
    if not files:
        raise DomainError("FILE_MISSING", "没有送文件。", field="files", fix="至少送一个借据文件。")
    digest = digest_of(files)
    if (found := _same_files(actor, on, digest, options, layout, institution_id)) is not None:
        return {
            "subject": f"import:{found.pk}",
            "batch_id": found.pk,
            "existing": True,
            "status": found.status,
            **found.summary,
            "task_id": review_of(found).get("task_id"),
        }
    read = [read_file(source, chosen, number) for number, source in enumerate(files, start=1)]
    if not any(item.role == "loan" for item in read):
        raise DomainError(
            "LOAN_FILE_MISSING",
            "送来的文件里没有借据文件。",
            field="files",
            fix="计划、还款、客户文件要与借据文件一起送；只补还款请用「批量还款」。",
        )
    batch = ImportBatch.objects.create(
        kind=PORTFOLIO,
        institution_id=institution_id,
        layout_code=layout,
        layout=chosen.model_dump(mode="json"),
        options=options | {"scope": actor.institution_path},
        files=[described(item) for item in read],
        digest=digest,
        staged_on=on,
        staged_at=now(),
        staged_by_id=actor.person_id,
    )
    entries = [entry for item in read for entry in item.entries]
    for entry in entries:
        shift_entry(entry, shift_months)
    workshop = workshop_for(batch, chosen, actor, on)
    dossiers, _, summary = staging.examine(entries, workshop, try_customers=_trial(actor, on))
    _store_rows(batch, entries, dossiers)
    batch.summary = summary | {
        "assumptions": list(chosen.assumptions),
        "unknown_columns": sum(len(item.header_problems) for item in read),
        "os_user": os_user,
    }
    task_id = ask_for_review(batch, dossiers, workshop, actor=actor, on=on)
    batch.save(update_fields=["summary"])
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "existing": False,
        "status": str(batch.status),
        **batch.summary,
        "task_id": task_id,
        "audit": {"digest": digest} | ({"os_user": os_user} if os_user else {}),
    }


@operation("servicing.recheck_import", permission=PERMISSION)
def recheck_import(*, actor: Actor, key: str, on: date, batch_id: int) -> dict[str, Any]:
    """重新预检：客户、产品、机构补建之后，营业日变了，或复核退回之后，不必重新送件。复核任务随之换一条。

    :raises Conflict: 批次已在转入。
    """
    batch = locked_batch(actor, batch_id)
    if batch.status != BatchStatus.STAGED:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，不能重新预检。",
            field="batch_id",
            value=batch_id,
            fix="只有预检过、还没转入的批次可以。",
        )
    layout = read_layout(batch.layout)
    entries = staging.entries_of(batch.rows.order_by("pk"), layout, int(batch.options["shift_months"]))
    workshop = workshop_for(batch, layout, actor, on)
    dossiers, _, summary = staging.examine(entries, workshop, try_customers=_trial(actor, on))
    owners = {id(dossier.loan): dossier for dossier in dossiers}
    _update_rows(
        [
            (
                entry.row_id,
                staging.status_of(entry, owners.get(id(entry))),
                [problem.as_dict() for problem in entry.problems],
            )
            for entry in entries
        ]
    )
    batch.summary = batch.summary | summary
    task_id = ask_for_review(batch, dossiers, workshop, actor=actor, on=on)
    batch.save(update_fields=["summary"])
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        **batch.summary,
        "task_id": task_id,
    }


@operation("servicing.cancel_import", permission=PERMISSION)
def cancel_import(*, actor: Actor, key: str, on: date, batch_id: int, reason: str = "") -> dict[str, Any]:
    """放弃一个还没转入的批次。账上没有动过，无须撤回。

    :raises Conflict: 已经开始转入（应当继续，或撤回）。
    """
    batch = locked_batch(actor, batch_id)
    if batch.status != BatchStatus.STAGED:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，不能放弃。",
            field="batch_id",
            value=batch_id,
            fix="已开始转入的，请继续做完，或用「撤回」。",
        )
    give_up(batch, actor=actor, on=on, reason=reason or "放弃")
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        "audit": {"reason": reason},
    }


def _options(
    layout: Layout,
    on: date,
    product_id: int | None,
    cutover_on: date | None,
    currency: str,
    basis: str,
    shift_months: int,
    create_customers: bool,
) -> dict[str, Any]:
    code = (currency or layout.currency).strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise DomainError(
            "CURRENCY_WRONG",
            f"币种「{currency}」不是三位字母代码。",
            field="currency",
            value=currency,
            clause="ISO 4217",
            fix="如 CNY、USD。",
        )
    if basis not in {"AUTO", "HISTORY", "BALANCE"}:
        raise DomainError(
            "BASIS_UNKNOWN",
            f"转入依据「{basis}」不存在。",
            field="basis",
            value=basis,
            fix="HISTORY 照历史，BALANCE 只按余额，AUTO 逐笔判断。",
        )
    if cutover_on is not None and cutover_on > on:
        raise DomainError(
            "CUTOVER_IN_FUTURE",
            f"切换日 {cutover_on} 晚于营业日 {on}。",
            field="cutover_on",
            value=cutover_on,
            fix="切换日不能晚于营业日。",
        )
    if abs(shift_months) > 600:
        raise DomainError(
            "SHIFT_TOO_FAR",
            "日期平移不能超过 50 年。",
            field="shift_months",
            value=shift_months,
            fix="平移只供用旧数据演示。",
        )
    return {
        "product_id": product_id,
        "cutover_on": (cutover_on or on).isoformat(),
        "currency": code,
        "basis": basis,
        "shift_months": shift_months,
        "create_customers": create_customers,
    }


def _same_files(
    actor: Actor, on: date, digest: str, options: dict[str, Any], layout: str, institution_id: int
) -> ImportBatch | None:
    for batch in (
        ImportBatch.objects.select_for_update()
        .filter(access.in_scope(actor), digest=digest, kind=PORTFOLIO, status__in=_LIVE)
        .order_by("-pk")
    ):
        same = (
            batch.options | options == batch.options
            and batch.layout_code == layout
            and batch.institution_id == institution_id
        )
        if batch.status != BatchStatus.STAGED or same:
            return batch
        give_up(batch, actor=actor, on=on, reason="换了选择，重新送件")
    return None


def _trial(actor: Actor, on: date) -> Callable[[Sequence[dict[str, Any]]], list[Any]]:
    def attempt(rows: Sequence[dict[str, Any]]) -> list[Any]:
        # Registered for real and taken back: only so do clashes with people already on file show before the commit.
        with transaction.atomic():
            outcomes = parties.add_parties(actor=actor, on=on, rows=rows)
            transaction.set_rollback(True)
        return outcomes

    return attempt


def _store_rows(batch: ImportBatch, entries: Sequence[Entry], dossiers: Sequence[Dossier]) -> None:
    owners = {id(dossier.loan): dossier for dossier in dossiers}
    insert_rows(
        ImportRow,
        [
            {
                "batch_id": batch.pk,
                "role": entry.role,
                "file_no": entry.file_no,
                "number": entry.number,
                "ref": entry.ref[:80],
                "serial": entry.serial[:80],
                "cells": entry.cells,
                "status": staging.status_of(entry, owners.get(id(entry))),
                "problems": [problem.as_dict() for problem in entry.problems],
                "doubtful": bool(entry.problems),
            }
            for entry in entries
        ],
    )


def _update_rows(rows: Sequence[tuple[int, str, list[dict[str, str]]]]) -> None:
    for start in range(0, len(rows), 2000):
        part = [[pk, status, problems, bool(problems)] for pk, status, problems in rows[start : start + 2000]]
        source = rowset("n", {"pk": "bigint", "status": "text", "problems": "jsonb", "doubtful": "boolean"}, part)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {ImportRow._meta.db_table} SET status = n.status, problems = n.problems, doubtful = n.doubtful "
                f"FROM {source.sql} WHERE id = n.pk",
                source.params,
            )
