"""接口的共同规矩：身份、权限、幂等键、错误正文、金额与日期、分页、OpenAPI。"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.access import operations as access
from sancha.interfaces.api import shapes
from sancha.interfaces.api.site import document
from sancha.kit.actor import SYSTEM
from tests.integration.api.conftest import Office
from tests.integration.web.conftest import signed_in
from tests.support.api_client import Api, assert_problem
from tests.support.factories_access import OPENING_DAY, fresh_key

pytestmark = pytest.mark.django_db
CHINESE = re.compile("[\u4e00-\u9fff]")
LIST_BUDGET = 8 + 7  # the list itself, and seven to know who asks and what day it is there
Client_ = Callable[..., Api]


def test_without_identity_401_with_the_way_in(office: Office) -> None:
    body = assert_problem(Api(None).get("/loans"), 401, "AUTHENTICATION_REQUIRED")
    assert "Bearer" in body["fix"]
    assert Api(None).get("/loans")["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_token_is_401_even_beside_a_good_session(office: Office) -> None:
    client = signed_in(office.county.actor("CASHIER"))
    response = client.get("/api/v1/loans", headers={"Authorization": "Bearer sancha_wrong"})
    assert_problem(response, 401, "TOKEN_NOT_VALID")
    assert client.get("/api/v1/loans").status_code == 200


def test_a_revoked_token_stops_at_once(office: Office, as_post: Client_) -> None:
    api = as_post("CASHIER")
    assert api.get("/me").status_code == 200
    tokens = as_post("ADMINISTRATOR").get("/tokens").json()["items"]
    mine = next(item for item in tokens if item["person_name"].startswith("会计"))
    access.revoke_token(actor=SYSTEM, key=fresh_key("revoke"), on=OPENING_DAY, token_id=mine["id"])
    assert_problem(api.get("/me"), 401, "TOKEN_NOT_VALID")


def test_a_session_writes_only_with_its_csrf_token(office: Office) -> None:
    actor = office.county.actor("CASHIER")
    plain = signed_in(actor)
    client = Client(enforce_csrf_checks=True)
    client.cookies = plain.cookies
    url, body = f"/api/v1/loans/{office.loan_id}/repayments", json.dumps({"amount": "100.00"})
    send: dict[str, Any] = {"content_type": "application/json"}
    refused = client.post(url, body, headers={"Idempotency-Key": "k1"}, **send)
    assert_problem(refused, 403, "CSRF_FAILED")
    client.get("/")
    token = client.cookies["csrftoken"].value
    done = client.post(url, body, headers={"Idempotency-Key": "k1", "X-CSRFToken": token}, **send)
    assert done.status_code == 201, done.content.decode()


def test_who_must_change_the_password_does_that_first(office: Office) -> None:
    actor = office.county.actor("CASHIER")
    client = signed_in(actor)
    from django.contrib.auth import get_user_model

    get_user_model().objects.filter(pk=actor.person_id).update(must_change_password=True)
    assert_problem(client.get("/api/v1/loans"), 401, "PASSWORD_CHANGE_DUE")


def test_no_permission_is_said_in_words_before_the_body_is_read(office: Office, as_post: Client_) -> None:
    body = assert_problem(as_post("LOAN_OFFICER").post(f"/loans/{office.loan_id}/write-off", {"nonsense": 1}), 403)
    assert body["code"] == "PERMISSION_DENIED"
    assert "信贷员岗" in body["detail"]
    assert "核销" in body["detail"]


def test_every_write_needs_an_idempotency_key(office: Office, as_post: Client_) -> None:
    url = f"/loans/{office.loan_id}/repayments"
    body = assert_problem(as_post("CASHIER").post(url, {"amount": "1.00"}, key=None), 400, "IDEMPOTENCY_KEY_MISSING")
    assert body["field"] == "Idempotency-Key"
    assert_problem(as_post("CASHIER").post(url, {"amount": "1.00"}, key="有空格 的键".encode().decode("latin-1")), 400)


def test_a_repeat_gives_the_first_result_and_another_body_is_refused(office: Office, as_post: Client_) -> None:
    api, url = as_post("CASHIER"), f"/loans/{office.loan_id}/repayments"
    first = api.post(url, {"amount": "100.00"}, key="one")
    again = api.post(url, {"amount": "100.00"}, key="one")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert len(api.get(f"/loans/{office.loan_id}/facts").json()) == 2
    assert_problem(api.post(url, {"amount": "200.00"}, key="one"), 409, "KEY_REUSED")


def test_two_clients_with_one_key_do_not_collide(office: Office, as_post: Client_) -> None:
    url = f"/loans/{office.loan_id}/repayments"
    first = as_post("CASHIER").post(url, {"amount": "100.00"}, key="1")
    other = Api(office.county.actor("CASHIER", nth=2))
    second = other.post(url, {"amount": "100.00"}, key="1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["seq"] == first.json()["seq"] + 1


def test_a_domain_error_keeps_field_value_clause_and_remedy(office: Office, as_post: Client_) -> None:
    body = assert_problem(
        as_post("CASHIER").post(f"/loans/{office.loan_id}/repayments", {"amount": "60000.00"}), 422, "ABOVE_DEBT"
    )
    assert body["field"] == "amount"
    assert body["value"] == "60,000.00"
    assert body["clause"] == "民法典 677"
    assert body["fix"]


def test_validation_says_which_field_in_chinese(office: Office, as_post: Client_) -> None:
    url = f"/loans/{office.loan_id}/repayments"
    body = assert_problem(as_post("CASHIER").post(url, {"amount": 12.5, "amonut": "1"}), 422, "INVALID_REQUEST")
    assert {item["field"] for item in body["errors"]} == {"amount", "amonut"}
    assert all(CHINESE.search(item["detail"]) for item in body["errors"])


NOT_YUAN = [
    "1.234", "1e3", "", " 1", "1,000.00", "NaN", "Infinity", "\uff11\uff12", "-", "+1", "01", "99999999999999999999", 1, 1.5, True, None, [],
]  # fmt: skip


@pytest.mark.parametrize("amount", NOT_YUAN)
def test_an_amount_is_a_decimal_string_in_yuan_and_nothing_else(office: Office, as_post: Client_, amount: Any) -> None:
    body = assert_problem(as_post("CASHIER").post(f"/loans/{office.loan_id}/repayments", {"amount": amount}), 422)
    assert body["field"] == "amount"


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123456, "1234.56"), (-100, "-1.00")]
)
def test_yuan_goes_out_and_comes_back_the_same(fen: int, text: str) -> None:
    assert shapes.yuan(fen) == text
    assert shapes._to_fen(text) == fen


def test_a_misspelt_filter_is_refused_not_ignored(as_post: Client_) -> None:
    body = assert_problem(as_post("CASHIER").get("/loans?statsu=ACTIVE"), 400, "PARAMETER_UNKNOWN")
    assert "status" in body["fix"]


def test_pages_are_bounded_and_past_the_end_empty(office: Office, as_post: Client_) -> None:
    api = as_post("CASHIER")
    assert_problem(api.get("/loans?size=501"), 422)
    assert_problem(api.get("/loans?page=0"), 422)
    assert_problem(api.get(f"/loans?page={10**30}"), 422)
    last = api.get("/loans?page=2&size=10").json()
    assert (last["items"], last["total"], last["page"], last["pages"]) == ([], 1, 2, 1)


def test_a_list_keeps_the_statement_budget(office: Office, as_post: Client_) -> None:
    api = as_post("CASHIER")
    api.get("/loans")
    with CaptureQueriesContext(connection) as seen:
        api.get("/loans")
    assert len(seen) <= LIST_BUDGET, [query["sql"][:80] for query in seen.captured_queries]


def test_unknown_addresses_and_methods_are_problems_too(as_post: Client_) -> None:
    api = as_post("CASHIER")
    assert_problem(api.get("/nowhere"), 404, "ADDRESS_UNKNOWN")
    assert_problem(Api(None).client.get("/api/v2/loans"), 404, "ADDRESS_UNKNOWN")
    assert_problem(api("DELETE", "/loans"), 405, "METHOD_NOT_ALLOWED")
    assert_problem(api.get("/loans/abc"), 422)
    assert_problem(api.get("/loans/0"), 422)


def test_a_body_that_is_not_json(office: Office, as_post: Client_) -> None:
    url = f"/loans/{office.loan_id}/repayments"
    for text in ("{", "", "[" * 100_000, '{"amount": "\\ud800"}', b"\xff\xfe", "null", "[]", '"x"'):
        assert as_post("CASHIER").post(url, text).status_code in {400, 422}, text[:20]


def test_personal_data_is_masked(office: Office, as_post: Client_) -> None:
    api = as_post("LOAN_OFFICER")
    made = api.post(
        "/parties", {"kind": "FARMER", "name": "李桂英", "id_kind": "RESIDENT_ID", "id_number": "11010519491231002X", "phone": "13800005678"}
    )  # fmt: skip
    assert made.status_code == 201, made.content.decode()
    party_id = made.json()["party_id"]
    text = api.get(f"/parties/{party_id}").content.decode() + api.get("/parties?text=李桂英").content.decode()
    assert "11010519491231002X" not in text
    assert "13800005678" not in text
    shown = api.post(f"/parties/{party_id}/reveal", {"fields": ["id_number"], "reason": "面签核对身份"}).json()
    assert "11010519491231002X" in json.dumps(shown)


def test_health_is_public_and_says_the_age_of_the_day(office: Office) -> None:
    body = Api(None).get("/health").json()
    assert body["ok"] is True
    assert {group["code"] for group in body["groups"]} == {"BANK", "GC"}


def test_metrics_are_prometheus_text(as_post: Client_) -> None:
    response = as_post("AUDITOR").get("/metrics")
    assert response["Content-Type"].startswith("text/plain")
    text = response.content.decode()
    assert 'sancha_loans_balance_fen{group="BANK"} 5000000' in text
    for line in text.strip().splitlines():
        assert line.startswith("# ") or re.fullmatch(
            r'sancha_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.]+', line
        )


# OpenAPI ---------------------------------------------------------------------------------------------------


def every_operation() -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, item) for path, methods in document()["paths"].items() for method, item in methods.items()]


def test_openapi_is_served_in_chinese() -> None:
    response = Api(None).get("/openapi.json")
    assert response.status_code == 200
    assert "还款登记" in response.content.decode()
    assert len(every_operation()) > 150


def test_every_operation_is_described_and_lists_its_errors() -> None:
    for method, path, item in every_operation():
        where = f"{method} {path}"
        assert CHINESE.search(item["summary"]), where
        assert CHINESE.search(item.get("description", "")), where
        assert {"400", "401", "403", "404", "409", "422"} <= set(item["responses"]), where
        if not path.endswith(("/health", "/ready")):
            assert item["security"] == [{"Bearer": []}, {"Session": []}], where
        assert item["tags"], where
    names = [item["operationId"] for _, _, item in every_operation()]
    assert len(names) == len(set(names))


def test_every_field_has_a_chinese_description() -> None:
    bare: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            for name, field in (part.get("properties") or {}).items():
                if isinstance(field, dict) and not CHINESE.search(str(field.get("description", ""))):
                    bare.add(name)
            if "in" in part and "schema" in part and not CHINESE.search(part.get("description", "")):
                bare.add(part["name"])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(document()["components"])
    walk(document()["paths"])
    assert bare == set()


def test_no_amount_leaves_the_interface_as_a_number() -> None:
    """没有一栏叫 ``…_fen``：分只在计算器文档里。"""
    text = json.dumps(document()["components"])
    assert not re.search(r'"\w+_fen":', text.replace("principal_fen", ""))


def test_every_write_documents_its_key_and_shows_an_example() -> None:
    from sancha.interfaces.api.site import operations

    for method, path, view in operations():
        act = getattr(view, "act", None)
        if act is None:
            continue
        item = document()["paths"][path][method.lower()]
        assert any(one["name"] == "Idempotency-Key" and one["required"] for one in item["parameters"]), path
        if act.body is not None and not hasattr(view, "__wrapped__"):
            assert act.example is not None, path
            act.body.model_validate(act.example)
