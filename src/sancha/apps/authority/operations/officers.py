"""信贷员的资格与停权：发证、暂停贷前调查、恢复（ORG-4、ORG-6、ORG-7）。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import lock_person, names_of
from sancha.apps.access.seats import seats_in_scope
from sancha.apps.authority.models import Certificate, Suspension, SuspensionCause
from sancha.apps.authority.queries import OFFICER_POSTS, in_force
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.numbering import next_number
from sancha.kit.operation import operation
from sancha.rulebook import parameter

CLAUSE = "PSBC-2014-SUSPENSION"


@operation("authority.issue_certificate", permission="authority.certify")
def issue_certificate(
    *,
    actor: Actor,
    key: str,
    on: date,
    person_id: int,
    theory_days: int,
    practice_days: int,
    theory_passed_on: date,
    practice_passed_on: date,
    valid_to: date | None = None,
) -> dict[str, Any]:
    """发上岗资格证书：理论与实务培训够天数、两次考试都合格才发（ORG-4）。续证盖过旧证。

    :raises DomainError: 天数不够、考试日在以后、有效期不对。
    :raises NotFound: 不是范围内的信贷员。
    """
    _require_officer(actor, person_id, on)
    least = {
        "theory_days": ("理论培训", theory_days, parameter("authority.theory_days_min", on)),
        "practice_days": ("实务培训", practice_days, parameter("authority.practice_days_min", on)),
    }
    for field, (name, days, minimum) in least.items():
        if days < minimum.as_int():
            raise DomainError(
                "TRAINING_SHORT",
                f"{name}须满 {minimum.as_int()} 天，现为 {days} 天。",
                field=field,
                value=days,
                clause=minimum.clause,
                fix="补足培训、考试合格后再发证。",
            )
    for field, day in (("theory_passed_on", theory_passed_on), ("practice_passed_on", practice_passed_on)):
        if day > on:
            raise DomainError(
                "EXAM_IN_FUTURE", f"考试合格日 {day} 在今天之后。", field=field, value=day, fix="请核对日期。"
            )
    if valid_to is not None and valid_to <= on:
        raise DomainError("VALIDITY", "有效期须到今天以后。", field="valid_to", value=valid_to, fix="请改有效期。")
    old = in_force(Certificate.objects.filter(person_id=person_id), on).order_by("-pk").first()
    row = Certificate.objects.create(
        person_id=person_id,
        number=f"ZG{on.year}{next_number(f'certificate:{on.year}'):05d}",
        theory_days=theory_days,
        practice_days=practice_days,
        theory_passed_on=theory_passed_on,
        practice_passed_on=practice_passed_on,
        valid_from=on,
        valid_to=valid_to,
        seq=old.seq + 1 if old else 1,
        supersedes=old,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {
        "subject": f"person:{person_id}",
        "certificate_id": row.pk,
        "number": row.number,
        "audit": {"number": row.number},
    }


@operation("authority.suspend_officer", permission="authority.suspend")
def suspend_officer(*, actor: Actor, key: str, on: date, person_id: int, cause: str, reason: str) -> dict[str, Any]:
    """暂停一位信贷员的贷前调查资格；管户照旧。

    :raises Conflict: 已在停权中。
    :raises DomainError: 原因不对、没写说明。
    """
    _require_officer(actor, person_id, on)
    if person_id == actor.person_id:
        raise NotPermitted(
            "SELF_SUSPENSION", "不能给自己办停权与恢复。", field="person_id", clause="ORG-6", fix="请由他人办理。"
        )
    if cause not in SuspensionCause.values:
        labels = "、".join(str(name) for name in SuspensionCause.labels)
        raise DomainError(
            "CAUSE_UNKNOWN", f"不认识的原因「{cause}」。", field="cause", value=cause, fix=f"可选：{labels}。"
        )
    if not reason.strip():
        raise DomainError("REASON_MISSING", "停权须写明事实。", field="reason", fix="请写明事实与依据。")
    if in_force(Suspension.objects.filter(person_id=person_id), on).exists():
        raise Conflict("ALREADY_SUSPENDED", "此人已在停权中。", field="person_id", value=person_id, fix="不必再停。")
    row = Suspension.objects.create(
        person_id=person_id,
        cause=cause,
        reason=reason.strip(),
        clause=CLAUSE,
        valid_from=on,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {"subject": f"person:{person_id}", "suspension_id": row.pk, "audit": {"kind": cause}}


@operation("authority.resume_officer", permission="authority.suspend")
def resume_officer(*, actor: Actor, key: str, on: date, suspension_id: int, reason: str) -> dict[str, Any]:
    """恢复：从不自动，由有权的人核实后决定，写明依据（ORG-7）。

    :raises Conflict: 已不在停权中。
    :raises DomainError: 没写依据。
    """
    rows = in_force(Suspension.objects.filter(pk=suspension_id), on)
    old = rows.select_for_update().first()
    if old is None:
        raise Conflict(
            "NOT_SUSPENDED",
            "这条停权已经解除或不存在。",
            field="suspension_id",
            value=suspension_id,
            fix="请刷新名册。",
        )
    _require_officer(actor, old.person_id, on)
    if old.person_id == actor.person_id:
        raise NotPermitted(
            "SELF_SUSPENSION", "不能给自己办停权与恢复。", field="person_id", clause="ORG-7", fix="请由他人办理。"
        )
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "恢复须写明核实的结果与依据。", field="reason", clause="ORG-7", fix="请写明。"
        )
    Suspension.objects.create(
        person_id=old.person_id,
        cause=old.cause,
        reason=old.reason,
        clause=old.clause,
        lifted_reason=reason.strip(),
        valid_from=old.valid_from,
        valid_to=on,
        seq=old.seq + 1,
        supersedes=old,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {"subject": f"person:{old.person_id}", "suspension_id": old.pk}


def _require_officer(actor: Actor, person_id: int, on: date) -> None:
    """范围内在任的信贷员；锁住，他的证书与停权一次只改一处。"""
    if person_id not in {seat.person_id for seat in seats_in_scope(actor, OFFICER_POSTS, on=on)}:
        name = names_of([person_id]).get(person_id, str(person_id))
        raise NotFound(
            "OFFICER_NOT_FOUND",
            f"「{name}」不是您范围内在任的信贷员。",
            field="person_id",
            value=person_id,
            clause="ORG-2",
            fix="请从名册中选择。",
        )
    lock_person(person_id)
