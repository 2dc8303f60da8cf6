"""谁今天能批这笔：授权由下层说（登记的来源），本案只问得出结论、依据与别人为什么不能。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sancha.apps.origination.elements import Elements
from sancha.apps.origination.models import Application


@dataclass(frozen=True, slots=True)
class Signer:
    """审批岗上的一个人：今天能不能批这一笔，凭哪一份授权，或为什么不能。``authority`` 是授权的快照，随批复留底。"""

    person_id: int
    name: str
    post_name: str
    institution_name: str
    may: bool
    why: str
    clause: str = ""
    authority: dict[str, Any] = field(default_factory=dict)


Source = Callable[[Application, Elements, date], list[Signer]]
_sources: list[Source] = []


def register_source(source: Source) -> None:
    """登记授权的来源（``config/wiring``），只能有一个。"""
    if source not in _sources:
        assert not _sources, "approval authority has one source"
        _sources.append(source)


def signers(application: Application, chosen: Elements, *, on: date) -> list[Signer]:
    """审批岗上的全部人与各自的结论，能批的在前。"""
    assert _sources, "no source of approval authority is registered; see config/wiring"
    return sorted(_sources[0](application, chosen, on), key=lambda signer: (not signer.may, signer.name))
