"""证据：按内容摘要存放的照片、录音、回执。"""

from __future__ import annotations

import hashlib
import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from sancha.apps.work.models import Evidence
from sancha.apps.work.operations.desk import open_task, require_owner
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation

_LARGEST_EVIDENCE = 20 * 1024 * 1024


@operation("work.attach_evidence", permission="work.act")
def attach_evidence(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    content: bytes,
    name: str,
    media_type: str,
    taken_at: datetime | None = None,
    latitude_e6: int | None = None,
    longitude_e6: int | None = None,
    accuracy_m: int | None = None,
    device: str = "",
) -> dict[str, Any]:
    """附证据：按内容摘要存放，同一内容在一条任务上只留一份。坐标单位为百万分之一度。"""
    if not content or len(content) > _LARGEST_EVIDENCE:
        raise DomainError(
            "EVIDENCE_SIZE",
            f"文件为 {len(content)} 字节，应在 1 字节与 20 MB 之间。",
            field="content",
            value=name,
            fix="请压缩后再传。",
        )
    task = open_task(actor, task_id)
    require_owner(actor, task)
    sha = hashlib.sha256(content).hexdigest()
    _store(sha, content)
    row, _ = Evidence.objects.get_or_create(
        task=task,
        sha256=sha,
        defaults={
            "name": name[:200],
            "media_type": media_type,
            "size": len(content),
            "by_id": actor.person_id,
            "taken_at": taken_at,
            "received_at": now(),
            "latitude_e6": latitude_e6,
            "longitude_e6": longitude_e6,
            "accuracy_m": accuracy_m,
            "device": device,
        },
    )
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "evidence_id": row.pk, "sha256": sha}


def keep_evidence(*, actor: Actor, task_id: int, content: bytes, name: str, media_type: str) -> int:
    """附上系统出具的证据（内层函数，开出任务的应用在自己的操作里调用）：如预检报告。返回证据编号。

    开出的人不是主办岗位，所以不查主办；大小不设限，由出具者掌握。
    """
    assert content, name
    sha = hashlib.sha256(content).hexdigest()
    _store(sha, content)
    row, _ = Evidence.objects.get_or_create(
        task_id=task_id,
        sha256=sha,
        defaults={
            "name": name[:200],
            "media_type": media_type,
            "size": len(content),
            "by_id": actor.person_id,
            "received_at": now(),
        },
    )
    return row.pk


def evidence_path(sha: str) -> Path:
    """证据文件的位置：以内容摘要为名。"""
    return Path(settings.DOCUMENT_ROOT) / "evidence" / sha[:2] / sha


def _store(sha: str, content: bytes) -> None:
    """先写临时名再改名：中途断电不会留下名实不符的文件。事务回滚留下的文件无害（以内容为名）。"""
    path = evidence_path(sha)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{sha}.{uuid.uuid4().hex}.part")
    partial.write_bytes(content)
    partial.replace(path)
