"""利息试算：计划与内核一致、年化、结清报价、改利率、贴息、并排比较、坏输入。"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.interfaces.web.calculator.trial import compare, payoff_on, run, with_rate
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.money import format_yuan
from sancha.kernel.replay import replay
from sancha.kernel.terms import Method, Terms
from sancha.kernel.timetable import Standing, timetable

START = date(2026, 1, 15)
TERMS = Terms(start=START, principal_fen=5_000_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12)
FORM = {
    "amount_fen": "50,000", "pricing": "FIXED", "rate_ppm": "14.4", "method": "LEVEL_PAYMENT", "periods": "12", "unit": "MONTH",
    "start": "2026-01-15", "day_count": "MONTHLY", "rounding": "HALF_UP",
}  # fmt: skip


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_year_of_level_payments() -> None:
    outcome = run(TERMS)
    assert [row.total_fen for row in outcome.rows] == [449_877] * 11 + [449_879]
    assert outcome.interest_fen == sum(row.interest_fen for row in outcome.rows) == 398_526
    assert outcome.total_fen == 5_398_526
    assert outcome.nominal_ppm == 144_000
    assert outcome.xirr_ppm is not None
    assert outcome.xirr_ppm > 144_000, "compounded by day it is more than the nominal rate"


def test_a_fee_taken_at_the_start_raises_the_cost() -> None:
    plain, with_fee = run(TERMS), run(TERMS, upfront_fee_fen=50_000)
    assert with_fee.cost_fen == plain.cost_fen + 50_000
    assert with_fee.nominal_ppm is not None
    assert plain.nominal_ppm is not None
    assert with_fee.nominal_ppm > plain.nominal_ppm + 10_000


def test_each_method_returns_the_principal_and_flat_costs_most() -> None:
    outcomes = {item.terms.method: item for item in compare(TERMS)}
    for item in outcomes.values():
        assert sum(row.principal_fen for row in item.rows) == 5_000_000
    cost = {method: item.xirr_ppm for method, item in outcomes.items()}
    assert max(cost, key=lambda method: cost[method] or 0) is Method.FLAT_INTEREST
    assert (
        outcomes[Method.LEVEL_PRINCIPAL].interest_fen
        < outcomes[Method.LEVEL_PAYMENT].interest_fen
        < outcomes[Method.INTEREST_FIRST].interest_fen
    )


def test_the_payoff_quote_is_what_settling_would_take() -> None:
    outcome, day = run(TERMS), date(2026, 7, 1)
    quoted = payoff_on(outcome, day)["total"]
    facts = [Fact(1, FactKind.DISBURSEMENT, START, START, 5_000_000)]
    facts += [
        Fact(n, FactKind.REPAYMENT, row.due_on, row.due_on, row.total_fen)
        for n, row in enumerate(outcome.rows[:5], start=2)
    ]
    settled = replay(TERMS, [*facts, Fact(9, FactKind.SETTLEMENT, day, day, quoted)], on=day)
    assert settled.principal == 0
    assert settled.overpayment == 0
    short = replay(TERMS, [*facts, Fact(9, FactKind.SETTLEMENT, day, day, quoted - 1)], on=day)
    assert short.principal > 0


def test_a_lower_rate_lowers_what_is_left_to_pay() -> None:
    outcome, day = run(TERMS), date(2026, 7, 15)
    rows = with_rate(outcome, 72_000, day)
    assert sum(row.principal_fen for row in rows) == 5_000_000
    assert [row.interest_fen for row in rows[:6]] == [row.interest_fen for row in outcome.rows[:6]]
    assert all(new.interest_fen < old.interest_fen for new, old in zip(rows[6:], outcome.rows[6:], strict=True))


def test_the_timetable_tells_paid_late_and_overdue_apart() -> None:
    facts = [
        Fact(1, FactKind.DISBURSEMENT, START, START, 5_000_000),
        Fact(2, FactKind.REPAYMENT, date(2026, 2, 15), date(2026, 2, 15), 449_877),
        Fact(3, FactKind.REPAYMENT, date(2026, 3, 20), date(2026, 3, 20), 460_000),
    ]
    rows = timetable(TERMS, replay(TERMS, facts, on=date(2026, 5, 15)))
    assert [row.standing for row in rows[:5]] == [
        Standing.PAID,
        Standing.PAID_LATE,
        Standing.OVERDUE,
        Standing.DUE,
        Standing.FUTURE,
    ]
    assert [row.days_late for row in rows[:5]] == [0, 5, 30, 0, 0]
    assert rows[1].settled_on == date(2026, 3, 20)
    assert sum(row.principal_fen for row in rows) == 5_000_000
    assert all(a.closing_fen == b.opening_fen for a, b in pairwise(rows))


@pytest.mark.django_db
def test_the_page_shows_the_same_and_touches_no_loan_table(as_post: Callable[..., Client]) -> None:
    client = as_post("LOAN_OFFICER")
    assert client.get("/calculator/").status_code == 200
    with CaptureQueriesContext(connection) as captured:
        page = client.get(
            "/calculator/?"
            + urlencode(FORM | {"payoff_on": "2026-07-01", "new_rate_ppm": "7.2", "new_rate_on": "2026-07-15"})
        )
    assert len(captured) <= 6
    assert not any("servicing_" in q["sql"] or "products_" in q["sql"] for q in captured)
    shown = text_of(page)
    for amount in (449_877, 398_526, 5_398_526, payoff_on(run(TERMS), date(2026, 7, 1))["total"]):
        assert format_yuan(amount) in shown
    assert "14.40%" in shown


@pytest.mark.django_db
def test_subsidy_and_lpr_pricing(as_post: Callable[..., Client]) -> None:
    client = as_post("LOAN_OFFICER")
    half = text_of(client.get("/calculator/?" + urlencode(FORM | {"subsidy_ppm": "50"})))
    assert "贴息合计" in half
    priced = text_of(
        client.get("/calculator/?" + urlencode(FORM | {"pricing": "1Y", "spread_bp": "55", "rate_ppm": ""}))
    )
    assert "执行年利率" in priced


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount_fen": "-1"}, "金额"),
        ({"amount_fen": "一万"}, "金额"),
        ({"rate_ppm": ""}, "请填年利率"),
        ({"rate_ppm": "2000"}, "1000%"),
        ({"periods": "0"}, "1"),
        ({"periods": "100000"}, "600"),
        ({"start": "2026-02-30"}, "年-月-日"),
        ({"method": "NONSENSE"}, "NONSENSE"),
        ({"method": "GRACE_LEVEL_PAYMENT", "grace_periods": "12"}, "只付息"),
        ({"unit": "WEEK", "due_day": "15"}, "还款日"),
        ({"subsidy_ppm": "120"}, "100%"),
        ({"new_rate_ppm": "5"}, "自哪天起"),
        ({"payoff_on": "2040-01-01"}, "起息日与到期日之间"),
    ],
)
def test_bad_input_is_told_beside_its_field(as_post: Callable[..., Client], change: dict[str, str], said: str) -> None:
    response = as_post("LOAN_OFFICER").get("/calculator/?" + urlencode(FORM | change))
    assert response.status_code == 422
    assert said in text_of(response)
