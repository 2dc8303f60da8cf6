"""任务的对外事件：开出、办结、撤下。标题里有姓名，不出去。"""

from __future__ import annotations

from collections.abc import Iterable

from sancha.apps.work.models import Task
from sancha.kit.events import EventField, EventKind, Happening, announce_all, declare

_COMMON = {
    "task_id": EventField("id", "任务编号"),
    "kind": EventField("code", "任务种类代码，如 OVERDUE_FOLLOW_UP"),
    "about": EventField("code", "任务所办的对象，如 loan:12"),
    "post": EventField("code", "主办岗位代码"),
    "due_on": EventField("day", "应办日"),
}
TASK_RAISED = declare(EventKind("task.raised", "任务开出", "系统或人开出一条任务", _COMMON))
TASK_CLOSED = declare(
    EventKind(
        "task.closed",
        "任务了结",
        "任务办结（done）、撤销（cancelled）或被替代（replaced）",
        {
            **_COMMON,
            "state": EventField("code", "了结方式：done、cancelled、replaced"),
            "outcome": EventField("code", "办结的结果代码；不是办结的为 null", optional=True),
        },
    )
)
ALL = (TASK_RAISED, TASK_CLOSED)


def tasks_raised(tasks: Iterable[Task]) -> None:
    """任务开出：成批记下。"""
    announce_all(TASK_RAISED, (Happening(t.institution_id, t.opened_on, f"task:{t.pk}", _common(t)) for t in tasks))


def tasks_closed(tasks: Iterable[Task]) -> None:
    """任务了结：行上须已是了结后的样子。"""
    announce_all(
        TASK_CLOSED,
        (
            Happening(
                task.institution_id,
                task.closed_on or task.opened_on,
                f"task:{task.pk}",
                _common(task) | {"state": str(task.state), "outcome": task.outcome or None},
            )
            for task in tasks
        ),
    )


def _common(task: Task) -> dict[str, object]:
    return {
        "task_id": task.pk,
        "kind": task.kind,
        "about": f"{task.subject_type}:{task.subject_id}",
        "post": task.post,
        "due_on": task.due_on,
    }
