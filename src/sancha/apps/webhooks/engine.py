"""送：到期的投递逐条送出，至少一次。

* 取走（短事务，占租期）→ 联网（事务之外）→ 记结果（短事务）。送到一半进程被杀，租期一过，别的进程再送一遍。
* 次序：同一订阅、同一对象（``subject``）的事件按先后；前一条未送达、也未成死信，后一条不送。不同对象之间不保证。
* 失败按 30 秒起、逐次加倍、最长 6 小时重试，12 次不成为死信；一个订阅连续失败满 24 小时即自动暂停，并给管理员开任务。
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from sancha import __version__
from sancha.apps.businessday import queries as businessday
from sancha.apps.webhooks.kinds import PAUSED
from sancha.apps.webhooks.models import Delivery, DeliveryAttempt, DeliveryState, Subscription, SubscriptionState
from sancha.apps.webhooks.signing import HEADER, signature_header
from sancha.apps.work.operations import TaskSpec, raise_tasks
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import calendar_today, now
from sancha.kit.errors import NotFound
from sancha.kit.operation import write_audit
from sancha.kit.outbound import Answer, Policy, networks, post

TIMEOUT: Final = 10.0
"""一次投递从连接到状态行的时限，秒。"""
LEASE: Final = timedelta(seconds=120)
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=6)
MOST_ATTEMPTS: Final = 12
PAUSE_AFTER: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=90)
"""送完的投递与尝试记录留存的时间。"""
AT_ONCE: Final = 8
PER_SUBSCRIPTION: Final = 4
"""一批里一个订阅至多占几条；正在失败的只占一条，慢的接收方拖不住别人。"""


@dataclass(frozen=True, slots=True)
class Sent:
    """一轮的结果：送达、失败、死信的条数。"""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)


@dataclass(frozen=True, slots=True)
class _Parcel:
    delivery_id: int
    number: int
    subscription_id: int
    event: str
    event_id: UUID
    url: str
    body: bytes
    salts: tuple[str, ...]


def policy() -> Policy:
    """准去哪里，由部署者在设置里定。"""
    return Policy(plain=settings.WEBHOOK_PLAIN_HTTP, allowed=networks(settings.WEBHOOK_NETWORKS))


def wait_after(attempts: int) -> timedelta:
    """第 ``attempts`` 次失败之后等多久。"""
    return min(FIRST_WAIT * int(2 ** (attempts - 1)), LONGEST_WAIT)


def send_due(limit: int = 200) -> Sent:
    """送出到期的，至多 ``limit`` 条；没有了就返回。这一轮里送不成的订阅歇到下一轮，不拖着别人一起等。"""
    total, left = Sent(), limit
    resting: set[int] = set()
    while left > 0 and (parcels := _take(min(left, AT_ONCE), resting)):
        left -= len(parcels)
        rules = policy()
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            # Threads only talk to the network; every statement is made by this one.
            answers = list(pool.map(partial(_send, rules=rules), parcels))
        for parcel, answer in zip(parcels, answers, strict=True):
            total += _settle(parcel, answer)
            if not answer.accepted:
                resting.add(parcel.subscription_id)
    return total


def _take(limit: int, resting: Collection[int] = ()) -> list[_Parcel]:
    """取走一批：占租期，次数加一。两个进程抢同一条，只有一个抢得到。

    逐个订阅取，次序随机：积压成千上万的订阅排不到别人前面。语句数随一批的条数，不随积压。
    """
    at = now()
    due = _due(at)
    waiting = Subscription.objects.filter(
        Exists(due.filter(subscription=OuterRef("pk"))), state=SubscriptionState.ACTIVE
    )
    taken: list[_Parcel] = []
    for subscription in waiting.exclude(pk__in=list(resting)).order_by("?"):
        most = PER_SUBSCRIPTION if subscription.failing_since is None else 1
        rows = due.filter(subscription=subscription).order_by("next_at", "id")[: min(most, limit - len(taken))]
        for row in rows:
            won = Delivery.objects.filter(
                Q(lease_until=None) | Q(lease_until__lte=at),
                pk=row.pk,
                state=DeliveryState.PENDING,
                attempts=row.attempts,
            ).update(lease_until=at + LEASE, attempts=row.attempts + 1)
            if won:
                taken.append(
                    _Parcel(
                        row.pk, row.attempts + 1, subscription.pk, row.event, row.event_id, subscription.url,
                        row.body.encode(), _salts(subscription, at),
                    )
                )  # fmt: skip
        if len(taken) == limit:
            break
    return taken


def _due(at: datetime) -> QuerySet[Delivery]:
    """到时、没有别人在送、前面没有同一对象的未送。"""
    earlier = Delivery.objects.filter(
        subscription=OuterRef("subscription"), subject=OuterRef("subject"), state=DeliveryState.PENDING,
        message_id__lt=OuterRef("message_id"), message_id__gt=0,
    )  # fmt: skip
    due = Delivery.objects.filter(~Exists(earlier), state=DeliveryState.PENDING, next_at__lte=at)
    return due.filter(Q(lease_until=None) | Q(lease_until__lte=at))


def _salts(row: Subscription, at: datetime) -> tuple[str, ...]:
    handing_over = row.previous_salt and row.previous_until is not None and at < row.previous_until
    return (row.salt, row.previous_salt) if handing_over else (row.salt,)


def _send(parcel: _Parcel, rules: Policy) -> Answer:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"Sancha/{__version__}",
        "Sancha-Event": parcel.event,
        "Sancha-Event-Id": str(parcel.event_id),
        "Sancha-Attempt": str(parcel.number),
        HEADER: signature_header(parcel.salts, int(now().timestamp()), parcel.body),
    }
    return post(parcel.url, parcel.body, headers, policy=rules, timeout=TIMEOUT)


def _settle(parcel: _Parcel, answer: Answer) -> Sent:
    at = now()
    with transaction.atomic():
        # The subscription first: pausing, resuming and settling lock in one order.
        subscription = Subscription.objects.select_for_update().get(pk=parcel.subscription_id)
        row = Delivery.objects.select_for_update().get(pk=parcel.delivery_id)
        DeliveryAttempt.objects.create(
            delivery=row, number=parcel.number, at=at, status_code=answer.status, milliseconds=answer.milliseconds,
            error="" if answer.accepted else (answer.error or f"HTTP {answer.status}"),
        )  # fmt: skip
        if (
            row.state != DeliveryState.PENDING
        ):  # another worker, after our lease ran out, or the subscription was closed
            return Sent()
        row.lease_until = None
        if answer.accepted:
            row.state, row.finished_at = DeliveryState.DELIVERED, at
            subscription.failing_since, subscription.last_delivered_at = None, at
            outcome = Sent(delivered=1)
        else:
            subscription.failing_since = subscription.failing_since or at
            outcome = Sent(failed=1)
            row.next_at = at + wait_after(parcel.number)
            if parcel.number >= MOST_ATTEMPTS:
                row.state, row.finished_at = DeliveryState.DEAD, at
                outcome = Sent(dead=1)
        row.save(update_fields=["state", "next_at", "lease_until", "finished_at"])
        subscription.save(update_fields=["failing_since", "last_delivered_at"])
        if subscription.state == SubscriptionState.ACTIVE and subscription.failing_since is not None:
            _pause_if_long(subscription, answer, at)
    return outcome


def _pause_if_long(row: Subscription, answer: Answer, at: datetime) -> None:
    """连续失败满 24 小时：暂停，留痕，给管理员开一条任务。"""
    assert row.failing_since is not None
    if at - row.failing_since < PAUSE_AFTER:
        return
    last = answer.error or f"HTTP {answer.status}"
    row.state, row.paused_reason = SubscriptionState.PAUSED, f"连续失败满 24 小时，最后一次：{last}"[:200]
    row.row_version += 1
    row.save(update_fields=["state", "paused_reason", "row_version"])
    write_audit(actor=SYSTEM, operation="webhooks.pause_failing", subject=f"webhook:{row.pk}", data={"last": last})
    today = _today(row.institution_id)
    raise_tasks(
        rows=[
            TaskSpec(
                kind=PAUSED.code, subject_type="webhook", subject_id=row.pk, institution_id=row.institution_id,
                title=f"事件推送已暂停：{row.name}", reason=row.paused_reason, cause=at.isoformat(timespec="seconds"),
                opened_on=today, due_on=today, priority=3,
            )
        ]
    )  # fmt: skip


def _today(institution_id: int) -> date:
    try:
        return businessday.business_date(institution_id=institution_id)
    except NotFound:
        return calendar_today()


def purge() -> int:
    """删去送完已久的投递，返回条数（连同尝试记录）。死信也删：留存期内没有人重送的，不再有人要。

    停用的那一刻正在排的投递，停用时看不见；在这里转为死信，免得永远「待送」。
    """
    Delivery.objects.filter(state=DeliveryState.PENDING, subscription__state=SubscriptionState.CLOSED).update(
        state=DeliveryState.DEAD, finished_at=now()
    )
    old = Delivery.objects.exclude(state=DeliveryState.PENDING).filter(finished_at__lt=now() - KEPT)
    return old.delete()[0]
