"""测速用的账：种子固定的借据组合，与同样写入量的裸 SQL 下限。只在 ``sancha bench`` 的临时库里使用。"""

from __future__ import annotations

import time
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

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
from sancha.kit.rowset import rowset

_CHUNK = 20_000
ARREARS_SHARE = 0.05


def clear() -> None:
    """清空上一场景的账。只许追加的表先拆下守卫、再原样装回；这些语句只在测速的临时库里执行。"""
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
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _sql in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
        for _name, sql in triggers:
            cursor.execute(sql)


def build(world: dict[str, Any], *, loans: int, share: float, seed: int, day: date) -> None:
    """造账：``share`` 的借据次日到期，其余错开在本月别的日子；5% 欠一到五期。

    同样条款与历史的借据状态相同，故每种（起息日, 欠几期）只重放一次、写成一笔样板，其余由数据库照样板抄写。
    """
    rng = Random(seed)
    kinds = [_drawn(rng, share, day + timedelta(days=1)) for _ in range(loans)]
    templates: dict[tuple[date, int], tuple[int, Keyed]] = {}
    with transaction.atomic():
        for kind in kinds:
            if kind not in templates:
                templates[kind] = _template(world, *kind, number=f"B{seed}-T{len(templates)}", day=day)
    fresh = count(max(pk for pk, _ in templates.values()) + 1)
    spent: set[tuple[date, int]] = set()
    clones: list[tuple[int, int, str]] = []
    totals: Keyed = {}
    for number, kind in enumerate(kinds):
        template_id, amounts = templates[kind]
        if kind in spent:
            clones.append((next(fresh), template_id, f"B{seed}-{number}"))
        spent.add(kind)  # the template itself is the first loan of its kind
        for place, amount in amounts.items():
            totals[place] = totals.get(place, 0) + amount
    for start in range(0, len(clones), _CHUNK):
        with transaction.atomic():
            _copy(clones[start : start + _CHUNK])
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


def _drawn(rng: Random, share: float, tomorrow: date) -> tuple[date, int]:
    """抽一笔：（起息日, 欠几期）。"""
    offset = 0 if rng.random() < share else rng.randrange(1, 28)
    months_ago = rng.randrange(1, 12)
    in_arrears = rng.random() < ARREARS_SHARE and months_ago > 1
    missed = min(rng.randrange(1, 6), months_ago - 1) if in_arrears else 0
    return _months_before(tomorrow + timedelta(days=offset), months_ago), missed


def _template(world: dict[str, Any], start: date, missed: int, *, number: str, day: date) -> tuple[int, Keyed]:
    """写一笔样板借据：条款、事实、状态。返回编号与头寸。"""
    terms = Terms(
        start=start,
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
    facts = [Fact(1, FactKind.DISBURSEMENT, start, start, terms.principal_fen)]
    plan = project(terms, replay(terms, facts, on=start)).installments
    due = [item for item in plan if item.due_date <= day]
    facts += [
        Fact(i + 2, FactKind.REPAYMENT, item.due_date, item.due_date, item.unpaid_fen)
        for i, item in enumerate(due[: len(due) - missed])
    ]
    state = replay(terms, facts, on=day)
    loan = Loan.objects.create(
        number=number,
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
    values = projection(terms, state, len(facts))
    LoanState.objects.create(
        loan_id=loan.pk, partition_id=world["partition_id"], **{name: values[name] for name in STATE_COLUMNS}
    )
    moment = now()
    LoanFact.objects.bulk_create(
        LoanFact(
            loan_id=loan.pk,
            seq=fact.seq,
            kind=str(fact.kind),
            value_on=fact.value_on,
            booked_on=fact.booked_on,
            amount_fen=fact.amount_fen,
            data={},
            recorded_at=moment,
        )
        for fact in facts
    )
    return loan.pk, keyed(accounting_key(terms, state), positions(terms, state))


def _copy(rows: list[tuple[int, int, str]]) -> None:
    """照样板抄写：每项是（新编号, 样板编号, 借据号）。"""
    source = rowset("n", {"pk": "bigint", "template": "bigint", "number": "text"}, rows)
    plans: tuple[tuple[type[Model], str, dict[str, str]], ...] = (
        (Loan, "id", {"id": "n.pk", "number": "n.number"}),
        (LoanState, "loan_id", {"loan_id": "n.pk"}),
        (LoanFact, "loan_id", {"loan_id": "n.pk", "id": ""}),
    )
    with connection.cursor() as cursor:
        for model, key, given in plans:
            columns = [field.column for field in model._meta.concrete_fields if given.get(field.column) != ""]
            values = ", ".join(given.get(column, f"t.{column}") for column in columns)
            table = model._meta.db_table
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {source.sql} JOIN {table} t"
                f" ON t.{key} = n.template",
                source.params,
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
            with cursor.cursor.copy(f"COPY floor_movement ({columns}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
        else:
            cursor.executemany(f"INSERT INTO floor_movement ({columns}) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s)", values)
    partition_growth(partition_id=partition_id, day=ordinal)
    elapsed = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE floor_movement")
    return elapsed
