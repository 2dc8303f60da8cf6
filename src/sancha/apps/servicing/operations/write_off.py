"""核销与核销后收回（账销案存，B10）。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.servicing.books import open_loan, record_fact
from sancha.kernel.facts import FactKind
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation


@operation("servicing.write_off_loan", permission="servicing.writeoff")
def write_off_loan(
    *, actor: Actor, key: str, loan_id: int, reason: str, approval_number: str, on: date | None = None
) -> dict[str, Any]:
    """核销：本金冲减贷款损失准备，停止计息，债权留在表外继续追索；批准文号必填。

    :raises Conflict: 已核销、已无本金。
    """
    if not reason.strip() or not approval_number.strip():
        raise DomainError(
            "APPROVAL_MISSING",
            "核销须有认定理由与批准文号。",
            field="approval_number",
            clause="财金〔2017〕90号",
            fix="请填写呆账认定理由与有权审批人的批准文号。",
        )
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    if opened.state.written_off or not opened.state.principal:
        raise Conflict(
            "NOTHING_TO_WRITE_OFF",
            f"借据 {opened.loan.number} 已核销或没有本金。",
            field="loan_id",
            value=opened.loan.number,
            fix="已核销的用「核销后收回」，没有本金的无须核销。",
        )
    principal = opened.state.principal
    fact = record_fact(
        opened,
        kind=FactKind.WRITE_OFF,
        actor=actor,
        data={"reason": reason, "approval_number": approval_number},
        summary="核销",
        operation="write_off_loan",
    )
    return {
        "subject": f"loan:{loan_id}",
        "loan_id": loan_id,
        "seq": fact.seq,
        "voucher_id": opened.voucher_id,
        "written_off_fen": principal,
        "status": opened.loan.status,
    }


@operation("servicing.post_recovery", permission="servicing.repay")
def post_recovery(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    amount_fen: int,
    on: date | None = None,
    value_on: date | None = None,
    remark: str = "",
) -> dict[str, Any]:
    """核销后收回：先冲已核销本金，再冲已核销利息，记收回收益。"""
    if amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE",
            "收回金额须大于 0。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="请填写正数。",
        )
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    if not opened.state.written_off:
        raise Conflict(
            "NOT_WRITTEN_OFF",
            f"借据 {opened.loan.number} 未核销，请用还款登记。",
            field="loan_id",
            value=opened.loan.number,
            fix="请用「还款」登记。",
        )
    left = opened.state.written_off_principal + opened.state.written_off_interest - opened.state.recovered
    if amount_fen > left:
        raise DomainError(
            "ABOVE_CLAIM",
            f"收回 {format_yuan(amount_fen)} 元超过尚存债权 {format_yuan(left)} 元。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="请核对金额。",
        )
    fact = record_fact(
        opened,
        kind=FactKind.RECOVERY,
        actor=actor,
        value_on=value_on,
        amount_fen=amount_fen,
        data={"remark": remark},
        summary="核销后收回",
        operation="post_recovery",
    )
    return {
        "subject": f"loan:{loan_id}",
        "loan_id": loan_id,
        "seq": fact.seq,
        "voucher_id": opened.voucher_id,
        "recovered_fen": opened.state.recovered,
    }
