"""借据调整的查询：一笔的全貌，一笔借据的全部调整。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.servicing.models import AdjustmentState, LoanAdjustment
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound

COMPONENTS = {
    "principal": "本金",
    "interest": "利息",
    "penalty": "罚息",
    "compound": "复利",
    "fee": "费用",
    "overpayment": "溢缴款",
}
DIRECTIONS = {"INCREASE": "调增", "DECREASE": "调减"}


@dataclass(frozen=True, slots=True)
class AdjustmentInfo:
    """一笔借据调整：要调什么、为什么、谁录入、谁复核、记成了哪条事实与凭证。"""

    id: int
    loan_id: int
    loan_number: str
    party_name: str
    component: str
    component_name: str
    direction: str
    direction_name: str
    amount_fen: int
    reason: str
    state: str
    state_name: str
    revision: int
    entered_by: int | None
    entered_by_name: str
    entered_on: date
    entered_at: datetime
    decided_by: int | None
    decided_by_name: str
    decided_on: date | None
    opinion: str
    fact_seq: int | None
    voucher_id: int | None


def adjustment_detail(actor: Actor, adjustment_id: int) -> AdjustmentInfo:
    """一笔调整的全貌。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    row = (
        LoanAdjustment.objects.filter(in_scope(actor, "loan__institution"), pk=adjustment_id)
        .select_related("loan__party")
        .first()
    )
    if row is None:
        raise NotFound(
            "ADJUSTMENT_NOT_FOUND", "没有这笔调整，或不在您的机构范围内。", field="adjustment_id", value=adjustment_id,
            fix="请从借据页或待办中选择。",
        )  # fmt: skip
    return _infos([row])[0]


def adjustments_of(actor: Actor, *, loan_id: int) -> list[AdjustmentInfo]:
    """一笔借据的全部调整，新的在前；两条查询。"""
    rows = LoanAdjustment.objects.filter(in_scope(actor, "loan__institution"), loan_id=loan_id)
    return _infos(list(rows.select_related("loan__party").order_by("-pk")))


def _infos(rows: list[LoanAdjustment]) -> list[AdjustmentInfo]:
    names = names_of([number for row in rows for number in (row.entered_by_id, row.decided_by_id)])
    return [
        AdjustmentInfo(
            id=row.pk, loan_id=row.loan_id, loan_number=row.loan.number, party_name=row.loan.party.name,
            component=row.component, component_name=COMPONENTS[row.component], direction=row.direction,
            direction_name=DIRECTIONS[row.direction], amount_fen=row.amount_fen, reason=row.reason, state=row.state,
            state_name=str(AdjustmentState(row.state).label), revision=row.revision, entered_by=row.entered_by_id,
            entered_by_name=names.get(row.entered_by_id or 0, "系统"), entered_on=row.entered_on,
            entered_at=row.entered_at, decided_by=row.decided_by_id,
            decided_by_name=names.get(row.decided_by_id or 0, ""), decided_on=row.decided_on, opinion=row.opinion,
            fact_seq=row.fact_seq, voucher_id=row.voucher_id,
        )
        for row in rows
    ]  # fmt: skip
