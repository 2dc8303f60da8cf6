"""推导的性质：每个数、每个节点都对得上，直到事实与条款。"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancha.kernel import State, Terms, payoff, positions, project
from sancha.kernel.allocation import compound_owed, fee_owed, half_up, penalty_owed
from sancha.kernel.derivation import Node, Rule, UnknownFigure, derive, figures
from sancha.kernel.money import Rounding, round_div
from sancha.kernel.positions import CODES, classify
from tests.support.lives import live


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def verify(node: Node) -> None:
    """相加的恰好相加，取整的恰是精确分数之和四舍五入，叶子都有出处。"""
    for part in walk(node):
        if part.rule is Rule.SUM:
            assert part.value_fen == sum(child.value_fen or 0 for child in part.children), part.label
        elif part.rule is Rule.HALF_UP:
            exact = sum((child.exact or Fraction(0) for child in part.children), Fraction(0))
            assert part.value_fen == round_div(exact.numerator, exact.denominator, Rounding.HALF_UP), part.label
        elif part.rule is Rule.EXACT:
            assert part.exact is not None
            assert part.formula
        elif part.rule is Rule.GIVEN and (part.value_fen or part.number):
            assert part.source or part.label in {"认定"}, part.label


def known(terms: Terms, state: State) -> dict[str, int]:
    """各数由状态直接得出的值。"""
    accrued, subsidy = half_up(state.acc_num, state.acc_den), half_up(state.subsidy_num, state.acc_den * 1_000_000)
    values = dict.fromkeys(CODES, 0) | positions(terms, state)
    values |= {
        "principal": state.principal, "principal_not_due": state.not_due, "overdue_principal": state.overdue_principal,
        "principal_due": sum(item.principal_unpaid for item in state.installments), "interest_due": state.interest_unpaid,
        "interest_accrued": accrued - subsidy, "subsidy_accrued": subsidy, "penalty": penalty_owed(terms, state),
        "compound": compound_owed(terms, state), "fee": fee_owed(state), "overpayment": state.overpayment,
        "payoff": payoff(terms, state)["total"],
    }  # fmt: skip
    for item in project(terms, state).installments:
        values |= {
            f"installment:{item.no}.principal": item.principal_due, f"installment:{item.no}.interest": item.interest_due,
            f"installment:{item.no}.subsidy": item.subsidy_due, f"installment:{item.no}.total": item.principal_due + item.interest_due,
        }  # fmt: skip
    for item in state.installments:
        values |= {
            f"installment:{item.no}.principal_unpaid": item.principal_unpaid,
            f"installment:{item.no}.interest_unpaid": item.interest_unpaid,
        }
    return values


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9))
def test_every_figure_adds_up(seed: int) -> None:
    life = live(seed)
    state = life.on(life.today)
    values = known(life.terms, state)
    names = sorted(values)
    life.rng.shuffle(names)
    for name in names[:20]:
        node = derive(life.terms, life.facts, name, on=life.today)
        assert node.value_fen == values[name], name
        verify(node)
        json.dumps(node.as_document())
    assert derive(life.terms, life.facts, "days_past_due", on=life.today).number == state.days_past_due
    assert derive(life.terms, life.facts, "class", on=life.today).number == classify(life.terms, state)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9))
def test_what_is_listed_can_be_derived(seed: int) -> None:
    life = live(seed, events=6)
    names = figures(life.terms, life.on(life.today))
    assert set(CODES) <= set(names)
    for name in names:
        assert derive(life.terms, life.facts, name, on=life.today).label


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9))
def test_as_known_then(seed: int) -> None:
    """当时所知的推导只用当时已记的事实。"""
    life = live(seed)
    day = life.some_day()
    node = derive(life.terms, life.facts, "principal", on=life.today, known_at=day)
    assert node.value_fen == life.on(life.today, known_at=day).principal
    seqs = {
        int(word.removeprefix("fact:"))
        for part in walk(node)
        for word in part.source.split()
        if word.startswith("fact:")
    }
    assert seqs <= {fact.seq for fact in life.facts if fact.booked_on <= day}


@pytest.mark.parametrize("name", ["", "本金", "installment:99.principal", "installment:1.x", "installment:x.principal"])
def test_an_unknown_figure_is_said_so(name: str) -> None:
    life = live(1, events=1)
    with pytest.raises(UnknownFigure, match="没有"):
        derive(life.terms, life.facts, name, on=life.today)
