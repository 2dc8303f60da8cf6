"""转入的查询：版式、批次、批次里的毛病（分页与下载）、对账差异。语句数固定，与行数无关。"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing.layout import FIELDS, ROLE_NAMES, Layout, built_in, read_layout
from sancha.apps.servicing.importing.problems import RULE_NAMES, SEVERITY_NAMES
from sancha.apps.servicing.importing.reconciling import COUNTED
from sancha.apps.servicing.models import ImportBatch, ImportLayout, ImportRow, RowStatus
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate
from sancha.kit.spreadsheets import Column, Kind

PERMISSION = "imports.view"
KIND_NAMES = {"PORTFOLIO": "存量转入", "REPAYMENTS": "批量还款"}

PROBLEM_COLUMNS = (
    Column("file", "文件"),
    Column("row", "行号", Kind.INTEGER),
    Column("role", "类别"),
    Column("ref", "借据号"),
    Column("severity", "轻重"),
    Column("rule", "规则"),
    Column("field", "栏目"),
    Column("value", "值"),
    Column("message", "说明", width=60),
    Column("fix", "怎么改", width=50),
    Column("status", "这一行"),
)
DIFFERENCE_COLUMNS = (
    Column("ref", "外部编号"),
    Column("number", "借据号"),
    Column("name", "成分"),
    Column("file", "文件"),
    Column("book", "账上"),
    Column("difference", "差异"),
    Column("settled", "处理"),
)


@dataclass(frozen=True, slots=True)
class LayoutInfo:
    """版式一览行。``unsure`` 不空的，用前先试读。"""

    code: str
    name: str
    source: str
    unsure: str
    currency: str
    version: int
    built_in: bool
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """批次一览行。"""

    id: int
    kind: str
    kind_name: str
    status: str
    status_name: str
    layout_code: str
    institution_id: int
    institution_name: str
    files: tuple[str, ...]
    staged_on: date
    staged_by: str
    committed_on: date | None
    committed_by: str
    finished_at: datetime | None
    summary: Mapping[str, Any]
    differences_open: int | None


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """批次一档：一览、选择、文件、假定、各类毛病几处、各状态几行。"""

    row: BatchRow
    options: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]
    assumptions: tuple[str, ...]
    rules: tuple[tuple[str, str, str, int], ...]  # （轻重, 规则代码, 规则名, 处数）
    statuses: Mapping[str, Mapping[str, int]]  # 类别 → 状态 → 行数
    progress: tuple[int, int]  # 已入账、应入账
    task_id: int | None  # 未办的（或最近一次的）复核任务
    returned: str  # 复核退回的意见
    withdrawal_task_id: int | None  # 未办的撤回复核


def layouts(*, actor: Actor) -> list[LayoutInfo]:
    """可用的版式：随系统带的，加上本机构范围里自存的（最新一版）。"""
    actor.require(PERMISSION)
    found = [_layout_info(layout, version=1, own=False) for layout in built_in().values()]
    latest: dict[str, ImportLayout] = {}
    for row in ImportLayout.objects.filter(access.in_scope(actor)).order_by("code", "version"):
        latest[row.code] = row
    return found + [_layout_info(read_layout(row.document), version=row.version, own=True) for row in latest.values()]


def layout_document(*, actor: Actor, code: str) -> dict[str, Any]:
    """版式全文，供改成自己的版式。

    :raises NotFound: 没有。
    """
    actor.require(PERMISSION)
    if code in built_in():
        return built_in()[code].model_dump(mode="json")
    row = ImportLayout.objects.filter(access.in_scope(actor), code=code).order_by("-version").first()
    if row is None:
        raise NotFound(
            "LAYOUT_NOT_FOUND", f"没有代码为「{code}」的版式。", field="layout", value=code, fix="从版式列表选择。"
        )
    return dict(row.document)


def fields(role: str) -> list[tuple[str, str, str]]:
    """某种文件可以对上的栏目：（字段, 中文名, 缺省类型），供对列的界面用。"""
    return [(name, title, kind) for name, (title, kind) in FIELDS[role].items()]


def _layout_info(layout: Layout, *, version: int, own: bool) -> LayoutInfo:
    return LayoutInfo(
        layout.code,
        layout.name,
        layout.source,
        layout.unsure,
        layout.currency,
        version,
        not own,
        tuple(ROLE_NAMES[rule.role] for rule in layout.files),
    )


def list_batches(*, actor: Actor, kind: str = "", page: int = 1, size: int = 20) -> Page[BatchRow]:
    """批次列表，新的在前。"""
    actor.require(PERMISSION)
    rows = (
        ImportBatch.objects.filter(access.in_scope(actor)).select_related("institution").defer("layout").order_by("-pk")
    )
    if kind:
        rows = rows.filter(kind=kind)
    found = paginate(rows, page=page, size=size, to_row=lambda batch: batch)
    names = access.names_of(pk for batch in found.rows for pk in (batch.staged_by_id, batch.committed_by_id))
    return Page([_batch_row(batch, names) for batch in found.rows], found.total, found.number, found.size)


def batch_detail(*, actor: Actor, batch_id: int) -> BatchDetail:
    """批次一档。

    :raises NotFound: 没有，或不在范围。
    """
    batch = _batch(actor, batch_id)
    names = access.names_of([batch.staged_by_id, batch.committed_by_id])
    statuses: dict[str, dict[str, int]] = {}
    for role, status, count in (
        ImportRow.objects.filter(batch=batch)
        .values_list("role", "status")
        .annotate(count=Count("pk"))
        .order_by("role", "status")
    ):
        statuses.setdefault(role, {})[status] = count
    loans = statuses.get("loan" if batch.kind == "PORTFOLIO" else "payment", {})
    review, withdrawal = batch.summary.get("review", {}), batch.summary.get("withdrawal", {})
    rules = []
    for mark, count in batch.summary.get("problems", {}).items():
        severity, _, code = mark.partition(":")
        rules.append((SEVERITY_NAMES[severity], code, RULE_NAMES.get(code, code), count))
    return BatchDetail(
        row=_batch_row(batch, names),
        options=batch.options,
        files=tuple(item | {"role_name": ROLE_NAMES.get(item["role"], item["role"])} for item in batch.files),
        assumptions=tuple(batch.summary.get("assumptions", ())),
        rules=tuple(rules),
        statuses=statuses,
        progress=(
            loans.get(RowStatus.IMPORTED, 0),
            loans.get(RowStatus.IMPORTED, 0) + loans.get(RowStatus.READY, 0) + loans.get(RowStatus.FAILED, 0),
        ),
        task_id=review.get("task_id"),
        returned=review.get("returned", ""),
        withdrawal_task_id=withdrawal.get("task_id"),
    )


def batch_problems(
    *, actor: Actor, batch_id: int, code: str = "", severity: str = "", role: str = "", page: int = 1, size: int = 50
) -> Page[dict[str, Any]]:
    """有毛病的行，按文件与行号；可按规则、轻重、类别筛。一行多处毛病的，处处列出。"""
    batch = _batch(actor, batch_id)
    files = _file_names(batch)
    return paginate(
        _doubtful(batch, code, severity, role), page=page, size=size, to_row=lambda row: _problem_row(row, batch, files)
    )


def problem_lines(*, actor: Actor, batch_id: int) -> Iterator[dict[str, Any]]:
    """下载用：一处毛病一行（``PROBLEM_COLUMNS``），表头的毛病在前。"""
    yield from lines_of(_batch(actor, batch_id))


def lines_of(batch: ImportBatch) -> Iterator[dict[str, Any]]:
    """一批的毛病，一处一行，表头的在前。"""
    files = _file_names(batch)
    for item in batch.files:
        for problem in item["problems"]:
            yield _line(item["name"], item["header_row"], ROLE_NAMES.get(item["role"], ""), "", problem, "表头")
    for row in _doubtful(batch, "", "", "").iterator(chunk_size=2000):
        for problem in row.problems:
            yield _line(
                files.get(row.file_no, ""), row.number, ROLE_NAMES[row.role], row.ref, problem, _status_name(row, batch)
            )


def differences(
    *, actor: Actor, batch_id: int, page: int = 1, size: int = 50, only_open: bool = False
) -> Page[dict[str, Any]]:
    """对账差异，每页按借据；``differences`` 里各成分的文件数、账上数、差异与处理。``only_open`` 只列还有没处理的。"""
    rows = _with_differences(_batch(actor, batch_id))
    if only_open:
        rows = rows.filter(result__open__gt=0)
    found = paginate(rows, page=page, size=size, to_row=lambda row: row)
    numbers = _numbers(row.loan_id for row in found.rows)
    return Page([_difference_row(row, numbers) for row in found.rows], found.total, found.number, found.size)


def difference_lines(*, actor: Actor, batch_id: int) -> Iterator[dict[str, Any]]:
    """下载用：一处差异一行（``DIFFERENCE_COLUMNS``）。金额为元，天数、分类照写。"""
    rows = list(_with_differences(_batch(actor, batch_id)).only("pk", "ref", "number", "loan_id", "result"))
    for start in range(0, len(rows), 900):
        part = rows[start : start + 900]
        numbers = _numbers(row.loan_id for row in part)
        for row in part:
            for item in row.result["differences"]:
                money = item["component"] not in COUNTED
                yield {
                    "ref": row.ref,
                    "number": numbers.get(row.loan_id or 0, ""),
                    "name": item["name"],
                    "settled": handling(item),
                    **{
                        side: format_yuan(item[side]) if money else str(item[side])
                        for side in ("file", "book", "difference")
                    },
                }


def difference_row(*, actor: Actor, row_id: int) -> dict[str, Any]:
    """一笔的差异：文件、行号、原文、各成分。

    :raises NotFound: 没有，或不在范围。
    """
    actor.require(PERMISSION)
    row = ImportRow.objects.filter(access.in_scope(actor, "batch__institution"), pk=row_id, role="loan").first()
    if row is None:
        raise NotFound(
            "DIFFERENCE_NOT_FOUND",
            "没有这一行，或不在您的机构范围内。",
            field="row_id",
            value=row_id,
            fix="请从对账表上选择。",
        )
    batch = _batch(actor, row.batch_id)
    columns = FIELDS[row.role]
    return _difference_row(row, _numbers([row.loan_id])) | {
        "batch_id": row.batch_id,
        "file": _file_names(batch).get(row.file_no, ""),
        "as_of": row.result.get("as_of", ""),
        "basis": row.result.get("basis", ""),
        "cells": [(columns[name][0] if name in columns else name, text) for name, text in row.cells.items()],
    }


def handling(item: Mapping[str, Any]) -> str:
    """一处差异处理到哪一步。"""
    if item.get("settled_seq"):
        return f"已调整（事实 {item['settled_seq']}）"
    proposal = item.get("proposal", {})
    if proposal.get("task_id"):
        return "等待复核"
    return f"退回：{proposal['returned']}" if proposal.get("returned") else "未处理"


def batch_rows(*, actor: Actor, batch_id: int, status: str = "", page: int = 1, size: int = 50) -> Page[dict[str, Any]]:
    """还款文件的各行与结果：行号、借据、金额、状态、分到哪里。``status`` 空为全部。"""
    batch = _batch(actor, batch_id)
    rows = ImportRow.objects.filter(batch=batch, role="payment").order_by("file_no", "number", "pk")
    if status:
        rows = rows.filter(status=status)
    found = paginate(rows, page=page, size=size, to_row=lambda row: row)
    numbers = _numbers(row.loan_id for row in found.rows)
    shown = [
        {
            "row_id": row.pk,
            "row": row.number,
            "ref": row.ref,
            "serial": row.serial,
            "loan_id": row.loan_id,
            "number": numbers.get(row.loan_id or 0, ""),
            "amount": row.cells.get("amount_fen", ""),
            "value_on": row.cells.get("value_on", ""),
            "status": row.status,
            "status_name": _status_name(row, batch),
            "allocated": row.result.get("allocated", {}),
            "voucher_id": row.result.get("voucher_id"),
            "problems": [problem["message"] for problem in row.problems],
        }
        for row in found.rows
    ]
    return Page(shown, found.total, found.number, found.size)


def _with_differences(batch: ImportBatch) -> Any:
    return ImportRow.objects.filter(batch=batch, role="loan", result__differences__0__isnull=False).order_by(
        "file_no", "number", "pk"
    )


def _difference_row(row: ImportRow, numbers: Mapping[int, str]) -> dict[str, Any]:
    return {
        "row_id": row.pk,
        "row": row.number,
        "ref": row.ref,
        "loan_id": row.loan_id,
        "number": numbers.get(row.loan_id or 0, ""),
        "differences": row.result.get("differences", []),
    }


def _numbers(loan_ids: Any) -> dict[int, str]:
    from sancha.apps.servicing.models import Loan

    return dict(Loan.objects.filter(pk__in=[pk for pk in loan_ids if pk is not None]).values_list("pk", "number"))


def _doubtful(batch: ImportBatch, code: str, severity: str, role: str) -> Any:
    rows = ImportRow.objects.filter(batch=batch, doubtful=True)
    if role:
        rows = rows.filter(role=role)
    # The list of problems is JSON text; a quoted code cannot be part of another one.
    for name, text in (("code", code), ("severity", severity)):
        if text:
            rows = rows.filter(Q(**{"problems__icontains": f'"{name}": "{text}"'}))
    return rows.order_by("file_no", "number", "pk")


def _problem_row(row: ImportRow, batch: ImportBatch, files: Mapping[int, str]) -> dict[str, Any]:
    return {
        "row_id": row.pk,
        "file": files.get(row.file_no, ""),
        "row": row.number,
        "role": ROLE_NAMES[row.role],
        "ref": row.ref,
        "status": row.status,
        "status_name": _status_name(row, batch),
        "loan_id": row.loan_id,
        "problems": [
            problem
            | {
                "severity_name": SEVERITY_NAMES[problem["severity"]],
                "rule": RULE_NAMES.get(problem["code"], problem["code"]),
            }
            for problem in row.problems
        ],
    }


def _in_kind(name: str, batch: ImportBatch) -> str:
    """还款文件说入账，不说转入。"""
    return name if batch.kind == "PORTFOLIO" else name.replace("转入", "入账")


def _status_name(row: ImportRow, batch: ImportBatch) -> str:
    return _in_kind(str(row.get_status_display()), batch)


def _line(file: str, number: int, role: str, ref: str, problem: Mapping[str, str], status: str) -> dict[str, Any]:
    return {
        "file": file,
        "row": number,
        "role": role,
        "ref": ref,
        "severity": SEVERITY_NAMES[problem["severity"]],
        "rule": RULE_NAMES.get(problem["code"], problem["code"]),
        "field": problem["field"],
        "value": problem["value"],
        "message": problem["message"],
        "fix": problem["fix"],
        "status": status,
    }


def _file_names(batch: ImportBatch) -> dict[int, str]:
    return {number: item["name"] for number, item in enumerate(batch.files, start=1)}


def _batch(actor: Actor, batch_id: int) -> ImportBatch:
    actor.require(PERMISSION)
    batch = (
        ImportBatch.objects.filter(access.in_scope(actor), pk=batch_id)
        .select_related("institution")
        .defer("layout")
        .first()
    )
    if batch is None:
        raise NotFound(
            "BATCH_NOT_FOUND",
            f"没有编号为 {batch_id} 的批次，或不在您的机构范围内。",
            field="batch_id",
            value=batch_id,
            fix="请从批次列表选择。",
        )
    return batch


def _os_user(batch: ImportBatch) -> str:
    """命令行上的操作系统用户。"""
    name = batch.summary.get("os_user", "")
    return f"命令行 {name}" if name else ""


def _batch_row(batch: ImportBatch, names: Mapping[int, str]) -> BatchRow:
    return BatchRow(
        id=batch.pk,
        kind=batch.kind,
        kind_name=KIND_NAMES[batch.kind],
        status=batch.status,
        status_name=_in_kind(str(batch.get_status_display()), batch),
        layout_code=batch.layout_code,
        institution_id=batch.institution_id,
        institution_name=batch.institution.name,
        files=tuple(item["name"] for item in batch.files),
        staged_on=batch.staged_on,
        staged_by=names.get(batch.staged_by_id or 0) or _os_user(batch) or "系统",
        committed_on=batch.committed_on,
        committed_by=names.get(batch.committed_by_id or 0, ""),
        finished_at=batch.finished_at,
        summary=batch.summary,
        differences_open=batch.differences_open,
    )
