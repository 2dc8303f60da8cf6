"""删除与并档要问的、要一并办的：由上层应用在 ``config/wiring`` 登记，``parties`` 不认识它们。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

ERASED = "〔已删除〕"
"""删去的文字换成它。"""


@dataclass(frozen=True, slots=True)
class Hold:
    """一件妨碍：``kind`` 是哪一类（界面据此给链接），``clause`` 依据，``until`` 最早可删之日，空为没有定日。"""

    kind: str
    text: str
    clause: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Departing:
    """要删的人：连同并入他的旧档。``names`` 历来的名称；``needles`` 只属于他的号码与地址，别处出现就是他。"""

    party_ids: tuple[int, ...]
    names: tuple[str, ...]
    needles: tuple[str, ...]

    def scrubbed(self, text: str) -> str:
        """把文字里他的名称、号码、地址换掉。"""
        for word in sorted({*self.names, *self.needles}, key=len, reverse=True):
            text = text.replace(word, ERASED)
        return text


HoldFinder = Callable[[tuple[int, ...], tuple[str, ...], date], list[Hold]]
Eraser = Callable[[Departing], dict[str, int]]
Mover = Callable[[int, int], dict[str, int]]

_hold_finders: list[HoldFinder] = []
_erasers: list[Eraser] = []
_movers: list[Mover] = []


def register_hold_finder(finder: HoldFinder) -> None:
    """登记删除前的检查：``finder(客户编号, 名称, 日)`` 返回妨碍：未了的借据与担保、没满的保存期。"""
    if finder not in _hold_finders:
        _hold_finders.append(finder)


def register_eraser(eraser: Eraser) -> None:
    """登记删除：``eraser(要删的人)`` 在同一事务里删净自己表里的个人信息，返回各处删了几行。"""
    if eraser not in _erasers:
        _erasers.append(eraser)


def register_mover(mover: Mover) -> None:
    """登记并档：``mover(旧档, 存续的档)`` 在同一事务里改归，返回各处改了几行。"""
    if mover not in _movers:
        _movers.append(mover)


def holds_on(party_ids: tuple[int, ...], names: tuple[str, ...], on: date) -> list[Hold]:
    """删除的全部妨碍。"""
    return [hold for finder in _hold_finders for hold in finder(party_ids, names, on)]


def erase_everywhere(departing: Departing) -> dict[str, int]:
    """各应用逐一删净，返回各处删了几行。"""
    counts: Counter[str] = Counter()
    for eraser in _erasers:
        counts.update(eraser(departing))
    return dict(counts)


def move_everywhere(duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """各应用逐一改归，返回各处改了几行。"""
    counts: Counter[str] = Counter()
    for mover in _movers:
        counts.update(mover(duplicate_id, survivor_id))
    return dict(counts)
