"""独占：同一营业日组的日终（或预演、全查）同一时刻只许一个在跑。

锁随进程死亡自动释放，不必等超时、不必人工解锁：PostgreSQL 用会话级咨询锁，SQLite 用旁边一个小锁文件上的排他事务。
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from sancha.kit.errors import Conflict

_SPACE = 0x5A4D
"""PostgreSQL 咨询锁的号段，与审计封存的锁不同。"""
CLOSE, CHECK, IMPORT = "close", "check", "import"
_NAMES = {CLOSE: "日终或预演", CHECK: "不变式检查", IMPORT: "转入"}


@contextmanager
def only_one(task: str, group_id: int) -> Iterator[None]:
    """独占执行；``task`` 是 ``CLOSE``、``CHECK`` 或 ``IMPORT``（此时编号是批次）。

    :raises Conflict: 另一个正在进行（本进程或别的进程）。
    """
    guard = _on_postgresql if connection.vendor == "postgresql" else _beside_sqlite
    with guard(task, group_id):
        yield


def is_held(task: str, group_id: int) -> bool:
    """此刻是否有人在跑。"""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [_SPACE, _number(task, group_id)],
            )
            return cursor.fetchone() is not None
    lock = _open(task, group_id)
    try:
        # Reading meets an exclusive holder too, but does not stand in the way of one who is about to begin.
        lock.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return True
    finally:
        lock.close()
    return False


def _busy(task: str, group_id: int) -> Conflict:
    return Conflict(
        "DAY_CLOSE_RUNNING", f"{_NAMES[task]}正在进行，不能同时再开一个。", field="group_id", value=group_id,
        fix="请等它结束；进度见日终控制台。进程若已中断，锁会自动释放，直接重来即可。",
    )  # fmt: skip


def _number(task: str, group_id: int) -> int:
    return zlib.crc32(f"{task}:{group_id}".encode()) & 0x7FFF_FFFF


@contextmanager
def _on_postgresql(task: str, group_id: int) -> Iterator[None]:
    place = [_SPACE, _number(task, group_id)]
    # The session lock is re-entrant: one who already holds it here would be let in a second time.
    if is_held(task, group_id):
        raise _busy(task, group_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", place)
        row = cursor.fetchone()
        if row is None or not row[0]:
            raise _busy(task, group_id)
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", place)


@contextmanager
def _beside_sqlite(task: str, group_id: int) -> Iterator[None]:
    lock = _open(task, group_id)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise _busy(task, group_id) from error
        yield
    finally:
        lock.close()  # closing rolls back, and so releases


def _open(task: str, group_id: int) -> sqlite3.Connection:
    name = str(connection.settings_dict["NAME"])
    # An in-memory database belongs to one process, and so does its lock.
    beside = (
        Path(name).with_name(Path(name).name + f".{task}-{group_id}.lock")
        if os.path.sep in name and not name.startswith("file:")
        else Path(settings.HOME) / f"memory-{os.getpid()}.{task}-{group_id}.lock"
    )
    beside.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(beside, timeout=0.05, isolation_level=None)
