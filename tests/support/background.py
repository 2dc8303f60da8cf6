"""后台在本进程里做：不另起进程，起了就做完。"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sancha.dayclose import background


class Done:
    """已经做完的进程。"""

    def wait(self) -> int:
        return 0


def run_here(monkeypatch: pytest.MonkeyPatch, settings: Any, home: Path) -> None:
    """让 ``background.spawn`` 当场做完；便条与锁放在 ``home``。"""
    settings.HOME = home

    def spawn(arguments: list[str]) -> Any:
        task, number, holding, argument = arguments
        background.perform(task, int(number), int(holding), argument)
        return Done()

    monkeypatch.setattr(background, "spawn", spawn)
