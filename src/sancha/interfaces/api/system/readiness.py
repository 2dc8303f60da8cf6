"""就绪：数据库连得上、表结构是最新的、只许追加的守卫齐全；另报后台、发件箱、日终的现状。"""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from sancha.kit import heartbeat, outbox
from sancha.kit.clock import now

WORKER_LATE = 120
"""后台几秒没有心跳算停了。"""
OUTBOX_LATE = 900
"""最早一条消息等了几秒算积压。"""


def database_reachable() -> bool:
    """数据库连得上。"""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return False
    return True


def pending_migrations() -> list[str]:
    """还没有应用的迁移；空为最新。"""
    loader = MigrationLoader(connection)
    return sorted(f"{app}.{name}" for app, name in set(loader.disk_migrations) - set(loader.applied_migrations))


def outbox_lag() -> int:
    """最早一条未投出的消息等了几秒；没有则 0。"""
    oldest = outbox.oldest_waiting()
    return 0 if oldest is None else max(int((now() - oldest).total_seconds()), 0)


def worker_age() -> int | None:
    """后台最近一次心跳是几秒前；从来没有则空。"""
    return heartbeat.seconds_since(heartbeat.WORKER)
