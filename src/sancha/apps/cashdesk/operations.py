"""出纳的写入：收款、挂账的使用与退回、付款单、现金清点、流水导入与对账、批扣。

出纳只认识总账：收款先挂账（借 银行/现金，贷 暂收），用于借据时由上层在自己的事务里调用
``use_receipt`` 或 ``claim_receipt``（借 暂收，贷 贷款收付过渡），借据凭证再从过渡科目转出。
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, connection
from django.db.models import Q, Sum

from sancha.apps.access.queries import require_institution
from sancha.apps.cashdesk.models import (
    AccountKind,
    BatchState,
    CashMovement,
    Channel,
    DebitBatch,
    DebitItem,
    ItemState,
    OrderState,
    OwnAccount,
    PaymentOrder,
    Purpose,
    Receipt,
    ReceiptState,
    ReceiptUse,
    Reconciliation,
    StatementLine,
    TellerDay,
)
from sancha.apps.cashdesk.queries import reconcile
from sancha.apps.ledger.operations import (
    AccountResolver,
    LineSpec,
    VoucherSpec,
    post_voucher,
    post_vouchers,
    resolve_accounts,
)
from sancha.apps.ledger.queries import account_movement
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import keyed_digest, operation

OPEN_STATES = (ReceiptState.UNMATCHED, ReceiptState.PARTLY)


class ReceiptExists(Conflict, IntegrityError):
    """流水号已登记。

    也算 ``IntegrityError``：两个相同幂等键同时到来时，``operation`` 先找先到者的结果，找不到才把这句话给人看。
    """


def mask_account(number: str) -> str:
    """账号掩码：留前四后四。"""
    number = number.strip()
    return number if len(number) <= 8 else f"{number[:4]}****{number[-4:]}"


# 自有账户 --------------------------------------------------------------------------------------------------


@operation("cashdesk.open_own_account", permission="cashdesk.authorize")
def open_own_account(
    *, actor: Actor, key: str, institution_id: int, kind: str, name: str, account_code: str, on: date,
    number: str = "", bank_name: str = "",
) -> dict[str, Any]:  # fmt: skip
    """登记自有账户并对应总账科目（银行账户各用一个明细科目，才能逐户对账）。

    :raises DomainError: 科目不能用，或银行账户没填账号。
    :raises Conflict: 该机构该科目或该账号已登记。
    """
    require_institution(actor, institution_id)
    accounts = resolve_accounts(on, complete=False)
    facts = next((facts for facts in accounts.accounts.values() if facts.code == account_code), None)
    if facts is None or not facts.is_leaf or facts.position_controlled or facts.category != "ASSET":
        raise DomainError(
            "ACCOUNT_UNUSABLE", f"科目 {account_code} 不能作自有账户的科目。", field="account_code", value=account_code,
            fix="请用银行存款或库存现金下的末级科目。",
        )  # fmt: skip
    if kind not in AccountKind.values or (kind == AccountKind.BANK and not number.strip()):
        raise DomainError(
            "OWN_ACCOUNT_FIELD", "请选银行账户或现金；银行账户须填账号。", field="number", fix="填写完整账号。"
        )
    digest = keyed_digest(number.strip()) if number.strip() else ""
    taken = OwnAccount.objects.filter(Q(institution_id=institution_id, ledger_account_id=facts.id))
    if taken.exists() or (digest and OwnAccount.objects.filter(number_digest=digest).exists()):
        raise Conflict(
            "OWN_ACCOUNT_EXISTS",
            "该机构已有用此科目的账户，或此账号已登记。",
            field="number",
            fix="请另设明细科目，或查看已有账户。",
        )
    row = OwnAccount.objects.create(
        institution_id=institution_id, kind=kind, name=name, bank_name=bank_name, number_masked=mask_account(number),
        number_digest=digest, ledger_account_id=facts.id,
    )  # fmt: skip
    return {"subject": f"own_account:{row.pk}", "own_account_id": row.pk}


def _own_account(actor: Actor, own_account_id: int) -> OwnAccount:
    row = OwnAccount.objects.filter(pk=own_account_id, is_active=True).first()
    if row is None:
        raise NotFound(
            "OWN_ACCOUNT_NOT_FOUND",
            f"没有编号为 {own_account_id} 的在用自有账户。",
            field="own_account_id",
            value=own_account_id,
        )
    require_institution(actor, row.institution_id)
    return row


# 收款 ------------------------------------------------------------------------------------------------------


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
    account = _own_account(actor, own_account_id)
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
                summary=f"收款 {row.payer_name} {row.serial}".strip(), subject=row.subject_hint,
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
    institution_id: int | None = None,
) -> ReceiptClaim:  # fmt: skip
    """占用收款的一部分（一条 SQL）：条件更新使同时到来的两次使用不会超用。

    ``institution_id`` 是借据的机构，缺省与收款同机构。
    :raises DomainError: 金额不对，或收款余额不足（``RECEIPT_SHORT``）。
    """
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError("AMOUNT_NOT_POSITIVE", "使用金额须为正整数分。", field="amount_fen", value=amount_fen)
    home, value_on, channel = _take_from_receipt(receipt_id, amount_fen)
    voucher = VoucherSpec(
        booked_on=booked_on, institution_id=home, source="CASHDESK", kind="RECEIPT_USE",
        summary=f"收款 {receipt_id} 用于 {subject}", subject=subject,
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
        raise NotFound("RECEIPT_NOT_FOUND", f"没有编号为 {receipt_id} 的收款。", field="receipt_id", value=receipt_id)
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
        raise Conflict("USE_RELEASED", f"用途 {use_id} 已退回挂账。", field="use_id", value=use_id)
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
    _change_receipt(use.receipt_id, used=-use.amount_fen)
    return {"use_id": released.pk, "voucher_id": voucher_id}


def _change_receipt(receipt_id: int, *, used: int = 0, returned: int = 0) -> Receipt:
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


@operation("cashdesk.return_receipt", permission="cashdesk.pay")
def return_receipt(
    *, actor: Actor, key: str, receipt_id: int, reason: str, on: date, amount_fen: int | None = None,
    payee_account: str = "", payee_bank: str = "",
) -> dict[str, Any]:  # fmt: skip
    """退回收款：占住余额并开一张付款单（另一人授权），付成时借 暂收 贷 银行；缺省退全部余额。"""
    receipt = Receipt.objects.select_for_update(of=("self",)).filter(pk=receipt_id).first()
    if receipt is None:
        raise NotFound("RECEIPT_NOT_FOUND", f"没有编号为 {receipt_id} 的收款。", field="receipt_id", value=receipt_id)
    require_institution(actor, receipt.institution_id)
    if not reason.strip():
        raise DomainError("REASON_MISSING", "退回收款须写原因。", field="reason", fix="如：误汇、重复汇入。")
    amount = receipt.amount_fen - receipt.used_fen - receipt.returned_fen if amount_fen is None else amount_fen
    order = create_payment_order(
        own_account_id=receipt.own_account_id, purpose=Purpose.RETURN, subject=f"receipt:{receipt_id}",
        amount_fen=amount, payee_name=receipt.payer_name or "原付款人", payee_account=payee_account,
        payee_bank=payee_bank, memo=reason.strip(), on=on, actor=actor, receipt_id=receipt_id,
    )  # fmt: skip
    _change_receipt(receipt_id, returned=amount)
    return {"subject": f"receipt:{receipt_id}", "order_id": order, "amount_fen": amount}


# 付款单 ----------------------------------------------------------------------------------------------------


def create_payment_order(
    *, own_account_id: int, purpose: str, subject: str, amount_fen: int, payee_name: str, on: date, actor: Actor,
    payee_account: str = "", payee_bank: str = "", memo: str = "", receipt_id: int | None = None,
) -> int:  # fmt: skip
    """开付款单（放款、退溢缴款由上层在自己的事务里调用），返回编号。此时不记账，付成才记。"""
    account = _own_account(actor, own_account_id)
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE", "付款金额须为正整数分。", field="amount_fen", value=amount_fen, fix="请核对金额。"
        )
    if purpose not in Purpose.values or not payee_name.strip():
        raise DomainError(
            "ORDER_FIELD",
            "付款用途不认识，或没有收款人。",
            field="payee_name",
            value=purpose,
            fix="请补全收款人与用途。",
        )
    return PaymentOrder.objects.create(
        institution_id=account.institution_id, own_account=account, purpose=purpose, subject=subject,
        receipt_id=receipt_id, amount_fen=amount_fen, payee_name=payee_name.strip()[:80], payee_account=payee_account,
        payee_bank=payee_bank, memo=memo[:200], created_on=on, created_by=actor.person_id, recorded_at=now(),
    ).pk  # fmt: skip


@operation("cashdesk.enter_payment_order", permission="cashdesk.pay")
def enter_payment_order(
    *, actor: Actor, key: str, own_account_id: int, purpose: str, subject: str, amount_fen: int, payee_name: str,
    on: date, payee_account: str = "", payee_bank: str = "", memo: str = "",
) -> dict[str, Any]:  # fmt: skip
    """录入付款单（放款或退款的款项划付），由另一人授权。退回收款请用 ``return_receipt``。"""
    if purpose == Purpose.RETURN:
        raise DomainError(
            "USE_RETURN_RECEIPT",
            "退回收款请从收款记录上办理。",
            field="purpose",
            value=purpose,
            fix="在收款列表中选「退回」。",
        )
    order = create_payment_order(
        own_account_id=own_account_id, purpose=purpose, subject=subject, amount_fen=amount_fen, payee_name=payee_name,
        on=on, actor=actor, payee_account=payee_account, payee_bank=payee_bank, memo=memo,
    )  # fmt: skip
    return {"subject": f"payment_order:{order}", "order_id": order}


def _order(actor: Actor, order_id: int, *states: OrderState) -> PaymentOrder:
    order = (
        PaymentOrder.objects.select_for_update(of=("self",)).select_related("own_account").filter(pk=order_id).first()
    )
    if order is None:
        raise NotFound("ORDER_NOT_FOUND", f"没有编号为 {order_id} 的付款单。", field="order_id", value=order_id)
    require_institution(actor, order.institution_id)
    if order.state not in states:
        raise Conflict(
            "ORDER_STATE", f"付款单 {order_id} {OrderState(order.state).label}，不能这样办。", field="order_id",
            value=order_id, fix="请刷新后查看当前状态。",
        )  # fmt: skip
    return order


@operation("cashdesk.authorize_payment_order", permission="cashdesk.authorize")
def authorize_payment_order(*, actor: Actor, key: str, order_id: int, on: date) -> dict[str, Any]:
    """授权付款单：不得由录入人授权。"""
    order = _order(actor, order_id, OrderState.CREATED)
    if order.created_by is not None and order.created_by == actor.person_id:
        raise NotPermitted(
            "SAME_PERSON", "付款单不能由录入人自己授权。", field="order_id", value=order_id, clause="钱账双人制",
            fix="请由另一名有复核权限的人员办理。",
        )  # fmt: skip
    order.state, order.authorized_by = OrderState.AUTHORIZED, actor.person_id
    order.save(update_fields=["state", "authorized_by"])
    return {"subject": f"payment_order:{order_id}"}


@operation("cashdesk.send_payment_order", permission="cashdesk.pay")
def send_payment_order(*, actor: Actor, key: str, order_id: int, on: date) -> dict[str, Any]:
    """发送付款单；完整收款账号另用 ``queries.payee_account_to_send`` 取（不进幂等记录），此处进审计。"""
    order = _order(actor, order_id, OrderState.AUTHORIZED)
    order.state, order.sent_on = OrderState.SENT, on
    order.save(update_fields=["state", "sent_on"])
    return {
        "subject": f"payment_order:{order_id}", "amount_fen": order.amount_fen, "audit": {"revealed": "payee_account"},
    }  # fmt: skip


@operation("cashdesk.settle_payment_order", permission="cashdesk.pay")
def settle_payment_order(*, actor: Actor, key: str, order_id: int, bank_serial: str, on: date) -> dict[str, Any]:
    """付款成功：借 贷款收付过渡（退回收款则借 暂收），贷 银行或现金。

    :raises Conflict: 状态不对，或银行流水号已用于另一张付款单。
    """
    order = _order(actor, order_id, OrderState.SENT)
    bank_serial = bank_serial.strip()
    if not bank_serial:
        raise DomainError(
            "SERIAL_MISSING", "付成须填银行流水号（现金填付款凭单号）。", field="bank_serial", fix="对账要用它。"
        )
    if PaymentOrder.objects.filter(own_account_id=order.own_account_id, bank_serial=bank_serial).exists():
        raise Conflict(
            "SERIAL_USED",
            f"流水号 {bank_serial} 已用于另一张付款单。",
            field="bank_serial",
            value=bank_serial,
            fix="请核对。",
        )
    accounts = resolve_accounts(on)
    against = accounts.role("SUSPENSE" if order.purpose == Purpose.RETURN else "LOAN_CLEARING")
    order.voucher_id = post_voucher(
        booked_on=on, institution_id=order.institution_id, source="CASHDESK", kind="PAYMENT",
        summary=f"付款 {Purpose(order.purpose).label} {order.payee_name}", subject=order.subject, actor=actor,
        authorized_by=order.authorized_by, accounts=accounts,
        lines=[
            LineSpec(order.amount_fen, account_id=against),
            LineSpec(-order.amount_fen, account_id=order.own_account.ledger_account_id),
        ],
    )  # fmt: skip
    order.state, order.bank_serial, order.finished_on = OrderState.SETTLED, bank_serial, on
    order.save(update_fields=["state", "bank_serial", "finished_on", "voucher_id"])
    if order.own_account.kind == AccountKind.CASH and actor.person_id is not None:
        CashMovement.objects.create(
            own_account=order.own_account, teller=actor.person_id, day=on, amount_fen=-order.amount_fen,
            reason=f"payment_order:{order_id}", voucher_id=order.voucher_id,
        )  # fmt: skip
    return {"subject": f"payment_order:{order_id}", "voucher_id": order.voucher_id}


@operation("cashdesk.fail_payment_order", permission="cashdesk.pay")
def fail_payment_order(*, actor: Actor, key: str, order_id: int, reason: str, on: date) -> dict[str, Any]:
    """付款失败：不记账；退回收款的，余额回到挂账。"""
    order = _order(actor, order_id, OrderState.SENT)
    return _abandon(order, OrderState.FAILED, reason, on)


@operation("cashdesk.cancel_payment_order", permission="cashdesk.pay")
def cancel_payment_order(*, actor: Actor, key: str, order_id: int, reason: str, on: date) -> dict[str, Any]:
    """撤销尚未发送的付款单。"""
    order = _order(actor, order_id, OrderState.CREATED, OrderState.AUTHORIZED)
    return _abandon(order, OrderState.CANCELLED, reason, on)


def _abandon(order: PaymentOrder, state: OrderState, reason: str, on: date) -> dict[str, Any]:
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "须写明失败或撤销的原因。", field="reason", fix="填银行返回的原因或内部原因。"
        )
    order.state, order.failure, order.finished_on = state, reason.strip()[:200], on
    order.save(update_fields=["state", "failure", "finished_on"])
    if order.receipt_id is not None:
        _change_receipt(order.receipt_id, returned=-order.amount_fen)
    return {"subject": f"payment_order:{order.pk}"}


# 现金 ------------------------------------------------------------------------------------------------------


@operation("cashdesk.move_cash", permission="cashdesk.receive")
def move_cash(
    *, actor: Actor, key: str, from_account_id: int, to_account_id: int, amount_fen: int, serial: str, on: date
) -> dict[str, Any]:
    """现金缴存银行或从银行提取：借 转入账户，贷 转出账户（同一机构，至少一边是现金）。"""
    source, target = _own_account(actor, from_account_id), _own_account(actor, to_account_id)
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE", "金额须为正整数分。", field="amount_fen", value=amount_fen, fix="请核对金额。"
        )
    if (
        source.institution_id != target.institution_id
        or source.pk == target.pk
        or AccountKind.CASH not in {source.kind, target.kind}
    ):
        raise DomainError(
            "MOVE_ACCOUNTS",
            "只能在同一机构的现金与银行账户之间缴存或提取。",
            field="to_account_id",
            value=to_account_id,
            fix="请重选账户。",
        )
    if actor.person_id is None:
        raise NotPermitted("TELLER_MISSING", "现金须由具体柜员经手。", fix="请以柜员身份办理。")
    voucher_id = post_voucher(
        booked_on=on, institution_id=source.institution_id, source="CASHDESK", kind="CASH_MOVE",
        summary=f"{source.name} → {target.name} {serial}", subject="", actor=actor, accounts=resolve_accounts(on),
        lines=[
            LineSpec(amount_fen, account_id=target.ledger_account_id),
            LineSpec(-amount_fen, account_id=source.ledger_account_id),
        ],
    )  # fmt: skip
    # Bank sides are kept here too: reconciliation compares them with the statement by ``reason``.
    CashMovement.objects.bulk_create(
        CashMovement(
            own_account=account,
            teller=actor.person_id,
            day=on,
            amount_fen=fen,
            reason=f"move:{serial}"[:60],
            voucher_id=voucher_id,
        )
        for account, fen in ((source, -amount_fen), (target, amount_fen))
    )
    return {"subject": f"own_account:{from_account_id}", "voucher_id": voucher_id}


@operation("cashdesk.count_cash", permission="cashdesk.receive")
def count_cash(
    *, actor: Actor, key: str, own_account_id: int, counted_fen: int, on: date, reason: str = ""
) -> dict[str, Any]:
    """现金清点（柜员日结）：应有 = 上次清点 + 其后收 − 付；有差额须写原因，差额记入长短款。

    :raises Conflict: 当日已清点。
    :raises DomainError: 有差额而没写原因，或不是现金账户。
    """
    account = _own_account(actor, own_account_id)
    if account.kind != AccountKind.CASH or actor.person_id is None:
        raise DomainError(
            "NOT_CASH",
            f"{account.name}不是现金，不能清点。",
            field="own_account_id",
            value=own_account_id,
            fix="请选现金账户，由柜员本人清点。",
        )
    if type(counted_fen) is not int or counted_fen < 0:
        raise DomainError(
            "AMOUNT_NEGATIVE", "清点数须为非负整数分。", field="counted_fen", value=counted_fen, fix="请核对。"
        )
    mine = TellerDay.objects.filter(own_account=account, teller=actor.person_id)
    last = mine.select_for_update().order_by("-day").first()
    if last is not None and last.day >= on:
        raise Conflict("ALREADY_COUNTED", f"{last.day} 已清点。", field="on", value=on, fix="请在下一营业日清点。")
    moves = CashMovement.objects.filter(own_account=account, teller=actor.person_id, day__lte=on)
    if last is not None:
        moves = moves.filter(day__gt=last.day)
    sums = moves.aggregate(
        taken=Sum("amount_fen", filter=Q(amount_fen__gt=0)), paid=Sum("amount_fen", filter=Q(amount_fen__lt=0))
    )
    opening, taken, paid = (last.counted_fen if last else 0), int(sums["taken"] or 0), -int(sums["paid"] or 0)
    difference = counted_fen - (opening + taken - paid)
    if difference and not reason.strip():
        raise DomainError(
            "DIFFERENCE_UNEXPLAINED",
            f"清点 {counted_fen} 分，应有 {opening + taken - paid} 分，差 {difference} 分，须写原因。",
            field="reason", value=difference, fix="复点一遍；确有长短款，写明原因再提交。",
        )  # fmt: skip
    voucher_id = _book_difference(account, difference, on, actor) if difference else None
    row = TellerDay.objects.create(
        own_account=account, teller=actor.person_id, day=on, opening_fen=opening, in_fen=taken, out_fen=paid,
        counted_fen=counted_fen, difference_fen=difference, reason=reason.strip()[:200], voucher_id=voucher_id,
        counted_at=now(),
    )  # fmt: skip
    return {"subject": f"teller_day:{row.pk}", "difference_fen": difference, "voucher_id": voucher_id}


def _book_difference(account: OwnAccount, difference: int, on: date, actor: Actor) -> int:
    accounts = resolve_accounts(on)
    return post_voucher(
        booked_on=on, institution_id=account.institution_id, source="CASHDESK", kind="CASH_DIFFERENCE",
        summary="现金长款" if difference > 0 else "现金短款", subject=f"own_account:{account.pk}", actor=actor,
        accounts=accounts,
        lines=[
            LineSpec(difference, account_id=account.ledger_account_id),
            LineSpec(-difference, account_id=accounts.role("CASH_OVER_SHORT")),
        ],
    )  # fmt: skip


# 银行流水与对账 --------------------------------------------------------------------------------------------


@operation("cashdesk.import_statement", permission="cashdesk.reconcile")
def import_statement(
    *, actor: Actor, key: str, own_account_id: int, rows: list[dict[str, Any]], on: date, create_receipts: bool = True
) -> dict[str, Any]:
    """导入银行流水。

    ``rows``：{serial, value_on, amount_fen（收正付负）, balance_fen?, counterparty?, counterparty_account?, memo?}。

    流水号去重：相同的跳过；同号不同额者整批拒绝，一行不入。``create_receipts`` 时没有登记过的进账成为挂账收款。

    :raises DomainError: 列出全部有问题的行；一行不入。
    """
    account = _own_account(actor, own_account_id)
    lines = [_statement_line(account, row, number, on) for number, row in enumerate(rows, start=1)]
    known = {
        line.serial: line
        for line in StatementLine.objects.filter(own_account=account, serial__in=[line.serial for line in lines])
    }
    fresh: dict[str, StatementLine] = {}
    clashes = []
    for line in lines:
        other = known.get(line.serial) or fresh.get(line.serial)
        if other is None:
            fresh[line.serial] = line
        elif (other.amount_fen, other.value_on) != (line.amount_fen, line.value_on):
            clashes.append(line.serial)
    if clashes:
        raise Conflict(
            "SERIAL_CLASH", f"流水号 {'、'.join(clashes[:10])} 已有，但金额或日期不同，整批未导入。", field="serial",
            value=",".join(clashes[:10]), fix="请核对文件；银行更正的流水应有新流水号。",
        )  # fmt: skip
    StatementLine.objects.bulk_create(fresh.values())
    created = _receipts_from(account, list(fresh.values()), on, actor) if create_receipts else 0
    return {
        "subject": f"own_account:{own_account_id}", "imported": len(fresh), "duplicates": len(lines) - len(fresh),
        "receipts": created,
    }  # fmt: skip


def _statement_line(account: OwnAccount, row: dict[str, Any], number: int, on: date) -> StatementLine:
    value_on = row.get("value_on")
    value_on = date.fromisoformat(value_on) if isinstance(value_on, str) else value_on
    fen, balance = row.get("amount_fen"), row.get("balance_fen")
    serial = str(row.get("serial") or "").strip()
    wrong = (
        "流水号" if not serial
        else "金额" if type(fen) is not int or fen == 0
        else "余额" if balance is not None and type(balance) is not int
        else "日期" if not isinstance(value_on, date) or value_on > on
        else ""
    )  # fmt: skip
    if wrong:
        raise DomainError(
            "STATEMENT_ROW", f"第 {number} 行（流水号 {serial or '空'}）的{wrong}不对，整批未导入。",
            field=f"rows.{number}",
            value=row.get("amount_fen"), fix="流水号必填；金额为非零整数分（收正付负）；日期不晚于营业日。",
        )  # fmt: skip
    return StatementLine(
        own_account=account, serial=serial[:64], value_on=value_on, amount_fen=fen, balance_fen=balance,
        counterparty=str(row.get("counterparty") or "")[:80],
        counterparty_account_masked=mask_account(str(row.get("counterparty_account") or "")),
        memo=str(row.get("memo") or "")[:200], imported_on=on,
    )  # fmt: skip


def _receipts_from(account: OwnAccount, lines: list[StatementLine], on: date, actor: Actor) -> int:
    incoming = [line for line in lines if line.amount_fen > 0]
    serials = [line.serial for line in incoming]
    ours = set(Receipt.objects.filter(own_account=account, serial__in=serials).values_list("serial", flat=True))
    ours |= {
        reason.removeprefix("move:")
        for reason in CashMovement.objects.filter(
            own_account=account, reason__in=[f"move:{serial}"[:60] for serial in serials]
        ).values_list("reason", flat=True)
    }
    rows = [
        ReceiptRow(
            serial=line.serial, amount_fen=line.amount_fen, value_on=line.value_on, payer_name=line.counterparty,
            payer_account=line.counterparty_account_masked, memo=line.memo,
        )
        for line in incoming
        if line.serial not in ours
    ]  # fmt: skip
    return len(take_receipts(own_account=account, rows=rows, on=on, actor=actor)) if rows else 0


@operation("cashdesk.explain_statement_line", permission="cashdesk.reconcile")
def explain_statement_line(*, actor: Actor, key: str, line_id: int, voucher_id: int, on: date) -> dict[str, Any]:
    """用一张凭证解释一笔流水（如手续费、结息的手工凭证）：凭证在该账户科目上的发生额须与流水相等。"""
    line = (
        StatementLine.objects.select_for_update(of=("self",)).select_related("own_account").filter(pk=line_id).first()
    )
    if line is None:
        raise NotFound("LINE_NOT_FOUND", f"没有编号为 {line_id} 的流水。", field="line_id", value=line_id)
    require_institution(actor, line.own_account.institution_id)
    booked = account_movement(
        voucher_id=voucher_id,
        account_id=line.own_account.ledger_account_id,
        institution_id=line.own_account.institution_id,
    )
    if booked != line.amount_fen:
        raise DomainError(
            "VOUCHER_DIFFERS", f"凭证 {voucher_id} 在该账户上发生 {booked} 分，流水是 {line.amount_fen} 分。",
            field="voucher_id", value=voucher_id, fix="请选金额相同的凭证，或先记一张手工凭证。",
        )  # fmt: skip
    if StatementLine.objects.filter(own_account=line.own_account, explained_by=voucher_id).exclude(pk=line_id).exists():
        raise Conflict(
            "VOUCHER_TAKEN", f"凭证 {voucher_id} 已用来解释另一笔流水。", field="voucher_id", value=voucher_id
        )
    line.explained_by = voucher_id
    line.save(update_fields=["explained_by"])
    return {"subject": f"own_account:{line.own_account_id}"}


@operation("cashdesk.confirm_reconciliation", permission="cashdesk.reconcile")
def confirm_reconciliation(*, actor: Actor, key: str, own_account_id: int, day: date, on: date) -> dict[str, Any]:
    """确认某日对账：账面余额 − 只有我方 + 只有银行 = 银行余额，差额不为零不能确认。"""
    account = _own_account(actor, own_account_id)
    if Reconciliation.objects.filter(own_account=account, day=day).exists():
        raise Conflict("ALREADY_RECONCILED", f"{day} 已确认对账。", field="day", value=day)
    proof = reconcile(actor, own_account_id=own_account_id, day=day)
    if proof.bank_fen is None or proof.difference_fen:
        raise Conflict(
            "NOT_RECONCILED",
            f"调节后仍差 {proof.difference_fen} 分，不能确认。" if proof.difference_fen else "没有银行余额，不能确认。",
            field="day", value=proof.difference_fen, fix="请导入流水，并逐笔核对金额不符与未解释的项目。",
        )  # fmt: skip
    Reconciliation.objects.create(
        own_account=account, day=day, book_fen=proof.book_fen, bank_fen=proof.bank_fen,
        only_ours_fen=proof.only_ours_fen, only_bank_fen=proof.only_bank_fen, confirmed_by=actor.person_id,
        confirmed_at=now(),
    )  # fmt: skip
    return {"subject": f"own_account:{own_account_id}", "bank_fen": proof.bank_fen}


# 批量代扣 --------------------------------------------------------------------------------------------------


@operation("cashdesk.create_debit_batch", permission="cashdesk.receive")
def create_debit_batch(
    *, actor: Actor, key: str, own_account_id: int, items: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """生成批扣：``items`` 为 {subject, amount_fen, payer_name, payer_account, party_id?}（应扣清单由上层给出）。

    :raises Conflict: 同一对象当日已在另一批里待回盘（不会扣两次）。
    """
    account = _own_account(actor, own_account_id)
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
        raise NotFound("BATCH_NOT_FOUND", f"没有编号为 {batch_id} 的批扣。", field="batch_id", value=batch_id)
    require_institution(actor, batch.institution_id)
    if batch.state not in states:
        raise Conflict(
            "BATCH_STATE",
            f"批扣 {batch_id} {BatchState(batch.state).label}，不能这样办。",
            field="batch_id",
            value=batch_id,
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
