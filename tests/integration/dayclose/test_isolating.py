"""坏掉的一笔隔离并报告，其余照常；账簿与借据不符则停；查明后接上。"""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import connection

from sancha.apps.ledger.models import Voucher
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing import queries, rotation
from sancha.apps.servicing.models import Loan, LoanState
from sancha.dayclose import engine, invariants, pipeline
from sancha.dayclose.models import CloseRun, HeldLoan
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import now
from sancha.kit.errors import Conflict
from tests.simulation.business import dying
from tests.simulation.independent import check_close
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office


def red(office: Office) -> dict[str, list[str]]:
    findings = invariants.check(group_id=office.county.group_id, everything=True)
    return {finding.code: finding.problems for finding in findings if finding.problems}


def release(office: Office, loan_id: int) -> None:
    servicing.release_loan(actor=office.supervisor, key=fresh_key(), loan_id=loan_id, reason="状态已由事实重建")


@pytest.mark.parametrize("damage", ['{"broken', "{}", '{"on": 1, "installments": []}'])
def test_a_broken_loan_is_held_and_the_others_close(office: Office, damage: str) -> None:
    """状态读不出的一笔：隔离、报告；其余照常日终，账簿与借据始终相符；解除后从事实重建，重新参加日终。"""
    due = office.today - timedelta(days=27)  # its instalment falls due tomorrow
    broken, *others = (office.lend(due) for _ in range(3))
    day = office.today
    LoanState.objects.filter(pk=broken).update(state=damage)
    report = engine.run(actor=SYSTEM, group_id=office.county.group_id)[0]
    assert report.held == 1
    assert [(row["loan_id"]) for row in engine.held_loans()] == [broken]
    assert office.row(broken).held
    assert "Error" in office.row(broken).held_reason
    assert all(office.row(pk).from_day == day.toordinal() + 1 for pk in others)
    assert set(red(office)) == {"AGENDA", "REPLAY"}
    office.close(12)
    assert not invariants.books_agree(group_id=office.county.group_id).problems
    assert CloseRun.objects.filter(status="DONE").count() == 13
    release(office, broken)
    assert red(office) == {}
    assert office.payoff(broken) == office.payoff(others[0])
    office.close(2)
    check_close(office.today - ONE_DAY)
    assert red(office) == {}


class Killed(BaseException):
    """被杀：不是普通异常。"""


def test_killed_while_the_rotation_reports_the_next_run_reports_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """隔离与报告同一事务：隔离的不再抽查，报告要是丢了就没有第二次。"""
    loan_id = office.lend()
    LoanState.objects.filter(pk=loan_id).update(state=office.row(loan_id).state.replace("144000", "150000"))

    def dying(*_args: object) -> None:
        raise Killed

    on = next(
        day for ahead in range(rotation.SHARES)
        if (day := office.today + ahead * ONE_DAY).toordinal() % rotation.SHARES == loan_id % rotation.SHARES
    )  # fmt: skip
    run = CloseRun.objects.create(group_id=office.county.group_id, day=on, status="RUNNING", started_at=now())
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_report_held", dying)
        with pytest.raises(Killed):
            pipeline._rotate_batch(run.pk, on, [loan_id])
    assert not office.row(loan_id).held
    pipeline._rotate_batch(run.pk, on, rotation.todays_share(partition_id=office.row(loan_id).partition_id, on=on))
    assert office.row(loan_id).held
    assert HeldLoan.objects.filter(run=run, loan_id=loan_id).count() == 1


def test_the_rotation_finds_what_no_event_touches(office: Office) -> None:
    """一笔没有事件的借据被改坏：一个轮转之内抽查到、隔离，隔离后账簿与借据仍相符，日终不停。"""
    loan_id = office.lend()
    row = office.row(loan_id)
    damaged = row.state.replace("144000", "150000")
    assert damaged != row.state
    LoanState.objects.filter(pk=loan_id).update(state=damaged)
    office.close(rotation.SHARES)
    row = office.row(loan_id)
    assert row.held
    assert row.from_day > office.county.opened_on.toordinal()
    assert HeldLoan.objects.filter(loan_id=loan_id).count() == 1
    assert not invariants.books_agree(group_id=office.county.group_id).problems
    office.close(3)
    release(office, loan_id)
    assert red(office) == {}


def test_a_row_that_disagrees_with_its_state_is_not_advanced(office: Office) -> None:
    """投影行的头寸被改而状态没改：有事件的那天不带差入账，隔离。"""
    loan_id = office.lend(office.today - timedelta(days=27))
    row = office.row(loan_id)
    row.c2, row.s2, row.d2 = 0, 7, 11
    row.save(update_fields=["c2", "s2", "d2"])
    assert engine.run(actor=SYSTEM, group_id=office.county.group_id)[0].held == 1
    assert "按状态应为" in office.row(loan_id).held_reason


def test_a_broken_loan_does_not_stop_repricing(office: Office) -> None:
    """到重定价日而状态读不出的一笔：隔离，别的照常重定价。"""
    broken, fine = (office.lend(rate_link=("1Y", 777, "EVERY_MONTHS:1")) for _ in range(2))
    Loan.objects.filter(pk__in=[broken, fine]).update(reprices_on=office.today + ONE_DAY)
    LoanState.objects.filter(pk=broken).update(state="?")
    assert engine.run(actor=SYSTEM, group_id=office.county.group_id)[0].held == 1
    assert "重定价未成" in office.row(broken).held_reason
    assert office.row(fine).last_seq == 2
    release(office, broken)
    office.close(1)
    assert red(office) == {}


def stray(voucher_id: int, fen: int) -> None:
    """绕过一切直接插一行头寸分录（和它的对方，凭证仍平）。"""
    with connection.cursor() as cursor:
        for code, amount in (("PRINCIPAL", fen), ("CASH", -fen)):
            cursor.execute(
                "INSERT INTO ledger_line (voucher_id, booked_on, account_id, amount_fen, institution_id, product_id, loan_class, accrual,"
                " currency, position_code, summary) SELECT voucher_id, booked_on, account_id, %s, institution_id, product_id, loan_class,"
                " accrual, currency, %s, 'stray' FROM ledger_line WHERE voucher_id = %s AND position_code = %s AND summary <> 'stray' LIMIT 1",
                [amount, code, voucher_id, code],
            )


def test_a_ledger_that_disagrees_stops_the_run(office: Office) -> None:
    """账簿里多出一行：日终停在「借据与账簿核对」，说出哪个机构、哪个键、差多少；改正后接着做，前面的步骤不重做。"""
    office.lend()
    voucher = Voucher.objects.filter(kind="DISBURSEMENT").latest("pk")
    stray(voucher.pk, 12_345)
    day = office.today
    with pytest.raises(Conflict) as stopped:
        office.close()
    assert stopped.value.code == "BOOKS_DISAGREE"
    assert "12345" in stopped.value.message
    assert f"机构 {office.county.ids['S1']}" in stopped.value.message
    assert stopped.value.fix
    run = engine.status(group_id=office.county.group_id, limit=1)[0]
    assert run["status"] == "STOPPED"
    assert [step["code"] for step in run["steps"] if step["status"] == "FAILED"] == ["CHECK"]
    assert "借据与账簿核对" in run["message"]
    with pytest.raises(Conflict):
        office.close()
    assert not queries.held_or_stale(partition_id=office.county.partition_id, accrued_to=day)
    stray(voucher.pk, -12_345)
    engine.run(actor=SYSTEM, group_id=office.county.group_id, until=day)
    assert Voucher.objects.filter(kind="ACCRUAL", booked_on=day).count() == 1
    check_close(day)
    assert red(office) == {}


def test_the_parts_of_an_accrual_voucher(office: Office) -> None:
    """计提凭证可以点开：当日每笔借据的增量之和 = 凭证上的收入，一分不差；单独走过的、有事件的不在其中。"""
    ids = [office.lend(office.today - timedelta(days=days)) for days in (0, 3, 17, 31, 100)]
    moved = office.lend(office.today - timedelta(days=9))
    for number in range(34):
        day = office.today
        if number % 3 == 0:
            with patch.object(engine, "PIPELINE", dying(1 + number % 4)), pytest.raises(Conflict):
                engine.run(actor=SYSTEM, group_id=office.county.group_id, until=day)
            office.repay(ids[number % 5], 1_00, value_on=day, allow_overpayment=True)
        if number == 20:
            servicing.transfer_loan(
                actor=SYSTEM, key=fresh_key(), loan_id=moved, institution_id=office.county.ids["S9"], reason="移交"
            )
        engine.run(actor=SYSTEM, group_id=office.county.group_id, until=day)
    vouchers = Voucher.objects.filter(kind="ACCRUAL")
    assert vouchers.count() >= 34
    for voucher in vouchers:
        income = sum(line.amount_fen for line in voucher.lines.all() if line.position_code.endswith("INCOME"))
        parts = queries.aggregate_parts(
            partition_id=office.county.partition_id, day=voucher.booked_on, institution_id=voucher.institution_id
        )
        assert sum(amount for _, _, amount in parts) == -income, voucher.booked_on
