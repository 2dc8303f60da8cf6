"""``sancha bench kernel|dayclose``：测速。数字连同机器写进 README，任何人可重复。"""

from __future__ import annotations

import argparse
import os
import platform
from typing import Any

from sancha.interfaces.cli.main import Failure


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("subject", choices=["kernel", "dayclose"])
    parser.add_argument("--loans", type=int, default=10_000, help="dayclose：造多少笔借据")
    parser.add_argument(
        "--scene", action="append", choices=["quiet", "normal", "due"], help="dayclose：只测这个场景（可重复写）"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="dayclose：测完保留数据库")


def run(args: argparse.Namespace) -> Any:
    """执行。dayclose 在一个专用的空库里造数，绝不碰现有数据。"""
    if args.subject == "kernel":
        from sancha.interfaces.cli import bench_kernel

        result = bench_kernel.measure()
        if not args.json:
            for row in result["rows"]:
                print(f"{row['case']:<46} {row['microseconds']:>10.1f} µs")
    else:
        if args.loans < 100:
            raise Failure("--loans 至少 100。")
        from sancha.interfaces.cli import bench_dayclose

        result = bench_dayclose.measure(
            loans=args.loans, seed=args.seed, keep=args.keep, quiet=args.json, scenes=args.scene
        )
    result["machine"] = {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.system()}
    return result
