"""计提直线的唯一公式：Python 与 SQL 各写一次，都在这里（性质测试在两种数据库上逐位比对到整数上限）。

    cum(d) = (2·(carry + slope·(d − from)) + den) ÷ (2·den)    整数除法，各量非负

当日增量 = cum(d+1) − cum(d)：每笔借据每个成分各自累计取整，组内相加，绝不对组合计取整。
见 docs/algorithms/accrual-line.md。
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.db import connection

from sancha.apps.servicing.models import LoanState
from sancha.kernel.positions import LINE_CODES, LINE_NAMES

_TABLE = LoanState._meta.db_table


def growth_sql(index: int, *, since: str, until: str) -> str:
    """第 ``index`` 条直线从 ``since`` 到 ``until``（SQL 表达式，日序数）的增量。"""

    def cum(day: str) -> str:
        return f"((2*(c{index} + s{index}*({day} - from_day)) + d{index}) / (2*d{index}))"

    return f"({cum(until)} - {cum(since)})"


class GroupGrowth(NamedTuple):
    """一个会计键当日的四条增量合计（分）。"""

    institution_id: int
    product_id: int
    loan_class: int
    accrual: int
    currency: str
    interest: int
    subsidy: int
    penalty: int
    compound: int


def partition_growth(*, partition_id: int, day: int) -> list[GroupGrowth]:
    """分区内账立于 ``day`` 的借据，当日（day → day+1）的增量按会计键合计。一条 SQL。"""
    sums = ", ".join(f"CAST(SUM({growth_sql(i, since='%(day)s', until='(%(day)s + 1)')}) AS BIGINT)" for i in range(4))
    sql = (
        f"SELECT institution_id, product_id, loan_class, accrual, currency, {sums} FROM {_TABLE} "
        "WHERE partition_id = %(partition)s AND from_day <= %(day)s AND NOT held AND accrual <> 2 AND (s0 > 0 OR s2 > 0 OR s3 > 0) "
        "GROUP BY institution_id, product_id, loan_class, accrual, currency ORDER BY institution_id, product_id, loan_class, accrual, currency"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("%(day)s", str(int(day))).replace("%(partition)s", str(int(partition_id))))
        return [GroupGrowth(*row) for row in cursor.fetchall()]


def growth_by_code(group: GroupGrowth) -> dict[str, int]:
    """一个会计键的增量 → 各头寸代码的发生额。"""
    moved: dict[str, int] = {}
    for name, amount in zip(LINE_NAMES, group[5:], strict=True):
        if amount:
            debit, credit = LINE_CODES[name, group.accrual]
            moved[debit] = moved.get(debit, 0) + amount
            moved[credit] = moved.get(credit, 0) - amount
    return {code: amount for code, amount in moved.items() if amount}


def grown_positions(accrued_to: Mapping[int, int]) -> dict[tuple[int, int, int, int, str, str], int]:
    """按（会计键, 头寸代码）合计的借据头寸：``base`` 加直线自各自 ``from_day`` 到分区账立日的增量。

    ``accrued_to`` 是分区编号 → 账立日（日序数）。独立审计用：与账簿按同样的键比对；隔离中的借据停在自己的 ``from_day``。
    """
    totals: dict[tuple[int, int, int, int, str, str], int] = {}
    if not accrued_to:
        return totals
    ids = ", ".join(str(int(pk)) for pk in accrued_to)
    stands = (
        "CASE s.partition_id " + " ".join(f"WHEN {int(pk)} THEN {int(day)}" for pk, day in accrued_to.items()) + " END"
    )
    if connection.vendor == "postgresql":
        each, key, value = "jsonb_each_text(s.base) AS p(code, amount)", "p.code", "CAST(p.amount AS BIGINT)"
    else:
        each, key, value = "json_each(s.base) AS p", "p.key", "p.value"
    keys = "s.institution_id, s.product_id, s.loan_class, s.accrual, s.currency"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {keys}, {key}, CAST(SUM({value}) AS BIGINT) FROM {_TABLE} s, {each} WHERE s.partition_id IN ({ids}) GROUP BY {keys}, {key}"
        )
        for *columns, code, amount in cursor.fetchall():
            totals[(*columns, code)] = int(amount)
        until = f"(CASE WHEN s.held OR s.from_day > {stands} THEN s.from_day ELSE {stands} END)"
        sums = ", ".join(f"CAST(SUM({growth_sql(i, since='from_day', until=until)}) AS BIGINT)" for i in range(4))
        cursor.execute(
            f"SELECT {keys}, {sums} FROM {_TABLE} s WHERE s.partition_id IN ({ids}) AND s.accrual <> 2 "
            f"AND (s0 > 0 OR s2 > 0 OR s3 > 0) GROUP BY {keys}"
        )
        for row in cursor.fetchall():
            group = GroupGrowth(*row)
            for code, amount in growth_by_code(group).items():
                place = (*group[:5], code)
                totals[place] = totals.get(place, 0) + amount
    return {place: amount for place, amount in totals.items() if amount}
