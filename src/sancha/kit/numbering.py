"""编号：每个名字一个计数，取号与业务同事务、锁住该行；号码不复用，业务回滚号码也回滚。"""

from __future__ import annotations

from django.db import connection
from django.db.models import F

from sancha.kit.models import NumberSequence


def next_number(name: str) -> int:
    """下一个号码，从 1 起。"""
    return next_numbers(name, 1)[0]


def next_numbers(name: str, count: int) -> range:
    """一次取连续若干个号码。两条语句，与个数无关。

    必须在事务之内：先 UPDATE 再读，UPDATE 锁住该行直到事务结束，别人取不到同一个号。
    """
    assert connection.in_atomic_block, "numbers are taken inside the transaction that uses them"
    if count < 0:
        raise ValueError(f"next_numbers({name!r}): count must not be negative, got {count}")
    if count == 0:
        return range(0)
    rows = NumberSequence.objects.filter(name=name)
    if not rows.update(last=F("last") + count):
        # Two first-comers may both get here: one inserts, the other's insert waits for it and is ignored.
        NumberSequence.objects.bulk_create([NumberSequence(name=name, last=0)], ignore_conflicts=True)
        rows.update(last=F("last") + count)
    last: int = rows.values_list("last", flat=True).get()
    return range(last - count + 1, last + 1)
