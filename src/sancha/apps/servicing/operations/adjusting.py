"""借据调整：一人录入、另一人复核后才记账；复核人取自办结任务的人，不由调用者自报。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from sancha.apps.access import queries as access
from sancha.apps.servicing.books import open_loan
from sancha.apps.servicing.kinds import ADJUSTMENT_CHECK
from sancha.apps.servicing.models import AdjustmentState, Loan, LoanAdjustment
from sancha.apps.servicing.operations.changes import record_change, require_live
from sancha.apps.servicing.queries.adjustments import COMPONENTS, DIRECTIONS
from sancha.apps.work import operations as work
from sancha.kernel.facts import FactKind
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation


def record_adjustment(
    *,
    actor: Actor,
    loan_id: int,
    component: str,
    direction: str,
    amount_fen: int,
    reason: str,
    entered_by: int | None,
    on: date | None,
) -> dict[str, Any]:
    """记调整：按成分增减一笔，对方科目「调整」。在调用者的事务里，须已办结复核任务；``entered_by`` 是录入人，记在事实上。

    :raises DomainError: 成分或方向不对、金额不是正数、调减超过该成分的余额。
    :raises Conflict: 借据已结清、已核销、已隔离。
    """
    _check_elements(component, direction, amount_fen)
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    require_live(opened, "调整")
    before = dict(opened.state.unapplied)
    result = record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.ADJUSTMENT,
        reason=reason,
        summary="调整",
        operation_name="adjust_loan",
        amount_fen=amount_fen,
        data={"component": component, "direction": direction, "entered_by": entered_by},
        opened=opened,
    )
    # Facts of one day are folded by kind: an adjustment can take away what a waiver of the same day rested on.
    lost = {seq for seq, fen in opened.state.unapplied.items() if fen != before.get(seq)}
    if lost:
        others = "、".join(str(seq) for seq in sorted(lost - {result["seq"]}))
        raise DomainError(
            "ADJUSTMENT_TOO_MUCH",
            f"调减金额超过{COMPONENTS[component]}的余额" + (f"，会使第 {others} 号事实落空。" if others else "。"),
            field="amount_fen", value=format_yuan(amount_fen), fix="请核对余额。",
        )  # fmt: skip
    return result


def _check_elements(component: str, direction: str, amount_fen: int) -> None:
    if direction not in DIRECTIONS or amount_fen <= 0:
        raise DomainError(
            "ADJUSTMENT_INVALID", "调整须写明增减方向与正数金额。", field="direction", value=direction,
            fix="INCREASE 或 DECREASE，金额为正。",
        )  # fmt: skip
    if component not in COMPONENTS:
        raise DomainError(
            "COMPONENT_UNKNOWN", f"没有「{component}」这个成分。", field="component", value=component,
            fix=f"可调整：{'、'.join(COMPONENTS.values())}。",
        )  # fmt: skip


def _rehearse(**adjustment: Any) -> None:
    """录入时就知道记不记得成。"""
    with work.rehearsal():
        record_adjustment(entered_by=None, **adjustment)


@operation("servicing.propose_adjustment", permission="servicing.change")
def propose_adjustment(
    *, actor: Actor, key: str, loan_id: int, component: str, direction: str, amount_fen: int, reason: str, on: date
) -> dict[str, Any]:
    """录入借据调整：试记成立才收下，随即开出「借据调整复核」任务。此时没有账。

    :raises Conflict: 该成分已有一笔在等复核，或借据状态不对。
    :raises DomainError: 同 ``record_adjustment``。
    """
    _rehearse(
        actor=actor, loan_id=loan_id, component=component, direction=direction, amount_fen=amount_fen, reason=reason,
        on=on,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row = LoanAdjustment.objects.create(
                loan_id=loan_id, component=component, direction=direction, amount_fen=amount_fen,
                reason=reason.strip()[:200], entered_by_id=actor.person_id, entered_on=on, entered_at=now(),
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(
            "ADJUSTMENT_WAITING", f"该借据已有一笔{COMPONENTS[component]}的调整没有了结。", field="component",
            value=component, fix="请先由复核人办理，或由录入人改正、撤回那一笔。",
        ) from error  # fmt: skip
    task_id = _ask_for_check(row, actor, on)
    return {"subject": f"loan:{loan_id}", "loan_id": loan_id, "adjustment_id": row.pk, "task_id": task_id}


def _ask_for_check(row: LoanAdjustment, actor: Actor, on: date) -> int:
    """开出这一稿的复核任务，记下谁录入。案根是这笔调整：复核过一笔的人，录入另一笔不受牵连。"""
    loan = Loan.objects.select_related("party").get(pk=row.loan_id)
    return work.ask_second_person(
        ADJUSTMENT_CHECK,
        actor=actor,
        on=on,
        subject=("loan_adjustment", row.pk),
        institution_id=loan.institution_id,
        party_id=loan.party_id,
        title=f"借据调整复核 {loan.number} {loan.party.name}",
        reason="借据调整由录入人以外的人复核后才记账",
        cause=f"revision:{row.revision}",
        facts={
            "loan_no": loan.number,
            "调整": f"{COMPONENTS[row.component]}{DIRECTIONS[row.direction]}",
            "amount_fen": row.amount_fen,
            "理由": row.reason,
        },
    )


def _locked(actor: Actor, adjustment_id: int, *states: AdjustmentState) -> LoanAdjustment:
    row = (
        LoanAdjustment.objects.select_for_update(of=("self",))
        .filter(access.in_scope(actor, "loan__institution"), pk=adjustment_id)
        .first()
    )
    if row is None:
        raise NotFound(
            "ADJUSTMENT_NOT_FOUND", "没有这笔调整，或不在您的机构范围内。", field="adjustment_id", value=adjustment_id,
            fix="请从借据页或待办中选择。",
        )  # fmt: skip
    if row.state not in states:
        raise Conflict(
            "ADJUSTMENT_DECIDED", f"这笔调整{AdjustmentState(row.state).label}，不能再办。", field="adjustment_id",
            value=adjustment_id, fix="记错的调整请冲正那条事实。",
        )  # fmt: skip
    return row


@operation("servicing.adjust_loan", permission="servicing.authorize")
def adjust_loan(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核借据调整（任务「借据调整复核」的办结）：同意即记账，退回须写意见，录入人可改正再送或撤回。

    :raises NotPermitted: 复核人就是录入人（写明规则），或任务不归他办。
    :raises Conflict: 任务已办结，或借据如今已不能这样调整。
    """
    row = _locked(actor, work.subject_to_check(ADJUSTMENT_CHECK, task_id=task_id), AdjustmentState.PROPOSED)
    work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on)
    done: dict[str, Any] = {}
    if outcome == work.APPROVED:
        done = record_adjustment(
            actor=actor, loan_id=row.loan_id, component=row.component, direction=row.direction,
            amount_fen=row.amount_fen, reason=row.reason, entered_by=row.entered_by_id, on=on,
        )  # fmt: skip
        row.state, row.fact_seq, row.voucher_id = AdjustmentState.BOOKED, done["seq"], done["voucher_id"]
    else:
        row.state = AdjustmentState.RETURNED
    row.decided_by_id, row.decided_on, row.opinion = actor.person_id, on, opinion.strip()[:200]
    row.save(update_fields=["state", "fact_seq", "voucher_id", "decided_by_id", "decided_on", "opinion"])
    return {
        "subject": f"loan:{row.loan_id}", "loan_id": row.loan_id, "adjustment_id": row.pk, "state": str(row.state),
        "seq": row.fact_seq, "voucher_id": row.voucher_id,
    }  # fmt: skip


def _own(actor: Actor, adjustment_id: int) -> LoanAdjustment:
    row = _locked(actor, adjustment_id, AdjustmentState.PROPOSED, AdjustmentState.RETURNED)
    work.require_maker(
        ADJUSTMENT_CHECK, actor=actor, maker_id=row.entered_by_id, field="adjustment_id", value=adjustment_id
    )
    return row


@operation("servicing.correct_adjustment", permission="servicing.change")
def correct_adjustment(
    *, actor: Actor, key: str, adjustment_id: int, direction: str, amount_fen: int, reason: str, on: date
) -> dict[str, Any]:
    """改正借据调整：录入人改待复核的或被退回的方向、金额、理由，重新送复核。成分不对的，撤回后重录。

    :raises NotPermitted: 不是录入人。
    :raises Conflict: 已记账或已撤回。
    """
    row = _own(actor, adjustment_id)
    _rehearse(
        actor=actor, loan_id=row.loan_id, component=row.component, direction=direction, amount_fen=amount_fen,
        reason=reason, on=on,
    )  # fmt: skip
    _drop_check(row, actor, on, "录入人改正后重新送复核")
    was = {"direction": row.direction, "amount_fen": row.amount_fen, "reason": row.reason}
    row.direction, row.amount_fen, row.reason = direction, amount_fen, reason.strip()[:200]
    row.state, row.revision = AdjustmentState.PROPOSED, row.revision + 1
    row.save(update_fields=["direction", "amount_fen", "reason", "state", "revision"])
    task_id = _ask_for_check(row, actor, on)
    return {
        "subject": f"loan:{row.loan_id}", "loan_id": row.loan_id, "adjustment_id": row.pk, "task_id": task_id,
        "audit": {"was": was},
    }  # fmt: skip


@operation("servicing.withdraw_adjustment", permission="servicing.change")
def withdraw_adjustment(*, actor: Actor, key: str, adjustment_id: int, reason: str, on: date) -> dict[str, Any]:
    """撤回借据调整：录入人撤回待复核的或被退回的，复核任务一并撤销，须写原因。

    :raises NotPermitted: 不是录入人。
    :raises Conflict: 已记账或已撤回。
    """
    if not reason.strip():
        raise DomainError("REASON_MISSING", "撤回须写原因。", field="reason", fix="如：录错借据、事项取消。")
    row = _own(actor, adjustment_id)
    _drop_check(row, actor, on, f"录入人撤回：{reason.strip()}")
    row.state, row.decided_by_id, row.decided_on = AdjustmentState.WITHDRAWN, actor.person_id, on
    row.opinion = reason.strip()[:200]
    row.save(update_fields=["state", "decided_by_id", "decided_on", "opinion"])
    return {"subject": f"loan:{row.loan_id}", "loan_id": row.loan_id, "adjustment_id": row.pk}


def _drop_check(row: LoanAdjustment, actor: Actor, on: date, reason: str) -> None:
    work.cancel_check(ADJUSTMENT_CHECK, actor=actor, subject=("loan_adjustment", row.pk), on=on, reason=reason)
