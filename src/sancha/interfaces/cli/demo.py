"""``sancha demo [--full]``：样例机构。库里已有数据就直接启动。"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django
from sancha.interfaces.cli.serve import migrate, start_server

SMALL_OPENS_ON = date(2026, 11, 16)
FULL_OPENS_ON = date(2025, 5, 30)


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("--full", action="store_true", help="造一年半的全量数据（约三百位借款人，几分钟）")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-serve", action="store_true", help="只造数据，不启动网页")


def run(args: argparse.Namespace) -> Any:
    """执行：迁移 → 造样例（已有就跳过）→ 显示地址与样例登录 → 启动。"""
    os.environ["SANCHA_DEMO"] = "1"
    start_django()
    from django.conf import settings

    from sancha.apps.businessday import queries as businessday

    migrate()
    home = Path(settings.HOME)
    home.mkdir(parents=True, exist_ok=True)
    if businessday.groups():
        _refuse_unless_sample(args, home)
    else:
        _build(args, home)
    group = businessday.groups()[0]
    if not args.json:
        _announce(args, group.business_date, home)
    if not args.no_serve:
        start_server(args.host, args.port)
    return {"business_date": group.business_date, "address": f"http://{args.host}:{args.port}/"}


def _refuse_unless_sample(args: argparse.Namespace, home: Path) -> None:
    """库里已有数据：是完整的样例就接着用，别的一概不碰。"""
    from sancha.interfaces.cli.sample.world import logins_file

    if not logins_file(home).is_file():
        raise Failure(
            "库里有数据，但不是一套完整的样例：正式库，或上次没有造完。"
            f"正式库请勿动，另用一个目录：SANCHA_HOME=新目录 sancha demo。若是没造完的样例，{_start_anew(home)}"
        )
    if args.full:
        raise Failure(f"库里已有样例；全量样例须从空库造。{_start_anew(home)}")


def _start_anew(home: Path) -> str:
    """怎样从头来：SQLite 库就在数据目录里，PostgreSQL 的要另外换一个空库。"""
    from django.db import connection

    folder = f"删除数据目录 {home}（或把 SANCHA_HOME 指到一个新目录）后再运行"
    if connection.vendor == "sqlite":
        return f"要从头来：{folder}。"
    return f"要从头来：{folder}，并把 SANCHA_DATABASE_URL 指到一个空库。"


def _build(args: argparse.Namespace, home: Path) -> None:
    from sancha.interfaces.cli.sample import business, world

    started = time.perf_counter()
    show = not args.json

    def tell(what: str, done: int, total: int) -> None:
        if show and (sys.stderr.isatty() or done == total):
            print(f"\r{what} {done}/{total}    ", end="" if done < total else "\n", file=sys.stderr, flush=True)

    made = world.build(FULL_OPENS_ON if args.full else SMALL_OPENS_ON)
    (business.full if args.full else business.small)(made, progress=tell)
    made.publish_logins(home)
    if show:
        print(f"样例机构已就绪，用时 {time.perf_counter() - started:.0f} 秒。")


def _announce(args: argparse.Namespace, business_date: date, home: Path) -> None:
    from sancha.interfaces.cli.sample.cast import INSTITUTIONS, STAFF
    from sancha.interfaces.cli.sample.world import PASSWORD
    from sancha.rulebook.posts import post_name

    print(f"\n三查 Sancha　样例机构　营业日 {business_date}")
    print(f"Sancha sample institution, business date {business_date}\n")
    for username, name, post, institution in STAFF:
        print(f"  {username:<10} {name}　{post_name(post)}（{INSTITUTIONS[institution][0]}）")
    print(f"\n所有样例登录的密码 / password of every login above:  {PASSWORD}")
    print(f"数据在 / data in {home}。{_start_anew(home)}")
    if not args.no_serve:
        print(f"\n打开 / open  http://{args.host}:{args.port}/　　按 Ctrl+C 停止 / Ctrl+C stops", flush=True)
