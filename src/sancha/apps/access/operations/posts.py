"""授予与结束任职。

任职给人岗位，岗位给权限；授予时查三件事：岗位能否设在这类机构、是否与已有岗位不得兼任、授予人是否在给自己加权。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.models import Institution, InstitutionKind, Person, PostHolding
from sancha.apps.access.operations.managed import managed_institution, managed_person, require_open
from sancha.apps.access.queries import in_scope, standing_holdings
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.dated import not_ended
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook.posts import Post, conflict_between, find_post, post_name


@operation("access.grant_post", permission="access.manage")
def grant_post(
    *,
    actor: Actor,
    key: str,
    on: date,
    person_id: int,
    institution_id: int,
    post_code: str,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> dict[str, Any]:
    """授予岗位（ORG-2、ORG-3）。``valid_from`` 缺省为 ``on``；``valid_to`` 不含当日，空为长期。

    :raises NotPermitted: 给自己授岗；与已有任职不得兼任（写明规则）。
    :raises DomainError: 岗位不存在、不能设在这类机构、日期颠倒。
    """
    post = _known_post(post_code)
    start = valid_from or on
    if valid_to is not None and valid_to <= start:
        raise DomainError(
            "HOLDING_DATES",
            f"任职止日 {valid_to.isoformat()} 不晚于起日 {start.isoformat()}。",
            field="valid_to",
            value=valid_to,
            fix="止日（不含）须晚于起日。",
        )
    if actor.person_id is not None and person_id == actor.person_id:
        raise NotPermitted(
            "SELF_GRANT", "不能给自己授予岗位。", field="person_id", clause="SEC-1", fix="请由另一位系统管理员办理。"
        )
    institution = managed_institution(actor, institution_id)
    require_open(institution)
    _require_kind(post, institution)
    person = managed_person(actor, person_id)
    if not person.is_active:
        raise Conflict("PERSON_INACTIVE", f"「{person.name}」已停用。", field="person_id", fix="请先恢复该人员。")
    _require_compatible(person, post, institution, start, valid_to)
    row = PostHolding.objects.create(
        person=person,
        institution=institution,
        post_code=post.code,
        valid_from=start,
        valid_to=valid_to,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {
        "subject": f"person:{person.pk}",
        "holding_id": row.pk,
        "audit": {"post": post.code, "institution_id": institution.pk},
    }


@operation("access.end_post", permission="access.manage")
def end_post(*, actor: Actor, key: str, on: date, holding_id: int, valid_to: date | None = None) -> dict[str, Any]:
    """结束任职：追加一条写明止日（不含，缺省 ``on``）的记录盖过原记录，原记录不改。

    :raises Conflict: 已有更新的记录，或本已在更早的日子结束。
    """
    end = valid_to or on
    row = PostHolding.objects.filter(in_scope(actor), pk=holding_id).select_related("institution").first()
    if row is None:
        raise NotFound(
            "HOLDING_NOT_FOUND",
            f"没有编号为 {holding_id} 的任职，或不在您的管辖范围内。",
            field="holding_id",
            value=holding_id,
            fix="请从人员的任职列表中选择。",
        )
    Person.objects.select_for_update().get(pk=row.person_id)
    if PostHolding.objects.filter(supersedes=row).exists() or (row.valid_to is not None and row.valid_to <= end):
        raise Conflict(
            "HOLDING_ALREADY_ENDED",
            f"该任职（{post_name(row.post_code)}，{row.institution.name}）已有更新的记录或已在此前结束。",
            field="holding_id",
            value=holding_id,
            fix="请刷新任职列表后再办。",
        )
    if end < row.valid_from:
        raise DomainError(
            "HOLDING_DATES",
            f"止日 {end.isoformat()} 早于起日 {row.valid_from.isoformat()}。",
            field="valid_to",
            value=end,
            fix="止日不能早于起日；录错的任职请以起日为止日结束。",
        )
    ended = PostHolding.objects.create(
        person_id=row.person_id,
        institution_id=row.institution_id,
        post_code=row.post_code,
        valid_from=row.valid_from,
        valid_to=end,
        seq=row.seq + 1,
        supersedes=row,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {
        "subject": f"person:{row.person_id}",
        "holding_id": ended.pk,
        "valid_to": end.isoformat(),
        "audit": {"post": row.post_code, "institution_id": row.institution_id},
    }


def _known_post(code: str) -> Post:
    post = find_post(code)
    if post is None:
        raise DomainError(
            "POST_UNKNOWN",
            f"没有岗位「{code}」。",
            field="post_code",
            value=code,
            clause="ORG-2",
            fix="请从岗位目录中选择。",
        )
    return post


def _require_kind(post: Post, institution: Institution) -> None:
    if institution.kind in post.kinds:
        return
    allowed = "、".join(str(InstitutionKind(kind).label) for kind in post.kinds)
    raise DomainError(
        "POST_NOT_AT_KIND",
        f"{post.name}不能设在{InstitutionKind(institution.kind).label}「{institution.name}」。",
        field="post_code",
        value=post.code,
        clause=post.clause,
        fix=f"{post.name}只设在：{allowed}。",
    )


def _require_compatible(person: Person, post: Post, institution: Institution, start: date, end: date | None) -> None:
    """与时间上有重叠的任职逐一比对。"""
    overlapping = standing_holdings().filter(not_ended(start), person=person).select_related("institution")
    if end is not None:
        overlapping = overlapping.filter(valid_from__lt=end)
    for held in overlapping:
        if held.valid_to is not None and held.valid_to <= held.valid_from:
            continue  # 作废的任职：止日等于起日，从未有效
        same = held.institution_id == institution.pk
        if same and held.post_code == post.code:
            raise Conflict(
                "POST_ALREADY_HELD",
                f"「{person.name}」在「{institution.name}」已任{post.name}（{held.valid_from.isoformat()} 起）。",
                field="post_code",
                value=post.code,
                fix="无需重复授予；要改期限，请先结束原任职。",
            )
        line = held.institution.path.startswith(institution.path) or institution.path.startswith(held.institution.path)
        rule = conflict_between(post.code, held.post_code, same_institution=same, same_line=line)
        if rule is not None:
            raise NotPermitted(
                rule.rule,
                f"「{person.name}」已在「{held.institution.name}」任{post_name(held.post_code)}，"
                f"不得再任{post.name}：{rule.name}。",
                field="post_code",
                value=post.code,
                clause=rule.clause,
                fix="请另选人员，或先结束其原任职。",
            )
