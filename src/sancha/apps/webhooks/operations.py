"""订阅、改订阅、暂停与恢复、换密钥、试送、重送。"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, ParamSpec
from uuid import uuid4

from pydantic import SecretStr

from sancha.apps.access import queries as access
from sancha.apps.webhooks.engine import policy
from sancha.apps.webhooks.events import TEST_SENT
from sancha.apps.webhooks.kinds import PAUSED
from sancha.apps.webhooks.models import Delivery, DeliveryState, Subscription, SubscriptionState
from sancha.apps.webhooks.signing import secret_of
from sancha.apps.webhooks.subscribers import body_of
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.events import catalog
from sancha.kit.operation import keyed_digest, operation
from sancha.kit.outbound import parse_target

P = ParamSpec("P")
MANAGE = "webhooks.manage"
HANDOVER = timedelta(hours=24)
"""换密钥的交接期：旧密钥再签这么久。"""
MOST_SUBSCRIPTIONS = 200
_SALT_DIGEST = "salt_digest"
_NOT_GENERATED = SecretStr("")


def _with_secret(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """密钥只在真正写入的那一次调用里返回（``secret``）；重复提交得到首次结果而没有密钥。"""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        salt = secrets.token_urlsafe(24)
        kwargs["generated"] = SecretStr(salt)
        result = dict(function(*args, **kwargs))
        made_here = result.pop(_SALT_DIGEST, None) == keyed_digest(salt)
        return {**result, "secret": secret_of(salt) if made_here else None}

    return run


@_with_secret
@operation("webhooks.subscribe", permission=MANAGE)
def subscribe(
    *,
    actor: Actor,
    key: str,
    on: date,
    institution_id: int,
    name: str,
    url: str,
    events: list[str],
    generated: SecretStr = _NOT_GENERATED,
) -> dict[str, Any]:
    """新建订阅：把本机构及下级的这些事件推送到 ``url``。签名密钥 ``secret`` 只返回这一次。

    :raises DomainError: 名称空、事件不认识、网址不许去。
    """
    place = access.require_institution(actor, institution_id)
    if Subscription.objects.exclude(state=SubscriptionState.CLOSED).count() >= MOST_SUBSCRIPTIONS:
        raise Conflict("TOO_MANY_SUBSCRIPTIONS", f"订阅已有 {MOST_SUBSCRIPTIONS} 个。", fix="请先停用不用的订阅。")
    row = Subscription.objects.create(
        institution_id=place.id,
        name=_name(name),
        url=_url(url),
        events=_events(events),
        salt=generated.get_secret_value(),
        created_on=on,
        created_at=now(),
        created_by_id=actor.person_id,
    )
    return _done(row, audit={"url": row.url, "events": row.events}) | {
        _SALT_DIGEST: keyed_digest(generated.get_secret_value())
    }


@operation("webhooks.edit_subscription", permission=MANAGE)
def edit_subscription(
    *, actor: Actor, key: str, on: date, subscription_id: int, name: str, url: str, events: list[str]
) -> dict[str, Any]:
    """改订阅的名称、网址与事件；已在路上的按新网址送，未选的事件不再收、已收的照送。"""
    row = _locked(actor, subscription_id)
    if row.state == SubscriptionState.CLOSED:
        raise _wrong_state(row, "修改")
    row.name, row.url, row.events = _name(name), _url(url), _events(events)
    _save(row, "name", "url", "events")
    return _done(row, audit={"url": row.url, "events": row.events})


@operation("webhooks.pause_subscription", permission=MANAGE)
def pause_subscription(*, actor: Actor, key: str, on: date, subscription_id: int, reason: str = "") -> dict[str, Any]:
    """暂停推送：事件继续积存，恢复后按次序补送。"""
    row = _locked(actor, subscription_id)
    if row.state != SubscriptionState.ACTIVE:
        raise _wrong_state(row, "暂停")
    row.state, row.paused_reason = SubscriptionState.PAUSED, reason.strip()[:200]
    _save(row, "state", "paused_reason")
    return _done(row)


@operation("webhooks.resume_subscription", permission=MANAGE)
def resume_subscription(*, actor: Actor, key: str, on: date, subscription_id: int) -> dict[str, Any]:
    """恢复推送：积存的立即重试，失败的计时重新开始；自动暂停时开的任务随之撤下。"""
    row = _locked(actor, subscription_id)
    if row.state != SubscriptionState.PAUSED:
        raise _wrong_state(row, "恢复")
    _resume(row)
    _drop_task(actor, row, on, "订阅已恢复")
    return _done(row)


@operation("webhooks.close_subscription", permission=MANAGE)
def close_subscription(*, actor: Actor, key: str, on: date, subscription_id: int) -> dict[str, Any]:
    """停用订阅：不再收、不再送，未送的转为死信，记录留存；停用后不能恢复，要用请新建。"""
    row = _locked(actor, subscription_id)
    if row.state == SubscriptionState.CLOSED:
        raise _wrong_state(row, "停用")
    _close(row)
    _drop_task(actor, row, on, "订阅已停用")
    return _done(row)


@_with_secret
@operation("webhooks.rotate_secret", permission=MANAGE)
def rotate_secret(
    *, actor: Actor, key: str, on: date, subscription_id: int, generated: SecretStr = _NOT_GENERATED
) -> dict[str, Any]:
    """换签名密钥：新密钥 ``secret`` 只返回这一次；旧密钥 24 小时内仍一并签名，接收方从容更换。"""
    row = _locked(actor, subscription_id)
    if row.state == SubscriptionState.CLOSED:
        raise _wrong_state(row, "换密钥")
    row.previous_salt, row.previous_until = row.salt, now() + HANDOVER
    row.salt = generated.get_secret_value()
    _save(row, "salt", "previous_salt", "previous_until")
    return _done(row) | {_SALT_DIGEST: keyed_digest(generated.get_secret_value())}


@operation("webhooks.send_test", permission=MANAGE)
def send_test(*, actor: Actor, key: str, on: date, subscription_id: int) -> dict[str, Any]:
    """试送：给这个订阅排一个 ``webhook.test`` 事件，由后台照常送出，结果看投递记录。"""
    row = _locked(actor, subscription_id)
    if row.state != SubscriptionState.ACTIVE:
        raise _wrong_state(row, "试送")
    at, event_id = now(), uuid4()
    payload = {
        "id": str(event_id),
        "version": TEST_SENT.version,
        "at": at.isoformat(timespec="milliseconds"),
        "institution_id": row.institution_id,
        "on": on.isoformat(),
        "subject": f"webhook:{row.pk}",
        "data": {"subscription_id": row.pk},
    }
    made = Delivery.objects.create(
        subscription=row,
        event_id=event_id,
        event=TEST_SENT.name,
        message_id=0,
        subject=f"webhook:{row.pk}",
        body=json.dumps(body_of(TEST_SENT.name, payload), ensure_ascii=False),
        next_at=at,
        created_at=at,
    )
    return _done(row) | {"delivery_id": made.pk}


@operation("webhooks.redeliver", permission=MANAGE)
def redeliver(*, actor: Actor, key: str, on: date, delivery_ids: list[int]) -> dict[str, Any]:
    """重送：死信与已送达的都可以，事件编号与原文不变，接收方凭编号去重。排在同一对象未送的前面，次序不再保证。

    :raises DomainError: 一条也没选，或有不在范围之内的。
    """
    seen = Delivery.objects.filter(access.in_scope(actor, "subscription__institution"), pk__in=delivery_ids)
    owners = sorted(set(seen.values_list("subscription_id", flat=True)))
    # The subscriptions first, as in settling and closing: a delivery cannot come back to one closed meanwhile.
    subscriptions = list(Subscription.objects.select_for_update(of=("self",)).filter(pk__in=owners).order_by("pk"))
    rows = list(seen.select_for_update(of=("self",)).order_by("pk"))
    if not delivery_ids or len(rows) != len(set(delivery_ids)):
        raise NotFound("DELIVERY_NOT_FOUND", "有的投递不存在，或不在您的管辖范围内。", field="delivery_ids",
                       value=delivery_ids, fix="请从投递记录里选择。")  # fmt: skip
    for subscription in subscriptions:
        if subscription.state == SubscriptionState.CLOSED:
            raise _wrong_state(subscription, "重送")
    for row in rows:
        row.state, row.attempts, row.next_at, row.lease_until, row.finished_at = (
            DeliveryState.PENDING, 0, now(), None, None,
        )  # fmt: skip
    Delivery.objects.bulk_update(rows, ["state", "attempts", "next_at", "lease_until", "finished_at"], batch_size=500)
    return {"subject": f"webhook:{rows[0].subscription_id}", "count": len(rows), "audit": {"deliveries": len(rows)}}


@operation("webhooks.settle_paused", permission=MANAGE)
def settle_paused(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """办结「事件推送已暂停」：恢复推送，或停用订阅。"""
    # The subscription before its task, as resuming and closing lock them.
    row = _locked(actor, work.subject_to_check(PAUSED, task_id=task_id))
    work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    if outcome == "CLOSED":
        if row.state != SubscriptionState.CLOSED:
            _close(row)
    elif row.state == SubscriptionState.PAUSED:
        _resume(row)
    return _done(row)


# 共用 ------------------------------------------------------------------------------------------------------


def _locked(actor: Actor, subscription_id: int) -> Subscription:
    row = (
        Subscription.objects.select_for_update(of=("self",)).filter(access.in_scope(actor), pk=subscription_id).first()
    )
    if row is None:
        raise NotFound(
            "SUBSCRIPTION_NOT_FOUND",
            f"没有编号为 {subscription_id} 的订阅，或不在您的管辖范围内。",
            field="subscription_id",
            value=subscription_id,
            fix="请从订阅列表中选择。",
        )
    return row


def _save(row: Subscription, *names: str) -> None:
    row.row_version += 1
    row.save(update_fields=[*names, "row_version"])


def _resume(row: Subscription) -> None:
    row.state, row.paused_reason, row.failing_since = SubscriptionState.ACTIVE, "", None
    _save(row, "state", "paused_reason", "failing_since")
    Delivery.objects.filter(subscription=row, state=DeliveryState.PENDING).update(next_at=now(), attempts=0)


def _close(row: Subscription) -> None:
    row.state = SubscriptionState.CLOSED
    _save(row, "state")
    Delivery.objects.filter(subscription=row, state=DeliveryState.PENDING).update(
        state=DeliveryState.DEAD, finished_at=now()
    )


def _drop_task(actor: Actor, row: Subscription, on: date, reason: str) -> None:
    work.cancel_tasks(actor=actor, kind=PAUSED.code, subject_type="webhook", subject_ids=[row.pk], on=on, reason=reason)


def _done(row: Subscription, audit: dict[str, Any] | None = None) -> dict[str, Any]:
    result: dict[str, Any] = {"subject": f"webhook:{row.pk}", "subscription_id": row.pk, "state": row.state}
    return result | ({"audit": audit} if audit else {})


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 80:
        raise DomainError(
            "NAME_MISSING", "请给订阅起个名称，80 字以内。", field="name", value=name, fix="如「核心系统」。"
        )
    return name


def _url(url: str) -> str:
    url = url.strip()
    parse_target(url, policy())
    return url


def _events(events: Sequence[str]) -> list[str]:
    known = {kind.name for kind in catalog()} - {TEST_SENT.name}
    chosen = sorted(set(events))
    if not chosen:
        raise DomainError("EVENTS_MISSING", "至少选一种事件。", field="events", fix="事件目录见对接手册。")
    if unknown := sorted(set(chosen) - known):
        raise DomainError(
            "EVENT_UNKNOWN", f"不认识的事件：{'、'.join(unknown)}。", field="events", value="、".join(unknown),
            fix=f"可选：{'、'.join(sorted(known))}。",
        )  # fmt: skip
    return chosen


def _wrong_state(row: Subscription, what: str) -> Conflict:
    return Conflict(
        "SUBSCRIPTION_STATE",
        f"订阅「{row.name}」是「{row.get_state_display()}」，不能{what}。",
        field="subscription_id",
        value=row.pk,
        fix="请刷新页面看当前状态；停用的订阅请新建。",
    )
