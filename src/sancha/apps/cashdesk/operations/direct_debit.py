"""批量代扣：生成、送盘、回盘。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.cashdesk.models import BatchState, Channel, DebitBatch, DebitItem, ItemState, Receipt
from sancha.apps.cashdesk.operations.accounts import own_account_of
from sancha.apps.cashdesk.operations.receipts import ReceiptRow, take_receipts
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation


@operation("cashdesk.create_debit_batch", permission="cashdesk.receive")
def create_debit_batch(
    *, actor: Actor, key: str, own_account_id: int, items: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """生成批扣：``items`` 为 {subject, amount_fen, payer_name, payer_account, party_id?}（应扣清单由上层给出）。

    :raises Conflict: 同一对象当日已在另一批里待回盘（不会扣两次）。
    """
    account = own_account_of(actor, own_account_id)
    if not items:
        raise DomainError("BATCH_EMPTY", "没有可扣的项目。", field="items", fix="当日没有应扣款时不必送盘。")
    for number, item in enumerate(items, start=1):
        if (
            type(item.get("amount_fen")) is not int
            or item["amount_fen"] <= 0
            or not item.get("subject")
            or not item.get("payer_account")
        ):
            raise DomainError(
                "DEBIT_ITEM",
                f"第 {number} 项缺对象、账号，或金额不是正整数分。",
                field=f"items.{number}",
                value=item.get("amount_fen"),
                fix="请核对应扣清单。",
            )
    subjects = [item["subject"] for item in items]
    if len(set(subjects)) != len(subjects):
        raise DomainError("DEBIT_TWICE", "清单里同一对象出现两次。", field="items", fix="请合并为一项。")
    waiting = DebitItem.objects.filter(subject__in=subjects, state=ItemState.PENDING).values_list("subject", flat=True)
    if taken := sorted(waiting):
        raise Conflict(
            "DEBIT_WAITING",
            f"{'、'.join(taken[:10])} 已在另一批中待回盘。",
            field="items",
            value=",".join(taken[:10]),
            fix="请先录入那一批的回盘。",
        )
    batch = DebitBatch.objects.create(
        own_account=account, institution_id=account.institution_id, day=on, items_count=len(items),
        amount_fen=sum(item["amount_fen"] for item in items), created_by=actor.person_id, recorded_at=now(),
    )  # fmt: skip
    DebitItem.objects.bulk_create(
        DebitItem(
            batch=batch, reference=f"{batch.pk:08d}{number:06d}", subject=item["subject"],
            amount_fen=item["amount_fen"],
            payer_name=str(item.get("payer_name", ""))[:80], payer_account=str(item["payer_account"]),
            party_id=item.get("party_id"),
        )
        for number, item in enumerate(items, start=1)
    )  # fmt: skip
    return {"subject": f"debit_batch:{batch.pk}", "batch_id": batch.pk, "amount_fen": batch.amount_fen}


def _batch(actor: Actor, batch_id: int, *states: BatchState) -> DebitBatch:
    batch = DebitBatch.objects.select_for_update(of=("self",)).select_related("own_account").filter(pk=batch_id).first()
    if batch is None:
        raise NotFound(
            "BATCH_NOT_FOUND",
            f"没有编号为 {batch_id} 的批扣。",
            field="batch_id",
            value=batch_id,
            fix="请从批扣列表中选择。",
        )
    require_institution(actor, batch.institution_id)
    if batch.state not in states:
        raise Conflict(
            "BATCH_STATE",
            f"批扣 {batch_id} {BatchState(batch.state).label}，不能这样办。",
            field="batch_id",
            value=batch_id,
            fix="请刷新批扣页看当前状态；要再扣的另做一批。",
        )
    return batch


@operation("cashdesk.send_debit_batch", permission="cashdesk.receive")
def send_debit_batch(*, actor: Actor, key: str, batch_id: int, on: date) -> dict[str, Any]:
    """送盘：标记已送出；文件内容用 ``queries.debit_file`` 取。"""
    batch = _batch(actor, batch_id, BatchState.CREATED)
    batch.state = BatchState.SENT
    batch.save(update_fields=["state"])
    return {"subject": f"debit_batch:{batch_id}", "items": batch.items_count}


@operation("cashdesk.record_debit_results", permission="cashdesk.receive")
def record_debit_results(
    *, actor: Actor, key: str, batch_id: int, results: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """回盘：``results`` 为 {reference, paid_fen, serial?, failure?}。成功者成为收款（带对象线索），失败者记原因。

    可分几次回盘；同一项重复且相同的跳过，不同的整批拒绝。全部回齐后批次完成。

    :raises Conflict: 序号不在批里，或与已回盘的结果不同。
    """
    batch = _batch(actor, batch_id, BatchState.SENT, BatchState.DONE)
    items = {item.reference: item for item in batch.items.select_for_update()}
    paid: list[tuple[DebitItem, str]] = []
    failed: list[DebitItem] = []
    for number, result in enumerate(results, start=1):
        item, fen = items.get(str(result.get("reference"))), result.get("paid_fen")
        if item is None or type(fen) is not int or not 0 <= fen <= item.amount_fen:
            raise Conflict(
                "DEBIT_RESULT",
                f"第 {number} 行：序号 {result.get('reference')} 不在本批，或实扣额不在 0 与应扣额之间。",
                field=f"results.{number}", value=fen, fix="请核对回盘文件，整批未入。",
            )  # fmt: skip
        if item.state != ItemState.PENDING:
            if item.paid_fen != fen:
                raise Conflict(
                    "DEBIT_RESULT_CHANGED",
                    f"第 {number} 行：{item.reference} 已回盘为 {item.paid_fen} 分，现为 {fen} 分。",
                    field=f"results.{number}",
                    value=fen,
                    fix="请与银行核实。",
                )
            continue
        item.paid_fen = fen
        item.state = ItemState.PAID if fen == item.amount_fen else ItemState.PARTLY if fen else ItemState.FAILED
        item.failure = "" if item.state == ItemState.PAID else str(result.get("failure") or "未说明原因")[:100]
        if fen:
            paid.append((item, str(result.get("serial") or item.reference)))
        else:
            failed.append(item)
    receipts = _debit_receipts(batch, paid, on, actor)
    DebitItem.objects.bulk_update([*(item for item, _ in paid), *failed], ["paid_fen", "state", "failure", "receipt"])
    if all(item.state != ItemState.PENDING for item in items.values()):
        batch.state = BatchState.DONE
        batch.save(update_fields=["state"])
    return {
        "subject": f"debit_batch:{batch_id}", "paid": len(paid), "failed": len(failed), "receipt_ids": receipts,
        "paid_fen": sum(item.paid_fen for item, _ in paid), "done": batch.state == BatchState.DONE,
    }  # fmt: skip


def _debit_receipts(batch: DebitBatch, paid: list[tuple[DebitItem, str]], on: date, actor: Actor) -> list[int]:
    if not paid:
        return []
    serials = [serial for _, serial in paid]
    known = Receipt.objects.filter(own_account=batch.own_account, serial__in=serials).values_list("serial", flat=True)
    if clash := sorted(set(known)) or sorted({serial for serial in serials if serials.count(serial) > 1}):
        raise Conflict(
            "RECEIPT_EXISTS",
            f"流水号 {'、'.join(clash[:10])} 已登记为收款。",
            field="serial",
            value=",".join(clash[:10]),
            fix="请核对是否已由银行流水导入。",
        )
    receipts = take_receipts(
        own_account=batch.own_account, on=on, actor=actor,
        rows=[
            ReceiptRow(
                serial=serial, amount_fen=item.paid_fen, value_on=on, payer_name=item.payer_name,
                payer_account=item.payer_account, channel=Channel.DEBIT.value, subject_hint=item.subject,
                party_hint=item.party_id, memo=f"批扣 {batch.pk}",
            )
            for item, serial in paid
        ],
    )  # fmt: skip
    for (item, _), receipt in zip(paid, receipts, strict=True):
        item.receipt = receipt
    return [receipt.pk for receipt in receipts]
