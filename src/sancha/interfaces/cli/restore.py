"""``sancha restore 文件``：先验明完整、密钥与版本，再恢复。"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sancha.interfaces.cli.main import start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("source", type=Path, help="备份文件")
    parser.add_argument("--force", action="store_true", help="目标已有数据也覆盖（原数据先移到一旁）")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from dataclasses import asdict

    from sancha.kit import backup

    restored = backup.restore(args.source, force=args.force)
    if not args.json:
        print(f"已恢复 {args.source}。请运行 sancha check --all 核对。")
    return asdict(restored)
