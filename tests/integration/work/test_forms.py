"""表单：版本、暂存、离线防重防覆盖、签名、证据、发现。"""

import hashlib
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from sancha.apps.work import operations, queries
from sancha.apps.work.forms import FormField, FormSchema, SignatureSlot
from sancha.apps.work.operations import TaskSpec, evidence_path
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from tests.integration.work.conftest import FILLED, VISIT_FORM
from tests.support.factories_access import OPENING_DAY, County, fresh_key

DAY = OPENING_DAY
pytestmark = pytest.mark.usefixtures("visit_form")


@pytest.fixture
def task_id(county: County) -> int:
    return operations.raise_task(
        spec=TaskSpec(
            kind="test.visit",
            subject_type="loan",
            subject_id=1,
            institution_id=county.ids["S1"],
            title="走访",
            reason="放款后首次走访",
            cause="first",
            opened_on=DAY,
            due_on=DAY + timedelta(days=15),
        )
    )


def save(county: County, task_id: int, data: dict, *, base: int, client: str = "", post: str = "LOAN_OFFICER"):
    return operations.save_form(
        actor=county.actor(post),
        key=fresh_key(),
        on=DAY,
        task_id=task_id,
        data=data,
        client_uuid=client or str(uuid.uuid4()),
        base_revision=base,
    )


def submit(county: County, task_id: int, data: dict | None):
    return operations.submit_task(
        actor=county.actor("LOAN_OFFICER"), key=fresh_key(), on=DAY, task_id=task_id, outcome="VISITED", data=data
    )


def test_a_submitted_form_leaves_typed_findings(county: County, task_id: int) -> None:
    submit(county, task_id, FILLED)
    codes = ["stock_fen", "seen_on", "open", "trade", "note"]
    found = queries.latest_findings(subject_type="loan", subject_id=1, codes=codes, on=DAY)
    assert found == {"stock_fen": 1_250_000, "seen_on": date(2026, 3, 2), "open": 1, "trade": "SHOP"}
    assert queries.latest_findings(subject_type="loan", subject_id=1, codes=codes, on=DAY - timedelta(days=1)) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stock_fen", 1.5),
        ("stock_fen", "12"),
        ("stock_fen", True),
        ("stock_fen", -1),
        ("stock_fen", 2**63),
        ("stock_fen", None),
        ("seen_on", "2026-02-30"),
        ("seen_on", 20260302),
        ("open", "是"),
        ("trade", "MOON"),
        ("note", "长" * 21),
        ("unknown", "x"),
    ],
)
def test_each_bad_answer_is_named_and_nothing_is_half_done(county: County, task_id: int, field: str, value) -> None:
    with pytest.raises(DomainError) as refused:
        submit(county, task_id, {**FILLED, field: value})
    assert (refused.value.code, refused.value.field) == ("FORM_INVALID", field)
    detail = queries.task_detail(county.actor("LOAN_OFFICER"), task_id, on=DAY)
    assert (detail.row.state, detail.revision) == ("open", 0)


def test_all_problems_are_told_at_once(county: County, task_id: int) -> None:
    with pytest.raises(DomainError) as refused:
        submit(county, task_id, {"trade": "MOON"})
    for label in ("存货", "走访日", "在营", "行业"):
        assert label in refused.value.message


def test_drafts_may_be_incomplete_and_are_used_at_the_end(county: County, task_id: int) -> None:
    assert save(county, task_id, {"stock_fen": 5}, base=0)["revision"] == 1
    with pytest.raises(DomainError):
        submit(county, task_id, None)
    assert save(county, task_id, FILLED, base=1)["revision"] == 2
    submit(county, task_id, None)
    detail = queries.task_detail(county.actor("LOAN_OFFICER"), task_id, on=DAY)
    assert (detail.data, detail.revision) == (FILLED, 2)


def test_offline_copies_neither_double_nor_overwrite(county: County, task_id: int) -> None:
    client = str(uuid.uuid4())
    assert save(county, task_id, FILLED, base=0, client=client)["revision"] == 1
    assert save(county, task_id, FILLED, base=0, client=client)["revision"] == 1
    with pytest.raises(Conflict) as stale:
        save(county, task_id, {**FILLED, "note": "另一台手机"}, base=0)
    assert stale.value.code == "FORM_CHANGED"
    with pytest.raises(DomainError):
        save(county, task_id, FILLED, base=1, client="not-a-uuid")
    with pytest.raises(NotPermitted):
        save(county, task_id, FILLED, base=1, post="INTAKE")


def test_an_open_task_keeps_its_form_version(county: County, task_id: int) -> None:
    shorter = FormSchema(title="贷后走访表", fields=VISIT_FORM.fields[:1])
    manager = county.actor("PRODUCT_MANAGER")
    inputs = {"actor": manager, "on": DAY, "code": "test.visit", "schema": shorter, "effective_from": DAY}
    published = operations.publish_form(**inputs, key="form")
    assert published["version"] == 2
    assert operations.publish_form(**inputs, key="form") == published
    assert operations.publish_form(**inputs, key="same content")["version"] == 2
    with pytest.raises(DomainError):
        operations.publish_form(
            **{**inputs, "schema": VISIT_FORM, "effective_from": DAY - timedelta(days=1)}, key=fresh_key()
        )
    with pytest.raises(DomainError):
        submit(county, task_id, {"stock_fen": 1})  # 旧版仍要全部必填
    submit(county, task_id, FILLED)


def test_a_form_without_a_valid_version_stops_the_task(county: County) -> None:
    with pytest.raises(DomainError) as refused:
        operations.raise_task(
            spec=TaskSpec(
                kind="test.visit",
                subject_type="loan",
                subject_id=1,
                institution_id=county.ids["S1"],
                title="走访",
                reason="早于表单生效",
                cause="early",
                opened_on=DAY - timedelta(days=1),
                due_on=DAY,
            )
        )
    assert refused.value.code == "FORM_MISSING"


def test_a_signature_is_on_what_was_written(county: County, task_id: int) -> None:
    officer = county.actor("LOAN_OFFICER")
    sign = {"actor": officer, "on": DAY, "task_id": task_id, "role": "客户", "signer": "李四", "method": "手写板"}
    with pytest.raises(Conflict):
        operations.sign_form(**sign, key=fresh_key())
    save(county, task_id, FILLED, base=0)
    signed = operations.sign_form(**sign, key=fresh_key())
    assert operations.sign_form(**sign, key=fresh_key())["signature_id"] == signed["signature_id"]
    assert [item.current for item in queries.task_detail(officer, task_id, on=DAY).signatures] == [True]
    save(county, task_id, {**FILLED, "stock_fen": 1}, base=1)
    assert [item.current for item in queries.task_detail(officer, task_id, on=DAY).signatures] == [False]


def test_evidence_is_kept_once_by_content(county: County, task_id: int, settings, tmp_path: Path) -> None:
    settings.DOCUMENT_ROOT = tmp_path
    photo = "照片".encode() * 100
    inputs = {"actor": county.actor("LOAN_OFFICER"), "on": DAY, "task_id": task_id, "media_type": "image/jpeg"}
    first = operations.attach_evidence(
        **inputs, key=fresh_key(), content=photo, name="门头.jpg", latitude_e6=30_123_456, longitude_e6=104_000_000
    )
    again = operations.attach_evidence(**inputs, key=fresh_key(), content=photo, name="又传一次.jpg")
    assert again["evidence_id"] == first["evidence_id"]
    assert first["sha256"] == hashlib.sha256(photo).hexdigest()
    assert evidence_path(first["sha256"]).read_bytes() == photo
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [first["sha256"]]
    (item,) = queries.task_detail(county.actor("LOAN_OFFICER"), task_id, on=DAY).evidence
    assert (item.name, item.size, item.latitude_e6) == ("门头.jpg", len(photo), 30_123_456)
    with pytest.raises(DomainError):
        operations.attach_evidence(**inputs, key=fresh_key(), content=b"", name="空.jpg")


@pytest.mark.parametrize(
    "field",
    [
        {"code": "x", "label": "x", "type": "text", "report": True, "longest": 401},
        {"code": "x", "label": "x", "type": "choice"},
        {"code": "x", "label": "x", "type": "float"},
    ],
)
def test_a_form_that_cannot_be_stored_is_refused(field: dict) -> None:
    with pytest.raises(ValidationError):
        FormField(**field)


class TestSignatures:
    """表单定了谁要签：缺一个就办不结，签后改过的不算。"""

    @pytest.fixture
    def signed_task(self, county: County) -> int:
        slots = (
            SignatureSlot(role="CLIENT", label="客户"),
            SignatureSlot(role="WITNESS", label="见证人", required=False),
        )
        schema = VISIT_FORM.model_copy(update={"signatures": slots})
        operations.ensure_form(code="test.visit", schema=schema, effective_from=DAY)
        return operations.raise_task(
            spec=TaskSpec(
                kind="test.visit", subject_type="loan", subject_id=2, institution_id=county.ids["S1"], title="走访",
                reason="放款后首次走访", cause="signed", opened_on=DAY, due_on=DAY,
            )
        )  # fmt: skip

    def sign(self, county: County, task_id: int, role: str = "CLIENT", **more):
        return operations.sign_form(
            **{"actor": county.actor("LOAN_OFFICER"), "key": fresh_key(), "on": DAY, "task_id": task_id, "role": role,
               "signer": "李四", "method": "HANDWRITTEN", **more}
        )  # fmt: skip

    def test_it_does_not_close_before_the_last_revision_is_signed(self, county: County, signed_task: int) -> None:
        save(county, signed_task, FILLED, base=0)
        with pytest.raises(Conflict) as refused:
            submit(county, signed_task, None)
        assert refused.value.code == "SIGNATURE_MISSING"
        assert "客户" in refused.value.message
        assert "见证人" not in refused.value.message
        self.sign(county, signed_task)
        with pytest.raises(Conflict):  # changed after it was signed
            submit(county, signed_task, {**FILLED, "note": "又改了一句"})
        submit(county, signed_task, None)
        detail = queries.task_detail(county.actor("LOAN_OFFICER"), signed_task, on=DAY)
        assert (detail.row.state, detail.signatures[0].role_name, detail.signatures[0].current) == (
            "done",
            "客户",
            True,
        )

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"role": "SPOUSE"}, "SIGNATURE_ROLE_UNKNOWN"),
            ({"signer": " "}, "SIGNER_MISSING"),
            ({"evidence_id": 10**9}, "EVIDENCE_NOT_FOUND"),
        ],
    )
    def test_who_signs_where_is_checked(self, county: County, signed_task: int, more: dict, code: str) -> None:
        save(county, signed_task, FILLED, base=0)
        with pytest.raises(DomainError) as refused:
            self.sign(county, signed_task, **more)
        assert refused.value.code == code
