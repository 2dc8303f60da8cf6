"""删除与合并的查询：申请、并排看的两档、妨碍、要删的人历来的名称与号码。"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import Q

from sancha.apps.access.queries import names_of
from sancha.apps.parties.departing import ERASED, Hold, holds_on
from sancha.apps.parties.models import (
    ErasureGround,
    ErasureRequest,
    MergeRequest,
    Party,
    PartyContact,
    PartyFileEntry,
    PartyRelation,
    RequestState,
    RiskCause,
)
from sancha.apps.parties.queries.looking import PartyRow, family_ids, row_of
from sancha.apps.parties.queries.risks import entries_of, in_force_on
from sancha.kit.dated import standing
from sancha.kit.errors import NotFound
from sancha.rulebook.vocabulary import CustomerKind, label


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """一份删除或合并的申请；办理之后就是它的记录。``details`` 是各处办了几行。"""

    id: int
    party_id: int
    party_number: str
    survivor_number: str
    title: str
    reason: str
    clause: str
    state: str
    state_name: str
    requested_by: str
    requested_on: date
    decided_by: str
    decided_on: date | None
    details: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sheet:
    """并档时并排看的一档：主档与名下的数。"""

    row: PartyRow
    created_on: date
    entries: int
    relations: int


def requests_of(party_id: int) -> list[RequestInfo]:
    """一档（连同并入它的旧档）的删除与合并申请，新的在前。"""
    family = family_ids(party_id)
    erasures = ErasureRequest.objects.filter(party_id__in=family).select_related("party")
    merges = MergeRequest.objects.filter(Q(duplicate_id__in=family) | Q(survivor_id=party_id)).select_related(
        "survivor", "duplicate"
    )
    rows: list[ErasureRequest | MergeRequest] = [*erasures, *merges]
    names = names_of(person for row in rows for person in (row.requested_by_id, row.decided_by_id))
    found = [_request_info(row, names) for row in rows]
    return sorted(found, key=lambda item: (item.requested_on, item.id), reverse=True)


def erasure_request(request_id: int) -> RequestInfo:
    """一份删除申请。

    :raises NotFound: 没有。
    """
    return _one_request(ErasureRequest.objects.select_related("party").filter(pk=request_id).first(), request_id)


def merge_request(request_id: int) -> RequestInfo:
    """一份合并申请。

    :raises NotFound: 没有。
    """
    rows = MergeRequest.objects.select_related("survivor", "duplicate")
    return _one_request(rows.filter(pk=request_id).first(), request_id)


def merge_sheets(request_id: int) -> tuple[Sheet, Sheet]:
    """并档的两档并排：（存续，并入）。"""
    row = MergeRequest.objects.select_related("survivor", "duplicate").get(pk=request_id)
    return _sheet(row.survivor), _sheet(row.duplicate)


def holds_on_party(party: Party, *, on: date) -> list[Hold]:
    """删除一位客户的全部妨碍：企业不是个人，已删的无从再删，另有借据、担保与保存期。"""
    if party.erased_on is not None:
        return [Hold("erased", f"个人信息已于 {party.erased_on} 删除", "PIPL-47")]
    if party.kind in {CustomerKind.COMPANY, CustomerKind.GROUP}:
        return [Hold("kind", f"{label(CustomerKind(party.kind))}的资料不是个人信息", "PIPL-47")]
    family = family_ids(party.pk)
    listed = [
        Hold("risk", f"在风险名单上（{RiskCause(entry.cause).label}）", "PIPL-47", entry.valid_to)
        for entry in entries_of(family).filter(in_force_on(on))
    ]
    return listed + holds_on(family, tuple(former_names(family)), on)


def former_names(party_ids: Iterable[int]) -> list[str]:
    """这些档现在与历来的名称。"""
    ids = list(party_ids)
    names = set(Party.objects.filter(pk__in=ids).values_list("name", flat=True))
    names |= {value for field, value in _amended(ids) if field == "name"}
    return sorted(name for name in names if name and name != ERASED)


def former_marks(party_ids: Iterable[int]) -> list[str]:
    """这些档现在与历来的证件号、电话、地址、联系方式里，别的客户没有的：在别处出现就是他。"""
    ids = list(party_ids)
    found: set[str] = set()
    for number, phone, address in Party.objects.filter(pk__in=ids).values_list("id_number", "phone", "address"):
        found |= {number, phone, address, number[:6] + number[8:17] if len(number) == 18 else ""}
    found |= set(PartyContact.objects.filter(party_id__in=ids).values_list("value", flat=True))
    found |= {value for field, value in _amended(ids) if field in {"id_number", "phone", "address"}}
    found -= {"", ERASED}
    others = Party.objects.exclude(pk__in=ids)
    shared = set(others.filter(phone__in=found).values_list("phone", flat=True))
    shared |= set(others.filter(address__in=found).values_list("address", flat=True))
    shared |= set(
        PartyContact.objects.exclude(party_id__in=ids).filter(value__in=found).values_list("value", flat=True)
    )
    return sorted(found - shared)


def _amended(party_ids: list[int]) -> Iterator[tuple[str, str]]:
    for content in PartyFileEntry.objects.filter(
        party_id__in=party_ids, topic__in=("party.amended", "party.claimed")
    ).values_list("content", flat=True):
        for name in ("before", "after", "claimed"):
            if isinstance(content.get(name), str):
                yield str(content.get("field", "")), content[name]


def _one_request(row: ErasureRequest | MergeRequest | None, request_id: int) -> RequestInfo:
    if row is None:
        raise NotFound("REQUEST_NOT_FOUND", "没有这份申请。", field="request_id", value=request_id, fix="从任务打开。")
    return _request_info(row, names_of([row.requested_by_id, row.decided_by_id]))


def _request_info(row: ErasureRequest | MergeRequest, names: Mapping[int, str]) -> RequestInfo:
    if isinstance(row, MergeRequest):
        party, survivor, clause, details = row.duplicate, row.survivor.number, "", row.moved
        title = f"并入 {survivor}"
    else:
        party, survivor, clause, details = row.party, "", row.clause, row.erased
        title = f"个人信息删除：{ErasureGround(row.ground).label}"
    return RequestInfo(
        id=row.pk,
        party_id=party.pk,
        party_number=party.number,
        survivor_number=survivor,
        title=title,
        reason=row.reason,
        clause=clause,
        state=row.state,
        state_name=str(RequestState(row.state).label),
        requested_by=names.get(row.requested_by_id, ""),
        requested_on=row.requested_on,
        decided_by=names.get(row.decided_by_id or 0, ""),
        decided_on=row.decided_on,
        details=details,
    )


def _sheet(party: Party) -> Sheet:
    relations = PartyRelation.objects.filter(Q(party=party) | Q(other=party))
    return Sheet(
        row=row_of(party),
        created_on=party.created_on,
        entries=PartyFileEntry.objects.filter(party=party).count(),
        relations=standing(relations).count(),
    )


def erasure_grounds() -> list[tuple[str, str]]:
    """删除的事由：代码与中文名。"""
    return [(str(code), str(name)) for code, name in ErasureGround.choices]
