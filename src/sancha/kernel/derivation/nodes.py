"""推导树的节点与拼法：相加、合计一次取整、百分数。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sancha.kernel.money import Rounding, round_div


class Rule(StrEnum):
    """子节点怎样得出本节点。"""

    SUM = "SUM"  # 相加
    HALF_UP = "HALF_UP"  # 合计一次四舍五入到分
    EXACT = "EXACT"  # 精确分数：基数 × 利率 × 天数 ÷ 年基数，不取整
    FORMULA = "FORMULA"  # 按 formula 所写
    GIVEN = "GIVEN"  # 由事实或条款给定
    LESSER = "LESSER"  # 取小
    WORSE = "WORSE"  # 取差


@dataclass(frozen=True, slots=True)
class Node:
    """推导的一个节点。

    ``value_fen`` 是分（``EXACT`` 节点不取整，看 ``exact``）；天数、级别、利率之类不是钱的数在 ``number``，单位在 ``unit``。
    ``source``：``fact:序号``、``event:日期``、``terms:栏目``，多个以空格隔开。
    """

    label: str
    value_fen: int | None
    rule: Rule
    formula: str = ""
    source: str = ""
    children: tuple[Node, ...] = ()
    exact: Fraction | None = None
    number: int | None = None
    unit: str = ""

    def as_document(self) -> dict[str, Any]:
        """JSON 字典；空的项不写。"""
        document: dict[str, Any] = {"label": self.label, "rule": str(self.rule)}
        if self.value_fen is not None:
            document["value_fen"] = self.value_fen
        if self.exact is not None:
            document["exact_fen"] = f"{self.exact.numerator}/{self.exact.denominator}"
        if self.number is not None:
            document |= {"number": self.number, "unit": self.unit}
        if self.formula:
            document["formula"] = self.formula
        if self.source:
            document["source"] = self.source
        if self.children:
            document["children"] = [child.as_document() for child in self.children]
        return document

    def negated(self) -> Node:
        """贷方：整棵子树取负（天数、利率不变）。"""
        return replace(
            self,
            value_fen=None if self.value_fen is None else -self.value_fen,
            exact=None if self.exact is None else -self.exact,
            children=tuple(child if child.number is not None else child.negated() for child in self.children)
            if self.rule in {Rule.SUM, Rule.HALF_UP}
            else self.children,
        )


class UnknownFigure(ValueError):
    """没有这个数可推导。"""


def percent(ppm: int) -> str:
    """百分数：百万分之一 → 「14.4%」。"""
    whole, part = divmod(ppm, 10_000)
    return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + "%"


def day_text(ordinal: int) -> str:
    """日期文字：序数 → 2026-11-22。"""
    return date.fromordinal(ordinal).isoformat()


def summed(label: str, children: Iterable[Node], formula: str = "") -> Node:
    """相加的节点；为 0 的子节点不列。"""
    kept = tuple(child for child in children if child.value_fen)
    return Node(label, sum(child.value_fen or 0 for child in kept), Rule.SUM, formula, children=kept)


def rounded(label: str, children: Iterable[Node], value: int, formula: str = "合计一次四舍五入到分") -> Node:
    """合计一次取整；若记下的数与之不同（均摊法末期收尾差），差额单列。"""
    kept = tuple(children)
    exact = sum((child.exact or Fraction(0) for child in kept), Fraction(0))
    rounded = round_div(exact.numerator, exact.denominator, Rounding.HALF_UP)
    node = Node(label, rounded, Rule.HALF_UP, formula, children=kept)
    if rounded == value:
        return node
    tail = Node(
        "末期收齐各期取整的尾差", value - rounded, Rule.FORMULA, "各期合计一次取整 − 各期已结之和", "terms:method"
    )
    return summed(label, (node, tail))
