"""推导：任何一个数从哪里来——基数 × 利率 × 天数 ÷ 年基数、取整与规则，一层层直到事实与条款。

``derive`` 重放一次并记下痕迹（:mod:`sancha.kernel.trace`），再把所问的数拆成一棵树。每个节点说明子节点怎样得出它
（:class:`Rule`）：``SUM`` 的子节点恰好相加等于它，``HALF_UP`` 的子节点是精确分数，合计一次四舍五入等于它。
性质测试对随机借据的每一个数、每一个节点都验这两条。
"""

from sancha.kernel.derivation.deriving import derive, figures
from sancha.kernel.derivation.labels import CODE_LABELS, FACT_LABELS, FIGURES, PARTS
from sancha.kernel.derivation.nodes import Node, Rule, UnknownFigure, percent

__all__ = [
    "CODE_LABELS",
    "FACT_LABELS",
    "FIGURES",
    "PARTS",
    "Node",
    "Rule",
    "UnknownFigure",
    "derive",
    "figures",
    "percent",
]
