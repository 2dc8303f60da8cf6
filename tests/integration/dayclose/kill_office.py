"""被杀实验的三个动作，各在自己的进程里：``open`` 建一家有业务的银行，``close`` 日终到某日，``check`` 全查并数一数。

由 ``test_killing.py`` 以子进程运行；不是测试，故不以 ``test_`` 开头。
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date, timedelta

import django


def open_bank(loans: int) -> None:
    """建库、建机构、放款。"""
    from django.core.management import call_command
    from django.db import transaction

    from sancha.kernel.dates import PeriodUnit

    call_command("migrate", verbosity=0, skip_checks=True)
    from tests.support.office import open_office

    with transaction.atomic():
        office = open_office()
        for number in range(loans):
            office.lend(
                office.today - timedelta(days=number % 90),
                periods=20,
                period_unit=PeriodUnit.WEEK,
                at="S9" if number % 3 else "S1",
            )
    print(json.dumps({"group_id": office.county.group_id, "today": office.today.isoformat()}))


def close(group_id: int, until: date) -> None:
    """日终到 ``until``；起跑前先报一声，好让人算准时候来杀；做完报用时。

    上一次被杀在最后一日落账之后的，这一次无事可做：不再起日终（那会被正当地拒绝）。
    """
    from sancha.config import wiring
    from sancha.dayclose import crew, engine
    from sancha.kit.actor import SYSTEM

    wiring.connect()
    crew.WORTH = 0
    print("ready", flush=True)
    started = time.perf_counter()
    if engine.unfinished_day(group_id) <= until:
        engine.run(actor=SYSTEM, group_id=group_id, until=until, chunk=3)
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


def check(group_id: int) -> None:
    """独立核对与全部不变式；数凭证与台账有没有重。"""
    from django.db.models import Count

    from sancha.apps.ledger.models import Voucher
    from sancha.apps.servicing.models import LoanFact, Movement
    from sancha.apps.work.models import Task
    from sancha.config import wiring
    from sancha.dayclose import invariants
    from sancha.dayclose.models import CloseRun
    from tests.simulation.independent import check_close, check_still

    wiring.connect()
    days = list(CloseRun.objects.filter(status="DONE").order_by("day").values_list("day", flat=True))
    for day in days:
        check_close(day)
    check_still([])
    problems = [text for finding in invariants.check(group_id=group_id, everything=True) for text in finding.problems]
    lines = Voucher.objects.filter(kind="ACCRUAL").values("booked_on", "institution_id").annotate(n=Count("pk"))
    moves = Movement.objects.filter(fact_seq=None).values(
        "loan_id", "booked_on", "position_code", "loan_class", "accrual"
    )
    print(
        json.dumps(
            {
                "days": [day.isoformat() for day in days],
                "unfinished": CloseRun.objects.exclude(status="DONE").count(),
                "attempts": list(CloseRun.objects.order_by("day").values_list("attempts", flat=True)),
                "problems": problems,
                "doubled": sum(row["n"] > 1 for row in lines) + moves.annotate(n=Count("pk")).filter(n__gt=1).count(),
                "tasks": Task.objects.count(),
                "vouchers": Voucher.objects.count(),
                "facts": LoanFact.objects.count(),
            }
        )
    )


def main(arguments: list[str]) -> None:
    django.setup()
    match arguments:
        case ["open", loans]:
            open_bank(int(loans))
        case ["close", group_id, until]:
            close(int(group_id), date.fromisoformat(until))
        case ["check", group_id]:
            check(int(group_id))


if __name__ == "__main__":
    main(sys.argv[1:])
