"""``sancha quote FILE|-``：利息试算。一份 JSON 或 JSON Lines 进，每份一行结果出；只用内核，不等 Django。"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from sancha.interfaces.cli.main import Failure

EXAMPLES = """例：
  echo '{"terms": {"start": "2026-01-15", "principal_fen": 5000000, "rate_ppm": 144000,
         "method": "LEVEL_PAYMENT", "periods": 12}}' | sancha quote -
  sancha quote loans.jsonl > results.jsonl
  sancha quote --schema
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("file", nargs="?", help="一份 JSON，或 JSON Lines（一行一份）；- 为标准输入")
    parser.add_argument("--schema", action="store_true", help="打印文档格式（JSON Schema）")


def run(args: argparse.Namespace) -> Any:
    """执行：结果逐行写到标准输出，边读边算，内存恒定；有任何一份不成立，退出码 1。"""
    from sancha.kernel.calculator import calculate, schema

    if args.schema:
        print(json.dumps(schema(), ensure_ascii=False, indent=2))
        return None
    if not args.file:
        raise Failure("没有给文件。给文件名，或以 - 从标准输入读；--schema 看格式。")
    done = wrong = 0
    with _opened(args.file) as source:
        for document, fault in documents(source):
            result = {"ok": False, "errors": [fault]} if fault else calculate(document)
            print(json.dumps(result, ensure_ascii=False))
            done += 1
            wrong += not result["ok"]
    if not done:
        raise Failure("文件是空的，没有可算的文档。")
    if wrong:
        raise Failure(f"{done} 份文档中有 {wrong} 份不成立，原因在各行的 errors。", {"documents": done, "wrong": wrong})
    return None


def _opened(name: str) -> Any:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise Failure(f"读不了 {name}：{error.strerror}。") from error


def documents(source: BinaryIO) -> Iterator[tuple[Any, dict[str, Any] | None]]:
    """逐份读出：（文档，毛病）。第一个非空行自成一份 JSON 的是 JSON Lines，否则全文是一份。"""
    numbered = ((number, line) for number, line in enumerate(source, start=1) if line.strip())
    number, line = next(numbered, (0, b""))
    if not number:
        return
    first, fault = _parsed(line, number)
    if not fault:
        yield first, None
        for at, other in numbered:
            yield _parsed(other, at)
        return
    # Either one document over many lines, or a first line that is broken: the rest tells.
    others = list(numbered)
    whole, whole_fault = _parsed(b"".join([line, *(other for _, other in others)]), number)
    if not whole_fault:
        yield whole, None
    elif others and all(_is_a_line(other) for _, other in others):
        yield None, fault
        for at, other in others:
            yield _parsed(other, at)
    else:
        yield None, whole_fault


def _is_a_line(text: bytes) -> bool:
    return text.lstrip().startswith(b"{") and text.rstrip().endswith(b"}")


def _parsed(text: bytes, number: int) -> tuple[Any, dict[str, Any] | None]:
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_not_a_number), None
    except (ValueError, RecursionError) as error:
        return None, _fault(f"line {number}", f"第 {number} 行不是可读的 JSON：{error}")


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} 不是数")


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"field": field, "value": None, "message": message, "fix": "请以 UTF-8 的 JSON 提交，格式见 --schema。"}
