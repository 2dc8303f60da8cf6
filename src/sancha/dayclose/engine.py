"""日终引擎：逐日、逐步、可杀可续、可预演。

``run`` 从营业日起一天一天做到 ``until``；某步失败即停，原因留在台账，再跑从断处接上。``rehearse`` 在一个必回滚的事务里跑完一天，
说出会发生什么，不留痕迹。
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from sancha.apps.businessday import queries as businessday
from sancha.apps.servicing import queries as servicing
from sancha.dayclose.crew import Crew
from sancha.dayclose.events import day_closed
from sancha.dayclose.exclusive import CLOSE, only_one
from sancha.dayclose.models import CloseRun, CloseStep, HeldLoan
from sancha.dayclose.pipeline import PIPELINE
from sancha.dayclose.step import CloseContext, Step
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import write_audit

Progress = Callable[[str, int, int], None]
CHUNK = 500


def _quiet(name: str, done: int, total: int) -> None:
    """默认不报进度。"""


@dataclass(slots=True)
class DayReport:
    """一天日终的结果。"""

    day: date
    seconds: float = 0.0
    steps: dict[str, int] = field(default_factory=dict)
    step_seconds: dict[str, float] = field(default_factory=dict)
    held: int = 0


def run(
    *, actor: Actor, group_id: int, until: date | None = None, progress: Progress = _quiet, chunk: int = CHUNK
) -> list[DayReport]:
    """日终：从当前营业日做到 ``until``（含，缺省只做当前营业日）。补做漏掉的日子就是把 ``until`` 写远一点。

    :raises Conflict: ``until`` 早于营业日；另一个日终正在进行；有步骤失败（原因在台账上）。
    """
    actor.require("dayclose.run")
    reports = []
    with only_one(CLOSE, group_id):
        day = unfinished_day(group_id)
        last = until or day
        require_open_day(day, last)
        with Crew() as crew:
            while day <= last:
                reports.append(_close_day(actor, group_id, day, progress, chunk, crew))
                day += timedelta(days=1)
    return reports


def require_open_day(first: date, last: date) -> None:
    """``last`` 不得早于待日终的 ``first``。

    :raises Conflict: 那天已经日终。
    """
    if last < first:
        raise Conflict(
            "DAY_ALREADY_CLOSED",
            f"{last} 已经日终，当前待日终的是 {first}。",
            field="until",
            value=last,
            fix=f"请从 {first} 开始。",
        )


def unfinished_day(group_id: int) -> date:
    """待日终的那一天：有做了一半的就是那天，否则是营业日。"""
    stopped = (
        CloseRun.objects.filter(group_id=group_id)
        .exclude(status=CloseRun.RunStatus.DONE)
        .order_by("day")
        .values_list("day", flat=True)
        .first()
    )
    return stopped or businessday.group_date(group_id=group_id)


def _close_day(actor: Actor, group_id: int, day: date, progress: Progress, chunk: int, crew: Crew) -> DayReport:
    started = time.perf_counter()
    run_row, created = CloseRun.objects.get_or_create(
        group_id=group_id, day=day, defaults={"status": CloseRun.RunStatus.RUNNING, "started_at": now()}
    )
    if not created:
        run_row.attempts += 1
        run_row.status, run_row.message = CloseRun.RunStatus.RUNNING, ""
        run_row.save(update_fields=["attempts", "status", "message"])
    write_audit(
        actor=actor,
        operation="dayclose.run",
        subject=f"close:{run_row.pk}",
        on_day=day,
        data={"attempt": run_row.attempts},
    )
    report = DayReport(day)
    partitions = [partition.id for partition in _group(group_id).partitions]
    for position, step in enumerate(PIPELINE):
        for partition_id in partitions if step.per_partition else [0]:
            _run_step(run_row, position, step, partition_id, progress, chunk, crew, report)
    report.held = HeldLoan.objects.filter(run=run_row).count()
    run_row.status, run_row.finished_at = CloseRun.RunStatus.DONE, now()
    with transaction.atomic():
        run_row.save(update_fields=["status", "finished_at"])
        day_closed(
            group_id=group_id, day=day, business_date=businessday.group_date(group_id=group_id), held=report.held
        )
    report.seconds = time.perf_counter() - started
    return report


def _run_step(
    run_row: CloseRun,
    position: int,
    step: Step,
    partition_id: int,
    progress: Progress,
    chunk: int,
    crew: Crew,
    report: DayReport,
) -> None:
    row, _ = CloseStep.objects.get_or_create(
        run=run_row,
        position=position,
        partition_id=partition_id or None,
        defaults={"code": step.code, "name": step.name, "status": CloseStep.StepStatus.RUNNING, "started_at": now()},
    )
    if row.status == CloseStep.StepStatus.DONE:
        return
    started = time.perf_counter()
    seen = {"at": 0.0}

    def tell(done: int, total: int) -> None:
        progress(step.name, done, total)
        # The console polls this row; writing it more than a few times a second would only slow the close.
        if time.perf_counter() - seen["at"] > 0.3 or done == total:
            seen["at"] = time.perf_counter()
            CloseStep.objects.filter(pk=row.pk).update(done=done, total=total)

    context = CloseContext(
        run_id=run_row.pk,
        group_id=run_row.group_id,
        day=run_row.day,
        partition_id=partition_id,
        progress=tell,
        chunk=chunk,
        crew=crew,
    )
    try:
        count = step.run(context)
    except Exception as error:
        failed_after = int((time.perf_counter() - started) * 1000)
        CloseStep.objects.filter(pk=row.pk).update(
            status=CloseStep.StepStatus.FAILED, message=str(error), seconds_ms=failed_after
        )
        CloseRun.objects.filter(pk=run_row.pk).update(
            status=CloseRun.RunStatus.STOPPED, message=f"{step.name}：{error}"
        )
        if isinstance(error, DomainError):
            raise
        raise Conflict(
            "DAY_CLOSE_STOPPED",
            f"{run_row.day} 日终停在「{step.name}」：{error}",
            field="day",
            value=run_row.day,
            fix="请按提示查明后重跑，已完成的步骤不会重做。",
        ) from error
    elapsed = time.perf_counter() - started
    CloseStep.objects.filter(pk=row.pk).update(
        status=CloseStep.StepStatus.DONE,
        done=count,
        total=count,
        seconds_ms=int(elapsed * 1000),
        finished_at=now(),
        message="",
    )
    report.steps[step.code] = report.steps.get(step.code, 0) + count
    report.step_seconds[step.code] = report.step_seconds.get(step.code, 0.0) + elapsed


def _group(group_id: int) -> businessday.GroupInfo:
    for group in businessday.groups():
        if group.id == group_id:
            return group
    raise NotFound(
        "GROUP_NOT_FOUND",
        f"没有编号为 {group_id} 的营业日组。",
        field="group_id",
        value=group_id,
        fix="请从营业日组列表中选择。",
    )


def rehearse(*, actor: Actor, group_id: int) -> dict[str, Any]:
    """预演：在必定回滚的事务里把当前营业日做一遍，报告会发生的变化，不留任何痕迹。

    返回：各步件数、借据前后的汇总（余额、逾期、分类、应计），以及将变化的借据（最多 200 笔）。
    """
    actor.require("dayclose.view")
    day = unfinished_day(group_id)
    partitions = [partition.id for partition in _group(group_id).partitions]
    with only_one(CLOSE, group_id), transaction.atomic():
        before = servicing.book_summary(partition_ids=partitions)
        marks = servicing.watch_marks(partition_ids=partitions)
        report = _close_day(actor, group_id, day, _quiet, CHUNK, Crew(size=1))
        after = servicing.book_summary(partition_ids=partitions)
        changes = servicing.changed_since(marks, partition_ids=partitions)
        transaction.set_rollback(True)
    return {
        "day": day,
        "steps": report.steps,
        "seconds": round(report.seconds, 3),
        "before": before,
        "after": after,
        "changes": changes[:200],
        "changed": len(changes),
        "held": report.held,
    }


def status(*, group_id: int | None = None, limit: int = 30) -> list[dict[str, Any]]:
    """最近的日终及其步骤（两条 SQL）。"""
    rows = CloseRun.objects.prefetch_related("steps").order_by("-day", "group_id")
    if group_id is not None:
        rows = rows.filter(group_id=group_id)
    return [
        {
            "id": row.pk,
            "group_id": row.group_id,
            "day": row.day,
            "status": row.status,
            "status_name": row.get_status_display(),
            "attempts": row.attempts,
            "message": row.message,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "steps": [
                {
                    "code": step.code,
                    "name": step.name,
                    "partition_id": step.partition_id,
                    "status": step.status,
                    "done": step.done,
                    "total": step.total,
                    "milliseconds": step.seconds_ms,
                    "message": step.message,
                }
                for step in sorted(row.steps.all(), key=lambda item: (item.position, item.partition_id or 0))
            ],
        }
        for row in rows[:limit]
    ]


def held_loans(*, run_id: int | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """日终隔离过的借据。"""
    rows = HeldLoan.objects.order_by("-at")
    if run_id is not None:
        rows = rows.filter(run_id=run_id)
    return [{"run_id": row.run_id, "loan_id": row.loan_id, "reason": row.reason, "at": row.at} for row in rows[:limit]]
