"""第二人：经办人把要做的事写成一件东西，开出一条复核任务；写入由任务的办结来做，第二人就是办结任务的人。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.apps.work.operations.raising import TaskSpec, raise_task
from sancha.apps.work.operations.separation import record_involvement
from sancha.apps.work.queries import subject_of
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound, NotPermitted

MAKER, CHECKER = "MAKER", "CHECKER"
APPROVED, RETURNED = "APPROVED", "RETURNED"


def second_check(
    code: str, name: str, *, posts: tuple[str, ...], permission: str, approve: str, rule: str, clause: str = "ORG-3"
) -> TaskKind:
    """复核任务的种类：同意或退回；录入人不能复核自己录入的。"""
    return TaskKind(
        code=code,
        name=name,
        posts=posts,
        permission=permission,
        outcomes=(Outcome(APPROVED, approve), Outcome(RETURNED, "退回", needs_opinion=True)),
        duty=CHECKER,
        forbidden_duties=frozenset({MAKER}),
        rule=rule,
        clause=clause,
    )


def ask_second_person(
    kind: TaskKind,
    *,
    actor: Actor,
    on: date,
    subject: tuple[str, int],
    institution_id: int,
    title: str,
    reason: str,
    facts: dict[str, Any],
    party_id: int | None = None,
) -> int:
    """开出复核任务并记下录入人，返回任务编号。同一件东西只开一条。

    :raises NotPermitted: 系统本身没有第二人可找。
    :raises DomainError: 该机构及其上级没有岗位可办。
    """
    if actor.person_id is None:
        raise NotPermitted("MAKER_MISSING", "须由登录的人员录入。", clause=kind.clause, fix="请以岗位身份登录办理。")
    task_id = raise_task(
        spec=TaskSpec(
            kind=kind.code,
            subject_type=subject[0],
            subject_id=subject[1],
            institution_id=institution_id,
            party_id=party_id,
            title=title,
            reason=reason,
            cause="draft",
            opened_on=on,
            due_on=on,
            facts=facts,
        )
    )
    record_involvement(root_type=subject[0], root_id=subject[1], person_id=actor.person_id, duty=MAKER, on=on)
    return task_id


def subject_to_check(kind: TaskKind, *, task_id: int) -> int:
    """复核任务的对象编号。

    :raises NotFound: 没有这条任务，或不是这一种。
    """
    found = subject_of(task_id)
    if found is None or found[0] != kind.code:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"没有编号为 {task_id} 的「{kind.name}」任务。",
            field="task_id",
            value=task_id,
            fix="请从工作台中选择。",
        )
    return found[2]
