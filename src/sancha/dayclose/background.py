"""后台：从页面发起的日终、全查与存量转入另起一个进程去做，网页只看进度；关掉浏览器、重启网页都不打断它。

进度看日终台账（``engine.status``）；进程自己的话（到哪天、谁发起、为何没开成）写在数据目录 ``run`` 下的一张便条上。
命令行：``python -m sancha.dayclose.background close|check|import 组或批次 任职 日期或all``。
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings

from sancha.dayclose import exclusive
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError

_STARTING_SECONDS = 30
"""进程起来之前没有锁；起了这么久还没拿到锁的，当作没起来。"""


def start_close(*, actor: Actor, group_id: int, until: date | None = None) -> None:
    """另起进程做日终，做到 ``until``（含，缺省一天）。

    :raises Conflict: 已有一个在跑，或 ``until`` 早于待日终的日子。
    """
    from sancha.dayclose import engine

    actor.require("dayclose.run")
    first = engine.unfinished_day(group_id)
    last = until or first
    engine.require_open_day(first, last)
    _start(exclusive.CLOSE, actor, group_id, last.isoformat(), {"until": last.isoformat(), "first": first.isoformat()})


def start_check(*, actor: Actor, group_id: int) -> None:
    """另起进程把每一笔借据都重放一遍（``sancha check --all``）。

    :raises Conflict: 已有一个在查。
    """
    actor.require("dayclose.view")
    _start(exclusive.CHECK, actor, group_id, "all", {"done": 0, "total": 0})


def start_import(*, actor: Actor, batch_id: int, on: date) -> None:
    """另起进程把一个已同意的批次做完：转入、撤回、还款文件入账（分批进行，杀掉再来即从断处接上）。

    :raises Conflict: 这一批已在做。
    """
    actor.require("imports.view")
    _start(exclusive.IMPORT, actor, batch_id, on.isoformat(), {"stage": "", "done": 0, "total": 0})


def is_running(task: str, group_id: int) -> bool:
    """是否在跑，含刚起、还没拿到锁的那一两秒。"""
    return exclusive.is_held(task, group_id) or _is_starting(task, group_id)


def note(task: str, group_id: int) -> dict[str, Any]:
    """便条：``until`` 做到哪天、``by`` 谁发起、``problem`` 没做成的原因；没有则空。"""
    try:
        written: dict[str, Any] = json.loads(_path(task, group_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return written


def _path(task: str, group_id: int) -> Path:
    return Path(settings.HOME) / "run" / f"{task}-{group_id}.json"


def _write(task: str, group_id: int, text: dict[str, Any]) -> None:
    path = _path(task, group_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
    fresh.replace(path)


def _is_starting(task: str, group_id: int) -> bool:
    written = note(task, group_id)
    pid, at = written.get("pid"), written.get("at", 0)
    if not pid or written.get("ended") or now().timestamp() - at > _STARTING_SECONDS:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _start(task: str, actor: Actor, group_id: int, argument: str, text: dict[str, Any]) -> None:
    if is_running(task, group_id):
        busy = f"第 {group_id} 批正在做。" if task == exclusive.IMPORT else "这个营业日组已有一个在进行。"
        raise Conflict(
            "DAY_CLOSE_RUNNING",
            busy,
            field="group_id",
            value=group_id,
            fix="请等它结束，进度见页面。",
        )
    # Written before the child exists: the child's own notes must come later.
    text = {**text, "at": now().timestamp(), "by": actor.name, "pid": os.getpid()}
    _write(task, group_id, text)
    child = spawn([task, str(group_id), str(actor.post_holding_id or 0), argument])
    # A child nobody waits for stays in the process table, and would look alive.
    threading.Thread(target=_await_end, args=(child, task, group_id), daemon=True).start()


def _await_end(child: subprocess.Popen[bytes], task: str, group_id: int) -> None:
    """等进程结束；没留下话就没了的（起不来、被杀），替它在便条上说一句。"""
    child.wait()
    text = note(task, group_id)
    if not text.get("ended"):
        _write(task, group_id, {**text, "ended": True, "problem": _cut_short()})


def spawn(arguments: list[str]) -> subprocess.Popen[bytes]:
    """起进程；输出写到数据目录 ``run/background.log``。"""
    log = Path(settings.HOME) / "run" / "background.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "sancha.dayclose.background", *arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip


def perform(task: str, group_id: int, holding_id: int, argument: str) -> None:
    """进程里做的事；没做成的原因写上便条。"""
    text = {**note(task, group_id), "pid": os.getpid()}
    _write(task, group_id, text)
    try:
        _TASKS[task](group_id, holding_id, argument, text)
    except DomainError as problem:
        text["problem"] = problem.as_dict()
        raise
    except BaseException:
        text["problem"] = _cut_short()
        raise
    finally:
        _write(task, group_id, {**text, "ended": True})


def _cut_short() -> dict[str, Any]:
    """没有说出缘由就结束了的。"""
    return Conflict(
        "BACKGROUND_ENDED",
        "后台进程没有做完就结束了。",
        fix="请再运行一次，即从断处接上；原因见数据目录 run/background.log。",
    ).as_dict()


def _close(group_id: int, holding_id: int, until: str, text: dict[str, Any]) -> None:
    from sancha.apps.access.queries import actor_for
    from sancha.apps.businessday.queries import group_date
    from sancha.dayclose import engine

    # The post is looked up again here: one taken away since the click closes nothing.
    actor = actor_for(holding_id, group_date(group_id=group_id))
    engine.run(actor=actor, group_id=group_id, until=date.fromisoformat(until))


def _check_all(group_id: int, _holding_id: int, _argument: str, text: dict[str, Any]) -> None:
    from sancha.dayclose import invariants

    def tell(done: int, total: int) -> None:
        text.update(done=done, total=total)
        _write(exclusive.CHECK, group_id, text)

    with exclusive.only_one(exclusive.CHECK, group_id):
        invariants.check(group_id=group_id, everything=True, progress=tell)


def _import(batch_id: int, holding_id: int, on: str, text: dict[str, Any]) -> None:
    from sancha.apps.access.queries import actor_for
    from sancha.apps.servicing.operations.importing import run_import

    def tell(name: str, done: int, total: int) -> None:
        text.update(stage=name, done=done, total=total)
        _write(exclusive.IMPORT, batch_id, text)

    day = date.fromisoformat(on)
    with exclusive.only_one(exclusive.IMPORT, batch_id):
        run_import(actor=actor_for(holding_id, day), on=day, batch_id=batch_id, progress=tell)


_TASKS = {exclusive.CLOSE: _close, exclusive.CHECK: _check_all, exclusive.IMPORT: _import}


def main() -> int:
    """进程入口。"""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sancha.config.settings")
    django.setup()
    task, group_id, holding_id, argument = sys.argv[1:]
    try:
        perform(task, int(group_id), int(holding_id), argument)
    except DomainError as problem:
        sys.stderr.write(f"{problem.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
