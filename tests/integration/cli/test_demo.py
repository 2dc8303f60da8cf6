"""``sancha demo``：造一次，再来就用现成的；没造完的、不是样例的库一概不碰；样例口令第一次登录就换成正式强度。"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOG_IN = """
import django; django.setup()
from django.contrib.auth.hashers import get_hasher
from sancha.apps.access.models import Person
person = Person.objects.get(username="chuwei")
factor = lambda: get_hasher("scrypt").decode(person.password)["work_factor"]
before = factor()
assert person.check_password("Sancha-demo-2026") and not person.check_password("Sancha-demo-2027")
person.refresh_from_db()
print(before, factor(), len({p.password for p in Person.objects.all()}) == Person.objects.count())
"""


def _python(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment |= {
        "SANCHA_HOME": str(home),
        "SANCHA_DATABASE_URL": f"sqlite:///{home}/sancha.sqlite3",
        "DJANGO_SETTINGS_MODULE": "sancha.config.settings",
    }
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def _demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _python(home, "-m", "sancha.interfaces.cli.main", "demo", "--no-serve", *arguments)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    built = _demo(folder)
    assert built.returncode == 0, built.stderr
    assert "样例机构已就绪" in built.stdout
    assert "chuwei" in built.stdout
    assert "信贷员岗" in built.stdout
    return folder


def test_the_second_run_uses_what_is_there(home: Path) -> None:
    again = _demo(home)
    assert again.returncode == 0, again.stderr
    assert "样例机构已就绪" not in again.stdout
    assert f"要从头来：删除数据目录 {home}" in again.stdout


def test_the_full_sample_asks_for_an_empty_database(home: Path) -> None:
    refused = _demo(home, "--full")
    assert refused.returncode == 1
    assert "须从空库造" in refused.stderr


def test_what_it_built_passes_the_audit(home: Path) -> None:
    checked = _python(home, "-m", "sancha.interfaces.cli.main", "check", "--all")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_sample_passwords_are_salted_and_become_full_strength_at_first_login(home: Path) -> None:
    said = _python(home, "-c", LOG_IN)
    assert said.stdout.split() == ["1024", "16384", "True"], said.stderr


def test_an_unfinished_or_real_database_is_left_alone(home: Path) -> None:
    logins = home / "demo-logins.json"
    kept = logins.read_bytes()
    logins.unlink()
    try:
        refused = _demo(home)
    finally:
        logins.write_bytes(kept)
    assert refused.returncode == 1
    assert "不是一套完整的样例" in refused.stderr
