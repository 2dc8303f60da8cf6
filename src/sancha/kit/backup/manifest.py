"""备份的核对清单：写什么、怎样签名、怎样核对恢复出来的数据。"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from sancha import __version__
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.operation import canonical

FORMAT: Final = 1


SQLITE, PG_DUMP, PG_COPY = "database.sqlite3", "database.dump", "database.copy"


HEAD_QUERY: Final = "SELECT seal_no, seal FROM kit_auditevent WHERE seal_no IS NOT NULL ORDER BY seal_no DESC LIMIT 1"


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


def sign(database: str, rows: dict[str, int], audit_head: str, files: dict[str, str]) -> Manifest:
    """签名的核对清单：带此刻、版本、迁移与密钥核对码。"""
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
        key_check=keyed(f"sancha backup key check {backup_id}"),
    )
    return Manifest(**{**asdict(unsigned), "signature": signature(unsigned)})


def signature(manifest: Manifest) -> str:
    """清单的签名（除签名本身以外的全部内容）。"""
    return keyed(canonical({**asdict(manifest), "signature": ""}))


def keyed(text: str) -> str:
    """带钥摘要。"""
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def _applied_migrations() -> list[list[str]]:
    return sorted([list(key) for key in MigrationLoader(connection).applied_migrations])


def head_text(row: tuple[int, str] | None) -> str:
    """审计链头的写法：序号与摘要。"""
    return f"{row[0]}:{row[1]}" if row else f"0:{'0' * 64}"


def damaged(what: str) -> BackupError:
    """备份损坏的错误。"""
    return BackupError("BACKUP_DAMAGED", f"备份已损坏：{what}。", field="source", fix="请换用另一份备份。")


def compare(rows: dict[str, int], audit_head: str, manifest: Manifest) -> None:
    """恢复出来的行数与链头须同清单一致。

    :raises BackupError: 不一致。
    """
    off = [f"{name} {rows.get(name)}≠{count}" for name, count in manifest.rows.items() if rows.get(name) != count]
    if off:
        raise damaged(f"恢复出来的行数不对（{'、'.join(off[:5])}）")
    if audit_head != manifest.audit_head:
        raise damaged("恢复出来的审计链头与清单不同")
