"""事件推送：订阅列表、新建与修改、投递记录、试送与重送。"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.access.queries import institution_tree
from sancha.apps.webhooks import operations, queries
from sancha.apps.webhooks.queries import DeliveryInfo
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.subjects import naming
from sancha.interfaces.web.submission import submission
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.webhooks.forms import DeliveryFilter, EditForm, SubscribeForm
from sancha.kit.actor import Actor
from sancha.kit.events import catalog, find_event

READ, WRITE = "webhooks.view", "webhooks.manage"
COLORS = {"ACTIVE": "green", "PAUSED": "amber", "CLOSED": "", "PENDING": "amber", "DELIVERED": "green", "DEAD": "red"}


def _pill(state: str, name: str) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', COLORS.get(state, ""), name)


def _event_name(name: str) -> str:
    kind = find_event(name)
    return kind.title if kind else name


@page(READ)
@require_safe
def subscription_list(request: PageRequest) -> HttpResponse:
    """订阅列表。"""
    with_closed = request.GET.get("closed") == "1"
    found = queries.list_subscriptions(request.actor, with_closed=with_closed, page=page_number(request.GET))
    table = Table(
        [
            Column("name", _("名称"), link=lambda row: reverse("webhooks:detail", args=[row.id])),
            Column("institution_name", _("机构")),
            Column("url", _("接收网址"), css="wrap mono"),
            Column("events", _("事件"), show=lambda row: _("%(count)d 种") % {"count": len(row.events)}),
            Column("state", _("状态"), show=lambda row: _pill(row.state, row.state_name)),
            Column("pending", _("待送达"), kind="int"),
            Column("dead", _("死信"), kind="int"),
            Column("last_delivered_at", _("最近送达"), kind="moment"),
        ],
        found.rows,
        pagination=Pagination.over(found),
        stack=True,
        row_css=lambda row: "off" if row.state == "CLOSED" else "",
        empty=_("还没有订阅"),
    )
    return render(request, "webhooks/list.html", {"table": table, "with_closed": with_closed})


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: PageRequest) -> HttpResponse:
    """新建订阅：密钥只在办成的这一页显示。"""
    form = SubscribeForm(request.POST or None, tree=institution_tree(request.actor))
    if request.method == "POST" and form.is_valid():
        done = attempt(form, operations.subscribe, **submission(request), **form.cleaned_data)
        if done is not None:
            return _secret_page(request, done)
    return show(request, "webhooks/edit.html", {"form": form, "subscription": None})


@page(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PageRequest, subscription_id: int) -> HttpResponse:
    """修改订阅。"""
    found = queries.subscription_detail(request.actor, subscription_id)
    initial = {"name": found.name, "url": found.url, "events": found.events}
    form = EditForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            operations.edit_subscription,
            **submission(request),
            subscription_id=subscription_id,
            **form.cleaned_data,
        )
        if done is not None:
            return go(request, "webhooks:detail", subscription_id, said=_("订阅已修改。"))
    return show(request, "webhooks/edit.html", {"form": form, "subscription": found})


def _secret_page(request: PageRequest, done: dict[str, Any]) -> HttpResponse:
    # Not a redirect: the secret exists in this response only, and must not pass through session or URL.
    found = queries.subscription_detail(request.actor, done["subscription_id"])
    return render(request, "webhooks/secret_once.html", {"subscription": found, "secret": done["secret"]})


@page(READ)
@require_safe
def detail(request: PageRequest, subscription_id: int) -> HttpResponse:
    """一个订阅与它的投递记录。"""
    return _detail(request, subscription_id)


def _detail(request: PageRequest, subscription_id: int, plain: Form | None = None) -> HttpResponse:
    actor = request.actor
    found = queries.subscription_detail(actor, subscription_id)
    form = DeliveryFilter(request.GET)
    rows = queries.deliveries(actor, subscription_id=subscription_id, page=page_number(request.GET), **form.wanted)
    context = {
        "subscription": found,
        "state": _pill(found.state, found.state_name),
        "events": [(name, _event_name(name)) for name in found.events],
        "may_manage": actor.may(WRITE),
        "form": form,
        "table": _deliveries(actor, rows.rows, Pagination.over(rows)),
        "plain": plain,
    }
    return show(request, "webhooks/detail.html", context)


def _deliveries(actor: Actor, rows: list[DeliveryInfo], pagination: Pagination) -> Table:
    subject = naming(actor, [row.subject for row in rows])
    return Table(
        [
            Column(
                "created_at", _("排入"), kind="moment", link=lambda row: reverse("webhooks:delivery", args=[row.id])
            ),
            Column("event", _("事件"), show=lambda row: _event_name(row.event)),
            Column("subject", _("对象"), show=lambda row: subject(row.subject)),
            Column("state", _("状态"), show=lambda row: _pill(row.state, row.state_name)),
            Column("attempts", _("次数"), kind="int"),
            Column("status_code", _("回应码"), kind="int"),
            Column("milliseconds", _("用时（毫秒）"), kind="int"),
            Column("finished_at", _("了结"), kind="moment"),
            Column("next_at", _("下次"), show=_next),
            Column("error", _("原因"), css="wrap"),
        ],
        rows,
        pagination=pagination,
        empty=_("没有投递记录"),
    )


def _next(row: DeliveryInfo) -> Any:
    from sancha.interfaces.web.templatetags.sancha import NOTHING, moment

    return moment(row.next_at) if row.state == "PENDING" else NOTHING


@page(READ)
@require_safe
def delivery(request: PageRequest, delivery_id: int) -> HttpResponse:
    """一条投递：原文与逐次尝试。"""
    return _delivery(request, delivery_id)


def _delivery(request: PageRequest, delivery_id: int, plain: Form | None = None) -> HttpResponse:
    found = queries.delivery_detail(request.actor, delivery_id)
    table = Table(
        [
            Column("number", _("第几次"), kind="int"),
            Column("at", _("时刻"), kind="moment"),
            Column("status_code", _("回应码"), kind="int"),
            Column("milliseconds", _("用时（毫秒）"), kind="int"),
            Column("error", _("原因"), css="wrap"),
        ],
        found.log,
        empty=_("还没有送过"),
    )
    context = {
        "found": found.delivery,
        "event_name": _event_name(found.delivery.event),
        "subject": naming(request.actor, [found.delivery.subject])(found.delivery.subject),
        "state": _pill(found.delivery.state, found.delivery.state_name),
        "subscription": queries.subscription_detail(request.actor, found.subscription_id),
        "body": json.dumps(json.loads(found.body), ensure_ascii=False, indent=2),
        "table": table,
        "may_manage": request.actor.may(WRITE),
        "plain": plain,
    }
    return show(request, "webhooks/delivery.html", context)


@page(READ)
@require_safe
def event_catalog(request: PageRequest) -> HttpResponse:
    """事件目录：何时发生、内容有哪些栏目。"""
    return render(request, "webhooks/events.html", {"kinds": catalog()})


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def pause(request: PageRequest, subscription_id: int) -> HttpResponse:
    """暂停推送。"""
    return _act(request, subscription_id, operations.pause_subscription, _("已暂停，事件继续积存。"))


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def resume(request: PageRequest, subscription_id: int) -> HttpResponse:
    """恢复推送。"""
    return _act(request, subscription_id, operations.resume_subscription, _("已恢复，积存的事件按次序补送。"))


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def close(request: PageRequest, subscription_id: int) -> HttpResponse:
    """停用订阅。"""
    return _act(request, subscription_id, operations.close_subscription, _("订阅已停用。"))


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def send_test(request: PageRequest, subscription_id: int) -> HttpResponse:
    """试送一个事件。"""
    return _act(request, subscription_id, operations.send_test, _("已排入一个试送事件，由后台送出；稍候刷新看结果。"))


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def rotate(request: PageRequest, subscription_id: int) -> HttpResponse:
    """换密钥：新密钥只在这一页显示一次。"""
    plain = Form(request.POST)
    done = attempt(plain, operations.rotate_secret, **submission(request), subscription_id=subscription_id)
    return _secret_page(request, done) if done is not None else _detail(request, subscription_id, plain)


@page(WRITE)
@post_only("webhooks:detail", "subscription_id")
def redeliver_dead(request: PageRequest, subscription_id: int) -> HttpResponse:
    """死信全部重送（一次至多五百条）。"""
    ids = queries.dead_ids(request.actor, subscription_id=subscription_id)
    plain = Form(request.POST)
    done = attempt(plain, operations.redeliver, **submission(request), delivery_ids=ids)
    if done is None:
        return _detail(request, subscription_id, plain)
    return go(
        request, "webhooks:detail", subscription_id, said=_("%(count)d 条已排入重送。") % {"count": done["count"]}
    )


@page(WRITE)
@post_only("webhooks:delivery", "delivery_id")
def redeliver(request: PageRequest, delivery_id: int) -> HttpResponse:
    """重送一条。"""
    plain = Form(request.POST)
    done = attempt(plain, operations.redeliver, **submission(request), delivery_ids=[delivery_id])
    if done is None:
        return _delivery(request, delivery_id, plain)
    return go(request, "webhooks:delivery", delivery_id, said=_("已排入重送。"))


def _act(request: PageRequest, subscription_id: int, operation: Any, said: str) -> HttpResponse:
    plain = Form(request.POST)
    if attempt(plain, operation, **submission(request), subscription_id=subscription_id) is not None:
        return go(request, "webhooks:detail", subscription_id, said=said)
    return _detail(request, subscription_id, plain)
