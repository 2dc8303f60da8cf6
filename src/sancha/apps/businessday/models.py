"""营业日、日终分区、节假日与事件日程。

营业日不是墙上的日历：它由日终推动。账立于哪一天的开始，由分区的 ``accrued_to`` 说了算。
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class BusinessGroup(models.Model):
    """营业日组：共用一个营业日的若干机构（一家法人，或一个担保中心）。"""

    code = models.CharField("代码", max_length=20, unique=True)
    name = models.CharField("名称", max_length=80)
    business_date = models.DateField("营业日")

    def __str__(self) -> str:
        return self.name


class Partition(models.Model):
    """日终分区：一次日终里独立结转的一份（通常一棵机构子树）。

    ``accrued_to`` = D 表示账立于 D 日开始（利息计至 D、不含 D）；``closing`` = d 表示正在日终 d，
    此时 d = ``accrued_to``，新业务的营业日已是 d+1。
    """

    group = models.ForeignKey(BusinessGroup, on_delete=models.PROTECT, related_name="partitions")
    no = models.PositiveIntegerField("序号")
    name = models.CharField("名称", max_length=80)
    accrued_to = models.DateField("账立于")
    closing = models.DateField("正在日终", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "no"], name="businessday_partition_no"),
            models.CheckConstraint(
                condition=Q(closing__isnull=True) | Q(closing=F("accrued_to")), name="businessday_partition_closing"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class InstitutionDay(models.Model):
    """机构的营业日归属：每个办理业务的机构一行。"""

    institution = models.OneToOneField("access.Institution", on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(BusinessGroup, on_delete=models.PROTECT, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, related_name="+")


class CalendarYear(models.Model):
    """年历的一个版本。修订是新版本，旧版本不动：当时按哪一版排的期，以后说得清。

    ``published`` 为假表示国务院尚未公布该年放假安排，按周末推算。
    """

    year = models.PositiveIntegerField("年")
    revision = models.PositiveIntegerField("版本")
    published = models.BooleanField("已公布")
    source = models.CharField("来源", max_length=200)
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["year", "revision"], name="businessday_year_revision")]


class Holiday(models.Model):
    """法定放假日与调休上班日（周末本身不列）。"""

    class Kind(models.TextChoices):
        """类别。"""

        HOLIDAY = "holiday", "放假"
        MAKEUP = "makeup", "调休上班"

    calendar_year = models.ForeignKey(CalendarYear, on_delete=models.PROTECT, related_name="days")
    day = models.DateField("日期")
    kind = models.CharField("类别", max_length=10, choices=Kind.choices)
    name = models.CharField("名称", max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["calendar_year", "day"], name="businessday_holiday_day")]


class Agenda(models.Model):
    """事件日程：每个主体的下一个有日期的事件。

    只由保存该主体状态的函数在同一事务里重算写入，从不增量修补；日终按索引取到期者，没有事件的一行也不碰。
    ``owner`` 是主人（如 ``servicing.loan``），``subject`` 是主人表里的编号。
    """

    owner = models.CharField(max_length=40)
    subject = models.BigIntegerField()
    next_on = models.DateField()
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "subject"], name="businessday_agenda_once")]
        indexes = [models.Index(fields=["partition", "owner", "next_on", "subject"], name="businessday_agenda_due")]
