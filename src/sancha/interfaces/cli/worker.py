"""``sancha worker``：投递发件箱、推送事件、封存审计链。杀掉重启无妨，可以同时开几个。"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sancha.interfaces.cli.main import start_django

BATCH = 500
ROUNDS_BETWEEN_PURGES = 720
"""隔多少轮清一次旧消息与旧投递：缺省每轮五秒，约一小时。"""

logger = logging.getLogger(__name__)


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("--once", action="store_true", help="做完手头的就退出")
    parser.add_argument("--every", type=float, default=5.0, help="间隔秒数")
    parser.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from django.db import DatabaseError, connection

    rounds = 0
    # Beside a server: one that was killed cannot stop us, so we look for ourselves.
    while not args.parent or os.getppid() == args.parent:
        try:
            result = work_once(purging=rounds % ROUNDS_BETWEEN_PURGES == 0)
        except DatabaseError:
            if args.once:
                raise
            # The database restarts, a disk fills: a worker that dies of it would have to be started by hand.
            logger.exception("the worker could not reach the database; it tries again")
            connection.close()
            result = {"waiting": 0}
        if args.once:
            if not args.json:
                print("　".join(f"{name} {count}" for name, count in result.items()))
            return result
        rounds += 1
        if not result["waiting"]:
            time.sleep(args.every)
    return {"rounds": rounds}


def work_once(*, purging: bool = False) -> dict[str, int]:
    """干一轮：发件箱 → 推送 → 封存 → 心跳；隔一阵清一次旧的。"""
    from django.apps import apps

    from sancha.apps.webhooks import engine
    from sancha.apps.webhooks.subscribers import wanted_events
    from sancha.kit import audit, heartbeat, outbox

    wiring: Any = apps.get_app_config("wiring")  # config.apps, which the interfaces may not import
    wired = wiring.subscribers
    wanted = wanted_events()
    heartbeat.beat(heartbeat.WORKER)
    delivery = outbox.deliver(BATCH, {name: heard for name, heard in wired.items() if name in wanted})
    sent = engine.send_due(BATCH)
    sealed = audit.seal_pending(5000)
    removed = outbox.purge() + engine.purge() if purging else 0
    # Failed messages wait for the next round: coming back at once would try them ten times in a second.
    waiting = 0 if delivery.failed else delivery.waiting
    return {
        "passed": delivery.delivered, "waiting": waiting, "delivered": sent.delivered, "failed": sent.failed,
        "dead": sent.dead, "sealed": sealed, "removed": removed,
    }  # fmt: skip


@contextmanager
def beside(wanted: bool) -> Iterator[None]:
    """网页旁边开一个后台进程，网页停了它也停：一条命令就能用。生产另起 ``sancha worker``。"""
    if not wanted:
        yield
        return
    command = [sys.executable, "-m", "sancha.interfaces.cli.main", "worker", "--parent", str(os.getpid())]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(timeout=30)
