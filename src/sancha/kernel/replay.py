"""重放：状态 = 条款 + 事实的一次折叠。

``replay(terms, facts, on, known_at)`` 从头算；``advance(state, facts, to)`` 从已存的状态接着算，二者结果相同（性质测试）。
重放只读条款与事实，从不抛错。逐条步骤见 docs/algorithms/replay.md。
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sancha.kernel.effects import apply
from sancha.kernel.facts import Fact, FactKind, effective
from sancha.kernel.fold import Fold, fresh
from sancha.kernel.state import State
from sancha.kernel.terms import Terms
from sancha.kernel.trace import Trace


def replay(
    terms: Terms,
    facts: Iterable[Fact],
    *,
    on: date,
    known_at: date | None = None,
    known_seq: int | None = None,
    trace: Trace | None = None,
) -> State:
    """从头重放到 ``on`` 日开门，只用当时所知的事实。

    ``trace`` 给一份空白痕迹，就会记下每一段计息、每次结息与每笔变动，供推导使用。
    """
    state = fresh(terms)
    chosen = effective(facts, on=on, known_at=known_at, known_seq=known_seq)
    if chosen and chosen[0].kind is FactKind.OPENING:
        # Nothing before the cut-over is computed: the opening position stands for it.
        state.on = chosen[0].value_on.toordinal()
        state.share_changes = [change for change in state.share_changes if change[0] > state.on]
        for since, shares in terms.payer_shares:
            if since.toordinal() <= state.on:
                Fold(terms, state).set_shares([list(share) for share in shares])
    return _run(terms, state, chosen, on.toordinal(), trace)


def advance(terms: Terms, state: State, facts: Iterable[Fact], *, to: date, trace: Trace | None = None) -> State:
    """从 ``state`` 接着走到 ``to`` 日开门，途中加入 ``facts``；原状态不动。

    ``facts`` 必须都排在已用事实之后（起息日、种类次序、序号），且不含冲正；否则请从头重放——见 :func:`follows`。
    """
    ordered = sorted(facts, key=lambda fact: fact.key)
    assert all(follows(state, fact) for fact in ordered), "a fact that comes before the state needs a replay"
    return _run(terms, state.clone(), ordered, to.toordinal(), trace)


def follows(state: State, fact: Fact) -> bool:
    """这条事实是否排在状态之后，可以直接 ``advance``。"""
    return fact.kind is not FactKind.REVERSAL and fact.value_on.toordinal() >= state.on and fact.key > state.last_key


def _run(terms: Terms, state: State, facts: list[Fact], to: int, trace: Trace | None) -> State:
    fold = Fold(terms, state, trace)
    for fact in facts:
        key = fact.key
        fold.run_to(max(key[0], state.on))
        if trace is not None:
            trace.cause = fact.seq
        apply(fold, fact)
        state.last_key = key
        if trace is not None:
            trace.settle(state, fact.seq)
            trace.cause = 0
    if to > state.on:
        fold.run_to(to)
    state.next_on = fold.next_event()
    return state


def project(terms: Terms, state: State, *, until: date | None = None, trace: Trace | None = None) -> State:
    """推演：假定此后没有任何收付，走到最后一期（或 ``until``）。用于显示未来的还款计划。"""
    twin = state.clone()
    fold = Fold(terms, twin, trace)
    last = until.toordinal() if until else max([twin.on, *twin.ends[twin.cur :], *twin.dues[twin.cur :]])
    twin.overpayment = 0
    fold.run_to(last)
    twin.next_on = fold.next_event()
    return twin
