"""``sancha dayclose run|status|rehearse``。"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("action", choices=["run", "status", "rehearse"], help="run 运行 · status 进度 · rehearse 预演")
    parser.add_argument("--group", help="营业日组代码（只有一个组时可省）")
    parser.add_argument("--until", type=date.fromisoformat, help="一直做到哪一天（含），缺省只做当前营业日")
    parser.add_argument("--days", type=int, help="连续做几天")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from datetime import timedelta

    from sancha.dayclose import engine
    from sancha.kernel.money import format_yuan
    from sancha.kit.actor import SYSTEM

    group = pick_group(args.group)
    if args.action == "status":
        rows = engine.status(group_id=group.id)
        if not args.json:
            print(f"{group.name}　营业日 {group.business_date}")
            for row in rows:
                print(f"{row['day']}  {row['status_name']}  第 {row['attempts']} 次  {row['message']}")
                for step in row["steps"]:
                    print(
                        f"    {step['name']:<12} {step['done']:>8}/{step['total']:<8} {step['milliseconds']:>7} ms  {step['message']}"
                    )
        return {"group": group.code, "business_date": group.business_date, "runs": rows}
    if args.action == "rehearse":
        rehearsed = engine.rehearse(actor=SYSTEM, group_id=group.id)
        if not args.json:
            print(f"预演 {rehearsed['day']} 日终（不留痕迹），用时 {rehearsed['seconds']} 秒：")
            print(f"{rehearsed['changed']} 笔借据将变化，隔离 {rehearsed['held']} 笔。")
            for change in rehearsed["changes"][:20]:
                moved = f"分类 {change['class_before']}→{change['class_after']}"
                print(
                    f"  {change['number']} {change['name']} {moved} 逾期本金 {format_yuan(change['overdue_after_fen'])}"
                )
        return rehearsed
    first = engine.unfinished_day(group.id)
    until = args.until or (first + timedelta(days=args.days - 1) if args.days else None)
    show = sys.stderr.isatty() and not args.json
    reports = []
    day, last = first, until or first
    if last < day:
        raise Failure(f"{last} 已经日终，当前待日终的是 {first}。")
    while day <= last:

        def tell(name: str, done: int, total: int, day: date = day) -> None:
            if show:
                print(f"\r{day} {name} {done}/{total}    ", end="", file=sys.stderr, flush=True)

        report = engine.run(actor=SYSTEM, group_id=group.id, until=day, progress=tell)[0]
        reports.append(
            {"day": report.day, "seconds": round(report.seconds, 3), "steps": report.steps, "held": report.held}
        )
        if show:
            print("\r", end="", file=sys.stderr)
        if not args.json:
            done = report.steps
            print(f"{report.day} 日终完成，{report.seconds:.2f} 秒：逐笔 {done.get('LOANS', 0)} 笔，", end="")
            print(f"新任务 {done.get('FOLLOW_UP', 0)} 条，隔离 {report.held} 笔。")
        day += timedelta(days=1)
    return {"group": group.code, "days": reports}


def pick_group(code: str | None) -> Any:
    """按代码取营业日组；只有一个组时可不写。"""
    from sancha.apps.businessday import queries as businessday

    groups = businessday.groups()
    if not groups:
        raise Failure("还没有营业日组。请先运行 sancha demo 或 sancha init。")
    if code is None:
        return groups[0]
    found = next((group for group in groups if group.code == code), None)
    if found is None:
        raise Failure(f"没有代码为「{code}」的营业日组。现有：{'、'.join(group.code for group in groups)}。")
    return found
