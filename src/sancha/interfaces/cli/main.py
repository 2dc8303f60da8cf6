"""命令行：一个命令一个模块。退出码 0 只在一切正常时返回；错误写到标准错误；``--json`` 给机器读。"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from sancha import __version__

# 命令 → (模块, 一句话)。模块只在用到时载入，quote 不必等 Django。
COMMANDS = {
    "demo": ("demo", "样例机构：装库、造数据、启动网页（--full 造两年全量数据）"),
    "init": ("init", "建库并开户：科目、机构、第一位管理员（首次登录须改密码）"),
    "serve": ("serve", "启动网页与接口"),
    "worker": ("worker", "后台：投递发件箱、推送事件、封存审计链"),
    "webhooks": (
        "webhooks",
        "事件推送：list · add · pause · resume · close · rotate · test · deliveries · redeliver · events",
    ),
    "dayclose": ("dayclose", "日终：run 运行 · status 进度 · rehearse 预演"),
    "check": ("check", "独立审计：不变式逐项核对（--all 全部重放）"),
    "import": ("import_portfolio", "转入存量：客户、借据、还款、余额（先预检）"),
    "quote": ("quote", "利息试算：一份 JSON 或 JSON Lines，输出状态"),
    "policy": ("policy", "规则库：lint 检查 · show 参数"),
    "bench": ("bench", "测速：kernel · dayclose"),
    "backup": ("backup", "备份数据库与文档"),
    "restore": ("restore", "从备份恢复"),
}


class Failure(Exception):
    """命令失败：给人看的话与给机器看的内容。"""

    def __init__(self, message: str, document: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document or {"message": message}


def build_parser() -> argparse.ArgumentParser:
    """命令行的总解析器；子命令的参数由各模块的 ``arguments`` 补上。"""
    parser = argparse.ArgumentParser(
        prog="sancha",
        description="三查：小额贷款全生命周期系统。",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sancha {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="命令", required=True)
    for name, (module, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--json", action="store_true", help="结果输出为 JSON")
        sub.set_defaults(module=module)
        _module(module).arguments(sub)
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"sancha.interfaces.cli.{name}")


def main(argv: Sequence[str] | None = None) -> int:
    """入口。"""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sancha.config.settings")
    args = build_parser().parse_args(argv)
    try:
        document = _module(args.module).run(args)
    except Failure as failure:
        _report_failure(args, failure.document, str(failure))
        return 1
    except KeyboardInterrupt:
        print("已中断；重跑会从断处接上。", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        from sancha.kit.errors import DomainError

        if _is_missing_table(error):
            text = "数据库还没有建好，或还没有升级到这一版。处理：样例用 sancha demo，正式用 sancha init；升级的先启动一次 sancha serve。"
            _report_failure(args, {"code": "DATABASE_NOT_READY", "message": text}, text)
            return 1
        if not isinstance(error, DomainError):
            raise
        parts = [
            error.message,
            *(f"依据：{error.clause}" for _ in [0] if error.clause),
            *(f"处理：{error.fix}" for _ in [0] if error.fix),
        ]
        _report_failure(args, error.as_dict(), " ".join(parts))
        return 1
    if args.json and document is not None:
        print(json.dumps(document, ensure_ascii=False, default=str))
    return 0


def _is_missing_table(error: Exception) -> bool:
    from django.db import OperationalError, ProgrammingError

    said = str(error)
    return isinstance(error, OperationalError | ProgrammingError) and (
        "no such table" in said or ("relation" in said and "does not exist" in said)
    )


def _report_failure(args: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    print(json.dumps(document, ensure_ascii=False, default=str) if args.json else f"失败：{text}", file=sys.stderr)


def start_django() -> None:
    """载入 Django（接线由 ``sancha.config`` 应用在就绪时完成）。命令模块在 ``run`` 里先调用它。"""
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
