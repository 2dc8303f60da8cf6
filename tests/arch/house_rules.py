"""自家的代码规矩：ruff 与 import-linter 管不到、而一错就错在钱上的几条，用语法树查。

每条规矩带着理由；``test_house_rules`` 给每条都种下违例，证明它会咬人。例外写在规矩里，不写在被查的文件里。
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sancha"

Check = Callable[[ast.Module], Iterator[tuple[int, str]]]


@dataclass(frozen=True)
class Rule:
    """一条规矩：管哪些文件（``covers``，相对 src/sancha 的路径），怎么查，为什么。"""

    code: str
    reason: str
    covers: Callable[[str], bool]
    check: Check

    def violations(self, path: str, source: str) -> list[str]:
        if not self.covers(path):
            return []
        return [f"{path}:{line}: {self.code}: {what}" for line, what in self.check(ast.parse(source))]


def names_in(node: ast.AST) -> str | None:
    """一个操作数最后的名字：``fee_fen``、``row.fee_fen``、``row["fee_fen"]`` 都是 ``fee_fen``。"""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return None


def is_money(node: ast.AST) -> bool:
    name = names_in(node)
    return name is not None and (name == "fen" or name.endswith("_fen"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """每个被引入的全名：``from a.b import c`` 是 ``a.b.c``。"""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def float_near_money(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            if isinstance(node.op, ast.Div) and any(map(is_money, sides)):
                yield node.lineno, "「/」得到浮点；用 round_div 并写明取整规则"
            if any(map(is_money, sides)) and any(isinstance(s, ast.Constant) and type(s.value) is float for s in sides):
                yield node.lineno, "金额与浮点常数运算"
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            if is_money(node.target) or is_money(node.value):
                yield node.lineno, "「/=」得到浮点；用 round_div 并写明取整规则"
        elif isinstance(node, ast.Call) and names_in(node.func) == "float" and any(map(is_money, ast.walk(node))):
            yield node.lineno, "float() 用在金额上"


CLOCK_NAMES = {"now", "today", "utcnow", "localdate", "localtime", "Now", "CurrentDate"}


def wall_clock(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imported(tree):
        module, _, last = name.rpartition(".")
        if last in CLOCK_NAMES and not module.endswith("kit.clock"):
            yield line, f"{name}：墙上时钟只在 kit.clock 读"
        if name in {"time.time", "time.time_ns"}:
            yield line, f"{name}：墙上时钟只在 kit.clock 读"
    # localtime(moment) turns a given moment into local time; only without an argument does it read the clock.
    conversions = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and names_in(node.func) in {"localtime", "localdate"}
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in conversions:
            base = names_in(node.value)
            if node.attr in CLOCK_NAMES and base != "clock":
                yield node.lineno, f"{base}.{node.attr}：墙上时钟只在 kit.clock 读，营业日是参数"
            if base == "time" and node.attr in {"time", "time_ns"}:
                yield node.lineno, f"time.{node.attr}：墙上时钟只在 kit.clock 读"
        elif isinstance(node, ast.keyword) and node.arg in {"auto_now", "auto_now_add"}:
            yield node.value.lineno, f"{node.arg}：数据库字段自己读了时钟，测试与重放都管不住"


def rows(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager", "_base_manager"}:
            yield node.lineno, f".{node.attr}：查询写在 queries，写入写在 operations"


TRANSACTION_CALLS = {"atomic", "set_autocommit", "commit", "rollback", "savepoint"}


def transactions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imported(tree):
        if name == "django.db.transaction.atomic":
            yield line, "事务归操作所有"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in TRANSACTION_CALLS and names_in(node.value) == "transaction":
            yield node.lineno, f"transaction.{node.attr}：事务归操作所有"


SIGNAL_MODULES = ("django.dispatch", "django.db.models.signals", "django.core.signals", "django.contrib.auth.signals")


def signals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imported(tree):
        if f"{name}.".startswith(tuple(f"{module}." for module in SIGNAL_MODULES)):
            yield line, f"{name}：事件登记在 config/wiring，提交后由发件箱投递"


MUTATING = {"append", "add", "pop", "remove", "discard", "update", "save", "create", "delete", "execute", "next"}


def working_asserts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            for inner in ast.walk(node.test):
                if isinstance(inner, ast.NamedExpr):
                    yield node.lineno, "断言里用了 :=，断言应当删去也不改变结果"
                elif isinstance(inner, ast.Call) and names_in(inner.func) in MUTATING:
                    yield node.lineno, f"断言里调用了 {names_in(inner.func)}()，断言应当删去也不改变结果"


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if any(names_in(decorator) == "overload" for decorator in node.decorator_list):
            continue
        text = (ast.get_docstring(node) or "").lstrip("「《“ ")
        if not re.match(r"[\u4e00-\u9fff]", text):
            yield node.lineno, f"{node.name}：缺文档字符串，或不是以中文术语开头"


def in_app(*names: str) -> Callable[[str], bool]:
    pattern = re.compile(rf"apps/\w+/({'|'.join(names)})(\.py|/.+)$")
    return lambda path: pattern.match(path) is not None


OPERATIONS = in_app("operations")
OPERATIONS_AND_QUERIES = in_app("operations", "queries")
ENGINES = re.compile(r"(dayclose/engine|apps/\w+/(\w+_)?engine)(\.py|/.+)$")
# Technical tables with batches of their own: the operation wrapper, delivery, sealing, job leases.
KIT_WITH_TRANSACTIONS = {"kit/operation.py", "kit/outbox.py", "kit/audit.py", "kit/jobs.py", "kit/backup/postgresql.py"}
# 日终的步骤：每一批、每一笔各是一个事务，这正是它能杀能续的缘故（docs/algorithms/day-close.md）；测速造的账同理。
CLOSE_STEPS = {
    "dayclose/pipeline.py",
    "dayclose/invariants.py",  # 核对须看同一时刻的快照，只读
    "apps/servicing/repricing.py",
    "apps/servicing/rotation.py",
    "apps/servicing/benchmark.py",
}


def may_own_transaction(path: str) -> bool:
    return OPERATIONS(path) or ENGINES.match(path) is not None or path in KIT_WITH_TRANSACTIONS | CLOSE_STEPS


def words_at_import(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """引入时就译好的话：函数之外调 ``gettext``。"""
    names = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name == "gettext"
    }
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node.lineno, "gettext at import; use gettext_lazy"
        waiting += ast.iter_child_nodes(node)


RULES = [
    Rule(
        "float-near-money",
        "浮点记不准钱：3 万笔 99,999,999.99 相加少 298.32。金额是整数分，除法写明取整规则（docs/adr/0002）。",
        lambda path: True,
        float_near_money,
    ),
    Rule(
        "wall-clock",
        "日终后营业日已是明天，跨零点重跑会算成两天；营业日是参数，时刻只为留痕，从 kit.clock 取（docs/adr/0005）。",
        lambda path: path != "kit/clock.py",
        wall_clock,
    ),
    Rule(
        "rows-at-the-edge",
        "界面直接查表就绕过了数据范围与脱敏，一页一行一查也从这里长出来（docs/ARCHITECTURE.md）。",
        lambda path: not path.startswith(("apps/", "kit/", "dayclose/")),
        rows,
    ),
    Rule(
        "stray-transaction",
        "一个用例一个事务：里层自开事务会留下半笔账，外层也数不清有几条语句（docs/adr/0012）。",
        lambda path: not may_own_transaction(path),
        transactions,
    ),
    Rule("no-signals", "信号的次序看不见、类型查不到，账不能靠它（docs/adr/0020）。", lambda path: True, signals),
    Rule("working-assert", "断言只许看，不许做：做事的断言一旦关掉，账就变了。", lambda path: True, working_asserts),
    Rule(
        "words-at-import",
        "模块引入时还不知道给谁看：那时就译好的话，换了语言也不变。",
        lambda path: True,
        words_at_import,
    ),
    Rule(
        "chinese-docstring",
        "标识符是英文，用的人讲中文：每个公开函数先报中文名，词汇表才对得上（docs/glossary.md）。",
        lambda path: path.startswith(("kernel/", "rulebook/", "kit/")) or OPERATIONS_AND_QUERIES(path),
        docstrings,
    ),
]

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def drawer_named(path: str) -> bool:
    """名字是抽屉的文件或目录：什么都能放的地方，什么都找不到。"""
    return any(part.removesuffix(".py") in DRAWERS for part in Path(path).parts)


# "/" stands for an address without a host: a path of the machine itself.
PUBLIC_HOSTS = {"/", "127.0.0.1", "localhost", "[::1]", "github.com", "www.apache.org", "json-schema.org"}
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://(?:[^/\s\"'@]*@)?(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+|/)")
PRIVATE = re.compile(
    r"\b(?:10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+"
    r"|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:internal|local|corp|lan|intranet))\b"
)
LOCK_OPTION = re.compile(r"^\s*(?:--|-i\s|-f\s)(?!hash=)(?:index|extra|find|trusted)", re.MULTILINE)


def private_hosts(text: str, *, lock: bool) -> list[str]:
    """点名了哪些私有主机。锁文件里任何地址都不许有，配置里只许公开的与本机的。"""
    found = PRIVATE.findall(text) + [host for host in URL.findall(text) if lock or host not in PUBLIC_HOSTS]
    return found + ([match.strip() for match in LOCK_OPTION.findall(text)] if lock else [])


# Folders of the machines that this was written on; nobody else has them.
MACHINE_PATH = re.compile(r"/(?:work/(?:main|shared|\.library)|root|tmp/bash_jobs)\b")
