"""性质：任意表达式、任意事实（含缺的），逐条求值与编译出来的函数结果相同；多知道一个事实不会推翻已有的定论。"""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from sancha.rulebook.compilation import compile_all
from sancha.rulebook.evaluation import evaluate
from sancha.rulebook.expression import BOOL, Kind, Type, parse

INT = Type(Kind.INT, ("分",))
NAMES = {"a": INT, "b": INT, "p": BOOL, "q": BOOL, "rs": Type(Kind.RECORDS, fields={"x": INT, "y": BOOL})}

numbers = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["a", "b", "0", "3"]),
        st.tuples(numbers, st.sampled_from(["+", "-"]), numbers).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(numbers, conditions, numbers).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(numbers, numbers).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.sampled_from(["sum", "min", "max"]).map(lambda f: f"{f}(r.x for r in rs if r.y)"),
        st.just("sum(r.x if r.y else a for r in rs)"),
    )
)
conditions: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["p", "q", "True", "any(r.y for r in rs)", "all(r.x > a for r in rs if r.y)"]),
        conditions.map(lambda c: f"(not {c})"),
        st.tuples(conditions, st.sampled_from(["and", "or"]), conditions).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(numbers, st.sampled_from(["<", "<=", "==", "!="]), numbers).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    )
)
some_int, some_bool = st.none() | st.integers(-5, 5), st.none() | st.booleans()
worlds = st.fixed_dictionaries(
    {
        "a": some_int,
        "b": some_int,
        "p": some_bool,
        "q": some_bool,
        "rs": st.none() | st.lists(st.fixed_dictionaries({"x": some_int, "y": some_bool}), max_size=3),
    }
)


@given(conditions | numbers, worlds)
def test_compiled_is_evaluated(text: str, world: dict[str, Any]) -> None:
    assume(len(text) < 300)
    node = parse(text, NAMES)
    found = evaluate(node, world)
    assert compile_all([node])(world) == (found.value,)
    if found.missing:
        assert found.value is None


@given(conditions, worlds, st.data())
def test_knowing_more_keeps_what_is_settled(text: str, world: dict[str, Any], data: st.DataObject) -> None:
    assume(len(text) < 300)
    node = parse(text, NAMES)
    before = evaluate(node, world).value
    if before is None:
        return
    unknown = [name for name in ("a", "b", "p", "q") if world[name] is None]
    told = {name: data.draw(st.integers(-5, 5) if name in "ab" else st.booleans()) for name in unknown}
    assert evaluate(node, {**world, **told}).value == before
