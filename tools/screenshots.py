"""截图：登录后把给定页面按桌面（1366×768）与手机（390×844）各拍一张，存到仓库之外的目录，供人看版面。

用法::

    python tools/screenshots.py --base http://127.0.0.1:8000 --out /tmp/shots --user 用户名 --password 密码 \
        / /tasks/ ...

``名字=网址`` 可给文件起名；``!`` 开头的网址不登录拍（登录页）；``--holding 岗位编号`` 在有多个岗位时选一个。
"""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"desktop": (1366, 768), "phone": (390, 844)}
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--lang=zh-CN",
]  # fmt: skip


def log_in(page: Page, options: argparse.Namespace) -> None:
    """登录并选岗位。"""
    page.goto(f"{options.base}/login/")
    page.fill("[name=username]", options.user)
    page.fill("[name=password]", options.password)
    page.click("[data-fill-submit]")
    page.wait_for_load_state("load")
    if page.url.rstrip("/").endswith("/post") or "/post/?" in page.url:
        pick = f"[name=holding_id][value='{options.holding}']" if options.holding else "[name=holding_id]"
        page.click(pick)
        page.wait_for_load_state("load")


def shoot(browser: Browser, options: argparse.Namespace) -> list[str]:
    """拍全部页面，返回控制台报错（CSP 拦下的东西也在其中）。"""
    complaints: list[str] = []
    for size, (width, height) in SIZES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=options.locale, device_scale_factor=1,
            is_mobile=size == "phone", has_touch=size == "phone",
        )  # fmt: skip
        page = context.new_page()
        page.on("console", lambda m, s=size: complaints.append(f"{s}: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error, s=size: complaints.append(f"{s}: {error}"))
        targets = [_named(target) for target in options.pages]
        for name, url, anonymous in sorted(targets, key=lambda t: not t[2]):
            if not anonymous and "sessionid" not in {c["name"] for c in context.cookies()}:
                log_in(page, options)
            page.goto(options.base + url)
            page.wait_for_load_state("networkidle")
            over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if over > 0:
                complaints.append(f"{size}: {url} is {over}px wider than the screen")
            page.screenshot(path=str(options.out / f"{name}-{size}.png"), full_page=options.full)
        context.close()
    return complaints


def _named(target: str) -> tuple[str, str, bool]:
    name, _, url = target.rpartition("=") if "=" in target.split("?", maxsplit=1)[0] else ("", "", target)
    anonymous = url.startswith("!")
    url = url.lstrip("!")
    return name or url.strip("/").replace("/", "-").replace("?", "-") or "home", url, anonymous


def main() -> int:
    """命令行入口；有控制台报错或横向溢出时返回 1。"""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--holding", default="")
    parser.add_argument("--locale", default="zh-CN")
    parser.add_argument("--full", action="store_true", help="whole page instead of the first screen")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("pages", nargs="+")
    options = parser.parse_args()
    options.out = options.out.resolve()
    if options.out.is_relative_to(ROOT):
        parser.error("--out must lie outside the repository: pictures are looked at, not kept")
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=FLAGS)
        complaints = shoot(browser, options)
        browser.close()
    sys.stdout.write("\n".join([*dict.fromkeys(complaints), f"pictures in {options.out}"]) + "\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
