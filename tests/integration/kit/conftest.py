"""kit 的测试：封存审计事件后清库要绕过触发器；备份与并发要在真正的数据库上做，不是内存库。"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from tests.support.flush import lift_guards_while_flushing

lift_guards_while_flushing()


# Django takes seconds to start and these tests ask many small things: one process an office answers them all.
SERVE = """
import contextlib, io, json, sys, traceback
from django.db import connections
for line in sys.stdin:
    out, fault = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(out):
            exec(json.loads(line), {})
    except BaseException:
        fault = traceback.format_exc()
    connections.close_all()
    print(json.dumps([out.getvalue(), fault]), flush=True)
"""


@dataclass
class Office:
    """一处独立的安装：自己的数据目录、数据库与密钥。代码在另一个进程里跑，与真的一样。"""

    home: Path
    database: str
    secret: str = "office-secret"
    serving: subprocess.Popen[str] | None = None

    def start(self, code: str) -> subprocess.Popen[str]:
        """另起一个进程跑 ``code``：要并发、要被杀、要改动程序自身的，用它。"""
        environment = {
            **os.environ,
            "SANCHA_HOME": str(self.home),
            "SANCHA_DATABASE_URL": self.database,
            "SANCHA_SECRET_KEY": self.secret,
            "DJANGO_SETTINGS_MODULE": "sancha.config.settings",
        }
        return subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup()\n{code}"],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, code: str) -> str:
        """在这处安装的常驻进程里跑 ``code``，返回它打印的内容；出错则测试失败。"""
        if self.serving is None:
            self.serving = self.start(SERVE)
        assert self.serving.stdin is not None
        assert self.serving.stdout is not None
        self.serving.stdin.write(json.dumps(code) + "\n")
        self.serving.stdin.flush()
        printed, fault = json.loads(self.serving.stdout.readline())
        assert not fault, fault
        return str(printed).strip()

    def run_alone(self, code: str) -> str:
        """在新进程里跑 ``code``，返回它打印的内容。"""
        process = self.start(code)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out.strip()

    def close(self) -> None:
        """停下常驻进程。"""
        if self.serving is not None:
            self.serving.communicate(timeout=30)
            self.serving = None


MIGRATE = "from django.core.management import call_command; call_command('migrate', verbosity=0)"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """一份已迁移的 SQLite，各测试复制它。"""
    home = tmp_path_factory.mktemp("migrated")
    Office(home, f"sqlite:///{home / 'sancha.sqlite3'}").run_alone(MIGRATE)
    return home / "sancha.sqlite3"


@pytest.fixture(scope="session")
def new_office(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Callable[..., Office]]:
    """开一处安装：用与测试相同的数据库种类；``migrated=False`` 时数据库是空的。"""
    server = os.environ.get("SANCHA_TEST_DATABASE_URL", "")
    on_server: list[str] = []
    offices: list[Office] = []

    def remember(office: Office) -> Office:
        offices.append(office)
        return office

    def open_one(name: str, *, migrated: bool = True, secret: str = "office-secret") -> Office:
        home = tmp_path_factory.mktemp(name)
        if not server.startswith("postgres"):
            if migrated:
                shutil.copy(migrated_sqlite, home / "sancha.sqlite3")
            return remember(Office(home, f"sqlite:///{home / 'sancha.sqlite3'}", secret))
        database = f"sancha_{name}_{uuid4().hex[:8]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        on_server.append(database)
        office = remember(Office(home, urlsplit(server)._replace(path=f"/{database}").geturl(), secret))
        if migrated:
            office.run(MIGRATE)
        return office

    yield open_one
    for office in offices:
        office.close()
    for database in on_server:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
