"""信用档案：一件事实一条，只增不改。"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sancha.apps.parties.models import PartyFileEntry
from sancha.apps.parties.operations.checks import CHUNK, known_source, locked_party
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError, NotFound
from sancha.kit.operation import operation

_TOPIC = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


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
    party = locked_party(actor, party_id)
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
                source=known_source(fact["source"]),
                note=str(fact.get("note", "")).strip(),
                corrects_id=corrects,
                booked_on=on,
                recorded_at=moment,
                recorded_by_id=actor.person_id,
            )
        )
    return [entry.pk for entry in PartyFileEntry.objects.bulk_create(entries, batch_size=CHUNK)]
