"""备份文件的外壳：gz 或 zst 压缩的 tar，边写边算摘要，落盘才算数。"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from sancha.kit.backup.manifest import BackupError, damaged


def compression_of(path: Path) -> str:
    """压缩方式：由扩展名定，``gz`` 或 ``zst``。

    :raises BackupError: 扩展名不认识，或本机没有 zstd。
    """
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
def writing(path: Path, compression: str) -> Iterator[tarfile.TarFile]:
    """写一个新归档：只许本人读，写完落盘；已存在的不覆盖。"""
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


@contextlib.contextmanager
def reading(path: Path) -> Iterator[tarfile.TarFile]:
    """读一个归档，按扩展名解压。"""
    if compression_of(path) == "gz":
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


class _Hashing(io.RawIOBase):
    """边读边算 SHA-256：大文件只读一遍。"""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self.source.read(size)
        self.digest.update(chunk)
        return chunk


def add_file(archive: tarfile.TarFile, path: Path, name: str) -> str:
    """放入一个文件，返回它的 SHA-256。"""
    with path.open("rb") as source:
        entry = tarfile.TarInfo(name)
        entry.size = os.fstat(source.fileno()).st_size
        hashing = _Hashing(source)
        archive.addfile(entry, cast(IO[bytes], hashing))
    return hashing.digest.hexdigest()


def add_stream(archive: tarfile.TarFile, name: str, data: IO[bytes]) -> None:
    """放入一段数据。"""
    entry = tarfile.TarInfo(name)
    entry.size = data.seek(0, io.SEEK_END)
    data.seek(0)
    archive.addfile(entry, data)


def member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """取归档里的一段数据。

    :raises BackupError: 没有这一段。
    """
    found = archive.extractfile(name)
    if found is None:
        raise damaged(f"数据库部分缺少 {name}")
    return found


def sha256_of(path: Path) -> str:
    """文件的 SHA-256。"""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
