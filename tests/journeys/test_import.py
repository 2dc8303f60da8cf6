"""浏览器里的路：送一个有错的文件，看报告，更正，另一人同意，后台转入，看到借据与对账；差异由两人调整；还款文件入账。

给了 ``SANCHA_SHOTS`` 目录就把走过的页面各存一张图（桌面 1366×768 与手机宽）。
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from playwright import sync_api

from tests.journeys.steps import NEEDS_BROWSER, Office, confirm, found_day, log_in, visit

pytestmark = NEEDS_BROWSER
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1366, "height": 768}


def shot(page: sync_api.Page, name: str) -> None:
    """走到这里的样子：不横着滚，需要时存图。"""
    for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        page.wait_for_timeout(150)
        if folder := os.environ.get("SANCHA_SHOTS"):
            page.screenshot(path=str(Path(folder) / f"{name}-{kind}.png"), full_page=kind == "phone")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name}: {kind} scrolls sideways by {wide}px"


def id_number(nth: int) -> str:
    body = f"34082219800101{nth:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def month_before(day: date, months: int) -> date:
    back = day.year * 12 + day.month - 1 - months
    return date(back // 12, back % 12 + 1, min(day.day, 28))


def row(nth: int, today: date, **changes: str) -> dict[str, str]:
    """半年前放的 12,000 元，免息，一年后一次还清。"""
    start = month_before(today, 6)
    return {
        "借据号": f"JIU{nth:04d}", "合同号": f"旧社合同{nth}", "姓名": f"冯春{'一二三四五'[nth]}", "证件号": id_number(nth), "客户类型": "农户",
        "用途": "购买饲料", "金额": "12,000.00", "余额": "12,000.00", "利率": "0", "还款方式": "一次性还本付息",
        "放款日": start.isoformat(), "到期日": start.replace(year=start.year + 1).isoformat(), "期限": "1", "担保方式": "保证",
        "五级分类": "正常", "逾期天数": "0", "逾期本金": "0", "欠息": "0", **changes,
    }  # fmt: skip


def save(path: Path, *rows: Mapping[str, str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def finished(page: sync_api.Page, url: str, word: str) -> str:
    """等后台做完。"""
    for _ in range(120):
        text = visit(page, url)
        if word in text:
            return text
        page.wait_for_timeout(500)
    raise AssertionError(f"{word} did not appear: {text[:600]}")


def agree(page: sync_api.Page, office: Office, title: str) -> None:
    """从待办里打开这条任务，同意。"""
    page.goto(f"{office.base}/tasks/")
    page.locator("tbody a", has_text=title).first.click()
    page.wait_for_url(re.compile(r"/tasks/\d+/$"))
    page.wait_for_selector("section:has-text('预检报告'), section:has-text('差异')")
    shot(page, f"task-{title}")
    page.check("[name=outcome][value=APPROVED]")
    page.locator("form[action$='/act/'] button", has_text="办结").first.click()
    if page.locator("[data-ask-ok]").is_visible():
        confirm(page)
    page.wait_for_url(re.compile(r"/tasks/$"))


def business_day(page: sync_api.Page, office: Office) -> date:
    page.goto(f"{office.base}/imports/")
    return date.fromisoformat(found_day(page.locator("body").inner_text()))


def test_import_a_file_with_errors_mend_it_and_have_it_agreed(
    office: Office,
    browser: sync_api.Browser,
    tmp_path: Path,
) -> None:
    manager = log_in(browser, office, "caojun")
    today = business_day(manager, office)
    shot(manager, "list-empty")
    good = row(1, today)
    bad = save(tmp_path / "贷款台账-有错.csv", good, row(2, today, 金额="-12000"), row(3, today, 放款日="2026-02-30"))
    manager.goto(f"{office.base}/imports/new/")
    shot(manager, "upload")
    url = send(manager, office, [bad])
    report = manager.locator("main").inner_text()
    for part in ("金额为负", "-12000", "日期写错", "2026-02-30", "JIU0002", "可转入"):
        assert part in report, part
    shot(manager, "report-with-errors")
    manager.locator("form[action$='/cancel/'] button").click()
    confirm(manager)
    manager.wait_for_selector("text=已放弃")

    # The second loan has its history: 4,000 of 12,000 paid; the old ledger's balance is 100 yuan short of that.
    due = month_before(today, 3).isoformat()
    plan = [
        {"借据号": "JIU0002", "应还日": due, "应还本": "4000", "应还息": "0"},
        {"借据号": "JIU0002", "应还日": month_before(today, -6).isoformat(), "应还本": "8000", "应还息": "0"},
    ]
    files = [
        save(tmp_path / "贷款台账.csv", good, row(2, today, 余额="7,900.00", 期限="2"), row(3, today)),
        save(tmp_path / "还款计划.csv", *plan),
        save(tmp_path / "还款明细.csv", {"借据号": "JIU0002", "还款日": due, "金额": "4000", "流水号": "L1"}),
    ]
    url = send(manager, office, files)
    assert "信贷会计主管岗" in manager.locator("main").inner_text()
    shot(manager, "waiting")
    number = url.rstrip("/").rsplit("/", 1)[1]
    manager.locator("main .notice a").first.click()
    manager.wait_for_url(re.compile(r"/tasks/\d+/$"))
    assert manager.locator("[name=outcome]").count() == 0, "送件的人办不了"

    checker = log_in(browser, office, "fengtao")
    agree(checker, office, f"存量转入复核 第 {number} 批")
    done = finished(manager, url, "对账：文件与账上")
    assert "1 处未了" in done
    shot(manager, "reconciled")
    manager.locator("a[href$='/differences/']").first.click()
    manager.wait_for_url(re.compile(r"/differences/$"))
    shot(manager, "differences")
    manager.click("td.acts a")
    manager.fill("[name=reason]", "旧账少记 100 元，旧社已出更正单")
    shot(manager, "adjust")
    manager.click("main form button[type=submit]")
    manager.wait_for_selector("text=等待复核")
    agree(checker, office, "对账差异调整 JIU0002")
    assert "0" in finished(manager, f"{url}differences/", "已调整")
    manager.goto(f"{office.base}/loans/?q=JIU0002")
    manager.locator("tbody a", has_text="JIU0002").click()
    assert "7,900.00" in manager.locator("main").inner_text()

    repayments(office, browser, tmp_path)
    check = office.command("check", "--all")
    assert check.returncode == 0, check.stdout + check.stderr


def send(page: sync_api.Page, office: Office, files: list[Path]) -> str:
    page.goto(f"{office.base}/imports/new/")
    page.check("[name=layout][value=sancha]")
    page.set_input_files("[name=files]", [str(file) for file in files])
    choose(page, "institution_id", "城关支行")
    page.select_option("[name=product_id]", index=1)
    page.click("main form button[type=submit]")
    page.wait_for_url(re.compile(r"/imports/\d+/$"))
    return page.url


def choose(page: sync_api.Page, name: str, word: str) -> None:
    """选单里含这几个字的那一项。"""
    value = page.locator(f"[name={name}] option", has_text=word).first.get_attribute("value")
    page.select_option(f"[name={name}]", value)


def repayments(office: Office, browser: sync_api.Browser, folder: Path) -> None:
    """还款文件：预检、入账、再送不重。"""
    cashier = log_in(browser, office, "shenyu")
    lines = [
        {"借据号": "JIU0001", "金额": "2,000.00", "流水号": "H001"},
        {"借据号": "JIU0003", "金额": "99,999.00", "流水号": "H002"},
        {"借据号": "JIU9999", "金额": "10.00", "流水号": "H003"},
    ]
    file = save(folder / "代扣回盘.csv", *lines)

    def upload() -> str:
        cashier.goto(f"{office.base}/imports/repayments/new/")
        cashier.set_input_files("[name=file]", str(file))
        shot(cashier, "repayments-upload")
        cashier.click("main form button[type=submit]")
        cashier.wait_for_url(re.compile(r"/imports/\d+/$"))
        return cashier.url

    url = upload()
    report = cashier.locator("main").inner_text()
    for part in ("超过应还", "99,999.00", "没有这笔借据", "JIU9999"):
        assert part in report, part
    shot(cashier, "repayments-report")
    cashier.locator("form[action$='/post/'] button[type=submit]").click()
    confirm(cashier)
    finished(cashier, url, "未全部入账")
    shot(cashier, "repayments-result")
    assert upload() == url, "再送就是那一批"
    cashier.goto(f"{office.base}/loans/?q=JIU0001")
    cashier.locator("tbody a", has_text="JIU0001").click()
    assert "10,000.00" in cashier.locator("main").inner_text()
