"""技术表：幂等、审计、发件箱、编号、令牌、断面封存。没有一个信贷字眼。"""

from django.conf import settings
from django.db import models


class Idempotency(models.Model):
    """幂等记录：同一操作同一键只做一次，重复即返回首次结果。"""

    operation = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    result = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["operation", "key"], name="kit_idempotency_once")]


class AuditEvent(models.Model):
    """审计事件：谁、何时、以什么岗位、对什么做了什么。只存编号与带钥摘要，不存个人信息。

    先写入、后封存：``seal_no`` 与 ``seal`` 由封存批次补上（链式哈希），此后任何改动都能被发现。
    """

    at = models.DateTimeField()
    person_id = models.BigIntegerField(null=True)
    post_code = models.CharField(max_length=40)
    institution_id = models.BigIntegerField(null=True)
    operation = models.CharField(max_length=80)
    subject = models.CharField(max_length=80, blank=True)
    on_day = models.DateField(null=True)
    data = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    seal_no = models.BigIntegerField(null=True, unique=True)
    seal = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject", "id"], name="kit_audit_subject"),
            models.Index(fields=["person_id", "at"], name="kit_audit_person"),
            models.Index(fields=["operation", "at"], name="kit_audit_operation"),
        ]


class Outbox(models.Model):
    """发件箱：与业务同一事务写入，提交后投递。消息丢了也不影响账。"""

    event = models.CharField(max_length=80)
    payload = models.JSONField()
    recorded_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivered_at", "id"], name="kit_outbox_waiting")]


class Heartbeat(models.Model):
    """心跳：后台各干一轮活记一次时刻，监控据此知道它还活着。"""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()


class ErasureInProgress(models.Model):
    """正在删除：依法删除个人信息的事务里有一行，事务结束前删去，谁也看不见它；触发器凭它放行个人信息的栏。"""

    started_at = models.DateTimeField()


class NumberSequence(models.Model):
    """编号：每个前缀一个计数，取号与业务同事务，号码不复用。"""

    name = models.CharField(max_length=80, primary_key=True)
    last = models.BigIntegerField(default=0)


class ApiToken(models.Model):
    """接口令牌：只存摘要；绑定到人的一个任职。"""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    holding_id = models.BigIntegerField()
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_on = models.DateField(null=True)
    revoked_at = models.DateTimeField(null=True)
