"""岗位上的人：某日哪些席位有人坐、在哪个机构。审批授权与信贷员名册用。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from sancha.apps.access.models import Institution, PostHolding
from sancha.apps.access.queries import EVERYWHERE, in_scope, standing_holdings
from sancha.kit.actor import Actor
from sancha.kit.dated import valid_on


@dataclass(frozen=True, slots=True)
class SeatInfo:
    """一席：谁、在哪个机构、任什么岗。"""

    person_id: int
    name: str
    post_code: str
    institution_id: int
    institution_name: str
    institution_path: str


def seats_on_line(posts: Collection[str], *, institution_id: int, on: date) -> list[SeatInfo]:
    """某日在该机构或其上级任这些岗位的人。两条语句。"""
    path = Institution.objects.filter(pk=institution_id).values_list("path", flat=True).first() or EVERYWHERE
    line = [int(part) for part in path.split("/") if part]
    return _seats(standing_holdings().filter(institution_id__in=line), posts, on)


def seats_in_scope(actor: Actor, posts: Collection[str], *, on: date) -> list[SeatInfo]:
    """某日范围内任这些岗位的人。一条语句。"""
    return _seats(standing_holdings().filter(in_scope(actor)), posts, on)


def _seats(rows: QuerySet[PostHolding], posts: Collection[str], on: date) -> list[SeatInfo]:
    found = rows.filter(valid_on(on), post_code__in=posts, person__is_active=True, institution__is_open=True)
    return [
        SeatInfo(
            person_id=row.person_id,
            name=row.person.name,
            post_code=row.post_code,
            institution_id=row.institution_id,
            institution_name=row.institution.name,
            institution_path=row.institution.path,
        )
        for row in found.select_related("person", "institution").order_by("person__name", "pk")
    ]
