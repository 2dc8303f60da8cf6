"""家庭：立户、添成员、成员离开。只追加；一个人同一天只在一个家庭里，一户一贷才数得清。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.parties import queries
from sancha.apps.parties.intake import clean_name
from sancha.apps.parties.models import HouseholdMember, HouseholdRole, IdKind, Party
from sancha.apps.parties.operations.checks import locked_party, require_reason
from sancha.apps.parties.operations.registering import add_parties
from sancha.apps.parties.operations.relations import end_record
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.dated import not_ended, standing
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation
from sancha.rulebook.vocabulary import CustomerKind

NATURAL = {CustomerKind.PERSON, CustomerKind.FARMER, CustomerKind.STUDENT, CustomerKind.SOLE_TRADER}
ONLY_ONE = {HouseholdRole.HEAD, HouseholdRole.SPOUSE}


@operation("parties.open_household", permission="parties.edit")
def open_household(
    *, actor: Actor, key: str, on: date, head_id: int, valid_from: date, labors: bool = True, book_number: str = ""
) -> dict[str, Any]:
    """立户：以户主之名建一档家庭（家庭台账），户主是第一个成员。``book_number`` 户口簿号，可空。

    :raises Conflict: 户主已在一个家庭里，或这本户口簿已立户。
    :raises DomainError: 户主不是个人、日期晚于营业日、户口簿号不对。
    """
    head = locked_party(actor, head_id)
    _fits(head, valid_from, on)
    _free(head, valid_from, household_id=None)
    outcome = add_parties(
        actor=actor,
        on=on,
        rows=[
            {
                "kind": CustomerKind.HOUSEHOLD.value,
                "name": f"{head.name}户"[:100],
                "id_kind": IdKind.HOUSEHOLD_BOOK if book_number else IdKind.ABSENT,
                "id_number": book_number,
                "institution_id": head.institution_id,
                "officer_id": head.officer_id,
            }
        ],
        all_or_nothing=True,
    )[0]
    if outcome.status != "NEW":
        error = outcome.errors[0] if outcome.errors else {}
        if error and error["code"] != "IDENTITY_TAKEN":
            raise DomainError(error["code"], error["message"], field="book_number", fix=error.get("fix"))
        raise Conflict(
            "HOUSEHOLD_BOOK_TAKEN",
            "这本户口簿已立过户。",
            field="book_number",
            fix="打开那一户，把此人添为成员。",
        )
    assert outcome.party_id is not None, "a new row has its number"
    member = _write(actor, on, outcome.party_id, head, "", HouseholdRole.HEAD, labors, valid_from)
    return {
        "subject": f"party:{outcome.party_id}",
        "household_id": outcome.party_id,
        "number": outcome.number,
        "member_id": member,
    }


@operation("parties.add_household_member", permission="parties.edit")
def add_household_member(
    *,
    actor: Actor,
    key: str,
    on: date,
    household_id: int,
    role: str,
    labors: bool,
    valid_from: date,
    party_id: int | None = None,
    name: str = "",
) -> dict[str, Any]:
    """添家庭成员：有档的给客户编号，没有档的只给姓名，二者取一。

    :raises Conflict: 已在这户或别的一户，或户主、配偶已有人。
    :raises DomainError: 身份不对、不是个人、日期晚于营业日、没说是谁。
    :raises NotFound: 没有这户，或没有这位客户。
    """
    if role not in HouseholdRole.values:
        raise DomainError(
            "HOUSEHOLD_ROLE_UNKNOWN",
            f"不认识的家庭身份「{role}」。",
            field="role",
            value=role,
            fix=f"可选：{'、'.join(HouseholdRole.labels)}。",
        )
    if (party_id is None) == (not name.strip()):
        raise DomainError(
            "MEMBER_UNNAMED", "须给出客户，或没有档的人的姓名，二者取一。", field="party_id", fix="有档的从列表选。"
        )
    household, member = _both(actor, household_id, party_id)
    if member is not None:
        _fits(member, valid_from, on)
        _free(member, valid_from, household_id=household.pk)
    else:
        _not_future(valid_from, on)
        name = clean_name(name)
        if _in_force(household.pk, valid_from).filter(name=name, role=role).exists():
            raise _twice(name)
    if role in ONLY_ONE and _in_force(household.pk, valid_from).filter(role=role).exists():
        label = HouseholdRole(role).label
        raise Conflict(
            "HOUSEHOLD_ROLE_TAKEN",
            f"这户在期已有{label}。",
            field="role",
            value=role,
            fix=f"换了{label}的，先办原来那位的离户。",
        )
    row = _write(actor, on, household.pk, member, name if member is None else "", role, labors, valid_from)
    return {"subject": f"party:{household.pk}", "member_id": row}


@operation("parties.end_household_member", permission="parties.edit")
def end_household_member(
    *, actor: Actor, key: str, on: date, household_id: int, member_id: int, valid_to: date, reason: str
) -> dict[str, Any]:
    """成员离户（分户、婚嫁、去世）：自 ``valid_to`` 起不再是这户的人，当日不含。旧记录不动。

    :raises DomainError: 没有理由，日期晚于营业日，或早于入户日。
    :raises NotFound: 没有在期的这条。
    """
    require_reason(reason)
    _not_future(valid_to, on, field="valid_to")
    household = _household(actor, household_id)
    rows = HouseholdMember.objects.filter(household_id__in=queries.family_ids(household.pk), pk=member_id)
    row = end_record(standing(rows), actor, on, valid_to, reason)
    return {"subject": f"party:{household.pk}", "member_id": row.pk}


def _household(actor: Actor, household_id: int) -> Party:
    household = locked_party(actor, household_id)
    if household.kind != CustomerKind.HOUSEHOLD:
        raise NotFound(
            "HOUSEHOLD_NOT_FOUND",
            f"客户 {household.number} 不是家庭。",
            field="household_id",
            value=household_id,
            fix="先为户主立户。",
        )
    return household


def _both(actor: Actor, household_id: int, party_id: int | None) -> tuple[Party, Party | None]:
    """上锁取这户与这人，编号小的先锁；人可以是别的机构的客户。"""
    if party_id is None:
        return _household(actor, household_id), None
    wanted = queries.resolved_ids([party_id]).get(party_id, party_id)
    held = {
        party.pk: party
        for party in Party.objects.select_for_update().filter(pk__in=[household_id, wanted]).order_by("pk")
    }
    household = _household(actor, household_id)
    member = held.get(wanted)
    if member is None or member.erased_on is not None:
        raise NotFound(
            "PARTY_NOT_FOUND", f"没有编号为 {party_id} 的客户。", field="party_id", value=party_id, fix="先登记此人。"
        )
    return household, member


def _fits(party: Party, valid_from: date, on: date) -> None:
    _not_future(valid_from, on)
    if party.kind not in NATURAL:
        raise DomainError(
            "MEMBER_NOT_A_PERSON",
            f"客户 {party.number} 不是个人，不能是家庭成员。",
            field="party_id",
            value=party.pk,
            fix="选个人、农户、个体工商户或学生。",
        )


def _not_future(day: date, on: date, *, field: str = "valid_from") -> None:
    if day > on:
        raise DomainError("DATE_WRONG", f"日期 {day} 晚于营业日。", field=field, value=day, fix="填已发生的日子。")


def _free(party: Party, valid_from: date, *, household_id: int | None) -> None:
    """自 ``valid_from`` 起不在任何一户。"""
    rows = standing(HouseholdMember.objects.filter(party_id__in=queries.family_ids(party.pk)))
    held = rows.filter(not_ended(valid_from)).select_related("household").first()
    if held is None:
        return
    if held.household_id == household_id:
        raise _twice(party.number)
    raise Conflict(
        "IN_ANOTHER_HOUSEHOLD",
        f"客户 {party.number} 自 {held.valid_from} 起在家庭 {held.household.number} 里。",
        field="party_id",
        value=party.pk,
        fix="一个人只在一户；已分户的先办离户，入户日不早于离户日。",
    )


def _twice(who: str) -> Conflict:
    return Conflict("MEMBER_TWICE", f"{who} 已是这户的成员。", field="party_id", fix="无需再添；要改身份的先办离户。")


def _in_force(household_id: int, since: date) -> Any:
    rows = standing(HouseholdMember.objects.filter(household_id__in=queries.family_ids(household_id)))
    return rows.filter(not_ended(since))


def _write(
    actor: Actor, on: date, household_id: int, party: Party | None, name: str, role: str, labors: bool, since: date
) -> int:
    return HouseholdMember.objects.create(
        household_id=household_id,
        party=party,
        name=name,
        role=role,
        labors=labors,
        valid_from=since,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    ).pk
