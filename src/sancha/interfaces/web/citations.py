"""条款的叫法：代码写成《文件》第几条，人看得懂。"""

from __future__ import annotations

from sancha.rulebook import all_clauses


def citation(code: str) -> str:
    """条款的引用；不是条款代码的（需求编号之类）原样写。"""
    found = all_clauses().get(code)
    return found.citation if found else code
