"""步骤：日终流水线的一格。每步都可重复执行：做过的不再做，杀掉重跑即可接上。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sancha.dayclose.crew import Crew


@dataclass(frozen=True, slots=True)
class CloseContext:
    """一步所需：哪个营业日组、关哪一天、哪个分区（分区步骤）、报进度的函数、帮手。"""

    run_id: int
    group_id: int
    day: date
    partition_id: int
    progress: Callable[[int, int], None]
    chunk: int
    crew: Crew

    @property
    def tomorrow(self) -> date:
        """次日：日终之后的营业日。"""
        return self.day + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """一步：``per_partition`` 为真则每个分区各做一次。``run`` 返回处理件数。"""

    code: str
    name: str
    run: Callable[[CloseContext], int]
    per_partition: bool = False
