"""查营业日、分区、年历与到期的事件。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from sancha.apps.businessday.models import (
    Agenda,
    BusinessGroup,
    CalendarYear,
    Holiday,
    InstitutionDay,
    Partition,
)
from sancha.kernel.calendar import Calendar
from sancha.kit.errors import NotFound

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """日终分区。``accrued_to`` 账立于哪天开始，``closing`` 正在日终的那天（空为没有日终）。"""

    id: int
    group_id: int
    accrued_to: date
    closing: date | None

    @property
    def business_date(self) -> date:
        """营业日：平时即 ``accrued_to``；正在日终 d 时，新业务已记在 d+1。"""
        return self.accrued_to if self.closing is None else self.closing + ONE_DAY


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """营业日组及其分区，日终控制台用。"""

    id: int
    code: str
    name: str
    business_date: date
    partitions: tuple[PartitionInfo, ...]


@dataclass(frozen=True, slots=True)
class CalendarYearInfo:
    """年历一览行；``revision`` 为 0 表示从未录入，按周末推算。"""

    year: int
    revision: int
    published: bool
    source: str
    holidays: int
    makeup_workdays: int

    @property
    def note(self) -> str:
        """给人看的状态。"""
        return "已公布" if self.published else "未公布，按周末推算"


def _partition_info(row: Partition) -> PartitionInfo:
    return PartitionInfo(id=row.pk, group_id=row.group_id, accrued_to=row.accrued_to, closing=row.closing)


def partition_of(*, institution_id: int) -> PartitionInfo:
    """机构所在的日终分区。

    :raises NotFound: 机构还没有归入营业日组。
    """
    row = InstitutionDay.objects.filter(institution_id=institution_id).select_related("partition").first()
    if row is None:
        raise NotFound(
            "BUSINESS_DAY_MISSING",
            f"编号为 {institution_id} 的机构还没有归入营业日组，不能办理业务。",
            field="institution_id",
            value=institution_id,
            fix="请系统管理员在「机构」中为其指定营业日组与分区。",
        )
    return _partition_info(row.partition)


def business_date(*, institution_id: int) -> date:
    """机构的营业日。

    :raises NotFound: 机构还没有归入营业日组。
    """
    return partition_of(institution_id=institution_id).business_date


def business_dates(*, institution_ids: list[int]) -> dict[int, date]:
    """一次取多个机构的营业日；没有归组的不在结果里。"""
    rows = InstitutionDay.objects.filter(institution_id__in=institution_ids).select_related("partition")
    return {row.institution_id: _partition_info(row.partition).business_date for row in rows}


def group_date(*, group_id: int) -> date:
    """营业日组的营业日。

    :raises NotFound: 没有这个组。
    """
    found = BusinessGroup.objects.filter(pk=group_id).values_list("business_date", flat=True).first()
    if found is None:
        raise NotFound(
            "GROUP_NOT_FOUND",
            f"没有编号为 {group_id} 的营业日组。",
            field="group_id",
            value=group_id,
            fix="请从营业日组列表中选择。",
        )
    return found


def find_group(code: str) -> GroupInfo | None:
    """按代码找营业日组。"""
    return next((group for group in groups() if group.code == code), None)


def groups() -> list[GroupInfo]:
    """全部营业日组及其分区（按分区序号）。"""
    rows = BusinessGroup.objects.prefetch_related("partitions").order_by("code")
    return [
        GroupInfo(
            id=row.pk,
            code=row.code,
            name=row.name,
            business_date=row.business_date,
            partitions=tuple(_partition_info(part) for part in sorted(row.partitions.all(), key=lambda part: part.no)),
        )
        for row in rows
    ]


def institutions_of(*, partition_id: int) -> list[int]:
    """分区里的机构编号。"""
    rows = InstitutionDay.objects.filter(partition_id=partition_id).order_by("institution_id")
    return list(rows.values_list("institution_id", flat=True))


def lock_partition(*, partition_id: int, exclusive: bool) -> PartitionInfo:
    """锁住分区行并读出：业务用共享锁（互不妨碍），日终切换用排他锁（等在途业务做完）。

    SQLite 的写事务本来就一个接一个，读出即可。

    :raises NotFound: 没有这个分区。
    """
    assert connection.in_atomic_block, "lock_partition: the lock lives as long as the transaction; open one first"
    sql = "SELECT id, group_id, accrued_to, closing FROM businessday_partition WHERE id = %s"
    if connection.vendor == "postgresql":
        sql += " FOR UPDATE" if exclusive else " FOR SHARE"
    row = next(iter(Partition.objects.raw(sql, [partition_id])), None)
    if row is None:
        raise NotFound(
            "PARTITION_NOT_FOUND",
            f"没有编号为 {partition_id} 的分区。",
            field="partition_id",
            value=partition_id,
            fix="请从日终页的分区中选择。",
        )
    return _partition_info(row)


def _latest_years(first_year: int, last_year: int) -> dict[int, CalendarYear]:
    rows = CalendarYear.objects.filter(year__gte=first_year, year__lte=last_year).order_by("year", "revision")
    return {row.year: row for row in rows}


def calendar_for(*, first_year: int, last_year: int) -> Calendar:
    """这些年份的工作日历（各年取最新版本）。没有录入或未公布的年份按周末推算，``is_published`` 为假。"""
    years = _latest_years(first_year, last_year)
    days = Holiday.objects.filter(calendar_year__in=[row.pk for row in years.values()]).values_list("day", "kind")
    by_kind: dict[str, set[date]] = {Holiday.Kind.HOLIDAY: set(), Holiday.Kind.MAKEUP: set()}
    for day, kind in days:
        by_kind[kind].add(day)
    return Calendar(
        holidays=frozenset(by_kind[Holiday.Kind.HOLIDAY]),
        makeup_workdays=frozenset(by_kind[Holiday.Kind.MAKEUP]),
        published_years=frozenset(year for year, row in years.items() if row.published),
    )


def calendar_years(*, first_year: int, last_year: int) -> list[CalendarYearInfo]:
    """年历一览：每年一行，没有录入的也列出。"""
    years = _latest_years(first_year, last_year)
    counts: dict[tuple[int, str], int] = {}
    listed = Holiday.objects.filter(calendar_year__in=[row.pk for row in years.values()])
    for year, kind in listed.values_list("calendar_year__year", "kind"):
        counts[year, kind] = counts.get((year, kind), 0) + 1
    return [
        CalendarYearInfo(
            year=year,
            revision=years[year].revision if year in years else 0,
            published=year in years and years[year].published,
            source=years[year].source if year in years else "",
            holidays=counts.get((year, Holiday.Kind.HOLIDAY), 0),
            makeup_workdays=counts.get((year, Holiday.Kind.MAKEUP), 0),
        )
        for year in range(first_year, last_year + 1)
    ]


def holidays_of(*, year: int) -> list[tuple[date, str, str]]:
    """某年最新版本的放假与调休日：日期、类别、名称。"""
    latest = _latest_years(year, year).get(year)
    if latest is None:
        return []
    return list(Holiday.objects.filter(calendar_year=latest).order_by("day").values_list("day", "kind", "name"))


def due_subjects(
    *, owner: str, partition_id: int, on: date, after: int | None = None, limit: int | None = None
) -> list[int]:
    """到 ``on``（含）为止有事件的主体，按编号升序。

    分批取：把上一批最后一个编号作 ``after``，跳过本批里出错而没有推进的。
    """
    rows = Agenda.objects.filter(owner=owner, partition_id=partition_id, next_on__lte=on)
    if after is not None:
        rows = rows.filter(subject__gt=after)
    subjects = rows.order_by("subject").values_list("subject", flat=True)
    return list(subjects if limit is None else subjects[:limit])


def count_due(*, owner: str, partition_id: int, on: date) -> int:
    """到 ``on`` 为止有事件的主体个数。"""
    return Agenda.objects.filter(owner=owner, partition_id=partition_id, next_on__lte=on).count()


def next_event_of(*, owner: str, subject: int) -> date | None:
    """某主体的下一个事件日；没有则空。"""
    return Agenda.objects.filter(owner=owner, subject=subject).values_list("next_on", flat=True).first()
