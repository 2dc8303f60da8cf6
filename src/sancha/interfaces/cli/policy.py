"""``sancha policy lint|show``：规则库检查与查询。"""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("action", choices=["lint", "show"])
    parser.add_argument("code", nargs="?", help="参数代码（show）")
    parser.add_argument("--on", type=date.fromisoformat, help="哪一天的值，缺省最新")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    from sancha import rulebook
    from sancha.rulebook.lint import lint

    start_django()
    from sancha.kit.clock import calendar_today

    # 没写日期就以自然日为准：规则库不属于哪一家机构，没有营业日。
    on = args.on or calendar_today()
    if args.action == "show":
        if not args.code:
            raise Failure("请写参数代码，例如 sancha policy show penalty.multiplier_ppm。")
        value = rulebook.parameter(args.code, on)
        if not args.json:
            print(
                f"{args.code} = {value.value} {value.unit}（自 {value.effective_from}，{value.clause}，{value.source}）"
            )
        return {
            "code": args.code,
            "value": value.value,
            "unit": value.unit,
            "clause": str(value.clause),
            "source": value.source,
        }
    problems = lint(on=on)
    if not args.json:
        for problem in problems:
            print(problem)
        print("规则库检查完毕：" + ("没有问题。" if not problems else f"{len(problems)} 条提示。"))
    document = {"problems": [str(problem) for problem in problems]}
    if any(problem.level == "error" for problem in problems):
        raise Failure("规则库有错误，见上。", document)
    return document
