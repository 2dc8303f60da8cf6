"""浏览器里走完一笔：农户保证贷款，从询问到放款，用样例机构里各岗位的人；手机上入户。"""

from __future__ import annotations

import re

from playwright import sync_api

from tests.journeys.steps import NEEDS_BROWSER, PASSWORD, Office, confirm, log_in, visit
from tests.support.applications import card

pytestmark = NEEDS_BROWSER
ANSWERS = {
    "purpose": "购进仔猪与饲料",
    "amount": "50000",
    "term_count": "12",
    "household.laborers": "2",
    "household.open_microloans": "0",
    "business.months": "36",
}
CHOSEN = {
    "method": "LEVEL_PAYMENT",
    "guarantee": "GUARANTEE",
    "applicant.has_local_hukou": "yes",
    "applicant.marital_status": "DIVORCED",
    "applicant.is_postal_staff": "no",
    "applicant.on_court_list": "no",
    "applicant.disputes_with_post": "no",
    "business.is_lawful": "yes",
    "business.in_service_area": "yes",
}
GUARANTOR_YES = ("has_local_hukou", "owns_local_house", "is_independent")
GUARANTOR_NO = ("has_bad_record", "is_parent", "is_postal_staff", "is_justice_staff")
GUARANTOR_NUMBERS = {
    "residence_months": "360", "annual_income_fen": "96000", "monthly_income_fen": "8000", "own_loans_fen": "0",
    "other_guarantees_fen": "0",
}  # fmt: skip


def field(page: sync_api.Page, name: str) -> sync_api.Locator:
    """事实的栏目名里有点与冒号：按属性找。"""
    return page.locator(f'[name="{name}"]')


def register(page: sync_api.Page, office: Office, name: str, kind: str, id_number: str) -> str:
    """登记一位客户，返回客户号。"""
    visit(page, f"{office.base}/parties/new/")
    page.select_option("[name=kind]", kind)
    page.fill("[name=name]", name)
    page.select_option("[name=id_kind]", "RESIDENT_ID")
    page.fill("[name=id_number]", id_number)
    page.click("form .btn-primary")
    page.wait_for_url(re.compile(r"/parties/\d+/"))
    return page.locator(".mono").filter(has_text="C0000").first.inner_text()


def collect(page: sync_api.Page) -> None:
    """逐样收齐，当场与原件核对；任取其一的收头一样。"""
    while (rows := page.locator("tr.warn")).count():
        left = rows.count()
        row = rows.first
        both = row.get_by_role("button", name="收，已核对原件")
        (both if both.count() else row.get_by_role("button", name="收", exact=True)).click()
        page.wait_for_function("n => document.querySelectorAll('tr.warn').length < n", arg=left)


def test_a_farmer_from_the_inquiry_to_the_money(office: Office, browser: sync_api.Browser) -> None:
    intake = log_in(browser, office, "xujing")
    number = register(intake, office, "庄小满", "FARMER", card(11, "19820615", "340822"))
    guarantor = register(intake, office, "庄有田", "PERSON", card(12, "19750310", "340822"))

    visit(intake, f"{office.base}/applications/new/?q={number}")
    intake.click("td a")
    intake.click("text=农户保证贷款")
    for name, text in ANSWERS.items():
        field(intake, name).fill(text)
    for name, value in CHOSEN.items():
        field(intake, name).select_option(value)
    field(intake, "business.months").fill("")
    intake.click("text=登记并看裁定")
    intake.wait_for_url(re.compile(r"/applications/\d+/"))
    case_url = intake.url
    assert "请查看执照、租赁合同或向邻里核实" in intake.locator("main").inner_text()
    field(intake, "business.months").fill("36")
    intake.click("button[value=accept]")
    intake.wait_for_selector("text=待指派")

    head = log_in(browser, office, "lizhong")
    visit(head, case_url)
    for name, who in (("lead_id", "褚伟"), ("assistant_id", "方磊")):
        value = field(head, name).locator("option").filter(has_text=who).get_attribute("value")
        field(head, name).select_option(value)
    head.click("form[action$='/assign/'] .btn-primary")
    head.wait_for_selector("text=调查中")

    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale="zh-CN", is_mobile=True, has_touch=True
    )
    context.set_default_timeout(60_000)
    officer = context.new_page()
    officer.goto(f"{office.base}/login/")
    officer.fill("[name=username]", "chuwei")
    officer.fill("[name=password]", PASSWORD)
    officer.click("[data-fill-submit]")
    officer.wait_for_url(f"{office.base}/")
    visit(officer, case_url)
    officer.click("text=登记保证人")
    officer.fill("[name=number]", guarantor)
    officer.select_option("[name=kind]", "SALARIED")
    officer.click("form[action$='/guarantors/'] .btn-primary")
    officer.wait_for_url("**tab=facts")
    field(officer, "applicant.credit_grade").select_option("NORMAL")
    for name, text in {"loan.reasonable_need_fen": "60000", "capacity.income_line_fen": "58000", "capacity.turnover_line_fen": "0", "capacity.cash_flow_line_fen": "0"}.items():  # fmt: skip # noqa: E501
        field(officer, name).fill(text)
    for name in (*GUARANTOR_YES, *GUARANTOR_NO):
        officer.locator(f'[name$=":{name}"]').select_option("yes" if name in GUARANTOR_YES else "no")
    for name, text in GUARANTOR_NUMBERS.items():
        officer.locator(f'[name$=":{name}"]').fill(text)
    officer.fill("[name=reference]", "入户核对，单位证明")
    officer.click("text=记下填了的各项")
    officer.wait_for_selector("text=记下 17 项")
    officer.locator("nav.tabs").get_by_role("link", name="材料").click()
    officer.wait_for_url("**tab=materials")
    collect(officer)
    visit(officer, case_url)
    officer.click("text=提出建议，提交审查")
    officer.locator("form[action$='/finish/'] [name=opinion]").fill("双人入户，用途真实，建议给予。")
    officer.locator("form[action$='/finish/'] [name=conditions]").fill("保证人面签")
    officer.click("form[action$='/finish/'] .btn-primary")
    officer.wait_for_selector("text=待审查")

    reviewer = log_in(browser, office, "wuhao")
    visit(reviewer, case_url)
    reviewer.locator("form[action$='/review/'] [name=opinion]").fill("资料齐全，同意。")
    reviewer.click("form[action$='/review/'] .btn-primary")
    reviewer.wait_for_selector("text=待审批")

    approver = log_in(browser, office, "zhengli")
    assert "授权书 授字" in visit(approver, case_url)
    approver.locator("form[action$='/approve/'] [name=opinion]").fill("同意。")
    approver.click("form[action$='/approve/'] .btn-primary")
    confirm(approver)
    approver.wait_for_selector("text=已批复")

    visit(officer, case_url)
    officer.locator("main").get_by_role("link", name="签约放款").click()
    officer.wait_for_url(re.compile(r"/agreements/\d+/$"))
    file_url = officer.url
    for _ in range(3):
        officer.locator("a", has_text="面签").filter(has_not_text="文书").first.click()
        second = field(officer, "second_witness_id").locator("option").filter(has_text="方磊").get_attribute("value")
        field(officer, "second_witness_id").select_option(second)
        officer.check("[name=terms_read]")
        officer.click("form .btn-primary")
        officer.wait_for_url(file_url)
    officer.fill("[name=proof]", "保证人已到场签字")
    officer.click("text=落实 >> nth=-1")
    officer.wait_for_selector("text=齐了")

    clerk = log_in(browser, office, "chenjie")
    visit(clerk, file_url)
    contract = clerk.locator("h1").inner_text().split()[-1]
    for name, text in {
        "contract_number": contract,
        "amount_fen": "50000",
        "term_count": "12",
        "rate_ppm": "14.4",
    }.items():
        field(clerk, name).fill(text)
    clerk.click("form[action$='/lend/'] .btn-primary")
    clerk.wait_for_url(re.compile(r"/loans/\d+/"))
    loan_url = clerk.url
    assert "待复核" in clerk.locator("main").inner_text()

    supervisor = log_in(browser, office, "fengtao")
    visit(supervisor, f"{office.base}/tasks/")
    supervisor.click("text=庄小满")
    supervisor.wait_for_selector("[name=outcome]")
    supervisor.check("[name=outcome][value=APPROVED]")
    supervisor.click("button[value=submit]")
    confirm(supervisor)
    supervisor.wait_for_selector("text=已办")
    assert "存续" in visit(supervisor, loan_url)
