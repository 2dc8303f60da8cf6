"""环节：方案里的每一步是一种任务；开出、办结、走到下一步、退回调查。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sancha.apps.origination.models import Application, ApplicationState
from sancha.apps.work import operations as work
from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.apps.work.queries import open_task_of
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotFound
from sancha.rulebook.packs import ProgramPack, StepDocument, StepType, packs

ROOT = "application"
PASSED, RETURNED, REJECTED, APPROVED = "PASSED", "RETURNED", "REJECTED", "APPROVED"

INVESTIGATORS = frozenset({"LEAD_INVESTIGATOR", "CO_INVESTIGATOR"})

_PERMISSIONS = {
    StepType.ASSIGNMENT: "origination.assign",
    StepType.SURVEY: "origination.investigate",
    StepType.REVIEW: "origination.review",
    StepType.APPROVAL: "origination.approve",
}
_DUTIES = {StepType.SURVEY: "LEAD_INVESTIGATOR", StepType.REVIEW: "REVIEWER", StepType.APPROVAL: "APPROVER"}
_FORBIDDEN = {
    StepType.REVIEW: INVESTIGATORS | {"RECEIVER"},
    StepType.APPROVAL: INVESTIGATORS | {"RECEIVER", "REVIEWER"},
}
_RULES = {
    StepType.REVIEW: "审查独立于受理与调查",
    StepType.APPROVAL: "审贷分离：受理、调查、审查过本案的人不得审批",
}
_OUTCOMES = {
    StepType.ASSIGNMENT: (Outcome(PASSED, "指派"),),
    StepType.SURVEY: (Outcome(PASSED, "提交审查"), Outcome(REJECTED, "建议拒绝", needs_opinion=True)),
    StepType.REVIEW: (
        Outcome(PASSED, "通过"),
        Outcome(RETURNED, "退回补充", needs_opinion=True),
        Outcome(REJECTED, "否决", needs_opinion=True),
    ),
    StepType.APPROVAL: (
        Outcome(APPROVED, "同意"),
        Outcome(RETURNED, "退回补充", needs_opinion=True),
        Outcome(REJECTED, "否决", needs_opinion=True),
    ),
}


def kind_code(program: str, step: StepDocument) -> str:
    """一步的任务种类代码。"""
    return f"{program}_{step.code}"


def forbidden_duties(kind: StepType) -> frozenset[str]:
    """在本案担过这些职责的人，不得办这种做法的环节。"""
    return _FORBIDDEN.get(kind, frozenset())


def step_kind(pack: ProgramPack, step: StepDocument) -> TaskKind:
    """一步的任务种类：岗位与依据取自方案，职责分离由做法定（ORG-3）。"""
    return TaskKind(
        code=kind_code(pack.program, step),
        name=f"{pack.name}{step.name}",
        posts=step.posts,
        permission=_PERMISSIONS[step.type],
        outcomes=_OUTCOMES[step.type],
        duty=_DUTIES.get(step.type, ""),
        forbidden_duties=forbidden_duties(step.type),
        rule=_RULES.get(step.type, ""),
        clause=step.clause,
    )


def step_kinds() -> list[tuple[TaskKind, StepType | None]]:
    """全部方案各步的任务种类与做法（上报没有做法）：登记用。"""
    listed: list[tuple[TaskKind, StepType | None]] = []
    for pack in packs().values():
        listed.append((referral_kind(pack), None))
        listed.extend((step_kind(pack, step), step.type) for step in pack.steps)
    return listed


def pack_of(application: Application) -> ProgramPack:
    """本案的方案。"""
    return packs()[application.program]


def current_step(application: Application) -> StepDocument:
    """走到的一步。

    :raises Conflict: 不在办理之中。
    """
    if application.state != ApplicationState.IN_PROGRESS:
        raise Conflict(
            "APPLICATION_NOT_IN_PROGRESS",
            f"申请 {application.number} 是「{application.get_state_display()}」，不在办理之中。",
            field="application_id",
            value=application.number,
            fix="请刷新申请页，看它走到了哪一步。",
        )
    return pack_of(application).step(application.step)


def require_step(application: Application, kind: StepType) -> StepDocument:
    """走到的一步须是这种做法。

    :raises Conflict: 不是。
    """
    step = current_step(application)
    if step.type is not kind:
        raise Conflict(
            "STEP_MISMATCH",
            f"申请 {application.number} 现在是「{step.waiting}」，不是{kind.label}的时候。",
            field="application_id",
            value=application.number,
            clause=step.clause,
            fix="请按申请页上的流程轨迹办理。",
        )
    return step


REFERRAL_DAYS = 3
"""上报的时限（自然日），本系统所设。"""


def referral_kind(pack: ProgramPack) -> TaskKind:
    """上报任务的种类：规则要求有权机构决定的，由一级分行业务管理岗决定本案是否照办。"""
    return TaskKind(
        code=f"{pack.program}_REFERRAL",
        name=f"{pack.name}上报决定",
        posts=("BUSINESS_MANAGER",),
        permission="origination.except",
        outcomes=(Outcome(APPROVED, "同意照办", needs_opinion=True), Outcome(REJECTED, "不同意", needs_opinion=True)),
        duty="EXCEPTION_GRANTER",
        forbidden_duties=INVESTIGATORS | {"RECEIVER"},
        rule="例外由没有经手本案的有权机构决定",
        clause="PSBC-2014-BORROWER",
    )


def refer(application: Application, failed: Sequence[Mapping[str, Any]], *, on: date) -> int:
    """上报：停在「上报待决」，开出上报任务，写明是哪几条规则。返回任务编号。"""
    application.state, application.step = ApplicationState.REFERRED, ""
    application.save(update_fields=["state", "step"])
    return work.raise_task(
        spec=work.TaskSpec(
            kind=f"{application.program}_REFERRAL",
            subject_type=ROOT,
            subject_id=application.pk,
            institution_id=application.institution_id,
            party_id=application.party_id,
            title=f"上报决定 {application.number} {application.party.name}"[:200],
            reason="须上报：" + "、".join(verdict["name"] for verdict in failed),
            cause="、".join(verdict["rule"] for verdict in failed)[:100],
            opened_on=on,
            due_on=on + timedelta(days=REFERRAL_DAYS),
            planned_on=on,
            clause=failed[0]["clause"],
            facts={"规则": "、".join(verdict["rule"] for verdict in failed)},
        )
    )


def cancel_waiting(application: Application, *, actor: Actor, on: date, reason: str) -> None:
    """撤下本案未办的任务。"""
    pack = pack_of(application)
    kinds = [referral_kind(pack).code, *(kind_code(pack.program, step) for step in pack.steps)]
    for kind in kinds:
        work.cancel_tasks(actor=actor, kind=kind, subject_type=ROOT, subject_ids=[application.pk], on=on, reason=reason)


def enter(application: Application, step: StepDocument, *, on: date, reason: str) -> int:
    """走进一步：记下走到哪里，开出任务，返回任务编号。申请须已锁住。"""
    application.step = step.code
    application.state = ApplicationState.IN_PROGRESS
    application.save(update_fields=["step", "state"])
    assignee = application.lead_id if step.type is StepType.SURVEY else None
    return work.raise_task(
        spec=work.TaskSpec(
            kind=kind_code(application.program, step),
            subject_type=ROOT,
            subject_id=application.pk,
            institution_id=application.institution_id,
            party_id=application.party_id,
            title=f"{step.name} {application.number} {application.party.name}"[:200],
            reason=reason,
            cause=f"round-{application.round}",
            opened_on=on,
            due_on=on + timedelta(days=step.days),
            planned_on=on,
            assignee_id=assignee,
            clause=step.clause,
            facts={"申请金额_fen": application.amount_fen, "用途": application.purpose[:60]},
        )
    )


def require_task(application: Application, task_id: int | None) -> int:
    """本案走到的一步的待办任务；``task_id`` 空即取它。

    :raises NotFound: 没有待办，或任务不是本案的。
    """
    step = current_step(application)
    kind = kind_code(application.program, step)
    waiting = open_task_of(kind=kind, subject_type=ROOT, subject_id=application.pk)
    if waiting is None or task_id not in {None, waiting}:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"申请 {application.number} 没有这条待办任务。",
            field="task_id",
            value=task_id,
            fix="请从工作台或申请页进入。",
        )
    return waiting
