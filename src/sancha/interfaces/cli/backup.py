"""``sancha backup 文件``：数据库与文档打成一个包，带核对清单。"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sancha.interfaces.cli.main import start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("target", type=Path, help="备份文件（.tar.gz）")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from dataclasses import asdict

    from sancha.kit import backup

    manifest = backup.backup(args.target)
    if not args.json:
        print(
            f"已备份到 {args.target}：{sum(manifest.rows.values())} 行，{len(manifest.files)} 个文件，审计链头 {manifest.audit_head or '（空）'}。"
        )
        print("密钥（SANCHA_SECRET_KEY 或数据目录里的 secret.key）不在备份里，请另行保管。")
    return asdict(manifest)
