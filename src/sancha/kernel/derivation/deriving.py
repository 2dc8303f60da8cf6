"""推导的入口：有哪些数可推导，推导其中一个。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sancha.kernel.derivation.labels import CODE_LABELS, FIGURES, PARTS
from sancha.kernel.derivation.nodes import Node, UnknownFigure
from sancha.kernel.derivation.positions import _Derivation
from sancha.kernel.facts import Fact, effective
from sancha.kernel.positions import CODES
from sancha.kernel.replay import project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms
from sancha.kernel.trace import Trace


def figures(terms: Terms, state: State) -> dict[str, str]:
    """可推导的数：名字 → 中文。含每个头寸代码与每一期（包括推演出的未来各期）。"""
    names = FIGURES | {code: CODE_LABELS[code] for code in CODES}
    for item in project(terms, state).installments:
        names |= {f"installment:{item.no}.{part}": f"第 {item.no} 期{label}" for part, label in PARTS.items()}
    return names


def derive(
    terms: Terms,
    facts: Iterable[Fact],
    figure: str,
    *,
    on: date,
    known_at: date | None = None,
    known_seq: int | None = None,
) -> Node:
    """推导 ``figure``（名字见 :func:`figures`）在 ``on`` 日开门、当时所知的由来。

    :raises UnknownFigure: 没有这个数。
    """
    facts = list(facts)
    trace = Trace()
    state = replay(terms, facts, on=on, known_at=known_at, known_seq=known_seq, trace=trace)
    chosen = effective(facts, on=on, known_at=known_at, known_seq=known_seq)
    if not figure.startswith("installment:"):
        return _Derivation(terms, chosen, state, trace).figure(figure)
    number, _, part = figure.removeprefix("installment:").partition(".")
    if number.isdigit() and part in PARTS:
        if int(number) > state.numbered:
            state = project(terms, state, trace=trace)
        for index, item in enumerate(state.installments):
            if item.no == int(number):
                return _Derivation(terms, chosen, state, trace).installment(index, part)
    raise UnknownFigure(f"没有「{figure}」这个数可推导，请从 figures() 列出的名字中选。")
