"""变更客户资料：前后值都留在信用档案里。"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.parties.intake import TITLES, Prepared, prepare
from sancha.apps.parties.models import FactSource, Party, PartyBigram, PartyFileEntry
from sancha.apps.parties.operations.checks import (
    index_names,
    known_source,
    locked_party,
    officer_missing,
    officers_known,
    require_reason,
)
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation

AMENDED = "party.amended"


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
    require_reason(reason)
    fact_source = known_source(source)
    party = locked_party(actor, party_id)
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
        index_names([(party.pk, after["name"])])
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


def _officers_exist(items: Sequence[Prepared]) -> None:
    known = officers_known(items)
    for item in items:
        officer = item.values["officer_id"]
        if officer is not None and officer not in known:
            raise officer_missing(officer)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
