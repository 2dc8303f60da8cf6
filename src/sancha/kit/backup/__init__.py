"""备份与恢复：一个文件装下数据库、影像文件与核对清单，恢复前先验明完整、密钥与版本。

密钥（SANCHA_SECRET_KEY）不在备份里，要另外保管；备份里有它的核对码，拿错密钥恢复会当场发现，
而不是等到带钥摘要全对不上。清单带签名，备份被人改过也会发现。

次序：先取数据库快照，后收文件——文件总是先于引用它的记录落盘，所以备份里的记录都找得到文件。
SQLite 用在线备份接口，PostgreSQL 用 pg_dump（没有或版本太旧时逐表 COPY），都不停业。
"""

from __future__ import annotations

import hmac
import io
import json
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from sancha import __version__
from sancha.kit.backup import postgresql, sqlite
from sancha.kit.backup.archive import add_file, compression_of, reading, sha256_of, writing
from sancha.kit.backup.manifest import (
    FORMAT,
    PG_COPY,
    SQLITE,
    BackupError,
    Manifest,
    damaged,
    keyed,
    sign,
    signature,
)
from sancha.kit.errors import Conflict

_DOCUMENTS: Final = "documents"


_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Restored:
    """恢复的结果。``pending_migrations`` 不为空时，备份来自旧版本，还要执行 ``sancha migrate`` 升级表结构。"""

    manifest: Manifest
    pending_migrations: tuple[str, ...]


def backup(target: Path) -> Manifest:
    """备份到 ``target``（``.tar.gz``，或装有 zstd 时 ``.tar.zst``）。中途失败不留半个文件；文件只许本人读。

    :raises Conflict: ``BACKUP_EXISTS`` 目标已存在。
    :raises BackupError: ``BACKUP_TOOL`` 外部程序缺少或失败；``BACKUP_NAME`` 扩展名不认识。
    """
    if target.exists():
        raise Conflict(
            "BACKUP_EXISTS", f"{target} 已存在，不覆盖旧备份。", field="target", value=target, fix="换一个文件名。"
        )
    compression_of(target)
    partial = target.with_name(f".{target.name}.{uuid4().hex[:8]}.partial")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".sancha-backup-") as scratch:
            database, rows, audit_head = _dump(Path(scratch))
            with writing(partial, compression_of(target)) as archive:
                files = {database.name: add_file(archive, database, database.name)}
                files.update(_add_documents(archive))
                manifest = sign(database.name, rows, audit_head, files)
                body = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
                entry = tarfile.TarInfo(_MANIFEST)
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def _dump(scratch: Path) -> tuple[Path, dict[str, int], str]:
    """数据库快照：文件、每表行数、审计链头，三者出自同一时点。"""
    if connection.vendor == "sqlite":
        return sqlite.dump(scratch / SQLITE)
    return postgresql.dump(scratch)


def _add_documents(archive: tarfile.TarFile) -> dict[str, str]:
    root = Path(settings.DOCUMENT_ROOT)
    found = (
        sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()) if root.exists() else []
    )
    names = {f"{_DOCUMENTS}/{path.relative_to(root).as_posix()}": path for path in found}
    return {name: add_file(archive, path, name) for name, path in names.items()}


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
            sqlite.restore(scratch / SQLITE, manifest)
        else:
            postgresql.restore(scratch, manifest)
        _swap_documents(scratch / _DOCUMENTS, documents, scratch / "replaced")
    known = {tuple(key) for key in manifest.migrations}
    pending = sorted(key for key in MigrationLoader(connection).disk_migrations if key not in known)
    return Restored(manifest, tuple(f"{app}.{migration}" for app, migration in pending))


def _unpack(source: Path, scratch: Path) -> Manifest:
    try:
        with reading(source) as archive:
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
    if not hmac.compare_digest(manifest.key_check, keyed(f"sancha backup key check {manifest.backup_id}")):
        raise BackupError(
            "BACKUP_KEY",
            "备份与当前的 SANCHA_SECRET_KEY 不相符。",
            field="SANCHA_SECRET_KEY",
            fix="请用做备份时的密钥（数据目录中的 secret.key，或当时的环境变量）。",
        )
    if not hmac.compare_digest(manifest.signature, signature(manifest)):
        raise damaged("核对清单与签名不符，备份被改动过")
    found = {path.relative_to(scratch).as_posix(): path for path in scratch.rglob("*") if path.is_file()}
    del found[_MANIFEST]
    if missing := sorted(set(manifest.files) - set(found)):
        raise damaged(f"缺少文件 {'、'.join(missing[:5])}")
    if extra := sorted(set(found) - set(manifest.files)):
        raise damaged(f"多出文件 {'、'.join(extra[:5])}")
    for name, path in found.items():
        if sha256_of(path) != manifest.files[name]:
            raise damaged(f"{name} 的内容与清单不符")
    return manifest


def _require_fit(manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise BackupError(
            "BACKUP_VERSION", f"备份格式是第 {manifest.format} 版，本程序只认第 {FORMAT} 版。", fix="请用相应版本恢复。"
        )
    if (manifest.database == SQLITE) is not (connection.vendor == "sqlite"):
        kind = "SQLite" if manifest.database == SQLITE else "PostgreSQL"
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
    if manifest.database == PG_COPY and disk != {tuple(key) for key in manifest.migrations}:
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


def _swap_documents(fresh: Path, documents: Path, replaced: Path) -> None:
    """换上文件目录：同一文件系统内改名，换下的随暂存目录一起删。"""
    fresh.mkdir(exist_ok=True)
    if documents.exists():
        documents.rename(replaced)
    fresh.rename(documents)
