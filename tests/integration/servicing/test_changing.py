"""展期、重订计划、利率、收费、减免、调整、划转、分类、加速、核销与收回。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from sancha.apps.businessday import operations as businessday
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import LoanFact
from sancha.apps.servicing.operations.changes import extension_limit
from sancha.kernel.terms import Method
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office


def act(operation: Any, office: Office, loan_id: int, **how: Any) -> dict[str, Any]:
    values = {"actor": office.clerk, "key": fresh_key(), "loan_id": loan_id, "reason": "审批单 2026-17"}
    return dict(operation(**{**values, **how}))


# --- 展期 -------------------------------------------------------------------------


def test_extension_up_to_the_limit(office: Office) -> None:
    """一年以内的贷款，累计展期不超过原期限：到上限那天可以，多一天不行，并写明上限。"""
    loan_id = office.lend(method=Method.BULLET, periods=6)
    first = office.loan(loan_id).matures_on
    limit = extension_limit(office.today, first)
    with pytest.raises(DomainError) as refused:
        act(servicing.extend_loan, office, loan_id, matures_on=limit + ONE_DAY)
    assert refused.value.code == "EXTENSION_TOO_LONG"
    assert str(limit) in (refused.value.fix or "")
    act(servicing.extend_loan, office, loan_id, matures_on=limit - timedelta(days=30))
    assert office.loan(loan_id).matures_on == limit - timedelta(days=30)
    with pytest.raises(DomainError):
        act(servicing.extend_loan, office, loan_id, matures_on=limit + ONE_DAY)
    act(servicing.extend_loan, office, loan_id, matures_on=limit)
    assert office.problems() == []


def test_longer_loans_extend_by_half(office: Office) -> None:
    assert extension_limit(date(2026, 1, 1), date(2026, 7, 1)) == date(2026, 12, 29)
    assert extension_limit(date(2026, 1, 1), date(2028, 1, 1)) == date(2028, 12, 31)


def test_extension_must_be_later_and_before_all_is_due(office: Office) -> None:
    loan_id = office.lend(method=Method.BULLET, periods=1)
    with pytest.raises(DomainError) as refused:
        act(servicing.extend_loan, office, loan_id, matures_on=office.loan(loan_id).matures_on)
    assert refused.value.code == "EXTENSION_NOT_LATER"
    late = office.lend(office.today - timedelta(days=40), method=Method.BULLET, periods=1)
    with pytest.raises(Conflict) as over:
        act(servicing.extend_loan, office, late, matures_on=office.today + timedelta(days=10))
    assert over.value.code == "NOTHING_TO_EXTEND"


def test_a_change_needs_a_reason_and_the_permission(office: Office) -> None:
    loan_id = office.lend(method=Method.BULLET, periods=6)
    later = office.loan(loan_id).matures_on + timedelta(days=30)
    with pytest.raises(DomainError) as refused:
        act(servicing.extend_loan, office, loan_id, matures_on=later, reason="  ")
    assert refused.value.code == "REASON_MISSING"
    with pytest.raises(NotPermitted):
        act(servicing.extend_loan, office, loan_id, matures_on=later, actor=office.supervisor)


# --- 重订计划、利率、收费 ----------------------------------------------------------------


def test_a_new_plan_takes_in_what_is_overdue(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=70))
    ends = [office.today + timedelta(days=30 * k) for k in (1, 2, 3)]
    with pytest.raises(DomainError) as refused:
        act(servicing.change_plan, office, loan_id, due_dates=ends, principal_fen=[1, 2, 3], reopen_overdue=True)
    assert refused.value.code == "PLAN_PRINCIPAL_INVALID"
    for wrong in ([], ends[::-1], [office.today], [ends[0], ends[0]]):
        with pytest.raises(DomainError) as dates:
            act(servicing.change_plan, office, loan_id, due_dates=wrong)
        assert dates.value.code == "PLAN_DATES_INVALID"
    act(
        servicing.change_plan,
        office,
        loan_id,
        due_dates=ends,
        principal_fen=[1_000_000, 1_000_000, 3_000_000],
        reopen_overdue=True,
    )
    row = office.row(loan_id)
    assert (row.overdue_principal_fen, row.oldest_due_day) == (0, None)
    office.close(31)
    assert office.problems() == []


def test_rate_out_of_range(office: Office) -> None:
    loan_id = office.lend()
    for rate in (-1, 10_000_001):
        with pytest.raises(DomainError) as refused:
            act(servicing.change_rate, office, loan_id, rate_ppm=rate)
        assert refused.value.code == "RATE_OUT_OF_RANGE"
    act(servicing.change_rate, office, loan_id, rate_ppm=100_000)
    assert office.loan(loan_id).rate_ppm == 100_000


def test_a_fee_is_owed_and_paid_first(office: Office) -> None:
    loan_id = office.lend()
    for fen in (0, -5):
        with pytest.raises(DomainError):
            act(servicing.charge_fee, office, loan_id, amount_fen=fen, name="评估费")
    act(servicing.charge_fee, office, loan_id, amount_fen=50_00, name="评估费")
    assert office.row(loan_id).charges_due_fen == 50_00
    assert office.repay(loan_id, 80_00)["allocated"] == {"fee": 50_00, "overpayment": 30_00}
    assert office.problems() == []


# --- 减免与调整 ---------------------------------------------------------------------


def test_a_waiver_no_larger_than_what_is_owed(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=60))
    owed = office.row(loan_id).charges_due_fen
    assert owed > 0
    with pytest.raises(DomainError) as refused:
        act(servicing.waive, office, loan_id, component="penalty", amount_fen=owed + 1_000_00)
    assert refused.value.code == "WAIVER_TOO_MUCH"
    assert LoanFact.objects.filter(loan_id=loan_id).count() == 1
    with pytest.raises(DomainError) as unknown:
        act(servicing.waive, office, loan_id, component="everything", amount_fen=1)
    assert unknown.value.code == "COMPONENT_UNKNOWN"
    with pytest.raises(DomainError):
        act(servicing.waive, office, loan_id, component="penalty", amount_fen=0)
    act(servicing.waive, office, loan_id, component="penalty", amount_fen=1_00)
    assert office.row(loan_id).charges_due_fen == owed - 1_00
    assert office.problems() == []


# --- 划转 -------------------------------------------------------------------------


def second_partition(office: Office) -> None:
    county = office.county
    place = businessday.add_partition(
        actor=SYSTEM, key=fresh_key(), on=office.today, group_id=county.group_id, name="二区"
    )
    businessday.assign_institution(
        actor=SYSTEM,
        key=fresh_key(),
        on=office.today,
        institution_id=county.ids["S9"],
        partition_id=place["partition_id"],
    )


def test_a_transfer_is_a_reclass(office: Office) -> None:
    """划转：头寸整体换到新机构，两边各自平衡；原支行的人不再看见；冲正划转又回来，分区也跟着回来。"""
    second_partition(office)
    loan_id = office.lend(office.today - timedelta(days=20))
    here = office.row(loan_id).partition_id
    clerk = office.county.actor("BUSINESS_MANAGER")
    with pytest.raises(NotFound):
        act(servicing.transfer_loan, office, loan_id, institution_id=office.county.ids["S9"])
    with pytest.raises(Conflict) as same:
        act(servicing.transfer_loan, office, loan_id, institution_id=office.county.ids["S1"])
    assert same.value.code == "ALREADY_THERE"
    moved = act(servicing.transfer_loan, office, loan_id, actor=clerk, institution_id=office.county.ids["S9"])
    row = office.row(loan_id)
    assert (row.institution_id, row.loan.institution_id) == (office.county.ids["S9"], office.county.ids["S9"])
    assert row.partition_id != here
    with pytest.raises(NotFound):
        office.repay(loan_id, 100_00)
    assert office.problems() == []
    office.close(2)
    servicing.reverse_fact(actor=SYSTEM, key=fresh_key(), loan_id=loan_id, seq=moved["seq"], reason="错划")
    row = office.row(loan_id)
    assert (row.institution_id, row.partition_id) == (office.county.ids["S1"], here)
    office.close(2)
    assert office.problems() == []


# --- 分类、应计、挪用、加速 ---------------------------------------------------------------


def test_class_floor_and_non_accrual(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=40))
    with pytest.raises(DomainError) as refused:
        act(servicing.classify_loan, office, loan_id, loan_class=6)
    assert refused.value.code == "CLASS_UNKNOWN"
    act(servicing.classify_loan, office, loan_id, loan_class=3)
    act(servicing.set_accrual_status, office, loan_id, accrual=False)
    row = office.row(loan_id)
    assert (row.loan_class, row.accrual) == (3, 0)
    assert "INTEREST_RECEIVABLE" not in row.base
    office.close(2)
    act(servicing.set_accrual_status, office, loan_id, accrual=True)
    assert office.row(loan_id).accrual == 1
    assert office.problems() == []


def test_past_ninety_days_a_loan_stops_accruing_by_itself(office: Office) -> None:
    """逾期第 91 天：日终自动转非应计、次级，应收利息转表外；收清旧欠后转回。"""
    loan_id = office.lend(office.today - timedelta(days=31 + 88))
    assert office.row(loan_id).accrual == 1
    office.close(5)
    row = office.row(loan_id)
    assert (row.loan_class, row.accrual) == (3, 0)
    assert row.base["OFF_INTEREST"] > 0
    office.repay(loan_id, 4 * 460_000)
    assert office.row(loan_id).accrual == 1
    office.close(1)
    assert office.problems() == []


def test_misuse_and_acceleration(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=10))
    act(servicing.mark_misuse, office, loan_id, active=True, value_on=office.today - timedelta(days=5))
    assert office.row(loan_id).charges_due_fen > 0
    act(servicing.accelerate_loan, office, loan_id)
    with pytest.raises(Conflict) as refused:
        act(servicing.accelerate_loan, office, loan_id)
    assert refused.value.code == "ALREADY_DUE"
    office.close(2)
    assert office.row(loan_id).overdue_principal_fen == 5_000_000
    assert office.problems() == []


def test_shares_of_the_payers(office: Office) -> None:
    loan_id = office.lend()
    for wrong in ([["财政", 1_000_001]], [["财政", -1]]):
        with pytest.raises(DomainError) as refused:
            act(servicing.set_payer_shares, office, loan_id, shares=wrong)
        assert refused.value.code == "SHARES_INVALID"
    act(servicing.set_payer_shares, office, loan_id, shares=[["财政", 500_000]])
    office.close(33)
    assert office.row(loan_id).base["SUBSIDY_RECEIVABLE"] > 0
    assert office.problems() == []


# --- 核销与收回 ---------------------------------------------------------------------


def test_write_off_and_recovery(office: Office) -> None:
    """核销：须有理由与文号；之后不计息、不能变更，只能登记收回；收回先本后息，超过债权不收。"""
    loan_id = office.lend(office.today - timedelta(days=200))
    how = {"actor": office.manager, "approval_number": "青川核〔2026〕3号"}
    with pytest.raises(DomainError) as refused:
        act(servicing.write_off_loan, office, loan_id, **{**how, "approval_number": " "})
    assert refused.value.code == "APPROVAL_MISSING"
    with pytest.raises(Conflict) as live:
        servicing.post_recovery(actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=1)
    assert live.value.code == "NOT_WRITTEN_OFF"
    done = act(servicing.write_off_loan, office, loan_id, **how)
    assert (done["status"], done["written_off_fen"]) == ("WRITTEN_OFF", 5_000_000)
    with pytest.raises(Conflict) as twice:
        act(servicing.write_off_loan, office, loan_id, **how)
    assert twice.value.code == "NOTHING_TO_WRITE_OFF"
    with pytest.raises(Conflict) as closed:
        act(servicing.charge_fee, office, loan_id, amount_fen=1, name="费")
    assert closed.value.code == "LOAN_WRITTEN_OFF"
    claim = office.payoff(loan_id)
    assert claim > 5_000_000
    office.close(3)
    assert office.payoff(loan_id) == claim
    for wrong in (0, -1, claim + 1):
        with pytest.raises(DomainError):
            servicing.post_recovery(actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=wrong)
    servicing.post_recovery(actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=5_000_001)
    row = office.row(loan_id)
    assert row.base["WRITTEN_OFF_INTEREST"] == claim - 5_000_001
    assert "WRITTEN_OFF_PRINCIPAL" not in row.base
    office.repay(loan_id, claim - 5_000_001)
    assert office.payoff(loan_id) == 0
    with pytest.raises(DomainError):
        office.repay(loan_id, 1)
    office.close(1)
    assert office.problems() == []


def test_write_off_needs_its_own_permission(office: Office) -> None:
    loan_id = office.lend(office.today - timedelta(days=200))
    with pytest.raises(NotPermitted):
        act(servicing.write_off_loan, office, loan_id, approval_number="文")
