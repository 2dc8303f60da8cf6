"""规则表达式：写法、类型、单位、三值逻辑；docs/algorithms/rule-expression.md 的表由这里读取。"""

from __future__ import annotations

from datetime import date

import pytest

from sancha.rulebook.compilation import compile_all
from sancha.rulebook.evaluation import evaluate, months_between, years_between
from sancha.rulebook.expression import BOOL, DATE, TEXT, ExpressionError, Kind, Type, names_in, parse

FEN, YEARS, PPM = Type(Kind.INT, ("分",)), Type(Kind.INT, ("岁",)), Type(Kind.INT, ("ppm",))
GUARANTORS = Type(
    Kind.RECORDS,
    fields={"income_fen": FEN, "kind": Type(Kind.TEXT, choices=frozenset({"FARMER", "SALARIED"})), "is_parent": BOOL},
)
NAMES = {
    "borrower.age": YEARS,
    "age_min": YEARS,
    "debt_fen": FEN,
    "asset_fen": FEN,
    "ratio": PPM,
    "married": BOOL,
    "local": BOOL,
    "kind": Type(Kind.TEXT, choices=frozenset({"A", "B"})),
    "born_on": DATE,
    "on": DATE,
    "note": TEXT,
    "guarantors": GUARANTORS,
}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("debt_fen / 2", "只许加、减、乘"),
        ("debt_fen <= ratio", "单位不合"),
        ("debt_fen + borrower.age == 1", "单位不合"),
        ("debt_fen * 1.5 > 0", "没有小数"),
        ("kind == 'C'", "不在可选值"),
        ("kind in ['A', 'Z']", "不在可选值"),
        ("unknown_name", "不认识"),
        ("married.__class__", "不认识"),
        ("__import__('os')", "没有「__import__」"),
        ("open('x')", "没有「open」"),
        ("(lambda: 1)()", "不许调用"),
        ("[m for m in guarantors]", "不许这样写"),
        ("guarantors[0]", "不许这样写"),
        ("married < local", "没有大小"),
        ("note > 'a'", "没有大小"),
        ("not debt_fen", "这里要「是否」"),
        ("married and 1", "这里要「是否」"),
        ("sum(g.income_fen for g in debt_fen)", "要一组记录"),
        ("all(g.wage > 0 for g in guarantors)", "记录里没有「wage」"),
        ("all(any(h.is_parent for h in guarantors) for g in guarantors)", "不许嵌套"),
        ("count(g.income_fen for g in guarantors)", "count 写成"),
        ("years_between(born_on, 1)", "要两个日期"),
        ("married if 1 else local", "这里要「是否」"),
        ("married ==", "写法不通"),
        ("f'{married}' == ''", "不许这样写"),
        ("(x := married)", "不许这样写"),
        ("married is True", "不许这样比较"),
        ("1 " + "+ 1 " * 400 + "> 0", "太复杂"),
        ("married and " * 300 + "married", "太长"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        parse(text, NAMES)


def test_an_error_points_at_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("married and (debt_fen <= ratio)", NAMES)
    assert caught.value.column == "married and (debt_fen <= ratio)".index("ratio")


FACTS = {
    "borrower.age": 20,
    "age_min": 20,
    "debt_fen": 50,
    "asset_fen": 100,
    "ratio": 500_000,
    "married": True,
    "born_on": date(2004, 2, 29),
    "on": date(2026, 2, 28),
    "guarantors": [
        {"income_fen": 7, "kind": "FARMER", "is_parent": False},
        {"income_fen": None, "kind": "SALARIED", "is_parent": False},
    ],
}


@pytest.mark.parametrize(
    ("text", "value", "missing"),
    [
        ("age_min <= borrower.age", True, set()),
        ("debt_fen * whole <= ratio * asset_fen", True, set()),
        ("(debt_fen + 1) * whole <= ratio * asset_fen", False, set()),
        ("local", None, {"local"}),
        ("married or local", True, set()),
        ("not married and local", False, set()),
        ("married and local", None, {"local"}),
        ("local and kind == 'A'", None, {"local", "kind"}),
        ("local and not married and kind == 'A'", False, set()),
        ("debt_fen if married else asset_fen", 50, set()),
        ("debt_fen if local else asset_fen", None, {"local"}),
        ("sum(g.income_fen for g in guarantors if g.kind == 'FARMER')", 7, set()),
        ("sum(g.income_fen for g in guarantors)", None, {"guarantors[2].income_fen"}),
        ("any(g.income_fen > 6 for g in guarantors)", True, set()),
        ("all(g.income_fen > 7 for g in guarantors)", False, set()),
        ("all(g.income_fen > 6 for g in guarantors)", None, {"guarantors[2].income_fen"}),
        ("all(g.income_fen > 6 for g in guarantors if g.kind == 'FARMER')", True, set()),
        ("count(g for g in guarantors if not g.is_parent)", 2, set()),
        ("max(g.income_fen for g in guarantors if g.is_parent)", None, set()),
        ("min(debt_fen, asset_fen)", 50, set()),
        ("years_between(born_on, on)", 22, set()),
        ("-debt_fen", -50, set()),
    ],
)
def test_three_valued(text: str, value: object, missing: set[str]) -> None:
    node = parse(text, NAMES)
    found = evaluate(node, FACTS)
    assert (found.value, found.missing) == (value, missing)
    assert compile_all([node])(FACTS) == (value,)


def test_a_missing_list_is_unknown() -> None:
    node = parse("all(not g.is_parent for g in guarantors)", NAMES)
    assert evaluate(node, {}).missing == {"guarantors"}
    assert compile_all([node])({}) == (None,)
    assert evaluate(node, {"guarantors": []}).value is True


def test_constants_are_built_in() -> None:
    node = parse("age_min <= borrower.age", NAMES)
    assert compile_all([node], {"age_min": 21})(FACTS) == (False,)
    assert names_in(node) == {"age_min", "borrower.age"}


def test_whole_years() -> None:
    born = date(2004, 2, 29)
    assert years_between(born, date(2026, 2, 27)) == 21
    assert years_between(born, date(2026, 2, 28)) == 22
    assert years_between(born, date(2028, 2, 28)) == 23
    assert years_between(born, date(2028, 2, 29)) == 24
    assert months_between(date(2026, 1, 31), date(2026, 2, 28)) == 1
    assert months_between(date(2026, 3, 1), date(2026, 1, 1)) == -2
