"""日汇总：把已过之日的分录折成「日发生额」与「月末结存」，余额查询因而不随账龄变慢。

记账时只写分录，不碰汇总行（并发还款不争抢热行）；日终之后一次折叠。手工、准备、期末凭证可以补记到已折叠而未结账的日子，
它们在同一事务里另加汇总行。汇总行同键可有多行，只看合计；``queries.fold_differences`` 从分录重算并比对。
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from sancha.apps.ledger.models import AccountDay, InstitutionBooks, Line, MonthBalance, Voucher, VoucherNumber

KEY = "institution_id, account_id, position_code, product_id, loan_class, accrual, currency"
_DAY = AccountDay._meta.db_table
_MONTH = MonthBalance._meta.db_table
_LINE = Line._meta.db_table
_VOUCHER = Voucher._meta.db_table
_NUMBER = VoucherNumber._meta.db_table
_BOOKS = InstitutionBooks._meta.db_table
_DEBIT = "SUM(CASE WHEN amount_fen > 0 THEN amount_fen ELSE 0 END)"
_CREDIT = "SUM(CASE WHEN amount_fen < 0 THEN -amount_fen ELSE 0 END)"
_SPLIT = f"{_DEBIT}, {_CREDIT}"


def month_end(day: date) -> date:
    """当月最后一天。"""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def month_ends(after: date, upto: date) -> Iterator[date]:
    """``(after, upto]`` 之内的各个月末。"""
    end = month_end(after)
    if end <= after:
        end = month_end(after + timedelta(days=1))
    while end <= upto:
        yield end
        end = month_end(end + timedelta(days=1))


def previous_month_end(day: date) -> date:
    """上月最后一天。"""
    return day.replace(day=1) - timedelta(days=1)


def lock_postings() -> None:
    """挡住新凭证并等在途凭证落定（仅 PostgreSQL；SQLite 的写事务本来就是独占的）。"""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {_VOUCHER} IN SHARE ROW EXCLUSIVE MODE")


def fold_day(*, day: date, institution_ids: Sequence[int]) -> dict[str, int]:
    """折叠这些机构截至 ``day``（含）的各日，并编凭证号；可重复执行，已折叠的不再折叠。

    在日终之后、营业日已过 ``day`` 时由日终流程在其事务里调用。返回新写的日汇总行数与编号的凭证数。
    """
    assert connection.in_atomic_block, "fold_day runs inside the day close's transaction"
    lock_postings()
    known = dict(InstitutionBooks.objects.filter(institution_id__in=institution_ids).values_list("pk", "folded_to"))
    groups: dict[date | None, list[int]] = {}
    for institution_id in institution_ids:
        since = known.get(institution_id)
        if since is None or since < day:
            groups.setdefault(since, []).append(institution_id)
    done = {"rows": 0, "vouchers": 0}
    for since, members in groups.items():
        start = since or _before_first_line(members)
        if start is not None and start < day:
            done["rows"] += _fold_lines(members, start, day)
            done["vouchers"] += _number_vouchers(members, start, day)
            for end in month_ends(start, day):
                _store_month(members, end)
        InstitutionBooks.objects.bulk_create(
            [InstitutionBooks(institution_id=member, folded_to=day) for member in members],
            update_conflicts=True, unique_fields=["institution"], update_fields=["folded_to"],
        )  # fmt: skip
    return done


def _before_first_line(institution_ids: Sequence[int]) -> date | None:
    first = Line.objects.filter(institution_id__in=institution_ids).aggregate(first=Min("booked_on"))["first"]
    return first - timedelta(days=1) if first else None


def _run(sql: str, parameters: Sequence[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return int(cursor.rowcount)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _fold_lines(members: Sequence[int], since: date, day: date) -> int:
    return _run(
        f"INSERT INTO {_DAY} (day, {KEY}, debit_fen, credit_fen) SELECT booked_on, {KEY}, {_SPLIT} FROM {_LINE} "
        f"WHERE institution_id IN ({_marks(members)}) AND booked_on > %s AND booked_on <= %s GROUP BY booked_on, {KEY}",
        [*members, since, day],
    )


def _number_vouchers(members: Sequence[int], since: date, day: date) -> int:
    return _run(
        f"INSERT INTO {_NUMBER} (voucher_id, institution_id, booked_on, number) "
        f"SELECT id, institution_id, booked_on, ROW_NUMBER() OVER (PARTITION BY institution_id, booked_on ORDER BY id) "
        f"FROM {_VOUCHER} WHERE institution_id IN ({_marks(members)}) AND booked_on > %s AND booked_on <= %s",
        [*members, since, day],
    )


def _store_month(members: Sequence[int], end: date) -> None:
    """月末结存 = 上月末结存 + 本月各日发生额。"""
    before = previous_month_end(end)
    _run(
        f"INSERT INTO {_MONTH} (month_end, {KEY}, balance_fen) SELECT %s, {KEY}, SUM(fen) FROM ("
        f"SELECT {KEY}, balance_fen AS fen FROM {_MONTH} "
        f"WHERE month_end = %s AND institution_id IN ({_marks(members)}) "
        f"UNION ALL SELECT {KEY}, debit_fen - credit_fen FROM {_DAY} "
        f"WHERE day > %s AND day <= %s AND institution_id IN ({_marks(members)})) parts "
        f"GROUP BY {KEY} HAVING SUM(fen) <> 0",
        [end, before, *members, before, end, *members],
    )


def absorb_late(voucher_ids: Sequence[int]) -> None:
    """把补记到已折叠日子的凭证并入汇总：日汇总加行、其后各月末结存加差额、凭证号续编。

    凭证插入之后才看 ``folded_to``：折叠持有表锁，二者不会互相错过。
    """
    late = (
        f"FROM {_LINE} l JOIN {_BOOKS} b USING (institution_id) "
        f"WHERE l.voucher_id IN ({_marks(voucher_ids)}) AND l.booked_on <= b.folded_to"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT l.booked_on, MAX(b.folded_to) {late} GROUP BY l.booked_on", list(voucher_ids))
        reach = [(_as_date(booked_on), _as_date(folded)) for booked_on, folded in cursor.fetchall()]
    if not reach:
        return
    _run(
        f"INSERT INTO {_DAY} (day, {KEY}, debit_fen, credit_fen) SELECT booked_on, {KEY}, {_SPLIT} {late} "
        f"GROUP BY booked_on, {KEY}",
        voucher_ids,
    )
    for booked_on, folded in reach:
        for end in month_ends(booked_on - timedelta(days=1), folded):
            _run(
                f"INSERT INTO {_MONTH} (month_end, {KEY}, balance_fen) SELECT %s, {KEY}, SUM(amount_fen) {late} "
                f"AND l.booked_on = %s AND b.folded_to >= %s GROUP BY {KEY} HAVING SUM(amount_fen) <> 0",
                [end, *voucher_ids, booked_on, end],
            )
    _run(
        f"INSERT INTO {_NUMBER} (voucher_id, institution_id, booked_on, number) "
        f"SELECT v.id, v.institution_id, v.booked_on, ROW_NUMBER() OVER (PARTITION BY v.institution_id, v.booked_on "
        f"ORDER BY v.id) + COALESCE((SELECT MAX(n.number) FROM {_NUMBER} n WHERE n.institution_id = v.institution_id "
        f"AND n.booked_on = v.booked_on), 0) FROM {_VOUCHER} v JOIN {_BOOKS} b USING (institution_id) "
        f"WHERE v.id IN ({_marks(voucher_ids)}) AND v.booked_on <= b.folded_to",
        voucher_ids,
    )


Difference = tuple[str, date, int, int, int]
"""（表，日，机构，科目，差额）。"""


def day_differences(since: date | None) -> list[Difference]:
    """日汇总与分录之差：借方、贷方分别比较。"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT day, institution_id, account_id, SUM(debit) - SUM(credit) FROM ("
            f"SELECT booked_on AS day, {KEY}, CASE WHEN amount_fen > 0 THEN amount_fen ELSE 0 END AS debit, "
            f"CASE WHEN amount_fen < 0 THEN -amount_fen ELSE 0 END AS credit "
            f"FROM {_LINE} JOIN {_BOOKS} USING (institution_id) WHERE booked_on <= folded_to AND booked_on >= %s "
            f"UNION ALL SELECT day, {KEY}, -debit_fen, -credit_fen FROM {_DAY} WHERE day >= %s) parts "
            f"GROUP BY day, {KEY} HAVING SUM(debit) <> 0 OR SUM(credit) <> 0",
            [since or date.min, since or date.min],
        )
        return [("AccountDay", _as_date(row[0]), row[1], row[2], int(row[3])) for row in cursor.fetchall()]


def month_differences(since: date | None) -> list[Difference]:
    """月末结存与「上月末结存 + 本月日汇总」之差，逐月。"""
    first = since or AccountDay.objects.aggregate(first=Min("day"))["first"]
    last = InstitutionBooks.objects.aggregate(last=Max("folded_to"))["last"]
    found: list[Difference] = []
    if first is None or last is None:
        return found
    for end in month_ends(first - timedelta(days=1), last):
        before = previous_month_end(end)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT institution_id, account_id, SUM(fen) FROM ("
                f"SELECT {KEY}, balance_fen AS fen FROM {_MONTH} WHERE month_end = %s "
                f"UNION ALL SELECT {KEY}, debit_fen - credit_fen FROM {_DAY} WHERE day > %s AND day <= %s "
                f"UNION ALL SELECT {KEY}, -balance_fen FROM {_MONTH} WHERE month_end = %s) parts "
                f"JOIN {_BOOKS} USING (institution_id) WHERE folded_to >= %s GROUP BY {KEY} HAVING SUM(fen) <> 0",
                [before, before, end, end, end],
            )
            found += [("MonthBalance", end, row[0], row[1], int(row[2])) for row in cursor.fetchall()]
    return found


def _as_date(value: Any) -> date:
    """SQLite 的聚合列没有日期类型，取回的是文本。"""
    return value if isinstance(value, date) else date.fromisoformat(value)
