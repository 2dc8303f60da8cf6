"""全部检查：``make test`` 运行的就是它——静态检查，再把测试在 SQLite 与 PostgreSQL 上各跑一遍。

用法 ``python -m sancha.config.check``。环境变量：

- ``SANCHA_TEST_POSTGRES``：PostgreSQL 的管理库地址；连得上才跑 PostgreSQL 那一半。
- ``SANCHA_REQUIRE_ALL=1``：什么都不许因为缺服务器、缺浏览器而跳过；跳过即失败（CI 用）。

本模块同时是一个 pytest 插件：把 ``data`` 标记写进结果文件，好分清「没有样本数据」与「没有浏览器」两种跳过。
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[3]
DEFAULT_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
BROWSERS = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
TERSE = ("--output-format", "concise")  # one line a finding; the summary must stay in sight


@dataclass(frozen=True, slots=True)
class Tally:
    """计数：通过、失败（含出错）、跳过各多少项。"""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(slots=True)
class Step:
    """一步的结果：``tally`` 只有测试才有；``missed`` 是因缺服务器或浏览器而没跑的用例。"""

    title: str
    ok: bool
    seconds: float
    tally: Tally = field(default_factory=Tally)
    ran: set[str] = field(default_factory=set)
    missed: dict[str, str] = field(default_factory=dict)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """插件钩子：给读样本数据的用例留记号。它们缺的是数据而不是环境，``SANCHA_REQUIRE_ALL`` 不追究。"""
    for item in items:
        if item.get_closest_marker("data"):
            item.user_properties.append(("marker", "data"))


def read_report(path: Path) -> tuple[Tally, set[str], dict[str, str]]:
    """读结果：从 JUnit 文件取计数、跑过的用例、被跳过的用例与原因（不含 ``data`` 标记的）。

    文件不存在说明 pytest 自己没跑完，由调用者按一次失败计。
    """
    passed = failed = skipped = 0
    ran: set[str] = set()
    missed: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            ran.add(name)
        elif skip is not None:
            skipped += 1
            if case.find("properties/property[@value='data']") is None and skip.get("type") != "pytest.xfail":
                missed[name] = skip.get("message", "")
        else:
            passed += 1
            ran.add(name)
    return Tally(passed, failed, skipped), ran, missed


def never_ran(steps: Sequence[Step]) -> dict[str, str]:
    """从未跑过的用例：在哪一半都被跳过。只属于一种数据库的用例在另一半跳过是应当的，不算。"""
    ran = set().union(*(step.ran for step in steps))
    return {name: reason for step in steps for name, reason in step.missed.items() if name not in ran}


def find_browser() -> str | None:
    """浏览器：找 Chromium 的位置，没有返回 None。"""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def why_no_postgres(url: str) -> str | None:
    """PostgreSQL 连不连得上：连得上返回 None，否则返回一行原因。"""
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return None


def say(text: str = "") -> None:
    """打印一行并立即送出，好与子进程的输出按次序排列。"""
    print(text, flush=True)  # noqa: T201 - this module is a command


def run_tool(title: str, command: Sequence[str]) -> Step:
    """静态检查一步。失败在总数里计一次。"""
    say(f"\n══ {title} ══")
    started = time.perf_counter()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return Step(title, code == 0, time.perf_counter() - started, Tally(failed=int(code != 0)))


def run_tests(title: str, arguments: Sequence[str], database_url: str | None) -> Step:
    """测试一遍。``database_url`` 为空用临时 SQLite。"""
    say(f"\n══ {title} ══")
    environment = {name: value for name, value in os.environ.items() if name != "SANCHA_TEST_DATABASE_URL"}
    if database_url:
        environment["SANCHA_TEST_DATABASE_URL"] = database_url
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sancha-check-") as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "sancha.config.check",
            "-n",
            "2",
            "-rs",
            f"--junitxml={report}",
        ]
        code = subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=False).returncode
        tally, ran, missed = read_report(report) if report.exists() else (Tally(), set[str](), dict[str, str]())
    if code and not tally.failed:  # collection broke, nothing was collected, or pytest itself died
        tally += Tally(failed=1)
    return Step(title, code == 0, time.perf_counter() - started, tally, ran, missed)


def static_checks() -> list[Step]:
    """静态检查：代码规范、格式、导入次序、类型。"""
    python, beside = sys.executable, Path(sys.executable).parent
    return [
        run_tool("代码规范 ruff check", [python, "-m", "ruff", "check", *TERSE, "src", "tests"]),
        run_tool("代码格式 ruff format --check", [python, "-m", "ruff", "format", "--check", *TERSE, "src", "tests"]),
        run_tool("导入次序 lint-imports", [str(beside / "lint-imports"), "--no-logo"]),
        run_tool("类型 mypy", [python, "-m", "mypy"]),
    ]


def summarize(steps: Sequence[Step], absent: Sequence[str], *, strict: bool) -> Tally:
    """小结：逐步报结果与用时，说明跳过了什么、为什么，返回合计；``strict`` 时跳过也计入失败。"""
    say("\n══ 小结 ══")
    for step in steps:
        counts = f"  {step.tally}" if step.ran or step.tally.passed else ""
        say(f"{'通过' if step.ok else '失败'}  {step.seconds:7.1f} 秒  {step.title}{counts}")
    for line in absent:
        say(f"跳过  {line}")
    missed = never_ran(steps)
    for name, reason in sorted(missed.items()):
        say(f"没有跑过  {name}：{reason}")
    total = sum((step.tally for step in steps), Tally())
    if strict and (absent or missed):
        say("失败  SANCHA_REQUIRE_ALL=1：上面跳过的都算失败。")
        total += Tally(failed=len(absent) + len(missed))
    return total


def main(arguments: Sequence[str]) -> int:
    """依次跑完全部检查（一步失败不挡下一步），最后一行是合计；全部正常才返回 0。

    ``arguments`` 原样交给 pytest，例如 ``tests/unit``。
    """
    absent: list[str] = []
    if find_browser() is None:
        absent.append("浏览器用例：/usr/bin/chromium 与 PATH 里都没有（Debian：apt install chromium fonts-noto-cjk）。")

    steps = [*static_checks(), run_tests("测试：SQLite", arguments, None)]
    postgres = os.environ.get("SANCHA_TEST_POSTGRES") or DEFAULT_POSTGRES
    if reason := why_no_postgres(postgres):
        server = postgres.rpartition("@")[2]  # never the password
        absent.append(f"PostgreSQL 那一半：{server} 连不上（{reason}）。可用 SANCHA_TEST_POSTGRES 指定一台。")
    else:
        steps.append(run_tests("测试：PostgreSQL", arguments, postgres))

    total = summarize(steps, absent, strict=os.environ.get("SANCHA_REQUIRE_ALL") == "1")
    say(str(total))
    return 0 if total.failed == 0 and all(step.ok for step in steps) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
