"""``sancha webhooks``：事件推送的订阅与投递。"""

from __future__ import annotations

import argparse
from typing import Any
from uuid import uuid4

from sancha.interfaces.cli.main import Failure, start_django

ON_ONE = {
    "pause": ("pause_subscription", "暂停"),
    "resume": ("resume_subscription", "恢复"),
    "close": ("close_subscription", "停用"),
    "rotate": ("rotate_secret", "换签名密钥（新密钥只显示一次）"),
    "test": ("send_test", "试送一个事件"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    actions = parser.add_subparsers(dest="action", metavar="动作", required=True)
    actions.add_parser("list", help="全部订阅")
    actions.add_parser("events", help="事件目录")
    add = actions.add_parser("add", help="新建订阅（签名密钥只显示一次）")
    add.add_argument("--institution", required=True, help="机构号；推送它与下级的事件")
    add.add_argument("--name", required=True)
    add.add_argument("--url", required=True)
    add.add_argument("--event", action="append", required=True, help="事件名，可写几次")
    for name, (_operation, text) in ON_ONE.items():
        actions.add_parser(name, help=text).add_argument("subscription", type=int, help="订阅编号")
    listed = actions.add_parser("deliveries", help="最近的投递")
    listed.add_argument("subscription", type=int)
    listed.add_argument("--state", choices=["PENDING", "DELIVERED", "DEAD"], default="")
    again = actions.add_parser("redeliver", help="重送：写投递编号，或 --dead 全部死信")
    again.add_argument("subscription", type=int)
    again.add_argument("deliveries", type=int, nargs="*")
    again.add_argument("--dead", action="store_true", help="这个订阅的全部死信")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    document = _ACTIONS.get(args.action, _on_one)(args)
    if not args.json:
        for line in _lines(document):
            print(line)
    return document


def _list(_args: argparse.Namespace) -> Any:
    from dataclasses import asdict

    from sancha.apps.webhooks import queries
    from sancha.kit.actor import SYSTEM

    return [asdict(row) for row in queries.list_subscriptions(SYSTEM, with_closed=True, size=500).rows]


def _events(_args: argparse.Namespace) -> Any:
    from sancha.kit.events import catalog

    return [{"name": kind.name, "title": kind.title, "when": kind.when, "version": kind.version} for kind in catalog()]


def _add(args: argparse.Namespace) -> Any:
    from sancha.apps.access.queries import find_institution
    from sancha.apps.webhooks import operations

    place = find_institution(args.institution)
    if place is None:
        raise Failure(f"没有机构号为「{args.institution}」的机构。")
    return operations.subscribe(
        **_common(place.id), institution_id=place.id, name=args.name, url=args.url, events=args.event
    )


def _on_one(args: argparse.Namespace) -> Any:
    from sancha.apps.webhooks import operations

    operation = getattr(operations, ON_ONE[args.action][0])
    return operation(**_common(_place(args)), subscription_id=args.subscription)


def _deliveries(args: argparse.Namespace) -> Any:
    from dataclasses import asdict

    from sancha.apps.webhooks import queries
    from sancha.kit.actor import SYSTEM

    found = queries.deliveries(SYSTEM, subscription_id=args.subscription, state=args.state, size=100)
    return [asdict(row) for row in found.rows]


def _redeliver(args: argparse.Namespace) -> Any:
    from sancha.apps.webhooks import operations, queries
    from sancha.kit.actor import SYSTEM

    ids = list(args.deliveries)
    if args.dead:
        ids += queries.dead_ids(SYSTEM, subscription_id=args.subscription)
    if not ids:
        raise Failure("没有要重送的：写投递编号，或加 --dead。")
    return operations.redeliver(**_common(_place(args)), delivery_ids=ids)


def _place(args: argparse.Namespace) -> int:
    from sancha.apps.webhooks import queries
    from sancha.kit.actor import SYSTEM

    return queries.subscription_detail(SYSTEM, args.subscription).institution_id


def _common(institution_id: int) -> dict[str, Any]:
    from sancha.apps.businessday.queries import business_date
    from sancha.kit.actor import SYSTEM

    return {"actor": SYSTEM, "key": f"cli:{uuid4()}", "on": business_date(institution_id=institution_id)}


def _lines(document: Any) -> list[str]:
    if isinstance(document, list):
        return ["　".join(f"{value}" for value in row.values() if value not in (None, "")) for row in document] or [
            "无"
        ]
    return [f"{name}　{value}" for name, value in document.items()]


_ACTIONS = {"list": _list, "events": _events, "add": _add, "deliveries": _deliveries, "redeliver": _redeliver}
