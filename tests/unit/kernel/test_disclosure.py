"""年化成本：算法页的表、监管算例、独立验根、唯一性与明示表的加总。"""

from datetime import date, timedelta
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancha.kernel.disclosure import (
    ContingentItem,
    Convention,
    CostItem,
    DisclosureError,
    annualized_cost,
    cost_statement,
    dated_cost,
)
from sancha.kernel.money import parse_yuan

PAGE = Path(__file__).parents[3] / "docs" / "algorithms" / "disclosure.md"


def table_after(heading: str) -> list[list[str]]:
    """读算法页某标题后的第一张表（去掉表头）。"""
    lines = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert len(rows) > 3, f"算法页「{heading}」的表是空的"
    return rows[2:]


def level(principal: int, fee: int, payment: int, periods: int) -> list[tuple[int, int]]:
    return [(0, principal), (0, -fee), *((period, -payment) for period in range(1, periods + 1))]


def test_page_level_payments():
    for principal, fee, payment, periods, step, nominal, effective in table_after("算例"):
        flows = level(parse_yuan(principal), parse_yuan(fee), parse_yuan(payment), int(periods))
        simple = annualized_cost(flows, convention=Convention.NOMINAL)
        assert (simple.step_ppm, simple.rate_ppm) == (int(step), int(nominal))
        assert annualized_cost(flows, convention=Convention.EFFECTIVE).rate_ppm == int(effective)


def test_page_dated_flows():
    for text, expected in table_after("按日年化"):
        flows = []
        for entry in text.split(";"):
            day, amount = entry.split()
            flows.append((date.fromisoformat(day), parse_yuan(amount.lstrip("+"), allow_negative=True)))
        assert dated_cost(flows).rate_ppm == int(expected)


@pytest.mark.parametrize(
    ("fee", "nominal", "effective"), [(0, "14.45", "15.45"), (20_000, "18.33", "19.95")], ids=["no fee", "fee 200"]
)
def test_regulator_example(fee, nominal, effective):
    """中国人民银行公告〔2021〕第3号口径：10,000 元、12 期各 900 元。"""
    flows = level(1_000_000, fee, 90_000, 12)
    assert f"{annualized_cost(flows).rate_ppm / 10_000:.2f}" == nominal
    assert f"{annualized_cost(flows, convention=Convention.EFFECTIVE).rate_ppm / 10_000:.2f}" == effective
    if not fee:
        assert annualized_cost(flows).step_ppm == 12_043


@settings(max_examples=60)
@given(
    st.integers(100_00, 10_000_000_00),
    st.integers(1, 120),
    st.integers(0, 40),
    st.sampled_from([1, 4, 12, 52]),
)
def test_root_holds_in_the_definition(principal, periods, markup_percent, per_year):
    """独立验根：按现值定义，答案左右各半个 ppm 处现值异号。"""
    payment = principal * (100 + markup_percent) // 100 // periods + 1
    cost = annualized_cost(level(principal, 0, payment, periods), periods_per_year=per_year)

    def present_value(half_ppm: int) -> Decimal:
        rate = Decimal(half_ppm) / 2_000_000 / per_year
        return principal - sum(payment / (1 + rate) ** period for period in range(1, periods + 1))

    with localcontext(prec=50):
        below, above = present_value(2 * cost.rate_ppm - 1), present_value(2 * cost.rate_ppm + 1)
        assert below <= 0 <= above


@given(st.integers(-500_000, 5_000_000), st.integers(1, 3000))
def test_single_payment_by_days(rate_ppm, days):
    """一次还本付息：按日年化就是 (付÷收)^(365÷天数) − 1，用 Decimal 的对数独立求出。"""
    received = 10**13
    with localcontext(prec=40):
        paid = int(received * (1 + Decimal(rate_ppm) / 10**6) ** (Decimal(days) / 365))
        cost = dated_cost([(date(2026, 1, 1), received), (date(2026, 1, 1) + timedelta(days), -paid)])
        exact = ((Decimal(paid) / received).ln() * 365 / days).exp() - 1
        assert abs(cost.rate_ppm - exact * 10**6) <= Decimal("0.5000001")


def test_order_and_shift_change_nothing():
    flows = level(1_000_000, 20_000, 90_000, 12)
    expected = annualized_cost(flows)
    assert annualized_cost(list(reversed(flows))) == expected
    assert annualized_cost([(step + 7, fen) for step, fen in flows]) == expected
    assert annualized_cost([(step, -fen) for step, fen in flows]) == expected


def test_several_draws_have_one_answer():
    """两次放款夹一次还款：符号变三次，但累计额只变一次，解唯一。"""
    flows = [(0, 100_000), (1, -50_000), (2, 30_000), (3, -90_000)]
    cost = annualized_cost(flows, periods_per_year=1)
    rate = Decimal(cost.step_ppm) / 10**6
    assert abs(sum(fen / (1 + rate) ** step for step, fen in flows)) < 1


@pytest.mark.parametrize(
    ("flows", "reason"),
    [
        ([], "one_sided"),
        ([(0, 100)], "one_sided"),
        ([(0, 100), (1, 100)], "one_sided"),
        ([(0, -100), (1, 230), (2, -132)], "ambiguous"),
        ([(0, 1), (1, -(10**9))], "out_of_range"),
        ([(0, 100), (0, -100)], "one_sided"),
    ],
)
def test_refuses_what_has_no_single_answer(flows, reason):
    with pytest.raises(DisclosureError) as caught:
        annualized_cost(flows)
    assert caught.value.reason == reason


def test_ambiguous_example_really_has_two_rates():
    """拒绝不是胆小：这组现金流在 10 % 与 20 % 处现值都是零。"""
    for rate in (Decimal("0.1"), Decimal("0.2")):
        assert -100 + 230 / (1 + rate) - 132 / (1 + rate) ** 2 == pytest.approx(0, abs=1e-20)


def test_wrong_convention_and_periods():
    with pytest.raises(DisclosureError, match="XIRR"):
        annualized_cost(level(100, 0, 20, 6), convention=Convention.XIRR)
    with pytest.raises(DisclosureError):
        annualized_cost(level(100, 0, 20, 6), periods_per_year=0)


def principal_flows() -> list[tuple[int, int]]:
    shares = [83_333] * 11 + [83_337]
    return [(0, 1_000_000), *((period, -share) for period, share in enumerate(shares, start=1))]


def statement(**changes):
    principal = principal_flows()
    interest = tuple((period, 90_000 + fen) for period, fen in principal[1:])
    given_ = {
        "principal_flows": principal,
        "items": (
            CostItem("利息", "按月", "年利率14.45%", "样例银行", interest),
            CostItem("担保服务费", "放款时一次", "本金的2%", "样例担保中心", ((0, 20_000),)),
        ),
        "contingent": (ContingentItem("罚息", "逾期", "合同利率上浮50%", "样例银行", 216_000),),
    }
    return cost_statement(**{**given_, **changes})


def test_statement_matches_the_page():
    made = statement()
    shown = [(line.name, line.amount_fen, line.rate_ppm) for line in made.lines]
    shown.append(("合计", made.total_fen, made.total_ppm))
    page = [(name, parse_yuan(amount), int(ppm)) for name, amount, ppm in table_after("明示表各项的折合年化")]
    assert shown == page
    assert made.principal_fen == 1_000_000
    assert "不再" in made.closing_sentence


@pytest.mark.parametrize("convention", [Convention.NOMINAL, Convention.EFFECTIVE])
def test_statement_lines_add_up(convention):
    made = statement(convention=convention)
    assert sum(line.rate_ppm for line in made.lines) == made.total_ppm
    assert sum(line.amount_fen for line in made.lines) == made.total_fen
    assert made.convention is convention


def test_statement_refuses_unbalanced_principal_and_negative_items():
    with pytest.raises(DisclosureError) as caught:
        statement(principal_flows=[(0, 100), (1, -99)])
    assert caught.value.reason == "unbalanced"
    with pytest.raises(DisclosureError) as caught:
        statement(items=(CostItem("返现", "", "", "", ((0, -1),)),))
    assert caught.value.reason == "item"


def test_statement_without_items_costs_nothing():
    assert statement(items=()).total_ppm == 0
