"""经手与职责分离：同一案里谁尽过什么职责。"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

from sancha.apps.access import queries as access
from sancha.apps.work.kinds import duty_name
from sancha.apps.work.models import Involvement
from sancha.kit.clock import now
from sancha.kit.errors import NotPermitted


def record_involvement(*, root_type: str, root_id: int, person_id: int, duty: str, on: date) -> None:
    """记录某人在一案里尽了某项职责；重复记录无妨。"""
    row = Involvement(root_type=root_type, root_id=root_id, person_id=person_id, duty=duty, on_day=on, at=now())
    Involvement.objects.bulk_create([row], ignore_conflicts=True)


def record_involvements(*, rows: Iterable[tuple[str, int, int, str]], on: date) -> int:
    """成批记录经手：``(root_type, root_id, person_id, duty)``。导入与日终用，重复的略过。"""
    at = now()
    listed = [
        Involvement(root_type=root_type, root_id=root_id, person_id=person_id, duty=duty, on_day=on, at=at)
        for root_type, root_id, person_id, duty in rows
    ]
    Involvement.objects.bulk_create(listed, ignore_conflicts=True, batch_size=1000)
    return len(listed)


def check_separation(
    *,
    root_type: str,
    root_id: int,
    person_id: int,
    duty: str,
    forbidden: Collection[str],
    rule: str,
    clause: str = "ORG-3",
) -> None:
    """职责分离：在同一案里担过 ``forbidden`` 中任何一项的人，不得再担 ``duty``（ORG-3）。

    :raises NotPermitted: 写明是哪条规则、他担过什么。
    """
    if not forbidden:
        return
    served = Involvement.objects.filter(
        root_type=root_type, root_id=root_id, person_id=person_id, duty__in=list(forbidden)
    )
    duties = list(served.order_by("duty").values_list("duty", flat=True))
    if duties:
        name = access.names_of([person_id]).get(person_id, "")
        raise NotPermitted(
            "SEPARATION_OF_DUTIES",
            f"「{name}」在本案已任{'、'.join(duty_name(code) for code in duties)}，不得再任{duty_name(duty)}：{rule}。",
            field="actor",
            value=person_id,
            clause=clause,
            fix="请由没有经手过本案的人员办理。",
        )
