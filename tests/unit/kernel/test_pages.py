"""算法页的表：页面怎样写，程序就怎样算。"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext

import pytest

from sancha.kernel import Allocation, Fact, FactKind, State, Terms, project, replay
from sancha.kernel.calculator import calculate
from sancha.kernel.dates import nominal_day
from sancha.kernel.daycount import BASIS, next_kink, units
from sancha.kernel.derivation import FACT_LABELS
from sancha.kernel.fact_data import DATA, MONEY
from sancha.kernel.facts import RANK
from sancha.kernel.money import parse_yuan
from sancha.kernel.terms import Method
from tests.support import scenario
from tests.support.scenario import Scenario, walk
from tests.support.tables import table

STORIES = [
    ("replay", "算例"),
    ("allocation", "不良次序"),
    ("penalty-compound", "到期后"),
    ("penalty-compound", "期内复利"),
    ("penalty-compound", "逾期又挪用"),
    ("penalty-compound", "宽限"),
    ("penalty-compound", "宽限不追溯"),
    ("prepayment-settlement", "缩期"),
    ("prepayment-settlement", "减额与提前还款费"),
    ("extension-new-plan", "展期"),
    ("extension-new-plan", "重订计划"),
    ("payers", "算例"),
    ("classification-nonaccrual", "算例"),
    ("write-off", "算例"),
    ("opening", "算例"),
]


@pytest.mark.parametrize(("page", "heading"), STORIES)
def test_stories(page: str, heading: str) -> None:
    walk(table(page, heading, 0), table(page, heading, 1))


def whole_plan(words: dict[str, str]) -> State:
    """放足本金、没有还款时的整张计划。"""
    terms = scenario.terms_of({name: value for name, value in words.items() if value})
    lent = Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen)
    return project(terms, replay(terms, [lent], on=terms.start))


def test_kinds_are_in_the_documented_order() -> None:
    rows = table("replay", "种类次序")
    assert [(row["代码"], row["种类"]) for row in rows] == [(str(kind), FACT_LABELS[kind]) for kind in FactKind]
    assert [int(row["次序"]) for row in rows] == [RANK[kind] for kind in FactKind]


def test_fact_columns_are_what_is_checked() -> None:
    rows = table("facts", "方法")
    assert [row["代码"] for row in rows] == [str(kind) for kind in FactKind]
    for row in rows:
        kind = FactKind(row["代码"])
        assert (row["金额"] == "有") is (kind in MONEY), kind
        written = {name.rstrip("*"): name.endswith("*") for name in row["栏目"].split()}
        assert written == {name: entry.required for name, entry in DATA[kind].items()}, kind


def test_period_ends() -> None:
    for row in table("schedule", "期末"):
        ends = row.pop("各期末").split()
        row["周期倍数"] = row.pop("倍数")
        state = whole_plan({"本金": "100.00", "年利率": "0%", "还款方式": "等额本金", **row})
        assert [item.due_date.isoformat() for item in state.installments] == ends, row


def test_rolled_due_dates() -> None:
    for row in table("schedule", "顺延"):
        state = whole_plan(
            {"起息日": "2026-01-15", "本金": "100.00", "年利率": "0%", "还款方式": "等额本金", "期数": "1"}
            | {"顺延": row["顺延"], "放假": row["放假"]}
        )
        item = state.installments[0]
        assert (item.due_date.isoformat(), date.fromordinal(item.bill_on).isoformat()) == (row["应还日"], row["计息到"])


def exact_level(principal: Decimal, rate: Decimal, periods: int) -> Decimal:
    """独立复算：十进制幂，不用内核的整数算法。"""
    if not rate:
        return principal / periods
    growth = (1 + rate) ** periods
    return principal * rate * growth / (growth - 1)


def test_level_payment() -> None:
    ways = {"四舍五入": ROUND_HALF_UP, "进位": ROUND_UP, "舍去": ROUND_DOWN}
    for row in table("level-payment", "算例"):
        grace = int(row["只付息期数"])
        words = {name: row[name] for name in ("本金", "年利率", "期数", "取整", "取整单位")} | {"起息日": "2026-01-15"}
        words |= {"还款方式": "阶段性等额本息", "只付息期数": str(grace)} if grace else {"还款方式": "等额本息"}
        state = whole_plan(words)
        *regular, last = [item.principal_due + item.interest_due for item in state.installments[grace:]]
        assert set(regular) == {parse_yuan(row["每期"])}
        assert last == parse_yuan(row["末期"])
        assert sum(item.interest_due for item in state.installments) == parse_yuan(row["利息合计"])
        with localcontext(prec=50):
            rate = Decimal(row["年利率"].rstrip("%")) / 1200
            level = exact_level(Decimal(row["本金"].replace(",", "")), rate, int(row["期数"]) - grace)
            unit = Decimal(row["取整单位"])
            assert (level / unit).quantize(Decimal(1), rounding=ways[row["取整"]]) * unit == Decimal(
                row["每期"].replace(",", "")
            )


def test_level_principal() -> None:
    words = {"起息日": "2026-01-15", "本金": "50,000.00", "年利率": "14.4%", "还款方式": "等额本金", "期数": "12"}
    items = whole_plan(words).installments
    rows = table("level-principal", "算例")
    assert len(items) == len(rows)
    balance = 5_000_000
    for item, row in zip(items, rows, strict=True):
        balance -= item.principal_due
        found = (item.principal_due, item.interest_due, item.principal_due + item.interest_due, balance)
        assert found == tuple(parse_yuan(row[name]) for name in ("本金", "利息", "合计", "期末余额"))


def test_flat() -> None:
    for row in table("flat-interest", "算例"):
        words = {name: row[name] for name in ("还款方式", "本金", "年利率", "定额费用", "期数")} | {
            "起息日": "2026-01-15"
        }
        items = whole_plan(words).installments
        last = items[-1]
        for name, field in (("本金", "principal_due"), ("利息", "interest_due"), ("费用", "fee_due")):
            assert {getattr(item, field) for item in items[:-1]} == {parse_yuan(row[f"每期{name}"])}
            assert getattr(last, field) == parse_yuan(row[f"末期{name}"])
        assert sum(item.interest_due for item in items) == parse_yuan(row["利息合计"])
        terms = scenario.terms_of({name: value for name, value in words.items() if value})
        cost = calculate({"terms": terms.as_document(), "want": ["disclosure"]})["disclosure"]
        assert cost["nominal"] == {"rate_ppm": int(row["单利年化 ppm"])}


def test_day_counts() -> None:
    for row in table("day-count", "方法"):
        convention = scenario.DAY_COUNTS[row["约定"]]
        first, last = date.fromisoformat(row["期初"]).toordinal(), date.fromisoformat(row["到"]).toordinal()
        counted = units(convention, first, nominal_day(first, date.fromordinal(first).day), last)
        assert (counted, BASIS[convention]) == (int(row["单位数"]), int(row["基数"])), row
        interest = Decimal(10_000) * Decimal("0.12") * counted / BASIS[convention]
        assert interest.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP) == Decimal(row["利息"].replace(",", "")), row


def test_kinks() -> None:
    for row in table("day-count", "折点"):
        anchor, day = (date.fromisoformat(row[name]).toordinal() for name in ("期初", "某日"))
        kink = next_kink(scenario.DAY_COUNTS[row["约定"]], anchor, int(row["名义日"]), day)
        if row["下一折点"] == "无":
            assert kink > date.max.toordinal()
        else:
            assert date.fromordinal(kink).isoformat() == row["下一折点"], row


def test_allocation() -> None:
    on = date(2026, 6, 1)
    for row in table("allocation", "算例"):
        terms = Terms(
            start=on, principal_fen=1, rate_ppm=0, method=Method.BULLET, periods=1,
            allocation=Allocation(order=scenario.order(row["次序"]), by_installment=row["逐期"] == "是"),
        )  # fmt: skip
        first, second = ((on - timedelta(days=days)).isoformat() for days in (60, 30))
        unpaid = [
            {"due_on": first, "principal_fen": 50_000, "interest_fen": 10_000},
            {"due_on": second, "principal_fen": 51_000, "interest_fen": 9_000},
        ]
        opening = {"principal_fen": 0, "unpaid": unpaid, "fee_fen": 1_000, "penalty_fen": 2_000, "compound_fen": 500}
        facts = [
            Fact(1, FactKind.OPENING, on, on, data=opening),
            Fact(2, FactKind.REPAYMENT, on, on, parse_yuan(row["付款"])),
        ]
        state = replay(terms, facts, on=on)
        one, two = state.installments
        paid = (
            state.fee_paid, state.penalty_paid, state.compound_paid, one.interest_paid, one.principal_paid, two.interest_paid,
            two.principal_paid, state.overpayment,
        )  # fmt: skip
        names = ("费用", "罚息", "复利", "一期利息", "一期本金", "二期利息", "二期本金", "溢缴款")
        assert paid == tuple(parse_yuan(row[name]) for name in names), row


def test_a_story_that_is_wrong_is_noticed() -> None:
    """读表的程序自己也要会咬人。"""
    words = {"起息日": "2026-01-15", "本金": "100.00", "年利率": "0%", "还款方式": "等额本金", "期数": "1"}
    told = Scenario(words)
    told.record(date(2026, 1, 15), "放款 100.00")
    with pytest.raises(AssertionError, match=r"本金余额：应为 99\.99"):
        told.check(date(2026, 1, 15), {"本金余额": "99.99"})
    with pytest.raises(AssertionError, match="读不懂"):
        Scenario(words | {"年利": "1%"})
    with pytest.raises(AssertionError, match="读不懂"):
        told.record(date(2026, 1, 15), "核销 多余")
