"""规则库的错误：说清哪个文件、哪个代码、哪个栏目、错在哪。规则库不认识 Django，也不认识 kit，所以错误自成一套。"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Problem:
    """规则库里的一处问题。

    ``level``：``error`` 不能装载；``unsure`` 来源不牢、须请专家核对；``stale`` 该复核或该补新值；
    ``unused`` 没有被引用；``coverage`` 覆盖率统计。``file`` 相对规则库根目录，``code`` 条款或参数代码，``field`` 栏目。
    """

    level: str
    file: str
    code: str
    field: str
    message: str

    def __str__(self) -> str:
        place = " · ".join(part for part in (self.file, self.code, self.field) if part)
        return f"[{self.level}] {place}：{self.message}"


class RulebookError(ValueError):
    """规则库装载失败。带全部问题，一次说完，不让人改一处跑一次。"""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "规则库有 {} 处错误：\n{}".format(len(self.problems), "\n".join(str(p) for p in self.problems))
        )


class UnknownCode(KeyError):
    """没有这个代码。附最相近的名字。"""

    def __init__(self, kind: str, code: str, known: Iterable[str]) -> None:
        self.code = code
        self.nearest = difflib.get_close_matches(code, list(known), n=3, cutoff=0.5)
        hint = f"；相近的有 {'、'.join(self.nearest)}" if self.nearest else ""
        self.message = f"规则库里没有{kind}「{code}」{hint}。"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class NotYetInForce(LookupError):
    """该日尚无有效值：问的日子早于第一个起效日，或条文已失效而没有接续的值。"""

    def __init__(self, code: str, on: date, first: date) -> None:
        self.code, self.on, self.first = code, on, first
        super().__init__(f"参数「{code}」在 {on.isoformat()} 没有有效值，最早的起效日是 {first.isoformat()}。")
