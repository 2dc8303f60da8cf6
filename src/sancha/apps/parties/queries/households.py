"""家庭的查询：某日的一户、几口人、几个劳动力；一户一贷按它数（A3）。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q

from sancha.apps.parties.models import HouseholdMember, HouseholdRole, Party, PartyRelation, RelationKind
from sancha.apps.parties.queries.looking import family_ids, party_in_scope
from sancha.kit.actor import Actor
from sancha.kit.dated import standing, valid_on
from sancha.rulebook.vocabulary import CustomerKind


@dataclass(frozen=True, slots=True)
class HouseholdMemberRow:
    """家庭的一个成员；没有档的 ``party_id`` 为空。"""

    id: int
    party_id: int | None
    party_number: str
    name: str
    role: str
    role_name: str
    labors: bool
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class HouseholdInfo:
    """某日的一户：家庭的客户号、成员、劳动力数。"""

    id: int
    number: str
    name: str
    laborers: int
    members: tuple[HouseholdMemberRow, ...]


def household_id_of(party_id: int, *, on: date, known_on: date | None = None) -> int | None:
    """某人某日在哪一户（家庭的客户编号），没有为空；问的就是家庭，答它自己。"""
    party = Party.objects.filter(pk=party_id).first()
    if party is not None and party.kind == CustomerKind.HOUSEHOLD:
        return party.merged_into_id or party.pk
    rows = standing(HouseholdMember.objects.filter(party_id__in=family_ids(party_id)), known_on=known_on)
    found = rows.filter(valid_on(on)).select_related("household").order_by("-pk").first()
    return (found.household.merged_into_id or found.household_id) if found else None


def household_of(party_id: int, *, on: date, known_on: date | None = None) -> HouseholdInfo | None:
    """某人某日的一户，没有为空。语句数固定。"""
    household_id = household_id_of(party_id, on=on, known_on=known_on)
    if household_id is None:
        return None
    household = Party.objects.get(pk=household_id)
    members = tuple(_member(row) for row in _rows(household_id, on, known_on))
    return HouseholdInfo(
        id=household.pk,
        number=household.number,
        name=household.name,
        laborers=sum(member.labors for member in members),
        members=members,
    )


def find_household(*, actor: Actor, party_id: int, on: date) -> HouseholdInfo | None:
    """范围内一位客户某日的一户。

    :raises NotFound: 客户不存在或不在范围。
    """
    actor.require("parties.view")
    return household_of(party_in_scope(actor, party_id).pk, on=on)


def household_party_ids(party_id: int, *, on: date) -> tuple[int, ...]:
    """同一户的客户编号：本人、成员与家庭自己，连同各人的旧档（一户一贷的「户」）。不在户里的只有本人。"""
    household_id = household_id_of(party_id, on=on)
    if household_id is None:
        return family_ids(party_id)
    members = {row.party.merged_into_id or row.party_id for row in _rows(household_id, on) if row.party_id}
    return with_old_files({party_id, household_id, *members})


def spouse_ids(party_id: int, *, on: date) -> tuple[int, ...]:
    """某日的配偶：关系里的，与同户里户主和配偶互为的；连同旧档。"""
    family = family_ids(party_id)
    rows = standing(PartyRelation.objects.filter(kind=RelationKind.SPOUSE)).filter(valid_on(on))
    pairs = rows.filter(Q(party_id__in=family) | Q(other_id__in=family)).values_list("party_id", "other_id")
    found = {person for pair in pairs for person in pair}
    household_id = household_id_of(party_id, on=on)
    if household_id is not None:
        couple = {HouseholdRole.HEAD, HouseholdRole.SPOUSE}
        pair = [row.party_id for row in _rows(household_id, on) if row.role in couple and row.party_id]
        if set(pair) & set(family):
            found |= set(pair)
    current = set(resolved_ids(found).values()) - {party_id}
    return with_old_files(current) if current else ()


def ancestor_ids(party_id: int, *, on: date) -> set[int]:
    """本人与全部祖辈（某日在期的父母子女关系）；一代一条语句。"""
    rows = standing(PartyRelation.objects.filter(kind__in=(RelationKind.PARENT, RelationKind.CHILD)))
    rows = rows.filter(valid_on(on))
    seen, generation = {party_id}, {party_id}
    while generation:
        up = set(rows.filter(kind=RelationKind.PARENT, party_id__in=generation).values_list("other_id", flat=True))
        up |= set(rows.filter(kind=RelationKind.CHILD, other_id__in=generation).values_list("party_id", flat=True))
        generation = up - seen
        seen |= generation
    return seen


def resolved_ids(party_ids: Iterable[int]) -> dict[int, int]:
    """编号 → 存续的一档的编号；没有并档的就是自己。"""
    rows = Party.objects.filter(pk__in=set(party_ids)).values_list("pk", "merged_into_id")
    return {pk: merged or pk for pk, merged in rows}


def with_old_files(party_ids: Iterable[int]) -> tuple[int, ...]:
    """连同并入它们的旧档。一条语句。"""
    ids = set(party_ids)
    return tuple(sorted(ids | set(Party.objects.filter(merged_into_id__in=ids).values_list("pk", flat=True))))


def _rows(household_id: int, on: date, known_on: date | None = None) -> list[Any]:
    """一户某日的成员；一人两档并成一档后不数两遍。"""
    rows = standing(HouseholdMember.objects.filter(household_id__in=family_ids(household_id)), known_on=known_on)
    found: dict[Any, Any] = {}
    for row in rows.filter(valid_on(on)).select_related("party__merged_into").order_by("pk"):
        person = (row.party.merged_into_id or row.party_id) if row.party else f"member:{row.pk}"
        found.setdefault(person, row)
    return list(found.values())


def _member(row: HouseholdMember) -> HouseholdMemberRow:
    party = (row.party.merged_into or row.party) if row.party else None
    return HouseholdMemberRow(
        id=row.pk,
        party_id=party.pk if party else None,
        party_number=party.number if party else "",
        name=party.name if party else row.name,
        role=row.role,
        role_name=str(HouseholdRole(row.role).label),
        labors=row.labors,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )
