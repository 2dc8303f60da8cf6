"""事件推送的端点：订阅、密钥、试送、投递记录与重送、事件目录。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.webhooks import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Id, Word, done, list_of, page_of, record, reply_of, text_of
from sancha.kit.events import catalog

router = Router(tags=["事件推送"])

FieldReply = record("EventField", {"name": str, "type": str, "text": str, "optional": bool}, "事件内容的一个栏目。")
EventReply = record(
    "EventKind",
    {"name": str, "title": str, "when": str, "version": int, "reach": str, "fields": list_of(FieldReply)},
    "一种事件。",
)
SecretDone = done("WebhookSecretDone", subscription_id=int, state=str, secret=str | None)
StateDone = done("WebhookDone", subscription_id=int, state=str)
_URL = Spec(text_of(500))
_NAME = Spec(text_of(80))
_EXAMPLE = {
    "name": "核心系统",
    "url": "https://hooks.example.com/sancha",
    "events": ["loan.booked", "repayment.posted", "repayment.reversed"],
}


@ask(router, "/webhooks/events", "webhooks.view", "事件目录", reply=EventReply, many=True)
def events(request: HttpRequest) -> Any:
    """全部事件：何时发生、版本、内容的栏目与类型。内容里没有个人信息，只有编号、代码、日期与金额。"""
    return [
        {
            "name": kind.name,
            "title": kind.title,
            "when": kind.when,
            "version": kind.version,
            "reach": kind.reach,
            "fields": [
                {"name": name, "type": field.type, "text": field.text, "optional": field.optional}
                for name, field in kind.fields.items()
            ],
        }
        for kind in catalog()
    ]


@ask(router, "/webhooks", "webhooks.view", "订阅", reply=page_of(reply_of(queries.SubscriptionInfo)))
def subscriptions(request: HttpRequest, *, with_closed: bool = False, paging: Query[Paging]) -> Any:
    """范围内的订阅，先建的在前；没有密钥。"""
    found = queries.list_subscriptions(
        caller_of(request).actor, with_closed=with_closed, page=paging.page, size=paging.size
    )
    return page_reply(found, paging)


@ask(router, "/webhooks/{subscription_id}", "webhooks.view", "一个订阅", reply=queries.SubscriptionInfo)
def subscription(request: HttpRequest, *, subscription_id: Id) -> Any:
    """一个订阅的现状：状态、待送与死信的条数、从何时起连续失败。"""
    return queries.subscription_detail(caller_of(request).actor, subscription_id)


act(
    router,
    "/webhooks",
    operations.subscribe,
    "新建订阅",
    without=["generated"],
    fields={"url": _URL, "name": _NAME},
    reply=SecretDone,
    status=201,
    example={"institution_id": 4, **_EXAMPLE},
    text="新建订阅：把该机构及下级的这些事件推送到 ``url``。签名密钥 ``secret`` 只在这一次响应里出现；重试（同一幂等键）不再给出。",
)
act(
    router,
    "/webhooks/{subscription_id}",
    operations.edit_subscription,
    "修改订阅",
    method="PUT",
    fields={"url": _URL, "name": _NAME},
    reply=StateDone,
    example=_EXAMPLE,
)
act(
    router,
    "/webhooks/{subscription_id}/pause",
    operations.pause_subscription,
    "暂停推送",
    reply=StateDone,
    example={"reason": "接收方升级"},
)
act(router, "/webhooks/{subscription_id}/resume", operations.resume_subscription, "恢复推送", reply=StateDone)
act(router, "/webhooks/{subscription_id}/close", operations.close_subscription, "停用订阅", reply=StateDone)
act(
    router,
    "/webhooks/{subscription_id}/rotate-secret",
    operations.rotate_secret,
    "换签名密钥",
    without=["generated"],
    reply=SecretDone,
    text="换签名密钥：新密钥 ``secret`` 只在这一次响应里出现；旧密钥 24 小时内仍一并签名。",
)
act(
    router,
    "/webhooks/{subscription_id}/test",
    operations.send_test,
    "试送",
    reply=done("WebhookTestDone", subscription_id=int, state=str, delivery_id=int),
    status=202,
)


@ask(
    router,
    "/webhooks/{subscription_id}/deliveries",
    "webhooks.view",
    "投递记录",
    reply=page_of(reply_of(queries.DeliveryInfo)),
)
def deliveries(
    request: HttpRequest, *, subscription_id: Id, state: Word = "", event: Word = "", paging: Query[Paging]
) -> Any:
    """一个订阅的投递，新的在前；``state`` 为 PENDING、DELIVERED 或 DEAD。"""
    found = queries.deliveries(
        caller_of(request).actor,
        subscription_id=subscription_id,
        state=state,
        event=event,
        page=paging.page,
        size=paging.size,
    )
    return page_reply(found, paging)


@ask(router, "/webhooks/deliveries/{delivery_id}", "webhooks.view", "一条投递", reply=queries.DeliveryDetail)
def delivery(request: HttpRequest, *, delivery_id: Id) -> Any:
    """一条投递：原文与逐次尝试（状态码、用时、没成的原因）。"""
    return queries.delivery_detail(caller_of(request).actor, delivery_id)


act(
    router,
    "/webhooks/deliveries/redeliver",
    operations.redeliver,
    "重送",
    reply=done("RedeliverDone", count=int),
    example={"delivery_ids": [1, 2]},
)
