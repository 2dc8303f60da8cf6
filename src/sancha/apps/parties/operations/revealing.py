"""查看明文：先留痕，再给看。"""

from __future__ import annotations

import functools
from datetime import date
from typing import Any

from sancha.apps.parties import queries
from sancha.apps.parties.models import PartyReveal
from sancha.apps.parties.operations.checks import require_reason
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation, titled

REVEALABLE = ("id_number", "birth", "phone", "address", "contacts")


@operation("parties.record_reveal", permission="parties.reveal")
def record_reveal(*, actor: Actor, key: str, on: date, party_id: int, fields: list[str], reason: str) -> dict[str, Any]:
    """记下一次查看明文：栏目与理由。返回里没有明文，明文不进幂等记录与审计。

    :raises DomainError: 没有理由或栏目不对。
    :raises NotFound: 客户不存在或不在范围。
    """
    require_reason(reason)
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


titled(reveal_party, name="parties.reveal_party", permission="parties.reveal")
