"""自存版式。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing.layout import built_in, read_layout
from sancha.apps.servicing.models import (
    ImportLayout,
)
from sancha.apps.servicing.operations.importing.batches import PERMISSION, batch_of
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotFound
from sancha.kit.operation import operation


@operation("servicing.save_import_layout", permission=PERMISSION)
def save_import_layout(
    *, actor: Actor, key: str, on: date, institution_id: int, document: dict[str, Any]
) -> dict[str, Any]:
    """自存版式：同一代码再存就是新版本，旧版本不动；不能盖过随系统带的代码。

    :raises DomainError: 版式不成立。
    :raises Conflict: 代码是随系统带的，或属别的机构。
    """
    layout = read_layout(document)
    access.require_institution(actor, institution_id)
    if layout.code in built_in():
        raise Conflict(
            "LAYOUT_RESERVED",
            f"「{layout.code}」是随系统带的版式，不能改。",
            field="code",
            value=layout.code,
            fix="换一个代码另存。",
        )
    last = ImportLayout.objects.filter(code=layout.code).order_by("-version").first()
    if last is not None and last.institution_id != institution_id:
        raise Conflict(
            "LAYOUT_TAKEN",
            f"版式代码「{layout.code}」已被别的机构使用。",
            field="code",
            value=layout.code,
            fix="换一个代码。",
        )
    row = ImportLayout.objects.create(
        code=layout.code,
        version=last.version + 1 if last else 1,
        name=layout.name,
        institution_id=institution_id,
        document=layout.model_dump(mode="json"),
        saved_on=on,
        saved_by_id=actor.person_id,
    )
    return {"subject": f"import_layout:{row.pk}", "layout_id": row.pk, "code": row.code, "version": row.version}


@operation("servicing.save_batch_layout", permission=PERMISSION)
def save_batch_layout(*, actor: Actor, key: str, on: date, batch_id: int, code: str, name: str) -> dict[str, Any]:
    """把一批所用的对列方式另存为自己的版式，下回直接选它。

    :raises DomainError: 代码、名称不成立。
    :raises Conflict: 代码是随系统带的，或属别的机构。
    """
    batch = batch_of(actor, batch_id)
    document = batch.layout | {"code": code.strip(), "name": name.strip(), "source": f"第 {batch.pk} 批所用"}
    return save_import_layout(
        actor=actor, key=f"{key}:layout", on=on, institution_id=batch.institution_id, document=document
    )


@operation("servicing.delete_import_layout", permission=PERMISSION)
def delete_import_layout(*, actor: Actor, key: str, on: date, code: str) -> dict[str, Any]:
    """删去一个自存版式（连同旧版）。用它送过的批次各存着当时的全文，不受影响；审计里记下删的是什么。

    :raises Conflict: 随系统带的删不了。
    :raises NotFound: 没有，或不在您的机构范围内。
    """
    if code in built_in():
        raise Conflict(
            "LAYOUT_RESERVED",
            f"「{code}」是随系统带的版式，删不了。",
            field="code",
            value=code,
            fix="不用它即可。",
        )
    rows = ImportLayout.objects.filter(access.in_scope(actor), code=code).order_by("-version")
    last = rows.first()
    if last is None:
        raise NotFound(
            "LAYOUT_NOT_FOUND", f"没有代码为「{code}」的版式。", field="code", value=code, fix="从版式列表选择。"
        )
    layout_id = last.pk
    gone = {"code": code, "name": last.name, "versions": last.version, "document": last.document}
    rows.delete()
    return {"subject": f"import_layout:{layout_id}", "code": code, "versions": gone["versions"], "audit": gone}
