"""收款的用途：占用、记账、退回挂账；由上层在自己的事务里调用。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection

from sancha.apps.cashdesk.models import Receipt, ReceiptUse
from sancha.apps.cashdesk.operations.receipts import change_receipt
from sancha.apps.ledger.operations import (
    AccountResolver,
    LineSpec,
    VoucherSpec,
    post_voucher,
    post_vouchers,
    resolve_accounts,
)
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound


@dataclass(frozen=True, slots=True)
class ReceiptClaim:
    """已占用的收款：``voucher`` 交给 ``post_vouchers`` 与借据凭证同批记账，再用凭证号 ``settle_claim``。"""

    receipt_id: int
    subject: str
    amount_fen: int
    booked_on: date
    voucher: VoucherSpec
    value_on: date
    channel: str


def claim_receipt(
    *, receipt_id: int, amount_fen: int, subject: str, booked_on: date, accounts: AccountResolver,
    institution_id: int | None = None, label: str = "",
) -> ReceiptClaim:  # fmt: skip
    """占用收款的一部分（一条 SQL）：条件更新使同时到来的两次使用不会超用。

    ``institution_id`` 是借据的机构，缺省与收款同机构；``label`` 是摘要里给人看的对象（如借据号），缺省写 ``subject``。
    :raises DomainError: 金额不对，或收款余额不足（``RECEIPT_SHORT``）。
    """
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE",
            "使用金额须为正整数分。",
            field="amount_fen",
            value=amount_fen,
            fix="请填大于零的金额。",
        )
    home, value_on, channel = _take_from_receipt(receipt_id, amount_fen)
    voucher = VoucherSpec(
        booked_on=booked_on, institution_id=home, source="CASHDESK", kind="RECEIPT_USE",
        summary=f"收款 {receipt_id} 用于 {label or subject}", subject=subject,
        lines=[
            LineSpec(amount_fen, account_id=accounts.role("SUSPENSE")),
            LineSpec(-amount_fen, account_id=accounts.role("LOAN_CLEARING"), institution_id=institution_id),
        ],
    )  # fmt: skip
    return ReceiptClaim(receipt_id, subject, amount_fen, booked_on, voucher, value_on, channel)


def _take_from_receipt(receipt_id: int, amount_fen: int) -> tuple[int, date, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE cashdesk_receipt SET used_fen = used_fen + %s, "
            "state = CASE WHEN used_fen + returned_fen + %s = amount_fen THEN 'MATCHED' ELSE 'PARTLY' END "
            "WHERE id = %s AND used_fen + returned_fen + %s <= amount_fen RETURNING institution_id, value_on, channel",
            [amount_fen, amount_fen, receipt_id, amount_fen],
        )
        found = cursor.fetchone()
    if found is not None:
        return found[0], found[1] if isinstance(found[1], date) else date.fromisoformat(found[1]), found[2]
    receipt = Receipt.objects.filter(pk=receipt_id).first()
    if receipt is None:
        raise NotFound(
            "RECEIPT_NOT_FOUND",
            f"没有编号为 {receipt_id} 的收款。",
            field="receipt_id",
            value=receipt_id,
            fix="请从收款列表中选择。",
        )
    left = receipt.amount_fen - receipt.used_fen - receipt.returned_fen
    raise DomainError(
        "RECEIPT_SHORT", f"收款 {receipt_id} 还可用 {left} 分，不够 {amount_fen} 分。", field="amount_fen",
        value=amount_fen, fix="请减少金额，或再登记一笔收款。",
    )  # fmt: skip


def settle_claim(*, claim: ReceiptClaim, voucher_id: int, actor: Actor) -> int:
    """记下占用的用途（一条 SQL），返回用途编号。"""
    return ReceiptUse.objects.create(
        receipt_id=claim.receipt_id, subject=claim.subject, amount_fen=claim.amount_fen, booked_on=claim.booked_on,
        voucher_id=voucher_id, used_by=actor.person_id, recorded_at=now(),
    ).pk  # fmt: skip


def use_receipt(
    *, receipt_id: int, amount_fen: int, subject: str, booked_on: date, actor: Actor,
    accounts: AccountResolver | None = None, institution_id: int | None = None,
) -> dict[str, int]:  # fmt: skip
    """把收款用于某对象（如 ``loan:12``）：借 暂收，贷 贷款收付过渡。在调用者事务里，四条 SQL。

    返回 ``use_id`` 与 ``voucher_id``。想省一次记账，用 ``claim_receipt`` + ``settle_claim``。
    """
    accounts = accounts or resolve_accounts(booked_on)
    claim = claim_receipt(
        receipt_id=receipt_id, amount_fen=amount_fen, subject=subject, booked_on=booked_on, accounts=accounts,
        institution_id=institution_id,
    )  # fmt: skip
    voucher_id = post_vouchers([claim.voucher], actor=actor, accounts=accounts)[0]
    return {"use_id": settle_claim(claim=claim, voucher_id=voucher_id, actor=actor), "voucher_id": voucher_id}


def release_use(
    *,
    use_id: int,
    booked_on: date,
    actor: Actor,
    accounts: AccountResolver | None = None,
    institution_id: int | None = None,
) -> dict[str, int]:
    """还款冲正：把用途整笔退回挂账（借 贷款收付过渡，贷 暂收），另记负数用途。在调用者事务里。

    :raises Conflict: 已退回过。
    """
    use = ReceiptUse.objects.select_for_update(of=("self",)).select_related("receipt").get(pk=use_id)
    if use.amount_fen < 0 or ReceiptUse.objects.filter(releases=use).exists():
        raise Conflict(
            "USE_RELEASED",
            f"用途 {use_id} 已退回挂账。",
            field="use_id",
            value=use_id,
            fix="款已在挂账里，可另作用途，不必再退。",
        )
    accounts = accounts or resolve_accounts(booked_on)
    voucher_id = post_voucher(
        booked_on=booked_on, institution_id=use.receipt.institution_id, source="CASHDESK", kind="RECEIPT_RELEASE",
        summary=f"收款 {use.receipt_id} 退回挂账", subject=use.subject, actor=actor, accounts=accounts,
        lines=[
            LineSpec(use.amount_fen, account_id=accounts.role("LOAN_CLEARING"), institution_id=institution_id),
            LineSpec(-use.amount_fen, account_id=accounts.role("SUSPENSE")),
        ],
    )  # fmt: skip
    released = ReceiptUse.objects.create(
        receipt_id=use.receipt_id, subject=use.subject, amount_fen=-use.amount_fen, booked_on=booked_on,
        voucher_id=voucher_id, releases=use, used_by=actor.person_id, recorded_at=now(),
    )  # fmt: skip
    change_receipt(use.receipt_id, used=-use.amount_fen)
    return {"use_id": released.pk, "voucher_id": voucher_id}
