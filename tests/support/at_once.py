"""同时做两件事：各在自己的连接上，一起起跑。只在 PostgreSQL 上有意义。"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from sancha.kit.errors import DomainError


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """同时运行，返回各自的结果；业务错误作为结果返回，其他异常照抛。"""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite 的写事务一个接一个，没有并发可看")
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(index: int, job: Callable[[], Any]) -> None:
        try:
            barrier.wait(10)
            results[index] = job()
        except Exception as error:  # handed back to the test's own thread
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, DomainError):
            raise result
    return results
