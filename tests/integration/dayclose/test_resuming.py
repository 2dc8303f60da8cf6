"""日终可杀可续：在每一道关口、每一批之后死去，再跑即补齐，什么也不重、不丢；漏掉的日子逐日补。"""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db.models import Count

from sancha.apps.businessday import operations as businessday
from sancha.apps.ledger.models import Voucher
from sancha.apps.servicing.models import Movement
from sancha.apps.work.models import Task
from sancha.dayclose import engine
from sancha.dayclose.models import CloseRun, CloseStep
from sancha.dayclose.pipeline import PIPELINE
from sancha.kernel.dates import PeriodUnit
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, NotPermitted
from tests.simulation.business import Killed, after_calls, dying
from tests.simulation.independent import check_close, check_still
from tests.support.factories_access import fresh_key
from tests.support.office import ONE_DAY, Office

PARTITIONS = 2
BOUNDARIES = 2 * sum(PARTITIONS if step.per_partition else 1 for step in PIPELINE)


@pytest.fixture
def busy(office: Office) -> Office:
    """两个分区、十来笔按周还款的借据（有的早已逾期、有的挂钩 LPR），每天都有事件。"""
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
    for number in range(7):
        office.lend(
            office.today - timedelta(days=number), periods=20, period_unit=PeriodUnit.WEEK, grace_days=number % 3
        )
        office.lend(office.today - timedelta(days=85 + number), at="S9", rate_link=("1Y", 50, "EVERY_MONTHS:1"))
    return office


def nothing_doubled(office: Office) -> None:
    """每机构每分区每天至多一张计提凭证；每笔借据每天每键至多走一次；同一次任务只有一条；每天一次日终。"""
    accruals = Voucher.objects.filter(kind="ACCRUAL").values("booked_on", "institution_id", "subject")
    assert not accruals.annotate(n=Count("pk")).filter(n__gt=1).exists()
    moves = Movement.objects.filter(fact_seq=None).values(
        "loan_id", "booked_on", "position_code", "institution_id", "loan_class", "accrual"
    )
    assert not moves.annotate(n=Count("pk")).filter(n__gt=1).exists()
    assert not Task.objects.values("occurrence_key").annotate(n=Count("pk")).filter(n__gt=1).exists()
    assert not CloseRun.objects.exclude(status="DONE").exists()
    steps = CloseStep.objects.values("run_id").annotate(n=Count("pk"))
    assert {row["n"] for row in steps} == {BOUNDARIES // 2}


def test_killed_at_every_boundary(busy: Office) -> None:
    """每一步之前、之后（步骤已提交而台账未记）各死一次，其间照常还款；再跑补齐。"""
    group_id, loan_ids = busy.county.group_id, [busy.lend(busy.today - timedelta(days=3)) for _ in range(4)]
    for point in range(BOUNDARIES):
        day = busy.today
        with patch.object(engine, "PIPELINE", dying(point)), pytest.raises(Conflict) as stopped:
            engine.run(actor=SYSTEM, group_id=group_id, until=day)
        assert isinstance(stopped.value.__cause__, Killed)
        assert engine.status(group_id=group_id, limit=1)[0]["status"] == "STOPPED"
        busy.repay(loan_ids[point % 4], 1_00, allow_overpayment=True)
        engine.run(actor=SYSTEM, group_id=group_id, until=day)
        assert busy.today == day + ONE_DAY
        check_close(day)
    check_still([busy.county.opened_on + number * ONE_DAY for number in range(0, BOUNDARIES, 5)])
    nothing_doubled(busy)
    assert busy.problems() == []
    assert set(CloseRun.objects.values_list("attempts", flat=True)) == {2}


def test_killed_after_every_chunk(busy: Office) -> None:
    """一笔一批，在第 n 次报进度时死去，直到这一天做完。"""
    group_id = busy.county.group_id
    for _ in range(3):
        day, deaths = busy.today, 0
        while True:
            try:
                engine.run(actor=SYSTEM, group_id=group_id, until=day, chunk=1, progress=after_calls(2))
            except Conflict:
                deaths += 1
                continue
            break
        assert deaths > 3
        check_close(day)
    nothing_doubled(busy)
    assert busy.problems() == []


def test_missed_days_are_made_up_one_by_one(busy: Office) -> None:
    """关门十天再开：一次补做十天，与天天日终一样，每天都有自己的凭证与台账。"""
    first = busy.today
    reports = engine.run(actor=SYSTEM, group_id=busy.county.group_id, until=first + 9 * ONE_DAY)
    assert [report.day for report in reports] == [first + number * ONE_DAY for number in range(10)]
    assert busy.today == first + 10 * ONE_DAY
    for number in range(10):
        check_close(first + number * ONE_DAY)
    nothing_doubled(busy)
    assert busy.problems() == []
    days = set(Voucher.objects.filter(kind="ACCRUAL").values_list("booked_on", flat=True))
    assert days == {first + number * ONE_DAY for number in range(10)}


def test_a_day_is_closed_once(busy: Office) -> None:
    day = busy.today
    busy.close()
    with pytest.raises(Conflict) as refused:
        engine.run(actor=SYSTEM, group_id=busy.county.group_id, until=day)
    assert refused.value.code == "DAY_ALREADY_CLOSED"
    assert str(day + ONE_DAY) in (refused.value.fix or "")


def test_only_the_operator_runs_it(busy: Office) -> None:
    with pytest.raises(NotPermitted):
        engine.run(actor=busy.clerk, group_id=busy.county.group_id)
    with pytest.raises(NotPermitted):
        engine.rehearse(actor=busy.clerk, group_id=busy.county.group_id)
