"""还款、提前还本、结清、退款、冲正：金额、日期、重复、范围，以及钱去了哪里。"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sancha.apps.cashdesk import queries as cashdesk
from sancha.apps.ledger import queries as ledger
from sancha.apps.ledger.models import Voucher
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, Movement
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import KeyReused
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office


def settle(office: Office, loan_id: int, fen: int, **how: Any) -> dict[str, Any]:
    return servicing.settle_loan(
        **{"actor": office.clerk, "key": fresh_key(), "loan_id": loan_id, "amount_fen": fen, **how}
    )


def prepay(office: Office, loan_id: int, fen: int, **how: Any) -> dict[str, Any]:
    return servicing.prepay_loan(
        **{"actor": office.clerk, "key": fresh_key(), "loan_id": loan_id, "amount_fen": fen, **how}
    )


def reverse(office: Office, loan_id: int, seq: int, **how: Any) -> dict[str, Any]:
    values = {"actor": office.supervisor, "key": fresh_key(), "loan_id": loan_id, "seq": seq, "reason": "错账"}
    return servicing.reverse_fact(**{**values, **how})


def facts(loan_id: int) -> list[str]:
    return list(LoanFact.objects.filter(loan_id=loan_id).order_by("seq").values_list("kind", flat=True))


# --- 还款 ------------------------------------------------------------------------


def test_an_instalment_on_its_day(office: Office) -> None:
    """到期日还一期：先息后本，余额按计划，凭证平，收款核销。"""
    loan_id = office.lend(office.today - timedelta(days=31))
    owed = office.row(loan_id).interest_due_fen
    receipt = office.receive(450_949)
    done = office.repay(loan_id, 450_949, receipt_id=receipt)
    assert done["allocated"]["interest"] == owed
    assert sum(done["allocated"].values()) == 450_949
    assert cashdesk.receipt_detail(office.clerk, receipt)[0].left_fen == 0
    used = Voucher.objects.get(kind="RECEIPT_USE")
    assert used.summary == f"收款 {receipt} 用于 {Loan.objects.get(pk=loan_id).number}"  # never an inner number
    assert ledger.unbalanced_vouchers() == []
    assert office.problems() == []


@pytest.mark.parametrize("fen", [0, -1, -450_949])
def test_an_amount_that_is_not_positive(office: Office, fen: int) -> None:
    loan_id = office.lend()
    for act in (office.repay, lambda *args: prepay(office, *args)):
        with pytest.raises(DomainError) as refused:
            act(loan_id, fen)
        assert refused.value.code == "AMOUNT_NOT_POSITIVE"
        assert refused.value.fix
    assert facts(loan_id) == ["DISBURSEMENT"]


def test_above_the_debt(office: Office) -> None:
    """多过结清应付一分：拒绝，写明应付多少；勾了允许溢缴才收，多的记溢缴款。"""
    loan_id = office.lend(office.today - timedelta(days=40))
    office.close(5)
    total = office.payoff(loan_id)
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, total + 1)
    assert refused.value.code == "ABOVE_DEBT"
    assert f"{total / 100:,.2f}" in refused.value.message
    done = office.repay(loan_id, total + 1, allow_overpayment=True, future="LAST")
    assert done["allocated"]["overpayment"] == 1
    assert office.problems() == []


def test_exactly_the_debt_days_after_the_last_event(office: Office) -> None:
    """事件之后过了几天，一次还清当天全部应付（含这几天的利息）不算超额。"""
    loan_id = office.lend()
    office.close(9)
    done = office.repay(loan_id, office.payoff(loan_id), future="LAST")
    assert done["status"] == "SETTLED"
    assert office.row(loan_id).principal_fen == 0


def test_a_back_dated_payment_above_what_is_left(office: Office) -> None:
    """倒签也不能多收：起息日当天欠得多，后来已还掉一部分的，以现在还欠的为限。"""
    loan_id = office.lend(office.today - timedelta(days=60))
    before = office.today - timedelta(days=5)
    office.repay(loan_id, office.payoff(loan_id) - 100_00, future="LAST")
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 40_000_00, value_on=before)
    assert refused.value.code == "ABOVE_DEBT"


def test_a_value_date_in_the_future(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 100_00, value_on=office.today + ONE_DAY)
    assert refused.value.code == "VALUE_DATE_IN_FUTURE"


def test_a_value_date_before_the_loan(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 100_00, value_on=office.today - ONE_DAY)
    assert refused.value.code == "VALUE_DATE_TOO_EARLY"
    assert str(office.today) in (refused.value.fix or "")


def test_a_booking_day_outside_the_open_day(office: Office) -> None:
    loan_id = office.lend()
    for day in (office.today - ONE_DAY, office.today + ONE_DAY):
        with pytest.raises(Conflict) as refused:
            office.repay(loan_id, 100_00, on=day)
        assert refused.value.code == "NOT_BUSINESS_DATE"


def test_a_back_dated_payment_repairs_the_penalty(office: Office) -> None:
    """迟了十天才登记的按时还款：罚息、复利退回，差额在这一张凭证里，逾期天数归零。"""
    loan_id = office.lend(office.today - timedelta(days=31))
    due = office.today
    office.close(10)
    assert office.row(loan_id).overdue_principal_fen > 0
    office.repay(loan_id, 450_949, value_on=due)
    row = office.row(loan_id)
    assert (row.overdue_principal_fen, row.charges_due_fen, row.oldest_due_day) == (0, 0, None)
    on_time = office.lend(due - timedelta(days=31))
    office.repay(on_time, 450_949, value_on=due)
    assert office.row(on_time).base == row.base
    assert office.problems() == []


def test_the_order_can_be_changed_only_with_a_reason(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=45))
    order = ["principal", "interest", "penalty", "compound", "fee"]
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 100_00, order=order)
    assert refused.value.code == "ORDER_REASON_MISSING"
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 100_00, order=order[:4], order_reason="约定")
    assert refused.value.code == "ORDER_INCOMPLETE"
    done = office.repay(loan_id, 100_00, order=order, order_reason="借贷双方约定先还本金")
    assert done["allocated"] == {"principal": 100_00}


def test_same_key_same_content_is_booked_once(office: Office) -> None:
    loan_id = office.lend()
    first = office.repay(loan_id, 100_00, key="还款-1")
    assert office.repay(loan_id, 100_00, key="还款-1") == first
    assert facts(loan_id) == ["DISBURSEMENT", "REPAYMENT"]


def test_a_retry_after_the_day_close_returns_the_first_result(office: Office) -> None:
    """网断了，日终之后客户端才重试：营业日变了，要办的事没变，仍是首次那一笔。"""
    loan_id = office.lend()
    first = office.repay(loan_id, 100_00, key="还款-1", on=office.today)
    office.close(1)
    assert office.repay(loan_id, 100_00, key="还款-1", on=office.today) == first
    assert facts(loan_id) == ["DISBURSEMENT", "REPAYMENT"]


def test_same_key_other_content_is_refused(office: Office) -> None:
    loan_id = office.lend()
    office.repay(loan_id, 100_00, key="还款-1")
    with pytest.raises(KeyReused):
        office.repay(loan_id, 200_00, key="还款-1")
    assert facts(loan_id) == ["DISBURSEMENT", "REPAYMENT"]


def test_the_receipt_must_have_that_much_left(office: Office) -> None:
    """收款不够：整笔拒绝，什么也没记。"""
    loan_id = office.lend()
    with pytest.raises(DomainError) as refused:
        office.repay(loan_id, 100_00, receipt_id=office.receive(99_99))
    assert refused.value.code == "RECEIPT_SHORT"
    assert facts(loan_id) == ["DISBURSEMENT"]
    assert office.problems() == []


def test_without_the_permission(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(NotPermitted):
        office.repay(loan_id, 100_00, actor=office.supervisor)


def test_out_of_scope(office: Office) -> None:
    loan_id = office.lend(at="S9")
    with pytest.raises(NotFound) as refused:
        office.repay(loan_id, 100_00)
    assert refused.value.code == "LOAN_NOT_FOUND"


# --- 提前还本与结清 ------------------------------------------------------------------


def test_prepayment_shortens_or_lowers(office: Office) -> None:
    """提前还本：缩期的期数少了、每期不变；减额的期数不变、每期少了。"""
    shorter, lower = office.lend(), office.lend()
    office.close(10)
    for loan_id, mode in ((shorter, "TERM"), (lower, "INSTALLMENT")):
        done = prepay(office, loan_id, 20_000_00, mode=mode)
        assert done["allocated"]["principal"] + done["allocated"]["interest"] == 20_000_00
    with pytest.raises(DomainError) as refused:
        prepay(office, lower, 1_00, mode="SOMEHOW")
    assert refused.value.code == "MODE_UNKNOWN"
    office.close(45)
    assert office.problems() == []


def test_prepayment_above_the_debt(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(DomainError) as refused:
        prepay(office, loan_id, 50_000_01)
    assert refused.value.code == "ABOVE_DEBT"


@pytest.mark.parametrize("age", [0, 17, 95, 400])
@pytest.mark.parametrize("fee_ppm", [0, 10_000])
def test_the_payoff_quote_is_what_is_booked(office: Office, age: int, fee_ppm: int) -> None:
    """结清报价多少就入账多少，一分不差；多一分少一分都不收。"""
    loan_id = office.lend(office.today - timedelta(days=age), prepayment_fee_ppm=fee_ppm, grace_days=3)
    quoted = office.payoff(loan_id)
    for wrong in (quoted - 1, quoted + 1):
        with pytest.raises(DomainError) as refused:
            settle(office, loan_id, wrong)
        assert refused.value.code == "PAYOFF_DIFFERS"
        assert f"{quoted / 100:,.2f}" in refused.value.message
    done = settle(office, loan_id, quoted, receipt_id=office.receive(quoted))
    assert (done["status"], done["principal_fen"]) == ("SETTLED", 0)
    moved = Movement.objects.filter(loan_id=loan_id, fact_seq=done["seq"], position_code="CASH").values_list(
        "amount_fen", flat=True
    )
    assert sum(moved) == quoted
    row = office.row(loan_id)
    held = {code: fen for code, fen in row.base.items() if not code.endswith("INCOME") and code != "CASH"}
    assert held == {}
    office.close(2)
    assert office.problems() == []


def test_a_settlement_dated_back(office: Office) -> None:
    """倒签结清：按起息日那天的报价。"""
    loan_id = office.lend(office.today - timedelta(days=20))
    day = office.today
    quoted = office.payoff(loan_id)
    office.close(6)
    assert office.payoff(loan_id) > quoted
    assert settle(office, loan_id, quoted, value_on=day)["status"] == "SETTLED"
    assert office.problems() == []


def test_a_settled_loan_takes_no_more(office: Office) -> None:
    """已结清的借据：再还、再结清、再变更都拒绝，说明哪天结清的。"""
    loan_id = office.lend()
    settle(office, loan_id, office.payoff(loan_id))
    for act in (
        lambda: office.repay(loan_id, 1),
        lambda: settle(office, loan_id, 0),
        lambda: prepay(office, loan_id, 1),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "LOAN_SETTLED"
        assert str(office.today) in refused.value.message
    with pytest.raises(Conflict) as closed:
        servicing.change_plan(
            actor=office.clerk,
            key=fresh_key(),
            loan_id=loan_id,
            due_dates=[office.today + timedelta(days=30)],
            reason="试",
        )
    assert closed.value.code == "LOAN_CLOSED"
    assert office.loan(loan_id).status == "SETTLED"


# --- 溢缴与退款 ---------------------------------------------------------------------


def test_an_overpayment_is_given_back_no_further_than_it_goes(office: Office) -> None:
    loan_id = office.lend()
    office.repay(loan_id, 100_00)
    with pytest.raises(DomainError) as refused:
        servicing.refund_overpayment(actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=100_01)
    assert refused.value.code == "REFUND_TOO_MUCH"
    servicing.refund_overpayment(actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=100_00)
    assert office.row(loan_id).overpayment_fen == 0
    assert office.problems() == []


# --- 冲正 -------------------------------------------------------------------------


def test_a_reversal_is_as_if_it_had_never_been(office: Office) -> None:
    """冲正还款：头寸与没还过一样，收款退回挂账，可再用。"""
    loan_id, twin = office.lend(office.today - timedelta(days=50)), office.lend(office.today - timedelta(days=50))
    receipt = office.receive(450_949)
    paid = office.repay(loan_id, 450_949, receipt_id=receipt)
    office.close(3)
    reverse(office, loan_id, paid["seq"])
    office.close(1)
    one, other = office.row(loan_id), office.row(twin)
    # Settled on one day and reopened: what counts today is the same, the line starts elsewhere.
    assert office.payoff(loan_id) == office.payoff(twin)
    assert (one.oldest_due_day, one.overdue_principal_fen) == (other.oldest_due_day, other.overdue_principal_fen)
    assert cashdesk.receipt_detail(office.clerk, receipt)[0].left_fen == 450_949
    assert office.repay(loan_id, 450_949, receipt_id=receipt)["seq"] == 4
    assert office.problems() == []


def test_a_reversal_reversed(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=50))
    paid = office.repay(loan_id, 450_949)
    after = office.row(loan_id).base
    undone = reverse(office, loan_id, paid["seq"])
    with pytest.raises(Conflict) as refused:
        reverse(office, loan_id, paid["seq"])
    assert refused.value.code == "ALREADY_REVERSED"
    reverse(office, loan_id, undone["seq"])
    assert office.row(loan_id).base == after
    assert office.problems() == []


def test_a_repayment_whose_receipt_went_back_is_not_revived(office: Office) -> None:
    """收款已退回挂账（可能另有用处），冲正那条冲正会把同一笔钱算两次：拒绝，请重新登记。"""
    loan_id = office.lend(office.today - timedelta(days=50))
    paid = office.repay(loan_id, 450_949, receipt_id=office.receive(450_949))
    undone = reverse(office, loan_id, paid["seq"])
    with pytest.raises(DomainError) as refused:
        reverse(office, loan_id, undone["seq"])
    assert refused.value.code == "RECEIPT_GONE_BACK"


def test_later_facts_are_listed_before_a_reversal(office: Office) -> None:
    """冲正之后还有按当时状态登记的结清：先列出来，确认了才冲；结清金额不变，差额重新成为欠款。"""
    loan_id = office.lend(office.today - timedelta(days=50))
    paid = office.repay(loan_id, 450_949)
    settled = settle(office, loan_id, office.payoff(loan_id))
    with pytest.raises(Conflict) as refused:
        reverse(office, loan_id, paid["seq"])
    assert refused.value.code == "LATER_FACTS"
    assert refused.value.value == [settled["seq"]]
    done = reverse(office, loan_id, paid["seq"], accept_later=True)
    assert done["status"] == "ACTIVE"
    assert office.payoff(loan_id) > 0
    office.close(5)
    assert office.problems() == []


def test_a_reversal_needs_a_reason_and_a_fact(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(DomainError) as refused:
        reverse(office, loan_id, 1, reason=" ")
    assert refused.value.code == "REASON_MISSING"
    with pytest.raises(DomainError) as refused:
        reverse(office, loan_id, 9)
    assert refused.value.code == "FACT_NOT_FOUND"


def test_a_disbursement_is_reversed_last(office: Office) -> None:
    """放款之后还有事实，不能先冲放款；都冲掉了再冲放款，借据作废，头寸归零；再冲正那条冲正则恢复。"""
    loan_id = office.lend()
    paid = office.repay(loan_id, 100_00)
    with pytest.raises(DomainError) as refused:
        reverse(office, loan_id, 1)
    assert refused.value.code == "DISBURSEMENT_HAS_FACTS"
    reverse(office, loan_id, paid["seq"])
    undone = reverse(office, loan_id, 1)
    assert undone["status"] == "VOID"
    assert office.row(loan_id).base == {}
    with pytest.raises(Conflict) as void:
        office.repay(loan_id, 100_00)
    assert void.value.code == "LOAN_VOID"
    office.close(32)
    assert reverse(office, loan_id, undone["seq"])["status"] == "ACTIVE"
    assert office.row(loan_id).interest_due_fen > 0
    assert office.problems() == []


def test_the_cashier_cannot_reverse(office: Office) -> None:
    loan_id = office.lend()
    with pytest.raises(NotPermitted):
        reverse(office, loan_id, 1, actor=office.clerk)


# --- 隔离 -------------------------------------------------------------------------


def test_a_held_loan_takes_nothing_until_released(office: Office) -> None:
    loan_id = office.lend()
    LoanState.objects.filter(pk=loan_id).update(held=True, held_reason="抽查重放不符：试")
    with pytest.raises(Conflict) as refused:
        office.repay(loan_id, 100_00)
    assert refused.value.code == "LOAN_HELD"
    assert "抽查重放不符" in refused.value.message
    servicing.release_loan(actor=office.supervisor, key=fresh_key(), loan_id=loan_id, reason="查明无误")
    office.repay(loan_id, 100_00)
    with pytest.raises(Conflict) as again:
        servicing.release_loan(actor=office.supervisor, key=fresh_key(), loan_id=loan_id, reason="再来")
    assert again.value.code == "LOAN_NOT_HELD"


def test_a_difference_is_never_carried_into_the_books(office: Office) -> None:
    """账上头寸被改坏：还款拒绝入账，说出两边，什么也没记。"""
    loan_id = office.lend()
    row = office.row(loan_id)
    row.base["CASH"] += 1
    row.save(update_fields=["base"])
    with pytest.raises(Conflict) as refused:
        office.repay(loan_id, 100_00)
    assert refused.value.code == "POSITION_MISMATCH"
    assert facts(loan_id) == ["DISBURSEMENT"]
