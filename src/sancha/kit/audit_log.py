"""查审计：按人、操作、对象、日期翻看。写在 ``kit.operation``，封存与核对在 ``kit.audit``。"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from sancha.kit.models import AuditEvent
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class EventFilter:
    """审计的筛选条件；空为不限。``institution_ids`` 是数据范围，空为全部；没有机构的（系统）在 ``with_system`` 时也在其中。"""

    person_id: int | None = None
    operation: str = ""
    subject: str = ""
    first: date | None = None
    last: date | None = None
    institution_ids: tuple[int, ...] | None = None
    with_system: bool = True


@dataclass(frozen=True, slots=True)
class EventRow:
    """一条审计事件。``seal_no`` 空为尚未封存。"""

    id: int
    at: datetime
    person_id: int | None
    post_code: str
    institution_id: int | None
    operation: str
    subject: str
    on_day: date | None
    data: dict[str, Any]
    digest: str
    seal_no: int | None
    seal: str


def events(where: EventFilter, *, page: int = 1, size: int = 50) -> Page[EventRow]:
    """审计事件，新的在前；两条 SQL。"""
    return paginate(_found(where).order_by("-id"), page=page, size=size, to_row=_row)


def all_events(where: EventFilter) -> Iterator[EventRow]:
    """导出用：旧的在前，逐条产生。"""
    for row in _found(where).order_by("id").iterator(chunk_size=2000):
        yield _row(row)


def _found(where: EventFilter) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.all()
    if where.person_id is not None:
        rows = rows.filter(person_id=where.person_id)
    if where.operation:
        rows = rows.filter(operation=where.operation)
    if where.subject:
        rows = rows.filter(subject=where.subject)
    if where.first:
        rows = rows.filter(at__gte=_midnight(where.first))
    if where.last:
        rows = rows.filter(at__lt=_midnight(where.last + timedelta(days=1)))
    if where.institution_ids is not None:
        own = Q(institution_id__in=where.institution_ids)
        rows = rows.filter(own | Q(institution_id=None) if where.with_system else own)
    return rows


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _row(row: AuditEvent) -> EventRow:
    return EventRow(
        id=row.pk, at=row.at, person_id=row.person_id, post_code=row.post_code, institution_id=row.institution_id,
        operation=row.operation, subject=row.subject, on_day=row.on_day, data=row.data, digest=row.digest,
        seal_no=row.seal_no, seal=row.seal,
    )  # fmt: skip
