"""一案的流程轨迹：录入、逐条任务的履历、其后各步，在对象自己的页面上画出来。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.urls import reverse
from django.utils.translation import gettext as _

from sancha.apps.work.trails import TrailTask, trail_of_root
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.work.desk import EVENT_NAMES


def review_of(request: PageRequest, root_type: str, root_id: int) -> tuple[list[dict[str, Any]], str]:
    """（轨迹各步，待办任务的网址）；没有待办则网址为空。"""
    tasks = trail_of_root(request.actor, root_type=root_type, root_id=root_id)
    waiting = next((reverse("task", args=[task.id]) for task in tasks if task.is_open), "")
    return [step for number, task in enumerate(tasks) for step in _steps(task, first=number == 0)], waiting


def _steps(task: TrailTask, *, first: bool) -> list[dict[str, Any]]:
    title = _("送%(name)s") if first else _("改正后再送%(name)s")
    steps: list[dict[str, Any]] = [{"title": title % {"name": task.name}, "on": task.opened_on, "state": "done"}]
    for event in task.events:
        said = event.data.get("opinion") or event.data.get("text") or event.data.get("reason") or ""
        closed = event.kind == "closed"
        sent_back = closed and event.data.get("outcome") not in {"APPROVED", ""}
        steps.append(
            {
                "title": task.outcome_name if closed else EVENT_NAMES.get(event.kind, event.kind),
                "by": f"{event.by_name}（{event.post_name}）" if event.by_id else event.by_name,
                "at": event.at,
                "note": said,
                "state": "bad" if sent_back or event.kind == "cancelled" else "done",
            }
        )
    if task.is_open:
        steps.append({"title": _("待%(who)s办理") % {"who": task.owner}, "on": task.due_on, "state": "now"})
    return steps


def entered(who: str, at: Any, what: Any) -> dict[str, Any]:
    """第一步：谁何时录入。"""
    return {"title": what, "by": who, "at": at, "state": "done"}


class Reviewed(Protocol):
    """录入后送复核、可以撤回的一案。"""

    @property
    def state(self) -> str: ...
    @property
    def entered_by_name(self) -> str: ...
    @property
    def entered_at(self) -> Any: ...
    @property
    def decided_by_name(self) -> str: ...
    @property
    def opinion(self) -> str: ...


def told(
    request: PageRequest, root_type: str, root_id: int, record: Reviewed, *, what: Any, decided: dict[str, Any]
) -> dict[str, Any]:
    """一案的全程：``steps`` 从录入（``what``）、复核到撤回，``waiting`` 见 ``review_of``；``decided`` 是了结的时刻 ``at`` 或日期 ``on``。"""
    reviewed, waiting = review_of(request, root_type, root_id)
    steps = [entered(record.entered_by_name, record.entered_at, what), *reviewed]
    if record.state == "WITHDRAWN":
        by, note = record.decided_by_name, record.opinion
        steps.append({"title": _("撤回"), "by": by, "note": note, "state": "bad", **decided})
    return {"steps": steps, "waiting": waiting}


def later(*steps: tuple[Any, Any, str]) -> Sequence[dict[str, Any]]:
    """其后各步：（名目，日期，说明），没有日期的不列。"""
    return [{"title": title, "on": on, "note": note, "state": "done"} for title, on, note in steps if on]
