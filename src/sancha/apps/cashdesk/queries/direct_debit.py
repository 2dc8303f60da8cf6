"""批量代扣：批次、明细、送盘文件。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Q, Sum

from sancha.apps.access.queries import in_scope
from sancha.apps.cashdesk.models import BatchState, DebitBatch, DebitItem, ItemState
from sancha.apps.cashdesk.queries.listing import Listing, listing_of, masked, place_of
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """批扣一览行。"""

    id: int
    institution_id: int
    own_account_id: int
    day: date
    state: str
    state_name: str
    items_count: int
    amount_fen: int
    paid_fen: int
    failed_count: int
    pending_count: int


def debit_batches(actor: Actor, *, institution_id: int | None = None, page: int = 1, size: int = 50) -> Listing:
    """批扣列表，新的在前；合计为应扣。"""
    rows = DebitBatch.objects.filter(place_of(actor, institution_id)).order_by("-id")
    found = listing_of(rows, "amount_fen", page, size, lambda row: row)
    items = DebitItem.objects.filter(batch__in=[row.pk for row in found.page.rows]).order_by().values("batch_id")
    sums = {
        row["batch_id"]: row
        for row in items.annotate(
            paid=Sum("paid_fen"), failed=Count("id", filter=Q(state=ItemState.FAILED)),
            pending=Count("id", filter=Q(state=ItemState.PENDING)),
        )
    }  # fmt: skip
    shown = [
        BatchInfo(
            row.pk, row.institution_id, row.own_account_id, row.day, row.state, str(BatchState(row.state).label),
            row.items_count, row.amount_fen, int(sums[row.pk]["paid"] or 0), int(sums[row.pk]["failed"] or 0),
            int(sums[row.pk]["pending"] or 0),
        )
        for row in found.page.rows
    ]  # fmt: skip
    return Listing(
        Page(rows=shown, total=found.page.total, number=found.page.number, size=found.page.size), found.total_fen
    )


def debit_items(actor: Actor, *, batch_id: int, state: str = "", page: int = 1, size: int = 50) -> Listing:
    """批扣明细（账号掩码）；合计为应扣。"""
    rows = DebitItem.objects.filter(in_scope(actor, "batch__institution"), batch_id=batch_id).order_by("id")
    if state:
        rows = rows.filter(state=state)
    return listing_of(
        rows, "amount_fen", page, size,
        lambda row: {
            "reference": row.reference, "subject": row.subject, "payer_name": row.payer_name,
            "payer_account_masked": masked(row.payer_account), "amount_fen": row.amount_fen, "paid_fen": row.paid_fen,
            "state": row.state, "state_name": str(ItemState(row.state).label), "failure": row.failure,
            "receipt_id": row.receipt_id,
        },
    )  # fmt: skip


def debit_file(actor: Actor, *, batch_id: int) -> list[dict[str, Any]]:
    """送盘文件的内容（含完整账号；须有收款登记权限，只在送出后给出）。

    :raises NotFound: 没有、不在范围内，或还没送盘。
    """
    actor.require("cashdesk.receive")
    batch = DebitBatch.objects.filter(in_scope(actor), pk=batch_id).exclude(state=BatchState.CREATED).first()
    if batch is None:
        raise NotFound(
            "BATCH_NOT_FOUND",
            f"没有编号为 {batch_id} 的已送盘批扣。",
            field="batch_id",
            value=batch_id,
            fix="请从批扣列表中选择已送盘的。",
        )
    rows = batch.items.order_by("id").values("reference", "payer_name", "payer_account", "amount_fen", "subject")
    return [dict(row) for row in rows]
