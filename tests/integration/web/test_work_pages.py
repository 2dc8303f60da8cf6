"""首页、待办与任务页：数得对、筛得出、办得成，填过的不丢。"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from sancha.apps.work import kinds, operations
from sancha.apps.work.forms import FormField, FormSchema, SignatureSlot
from sancha.apps.work.kinds import Outcome, TaskKind
from sancha.apps.work.operations import TaskSpec
from sancha.apps.work.queries import task_detail
from tests.support.factories_access import OPENING_DAY, County

pytestmark = pytest.mark.django_db
CALL = TaskKind(
    code="web.call",
    name="电话催收",
    posts=("LOAN_OFFICER",),
    permission="work.act",
    outcomes=(Outcome("DONE", "已联系"), Outcome("RETURNED", "退回", needs_opinion=True)),
)
VISIT = TaskKind(
    code="web.visit",
    name="贷后走访",
    posts=("LOAN_OFFICER",),
    permission="work.act",
    outcomes=(Outcome("VISITED", "已走访"),),
    form_code="web.visit",
)
SCHEMA = FormSchema(
    title="贷后走访表",
    fields=(
        FormField(code="stock_fen", label="存货", type="fen", required=True, report=True, least=0),
        FormField(code="seen_on", label="走访日", type="date", required=True),
        FormField(code="trading", label="在营", type="bool", required=True),
        FormField(code="note", label="备注", type="text", longest=200),
    ),
)

SIGNED = SCHEMA.model_copy(update={"signatures": (SignatureSlot(role="CLIENT", label="客户"),)})


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    monkeypatch.setattr(kinds, "_closers", {})
    kinds.register_kind(CALL)
    kinds.register_kind(VISIT)
    operations.ensure_form(code="web.visit", schema=SCHEMA, effective_from=OPENING_DAY - timedelta(days=400))


def raised(county: County, kind: TaskKind = CALL, *, n: int = 1, late: int = 0, at: str = "S1") -> int:
    return operations.raise_task(
        spec=TaskSpec(
            kind=kind.code,
            subject_type="loan",
            subject_id=n,
            institution_id=county.ids[at],
            title=f"{kind.name} 张伟 JK{n:04d}",
            reason="逾期 1 天须电话催收",
            cause=str(n),
            opened_on=OPENING_DAY - timedelta(days=late + 1),
            due_on=OPENING_DAY - timedelta(days=late),
            clause="S10",
            facts={"balance_fen": 1_234_500, "days_past_due": 3},
        )
    )


def test_home_counts_and_lists_what_is_mine(as_post: Callable[..., Client], county: County) -> None:
    raised(county, n=1, late=2)
    raised(county, n=2)
    raised(county, n=3, at="S9")
    page = as_post("LOAN_OFFICER").get("/")
    assert [(t["label"], t["value"]) for t in page.context["tiles"]] == [
        ("待办", 2), ("今日到期", 1), ("已逾期", 1), ("未认领", 2)
    ]  # fmt: skip
    text = page.content.decode()
    assert "JK0001" in text
    assert "逾期 2 天" in text
    assert "JK0003" not in text, "another branch's task is out of scope"
    assert '<span class="count">2</span>' in text


def test_the_list_filters(as_post: Callable[..., Client], county: County) -> None:
    raised(county, n=1, late=2)
    raised(county, n=2)
    client = as_post("LOAN_OFFICER")
    late = client.get("/tasks/", {"due": "overdue"}).content.decode()
    assert "JK0001" in late
    assert "JK0002" not in late
    assert "没有待办" in client.get("/tasks/", {"whose": "mine"}).content.decode()
    assert client.get("/tasks/", {"due": "never", "kind": "none", "page": "x", "whose": "?"}).status_code == 200


def test_a_task_shows_its_reason_and_is_done(as_post: Callable[..., Client], county: County) -> None:
    number = raised(county)
    client = as_post("LOAN_OFFICER")
    text = client.get(f"/tasks/{number}/").content.decode()
    for part in ("逾期 1 天须电话催收", "S10", "12,345.00", "余额"):
        assert part in text
    refused = client.post(
        f"/tasks/{number}/act/", {"act": "submit", "outcome": "RETURNED", "opinion": "", "submission_key": "a"}
    )
    assert refused.status_code == 422
    assert "OPINION_MISSING" in refused.content.decode()
    values = {"act": "submit", "outcome": "DONE", "opinion": "答应周五还", "submission_key": "b"}
    assert client.post(f"/tasks/{number}/act/", values)["Location"] == "/tasks/"
    closed = client.get(f"/tasks/{number}/").content.decode()
    assert "答应周五还" in closed
    assert "已办" in closed
    actor = county.actor("LOAN_OFFICER")
    assert task_detail(actor, number, on=OPENING_DAY).row.outcome == "DONE"


def test_a_form_is_saved_half_done_and_refused_until_complete(as_post: Callable[..., Client], county: County) -> None:
    number = raised(county, VISIT)
    client = as_post("LOAN_OFFICER")
    half = {"stock_fen": "12,500.00", "note": "货架充足", "base_revision": "0", "submission_key": "s1", "act": "save"}
    assert client.post(f"/tasks/{number}/act/", half)["Location"] == f"/tasks/{number}/"
    page = client.get(f"/tasks/{number}/").content.decode()
    assert 'value="12,500.00"' in page
    assert "货架充足" in page
    wrong = half | {
        "act": "submit",
        "outcome": "VISITED",
        "seen_on": "2026-02-30",
        "base_revision": "1",
        "submission_key": "s2",
    }
    response = client.post(f"/tasks/{number}/act/", wrong)
    assert response.status_code == 422
    assert 'value="2026-02-30"' in response.content.decode()
    missing = wrong | {"seen_on": "", "submission_key": "s3"}
    text = client.post(f"/tasks/{number}/act/", missing).content.decode()
    assert "FORM_INVALID" in text
    assert 'value="12,500.00"' in text
    full = missing | {"seen_on": "2026-03-02", "trading": "0", "submission_key": "s4"}
    assert client.post(f"/tasks/{number}/act/", full)["Location"] == "/tasks/"
    detail = task_detail(county.actor("LOAN_OFFICER"), number, on=OPENING_DAY)
    assert detail.data == {"stock_fen": 1_250_000, "seen_on": "2026-03-02", "trading": False, "note": "货架充足"}


def test_claim_release_comment_and_assign(as_post: Callable[..., Client], county: County) -> None:
    number = raised(county)
    officer = county.actor("LOAN_OFFICER")
    client = as_post("LOAN_OFFICER")
    client.post(f"/tasks/{number}/claim/", {"submission_key": "c"})
    assert task_detail(officer, number, on=OPENING_DAY).row.assignee_id == officer.person_id
    client.post(f"/tasks/{number}/release/", {"submission_key": "r"})
    assert task_detail(officer, number, on=OPENING_DAY).row.assignee_id is None
    client.post(f"/tasks/{number}/comment/", {"text": "无人接听", "submission_key": "t"})
    assert "无人接听" in client.get(f"/tasks/{number}/").content.decode()
    colleague = county.actor("LOAN_OFFICER", nth=2)
    manager = as_post("BRANCH_MANAGER")
    assert colleague.name in manager.get(f"/tasks/{number}/").content.decode()
    manager.post(f"/tasks/{number}/assign/", {"person_id": colleague.person_id, "submission_key": "g"})
    assert task_detail(officer, number, on=OPENING_DAY).row.assignee_id == colleague.person_id
    blocked = client.post(f"/tasks/{number}/act/", {"act": "submit", "outcome": "DONE", "submission_key": "x"})
    assert blocked.status_code == 403


def test_evidence_is_stored_and_only_ever_downloaded(
    as_post: Callable[..., Client], county: County, settings, tmp_path
) -> None:
    settings.DOCUMENT_ROOT = tmp_path
    number = raised(county)
    client = as_post("LOAN_OFFICER")
    page = SimpleUploadedFile("走访.html", b"<script>alert(1)</script>", content_type="text/html")
    client.post(f"/tasks/{number}/evidence/", {"file": page, "submission_key": "e"})
    item = task_detail(county.actor("LOAN_OFFICER"), number, on=OPENING_DAY).evidence[0]
    response = client.get(f"/tasks/{number}/evidence/{item.id}/")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert b"".join(response.streaming_content) == b"<script>alert(1)</script>"
    assert client.get(f"/tasks/{number}/evidence/{item.id + 1}/").status_code == 404
    other = as_post("LOAN_OFFICER", at="S9")
    assert other.get(f"/tasks/{number}/evidence/{item.id}/").status_code == 404


INK = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"ink").decode()


def test_a_form_is_signed_by_hand_or_on_paper(
    as_post: Callable[..., Client], county: County, settings, tmp_path
) -> None:
    settings.DOCUMENT_ROOT = tmp_path
    operations.ensure_form(code="web.visit", schema=SIGNED, effective_from=OPENING_DAY - timedelta(days=300))
    number = raised(county, VISIT)
    client, officer = as_post("LOAN_OFFICER"), county.actor("LOAN_OFFICER")
    assert "data-ink-pad" not in client.get(f"/tasks/{number}/").content.decode(), "nothing written, nothing to sign"
    full = {
        "stock_fen": "12,500.00",
        "seen_on": "2026-03-02",
        "trading": "1",
        "base_revision": "0",
        "submission_key": "s",
    }
    client.post(f"/tasks/{number}/act/", full | {"act": "save"})
    assert "data-ink-pad" in client.get(f"/tasks/{number}/").content.decode()

    closing = full | {"act": "submit", "outcome": "VISITED", "base_revision": "1", "submission_key": "early"}
    early = client.post(f"/tasks/{number}/act/", closing)
    assert early.status_code == 409
    assert "SIGNATURE_MISSING" in early.content.decode()

    url = f"/tasks/{number}/sign/"
    empty = client.post(url, {"role": "CLIENT", "signer": "张伟", "submission_key": "g0"})
    assert empty.status_code == 422
    assert 'value="张伟"' in empty.content.decode(), "the name is still there"
    forged = {"role": "CLIENT", "signer": "张伟", "drawing": "data:text/html;base64,PGI+", "submission_key": "g1"}
    assert client.post(url, forged).status_code == 422
    drawn = {"role": "CLIENT", "signer": "张伟", "drawing": f"data:image/png;base64,{INK}", "submission_key": "g2"}
    assert client.post(url, drawn)["Location"] == f"/tasks/{number}/"
    photo = SimpleUploadedFile("纸.jpg", b"jpeg", content_type="image/jpeg")
    client.post(url, {"role": "CLIENT", "signer": "张伟之妻", "photo": photo, "submission_key": "g3"})
    signatures = task_detail(officer, number, on=OPENING_DAY).signatures
    assert [(s.role_name, s.signer, s.method, s.current) for s in signatures] == [
        ("客户", "张伟", "HANDWRITTEN", True), ("客户", "张伟之妻", "PAPER", True)
    ]  # fmt: skip
    kept = client.get(f"/tasks/{number}/evidence/{signatures[0].evidence_id}/")
    assert b"".join(kept.streaming_content) == base64.b64decode(INK)
    assert client.post(f"/tasks/{number}/act/", closing | {"submission_key": "done"})["Location"] == "/tasks/"
