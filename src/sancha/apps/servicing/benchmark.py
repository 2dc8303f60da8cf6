"""测速用的账：种子固定的借据组合，与同样写入量的裸 SQL 下限。只在 ``sancha bench`` 的临时库里使用。"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from django.db import connection, transaction

from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.servicing.accrual import partition_growth
from sancha.apps.servicing.books import Keyed, keyed, position_lines
from sancha.apps.servicing.dayclose import write_states
from sancha.apps.servicing.mapping import STATE_COLUMNS, projection
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, Movement
from sancha.kernel.dates import add_months
from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import accounting_key, positions
from sancha.kernel.replay import project, replay
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import now

_CHUNK = 5000
ARREARS_SHARE = 0.05


def clear() -> None:
    """清空上一场景的账。总账的表只许追加，测速库里先拆掉守卫；这些语句只在测速的临时库里执行。"""
    tables = (
        "work_task",
        "servicing_movement",
        "servicing_loanfact",
        "servicing_loanstate",
        "servicing_loan",
        "ledger_accountday",
        "ledger_monthbalance",
        "ledger_vouchernumber",
        "ledger_line",
        "ledger_voucher",
        "ledger_institutionbooks",
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'ledger_%%'")
        for (trigger,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {trigger}")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")


def build(world: dict[str, Any], *, loans: int, share: float, seed: int, day: date) -> None:
    """造账：``share`` 的借据次日到期，其余错开在本月别的日子；5% 欠一到五期。

    同样条款与历史的借据状态相同，故按（起息日, 欠几期）只重放一次，再批量写出。
    """
    rng = Random(seed)
    tomorrow = day + timedelta(days=1)
    base = Terms(
        start=day,
        principal_fen=5_000_000,
        rate_ppm=144_000,
        method=Method.LEVEL_PAYMENT,
        periods=12,
        day_count=DayCount.MONTHLY,
        penalty_multiplier_ppm=1_500_000,
        class_thresholds=((1, 2), (91, 3), (271, 4), (361, 5)),
        nonaccrual_after_dpd=90,
        institution=str(world["institution_id"]),
        product=str(world["product_id"]),
    )
    seen: dict[tuple[date, int], tuple[Terms, list[Fact], dict[str, Any], Any]] = {}
    totals: Keyed = {}

    def template(start: date, missed: int) -> tuple[Terms, list[Fact], dict[str, Any], Any]:
        if (start, missed) not in seen:
            terms = replace(base, start=start)
            facts = [Fact(1, FactKind.DISBURSEMENT, start, start, terms.principal_fen)]
            plan = project(terms, replay(terms, facts, on=start)).installments
            due = [item for item in plan if item.due_date <= day]
            facts += [
                Fact(i + 2, FactKind.REPAYMENT, item.due_date, item.due_date, item.unpaid_fen)
                for i, item in enumerate(due[: len(due) - missed])
            ]
            state = replay(terms, facts, on=day)
            seen[start, missed] = (
                terms,
                facts,
                projection(terms, state, len(facts)),
                keyed(accounting_key(terms, state), positions(terms, state)),
            )
        return seen[start, missed]

    moment = now()
    for first in range(0, loans, _CHUNK):
        rows, states, facts_out = [], [], []
        with transaction.atomic():
            for number in range(first, min(first + _CHUNK, loans)):
                due_tomorrow = rng.random() < share
                offset = 0 if due_tomorrow else rng.randrange(1, 28)
                months_ago = rng.randrange(1, 12)
                anchor = tomorrow + timedelta(days=offset)
                start = _months_before(anchor, months_ago)
                missed = (
                    min(rng.randrange(1, 6), months_ago - 1) if rng.random() < ARREARS_SHARE and months_ago > 1 else 0
                )
                terms, facts, values, position = template(start, missed)
                loan = Loan(
                    number=f"B{seed}-{number}",
                    party_id=world["party_id"],
                    product_id=world["product_id"],
                    institution_id=world["institution_id"],
                    status="ACTIVE",
                    terms=terms.as_document(),
                    principal_fen=terms.principal_fen,
                    rate_ppm=terms.rate_ppm,
                    method=str(terms.method),
                    starts_on=start,
                    matures_on=_months_before(start, -12),
                    booked_on=start,
                )
                rows.append(loan)
                states.append(values)
                facts_out.append(facts)
                for place, amount in position.items():
                    totals[place] = totals.get(place, 0) + amount
            Loan.objects.bulk_create(rows)
            LoanState.objects.bulk_create(
                LoanState(
                    loan_id=loan.pk,
                    partition_id=world["partition_id"],
                    **{name: values[name] for name in STATE_COLUMNS},
                )
                for loan, values in zip(rows, states, strict=True)
            )
            LoanFact.objects.bulk_create(
                LoanFact(
                    loan_id=loan.pk,
                    seq=f.seq,
                    kind=str(f.kind),
                    value_on=f.value_on,
                    booked_on=f.booked_on,
                    amount_fen=f.amount_fen,
                    data={},
                    recorded_at=moment,
                )
                for loan, facts in zip(rows, facts_out, strict=True)
                for f in facts
            )
    with transaction.atomic():
        post_vouchers(
            [
                VoucherSpec(
                    booked_on=day,
                    institution_id=world["institution_id"],
                    source="OPENING",
                    kind="OPENING",
                    summary="测速期初",
                    lines=position_lines(totals),
                )
            ],
            actor=SYSTEM,
        )


def _months_before(day: date, months: int) -> date:

    return date.fromordinal(add_months(day.toordinal(), -months, day.day))


def floor(*, partition_id: int, day: date) -> float:
    """下限：把同样的行再写一遍——同样宽的状态更新、同样多的分户账插入、一次同样的汇总扫描——只有 SQL，没有计算。"""
    ordinal = day.toordinal() + 1
    rows = list(LoanState.objects.filter(partition_id=partition_id, from_day=ordinal).values_list("pk", *STATE_COLUMNS))
    moved = list(Movement.objects.filter(booked_on=day).values_list("loan_id", "position_code", "amount_fen"))
    started = time.perf_counter()
    for first in range(0, len(rows), 2000):
        with transaction.atomic():
            write_states([list(row) for row in rows[first : first + 2000]])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE floor_movement AS SELECT * FROM servicing_movement WHERE 1 = 0")
    columns = "loan_id, booked_on, position_code, institution_id, product_id, loan_class, accrual, currency, amount_fen"
    values = [(loan, day, code, 1, 1, 1, 1, "CNY", amount) for loan, code, amount in moved]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY floor_movement ({columns}) FROM STDIN") as copy:  # type: ignore[attr-defined]
                for row in values:
                    copy.write_row(row)
        else:
            cursor.executemany(f"INSERT INTO floor_movement ({columns}) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s)", values)
    partition_growth(partition_id=partition_id, day=ordinal)
    elapsed = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE floor_movement")
    return elapsed
