"""收款：登记即挂账（借 银行或现金，贷 暂收），成批登记，流水号防重。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError

from sancha.apps.cashdesk.models import AccountKind, CashMovement, Channel, OwnAccount, Receipt, ReceiptState
from sancha.apps.cashdesk.operations.accounts import mask_account, own_account_of
from sancha.apps.ledger.operations import AccountResolver, LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation


class ReceiptExists(Conflict, IntegrityError):
    """流水号已登记。

    也算 ``IntegrityError``：两个相同幂等键同时到来时，``operation`` 先找先到者的结果，找不到才把这句话给人看。
    """


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """一笔待登记的收款。"""

    serial: str
    amount_fen: int
    value_on: date
    payer_name: str = ""
    payer_account: str = ""
    channel: str = Channel.TRANSFER.value
    subject_hint: str = ""
    party_hint: int | None = None
    memo: str = ""


@operation("cashdesk.record_receipt", permission="cashdesk.receive")
def record_receipt(
    *, actor: Actor, key: str, own_account_id: int, serial: str, amount_fen: int, value_on: date, on: date,
    payer_name: str = "", payer_account: str = "", channel: str = Channel.TRANSFER.value, subject_hint: str = "",
    party_hint: int | None = None, memo: str = "",
) -> dict[str, Any]:  # fmt: skip
    """登记收款：先挂账（借 银行或现金，贷 暂收）。

    :raises DomainError: 金额不是正整数分、起息日晚于营业日、渠道不认识。
    :raises Conflict: 该账户已有此流水号。
    """
    row = ReceiptRow(serial, amount_fen, value_on, payer_name, payer_account, channel, subject_hint, party_hint, memo)
    account = own_account_of(actor, own_account_id)
    known = Receipt.objects.filter(own_account=account, serial=serial.strip()).values_list("id", flat=True).first()
    if known is not None:
        raise ReceiptExists(
            "RECEIPT_EXISTS", f"流水号 {serial} 已登记为收款 {known}。", field="serial", value=serial,
            fix="请在收款列表中查看该笔；确是另一笔请核对流水号。",
        )  # fmt: skip
    receipt = take_receipts(own_account=account, rows=[row], on=on, actor=actor)[0]
    return {"subject": f"receipt:{receipt.pk}", "receipt_id": receipt.pk, "voucher_id": receipt.voucher_id}


def take_receipts(
    *,
    own_account: OwnAccount,
    rows: Sequence[ReceiptRow],
    on: date,
    actor: Actor,
    accounts: AccountResolver | None = None,
) -> list[Receipt]:
    """成批登记收款（在调用者事务里；SQL 条数与笔数无关）。流水号须未登记过。"""
    for row in rows:
        _check_receipt(row, own_account, on)
    accounts = accounts or resolve_accounts(on)
    suspense = accounts.role("SUSPENSE")
    vouchers = post_vouchers(
        [
            VoucherSpec(
                booked_on=on, institution_id=own_account.institution_id, source="CASHDESK", kind="RECEIPT",
                summary=f"收款 {row.serial}", subject=row.subject_hint,
                lines=[
                    LineSpec(row.amount_fen, account_id=own_account.ledger_account_id),
                    LineSpec(-row.amount_fen, account_id=suspense),
                ],
            )
            for row in rows
        ],
        actor=actor, accounts=accounts,
    )  # fmt: skip
    recorded_at = now()
    try:
        receipts = Receipt.objects.bulk_create(
            Receipt(
                own_account=own_account, institution_id=own_account.institution_id, serial=row.serial.strip(),
                amount_fen=row.amount_fen, payer_name=row.payer_name[:80],
                payer_account_masked=mask_account(row.payer_account),
                value_on=row.value_on, booked_on=on, channel=row.channel, subject_hint=row.subject_hint,
                party_hint=row.party_hint, memo=row.memo[:200], voucher_id=voucher_id, recorded_by=actor.person_id,
                recorded_at=recorded_at,
            )
            for row, voucher_id in zip(rows, vouchers, strict=True)
        )  # fmt: skip
    except IntegrityError as error:
        raise ReceiptExists(
            "RECEIPT_EXISTS", "其中有流水号刚被另一人登记，整批未入。", field="serial", fix="请刷新收款列表后再办。"
        ) from error
    if own_account.kind == AccountKind.CASH and actor.person_id is not None:
        CashMovement.objects.bulk_create(
            CashMovement(
                own_account=own_account, teller=actor.person_id, day=on, amount_fen=receipt.amount_fen,
                reason=f"receipt:{receipt.pk}", voucher_id=receipt.voucher_id,
            )
            for receipt in receipts
        )  # fmt: skip
    return receipts


def _check_receipt(row: ReceiptRow, own_account: OwnAccount, on: date) -> None:
    if type(row.amount_fen) is not int or row.amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE",
            f"流水 {row.serial}：收款金额须为正整数分。",
            field="amount_fen",
            value=row.amount_fen,
            fix="退款请走付款单。",
        )
    if row.value_on > on:
        raise DomainError(
            "VALUE_DATE_LATE",
            f"流水 {row.serial}：起息日 {row.value_on} 晚于营业日 {on}。",
            field="value_on",
            value=row.value_on,
            fix="请核对到账日期。",
        )
    if not row.serial.strip():
        raise DomainError(
            "SERIAL_MISSING", "收款须有流水号，用来防止重复登记。", field="serial", fix="填银行流水号或收据号。"
        )
    if row.channel not in Channel.values:
        raise DomainError(
            "CHANNEL_UNKNOWN",
            f"收款渠道「{row.channel}」不认识。",
            field="channel",
            value=row.channel,
            fix="请从列表中选择。",
        )


def change_receipt(receipt_id: int, *, used: int = 0, returned: int = 0) -> Receipt:
    """改已用、已退数并推出状态（行锁之下）。"""
    receipt = Receipt.objects.select_for_update(of=("self",)).get(pk=receipt_id)
    receipt.used_fen += used
    receipt.returned_fen += returned
    left = receipt.amount_fen - receipt.used_fen - receipt.returned_fen
    if left < 0:
        raise DomainError(
            "RECEIPT_SHORT", f"收款 {receipt_id} 的余额不足，差 {-left} 分。", field="amount_fen",
            value=returned or used,
            fix="请减少金额。",
        )  # fmt: skip
    if receipt.returned_fen == receipt.amount_fen:
        receipt.state = ReceiptState.RETURNED
    elif left == 0:
        receipt.state = ReceiptState.MATCHED
    else:
        receipt.state = ReceiptState.PARTLY if receipt.used_fen or receipt.returned_fen else ReceiptState.UNMATCHED
    receipt.save(update_fields=["used_fen", "returned_fen", "state"])
    return receipt
