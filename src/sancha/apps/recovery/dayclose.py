"""日终：按逾期阶梯（参数 ``recovery.followup_ladder_dpd``）开出跟进任务。

一笔借据在一次逾期（同一最早应还日）的每一级阶梯只有一条任务；补做多日、重跑都不会重，漏掉的级会补上最高的一级。
"""

from __future__ import annotations

from datetime import date, timedelta

from sancha.apps.businessday import queries as businessday
from sancha.apps.recovery.kinds import FOLLOW_UP, FOLLOW_UP_FORM
from sancha.apps.servicing import queries as servicing
from sancha.apps.servicing.events import Overdue, overdue_entered
from sancha.apps.work.operations import TaskSpec, cancel_other_occurrences, ensure_form, raise_tasks
from sancha.kit.actor import SYSTEM
from sancha.rulebook import parameter

FORM_SINCE = date(2000, 1, 1)
"""跟进记录表自始有效：补做的旧日子也用得上。"""
DAYS_TO_ACT = 1
"""逾期跟进当日开出、次日到期。"""


def rung(ladder: list[int], days_past_due: int) -> int | None:
    """已到的最高一级；还没到第一级为空。"""
    reached = [step for step in ladder if step <= days_past_due]
    return max(reached) if reached else None


def cause(oldest_day: int, step: int) -> str:
    """此一次的缘由：哪一次逾期、哪一级。"""
    return f"{date.fromordinal(oldest_day).isoformat()}+{step}"


def ladder_on(on: date) -> list[int]:
    """当日有效的跟进阶梯（逾期天数）。"""
    return list(parameter("recovery.followup_ladder_dpd", on).as_ints())


def raise_follow_up(*, partition_id: int, on: date) -> int:
    """为到了阶梯的逾期借据开任务，返回新开的条数。

    已还清的、升到更高一级的，旧任务撤下：桌上只留此刻还该做的那一条。
    """
    rule = parameter("recovery.followup_ladder_dpd", on)
    ladder = ladder_on(on)
    specs = []
    fresh = []
    for loan_id, number, institution_id, party_id, days, oldest in servicing.overdue_loans(
        partition_id=partition_id, on=on
    ):
        if days == 1:
            fresh.append(Overdue(loan_id, number, institution_id, party_id, date.fromordinal(oldest)))
        step = rung(ladder, days)
        if step is None:
            continue
        due_on = date.fromordinal(oldest) + timedelta(days=step + DAYS_TO_ACT)
        specs.append(
            TaskSpec(
                kind=FOLLOW_UP.code,
                subject_type="loan",
                subject_id=loan_id,
                institution_id=institution_id,
                party_id=party_id,
                title=f"逾期 {days} 天跟进 {number}",
                reason=f"自 {date.fromordinal(oldest)} 逾期，到第 {step} 天一级",
                cause=cause(oldest, step),
                opened_on=on,
                due_on=max(due_on, on),
                planned_on=due_on,
                clause=str(rule.clause),
                priority=2 if step >= 30 else 4,
                facts={"逾期天数": days},
            )
        )
    overdue_entered(fresh, on=on)
    if specs:
        ensure_form(code=FOLLOW_UP.form_code, schema=FOLLOW_UP_FORM, effective_from=FORM_SINCE)
    raised = raise_tasks(rows=specs)
    cancel_other_occurrences(
        actor=SYSTEM,
        kind=FOLLOW_UP.code,
        institution_ids=businessday.institutions_of(partition_id=partition_id),
        keep=[spec.occurrence_key for spec in specs],
        on=on,
        reason="已还清，或已到更高一级",
    )
    return raised
