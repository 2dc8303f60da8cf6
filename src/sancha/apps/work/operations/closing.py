"""办结、撤销、替代任务；记录决定。

办结由任务对象所属应用的操作来做，这里只提供 ``close_task`` 这块砖。
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db.models import F

from sancha.apps.work.events import tasks_closed
from sancha.apps.work.kinds import TaskKind, closer_of, kind_of
from sancha.apps.work.models import Decision, Task, TaskEvent
from sancha.apps.work.operations.desk import event_row, log_event, open_task, require_owner, scoped_task
from sancha.apps.work.operations.filling import take_form
from sancha.apps.work.operations.raising import TaskSpec, raise_task
from sancha.apps.work.operations.separation import check_separation, record_involvement
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation


@operation("work.submit_task", permission="work.act")
def submit_task(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """办理任务：交给该种类登记的办结操作；没有登记的直接办结。

    界面、接口都从这里办，不必认识各种任务。
    """
    kind = scoped_task(actor, task_id).kind
    closer = closer_of(kind)
    if closer is None:
        result = close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    else:
        result = closer(actor=actor, key=key, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    still_open = Task.objects.filter(pk=task_id, state=Task.State.OPEN).exists()
    assert not still_open, f"the closer of {kind} returned without closing task {task_id}"
    return {**result, "task_id": task_id, "subject": result.get("subject", f"task:{task_id}")}


def close_task(
    *,
    actor: Actor,
    task_id: int,
    outcome: str,
    opinion: str,
    on: date,
    data: dict[str, Any] | None = None,
    authority: dict[str, Any] | None = None,
    policy_version: str = "",
) -> dict[str, Any]:
    """办结一条任务（内层函数，在所属应用的操作里调用）：核对权限与职责分离，收表单，记决定、经手与履历。

    ``data`` 空而种类有表单时，用最近一次暂存的内容。``authority`` 是所用授权的快照，任职编号总会记上。

    :raises NotFound: 没有此任务或在范围之外。
    :raises NotPermitted: 不是该岗位、指派给了别人、违反职责分离（写明规则）。
    :raises Conflict: 已经办结。
    :raises DomainError: 结果不对、缺意见、表单有误。
    """
    task = open_task(actor, task_id)
    kind = kind_of(task.kind)
    require_owner(actor, task)
    actor.require(kind.permission)
    _check_outcome(kind, outcome, opinion)
    if actor.person_id is not None and kind.duty:
        check_separation(
            root_type=task.root_type,
            root_id=task.root_id,
            person_id=actor.person_id,
            duty=kind.duty,
            forbidden=kind.forbidden_duties,
            rule=kind.rule,
            clause=kind.clause or "ORG-3",
        )
    if task.form_version is not None:
        take_form(actor, task, data, on)
    record_decision(
        actor=actor, task_id=task.pk, outcome=outcome, opinion=opinion, on=on,
        authority=authority, policy_version=policy_version,
    )  # fmt: skip
    if actor.person_id is not None and kind.duty:
        record_involvement(
            root_type=task.root_type, root_id=task.root_id, person_id=actor.person_id, duty=kind.duty, on=on
        )
    _close_row(task, Task.State.DONE, outcome, on, actor)
    log_event(actor, task, "closed", {"outcome": outcome, "opinion": opinion})
    return {
        "subject": f"task:{task.pk}",
        "task_id": task.pk,
        "subject_type": task.subject_type,
        "subject_id": task.subject_id,
        "root_type": task.root_type,
        "root_id": task.root_id,
        "outcome": outcome,
        "closed_on": on.isoformat(),
    }


def record_decision(
    *,
    actor: Actor,
    task_id: int,
    outcome: str,
    opinion: str,
    on: date,
    authority: dict[str, Any] | None = None,
    policy_version: str = "",
) -> int:
    """记一项决定及其所用权限的快照，返回编号。会签、投票等不办结的意见也用它。"""
    row = Decision.objects.create(
        task_id=task_id,
        person_id=actor.person_id,
        post_code=actor.post_code,
        outcome=outcome,
        opinion=opinion,
        authority={"post_holding_id": actor.post_holding_id, **(authority or {})},
        policy_version=policy_version,
        on_day=on,
        at=now(),
    )
    return row.pk


def cancel_tasks(
    *, actor: Actor, kind: str, subject_type: str, subject_ids: Collection[int], on: date, reason: str
) -> int:
    """撤销这些对象上该种类的未办任务（事由已不存在，如还款被冲正），返回条数。由所属应用在自己的操作里调用。"""
    rows = list(
        Task.objects.select_for_update().filter(
            kind=kind, subject_type=subject_type, subject_id__in=subject_ids, state=Task.State.OPEN
        )
    )
    for task in rows:
        task.row_version += 1
        task.state, task.closed_on, task.closed_by_id = Task.State.CANCELLED, on, actor.person_id
    Task.objects.bulk_update(rows, ["row_version", "state", "closed_on", "closed_by"], batch_size=500)
    TaskEvent.objects.bulk_create(event_row(actor, task, "cancelled", {"reason": reason}) for task in rows)
    tasks_closed(rows)
    return len(rows)


def cancel_other_occurrences(
    *, actor: Actor, kind: str, institution_ids: Collection[int], keep: Collection[str], on: date, reason: str
) -> int:
    """撤销这些机构里该种类、唯一键不在 ``keep`` 之内的未办任务：事由已不存在的不留在桌上。返回条数。"""
    kept = set(keep)
    listed = Task.objects.filter(kind=kind, institution_id__in=institution_ids, state=Task.State.OPEN)
    stale = [pk for pk, key in listed.values_list("pk", "occurrence_key") if key not in kept]
    for start in range(0, len(stale), 500):
        batch = stale[start : start + 500]
        rows = Task.objects.filter(pk__in=batch, state=Task.State.OPEN)
        rows.update(
            state=Task.State.CANCELLED, closed_on=on, closed_by_id=actor.person_id, row_version=F("row_version") + 1
        )
        gone = list(Task.objects.filter(pk__in=batch))
        TaskEvent.objects.bulk_create(event_row(actor, task, "cancelled", {"reason": reason}) for task in gone)
        tasks_closed(gone)
    return len(stale)


def replace_task(*, actor: Actor, task_id: int, spec: TaskSpec, on: date, reason: str) -> int:
    """以一条新任务替代旧任务（从不重开），返回新任务编号。"""
    task = open_task(actor, task_id)
    task.replaced_by_id = raise_task(spec=spec)
    assert task.replaced_by_id != task.pk, "a task cannot replace itself: give the new one its own cause"
    _close_row(task, Task.State.REPLACED, "", on, actor)
    log_event(actor, task, "replaced", {"reason": reason, "by": task.replaced_by_id})
    return task.replaced_by_id


def _close_row(task: Task, state: Task.State, outcome: str, on: date, actor: Actor) -> None:
    task.state, task.outcome, task.closed_on, task.closed_by_id = state, outcome, on, actor.person_id
    task.row_version += 1
    task.save(update_fields=["state", "outcome", "closed_on", "closed_by", "replaced_by", "row_version"])
    tasks_closed([task])


def _check_outcome(kind: TaskKind, code: str, opinion: str) -> None:
    outcome = kind.outcome(code)
    if outcome is None:
        raise DomainError(
            "OUTCOME_UNKNOWN",
            f"「{kind.name}」没有结果「{code}」。",
            field="outcome",
            value=code,
            fix="可选：" + "、".join(f"{item.name}（{item.code}）" for item in kind.outcomes) + "。",
        )
    if outcome.needs_opinion and not opinion.strip():
        raise DomainError(
            "OPINION_MISSING",
            f"「{outcome.name}」须写明意见。",
            field="opinion",
            clause=kind.clause or None,
            fix="请填写意见。",
        )
