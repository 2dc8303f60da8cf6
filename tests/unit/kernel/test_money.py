"""金额：读入、显示、大写、取整。大写以《支付结算办法》附一的例子为准，cn2an 作旁证。"""

from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from pathlib import Path

import cn2an
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sancha.kernel.money import (
    MAX_YUAN,
    MoneyError,
    Rounding,
    date_uppercase,
    format_yuan,
    parse_yuan,
    rmb_uppercase,
    round_div,
    round_to_multiple,
)

PAGE = Path(__file__).parents[3] / "docs" / "algorithms" / "rmb-uppercase.md"


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


DECIMAL_RULE = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.UP: ROUND_UP,
    Rounding.DOWN: ROUND_DOWN,
}


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1,234.56", 123456),
        ("￥1 234.5", 123450),
        ("\uff11\uff12\uff13", 12300),
        ("\uff11，\uff12\uff13\uff14\uff0e\uff15\uff16", 123456),
        ("¥0.01", 1),
        ("人民币 12元", 1200),
        (".5", 50),
        ("0", 0),
        ("007", 700),
        ("10000000000000", 10**15),
        ("1\u00a0234", 123400),
    ],
)
def test_parse_accepts_what_people_type(text, fen):
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("￥", "empty"),
        ("1.234", "decimals"),
        ("1.500", "decimals"),
        ("1e5", "exponent"),
        ("1.2E+3", "exponent"),
        ("-5", "negative"),
        ("(5)", "negative"),
        ("10000000000000.01", "too_large"),
        ("9" * 5000, "too_large"),
        ("1234,56", "grouping"),
        ("1,23,456", "grouping"),
        ("5.", "grouping"),
        ("abc", "not_a_number"),
        ("壹佰", "not_a_number"),
        ("1.2.3", "not_a_number"),
        ("--5", "not_a_number"),
        ("(-5)", "not_a_number"),
        ("٣", "not_a_number"),
        ("nan", "not_a_number"),
        (".", "not_a_number"),
    ],
)
def test_parse_refuses_with_a_reason(text, reason):
    with pytest.raises(MoneyError) as caught:
        parse_yuan(text)
    assert caught.value.reason == reason
    assert caught.value.message


@pytest.mark.parametrize("text", ["-1,234.50", "−1234.5", "(1,234.50)", "￥-1234.50", "-￥1234.50", "（1234.5）"])
def test_negative_when_allowed(text):
    assert parse_yuan(text, allow_negative=True) == -123450


@given(st.integers(-MAX_YUAN * 100, MAX_YUAN * 100))
def test_format_and_parse_are_inverse(fen):
    assert parse_yuan(format_yuan(fen), allow_negative=True) == fen


@pytest.mark.parametrize(("fen", "shown"), [(123456, "1,234.56"), (5, "0.05"), (-5, "-0.05"), (0, "0.00")])
def test_format(fen, shown):
    assert format_yuan(fen) == shown


def test_uppercase_vectors_of_the_page():
    for yuan, words in table_after("大写金额"):
        assert rmb_uppercase(parse_yuan(yuan)) == words


def test_uppercase_prefix_sign_and_limit():
    assert rmb_uppercase(5000000, prefix="人民币") == "人民币伍万元整"
    assert rmb_uppercase(-150) == "负壹元伍角"
    with pytest.raises(MoneyError):
        rmb_uppercase(MAX_YUAN * 100 + 1)


@given(st.integers(0, 10**10))
def test_uppercase_reads_back_to_the_same_amount(fen):
    """往返：自己的大写由 cn2an 读回，必须是同一个数。"""
    yuan, cents = divmod(fen, 100)
    words = rmb_uppercase(fen)
    whole, _, part = words.partition("元") if "元" in words else ("零", "", words)
    assert int(cn2an.cn2an(whole, "normal")) == yuan
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    jiao = digits[part[part.index("角") - 1]] if "角" in part else 0
    cent = digits[part[part.index("分") - 1]] if "分" in part else 0
    assert jiao * 10 + cent == cents


@given(st.integers(0, 10**9))
def test_uppercase_agrees_with_cn2an_on_whole_yuan(yuan):
    assert rmb_uppercase(yuan * 100) == cn2an.an2cn(yuan, "rmb")


def test_bill_dates_of_the_page():
    for day, words in table_after("票据日期"):
        assert date_uppercase(date.fromisoformat(day)) == words


def test_rounding_table_of_the_page():
    rules = (Rounding.HALF_UP, Rounding.HALF_EVEN, Rounding.UP, Rounding.DOWN)
    for exact, *expected in table_after("取整"):
        numerator, denominator = (int(part) for part in exact.split("/"))
        assert [round_div(numerator, denominator, rule) for rule in rules] == [int(cell) for cell in expected]
        assert [round_div(-numerator, -denominator, rule) for rule in rules] == [int(cell) for cell in expected]


@given(st.integers(-(10**12), 10**12), st.sampled_from(list(Rounding)), st.integers(0, 6), st.booleans())
def test_round_div_agrees_with_decimal(numerator, rule, power, negative):
    """分母取十的幂，Decimal 除法才精确，可作独立对照。"""
    denominator = 10**power * (-1 if negative else 1)
    exact = Decimal(numerator) / Decimal(denominator)
    assert round_div(numerator, denominator, rule) == int(exact.quantize(Decimal(1), DECIMAL_RULE[rule]))


@given(st.integers(), st.integers().filter(bool), st.sampled_from(list(Rounding)))
def test_round_div_is_symmetric_so_that_a_reversal_cancels(numerator, denominator, rule):
    assert round_div(-numerator, denominator, rule) == -round_div(numerator, denominator, rule)
    assert abs(round_div(numerator, denominator, rule) * denominator - numerator) < abs(denominator)


def test_round_to_multiple():
    assert round_to_multiple(449877, 100, Rounding.UP) == 449900
    assert round_to_multiple(449850, 100, Rounding.HALF_EVEN) == 449800
    assert round_to_multiple(449877, 1000, Rounding.DOWN) == 449000
    assert round_to_multiple(-449877, 100, Rounding.HALF_UP) == -449900
    with pytest.raises(ValueError):
        round_to_multiple(1, 0, Rounding.UP)


def test_round_div_by_zero():
    with pytest.raises(ZeroDivisionError):
        round_div(1, 0, Rounding.UP)
