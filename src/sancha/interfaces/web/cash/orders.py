"""付款单：录入 → 另一人授权 → 发送 → 付成或失败。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import OrderInfo, own_accounts, payee_account_to_send, payment_orders
from sancha.interfaces.web.cash.forms import OrderFilter, OrderForm, ReasonForm, SettleForm
from sancha.interfaces.web.cash.receipts import PAY, READ
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Pagination, page_number

AUTHORIZE = "cashdesk.authorize"
TONES = {"CREATED": "amber", "AUTHORIZED": "blue", "SENT": "blue", "SETTLED": "green", "FAILED": "red", "CANCELLED": ""}


@page(READ)
@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """付款单列表，各自可办的事就在行里。"""
    return _orders(request)


def _orders(request: HttpRequest, plain: Form | None = None) -> HttpResponse:
    actor = request.actor
    form = OrderFilter(request.GET)
    found = payment_orders(actor, page=page_number(request.GET), **form.wanted)
    context = {
        "form": form,
        "plain": plain,
        "rows": [_row(order, actor) for order in found.page.rows],
        "total_fen": found.total_fen,
        "pages": Pagination.over(found.page),
        "may_pay": actor.may(PAY),
    }
    return show(request, "cash/orders.html", context)


def _row(order: OrderInfo, actor: Any) -> dict[str, Any]:
    pays = actor.may(PAY)
    return {
        "order": order,
        "tone": TONES[order.state],
        "may_authorize": order.state == "CREATED" and actor.may(AUTHORIZE) and order.created_by != actor.person_id,
        "may_send": order.state == "AUTHORIZED" and pays,
        "may_settle": order.state == "SENT" and pays,
        "may_cancel": order.state in {"CREATED", "AUTHORIZED"} and pays,
    }


@page(PAY)
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """录入付款单。"""
    form = OrderForm(request.POST or None, accounts=own_accounts(request.actor))
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.enter_payment_order, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "cash:orders", said=_("付款单已录入，待另一人授权。"))
    return show(request, "cash/enter_order.html", {"form": form})


def _act(request: HttpRequest, form: Form, operation: Any, said: str, order_id: int) -> HttpResponse:
    if form.is_valid():
        done = attempt(form, operation, **submission(request), order_id=order_id, **form.cleaned_data)
        if done is not None:
            return go(request, "cash:orders", said=said)
    return _orders(request, plain=form)


@page(AUTHORIZE)
@post_only("cash:orders")
def authorize(request: HttpRequest, order_id: int) -> HttpResponse:
    """授权。"""
    return _act(request, Form(request.POST), operations.authorize_payment_order, _("已授权，可以发送。"), order_id)


@page(PAY)
@post_only("cash:orders")
def send(request: HttpRequest, order_id: int) -> HttpResponse:
    """发送：完整收款账号只在这一页显示，留痕。"""
    form = Form(request.POST)
    done = attempt(form, operations.send_payment_order, **submission(request), order_id=order_id)
    if done is None:
        return _orders(request, plain=form)
    account = payee_account_to_send(request.actor, order_id)
    return render(
        request, "cash/sent.html", {"account": account, "order_id": order_id, "amount_fen": done["amount_fen"]}
    )


@page(PAY)
@post_only("cash:orders")
def settle(request: HttpRequest, order_id: int) -> HttpResponse:
    """付成：记账。"""
    return _act(request, SettleForm(request.POST), operations.settle_payment_order, _("已付成并记账。"), order_id)


@page(PAY)
@post_only("cash:orders")
def fail(request: HttpRequest, order_id: int) -> HttpResponse:
    """付款失败。"""
    return _act(request, ReasonForm(request.POST), operations.fail_payment_order, _("已记为失败，没有记账。"), order_id)


@page(PAY)
@post_only("cash:orders")
def cancel(request: HttpRequest, order_id: int) -> HttpResponse:
    """撤销尚未发送的。"""
    return _act(request, ReasonForm(request.POST), operations.cancel_payment_order, _("已撤销。"), order_id)
