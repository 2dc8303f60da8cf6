"""有日期的记录：给予或收回权限、隶属、参数的一切，都只追加、不改写。"""

from __future__ import annotations

from django.db import models


class DatedRecord(models.Model):
    """只追加的有效期记录。

    ``valid_from`` 起效日、``valid_to`` 失效日（不含，空为长期）；结束一段任职是写一条新记录（``supersedes`` 指向旧记录），
    不是改旧行。``booked_on`` 录入时的营业日，``recorded_at`` 录入时刻：回答「当时知道什么」。
    """

    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    seq = models.PositiveIntegerField(default=1)
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by_id = models.BigIntegerField(null=True)
    supersedes = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        abstract = True
