"""行 ↔ 内核：条款、事实、状态的互换，以及状态投影的各列。"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from math import gcd
from typing import Any

from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.kernel.allocation import compound_owed, fee_owed, penalty_owed
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.fold import NEVER, fresh
from sancha.kernel.money import format_yuan
from sancha.kernel.positions import Line, accounting_key, accrual_lines, fits, line_growth, positions
from sancha.kernel.state import State
from sancha.kernel.terms import Terms
from sancha.kit.errors import DomainError

# 状态投影中每次保存都重写的列；顺序即批量 UPDATE 的列序。
STATE_COLUMNS = (
    "from_day",
    "next_day",
    "institution_id",
    "product_id",
    "loan_class",
    "accrual",
    "c0",
    "s0",
    "d0",
    "c1",
    "s1",
    "d1",
    "c2",
    "s2",
    "d2",
    "c3",
    "s3",
    "d3",
    "base",
    "state",
    "last_seq",
    "principal_fen",
    "overdue_principal_fen",
    "interest_due_fen",
    "charges_due_fen",
    "overpayment_fen",
    "oldest_due_day",
    "next_due_day",
    "installments_billed",
    "installments_total",
)


@lru_cache(maxsize=4096)
def _terms(text: str) -> Terms:
    return Terms.from_document(json.loads(text))


def terms_of(document: dict[str, Any] | str) -> Terms:
    """条款（JSON → 内核）；同样的条款只解析一次。"""
    return _terms(document if isinstance(document, str) else json.dumps(document, sort_keys=True))


def fact_of(row: LoanFact) -> Fact:
    """事实（行 → 内核）。"""
    return Fact(row.seq, FactKind(row.kind), row.value_on, row.booked_on, row.amount_fen, row.data)


def facts_of(rows: Iterable[LoanFact]) -> list[Fact]:
    """事实列表。"""
    return [fact_of(row) for row in rows]


def state_of(row: LoanState) -> State:
    """状态（行 → 内核）。"""
    return State.from_document(json.loads(row.state))


def lines_of(row: LoanState) -> tuple[Line, Line, Line, Line]:
    """四条直线。"""
    return (
        Line(row.c0, row.s0, row.d0),
        Line(row.c1, row.s1, row.d1),
        Line(row.c2, row.s2, row.d2),
        Line(row.c3, row.s3, row.d3),
    )


def booked_position(row: LoanState, on_day: int) -> dict[str, int]:
    """账上头寸：``base`` + 直线自 ``from_day`` 到 ``on_day`` 的增量。"""
    result = dict(row.base)
    for code, amount in line_growth(lines_of(row), row.accrual, on_day - row.from_day).items():
        result[code] = result.get(code, 0) + amount
    return {code: amount for code, amount in result.items() if amount}


def require_room(terms: Terms) -> None:
    """登记时就看清：这份条款在最陡的时候（全额逾期、按重者计息、本金零碎而约不动分）直线也放得下。

    :raises DomainError: 本金与利率之大超出计提直线的整数上限。
    """
    # Paid-down balances share no factor with the denominator, so the principal is taken at its most awkward.
    awkward = next(p for p in range(terms.principal_fen, terms.principal_fen + 30) if gcd(p, 30) == 1)
    state = fresh(terms)
    state.drawn = state.not_due = state.flat_base = awkward
    contract = accrual_lines(terms, state)
    state.not_due, state.penalty_base, state.compound_base = 0, awkward, awkward
    state.misuse_rate_ppm = terms.misuse_rate_ppm(terms.rate_ppm)
    if not fits(contract) or not fits(accrual_lines(terms, state)):
        raise _too_steep(terms)


def _too_steep(terms: Terms) -> DomainError:
    return DomainError(
        "LINE_TOO_STEEP",
        f"本金 {format_yuan(terms.principal_fen)} 元与利率的乘积超出计提直线的整数上限。",
        field="principal_fen",
        value=terms.principal_fen,
        clause="docs/algorithms/accrual-line.md",
        fix="请拆分为多笔借据，或改用 1/360 计息。",
    )


def projection(terms: Terms, state: State, last_seq: int, base: dict[str, int] | None = None) -> dict[str, Any]:
    """状态投影的各列（``STATE_COLUMNS``）。``base`` 是此刻的头寸，已算过的交进来就不再算。

    :raises DomainError: 本金与利率之大超出计提直线的整数上限。
    """
    key = accounting_key(terms, state)
    lines = accrual_lines(terms, state)
    if not fits(lines):
        raise _too_steep(terms)
    unpaid = state.installments[state.first] if state.first < len(state.installments) else None
    values: dict[str, Any] = {
        "from_day": state.on,
        "next_day": min(state.next_on, NEVER),
        "institution_id": int(key.institution),
        "product_id": int(key.product),
        "loan_class": key.loan_class,
        "accrual": key.accrual,
        "base": positions(terms, state) if base is None else base,
        "state": json.dumps(state.as_document(), separators=(",", ":"), ensure_ascii=False),
        "last_seq": last_seq,
        "principal_fen": state.principal,
        "overdue_principal_fen": 0 if state.written_off else state.overdue_principal,
        "interest_due_fen": state.interest_unpaid,
        "charges_due_fen": penalty_owed(terms, state) + compound_owed(terms, state) + fee_owed(state),
        "overpayment_fen": state.overpayment,
        "oldest_due_day": unpaid.due_on if unpaid is not None and not state.written_off else None,
        "next_due_day": state.dues[state.cur] if state.cur < len(state.dues) and not state.written_off else None,
        "installments_billed": len(state.installments),
        "installments_total": len(state.installments) + len(state.ends) - state.cur,
    }
    for index, line in enumerate(lines):
        values[f"c{index}"], values[f"s{index}"], values[f"d{index}"] = line
    return values


def day_of(ordinal: int | None) -> date | None:
    """日序数 → 日期；空或「再无事件」为空。"""
    return date.fromordinal(ordinal) if ordinal is not None and ordinal < NEVER else None
