"""独立核对：不用生产代码的合计，从分录与事实各自重新加一遍，逐会计键、逐头寸代码比对。

左边：``ledger_line`` 里来源为借据、计提、期初的分录，记账日 ≤ p 的合计（一条 SQL）。
右边：每笔借据 ``positions(replay(on=p+1, known_at=p))`` 之和——当时所知，永远如此（books.md 不变式 15a）。
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction

from django.db import connection

from sancha.apps.businessday.models import Partition
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, Movement
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import accounting_key, positions
from sancha.kernel.replay import replay
from sancha.kernel.terms import Terms

ONE_DAY = timedelta(days=1)
Place = tuple[int, int, int, int, str, str]
_MOVES = {
    1: (("INTEREST_RECEIVABLE", "INTEREST_INCOME"), ("SUBSIDY_RECEIVABLE", "INTEREST_RECEIVABLE"),
        ("PENALTY_RECEIVABLE", "PENALTY_INCOME"), ("COMPOUND_RECEIVABLE", "COMPOUND_INCOME")),
    0: (("OFF_INTEREST", "OFF_CONTRA"), ("OFF_SUBSIDY", "OFF_INTEREST"), ("OFF_PENALTY", "OFF_CONTRA"), ("OFF_COMPOUND", "OFF_CONTRA")),
}  # fmt: skip


class BooksWrong(AssertionError):
    """账与借据不符。"""


def booked(upto: date) -> dict[Place, int]:
    """账簿：记账日不晚于 ``upto`` 的头寸分录合计。"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.institution_id, l.product_id, l.loan_class, l.accrual, l.currency, l.position_code, SUM(l.amount_fen) "
            "FROM ledger_line l JOIN ledger_voucher v ON v.id = l.voucher_id "
            "WHERE v.source IN ('SERVICING', 'ACCRUAL', 'OPENING') AND l.position_code <> '' AND v.booked_on <= %s "
            "GROUP BY l.institution_id, l.product_id, l.loan_class, l.accrual, l.currency, l.position_code",
            [upto],
        )
        return {tuple(row[:6]): int(row[6]) for row in cursor.fetchall() if row[6]}


class Books:
    """全部借据的条款与事实，读一次，按任意一天重放多次。"""

    def __init__(self) -> None:
        self.terms = {
            pk: Terms.from_document(json.loads(document) if isinstance(document, str) else document)
            for pk, document in Loan.objects.exclude(state=None).values_list("pk", "terms")
        }
        self.facts: dict[int, list[Fact]] = {pk: [] for pk in self.terms}
        for row in LoanFact.objects.order_by("loan_id", "seq"):
            self.facts[row.loan_id].append(
                Fact(row.seq, FactKind(row.kind), row.value_on, row.booked_on, row.amount_fen, row.data)
            )
        for pk, facts in self.facts.items():
            if [fact.seq for fact in facts] != list(range(1, len(facts) + 1)):
                raise BooksWrong(f"loan {pk}: the sequence of facts has a gap")

    def replayed(self, upto: date) -> dict[Place, int]:
        """借据：到 ``upto`` 日终，当时所知的头寸合计。"""
        return self._sum((pk, upto + ONE_DAY, upto) for pk in self.terms)

    def standing(self) -> dict[Place, int]:
        """借据：此刻（半关着也一样）各自账所立之日、全部所知的头寸合计。"""
        accrued = dict(Partition.objects.values_list("pk", "accrued_to"))
        rows = LoanState.objects.values_list("pk", "partition_id", "from_day")
        return self._sum((pk, max(accrued[part], date.fromordinal(day)), None) for pk, part, day in rows)

    def _sum(self, wanted: Iterable[tuple[int, date, date | None]]) -> dict[Place, int]:
        total: dict[Place, int] = {}
        for pk, on, known_at in wanted:
            if not any(known_at is None or fact.booked_on <= known_at for fact in self.facts[pk]):
                continue
            state = replay(self.terms[pk], self.facts[pk], on=on, known_at=known_at)
            key = accounting_key(self.terms[pk], state)
            for code, amount in positions(self.terms[pk], state).items():
                place = (int(key.institution), int(key.product), key.loan_class, key.accrual, key.currency, code)
                total[place] = total.get(place, 0) + amount
        return {place: amount for place, amount in total.items() if amount}

    def check_rows(self) -> None:
        """投影行：``base`` 加四条直线（用分数另算一遍）= 从头重放。"""
        accrued = dict(Partition.objects.values_list("pk", "accrued_to"))
        for row in LoanState.objects.all():
            on = max(accrued[row.partition_id].toordinal(), row.from_day)
            grown = dict(row.base)
            for (carry, slope, den), (debit, credit) in zip(_lines(row), _MOVES.get(row.accrual, ()), strict=False):
                amount = _half_up(Fraction(carry + slope * (on - row.from_day), den)) - _half_up(Fraction(carry, den))
                grown[debit] = grown.get(debit, 0) + amount
                grown[credit] = grown.get(credit, 0) - amount
            grown = {code: amount for code, amount in grown.items() if amount}
            state = replay(self.terms[row.pk], self.facts[row.pk], on=date.fromordinal(on))
            if grown != positions(self.terms[row.pk], state):
                raise BooksWrong(
                    f"loan {row.pk} on {date.fromordinal(on)}: row {grown} ≠ replay {positions(self.terms[row.pk], state)}"
                )
            if row.next_day <= on:
                raise BooksWrong(
                    f"loan {row.pk}: its event of {date.fromordinal(row.next_day)} was left undone on {date.fromordinal(on)}"
                )


def _lines(row: LoanState) -> tuple[tuple[int, int, int], ...]:
    return (row.c0, row.s0, row.d0), (row.c1, row.s1, row.d1), (row.c2, row.s2, row.d2), (row.c3, row.s3, row.d3)


def _half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def compare(ledger: dict[Place, int], loans: dict[Place, int], what: str) -> None:
    """两边逐键相等，不等的前几键列出。"""
    wrong = {
        place: (ledger.get(place, 0), loans.get(place, 0))
        for place in ledger.keys() | loans.keys()
        if ledger.get(place, 0) != loans.get(place, 0)
    }
    if wrong:
        shown = "; ".join(
            f"{place}: ledger {left}, loans {right}" for place, (left, right) in sorted(wrong.items(), key=str)[:6]
        )
        raise BooksWrong(f"{what}: {len(wrong)} keys differ: {shown}")


def check_close(day: date, past: Iterable[date] = ()) -> None:
    """日终 ``day`` 之后：当日、此刻、``past`` 各日当时所知，都须相等；凭证与分户账各自平衡。"""
    books = Books()
    compare(booked(day), books.replayed(day), f"close of {day}")
    compare(booked(date.max), books.standing(), f"standing after the close of {day}")
    for known in past:
        compare(booked(known), books.replayed(known), f"as known on {known}, seen on {day}")


def check_still(past: Iterable[date]) -> None:
    """较慢的全面核对：投影行、凭证、分户账、过去各日。"""
    books = Books()
    books.check_rows()
    for known in past:
        compare(booked(known), books.replayed(known), f"as known on {known}")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT voucher_id, SUM(amount_fen) FROM ledger_line GROUP BY voucher_id HAVING SUM(amount_fen) <> 0"
        )
        if bad := cursor.fetchall():
            raise BooksWrong(f"vouchers out of balance: {bad[:5]}")
        cursor.execute(
            f"SELECT loan_id, booked_on, fact_seq, SUM(amount_fen) FROM {Movement._meta.db_table} "
            "GROUP BY loan_id, booked_on, fact_seq HAVING SUM(amount_fen) <> 0"
        )
        if bad := cursor.fetchall():
            raise BooksWrong(f"movements out of balance: {bad[:5]}")
