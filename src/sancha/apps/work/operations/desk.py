"""取任务、核对主办人、写履历：任务的写入各处共用。"""

from __future__ import annotations

from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.work.kinds import outcome_name
from sancha.apps.work.models import Task, TaskEvent
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, NotFound, NotPermitted
from sancha.rulebook.posts import post_name


def scoped_task(actor: Actor, task_id: int, *, lock: bool = False) -> Task:
    """范围内的任务；``lock`` 上锁。"""
    rows = Task.objects.select_related("form_version")
    if lock:
        rows = rows.select_for_update(of=("self",))
    task = rows.filter(access.in_scope(actor), pk=task_id).first()
    if task is None:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"没有编号为 {task_id} 的任务，或不在您的管辖范围内。",
            field="task_id",
            value=task_id,
            fix="请从工作台中选择。",
        )
    return task


def open_task(actor: Actor, task_id: int) -> Task:
    """上锁取未办的任务。"""
    task = scoped_task(actor, task_id, lock=True)
    if task.state != Task.State.OPEN:
        closed_on = task.closed_on.isoformat() if task.closed_on else ""
        what = outcome_name(task.kind, task.outcome) or Task.State(task.state).label
        raise Conflict(
            "TASK_CLOSED",
            f"任务「{task.title}」已于 {closed_on} {Task.State(task.state).label}（{what}）。",
            field="task_id",
            value=task_id,
            fix="任务不能重开；确有需要会另开一条。",
        )
    return task


def require_owner(actor: Actor, task: Task) -> None:
    """须是主办岗位，且没有指派给别人。系统本身不受此限。"""
    if actor.person_id is None and actor.may("*"):
        return
    if actor.post_code != task.post:
        raise NotPermitted(
            "TASK_OF_OTHER_POST",
            f"任务「{task.title}」由{post_name(task.post)}办理，您现在的岗位是{post_name(actor.post_code)}。",
            field="task_id",
            value=task.pk,
            fix=f"请切换到{post_name(task.post)}，或由该岗位人员办理。",
        )
    if task.assignee_id is not None and task.assignee_id != actor.person_id:
        name = access.names_of([task.assignee_id]).get(task.assignee_id, "")
        raise NotPermitted(
            "TASK_OF_OTHER_PERSON",
            f"任务「{task.title}」已在「{name}」名下。",
            field="task_id",
            value=task.pk,
            fix="请由其办理，或由主管改派。",
        )


def log_event(actor: Actor, task: Task, kind: str, data: dict[str, Any]) -> None:
    """写一条履历。"""
    event_row(actor, task, kind, data).save(force_insert=True)


def event_row(actor: Actor, task: Task, kind: str, data: dict[str, Any]) -> TaskEvent:
    """履历的序号就是任务行的版本号：改一次任务恰有一条履历。"""
    return TaskEvent(
        task=task,
        seq=task.row_version,
        at=now(),
        by_id=actor.person_id,
        post_code=actor.post_code,
        kind=kind,
        data=data,
    )
