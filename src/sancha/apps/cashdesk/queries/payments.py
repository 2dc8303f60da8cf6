"""付款单。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.cashdesk.models import OrderState, OwnAccount, PaymentOrder, Purpose
from sancha.apps.cashdesk.queries.listing import Listing, listing_of, masked, place_of
from sancha.apps.ledger.mapping import resolve_accounts
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """付款单一览行，收款账号为掩码。"""

    id: int
    institution_id: int
    own_account_id: int
    purpose: str
    purpose_name: str
    subject: str
    receipt_id: int | None
    amount_fen: int
    payee_name: str
    payee_account_masked: str
    payee_bank: str
    memo: str
    state: str
    state_name: str
    created_on: date
    created_by: int | None
    authorized_by: int | None
    sent_on: date | None
    bank_serial: str
    finished_on: date | None
    failure: str
    voucher_id: int | None
    opinion: str
    revision: int


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """付款单全貌：单子本身、从哪个账户付、谁录入、谁授权。"""

    info: OrderInfo
    institution_name: str
    own_account_name: str
    own_account_number: str
    created_by_name: str
    authorized_by_name: str
    recorded_at: datetime


def order_detail(actor: Actor, order_id: int) -> OrderDetail:
    """一张付款单（收款账号为掩码）；两条查询。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    rows = PaymentOrder.objects.filter(in_scope(actor), pk=order_id)
    row = rows.select_related("institution", "own_account").first()
    if row is None:
        raise NotFound(
            "ORDER_NOT_FOUND", f"没有编号为 {order_id} 的付款单，或不在您的管辖范围内。", field="order_id",
            value=order_id, fix="请从付款单列表或待办中选择。",
        )  # fmt: skip
    names = names_of([row.created_by, row.authorized_by])
    return OrderDetail(
        info=_order_info(row), institution_name=row.institution.name, own_account_name=row.own_account.name,
        own_account_number=row.own_account.number_masked, created_by_name=names.get(row.created_by or 0, "系统"),
        authorized_by_name=names.get(row.authorized_by or 0, ""), recorded_at=row.recorded_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderEntry:
    """付款单的一行分录（借正贷负）。"""

    account_id: int
    account_code: str
    account_name: str
    amount_fen: int


def order_entries(order: OrderInfo, *, on: date) -> list[OrderEntry]:
    """付款单的分录：付成时这样记（已付的就是凭证上的两行）。借 贷款收付过渡或暂收，贷 付出账户的科目。"""
    accounts = resolve_accounts(order.finished_on or on, complete=False)
    against = accounts.role("SUSPENSE" if order.purpose == Purpose.RETURN else "LOAN_CLEARING")
    own = OwnAccount.objects.values_list("ledger_account_id", flat=True).get(pk=order.own_account_id)
    return [
        OrderEntry(number, accounts.accounts[number].code, accounts.accounts[number].name, fen)
        for number, fen in ((against, order.amount_fen), (own, -order.amount_fen))
    ]


def _order_info(row: PaymentOrder) -> OrderInfo:
    return OrderInfo(
        row.pk, row.institution_id, row.own_account_id, row.purpose, str(Purpose(row.purpose).label), row.subject,
        row.receipt_id, row.amount_fen, row.payee_name, masked(row.payee_account), row.payee_bank, row.memo, row.state,
        str(OrderState(row.state).label), row.created_on, row.created_by, row.authorized_by, row.sent_on,
        row.bank_serial, row.finished_on, row.failure, row.voucher_id, row.opinion, row.revision,
    )  # fmt: skip


def payment_orders(
    actor: Actor, *, institution_id: int | None = None, state: str = "", purpose: str = "", subject: str = "",
    first: date | None = None, last: date | None = None, page: int = 1, size: int = 50,
) -> Listing:  # fmt: skip
    """付款单列表，新的在前；合计为金额。"""
    exact = {"state": state, "purpose": purpose, "subject": subject, "created_on__gte": first, "created_on__lte": last}
    rows = PaymentOrder.objects.filter(place_of(actor, institution_id))
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    return listing_of(rows.order_by("-created_on", "-id"), "amount_fen", page, size, _order_info)


def payee_account_to_send(actor: Actor, order_id: int) -> str:
    """待发送或已发送的付款单的完整收款账号；须有付款权限。

    :raises NotFound: 没有、不在范围内，或还没授权。
    """
    actor.require("cashdesk.pay")
    states = [OrderState.AUTHORIZED, OrderState.SENT]
    row = PaymentOrder.objects.filter(in_scope(actor), pk=order_id, state__in=states).first()
    if row is None:
        raise NotFound(
            "ORDER_NOT_FOUND",
            f"没有编号为 {order_id} 的待付付款单。",
            field="order_id",
            value=order_id,
            fix="请从付款单列表中选择待付的。",
        )
    return row.payee_account
