"""样例机构跑在自己的进程与库里，浏览器是真的 Chromium；各条路共用。"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from playwright import sync_api

from sancha.config.check import find_browser
from tests.journeys.steps import Office

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
]


def _database(home: Path) -> tuple[str, str | None]:
    """样例库的地址；PostgreSQL 时另建一个临时库，返回它的名字以便删掉。"""
    url = os.environ.get("SANCHA_TEST_DATABASE_URL", "")
    if not url.startswith("postgres"):
        return f"sqlite:///{home}/journey.sqlite3", None
    import psycopg

    name = f"sancha_journey_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")), name


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("journey")
    url, scratch = _database(home)
    environment = {**os.environ, "SANCHA_HOME": str(home), "SANCHA_DATABASE_URL": url, "SANCHA_DEMO": "1"}
    for name in ("DJANGO_SETTINGS_MODULE", "PYTEST_XDIST_WORKER"):
        environment.pop(name, None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Office(f"http://127.0.0.1:{port}", environment)
    built = running.command("demo", "--no-serve")
    assert built.returncode == 0, built.stdout + built.stderr
    server = subprocess.Popen(
        [sys.executable, "-m", "sancha.interfaces.cli.main", "serve", "--port", str(port)], env=environment
    )
    try:
        _until_up(running.base, server)
        yield running
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(home, ignore_errors=True)
        if scratch:
            import psycopg

            with psycopg.connect(os.environ["SANCHA_TEST_DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{scratch}" WITH (FORCE)')


def _until_up(base: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(f"{base}/login/", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server did not come up")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield chromium
        chromium.close()
