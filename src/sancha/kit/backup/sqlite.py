"""SQLite：在线备份接口，不停业；恢复在它自己的锁里整个换上。"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from sancha.kit.backup import manifest as manifests
from sancha.kit.backup.manifest import HEAD_QUERY, Manifest, damaged, head_text


def dump(path: Path) -> tuple[Path, dict[str, int], str]:
    """快照：文件、每表行数、审计链头。"""
    with _file() as source, contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        # One plain file: the copy must not depend on a -wal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        return path, _rows(copy), _head(copy)


@contextlib.contextmanager
def _file() -> Iterator[sqlite3.Connection]:
    parameters = connection.get_connection_params()
    with contextlib.closing(sqlite3.connect(parameters["database"], uri=True, timeout=30)) as opened:
        yield opened


def _rows(database: sqlite3.Connection) -> dict[str, int]:
    names = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {name: database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for (name,) in names.fetchall()}


def _head(database: sqlite3.Connection) -> str:
    return head_text(database.execute(HEAD_QUERY).fetchone())


def restore(path: Path, manifest: Manifest) -> None:
    """先核对备份里的库，再在 SQLite 自己的锁里整个换上。"""
    with contextlib.closing(sqlite3.connect(path)) as source:
        if source.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise damaged("数据库文件完整性检查未通过")
        manifests.compare(_rows(source), _head(source), manifest)
        connection.close()
        with _file() as target:
            # The online API writes under SQLite's own locks: a running server sees the old book or the new, never half.
            source.backup(target)
