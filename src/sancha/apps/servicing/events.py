"""借据的对外事件：登记、放款、还款、冲正、逾期、结清、核销。记在办理的同一事务里，账不靠它。"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.servicing.models import Loan, LoanState, LoanStatus
from sancha.kernel.facts import Fact, FactKind
from sancha.kit.events import EventField, EventKind, Happening, announce, announce_all, declare

PAYMENTS = frozenset({FactKind.REPAYMENT, FactKind.PREPAYMENT, FactKind.SETTLEMENT, FactKind.RECOVERY})
_LOAN = {
    "loan_id": EventField("id", "借据编号"),
    "number": EventField("code", "借据号"),
    "party_id": EventField("id", "客户编号"),
}
_PAYMENT = {
    **_LOAN,
    "seq": EventField("id", "这笔还款在借据内的事实序号"),
    "kind": EventField("code", "REPAYMENT 还款、PREPAYMENT 提前部分还本、SETTLEMENT 提前结清、RECOVERY 核销后收回"),
    "amount": EventField("yuan", "还款金额，元"),
    "value_on": EventField("day", "起息日"),
    "principal": EventField("yuan", "记账后的本金余额，元"),
}
LOAN_BOOKED = declare(
    EventKind(
        "loan.booked",
        "借据放款",
        "复核同意，首笔放款入账（存量转入的借据不发）",
        {
            **_LOAN,
            "product_id": EventField("id", "产品编号"),
            "amount": EventField("yuan", "放款金额，元"),
            "rate_ppm": EventField("count", "年利率，百万分之一"),
            "starts_on": EventField("day", "起息日"),
            "matures_on": EventField("day", "到期日"),
        },
    )
)
LOAN_DISBURSED = declare(
    EventKind(
        "loan.disbursed",
        "后续放款",
        "多次放款的借据，首笔之后的每一笔",
        {
            **_LOAN,
            "seq": EventField("id", "事实序号"),
            "amount": EventField("yuan", "放款金额，元"),
            "value_on": EventField("day", "起息日"),
        },
    )
)
REPAYMENT_POSTED = declare(
    EventKind("repayment.posted", "还款入账", "还款、提前还本、结清、核销后收回入账；冲正那条冲正时再发一次", _PAYMENT)
)
REPAYMENT_REVERSED = declare(
    EventKind(
        "repayment.reversed",
        "还款冲正",
        "已入账的还款被冲正",
        {**_PAYMENT, "reversal_seq": EventField("id", "冲正的事实序号")},
    )
)
OVERDUE_ENTERED = declare(
    EventKind(
        "loan.overdue_entered",
        "进入逾期",
        "应还日已过而未还清：日终之后逾期满一天；或冲正、倒签当场使它逾期",
        {**_LOAN, "oldest_due_on": EventField("day", "最早未还清的应还日")},
    )
)
LOAN_SETTLED = declare(EventKind("loan.settled", "借据结清", "全部还清", _LOAN))
LOAN_REOPENED = declare(EventKind("loan.reopened", "借据恢复", "结清或核销因冲正而不再成立，借据重新存续", _LOAN))
LOAN_VOIDED = declare(EventKind("loan.voided", "借据作废", "放款被冲正", _LOAN))
LOAN_WRITTEN_OFF = declare(EventKind("loan.written_off", "借据核销", "核销入账，债权留在表外继续追索", _LOAN))
ALL = (
    LOAN_BOOKED, LOAN_DISBURSED, REPAYMENT_POSTED, REPAYMENT_REVERSED, OVERDUE_ENTERED, LOAN_SETTLED, LOAN_REOPENED,
    LOAN_VOIDED, LOAN_WRITTEN_OFF,
)  # fmt: skip
_BY_STATUS = {
    LoanStatus.SETTLED: LOAN_SETTLED,
    LoanStatus.WRITTEN_OFF: LOAN_WRITTEN_OFF,
    LoanStatus.VOID: LOAN_VOIDED,
    LoanStatus.ACTIVE: LOAN_REOPENED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """记事实之前：借据状态，是否逾期。"""

    status: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class Overdue:
    """日终后刚进入逾期的一笔。"""

    loan_id: int
    number: str
    institution_id: int
    party_id: int
    oldest_due_on: date


def standing_of(loan: Loan, row: LoanState, stands_on: date) -> Standing:
    """此刻的状态与是否逾期（应还日早于账立日）。"""
    return Standing(loan.status, row.oldest_due_day is not None and row.oldest_due_day < stands_on.toordinal())


def fact_recorded(
    loan: Loan, row: LoanState, fact: Fact, *, target: Fact | None, before: Standing, stands_on: date
) -> None:
    """一条事实已记：还款、放款、冲正各说各的，状态变了、进了逾期再各说一句。``target`` 是被冲正的事实。"""
    on = fact.booked_on
    if fact.kind is FactKind.DISBURSEMENT:
        _disbursed(loan, fact)
    elif fact.kind in PAYMENTS:
        _say(REPAYMENT_POSTED, loan, on, **_payment(row, fact))
    elif target is not None and target.kind in PAYMENTS:
        _say(REPAYMENT_REVERSED, loan, on, **_payment(row, target), reversal_seq=fact.seq)
    after = standing_of(loan, row, stands_on)
    if after.status != before.status:
        _say(_BY_STATUS[LoanStatus(after.status)], loan, on)
    if after.overdue and not before.overdue and after.status == LoanStatus.ACTIVE:
        assert row.oldest_due_day is not None
        _say(OVERDUE_ENTERED, loan, on, oldest_due_on=date.fromordinal(row.oldest_due_day))


def fact_restored(loan: Loan, row: LoanState, fact: Fact | None, *, on: date) -> None:
    """冲正被冲正：那笔还款又算数了。"""
    if fact is not None and fact.kind in PAYMENTS:
        _say(REPAYMENT_POSTED, loan, on, **_payment(row, fact))


def loans_settled(loans: Iterable[Loan], *, on: date) -> None:
    """日终逐笔走时还清的（溢缴款冲抵）。"""
    announce_all(LOAN_SETTLED, (Happening(loan.institution_id, on, f"loan:{loan.pk}", _about(loan)) for loan in loans))


def overdue_entered(loans: Sequence[Overdue], *, on: date) -> None:
    """日终后逾期满一天的：同一次逾期总是同一个事件编号，重跑无妨。"""
    announce_all(
        OVERDUE_ENTERED,
        (
            Happening(
                loan.institution_id,
                on,
                f"loan:{loan.loan_id}",
                {
                    "loan_id": loan.loan_id,
                    "number": loan.number,
                    "party_id": loan.party_id,
                    "oldest_due_on": loan.oldest_due_on,
                },
                cause=f"loan:{loan.loan_id}|{loan.oldest_due_on}|{on}",
            )
            for loan in loans
        ),
    )


def _disbursed(loan: Loan, fact: Fact) -> None:
    if fact.seq > 1:
        _say(
            LOAN_DISBURSED,
            loan,
            fact.booked_on,
            seq=fact.seq,
            amount=_yuan(fact.amount_fen),
            value_on=fact.value_on,
        )
        return
    _say(
        LOAN_BOOKED,
        loan,
        fact.booked_on,
        product_id=loan.product_id,
        amount=_yuan(fact.amount_fen),
        rate_ppm=loan.rate_ppm,
        starts_on=loan.starts_on,
        matures_on=loan.matures_on,
    )


def _payment(row: LoanState, fact: Fact) -> dict[str, Any]:
    return {
        "seq": fact.seq,
        "kind": str(fact.kind),
        "amount": _yuan(fact.amount_fen),
        "value_on": fact.value_on,
        "principal": _yuan(row.principal_fen),
    }


def _say(event: EventKind, loan: Loan, on: date, /, **data: Any) -> None:
    announce(event, institution_id=loan.institution_id, on=on, subject=f"loan:{loan.pk}", **_about(loan), **data)


def _about(loan: Loan) -> dict[str, Any]:
    return {"loan_id": loan.pk, "number": loan.number, "party_id": loan.party_id}


def _yuan(fen: int) -> str:
    whole, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{cents:02d}"
