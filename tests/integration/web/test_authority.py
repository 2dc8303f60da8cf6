"""授权的页面：起草、复核、看板、收回；发证、停权、恢复；填错的说清哪一栏、留着。"""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from sancha.apps.authority.models import Mandate, MandateDraft, Suspension
from sancha.apps.work.models import Task
from tests.integration.web.conftest import signed_in
from tests.support.factories_access import County, fresh_key


def post(client: Client, name: str, *arguments: int, **values: Any) -> Any:
    return client.post(reverse(f"authority:{name}", args=arguments), {"submission_key": fresh_key("web"), **values})


def shown(client: Client, name: str, *arguments: int, **query: Any) -> str:
    response = client.get(reverse(f"authority:{name}", args=arguments), query)
    assert response.status_code == 200
    return str(response.content.decode())


def approve(client: Client) -> None:
    task = Task.objects.get(kind="MANDATE_CHECK", state="open")
    response = client.post(
        reverse("task-act", args=[task.pk]),
        {"submission_key": fresh_key("web"), "outcome": "APPROVED", "opinion": "与书面授权一致", "act": "submit"},
    )
    assert response.status_code == 302


def test_a_mandate_from_the_draft_to_its_end_on_the_pages(county: County) -> None:
    county.actor("APPROVER")
    manager, head = signed_in(county.actor("BUSINESS_MANAGER")), signed_in(county.actor("DEPARTMENT_HEAD"))
    given = {
        "institution_id": county.ids["B2"], "post_code": "APPROVER", "program": "S11", "max_fen": "80,000",
        "max_months": "12", "valid_from": county.opened_on.isoformat(), "products": ["FARMER_GUARANTEE"],
        "for_new": "on", "for_repeat": "on", "parent_id": "",
    }  # fmt: skip
    wrong = post(manager, "propose", **given, reason="")
    assert wrong.status_code == 422
    assert "文号" in wrong.content.decode()
    assert "80,000" in wrong.content.decode(), "what was typed is kept"
    assert post(manager, "propose", **given, reason="总行授权书〔2026〕3号").status_code == 302
    draft = MandateDraft.objects.get()
    brief = shown(head, "draft-brief", draft.pk)
    for word in ("80,000.00", "农户保证贷款", "待复核"):
        assert word in brief
    approve(head)
    mandate = Mandate.objects.get()
    listed = shown(manager, "mandates")
    for word in (mandate.number, "农户保证贷款", "长期", "80,000.00"):
        assert word in listed
    assert "FARMER_GUARANTEE" not in listed, "people read names, not codes"
    asked = {
        "institution": county.ids["S1"], "program": "S11", "product": "FARMER_GUARANTEE", "guarantee": "GUARANTEE",
        "amount_fen": "80,000", "months": "12",
    }  # fmt: skip
    assert "能批" in shown(manager, "board", **asked)
    assert "本笔 80,001.00 元" in shown(manager, "board", **(asked | {"amount_fen": "80,001"}))
    assert post(manager, "revoke", mandate.pk, valid_to=county.opened_on.isoformat(), reason="").status_code == 422
    assert post(manager, "revoke", mandate.pk, valid_to=county.opened_on.isoformat(), reason="调整").status_code == 302
    approve(head)
    assert "没有本项目的有效授权" in shown(manager, "board", **asked)


def test_certificates_and_suspensions_on_the_pages(county: County) -> None:
    officer = county.actor("LOAN_OFFICER")
    manager, head = signed_in(county.actor("BUSINESS_MANAGER")), signed_in(county.actor("DEPARTMENT_HEAD"))
    assert "没有有效的上岗资格证书" in shown(manager, "officers")
    day = county.opened_on.isoformat()
    given = {"theory_days": "3", "practice_days": "21", "theory_passed_on": day, "practice_passed_on": day}
    short = post(manager, "certify", officer.person_id or 0, **given)
    assert short.status_code == 422
    assert "须满 7 天" in short.content.decode()
    assert post(manager, "certify", officer.person_id or 0, **(given | {"theory_days": "7"})).status_code == 302
    assert "没有有效的上岗资格证书" not in shown(manager, "officers")
    assert post(head, "suspend", officer.person_id or 0, cause="VIOLATION", reason="").status_code == 422
    assert post(head, "suspend", officer.person_id or 0, cause="VIOLATION", reason="代客户签字").status_code == 302
    kept = Suspension.objects.get()
    page = shown(head, "resume", kept.pk)
    assert officer.name in page
    assert "代客户签字" in page
    assert post(head, "resume", kept.pk, reason="追责到位，再训合格").status_code == 302
    assert head.get(reverse("authority:resume", args=[kept.pk])).status_code == 404, "it is lifted already"
