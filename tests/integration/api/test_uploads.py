"""送文件：存量转入从预检到对账，批量还款，任务的证据。"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from sancha.apps.work.queries import task_detail
from tests.integration.api.conftest import Office
from tests.integration.importing.conftest import register_row
from tests.support.api_client import BASE, Api, assert_problem
from tests.support.api_things import things_at_s1
from tests.support.background import run_here
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


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    run_here(monkeypatch, settings, tmp_path)


@pytest.fixture
def importer(office: Office, as_post: Client_) -> Api:
    from django.db import transaction

    from sancha.kit.numbering import next_numbers

    with transaction.atomic():
        next_numbers("parties.party", 1000)  # the factory numbers its one customer by itself
    return as_post("BUSINESS_MANAGER")


def test_a_portfolio_comes_in_from_dry_run_to_reconciliation(
    office: Office, importer: Api, as_post: Client_, django_capture_on_commit_callbacks: Any
) -> None:
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
    checker = as_post("ACCOUNTING_SUPERVISOR")
    assert_problem(importer.post(f"/imports/{batch_id}/commit", {}), 403)
    assert_problem(checker.post(f"/imports/{batch_id}/commit", {}), 409, "BATCH_HAS_ERRORS")
    assert checker.get(f"/imports/{batch_id}/progress").json()["status"] == "STAGED"
    with django_capture_on_commit_callbacks(execute=True):
        done = checker.post(f"/imports/{batch_id}/commit", {"accept_doubts": True, "only_good": True})
        assert importer.get("/loans?keyword=OLD0001").json()["total"] == 0, "请求里不转入"
    assert done.status_code == 202, done.content.decode()
    assert done.json()["status"] == "COMMITTING"
    progress = checker.get(done.json()["progress"].removeprefix("/api/v1")).json()
    assert (progress["status"], progress["running"], progress["interrupted"]) == ("DONE", False, False)
    assert (progress["done"], progress["total"]) == (1, 1)
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


def test_a_repayment_file_is_posted_row_by_row_and_only_once(
    office: Office, as_post: Client_, django_capture_on_commit_callbacks: Any
) -> None:
    cashier = as_post("CASHIER")
    number = cashier.get(f"/loans/{office.loan_id}").json()["number"]
    rows = ({"借据号": number, "金额": "300", "流水号": "A1"}, {"借据号": "没有", "金额": "300", "流水号": "A2"})
    form: dict[str, Any] = {"institution_id": office.county.ids["S1"]}
    first = upload(cashier, "/imports/repayments", form | {"file": table(*rows, name="还款.csv")})
    assert first.status_code == 201, first.content.decode()
    batch_id = first.json()["batch_id"]
    assert (first.json()["ready"], first.json()["errors"]) == (1, 1)
    (bad,) = cashier.get(f"/imports/{batch_id}/problems").json()["items"]
    assert (bad["row"], bad["problems"][0]["code"]) == (3, "LOAN_UNKNOWN")
    assert len(cashier.get(f"/loans/{office.loan_id}/facts").json()) == 1, "预检不入账"
    assert_problem(cashier.post(f"/imports/{batch_id}/post", {"stop_on_error": True}), 409, "FILE_HAS_ERRORS")
    with django_capture_on_commit_callbacks(execute=True):
        assert cashier.post(f"/imports/{batch_id}/post", {}).status_code == 202
    assert cashier.get(f"/imports/{batch_id}/progress").json()["status"] == "DONE"
    again = upload(cashier, "/imports/repayments", form | {"file": table(*rows, name="还款.csv")}).json()
    assert (again["batch_id"], again["existing"]) == (batch_id, True)
    assert_problem(cashier.post(f"/imports/{batch_id}/post", {}), 409)
    assert len(cashier.get(f"/loans/{office.loan_id}/facts").json()) == 2


def test_layouts_are_saved_reused_and_deleted(office: Office, importer: Api) -> None:
    form = {"layout": "sancha", "institution_id": office.county.ids["S1"], "product_id": office.lending.product_id}
    batch_id = upload(importer, "/imports", form | {"files": [table(register_row(1))]}).json()["batch_id"]
    saved = importer.post(f"/imports/{batch_id}/layout", {"code": "county_ledger", "name": "县行旧台账"})
    assert saved.status_code == 201, saved.content.decode()
    assert "county_ledger" in {row["code"] for row in importer.get("/imports/layouts").json()}
    reused = upload(importer, "/imports", form | {"layout": "county_ledger", "files": [table(register_row(2))]})
    assert (reused.status_code, reused.json()["ready"]) == (201, 1)
    assert importer("DELETE", "/imports/layouts/county_ledger").status_code == 200
    assert_problem(importer.get("/imports/layouts/county_ledger"), 404)
    assert_problem(importer("DELETE", "/imports/layouts/sancha"), 409, "LAYOUT_RESERVED")
    assert importer.get(f"/imports/{reused.json()['batch_id']}").status_code == 200, "批次里存着当时的全文"


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
