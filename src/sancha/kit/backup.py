"""备份与恢复：一个文件装下数据库、影像文件与核对清单，恢复前先验明完整、密钥与版本。

密钥（SANCHA_SECRET_KEY）不在备份里，要另外保管；备份里有它的核对码，拿错密钥恢复会当场发现，
而不是等到带钥摘要全对不上。清单带签名，备份被人改过也会发现。

次序：先取数据库快照，后收文件——文件总是先于引用它的记录落盘，所以备份里的记录都找得到文件。
SQLite 用在线备份接口，PostgreSQL 用 pg_dump（没有或版本太旧时逐表 COPY），都不停业。
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, cast
from uuid import uuid4

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from sancha import __version__
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import canonical

FORMAT: Final = 1
_DOCUMENTS: Final = "documents"
_MANIFEST: Final = "manifest.json"
_SQLITE, _PG_DUMP, _PG_COPY = "database.sqlite3", "database.dump", "database.copy"
_CHUNK: Final = 1024 * 1024


class BackupError(DomainError):
    """备份或恢复不成。原数据未动，除非信息里另有说明。"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """核对清单。

    ``database`` 数据库部分的文件名，即格式；``rows`` 每表行数；``files`` 每个文件的 SHA-256；``audit_head`` 审计链头。
    """

    format: int
    backup_id: str
    created_at: str
    version: str
    database: str
    migrations: list[list[str]]
    rows: dict[str, int]
    files: dict[str, str]
    audit_head: str
    key_check: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """恢复的结果。``pending_migrations`` 不为空时，备份来自旧版本，还要执行 ``sancha migrate`` 升级表结构。"""

    manifest: Manifest
    pending_migrations: tuple[str, ...]


# ── backup ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def backup(target: Path) -> Manifest:
    """备份到 ``target``（``.tar.gz``，或装有 zstd 时 ``.tar.zst``）。中途失败不留半个文件；文件只许本人读。

    :raises Conflict: ``BACKUP_EXISTS`` 目标已存在。
    :raises BackupError: ``BACKUP_TOOL`` 外部程序缺少或失败；``BACKUP_NAME`` 扩展名不认识。
    """
    if target.exists():
        raise Conflict(
            "BACKUP_EXISTS", f"{target} 已存在，不覆盖旧备份。", field="target", value=target, fix="换一个文件名。"
        )
    _compression(target)
    partial = target.with_name(f".{target.name}.{uuid4().hex[:8]}.partial")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".sancha-backup-") as scratch:
            database, rows, audit_head = _dump(Path(scratch))
            with _writing(partial, _compression(target)) as archive:
                files = {database.name: _add(archive, database, database.name)}
                files.update(_add_documents(archive))
                manifest = _sign(database.name, rows, audit_head, files)
                body = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
                entry = tarfile.TarInfo(_MANIFEST)
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def _sign(database: str, rows: dict[str, int], audit_head: str, files: dict[str, str]) -> Manifest:
    backup_id = uuid4().hex
    unsigned = Manifest(
        format=FORMAT,
        backup_id=backup_id,
        created_at=now().isoformat(timespec="seconds"),
        version=__version__,
        database=database,
        migrations=_applied_migrations(),
        rows=rows,
        files=files,
        audit_head=audit_head,
        key_check=_keyed(f"sancha backup key check {backup_id}"),
    )
    return Manifest(**{**asdict(unsigned), "signature": _signature(unsigned)})


def _signature(manifest: Manifest) -> str:
    return _keyed(canonical({**asdict(manifest), "signature": ""}))


def _keyed(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def _applied_migrations() -> list[list[str]]:
    return sorted([list(key) for key in MigrationLoader(connection).applied_migrations])


def _dump(scratch: Path) -> tuple[Path, dict[str, int], str]:
    """数据库快照：文件、每表行数、审计链头，三者出自同一时点。"""
    if connection.vendor == "sqlite":
        return _dump_sqlite(scratch / _SQLITE)
    return _dump_postgresql(scratch)


def _dump_sqlite(path: Path) -> tuple[Path, dict[str, int], str]:
    with _sqlite_file() as source, contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        # One plain file: the copy must not depend on a -wal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        return path, _sqlite_rows(copy), _sqlite_head(copy)


@contextlib.contextmanager
def _sqlite_file() -> Iterator[sqlite3.Connection]:
    parameters = connection.get_connection_params()
    with contextlib.closing(sqlite3.connect(parameters["database"], uri=True, timeout=30)) as opened:
        yield opened


def _sqlite_rows(database: sqlite3.Connection) -> dict[str, int]:
    names = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {name: database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for (name,) in names.fetchall()}


_HEAD_QUERY: Final = "SELECT seal_no, seal FROM kit_auditevent WHERE seal_no IS NOT NULL ORDER BY seal_no DESC LIMIT 1"


def _sqlite_head(database: sqlite3.Connection) -> str:
    return _head_text(database.execute(_HEAD_QUERY).fetchone())


def _head_text(row: tuple[int, str] | None) -> str:
    return f"{row[0]}:{row[1]}" if row else f"0:{'0' * 64}"


def _dump_postgresql(scratch: Path) -> tuple[Path, dict[str, int], str]:
    """一个可重复读事务导出快照，pg_dump 与行数都看同一时点。"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        path = scratch / _PG_DUMP
        if not _pg_dump(path, snapshot):
            path = scratch / _PG_COPY
            _copy_out(path)
        rows, audit_head = _postgresql_rows(), _postgresql_head()
    return path, rows, audit_head


def _postgresql_tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        return [name for (name,) in cursor.fetchall()]


def _postgresql_rows() -> dict[str, int]:
    rows = {}
    with connection.cursor() as cursor:
        for name in _postgresql_tables():
            cursor.execute(f'SELECT COUNT(*) FROM ONLY public."{name}"')
            rows[name] = cursor.fetchone()[0]
    return rows


def _postgresql_head() -> str:
    with connection.cursor() as cursor:
        cursor.execute(_HEAD_QUERY)
        return _head_text(cursor.fetchone())


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
    failed = _postgresql_tool("pg_dump", [*options, f"--file={path}"])
    if failed and "version mismatch" in failed:
        return False
    if failed:
        raise BackupError("BACKUP_TOOL", f"pg_dump 失败：{failed}", fix="请按提示处理后重试。")
    return True


def _postgresql_tool(program: str, options: list[str]) -> str:
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
        for name in _postgresql_tables():
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
                _add_stream(archive, f"{name}.data", data)
            _add_stream(archive, f"{name}.columns", io.BytesIO(json.dumps(columns).encode()))
        cursor.execute(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )
        _add_stream(archive, "sequences", io.BytesIO(json.dumps(dict(cursor.fetchall())).encode()))


def _add_stream(archive: tarfile.TarFile, name: str, data: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = data.seek(0, io.SEEK_END)
    data.seek(0)
    archive.addfile(entry, data)


def _add_documents(archive: tarfile.TarFile) -> dict[str, str]:
    root = Path(settings.DOCUMENT_ROOT)
    found = (
        sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()) if root.exists() else []
    )
    names = {f"{_DOCUMENTS}/{path.relative_to(root).as_posix()}": path for path in found}
    return {name: _add(archive, path, name) for name, path in names.items()}


class _Hashing(io.RawIOBase):
    """边读边算 SHA-256：大文件只读一遍。"""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self.source.read(size)
        self.digest.update(chunk)
        return chunk


def _add(archive: tarfile.TarFile, path: Path, name: str) -> str:
    with path.open("rb") as source:
        entry = tarfile.TarInfo(name)
        entry.size = os.fstat(source.fileno()).st_size
        hashing = _Hashing(source)
        archive.addfile(entry, cast(IO[bytes], hashing))
    return hashing.digest.hexdigest()


def _compression(path: Path) -> str:
    if path.name.endswith((".tar.gz", ".tgz")):
        return "gz"
    if path.name.endswith(".tar.zst"):
        if shutil.which("zstd") is None:
            raise BackupError(
                "BACKUP_TOOL", "本机没有 zstd 程序。", field="target", fix="请改用 .tar.gz，或安装 zstd。"
            )
        return "zst"
    raise BackupError(
        "BACKUP_NAME",
        f"不认识的扩展名：{path.name}。",
        field="target",
        value=path.name,
        fix="请用 .tar.gz 或 .tar.zst。",
    )


@contextlib.contextmanager
def _writing(path: Path, compression: str) -> Iterator[tarfile.TarFile]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        if compression == "gz":
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as archive:
                yield archive
        else:
            with subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out) as packer:
                assert packer.stdin is not None
                with packer.stdin as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
                    yield archive
            if packer.returncode:
                raise BackupError(
                    "BACKUP_TOOL", f"zstd 失败，退出码 {packer.returncode}。", fix="请检查磁盘空间后重试。"
                )
        out.flush()
        os.fsync(out.fileno())


# ── restore ────────────────────────────────────────────────────────────────────────────────────────────────────────


def check(source: Path) -> Manifest:
    """核对备份而不恢复：完整、未被改动、密钥相符。"""
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".sancha-check-") as scratch:
        return _unpack(source, Path(scratch))


def restore(source: Path, *, force: bool = False) -> Restored:
    """恢复：核对 → 恢复数据库 → 再数一遍行数、对一遍审计链头 → 换上影像文件。

    数据库与文件目录必须是空的；``force`` 覆盖现有的（不可撤销）。核对不过时什么都没动；
    PostgreSQL 恢复失败时原库原样留着，SQLite 的覆盖在一个事务里。

    :raises BackupError: ``BACKUP_UNREADABLE`` ``BACKUP_DAMAGED`` ``BACKUP_KEY`` ``BACKUP_VERSION`` ``BACKUP_VENDOR``
        ``BACKUP_NOT_EMPTY`` ``BACKUP_TOOL``。
    """
    documents = Path(settings.DOCUMENT_ROOT)
    documents.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=documents.parent, prefix=".sancha-restore-") as name:
        scratch = Path(name)
        manifest = _unpack(source, scratch)
        _require_fit(manifest)
        if not force:
            _require_empty(documents)
        if connection.vendor == "sqlite":
            _restore_sqlite(scratch / _SQLITE, manifest)
        else:
            _restore_postgresql(scratch, manifest)
        _swap_documents(scratch / _DOCUMENTS, documents, scratch / "replaced")
    known = {tuple(key) for key in manifest.migrations}
    pending = sorted(key for key in MigrationLoader(connection).disk_migrations if key not in known)
    return Restored(manifest, tuple(f"{app}.{migration}" for app, migration in pending))


def _unpack(source: Path, scratch: Path) -> Manifest:
    try:
        with _reading(source) as archive:
            archive.extractall(scratch, filter="data")
        manifest = Manifest(**json.loads((scratch / _MANIFEST).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        what = "不存在" if not source.exists() else "里没有核对清单，不是本系统的备份或不完整"
        raise BackupError(
            "BACKUP_UNREADABLE", f"{source} {what}。", field="source", value=source, fix="请核对文件。"
        ) from error
    except (tarfile.TarError, OSError, EOFError, ValueError, TypeError) as error:
        raise BackupError(
            "BACKUP_UNREADABLE", f"{source} 读不出来：{error}", field="source", value=source, fix="请换用另一份备份。"
        ) from error
    if not hmac.compare_digest(manifest.key_check, _keyed(f"sancha backup key check {manifest.backup_id}")):
        raise BackupError(
            "BACKUP_KEY",
            "备份与当前的 SANCHA_SECRET_KEY 不相符。",
            field="SANCHA_SECRET_KEY",
            fix="请用做备份时的密钥（数据目录中的 secret.key，或当时的环境变量）。",
        )
    if not hmac.compare_digest(manifest.signature, _signature(manifest)):
        raise _damaged("核对清单与签名不符，备份被改动过")
    found = {path.relative_to(scratch).as_posix(): path for path in scratch.rglob("*") if path.is_file()}
    del found[_MANIFEST]
    if missing := sorted(set(manifest.files) - set(found)):
        raise _damaged(f"缺少文件 {'、'.join(missing[:5])}")
    if extra := sorted(set(found) - set(manifest.files)):
        raise _damaged(f"多出文件 {'、'.join(extra[:5])}")
    for name, path in found.items():
        if _sha256(path) != manifest.files[name]:
            raise _damaged(f"{name} 的内容与清单不符")
    return manifest


def _damaged(what: str) -> BackupError:
    return BackupError("BACKUP_DAMAGED", f"备份已损坏：{what}。", field="source", fix="请换用另一份备份。")


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[tarfile.TarFile]:
    if _compression(path) == "gz":
        with tarfile.open(path, "r:gz") as archive:
            yield archive
        return
    if not path.exists():
        raise FileNotFoundError(path)
    with subprocess.Popen(
        ["zstd", "-d", "-q", "-c", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            yield archive


def _require_fit(manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise BackupError(
            "BACKUP_VERSION", f"备份格式是第 {manifest.format} 版，本程序只认第 {FORMAT} 版。", fix="请用相应版本恢复。"
        )
    if (manifest.database == _SQLITE) is not (connection.vendor == "sqlite"):
        kind = "SQLite" if manifest.database == _SQLITE else "PostgreSQL"
        raise BackupError(
            "BACKUP_VENDOR",
            f"备份来自 {kind}，当前数据库不是。",
            field="SANCHA_DATABASE_URL",
            fix="请连到同一种数据库再恢复。",
        )
    disk = set(MigrationLoader(connection).disk_migrations)
    unknown = [key for key in manifest.migrations if tuple(key) not in disk]
    if unknown:
        raise BackupError(
            "BACKUP_VERSION",
            f"备份来自更新的版本（{manifest.version}），本程序（{__version__}）不认得它的表结构。",
            fix=f"请安装 {manifest.version} 或更新的版本再恢复。",
        )
    if manifest.database == _PG_COPY and disk != {tuple(key) for key in manifest.migrations}:
        raise BackupError(
            "BACKUP_VERSION",
            f"逐表备份只能由同一版本（{manifest.version}）恢复。",
            fix=f"请安装 {manifest.version}，恢复后再升级。",
        )


def _require_empty(documents: Path) -> None:
    if tables := connection.introspection.table_names():
        raise BackupError(
            "BACKUP_NOT_EMPTY",
            f"当前数据库不是空的（有 {len(tables)} 张表），恢复会覆盖它。",
            field="SANCHA_DATABASE_URL",
            fix="请连到空数据库；确要覆盖请加 --force。",
        )
    if documents.exists() and any(documents.iterdir()):
        raise BackupError(
            "BACKUP_NOT_EMPTY",
            f"文件目录 {documents} 不是空的。",
            field="documents",
            fix="请移走；确要覆盖请加 --force。",
        )


def _compare(rows: dict[str, int], audit_head: str, manifest: Manifest) -> None:
    off = [f"{name} {rows.get(name)}≠{count}" for name, count in manifest.rows.items() if rows.get(name) != count]
    if off:
        raise _damaged(f"恢复出来的行数不对（{'、'.join(off[:5])}）")
    if audit_head != manifest.audit_head:
        raise _damaged("恢复出来的审计链头与清单不同")


def _restore_sqlite(path: Path, manifest: Manifest) -> None:
    with contextlib.closing(sqlite3.connect(path)) as source:
        if source.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise _damaged("数据库文件完整性检查未通过")
        _compare(_sqlite_rows(source), _sqlite_head(source), manifest)
        connection.close()
        with _sqlite_file() as target:
            # The online API writes under SQLite's own locks: a running server sees the old book or the new, never half.
            source.backup(target)


def _restore_postgresql(scratch: Path, manifest: Manifest) -> None:
    """先把现有的 public 改名让开，恢复并核对无误才删；任何一步失败都改回来。"""
    aside = f"before_restore_{manifest.backup_id[:12]}"
    _make_way("public", aside)
    connection.close()
    try:
        if manifest.database == _PG_DUMP:
            _pg_restore(scratch / _PG_DUMP)
        else:
            call_command("migrate", verbosity=0)
            _copy_in(scratch / _PG_COPY)
        _compare(_postgresql_rows(), _postgresql_head(), manifest)
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
    failed = _postgresql_tool(
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
            columns = ", ".join(f'"{column}"' for column in json.load(_member(archive, f"{name}.columns")))
            data = _member(archive, f"{name}.data")
            with cursor.copy(f'COPY public."{name}" ({columns}) FROM STDIN') as rows:
                while chunk := data.read(_CHUNK):
                    rows.write(chunk)
        for name, last in json.load(_member(archive, "sequences")).items():
            cursor.execute("SELECT setval(%s, %s)", [f'public."{name}"', last])
        # Deferred foreign keys are checked now; a table with pending checks could not be altered below.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in names:
            cursor.execute(f'ALTER TABLE public."{name}" ENABLE TRIGGER USER')


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise _damaged(f"数据库部分缺少 {name}")
    return found


def _swap_documents(fresh: Path, documents: Path, replaced: Path) -> None:
    """换上文件目录：同一文件系统内改名，换下的随暂存目录一起删。"""
    fresh.mkdir(exist_ok=True)
    if documents.exists():
        documents.rename(replaced)
    fresh.rename(documents)
