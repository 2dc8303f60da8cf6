"""指派、认领、退回、留言。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.work.models import Task
from sancha.apps.work.operations.desk import log_event, open_task, require_owner, scoped_task
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation
from sancha.rulebook.posts import post_name


@operation("work.assign_task", permission="work.assign")
def assign_task(*, actor: Actor, key: str, on: date, task_id: int, person_id: int) -> dict[str, Any]:
    """指派：被指派人须在该机构或其上级任主办岗位。"""
    task = open_task(actor, task_id)
    candidates = access.holders_of(task.post, institution_id=task.institution_id, on=on)
    if person_id not in {person.id for person in candidates}:
        raise DomainError(
            "ASSIGNEE_NOT_ELIGIBLE",
            f"编号 {person_id} 的人员在 {on.isoformat()} 不任{post_name(task.post)}，或管不到该机构。",
            field="person_id",
            value=person_id,
            clause="ORG-2",
            fix="可指派：" + ("、".join(person.name for person in candidates) or "（目前无人，请先授岗）") + "。",
        )
    _set_assignee(actor, task, person_id, "assigned")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": person_id}


@operation("work.claim_task", permission="work.act")
def claim_task(*, actor: Actor, key: str, on: date, task_id: int) -> dict[str, Any]:
    """认领：把本岗位的任务记到自己名下。

    :raises NotPermitted: 不是该岗位，或已在别人名下。
    """
    task = open_task(actor, task_id)
    require_owner(actor, task)
    _set_assignee(actor, task, actor.person_id, "claimed")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": actor.person_id}


@operation("work.release_task", permission="work.act")
def release_task(*, actor: Actor, key: str, on: date, task_id: int) -> dict[str, Any]:
    """退回本岗位：不再记在自己名下。有指派权的人也可退回别人名下的。"""
    task = open_task(actor, task_id)
    if task.assignee_id != actor.person_id:
        actor.require("work.assign")
    _set_assignee(actor, task, None, "released")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": None}


@operation("work.comment_task", permission="work.act")
def comment_task(*, actor: Actor, key: str, on: date, task_id: int, text: str) -> dict[str, Any]:
    """留言。办结之后也可以留。"""
    text = text.strip()
    if not text or len(text) > 1000:
        raise DomainError(
            "COMMENT_INVALID", "留言为 1–1000 字。", field="text", value=text[:40], fix="请改写后再提交。"
        )
    task = scoped_task(actor, task_id, lock=True)
    task.row_version += 1
    task.save(update_fields=["row_version"])
    log_event(actor, task, "comment", {"text": text})
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "seq": task.row_version}


def _set_assignee(actor: Actor, task: Task, person_id: int | None, event: str) -> None:
    before = task.assignee_id
    task.assignee_id = person_id
    task.row_version += 1
    task.save(update_fields=["assignee", "row_version"])
    log_event(actor, task, event, {"from": before, "to": person_id})
