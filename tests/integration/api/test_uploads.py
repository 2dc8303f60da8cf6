"""送文件：存量转入从预检到对账，批量还款，任务的证据。"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from sancha.apps.work.queries import task_detail
from tests.integration.api.conftest import Office
from tests.integration.importing.conftest import register_row
from tests.support.api_client import BASE, Api, assert_problem
from tests.support.api_things import things_at_s1
from tests.support.factories_access import OPENING_DAY, County, fresh_key

pytestmark = pytest.mark.django_db
Client_ = Callable[..., Api]


def table(*rows: dict[str, object], name: str = "贷款台账.csv") -> SimpleUploadedFile:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(title for row in rows for title in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return SimpleUploadedFile(name, stream.getvalue().encode("utf-8-sig"), "text/csv")


def upload(api: Api, path: str, data: dict[str, Any], *, key: str = "") -> Any:
    headers = {"Authorization": f"Bearer {api.token}", "Idempotency-Key": key or fresh_key("upload")}
    return api.client.post(BASE + path, data, headers=headers)


@pytest.fixture
def importer(office: Office, as_post: Client_) -> Api:
    from django.db import transaction

    from sancha.kit.numbering import next_numbers

    with transaction.atomic():
        next_numbers("parties.party", 1000)  # the factory numbers its one customer by itself
    return as_post("BUSINESS_MANAGER")


def test_a_portfolio_comes_in_from_dry_run_to_reconciliation(office: Office, importer: Api) -> None:
    form = {"layout": "sancha", "institution_id": office.county.ids["S1"], "product_id": office.lending.product_id}
    bad = register_row(2, 金额="-5")
    staged = upload(importer, "/imports", form | {"files": [table(register_row(1), bad)]})
    assert staged.status_code == 201, staged.content.decode()
    batch_id = staged.json()["batch_id"]
    found = importer.get(f"/imports/{batch_id}/problems").json()
    assert found["total"] == 1
    (row,) = found["items"]
    assert row["row"] == 3
    assert {"field", "value", "rule", "message", "fix"} <= set(row["problems"][0])
    assert_problem(importer.post(f"/imports/{batch_id}/commit", {}), 409)
    done = importer.post(f"/imports/{batch_id}/commit", {"accept_doubts": True, "only_good": True})
    assert done.status_code == 200, done.content.decode()
    assert importer.get("/loans?keyword=OLD0001").json()["total"] == 1
    assert importer.get("/loans?keyword=OLD0002").json()["total"] == 0
    assert importer.get(f"/imports/{batch_id}/differences").json()["total"] == 0
    assert importer.get(f"/imports/{batch_id}").json()["row"]["id"] == batch_id
    again = upload(importer, "/imports", form | {"files": [table(register_row(1), bad)]})
    assert again.json()["existing"] is True


def test_an_upload_that_cannot_be_read_is_told(office: Office, importer: Api) -> None:
    form = {"layout": "sancha", "institution_id": office.county.ids["S1"]}
    for content in (b"", b"\x00\x01\x02", b"PK\x03\x04broken", "不是台账\n1\n".encode()):
        file = SimpleUploadedFile("x.xlsx", content)
        response = upload(importer, "/imports", form | {"files": [file]})
        assert 400 <= response.status_code < 500, content
        assert_problem(response, response.status_code)
    assert_problem(upload(importer, "/imports", form), 422)
    assert_problem(upload(importer, "/imports", {"files": [table(register_row(1))]}), 422)
    assert_problem(upload(importer, "/imports", form | {"layout": "nothing", "files": [table(register_row(1))]}), 404)
    wrong = upload(importer, "/imports", form | {"institution_id": "x", "files": [table(register_row(1))]})
    assert assert_problem(wrong, 422)["field"] == "institution_id"


def test_a_repayment_file_is_posted_row_by_row_and_only_once(office: Office, as_post: Client_) -> None:
    number = as_post("CASHIER").get(f"/loans/{office.loan_id}").json()["number"]
    rows = ({"借据号": number, "金额": "300", "流水号": "A1"}, {"借据号": "没有", "金额": "300", "流水号": "A2"})
    form: dict[str, Any] = {"institution_id": office.county.ids["S1"]}
    first = upload(as_post("CASHIER"), "/imports/repayments", form | {"file": table(*rows, name="还款.csv")})
    assert first.status_code == 201, first.content.decode()
    upload(as_post("CASHIER"), "/imports/repayments", form | {"file": table(*rows, name="还款.csv")})
    assert len(as_post("CASHIER").get(f"/loans/{office.loan_id}/facts").json()) == 2


def test_evidence_is_kept_once_by_its_content(county: County) -> None:
    things = things_at_s1(county)
    api, path = Api(county.actor("ACCOUNTING_SUPERVISOR")), f"/tasks/{things['task_id']}/evidence"
    for _ in range(2):
        photo = SimpleUploadedFile("门头.jpg", b"\xff\xd8\xff" + b"x" * 100, "image/jpeg")
        response = upload(api, path, {"file": photo})
        assert response.status_code == 201, response.content.decode()
    (kept,) = task_detail(county.actor("ACCOUNTING_SUPERVISOR"), int(str(things["task_id"])), on=OPENING_DAY).evidence
    assert (kept.name, kept.media_type) == ("门头.jpg", "image/jpeg")
    assert_problem(upload(api, path, {}), 422)
