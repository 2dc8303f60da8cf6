"""``sancha check``：独立审计，全绿才退出 0。"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("--all", action="store_true", help="重放每一笔借据（缺省只重放轮转的三十分之一）")
    parser.add_argument("--group", help="只查这个营业日组")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from sancha.apps.businessday import queries as businessday
    from sancha.dayclose import invariants

    groups = [group for group in businessday.groups() if args.group in {None, group.code}]
    if not groups:
        raise Failure("没有可查的营业日组。请先运行 sancha demo 或 sancha init。")

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty() and not args.json:
            print(f"\r重放 {done}/{total}", end="\r", file=sys.stderr, flush=True)

    results = []
    for group in groups:
        for finding in invariants.check(group_id=group.id, everything=args.all, progress=tell):
            results.append(
                {
                    "group": group.code,
                    "code": finding.code,
                    "name": finding.name,
                    "ok": finding.ok,
                    "checked": finding.checked,
                    "milliseconds": finding.milliseconds,
                    "problems": finding.problems,
                }
            )
            if not args.json:
                print(
                    f"{'✓' if finding.ok else '✗'} {group.name} · {finding.name}（{finding.checked} 项，{finding.milliseconds} 毫秒）"
                )
                for problem in finding.problems[:20]:
                    print(f"    {problem}")
    document = {"ok": all(item["ok"] for item in results), "findings": results}
    if not document["ok"]:
        raise Failure("有不变式不成立，见上。", document)
    return document
