"""求值：对着一组事实算一条规则表达式，三值；缺什么说什么。

``None`` 是未知。与 :mod:`sancha.rulebook.compilation` 编译出来的函数结果相同（性质测试守着）：这里多说缺哪些事实。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.kernel.dates import add_months
from sancha.rulebook.expression import (
    Arithmetic,
    Call,
    Choice,
    Compare,
    Constant,
    Each,
    Logic,
    Name,
    Node,
    Not,
)

Facts = Mapping[str, Any]
"""事实：名字 → 值；没有这个名字或值为 ``None`` 都是未知。记录是字典的列表。"""


@dataclass(frozen=True, slots=True)
class Found:
    """结果：值（``None`` 为未知）与造成未知的事实（``guarantors[2].age_years`` 是第二位保证人的）。"""

    value: Any
    missing: frozenset[str] = frozenset()


_NOTHING: frozenset[str] = frozenset()


def years_between(start: date, end: date) -> int:
    """整年数（周岁）：满一年是到对应日；没有对应日的（二月二十九）到月末日为满（民法典第二百零二条）。"""
    return months_between(start, end) // 12


def months_between(start: date, end: date) -> int:
    """整月数，同上。``end`` 早于 ``start`` 为负。"""
    if end < start:
        return -months_between(end, start)
    months = (end.year - start.year) * 12 + end.month - start.month
    return months if add_months(start.toordinal(), months, start.day) <= end.toordinal() else months - 1


def days_between(start: date, end: date) -> int:
    """天数：算头不算尾。"""
    return (end - start).days


BETWEEN: Mapping[str, Callable[[date, date], int]] = {
    "years_between": years_between,
    "months_between": months_between,
    "days_between": days_between,
}

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}


def evaluate(node: Node, facts: Facts) -> Found:
    """求值。"""
    return _Evaluator(facts, {}).value(node)


class _Evaluator:
    def __init__(self, facts: Facts, records: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        self.facts, self.records = facts, records

    def value(self, node: Node) -> Found:
        match node:
            case Constant():
                return Found(node.value)
            case Name():
                return self._name(node)
            case Not():
                of = self.value(node.of)
                return of if of.value is None else Found(not of.value)
            case Logic():
                # All parts are asked, in order, so that every fact still missing is named at once.
                return _together((self.value(part) for part in node.parts), decides=node.op == "or")
            case Compare():
                return self._apply(_COMPARISONS[node.op], node.left, node.right)
            case Arithmetic():
                return self._apply(_ARITHMETIC[node.op], node.left, node.right)
            case Choice():
                condition = self.value(node.condition)
                if condition.value is None:
                    return condition
                return self.value(node.then if condition.value else node.otherwise)
            case Call():
                between = BETWEEN.get(node.function)
                return self._apply(between or (min if node.function == "min" else max), *node.arguments)
            case Each():
                return self._each(node)

    def _name(self, node: Name) -> Found:
        if node.record:
            place, record = self.records[node.record]
            value = record.get(node.name)
            return Found(value) if value is not None else Found(None, frozenset({f"{place}.{node.name}"}))
        value = self.facts.get(node.name)
        return Found(value) if value is not None else Found(None, frozenset({node.name}))

    def _apply(self, function: Callable[..., Any], *nodes: Node) -> Found:
        found = [self.value(node) for node in nodes]
        missing = _NOTHING.union(*(item.missing for item in found))
        if any(item.value is None for item in found):
            return Found(None, missing)
        return Found(function(*(item.value for item in found)))

    def _each(self, node: Each) -> Found:
        records = self.value(node.records)
        if records.value is None:
            return records
        return _FOLDS[node.function](list(self._items(node, records.value)))

    def _items(self, node: Each, records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Found, Found]]:
        """每条记录的（条件, 值）。"""
        for number, record in enumerate(records, start=1):
            inner = _Evaluator(self.facts, {node.variable: (f"{node.records.name}[{number}]", record)})
            where = inner.value(node.where) if node.where is not None else Found(True)
            yield where, inner.value(node.body) if node.body is not None else Found(1)


_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def _together(parts: Iterator[Found], *, decides: bool) -> Found:
    """与（``decides`` 为假）或（为真）：有一个定论就是它；否则有未知就未知。"""
    missing: set[str] = set()
    unknown = False
    for part in parts:
        if part.value is decides:
            return part
        if part.value is None:
            unknown = True
            missing |= part.missing
    return Found(None, frozenset(missing)) if unknown else Found(not decides)


def _all(items: list[tuple[Found, Found]]) -> Found:
    return _together((_implied(where, body) for where, body in items), decides=False)


def _implied(where: Found, body: Found) -> Found:
    negated = where if where.value is None else Found(not where.value)
    return _together(iter((negated, body)), decides=True)


def _any(items: list[tuple[Found, Found]]) -> Found:
    return _together((_together(iter(pair), decides=False) for pair in items), decides=True)


def _kept(items: list[tuple[Found, Found]]) -> tuple[list[int], frozenset[str], bool]:
    """条件成立的值；缺的事实；是否有说不准的。"""
    values: list[int] = []
    missing: set[str] = set()
    unknown = False
    for where, body in items:
        if where.value is False:
            continue
        if where.value is None or body.value is None:
            unknown = True
            missing |= where.missing | body.missing
        else:
            values.append(body.value)
    return values, frozenset(missing), unknown


def _sum(items: list[tuple[Found, Found]]) -> Found:
    values, missing, unknown = _kept(items)
    return Found(None, missing) if unknown else Found(sum(values))


def _extreme(pick: Callable[[list[int]], int]) -> Callable[[list[tuple[Found, Found]]], Found]:
    def fold(items: list[tuple[Found, Found]]) -> Found:
        values, missing, unknown = _kept(items)
        # Of nothing there is no smallest: unknown, not zero, which would be a guess.
        return Found(None, missing) if unknown or not values else Found(pick(values))

    return fold


_FOLDS: Mapping[str, Callable[[list[tuple[Found, Found]]], Found]] = {
    "all": _all,
    "any": _any,
    "sum": _sum,
    "count": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
}
