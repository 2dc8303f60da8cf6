"""带走文件都留痕：页面、条件、行数；像个人信息的条件只存摘要；没带走的不记。"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import resolve

from sancha.interfaces.web.exports import note_download, with_rows
from sancha.kit.models import AuditEvent
from tests.support.factories_access import County
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db


def marks() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(operation="export.download"))


def test_a_name_and_a_number_in_the_conditions_are_not_stored(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BRANCH_MANAGER")
    got = client.get("/loans/export/", {"q": "王秀兰", "overdue_from": "1", "party": "510822199001011234"})
    assert got.status_code == 200
    (event,) = marks()
    shown = event.data["conditions"]
    assert shown["overdue_from"] == "1"
    assert shown["q"].startswith("#")
    assert shown["party"].startswith("#")
    assert "王秀兰" not in str(event.data)
    assert event.person_id is not None
    client.get("/loans/export/", {"q": "王秀兰"})
    assert marks()[1].data["conditions"]["q"] == shown["q"], "the same person asked for twice can be told"


def test_pages_leave_no_mark_and_neither_do_refusals(as_post: Callable[..., Client], lending: Lending) -> None:
    as_post("BRANCH_MANAGER").get("/loans/")
    assert as_post("LOAN_OFFICER").get("/loans/export/").status_code == 403
    assert marks() == []


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"Content-Type": "application/pdf"}, True),
        ({"Content-Type": "application/octet-stream", "Content-Disposition": 'attachment; filename="x"'}, True),
        ({"Content-Type": "text/csv"}, True),
        ({"Content-Type": "text/html"}, False),
    ],
)
def test_what_counts_as_a_file(county: County, headers: dict[str, str], kept: bool) -> None:
    request = HttpRequest()
    request.resolver_match = resolve("/audit/events.xlsx")
    request.actor, request.business_date = county.actor("AUDITOR"), county.opened_on
    note_download(request, with_rows(HttpResponse(b"x", headers=headers), 3))
    assert bool(marks()) is kept
    if kept:
        assert (marks()[0].subject, marks()[0].data["rows"]) == ("export:audit:export", 3)
