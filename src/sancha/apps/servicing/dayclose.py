"""日终：有事件的借据逐笔走到次日，其余借据按会计键一次入账——恰好其一，绝不都做、绝不都不做。

每一批是一个事务；``from_day`` 与分区的 ``accrued_to`` 说明做到哪里，所以杀掉重跑即可。步骤见 docs/algorithms/books.md 第 8–13 条。
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, TextField
from django.db.models.functions import Cast

from sancha.apps.ledger.mapping import LineSpec, resolve_accounts
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.servicing.accrual import growth_by_code, partition_growth
from sancha.apps.servicing.books import (
    Keyed,
    PositionMismatch,
    difference,
    hold,
    keyed,
    position_lines,
    write_movements,
)
from sancha.apps.servicing.events import loans_settled
from sancha.apps.servicing.mapping import STATE_COLUMNS, booked_position, lines_of, projection, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanState, LoanStatus
from sancha.kernel.positions import Key, accounting_key, accrual_lines, positions
from sancha.kernel.quote import is_settled
from sancha.kernel.replay import advance
from sancha.kit.actor import SYSTEM
from sancha.kit.rowset import ColumnType, rowset

KERNEL_VERSION = "1"
_TYPES: dict[str, ColumnType] = {"base": "jsonb", "state": "text"}


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """一批的结果：走完的、隔离的（借据号与原因）、最后一个借据编号。"""

    advanced: int
    held: tuple[tuple[int, str], ...]
    last_id: int


def due_loans(*, partition_id: int, day: date, after: int = 0, limit: int = 500) -> list[int]:
    """日终 ``day`` 有事件的借据：``next_day ≤ day+1`` 且账还停在 ``day`` 或更早，未隔离。"""
    ordinal = day.toordinal()
    return list(
        LoanState.objects.filter(
            partition_id=partition_id, next_day__lte=ordinal + 1, from_day__lte=ordinal, held=False, pk__gt=after
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )


def count_due(*, partition_id: int, day: date) -> int:
    """日终 ``day`` 还有多少借据要逐笔走。"""
    ordinal = day.toordinal()
    return LoanState.objects.filter(
        partition_id=partition_id, next_day__lte=ordinal + 1, from_day__lte=ordinal, held=False
    ).count()


def advance_loans(*, loan_ids: Sequence[int], day: date) -> ChunkResult:
    """让一批有事件的借据从 ``day`` 走到 ``day+1``，凭证记 ``day``。须在调用者的事务里。

    某笔出错只隔离那一笔（``held``），原因留在行上，其余照常。
    """
    ordinal = day.toordinal()
    # The terms come as text: the same text is parsed once, and a model of the loan is not built for each row.
    rows = list(
        LoanState.objects.select_for_update(of=("self",))
        .annotate(terms_text=Cast("loan__terms", TextField()), loan_status=F("loan__status"))
        .filter(pk__in=loan_ids, from_day__lte=ordinal, held=False)
        .order_by("pk")
    )
    tomorrow = day + timedelta(days=1)
    updates: list[list[Any]] = []
    moved_rows: list[tuple[LoanState, Keyed]] = []
    closed: list[int] = []
    held: list[tuple[int, str]] = []
    for row in rows:
        try:
            terms = terms_of(row.terms_text)
            state = state_of(row)
            # Before each voucher: what the row says the books hold must be what its state gives (books.md F10).
            expected = positions(terms, state)
            if row.base != expected or lines_of(row) != accrual_lines(terms, state):
                raise PositionMismatch(f"账上 {row.base} {lines_of(row)}，按状态应为 {expected}")
            booked = booked_position(row, ordinal)
            after_state = advance(terms, state, [], to=tomorrow)
            base = positions(terms, after_state)
            after = keyed(accounting_key(terms, after_state), base)
            before = keyed(
                Key(str(row.institution_id), str(row.product_id), row.loan_class, row.accrual, row.currency), booked
            )
            values = projection(terms, after_state, row.last_seq, base)
        except Exception as error:  # one broken loan must never stop the close of all others; it is shown
            reason = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=3)}"
            hold(row, reason=reason, stands_day=ordinal)
            held.append((row.pk, reason))
            continue
        updates.append([row.pk, *(values[name] for name in STATE_COLUMNS)])
        moved_rows.append((row, difference(after, before)))
        if row.loan_status == LoanStatus.ACTIVE and is_settled(terms, after_state):
            closed.append(row.pk)
    write_states(updates)
    _post_events(moved_rows, day)
    if closed:
        Loan.objects.filter(pk__in=closed).update(status=LoanStatus.SETTLED, settled_on=tomorrow)
        loans_settled(Loan.objects.filter(pk__in=closed).order_by("pk"), on=tomorrow)
    return ChunkResult(len(updates), tuple(held), rows[-1].pk if rows else 0)


def write_states(updates: list[list[Any]]) -> None:
    """批量重写状态投影（一条 UPDATE … FROM 行集）；每行是编号加 ``STATE_COLUMNS`` 的值。"""
    if not updates:
        return
    columns: dict[str, ColumnType] = {"pk": "bigint", **{name: _TYPES.get(name, "bigint") for name in STATE_COLUMNS}}
    source = rowset("n", columns, updates)
    assignments = ", ".join(f"{name} = n.{name}" for name in STATE_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {LoanState._meta.db_table} SET {assignments} FROM {source.sql} WHERE loan_id = n.pk", source.params
        )


def _post_events(moved_rows: list[tuple[LoanState, Keyed]], day: date) -> None:
    """事件凭证：一批一机构一张，按键合计；分户账逐笔。"""
    by_institution: dict[int, Keyed] = {}
    owner: dict[int, int] = {}
    for row, moved in moved_rows:
        total = by_institution.setdefault(row.institution_id, {})
        owner[row.pk] = row.institution_id
        for place, amount in moved.items():
            total[place] = total.get(place, 0) + amount
    specs = [
        VoucherSpec(
            booked_on=day,
            institution_id=institution_id,
            source="SERVICING",
            kind="DAYCLOSE_EVENT",
            summary=f"{day} 日终事件结转",
            lines=position_lines({place: amount for place, amount in total.items() if amount}),
            day=day,
            kernel_version=KERNEL_VERSION,
        )
        for institution_id, total in by_institution.items()
        if any(total.values())
    ]
    ids = post_vouchers(specs, actor=SYSTEM, accounts=resolve_accounts(day)) if specs else []
    voucher_of = {spec.institution_id: voucher for spec, voucher in zip(specs, ids, strict=True)}
    write_movements([(row.pk, day, None, voucher_of.get(owner[row.pk]), moved) for row, moved in moved_rows])


def post_accruals(*, partition_id: int, day: date) -> int:
    """把没有事件的借据当日增量按会计键入账（一条汇总 SQL、一机构一张凭证）。须在锁住分区的最后一个短事务里。

    :raises PositionMismatch: 还有应走未走的借据。
    """
    left = count_due(partition_id=partition_id, day=day)
    if left:
        raise PositionMismatch(f"分区 {partition_id} 在 {day} 还有 {left} 笔借据有事件而未走。")
    by_institution: dict[int, list[LineSpec]] = {}
    for group in partition_growth(partition_id=partition_id, day=day.toordinal()):
        lines = by_institution.setdefault(group.institution_id, [])
        for code, amount in growth_by_code(group).items():
            lines.append(
                LineSpec(
                    amount_fen=amount,
                    position_code=code,
                    institution_id=group.institution_id,
                    product_id=group.product_id,
                    loan_class=group.loan_class,
                    accrual=group.accrual,
                    currency=group.currency,
                )
            )
    specs = [
        VoucherSpec(
            booked_on=day,
            institution_id=institution_id,
            source="ACCRUAL",
            kind="ACCRUAL",
            summary=f"{day} 计提利息",
            lines=lines,
            day=day,
            kernel_version=KERNEL_VERSION,
            subject=f"partition:{partition_id}",
        )
        for institution_id, lines in by_institution.items()
        if lines
    ]
    return len(post_vouchers(specs, actor=SYSTEM, accounts=resolve_accounts(day))) if specs else 0
