"""PostgreSQL：pg_dump，没有或版本太旧时逐表 COPY；恢复先让开旧的，核对无误才删。"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from django.core.management import call_command
from django.db import connection, transaction

from sancha.kit.backup import manifest as manifests
from sancha.kit.backup.archive import add_stream, member
from sancha.kit.backup.manifest import HEAD_QUERY, PG_COPY, PG_DUMP, BackupError, Manifest, head_text

_CHUNK: Final = 1024 * 1024


def dump(scratch: Path) -> tuple[Path, dict[str, int], str]:
    """一个可重复读事务导出快照，pg_dump 与行数都看同一时点。"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        path = scratch / PG_DUMP
        if not _pg_dump(path, snapshot):
            path = scratch / PG_COPY
            _copy_out(path)
        rows, audit_head = _rows(), _head()
    return path, rows, audit_head


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        return [name for (name,) in cursor.fetchall()]


def _rows() -> dict[str, int]:
    rows = {}
    with connection.cursor() as cursor:
        for name in _tables():
            cursor.execute(f'SELECT COUNT(*) FROM ONLY public."{name}"')
            rows[name] = cursor.fetchone()[0]
    return rows


def _head() -> str:
    with connection.cursor() as cursor:
        cursor.execute(HEAD_QUERY)
        return head_text(cursor.fetchone())


def _pg_dump(path: Path, snapshot: str) -> bool:
    """用 pg_dump；没装，或比服务器旧而拒绝工作时返回 False，改用逐表 COPY。"""
    if shutil.which("pg_dump") is None or shutil.which("pg_restore") is None:
        return False
    options = [
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--exclude-schema=before_restore_*",
        f"--snapshot={snapshot}",
    ]
    failed = _tool("pg_dump", [*options, f"--file={path}"])
    if failed and "version mismatch" in failed:
        return False
    if failed:
        raise BackupError("BACKUP_TOOL", f"pg_dump 失败：{failed}", fix="请按提示处理后重试。")
    return True


def _tool(program: str, options: list[str]) -> str:
    """运行 PostgreSQL 的命令，返回错误文字（成功为空）。口令走环境变量，不上命令行。"""
    database = connection.settings_dict
    places = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    given = {variable: str(database[key]) for variable, key in places.items() if database.get(key)}
    done = subprocess.run(
        [program, f"--dbname={database['NAME']}", *options],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or f"退出码 {done.returncode}")


def _copy_out(path: Path) -> None:
    """逐表 COPY 到一个 tar：每表一个 ``表名.列名清单`` 与数据，另加序列的当前值。"""
    with tarfile.open(path, "w") as archive, connection.cursor() as cursor:
        for name in _tables():
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
                " AND is_generated = 'NEVER' ORDER BY ordinal_position",
                [name],
            )
            columns = [column for (column,) in cursor.fetchall()]
            listed = ", ".join(f'"{column}"' for column in columns)
            with tempfile.TemporaryFile() as data:
                with cursor.copy(f'COPY (SELECT {listed} FROM ONLY public."{name}") TO STDOUT') as rows:
                    for chunk in rows:
                        data.write(chunk)
                add_stream(archive, f"{name}.data", data)
            add_stream(archive, f"{name}.columns", io.BytesIO(json.dumps(columns).encode()))
        cursor.execute(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )
        add_stream(archive, "sequences", io.BytesIO(json.dumps(dict(cursor.fetchall())).encode()))


def restore(scratch: Path, manifest: Manifest) -> None:
    """先把现有的 public 改名让开，恢复并核对无误才删；任何一步失败都改回来。"""
    aside = f"before_restore_{manifest.backup_id[:12]}"
    _make_way("public", aside)
    connection.close()
    try:
        if manifest.database == PG_DUMP:
            _pg_restore(scratch / PG_DUMP)
        else:
            call_command("migrate", verbosity=0)
            _copy_in(scratch / PG_COPY)
        manifests.compare(_rows(), _head(), manifest)
    except BaseException:
        connection.close()
        with transaction.atomic(), connection.cursor() as cursor:
            _move_extensions(cursor, aside)
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute(f"ALTER SCHEMA {aside} RENAME TO public")
        raise
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {aside} CASCADE")


def _make_way(schema: str, aside: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {schema} RENAME TO {aside}")
        cursor.execute(f"CREATE SCHEMA {schema}")
        _move_extensions(cursor, schema)


def _move_extensions(cursor: Any, schema: str) -> None:
    """扩展（如 pg_trgm）整库只有一份，跟着走到要用的模式里。"""
    cursor.execute(
        "SELECT extname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extrelocatable AND (n.nspname = 'public' OR n.nspname LIKE 'before\\_restore\\_%%')"
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f'ALTER EXTENSION "{name}" SET SCHEMA {schema}')


def _pg_restore(path: Path) -> None:
    if shutil.which("pg_restore") is None:
        raise BackupError(
            "BACKUP_TOOL", "备份由 pg_dump 制作，本机没有 pg_restore。", fix="请安装 PostgreSQL 客户端程序。"
        )
    failed = _tool(
        "pg_restore", ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(path)]
    )
    if failed:
        raise BackupError("BACKUP_TOOL", f"pg_restore 失败，原数据未动：{failed}", fix="请按提示处理后重试。")


def _copy_in(path: Path) -> None:
    with tarfile.open(path) as archive, transaction.atomic(), connection.cursor() as cursor:
        names = [name.removesuffix(".data") for name in archive.getnames() if name.endswith(".data")]
        for name in names:
            cursor.execute(f'ALTER TABLE public."{name}" DISABLE TRIGGER USER')
        listed = ", ".join(f'public."{name}"' for name in names)
        cursor.execute(f"TRUNCATE {listed} CASCADE")
        for name in names:
            columns = ", ".join(f'"{column}"' for column in json.load(member(archive, f"{name}.columns")))
            data = member(archive, f"{name}.data")
            with cursor.copy(f'COPY public."{name}" ({columns}) FROM STDIN') as rows:
                while chunk := data.read(_CHUNK):
                    rows.write(chunk)
        for name, last in json.load(member(archive, "sequences")).items():
            cursor.execute("SELECT setval(%s, %s)", [f'public."{name}"', last])
        # Deferred foreign keys are checked now; a table with pending checks could not be altered below.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in names:
            cursor.execute(f'ALTER TABLE public."{name}" ENABLE TRIGGER USER')
