"""任务：必须由人做的事只有这一种——对象、岗位、期限、缘由、表单、证据、签名、决定、下一步。

机器做的事是消息或日程，不是任务。任务从不重开：再来一次是新的一条，以 ``occurrence_key`` 区分。
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class FormVersion(models.Model):
    """表单版本：一经发布不改；进行中的任务用它开出时的版本。"""

    code = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    schema = models.JSONField()
    effective_from = models.DateField()
    sha = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "version"], name="work_form_version")]


class Task(models.Model):
    """任务。``subject`` 是事由对象（一笔借据的一次还款…），``root`` 是一案的根（借据、申请），职责分离按根查。"""

    class State(models.TextChoices):
        """状态：只有一个开着的状态，其余都是终点。"""

        OPEN = "open", "待办"
        DONE = "done", "已办"
        CANCELLED = "cancelled", "已撤"
        REPLACED = "replaced", "已被替代"

    kind = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    root_type = models.CharField(max_length=40)
    root_id = models.BigIntegerField()
    party_id = models.BigIntegerField(null=True)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+", db_index=False)
    post = models.CharField(max_length=40)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    title = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    visible_on = models.DateField()
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    priority = models.PositiveSmallIntegerField(default=5)
    reason = models.CharField(max_length=300)
    clause = models.CharField(max_length=80, blank=True)
    occurrence_key = models.CharField(max_length=200, unique=True)
    form_version = models.ForeignKey(FormVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    opened_on = models.DateField()
    closed_on = models.DateField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    outcome = models.CharField(max_length=40, blank=True)
    replaced_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    row_version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", closed_on__isnull=True) | (~Q(state="open") & Q(closed_on__isnull=False)),
                name="work_task_closed_has_day",
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "post", "due_on"], name="work_task_desk", condition=Q(state="open")),
            models.Index(fields=["assignee", "due_on"], name="work_task_assignee", condition=Q(state="open")),
            models.Index(fields=["subject_type", "subject_id"], name="work_task_subject"),
            models.Index(fields=["root_type", "root_id"], name="work_task_root"),
            models.Index(fields=["kind", "closed_on"], name="work_task_closed"),
            models.Index(fields=["kind", "due_on"], name="work_task_due"),
        ]

    def __str__(self) -> str:
        return self.title


class Submission(models.Model):
    """填报：每次提交一份，离线提交以 ``client_uuid`` 防重、以 ``base_revision`` 防覆盖。"""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="submissions")
    revision = models.PositiveIntegerField()
    form_version = models.ForeignKey(FormVersion, on_delete=models.PROTECT, related_name="+")
    data = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    client_uuid = models.UUIDField(unique=True)
    base_revision = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "revision"], name="work_submission_revision")]


class Finding(models.Model):
    """发现：表单里标了 ``report`` 的栏目，按类型存放，报表与规则读它，不读 JSON。"""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="findings")
    subject_type = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    code = models.CharField(max_length=60)
    on_day = models.DateField()
    num = models.BigIntegerField(null=True)
    text = models.CharField(max_length=400, blank=True)
    day = models.DateField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["code", "on_day"], name="work_finding_code"),
            models.Index(fields=["subject_type", "subject_id", "code", "on_day"], name="work_finding_subject"),
        ]


class Evidence(models.Model):
    """证据：照片、录音、回执。以内容摘要为名存放，坐标为百万分之一度。"""

    sha256 = models.CharField(max_length=64)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="evidence")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    latitude_e6 = models.IntegerField(null=True)
    longitude_e6 = models.IntegerField(null=True)
    accuracy_m = models.PositiveIntegerField(null=True)
    device = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "sha256"], name="work_evidence_once")]
        indexes = [models.Index(fields=["sha256"], name="work_evidence_sha")]


class Signature(models.Model):
    """签名：谁以什么身份、用什么方式、对哪份内容（摘要）签了字；手写的笔迹或照片在证据里。"""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="signatures")
    role = models.CharField(max_length=40)
    signer = models.CharField(max_length=80)
    method = models.CharField(max_length=40)
    evidence = models.ForeignKey(Evidence, null=True, on_delete=models.PROTECT, related_name="+")
    data_sha = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["submission", "role", "signer"], name="work_signature_once")]


class Decision(models.Model):
    """决定：意见与当时所用的权限快照。只追加。"""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    post_code = models.CharField(max_length=40)
    outcome = models.CharField(max_length=40)
    opinion = models.TextField(blank=True)
    authority = models.JSONField()
    policy_version = models.CharField(max_length=80, blank=True)
    on_day = models.DateField()
    at = models.DateTimeField()


class TaskEvent(models.Model):
    """任务履历：指派、认领、留言、办结、撤销。开出本身记在任务行上，不另写一条。"""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    post_code = models.CharField(max_length=40)
    kind = models.CharField(max_length=20)
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "seq"], name="work_event_seq")]


class Involvement(models.Model):
    """经手：谁在这一案里尽过什么职责。职责分离与回避只查这一张表。"""

    root_type = models.CharField(max_length=40)
    root_id = models.BigIntegerField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    duty = models.CharField(max_length=40)
    on_day = models.DateField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["root_type", "root_id", "person", "duty"], name="work_involvement_once"),
        ]
