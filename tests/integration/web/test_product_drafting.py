"""起草产品：表单是条款的全部，一字不改地来回；复核人看得到每一处不同，发布由他办结任务。"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from sancha.apps.products import queries
from sancha.apps.work.queries import my_tasks
from sancha.interfaces.web.products.forms import VersionForm
from sancha.interfaces.web.products.terms import changes
from sancha.rulebook.product_terms import ProductTerms
from sancha.rulebook.programs import product_definitions
from tests.integration.web.test_access_pages import key_in
from tests.support.factories_access import OPENING_DAY, County
from tests.support.factories_loans import Lending

pytestmark = pytest.mark.django_db
DEFINITIONS = {item.code: item for item in product_definitions()}


def filled(document: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """浏览器照原样交回来的表单内容。"""
    form = VersionForm(document=document, based_on=["PSBC-2014-TERMS"], valid_from=OPENING_DAY)
    given = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in given.items() if value is not None}
    return values | {"valid_from": OPENING_DAY.isoformat(), "reason": "增设宽限期"} | changed


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_the_form_gives_back_every_term_unchanged(code: str) -> None:
    document = DEFINITIONS[code].terms.model_dump(mode="json")
    form = VersionForm(filled(document), document=document, based_on=[], valid_from=OPENING_DAY)
    assert form.is_valid(), form.errors
    assert ProductTerms.model_validate(form.document).model_dump(mode="json") == document
    assert changes(document, form.document) == []


def test_ticks_come_back_in_the_order_of_the_options_and_that_is_no_change() -> None:
    document = DEFINITIONS["FARMER_GUARANTEE"].terms.model_dump(mode="json")
    ticked = sorted(document["repayment_methods"])
    assert ticked != document["repayment_methods"]
    more = filled(document, **{"terms.repayment_methods": [*ticked, "LEVEL_PRINCIPAL"]})
    same = filled(document, **{"terms.repayment_methods": ticked})
    for values, expected in ((same, 0), (more, 1)):
        form = VersionForm(values, document=document, based_on=[], valid_from=OPENING_DAY)
        assert form.is_valid(), form.errors
        assert len(changes(document, form.document)) == expected


def test_the_order_of_allocation_is_kept_as_typed() -> None:
    document = DEFINITIONS["FARMER_GUARANTEE"].terms.model_dump(mode="json")
    given = filled(document, **{"terms.allocation.order": "本金→利息→复利→罚息→费用"})
    form = VersionForm(given, document=document, based_on=[], valid_from=OPENING_DAY)
    assert form.is_valid(), form.errors
    assert form.document["allocation"]["order"] == ["principal", "interest", "compound", "penalty", "fee"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("terms.terms", "一年", "请写成 单位 最短-最长"),
        ("terms.amount.min_fen", "一万", "金额"),
        ("terms.rate.max_ppm", "14.00001", "百分数"),
        ("terms.allocation.order", "本金→小费", "不认识「小费」"),
        ("terms.grace_days", "", "请填写"),
        ("terms.periods", "两月一次", "每月"),
    ],
)
def test_what_cannot_be_read_is_said_beside_the_field(field: str, value: str, said: str) -> None:
    document = DEFINITIONS["FARMER_GUARANTEE"].terms.model_dump(mode="json")
    form = VersionForm(filled(document, **{field: value}), document=document, based_on=[], valid_from=OPENING_DAY)
    assert not form.is_valid()
    assert said in "".join(form.errors[field])


def test_drafted_compared_checked_and_published(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    product_id = lending.product_id
    base = queries.version_history(product_id=product_id)[0]
    document = base.terms.model_dump(mode="json")
    drafter, checker = as_post("PRODUCT_MANAGER"), as_post("DEPARTMENT_HEAD")
    url = f"/products/{product_id}/versions/new/"
    key = key_in(drafter.get(url).content.decode())
    values = filled(document, **{"terms.grace_days": "5", "terms.amount.max_fen": "80,000.00"})

    compared = drafter.post(url, values | {"act": "compare", "submission_key": key}).content.decode()
    assert "宽限" in compared
    assert "取自参数 penalty.grace_days" in compared
    assert queries.open_drafts(product_id=product_id) == []

    wrong = drafter.post(url, values | {"terms.amount.max_fen": "1.00", "submission_key": key})
    assert wrong.status_code == 422
    assert "PRODUCT_TERMS_WRONG" in wrong.content.decode()
    assert 'value="1.00"' in wrong.content.decode(), "what was typed is still there"

    sent = drafter.post(url, values | {"act": "propose", "submission_key": key})
    (draft,) = queries.open_drafts(product_id=product_id)
    assert sent["Location"] == f"/products/drafts/{draft.id}/"
    assert "待复核" in drafter.get(f"/products/{product_id}/").content.decode()

    (task,) = my_tasks(county.actor("DEPARTMENT_HEAD"), on=OPENING_DAY).rows
    page = checker.get(f"/tasks/{task.id}/").content.decode()
    assert f"/products/drafts/{draft.id}/brief/" in page
    brief = checker.get(f"/products/drafts/{draft.id}/brief/").content.decode()
    assert "80,000.00" in brief
    assert "第 1 版相比" in brief
    assert drafter.post(f"/tasks/{task.id}/act/", {"outcome": "APPROVED", "submission_key": "d"}).status_code == 403

    done = checker.post(f"/tasks/{task.id}/act/", {"act": "submit", "outcome": "APPROVED", "submission_key": "a"})
    assert done.status_code == 302
    now = queries.version_history(product_id=product_id)[0]
    assert (now.seq, now.terms.grace_days, now.terms.amount.max_fen) == (2, 5, 8_000_000)
    assert now.recorded_by_id == county.actor("PRODUCT_MANAGER").person_id
    assert now.authorized_by_id == county.actor("DEPARTMENT_HEAD").person_id


def test_a_new_product_copies_the_terms_of_another(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("PRODUCT_MANAGER")
    made = client.post(
        "/products/new/",
        {
            "code": "VILLAGE",
            "name": "兴村贷",
            "program": "农户贷款",
            "customer_kinds": ["FARMER"],
            "submission_key": "n",
        },
    )
    url = made["Location"]
    assert url.endswith("/versions/new/")
    assert f"?copy={lending.product_id}" in client.get(url).content.decode()
    shown = client.get(url, {"copy": lending.product_id}).content.decode()
    assert "照抄" in shown
    document = queries.version_history(product_id=lending.product_id)[0].terms.model_dump(mode="json")
    sent = client.post(f"{url}?copy={lending.product_id}", filled(document) | {"submission_key": key_in(shown)})
    assert sent.status_code == 302, sent.content.decode()[:2000]


def test_withdrawal_and_rate_wait_for_the_second_person(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    client, product_id = as_post("PRODUCT_MANAGER"), lending.product_id
    client.post(
        f"/products/{product_id}/rates/new/",
        {"institution_id": county.ids["B2"], "customer_kind": "FARMER", "valid_from": "2026-03-02", "rate_ppm": "10.8",
         "submission_key": "r"},
    )  # fmt: skip
    client.post(
        f"/products/{product_id}/withdraw/", {"valid_from": "2026-07-01", "reason": "试点结束", "submission_key": "w"}
    )
    assert [draft.kind for draft in queries.open_drafts(product_id=product_id)] == ["WITHDRAWAL", "RATE"]
    checker = as_post("DEPARTMENT_HEAD")
    for task in my_tasks(county.actor("DEPARTMENT_HEAD"), on=OPENING_DAY).rows:
        checker.post(
            f"/tasks/{task.id}/act/", {"act": "submit", "outcome": "APPROVED", "submission_key": f"a{task.id}"}
        )
    assert queries.open_drafts(product_id=product_id) == []
    page = client.get(f"/products/{product_id}/").content.decode()
    assert "河东分行" in page
    assert "部门负责人HO-1" in page


def test_who_may_not_draft_sees_no_button(as_post: Callable[..., Client], lending: Lending) -> None:
    page = as_post("LOAN_OFFICER").get(f"/products/{lending.product_id}/").content.decode()
    assert "起草新版本" not in page
    assert as_post("LOAN_OFFICER").get(f"/products/{lending.product_id}/versions/new/").status_code == 403
