"""规则库：条款、参数、产品方案，都是有日期、有出处的数据。

``from sancha.rulebook import parameter, clause`` —— 凡是文件规定的数，从这里按日期取，代码里不写死。
"""

from sancha.rulebook.catalog import (
    Catalog,
    Clause,
    Parameter,
    all_clauses,
    all_parameters,
    catalog,
    clause,
    history,
    load_catalog,
    parameter,
)
from sancha.rulebook.errors import NotYetInForce, Problem, RulebookError, UnknownCode

__all__ = [
    "Catalog",
    "Clause",
    "NotYetInForce",
    "Parameter",
    "Problem",
    "RulebookError",
    "UnknownCode",
    "all_clauses",
    "all_parameters",
    "catalog",
    "clause",
    "history",
    "load_catalog",
    "parameter",
]
