"""心跳：后台每干一轮活记一次；多久没有跳，说明多久没有人在干活。"""

from __future__ import annotations

from datetime import datetime

from sancha.kit.clock import now
from sancha.kit.models import Heartbeat

WORKER = "worker"


def beat(name: str) -> None:
    """跳一下。"""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now()})


def last_beat(name: str) -> datetime | None:
    """最近一跳的时刻；从来没有跳过则空。"""
    return Heartbeat.objects.filter(pk=name).values_list("at", flat=True).first()


def seconds_since(name: str) -> int | None:
    """距最近一跳几秒；从来没有跳过则空。"""
    at = last_beat(name)
    return None if at is None else max(int((now() - at).total_seconds()), 0)
