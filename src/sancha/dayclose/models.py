"""日终台账：每次日终、每个步骤做到哪里。业务状态不在这里，丢了也能重跑。"""

from django.db import models


class CloseRun(models.Model):
    """一次日终：一个营业日组的一天。"""

    class RunStatus(models.TextChoices):
        """状态。"""

        RUNNING = "RUNNING", "进行中"
        DONE = "DONE", "完成"
        STOPPED = "STOPPED", "停止"

    group_id = models.BigIntegerField()
    day = models.DateField("日期")
    status = models.CharField("状态", max_length=10, choices=RunStatus.choices)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=1)
    message = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group_id", "day"], name="dayclose_once")]


class CloseStep(models.Model):
    """日终的一步（某一分区，或全组）。"""

    class StepStatus(models.TextChoices):
        """状态。"""

        RUNNING = "RUNNING", "进行中"
        DONE = "DONE", "完成"
        FAILED = "FAILED", "失败"

    run = models.ForeignKey(CloseRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    code = models.CharField(max_length=30)
    name = models.CharField(max_length=60)
    partition_id = models.BigIntegerField(null=True)
    status = models.CharField(max_length=10, choices=StepStatus.choices)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    seconds_ms = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "position", "partition_id"], name="dayclose_step_once", nulls_distinct=False
            )
        ]


class HeldLoan(models.Model):
    """日终时隔离的借据与原因。"""

    run = models.ForeignKey(CloseRun, on_delete=models.CASCADE, related_name="held_loans")
    loan_id = models.BigIntegerField()
    reason = models.TextField()
    at = models.DateTimeField()


class InvariantResult(models.Model):
    """不变式检查结果：绿或红，红的列出对象。"""

    group_id = models.BigIntegerField(null=True)
    code = models.CharField(max_length=30)
    name = models.CharField(max_length=80)
    on_day = models.DateField()
    ok = models.BooleanField()
    checked = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list)
    milliseconds = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["code", "-at"], name="dayclose_invariant_latest")]
