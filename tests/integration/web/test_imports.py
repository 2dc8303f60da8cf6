"""存量转入的页面：送件、报告、同意、进度、对账、放弃、下载。"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.servicing.models import ImportBatch, ImportLayout, ImportRow, Loan, LoanFact
from sancha.apps.work.models import Task
from sancha.kit.numbering import next_numbers
from sancha.kit.spreadsheets import read_table
from tests.support.background import run_here
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
def in_this_process(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """不另起进程，就在这里做。"""
    run_here(monkeypatch, settings, tmp_path)


@pytest.fixture
def act(as_post: Callable[..., Client], django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    """以某岗位提交一次；提交之后才起的后台也做完。"""

    def submit(post: str, path: str, **given: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return as_post(post).post(path, {"submission_key": fresh_key(), **given})

    return submit


def agree(act: Callable[..., Any], task_id: int | None, **given: Any) -> Any:
    """会计主管同意。"""
    return act("ACCOUNTING_SUPERVISOR", f"/tasks/{task_id}/act/", outcome="APPROVED", opinion="", **given)


def task_of(kind: str) -> int:
    return int(Task.objects.get(kind=kind, state="open").pk)


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


def csv_file(name: str, *rows: Mapping[str, str]) -> SimpleUploadedFile:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return SimpleUploadedFile(name, stream.getvalue().encode("utf-8-sig"))


def upload(lending: Lending, *rows: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "layout": "sancha", "files": csv_file("贷款台账.csv", *rows),
        "institution_id": lending.county.ids["S1"], "product_id": lending.product_id, "basis": "AUTO", "create_customers": "on",
        "shift_months": "0", "submission_key": fresh_key(), **changes,
    }  # fmt: skip


def test_a_register_goes_from_file_to_loans(
    as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending
) -> None:
    client = as_post("BUSINESS_MANAGER")
    assert "还没有转入过" in client.get("/imports/").content.decode()
    assert "三查台账" in client.get("/imports/new/").content.decode()
    done = client.post("/imports/new/", upload(lending, row(1), row(2)))
    batch = ImportBatch.objects.get()
    assert done["Location"] == f"/imports/{batch.pk}/"
    report = client.get(done["Location"]).content.decode()
    assert "没有毛病" in report
    assert "信贷会计主管岗" in report
    assert Loan.objects.count() == 0
    checker, task_id = as_post("ACCOUNTING_SUPERVISOR"), task_of("IMPORT_CHECK")
    assert "去复核" in checker.get(f"/imports/{batch.pk}/").content.decode()
    assert f"/imports/{batch.pk}/brief/" in checker.get(f"/tasks/{task_id}/").content.decode()
    brief = checker.get(f"/imports/{batch.pk}/brief/").content.decode()
    assert "预检报告" in brief
    assert "贷款台账.csv" in brief
    assert agree(act, task_id).status_code == 302
    batch.refresh_from_db()
    assert (batch.status, Loan.objects.count()) == ("DONE", 2)
    page = client.get(f"/imports/{batch.pk}/").content.decode()
    assert "逐笔相符" in page
    assert client.get(f"/imports/{batch.pk}/progress/")["HX-Refresh"] == "true"
    assert client.post(f"/imports/{batch.pk}/reconcile/", {"submission_key": fresh_key()}).status_code == 302


def test_doubtful_rows_are_named_with_value_rule_and_remedy(
    as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending
) -> None:
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
    refused = agree(act, task_of("IMPORT_CHECK"), accept_doubts="1")
    assert refused.status_code == 409
    assert "BATCH_HAS_ERRORS" in refused.content.decode()
    assert Loan.objects.count() == 0
    agree(act, task_of("IMPORT_CHECK"), accept_doubts="1", only_good="1")
    assert Loan.objects.count() == 1


def test_sent_back_is_said_on_the_page(
    as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending
) -> None:
    client = as_post("BUSINESS_MANAGER")
    client.post("/imports/new/", upload(lending, row(1)))
    batch = ImportBatch.objects.get()
    sent = act(
        "ACCOUNTING_SUPERVISOR", f"/tasks/{task_of('IMPORT_CHECK')}/act/", outcome="RETURNED", opinion="切换日写错了"
    )
    assert sent.status_code == 302
    assert "切换日写错了" in client.get(f"/imports/{batch.pk}/").content.decode()
    act("BUSINESS_MANAGER", f"/imports/{batch.pk}/recheck/")
    assert "切换日写错了" not in client.get(f"/imports/{batch.pk}/").content.decode()
    assert task_of("IMPORT_CHECK")


@pytest.fixture
def different(as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending) -> ImportBatch:
    """转入了一笔，文件说余额 7,900，账上 8,000；还说逾期 99 天。"""
    loan = row(
        1, 余额="7,900", 期限="3", 到期日="2025-12-02", 利率="0", 五级分类="", 逾期天数="99", 逾期本金="", 欠息=""
    )
    plan = [{"借据号": "OLD0001", "应还日": f"2025-{9 + no}-02", "应还本": "4000"} for no in (1, 2, 3)]
    paid = [{"借据号": "OLD0001", "还款日": "2025-10-02", "金额": "4000"}]
    files = [csv_file("贷款台账.csv", loan), csv_file("还款计划.csv", *plan), csv_file("还款明细.csv", *paid)]
    as_post("BUSINESS_MANAGER").post("/imports/new/", upload(lending, loan) | {"files": files})
    agree(act, task_of("IMPORT_CHECK"), accept_doubts="1")
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.differences_open) == ("DONE", 2)
    return batch


def test_a_difference_is_followed_to_the_loan_and_adjusted_by_two(
    as_post: Callable[..., Client], act: Callable[..., Any], different: ImportBatch
) -> None:
    client, line = as_post("BUSINESS_MANAGER"), ImportRow.objects.get(role="loan")
    listed = client.get(f"/imports/{different.pk}/differences/?open=1").content.decode()
    for part in (f"/loans/{line.loan_id}/", f"/imports/rows/{line.pk}/adjust/principal/", "7,900.00", "须更正来源"):
        assert part in listed, part
    assert f"/imports/rows/{line.pk}/adjust/days_past_due/" not in listed
    table = read_table(io.BytesIO(client.get(f"/imports/{different.pk}/differences.xlsx").getvalue()))
    assert [cells["成分"] for cells in (item.cells for item in table.rows)] == ["本金余额", "逾期天数"]
    assert "旧合同1" in client.get(f"/imports/rows/{line.pk}/").content.decode()

    form = client.get(f"/imports/rows/{line.pk}/adjust/principal/").content.decode()
    assert "100.00" in form
    url = f"/imports/rows/{line.pk}/adjust/principal/"
    assert act("BUSINESS_MANAGER", url, reason="").status_code == 422
    assert act("BUSINESS_MANAGER", url, reason="漏了一笔").status_code == 302
    assert "等待复核" in client.get(f"/imports/{different.pk}/differences/").content.decode()
    again = act("BUSINESS_MANAGER", url, reason="漏了一笔")
    assert (again.status_code, "DIFFERENCE_PROPOSED" in again.content.decode()) == (409, True)
    task_id = task_of("IMPORT_DIFFERENCE_CHECK")
    brief = as_post("ACCOUNTING_SUPERVISOR").get(f"/imports/rows/{line.pk}/brief/").content.decode()
    assert "8,000.00" in brief
    assert agree(act, task_id).status_code == 302
    different.refresh_from_db()
    assert different.differences_open == 1
    assert "已调整" in client.get(f"/imports/{different.pk}/differences/").content.decode()
    assert act("ACCOUNTING_SUPERVISOR", url, reason="漏了一笔").status_code == 403


def test_a_batch_is_withdrawn_by_two(
    as_post: Callable[..., Client], act: Callable[..., Any], different: ImportBatch
) -> None:
    client = as_post("BUSINESS_MANAGER")
    assert f"/imports/{different.pk}/withdraw/" in client.get(f"/imports/{different.pk}/").content.decode()
    assert "头寸归零" in client.get(f"/imports/{different.pk}/withdraw/").content.decode()
    assert act("BUSINESS_MANAGER", f"/imports/{different.pk}/withdraw/", reason="版式选错").status_code == 302
    assert Loan.objects.get().status == "ACTIVE", "申请还没有撤"
    assert agree(act, task_of("IMPORT_WITHDRAWAL_CHECK")).status_code == 302
    different.refresh_from_db()
    assert (different.status, Loan.objects.get().status) == ("WITHDRAWN", "VOID")
    assert "已撤回" in client.get(f"/imports/{different.pk}/").content.decode()


def test_a_mapping_is_changed_saved_reused_and_deleted(
    as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending
) -> None:
    client = as_post("BUSINESS_MANAGER")
    old = {("账号" if title == "借据号" else title): text for title, text in row(1).items()}
    refused = client.post("/imports/new/", upload(lending, old))
    assert (
        refused.status_code,
        "FILE_NOT_RECOGNIZED" in refused.content.decode() or "缺少列" in refused.content.decode(),
    ) == (422, True)

    page = client.get("/imports/layouts/sancha/")
    form = page.context["form"]
    given = {name: form[name].value() or "" for name in form.fields}
    given |= {
        "code": "old_core",
        "name": "旧核心",
        "loan.ref": "账号、贷款账号",
        "institution_id": lending.county.ids["S1"],
    }
    assert act("BUSINESS_MANAGER", "/imports/layouts/sancha/", **given).status_code == 302
    assert "old_core" in client.get("/imports/layouts/").content.decode()
    assert "旧核心" in client.get("/imports/new/?layout=old_core").content.decode()
    assert client.post("/imports/new/", upload(lending, old, layout="old_core")).status_code == 302
    batch = ImportBatch.objects.get()
    assert (batch.layout_code, batch.summary["ready"]) == ("old_core", 1)

    same = act("BUSINESS_MANAGER", f"/imports/{batch.pk}/layout/", code="sancha", name="想盖过随系统的")
    assert (same.status_code, "LAYOUT_RESERVED" in same.content.decode()) == (409, True)
    assert act("BUSINESS_MANAGER", f"/imports/{batch.pk}/layout/", code="old_core_two", name="再存").status_code == 302
    assert set(ImportLayout.objects.values_list("code", flat=True)) == {"old_core", "old_core_two"}
    assert act("BUSINESS_MANAGER", "/imports/layouts/old_core/delete/").status_code == 302
    assert set(ImportLayout.objects.values_list("code", flat=True)) == {"old_core_two"}
    assert act("BUSINESS_MANAGER", "/imports/layouts/sancha/delete/").status_code == 409
    assert client.get(f"/imports/{batch.pk}/").status_code == 200
    assert act("ACCOUNTING_SUPERVISOR", "/imports/layouts/old_core_two/delete/").status_code == 403


def test_a_repayment_file_from_dry_run_to_result_and_again(
    as_post: Callable[..., Client], act: Callable[..., Any], lending: Lending
) -> None:
    as_post("BUSINESS_MANAGER").post("/imports/new/", upload(lending, row(1, 逾期天数="28", 逾期本金="900")))
    agree(act, task_of("IMPORT_CHECK"), accept_doubts="1")
    cashier = as_post("CASHIER")
    rows = (
        {"借据号": "OLD0001", "金额": "500", "流水号": "A1"},
        {"借据号": "没有", "金额": "300", "流水号": "A2"},
        {"借据号": "OLD0001", "金额": "99,999", "流水号": "A3"},
    )

    def send() -> Any:
        given = {
            "layout": "sancha_repayments",
            "institution_id": lending.county.ids["S1"],
            "file": csv_file("回盘.csv", *rows),
        }
        return act("CASHIER", "/imports/repayments/new/", **given)

    assert "/imports/repayments/new/" in cashier.get("/imports/").content.decode()
    page = cashier.get(send()["Location"]).content.decode()
    for part in ("没有这笔借据", "超过应还", "99,999", "确需多收的", "入账"):
        assert part in page, part
    batch = ImportBatch.objects.get(kind="REPAYMENTS")
    assert not LoanFact.objects.filter(kind="REPAYMENT").exists()
    stopped = act("CASHIER", f"/imports/{batch.pk}/post/", stop_on_error="on")
    assert (stopped.status_code, "FILE_HAS_ERRORS" in stopped.content.decode()) == (409, True)
    assert act("BUSINESS_MANAGER", f"/imports/{batch.pk}/post/").status_code == 403
    assert act("CASHIER", f"/imports/{batch.pk}/post/").status_code == 302
    batch.refresh_from_db()
    assert (batch.status, batch.summary["counts"]) == ("INCOMPLETE", {"IMPORTED": 1, "ERROR": 1, "FAILED": 1})
    result = cashier.get(f"/imports/{batch.pk}/").content.decode()
    assert "没入成的再试" in result
    assert send()["Location"] == f"/imports/{batch.pk}/"
    act("CASHIER", f"/imports/{batch.pk}/post/", allow_overpayment="on")
    assert sorted(LoanFact.objects.filter(kind="REPAYMENT").values_list("amount_fen", flat=True)) == [50_000, 9_999_900]


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
    late = client.post(f"/imports/{batch.pk}/recheck/", {"submission_key": fresh_key()})
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
