"""自存版式。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.servicing.importing.layout import built_in, read_layout
from sancha.apps.servicing.models import (
    ImportLayout,
)
from sancha.apps.servicing.operations.importing.batches import PERMISSION
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict
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
