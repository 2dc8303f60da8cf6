"""客户的写入：登记、变更、联系方式、关系、信用档案、查看明文、批量登记。

一人一档：证件唯一键相同就是同一个人。主档是当日投影，每次变更都在信用档案留下前后值，什么也不被悄悄覆盖。
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.access.queries import InstitutionInfo, institutions_by_id, names_of, require_institution
from sancha.apps.parties import queries
from sancha.apps.parties.intake import TITLES, Prepared, prepare
from sancha.apps.parties.masking import mask_contact, mask_id_number
from sancha.apps.parties.models import (
    Channel,
    FactSource,
    Party,
    PartyBigram,
    PartyContact,
    PartyFileEntry,
    PartyPresence,
    PartyRelation,
    PartyReveal,
    RelationKind,
)
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.numbering import next_numbers
from sancha.kit.operation import operation

SEQUENCE = "parties.party"
AMENDED = "party.amended"
CLAIMED_AT_IMPORT = "party.claimed"
CHUNK = 500
SHORTEST_REASON = 4
REVEALABLE = ("id_number", "birth", "phone", "address", "contacts")
_TOPIC = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """批量登记一行的结果：``NEW`` 新档、``EXISTING`` 已有档、``ERROR`` 有毛病（``errors`` 列全）。"""

    row: int
    status: str
    party_id: int | None
    number: str | None
    errors: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """存成 JSON 的字典。"""
        return {
            "row": self.row,
            "status": self.status,
            "party_id": self.party_id,
            "number": self.number,
            "errors": list(self.errors),
        }


@operation("parties.register_party", permission="parties.edit")
def register_party(
    *,
    actor: Actor,
    key: str,
    on: date,
    kind: str,
    name: str,
    id_kind: str,
    id_number: str = "",
    gender: str = "",
    birth: date | None = None,
    phone: str = "",
    address: str = "",
    industry_code: str = "",
    industry_name: str = "",
    occupation: str = "",
    officer_id: int | None = None,
    institution_id: int | None = None,
) -> dict[str, Any]:
    """登记客户：建新档；此人已有档则返回原档（``existing``），并记下本机构与其往来。

    生日与性别由身份证得出，可以不填；``institution_id`` 不填取操作人所在机构。

    :raises DomainError: 资料有毛病（栏目指第一处，话里说全）。
    :raises Conflict: 证件已登记为另一个名字。
    """
    row = {
        "kind": kind,
        "name": name,
        "id_kind": id_kind,
        "id_number": id_number,
        "gender": gender,
        "birth": birth,
        "phone": phone,
        "address": address,
        "industry_code": industry_code,
        "industry_name": industry_name,
        "occupation": occupation,
        "officer_id": officer_id,
        "institution_id": institution_id,
    }
    (outcome,) = add_parties(actor=actor, on=on, rows=[row])
    if outcome.status == "ERROR":
        raise _as_one(outcome.errors)
    return {
        "subject": f"party:{outcome.party_id}",
        "party_id": outcome.party_id,
        "number": outcome.number,
        "existing": outcome.status == "EXISTING",
    }


@operation("parties.register_parties", permission="parties.edit")
def register_parties(
    *, actor: Actor, key: str, on: date, rows: Sequence[Mapping[str, Any]], all_or_nothing: bool = True
) -> dict[str, Any]:
    """批量登记：成批读写，没有一行一查；按证件去重，逐行报告。

    ``all_or_nothing`` 为真时，有一行错就一行也不写，只返回报告；为假时写入没有毛病的行。
    """
    outcomes = add_parties(actor=actor, on=on, rows=rows, all_or_nothing=all_or_nothing)
    counts = {status: sum(item.status == status for item in outcomes) for status in ("NEW", "EXISTING", "ERROR")}
    return {
        "subject": "parties",
        "written": not (all_or_nothing and counts["ERROR"]),
        "counts": counts,
        "rows": [item.as_dict() for item in outcomes],
        "audit": counts,
    }


@operation("parties.amend_party", permission="parties.edit")
def amend_party(
    *,
    actor: Actor,
    key: str,
    on: date,
    party_id: int,
    changes: dict[str, Any],
    reason: str,
    source: str = FactSource.CLAIMED,
) -> dict[str, Any]:
    """变更客户资料：主档改成新值，前后值与理由记入信用档案。没有变化的栏目不记。

    :raises DomainError: 资料有毛病、没有理由、没有变化。
    :raises Conflict: 新证件已登记为另一位客户。
    """
    _reasoned(reason)
    fact_source = _source(source)
    party = _locked(actor, party_id)
    before = {field: getattr(party, field) for field in TITLES}
    prepared, errors = prepare({**before, **_identity_moves(changes, before), **changes}, on=on)
    if prepared is None:
        raise errors[0]
    after = prepared.values | {"institution_id": prepared.institution_id or party.institution_id}
    changed = [field for field in TITLES if after[field] != before[field]]
    if not changed:
        raise DomainError("NOTHING_CHANGED", "没有任何变化。", field="changes", fix="改动至少一栏再提交。")
    if "institution_id" in changed:
        require_institution(actor, after["institution_id"])
    _officers_exist([prepared])
    if after["identity_key"] != party.identity_key:
        _key_is_free(after["identity_key"], party)
    Party.objects.filter(pk=party.pk).update(
        identity_key=after["identity_key"], **{field: after[field] for field in changed}
    )
    if "name" in changed:
        PartyBigram.objects.filter(party_id=party.pk).delete()
        _index_names([(party.pk, after["name"])])
    moment = now()
    PartyFileEntry.objects.bulk_create(
        PartyFileEntry(
            party_id=party.pk,
            topic=AMENDED,
            content={"field": field, "before": _plain(before[field]), "after": _plain(after[field])},
            source=fact_source,
            note=reason.strip(),
            booked_on=on,
            recorded_at=moment,
            recorded_by_id=actor.person_id,
        )
        for field in changed
    )
    return {"subject": f"party:{party.pk}", "changed": changed, "audit": {"fields": changed}}


@operation("parties.add_contact", permission="parties.edit")
def add_contact(
    *,
    actor: Actor,
    key: str,
    on: date,
    party_id: int,
    channel: str,
    value: str,
    holder: str = "",
    replaces: int | None = None,
) -> dict[str, Any]:
    """添联系方式；``replaces`` 给出时，旧的自营业日起失效（写一条已填失效日的新记录）。

    :raises DomainError: 方式或内容不对。
    :raises NotFound: 客户或旧联系方式不存在。
    """
    if channel not in Channel.values or not value.strip():
        raise DomainError(
            "CONTACT_WRONG",
            "联系方式须选类别并填内容。",
            field="channel",
            value=channel,
            fix=f"可选：{'、'.join(Channel.labels)}。",
        )
    party = _locked(actor, party_id)
    if replaces is not None:
        _end(queries.standing(PartyContact.objects.filter(party=party, pk=replaces)), actor, on)
    row = PartyContact.objects.create(
        party=party,
        channel=channel,
        value=value.strip(),
        holder=holder.strip(),
        valid_from=on,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {"subject": f"party:{party.pk}", "contact_id": row.pk, "shown": mask_contact(channel, row.value)}


@operation("parties.add_relation", permission="parties.edit")
def add_relation(
    *, actor: Actor, key: str, on: date, party_id: int, other_id: int, kind: str, valid_from: date, note: str = ""
) -> dict[str, Any]:
    """添关系：``other`` 是 ``party`` 的什么人。同一对同一种关系在期的只有一条。

    :raises DomainError: 关系不对、与自己。
    :raises Conflict: 已有同样的关系。
    """
    if kind not in RelationKind.values:
        raise DomainError(
            "RELATION_UNKNOWN",
            f"不认识的关系「{kind}」。",
            field="kind",
            value=kind,
            fix=f"可选：{'、'.join(RelationKind.labels)}。",
        )
    if party_id == other_id:
        raise DomainError(
            "RELATION_TO_SELF", "不能与自己建立关系。", field="other_id", value=other_id, fix="选另一位客户。"
        )
    party = _locked(actor, party_id)
    # The other one may belong to another institution: a spouse is a spouse wherever he or she borrows.
    other = Party.objects.filter(pk=other_id).first()
    if other is None:
        raise NotFound(
            "PARTY_NOT_FOUND", f"没有编号为 {other_id} 的客户。", field="other_id", value=other_id, fix="先登记此人。"
        )
    same = queries.standing(PartyRelation.objects.filter(party=party, other=other, kind=kind))
    if same.filter(valid_to__isnull=True).exists():
        raise Conflict(
            "RELATION_EXISTS", "这条关系已在期。", field="kind", value=kind, fix="无需再添；要改先结束旧关系。"
        )
    row = PartyRelation.objects.create(
        party=party,
        other=other,
        kind=kind,
        note=note.strip(),
        valid_from=valid_from,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {"subject": f"party:{party.pk}", "relation_id": row.pk}


@operation("parties.end_relation", permission="parties.edit")
def end_relation(
    *, actor: Actor, key: str, on: date, party_id: int, relation_id: int, valid_to: date, reason: str
) -> dict[str, Any]:
    """结束关系：自 ``valid_to`` 起不再成立（不含当日之前）；旧记录不动，写一条新的。

    :raises DomainError: 没有理由，或失效日早于起效日。
    :raises NotFound: 没有在期的这条关系。
    """
    _reasoned(reason)
    party = _locked(actor, party_id)
    row = _end(queries.standing(PartyRelation.objects.filter(party=party, pk=relation_id)), actor, on, valid_to, reason)
    return {"subject": f"party:{party.pk}", "relation_id": row.pk}


@operation("parties.record_fact", permission="parties.edit")
def record_fact(
    *,
    actor: Actor,
    key: str,
    on: date,
    party_id: int,
    topic: str,
    content: dict[str, Any],
    source: str,
    note: str = "",
    corrects: int | None = None,
) -> dict[str, Any]:
    """记一件事实入信用档案：事项、内容、来源。更正是新条目，指向旧条目。

    :raises DomainError: 事项代码或来源不对。
    :raises NotFound: 客户不存在，或被更正的条目不是他的。
    """
    party = _locked(actor, party_id)
    (entry_id,) = append_facts(
        actor=actor,
        on=on,
        facts=[
            {
                "party_id": party.pk,
                "topic": topic,
                "content": content,
                "source": source,
                "note": note,
                "corrects": corrects,
            }
        ],
    )
    return {"subject": f"party:{party.pk}", "entry_id": entry_id}


@operation("parties.record_reveal", permission="parties.reveal")
def record_reveal(*, actor: Actor, key: str, on: date, party_id: int, fields: list[str], reason: str) -> dict[str, Any]:
    """记下一次查看明文：栏目与理由。返回里没有明文，明文不进幂等记录与审计。

    :raises DomainError: 没有理由或栏目不对。
    :raises NotFound: 客户不存在或不在范围。
    """
    _reasoned(reason)
    if not fields or (unknown := sorted(set(fields) - set(REVEALABLE))):
        wrong = "、".join(unknown) if fields else ""
        raise DomainError(
            "REVEAL_FIELD_WRONG",
            "须选要看的栏目。",
            field="fields",
            value=wrong or None,
            fix=f"可选：{'、'.join(REVEALABLE)}。",
        )
    party = queries.party_in_scope(actor, party_id)
    row = PartyReveal.objects.create(
        party=party,
        person_id=actor.person_id,
        fields=sorted(set(fields)),
        reason=reason.strip(),
        on_day=on,
        recorded_at=now(),
    )
    return {"subject": f"party:{party.pk}", "reveal_id": row.pk, "audit": {"fields": row.fields, "reveal_id": row.pk}}


@functools.wraps(record_reveal, updated=())
def reveal_party(*, actor: Actor, key: str, on: date, party_id: int, fields: list[str], reason: str) -> dict[str, Any]:
    """查看明文：先记下谁为什么看，再给明文。同一幂等键重复，记录只有一条，明文取当下的值。"""
    result = record_reveal(actor=actor, key=key, on=on, party_id=party_id, fields=fields, reason=reason)
    return result | {"clear": queries.clear_fields(party_id=party_id, fields=sorted(set(fields)), on=on)}


reveal_party.permission = "parties.reveal"  # type: ignore[attr-defined]  # read by the permission sweep test
reveal_party.operation_name = "parties.reveal_party"  # type: ignore[attr-defined]

CONFLICTS = {"IDENTITY_TAKEN", "DUPLICATE_IN_FILE"}


# 供其他操作在自己的事务里用 ------------------------------------------------------------------------------------


def add_parties(
    *, actor: Actor, on: date, rows: Sequence[Mapping[str, Any]], all_or_nothing: bool = False
) -> list[RowOutcome]:
    """登记一批客户（不带权限与幂等，供操作在自己的事务里用）：逐行给结果，次序与 ``rows`` 相同。"""
    checked, failures = _checked(actor, on, rows)
    existing = _existing(item.identity.key for item in checked.values())
    fresh = _first_of_each(checked, existing, failures)
    if all_or_nothing and failures:
        return [_outcome(index, checked, {}, existing, failures) for index in range(len(rows))]
    numbers = next_numbers(SEQUENCE, len(fresh))
    # Whoever registered the same person while we waited for the sequence row is visible now.
    raced = _existing(checked[index].identity.key for index in fresh)
    if raced:
        existing |= raced
        fresh = _first_of_each(checked, existing, failures)
        if all_or_nothing and failures:
            return [_outcome(index, checked, {}, existing, failures) for index in range(len(rows))]
    moment = now()
    created = Party.objects.bulk_create(
        (
            Party(
                number=f"C{number:010d}",
                institution_id=checked[index].institution_id,
                created_on=on,
                created_at=moment,
                **checked[index].values,
            )
            for index, number in zip(fresh, numbers, strict=False)
        ),
        batch_size=CHUNK,
    )
    _index_names([(party.pk, party.name) for party in created])
    new = dict(zip(fresh, created, strict=True))
    _meet_again(
        actor, on, [(item, existing[key]) for item in checked.values() if (key := item.identity.key) in existing]
    )
    by_key = existing | {party.identity_key: party for party in created if party.identity_key}
    return [_outcome(index, checked, new, by_key, failures) for index in range(len(rows))]


def append_facts(*, actor: Actor, on: date, facts: Iterable[Mapping[str, Any]]) -> list[int]:
    """追加一批信用档案条目，返回编号。栏目：party_id、topic、content、source、note、corrects。

    :raises DomainError: 事项代码或来源不对。
    :raises NotFound: 被更正的条目不属于该客户。
    """
    moment, entries = now(), []
    for fact in facts:
        topic, corrects = str(fact["topic"]), fact.get("corrects")
        if not _TOPIC.fullmatch(topic):
            raise DomainError(
                "TOPIC_WRONG",
                f"事项代码「{topic[:40]}」不合写法。",
                field="topic",
                value=topic[:40],
                fix="小写字母、数字、下划线，以点分级。",
            )
        if corrects is not None and not PartyFileEntry.objects.filter(pk=corrects, party_id=fact["party_id"]).exists():
            raise NotFound(
                "ENTRY_NOT_FOUND",
                "要更正的条目不在此客户的档案里。",
                field="corrects",
                value=corrects,
                fix="从该客户的档案选择。",
            )
        entries.append(
            PartyFileEntry(
                party_id=fact["party_id"],
                topic=topic,
                content=fact["content"],
                source=_source(fact["source"]),
                note=str(fact.get("note", "")).strip(),
                corrects_id=corrects,
                booked_on=on,
                recorded_at=moment,
                recorded_by_id=actor.person_id,
            )
        )
    return [entry.pk for entry in PartyFileEntry.objects.bulk_create(entries, batch_size=CHUNK)]


def _checked(
    actor: Actor, on: date, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, Prepared], dict[int, list[DomainError]]]:
    checked: dict[int, Prepared] = {}
    failures: dict[int, list[DomainError]] = {}
    for index, row in enumerate(rows):
        given = row if row.get("institution_id") else {**row, "institution_id": actor.institution_id}
        prepared, errors = prepare(given, on=on)
        if prepared is None:
            failures[index] = errors
        else:
            checked[index] = prepared
    institutions = institutions_by_id({item.institution_id for item in checked.values() if item.institution_id})
    officers = _officers_known(checked.values())
    for index, item in list(checked.items()):
        wrong = _outside(actor, item, institutions, officers)
        if wrong:
            failures[index] = wrong
            del checked[index]
    return checked, failures


def _outside(
    actor: Actor, item: Prepared, institutions: dict[int, InstitutionInfo], officers: set[int]
) -> list[DomainError]:
    wrong = []
    institution = institutions.get(item.institution_id or 0)
    if institution is None or not actor.covers(institution.path):
        wrong.append(
            DomainError(
                "INSTITUTION_NOT_FOUND",
                "没有这个机构，或不在您的管辖范围内。",
                field="institution_id",
                value=item.institution_id,
                fix="请从机构列表中选择。",
            )
        )
    officer = item.values["officer_id"]
    if officer is not None and officer not in officers:
        wrong.append(_officer_missing(officer))
    return wrong


def _first_of_each(
    checked: dict[int, Prepared], existing: Mapping[str, Party], failures: dict[int, list[DomainError]]
) -> list[int]:
    """要新建的行：同一证件只取第一行；同证件不同名的后一行算错。"""
    fresh: list[int] = []
    names: dict[str, tuple[str, int | None]] = {key: (party.name, None) for key, party in existing.items()}
    for index, item in sorted(checked.items()):
        key = item.identity.key
        if key is None:
            fresh.append(index)
        elif key not in names:
            names[key] = (item.values["name"], index)
            fresh.append(index)
        elif names[key][0] != item.values["name"]:
            failures[index] = [_taken(item, names[key][1])]
            del checked[index]
    return fresh


def _as_one(errors: Sequence[Mapping[str, Any]]) -> DomainError:
    """多处毛病合成一个错误：栏目与补救取第一处，话说全。"""
    first = errors[0]
    kind = Conflict if first["code"] in CONFLICTS else DomainError
    return kind(
        first["code"],
        "".join(error["message"] for error in errors),
        field=first.get("field"),
        value=first.get("value"),
        clause=first.get("clause"),
        fix=first.get("fix"),
    )


def _taken(item: Prepared, first_row: int | None) -> Conflict:
    masked = mask_id_number(item.identity.number)
    if first_row is None:
        return Conflict(
            "IDENTITY_TAKEN",
            f"证件 {masked} 已登记为另一个名字的客户。",
            field="id_number",
            value=masked,
            fix="核对姓名与证件；若客户改了名，请用「变更资料」并附证明。",
        )
    return Conflict(
        "DUPLICATE_IN_FILE",
        f"证件 {masked} 在本批第 {first_row + 1} 行已用于另一个名字。",
        field="id_number",
        value=masked,
        fix="核对两行的姓名与证件，改正其一。",
    )


def _outcome(
    index: int,
    checked: Mapping[int, Prepared],
    new: Mapping[int, Party],
    by_key: Mapping[str, Party],
    failures: Mapping[int, list[DomainError]],
) -> RowOutcome:
    if index in failures:
        return RowOutcome(index + 1, "ERROR", None, None, tuple(error.as_dict() for error in failures[index]))
    if index in new:
        return RowOutcome(index + 1, "NEW", new[index].pk, new[index].number)
    key = checked[index].identity.key
    if key is None or key not in by_key:  # nothing was written because another row is wrong
        return RowOutcome(index + 1, "NEW", None, None)
    return RowOutcome(index + 1, "EXISTING", by_key[key].pk, by_key[key].number)


def _existing(keys: Iterable[str | None]) -> dict[str, Party]:
    wanted = sorted({key for key in keys if key})
    found: dict[str, Party] = {}
    for start in range(0, len(wanted), CHUNK):
        for party in Party.objects.filter(identity_key__in=wanted[start : start + CHUNK]):
            found[str(party.identity_key)] = party
    return found


def _meet_again(actor: Actor, on: date, met: Sequence[tuple[Prepared, Party]]) -> None:
    """已有档的人再来登记：记下往来机构；电话、地址等与主档不同的，作为自述入档，主档不动。"""
    PartyPresence.objects.bulk_create(
        (
            PartyPresence(party=party, institution_id=item.institution_id, since=on)
            for item, party in met
            if item.institution_id != party.institution_id
        ),
        batch_size=CHUNK,
        ignore_conflicts=True,
    )
    append_facts(
        actor=actor,
        on=on,
        facts=[
            {
                "party_id": party.pk,
                "topic": CLAIMED_AT_IMPORT,
                "content": {"field": field, "claimed": item.values[field]},
                "source": FactSource.CLAIMED,
                "note": "再次登记时所填与主档不同",
            }
            for item, party in met
            for field in ("phone", "address", "occupation")
            if item.values[field] and item.values[field] != getattr(party, field)
        ],
    )


def _index_names(names: Sequence[tuple[int, str]]) -> None:
    PartyBigram.objects.bulk_create(
        (PartyBigram(party_id=party_id, gram=gram) for party_id, name in names for gram in queries.name_grams(name)),
        batch_size=CHUNK * 4,
    )


def _locked(actor: Actor, party_id: int) -> Party:
    queries.party_in_scope(actor, party_id)
    return Party.objects.select_for_update().get(pk=party_id)


def _end(rows: Any, actor: Actor, on: date, valid_to: date | None = None, reason: str = "") -> Any:
    row = rows.filter(valid_to__isnull=True).first()
    if row is None:
        raise NotFound("RECORD_NOT_FOUND", "没有这条在期的记录。", fix="刷新后从列表选择。")
    until = valid_to or on
    if until < row.valid_from:
        raise DomainError(
            "VALID_TO_TOO_EARLY",
            f"失效日 {until} 早于起效日 {row.valid_from}。",
            field="valid_to",
            value=until,
            fix="改为起效日或以后。",
        )
    old = row.pk
    row.pk, row._state.adding = None, True
    row.supersedes_id, row.seq, row.valid_to = old, row.seq + 1, until
    row.booked_on, row.recorded_at, row.recorded_by_id = on, now(), actor.person_id
    if reason and hasattr(row, "note"):
        row.note = reason.strip()
    row.save(force_insert=True)
    return row


def _identity_moves(changes: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """换了证件号码，生日与性别就不再沿用旧的，由新号码得出（得不出才保留）。"""
    if "id_number" not in changes or changes["id_number"] == before["id_number"]:
        return {}
    return {"birth": None, "gender": ""}


def _key_is_free(key: str | None, party: Party) -> None:
    if key and Party.objects.filter(identity_key=key).exclude(pk=party.pk).exists():
        raise Conflict(
            "IDENTITY_TAKEN",
            "这个证件号码已登记为另一位客户。",
            field="id_number",
            fix="核对证件；确属一人两档的，报管理员并档。",
        )


def _officers_known(items: Iterable[Prepared]) -> set[int]:
    wanted = {item.values["officer_id"] for item in items} - {None}
    return set(names_of(wanted)) if wanted else set()


def _officers_exist(items: Sequence[Prepared]) -> None:
    known = _officers_known(items)
    for item in items:
        officer = item.values["officer_id"]
        if officer is not None and officer not in known:
            raise _officer_missing(officer)


def _officer_missing(officer: int) -> DomainError:
    return DomainError(
        "OFFICER_NOT_FOUND",
        f"没有编号为 {officer} 的人员。",
        field="officer_id",
        value=officer,
        fix="从人员列表选择管户经理。",
    )


def _reasoned(reason: str) -> None:
    if len(reason.strip()) < SHORTEST_REASON:
        raise DomainError(
            "REASON_MISSING",
            f"须写明理由（至少 {SHORTEST_REASON} 个字）。",
            field="reason",
            fix="写清为什么，如「核实贷款申请」。",
        )


def _source(source: Any) -> str:
    if source not in FactSource.values:
        raise DomainError(
            "SOURCE_UNKNOWN",
            f"不认识的事实来源「{source}」。",
            field="source",
            value=source,
            fix=f"可选：{'、'.join(FactSource.labels)}。",
        )
    return str(source)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
