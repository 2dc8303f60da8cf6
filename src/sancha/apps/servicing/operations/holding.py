"""隔离与解除：账与重放不符、或日终走不动的借据，先隔离，查明后解除。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.businessday import queries as businessday
from sancha.apps.servicing.books import OpenLoan, keyed, store
from sancha.apps.servicing.mapping import booked_position, facts_of, terms_of
from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.kernel.positions import Key
from sancha.kernel.replay import replay
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation


@operation("servicing.release_loan", permission="servicing.authorize")
def release_loan(*, actor: Actor, key: str, loan_id: int, reason: str, on: date | None = None) -> dict[str, Any]:
    """解除隔离：从事实重放到账所立之日，差额记今天的一张凭证，借据重新参加日终。

    :raises Conflict: 没有被隔离，或正在日终。
    """
    if not reason.strip():
        raise DomainError("REASON_MISSING", "解除隔离须写明查明的原因。", field="reason", fix="请写明差异原因与处理。")
    row = (
        LoanState.objects.select_for_update(of=("self",))
        .select_related("loan")
        .filter(pk=loan_id, loan__institution__path__startswith=actor.institution_path)
        .first()
    )
    if row is None:
        raise NotFound(
            "LOAN_NOT_FOUND",
            f"没有编号为 {loan_id} 的借据，或不在您的机构范围内。",
            field="loan_id",
            value=loan_id,
            fix="请从借据列表中选择。",
        )
    if not row.held:
        raise Conflict(
            "LOAN_NOT_HELD",
            f"借据 {row.loan.number} 没有被隔离。",
            field="loan_id",
            value=row.loan.number,
            fix="无须解除；如页面仍显示隔离，请刷新。",
        )
    partition = businessday.lock_partition(partition_id=row.partition_id, exclusive=False)
    if partition.closing is not None:
        raise Conflict(
            "DAY_CLOSE_RUNNING",
            "正在日终，请稍后解除。",
            field="loan_id",
            value=row.loan.number,
            fix="日终结束后再办理。",
        )
    terms = terms_of(row.loan.terms)
    # The stored state may be the very thing that is broken: everything is taken from the facts again.
    facts = facts_of(LoanFact.objects.filter(loan_id=loan_id).order_by("seq"))
    state = replay(terms, facts, on=partition.accrued_to)
    opened = OpenLoan(loan=row.loan, row=row, terms=terms, state=state, partition=partition, facts=facts)
    before = keyed(
        Key(str(row.institution_id), str(row.product_id), row.loan_class, row.accrual, row.currency),
        booked_position(row, row.from_day),
    )
    row.held, row.held_reason = False, ""
    row.save(update_fields=["held", "held_reason"])
    store(
        opened,
        before,
        booked_on=partition.business_date,
        fact_seq=0,  # no fact of its own, and not a step of the close either
        kind="EVENT",
        actor=actor,
        summary="解除隔离补记",
    )
    return {
        "subject": f"loan:{loan_id}",
        "loan_id": loan_id,
        "number": row.loan.number,
        "voucher_id": opened.voucher_id,
    }
