"""申请的页面：从询问到批复走一遍，填错的不丢，看得见裁定与谁能批，列表与一案的查询不随数据涨。"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sancha.apps.agreements.models import SigningFile
from sancha.apps.ledger import operations as ledger
from sancha.apps.origination.models import Application, CaseFact, CaseGuarantor
from sancha.apps.parties.models import PartyReveal
from sancha.kit.actor import SYSTEM
from tests.integration.web.conftest import signed_in
from tests.support.applications import FORM, GUARANTOR, SURVEY, Desk, case, open_desk
from tests.support.factories_access import County, fresh_key
from tests.support.mandates import grant_mandate

LIST_BUDGET, CASE_BUDGET = 8, 30


@pytest.fixture
def desk(county: County) -> Desk:
    return open_desk(county)


def post(client: Client, name: str, *arguments: int, **values: Any) -> Any:
    return client.post(reverse(f"origination:{name}", args=arguments), {"submission_key": fresh_key("web"), **values})


def shown(client: Client, application_id: int, tab: str = "") -> str:
    response = client.get(reverse("origination:detail", args=[application_id]), {"tab": tab} if tab else {})
    assert response.status_code == 200
    return str(response.content.decode())


def test_from_the_inquiry_to_the_approval_on_the_pages(desk: Desk) -> None:
    grant_mandate(desk.county)
    party, guarantor = desk.farmer(), desk.farmer(900, name="李长河")
    intake, head = signed_in(desk.intake), signed_in(desk.head)
    lead, reviewer, approver = signed_in(desk.lead), signed_in(desk.reviewer), signed_in(desk.approver)

    found = intake.get(reverse("origination:new"), {"q": "王秀兰"}).content.decode()
    assert f"?party={party}" in found
    product = desk.product_ids["FARMER_GUARANTEE"]
    offers = intake.get(reverse("origination:new"), {"party": party}).content.decode()
    assert f"product={product}" in offers
    url = reverse("origination:new") + f"?party={party}&product={product}"
    form = intake.get(url).content.decode()
    assert "household.laborers" in form
    assert "applicant.is_license_holder" not in form, "a farmer is not asked for a license"

    half = {"channel": "COUNTER", "submission_key": fresh_key(), **FORM, "amount": "五万", "household.laborers": ""}
    response = intake.post(url, half)
    one = Application.objects.get()
    assert response["Location"] == reverse("origination:detail", args=[one.pk])
    text = shown(intake, one.pk)
    assert 'value="五万"' in text
    assert "请在入户调查时点清家庭成员" in text, "the ruling beside the form asks for what is missing"

    refused = post(intake, "save", one.pk, channel="COUNTER", act="accept", **FORM | {"amount": "五万"})
    assert refused.status_code == 422
    assert 'value="五万"' in refused.content.decode()
    assert post(intake, "save", one.pk, channel="COUNTER", act="accept", **FORM).status_code == 302
    assert case(one.pk).step == "ASSIGN"

    people = {"lead_id": desk.lead.person_id, "assistant_id": desk.assistant.person_id}
    assert post(head, "assign", one.pk, **people, instruction="三日内入户").status_code == 302
    assert "提出建议" in shown(lead, one.pk)
    assert "提出建议" not in shown(reviewer, one.pk)

    wrong = post(
        lead, "facts", one.pk, evidence="CROSS_CHECKED", reference="邻居", **SURVEY | {"business.months": "两年"}
    )
    assert wrong.status_code == 422
    assert 'value="两年"' in wrong.content.decode()
    assert not CaseFact.objects.filter(code="applicant.credit_grade").exists(), (
        "none of a batch is kept when one is wrong"
    )
    assert post(lead, "facts", one.pk, evidence="CROSS_CHECKED", reference="邻居", **SURVEY).status_code == 302
    number = "C9999999998"
    assert post(lead, "add-guarantor", one.pk, number=number, kind="FARMER").status_code == 404
    number = desk_number(guarantor)
    assert post(lead, "add-guarantor", one.pk, number=number, kind="FARMER").status_code == 302
    held = CaseGuarantor.objects.get().pk
    typed = {f"{held}:{code}": value for code, value in GUARANTOR.items()}
    assert post(lead, "facts", one.pk, evidence="THIRD_PARTY", reference="单位证明", **typed).status_code == 302
    tab = shown(lead, one.pk, "facts")
    assert "李长河" in tab
    assert "单位证明" in tab

    proposal = {
        "amount_fen": "50,000.00", "term_count": "12", "term_unit": "MONTH", "rate_ppm": "14.4",
        "method": "LEVEL_PAYMENT", "guarantee": "GUARANTEE", "conditions": "保证人面签\n投保", "opinion": "用途真实，建议给予。",
    }  # fmt: skip
    over = post(lead, "finish", one.pk, **proposal | {"amount_fen": "80,000"})
    assert over.status_code == 422
    assert "超过申请金额" in over.content.decode()
    short = post(lead, "finish", one.pk, **proposal)
    assert short.status_code == 422
    assert "还差" in short.content.decode()
    assert "还差 8 样" in shown(lead, one.pk, "materials"), "alternatives count once"
    assert post(lead, "receive-material", one.pk, code="id_card").status_code == 302
    assert "没有与原件核对" in shown(lead, one.pk, "materials")
    assert post(lead, "compare-material", one.pk, code="id_card").status_code == 302
    assert post(lead, "receive-material", one.pk, code="id_card").status_code == 409
    blank = post(lead, "return-material", one.pk, code="id_card", reason="")
    assert blank.status_code == 422
    assert "退还须写明原因" in blank.content.decode()
    assert post(lead, "return-material", one.pk, code="id_card", reason="复印不清").status_code == 302
    desk.collect(one.pk)
    assert "没有与原件核对" not in shown(lead, one.pk, "materials")
    assert post(lead, "finish", one.pk, **proposal).status_code == 302
    assert post(reviewer, "review", one.pk, opinion="合规，拟同意", conditions="").status_code == 302
    text = shown(approver, one.pk)
    assert "授字〔2026〕第0001号" in text
    assert "保证人面签；投保" in text
    assert post(approver, "approve", one.pk, **proposal | {"amount_fen": "45,000"}).status_code == 302
    text = shown(intake, one.pk)
    assert "45,000.00" in text
    assert "已批复" in text
    rules = shown(intake, one.pk, "rules")
    assert "借款人年龄" in rules, "the ruling at intake is kept and can be opened"
    trail = shown(intake, one.pk, "trail")
    for word in ("登记询问", "指派", "提交审查", "通过", "同意"):
        assert word in trail


def desk_number(party_id: int) -> str:
    from sancha.apps.parties.models import Party

    return Party.objects.get(pk=party_id).number


def test_a_refusal_prints_its_reasons(desk: Desk) -> None:
    one = desk.open(desk.farmer(birth="19650302"))
    intake = signed_in(desk.intake)
    refused = post(intake, "save", one, channel="COUNTER", act="accept", **FORM)
    assert refused.status_code == 422
    assert "不超过60岁" in refused.content.decode()
    assert post(intake, "refuse", one, reason="").status_code == 302
    notice = intake.get(reverse("origination:refusal-notice", args=[one])).content.decode()
    for word in ("不予受理告知单", "不超过60岁", "《中国邮政储蓄银行小额贷款管理办法》", "怎样再来"):
        assert word in notice


def test_a_reviewer_returns_and_the_trail_says_why(desk: Desk) -> None:
    one = desk.to("REVIEW")
    reviewer = signed_in(desk.reviewer)
    empty = post(reviewer, "turn-back", one, outcome="RETURNED", opinion="")
    assert empty.status_code == 422
    assert post(reviewer, "turn-back", one, outcome="RETURNED", opinion="补收入证明").status_code == 302
    assert case(one).round == 2
    assert "补收入证明" in shown(reviewer, one, "trail")


def test_the_task_page_shows_the_case_before_it_is_decided(desk: Desk) -> None:
    one = desk.to("REVIEW")
    reviewer = signed_in(desk.reviewer)
    task = reviewer.get(reverse("task", args=[desk.task(one).pk])).content.decode()
    assert reverse("origination:brief", args=[one]) in task
    brief = reviewer.get(reverse("origination:brief", args=[one])).content.decode()
    assert "征信等级" in brief


def test_the_register_keeps_eight_statements_and_a_case_does_not_grow(desk: Desk) -> None:
    reader = signed_in(desk.reviewer)
    first = desk.to("REVIEW")
    for url, budget in (
        (reverse("origination:list"), LIST_BUDGET),
        (reverse("origination:detail", args=[first]), CASE_BUDGET),
    ):
        reader.get(url)
        with CaptureQueriesContext(connection) as few:
            reader.get(url)
        assert len(few) <= budget, [query["sql"][:90] for query in few.captured_queries]
    counts = {}
    for moment in ("before", "after"):
        for url in (reverse("origination:list"), reverse("origination:detail", args=[first])):
            with CaptureQueriesContext(connection) as seen:
                reader.get(url)
            counts[moment, url] = len(seen)
        if moment == "before":
            for order in range(2, 5):
                desk.to("ASSIGN", desk.open(desk.farmer(order, name=f"赵{order}顺")))
    for (moment, url), count in counts.items():
        assert count == counts["before", url], moment


def test_the_export_has_the_columns_of_the_paper_register(desk: Desk) -> None:
    desk.open()
    head = signed_in(desk.county.actor("DEPARTMENT_HEAD"))
    response = head.get(reverse("origination:export"))
    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/vnd.openxml")


def test_from_the_approval_to_the_money_on_the_pages(desk: Desk) -> None:
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key("chart"), template="BANK", on=desk.county.opened_on)
    grant_mandate(desk.county)
    desk.to("APPROVED")
    lead, clerk = signed_in(desk.lead), signed_in(desk.county.actor("DISBURSEMENT_CLERK"))
    file = SigningFile.objects.get()
    page = reverse("agreements:detail", args=[file.pk])
    assert page in shown(lead, file.application_id)
    assert page in lead.get(reverse("agreements:list")).content.decode()
    before = lead.get(page).content.decode()
    for word in ("离放款还差", "缺借款人配偶", "面签前补交收入证明", "《综合融资成本明示表》"):
        assert word in before

    def sign(kind: str, capacity: str, signer: str) -> Any:
        paper = file.papers.get(kind=kind)
        return lead.post(
            reverse("agreements:sign", args=[file.pk, paper.pk]),
            {
                "submission_key": fresh_key("sign"), "capacity": capacity, "signer": signer, "place": "面签室",
                "second_witness_id": desk.assistant.person_id, "terms_read": "on",
            },
        )  # fmt: skip

    early = sign("LOAN_AGREEMENT", "BORROWER", "王秀兰")
    assert early.status_code == 409
    assert "明示表" in early.content.decode()
    for kind, capacity, signer in (
        ("COST_STATEMENT", "BORROWER", "王秀兰"), ("LOAN_AGREEMENT", "BORROWER", "王秀兰"),
        ("LOAN_AGREEMENT", "SPOUSE", "赵长顺"), ("GUARANTEE_AGREEMENT", "GUARANTOR", "李长河"),
    ):  # fmt: skip
        assert sign(kind, capacity, signer).status_code == 302, kind
    condition = file.conditions.get()
    meet = reverse("agreements:meet", args=[file.pk, condition.pk])
    assert lead.post(meet, {"submission_key": fresh_key(), "proof": ""}).status_code == 422
    assert lead.post(meet, {"submission_key": fresh_key(), "proof": "收入证明原件"}).status_code == 302
    assert "齐了" in lead.get(page).content.decode()

    lend = reverse("agreements:lend", args=[file.pk])
    given = {"contract_number": file.number, "amount_fen": "50,000", "term_count": "12", "rate_ppm": "14.4"}
    wrong = clerk.post(lend, {"submission_key": fresh_key(), **given, "amount_fen": "50,001"})
    assert wrong.status_code == 422
    assert "三方核对不符" in wrong.content.decode()
    done = clerk.post(lend, {"submission_key": fresh_key(), **given})
    assert done.status_code == 302
    file.refresh_from_db()
    assert done["Location"] == reverse("loans:detail", args=[file.loan_id])


def test_the_papers_print_with_the_full_identity_and_the_look_is_on_record(desk: Desk) -> None:
    grant_mandate(desk.county)
    desk.to("APPROVED")
    lead = signed_in(desk.lead)
    file = SigningFile.objects.get()
    looks = PartyReveal.objects.count()
    for paper in file.papers.all():
        response = lead.get(reverse("agreements:print", args=[file.pk, paper.pk]))
        assert response.status_code == 200
        assert response.content.startswith(b"%PDF"), paper.kind
    assert PartyReveal.objects.count() == looks + 3
    assert PartyReveal.objects.order_by("-pk")[0].reason.startswith("打印")
    # Who may not see clear data prints the masked one, and nothing is revealed.
    archivist = signed_in(desk.county.actor("ACCOUNTING_SUPERVISOR"))
    assert archivist.get(reverse("agreements:print", args=[file.pk, file.papers.first().pk])).status_code == 200
    assert PartyReveal.objects.count() == looks + 3
