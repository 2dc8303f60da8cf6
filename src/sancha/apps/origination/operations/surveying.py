"""调查：记事实与由来、登记保证人、提出建议；材料与实地对不上的当场看见。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.origination.elements import Elements, problems_of, require_elements_fit
from sancha.apps.origination.facts import GUARANTOR_KIND, GUARANTORS, definition_of, read_fact, stored
from sancha.apps.origination.materials import require_materials
from sancha.apps.origination.models import Application, ApplicationState, CaseFact, CaseGuarantor, Proposal
from sancha.apps.origination.operations.assigning import application_of_task
from sancha.apps.origination.operations.locking import close_application, locked_application
from sancha.apps.origination.ruling import granted, require_passed, rule
from sancha.apps.origination.steps import PASSED, REJECTED, ROOT, enter, pack_of, require_step, require_task
from sancha.apps.parties import queries as parties
from sancha.apps.work import operations as work
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook.facts import Evidence
from sancha.rulebook.packs import StepType
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Stage


@dataclass(frozen=True, slots=True)
class Observation:
    """一项要记的事实：填写的文字、凭什么、出处；``guarantor_id`` 是保证人的一栏。"""

    code: str
    text: str
    evidence: str
    reference: str = ""
    guarantor_id: int | None = None


@operation("origination.record_facts", permission="origination.investigate")
def record_facts(
    *, actor: Actor, key: str, on: date, application_id: int, observations: Sequence[Observation]
) -> dict[str, Any]:
    """记事实：只追加，同一项后记的为准；全部读得成才记。

    :raises NotPermitted: 不是本案的调查人。
    :raises DomainError: 一次列出读不成的各栏。
    """
    row = locked_application(actor, application_id)
    require_step(row, StepType.SURVEY)
    _require_investigating(row, actor)
    known = set(CaseGuarantor.objects.filter(application=row, removed_on__isnull=True).values_list("pk", flat=True))
    facts: list[CaseFact] = []
    problems: list[tuple[Observation, str]] = []
    for item in observations:
        try:
            facts.append(_observed(row, item, known, actor=actor, on=on))
        except (ValueError, DomainError) as wrong:
            problems.append((item, str(wrong)))
    if problems or not facts:
        first = problems[0][0] if problems else None
        raise DomainError(
            "FACT_INVALID",
            "；".join(message.rstrip("。") for _item, message in problems) + "。" if problems else "没有要记的事实。",
            field=first.code if first else "observations",
            value=first.text if first else None,
            fix="请按提示修改；已填的都还在。",
        )
    CaseFact.objects.bulk_create(facts)
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "recorded": len(facts)}


@operation("origination.add_guarantor", permission="origination.investigate")
def add_guarantor(*, actor: Actor, key: str, on: date, application_id: int, party_id: int, kind: str) -> dict[str, Any]:
    """登记一位保证人；他的事实逐项另记。

    :raises DomainError: 借款人自己、类别不对、担保方式不用保证人。
    :raises Conflict: 已登记。
    """
    row = locked_application(actor, application_id)
    require_step(row, StepType.SURVEY)
    _require_investigating(row, actor)
    party = parties.live_party(actor, party_id)
    choices = rulebase().facts[GUARANTORS].fields[GUARANTOR_KIND].choices
    if kind not in choices:
        raise DomainError(
            "GUARANTOR_KIND_UNKNOWN", f"没有保证人类别「{kind}」。", field="kind", value=kind, clause="POL-5",
            fix=f"可选：{'、'.join(choices.values())}。",
        )  # fmt: skip
    if party.pk == row.party_id:
        raise DomainError(
            "GUARANTOR_IS_BORROWER", "借款人不能为自己保证。", field="party_id", value=party_id, clause="POL-4",
            fix="请换一位保证人。",
        )  # fmt: skip
    if CaseGuarantor.objects.filter(application=row, party_id=party.pk, removed_on__isnull=True).exists():
        raise Conflict(
            "GUARANTOR_REGISTERED", "这位保证人已登记在本案。", field="party_id", value=party_id, fix="不必再登记。"
        )
    found = CaseGuarantor.objects.create(application=row, party_id=party.pk, kind=kind, added_on=on)
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "guarantor_id": found.pk}


@operation("origination.remove_guarantor", permission="origination.investigate")
def remove_guarantor(
    *, actor: Actor, key: str, on: date, application_id: int, guarantor_id: int, reason: str
) -> dict[str, Any]:
    """撤换保证人：留着，记下哪天、为什么。

    :raises DomainError: 没有这位，或没写原因。
    """
    row = locked_application(actor, application_id)
    require_step(row, StepType.SURVEY)
    _require_investigating(row, actor)
    found = CaseGuarantor.objects.filter(pk=guarantor_id, application=row, removed_on__isnull=True).first()
    if found is None:
        raise DomainError(
            "GUARANTOR_UNKNOWN", "本案没有这位保证人。", field="guarantor_id", value=guarantor_id, fix="请刷新申请页。"
        )
    if not reason.strip():
        raise DomainError("REASON_MISSING", "撤换须写明原因。", field="reason", fix="请写明为何撤换。")
    found.removed_on, found.reason = on, reason.strip()[:200]
    found.save(update_fields=["removed_on", "reason"])
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "guarantor_id": found.pk}


@operation("origination.finish_survey", permission="origination.investigate")
def finish_survey(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    proposed: Elements,
    opinion: str,
    conditions: Sequence[str] = (),
    task_id: int | None = None,
) -> dict[str, Any]:
    """提交审查：本环节与审查环节的规则都要有定论且符合，建议的额度不超过限额与申请，主调人办结。

    :raises DomainError: 缺事实、规则不符合、建议的要素不合产品或超过限额、材料没有收齐核对、没有写意见。
    """
    row = locked_application(actor, application_id)
    step = require_step(row, StepType.SURVEY)
    task_id = require_task(row, task_id)
    require_opinion(opinion)
    following = pack_of(row).after(step.code)
    assert following is not None, "an approval comes last"
    stage = following.rules or step.rules
    assert stage is not None, f"{row.program}: a survey leads to rules"
    _ruling, decided = rule(row, actor=actor, stage=stage, on=on)
    require_passed(decided, excepted=granted(row))
    require_within(row, proposed, limit_fen=decided["limit_fen"], on=on)
    require_materials(row, before=Stage.REVIEW, on=on)
    work.close_task(actor=actor, task_id=task_id, outcome=PASSED, opinion=opinion, on=on)
    propose(row, step.code, proposed, opinion=opinion, conditions=conditions, actor=actor, on=on)
    next_task = enter(row, following, on=on, reason=opinion[:200])
    return {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "task_id": task_id,
        "next_task_id": next_task,
        "step": row.step,
        "audit": {"amount_fen": proposed.amount_fen},
    }


@operation("origination.reject_at_survey", permission="origination.investigate")
def reject_at_survey(
    *, actor: Actor, key: str, on: date, application_id: int, opinion: str, task_id: int | None = None
) -> dict[str, Any]:
    """调查后建议拒绝：当即否决，原因留底。

    :raises DomainError: 没有写原因。
    """
    row = locked_application(actor, application_id)
    require_step(row, StepType.SURVEY)
    task_id = require_task(row, task_id)
    work.close_task(actor=actor, task_id=task_id, outcome=REJECTED, opinion=opinion, on=on)
    close_application(row, ApplicationState.REJECTED, on=on, reason=opinion)
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "task_id": task_id, "state": row.state}


def close_survey(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """从任务办结调查：建议拒绝的当即否决；提交审查须带建议的要素，在申请页上办。

    :raises DomainError: 提交审查而没有建议。
    """
    row = application_of_task(actor, task_id)
    if outcome == PASSED:
        raise DomainError(
            "PROPOSAL_MISSING",
            "提交审查须写明建议的额度、期限、利率与还款方式。",
            field="proposed",
            fix="请在申请页上提交。",
        )
    return reject_at_survey(actor=actor, key=key, on=on, application_id=row.pk, opinion=opinion, task_id=task_id)


def propose(
    row: Application,
    step: str,
    proposed: Elements,
    *,
    opinion: str,
    conditions: Sequence[str],
    actor: Actor,
    on: date,
) -> Proposal:
    """留下建议。"""
    assert actor.person_id is not None
    return Proposal.objects.create(
        application=row,
        step=step,
        amount_fen=proposed.amount_fen,
        term_count=proposed.term_count,
        term_unit=proposed.term_unit.value,
        method=proposed.method.value,
        guarantee=proposed.guarantee.value,
        rate_ppm=proposed.rate_ppm,
        opinion=opinion,
        conditions=[text.strip() for text in conditions if text.strip()],
        on_day=on,
        by_id=actor.person_id,
        at=now(),
    )


def require_within(row: Application, proposed: Elements, *, limit_fen: int | None, on: date) -> None:
    """建议或批准的要素：合产品条款，不超过申请，不超过各限额中最小的。

    :raises DomainError: 写明超了哪一个、最多多少。
    """
    require_elements_fit(problems_of(row, proposed, on=on))
    assert row.amount_fen is not None
    ceiling = min(row.amount_fen, limit_fen) if limit_fen is not None else row.amount_fen
    if proposed.amount_fen > ceiling:
        why = "申请金额" if ceiling == row.amount_fen else "各限额中最小的一个"
        raise DomainError(
            "AMOUNT_OVER_LIMIT",
            f"额度 {format_yuan(proposed.amount_fen)} 元超过{why} {format_yuan(ceiling)} 元。",
            field="amount_fen",
            value=proposed.amount_fen,
            clause="POL-7",
            fix="请降到上限以内；要提高限额，须有新的事实。",
        )


def require_opinion(opinion: str) -> None:
    """意见不能空着。

    :raises DomainError: 没有写。
    """
    if not opinion.strip():
        raise DomainError("OPINION_MISSING", "须写明意见。", field="opinion", fix="请写明意见。")


def _require_investigating(row: Application, actor: Actor) -> None:
    """须是本案的主调或辅调。"""
    if actor.person_id is None or actor.person_id not in {row.lead_id, row.assistant_id}:
        raise NotPermitted(
            "NOT_INVESTIGATING",
            f"您不是申请 {row.number} 的主调或辅调。",
            field="application_id",
            value=row.number,
            clause="PSBC-2014-ASSIGNMENT",
            fix="请由指派的调查人办理；换人请主管重新指派。",
        )


def _observed(row: Application, item: Observation, guarantors: set[int], *, actor: Actor, on: date) -> CaseFact:
    if item.guarantor_id is not None and item.guarantor_id not in guarantors:
        raise ValueError(f"本案没有编号为 {item.guarantor_id} 的保证人。")
    definition = definition_of(item.code, of_guarantor=item.guarantor_id is not None)
    if item.evidence not in {Evidence.CLAIMED, Evidence.SEEN, Evidence.CROSS_CHECKED, Evidence.THIRD_PARTY}:
        raise ValueError(f"「{definition.name}」须写明凭什么：自述、所见、交叉核对或第三方。")
    value = read_fact(definition, item.text)
    if value is None:
        raise ValueError(f"「{definition.name}」没有填；不知道的不要记。")
    return CaseFact(
        application=row,
        guarantor_id=item.guarantor_id,
        code=item.code,
        value=stored(value),
        evidence=item.evidence,
        reference=item.reference.strip()[:200],
        on_day=on,
        by_id=actor.person_id,
        at=now(),
    )
