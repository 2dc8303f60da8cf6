"""授权的查询：今天有效的授权书、谁能批、谁不得调查、资格与停权的名册。"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from django.db.models import QuerySet

from sancha.apps.access.queries import in_scope, institutions_by_id, names_of, require_institution
from sancha.apps.access.seats import seats_in_scope, seats_on_line
from sancha.apps.authority.models import (
    Certificate,
    Mandate,
    MandateDraft,
    MandateDraftState,
    Suspension,
    SuspensionCause,
)
from sancha.apps.authority.solving import Answer, Ask, Grant, Seat, solve
from sancha.kit.actor import Actor
from sancha.kit.dated import DatedRecord, standing, valid_on
from sancha.kit.errors import DomainError, NotFound
from sancha.rulebook import parameter
from sancha.rulebook.packs import ProgramPack, StepType, packs
from sancha.rulebook.posts import post_name
from sancha.rulebook.programs import product_name
from sancha.rulebook.vocabulary import GuaranteeKind

Row = TypeVar("Row", bound=DatedRecord)
EVERYTHING = "全部"
OFFICER_POSTS = ("LOAN_OFFICER", "CUSTOMER_MANAGER")


def in_force(rows: QuerySet[Row], on: date) -> QuerySet[Row]:
    """某日有效、没有被盖过的记录。"""
    return standing(rows).filter(valid_on(on))


def standing_mandates(on: date) -> QuerySet[Mandate]:
    """某日有效的授权书。"""
    return in_force(Mandate.objects.all(), on)


def who_may_approve(ask: Ask, *, posts: Collection[str], institution_id: int, on: date) -> list[Answer]:
    """谁今天能批这一笔、为什么，别人为什么不能（ORG-9）。语句数固定。"""
    seats = [
        Seat(info.person_id, info.name, info.post_code, info.institution_id, info.institution_path)
        for info in seats_on_line(posts, institution_id=institution_id, on=on)
    ]
    grants = [_grant(row) for row in standing_mandates(on).filter(program=ask.program, post_code__in=posts)]
    return solve(ask, seats, grants)


def _grant(row: Mandate) -> Grant:
    return Grant(
        id=row.pk,
        number=row.number,
        institution_id=row.institution_id,
        post_code=row.post_code,
        person_id=row.person_id,
        program=row.program,
        products=frozenset(row.products),
        guarantees=frozenset(row.guarantees),
        max_fen=row.max_fen,
        max_months=row.max_months,
        for_new=row.for_new,
        for_repeat=row.for_repeat,
    )


@dataclass(frozen=True, slots=True)
class BoardRow:
    """授权看板的一席。"""

    person_id: int
    name: str
    post_name: str
    institution_name: str
    may: bool
    why: str
    clause: str
    mandate: str


def pack_named(program: str) -> ProgramPack:
    """项目的方案。

    :raises DomainError: 没有这个项目。
    """
    pack = packs().get(program)
    if pack is None:
        raise DomainError(
            "PROGRAM_UNKNOWN",
            f"没有项目「{program}」。",
            field="program",
            value=program,
            fix=f"可选：{'、'.join(packs())}。",
        )
    return pack


def approving_posts(pack: ProgramPack) -> tuple[str, ...]:
    """方案里的审批岗。"""
    return tuple(dict.fromkeys(code for step in pack.steps if step.type is StepType.APPROVAL for code in step.posts))


def require_products(pack: ProgramPack, codes: Collection[str], *, field: str) -> None:
    """产品都是这个项目的。

    :raises DomainError: 头一个不是的。
    """
    for code in codes:
        if code not in pack.products:
            raise DomainError(
                "PRODUCT_OUT_OF_PROGRAM",
                f"「{pack.name}」没有产品 {code}。",
                field=field,
                value=code,
                clause="AUTHORITY-MANDATE",
                fix=f"可选：{'、'.join(pack.products)}。",
            )


def board(
    *,
    actor: Actor,
    institution_id: int,
    program: str,
    product: str,
    guarantee: str,
    amount_fen: int,
    months: int,
    repeat: bool,
    on: date,
) -> list[BoardRow]:
    """授权看板：范围内某机构的一笔，谁今天能批、为什么，别人为什么不能。

    :raises NotFound: 机构没有或在范围之外。
    :raises DomainError: 没有这个项目、产品或担保方式。
    """
    actor.require("authority.view")
    place = require_institution(actor, institution_id)
    pack = pack_named(program)
    require_products(pack, [product], field="product")
    if guarantee not in set(GuaranteeKind):
        kinds = "、".join(kind.label for kind in GuaranteeKind)
        raise DomainError(
            "GUARANTEE_UNKNOWN",
            f"没有担保方式「{guarantee}」。",
            field="guarantee",
            value=guarantee,
            fix=f"可选：{kinds}。",
        )
    ask = Ask(place.path, program, product, GuaranteeKind(guarantee), amount_fen, months, repeat)
    answers = who_may_approve(ask, posts=approving_posts(pack), institution_id=place.id, on=on)
    places = institutions_by_id({answer.seat.institution_id for answer in answers})
    return [
        BoardRow(
            person_id=answer.seat.person_id,
            name=answer.seat.name,
            post_name=post_name(answer.seat.post_code),
            institution_name=places[answer.seat.institution_id].name,
            may=answer.may,
            why=answer.why,
            clause=answer.clause,
            mandate=answer.grant.number if answer.grant else "",
        )
        for answer in answers
    ]


@dataclass(frozen=True, slots=True)
class InvestigatingBar:
    """不得调查的原因与依据。"""

    code: str
    reason: str
    clause: str


def bars_on_investigating(person_ids: Collection[int], *, on: date) -> dict[int, InvestigatingBar]:
    """这些人里今天不得调查新贷款的：停了权的，没有有效证书的（ORG-4、ORG-6）。至多两条语句。"""
    found: dict[int, InvestigatingBar] = {}
    for row in in_force(Suspension.objects.filter(person_id__in=person_ids), on):
        reason = f"自 {row.valid_from} 起暂停贷前调查：{row.get_cause_display()}"
        found[row.person_id] = InvestigatingBar("INVESTIGATION_SUSPENDED", reason, row.clause)
    needed = parameter("authority.certificate_required", on)
    if needed.as_bool():
        valid = in_force(Certificate.objects.filter(person_id__in=person_ids), on)
        certified = set(valid.values_list("person_id", flat=True))
        for person_id in person_ids:
            if person_id not in certified:
                bar = InvestigatingBar("CERTIFICATE_MISSING", "没有有效的上岗资格证书", needed.clause)
                found.setdefault(person_id, bar)
    return found


@dataclass(frozen=True, slots=True)
class MandateInfo:
    """一份授权书。``draft_id`` 是待复核的收回稿。"""

    id: int
    number: str
    institution_name: str
    holder: str
    program_name: str
    products: str
    guarantees: str
    max_fen: int
    max_months: int
    customers: str
    valid_from: date
    valid_to: date | None
    parent_number: str
    reason: str
    in_force: bool


def list_mandates(*, actor: Actor, on: date) -> list[MandateInfo]:
    """范围内的授权书，有效的在前；被盖过的不列。两条语句。"""
    actor.require("authority.view")
    rows = standing(Mandate.objects.filter(in_scope(actor))).select_related("institution", "person", "parent")
    found = [_info(row, on) for row in rows.order_by("program", "institution__path", "max_fen", "pk")]
    return sorted(found, key=lambda info: not info.in_force)


def mandate_info(*, actor: Actor, mandate_id: int, on: date) -> MandateInfo:
    """一份授权书。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("authority.view")
    rows = Mandate.objects.filter(in_scope(actor), pk=mandate_id).select_related("institution", "person", "parent")
    row = rows.first()
    if row is None:
        raise NotFound(
            "MANDATE_NOT_FOUND",
            "没有这份授权书，或不在您的机构范围内。",
            field="mandate_id",
            value=mandate_id,
            fix="请从授权书清单中选择。",
        )
    return _info(row, on)


def _terms(row: Mandate | MandateDraft) -> dict[str, Any]:
    everyone = f"{post_name(row.post_code)}（在任者）"
    return {
        "institution_name": row.institution.name,
        "holder": f"{row.person.name}（{post_name(row.post_code)}）" if row.person else everyone,
        "program_name": packs()[row.program].name,
        "products": "、".join(product_name(code) for code in row.products) or EVERYTHING,
        "guarantees": "、".join(GuaranteeKind(code).label for code in row.guarantees) or EVERYTHING,
        "max_fen": row.max_fen,
        "max_months": row.max_months,
        "customers": "、".join(name for yes, name in ((row.for_new, "新客户"), (row.for_repeat, "老客户")) if yes),
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "parent_number": row.parent.number if row.parent else "",
        "reason": row.reason,
    }


def _info(row: Mandate, on: date) -> MandateInfo:
    in_force = row.valid_from <= on and (row.valid_to is None or row.valid_to > on)
    return MandateInfo(id=row.pk, number=row.number, in_force=in_force, **_terms(row))


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """一份授权稿：要授予或收回的内容。"""

    id: int
    kind_name: str
    state_name: str
    is_open: bool
    number: str
    terms: Mapping[str, Any]
    drafted_by: str
    booked_on: date


def draft_info(*, actor: Actor, draft_id: int) -> DraftInfo:
    """一份授权稿。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("authority.view")
    rows = MandateDraft.objects.filter(in_scope(actor), pk=draft_id)
    row = rows.select_related("institution", "person", "parent", "mandate").first()
    if row is None:
        raise NotFound(
            "DRAFT_NOT_FOUND",
            "没有这份授权稿，或不在您的机构范围内。",
            field="draft_id",
            value=draft_id,
            fix="请从待办中进入。",
        )
    return DraftInfo(
        id=row.pk,
        kind_name=str(row.get_kind_display()),
        state_name=str(row.get_state_display()),
        is_open=row.state == MandateDraftState.OPEN,
        number=row.mandate.number if row.mandate else "",
        terms=_terms(row),
        drafted_by=names_of([row.drafted_by_id]).get(row.drafted_by_id, ""),
        booked_on=row.booked_on,
    )


@dataclass(frozen=True, slots=True)
class OfficerStanding:
    """一位信贷员的资格与停权。"""

    person_id: int
    name: str
    institution_name: str
    certificate: str
    certificate_until: date | None
    suspension_id: int | None
    suspended_since: date | None
    suspension: str
    bar: str


def officer_roll(*, actor: Actor, posts: Collection[str], on: date) -> list[OfficerStanding]:
    """范围内信贷员的资格与停权，不得调查的在前。语句数固定。"""
    actor.require("authority.view")
    seats = {seat.person_id: seat for seat in seats_in_scope(actor, posts, on=on)}
    certificates = _latest(in_force(Certificate.objects.filter(person_id__in=seats), on))
    suspensions = _latest(in_force(Suspension.objects.filter(person_id__in=seats), on))
    bars = bars_on_investigating(list(seats), on=on)
    rows = []
    for person_id, seat in seats.items():
        certificate, suspension = certificates.get(person_id), suspensions.get(person_id)
        rows.append(
            OfficerStanding(
                person_id=person_id,
                name=seat.name,
                institution_name=seat.institution_name,
                certificate=certificate.number if certificate else "",
                certificate_until=certificate.valid_to if certificate else None,
                suspension_id=suspension.pk if suspension else None,
                suspended_since=suspension.valid_from if suspension else None,
                suspension=f"{suspension.get_cause_display()}：{suspension.reason}" if suspension else "",
                bar=bars[person_id].reason if person_id in bars else "",
            )
        )
    return sorted(rows, key=lambda row: (not row.bar, row.institution_name, row.name))


def suspended_officer(*, actor: Actor, suspension_id: int, on: date) -> OfficerStanding:
    """一条停权所停的人。

    :raises NotFound: 没有、已解除，或在范围之外。
    """
    roll = officer_roll(actor=actor, posts=OFFICER_POSTS, on=on)
    for row in roll:
        if row.suspension_id == suspension_id:
            return row
    raise NotFound(
        "SUSPENSION_NOT_FOUND",
        "没有这条停权，已解除，或不在您的机构范围内。",
        field="suspension_id",
        value=suspension_id,
        fix="请从名册中进入。",
    )


def _latest(rows: Iterable[Any]) -> dict[int, Any]:
    return {row.person_id: row for row in rows}


def cause_choices() -> list[tuple[str, str]]:
    """停权原因的选项。"""
    return [(value, str(name)) for value, name in SuspensionCause.choices]
