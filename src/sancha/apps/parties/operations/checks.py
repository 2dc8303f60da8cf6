"""客户写入各处共用的核对与姓名索引。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sancha.apps.access.queries import names_of
from sancha.apps.parties import queries
from sancha.apps.parties.intake import Prepared
from sancha.apps.parties.models import FactSource, Party, PartyBigram
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError

CHUNK = 500

SHORTEST_REASON = 4


def index_names(names: Sequence[tuple[int, str]]) -> None:
    """建姓名的二元切分索引。"""
    PartyBigram.objects.bulk_create(
        (PartyBigram(party_id=party_id, gram=gram) for party_id, name in names for gram in queries.name_grams(name)),
        batch_size=CHUNK * 4,
    )


def locked_party(actor: Actor, party_id: int) -> Party:
    """上锁取范围内的客户。"""
    found = queries.live_party(actor, party_id)
    return Party.objects.select_for_update().get(pk=found.pk)


def officers_known(items: Iterable[Prepared]) -> set[int]:
    """这些行里写的管户经理，哪些确有其人。"""
    wanted = {item.values["officer_id"] for item in items} - {None}
    return set(names_of(wanted)) if wanted else set()


def officer_missing(officer: int) -> DomainError:
    """没有此管户经理的错误。"""
    return DomainError(
        "OFFICER_NOT_FOUND",
        f"没有编号为 {officer} 的人员。",
        field="officer_id",
        value=officer,
        fix="从人员列表选择管户经理。",
    )


def require_reason(reason: str) -> None:
    """须写明理由。"""
    if len(reason.strip()) < SHORTEST_REASON:
        raise DomainError(
            "REASON_MISSING",
            f"须写明理由（至少 {SHORTEST_REASON} 个字）。",
            field="reason",
            fix="写清为什么，如「核实贷款申请」。",
        )


def known_source(source: Any) -> str:
    """事实来源的代码。"""
    if source not in FactSource.values:
        raise DomainError(
            "SOURCE_UNKNOWN",
            f"不认识的事实来源「{source}」。",
            field="source",
            value=source,
            fix=f"可选：{'、'.join(FactSource.labels)}。",
        )
    return str(source)
