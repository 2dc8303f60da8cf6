"""客户的查询：默认遮蔽；按姓名两个字就能查到；同一个人在哪个机构都是同一档。"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When

from sancha.apps.access.queries import in_scope, institutions_by_id, names_of
from sancha.apps.parties.identity import check_identity, identity_key, normalized
from sancha.apps.parties.intake import clean_name, prepare
from sancha.apps.parties.masking import mask_address, mask_contact, mask_id_number, mask_phone
from sancha.apps.parties.models import (
    ContactChannel,
    FactSource,
    Gender,
    IdKind,
    Party,
    PartyBigram,
    PartyContact,
    PartyFileEntry,
    PartyPresence,
    PartyRelation,
    RelationKind,
)
from sancha.kit.actor import Actor
from sancha.kit.dated import standing, valid_on
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.labels import Labels, labels
from sancha.kit.paging import Page, paginate
from sancha.rulebook.vocabulary import CustomerKind

PARTY_NUMBER = re.compile(r"C\d{10}")
LONGEST_SEARCH = 50
# Enough digits to mean one phone; fewer would list strangers.
SHORTEST_PHONE = 7


@dataclass(frozen=True, slots=True)
class PartyRow:
    """客户一览行：证件、电话、地址已遮蔽；生日是证件号码的一段，只给年份。"""

    id: int
    number: str
    kind: CustomerKind
    name: str
    id_kind: str
    id_number: str
    gender: str
    birth_year: int | None
    phone: str
    address: str
    industry_name: str
    officer_id: int | None
    institution_id: int


@dataclass(frozen=True, slots=True)
class ContactRow:
    """联系方式：内容已遮蔽。"""

    id: int
    channel: str
    channel_name: str
    value: str
    holder: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class RelationRow:
    """关系：``other`` 是本客户的什么人；``inverse`` 为真时反过来，本客户是 ``other`` 的什么人。"""

    id: int
    kind: str
    kind_name: str
    other_id: int
    other_number: str
    other_name: str
    inverse: bool
    valid_from: date
    valid_to: date | None
    note: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """信用档案条目。变更证件、电话、地址的条目，前后值已遮蔽。"""

    id: int
    topic: str
    content: dict[str, Any]
    source: str
    source_name: str
    note: str
    corrects_id: int | None
    booked_on: date
    recorded_by: str


@dataclass(frozen=True, slots=True)
class PartyDetail:
    """客户一档：主档、机构、管户、联系方式、关系与信用档案。"""

    row: PartyRow
    industry_code: str
    occupation: str
    institution_name: str
    officer_name: str
    presences: tuple[str, ...]
    created_on: date
    erased_on: date | None
    former_numbers: tuple[str, ...]
    contacts: tuple[ContactRow, ...]
    relations: tuple[RelationRow, ...]
    entries: tuple[EntryRow, ...]


@dataclass(frozen=True, slots=True)
class PartyFilter:
    """清单筛选：都可不填。``text`` 是姓名片段、客户号、完整证件号或电话。"""

    text: str = ""
    kind: str = ""
    institution_id: int | None = None
    officer_id: int | None = None


# 范围与清单 ---------------------------------------------------------------------------------------------------


def parties_in_scope(actor: Actor) -> QuerySet[Party]:
    """范围内的客户：管户机构在范围内，或与范围内的机构有往来。"""
    own = in_scope(actor)
    if own == Q():
        return Party.objects.all()
    met = PartyPresence.objects.filter(in_scope(actor), party_id=OuterRef("pk"))
    return Party.objects.filter(own | Q(Exists(met)))


def party_in_scope(actor: Actor, party_id: int) -> Party:
    """范围内的一位客户；旧档已并入别的一档的，给出那一档。

    :raises NotFound: 没有，或在范围之外（两者不作区分）。
    """
    found = parties_in_scope(actor).filter(pk=party_id).select_related("merged_into").first()
    if found is not None and found.merged_into is not None:
        found = found.merged_into
    if found is None:
        raise NotFound(
            "PARTY_NOT_FOUND",
            f"没有编号为 {party_id} 的客户，或不在您的管辖范围内。",
            field="party_id",
            value=party_id,
            fix="请从客户列表中选择；跨机构的客户凭完整证件号查找。",
        )
    return found


def live_party(actor: Actor, party_id: int) -> Party:
    """范围内、还能办业务的一位客户：个人信息已删除的不行。

    :raises NotFound: 没有，或在范围之外。
    :raises Conflict: 个人信息已删除。
    """
    found = party_in_scope(actor, party_id)
    if found.erased_on is not None:
        raise Conflict(
            "PARTY_ERASED",
            f"客户 {found.number} 的个人信息已于 {found.erased_on} 删除。",
            field="party_id",
            value=party_id,
            clause="PIPL-47",
            fix="要再办业务，请凭证件重新登记。",
        )
    return found


def family_ids(party_id: int) -> tuple[int, ...]:
    """一档连同并入它的旧档的编号：档案、关系、联系方式按它查。"""
    return (party_id, *Party.objects.filter(merged_into_id=party_id).order_by("pk").values_list("pk", flat=True))


def guaranteed_by(party_ids: Iterable[int]) -> list[int]:
    """这些人担保过谁（不论是否已结束）：借款人的客户编号。"""
    rows = PartyRelation.objects.filter(other_id__in=list(party_ids), kind=RelationKind.GUARANTOR)
    return sorted(set(rows.values_list("party_id", flat=True)))


def guarantors_on(party_ids: Iterable[int], *, on: date) -> list[tuple[int, int]]:
    """某日在期的担保关系：``(借款人, 担保人)``，担保人在 ``party_ids`` 里。"""
    rows = standing(PartyRelation.objects.filter(other_id__in=list(party_ids), kind=RelationKind.GUARANTOR))
    return sorted(set(rows.filter(valid_on(on)).values_list("party_id", "other_id")))


def list_parties(*, actor: Actor, filters: PartyFilter, page: int = 1, size: int = 50) -> Page[PartyRow]:
    """客户清单（遮蔽），新建的在前。两条语句。"""
    actor.require("parties.view")
    rows = parties_in_scope(actor).filter(merged_into=None)
    if filters.text.strip():
        rows = rows.filter(matching(filters.text))
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    if filters.institution_id:
        rows = rows.filter(institution_id=filters.institution_id)
    if filters.officer_id:
        rows = rows.filter(officer_id=filters.officer_id)
    return paginate(rows.order_by("-pk"), page=page, size=size, to_row=row_of)


def search(*, actor: Actor, text: str, limit: int = 20) -> list[PartyRow]:
    """查找客户：姓名片段（两个字就够）、客户号、完整证件号、电话。一条语句，名字越像越靠前。"""
    actor.require("parties.view")
    if not text.strip():
        return []
    wanted = _as_name(text.strip())
    closeness = Case(When(name=wanted, then=Value(0)), When(name__startswith=wanted, then=Value(1)), default=Value(2))
    rows = parties_in_scope(actor).filter(matching(text), merged_into=None).order_by(closeness, "-pk")
    return [row_of(party) for party in rows[: max(1, min(limit, LONGEST_SEARCH))]]


def find_by_id_number(*, actor: Actor, id_kind: str, id_number: str) -> PartyRow | None:
    """凭完整证件号查人，不限机构：一个人在全系统只有一档。返回遮蔽的主档，没有则空。"""
    actor.require("parties.view")
    if id_kind not in IdKind.values or not id_number.strip():
        return None
    number = _old_to_new(IdKind(id_kind), normalized(id_number))
    found = Party.objects.filter(identity_key=identity_key(IdKind(id_kind), number)).first()
    return row_of(found) if found else None


def find_by_number(*, actor: Actor, number: str) -> PartyRow:
    """凭客户号找范围内的客户；并入别档的旧号解析到存续的一档。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("parties.view")
    wanted = number.strip().upper()
    found = Party.objects.filter(number=wanted).values_list("pk", "merged_into_id").first()
    if found is None:
        raise NotFound(
            "PARTY_NOT_FOUND",
            f"没有客户号「{wanted}」。",
            field="number",
            value=wanted,
            fix="请照客户页上的客户号填写。",
        )
    return row_of(party_in_scope(actor, found[1] or found[0]))


def party_detail(*, actor: Actor, party_id: int, on: date, entry_limit: int = 100) -> PartyDetail:
    """客户一档（遮蔽）。语句数固定，与档案长短无关。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("parties.view")
    party = party_in_scope(actor, party_id)
    former = dict(Party.objects.filter(merged_into=party).order_by("pk").values_list("pk", "number"))
    family = (party.pk, *former)
    contacts = _current(PartyContact.objects.filter(party_id__in=family), on)
    entries = list(PartyFileEntry.objects.filter(party_id__in=family).order_by("-pk")[:entry_limit])
    presences = list(
        PartyPresence.objects.filter(party=party).exclude(institution_id=party.institution_id)
        .values_list("institution_id", flat=True)
    )  # fmt: skip
    institutions = institutions_by_id([party.institution_id, *presences])
    names = names_of([party.officer_id, *(entry.recorded_by_id for entry in entries)])
    return PartyDetail(
        row=row_of(party),
        industry_code=party.industry_code,
        occupation=party.occupation,
        institution_name=institutions[party.institution_id].name,
        officer_name=names.get(party.officer_id or 0, ""),
        presences=tuple(institutions[pk].name for pk in presences),
        created_on=party.created_on,
        erased_on=party.erased_on,
        former_numbers=tuple(former.values()),
        contacts=tuple(_contact(row, clear=False) for row in contacts),
        relations=tuple(_relations(family, on)),
        entries=tuple(_entry(entry, names.get(entry.recorded_by_id or 0, "系统")) for entry in entries),
    )


def relations_of(*, party_id: int, on: date, known_on: date | None = None) -> list[RelationRow]:
    """某日在期的关系，两个方向都算；``known_on`` 给出时只用那天及以前录入的。两条语句。"""
    return _relations(family_ids(party_id), on, known_on)


def _relations(family: tuple[int, ...], on: date, known_on: date | None = None) -> list[RelationRow]:
    between = Q(party_id__in=family) | Q(other_id__in=family)
    # Two files of one person are no relation of his.
    rows = standing(PartyRelation.objects.filter(between), known_on=known_on).exclude(
        party_id__in=family, other_id__in=family
    )
    rows = rows.filter(valid_on(on)).select_related("party__merged_into", "other__merged_into").order_by("kind", "pk")
    return [_relation(row, family) for row in rows]


def applicant_marks(ids: Collection[int]) -> dict[int, tuple[CustomerKind, date | None]]:
    """申请审查用的两样：客户编号 → （类别, 出生日期）；范围由调用方的主体决定，不出现在页面上。"""
    rows = Party.objects.filter(pk__in=ids).values_list("pk", "kind", "birth")
    return {pk: (CustomerKind(kind), birth) for pk, kind, birth in rows}


def party_labels(kind: str, ids: Collection[int]) -> Labels:
    """客户的称呼：客户号，不露姓名。"""
    return labels(Party.objects.all(), kind, ids, "number")


def party_rows(ids: Iterable[int]) -> dict[int, PartyRow]:
    """一次取多位客户的遮蔽主档（借据清单等用），不看范围：范围由调用方的主体决定。"""
    return {party.pk: row_of(party) for party in Party.objects.filter(pk__in=set(ids))}


def party_row(*, actor: Actor, party_id: int) -> PartyRow:
    """范围内一位客户的遮蔽主档。

    :raises NotFound: 没有，或在范围之外。
    """
    return row_of(party_in_scope(actor, party_id))


def matching_party_ids(text: str) -> QuerySet[Party, int]:
    """匹配的客户编号（子查询）：供其他应用按客户筛选自己的清单，范围由调用方加。"""
    return Party.objects.filter(matching(text)).values_list("pk", flat=True)


def party_ids(numbers: Iterable[str]) -> dict[str, int]:
    """客户号 → 编号（导入用）；旧号解析到并入的那一档。"""
    rows = Party.objects.filter(number__in=set(numbers)).values_list("number", "pk", "merged_into_id")
    return {number: merged or pk for number, pk, merged in rows}


def vocabulary() -> dict[str, list[tuple[str, str]]]:
    """表单用的代码与中文名：证件类别、性别、来源、联系方式、关系。"""
    return {
        "id_kinds": list(IdKind.choices),
        "genders": list(Gender.choices),
        "sources": list(FactSource.choices),
        "channels": list(ContactChannel.choices),
        "relations": list(RelationKind.choices),
    }


def preview_parties(*, actor: Actor, on: date, rows: Sequence[dict[str, Any]]) -> list[list[DomainError]]:
    """预查一批登记资料：逐行列出毛病，什么也不写。重名证件与管户权限在登记时再查。"""
    actor.require("parties.edit")
    return [prepare(row, on=on)[1] for row in rows]


def clear_fields(*, party_id: int, fields: Sequence[str], on: date) -> dict[str, Any]:
    """明文栏目：只供 ``operations.reveal_party`` 在留痕之后调用。"""
    party = Party.objects.get(pk=party_id)
    clear: dict[str, Any] = {field: getattr(party, field) for field in fields if field not in {"birth", "contacts"}}
    if "birth" in fields:
        clear["birth"] = party.birth.isoformat() if party.birth else None
    if "contacts" in fields:
        rows = _current(PartyContact.objects.filter(party_id__in=family_ids(party_id)), on)
        clear["contacts"] = [
            {
                "channel": row.channel,
                "channel_name": ContactChannel(row.channel).label,
                "value": row.value,
                "holder": row.holder,
            }
            for row in rows
        ]
    return clear


# 查找的条件 ---------------------------------------------------------------------------------------------------


def matching(text: str) -> Q:
    """查找条件：客户号、完整证件号、电话用等值；其余按姓名，逐个二元切分命中后再以包含复核。"""
    wanted = text.strip()
    upper = normalized(wanted)
    if PARTY_NUMBER.fullmatch(upper):
        # The number of a file that was merged still finds the person.
        return Q(number=upper) | Q(pk__in=Party.objects.filter(number=upper).values("merged_into_id"))
    if upper.isascii() and re.fullmatch(r"[A-Z0-9]+", upper) and any(letter.isdigit() for letter in upper):
        exact = Q(identity_key__in=sorted({identity_key(kind, _old_to_new(kind, upper)) for kind in IdKind}))
        return exact | Q(phone=upper) if len(upper) >= SHORTEST_PHONE else exact
    name = _as_name(wanted)
    condition = Q(name__icontains=name)
    for gram in query_grams(name):
        # AND of bigrams may match scattered pairs, hence the containment above; the index makes it cheap.
        condition &= Q(pk__in=PartyBigram.objects.filter(gram=gram).values("party_id"))
    return condition


def name_grams(name: str) -> list[str]:
    """入索引的切分：相邻两字与单字，去重。英文不分大小写。"""
    text = name.lower()
    return sorted({text[i : i + 2] for i in range(len(text) - 1)} | set(text))


def query_grams(name: str) -> list[str]:
    """查询用的切分：相邻两字；只有一个字就用单字。"""
    text = name.lower()
    return sorted({text[i : i + 2] for i in range(len(text) - 1)}) or [text]


def _current(rows: Any, on: date) -> Any:
    return standing(rows).filter(valid_on(on)).order_by("pk")


def _as_name(text: str) -> str:
    try:
        return clean_name(text)
    except DomainError:
        return text[:LONGEST_SEARCH]


def _old_to_new(kind: IdKind, number: str) -> str:
    """十五位旧身份证号按十八位查；其他原样。"""
    if kind not in {IdKind.RESIDENT_ID, IdKind.TEMPORARY_ID} or len(number) == 18:
        return number
    try:
        return check_identity(CustomerKind.PERSON, kind, number, on=date.max).number
    except DomainError:
        return number


# 行 -----------------------------------------------------------------------------------------------------------


def row_of(party: Party) -> PartyRow:
    """遮蔽的主档。"""
    return PartyRow(
        id=party.pk,
        number=party.number,
        kind=CustomerKind(party.kind),
        name=party.name,
        id_kind=str(IdKind(party.id_kind).label),
        id_number=mask_id_number(party.id_number),
        gender=str(Gender(party.gender).label) if party.gender else "",
        birth_year=party.birth.year if party.birth else None,
        phone=mask_phone(party.phone),
        address=mask_address(party.address),
        industry_name=party.industry_name,
        officer_id=party.officer_id,
        institution_id=party.institution_id,
    )


def _contact(row: PartyContact, *, clear: bool) -> ContactRow:
    return ContactRow(
        id=row.pk,
        channel=row.channel,
        channel_name=str(ContactChannel(row.channel).label),
        value=row.value if clear else mask_contact(row.channel, row.value),
        holder=row.holder,
        valid_from=row.valid_from,
    )


def _relation(row: PartyRelation, family: tuple[int, ...]) -> RelationRow:
    inverse = row.other_id in family
    other = row.party if inverse else row.other
    other = other.merged_into or other
    return RelationRow(
        id=row.pk,
        kind=row.kind,
        kind_name=str(RelationKind(row.kind).label),
        other_id=other.pk,
        other_number=other.number,
        other_name=other.name,
        inverse=inverse,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        note=row.note,
    )


MASKS: dict[str, Callable[[str], str]] = {
    "id_number": mask_id_number,
    "phone": mask_phone,
    "address": mask_address,
    "birth": lambda day: f"{day[:4]}****",
}


def _entry(entry: PartyFileEntry, recorded_by: str) -> EntryRow:
    content = dict(entry.content)
    if mask := MASKS.get(str(content.get("field", ""))):
        content |= {name: mask(str(content[name])) for name in ("before", "after", "claimed") if content.get(name)}
    return EntryRow(
        id=entry.pk,
        topic=entry.topic,
        content=content,
        source=entry.source,
        source_name=str(FactSource(entry.source).label),
        note=entry.note,
        corrects_id=entry.corrects_id,
        booked_on=entry.booked_on,
        recorded_by=recorded_by,
    )
