"""收：发件箱的一条消息 → 各订阅的投递。在发件箱的事务里，不联网。"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.businessday import queries as businessday
from sancha.apps.webhooks.models import Delivery, Subscription, SubscriptionState
from sancha.kit.clock import now
from sancha.kit.errors import NotFound
from sancha.kit.events import GROUP, find_event
from sancha.kit.outbox import Message


def body_of(event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """推送的正文：外壳各事件一样，内容在 ``data``。"""
    return {
        "id": payload["id"],
        "type": event,
        "version": payload["version"],
        "occurred_at": payload["at"],
        "business_date": payload["on"],
        "institution_id": payload["institution_id"],
        "subject": payload["subject"],
        "data": payload["data"],
    }


def wanted_events() -> set[str]:
    """此刻有人订的事件；没人订的发件箱直接放行，日终几万条也不必逐条看。"""
    rows = Subscription.objects.exclude(state=SubscriptionState.CLOSED).values_list("events", flat=True)
    return {name for events in rows for name in events}


def enqueue(message: Message) -> None:
    """给听得见、订了、且在事件之前就已订的订阅各排一条投递。重来也不会排重。"""
    payload = message.payload
    kind = find_event(message.event)
    listening = [
        row
        for row in Subscription.objects.exclude(state=SubscriptionState.CLOSED).select_related("institution")
        if message.event in row.events and row.created_at <= datetime.fromisoformat(payload["at"])
    ]
    if not listening:
        return
    if kind is not None and kind.reach == GROUP:
        heard = [row for row in listening if _group_of(row.institution_id) == payload["data"]["group_id"]]
    else:
        place = access.institutions_by_id([payload["institution_id"]]).get(payload["institution_id"])
        heard = [row for row in listening if place is not None and place.path.startswith(row.institution.path)]
    at = now()
    body = json.dumps(body_of(message.event, payload), ensure_ascii=False)
    Delivery.objects.bulk_create(
        [
            Delivery(
                subscription=row,
                event_id=payload["id"],
                event=message.event,
                message_id=message.id,
                subject=payload["subject"],
                body=body,
                next_at=at,
                created_at=at,
            )
            for row in heard
        ],
        ignore_conflicts=True,
    )


def _group_of(institution_id: int) -> int | None:
    try:
        return businessday.partition_of(institution_id=institution_id).group_id
    except NotFound:
        return None
