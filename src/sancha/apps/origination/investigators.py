"""谁能调查本案：上门单人受理的不得任主调；停权、无证、回避的由登记的守卫来说。"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date

from sancha.apps.access.queries import PersonInfo, holders_of
from sancha.apps.origination.models import Application

INVESTIGATOR_POST = "LOAN_OFFICER"


@dataclass(frozen=True, slots=True)
class Bar:
    """不得任职的原因与依据。"""

    code: str
    reason: str
    clause: str


Guard = Callable[[Application, Collection[int], date], dict[int, Bar]]
_guards: list[Guard] = []


def register_guard(guard: Guard) -> None:
    """登记一道守卫：``guard(application, person_ids, on)`` 给出不得调查的人与原因。重复登记无妨。"""
    if guard not in _guards:
        _guards.append(guard)


def bars(application: Application, person_ids: Collection[int], *, on: date, lead: bool) -> dict[int, Bar]:
    """这些人里不得任主调（``lead``）或辅调的，各写一个原因。"""
    found: dict[int, Bar] = {}
    if lead and application.received_alone and application.received_by_id in person_ids:
        found[application.received_by_id] = Bar(
            "RECEIVED_ALONE", "上门单人受理了本案，不得任主调", "PSBC-2014-ASSIGNMENT"
        )
    for guard in _guards:
        for person_id, bar in guard(application, person_ids, on).items():
            found.setdefault(person_id, bar)
    return found


def offered(application: Application, *, on: date, lead: bool) -> list[tuple[PersonInfo, Bar | None]]:
    """可选的调查人与不可选的原因：有原因的列出而不可选，为什么一看便知（APP-6）。"""
    people = holders_of(INVESTIGATOR_POST, institution_id=application.institution_id, on=on)
    barred = bars(application, [person.id for person in people], on=on, lead=lead)
    return [(person, barred.get(person.id)) for person in people]
