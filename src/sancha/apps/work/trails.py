"""流程轨迹：一案的全部任务与履历，供对象自己的页面画出来；查询条数与任务、履历多少无关。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sancha.apps.access import queries as access
from sancha.apps.work.kinds import kind_name, outcome_name
from sancha.apps.work.models import Task, TaskEvent
from sancha.apps.work.queries import EventInfo
from sancha.kit.actor import Actor
from sancha.rulebook.posts import post_name


@dataclass(frozen=True, slots=True)
class TrailTask:
    """一案里的一条任务：何时开出、现在归谁、履历、结果。"""

    id: int
    name: str
    reason: str
    opened_on: date
    due_on: date
    is_open: bool
    owner: str
    outcome_name: str
    events: tuple[EventInfo, ...]


def trail_of_root(actor: Actor, *, root_type: str, root_id: int) -> list[TrailTask]:
    """一案的任务与履历，先开者在前；两条查询。"""
    rows = Task.objects.filter(access.in_scope(actor), root_type=root_type, root_id=root_id)
    tasks = list(rows.select_related("assignee").order_by("pk"))
    events: dict[int, list[EventInfo]] = {}
    listed = TaskEvent.objects.filter(task__in=[task.pk for task in tasks]).select_related("by").order_by("task", "seq")
    for event in listed if tasks else ():
        info = EventInfo(
            at=event.at,
            kind=event.kind,
            by_id=event.by_id,
            by_name=event.by.name if event.by else "系统",
            post_name=post_name(event.post_code),
            data=event.data,
        )
        events.setdefault(event.task_id, []).append(info)
    return [
        TrailTask(
            id=task.pk,
            name=kind_name(task.kind),
            reason=task.reason,
            opened_on=task.opened_on,
            due_on=task.due_on,
            is_open=task.state == Task.State.OPEN,
            owner=task.assignee.name if task.assignee else post_name(task.post),
            outcome_name=outcome_name(task.kind, task.outcome),
            events=tuple(events.get(task.pk, ())),
        )
        for task in tasks
    ]
