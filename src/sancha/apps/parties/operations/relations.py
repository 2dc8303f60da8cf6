"""联系方式与关系：只追加，结束也是新记录。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.parties import queries
from sancha.apps.parties.masking import mask_contact
from sancha.apps.parties.models import ContactChannel, Party, PartyContact, PartyRelation, RelationKind
from sancha.apps.parties.operations.checks import locked_party, require_reason
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.dated import standing
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation

LINEAGE = {RelationKind.PARENT, RelationKind.CHILD}


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
    if channel not in ContactChannel.values or not value.strip():
        raise DomainError(
            "CONTACT_WRONG",
            "联系方式须选类别并填内容。",
            field="channel",
            value=channel,
            fix=f"可选：{'、'.join(ContactChannel.labels)}。",
        )
    party = locked_party(actor, party_id)
    if replaces is not None:
        end_record(standing(PartyContact.objects.filter(party=party, pk=replaces)), actor, on)
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

    :raises DomainError: 关系不对、与自己、父母子女成了环。
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
    # Both, the lower number first: two clerks writing the two halves of a circle at once would each see none.
    list(Party.objects.select_for_update().filter(pk__in=[party_id, other_id]).order_by("pk"))
    party = locked_party(actor, party_id)
    # The other one may belong to another institution: a spouse is a spouse wherever he or she borrows.
    other = Party.objects.filter(pk=other_id).first()
    if other is None:
        raise NotFound(
            "PARTY_NOT_FOUND", f"没有编号为 {other_id} 的客户。", field="other_id", value=other_id, fix="先登记此人。"
        )
    if kind in LINEAGE:
        _no_circle(party, other, kind, valid_from)
    same = standing(PartyRelation.objects.filter(party=party, other=other, kind=kind))
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
    require_reason(reason)
    party = locked_party(actor, party_id)
    row = end_record(standing(PartyRelation.objects.filter(party=party, pk=relation_id)), actor, on, valid_to, reason)
    return {"subject": f"party:{party.pk}", "relation_id": row.pk}


def _no_circle(party: Party, other: Party, kind: str, on: date) -> None:
    """没有人是自己的祖辈。"""
    child, parent = (party.pk, other.pk) if kind == RelationKind.PARENT else (other.pk, party.pk)
    if child in queries.ancestor_ids(parent, on=on):
        raise DomainError(
            "PARENTS_IN_CIRCLE",
            f"客户 {other.number} 与 {party.number} 的父母子女关系成了环：一个人成了自己的祖辈。",
            field="other_id",
            value=other.pk,
            fix="核对谁是父母、谁是子女；录反了的先结束旧关系。",
        )


def end_record(rows: Any, actor: Actor, on: date, valid_to: date | None = None, reason: str = "") -> Any:
    """写一条 ``valid_to`` 已填的新记录，盖过在期的那条；旧记录一个字不动。"""
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
