"""付款单：录入、另一人授权、发送、付成或失败、撤销；退回收款也走付款单。

开单即开一条「付款复核」任务；授权与退回办结它，改正与撤销使它撤销，不留没人管的任务。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.cashdesk.kinds import PAYMENT_CHECK
from sancha.apps.cashdesk.models import AccountKind, CashMovement, OrderState, PaymentOrder, Purpose, Receipt
from sancha.apps.cashdesk.operations.accounts import mask_account, own_account_of
from sancha.apps.cashdesk.operations.receipts import change_receipt
from sancha.apps.ledger.operations import LineSpec, post_voucher, resolve_accounts
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import keyed_digest, operation


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
    change_receipt(receipt_id, returned=amount)
    return {"subject": f"receipt:{receipt_id}", "order_id": order, "amount_fen": amount}


def create_payment_order(
    *, own_account_id: int, purpose: str, subject: str, amount_fen: int, payee_name: str, on: date, actor: Actor,
    payee_account: str = "", payee_bank: str = "", memo: str = "", receipt_id: int | None = None,
) -> int:  # fmt: skip
    """开付款单并送复核（放款、退溢缴款由上层在自己的事务里调用），返回编号。此时不记账，付成才记。"""
    account = own_account_of(actor, own_account_id)
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
    order = PaymentOrder.objects.create(
        institution_id=account.institution_id, own_account=account, purpose=purpose, subject=subject,
        receipt_id=receipt_id, amount_fen=amount_fen, payee_name=payee_name.strip()[:80], payee_account=payee_account,
        payee_bank=payee_bank, memo=memo[:200], created_on=on, created_by=actor.person_id, recorded_at=now(),
    )  # fmt: skip
    _ask_for_check(order, actor, on)
    return order.pk


def _ask_for_check(order: PaymentOrder, actor: Actor, on: date) -> int:
    """开出这一稿的复核任务，记下谁录入。"""
    return work.ask_second_person(
        PAYMENT_CHECK,
        actor=actor,
        on=on,
        subject=("payment_order", order.pk),
        institution_id=order.institution_id,
        title=f"付款复核 {Purpose(order.purpose).label} {order.payee_name}",
        reason="付款由录入人以外的人复核后才能发送",
        cause=f"revision:{order.revision}",
        facts={
            "amount_fen": order.amount_fen,
            "用途": str(Purpose(order.purpose).label),
            "收款人": order.payee_name,
            "收款账号": mask_account(order.payee_account),
        },
    )


def _drop_check(order: PaymentOrder, actor: Actor, on: date, reason: str) -> None:
    work.cancel_check(PAYMENT_CHECK, actor=actor, subject=("payment_order", order.pk), on=on, reason=reason)


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


@operation("cashdesk.decide_payment_order", permission="cashdesk.authorize")
def decide_payment_order(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核付款（任务「付款复核」的办结）：同意即可发送，退回须写意见，录入人可改正再送或撤销。

    :raises NotPermitted: 复核人就是录入人（写明规则），或任务不归他办。
    :raises Conflict: 任务已办结，或付款单已不在待授权。
    """
    return _decide(actor, work.subject_to_check(PAYMENT_CHECK, task_id=task_id), task_id, outcome, opinion, on)


@operation("cashdesk.authorize_payment_order", permission="cashdesk.authorize")
def authorize_payment_order(*, actor: Actor, key: str, order_id: int, on: date, opinion: str = "") -> dict[str, Any]:
    """授权付款单：办结它的复核任务。规则同 ``decide_payment_order``。"""
    return _decide(actor, order_id, None, work.APPROVED, opinion, on)


@operation("cashdesk.reject_payment_order", permission="cashdesk.authorize")
def reject_payment_order(*, actor: Actor, key: str, order_id: int, opinion: str, on: date) -> dict[str, Any]:
    """退回付款单：办结它的复核任务，须写意见。规则同 ``decide_payment_order``。"""
    return _decide(actor, order_id, None, work.RETURNED, opinion, on)


def _decide(actor: Actor, order_id: int, task_id: int | None, outcome: str, opinion: str, on: date) -> dict[str, Any]:
    order = _order(actor, order_id, OrderState.CREATED)
    if work.close_check(
        PAYMENT_CHECK, actor=actor, subject=("payment_order", order.pk), task_id=task_id, outcome=outcome,
        opinion=opinion, on=on,
    ):  # fmt: skip
        order.state, order.authorized_by = OrderState.AUTHORIZED, actor.person_id
    else:
        order.state = OrderState.RETURNED
    order.opinion = opinion.strip()[:200]
    order.save(update_fields=["state", "authorized_by", "opinion"])
    return {"subject": f"payment_order:{order.pk}", "order_id": order.pk, "state": str(order.state)}


@operation("cashdesk.correct_payment_order", permission="cashdesk.pay")
def correct_payment_order(
    *, actor: Actor, key: str, order_id: int, payee_name: str, on: date, payee_account: str = "", payee_bank: str = "",
    memo: str = "",
) -> dict[str, Any]:  # fmt: skip
    """改正付款单：录入人改待授权的或被退回的收款人、账号、开户行、备注，重新送复核。

    金额、用途、对象与业务相连，不能改：撤销后重开。``payee_account`` 留空即不改。

    :raises NotPermitted: 不是录入人。
    :raises Conflict: 已授权、已发送或已了结。
    """
    order = _order(actor, order_id, OrderState.CREATED, OrderState.RETURNED)
    work.require_maker(PAYMENT_CHECK, actor=actor, maker_id=order.created_by, field="order_id", value=order_id)
    if not payee_name.strip():
        raise DomainError("ORDER_FIELD", "没有收款人。", field="payee_name", fix="请补全收款人。")
    _drop_check(order, actor, on, "录入人改正后重新送复核")
    # The audit lives for ever: it names the columns, and digests tell whether a value was this one.
    was = {name: keyed_digest(getattr(order, name)) for name in ("payee_name", "payee_account", "payee_bank", "memo")}
    order.payee_name, order.payee_bank, order.memo = payee_name.strip()[:80], payee_bank[:80], memo[:200]
    order.payee_account = payee_account.strip() or order.payee_account
    order.state, order.revision = OrderState.CREATED, order.revision + 1
    order.save(update_fields=["payee_name", "payee_account", "payee_bank", "memo", "state", "revision"])
    _ask_for_check(order, actor, on)
    return {"subject": f"payment_order:{order.pk}", "order_id": order.pk, "audit": {"was": was}}


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
        summary=f"付款 {Purpose(order.purpose).label} 第 {order.pk} 号", subject=order.subject, actor=actor,
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
    """撤销尚未发送的付款单；还没复核的，复核任务一并撤销。"""
    order = _order(actor, order_id, OrderState.CREATED, OrderState.RETURNED, OrderState.AUTHORIZED)
    _drop_check(order, actor, on, f"付款单撤销：{reason.strip()}")
    return _abandon(order, OrderState.CANCELLED, reason, on)


def _abandon(order: PaymentOrder, state: OrderState, reason: str, on: date) -> dict[str, Any]:
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "须写明失败或撤销的原因。", field="reason", fix="填银行返回的原因或内部原因。"
        )
    order.state, order.failure, order.finished_on = state, reason.strip()[:200], on
    order.save(update_fields=["state", "failure", "finished_on"])
    if order.receipt_id is not None:
        change_receipt(order.receipt_id, returned=-order.amount_fen)
    return {"subject": f"payment_order:{order.pk}"}
