"""``sancha policy lint|show|explain``：规则库检查、查询，对一个案子求裁定。"""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.add_argument("action", choices=["lint", "show", "explain"])
    parser.add_argument("code", nargs="?", help="参数代码（show），或案情 JSON 文件、- 为标准输入（explain）")
    parser.add_argument("--on", type=date.fromisoformat, help="哪一天的值，缺省最新")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    from sancha import rulebook
    from sancha.rulebook.lint import lint

    start_django()
    from sancha.kit.clock import calendar_today

    if args.action == "explain":
        return _explain(args)
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


def _explain(args: argparse.Namespace) -> dict[str, Any]:
    """读案情，逐条说裁定：结论、依据、缺什么、最少改什么。"""
    import sys
    from pathlib import Path

    from pydantic import ValidationError

    from sancha.rulebook.case_file import CaseFile, explain
    from sancha.rulebook.rulebase import rulebase, show

    if not args.code:
        raise Failure("请写案情 JSON 文件，或 - 从标准输入读。")
    base = rulebase()
    try:
        text = sys.stdin.read() if args.code == "-" else Path(args.code).read_text(encoding="utf-8")
        document = explain(CaseFile.model_validate_json(text), base)
    except OSError as error:
        raise Failure(f"读不了 {args.code}：{error.strerror}。") from error
    except ValidationError as error:
        told = "；".join(f"{'.'.join(map(str, item['loc']))}：{item['msg']}" for item in error.errors())
        raise Failure(f"案情文件不合：{told}。") from error
    except ValueError as error:
        raise Failure(f"{error}。") from error
    if not args.json:
        for verdict in document["verdicts"]:
            print(f"{verdict['outcome_name']:<5} {verdict['name']}（{verdict['rule']}，{verdict['version']} 版）")
            if verdict["limit_fen"] is not None:
                print(f"      上限 {show(verdict['limit_fen'], '分')}")
            if verdict["outcome"] == "FAIL":
                print(f"      {verdict['message']}\n      依据 {verdict['citation']}\n      补救 {verdict['remedy']}")
            for change in verdict["changes"]:
                unit = _unit(base, change["fact"])
                after = show(change["after"], unit)
                print(f"      {change['name']} {show(change['before'], unit)} → {after}，结论就翻过来")
        for item in document["missing"]:
            print(f"待补  {item['ask']}（{item['fact']}）")
        limit = document["limit_fen"]
        done = f"，{document['effect_name']}" if document["effect_name"] else ""
        print(
            f"总的结论：{document['outcome_name']}{done}" + (f"，限额 {show(limit, '分')}" if limit is not None else "")
        )
    return document


def _unit(base: Any, fact: str) -> str:
    """事实的单位；记录里的栏目（``guarantors[1].age_years``）取栏目的。"""
    name, _, rest = fact.partition("[")
    definition = base.facts[name]
    unit: str = definition.fields[rest.partition("].")[2]].unit if rest else definition.unit
    return unit
