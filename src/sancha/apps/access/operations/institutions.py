"""设立、划转、撤销机构。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Value
from django.db.models.functions import Concat, Substr

from sancha.apps.access.models import PARENT_KINDS, ROOT_KINDS, Institution, InstitutionKind, Placement
from sancha.apps.access.obstacles import obstacles_to_closing, obstacles_to_moving, take_opening_steps
from sancha.apps.access.operations.managed import managed_institution, require_open, required_text
from sancha.apps.access.queries import EVERYWHERE
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import operation


@operation("access.open_institution", permission="access.manage")
def open_institution(
    *,
    actor: Actor,
    key: str,
    on: date,
    code: str,
    name: str,
    kind: str,
    parent_id: int | None = None,
    address: str = "",
    phone: str = "",
) -> dict[str, Any]:
    """设立机构（ORG-1）。没有上级的机构自成一棵树，只有系统初始化能设。

    :raises DomainError: 机构号重复、类别不认识、上级类别不对。
    """
    code = required_text("code", "机构号", code, 20)
    name = required_text("name", "机构名称", name, 80)
    if kind not in InstitutionKind.values:
        raise DomainError(
            "INSTITUTION_KIND_UNKNOWN",
            f"不认识的机构类别「{kind}」。",
            field="kind",
            value=kind,
            clause="ORG-1",
            fix="可选：" + "、".join(f"{label}（{value}）" for value, label in InstitutionKind.choices) + "。",
        )
    if Institution.objects.filter(code=code).exists():
        raise Conflict(
            "INSTITUTION_CODE_TAKEN", f"机构号「{code}」已被使用。", field="code", value=code, fix="请换一个机构号。"
        )
    parent = _placeable_under(actor, kind, parent_id)
    row = Institution.objects.create(
        code=code, name=name, kind=kind, parent=parent, path="", address=address, phone=phone, opened_on=on
    )
    row.path = f"{parent.path if parent else EVERYWHERE}{row.pk}/"
    row.save(update_fields=["path"])
    _append_placement(actor, row, parent, on)
    take_opening_steps(institution_id=row.pk, parent_id=parent_id)
    return {"subject": f"institution:{row.pk}", "institution_id": row.pk, "path": row.path}


@operation("access.edit_institution", permission="access.manage")
def edit_institution(
    *, actor: Actor, key: str, on: date, institution_id: int, name: str, address: str = "", phone: str = ""
) -> dict[str, Any]:
    """改名，或改地址、电话。机构号与类别不改：借据号、凭证号里都有它。改前改后的名称记在审计里。

    :raises Conflict: 没有变化，或机构已撤销。
    """
    row = managed_institution(actor, institution_id, lock=True)
    require_open(row)
    after = {
        "name": required_text("name", "机构名称", name, 80),
        "address": address.strip(),
        "phone": phone.strip(),
    }
    before = {field: getattr(row, field) for field in after}
    changed = [field for field in after if after[field] != before[field]]
    if not changed:
        raise Conflict("NOTHING_CHANGED", "没有任何变化。", field="name", fix="改动至少一栏再提交。")
    for field in changed:
        setattr(row, field, after[field])
    row.save(update_fields=changed)
    return {
        "subject": f"institution:{row.pk}",
        "institution_id": row.pk,
        "changed": changed,
        "audit": {field: [before[field], after[field]] for field in changed},
    }


@operation("access.move_institution", permission="access.manage")
def move_institution(*, actor: Actor, key: str, on: date, institution_id: int, parent_id: int | None) -> dict[str, Any]:
    """划转机构：自 ``on`` 起改由新上级管辖，整棵子树的数据范围随之改变；历史隶属保留。

    :raises DomainError: 新上级就在自己之下，或类别不允许。
    """
    row = managed_institution(actor, institution_id, lock=True)
    parent = _placeable_under(actor, row.kind, parent_id)
    if parent is not None and parent.path.startswith(row.path):
        raise DomainError(
            "INSTITUTION_CYCLE",
            f"「{parent.name}」就在「{row.name}」之下，不能作其上级。",
            field="parent_id",
            value=parent_id,
            clause="ORG-1",
            fix="请选择不在本机构之下的上级。",
        )
    if row.parent_id == (parent.pk if parent else None):
        raise Conflict(
            "INSTITUTION_ALREADY_THERE",
            f"「{row.name}」已由该上级管辖。",
            field="parent_id",
            value=parent_id,
            fix="无需划转。",
        )
    if reasons := obstacles_to_moving(institution_id=row.pk, parent_id=parent_id):
        raise Conflict(
            "INSTITUTION_CANNOT_MOVE",
            f"「{row.name}」不能划转：{'；'.join(reasons)}。",
            field="parent_id",
            value=parent_id,
            clause="ORG-1",
            fix="请选择同一法人之下的上级。",
        )
    old_path, new_path = row.path, f"{parent.path if parent else EVERYWHERE}{row.pk}/"
    moved = Institution.objects.filter(path__startswith=old_path).update(
        path=Concat(Value(new_path), Substr("path", len(old_path) + 1))
    )
    Institution.objects.filter(pk=row.pk).update(parent=parent)
    _append_placement(actor, row, parent, on)
    return {
        "subject": f"institution:{row.pk}",
        "institution_id": row.pk,
        "path": new_path,
        "moved": moved,
        "audit": {"from": old_path, "to": new_path},
    }


@operation("access.close_institution", permission="access.manage")
def close_institution(*, actor: Actor, key: str, on: date, institution_id: int) -> dict[str, Any]:
    """撤销机构。还有在营下级、在任人员或未了业务时拒绝并列明。"""
    row = managed_institution(actor, institution_id, lock=True)
    require_open(row)
    reasons = [item.text for item in obstacles_to_closing(institution_id=row.pk, on=on)]
    if reasons:
        raise Conflict(
            "INSTITUTION_IN_USE",
            f"「{row.name}」不能撤销：{'；'.join(reasons)}。",
            field="institution_id",
            value=institution_id,
            clause="ORG-1",
            fix="请先划转或了结上列事项。",
        )
    Institution.objects.filter(pk=row.pk).update(is_open=False, closed_on=on)
    return {"subject": f"institution:{row.pk}", "institution_id": row.pk, "closed_on": on.isoformat()}


def _placeable_under(actor: Actor, kind: str, parent_id: int | None) -> Institution | None:
    """上级机构；核对类别允许、在操作人范围内、在营。"""
    label = InstitutionKind(kind).label
    if parent_id is None:
        if actor.institution_path != EVERYWHERE or InstitutionKind(kind) not in ROOT_KINDS:
            raise NotPermitted(
                "INSTITUTION_NEEDS_PARENT",
                f"{label}必须有上级机构。",
                field="parent_id",
                clause="ORG-1",
                fix="请选择上级机构；独立成树的机构只在系统初始化时设立。",
            )
        return None
    parent = managed_institution(actor, parent_id)
    require_open(parent)
    allowed = PARENT_KINDS[kind]
    if InstitutionKind(parent.kind) not in allowed:
        names = "、".join(str(item.label) for item in InstitutionKind if item in allowed) or "（无，只能独立设立）"
        raise DomainError(
            "INSTITUTION_PARENT_KIND",
            f"{label}不能设在{InstitutionKind(parent.kind).label}「{parent.name}」之下。",
            field="parent_id",
            value=parent_id,
            clause="ORG-1",
            fix=f"{label}的上级可以是：{names}。",
        )
    return parent


def _append_placement(actor: Actor, row: Institution, parent: Institution | None, on: date) -> None:
    last = Placement.objects.filter(institution=row).order_by("-seq").first()
    if last is not None and on < last.valid_from:
        raise DomainError(
            "PLACEMENT_OUT_OF_ORDER",
            f"划转日 {on.isoformat()} 早于上一次隶属变更日 {last.valid_from.isoformat()}。",
            field="on",
            value=on,
            fix="请使用上一次变更日或以后的日期。",
        )
    Placement.objects.create(
        institution=row,
        parent=parent,
        valid_from=on,
        seq=last.seq + 1 if last else 1,
        supersedes=last,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
