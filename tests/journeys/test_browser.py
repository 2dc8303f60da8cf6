"""浏览器里的路：还款到冲正与时间旅行；日终看进度；在手机上填表、手写签字、办结任务。

跑的是真的：样例机构由 ``sancha demo`` 造在文件库（或 PostgreSQL 的临时库）里，``sancha serve`` 另起进程，Chromium 去点。
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from sancha.config.check import find_browser

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        find_browser() is None, reason="没有 Chromium：浏览器用例跳过（apt install chromium fonts-noto-cjk）"
    ),
]
PASSWORD = "Sancha-demo-2026"
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


@dataclass
class Office:
    """跑着的样例机构。"""

    base: str
    environment: dict[str, str]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """在同一个库上跑一个命令。"""
        return subprocess.run(
            [sys.executable, "-m", "sancha.interfaces.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


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


def log_in(browser: sync_api.Browser, office: Office, username: str) -> sync_api.Page:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{office.base}/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("[data-fill-submit]")
    page.wait_for_url(f"{office.base}/")
    return page


def confirm(page: sync_api.Page) -> None:
    page.click("[data-ask-ok]")


def test_repay_see_explain_reverse_and_travel_back(office: Office, browser: sync_api.Browser) -> None:
    cashier = log_in(browser, office, "shenyu")
    cashier.goto(f"{office.base}/loans/?status=ACTIVE")
    link = cashier.locator("tbody a[href*='/loans/']").filter(has_text="JK").first
    number = link.inner_text().strip()
    link.click()
    cashier.wait_for_url(re.compile(r"/loans/\d+/"))
    loan_url = cashier.url.split("?")[0]
    business_day = cashier.locator("body").inner_text()
    business_day = re.search(r"营业日\s*(\d{4}-\d{2}-\d{2})", business_day).group(1)  # type: ignore[union-attr]

    cashier.goto(f"{loan_url}repay-loan/")
    cashier.fill("[name=amount_fen]", "88.88")
    cashier.click("#act button[type=submit]")
    confirm(cashier)
    cashier.wait_for_url(re.compile(re.escape(loan_url)))

    cashier.goto(f"{loan_url}?tab=facts")
    assert "88.88" in cashier.locator("body").inner_text()
    cashier.goto(f"{loan_url}?tab=vouchers")
    assert "还款" in cashier.locator("body").inner_text()
    cashier.goto(loan_url)
    cashier.locator("a[href*='/why/'], [hx-get*='/why/']").first.click()
    cashier.wait_for_selector("#why[open], .why-tree, #why-body :first-child", state="attached")

    supervisor = log_in(browser, office, "fengtao")
    supervisor.goto(f"{loan_url}?tab=facts")
    supervisor.locator("tbody a[href*='/reverse/']").first.click()
    supervisor.wait_for_url(re.compile(r"/reverse/"))
    supervisor.fill("[name=reason]", "串户，应记另一笔")
    supervisor.click("#act button[type=submit]")
    confirm(supervisor)
    supervisor.wait_for_url(re.compile(re.escape(loan_url)))
    supervisor.goto(f"{loan_url}?tab=facts")
    assert "冲正" in supervisor.locator("body").inner_text()

    supervisor.goto(f"{loan_url}?on={business_day}&known_at=2026-11-16")
    assert number in supervisor.locator("body").inner_text()
    check = office.command("check", "--all")
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_day_close_runs_with_progress(office: Office, browser: sync_api.Browser) -> None:
    operator = log_in(browser, office, "sunlei")
    operator.goto(f"{office.base}/dayclose/")
    before = re.search(r"营业日\s*(\d{4}-\d{2}-\d{2})", operator.locator("body").inner_text()).group(1)  # type: ignore[union-attr]

    operator.locator("form[action$='/run/'] button[type=submit]").first.click()
    confirm(operator)

    for _ in range(120):
        operator.wait_for_timeout(500)
        operator.goto(f"{office.base}/dayclose/")
        now = re.search(r"营业日\s*(\d{4}-\d{2}-\d{2})", operator.locator("body").inner_text()).group(1)  # type: ignore[union-attr]
        if (
            now > before
            and "借据逐笔结转" in operator.locator("body").inner_text()
            and "进行中" not in operator.locator("body").inner_text()
        ):
            break
    else:
        raise AssertionError("the close did not finish within a minute")
    assert office.command("dayclose", "status").returncode == 0


def test_an_officer_fills_signs_and_closes_a_task_on_a_phone(office: Office, browser: sync_api.Browser) -> None:
    """逾期跟进：手机上填记录、请借款人在屏幕上签字、办结。"""
    closed = office.command("dayclose", "run", "--days", "35")
    assert closed.returncode == 0, closed.stdout + closed.stderr
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale="zh-CN", is_mobile=True, has_touch=True
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{office.base}/login/")
    page.fill("[name=username]", "chuwei")
    page.fill("[name=password]", PASSWORD)
    page.click("[data-fill-submit]")
    page.wait_for_url(f"{office.base}/")
    page.goto(f"{office.base}/tasks/")
    page.locator("tbody a[href*='/tasks/']").filter(has_text="跟进").first.click()
    page.wait_for_url(re.compile(r"/tasks/\d+/"))
    task_url = page.url
    page.select_option("[name=channel]", "VISIT")
    page.fill("[name=promised_fen]", "1,000.00")
    page.click("button[name=act][value=save]")
    page.wait_for_selector("[data-ink-pad] canvas")
    box = page.locator("[data-ink-pad] canvas").bounding_box()
    assert box is not None
    page.locator("[data-ink-pad] canvas").scroll_into_view_if_needed()
    box = page.locator("[data-ink-pad] canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 100, steps=8)
    page.mouse.up()
    page.fill("[name=signer]", "王秀兰")
    page.click("form[action$='/sign/'] button[type=submit]")
    page.wait_for_selector("text=已签字")
    assert "借款人 王秀兰" in page.locator("body").inner_text()
    page.check("[name=outcome][value=PROMISED]")
    page.fill("[name=opinion]", "答应周五还一千")
    page.click("button[name=act][value=submit]")
    confirm(page)
    page.wait_for_url(f"{office.base}/tasks/")
    page.goto(task_url)
    assert "答应周五还一千" in page.locator("body").inner_text()
    context.close()
