"""同行系统里实测到的算钱缺陷，一条一个测试：我们不许有。"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from sancha.kernel import Fact, FactKind, State, Terms, advance, payoff, positions, project, replay
from sancha.kernel.calculator import calculate
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import Rounding
from sancha.kernel.quote import is_settled
from sancha.kernel.schedule import level_principal
from sancha.kernel.terms import Allocation, Method, TermsError
from tests.support import scenario


def loan(**words: str) -> Terms:
    base = {"起息日": "2026-01-15", "本金": "50,000.00", "年利率": "12%", "还款方式": "等额本息", "期数": "12"}
    return scenario.terms_of(base | words)


def lent(terms: Terms) -> list[Fact]:
    return [Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen)]


def whole_plan(terms: Terms) -> State:
    return project(terms, replay(terms, lent(terms), on=terms.start))


@pytest.mark.parametrize("day_count", ["30/360", "对月"])
def test_daily_slices_of_30_360_are_days_not_months(day_count: str) -> None:
    """缺陷：30/360 逐日计提时每一天都按一个月（30 天）收。这里逐日走满一月，恰好一个月的利息，每天不超过三天的量。"""
    terms = loan(计息=day_count, 还款方式="到期还本")
    state = replay(terms, lent(terms), on=terms.start)
    seen = [0]
    while state.day < date(2026, 2, 15):
        state = advance(terms, state, [], to=state.day + timedelta(days=1))
        seen.append(-positions(terms, state).get("INTEREST_INCOME", 0))
    assert seen[-1] == 50_000  # 50,000 × 12% ÷ 12
    a_day = 50_000 / 30
    assert max(after - before for before, after in pairwise(seen)) <= a_day + 1


@pytest.mark.parametrize("words", [{}, {"还款日": "20"}, {"计息": "实际/365"}])
def test_a_quarterly_schedule_has_no_stub_of_three_days(words: dict[str, str]) -> None:
    """缺陷：按季的计划首期之后只有 3 天利息，借据提前到期。这里每期都是一季，末期在一年之后。"""
    terms = loan(周期="季", 期数="4", 还款方式="到期还本", **words)
    items = whole_plan(terms).installments
    assert len(items) == 4
    assert all(85 <= item.due_on - item.starts_on <= 97 for item in items)
    assert items[-1].due_date >= date(2027, 1, 15)
    assert all(item.interest_due > 140_000 for item in items)  # 一季约 1,500.00


@pytest.mark.parametrize("start", ["2026-01-31", "2026-01-30", "2026-01-29", "2026-08-31"])
def test_month_end_schedules_count_the_days_of_a_year(start: str) -> None:
    """缺陷：月末还款的计划一年计了 369–372 天。这里恰是 365 天（对月恰是 360 个单位）。"""
    for day_count, interest in (("实际/365", 600_000), ("对月", 600_000), ("实际/360", 608_333)):
        terms = loan(起息日=start, 还款方式="到期还本", 计息=day_count)
        items = whole_plan(terms).installments
        assert sum(item.due_on - item.starts_on for item in items) == 365
        assert all(before.due_on == after.starts_on for before, after in pairwise(items))
        assert abs(sum(item.interest_due for item in items) - interest) <= 6  # 十二次取整，各不过半分


def test_an_instalment_is_not_forced_up_to_a_whole_unit() -> None:
    """缺陷：每期还款额总被进到整元。这里按合同的取整规则，缺省到分。"""
    terms = loan(年利率="14.4%")
    assert whole_plan(terms).level == 449_877
    assert whole_plan(loan(年利率="14.4%", 取整="进位", 取整单位="1.00")).level == 449_900
    # 100.496 to the yuan is 100: rounding to the fen first (100.50) and then to the yuan would make it 101.
    assert level_principal(100_496, 10, Rounding.HALF_UP, 100) == 10_000


def test_zero_percent_is_zero_percent() -> None:
    """缺陷：利率 0 被当成「没填」，悄悄取了产品的利率。这里 0 就是 0，没填就报错。"""
    assert all(item.interest_due == 0 for item in whole_plan(loan(年利率="0%")).installments)
    document = loan(年利率="0%").as_document()
    assert Terms.from_document(document).rate_ppm == 0
    result = calculate({"terms": document})
    assert result["totals"]["interest_fen"] == 0
    for missing in (
        {**document, "rate_ppm": None},
        {name: value for name, value in document.items() if name != "rate_ppm"},
    ):
        with pytest.raises(TermsError, match="rate_ppm"):
            Terms.from_document(missing)
    changed = [*lent(terms := loan()), Fact(2, FactKind.RATE_CHANGE, terms.start, terms.start, data={"rate_ppm": 0})]
    assert replay(terms, changed, on=date(2026, 2, 15)).interest_unpaid == 0


@pytest.mark.parametrize("name", ["fee", "penalty", "compound", "interest", "principal"])
def test_no_step_of_an_allocation_order_is_ignored(name: str) -> None:
    """缺陷：冲账次序里的「利息」一步被略过。这里把每一种成分排在第一，第一笔钱就进了它。"""
    rest = [other for other in ("fee", "penalty", "compound", "interest", "principal") if other != name]
    on = date(2026, 6, 1)
    for by_installment in (True, False):
        terms = Terms(
            start=on, principal_fen=1, rate_ppm=0, method=Method.BULLET, periods=1,
            allocation=Allocation(order=(name, *rest), by_installment=by_installment),
        )  # fmt: skip
        row = {"due_on": "2026-05-01", "principal_fen": 1000, "interest_fen": 1000}
        data = {"principal_fen": 0, "unpaid": [row], "fee_fen": 1000, "penalty_fen": 1000, "compound_fen": 1000}
        facts = [Fact(1, FactKind.OPENING, on, on, data=data), Fact(2, FactKind.REPAYMENT, on, on, 700)]
        state = replay(terms, facts, on=on)
        assert getattr(state, f"{name}_paid") == 700
        for step in range(1, 6):
            facts[1] = Fact(2, FactKind.REPAYMENT, on, on, 1000 * step)
            state = replay(terms, facts, on=on)
            assert [getattr(state, f"{part}_paid") for part in (name, *rest)] == [1000] * step + [0] * (5 - step)


@pytest.mark.parametrize(
    ("principal", "rate", "periods"),
    [("10,000.00", "10%", "3"), ("99,999.99", "7.77%", "36"), ("1,000.00", "18%", "7")],
)
def test_a_flat_loan_does_not_end_in_a_balloon(principal: str, rate: str, periods: str) -> None:
    """缺陷：均摊法的末期剩一个「气球」。这里末期与各期相差不到每期一分，总额恰好。"""
    terms = loan(本金=principal, 年利率=rate, 期数=periods, 还款方式="均摊")
    totals = [item.principal_due + item.interest_due for item in whole_plan(terms).installments]
    assert abs(totals[-1] - totals[0]) <= len(totals)
    assert sum(item.principal_due for item in whole_plan(terms).installments) == terms.principal_fen
    exact = terms.principal_fen * terms.rate_ppm * int(periods)
    assert sum(item.interest_due for item in whole_plan(terms).installments) == (2 * exact + 12_000_000) // 24_000_000


@pytest.mark.parametrize("method", ["等额本息", "到期还本", "一次性还本付息", "均摊", "等额本金"])
def test_the_payoff_quote_is_not_a_day_dearer_than_what_closes(method: str) -> None:
    """缺陷：结清报价比实际入账多算一天利息。这里事先报给那天的价，那天付进去恰好结清，少一分则不结清。"""
    terms = loan(还款方式=method, 计息="实际/360")
    early = replay(terms, lent(terms), on=date(2026, 2, 20))
    for day in (date(2026, 2, 20), date(2026, 3, 1), date(2026, 3, 15)):
        quote = payoff(terms, early, day)["total"]
        paid = replay(terms, [*lent(terms), Fact(2, FactKind.SETTLEMENT, day, day, quote)], on=day)
        assert is_settled(terms, paid)
        assert paid.overpayment == 0
        short = replay(terms, [*lent(terms), Fact(2, FactKind.SETTLEMENT, day, day, quote - 1)], on=day)
        assert not is_settled(terms, short)
    bare = replay(terms, lent(terms), on=date(2026, 2, 1))
    a_day = payoff(terms, bare, date(2026, 2, 2))["total"] - payoff(terms, bare)["total"]
    assert a_day in {1666, 1667}  # 50,000 × 12% ÷ 360 = 16.67


def test_no_365_is_hard_coded() -> None:
    """缺陷：360 天基数的产品用了写死的 365（1,013.89 而不是 1,000.00）；罚息的基数同样随约定。"""
    for day_count, year, a_late_day in (("实际/360", 360, 1667), ("对月", 360, 1667), ("实际/365", 365, 1644)):
        terms = loan(计息=day_count, 还款方式="到期还本", 期数="1", 罚息倍数="1 倍")
        due = replay(terms, lent(terms), on=date(2026, 2, 15))
        units = 30 if day_count == "对月" else 31
        assert due.interest_unpaid == (2 * 5_000_000 * 12 * units + 100 * year) // (2 * 100 * year)
        late = advance(terms, due, [], to=date(2026, 2, 16))
        assert positions(terms, late)["PENALTY_RECEIVABLE"] == a_late_day
    assert {DayCount.ACT_360, DayCount.ACT_365} < set(DayCount)
