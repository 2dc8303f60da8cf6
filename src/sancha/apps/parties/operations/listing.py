"""风险名单：提出、复核、异议与解除、转入法院名单。

来源要的是「拉黑」；合法的样子是有原因、证据、本人陈述、期限、异议与解除的名单，由两人决定（CUS-3，需求 L 表）。
法院名单是公开的执行信息，照录，不由本机构认定；法院撤下的即解除，不删。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sancha.apps.parties import queries
from sancha.apps.parties.identity import check_identity
from sancha.apps.parties.intake import clean_name
from sancha.apps.parties.kinds import RISK_CHECK, RISK_REVIEW_CHECK
from sancha.apps.parties.masking import mask_id_number
from sancha.apps.parties.models import (
    IdKind,
    RequestState,
    RiskCause,
    RiskEffect,
    RiskEntry,
    RiskReview,
    RiskReviewKind,
    RiskState,
)
from sancha.apps.parties.operations.checks import CHUNK, locked_party, require_reason
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.numbering import next_numbers
from sancha.kit.operation import operation
from sancha.rulebook import parameter
from sancha.rulebook.vocabulary import CustomerKind

LONGEST = "retention.risk_entry_years"
SHORTEST_FINDING = 10
COURT_SEQUENCE, RISK_SEQUENCE = "parties.court_list", "parties.risk_list"


@operation("parties.propose_risk_entry", permission="parties.edit")
def propose_risk_entry(
    *,
    actor: Actor,
    key: str,
    on: date,
    cause: str,
    effect: str,
    evidence: str,
    hearing: str,
    valid_from: date,
    valid_to: date,
    party_id: int | None = None,
    name: str = "",
    id_kind: str = "",
    id_number: str = "",
) -> dict[str, Any]:
    """提出列入名单，开出复核任务。客户给编号；不是客户的人给姓名与证件。

    :raises DomainError: 原因、效力不对，没写认定的证据或本人陈述，期限倒置或过长，证件不对。
    :raises Conflict: 此人因同一原因已在列或待复核。
    """
    if cause not in RiskCause.values or cause == RiskCause.COURT_DISHONEST or effect not in RiskEffect.values:
        own = [item.label for item in RiskCause if item is not RiskCause.COURT_DISHONEST]
        raise DomainError(
            "RISK_CAUSE_WRONG",
            "须选列入的原因与效力；法院名单用转入，不由本机构认定。",
            field="cause",
            value=cause,
            fix=f"原因：{'、'.join(own)}；效力：{'、'.join(RiskEffect.labels)}。",
        )
    _period(valid_from, valid_to, on)
    for field, text, title in (("evidence", evidence, "认定与证据"), ("hearing", hearing, "本人陈述")):
        if len(text.strip()) < SHORTEST_FINDING:
            raise DomainError(
                "RISK_UNFOUNDED",
                f"{title}至少写 {SHORTEST_FINDING} 个字：没有核实、没有听过本人的不能列入。",
                field=field,
                fix="写明何时、何人、凭什么认定；本人何时怎么说，或何时通知而未答。",
            )
    next_numbers(RISK_SEQUENCE, 1)  # the row of the sequence is the lock: nobody is proposed twice by two desks at once
    who = _who(actor, on, party_id, name, id_kind, id_number)
    same = (
        queries.entries_of([party_id]) if party_id else RiskEntry.objects.filter(identity_digest=who["identity_digest"])
    )
    if (
        same.filter(cause=cause).filter(queries.in_force_on(on)).exists()
        or same.filter(cause=cause, state=RiskState.PROPOSED).exists()
    ):
        raise Conflict(
            "RISK_LISTED", "此人因同一原因已在列，或待复核。", field="cause", value=cause, fix="打开那一条。"
        )
    assert actor.institution_id is not None, "whoever proposes has a place"
    entry = RiskEntry.objects.create(
        **who,
        cause=cause,
        effect=effect,
        evidence=evidence.strip(),
        hearing=hearing.strip(),
        valid_from=valid_from,
        valid_to=valid_to,
        institution_id=actor.institution_id,
        proposed_by_id=actor.person_id,
        proposed_on=on,
        recorded_at=now(),
    )
    task_id = _ask(RISK_CHECK, actor, on, entry, title=f"复核列入名单 第 {entry.pk} 条", cause="draft")
    return {"subject": _subject(entry), "entry_id": entry.pk, "task_id": task_id}


@operation("parties.decide_risk_entry", permission="parties.authorize")
def decide_risk_entry(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核列入：同意即在列，退回即不列入。

    :raises NotPermitted: 提出的人复核自己提出的。
    """
    entry = RiskEntry.objects.select_for_update().get(pk=work.subject_to_check(RISK_CHECK, task_id=task_id))
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    entry.state = RiskState.IN_FORCE if outcome == work.APPROVED else RiskState.RETURNED
    entry.decided_by_id, entry.decided_on = actor.person_id, on
    entry.save(update_fields=["state", "decided_by_id", "decided_on"])
    return closed | {"subject": _subject(entry), "entry_id": entry.pk, "state": str(entry.state)}


@operation("parties.request_risk_review", permission="parties.edit")
def request_risk_review(
    *, actor: Actor, key: str, on: date, entry_id: int, kind: str, statement: str
) -> dict[str, Any]:
    """对在列的一条提出异议或申请解除，开出任务；提出列入的人不得决定。本人在哪个机构提出都收。

    :raises Conflict: 不在列（已解除、期满、未列入），或已有未决的。
    :raises DomainError: 缘由不对，没有理由。
    :raises NotFound: 没有这条。
    """
    if kind not in RiskReviewKind.values:
        raise DomainError(
            "RISK_REVIEW_UNKNOWN",
            f"不认识的缘由「{kind}」。",
            field="kind",
            value=kind,
            fix=f"可选：{'、'.join(RiskReviewKind.labels)}。",
        )
    require_reason(statement)
    entry = RiskEntry.objects.select_for_update().filter(pk=entry_id).first()
    if entry is None:
        raise NotFound("RISK_NOT_FOUND", "没有这条名单。", field="entry_id", value=entry_id, fix="请从名单中选择。")
    if entry.cause == RiskCause.COURT_DISHONEST:
        raise Conflict(
            "RISK_OF_THE_COURT",
            "法院名单照录，不由本机构解除。",
            field="entry_id",
            value=entry_id,
            fix="请本人向作出决定的法院申请纠正；法院撤下后，转入新的名单即解除。",
        )
    if entry.state != RiskState.IN_FORCE or (entry.valid_to is not None and entry.valid_to <= on):
        raise Conflict(
            "RISK_NOT_IN_FORCE",
            "这一条不在列，无从提出异议或解除。",
            field="entry_id",
            value=entry_id,
            fix="刷新后再看。",
        )
    if entry.reviews.filter(state=RequestState.OPEN).exists():
        raise Conflict(
            "REQUEST_WAITING", "这一条已有未决的异议或解除。", field="entry_id", value=entry_id, fix="请等决定。"
        )
    review = RiskReview.objects.create(
        entry=entry,
        kind=kind,
        statement=statement.strip(),
        requested_by_id=actor.person_id or 0,
        requested_on=on,
        recorded_at=now(),
    )
    label = RiskReviewKind(kind).label
    task_id = _ask(
        RISK_REVIEW_CHECK,
        actor,
        on,
        entry,
        title=f"{label}：名单第 {entry.pk} 条",
        cause=f"review:{review.pk}",
        异议与理由=review.statement,
    )
    return {"subject": _subject(entry), "review_id": review.pk, "task_id": task_id}


@operation("parties.decide_risk_review", permission="parties.authorize")
def decide_risk_review(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """决定异议或解除：同意即自营业日起解除，退回（须写答复）即维持。

    :raises NotPermitted: 提出列入的人、记录异议的人决定。
    """
    entry_id = work.subject_to_check(RISK_REVIEW_CHECK, task_id=task_id)
    entry = RiskEntry.objects.select_for_update().get(pk=entry_id)
    review = RiskReview.objects.select_for_update().get(entry=entry, state=RequestState.OPEN)
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    agreed = outcome == work.APPROVED
    review.state = RequestState.DONE if agreed else RequestState.RETURNED
    review.decided_by_id, review.decided_on, review.answer = actor.person_id, on, opinion[:500]
    review.save(update_fields=["state", "decided_by_id", "decided_on", "answer"])
    if agreed:
        _release([entry.pk], on, f"{RiskReviewKind(review.kind).label}成立"[:200])
    return closed | {"subject": _subject(entry), "entry_id": entry.pk, "released": agreed}


@operation("parties.import_court_list", permission="parties.authorize")
def import_court_list(
    *, actor: Actor, key: str, on: date, source_on: date, rows: Sequence[Mapping[str, str]], complete: bool
) -> dict[str, Any]:
    """转入法院失信被执行人名单：没有毛病的列入，存疑的列出不列入；同一份再转一次什么也不变。

    ``source_on`` 名单的日期；``complete`` 为真表示这是全份：不在其上的旧条自名单之日起解除。全份里有存疑的行时
    不解除任何一条：那一行也许就是他。

    :raises DomainError: 没有一行，或名单日期晚于营业日。
    :raises Conflict: 已转过更新的名单。
    """
    if not rows or source_on > on:
        raise DomainError(
            "COURT_LIST_WRONG",
            "名单没有一行，或日期晚于营业日。",
            field="source_on",
            value=source_on,
            fix="核对文件与日期。",
        )
    next_numbers(COURT_SEQUENCE, 1)  # the row of the sequence is the lock: one import at a time
    court = RiskEntry.objects.filter(cause=RiskCause.COURT_DISHONEST)
    newest = court.order_by("-source_on").values_list("source_on", flat=True).first()
    if newest is not None and newest > source_on:
        raise Conflict(
            "COURT_LIST_OLD",
            f"已转入过 {newest} 的名单，{source_on} 的更旧。",
            field="source_on",
            value=source_on,
            fix="转入最新的一份。",
        )
    good, doubtful = queries.check_court_rows(rows, on=on)
    listed = {
        (digest, case): pk
        for pk, digest, case in court.filter(state=RiskState.IN_FORCE).values_list(
            "pk", "identity_digest", "source_ref"
        )
    }
    fresh = [row for _, row in good if (row.digest, row.case) not in listed]
    kept = [listed[row.digest, row.case] for _, row in good if (row.digest, row.case) in listed]
    assert actor.institution_id is not None, "whoever imports has a place"
    moment = now()
    RiskEntry.objects.bulk_create(
        (
            RiskEntry(
                name=row.name,
                identity_digest=row.digest,
                id_shown=row.id_shown,
                cause=RiskCause.COURT_DISHONEST,
                effect=RiskEffect.REFUSE,
                evidence=f"法院公布的失信被执行人名单（{source_on}）",
                valid_from=row.published_on,
                source_ref=row.case,
                source_on=source_on,
                institution_id=actor.institution_id,
                state=RiskState.IN_FORCE,
                proposed_by_id=actor.person_id,
                proposed_on=on,
                recorded_at=moment,
            )
            for row in fresh
        ),
        batch_size=CHUNK,
    )
    for start in range(0, len(kept), CHUNK):
        RiskEntry.objects.filter(pk__in=kept[start : start + CHUNK]).update(source_on=source_on)
    gone = sorted(set(listed.values()) - set(kept)) if complete and not doubtful else []
    _release(gone, source_on, f"{source_on} 的法院名单上已没有")
    counts = {"new": len(fresh), "kept": len(kept), "released": len(gone), "doubtful": len(doubtful)}
    return {
        "subject": "risk_list",
        "counts": counts,
        "doubtful": [{"row": number, **error.as_dict()} for number, error in doubtful],
        "audit": counts | {"source_on": source_on.isoformat()},
    }


def _release(entry_ids: Sequence[int], on: date, reason: str) -> None:
    for start in range(0, len(entry_ids), CHUNK):
        RiskEntry.objects.filter(pk__in=entry_ids[start : start + CHUNK]).update(
            state=RiskState.RELEASED, released_on=on, release_reason=reason
        )


def _period(valid_from: date, valid_to: date, on: date) -> None:
    rule = parameter(LONGEST, on)
    years = (valid_to.year - valid_from.year) - ((valid_to.month, valid_to.day) <= (valid_from.month, valid_from.day))
    if valid_from > on or valid_to <= valid_from or years >= rule.as_int():
        raise DomainError(
            "RISK_PERIOD_WRONG",
            f"列入期限须自营业日或以前起、止日在后，一次至多 {rule.as_int()} 年。",
            field="valid_to",
            value=valid_to,
            clause=rule.clause,
            fix="改期限；到期仍有新的事由，凭新的证据再列入。",
        )


def _who(actor: Actor, on: date, party_id: int | None, name: str, id_kind: str, id_number: str) -> dict[str, Any]:
    if party_id is not None:
        party = locked_party(actor, party_id)
        digest = queries.identity_digest(party.identity_key) if party.identity_key else ""
        shown = mask_id_number(party.id_number)
        return {"party": party, "name": party.name, "identity_digest": digest, "id_shown": shown}
    kind = CustomerKind.COMPANY if id_kind in {IdKind.USCC, IdKind.BUSINESS_LICENSE} else CustomerKind.PERSON
    identity = check_identity(kind, id_kind, id_number, on=on)
    assert identity.key is not None, "neither a person nor a company goes without a document"
    return {
        "name": clean_name(name),
        "identity_digest": queries.identity_digest(identity.key),
        "id_shown": mask_id_number(identity.number),
    }


def _ask(kind: Any, actor: Actor, on: date, entry: RiskEntry, *, title: str, cause: str, **more: str) -> int:
    return work.ask_second_person(
        kind,
        actor=actor,
        on=on,
        subject=("risk_entry", entry.pk),
        institution_id=entry.institution_id,
        party_id=entry.party_id,
        title=title,
        reason=str(RiskCause(entry.cause).label),
        facts={
            "原因": str(RiskCause(entry.cause).label),
            "效力": str(RiskEffect(entry.effect).label),
            "姓名": entry.name,
            "认定与证据": entry.evidence,
            "本人陈述": entry.hearing,
            **more,
        },
        cause=cause,
    )


def _subject(entry: RiskEntry) -> str:
    return f"party:{entry.party_id}" if entry.party_id else f"risk_entry:{entry.pk}"
