"""授权与资格的工厂：经由真正的操作。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sancha.apps.authority import operations
from sancha.apps.work.operations import submit_task
from sancha.kit.actor import Actor
from tests.support.factories_access import County, fresh_key


def grant_mandate(county: County, *, at: str = "B2", fen: int = 5_000_000, months: int = 12, **more: Any) -> int:
    """授予审批岗一份授权书，返回编号。"""
    on = county.opened_on
    draft = operations.propose_mandate(
        actor=county.actor("BUSINESS_MANAGER"), key=fresh_key("mandate"), on=on, institution_id=county.ids[at],
        post_code="APPROVER", program="S11", max_fen=fen, max_months=months, valid_from=on,
        reason="总行授权书〔2026〕3号", **more,
    )  # fmt: skip
    done = submit_task(
        actor=county.actor("DEPARTMENT_HEAD"), key=fresh_key("decide"), on=on, task_id=draft["task_id"], outcome="APPROVED",
        opinion="",
    )  # fmt: skip
    return int(done["mandate_id"])


def certify(actor: Actor, person_id: int, on: date, **changes: Any) -> int:
    """发一张资格证书。"""
    values: dict[str, Any] = {
        "theory_days": 7, "practice_days": 21, "theory_passed_on": on - timedelta(days=40),
        "practice_passed_on": on - timedelta(days=5),
    }  # fmt: skip
    done = operations.issue_certificate(
        actor=actor, key=fresh_key("certificate"), on=on, person_id=person_id, **(values | changes)
    )
    return int(done["certificate_id"])
