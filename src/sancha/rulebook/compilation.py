"""编译：把一批规则表达式变成一个 Python 函数，供整本账的回溯试算；结果与逐条求值相同，只是不说缺什么。

源文本只由查清类型的树生成，名字都经 ``repr``，规则作者的文字不会原样进到代码里。
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from sancha.rulebook.evaluation import BETWEEN, Facts
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
    names_in,
)

Decide = Callable[[Facts], tuple[Any, ...]]
"""事实 → 各表达式的值（``None`` 为未知），次序同编译时。"""


def compile_all(nodes: Sequence[Node], constants: Mapping[str, Any] | None = None) -> Decide:
    """编译。``constants``：参数别名 → 值，编译时写死（同一日的参数对每笔都一样）。"""
    return _Compiler(constants or {}).function(nodes)


class _Compiler:
    def __init__(self, constants: Mapping[str, Any]) -> None:
        self.constants = constants
        self.numbers = count()
        self.scope: dict[str, Any] = {**BETWEEN, "_all": _all, "_any": _any, "_sum": _sum, "_least": _least, "_most": _most}  # fmt: skip
        self.locals: dict[str, str] = {}

    def function(self, nodes: Sequence[Node]) -> Decide:
        facts = sorted(frozenset().union(*(names_in(node) for node in nodes)) - self.constants.keys())
        self.locals = {name: f"v{index}" for index, name in enumerate(facts)}
        lines = ["def decide(facts):", " get = facts.get"]
        lines += [f" {local} = get({name!r})" for name, local in self.locals.items()]
        lines.append(f" return ({', '.join(self.source(node) for node in nodes)},)")
        exec("\n".join(lines), self.scope)
        decide: Decide = self.scope["decide"]
        return decide

    def fresh(self) -> str:
        return f"t{next(self.numbers)}"

    def held(self, value: Any) -> str:
        """常数放进函数的全局名字里。"""
        name = f"c{next(self.numbers)}"
        self.scope[name] = value
        return name

    def source(self, node: Node) -> str:
        match node:
            case Constant():
                return self.held(node.value)
            case Name():
                if node.record:
                    return f"r_{node.record}.get({node.name!r})"
                return self.held(self.constants[node.name]) if node.name in self.constants else self.locals[node.name]
            case Not():
                part = self.fresh()
                return f"(None if ({part} := {self.source(node.of)}) is None else not {part})"
            case Logic():
                return self.logic(node.op, [self.source(part) for part in node.parts])
            case Compare():
                op = "not in" if node.op == "notin" else node.op
                return self.guarded([node.left, node.right], f"{{}} {op} {{}}")
            case Arithmetic():
                return self.guarded([node.left, node.right], f"{{}} {node.op} {{}}")
            case Choice():
                condition = self.fresh()
                return (
                    f"(None if ({condition} := {self.source(node.condition)}) is None else "
                    f"{self.source(node.then)} if {condition} else {self.source(node.otherwise)})"
                )
            case Call():
                marks = ", ".join("{}" for _ in node.arguments)
                return self.guarded(list(node.arguments), f"{node.function}({marks})")
            case Each():
                return self.each(node)

    def logic(self, op: str, parts: list[str]) -> str:
        decides = "True" if op == "or" else "False"
        names = [self.fresh() for _ in parts]
        found = " else ".join(
            f"{decides} if ({name} := {part}) is {decides}" for name, part in zip(names, parts, strict=True)
        )
        unknown = " or ".join(f"{name} is None" for name in names)
        return f"({found} else None if {unknown} else {'False' if op == 'or' else 'True'})"

    def guarded(self, nodes: list[Node], form: str) -> str:
        """有一个未知就未知，否则算。"""
        names = [self.fresh() for _ in nodes]
        checks = " or ".join(
            f"({name} := {self.source(node)}) is None" for name, node in zip(names, nodes, strict=True)
        )
        return f"(None if {checks} else {form.format(*names)})"

    def each(self, node: Each) -> str:
        records = self.source(node.records)
        where = self.source(node.where) if node.where is not None else "True"
        body = self.source(node.body) if node.body is not None else "1"
        loop = f"for r_{node.variable} in {records}"
        negated = self.fresh()
        match node.function:
            case "all":
                implied = self.logic("or", [f"(None if ({negated} := {where}) is None else not {negated})", body])
                found = f"_all({implied} {loop})"
            case "any":
                found = f"_any({self.logic('and', [where, body])} {loop})"
            case "min" | "max":
                found = f"_{'least' if node.function == 'min' else 'most'}(({where}, {body}) {loop})"
            case _:
                found = f"_sum(({where}, {body}) {loop})"
        return f"(None if {records} is None else {found})"


def _all(values: Iterable[bool | None]) -> bool | None:
    result: bool | None = True
    for value in values:
        if value is False:
            return False
        if value is None:
            result = None
    return result


def _any(values: Iterable[bool | None]) -> bool | None:
    result: bool | None = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def _kept(pairs: Iterable[tuple[bool | None, int | None]]) -> list[int] | None:
    kept = []
    for where, value in pairs:
        if where is False:
            continue
        if where is None or value is None:
            return None
        kept.append(value)
    return kept


def _sum(pairs: Iterable[tuple[bool | None, int | None]]) -> int | None:
    kept = _kept(pairs)
    return None if kept is None else sum(kept)


def _least(pairs: Iterable[tuple[bool | None, int | None]]) -> int | None:
    kept = _kept(pairs)
    return min(kept) if kept else None


def _most(pairs: Iterable[tuple[bool | None, int | None]]) -> int | None:
    kept = _kept(pairs)
    return max(kept) if kept else None
