"""维护营业日组、分区与年历；日终推动营业日的内层函数；事件日程的写入。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import chinese_calendar
from django.db import connection

from sancha.apps.access import queries as access
from sancha.apps.businessday.models import (
    Agenda,
    BusinessGroup,
    CalendarYear,
    Holiday,
    InstitutionDay,
    Partition,
)
from sancha.apps.businessday.queries import ONE_DAY, PartitionInfo, lock_partition
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import operation
from sancha.kit.rowset import rowset

# chinesecalendar 的年份范围：由它的数据决定，不在此抄写。
_SEED_FIRST = min(chinese_calendar.holidays).year
_SEED_LAST = max(chinese_calendar.holidays).year
_CHINESE_NAMES = {item.value: item.chinese for item in chinese_calendar.Holiday}
_SEED_SOURCE = "国务院办公厅节假日安排通知（chinesecalendar 数据包）"
_WEEKEND_SOURCE = "按周末推算"


@dataclass(frozen=True, slots=True)
class AgendaRow:
    """一条日程：主体的下一个事件日；``next_on`` 空表示此后再无事件，删去该行。"""

    subject: int
    next_on: date | None
    partition_id: int


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """年历里的一天。``kind`` 是 ``holiday``（放假）或 ``makeup``（周末调休上班）。"""

    day: date
    kind: str
    name: str


# 营业日组 ---------------------------------------------------------------------------------------------------


@operation("businessday.open_group", permission="businessday.manage")
def open_group(
    *,
    actor: Actor,
    key: str,
    on: date,
    code: str,
    name: str,
    business_date: date,
    partitions: Sequence[str] = ("全部",),
) -> dict[str, Any]:
    """开设营业日组，同时按给定名称建分区。``business_date`` 是第一个营业日。

    只有系统初始化能开组：一个营业日管住一家法人的全部账。

    :raises Conflict: 代码重复。
    """
    if actor.institution_path != access.EVERYWHERE:
        raise NotPermitted("GROUP_NEEDS_SYSTEM", "营业日组只在系统初始化时开设。", fix="请由系统管理员以命令行办理。")
    if BusinessGroup.objects.filter(code=code).exists():
        raise Conflict(
            "GROUP_CODE_TAKEN", f"营业日组代码「{code}」已被使用。", field="code", value=code, fix="请换一个代码。"
        )
    if not partitions:
        raise DomainError("PARTITION_MISSING", "至少要有一个分区。", field="partitions", fix="请给出分区名称。")
    group = BusinessGroup.objects.create(code=code, name=name, business_date=business_date)
    rows = [
        Partition.objects.create(group=group, no=no, name=label, accrued_to=business_date)
        for no, label in enumerate(partitions, start=1)
    ]
    return {"subject": f"group:{group.pk}", "group_id": group.pk, "partition_ids": [row.pk for row in rows]}


@operation("businessday.add_partition", permission="businessday.manage")
def add_partition(*, actor: Actor, key: str, on: date, group_id: int, name: str) -> dict[str, Any]:
    """在组里添一个分区，账立于当前营业日。日终进行中不能添。"""
    group = _locked_group(group_id)
    _require_managed_group(actor, group)
    _require_quiet(group)
    last = group.partitions.order_by("-no").values_list("no", flat=True).first() or 0
    row = Partition.objects.create(group=group, no=last + 1, name=name, accrued_to=group.business_date)
    return {"subject": f"group:{group.pk}", "partition_id": row.pk, "no": row.no}


@operation("businessday.assign_institution", permission="businessday.manage")
def assign_institution(
    *, actor: Actor, key: str, on: date, institution_id: int, partition_id: int, with_subtree: bool = True
) -> dict[str, Any]:
    """把机构（缺省连同下级）归入分区；已经归过的下级不动。

    机构换分区须新旧两区账立于同一天、都不在日终，且旧分区还没有事件日程：
    日程随借据走，带着日程换区要由借据的主人办理。

    :raises Conflict: 不满足上述条件，或分区属于另一组。
    """
    access.require_institution(actor, institution_id)
    target = lock_partition(partition_id=partition_id, exclusive=True)
    existing = InstitutionDay.objects.filter(institution_id=institution_id).select_related("partition").first()
    if existing is not None and existing.partition_id != partition_id:
        _move_between(existing, target)
    wanted = access.subtree_ids(institution_id) if with_subtree else [institution_id]
    assigned = set(InstitutionDay.objects.filter(institution_id__in=wanted).values_list("institution_id", flat=True))
    fresh = [
        InstitutionDay(institution_id=pk, group_id=target.group_id, partition_id=target.id)
        for pk in wanted
        if pk not in assigned
    ]
    InstitutionDay.objects.bulk_create(fresh)
    return {"subject": f"institution:{institution_id}", "partition_id": partition_id, "assigned": len(fresh)}


def _move_between(row: InstitutionDay, target: PartitionInfo) -> None:
    source = lock_partition(partition_id=row.partition_id, exclusive=True)
    same_day = source.accrued_to == target.accrued_to and source.closing is None and target.closing is None
    if not same_day or source.group_id != target.group_id:
        raise Conflict(
            "PARTITION_NOT_ALIGNED",
            "换分区须新旧两区同组、账立于同一天且都不在日终。",
            field="partition_id",
            value=target.id,
            fix="请在日终结束、两区同日后再办。",
        )
    if Agenda.objects.filter(partition_id=source.id).exists():
        raise Conflict(
            "PARTITION_HAS_AGENDA",
            "原分区已有事件日程，机构不能直接换分区。",
            field="partition_id",
            value=target.id,
            fix="请保持原分区。",
        )
    row.partition_id = target.id
    row.save(update_fields=["partition"])


def join_parent_partition(institution_id: int, parent_id: int | None) -> None:
    """新设机构归入上级的日终分区（开业的同一事务里）；上级还没有归组的（系统初始化时）以后再归。"""
    above = InstitutionDay.objects.filter(institution_id=parent_id).first() if parent_id else None
    if above is None:
        return
    lock_partition(partition_id=above.partition_id, exclusive=False)
    InstitutionDay.objects.create(
        institution_id=institution_id, group_id=above.group_id, partition_id=above.partition_id
    )


def crosses_groups(institution_id: int, parent_id: int | None) -> str | None:
    """划转前的检查：新上级属于另一个营业日组（另一家法人）就不能划，返回理由。"""
    if parent_id is None:
        return None
    names = dict(
        InstitutionDay.objects.filter(institution_id__in=[institution_id, parent_id]).values_list(
            "institution_id", "group__name"
        )
    )
    here, there = names.get(institution_id), names.get(parent_id)
    return f"本机构属营业日组「{here}」，新上级属「{there}」" if here and there and here != there else None


def _locked_group(group_id: int) -> BusinessGroup:
    group = BusinessGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise NotFound(
            "GROUP_NOT_FOUND",
            f"没有编号为 {group_id} 的营业日组。",
            field="group_id",
            value=group_id,
            fix="请从营业日组列表中选择。",
        )
    return group


def _require_managed_group(actor: Actor, group: BusinessGroup) -> None:
    """组里须有机构在操作人范围之内，否则与没有这个组一样。"""
    mine = InstitutionDay.objects.filter(access.in_scope(actor), group=group)
    if actor.institution_path != access.EVERYWHERE and not mine.exists():
        raise NotFound(
            "GROUP_NOT_FOUND",
            f"没有编号为 {group.pk} 的营业日组。",
            field="group_id",
            value=group.pk,
            fix="请从营业日组列表中选择。",
        )


def _require_quiet(group: BusinessGroup) -> None:
    if group.partitions.exclude(closing=None, accrued_to=group.business_date).exists():
        raise Conflict(
            "DAY_CLOSE_RUNNING",
            f"「{group.name}」正在日终。",
            field="group_id",
            value=group.pk,
            fix="请在日终结束后再办。",
        )


# 日终推动营业日（内层函数：由日终引擎在自己的事务里调用） -------------------------------------------------------


def begin_close(*, group_id: int, day: date) -> None:
    """开始日终 ``day``：全组分区一起标记，组的营业日进到次日。此后的业务都记在次日。

    已经开始过同一天的，再调用无事发生（中断后重跑）。

    :raises Conflict: 组的营业日不是 ``day``，或有分区的账不立于 ``day``。
    """
    group = _locked_group(group_id)
    parts = [lock_partition(partition_id=pk, exclusive=True) for pk in _partition_ids(group_id)]
    if group.business_date == day + ONE_DAY and all(_begun(part, day) for part in parts):
        return
    if group.business_date != day or any(part.accrued_to != day for part in parts):
        raise Conflict(
            "CLOSE_OUT_OF_ORDER",
            f"「{group.name}」的营业日是 {group.business_date.isoformat()}，不能日终 {day.isoformat()}。",
            field="day",
            value=day,
            fix="日终须逐日进行：请先完成前一日，或检查未完成的分区。",
        )
    Partition.objects.filter(group_id=group_id).update(closing=day)
    BusinessGroup.objects.filter(pk=group_id).update(business_date=day + ONE_DAY)


def mark_closing(*, partition_id: int, day: date) -> PartitionInfo:
    """单个分区开始日终 ``day``（排他锁，等在途业务做完）。重复调用无事发生。

    :raises Conflict: 账不立于 ``day``。
    """
    part = lock_partition(partition_id=partition_id, exclusive=True)
    if part.accrued_to != day:
        raise Conflict(
            "CLOSE_OUT_OF_ORDER",
            f"分区 {partition_id} 的账立于 {part.accrued_to.isoformat()}，不能日终 {day.isoformat()}。",
            field="day",
            value=day,
            fix="日终须逐日进行。",
        )
    Partition.objects.filter(pk=partition_id).update(closing=day)
    return PartitionInfo(id=part.id, group_id=part.group_id, accrued_to=day, closing=day)


def mark_closed(*, partition_id: int, day: date) -> PartitionInfo:
    """单个分区日终 ``day`` 完成：账立于次日。重复调用无事发生。

    :raises Conflict: 该分区没有在日终 ``day``。
    """
    part = lock_partition(partition_id=partition_id, exclusive=True)
    following = day + ONE_DAY
    if part.closing != day and not (part.closing is None and part.accrued_to == following):
        raise Conflict(
            "CLOSE_NOT_BEGUN",
            f"分区 {partition_id} 没有在日终 {day.isoformat()}。",
            field="day",
            value=day,
            fix="请先开始该日日终。",
        )
    Partition.objects.filter(pk=partition_id).update(accrued_to=following, closing=None)
    return PartitionInfo(id=part.id, group_id=part.group_id, accrued_to=following, closing=None)


def advance_group_date(*, group_id: int, day: date) -> date:
    """全组分区都已开始或完成日终 ``day`` 后，把组的营业日进到次日；重复调用无事发生。

    :raises Conflict: 还有分区没有开始该日日终。
    """
    group = _locked_group(group_id)
    parts = [lock_partition(partition_id=pk, exclusive=False) for pk in _partition_ids(group_id)]
    waiting = [part.id for part in parts if not _begun(part, day)]
    if waiting:
        raise Conflict(
            "CLOSE_NOT_BEGUN",
            f"还有分区 {waiting} 没有开始 {day.isoformat()} 的日终。",
            field="day",
            value=day,
            fix="请先对这些分区开始日终。",
        )
    if group.business_date <= day:
        BusinessGroup.objects.filter(pk=group_id).update(business_date=day + ONE_DAY)
        return day + ONE_DAY
    return group.business_date


def _begun(part: PartitionInfo, day: date) -> bool:
    return part.closing == day or part.accrued_to > day


def _partition_ids(group_id: int) -> list[int]:
    """按编号升序，锁的次序一致便不会互等。"""
    return list(Partition.objects.filter(group_id=group_id).order_by("pk").values_list("pk", flat=True))


# 年历 ------------------------------------------------------------------------------------------------------


@operation("businessday.publish_calendar_year", permission="businessday.manage")
def publish_calendar_year(
    *,
    actor: Actor,
    key: str,
    on: date,
    year: int,
    days: Sequence[CalendarDay],
    source: str,
) -> dict[str, Any]:
    """录入国务院公布的某年放假安排：新版本盖过旧版本，旧版本保留。

    修订不改动已生成的还款计划；要按新安排改，须对借据另记事实。

    :raises DomainError: 日期不在该年、同日两说、调休上班日不是周末、来源空白。
    """
    _check_year(year, days, source)
    row = _add_revision(actor, on, year, days, source=source, published=True)
    return {"subject": f"calendar:{year}", "year": year, "revision": row.revision, "days": len(days)}


@operation("businessday.seed_calendar", permission="businessday.manage")
def seed_calendar(*, actor: Actor, key: str, on: date, first_year: int, last_year: int) -> dict[str, Any]:
    """用 chinesecalendar 数据包预置年历；包里没有的年份记为未公布、按周末推算。已有年历的年份不动。"""
    if last_year < first_year:
        raise DomainError(
            "YEARS_REVERSED",
            f"止年 {last_year} 早于起年 {first_year}。",
            field="last_year",
            value=last_year,
            fix="请调换。",
        )
    present = set(CalendarYear.objects.filter(year__gte=first_year, year__lte=last_year).values_list("year", flat=True))
    seeded = [year for year in range(first_year, last_year + 1) if year not in present]
    for year in seeded:
        published = _SEED_FIRST <= year <= _SEED_LAST
        _add_revision(
            actor,
            on,
            year,
            _seed_days(year),
            source=_SEED_SOURCE if published else _WEEKEND_SOURCE,
            published=published,
        )
    return {
        "subject": f"calendar:{first_year}-{last_year}",
        "seeded": seeded,
        "unpublished": [year for year in seeded if not _SEED_FIRST <= year <= _SEED_LAST],
    }


def _seed_days(year: int) -> list[CalendarDay]:
    sources = ((Holiday.Kind.HOLIDAY, chinese_calendar.holidays), (Holiday.Kind.MAKEUP, chinese_calendar.workdays))
    return [
        CalendarDay(day, kind, _CHINESE_NAMES[name])
        for kind, known in sources
        for day, name in known.items()
        if day.year == year
    ]


def _check_year(year: int, days: Sequence[CalendarDay], source: str) -> None:
    problems = [f"{item.day.isoformat()} 不在 {year} 年" for item in days if item.day.year != year]
    twice = [day.isoformat() for day, times in Counter(item.day for item in days).items() if times > 1]
    problems += [f"{day} 列了不止一次" for day in twice]
    problems += [
        f"{item.day.isoformat()} 的类别「{item.kind}」不认识" for item in days if item.kind not in Holiday.Kind
    ]
    problems += [
        f"{item.day.isoformat()} 不是周末，无须调休上班"
        for item in days
        if item.kind == Holiday.Kind.MAKEUP and item.day.isoweekday() <= 5
    ]
    if not source.strip():
        problems.append("没有写明来源文号")
    if problems:
        raise DomainError(
            "CALENDAR_INVALID",
            "年历有误：" + "；".join(problems) + "。",
            field="days",
            value=year,
            fix="请对照国务院办公厅通知改正。",
        )


def _add_revision(
    actor: Actor, on: date, year: int, days: Sequence[CalendarDay], *, source: str, published: bool
) -> CalendarYear:
    last = CalendarYear.objects.filter(year=year).order_by("-revision").values_list("revision", flat=True).first() or 0
    row = CalendarYear.objects.create(
        year=year,
        revision=last + 1,
        published=published,
        source=source,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    Holiday.objects.bulk_create(
        Holiday(calendar_year=row, day=item.day, kind=item.kind, name=item.name) for item in days
    )
    return row


# 事件日程 ---------------------------------------------------------------------------------------------------


def set_agenda_rows(*, owner: str, rows: Iterable[AgendaRow]) -> int:
    """写入日程：一条语句办一批，已有的改期，没有的添上；``next_on`` 空的删去。返回写入与删去的行数。

    只由保存主体状态的函数在同一事务里调用，值总是重算的。
    """
    listed = list(rows)
    kept = [(row.subject, row.next_on, row.partition_id) for row in listed if row.next_on is not None]
    gone = [row.subject for row in listed if row.next_on is None]
    changed = 0
    if kept:
        source = rowset("fresh", {"subject": "bigint", "next_on": "date", "partition_id": "bigint"}, kept)
        sql = f"""
            INSERT INTO businessday_agenda (owner, subject, next_on, partition_id)
            SELECT %s, fresh.subject, fresh.next_on, fresh.partition_id FROM {source.sql} WHERE true
            ON CONFLICT (owner, subject) DO UPDATE
            SET next_on = excluded.next_on, partition_id = excluded.partition_id
        """
        with connection.cursor() as cursor:
            cursor.execute(sql, [owner, *source.params])
            changed += cursor.rowcount
    if gone:
        changed += Agenda.objects.filter(owner=owner, subject__in=gone).delete()[0]
    return changed
