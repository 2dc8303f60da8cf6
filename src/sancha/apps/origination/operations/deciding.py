"""审查与审批：审查独立复核，审批在授权之内；退回写明要补什么，批复冻结要素、条件与所用授权（APP-10）。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sancha.apps.origination.authorities import Signer, signers
from sancha.apps.origination.elements import Elements, elements_of
from sancha.apps.origination.lending import hand_down
from sancha.apps.origination.materials import require_materials
from sancha.apps.origination.models import Application, ApplicationState, Approval, Proposal
from sancha.apps.origination.operations.assigning import application_of_task
from sancha.apps.origination.operations.locking import close_application, locked_application
from sancha.apps.origination.operations.surveying import propose, require_opinion, require_within
from sancha.apps.origination.ruling import granted, require_passed, rule
from sancha.apps.origination.steps import (
    APPROVED,
    PASSED,
    REJECTED,
    ROOT,
    enter,
    pack_of,
    require_step,
    require_task,
)
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook import parameter
from sancha.rulebook.packs import StepDocument, StepType
from sancha.rulebook.rules import Stage


def last_proposal(row: Application) -> Proposal:
    """最近一份建议：审批以它为底。"""
    found = Proposal.objects.filter(application=row).order_by("-pk").first()
    assert found is not None, f"{row.number} was surveyed without a proposal"
    return found


@operation("origination.pass_review", permission="origination.review")
def pass_review(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    opinion: str,
    conditions: Sequence[str] = (),
    task_id: int | None = None,
) -> dict[str, Any]:
    """审查通过：重跑审查环节的规则，建议的要素原样送审批，可添放款条件。

    :raises DomainError: 规则不符合、没有意见。
    :raises NotPermitted: 受理、调查过本案的人审查。
    """
    row = locked_application(actor, application_id)
    step = require_step(row, StepType.REVIEW)
    task_id = require_task(row, task_id)
    require_opinion(opinion)
    last = last_proposal(row)
    proposed = elements_of(last, rate_ppm=last.rate_ppm)
    _check(row, step, proposed, actor=actor, on=on)
    require_materials(row, before=Stage.REVIEW, on=on)
    work.close_task(actor=actor, task_id=task_id, outcome=PASSED, opinion=opinion, on=on)
    propose(row, step.code, proposed, opinion=opinion, conditions=[*last.conditions, *conditions], actor=actor, on=on)
    following = pack_of(row).after(step.code)
    assert following is not None, "an approval comes last"
    next_task = enter(row, following, on=on, reason=opinion[:200])
    return _told(row, task_id=task_id, next_task_id=next_task)


@operation("origination.approve", permission="origination.approve")
def approve(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    chosen: Elements | None = None,
    opinion: str = "",
    conditions: Sequence[str] | None = None,
    task_id: int | None = None,
) -> dict[str, Any]:
    """批准：按建议，或改动金额、期限、利率、方式（不得高于申请与各限额）；须有今天有效的授权。

    :raises NotPermitted: 授权不够、停权、回避或经手过本案，写明原因与谁能批。
    :raises DomainError: 规则不符合、要素不合产品或超过上限。
    """
    row = locked_application(actor, application_id)
    step = require_step(row, StepType.APPROVAL)
    task_id = require_task(row, task_id)
    last = last_proposal(row)
    proposed = elements_of(last, rate_ppm=last.rate_ppm)
    chosen = chosen or proposed
    ruling = _check(row, step, chosen, actor=actor, on=on)
    signer = _require_authority(row, chosen, actor=actor, on=on)
    work.close_task(actor=actor, task_id=task_id, outcome=APPROVED, opinion=opinion, on=on, authority=signer.authority)
    assert actor.person_id is not None
    approval = Approval.objects.create(
        application=row,
        amount_fen=chosen.amount_fen,
        term_count=chosen.term_count,
        term_unit=chosen.term_unit.value,
        method=chosen.method.value,
        guarantee=chosen.guarantee.value,
        rate_ppm=chosen.rate_ppm,
        conditions=list(last.conditions if conditions is None else conditions),
        authority=signer.authority,
        ruling_id=ruling,
        approved_on=on,
        expires_on=on + timedelta(days=parameter("origination.approval_valid_days", on).as_int()),
        by_id=actor.person_id,
        at=now(),
    )
    row.state, row.step = ApplicationState.APPROVED, ""
    row.save(update_fields=["state", "step"])
    hand_down(row, approval, on=on)
    return _told(row, task_id=task_id, approval_id=approval.pk, expires_on=approval.expires_on.isoformat())


@operation("origination.turn_back", permission="work.act")
def turn_back(
    *, actor: Actor, key: str, on: date, application_id: int, outcome: str, opinion: str, task_id: int | None = None
) -> dict[str, Any]:
    """退回补充或否决：退回另起一轮调查，意见即补充清单；否决即了结。由任务办结而来，权限随任务种类。

    :raises NotPermitted: 任务不归他办。
    """
    row = locked_application(actor, application_id)
    task_id = require_task(row, task_id)
    step = pack_of(row).step(row.step)
    work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on)
    if outcome == REJECTED:
        close_application(row, ApplicationState.REJECTED, on=on, reason=opinion)
        return _told(row, task_id=task_id)
    row.round += 1
    row.save(update_fields=["round"])
    back = pack_of(row).last_before(step.code, StepType.SURVEY)
    next_task = enter(row, back, on=on, reason=f"退回补充：{opinion}"[:300])
    return _told(row, task_id=task_id, next_task_id=next_task)


def close_review(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """从任务办结审查：通过、退回补充、否决。"""
    row = application_of_task(actor, task_id)
    require_step(row, StepType.REVIEW)
    given: dict[str, Any] = {
        "actor": actor,
        "key": key,
        "on": on,
        "application_id": row.pk,
        "opinion": opinion,
        "task_id": task_id,
    }
    return pass_review(**given) if outcome == PASSED else turn_back(**given, outcome=outcome)


def close_approval(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """从任务办结审批：按建议批准、退回补充、否决；要改动要素的在申请页上办。"""
    row = application_of_task(actor, task_id)
    require_step(row, StepType.APPROVAL)
    given: dict[str, Any] = {
        "actor": actor,
        "key": key,
        "on": on,
        "application_id": row.pk,
        "opinion": opinion,
        "task_id": task_id,
    }
    return approve(**given) if outcome == APPROVED else turn_back(**given, outcome=outcome)


def _check(row: Application, step: StepDocument, chosen: Elements, *, actor: Actor, on: date) -> int:
    """重跑这一步的规则并核对要素，返回裁定编号。"""
    stage: Stage | None = step.rules
    assert stage is not None, f"{row.program}.{step.code}: a decision rests on rules"
    ruling, decided = rule(row, actor=actor, stage=stage, on=on)
    require_passed(decided, excepted=granted(row))
    require_within(row, chosen, limit_fen=decided["limit_fen"], on=on)
    return ruling.pk


def _require_authority(row: Application, chosen: Elements, *, actor: Actor, on: date) -> Signer:
    found = signers(row, chosen, on=on)
    mine = next((signer for signer in found if signer.person_id == actor.person_id), None)
    if mine is not None and mine.may:
        return mine
    able = "、".join(f"{signer.name}（{signer.institution_name}{signer.post_name}）" for signer in found if signer.may)
    why = mine.why if mine is not None else "不在本案的审批岗名单上"
    raise NotPermitted(
        "AUTHORITY_MISSING",
        f"您今天不能批这一笔：{why}。",
        field="amount_fen",
        value=chosen.amount_fen,
        clause=(mine.clause if mine is not None else "") or "ORG-9",
        fix=f"今天能批的：{able}。" if able else "本机构线上今天没有人能批，请先取得授权。",
    )


def _told(row: Application, **more: Any) -> dict[str, Any]:
    return {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "number": row.number,
        "state": row.state,
        "step": row.step,
        **more,
    }
