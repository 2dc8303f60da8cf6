"""多进程：日终里成批而互不相干的工作（逐笔结转、抽查重放）分给几个进程，各用自己的数据库连接。

只在 PostgreSQL 上、事务之外、件数值得时才分；SQLite 的写一个接一个，预演在一个必回滚的事务里，都在本进程做。
每一批是一个事务，重做无害（``from_day`` 说明做到哪里），所以哪个进程何时死都不要紧：没做的下次接上。
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import connection, connections

T = TypeVar("T")

WORTH = 10_000
"""起一个进程要一秒上下；一步不到这么多件，自己做更快。"""


class Crew:
    """一次日终的帮手：用到时才起进程，日终完就散。"""

    def __init__(self, size: int | None = None) -> None:
        self.size = settings.DAYCLOSE_WORKERS if size is None else size
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def spread(self, job: Callable[..., T], batches: Iterable[tuple[Any, ...]], total: int) -> Iterator[T]:
        """对每批 ``job(*batch)``，按次序给出结果。``job`` 须是模块里的函数，参数与结果可传过进程。"""
        if self.size < 2 or total < WORTH or connection.vendor != "postgresql" or connection.in_atomic_block:
            yield from (job(*batch) for batch in batches)
            return
        pool = self._pool or self._start()
        # A few batches ahead keep everybody busy; all at once would hold a million ids in memory.
        ahead: deque[Future[T]] = deque()
        for batch in batches:
            ahead.append(pool.submit(job, *batch))
            if len(ahead) > 2 * self.size:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: a forked child would share this process's database connection and threads.
        self._pool = ProcessPoolExecutor(
            self.size,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_join,
            initargs=(settings.SETTINGS_MODULE, connection.settings_dict["NAME"]),
        )
        return self._pool


def _join(settings_module: str, database: str) -> None:
    """进程起来：载入 Django，连同一个库；父进程死了就跟着走，不留孤儿。"""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    django.setup()
    connections["default"].settings_dict["NAME"] = database
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)  # an open transaction goes with its connection: PostgreSQL rolls it back

    threading.Thread(target=leave_with_parent, daemon=True).start()
