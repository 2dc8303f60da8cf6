"""谁能调查本案：上门单人受理的不得任主调；停了权的、没有有效证书的不得任职（ORG-3、ORG-4、ORG-6）。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sancha.apps.access.queries import PersonInfo, holders_of
from sancha.apps.authority.queries import bars_on_investigating
from sancha.apps.origination.models import Application

INVESTIGATOR_POST = "LOAN_OFFICER"


@dataclass(frozen=True, slots=True)
class Bar:
    """不得任职的原因与依据。"""

    code: str
    reason: str
    clause: str


def bars(application: Application, person_ids: Collection[int], *, on: date, lead: bool) -> dict[int, Bar]:
    """这些人里不得任主调（``lead``）或辅调的，各写一个原因。"""
    found: dict[int, Bar] = {}
    if lead and application.received_alone and application.received_by_id in person_ids:
        found[application.received_by_id] = Bar(
            "RECEIVED_ALONE", "上门单人受理了本案，不得任主调", "PSBC-2014-ASSIGNMENT"
        )
    for person_id, bar in bars_on_investigating(person_ids, on=on).items():
        found.setdefault(person_id, Bar(bar.code, bar.reason, bar.clause))
    return found


def offered(application: Application, *, on: date, lead: bool) -> list[tuple[PersonInfo, Bar | None]]:
    """可选的调查人与不可选的原因：有原因的列出而不可选，为什么一看便知（APP-6）。"""
    people = holders_of(INVESTIGATOR_POST, institution_id=application.institution_id, on=on)
    barred = bars(application, [person.id for person in people], on=on, lead=lead)
    return [(person, barred.get(person.id)) for person in people]
