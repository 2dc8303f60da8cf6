"""存量转入的页面：送件、报告、同意、进度、对账、放弃、下载。"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.servicing.models import ImportBatch, Loan
from sancha.dayclose import background
from sancha.kit.numbering import next_numbers
from sancha.kit.spreadsheets import read_table
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending, open_lending

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@pytest.fixture
def lending(county: County) -> Lending:
    made = open_lending(county)
    next_numbers("parties.party", 1000)
    return made


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any) -> None:
    """不另起进程，就在这里做。"""
    settings.HOME = tmp_path

    class Done:
        def wait(self) -> int:
            return 0

    def spawn(arguments: list[str]) -> Any:
        task, number, holding, argument = arguments
        background.perform(task, int(number), int(holding), argument)
        return Done()

    monkeypatch.setattr(background, "spawn", spawn)


def id_number(nth: int) -> str:
    body = f"51082219800101{nth:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def row(nth: int, **changes: str) -> dict[str, str]:
    """2025-09-02 放款 12,000 元、12 期等额本息：到 2026-03-02 恰好过了 6 期。"""
    return {
        "机构": "S1", "借据号": f"OLD{nth:04d}", "合同号": f"旧合同{nth}", "姓名": f"赵春{'一二三四五'[nth % 5]}", "证件号": id_number(nth),
        "客户类型": "农户", "用途": "购买饲料", "金额": "12,000.00", "余额": "6,199.42", "利率": "14.4", "还款方式": "等额本息",
        "放款日": "2025-09-02", "到期日": "2026-09-02", "期限": "12", "担保方式": "保证", "五级分类": "正常", "逾期天数": "0",
        "逾期本金": "0", "欠息": "0", **changes,
    }  # fmt: skip


def upload(lending: Lending, *rows: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return {
        "layout": "sancha", "files": SimpleUploadedFile("贷款台账.csv", stream.getvalue().encode("utf-8-sig")),
        "institution_id": lending.county.ids["S1"], "product_id": lending.product_id, "basis": "AUTO", "create_customers": "on",
        "shift_months": "0", "submission_key": fresh_key(), **changes,
    }  # fmt: skip


def test_a_register_goes_from_file_to_loans(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    assert "还没有转入过" in client.get("/imports/").content.decode()
    assert "三查台账" in client.get("/imports/new/").content.decode()
    done = client.post("/imports/new/", upload(lending, row(1), row(2)))
    batch = ImportBatch.objects.get()
    assert done["Location"] == f"/imports/{batch.pk}/"
    report = client.get(done["Location"]).content.decode()
    assert "没有毛病" in report
    assert Loan.objects.count() == 0
    client.post(f"/imports/{batch.pk}/start/", {"submission_key": fresh_key(), "accept_doubts": "on"})
    batch.refresh_from_db()
    assert (batch.status, Loan.objects.count()) == ("DONE", 2)
    page = client.get(f"/imports/{batch.pk}/").content.decode()
    assert "逐笔相符" in page
    assert client.get(f"/imports/{batch.pk}/progress/")["HX-Refresh"] == "true"
    assert client.post(f"/imports/{batch.pk}/reconcile/", {"submission_key": fresh_key()}).status_code == 302


def test_doubtful_rows_are_named_with_value_rule_and_remedy(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    client.post("/imports/new/", upload(lending, row(1), row(2, 金额="-5"), row(3, 放款日="2025-13-02")))
    batch = ImportBatch.objects.get()
    text = client.get(f"/imports/{batch.pk}/").content.decode()
    for part in ("OLD0002", "-5", "2025-13-02", "金额为负", "日期写错"):
        assert part in text, part
    only = client.get(f"/imports/{batch.pk}/", {"code": "DATE_WRONG"}).content.decode()
    assert "OLD0002" not in only
    table = read_table(io.BytesIO(client.get(f"/imports/{batch.pk}/problems.xlsx").getvalue()))
    assert {"行号", "规则", "值", "怎么改"} <= set(table.columns)
    assert len(table.rows) >= 2
    refused = client.post(f"/imports/{batch.pk}/start/", {"submission_key": fresh_key(), "accept_doubts": "on"})
    assert refused.status_code == 409
    assert "BATCH_HAS_ERRORS" in refused.content.decode()
    assert Loan.objects.count() == 0
    given = {"submission_key": fresh_key(), "accept_doubts": "on", "only_good": "on"}
    client.post(f"/imports/{batch.pk}/start/", given)
    assert Loan.objects.count() == 1


def test_the_same_file_is_recognized(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    client.post("/imports/new/", upload(lending, row(1)))
    again = client.post("/imports/new/", upload(lending, row(1)), follow=True)
    assert ImportBatch.objects.count() == 1
    assert "没有重复送件" in again.content.decode()


def test_an_unreadable_file_is_refused_in_place(as_post: Callable[..., Client], lending: Lending) -> None:
    given = upload(lending, row(1)) | {"files": SimpleUploadedFile("a.xls", b"<html><table></table></html>")}
    response = as_post("BUSINESS_MANAGER").post("/imports/new/", given)
    assert response.status_code == 422
    assert "其实是网页" in response.content.decode()
    assert not ImportBatch.objects.exists()


def test_a_batch_is_rechecked_and_given_up(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    client.post("/imports/new/", upload(lending, row(1)))
    batch = ImportBatch.objects.get()
    assert client.post(f"/imports/{batch.pk}/recheck/", {"submission_key": fresh_key()}).status_code == 302
    assert client.post(f"/imports/{batch.pk}/cancel/", {"submission_key": fresh_key()}).status_code == 302
    batch.refresh_from_db()
    assert batch.status == "CANCELLED"
    late = client.post(f"/imports/{batch.pk}/start/", {"submission_key": fresh_key()})
    assert late.status_code == 409
    assert "BATCH_NOT_STAGED" in late.content.decode()


def test_layouts_are_listed_and_can_be_taken_away(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    assert "/imports/layouts/kiva.json" in client.get("/imports/layouts/").content.decode()
    assert client.get("/imports/layouts/kiva.json").json()["code"] == "kiva"


def test_lists_do_not_query_per_row(as_post: Callable[..., Client], lending: Lending) -> None:
    client = as_post("BUSINESS_MANAGER")
    client.post("/imports/new/", upload(lending, row(1, 金额="-5")))
    batch = ImportBatch.objects.get()
    for url, budget in (("/imports/", LIST_PAGE_BUDGET), (f"/imports/{batch.pk}/", 12)):
        client.get(url)
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        assert len(few) <= budget, (url, [q["sql"][:90] for q in few.captured_queries])
    client.post("/imports/new/", upload(lending, *(row(n, 金额="-5") for n in range(10, 40))))
    later = ImportBatch.objects.latest("pk")
    with CaptureQueriesContext(connection) as many:
        client.get(f"/imports/{later.pk}/")
    assert len(many) == len(few)
