"""发件箱：业务提交的同一事务里记下消息，提交后再投递。消息丢了、晚了、重了，账都不受影响。

至少一次：订户在保存点里运行，它写库的效果与「已投递」同时提交；对外的效果（短信、接口）可能重复，订户自己按消息编号去重。
谁订什么，由 ``config.wiring`` 作为参数传进来，这里不认识任何订户。
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from sancha.kit.clock import now
from sancha.kit.models import Outbox
from sancha.kit.rowset import rowset

MAX_ATTEMPTS: Final = 10
"""试到这么多次还不成，就停下等人处理（:func:`stuck`、:func:`retry`），不再占用投递。"""
_ERROR_CHARACTERS: Final = 2000
_LOCK: Final = 0x5A4C_0B0C
"""PostgreSQL 咨询锁的编号：只作「投递」一件事。"""
KEPT_DAYS: Final = 30
"""投出的消息留存的天数，之后由 :func:`purge` 删去。"""

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
    record_all([(event, payload)])


def record_all(messages: Sequence[tuple[str, dict[str, Any]]]) -> int:
    """成批记消息，返回条数；不论多少条，一条语句。一条也没有就不碰库。"""
    if not messages:
        return 0
    assert connection.in_atomic_block, f"{messages[0][0]}: 消息要与业务在同一事务里记下"
    source = rowset("message", {"event": "text", "payload": "jsonb"}, messages)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kit_outbox (event, payload, recorded_at, attempts, last_error)"
            f" SELECT event, payload, %s, 0, '' FROM {source.sql}",
            [connection.ops.adapt_datetimefield_value(now()), *source.params],
        )
    return len(messages)


def deliver(batch: int, subscribers: Mapping[str, Sequence[Subscriber]]) -> Delivery:
    """投递至多 ``batch`` 条，一条一个事务；一条失败不挡别的。没有订户的消息一条语句放行，视为已投递。

    失败少的先投、同样的按先后：坏消息不会堵住队头。同一时刻只有一个投递者，别的空手而回：次序由此不乱。
    """
    passed, outcomes = 0, []
    with _alone() as mine:
        if mine:
            passed = _waiting().exclude(event__in=list(subscribers)).update(delivered_at=now())
            candidates = list(_waiting().order_by("attempts", "id").values_list("id", flat=True)[:batch])
            outcomes = [_deliver_one(message_id, subscribers) for message_id in candidates]
    return Delivery(passed + outcomes.count(True), outcomes.count(False), _waiting().count())


def _waiting() -> QuerySet[Outbox]:
    return Outbox.objects.filter(delivered_at=None, attempts__lt=MAX_ATTEMPTS)


@contextmanager
def _alone() -> Iterator[bool]:
    """PostgreSQL 上抢会话锁；SQLite 一次只有一个写者，一条一个事务已够。进程死了锁自动释放。"""
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        row = cursor.fetchone()
    mine = bool(row and row[0])
    try:
        yield mine
    finally:
        if mine and connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


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


def oldest_waiting() -> datetime | None:
    """最早一条未投出的消息的时刻；没有则空。久不前进说明后台没有在跑。"""
    first = _waiting().order_by("id").first()
    return first.recorded_at if first else None


def waiting_count() -> int:
    """未投出的消息数（不含停下的）。"""
    return _waiting().count()


def purge() -> int:
    """删去投出已久的消息，返回条数：发件箱不是档案。"""
    old = now() - timedelta(days=KEPT_DAYS)
    return Outbox.objects.filter(delivered_at__lt=old).delete()[0]
