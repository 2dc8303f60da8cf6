"""付款单：录入 → 另一人授权（或退回改正）→ 发送 → 付成或失败；列表、详情与任务页里的片段。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.cashdesk import operations
from sancha.apps.cashdesk.queries import (
    OrderDetail,
    OrderInfo,
    order_detail,
    order_entries,
    own_accounts,
    payee_account_to_send,
    payment_orders,
)
from sancha.apps.servicing.queries import find_loan
from sancha.interfaces.web.cash.forms import (
    OpinionForm,
    OrderCorrectForm,
    OrderFilter,
    OrderForm,
    ReasonForm,
    SettleForm,
)
from sancha.interfaces.web.cash.receipts import PAY, READ
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.subjects import plain as written
from sancha.interfaces.web.subjects import subject_words
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Pagination, page_number
from sancha.interfaces.web.work.trail import entered, later, review_of
from sancha.kernel.money import rmb_uppercase
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError, NotFound

AUTHORIZE = "cashdesk.authorize"
TONES = {
    "CREATED": "amber",
    "RETURNED": "red",
    "AUTHORIZED": "blue",
    "SENT": "blue",
    "SETTLED": "green",
    "FAILED": "red",
    "CANCELLED": "",
}


@page(READ)
@require_safe
def order_list(request: PageRequest) -> HttpResponse:
    """付款单列表；要办的事在各单的页面上。"""
    actor = request.actor
    form = OrderFilter(request.GET)
    found = payment_orders(actor, page=page_number(request.GET), **form.wanted)
    context = {
        "form": form,
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
        "may_cancel": order.state in {"CREATED", "RETURNED", "AUTHORIZED"} and pays,
        "may_correct": order.state in {"CREATED", "RETURNED"} and pays and order.created_by == actor.person_id,
    }


@page(READ)
@require_safe
def order(request: PageRequest, order_id: int) -> HttpResponse:
    """一张付款单：付什么、记什么账、谁办的、到了哪一步。"""
    return _order(request, order_id)


def _order(request: PageRequest, order_id: int, plain: Form | None = None) -> HttpResponse:
    steps, waiting = review_of(request, "payment_order", order_id)
    context = _face(request, order_id)
    found: OrderDetail = context["found"]
    info = found.info
    steps = [
        entered(found.created_by_name, found.recorded_at, _("录入付款单")),
        *steps,
        *later(
            (_("发送"), info.sent_on, ""),
            (
                _("付成，已记账"),
                info.finished_on if info.state == "SETTLED" else None,
                _("流水号 %s") % info.bank_serial,
            ),
            (_("付款失败"), info.finished_on if info.state == "FAILED" else None, info.failure),
            (_("撤销"), info.finished_on if info.state == "CANCELLED" else None, info.failure),
        ),
    ]
    return show(request, "cash/order.html", context | {"steps": steps, "waiting": waiting, "plain": plain})


def _face(request: PageRequest, order_id: int) -> dict[str, Any]:
    actor = request.actor
    found = order_detail(actor, order_id)
    info = found.info
    return {
        "found": found,
        "order": info,
        "row": _row(info, actor),
        "entries": order_entries(info, on=request.business_date),
        "words": rmb_uppercase(info.amount_fen),
        "about": "" if info.receipt_id else written(*subject_words(actor, info.subject)),
    }


@page(READ)
@require_safe
def order_brief(request: PageRequest, order_id: int) -> HttpResponse:
    """付款单的片段：付款复核的任务页取用。"""
    return render(request, "cash/order_brief.html", _face(request, order_id))


@page(PAY)
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: PageRequest, order_id: int) -> HttpResponse:
    """改正收款人与账号，重新送复核。"""
    found = order_detail(request.actor, order_id)
    info = found.info
    initial = {name: getattr(info, name) for name in ("payee_name", "payee_bank", "memo")}
    form = OrderCorrectForm(request.POST or None, initial=initial, shown=info.payee_account_masked)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form, operations.correct_payment_order, **submission(request), order_id=order_id, **form.cleaned_data
        )
        if done is not None:
            return go(request, "cash:order", order_id, said=_("已改正，重新送复核。"))
    return show(request, "cash/correct_order.html", {"form": form, "order": info})


@page(PAY)
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: PageRequest) -> HttpResponse:
    """录入付款单。"""
    form = OrderForm(request.POST or None, accounts=own_accounts(request.actor))
    if request.method == "POST" and form.is_valid():
        done = attempt(form, _entered, **submission(request), **form.cleaned_data)
        if done is not None:
            return go(request, "cash:order", done["order_id"], said=_("付款单已录入，待另一人授权。"))
    return show(request, "cash/enter_order.html", {"form": form})


def _entered(*, actor: Actor, loan_number: str, **given: Any) -> dict[str, Any]:
    subject = ""
    if loan_number:
        try:
            subject = f"loan:{find_loan(actor=actor, number=loan_number.strip()).pk}"
        except NotFound as missing:
            raise DomainError(
                "LOAN_NOT_FOUND", _("没有这笔借据，或不在您的机构范围内。"), field="loan_number", value=loan_number,
                fix=_("请照借据台账上的借据号填写；不为借据付的不填。"),
            ) from missing  # fmt: skip
    return operations.enter_payment_order(actor=actor, subject=subject, **given)


def _act(request: PageRequest, form: Form, operation: Any, said: str, order_id: int) -> HttpResponse:
    if form.is_valid():
        done = attempt(form, operation, **submission(request), order_id=order_id, **form.cleaned_data)
        if done is not None:
            return go(request, "cash:order", order_id, said=said)
    return _order(request, order_id, plain=form)


@page(AUTHORIZE)
@post_only("cash:order", "order_id")
def authorize(request: PageRequest, order_id: int) -> HttpResponse:
    """授权。"""
    form = OpinionForm(request.POST)
    return _act(request, form, operations.authorize_payment_order, _("已授权，可以发送。"), order_id)


@page(AUTHORIZE)
@post_only("cash:order", "order_id")
def reject(request: PageRequest, order_id: int) -> HttpResponse:
    """退回，须写意见。"""
    form = OpinionForm(request.POST)
    return _act(request, form, operations.reject_payment_order, _("已退回，由录入人改正或撤销。"), order_id)


@page(PAY)
@post_only("cash:order", "order_id")
def send(request: PageRequest, order_id: int) -> HttpResponse:
    """发送：完整收款账号只在这一页显示，留痕。"""
    form = Form(request.POST)
    done = attempt(form, operations.send_payment_order, **submission(request), order_id=order_id)
    if done is None:
        return _order(request, order_id, plain=form)
    account = payee_account_to_send(request.actor, order_id)
    return render(
        request, "cash/sent.html", {"account": account, "order_id": order_id, "amount_fen": done["amount_fen"]}
    )


@page(PAY)
@post_only("cash:order", "order_id")
def settle(request: PageRequest, order_id: int) -> HttpResponse:
    """付成：记账。"""
    return _act(request, SettleForm(request.POST), operations.settle_payment_order, _("已付成并记账。"), order_id)


@page(PAY)
@post_only("cash:order", "order_id")
def fail(request: PageRequest, order_id: int) -> HttpResponse:
    """付款失败。"""
    return _act(request, ReasonForm(request.POST), operations.fail_payment_order, _("已记为失败，没有记账。"), order_id)


@page(PAY)
@post_only("cash:order", "order_id")
def cancel(request: PageRequest, order_id: int) -> HttpResponse:
    """撤销尚未发送的。"""
    return _act(request, ReasonForm(request.POST), operations.cancel_payment_order, _("已撤销。"), order_id)
