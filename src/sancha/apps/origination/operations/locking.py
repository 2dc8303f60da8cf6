"""取案与了结：范围之内、锁住、状态对。"""

from __future__ import annotations

from datetime import date

from sancha.apps.access.queries import in_scope
from sancha.apps.origination.models import Application, ApplicationState
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotFound


def locked_application(actor: Actor, application_id: int) -> Application:
    """锁住范围内的一案：同一案的操作排队进行。

    :raises NotFound: 没有，或在范围之外（两者不作区分）。
    """
    rows = Application.objects.select_for_update(of=("self",)).select_related("party", "product")
    row = rows.filter(in_scope(actor), pk=application_id).first()
    if row is None:
        raise NotFound(
            "APPLICATION_NOT_FOUND",
            f"没有编号为 {application_id} 的申请，或不在您的机构范围内。",
            field="application_id",
            value=application_id,
            fix="请从受理台账中选择。",
        )
    return row


def require_state(row: Application, *allowed: ApplicationState) -> None:
    """状态须是其中之一。

    :raises Conflict: 不是；写明现在是什么。
    """
    if row.state not in allowed:
        raise Conflict(
            "APPLICATION_STATE",
            f"申请 {row.number} 是「{row.get_state_display()}」，不能这样办。",
            field="application_id",
            value=row.number,
            fix=f"只有「{'」「'.join(str(state.label) for state in allowed)}」的申请可以。",
        )


def close_application(row: Application, state: ApplicationState, *, on: date, reason: str) -> None:
    """了结：不再有环节。"""
    row.state, row.step, row.closed_on, row.closing_reason = state, "", on, reason[:400]
    row.save(update_fields=["state", "step", "closed_on", "closing_reason"])
