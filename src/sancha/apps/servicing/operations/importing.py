"""存量转入与批量还款的写操作：送件预检、转入、对账、差异调整、撤回、自存版式、还款文件入账。

转入分批进行，每批一个事务，批内每笔要么整笔进来、要么一行也不进；杀掉重来，从没做完的那一批接上。整批都进来了，批次才是「已转入」。
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.ledger.mapping import resolve_accounts
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.parties import operations as parties
from sancha.apps.parties.masking import mask_id_number, mask_phone
from sancha.apps.servicing.books import difference, keyed, open_loan, write_movements
from sancha.apps.servicing.importing import reconciling, staging
from sancha.apps.servicing.importing.bulk import insert_rows
from sancha.apps.servicing.importing.dossier import Dossier, assemble
from sancha.apps.servicing.importing.layout import Layout, built_in, built_in_layout, read_layout
from sancha.apps.servicing.importing.problems import ERROR, Entry
from sancha.apps.servicing.importing.reading import ReadFile, SourceFile, digest_of, read_file, shift_entry
from sancha.apps.servicing.importing.staging import Progress, Workshop, quiet
from sancha.apps.servicing.importing.writing import Draft, facts_data, opening_lines, write_loans
from sancha.apps.servicing.mapping import booked_position, facts_of, terms_of
from sancha.apps.servicing.models import (
    BatchStatus,
    ImportBatch,
    ImportLayout,
    ImportRow,
    Loan,
    LoanFact,
    LoanState,
    LoanStatus,
    RowStatus,
)
from sancha.apps.servicing.operations.changes import adjust_loan
from sancha.apps.servicing.operations.repayment import post_repayment
from sancha.kernel.facts import FactKind
from sancha.kernel.positions import Key
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation, write_audit
from sancha.kit.rowset import rowset

PERMISSION = "servicing.import"
PORTFOLIO, REPAYMENTS = "PORTFOLIO", "REPAYMENTS"
CHUNK = 400
_LIVE = (BatchStatus.STAGED, BatchStatus.COMMITTING, BatchStatus.INCOMPLETE, BatchStatus.DONE)
_HIDDEN = {"id_number": mask_id_number, "phone": mask_phone, "address": lambda text: "****" if text else ""}


# --- 版式 ------------------------------------------------------------------------------


@operation("servicing.save_import_layout", permission=PERMISSION)
def save_import_layout(
    *, actor: Actor, key: str, on: date, institution_id: int, document: dict[str, Any]
) -> dict[str, Any]:
    """自存版式：同一代码再存就是新版本，旧版本不动；不能盖过随系统带的代码。

    :raises DomainError: 版式不成立。
    :raises Conflict: 代码是随系统带的，或属别的机构。
    """
    layout = read_layout(document)
    access.require_institution(actor, institution_id)
    if layout.code in built_in():
        raise Conflict(
            "LAYOUT_RESERVED",
            f"「{layout.code}」是随系统带的版式，不能改。",
            field="code",
            value=layout.code,
            fix="换一个代码另存。",
        )
    last = ImportLayout.objects.filter(code=layout.code).order_by("-version").first()
    if last is not None and last.institution_id != institution_id:
        raise Conflict(
            "LAYOUT_TAKEN",
            f"版式代码「{layout.code}」已被别的机构使用。",
            field="code",
            value=layout.code,
            fix="换一个代码。",
        )
    row = ImportLayout.objects.create(
        code=layout.code,
        version=last.version + 1 if last else 1,
        name=layout.name,
        institution_id=institution_id,
        document=layout.model_dump(mode="json"),
        saved_on=on,
        saved_by_id=actor.person_id,
    )
    return {"subject": f"import_layout:{row.pk}", "layout_id": row.pk, "code": row.code, "version": row.version}


def _layout(code: str, actor: Actor) -> Layout:
    if code in built_in():
        return built_in_layout(code)
    row = ImportLayout.objects.filter(access.in_scope(actor), code=code).order_by("-version").first()
    return read_layout(row.document) if row is not None else built_in_layout(code)


# --- 送件与预检 -------------------------------------------------------------------------


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
) -> dict[str, Any]:
    """送件预检：读文件、认列、逐行核对、试建每一笔，报告每一处毛病。账上什么也没有动。

    同样的文件（按内容认）已转入或正在转入的，直接返回那一批（``existing``）；只是预检过的，换了选择就作废旧的重来。

    :raises DomainError: 文件读不出、缺列、认不出；切换日晚于营业日；选择不成立。
    """
    _require_business_date(institution_id, on)
    access.require_institution(actor, institution_id)
    chosen = _layout(layout, actor)
    options = _options(chosen, on, product_id, cutover_on, currency, basis, shift_months, create_customers)
    if not files:
        raise DomainError("FILE_MISSING", "没有送文件。", field="files", fix="至少送一个借据文件。")
    digest = digest_of(files)
    if (found := _same_files(actor, digest, options, layout, institution_id)) is not None:
        return {
            "subject": f"import:{found.pk}",
            "batch_id": found.pk,
            "existing": True,
            "status": found.status,
            **found.summary,
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
        options=options,
        files=[_described(item) for item in read],
        digest=digest,
        staged_on=on,
        staged_at=now(),
        staged_by_id=actor.person_id,
    )
    entries = [entry for item in read for entry in item.entries]
    for entry in entries:
        shift_entry(entry, shift_months)
    workshop = _workshop(batch, chosen, actor, on)
    dossiers, _, summary = staging.examine(entries, workshop, try_customers=_trial(actor, on))
    _store_rows(batch, entries, dossiers)
    batch.summary = summary | {
        "assumptions": list(chosen.assumptions),
        "unknown_columns": sum(len(item.header_problems) for item in read),
    }
    batch.save(update_fields=["summary"])
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "existing": False,
        "status": str(batch.status),
        **batch.summary,
        "audit": {"digest": digest},
    }


@operation("servicing.recheck_import", permission=PERMISSION)
def recheck_import(*, actor: Actor, key: str, on: date, batch_id: int) -> dict[str, Any]:
    """重新预检：客户、产品、机构补建之后，或营业日变了，不必重新送件。

    :raises Conflict: 批次已在转入。
    """
    batch = _locked(actor, batch_id)
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
    workshop = _workshop(batch, layout, actor, on)
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
    batch.save(update_fields=["summary"])
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status), **batch.summary}


@operation("servicing.cancel_import", permission=PERMISSION)
def cancel_import(*, actor: Actor, key: str, batch_id: int, reason: str = "") -> dict[str, Any]:
    """放弃一个还没转入的批次。账上没有动过，无须撤回。

    :raises Conflict: 已经开始转入（应当继续，或撤回）。
    """
    batch = _locked(actor, batch_id)
    if batch.status != BatchStatus.STAGED:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，不能放弃。",
            field="batch_id",
            value=batch_id,
            fix="已开始转入的，请继续做完，或用「撤回」。",
        )
    _close(batch, BatchStatus.CANCELLED)
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


def _described(item: ReadFile) -> dict[str, Any]:
    return {
        "name": item.source.name,
        "role": item.role,
        "sha256": item.sha256,
        "bytes": len(item.source.content),
        "rows": len(item.entries),
        "header_row": item.header_row,
        "problems": [problem.as_dict() for problem in item.header_problems],
    }


def _same_files(
    actor: Actor, digest: str, options: dict[str, Any], layout: str, institution_id: int
) -> ImportBatch | None:
    for batch in (
        ImportBatch.objects.select_for_update()
        .filter(access.in_scope(actor), digest=digest, kind=PORTFOLIO, status__in=_LIVE)
        .order_by("-pk")
    ):
        same = batch.options == options and batch.layout_code == layout and batch.institution_id == institution_id
        if batch.status != BatchStatus.STAGED or same:
            return batch
        _close(batch, BatchStatus.CANCELLED)
    return None


def _close(batch: ImportBatch, status: str) -> None:
    """批次了结：证件号、电话不留在转入行上（客户档案里有）。"""
    batch.status, batch.finished_at = status, now()
    batch.save(update_fields=["status", "finished_at"])
    hidden = []
    for pk, cells in batch.rows.filter(role__in=("loan", "customer")).values_list("pk", "cells"):
        if any(cells.get(name) for name in _HIDDEN):
            hidden.append(
                (pk, {name: _HIDDEN[name](text) if name in _HIDDEN else text for name, text in cells.items()})
            )
    for start in range(0, len(hidden), 2000):
        source = rowset("n", {"pk": "bigint", "cells": "jsonb"}, hidden[start : start + 2000])
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {ImportRow._meta.db_table} SET cells = n.cells FROM {source.sql} WHERE id = n.pk",
                source.params,
            )


def _workshop(batch: ImportBatch, layout: Layout, actor: Actor, on: date) -> Workshop:
    officers = any(column.field == "officer" for column in layout.file_for("loan").columns)
    return staging.open_workshop(
        layout=layout,
        options=batch.options,
        institution_id=batch.institution_id,
        actor=actor,
        business_date=on,
        officers=officers,
    )


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


# --- 转入 ------------------------------------------------------------------------------


@operation("servicing.begin_import", permission=PERMISSION)
def begin_import(
    *, actor: Actor, key: str, on: date, batch_id: int, accept_doubts: bool = False, only_good: bool = False
) -> dict[str, Any]:
    """同意转入：有错误的整批不进，除非选了「只转入没有错误的」；有存疑的须认可。此后由 :func:`commit_import` 分批做。

    :raises Conflict: 批次状态不对；有错误；有存疑未认可；没有可转入的。
    """
    _require_business_date(_batch(actor, batch_id).institution_id, on)
    batch = _locked(actor, batch_id)
    if batch.status in {BatchStatus.COMMITTING, BatchStatus.INCOMPLETE}:
        ImportRow.objects.filter(batch=batch, role="loan", status=RowStatus.FAILED).update(status=RowStatus.READY)
        batch.status = BatchStatus.COMMITTING
        batch.save(update_fields=["status"])
        return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status), "resumed": True}
    if batch.status != BatchStatus.STAGED or batch.kind != PORTFOLIO:
        raise Conflict(
            "BATCH_NOT_STAGED",
            f"批次是「{batch.get_status_display()}」，不能转入。",
            field="batch_id",
            value=batch_id,
            fix="已转入的不必再做；已放弃的请重新送件。",
        )
    summary = batch.summary
    wrong = summary["errors"] + summary["orphans"]
    if wrong and not only_good:
        raise Conflict(
            "BATCH_HAS_ERRORS",
            f"有 {summary['errors']} 笔借据、{summary['orphans']} 行不成立，整批没有转入。",
            field="batch_id",
            value=batch_id,
            fix="按报告更正文件后重新送件；或选「只转入没有错误的」，其余留在报告里。",
        )
    if (summary["doubts"] or summary["skipped"] or summary.get("unknown_columns")) and not accept_doubts:
        raise Conflict(
            "BATCH_HAS_DOUBTS",
            f"有 {summary['doubts']} 笔存疑、{summary['skipped']} 笔不转入、{summary.get('unknown_columns', 0)} 列没有对上，须先认可。",
            field="accept_doubts",
            value=summary["doubts"],
            fix="看过报告后勾选「认可存疑」再转入。",
        )
    if not summary["ready"]:
        raise Conflict(
            "NOTHING_TO_IMPORT",
            "没有可转入的借据。",
            field="batch_id",
            value=batch_id,
            fix="看报告里各行不转入的原因。",
        )
    batch.status, batch.committed_on, batch.committed_by_id = BatchStatus.COMMITTING, on, actor.person_id
    batch.options = batch.options | {"accept_doubts": accept_doubts, "only_good": only_good}
    batch.save(update_fields=["status", "committed_on", "committed_by_id", "options"])
    return {"subject": f"import:{batch.pk}", "batch_id": batch.pk, "status": str(batch.status), "resumed": False}


def commit_import(
    *,
    actor: Actor,
    key: str,
    on: date,
    batch_id: int,
    accept_doubts: bool = False,
    only_good: bool = False,
    progress: Progress = quiet,
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """转入：先同意（:func:`begin_import`），再一批一批入账，末了对账。中途被杀，同样再调一次就从断处接上，不重不漏。

    :raises DomainError: 见 :func:`begin_import`。
    """
    if _batch(actor, batch_id).status != BatchStatus.DONE:
        begin_import(actor=actor, key=key, on=on, batch_id=batch_id, accept_doubts=accept_doubts, only_good=only_good)
        _run(actor=actor, on=on, batch_id=batch_id, progress=progress, chunk=chunk)
    return _report(_batch(actor, batch_id))


commit_import.permission = PERMISSION  # type: ignore[attr-defined]  # read by the permission sweep test
commit_import.operation_name = "servicing.commit_import"  # type: ignore[attr-defined]


def _run(*, actor: Actor, on: date, batch_id: int, progress: Progress, chunk: int) -> None:
    batch = _batch(actor, batch_id)
    workshop = _workshop(batch, read_layout(batch.layout), actor, on)
    waiting_rows = ImportRow.objects.filter(batch_id=batch_id, role="loan", status=RowStatus.READY)
    total, done = waiting_rows.count(), 0
    while ids := list(waiting_rows.order_by("pk").values_list("pk", flat=True)[:chunk]):
        try:
            _commit_chunk(batch_id, ids, workshop, actor)
        except Conflict as error:
            if error.code != "NOT_BUSINESS_DATE":
                raise
            raise Conflict(error.code, error.message, field=error.field, value=error.value, fix=error.fix) from error
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
        loans = write_loans(drafts, layout=workshop.layout, actor=actor, business_date=business_date)
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
    open_differences = _reconcile(batch_id, progress)
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
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
            _close(batch, BatchStatus.DONE)
        write_audit(
            actor=actor,
            operation="servicing.finish_import",
            subject=f"import:{batch_id}",
            data={"status": str(batch.status), **{name: batch.summary[name] for name in ("imported", "failed")}},
        )


def _report(batch: ImportBatch) -> dict[str, Any]:
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        "status_name": batch.get_status_display(),
        "differences_open": batch.differences_open,
        **batch.summary,
    }


# --- 对账与差异 -------------------------------------------------------------------------


def _reconcile(batch_id: int, progress: Progress) -> int:
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
    batch = _locked(actor, batch_id)
    if batch.status not in {BatchStatus.DONE, BatchStatus.INCOMPLETE}:
        raise Conflict(
            "BATCH_NOT_DONE",
            f"批次是「{batch.get_status_display()}」，没有可对的账。",
            field="batch_id",
            value=batch_id,
            fix="转入之后再对账。",
        )
    batch.differences_open = _reconcile(batch_id, quiet)
    batch.save(update_fields=["differences_open"])
    return _report(batch)


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
    result = adjust_loan(
        actor=actor,
        key=f"{key}:adjust",
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


# --- 撤回 ------------------------------------------------------------------------------


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
    batch = _locked(actor, batch_id)
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
        batch = _locked(actor, batch_id)
        ImportRow.objects.filter(batch_id=batch_id, status=RowStatus.IMPORTED).update(status=RowStatus.WITHDRAWN)
        batch.differences_open = None
        batch.save(update_fields=["differences_open"])
        _close(batch, BatchStatus.WITHDRAWN)
        write_audit(
            actor=actor,
            operation="servicing.finish_import_withdrawal",
            subject=f"import:{batch_id}",
            data={"loans": total},
        )
    return _report(batch)


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


# --- 批量还款 ---------------------------------------------------------------------------


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
    batch = _batch(actor, batch_id)
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
        batch = _locked(actor, batch_id)
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
    return _report(batch) | {"existing": staged["existing"], "rows": _row_results(batch_id)}


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
    _require_business_date(institution_id, on)
    access.require_institution(actor, institution_id)
    digest = digest_of([file])
    found = (
        ImportBatch.objects.filter(access.in_scope(actor), digest=digest, kind=REPAYMENTS)
        .exclude(status=BatchStatus.CANCELLED)
        .first()
    )
    if found is not None:
        return {"subject": f"import:{found.pk}", "batch_id": found.pk, "existing": True}
    chosen = _layout(layout, actor)
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
        files=[_described(read)],
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


# --- 取批次 ----------------------------------------------------------------------------


def _batch(actor: Actor, batch_id: int) -> ImportBatch:
    batch = ImportBatch.objects.filter(access.in_scope(actor), pk=batch_id).first()
    if batch is None:
        raise NotFound(
            "BATCH_NOT_FOUND",
            f"没有编号为 {batch_id} 的批次，或不在您的机构范围内。",
            field="batch_id",
            value=batch_id,
            fix="请从批次列表选择。",
        )
    return batch


def _locked(actor: Actor, batch_id: int) -> ImportBatch:
    _batch(actor, batch_id)
    return ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)


def _require_business_date(institution_id: int, on: date) -> None:
    today = businessday.business_date(institution_id=institution_id)
    if on != today:
        raise Conflict(
            "NOT_BUSINESS_DATE",
            f"当前营业日是 {today}，不能记在 {on}。",
            field="on",
            value=on,
            fix="请按当前营业日办理；过去的日子用起息日与切换日表示。",
        )
