"""事件推送的表：订阅、投递、投递尝试。密钥不入库：由盐与本系统的密钥算出。"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class SubscriptionState(models.TextChoices):
    """订阅状态。"""

    ACTIVE = "ACTIVE", "推送中"
    PAUSED = "PAUSED", "已暂停"
    CLOSED = "CLOSED", "已停用"


class DeliveryState(models.TextChoices):
    """投递状态。"""

    PENDING = "PENDING", "待送达"
    DELIVERED = "DELIVERED", "已送达"
    DEAD = "DEAD", "死信"


class Subscription(models.Model):
    """事件订阅：哪个网址要听哪些事件，限本机构及下级。

    ``salt`` 是签名密钥的盐，换密钥即换盐；旧盐在 ``previous_until`` 之前仍一并签名。
    ``failing_since`` 自上次送达以来第一次失败的时刻，久不恢复即自动暂停。
    """

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    name = models.CharField("名称", max_length=80)
    url = models.CharField("网址", max_length=500)
    events = models.JSONField("事件")
    state = models.CharField("状态", max_length=8, choices=SubscriptionState.choices, default=SubscriptionState.ACTIVE)
    paused_reason = models.CharField("暂停原因", max_length=200, blank=True)
    salt = models.CharField(max_length=64)
    previous_salt = models.CharField(max_length=64, blank=True)
    previous_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_delivered_at = models.DateTimeField(null=True)
    created_on = models.DateField()
    created_at = models.DateTimeField()
    created_by_id = models.BigIntegerField(null=True)
    row_version = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["institution", "state"], name="webhooks_subscription_scope")]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """投递：一个事件送给一个订阅。``body`` 是当时定下的原文，重送不变；``lease_until`` 是取走去送的人的租期，死了到期别人再送。"""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    event_id = models.UUIDField()
    event = models.CharField(max_length=80)
    message_id = models.BigIntegerField("发件箱编号")
    subject = models.CharField(max_length=80)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "event_id"], name="webhooks_delivery_once"),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="webhooks_delivery_due", condition=Q(state="PENDING")),
            models.Index(
                fields=["subscription", "subject", "message_id"],
                name="webhooks_delivery_order",
                condition=Q(state="PENDING"),
            ),
            models.Index(fields=["subscription", "-id"], name="webhooks_delivery_log"),
            models.Index(fields=["state", "finished_at"], name="webhooks_delivery_old"),
        ]


class DeliveryAttempt(models.Model):
    """投递尝试：何时送了一次、状态码、用时、没成的原因。不存对方的正文。"""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    status_code = models.PositiveIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    error = models.CharField(max_length=300, blank=True)
