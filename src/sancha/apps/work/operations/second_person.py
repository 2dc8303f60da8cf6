"""第二人：经办人把要做的事写成一件东西，开出一条复核任务；写入由任务的办结来做，第二人就是办结任务的人。

东西自己的上锁、状态与入账归它所属的应用。每条路都先锁住东西、再碰它的任务，两边同时办不会互等。
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.apps.work.operations.closing import cancel_tasks, close_task
from sancha.apps.work.operations.raising import TaskSpec, raise_task
from sancha.apps.work.operations.separation import record_involvement
from sancha.apps.work.queries import open_task_of, subject_of
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted

MAKER, CHECKER = "MAKER", "CHECKER"
APPROVED, RETURNED = "APPROVED", "RETURNED"


def second_check(
    code: str,
    name: str,
    *,
    posts: tuple[str, ...],
    permission: str,
    approve: str,
    rule: str,
    clause: str = "ORG-3",
    duties: tuple[str, str] = (MAKER, CHECKER),
    form_code: str = "",
) -> TaskKind:
    """复核任务的种类：同意或退回；录入人不能复核自己录入的。``duties`` 是录入、复核各记的职责。"""
    maker, checker = duties
    return TaskKind(
        code=code,
        name=name,
        posts=posts,
        permission=permission,
        outcomes=(Outcome(APPROVED, approve), Outcome(RETURNED, "退回", needs_opinion=True)),
        form_code=form_code,
        duty=checker,
        forbidden_duties=frozenset({maker}),
        rule=rule,
        clause=clause,
    )


@contextmanager
def rehearsal() -> Iterator[None]:
    """试办：在保存点里做一遍再撤回，录入时就知道复核后做不做得成。"""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


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
    cause: str = "draft",
    party_id: int | None = None,
    by_operator: bool = False,
) -> int:
    """开出复核任务并记下录入人，返回任务编号。同一件东西的同一稿（``cause``）只开一条。

    ``by_operator``：命令行上的操作人（没有人员）也可录入，没有岗位可办的机构也照开。

    :raises NotPermitted: 系统本身没有第二人可找。
    :raises DomainError: 该机构及其上级没有岗位可办。
    """
    if actor.person_id is None and not by_operator:
        raise NotPermitted("MAKER_MISSING", "须由登录的人员录入。", clause=kind.clause, fix="请以岗位身份登录办理。")
    spec = TaskSpec(
        kind=kind.code,
        subject_type=subject[0],
        subject_id=subject[1],
        institution_id=institution_id,
        party_id=party_id,
        title=title[:200],
        reason=reason,
        cause=cause,
        opened_on=on,
        due_on=on,
        facts=facts,
    )
    try:
        task_id = raise_task(spec=spec)
    except DomainError:
        if actor.person_id is not None:
            raise
        # Where no such post can sit, only the operator at the command line may go on.
        task_id = raise_task(spec=replace(spec, post=kind.posts[0]))
    if actor.person_id is not None:
        (maker,) = kind.forbidden_duties
        record_involvement(root_type=subject[0], root_id=subject[1], person_id=actor.person_id, duty=maker, on=on)
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


def close_check(
    kind: TaskKind,
    *,
    actor: Actor,
    subject: tuple[str, int],
    task_id: int | None,
    outcome: str,
    opinion: str,
    on: date,
) -> bool:
    """办结对象的复核任务，返回是否同意。``task_id`` 空即从对象办起，取它未办的那条。对象须已锁住。

    :raises NotPermitted: 复核人就是录入人（写明规则），或任务不归他办。
    :raises Conflict: 任务已办结，或没有待办的。
    """
    task_id = task_id or open_task_of(kind=kind.code, subject_type=subject[0], subject_id=subject[1])
    if task_id is None:
        raise Conflict(
            "TASK_MISSING", f"没有待办的「{kind.name}」任务。", value=subject[1], fix="请录入人撤回或撤销后重新录入。"
        )
    close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on)
    return outcome == APPROVED


def cancel_check(kind: TaskKind, *, actor: Actor, subject: tuple[str, int], on: date, reason: str) -> None:
    """撤销对象未办的复核任务：改正之后另开一条，撤回之后不再有。对象须已锁住。"""
    cancel_tasks(
        actor=actor, kind=kind.code, subject_type=subject[0], subject_ids=[subject[1]], on=on, reason=reason[:200]
    )


def require_maker(kind: TaskKind, *, actor: Actor, maker_id: int | None, field: str, value: int) -> None:
    """须是录入人本人。

    :raises NotPermitted: 不是录入人。
    """
    if maker_id is None or maker_id != actor.person_id:
        raise NotPermitted(
            "NOT_THE_MAKER",
            f"送「{kind.name}」的内容只能由录入人自己更改。",
            field=field,
            value=value,
            clause=kind.clause,
            fix="请由录入人办理；内容不对的，由复核人退回。",
        )
