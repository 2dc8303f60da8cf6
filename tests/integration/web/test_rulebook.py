"""参数与节假日：查、历史、条款、待核标记；录入公布的年历。"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.businessday.queries import calendar_years, holidays_of
from sancha.rulebook import all_parameters
from sancha.rulebook.rulebase import rulebase
from tests.support.factories_access import County, fresh_key

pytestmark = pytest.mark.django_db
LIST_PAGE_BUDGET = 8


def test_every_parameter_is_listed_and_has_a_page(as_post: Callable[..., Client]) -> None:
    client = as_post("AUDITOR")
    text = client.get("/parameters/").content.decode()
    for code in all_parameters():
        assert f"/parameters/parameters/{code}/" in text
        assert client.get(f"/parameters/parameters/{code}/").status_code == 200, code


def test_search_finds_by_name_code_and_document(as_post: Callable[..., Client]) -> None:
    client = as_post("LOAN_OFFICER")
    for word in ("逾期罚息", "penalty.multiplier", "251号"):
        text = client.get("/parameters/", {"q": word}).content.decode()
        assert "penalty.multiplier_ppm" in text, word
        assert "retention.aml_years" not in text, word


def test_only_the_unsure_are_marked(as_post: Callable[..., Client]) -> None:
    unsure = {code for code, values in all_parameters().items() if any(item.unsure for item in values)}
    assert unsure
    text = as_post("LOAN_OFFICER").get("/parameters/", {"unsure": "on"}).content.decode()
    assert "retention.aml_years" not in text
    assert any(code in text for code in unsure)
    assert "G?" in text


def test_a_parameter_page_shows_history_clause_and_source(as_post: Callable[..., Client]) -> None:
    text = as_post("LOAN_OFFICER").get("/parameters/parameters/lpr.1y/").content.decode()
    assert text.count("<li") > 20
    assert "3.00%" in text
    assert "条款" in text


def test_an_unknown_parameter_is_a_404_in_words(as_post: Callable[..., Client]) -> None:
    response = as_post("LOAN_OFFICER").get("/parameters/parameters/no.such/")
    assert response.status_code == 404
    assert "没有参数「no.such」" in response.content.decode()


def test_a_published_year_becomes_a_new_revision(as_post: Callable[..., Client], county: County) -> None:
    client = as_post("DAYCLOSE_OPERATOR")
    assert "未公布，按周末推算" in client.get("/parameters/calendar/2028/").content.decode()
    given = {
        "holidays": "2028-01-01 至 2028-01-03 元旦\n2028-10-01 国庆节", "makeup": "2028-02-12 春节调休", "source": "国办发明电〔2027〕1号",
        "submission_key": fresh_key(),
    }  # fmt: skip
    before = calendar_years(first_year=2028, last_year=2028)[0].revision
    assert client.post("/parameters/calendar/2028/publish/", given).status_code == 302
    info = calendar_years(first_year=2028, last_year=2028)[0]
    assert (info.published, info.revision, info.holidays, info.makeup_workdays) == (True, before + 1, 4, 1)
    assert "已公布" in client.get("/parameters/calendar/").content.decode()


@pytest.mark.parametrize(
    ("line", "said"),
    [("2028-13-01 元旦", "读不懂"), ("元旦放假三天", "读不懂"), ("2028-01-03 至 2028-01-01 元旦", "读不懂"), ("2027-01-01 元旦", "2027-01-01")],
)  # fmt: skip
def test_a_wrong_line_is_refused_and_named(
    as_post: Callable[..., Client], county: County, line: str, said: str
) -> None:
    given = {"holidays": line, "makeup": "", "source": "国办", "submission_key": fresh_key()}
    response = as_post("DAYCLOSE_OPERATOR").post("/parameters/calendar/2028/publish/", given)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert holidays_of(year=2028) == [] or not calendar_years(first_year=2028, last_year=2028)[0].published


def test_who_may_not_publish_sees_no_form(as_post: Callable[..., Client]) -> None:
    assert "录入公布的安排" not in as_post("LOAN_OFFICER").get("/parameters/calendar/2026/").content.decode()


@pytest.mark.parametrize("url", ["/parameters/", "/parameters/calendar/"])
def test_pages_keep_the_statement_budget(as_post: Callable[..., Client], url: str) -> None:
    client = as_post("AUDITOR")
    client.get(url)
    with CaptureQueriesContext(connection) as seen:
        client.get(url)
    assert len(seen) <= LIST_PAGE_BUDGET, [q["sql"][:90] for q in seen.captured_queries]


def test_every_rule_is_listed_and_has_a_page(as_post: Callable[..., Client]) -> None:
    client = as_post("LOAN_OFFICER")
    text = client.get("/parameters/rules/").content.decode()
    for code in rulebase().rules:
        assert f"/parameters/rules/{code}/" in text
        shown = client.get(f"/parameters/rules/{code}/")
        assert shown.status_code == 200, code
        assert "{" not in shown.content.decode().split("<main", 1)[1].split("</main>", 1)[0].replace("{}", ""), code


def test_a_rule_shows_its_clause_its_values_and_its_cases(as_post: Callable[..., Client]) -> None:
    text = as_post("LOAN_OFFICER").get("/parameters/rules/s11.merchant.debt_ratio/").content.decode()
    assert "《中国邮政储蓄银行小额贷款管理办法》资产负债率限制部分" in text
    assert "服务业不得超过70%，其他不得超过50%" in text
    assert "多一百元" in text
    assert "300,100.00元" in text


def test_rules_are_found_by_program_and_stage(as_post: Callable[..., Client]) -> None:
    text = as_post("LOAN_OFFICER").get("/parameters/rules/", {"program": "S1", "stage": "CONTRACT"}).content.decode()
    assert "s1.fund.leverage" in text
    assert "s11.borrower.age" not in text
    assert as_post("LOAN_OFFICER").get("/parameters/rules/no.such/").status_code == 404
