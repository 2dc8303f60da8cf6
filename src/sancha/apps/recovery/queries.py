"""催收查询：逾期跟进任务的缺漏。"""

from __future__ import annotations

from datetime import date, timedelta

from sancha.apps.recovery.dayclose import DAYS_TO_ACT, cause, ladder_on, rung
from sancha.apps.recovery.kinds import FOLLOW_UP
from sancha.apps.servicing import queries as servicing
from sancha.apps.work import queries as work


def follow_up_gaps(*, partition_id: int, on: date) -> tuple[int, list[str]]:
    """核对：今天仍逾期、已到某级阶梯的借据，该级任务应当存在。返回（核对笔数, 缺漏）。

    今天新到期而尚未经过日终的不算。
    """
    ladder = ladder_on(on)
    expected: dict[str, str] = {}
    for loan_id, number, _, _, days, oldest in servicing.overdue_loans(
        partition_id=partition_id, on=on, untouched_on=on
    ):
        step = rung(ladder, days)
        if step is not None:
            planned = date.fromordinal(oldest) + timedelta(days=step + DAYS_TO_ACT)
            expected[f"{FOLLOW_UP.code}|loan:{loan_id}|{planned.isoformat()}|{cause(oldest, step)}"] = number
    found = work.existing_occurrences(keys=list(expected))
    return len(expected), [f"借据 {number} 缺少跟进任务 {key}" for key, number in expected.items() if key not in found]
