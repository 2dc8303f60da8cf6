"""走路的人：登录、确认、从页面上读营业日。"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

import pytest
from playwright import sync_api

from sancha.config.check import find_browser

NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        find_browser() is None, reason="没有 Chromium：浏览器用例跳过（apt install chromium fonts-noto-cjk）"
    ),
]
PASSWORD = "Sancha-demo-2026"


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


# Chromium says either, as the page's own change of page comes before or after the answer to ours.
MOVED = ("interrupted by another navigation", "net::ERR_ABORTED")


def visit(page: sync_api.Page, url: str) -> str:
    """打开一页，返回正文；页面自己正要换页（刚提交、后台办完自行刷新）就等它换完再开。"""
    for _ in range(50):
        try:
            page.goto(url)
        except sync_api.Error as error:
            if not any(sign in str(error) for sign in MOVED):
                raise
            page.wait_for_timeout(200)
            continue
        return page.locator("main").inner_text()
    raise AssertionError(f"{url} keeps moving away")


def confirm(page: sync_api.Page) -> None:
    page.click("[data-ask-ok]")


def found_day(text: str) -> str:
    """页面上写的营业日。"""
    found = re.search(r"营业日\s*(\d{4}-\d{2}-\d{2})", text)
    assert found is not None, text[:300]
    return found[1]
