"""指派调查：同级主管的指示、主调与辅调；上报的规则由有权机构决定。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import holders_of, names_of
from sancha.apps.origination.investigators import bars
from sancha.apps.origination.models import Application, ApplicationState, RuleException
from sancha.apps.origination.operations.locking import close_application, locked_application, require_state
from sancha.apps.origination.ruling import failures, rule
from sancha.apps.origination.steps import (
    APPROVED,
    PASSED,
    ROOT,
    enter,
    pack_of,
    require_step,
    require_task,
)
from sancha.apps.work import operations as work
from sancha.apps.work.queries import subject_of
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError, NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook.packs import StepType
from sancha.rulebook.rules import Effect, Stage

CLAUSE = "PSBC-2014-ASSIGNMENT"
INVESTIGATOR_POST = "LOAN_OFFICER"


def application_of_task(actor: Actor, task_id: int) -> Application:
    """任务所办的那一案，锁住。"""
    found = subject_of(task_id)
    return locked_application(actor, found[2] if found is not None and found[1] == ROOT else 0)


@operation("origination.assign_investigators", permission="origination.assign")
def assign_investigators(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    lead_id: int,
    assistant_id: int,
    instruction: str = "",
    task_id: int | None = None,
) -> dict[str, Any]:
    """指派主调与辅调：两个不同的人，都能在本机构调查；上门单人受理的人不得任主调（APP-1、APP-6）。

    :raises NotPermitted: 指派的人不得任此职，写明原因。
    :raises DomainError: 主调辅调是同一人，或不是本机构的信贷员。
    """
    row = locked_application(actor, application_id)
    step = require_step(row, StepType.ASSIGNMENT)
    task_id = require_task(row, task_id)
    if lead_id == assistant_id:
        raise DomainError(
            "TWO_INVESTIGATORS",
            "主调与辅调须是两个人。",
            field="assistant_id",
            value=assistant_id,
            clause=CLAUSE,
            fix="请另选辅调。",
        )
    _require_investigator(row, lead_id, "lead_id", on, lead=True)
    _require_investigator(row, assistant_id, "assistant_id", on, lead=False)
    work.close_task(actor=actor, task_id=task_id, outcome=PASSED, opinion=instruction, on=on)
    row.lead_id, row.assistant_id = lead_id, assistant_id
    row.save(update_fields=["lead", "assistant"])
    for person_id, duty in ((lead_id, "LEAD_INVESTIGATOR"), (assistant_id, "CO_INVESTIGATOR")):
        work.record_involvement(root_type=ROOT, root_id=row.pk, person_id=person_id, duty=duty, on=on)
    following = pack_of(row).after(step.code)
    assert following is not None, "an approval comes last"
    next_task = enter(row, following, on=on, reason=instruction or "已指派调查")
    return {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "task_id": task_id,
        "next_task_id": next_task,
        "step": row.step,
        "audit": {"lead_id": lead_id, "assistant_id": assistant_id},
    }


def close_assignment(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """从任务办结指派：须带主调、辅调（``lead_id``、``assistant_id``）。"""
    chosen = data or {}
    missing = [name for name in ("lead_id", "assistant_id") if not isinstance(chosen.get(name), int)]
    if missing:
        raise DomainError(
            "INVESTIGATORS_MISSING",
            "指派须选定主调与辅调。",
            field=missing[0],
            clause=CLAUSE,
            fix="请在申请页上选人；接口请在 data 里带 lead_id 与 assistant_id。",
        )
    row = application_of_task(actor, task_id)
    return assign_investigators(
        actor=actor,
        key=key,
        on=on,
        application_id=row.pk,
        lead_id=chosen["lead_id"],
        assistant_id=chosen["assistant_id"],
        instruction=opinion,
        task_id=task_id,
    )


@operation("origination.decide_referral", permission="origination.except")
def decide_referral(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """决定上报：同意的，上报的几条规则在本案照办，进入第一步；不同意的不予受理。

    :raises Conflict: 已经决定。
    """
    row = application_of_task(actor, task_id)
    require_state(row, ApplicationState.REFERRED)
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on)
    if outcome != APPROVED:
        close_application(row, ApplicationState.REFUSED, on=on, reason=opinion)
        return closed | {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "state": row.state}
    _ruling, decided = rule(row, actor=actor, stage=Stage.INTAKE, on=on)
    assert actor.person_id is not None
    RuleException.objects.bulk_create(
        RuleException(
            application=row,
            rule=verdict["rule"],
            opinion=opinion,
            authority={"post": actor.post_code, "post_holding_id": actor.post_holding_id, "task_id": task_id},
            on_day=on,
            by_id=actor.person_id,
            at=now(),
        )
        for verdict in failures(decided, Effect.REFER)
    )
    next_task = enter(row, pack_of(row).steps[0], on=on, reason="有权机构同意照办")
    return closed | {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "state": row.state,
        "next_task_id": next_task,
    }


def _require_investigator(row: Application, person_id: int, field: str, on: date, *, lead: bool) -> None:
    able = {person.id for person in holders_of(INVESTIGATOR_POST, institution_id=row.institution_id, on=on)}
    if person_id not in able:
        raise DomainError(
            "NOT_AN_INVESTIGATOR",
            "所选的人不是能办本机构业务的在任信贷员。",
            field=field,
            value=person_id,
            clause="ORG-2",
            fix="请从名单中选择。",
        )
    if problem := bars(row, [person_id], on=on, lead=lead).get(person_id):
        name = names_of([person_id]).get(person_id, "")
        raise NotPermitted(
            problem.code,
            f"「{name}」{problem.reason}。",
            field=field,
            value=person_id,
            clause=problem.clause,
            fix="请另选他人。",
        )
