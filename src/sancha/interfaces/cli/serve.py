"""``sancha serve``：启动网页与接口。"""

from __future__ import annotations

import argparse
import os
from typing import Any

from sancha.interfaces.cli.main import start_django
from sancha.interfaces.cli.worker import beside


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="进程数（SQLite 请用 1）")
    parser.add_argument(
        "--with-worker", action=argparse.BooleanOptionalAction, default=True, help="旁边开一个后台进程（sancha worker）"
    )


def run(args: argparse.Namespace) -> Any:
    """执行：应用迁移后启动 granian，直到中断。"""
    start_django()
    migrate()
    start_server(args.host, args.port, args.workers, with_worker=args.with_worker)
    return None


def migrate() -> None:
    """建好数据目录并应用数据库迁移（升级不丢数据，重复无妨）。"""
    from django.conf import settings
    from django.core.management import call_command

    for folder in (settings.HOME, settings.STATIC_ROOT, settings.DOCUMENT_ROOT):
        folder.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)


def start_server(host: str, port: int, workers: int = 1, *, with_worker: bool = True) -> None:
    """启动服务器，阻塞到中断；``with_worker`` 时旁边开一个后台进程。"""
    from granian import Granian
    from granian.constants import Interfaces

    server = Granian(
        "sancha.config.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        # Requests wait on the database, so more threads than processors; beyond this they only contend for them.
        blocking_threads=min(8, 2 * (os.cpu_count() or 1) + 1),
        websockets=False,
        log_access=False,
    )
    with beside(with_worker):
        server.serve()
