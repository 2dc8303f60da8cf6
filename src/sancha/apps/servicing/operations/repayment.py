"""还款、提前还本、结清、退溢缴款、冲正。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.servicing.books import OpenLoan, check_value_date, open_loan, record_fact
from sancha.apps.servicing.models import LoanStatus
from sancha.kernel.effects import BORROWER
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.money import format_yuan
from sancha.kernel.quote import payoff
from sancha.kernel.replay import advance, replay
from sancha.kernel.state import State
from sancha.kernel.terms import COMPONENTS
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation

_PAID = (
    "fee_paid",
    "penalty_paid",
    "compound_paid",
    "interest_paid",
    "principal_paid",
    "subsidy_paid",
    "overpayment",
    "recovered",
)


def _split(before: State, after: State) -> dict[str, int]:
    """这笔钱去了哪里：前后累计已付之差（分）。"""
    moved = {name.removesuffix("_paid"): getattr(after, name) - getattr(before, name) for name in _PAID}
    return {name: amount for name, amount in moved.items() if amount}


def _positive(amount_fen: int) -> None:
    if amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE",
            f"金额 {format_yuan(amount_fen)} 元不是正数。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="请填写大于 0 的金额；多收了请用冲正，不要用负数。",
        )


def _live(opened: OpenLoan) -> None:
    if opened.loan.status == LoanStatus.SETTLED:
        raise Conflict(
            "LOAN_SETTLED",
            f"借据 {opened.loan.number} 已于 {opened.loan.settled_on} 结清，没有欠款可还。",
            field="loan_id",
            value=opened.loan.number,
            fix="请核对借据号；款项可退还或用于别的借据。",
        )
    if opened.loan.status == LoanStatus.VOID:
        raise Conflict(
            "LOAN_VOID",
            f"借据 {opened.loan.number} 的放款已冲正，借据作废。",
            field="loan_id",
            value=opened.loan.number,
            fix="请核对借据号；要恢复请冲正那条冲正。",
        )


def _no_more_than_owed(opened: OpenLoan, amount_fen: int, value_on: date) -> None:
    """起息日当天结清还要多少，就最多收多少（核销后按尚存债权）。"""
    check_value_date(opened, value_on, opened.stands_on)
    total = payoff_on(opened, value_on)
    if value_on < opened.stands_on:
        # What came in after the value date has already paid part of what was owed on it.
        total = min(total, payoff_on(opened, opened.stands_on))
    if amount_fen > max(total, 0):
        raise DomainError(
            "ABOVE_DEBT",
            f"还款 {format_yuan(amount_fen)} 元超过结清应付 {format_yuan(max(total, 0))} 元。",
            field="amount",
            value=format_yuan(amount_fen),
            clause="民法典 677",
            fix="请核对金额；确需多收的，勾选「允许溢缴」，多出部分记溢缴款，可退还。",
        )


@operation("servicing.post_repayment", permission="servicing.repay")
def post_repayment(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    amount_fen: int,
    on: date | None = None,
    value_on: date | None = None,
    payer: str = BORROWER,
    payer_name: str = "",
    channel: str = "COUNTER",
    receipt_id: int | None = None,
    order: list[str] | None = None,
    order_reason: str = "",
    future: str | None = None,
    allow_overpayment: bool = False,
    remark: str = "",
) -> dict[str, Any]:
    """还款登记：按冲账顺序入账；起息日可早于营业日（倒签），罚息、复利随之重算，差额在本笔凭证里。

    ``order`` 覆盖约定的冲账顺序，必须写理由。``receipt_id`` 是出纳已收妥的款项。

    :raises DomainError: 金额不是正数、超过结清应付而未允许溢缴、起息日不对、改顺序没有理由。
    :raises Conflict: 借据隔离、已作废。
    """
    _positive(amount_fen)
    data: dict[str, Any] = {"payer": payer, "channel": channel}
    if payer_name:
        data["payer_name"] = payer_name
    if remark:
        data["remark"] = remark
    if future:
        data["future"] = future
    if order:
        if sorted(order) != sorted(COMPONENTS):
            raise DomainError(
                "ORDER_INCOMPLETE",
                f"冲账顺序 {order} 不完整。",
                field="order",
                value="、".join(order),
                clause="民法典 561",
                fix="须恰好包含费用、罚息、复利、利息、本金各一次。",
            )
        if not order_reason.strip():
            raise DomainError(
                "ORDER_REASON_MISSING",
                "改变冲账顺序须写明理由。",
                field="order_reason",
                clause="民法典 561",
                fix="请填写当事人约定或审批依据。",
            )
        data |= {"order": order, "order_reason": order_reason}
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    if not allow_overpayment and payer == BORROWER:
        _live(opened)
        _no_more_than_owed(opened, amount_fen, value_on or opened.stands_on)
    before = opened.state
    fact = record_fact(
        opened,
        kind=FactKind.REPAYMENT,
        actor=actor,
        value_on=value_on,
        amount_fen=amount_fen,
        data=data,
        summary="还款",
        operation="post_repayment",
        receipt_id=receipt_id,
    )
    return _result(opened, fact, before)


def _result(opened: OpenLoan, fact: Fact, before: State) -> dict[str, Any]:
    return {
        "subject": f"loan:{opened.loan.pk}",
        "loan_id": opened.loan.pk,
        "number": opened.loan.number,
        "seq": fact.seq,
        "voucher_id": opened.voucher_id,
        "allocated": _split(before, opened.state),
        "principal_fen": opened.state.principal,
        "status": opened.loan.status,
    }


@operation("servicing.prepay_loan", permission="servicing.repay")
def prepay_loan(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    amount_fen: int,
    mode: str = "TERM",
    on: date | None = None,
    value_on: date | None = None,
    receipt_id: int | None = None,
    channel: str = "COUNTER",
) -> dict[str, Any]:
    """提前部分还本：先清欠款、结当日利息，余下还本；``mode`` TERM 缩期、INSTALLMENT 减额（民法典 677 按实际天数）。"""
    _positive(amount_fen)
    if mode not in {"TERM", "INSTALLMENT"}:
        raise DomainError(
            "MODE_UNKNOWN",
            f"提前还本方式「{mode}」不存在。",
            field="mode",
            value=mode,
            fix="TERM 缩短期限，或 INSTALLMENT 减少每期。",
        )
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    _live(opened)
    _no_more_than_owed(opened, amount_fen, value_on or opened.stands_on)
    before = opened.state
    fact = record_fact(
        opened,
        kind=FactKind.PREPAYMENT,
        actor=actor,
        value_on=value_on,
        amount_fen=amount_fen,
        data={"mode": mode, "channel": channel},
        summary="提前部分还本",
        operation="prepay_loan",
        receipt_id=receipt_id,
    )
    return _result(opened, fact, before)


@operation("servicing.settle_loan", permission="servicing.repay")
def settle_loan(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    amount_fen: int,
    on: date | None = None,
    value_on: date | None = None,
    receipt_id: int | None = None,
    channel: str = "COUNTER",
) -> dict[str, Any]:
    """提前结清：金额须等于结清报价，一分不差。

    :raises DomainError: 金额与报价不等（写明报价）。
    """
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    _live(opened)
    check_value_date(opened, value_on or opened.stands_on, opened.stands_on)
    before = opened.state
    quoted = payoff_on(opened, value_on or opened.stands_on)
    if amount_fen != max(quoted, 0):
        raise DomainError(
            "PAYOFF_DIFFERS",
            f"结清应付 {format_yuan(max(quoted, 0))} 元，填写的是 {format_yuan(amount_fen)} 元。",
            field="amount",
            value=format_yuan(amount_fen),
            clause="民法典 677",
            fix="请按结清报价收款；只还一部分请用提前部分还本。",
        )
    fact = record_fact(
        opened,
        kind=FactKind.SETTLEMENT,
        actor=actor,
        value_on=value_on,
        amount_fen=amount_fen,
        data={"channel": channel},
        summary="提前结清",
        operation="settle_loan",
        receipt_id=receipt_id,
    )
    return _result(opened, fact, before)


def payoff_on(opened: OpenLoan, value_on: date) -> int:
    """起息日当天的结清应付；倒签时按那天的状态算。"""
    if value_on >= opened.state.day:
        return payoff(opened.terms, opened.state, value_on)["total"]
    return payoff(opened.terms, replay(opened.terms, opened.all_facts(), on=value_on), value_on)["total"]


@operation("servicing.refund_overpayment", permission="servicing.repay")
def refund_overpayment(
    *, actor: Actor, key: str, loan_id: int, amount_fen: int, on: date | None = None, reason: str = ""
) -> dict[str, Any]:
    """退还溢缴款：不得超过溢缴余额；付款指令由出纳另行复核付出。"""
    _positive(amount_fen)
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    state = advance(opened.terms, opened.state, [], to=opened.stands_on)
    if amount_fen > state.overpayment:
        raise DomainError(
            "REFUND_TOO_MUCH",
            f"溢缴款只有 {format_yuan(state.overpayment)} 元。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="退款不得超过溢缴款余额。",
        )
    fact = record_fact(
        opened,
        kind=FactKind.REFUND,
        actor=actor,
        amount_fen=amount_fen,
        data={"reason": reason},
        summary="退溢缴款",
        operation="refund_overpayment",
    )
    return {"subject": f"loan:{loan_id}", "loan_id": loan_id, "seq": fact.seq, "voucher_id": opened.voucher_id}


@operation("servicing.reverse_fact", permission="servicing.reverse")
def reverse_fact(
    *, actor: Actor, key: str, loan_id: int, seq: int, reason: str, on: date | None = None, accept_later: bool = False
) -> dict[str, Any]:
    """冲正一条事实：今天的一条事实，使那条事实如同没有发生过；差额记今天的凭证。

    此后的事实若按当时的状态登记（如结清），金额不变、含义会变；这样的事实会列出来，确认（``accept_later``）后才冲。

    :raises DomainError: 没有理由；没有这条事实；冲正的是首笔放款而其后还有事实。
    :raises Conflict: 已被冲正；其后有受影响的事实而未确认。
    """
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING", "冲正须写明理由。", field="reason", fix="请写明冲正原因（错账、重复入账、退票……）。"
        )
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    facts = {fact.seq: fact for fact in opened.all_facts()}
    target = facts.get(seq)
    if target is None:
        raise DomainError(
            "FACT_NOT_FOUND",
            f"借据 {opened.loan.number} 没有第 {seq} 号事实。",
            field="seq",
            value=seq,
            fix="请从事实时间线上选择。",
        )
    dead = reversed_seqs(list(facts.values()))
    if seq in dead:
        raise Conflict(
            "ALREADY_REVERSED", f"第 {seq} 号事实已被冲正。", field="seq", value=seq, fix="如冲正有误，请冲正那条冲正。"
        )
    _may_reverse(opened, target, facts, dead)
    later = [
        fact.seq
        for fact in facts.values()
        if fact.kind
        in {FactKind.SETTLEMENT, FactKind.PREPAYMENT, FactKind.WRITE_OFF, FactKind.NEW_PLAN, FactKind.ACCELERATION}
        and fact.seq not in dead
        and fact.key > target.key
    ]
    if later and not accept_later:
        raise Conflict(
            "LATER_FACTS",
            f"其后的事实 {'、'.join(str(number) for number in later)} 是按当时状态登记的，冲正后金额不变而含义会变。",
            field="accept_later",
            value=later,
            clause="docs/algorithms/books.md",
            fix="请先冲正它们，或勾选「已核对其后事实」再冲。",
        )
    fact = record_fact(
        opened,
        kind=FactKind.REVERSAL,
        actor=actor,
        data={"seq": seq, "reason": reason},
        summary=f"冲正第 {seq} 号",
        operation="reverse_fact",
    )
    if use_id := target.data.get("receipt_use_id"):
        # The money itself has not gone away: it returns to suspense, to be used again or sent back.
        cashdesk.release_use(
            use_id=use_id,
            booked_on=opened.partition.business_date,
            actor=actor,
            accounts=opened.resolver(),
            institution_id=opened.row.institution_id,
        )
    return {
        "subject": f"loan:{loan_id}",
        "loan_id": loan_id,
        "seq": fact.seq,
        "voucher_id": opened.voucher_id,
        "status": opened.loan.status,
    }


def _may_reverse(opened: OpenLoan, target: Fact, facts: dict[int, Fact], dead: set[int]) -> None:
    if target.kind in {FactKind.DISBURSEMENT, FactKind.OPENING}:
        standing = [
            fact.seq
            for fact in facts.values()
            if fact.seq not in dead and fact.seq != target.seq and fact.kind is not FactKind.REVERSAL
        ]
        if standing:
            raise DomainError(
                "DISBURSEMENT_HAS_FACTS",
                f"借据 {opened.loan.number} 放款之后还有事实 {'、'.join(str(number) for number in standing)}，不能直接冲正放款。",
                field="seq",
                value=target.seq,
                clause="docs/algorithms/books.md",
                fix="请先从后往前冲正其后的事实，再冲正放款。",
            )
    revived = facts.get(int(target.data["seq"])) if target.kind is FactKind.REVERSAL else None
    if revived is not None and revived.data.get("receipt_use_id"):
        # The receipt went back to suspense with the reversal and may have been used since.
        raise DomainError(
            "RECEIPT_GONE_BACK",
            f"第 {revived.seq} 号还款的收款已随冲正退回挂账，不能靠冲正那条冲正来恢复。",
            field="seq",
            value=target.seq,
            fix="请用该笔收款重新登记还款（起息日写原日期）。",
        )


def reversed_seqs(facts: list[Fact]) -> set[int]:
    """已被（有效的）冲正冲掉的事实序号。"""
    dead: set[int] = set()
    for fact in sorted(facts, key=lambda item: item.seq, reverse=True):
        if fact.kind is FactKind.REVERSAL and fact.seq not in dead:
            dead.add(int(fact.data["seq"]))
    return dead
