"""借据页面：台账、360、时间旅行、推导、试算与入账一致、冲正、录入与复核、打印、语句预算。"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sancha.apps.servicing import operations
from sancha.apps.servicing.models import Loan, LoanFact, LoanStatus
from sancha.apps.servicing.queries import LoanFilter, list_loans, simulate, view_loan
from sancha.interfaces.web.loans.actions import ACTIONS
from sancha.kernel.facts import FactKind
from sancha.kernel.money import format_yuan
from sancha.kit.models import AuditEvent
from sancha.kit.spreadsheets import read_table
from tests.integration.web.conftest import signed_in
from tests.integration.web.loans import fresh_loan, overdue_loan, repay, twelve_months
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db
LIST_BUDGET = 8
HTMX = {"HX-Request": "true"}


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def statements(client: Client, url: str, **headers: str) -> int:
    client.get(url, headers=headers)  # the process-wide caches of clauses and terms are warm in a running server
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers=headers).status_code == 200
    return sum(not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for q in captured)


# 台账 ---------------------------------------------------------------------------------------------------------


def test_the_list_shows_totals_and_stays_within_its_budget(lending: Lending, as_post: Callable[..., Client]) -> None:
    overdue_loan(lending)
    client = as_post("LOAN_OFFICER")
    few = statements(client, "/loans/")
    for _ in range(6):
        fresh_loan(lending)
    assert statements(client, "/loans/") == few <= LIST_BUDGET
    assert statements(client, "/loans/?overdue_from=1&sort=-days_past_due&q=王秀") <= LIST_BUDGET
    shown = text_of(client.get("/loans/"))
    assert "350,000.00" in shown
    assert "共 7 条" in shown


def test_filters_find_what_they_say(lending: Lending, county: County) -> None:
    late, new = overdue_loan(lending), fresh_loan(lending)
    elsewhere = lending.lend(twelve_months(lending.today), at="S9")
    settled = fresh_loan(lending)
    operations.settle_loan(actor=county.actor("CASHIER"), key=fresh_key(), loan_id=settled.pk, amount_fen=5_000_000)

    def found(code: str = "BUSINESS_MANAGER", **where: Any) -> set[int]:
        page = list_loans(actor=county.actor(code), where=LoanFilter(**where), today=lending.today)
        return {row.id for row in page.rows}

    assert found() == {late.pk, new.pk, elsewhere.pk, settled.pk}
    assert found(overdue_from=1) == {late.pk}
    assert found(overdue_from=91) == set()
    assert found(status="SETTLED") == {settled.pk}
    assert found(class_from=2) == {late.pk}
    assert found(keyword=late.number) == {late.pk}
    assert found(keyword="王秀兰") == {late.pk, new.pk, elsewhere.pk, settled.pk}
    assert found(keyword="没有此人") == set()
    assert found(institution_id=county.ids["S9"]) == {elsewhere.pk}
    assert found(institution_id=county.ids["B2"]) == {late.pk, new.pk, elsewhere.pk, settled.pk}
    assert found(starts_from=lending.today) == {new.pk, elsewhere.pk, settled.pk}
    assert found(held=True) == set()
    assert found("LOAN_OFFICER") == {late.pk, new.pk, settled.pk}, "the officer's branch only"


def test_sorting_by_days_overdue_puts_the_longest_first_and_the_clean_last(lending: Lending, county: County) -> None:
    new, late, later = fresh_loan(lending), overdue_loan(lending, days=70), overdue_loan(lending, days=130)
    page = list_loans(actor=county.actor("LOAN_OFFICER"), where=LoanFilter(order="-days_past_due"), today=lending.today)
    assert [row.id for row in page.rows] == [later.pk, late.pk, new.pk]
    page = list_loans(actor=county.actor("LOAN_OFFICER"), where=LoanFilter(order="days_past_due"), today=lending.today)
    assert [row.id for row in page.rows] == [late.pk, later.pk, new.pk]


def test_nonsense_in_the_address_is_ignored(lending: Lending, as_post: Callable[..., Client]) -> None:
    fresh_loan(lending)
    client = as_post("LOAN_OFFICER")
    response = client.get(
        "/loans/?status=XX&klass=9&overdue_from=-4&product=abc&sort=;drop&page=99999&starts_from=31/31/99"
    )
    assert response.status_code == 200
    assert "共 1 条" in text_of(response)


def test_excel_holds_every_filtered_row_with_masked_ids_and_leaves_a_trace(
    lending: Lending, as_post: Callable[..., Client]
) -> None:
    for _ in range(3):
        fresh_loan(lending)
    late = overdue_loan(lending)
    client = as_post("BRANCH_MANAGER")
    response = client.get("/loans/export/?overdue_from=1")
    table = read_table(b"".join(response.streaming_content))
    assert [row.cells["借据号"] for row in table.rows] == [late.number]
    assert table.rows[0].cells["余额"] == "50000"
    event = AuditEvent.objects.get(operation="export.download")
    assert (event.data["conditions"], event.data["rows"]) == ({"overdue_from": "1"}, 1)
    assert as_post("LOAN_OFFICER").get("/loans/export/").status_code == 403


def test_product_and_institution_choices_come_when_asked(lending: Lending, as_post: Callable[..., Client]) -> None:
    fragment = as_post("LOAN_OFFICER").get(f"/loans/filter/?product={lending.product_id}").content.decode()
    assert f'<option value="{lending.product_id}" selected>' in fragment
    assert "柳溪支行" in fragment
    assert "北坪支行" not in fragment


# 360 ----------------------------------------------------------------------------------------------------------


def test_every_tab_opens_alone_and_within_the_page(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    loan = overdue_loan(lending)
    repay(county, loan, 100_000)
    client = as_post("DISBURSEMENT_CLERK")
    for tab in ("overview", "schedule", "facts", "vouchers", "movements", "customer", "tasks", "papers"):
        url = f"/loans/{loan.pk}/?tab={tab}"
        whole = client.get(url).content.decode()
        assert loan.number in whole
        assert 'id="loan"' in whole
        only_tab = client.get(url, headers=HTMX | {"HX-Target": "tabbed"}).content.decode()
        assert f'value="{tab}"' in only_tab
        assert 'id="loan"' not in only_tab
        body = client.get(url, headers=HTMX | {"HX-Target": "loan"}).content.decode()
        assert body.lstrip().startswith('<div id="loan">')
        assert "主菜单" not in body


def test_the_loan_page_does_not_grow_with_the_loan(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    young, old = overdue_loan(lending), overdue_loan(lending, days=300)
    repay(county, young, 10_000)
    for week in range(30):
        repay(county, old, 10_000, value_on=lending.today - timedelta(days=200 - week))
    client = as_post("DISBURSEMENT_CLERK")
    for tab in ("overview", "schedule", "facts", "vouchers", "movements", "customer", "tasks", "papers"):
        counts = [statements(client, f"/loans/{loan.pk}/?tab={tab}") for loan in (young, old)]
        assert counts[0] == counts[1] <= 18, (tab, counts)


def test_the_date_bar_travels_and_says_so(lending: Lending, county: County, as_post: Callable[..., Client]) -> None:
    loan = overdue_loan(lending)
    client = as_post("LOAN_OFFICER")
    now = text_of(client.get(f"/loans/{loan.pk}/"))
    assert "这不是现状" not in now
    past = lending.today - timedelta(days=90)
    before = text_of(client.get(f"/loans/{loan.pk}/?on={past}"))
    assert f"这不是现状：{past} 开门时的样子" in before
    ahead = lending.today + timedelta(days=60)
    assert f"这是推演：假定此后没有任何收付，{ahead}" in text_of(client.get(f"/loans/{loan.pk}/?on={ahead}"))
    unknown = lending.today - timedelta(days=1)
    as_known = text_of(client.get(f"/loans/{loan.pk}/?tab=facts&known_at={unknown}"))
    assert "还没有事实" in as_known, "the loan was booked today with a value date in the past"


def test_someone_elses_loan_is_not_found(lending: Lending, county: County, as_post: Callable[..., Client]) -> None:
    loan = lending.lend(twelve_months(lending.today), at="S9")
    client = as_post("LOAN_OFFICER")
    for path in ("", "why/principal/", "papers/schedule/", "brief/"):
        assert client.get(f"/loans/{loan.pk}/{path}").status_code == 404


@pytest.mark.parametrize(
    "figure",
    [
        "principal",
        "overdue_principal",
        "interest_due",
        "interest_accrued",
        "penalty",
        "compound",
        "fee",
        "overpayment",
        "days_past_due",
        "payoff",
    ],
)
def test_every_number_of_the_strip_explains_itself(
    lending: Lending, as_post: Callable[..., Client], figure: str
) -> None:
    loan = overdue_loan(lending)
    client = as_post("LOAN_OFFICER")
    assert reverse("loans:why", args=[loan.pk, figure]) in client.get(f"/loans/{loan.pk}/").content.decode()
    fragment = client.get(f"/loans/{loan.pk}/why/{figure}/", headers=HTMX)
    assert fragment.status_code == 200
    assert "derive" in fragment.content.decode()
    assert "主菜单" in client.get(f"/loans/{loan.pk}/why/{figure}/").content.decode()


def test_the_derivation_ends_at_the_number_on_the_page(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    loan = overdue_loan(lending)
    penalty = view_loan(actor=county.actor("LOAN_OFFICER"), loan_id=loan.pk).figures().penalty_fen
    assert penalty > 0
    shown = text_of(as_post("LOAN_OFFICER").get(f"/loans/{loan.pk}/why/penalty/", headers=HTMX))
    assert format_yuan(penalty) in shown
    assert "21.6%" in shown
    assert as_post("LOAN_OFFICER").get(f"/loans/{loan.pk}/why/nonsense/", headers=HTMX).status_code == 404


# 办理 ---------------------------------------------------------------------------------------------------------


def test_the_trial_is_what_posting_does(lending: Lending, county: County, as_post: Callable[..., Client]) -> None:
    loan = overdue_loan(lending)
    url = f"/loans/{loan.pk}/repay-loan/"
    client = as_post("CASHIER")
    trial = client.post(url, {"amount_fen": "1,000.00", "channel": "COUNTER"}, headers=HTMX)
    assert LoanFact.objects.filter(loan=loan).count() == 1, "a trial writes nothing"
    view = view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk)
    expected = simulate(view, kind=FactKind.REPAYMENT, amount_fen=100_000, data={"payer": "BORROWER"})
    for fen in expected.allocated.values():
        assert format_yuan(fen) in text_of(trial)
    done = client.post(url, {"amount_fen": "1,000.00", "channel": "COUNTER", "submission_key": "a1"})
    assert done.status_code == 302
    after = view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk).figures()
    assert after == expected.after
    page = text_of(client.get(done["Location"]))
    assert "还款登记已入账" in page
    for fen in expected.allocated.values():
        assert format_yuan(fen) in page


def test_pressing_twice_pays_once(lending: Lending, as_post: Callable[..., Client]) -> None:
    loan = overdue_loan(lending)
    client = as_post("CASHIER")
    form = {"amount_fen": "500", "channel": "COUNTER", "submission_key": "same"}
    for _ in range(2):
        assert client.post(f"/loans/{loan.pk}/repay-loan/", form).status_code == 302
    assert LoanFact.objects.filter(loan=loan, kind="REPAYMENT").count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"amount_fen": "-5"}, "金额"),
        ({"amount_fen": "abc"}, "金额"),
        ({"amount_fen": "0"}, "金额不能为零"),
        ({"amount_fen": "9,999,999"}, "超过结清应付"),
        ({"amount_fen": "100", "value_on": "2031-01-01"}, "晚于当前营业日"),
        ({"amount_fen": "100", "value_on": "2001-01-01"}, "早于借据起点"),
        ({"amount_fen": "100", "order": "principal"}, "理由"),
    ],
)
def test_bad_repayments_say_what_is_wrong_and_keep_what_was_typed(
    lending: Lending, as_post: Callable[..., Client], given: dict[str, str], said: str
) -> None:
    loan = overdue_loan(lending)
    response = as_post("CASHIER").post(
        f"/loans/{loan.pk}/repay-loan/", {"channel": "TRANSFER", "submission_key": "k", **given}
    )
    assert response.status_code in {409, 422}
    assert said in text_of(response)
    assert f'value="{given["amount_fen"]}"' in response.content.decode()
    assert LoanFact.objects.filter(loan=loan).count() == 1


def test_settling_needs_the_quote_to_the_fen(lending: Lending, county: County, as_post: Callable[..., Client]) -> None:
    loan = overdue_loan(lending)
    client = as_post("CASHIER")
    total = view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk).payoff()["total"]
    url = f"/loans/{loan.pk}/settle/"
    assert f'value="{format_yuan(total)}"' in client.get(url).content.decode()
    wrong = client.post(url, {"amount_fen": format_yuan(total - 1), "channel": "COUNTER", "submission_key": "k1"})
    assert "结清应付" in text_of(wrong)
    assert wrong.status_code == 422
    assert (
        client.post(url, {"amount_fen": format_yuan(total), "channel": "COUNTER", "submission_key": "k2"}).status_code
        == 302
    )
    loan.refresh_from_db()
    assert loan.status == LoanStatus.SETTLED
    for paper in ("settlement", "release"):
        pdf = client.get(f"/loans/{loan.pk}/papers/{paper}/")
        assert pdf.content.startswith(b"%PDF")


def test_reversal_strikes_the_fact_and_restores_the_loan(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    loan = overdue_loan(lending)
    before = view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk).figures()
    seq = repay(county, loan, 100_000)["seq"]
    client = as_post("ACCOUNTING_SUPERVISOR")
    assert f"?seq={seq}" in client.get(f"/loans/{loan.pk}/?tab=facts").content.decode()
    url = f"/loans/{loan.pk}/reverse/"
    trial = text_of(client.post(url, {"seq": seq, "reason": ""}, headers=HTMX))
    assert format_yuan(before.owed_fen) in trial
    assert client.post(url, {"seq": seq, "reason": "重复入账", "submission_key": "r"}).status_code == 302
    assert view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk).figures() == before
    assert "struck" in client.get(f"/loans/{loan.pk}/?tab=facts").content.decode()
    assert client.get(f"/loans/{loan.pk}/papers/receipt/?seq={seq}").status_code == 409


CHANGES: dict[str, dict[str, str]] = {
    "prepay": {"amount_fen": "20000", "mode": "INSTALLMENT", "channel": "COUNTER"},
    "extend": {"matures_on": "2027-06-02"},
    "replan": {"lines": "2026-06-20\n2026-09-20", "reopen_overdue": "on"},
    "reprice": {"rate_ppm": "12"},
    "charge": {"name": "公证费", "amount_fen": "100"},
    "waive": {"component": "penalty", "amount_fen": "1"},
    "accelerate": {},
    "classify": {"loan_class": "3"},
    "accrual": {"accrual": "0"},
    "misuse": {"active": "1"},
    "write-off": {"approval_number": "核〔2026〕1号"},
}


@pytest.mark.parametrize("code", CHANGES)
def test_each_business_tries_then_posts_the_same(lending: Lending, county: County, code: str) -> None:
    action = next(a for a in ACTIONS if a.code == code)
    post = {"servicing.writeoff": "DEPARTMENT_HEAD"}.get(action.permission, "DISBURSEMENT_CLERK")
    loan = overdue_loan(lending)
    actor = county.actor(post)
    client = signed_in(actor)
    url = f"/loans/{loan.pk}/{code}/"
    form = CHANGES[code] | {"reason": "协议第 3 条", "submission_key": "once"}
    assert client.get(url).status_code == 200
    trial = client.post(url, form, headers=HTMX)
    assert "办理之后" in text_of(trial)
    page = client.post(url, form)
    assert page.status_code == 302, text_of(page)[:2000]
    after = view_loan(actor=actor, loan_id=loan.pk).figures()
    assert format_yuan(after.payoff_fen) in text_of(trial), "the trial showed what was then posted"


def test_refund_recovery_transfer_follow_their_states(lending: Lending, county: County) -> None:
    loan, actor = fresh_loan(lending), county.actor("DISBURSEMENT_CLERK")
    client = signed_in(actor)
    assert client.get(f"/loans/{loan.pk}/recover/").status_code == 409, "only a written-off loan recovers"
    repay(county, loan, 10_000)
    assert reverse("loans:refund", args=[loan.pk]) in client.get(f"/loans/{loan.pk}/").content.decode()
    done = client.post(f"/loans/{loan.pk}/refund/", {"amount_fen": "100", "reason": "多收", "submission_key": "f"})
    assert done.status_code == 302
    assert reverse("loans:refund", args=[loan.pk]) not in client.get(f"/loans/{loan.pk}/").content.decode()
    moved = client.post(
        f"/loans/{loan.pk}/transfer/", {"institution_id": county.ids["S2"], "reason": "属地调整", "submission_key": "t"}
    )
    assert moved.status_code == 302
    loan.refresh_from_db()
    assert loan.institution_id == county.ids["S2"]


def test_a_plan_that_cannot_be_read_names_its_line(lending: Lending, as_post: Callable[..., Client]) -> None:
    loan = fresh_loan(lending)
    response = as_post("DISBURSEMENT_CLERK").post(
        f"/loans/{loan.pk}/replan/", {"lines": "2026-06-20\n六月三十", "reason": "困难", "submission_key": "p"}
    )
    assert response.status_code == 422
    assert "第 2 行" in text_of(response)


def test_finding_a_loan_to_repay(lending: Lending, as_post: Callable[..., Client]) -> None:
    loan, other = overdue_loan(lending), fresh_loan(lending)
    client = as_post("CASHIER")
    one = client.get("/loans/repay/?" + urlencode({"q": loan.number}))
    assert one["Location"] == f"/loans/{loan.pk}/repay-loan/"
    many = client.get("/loans/repay/?" + urlencode({"q": "王秀兰"})).content.decode()
    for found in (loan, other):
        assert f"/loans/{found.pk}/repay-loan/" in many
    assert "没有找到" in text_of(client.get("/loans/repay/?q=NOBODY1"))


# 打印 ---------------------------------------------------------------------------------------------------------


def test_papers_are_pdf_and_wait_for_their_time(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    loan = overdue_loan(lending)
    seq = repay(county, loan, 100_000)["seq"]
    client = as_post("CASHIER")
    for paper in ("note", "schedule", "interest", "statement"):
        response = client.get(f"/loans/{loan.pk}/papers/{paper}/")
        assert response["Content-Type"] == "application/pdf"
        assert response.content.startswith(b"%PDF"), paper
    assert client.get(f"/loans/{loan.pk}/papers/receipt/?seq={seq}").content.startswith(b"%PDF")
    assert client.get(f"/loans/{loan.pk}/papers/settlement/").status_code == 409
    assert client.get(f"/loans/{loan.pk}/papers/unknown/").status_code == 404
    assert client.get(f"/loans/{loan.pk}/papers/receipt/?seq=x").status_code == 404


def test_the_interest_list_adds_up_to_the_books(lending: Lending, county: County) -> None:
    from django.utils import timezone

    from sancha.apps.servicing.documents import papers
    from sancha.apps.servicing.documents.models import Letterhead

    loan = overdue_loan(lending, days=200)
    repay(county, loan, 100_000, value_on=lending.today - timedelta(days=30))
    view = view_loan(actor=county.actor("CASHIER"), loan_id=loan.pk)
    head = Letterhead(institution="柳溪支行", number="1", printed_by="制单", printed_at=timezone.now())
    listed = papers.interest_list(view, head)
    state, now = view.state, view.figures()
    by_kind = {
        kind: sum(line.interest_fen for line in listed.lines if line.kind == kind) for kind in ("利息", "罚息", "复利")
    }
    assert by_kind["利息"] == now.interest_due_fen + state.interest_paid
    assert by_kind["罚息"] == now.penalty_fen + state.penalty_paid
    assert by_kind["复利"] == now.compound_fen + state.compound_paid


# 录入与复核 ----------------------------------------------------------------------------------------------------


def elements(**changes: str) -> dict[str, str]:
    values = {
        "amount_fen": "20,000", "rate_ppm": "14.4", "term_count": "12", "term_unit": "MONTH", "method": "LEVEL_PAYMENT", "period": "MONTH:1",
        "grace_periods": "0", "guarantee": "GUARANTEE", "guarantor": "李建军", "purpose": "购买种苗", "submission_key": "b1",
    }  # fmt: skip
    return values | changes


def test_booking_previews_live_and_is_released_by_another_person(
    lending: Lending, county: County, as_post: Callable[..., Client]
) -> None:
    clerk = as_post("DISBURSEMENT_CLERK")
    where = f"?party={lending.party_id}&product={lending.product_id}"
    assert "贷款要素" in text_of(clerk.get(f"/loans/new/{where}"))
    form = elements(institution_id=str(county.ids["S1"]), start=str(lending.today))
    fine = text_of(clerk.post(f"/loans/new/preview/{where}", form, headers=HTMX))
    assert "要素与产品条款相符" in fine
    assert "1,799.51" in fine
    wrong = text_of(clerk.post(f"/loans/new/preview/{where}", form | {"amount_fen": "90,000,000"}, headers=HTMX))
    assert "金额 90,000,000.00 元不在" in wrong
    assert "还差" in text_of(clerk.post(f"/loans/new/preview/{where}", form | {"amount_fen": ""}, headers=HTMX))
    assert Loan.objects.count() == 0
    refused = clerk.post(f"/loans/new/{where}", form | {"amount_fen": "90,000,000"})
    assert refused.status_code == 422
    done = clerk.post(f"/loans/new/{where}", form)
    assert done.status_code == 302, text_of(done)[:1500]
    loan = Loan.objects.get()
    assert loan.status == LoanStatus.PENDING
    assert "待复核" in text_of(clerk.get(done["Location"]))
    assert "1,799.51" in text_of(clerk.get(f"/loans/{loan.pk}/?tab=schedule"))
    supervisor = as_post("ACCOUNTING_SUPERVISOR")
    tasks = supervisor.get("/tasks/").content.decode()
    task = re.search(r"/tasks/(\d+)/", tasks)
    assert task is not None
    page = supervisor.get(f"/tasks/{task[1]}/").content.decode()
    assert f'hx-get="/loans/{loan.pk}/brief/"' in page
    brief = text_of(supervisor.get(f"/loans/{loan.pk}/brief/", headers=HTMX))
    assert "贰万元整" in brief
    assert "1,799.51" in brief
    approved = supervisor.post(
        f"/tasks/{task[1]}/act/", {"act": "submit", "outcome": "APPROVED", "opinion": "", "submission_key": "ok"}
    )
    assert approved.status_code == 302
    loan.refresh_from_db()
    assert loan.status == LoanStatus.ACTIVE


def test_booking_finds_the_customer_first(lending: Lending, as_post: Callable[..., Client]) -> None:
    client = as_post("DISBURSEMENT_CLERK")
    assert "没有找到客户" in text_of(client.get("/loans/new/?q=查无此人"))
    assert client.get("/loans/new/?party=99999").status_code == 404
    chosen = client.get(f"/loans/new/?party={lending.party_id}").content.decode()
    assert f"product={lending.product_id}" in chosen
