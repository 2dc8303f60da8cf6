"""最少改什么：只动一个事实，最少改到多少，裁定就翻过来。每个结果都重新裁定过，不靠推想。

不符合的说怎样才符合；符合的说到哪里就不符合了（余地）。整数与日期从原值向两边成倍地找，再折半收紧；是否取反；有可选值的逐个试。
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from sancha.rulebook.expression import Kind
from sancha.rulebook.facts import FactDefinition
from sancha.rulebook.rules import Change, Effect, Outcome, Verdict, constants_of, settle

_FARTHEST = 1 << 48
_DATES = (date(1900, 1, 1).toordinal(), date(2199, 12, 31).toordinal())


def changes(verdict: Verdict, facts: Mapping[str, FactDefinition]) -> tuple[Change, ...]:
    """使裁定翻转的单项改动，每个事实至多一项，按词典次序。限额与待补的裁定没有。"""
    if verdict.rule.effect is Effect.LIMIT or verdict.outcome not in {Outcome.PASS, Outcome.FAIL}:
        return ()
    wanted = Outcome.FAIL if verdict.outcome is Outcome.PASS else Outcome.PASS
    values = {name: item.value for name, item in verdict.inputs.items()} | constants_of(verdict.parameters)

    def flips(name: str, value: Any) -> bool:
        return settle(verdict.rule, {**values, name: value})[0] is wanted

    found: list[Change] = []
    for name in sorted(verdict.inputs):
        definition = facts[name]
        if definition.type.kind is Kind.RECORDS:
            found.extend(_in_records(name, definition, values[name], flips))
        elif (after := _nearest(definition, values[name], partial(flips, name))) is not None:
            found.append(Change(name, definition.name, values[name], after))
    return tuple(found)


def _in_records(
    name: str, definition: FactDefinition, records: list[dict[str, Any]], flips: Callable[[str, Any], bool]
) -> Iterator[Change]:
    for index, record in enumerate(records):
        for column, field in definition.fields.items():
            if record.get(column) is None:
                continue

            def with_value(value: Any, index: int = index, column: str = column) -> bool:
                changed = [dict(item) for item in records]
                changed[index][column] = value
                return flips(name, changed)

            if (after := _nearest(field, record[column], with_value)) is not None:
                yield Change(f"{name}[{index + 1}].{column}", f"{definition.name}第{index + 1}条{field.name}", record[column], after)  # fmt: skip


def _nearest(definition: FactDefinition, before: Any, flips: Callable[[Any], bool]) -> Any:
    """离原值最近的、使裁定翻转的值；没有则 ``None``。"""
    if before is None:
        return None
    match definition.type.kind:
        case Kind.BOOL:
            return (not before) if flips(not before) else None
        case Kind.TEXT:
            return next((choice for choice in definition.choices if choice != before and flips(choice)), None)
        case Kind.INT:
            low = 0 if before >= 0 else -_FARTHEST
            return _nearest_number(before, low, _FARTHEST, flips)
        case Kind.DATE:
            number = _nearest_number(before.toordinal(), *_DATES, lambda n: flips(date.fromordinal(n)))
            return date.fromordinal(number) if number is not None else None
    return None


def _nearest_number(before: int, low: int, high: int, flips: Callable[[int], bool]) -> int | None:
    up = _toward(before, 1, high, flips)
    down = _toward(before, -1, low, flips)
    reached = [value for value in (up, down) if value is not None]
    return min(reached, key=lambda value: abs(value - before)) if reached else None


def _toward(before: int, sign: int, bound: int, flips: Callable[[int], bool]) -> int | None:
    """朝一个方向成倍走到翻转为止，再折半找到翻转的那一点。"""
    still, step = before, 1
    while True:
        there = before + sign * step
        if (there - bound) * sign > 0:
            there = bound
        if there == still:
            return None
        if flips(there):
            break
        if there == bound:
            return None
        still, step = there, step * 2
    while abs(there - still) > 1:
        middle = (there + still) // 2
        if flips(middle):
            there = middle
        else:
            still = middle
    return there
