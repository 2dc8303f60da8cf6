"""转入批次：按范围取、上锁、了结、备工作台、写成报告。各用例共用。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from django.db import connection

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.parties.masking import mask_id_number, mask_phone
from sancha.apps.servicing.importing import staging
from sancha.apps.servicing.importing.layout import Layout, built_in, built_in_layout, read_layout
from sancha.apps.servicing.importing.reading import ReadFile
from sancha.apps.servicing.importing.staging import Workshop
from sancha.apps.servicing.models import (
    ImportBatch,
    ImportLayout,
    ImportRow,
)
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, NotFound
from sancha.kit.rowset import rowset

PERMISSION = "servicing.import"
PORTFOLIO, REPAYMENTS = "PORTFOLIO", "REPAYMENTS"


_HIDDEN: dict[str, Callable[[str], str]] = {
    "id_number": mask_id_number,
    "phone": mask_phone,
    "address": lambda text: "****" if text else "",
}


def layout_called(code: str, actor: Actor) -> Layout:
    """版式：随系统带的，或本机构范围里自存的最新一版。

    :raises NotFound: 没有这个代码。
    """
    if code in built_in():
        return built_in_layout(code)
    row = ImportLayout.objects.filter(access.in_scope(actor), code=code).order_by("-version").first()
    return read_layout(row.document) if row is not None else built_in_layout(code)


def batch_of(actor: Actor, batch_id: int) -> ImportBatch:
    """批次，按操作人的机构范围取。

    :raises NotFound: 没有，或不在范围。
    """
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


def locked_batch(actor: Actor, batch_id: int) -> ImportBatch:
    """批次，上锁取。"""
    batch_of(actor, batch_id)
    return ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)


def require_business_date(institution_id: int, on: date) -> None:
    """营业日须是这家机构当前的。

    :raises Conflict: 不是当前营业日。
    """
    today = businessday.business_date(institution_id=institution_id)
    if on != today:
        raise Conflict(
            "NOT_BUSINESS_DATE",
            f"当前营业日是 {today}，不能记在 {on}。",
            field="on",
            value=on,
            fix="请按当前营业日办理；过去的日子用起息日与切换日表示。",
        )


def close_batch(batch: ImportBatch, status: str) -> None:
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


def workshop_for(batch: ImportBatch, layout: Layout, actor: Actor, on: date) -> Workshop:
    """备好一批的工作台。名称照送件人的机构范围认：同意的人看到的是什么，转入的就是什么。"""
    scoped = replace(actor, institution_path=batch.options.get("scope", actor.institution_path))
    officers = any(column.field == "officer" for column in layout.file_for("loan").columns)
    return staging.open_workshop(
        layout=layout,
        options=batch.options,
        institution_id=batch.institution_id,
        actor=scoped,
        business_date=on,
        officers=officers,
    )


def described(item: ReadFile) -> dict[str, Any]:
    """文件在批次上的记录：名、角色、摘要、行数、表头的毛病。"""
    return {
        "name": item.source.name,
        "role": item.role,
        "sha256": item.sha256,
        "bytes": len(item.source.content),
        "rows": len(item.entries),
        "header_row": item.header_row,
        "problems": [problem.as_dict() for problem in item.header_problems],
    }


def report_of(batch: ImportBatch) -> dict[str, Any]:
    """批次的结果。"""
    return {
        "subject": f"import:{batch.pk}",
        "batch_id": batch.pk,
        "status": str(batch.status),
        "status_name": batch.get_status_display(),
        "differences_open": batch.differences_open,
        **batch.summary,
    }
