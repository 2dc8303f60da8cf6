"""收材料：登记、与原件核对签名、退还（APP-2、APP-3）。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.origination.materials import MaterialLine, material_lines
from sancha.apps.origination.models import Application, ApplicationState, CaseMaterial
from sancha.apps.origination.operations.locking import locked_application, require_state
from sancha.apps.origination.steps import ROOT
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation

CLAUSE = "PSBC-2014-MATERIALS"


@operation("origination.receive_material", permission="origination.collect")
def receive_material(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    code: str,
    guarantor_id: int | None = None,
    compared: bool = False,
    note: str = "",
) -> dict[str, Any]:
    """收一样材料；``compared`` 即操作人当场与原件核对一致并签名。

    :raises DomainError: 清单上没有这一样。
    :raises Conflict: 已收过。
    """
    row = locked_application(actor, application_id)
    _require_collecting(row)
    line = _line(row, code, guarantor_id, on)
    if line.held is not None:
        raise Conflict(
            "MATERIAL_RECEIVED", f"《{line.material.name}》已收过。", field="code", value=code, fix="要换的先退还。"
        )
    assert actor.person_id is not None
    found = CaseMaterial.objects.create(
        application=row,
        guarantor_id=guarantor_id,
        code=code,
        received_on=on,
        received_by_id=actor.person_id,
        compared_on=on if compared else None,
        compared_by_id=actor.person_id if compared else None,
        note=note.strip()[:200],
    )
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "material_id": found.pk}


@operation("origination.compare_material", permission="origination.collect")
def compare_material(
    *, actor: Actor, key: str, on: date, application_id: int, code: str, guarantor_id: int | None = None
) -> dict[str, Any]:
    """与原件核对一致并签名：记操作人的名字。

    :raises Conflict: 还没有收，或已核对。
    """
    row = locked_application(actor, application_id)
    _require_collecting(row)
    line = _line(row, code, guarantor_id, on)
    if line.held is None or line.held.compared_on is not None:
        raise Conflict(
            "MATERIAL_NOT_TO_COMPARE",
            f"《{line.material.name}》还没有收，或已核对过。",
            field="code",
            value=code,
            fix="请刷新材料清单。",
        )
    line.held.compared_on, line.held.compared_by_id = on, actor.person_id
    line.held.save(update_fields=["compared_on", "compared_by"])
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "material_id": line.held.pk}


@operation("origination.return_material", permission="origination.collect")
def return_material(
    *, actor: Actor, key: str, on: date, application_id: int, code: str, reason: str, guarantor_id: int | None = None
) -> dict[str, Any]:
    """退还一样材料：留着记录，写明原因。

    :raises DomainError: 没写原因。
    """
    row = locked_application(actor, application_id)
    _require_collecting(row)
    line = _line(row, code, guarantor_id, on)
    if line.held is None:
        raise Conflict(
            "MATERIAL_NOT_HELD", f"《{line.material.name}》还没有收。", field="code", value=code, fix="请刷新材料清单。"
        )
    if not reason.strip():
        raise DomainError("REASON_MISSING", "退还须写明原因。", field="reason", clause=CLAUSE, fix="请写明为何退还。")
    line.held.returned_on, line.held.note = on, reason.strip()[:200]
    line.held.save(update_fields=["returned_on", "note"])
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "material_id": line.held.pk}


def _require_collecting(row: Application) -> None:
    require_state(row, ApplicationState.DRAFT, ApplicationState.REFERRED, ApplicationState.IN_PROGRESS)


def _line(row: Application, code: str, guarantor_id: int | None, on: date) -> MaterialLine:
    for line in material_lines(row, on=on):
        if (line.material.code, line.guarantor_id) == (code, guarantor_id):
            return line
    raise DomainError(
        "MATERIAL_NOT_WANTED",
        f"本案的清单上没有「{code}」。",
        field="code",
        value=code,
        clause=CLAUSE,
        fix="请从材料清单中选择。",
    )
