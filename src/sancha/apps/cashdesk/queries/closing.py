"""停业前的资金检查：钱箱、银行账户、挂账与付款都要先了结。"""

from __future__ import annotations

from datetime import date

from sancha.apps.cashdesk.models import AccountKind, OrderState, OwnAccount, PaymentOrder, Receipt
from sancha.apps.cashdesk.queries.receipts import OPEN_STATES
from sancha.apps.ledger.queries import account_balance
from sancha.kernel.money import format_yuan


def unfinished_money_reason(institution_id: int) -> str | None:
    """撤销机构前的检查：钱箱与银行账户须为零，没有挂账的收款、没有走到一半的付款；有则返回理由。"""
    reasons = []
    for account in OwnAccount.objects.filter(institution_id=institution_id).order_by("pk"):
        balance = account_balance(account_id=account.ledger_account_id, institution_id=institution_id, on=date.max)
        if balance:
            what = "钱箱" if account.kind == AccountKind.CASH else "银行账户"
            reasons.append(f"{what}「{account.name}」账面还有 {format_yuan(balance)} 元")
    if waiting := Receipt.objects.filter(institution_id=institution_id, state__in=OPEN_STATES).count():
        reasons.append(f"尚有 {waiting} 笔收款挂账")
    on_the_way = [OrderState.CREATED, OrderState.AUTHORIZED, OrderState.SENT]
    if orders := PaymentOrder.objects.filter(own_account__institution_id=institution_id, state__in=on_the_way).count():
        reasons.append(f"尚有 {orders} 张付款单没有办完")
    return "；".join(reasons) or None
