"""发件箱：业务提交的同一事务里记下消息，提交后再投递。消息丢了、晚了、重了，账都不受影响。

至少一次：订户在保存点里运行，它写库的效果与「已投递」同时提交；对外的效果（短信、接口）可能重复，订户自己按消息编号去重。
谁订什么，由 ``config.wiring`` 作为参数传进来，这里不认识任何订户。
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from sancha.kit.clock import now
from sancha.kit.models import Outbox

MAX_ATTEMPTS: Final = 10
"""试到这么多次还不成，就停下等人处理（:func:`stuck`、:func:`retry`），不再占用投递。"""
_ERROR_CHARACTERS: Final = 2000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """一条消息。``id`` 不变，订户用它去重。"""

    id: int
    event: str
    payload: dict[str, Any]


Subscriber = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """一次投递的结果：成、败、还剩多少条待投。"""

    delivered: int
    failed: int
    waiting: int


def record(event: str, payload: dict[str, Any]) -> None:
    """记一条消息（一条 INSERT）。必须在业务事务里，否则业务回滚了消息还在。"""
    assert connection.in_atomic_block, f"{event}: 消息要与业务在同一事务里记下"
    Outbox.objects.create(event=event, payload=payload, recorded_at=now())


def deliver(batch: int, subscribers: Mapping[str, Sequence[Subscriber]]) -> Delivery:
    """投递至多 ``batch`` 条，一条一个事务；一条失败不挡别的。没有订户的消息视为已投递。

    失败少的先投、同样的按先后：坏消息不会堵住队头。可以有几个投递者同时跑（PostgreSQL 跳过别人锁住的行）。
    """
    candidates = list(
        Outbox.objects.filter(delivered_at=None, attempts__lt=MAX_ATTEMPTS)
        .order_by("attempts", "id")
        .values_list("id", flat=True)[:batch]
    )
    outcomes = [_deliver_one(message_id, subscribers) for message_id in candidates]
    waiting = Outbox.objects.filter(delivered_at=None, attempts__lt=MAX_ATTEMPTS).count()
    return Delivery(outcomes.count(True), outcomes.count(False), waiting)


def _deliver_one(message_id: int, subscribers: Mapping[str, Sequence[Subscriber]]) -> bool | None:
    """投一条：成 True，败 False，别人正在投或已投 None。"""
    with transaction.atomic():
        rows = Outbox.objects.filter(id=message_id, delivered_at=None)
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        row = rows.first()
        if row is None:
            return None
        message = Message(row.pk, row.event, row.payload)
        row.attempts += 1
        try:
            with transaction.atomic():
                for subscriber in subscribers.get(row.event, ()):
                    subscriber(message)
        except Exception as error:  # a subscriber may fail in any way; the message waits and says why
            logger.warning("outbox message %s (%s) failed, attempt %s", row.pk, row.event, row.attempts, exc_info=error)
            row.last_error = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS]
            row.save(update_fields=["attempts", "last_error"])
            return False
        row.delivered_at, row.last_error = now(), ""
        row.save(update_fields=["attempts", "delivered_at", "last_error"])
        return True


def stuck(limit: int = 100) -> list[dict[str, Any]]:
    """试满次数仍未投出的消息，最早的在前。"""
    rows = Outbox.objects.filter(delivered_at=None, attempts__gte=MAX_ATTEMPTS).order_by("id")
    shown = rows.values("id", "event", "recorded_at", "attempts", "last_error")[:limit]
    return [dict(row) for row in shown]


def retry(ids: Sequence[int]) -> int:
    """把停下的消息放回队列，返回条数。已投递的不动。"""
    return Outbox.objects.filter(id__in=ids, delivered_at=None).update(attempts=0)
