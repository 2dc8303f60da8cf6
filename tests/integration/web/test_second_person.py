"""第二个人在页面上：待办里看得见、点得进，要决定的东西就在眼前，退回的录入人改得了、撤得了，轨迹写得清。"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sancha.apps.cashdesk.models import PaymentOrder
from sancha.apps.ledger.models import ManualDraft
from sancha.apps.servicing.models import Loan, LoanAdjustment, LoanFact
from sancha.apps.work.models import Task
from sancha.apps.work.operations import record_involvement
from tests.integration.web.conftest import signed_in
from tests.support.factories_access import fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db


@pytest.fixture
def office() -> Office:
    return open_office()


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def send(client: Client, url: str, **given: Any) -> Any:
    return client.post(url, given | {"submission_key": fresh_key()})


def to_task(client: Client, kind: str) -> tuple[str, str]:
    """待办里那条任务的网址，与它取来的片段。"""
    page = text(client, reverse("tasks"))
    assert kind in page
    task = Task.objects.get(state="open")
    url = reverse("task", args=[task.pk])
    assert url in page
    shown = text(client, url)
    brief = re.search(r'hx-get="([^"]+brief/)"', shown)
    assert brief is not None
    return url, text(client, brief[1])


def manual(office: Office, fen: str = "30.00", **more: str) -> dict[str, Any]:
    rows = [("6601", fen, ""), ("1002", "", fen)]
    lines = {
        f"line-{n}-{name}": value
        for n, row in enumerate(rows)
        for name, value in zip(("account", "debit", "credit"), row, strict=True)
    }
    return {
        "institution_id": office.county.ids["S1"], "booked_on": str(office.today), "summary": "支付办公费", **lines,
        "line-TOTAL_FORMS": 2, "line-INITIAL_FORMS": 0, "line-MIN_NUM_FORMS": 0, "line-MAX_NUM_FORMS": 200, **more,
    }  # fmt: skip


def test_a_voucher_draft_goes_to_the_desk_back_and_into_the_books(
    office: Office, as_office: Callable[[str], Client]
) -> None:
    clerk, supervisor = as_office("CASHIER"), as_office("ACCOUNTING_SUPERVISOR")
    entered = send(clerk, reverse("ledger:enter"), **manual(office))
    draft = ManualDraft.objects.get()
    page = reverse("ledger:draft", args=[draft.pk])
    assert entered["Location"] == page
    url, brief = to_task(supervisor, "手工凭证复核")
    assert "业务及管理费" in brief
    assert "30.00" in brief
    refused = send(supervisor, url + "act/", act="submit", outcome="RETURNED", opinion="")
    assert "OPINION_MISSING" in refused.content.decode()
    send(supervisor, url + "act/", act="submit", outcome="RETURNED", opinion="附件不全")
    shown = text(clerk, page)
    assert "附件不全" in shown
    correct = reverse("ledger:correct", args=[draft.pk])
    assert correct in shown
    assert 'value="30.00"' in text(clerk, correct)
    assert correct not in text(supervisor, page)
    send(clerk, correct, **manual(office, "20.00", summary="支付办公费，附件两张"))
    url, brief = to_task(supervisor, "手工凭证复核")
    assert "20.00" in brief
    send(supervisor, url + "act/", act="submit", outcome="APPROVED", opinion="")
    draft.refresh_from_db()
    assert draft.state == "AUTHORIZED"
    shown = text(clerk, page)
    for step in ("录入手工凭证", "送手工凭证复核", "附件不全", "改正后再送手工凭证复核", "同意记账"):
        assert step in shown
    assert reverse("ledger:voucher", args=[draft.voucher_id]) in shown
    assert page in text(clerk, reverse("ledger:voucher", args=[draft.voucher_id]))


def test_a_draft_is_withdrawn_from_its_page(office: Office, as_office: Callable[[str], Client]) -> None:
    clerk = as_office("CASHIER")
    send(clerk, reverse("ledger:enter"), **manual(office))
    draft = ManualDraft.objects.get()
    withdraw = reverse("ledger:withdraw", args=[draft.pk])
    assert send(clerk, withdraw, reason="").status_code == 422
    send(clerk, withdraw, reason="重复录入")
    assert "重复录入" in text(clerk, reverse("ledger:draft", args=[draft.pk]))
    assert not Task.objects.filter(state="open").exists()


def test_the_maker_who_may_also_check_is_refused_in_place(office: Office, as_office: Callable[..., Client]) -> None:
    """一个人在别处也任主管：页面不给他复核按钮，硬提交也被拒并写明规则。"""
    clerk = as_office("CASHIER")
    send(clerk, reverse("ledger:enter"), **manual(office))
    draft = ManualDraft.objects.get()
    supervisor = office.county.actor("ACCOUNTING_SUPERVISOR")
    ManualDraft.objects.update(entered_by=supervisor.person_id)
    task = Task.objects.get()

    record_involvement(
        root_type="manual_draft", root_id=draft.pk, person_id=supervisor.person_id, duty="MAKER", on=office.today
    )
    client = as_office("ACCOUNTING_SUPERVISOR")
    assert "授权记账</button>" not in text(client, reverse("ledger:draft", args=[draft.pk]))
    refused = send(client, reverse("ledger:authorize", args=[draft.pk]), opinion="")
    assert refused.status_code == 403
    assert "手工凭证的录入与复核须两人办理" in refused.content.decode()
    refused = send(client, reverse("task-act", args=[task.pk]), act="submit", outcome="APPROVED", opinion="")
    assert refused.status_code == 403


def test_a_payment_order_has_a_page_and_a_desk(office: Office, as_office: Callable[[str], Client]) -> None:
    clerk, supervisor = as_office("CASHIER"), as_office("ACCOUNTING_SUPERVISOR")
    loan_id = office.lend()
    send(
        clerk, reverse("cash:enter-order"), own_account_id=office.bank, purpose="DISBURSEMENT", amount_fen="500.00",
        payee_name="王五", payee_account="6222029876543210", loan_number=Loan.objects.get(pk=loan_id).number, memo="首笔",
    )  # fmt: skip
    order = PaymentOrder.objects.get()
    page = reverse("cash:order", args=[order.pk])
    assert page in text(clerk, reverse("cash:orders"))
    shown = text(clerk, page)
    for word in ("伍佰元整", "6222****3210", "贷款收付过渡", reverse("loans:detail", args=[loan_id]), "付成时才记"):
        assert word in shown
    url, brief = to_task(supervisor, "付款复核")
    assert "王五" in brief
    send(supervisor, url + "act/", act="submit", outcome="RETURNED", opinion="户名不符")
    correct = reverse("cash:correct-order", args=[order.pk])
    assert correct in text(clerk, page)
    assert "6222029876543210" not in text(clerk, correct)
    send(clerk, correct, payee_name="王五一", payee_account="", payee_bank="农行", memo="更正户名")
    url, brief = to_task(supervisor, "付款复核")
    assert "王五一" in brief
    send(supervisor, url + "act/", act="submit", outcome="APPROVED", opinion="")
    send(clerk, reverse("cash:send-order", args=[order.pk]))
    send(clerk, reverse("cash:settle-order", args=[order.pk]), bank_serial="B1")
    order.refresh_from_db()
    shown = text(clerk, page)
    for step in (
        "录入付款单",
        "送付款复核",
        "户名不符",
        "改正后再送付款复核",
        "同意付款",
        "发送",
        "付成，已记账",
        "B1",
    ):
        assert step in shown
    assert reverse("ledger:voucher", args=[order.voucher_id]) in shown


def test_an_adjustment_is_tried_sent_and_booked_by_another(office: Office, as_office: Callable[[str], Client]) -> None:
    clerk, supervisor = as_office("DISBURSEMENT_CLERK"), as_office("ACCOUNTING_SUPERVISOR")
    loan_id = office.lend()
    act = reverse("loans:adjust", args=[loan_id])
    assert act in text(clerk, reverse("loans:detail", args=[loan_id]))
    given = {"component": "fee", "direction": "INCREASE", "amount_fen": "10.00", "reason": "核对函第 3 条"}
    trial = clerk.post(act, given, headers={"HX-Request": "true"}).content.decode()
    assert "10.00" in trial
    assert not LoanAdjustment.objects.exists()
    too_much = send(clerk, act, **given | {"direction": "DECREASE"})
    assert "ADJUSTMENT_TOO_MUCH" in too_much.content.decode()
    sent = send(clerk, act, **given)
    row = LoanAdjustment.objects.get()
    page = reverse("loans:adjustment", args=[row.pk])
    assert sent["Location"] == page
    assert "核对函第 3 条" in text(clerk, page)
    url, brief = to_task(supervisor, "借据调整复核")
    assert "费用调增" in brief
    send(supervisor, url + "act/", act="submit", outcome="RETURNED", opinion="应为 8 元")
    correct = reverse("loans:correct-adjustment", args=[row.pk])
    assert correct in text(clerk, page)
    send(clerk, correct, direction="INCREASE", amount_fen="8.00", reason="核对函第 3 条")
    url, brief = to_task(supervisor, "借据调整复核")
    assert "8.00" in brief
    send(supervisor, url + "act/", act="submit", outcome="APPROVED", opinion="")
    row.refresh_from_db()
    assert (row.state, LoanFact.objects.get(kind="ADJUSTMENT").amount_fen) == ("BOOKED", 8_00)
    assert reverse("ledger:voucher", args=[row.voucher_id]) in text(clerk, page)
    assert "同意调整" in text(clerk, page)


def test_pages_of_another_line_are_not_found(office: Office, as_office: Callable[..., Client]) -> None:
    send(as_office("CASHIER"), reverse("ledger:enter"), **manual(office))
    draft = ManualDraft.objects.get()
    stranger = as_office("CASHIER", at="S9")
    for name in ("ledger:draft", "ledger:draft-brief", "ledger:correct"):
        assert stranger.get(reverse(name, args=[draft.pk])).status_code == 404
    assert stranger.get(reverse("cash:order", args=[1])).status_code == 404
    assert as_office("LOAN_OFFICER", at="S9").get(reverse("loans:adjustment", args=[1])).status_code == 404


@pytest.fixture
def as_office(office: Office) -> Callable[..., Client]:
    """以柳溪支行的某个岗位登录。"""

    return lambda code, **where: signed_in(office.county.actor(code, **where))
