"""审计页：翻看与筛选、数据范围、核对链条、带摘要导出。"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.kit import audit
from sancha.kit.audit_log import EventFilter, all_events
from sancha.kit.models import AuditEvent
from sancha.kit.operation import write_audit
from sancha.kit.spreadsheets import read_table
from tests.support.factories_access import County

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 11  # three of them name the subjects of the whole page: loans, customers, persons


def test_events_are_filtered_by_person_operation_subject_and_day(
    as_post: Callable[..., Client], county: County
) -> None:
    cashier = county.actor("CASHIER")
    write_audit(actor=cashier, operation="test.did", subject="loan:77", data={"why": "理由"})
    client = as_post("AUDITOR")
    username = "cashier.s1.1"
    for wanted in ({"person": username}, {"operation": "test.did"}, {"subject": "loan:77"}):
        text = client.get("/audit/", wanted).content.decode()
        assert "借据 77" in text, wanted
        assert "理由" in text, wanted
    assert "借据 77" not in client.get("/audit/", {"operation": "access.add_person"}).content.decode()
    assert "没有符合条件的记录" in client.get("/audit/", {"person": "nobody"}).content.decode()
    assert "没有符合条件的记录" in client.get("/audit/", {"last": "2000-01-01"}).content.decode()


def test_another_legal_person_stays_out_of_sight(as_post: Callable[..., Client], county: County) -> None:
    write_audit(actor=county.actor("CASHIER"), operation="test.bank", subject="loan:1")
    write_audit(actor=county.actor("GC_HANDLER"), operation="test.center", subject="loan:2")
    text = as_post("AUDITOR").get("/audit/", {"operation": "test.center"}).content.decode()
    assert "借据 2" not in text
    center = as_post("AUDITOR", at="GC").get("/audit/", {"operation": "test.center"}).content.decode()
    assert "借据 2" in center


def test_the_chain_is_verified_from_the_page(as_post: Callable[..., Client]) -> None:
    client = as_post("AUDITOR")
    text = client.post("/audit/verify/").content.decode()
    assert "完好" in text
    assert audit.pending_count() == 0
    head = audit.head().text
    assert head in text
    again = client.post("/audit/verify/", {"published": head}).content.decode()
    assert "完好" in again
    other = head.split(":")[0] + ":" + "0" * 64
    assert "链条被重写" in client.post("/audit/verify/", {"published": other}).content.decode()


def test_an_unreadable_head_is_refused_in_place(as_post: Callable[..., Client]) -> None:
    response = as_post("AUDITOR").post("/audit/verify/", {"published": "12"})
    assert response.status_code == 422
    assert "HEAD_UNREADABLE" in response.content.decode()


def test_the_export_names_who_and_carries_a_digest_that_holds(as_post: Callable[..., Client], county: County) -> None:
    write_audit(actor=county.actor("CASHIER"), operation="test.did", subject="loan:77", data={"why": "理由"})
    client = as_post("AUDITOR")
    content = client.get("/audit/events.xlsx", {"operation": "test.did"}).getvalue()
    table = read_table(io.BytesIO(content), required=("封条",))
    assert [row.cells["对象"] for row in table.rows] == ["loan:77"]
    event = AuditEvent.objects.get(operation="export.download", subject="export:audit:export")
    assert event.data["rows"] == 1
    row = next(iter(all_events(EventFilter(operation="test.did"))))
    line = {
        "id": row.id, "at": row.at, "person_id": row.person_id, "post": "会计（柜员）", "operation": row.operation,
        "subject": row.subject, "on_day": row.on_day, "data": json.dumps(row.data, ensure_ascii=False, sort_keys=True),
        "seal_no": row.seal_no, "seal": row.seal,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(line, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()
    assert event.data["sha256"] == digest
    assert event.data["conditions"] == {"operation": "test.did"}


def test_who_may_look_but_not_export_is_not_offered_it(as_post: Callable[..., Client]) -> None:
    client = as_post("ADMINISTRATOR")
    assert "events.xlsx" not in client.get("/audit/").content.decode()
    assert client.get("/audit/events.xlsx").status_code == 403


def test_the_list_does_not_query_per_row(as_post: Callable[..., Client], county: County) -> None:
    client = as_post("AUDITOR")
    write_audit(actor=county.actor("CASHIER"), operation="test.did", subject="loan:0")
    client.get("/audit/")
    with CaptureQueriesContext(connection) as few:
        client.get("/audit/")
    for n in range(20):
        write_audit(actor=county.actor("CASHIER"), operation="test.did", subject=f"loan:{n}")
    with CaptureQueriesContext(connection) as many:
        client.get("/audit/")
    assert len(many) == len(few) <= LIST_PAGE_BUDGET, [q["sql"][:90] for q in many.captured_queries]
