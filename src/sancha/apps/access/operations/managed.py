"""取范围内、可维护的机构与人员；写入各处共用的核对。"""

from __future__ import annotations

from sancha.apps.access.models import Institution, Person
from sancha.apps.access.queries import in_scope
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound


def managed_institution(actor: Actor, institution_id: int, *, lock: bool = False) -> Institution:
    """范围内的机构；``lock`` 上锁。"""
    rows = Institution.objects.select_for_update() if lock else Institution.objects.all()
    row = rows.filter(in_scope(actor, ""), pk=institution_id).first()
    if row is None:
        raise NotFound(
            "INSTITUTION_NOT_FOUND",
            f"没有编号为 {institution_id} 的机构，或不在您的管辖范围内。",
            field="institution_id",
            value=institution_id,
            fix="请从机构列表中选择。",
        )
    return row


def require_open(row: Institution) -> None:
    """机构须在营。"""
    if not row.is_open:
        raise Conflict(
            "INSTITUTION_CLOSED",
            f"「{row.name}」已撤销。",
            field="institution_id",
            value=row.pk,
            fix="请选择在营机构。",
        )


def managed_person(actor: Actor, person_id: int) -> Person:
    """范围内的人员，上锁：同一人的授予与结束任职依次进行。"""
    row = Person.objects.select_for_update(of=("self",)).filter(in_scope(actor), pk=person_id).first()
    if row is None:
        raise NotFound(
            "PERSON_NOT_FOUND",
            f"没有编号为 {person_id} 的人员，或不在您的管辖范围内。",
            field="person_id",
            value=person_id,
            fix="请从人员列表中选择。",
        )
    return row


def required_text(field: str, label: str, value: str, longest: int) -> str:
    """必填文字：去首尾空白，限长。"""
    value = value.strip()
    if not value or len(value) > longest:
        raise DomainError(
            "TEXT_INVALID",
            f"{label}{'不能为空' if not value else f'过长（{len(value)} 字）'}。",
            field=field,
            value=value,
            fix=f"请填 1–{longest} 个字。",
        )
    return value
