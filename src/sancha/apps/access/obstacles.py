"""停业与划转的妨碍、开业时要一并办的事：由上层应用在 ``config/wiring`` 登记，``access`` 不认识它们。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from sancha.apps.access.models import Institution
from sancha.apps.access.queries import standing_holdings
from sancha.kit.dated import not_ended

ClosingGuard = Callable[[int], str | None]
MovingGuard = Callable[[int, int | None], str | None]
OpeningStep = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """一件妨碍：``kind`` 是哪一类（界面据此给链接），``text`` 是理由。"""

    kind: str
    text: str


_closing_guards: dict[str, ClosingGuard] = {}
_moving_guards: list[MovingGuard] = []
_opening_steps: list[OpeningStep] = []


def register_closing_guard(kind: str, guard: ClosingGuard) -> None:
    """登记撤销机构前的检查：``guard(机构编号)`` 返回拒绝的理由（中文），无妨碍则返回空。"""
    known = _closing_guards.setdefault(kind, guard)
    assert known is guard, f"two closing guards of {kind}"


def register_moving_guard(guard: MovingGuard) -> None:
    """登记划转前的检查：``guard(机构编号, 新上级编号)`` 返回拒绝的理由，无妨碍则返回空。"""
    if guard not in _moving_guards:
        _moving_guards.append(guard)


def register_opening_step(step: OpeningStep) -> None:
    """登记开业时在同一事务里一并办的事：``step(机构编号, 上级编号)``，如归入上级的日终分区。"""
    if step not in _opening_steps:
        _opening_steps.append(step)


def obstacles_to_closing(*, institution_id: int, on: date) -> list[Obstacle]:
    """撤销机构的全部妨碍：在营下级、未结束的任职，以及上层应用各自的（借据、现金、挂账、待办……）。"""
    found = []
    children = Institution.objects.filter(parent_id=institution_id, is_open=True).order_by("pk")
    if names := list(children.values_list("name", flat=True)):
        found.append(Obstacle("child", f"还有 {len(names)} 个在营下级机构（{'、'.join(names[:5])}）"))
    held = standing_holdings().filter(not_ended(on), institution_id=institution_id).select_related("person")
    if people := [row.person.name for row in held.order_by("pk")]:
        found.append(Obstacle("holding", f"还有 {len(people)} 段未结束的任职（{'、'.join(people[:5])}）"))
    reasons = ((kind, guard(institution_id)) for kind, guard in _closing_guards.items())
    return found + [Obstacle(kind, reason) for kind, reason in reasons if reason]


def obstacles_to_moving(*, institution_id: int, parent_id: int | None) -> list[str]:
    """划转的全部妨碍。"""
    return [reason for guard in _moving_guards if (reason := guard(institution_id, parent_id))]


def take_opening_steps(*, institution_id: int, parent_id: int | None) -> None:
    """开业时一并要办的事。"""
    for step in _opening_steps:
        step(institution_id, parent_id)
