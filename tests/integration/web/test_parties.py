"""客户页面：遮蔽、查看明文留痕、登记、联系方式、关系、信用档案、更正。"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.parties import operations
from sancha.apps.parties.models import Party, PartyReveal
from tests.integration.web.loans import fresh_loan
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db
ID_NUMBER = "11010519491231002X"
PHONE = "13812345678"


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def customer(county: County, **changes: Any) -> int:
    values = {
        "kind": "PERSON", "name": "赵建国", "id_kind": "RESIDENT_ID", "id_number": ID_NUMBER, "phone": PHONE,
        "address": "四川省青川县柳溪镇东河村三组27号", "institution_id": county.ids["S1"],
    }  # fmt: skip
    done = operations.register_party(
        actor=county.actor("LOAN_OFFICER"), key=fresh_key(), on=county.opened_on, **(values | changes)
    )
    return int(done["party_id"])


def test_the_list_masks_and_stays_within_its_budget(county: County, as_post: Callable[..., Client]) -> None:
    customer(county)
    client = as_post("LOAN_OFFICER")
    client.get("/parties/")
    with CaptureQueriesContext(connection) as captured:
        page = client.get("/parties/?q=建国")
    assert len(captured) <= 8
    shown = page.content.decode()
    assert "赵建国" in shown
    assert "110105********002X" in shown
    assert "138****5678" in shown
    for secret in (ID_NUMBER, PHONE, "东河村"):
        assert secret not in shown
    assert "没有符合条件的客户" in text_of(client.get("/parties/?q=查无此人"))


def test_clear_text_needs_a_reason_and_leaves_a_record(county: County, as_post: Callable[..., Client]) -> None:
    party_id = customer(county)
    client = as_post("LOAN_OFFICER")
    assert ID_NUMBER not in client.get(f"/parties/{party_id}/").content.decode()
    url = f"/parties/{party_id}/reveal/"
    refused = client.post(url, {"fields_wanted": ["id_number"], "reason": "", "submission_key": "r1"})
    assert refused.status_code == 422
    assert ID_NUMBER not in refused.content.decode()
    shown = client.post(
        url, {"fields_wanted": ["id_number", "phone"], "reason": "核对身份证原件", "submission_key": "r2"}
    )
    assert ID_NUMBER in shown.content.decode()
    assert PHONE in shown.content.decode()
    assert "东河村" not in shown.content.decode(), "only what was asked for"
    record = PartyReveal.objects.get()
    assert (record.party_id, record.fields, record.reason) == (party_id, ["id_number", "phone"], "核对身份证原件")
    assert ID_NUMBER not in client.get(f"/parties/{party_id}/").content.decode(), "the next page masks again"
    assert client.get(url).status_code == 302
    assert as_post("DEPARTMENT_HEAD").post(url, {"fields_wanted": ["id_number"], "reason": "想看看"}).status_code == 403


def test_registering_checks_the_identity_and_knows_the_same_person(
    county: County, as_post: Callable[..., Client]
) -> None:
    client = as_post("LOAN_OFFICER")
    form = {
        "kind": "FARMER", "name": "孙丽华", "id_kind": "RESIDENT_ID", "id_number": "110105194912310021", "institution_id": county.ids["S1"],
        "submission_key": "p1",
    }  # fmt: skip
    wrong = client.post("/parties/new/", form)
    assert wrong.status_code == 422
    assert "孙丽华" in wrong.content.decode(), "what was typed is kept"
    assert Party.objects.count() == 0
    done = client.post("/parties/new/", form | {"id_number": ID_NUMBER})
    assert done.status_code == 302
    again = client.post("/parties/new/", form | {"id_number": ID_NUMBER, "submission_key": "p2"})
    assert again["Location"] == done["Location"]
    other_name = client.post("/parties/new/", form | {"id_number": ID_NUMBER, "name": "李四", "submission_key": "p3"})
    assert other_name.status_code == 409


def test_the_file_grows_by_entries_contacts_relations_and_amendments(
    county: County, as_post: Callable[..., Client]
) -> None:
    party_id = customer(county)
    spouse_id = customer(county, name="周玉兰", id_kind="PASSPORT", id_number="E12345678", phone="")
    client = as_post("LOAN_OFFICER")
    base = f"/parties/{party_id}"
    steps = {
        "contacts": {"channel": "WECHAT", "value": "zhao-jianguo", "holder": ""},
        "relations": {
            "other_number": Party.objects.get(pk=spouse_id).number,
            "kind": "SPOUSE",
            "valid_from": str(county.opened_on),
            "note": "",
        },
        "entries": {"topic": "visit.finding", "source": "SEEN", "text": "存栏生猪二十头，圈舍整洁"},
        "amend": {"field": "occupation", "value": "养殖户", "source": "CLAIMED", "reason": "改行养猪"},
    }
    for name, form in steps.items():
        response = client.post(f"{base}/{name}/", form | {"submission_key": name})
        assert response.status_code == 302, (name, text_of(response)[:800])
    page = text_of(client.get(f"{base}/"))
    for part in ("周玉兰", "配偶", "存栏生猪二十头", "目睹", "养殖户", "改行养猪"):
        assert part in page
    assert "zhao-jianguo" not in page
    missing = client.post(
        f"{base}/relations/", steps["relations"] | {"other_number": "C9999999999", "submission_key": "x"}
    )
    assert missing.status_code == 404
    assert "没有客户号" in text_of(missing)


def test_the_loans_of_a_customer_are_listed_with_totals(lending: Lending, as_post: Callable[..., Client]) -> None:
    loans = [fresh_loan(lending) for _ in range(2)]
    page = as_post("LOAN_OFFICER").get(f"/parties/{lending.party_id}/")
    for loan in loans:
        assert loan.number in page.content.decode()
    assert "100,000.00" in text_of(page)


def test_a_stranger_is_not_found(county: County, as_post: Callable[..., Client]) -> None:
    party_id = customer(county)
    assert as_post("LOAN_OFFICER", at="S2").get(f"/parties/{party_id}/").status_code == 404
