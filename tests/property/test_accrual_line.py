"""计提直线：Python 一份、SQL 一份，到整数上限逐位相同；表的约束拒绝上限之外的；页上的例子照算。

跑在哪种数据库就比哪种：SQLite 会把溢出悄悄变成浮点，PostgreSQL 会报错，两者都绝不能在上限之内发生。
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sancha.apps.servicing.accrual import growth_sql
from sancha.apps.servicing.models import LoanState
from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import (
    ACCRUAL,
    LIMIT,
    LINE_CODES,
    LINE_NAMES,
    NON_ACCRUAL,
    WRITTEN_OFF,
    Line,
    accounting_key,
    accrual_lines,
    fits,
    line_growth,
    positions,
)
from sancha.kernel.replay import advance, replay
from sancha.kernel.terms import Method, Terms
from sancha.kit.rowset import rowset
from tests.support.factories_access import open_county
from tests.support.factories_loans import open_lending
from tests.support.random_loans import disbursement, random_fact, random_terms

PAGE = Path(__file__).parents[2] / "docs" / "algorithms" / "accrual-line.md"
LONGEST = 366
FROM = date(2026, 1, 1).toordinal()

pytestmark = pytest.mark.django_db


def lines() -> st.SearchStrategy[Line]:
    """放得下的直线，偏爱最大的斜率、最大的分母、零头差一分与一半的地方。"""

    def make(den: int, slope_share: int, carry_kind: int, jitter: int) -> Line:
        carry = [0, den - 1, den // 2, max(0, den // 2 - 1), jitter % den][carry_kind]
        room = (LIMIT - 1 - den - 2 * carry) // (2 * LONGEST)
        slope = max(0, room * slope_share // 1000 - (jitter % 3 if slope_share == 1000 else 0))
        return Line(carry, slope, den)

    dens = st.one_of(
        st.integers(1, 50),
        st.integers(1, LIMIT // 4 - 1),
        st.sampled_from([360_000_000, 365_000_000, 1, LIMIT // 4 - 1]),
    )
    shares = st.one_of(st.sampled_from([0, 1, 1000]), st.integers(0, 1000))
    return st.builds(make, dens, shares, st.integers(0, 4), st.integers(0, 1 << 60))


def by_sql(rows: list[tuple[Line, int, int]]) -> list[int]:
    """同一批直线用 SQL 算增量：（直线, 起天, 止天）→ 分。"""
    columns = {
        "no": "bigint",
        "c0": "bigint",
        "s0": "bigint",
        "d0": "bigint",
        "from_day": "bigint",
        "since": "bigint",
        "until": "bigint",
    }
    source = rowset(
        "t",
        columns,
        [[no, *line, FROM, FROM + since, FROM + until] for no, (line, since, until) in enumerate(rows)],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {growth_sql(0, since='since', until='until')} FROM {source.sql} ORDER BY no", source.params
        )
        return [row[0] for row in cursor.fetchall()]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(lines(), st.integers(0, LONGEST), st.integers(0, LONGEST)), min_size=1, max_size=20))
def test_python_and_sql_agree_to_the_last_bit(rows: list[tuple[Line, int, int]]) -> None:
    rows = [(line, min(a, b), max(a, b)) for line, a, b in rows]
    assert all(fits((line,)) for line, _, _ in rows)
    expected = [line.grown(until) - line.grown(since) for line, since, until in rows]
    got = by_sql(rows)
    assert all(type(value) is int for value in got), "SQLite has turned an overflow into a float"
    assert got == expected


@settings(max_examples=200, deadline=None)
@given(lines(), st.integers(0, LONGEST))
def test_grown_is_one_rounding_of_the_exact_sum(line: Line, days: int) -> None:
    """累计取整一次（四舍五入），逐日之差加起来就是总数，从不减少。"""
    exact = Fraction(line.carry + line.slope * days, line.den)
    assert line.grown(days) == (exact + Fraction(1, 2)).__floor__()
    assert sum(line.grown(day + 1) - line.grown(day) for day in range(days)) == line.grown(days) - line.grown(0)


def test_nothing_that_fits_can_overflow() -> None:
    """``fits`` 之内，公式的每个中间值都小于 2^62；恰好到顶的放得下，再加一就不行。"""
    for den in (1, 2, 360_000_000, LIMIT // 4 - 1):
        for carry in {0, den - 1}:
            slope = (LIMIT - 1 - den - 2 * carry) // (2 * LONGEST)
            assert fits((Line(carry, slope, den),))
            assert 2 * (carry + slope * LONGEST) + den < LIMIT
            assert not fits((Line(carry, slope + 1, den),))
    assert fits((Line(0, 0, 1),) * 4)
    assert not fits((Line(0, 0, 1), Line(0, LIMIT // 732 + 1, 1)))


def test_beyond_the_limit_the_databases_go_wrong() -> None:
    """为什么要有上限：再大一倍多，SQLite 给出浮点，PostgreSQL 报错。"""
    steep = Line(0, (1 << 63) // LONGEST, 1)
    if connection.vendor == "postgresql":
        with pytest.raises(DataError), transaction.atomic():
            by_sql([(steep, 0, LONGEST)])
    else:
        assert type(by_sql([(steep, 0, LONGEST)])[0]) is float


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(
    "values",
    [
        {"s": LIMIT // 732}, {"s": -1}, {"c": 360_000_000, "d": 360_000_000}, {"c": -1}, {"d": 0, "c": -1}, {"d": LIMIT // 4},
        {"s": (1 << 63) - 1},
    ],
)  # fmt: skip
def test_the_table_refuses_what_could_overflow(index: int, values: dict[str, int]) -> None:
    lending = open_lending(open_county())
    loan = lending.lend(random_terms(Random(1), lending.today))
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanState.objects.filter(pk=loan.pk).update(**{f"{name}{index}": value for name, value in values.items()})
    top = {f"c{index}": LIMIT // 4 - 2, f"s{index}": LIMIT // 732 - 1, f"d{index}": LIMIT // 4 - 1}
    LoanState.objects.filter(pk=loan.pk).update(**top)
    row = LoanState.objects.get(pk=loan.pk)
    line = Line(getattr(row, f"c{index}"), getattr(row, f"s{index}"), getattr(row, f"d{index}"))
    assert by_sql([(line, 0, LONGEST)]) == [line.grown(LONGEST) - line.grown(0)]


@pytest.mark.parametrize("seed", range(25))
def test_lines_of_random_loans_move_as_replay_does(seed: int) -> None:
    """真实的直线：从随机借据取来，到下一事件前每一天，SQL 的增量 = 直线的增量 = 两次重放的头寸之差。"""
    rng = Random(seed)
    start = date(2025, 6, 1) + timedelta(days=rng.randrange(200))
    policy = {"penalty_multiplier_ppm": 1_500_000, "nonaccrual_after_dpd": 90, "class_thresholds": ((1, 2), (91, 3))}
    terms = random_terms(rng, start, **policy)
    facts = [disbursement(terms)]
    for day in sorted(rng.randrange(500) for _ in range(8)):
        facts.append(random_fact(rng, terms, facts, booked_on=start + timedelta(days=day)))
    on = start + timedelta(days=rng.randrange(500))
    state = replay(terms, [fact for fact in facts if fact.value_on <= on or fact.kind is FactKind.REVERSAL], on=on)
    drawn = accrual_lines(terms, state)
    assert fits(drawn)
    base, key = positions(terms, state), accounting_key(terms, state)
    last = min(state.next_on - state.on, 40)
    queries = [(line, 0, days) for days in range(last) for line in drawn]
    grown = iter(by_sql(queries)) if queries else iter(())
    for days in range(last):
        by_line = [next(grown) for _ in drawn]
        moved = line_growth(drawn, key.accrual, days)
        from_sql: dict[str, int] = {}
        if key.accrual != WRITTEN_OFF:
            for name, amount in zip(LINE_NAMES, by_line, strict=True):
                debit, credit = LINE_CODES[name, key.accrual]
                from_sql[debit] = from_sql.get(debit, 0) + amount
                from_sql[credit] = from_sql.get(credit, 0) - amount
        assert {code: fen for code, fen in from_sql.items() if fen} == {code: fen for code, fen in moved.items() if fen}
        then = positions(terms, advance(terms, state, [], to=on + timedelta(days=days)))
        together = {code: base.get(code, 0) + moved.get(code, 0) for code in base.keys() | moved.keys()}
        assert {code: fen for code, fen in together.items() if fen} == then


def test_every_line_has_a_debit_and_a_credit() -> None:
    assert set(LINE_CODES) == {(name, status) for name in LINE_NAMES for status in (ACCRUAL, NON_ACCRUAL)}
    assert all(debit != credit for debit, credit in LINE_CODES.values())


def test_the_page_is_what_the_program_does() -> None:
    """docs/algorithms/accrual-line.md 的表：每行的累计与当日增量，Python 与 SQL 都照算。"""
    rows = [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in PAGE.read_text("utf-8").splitlines()
        if text.startswith("|") and text.strip("| ")[:1].isdigit()
    ]
    assert len(rows) >= 10
    checked = []
    for carry, slope, den, days, grown, today in ([int(cell.replace(" ", "")) for cell in row] for row in rows):
        line = Line(carry, slope, den)
        assert line.grown(days) == grown, (line, days)
        checked.append((line, days, days + 1, today))
    assert by_sql([(line, since, until) for line, since, until, _ in checked]) == [today for *_, today in checked]


def test_the_lines_of_the_page_are_real() -> None:
    """页上的例子：100,000.00 元、14.4 %、1/360、罚息 21.6 %，直线就是表里那两条；33,333.33 元是除不尽的那条。"""
    start = date(2026, 1, 1)

    def drawn(principal_fen: int, on: date) -> tuple[Line, ...]:
        terms = Terms(
            start=start, principal_fen=principal_fen, rate_ppm=144_000, method=Method.BULLET, periods=1, day_count=DayCount.ACT_360,
            penalty_multiplier_ppm=1_500_000,
        )  # fmt: skip
        state = replay(terms, [Fact(1, FactKind.DISBURSEMENT, start, start, principal_fen)], on=on)
        return accrual_lines(terms, state)

    assert drawn(10_000_000, start)[0] == Line(0, 4000, 1)
    assert drawn(10_000_000, date(2026, 2, 2))[2] == Line(0, 6000, 1)
    assert drawn(3_333_333, start)[0] == Line(0, 3_333_333, 2500)
