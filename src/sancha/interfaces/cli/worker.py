"""``sancha worker``：投递发件箱、封存审计链。杀掉重启无妨。"""

from __future__ import annotations

import argparse
import time
from typing import Any

from sancha.interfaces.cli.main import start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("--once", action="store_true", help="做完手头的就退出")
    parser.add_argument("--every", type=float, default=5.0, help="间隔秒数")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from django.apps import apps

    from sancha.kit import audit, outbox

    while True:
        delivery = outbox.deliver(200, apps.get_app_config("wiring").subscribers)
        sealed = audit.seal_pending(5000)
        if args.once:
            if not args.json:
                print(f"投递 {delivery}，封存 {sealed} 条。")
            return {"delivery": str(delivery), "sealed": sealed}
        time.sleep(args.every)
