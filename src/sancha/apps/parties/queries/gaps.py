"""信息缺口（CUS-15）：信用档案里哪些事只凭本人自述，没有人看过、核过，也没有第三方说过。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sancha.apps.parties.models import FactSource, PartyFileEntry
from sancha.apps.parties.queries.looking import family_ids

# What the system itself writes when the master record changes is no fact about his means or character.
OWN_TOPICS = "party."


@dataclass(frozen=True, slots=True)
class InformationGap:
    """缺口：一共几件事，其中只凭自述的是哪几件（事项代码）。"""

    topics: int
    claimed_only: tuple[str, ...]


def information_gap(party_id: int, *, on: date) -> InformationGap:
    """某日所知的缺口。被更正的条目不算：更正成自述的，就又成了缺口。一件事有一条不是自述的，就不是缺口。"""
    rows = PartyFileEntry.objects.filter(party_id__in=family_ids(party_id), booked_on__lte=on)
    entries = list(rows.exclude(topic__startswith=OWN_TOPICS).values_list("pk", "topic", "source", "corrects_id"))
    corrected = {corrects for _, _, _, corrects in entries}
    sources: dict[str, set[str]] = {}
    for pk, topic, source, _ in entries:
        if pk not in corrected:
            sources.setdefault(topic, set()).add(source)
    claimed = sorted(topic for topic, known in sources.items() if known == {FactSource.CLAIMED})
    return InformationGap(topics=len(sources), claimed_only=tuple(claimed))
