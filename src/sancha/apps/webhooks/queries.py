"""查订阅、投递与尝试。一律限于数据范围；不含密钥。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from sancha.apps.access import queries as access
from sancha.apps.webhooks.models import Delivery, DeliveryAttempt, DeliveryState, Subscription, SubscriptionState
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

VIEW = "webhooks.view"


class _Counts(TypedDict):
    """随订阅一并数出的条数。"""

    pending: int
    dead: int


class _LastAttempt(TypedDict):
    """随投递一并取出的最后一次尝试，还没有试过的为空。"""

    last_code: int | None
    last_ms: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """一个订阅。``pending``、``dead`` 是待送与死信的条数；``handing_over_until`` 换密钥的交接期止于。"""

    id: int
    name: str
    url: str
    events: list[str]
    institution_id: int
    institution_name: str
    state: str
    state_name: str
    paused_reason: str
    failing_since: datetime | None
    last_delivered_at: datetime | None
    handing_over_until: datetime | None
    created_on: date
    pending: int
    dead: int


@dataclass(frozen=True, slots=True)
class DeliveryInfo:
    """一条投递，连同最后一次尝试。"""

    id: int
    event_id: UUID
    event: str
    subject: str
    state: str
    state_name: str
    attempts: int
    next_at: datetime
    created_at: datetime
    finished_at: datetime | None
    status_code: int | None
    milliseconds: int | None
    error: str


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """一次尝试。"""

    number: int
    at: datetime
    status_code: int | None
    milliseconds: int
    error: str


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """一条投递的全部：原文与逐次尝试。"""

    delivery: DeliveryInfo
    subscription_id: int
    body: str
    log: list[AttemptInfo]


def _subscriptions(actor: Actor) -> QuerySet[WithAnnotations[Subscription, _Counts]]:
    actor.require(VIEW)
    return (
        Subscription.objects.filter(access.in_scope(actor))
        .select_related("institution")
        .annotate(
            pending=Count("deliveries", filter=Q(deliveries__state=DeliveryState.PENDING)),
            dead=Count("deliveries", filter=Q(deliveries__state=DeliveryState.DEAD)),
        )
    )


def list_subscriptions(
    actor: Actor, *, with_closed: bool = False, page: int = 1, size: int = 50
) -> Page[SubscriptionInfo]:
    """范围内的订阅，先建的在前。"""
    rows = _subscriptions(actor).order_by("id")
    if not with_closed:
        rows = rows.exclude(state=SubscriptionState.CLOSED)
    return paginate(rows, page=page, size=size, to_row=_info)


def subscription_detail(actor: Actor, subscription_id: int) -> SubscriptionInfo:
    """一个订阅。

    :raises NotFound: 没有，或在范围之外。
    """
    row = _subscriptions(actor).filter(pk=subscription_id).first()
    if row is None:
        raise _not_found(subscription_id)
    return _info(row)


def _require_visible(actor: Actor, subscription_id: int) -> None:
    actor.require(VIEW)
    if not Subscription.objects.filter(access.in_scope(actor), pk=subscription_id).exists():
        raise _not_found(subscription_id)


def _not_found(subscription_id: int) -> NotFound:
    return NotFound(
        "SUBSCRIPTION_NOT_FOUND",
        f"没有编号为 {subscription_id} 的订阅，或不在您的管辖范围内。",
        field="subscription_id",
        value=subscription_id,
        fix="请从订阅列表中选择。",
    )


def deliveries(
    actor: Actor, *, subscription_id: int, state: str = "", event: str = "", page: int = 1, size: int = 50
) -> Page[DeliveryInfo]:
    """一个订阅的投递，新的在前。"""
    _require_visible(actor, subscription_id)
    rows = _with_last_attempt(Delivery.objects.filter(subscription_id=subscription_id)).order_by("-id")
    if state:
        rows = rows.filter(state=state)
    if event:
        rows = rows.filter(event=event)
    return paginate(rows, page=page, size=size, to_row=_delivery)


def delivery_detail(actor: Actor, delivery_id: int) -> DeliveryDetail:
    """一条投递：原文与逐次尝试。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require(VIEW)
    rows = Delivery.objects.filter(access.in_scope(actor, "subscription__institution"), pk=delivery_id)
    row = _with_last_attempt(rows).first()
    if row is None:
        raise NotFound("DELIVERY_NOT_FOUND", f"没有编号为 {delivery_id} 的投递，或不在您的管辖范围内。",
                       field="delivery_id", value=delivery_id, fix="请从投递记录里选择。")  # fmt: skip
    log = [
        AttemptInfo(item.number, item.at, item.status_code, item.milliseconds, item.error)
        for item in DeliveryAttempt.objects.filter(delivery=row).order_by("id")
    ]
    return DeliveryDetail(_delivery(row), row.subscription_id, row.body, log)


def dead_ids(actor: Actor, *, subscription_id: int, limit: int = 500) -> list[int]:
    """一个订阅的死信编号，旧的在前（成批重送用）。"""
    _require_visible(actor, subscription_id)
    rows = Delivery.objects.filter(subscription_id=subscription_id, state=DeliveryState.DEAD)
    return list(rows.order_by("message_id", "id").values_list("pk", flat=True)[:limit])


def totals(institution_path: str = "/") -> dict[str, int]:
    """监控用：待送、死信、自动或人工暂停的订阅数。"""
    mine = Delivery.objects.filter(subscription__institution__path__startswith=institution_path)
    counted = mine.aggregate(
        pending=Count("pk", filter=Q(state=DeliveryState.PENDING)), dead=Count("pk", filter=Q(state=DeliveryState.DEAD))
    )
    paused = Subscription.objects.filter(
        institution__path__startswith=institution_path, state=SubscriptionState.PAUSED
    ).count()
    return {"pending": counted["pending"], "dead": counted["dead"], "paused": paused}


def _with_last_attempt(rows: QuerySet[Delivery]) -> QuerySet[WithAnnotations[Delivery, _LastAttempt]]:
    last = DeliveryAttempt.objects.filter(delivery=OuterRef("pk")).order_by("-id")
    return rows.annotate(
        last_code=Subquery(last.values("status_code")[:1]),
        last_ms=Subquery(last.values("milliseconds")[:1]),
        last_error=Subquery(last.values("error")[:1]),
    )


def _info(row: WithAnnotations[Subscription, _Counts]) -> SubscriptionInfo:
    return SubscriptionInfo(
        id=row.pk,
        name=row.name,
        url=row.url,
        events=list(row.events),
        institution_id=row.institution_id,
        institution_name=row.institution.name,
        state=row.state,
        state_name=row.get_state_display(),
        paused_reason=row.paused_reason,
        failing_since=row.failing_since,
        last_delivered_at=row.last_delivered_at,
        handing_over_until=row.previous_until,
        created_on=row.created_on,
        pending=row.pending,
        dead=row.dead,
    )


def _delivery(row: WithAnnotations[Delivery, _LastAttempt]) -> DeliveryInfo:
    return DeliveryInfo(
        id=row.pk,
        event_id=row.event_id,
        event=row.event,
        subject=row.subject,
        state=row.state,
        state_name=row.get_state_display(),
        attempts=row.attempts,
        next_at=row.next_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
        status_code=row.last_code,
        milliseconds=row.last_ms,
        error=row.last_error or "",
    )
