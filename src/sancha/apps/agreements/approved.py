"""批准的要素：上层审批之后交下来的一份，从此冻结；与放款前重查的关口（上层登记）。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import Actor
from sancha.rulebook.vocabulary import GuaranteeKind


@dataclass(frozen=True, slots=True)
class ApprovedLoan:
    """一份批复的内容：给谁、多少、多久、怎么还、凭什么担保、什么条件、几时过期。"""

    application_id: int
    approval_id: int
    party_id: int
    institution_id: int
    product_id: int
    officer_id: int | None
    purpose: str
    amount_fen: int
    term_count: int
    term_unit: PeriodUnit
    method: Method
    guarantee: GuaranteeKind
    rate_ppm: int
    spouse_signs: bool
    guarantor_ids: tuple[int, ...]
    conditions: tuple[str, ...]
    expires_on: date


Gate = Callable[[Actor, int, date], None]
_gates: list[Gate] = []


def register_gate(gate: Gate) -> None:
    """登记放款前的关口：``gate(actor, application_id, on)`` 重查规则，不过就抛错。重复登记无妨。"""
    if gate not in _gates:
        _gates.append(gate)


def pass_gates(actor: Actor, application_id: int, on: date) -> None:
    """过全部关口。

    :raises DomainError: 放款环节的规则不符合或缺事实。
    """
    for gate in _gates:
        gate(actor, application_id, on)
