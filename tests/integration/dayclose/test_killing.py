"""真的杀：日终在自己的进程里跑，随机时刻 ``kill -9``，再跑到做完；与没被杀过的一家比，账、任务、凭证件数完全相同。

用自己的数据库（SQLite 文件，或在同一台 PostgreSQL 上新建的库），因为测试库的事务别的进程看不见。
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("kill_office.py")
LOANS, DAYS, KILLS = 16, 3, 4
SEED = int(os.environ.get("SANCHA_KILL_SEED", str(time.time_ns() % 100_000)))


@pytest.fixture(params=[1, 2], ids=["alone", "crew"])
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[dict[str, str]]]:
    """两个空库的环境变量：一个要被杀，一个从不被杀。日终一个进程做，或（PostgreSQL）分给两个帮手。"""
    given = settings.DATABASES["default"]
    base = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "SANCHA_DAYCLOSE_WORKERS": str(request.param),
    }
    if given["ENGINE"].endswith("sqlite3"):
        if request.param > 1:
            pytest.skip("SQLite 的写事务一个接一个，日终只用一个进程")
        yield [
            {**base, "SANCHA_HOME": str(tmp_path / name), "SANCHA_DATABASE_URL": f"sqlite:///{tmp_path / name}.sqlite3"}
            for name in ("killed", "calm")
        ]
        return
    import psycopg

    server = {"host": given["HOST"], "port": given["PORT"], "user": given["USER"], "password": given["PASSWORD"]}
    names = [f"sancha_kill_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    with psycopg.connect(dbname="postgres", autocommit=True, **server) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            credentials = f"{given['USER']}:{given['PASSWORD']}@" if given["PASSWORD"] else f"{given['USER']}@"
            yield [
                {
                    **base,
                    "SANCHA_HOME": str(tmp_path / name),
                    "SANCHA_DATABASE_URL": f"postgresql://{credentials}{given['HOST']}:{given['PORT'] or 5432}/{name}",
                }
                for name in names
            ]
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def run(place: dict[str, str], *arguments: str) -> dict[str, Any]:
    """跑一个动作，取它最后一行的 JSON。"""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=place,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    last = done.stdout.strip().splitlines()[-1]
    return json.loads(last) if last.startswith("{") else {}


def killed_once(place: dict[str, str], group_id: int, until: date, after: float) -> bool:
    """起一个日终，``after`` 秒后杀掉；没等到杀就已做完的返回假。"""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "close", str(group_id), until.isoformat()],
        env=place, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said, complaints = process.communicate(timeout=60)
    if process.returncode not in {0, -signal.SIGKILL}:
        # Killed too early to matter is fine; refused or broken is not.
        raise AssertionError(complaints[-3000:])
    return "seconds" not in said


def test_kill_nine_at_random_moments(places: list[dict[str, str]]) -> None:
    killed, calm = places
    rng = Random(SEED)
    print(f"SANCHA_KILL_SEED={SEED}")
    opened = [run(place, "open", str(LOANS)) for place in places]
    group_id, first = int(opened[0]["group_id"]), date.fromisoformat(opened[0]["today"])
    until = first + timedelta(days=DAYS - 1)
    # The undisturbed bank says how long the work takes here. The first kill falls early, so that one surely lands
    # on a noisy machine; the others anywhere.
    whole = run(calm, "close", str(opened[1]["group_id"]), until.isoformat())["seconds"]
    deaths = 0
    while deaths < KILLS and killed_once(killed, group_id, until, rng.uniform(0, whole if deaths else whole / 4)):
        deaths += 1
    assert deaths, "the close was never caught alive; make it longer"
    if deaths == KILLS:
        run(killed, "close", str(group_id), until.isoformat())
    after, control = run(killed, "check", str(group_id)), run(calm, "check", str(opened[1]["group_id"]))
    print(f"deaths {deaths}, attempts {after['attempts']}")
    assert after["days"] == control["days"] == [(first + timedelta(days=number)).isoformat() for number in range(DAYS)]
    assert after["problems"] == control["problems"] == []
    assert (after["unfinished"], after["doubled"]) == (0, 0)
    assert (after["tasks"], after["facts"]) == (control["tasks"], control["facts"])
    assert after["vouchers"] == control["vouchers"]


@pytest.mark.parametrize("places", [2], ids=["crew"], indirect=True)
def test_the_crew_leaves_with_its_captain(places: list[dict[str, str]]) -> None:
    """日终进程被杀，帮手不成孤儿：它们的数据库连接随即断开。"""
    place = places[0]
    import psycopg

    opened = run(place, "open", str(LOANS))
    until = date.fromisoformat(opened["today"]) + timedelta(days=30)
    url = place["SANCHA_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:

        def connected() -> int:
            rows = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
            assert rows is not None
            return int(rows[0])

        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "close", str(opened["group_id"]), until.isoformat()],
            env=place, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        most = 0
        while process.poll() is None and most < 2:
            most = max(most, connected())
        assert most >= 2, "the helpers were never seen; the close ended too soon"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        give_up = time.monotonic() + 20
        while connected() and time.monotonic() < give_up:
            time.sleep(0.05)
        assert connected() == 0
