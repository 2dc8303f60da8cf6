"""规则表达式：有类型、有单位、没有副作用的小语言。文本先解析成树、查清类型与单位，再求值或编译。

写法取 Python 表达式的一个子集：``and or not``、比较（可连写）、``+ - *``、``in``、``甲 if 条件 else 乙``、
``all / any / sum / count / min / max`` 对一组记录（如 ``all(g.age_years >= age_min for g in guarantors)``）、
``years_between / months_between / days_between``。没有除法、没有小数、没有属性与下标、不能调用别的东西。

逻辑是三值的：缺一个事实，结果是「未知」，除非别的事实已足以定论（假 and 未知 = 假）。见 docs/algorithms/rule-expression.md。
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

MAX_LENGTH = 2000
MAX_NODES = 300


class Kind(StrEnum):
    """值的种类。"""

    BOOL = "bool"
    INT = "int"
    TEXT = "text"
    DATE = "date"
    TEXTS = "texts"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Type:
    """类型：种类、单位（乘出来的单位是几个单位的组合，按名字排序）、可选值、记录的栏目。"""

    kind: Kind
    unit: tuple[str, ...] = ()
    choices: frozenset[str] = frozenset()
    fields: Mapping[str, Type] = field(default_factory=dict)

    def __str__(self) -> str:
        names = {Kind.BOOL: "是否", Kind.INT: "整数", Kind.TEXT: "文字", Kind.DATE: "日期", Kind.TEXTS: "文字列表", Kind.RECORDS: "记录"}  # fmt: skip
        return names[self.kind] + (f"（{'·'.join(self.unit)}）" if self.unit else "")


BOOL, TEXT, DATE, TEXTS = Type(Kind.BOOL), Type(Kind.TEXT), Type(Kind.DATE), Type(Kind.TEXTS)
PPM_UNIT = "ppm"
WHOLE = "whole"
"""常数：百分之百，即 1000000 ppm。比例一律乘过去比，不除。"""


class ExpressionError(ValueError):
    """表达式不合：第几个字、为什么。"""

    def __init__(self, text: str, column: int, message: str) -> None:
        self.text, self.column, self.message = text, column, message
        super().__init__(f"第 {column + 1} 个字：{message}（{text[max(0, column - 10) : column + 20].strip()}）")


Value = bool | int | str | date


@dataclass(frozen=True, slots=True)
class Constant:
    """常数。"""

    value: Value | frozenset[str]
    type: Type


@dataclass(frozen=True, slots=True)
class Name:
    """名字：事实、参数，或记录中的栏目（``record`` 是 ``for`` 里的变量）。"""

    name: str
    type: Type
    record: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """否定。"""

    of: Node
    type: Type = BOOL


@dataclass(frozen=True, slots=True)
class Logic:
    """与、或：``op`` 是 ``and`` 或 ``or``。"""

    op: str
    parts: tuple[Node, ...]
    type: Type = BOOL


@dataclass(frozen=True, slots=True)
class Compare:
    """比较：``op`` 是 ``== != < <= > >= in notin``。"""

    op: str
    left: Node
    right: Node
    type: Type = BOOL


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """加减乘：``op`` 是 ``+ - *``。"""

    op: str
    left: Node
    right: Node
    type: Type


@dataclass(frozen=True, slots=True)
class Choice:
    """``甲 if 条件 else 乙``。"""

    condition: Node
    then: Node
    otherwise: Node
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """``min max`` 或两个日期之间的整年、整月、天数。"""

    function: str
    arguments: tuple[Node, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Each:
    """对一组记录：``all any sum count min max``。``where`` 是 ``if`` 后的条件，``count`` 只数条件成立的。"""

    function: str
    variable: str
    records: Name
    body: Node | None
    where: Node | None
    type: Type


Node = Constant | Name | Not | Logic | Compare | Arithmetic | Choice | Call | Each

_COMPARE = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "notin",
}  # fmt: skip
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_BETWEEN = {"years_between": "岁", "months_between": "个月", "days_between": "天"}
_EACH = frozenset({"all", "any", "sum", "count", "min", "max"})
RESERVED = frozenset({WHOLE, "all", "any", "sum", "count", "min", "max", *_BETWEEN})


def parse(text: str, names: Mapping[str, Type]) -> Node:
    """解析并查清类型。``names``：可用的名字（带点的事实、参数的别名）与类型。

    :raises ExpressionError: 写法不许、名字不认识、类型或单位不合。
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(text, MAX_LENGTH, f"太长，最多 {MAX_LENGTH} 个字")
    # Line breaks are for the reader of the file; to the parser the expression is one line.
    flat = " ".join(text.split())
    try:
        tree = ast.parse(flat, mode="eval")
    except (SyntaxError, ValueError) as error:
        column = (getattr(error, "offset", None) or 1) - 1
        raise ExpressionError(flat, column, "写法不通") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise ExpressionError(flat, 0, "太复杂，请拆成几条规则")
    return _Parser(flat, names).node(tree.body)


class _Parser:
    def __init__(self, text: str, names: Mapping[str, Type]) -> None:
        self.text, self.names = text, names
        self.variables: dict[str, Type] = {}

    def error(self, node: ast.AST, message: str) -> ExpressionError:
        return ExpressionError(self.text, getattr(node, "col_offset", 0), message)

    def node(self, node: ast.expr) -> Node:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.BoolOp():
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Logic(op, tuple(self.boolean(part) for part in node.values))
            case ast.UnaryOp(op=ast.Not()):
                return Not(self.boolean(node.operand))
            case ast.UnaryOp(op=ast.USub()):
                of = self.integer(node.operand)
                return Arithmetic("-", Constant(0, of.type), of, of.type)
            case ast.Compare():
                return self._compare(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.IfExp():
                then, otherwise = self.node(node.body), self.node(node.orelse)
                self.same(node, then.type, otherwise.type)
                return Choice(self.boolean(node.test), then, otherwise, _wider(then.type, otherwise.type))
            case ast.Call():
                return self._call(node)
            case ast.List() | ast.Set() | ast.Tuple():
                return self._texts(node)
        raise self.error(node, "不许这样写")

    def boolean(self, node: ast.expr) -> Node:
        found = self.node(node)
        if found.type.kind is not Kind.BOOL:
            raise self.error(node, f"这里要「是否」，得到{found.type}")
        return found

    def integer(self, node: ast.expr) -> Node:
        found = self.node(node)
        if found.type.kind is not Kind.INT:
            raise self.error(node, f"这里要整数，得到{found.type}")
        return found

    def same(self, node: ast.AST, left: Type, right: Type) -> None:
        if left.kind is not right.kind:
            raise self.error(node, f"{left} 与 {right} 不能相比或相配")
        if left.kind is Kind.INT and left.unit and right.unit and left.unit != right.unit:
            raise self.error(node, f"单位不合：{left} 与 {right}")

    def _constant(self, node: ast.Constant) -> Node:
        value = node.value
        if isinstance(value, bool):
            return Constant(value, BOOL)
        if isinstance(value, int):
            return Constant(value, Type(Kind.INT))
        if isinstance(value, str):
            return Constant(value, TEXT)
        raise self.error(node, "只许整数、文字、True、False；没有小数")

    def _texts(self, node: ast.List | ast.Set | ast.Tuple) -> Node:
        values = [element.value for element in node.elts if isinstance(element, ast.Constant)]
        texts = [value for value in values if isinstance(value, str)]
        if not node.elts or len(texts) != len(node.elts):
            raise self.error(node, "列表里只许文字，且不能空")
        return Constant(frozenset(texts), TEXTS)

    def _name(self, node: ast.Name | ast.Attribute) -> Node:
        dotted = _dotted(node)
        if dotted is None:
            raise self.error(node, "不许取属性")
        if dotted == WHOLE:
            return Constant(1_000_000, Type(Kind.INT, (PPM_UNIT,)))
        variable, _, column = dotted.partition(".")
        if variable in self.variables:
            record = self.variables[variable]
            if column not in record.fields:
                raise self.error(node, f"记录里没有「{column}」，有 {'、'.join(record.fields)}")
            return Name(column, record.fields[column], variable)
        if dotted not in self.names:
            raise self.error(node, f"不认识「{dotted}」")
        return Name(dotted, self.names[dotted])

    def _compare(self, node: ast.Compare) -> Node:
        items = [self.node(item) for item in (node.left, *node.comparators)]
        parts: list[Node] = []
        for place, (op, left, right) in enumerate(zip(node.ops, items[:-1], items[1:], strict=True)):
            if type(op) not in _COMPARE:
                raise self.error(node, "不许这样比较")
            code = _COMPARE[type(op)]
            at = node.comparators[place]
            if code in {"in", "notin"}:
                if left.type.kind is not Kind.TEXT or right.type.kind is not Kind.TEXTS:
                    raise self.error(at, "in 的左边是文字，右边是文字列表")
                self._known(at, left, right)
            else:
                self.same(at, left.type, right.type)
                if left.type.kind in {Kind.TEXTS, Kind.RECORDS}:
                    raise self.error(at, "列表不能比较")
                if code not in {"==", "!="} and left.type.kind not in {Kind.INT, Kind.DATE}:
                    raise self.error(at, f"{left.type} 没有大小")
                self._known(at, left, right)
                self._known(at, right, left)
            parts.append(Compare(code, left, right))
        return parts[0] if len(parts) == 1 else Logic("and", tuple(parts))

    def _known(self, node: ast.AST, left: Node, right: Node) -> None:
        """与有可选值的文字相比的常数，须在可选值之内：写错一个字的规则永远不会成立。"""
        if left.type.choices and isinstance(right, Constant):
            given = right.value if isinstance(right.value, frozenset) else {right.value}
            for value in sorted(str(item) for item in given if item not in left.type.choices):
                raise self.error(node, f"「{value}」不在可选值 {'、'.join(sorted(left.type.choices))} 之内")

    def _arithmetic(self, node: ast.BinOp) -> Node:
        if type(node.op) not in _ARITHMETIC:
            raise self.error(node, "只许加、减、乘；比例请乘过去比（百分之百写 whole）")
        op = _ARITHMETIC[type(node.op)]
        left, right = self.integer(node.left), self.integer(node.right)
        if op == "*":
            unit = tuple(sorted(left.type.unit + right.type.unit))
        else:
            self.same(node, left.type, right.type)
            unit = left.type.unit or right.type.unit
        return Arithmetic(op, left, right, Type(Kind.INT, unit))

    def _call(self, node: ast.Call) -> Node:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self.error(node, "不许调用")
        function = node.func.id
        if function in _BETWEEN:
            arguments = tuple(self.node(item) for item in node.args)
            if len(arguments) != 2 or any(item.type.kind is not Kind.DATE for item in arguments):
                raise self.error(node, f"{function} 要两个日期")
            return Call(function, arguments, Type(Kind.INT, (_BETWEEN[function],)))
        if function not in _EACH:
            raise self.error(node, f"没有「{function}」，有 {'、'.join(sorted(RESERVED - {WHOLE}))}")
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
            return self._each(node, function, node.args[0])
        if function not in {"min", "max"} or len(node.args) < 2:
            raise self.error(node, f"{function} 要写成 {function}(… for 变量 in 记录)")
        parts = tuple(self.integer(item) for item in node.args)
        for part in parts[1:]:
            self.same(node, parts[0].type, part.type)
        unit = next((part.type.unit for part in parts if part.type.unit), ())
        return Call(function, parts, Type(Kind.INT, unit))

    def _each(self, node: ast.Call, function: str, inner: ast.GeneratorExp) -> Node:
        if len(inner.generators) != 1 or len(inner.generators[0].ifs) > 1:
            raise self.error(node, "一次只能对一组记录，条件只写一个（用 and 连）")
        loop = inner.generators[0]
        if not isinstance(loop.target, ast.Name) or self.variables:
            raise self.error(node, "不许嵌套，变量只写一个名字")
        records = self.node(loop.iter)
        if not isinstance(records, Name) or records.type.kind is not Kind.RECORDS:
            raise self.error(loop.iter, "in 后面要一组记录")
        variable = loop.target.id
        if variable in self.names or variable in RESERVED:
            raise self.error(loop.target, f"「{variable}」已是别的名字")
        self.variables[variable] = records.type
        try:
            where = self.boolean(loop.ifs[0]) if loop.ifs else None
            if function == "count":
                if not (isinstance(inner.elt, ast.Name) and inner.elt.id == variable):
                    raise self.error(inner.elt, f"count 写成 count({variable} for {variable} in … if 条件)")
                return Each(function, variable, records, None, where, Type(Kind.INT))
            body = self.boolean(inner.elt) if function in {"all", "any"} else self.integer(inner.elt)
        finally:
            del self.variables[variable]
        return Each(function, variable, records, body, where, body.type)


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := _dotted(node.value)) is not None:
        return f"{left}.{node.attr}"
    return None


def _wider(left: Type, right: Type) -> Type:
    return left if left.unit or left.choices else right


def names_in(node: Node) -> frozenset[str]:
    """表达式用到的名字（事实与参数），不含记录里的栏目。"""
    match node:
        case Constant():
            return frozenset()
        case Name():
            return frozenset() if node.record else frozenset({node.name})
        case Not():
            return names_in(node.of)
        case Logic():
            return frozenset().union(*(names_in(part) for part in node.parts))
        case Compare() | Arithmetic():
            return names_in(node.left) | names_in(node.right)
        case Choice():
            return names_in(node.condition) | names_in(node.then) | names_in(node.otherwise)
        case Call():
            return frozenset().union(*(names_in(part) for part in node.arguments))
        case Each():
            inner = [part for part in (node.body, node.where) if part is not None]
            return frozenset({node.records.name}).union(*(names_in(part) for part in inner))
