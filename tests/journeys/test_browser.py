"""浏览器里的路：还款到冲正与时间旅行；日终看进度；在手机上填表、手写签字、办结任务。

跑的是真的：样例机构由 ``sancha demo`` 造在文件库（或 PostgreSQL 的临时库）里，``sancha serve`` 另起进程，Chromium 去点。
"""

from __future__ import annotations

import re

from playwright import sync_api

from tests.journeys.steps import NEEDS_BROWSER, PASSWORD, Office, confirm, found_day, log_in, visit

pytestmark = NEEDS_BROWSER


def test_repay_see_explain_reverse_and_travel_back(office: Office, browser: sync_api.Browser) -> None:
    cashier = log_in(browser, office, "shenyu")
    cashier.goto(f"{office.base}/loans/?status=ACTIVE")
    link = cashier.locator("tbody a[href*='/loans/']").filter(has_text="JK").first
    number = link.inner_text().strip()
    link.click()
    cashier.wait_for_url(re.compile(r"/loans/\d+/"))
    loan_url = cashier.url.split("?")[0]
    business_day = found_day(cashier.locator("body").inner_text())

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
    before = found_day(operator.locator("body").inner_text())

    operator.locator("form[action$='/run/'] button[type=submit]").first.click()
    confirm(operator)

    for _ in range(120):
        operator.wait_for_timeout(500)
        shown = visit(operator, f"{office.base}/dayclose/")
        now = found_day(operator.locator("body").inner_text())
        if now > before and "借据逐笔结转" in shown and "进行中" not in shown:
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
