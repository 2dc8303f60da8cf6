"""版式：随带的都读得进；自存的分版本；读格子的各种写法。"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.cells import CellError, read_date, read_integer, read_money, read_rate
from sancha.apps.servicing.importing.layout import built_in, read_layout
from sancha.apps.servicing.models import Loan, LoanFact
from sancha.apps.servicing.operations import importing
from sancha.kit.errors import Conflict, DomainError
from tests.integration.importing.conftest import Desk, register_row, sheet
from tests.support.factories_access import fresh_key


def test_built_in_layouts() -> None:
    assert set(built_in()) == {"kiva", "lendingclub", "ppdai_lp", "sancha", "sancha_repayments", "superlender"}
    assert built_in()["ppdai_lp"].unsure


@pytest.mark.parametrize(
    ("text", "unit", "fen"),
    [
        ("1,234.56", "yuan", 123_456), ("26.250", "yuan", 2_625), ("￥500", "yuan", 50_000), ("1.5", "wan", 1_500_000),
        ("0.000001", "wan", 1), ("123", "fen", 123),
    ],
)  # fmt: skip
def test_money(text: str, unit: str, fen: int) -> None:
    assert read_money(text, unit) == fen


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [
        ("12.345", "yuan", "MONEY_WRONG"), ("1e5", "yuan", "MONEY_WRONG"), ("-3", "wan", "AMOUNT_NEGATIVE"),
        ("NaN", "wan", "MONEY_WRONG"), ("1.5", "fen", "MONEY_WRONG"),
    ],
)  # fmt: skip
def test_wrong_money(text: str, unit: str, code: str) -> None:
    with pytest.raises(CellError) as refused:
        read_money(text, unit)
    assert refused.value.code == code
    assert refused.value.fix


@pytest.mark.parametrize(
    ("text", "kind", "ppm"),
    [
        ("14.4", "percent", 144_000), ("14.4%", "fraction", 144_000), ("0.144", "fraction", 144_000), ("12", "permille_month", 144_000),
        ("12‰", "percent", 144_000),
    ],
)  # fmt: skip
def test_rates(text: str, kind: str, ppm: int) -> None:
    assert read_rate(text, kind) == ppm


@pytest.mark.parametrize(
    "text",
    ["2018-03-05", "2018/3/5", "2018年3月5日", "20180305", "2018-03-05T07:00:00Z", "2018.03.05", "2018-03-05 18:22:40"],
)
def test_dates(text: str) -> None:
    assert read_date(text, ()) == date(2018, 3, 5)


@pytest.mark.parametrize("text", ["2018-13-05", "05/03/2018", "43164", "1018-03-05", "昨天"])
def test_wrong_dates(text: str) -> None:
    with pytest.raises(CellError) as refused:
        read_date(text, ())
    assert refused.value.code == "DATE_WRONG"


def test_integers() -> None:
    assert [read_integer(text) for text in ("12", "36.0", "12个月", "3期")] == [12, 36, 12, 3]
    with pytest.raises(CellError):
        read_integer("12.5")


OWN: dict[str, Any] = {
    "code": "old_core",
    "name": "旧核心系统",
    "basis": "BALANCE",
    "customer": {"name": "客户{ref}", "id_number": "OC{ref}"},
    "files": [
        {
            "role": "loan",
            "columns": [
                {"field": "ref", "titles": ["ACCT"], "required": True},
                {"field": "amount_fen", "titles": ["AMT"], "unit": "wan", "required": True},
                {"field": "balance_fen", "titles": ["BAL"], "unit": "wan", "required": True},
                {"field": "rate_ppm", "titles": ["RATE"], "type": "permille_month", "required": True},
                {
                    "field": "method",
                    "titles": ["MODE"],
                    "codes": {"1": "LEVEL_PAYMENT", "2": "INTEREST_FIRST"},
                    "required": True,
                },
                {"field": "starts_on", "titles": ["OPEN"], "formats": ["%d/%m/%Y"], "required": True},
                {"field": "matures_on", "titles": ["DUE"], "formats": ["%d/%m/%Y"], "required": True},
            ],
        }
    ],
}


def test_the_layout_in_the_guide_is_a_layout() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "guides" / "import.md").read_text(encoding="utf-8")
    layout = read_layout(yaml.safe_load(guide.split("```yaml")[1].split("```")[0]))
    assert (layout.code, layout.keep_numbers) == ("old_core", True)


def save(desk: Desk, document: dict[str, Any]) -> dict[str, Any]:
    return importing.save_import_layout(
        actor=desk.actor, key=fresh_key(), on=desk.on, institution_id=desk.lending.county.ids["B1"], document=document
    )


def test_an_own_layout_is_saved_by_version_and_used(desk: Desk) -> None:
    assert save(desk, OWN)["version"] == 1
    assert save(desk, OWN | {"name": "旧核心系统（改）"})["version"] == 2
    shown = {info.code: info for info in queries.layouts(actor=desk.actor)}
    assert (shown["old_core"].name, shown["old_core"].version, shown["old_core"].built_in) == (
        "旧核心系统（改）",
        2,
        False,
    )

    row = {
        "ACCT": "7",
        "AMT": "1.2",
        "BAL": "1.2",
        "RATE": "12",
        "MODE": "2",
        "OPEN": "02/09/2025",
        "DUE": "02/09/2026",
    }
    done = desk.commit(desk.stage(sheet([row]), layout="old_core")["batch_id"])

    loan = Loan.objects.select_related("party").get()
    assert done["status"] == "DONE"
    assert (loan.principal_fen, loan.rate_ppm, loan.method, loan.party.name) == (
        1_200_000,
        144_000,
        "INTEREST_FIRST",
        "客户7",
    )


def test_a_wrong_layout_is_refused_with_its_place(desk: Desk) -> None:
    wrong = {**OWN, "files": [{**OWN["files"][0], "columns": [{"field": "colour", "titles": ["C"]}]}]}
    with pytest.raises(DomainError) as refused:
        save(desk, wrong)
    assert refused.value.code == "LAYOUT_WRONG"
    assert "colour" in refused.value.message
    with pytest.raises(Conflict):
        save(desk, OWN | {"code": "kiva"})
    with pytest.raises(DomainError):
        read_layout({})


def test_ppdai_rows_give_schedule_and_payments(desk: Desk) -> None:
    listing = {
        "ListingId": "1693100",
        "借款金额": "3629",
        "借款期限": "2",
        "借款利率": "18",
        "借款成功日期": "2025-09-02",
        "年龄": "39",
    }
    plan = [
        {
            "ListingId": "1693100", "期数": 1, "还款状态": 1, "应还本金": "1800", "应还利息": "54.44", "剩余本金": "0", "剩余利息": "0",
            "到期日期": "2025-10-02", "还款日期": "2025-10-01", "recorddate": "2026-02-28",
        },
        {
            "ListingId": "1693100", "期数": 2, "还款状态": 0, "应还本金": "1829", "应还利息": "27.44", "剩余本金": "1829", "剩余利息": "27.44",
            "到期日期": "2025-11-02", "还款日期": "\\N", "recorddate": "2026-02-28",
        },
    ]  # fmt: skip
    staged = desk.stage(sheet([listing], "LC.csv"), sheet(plan, "LP.csv"), layout="ppdai_lp")
    assert (staged["ready"], staged["problems"]) == (1, {})
    desk.commit(staged["batch_id"])
    loan = Loan.objects.select_related("state").get()
    assert list(LoanFact.objects.filter(loan=loan, kind="REPAYMENT").values_list("value_on", "amount_fen")) == [
        (date(2025, 10, 1), 185_444)
    ]
    assert (loan.state.principal_fen, loan.state.interest_due_fen, loan.state.charges_due_fen) == (182_900, 2_744, 0)


def test_customers_file_wins_over_the_register(desk: Desk) -> None:
    customers = [
        {
            "客户编号": "K1",
            "姓名": "钱有余",
            "客户类型": "农户",
            "证件号": register_row(5)["证件号"],
            "电话": "13800138000",
            "地址": "柳溪村三组",
        }
    ]
    loan = register_row(1, 客户编号="K1", 姓名="钱有馀", 证件号=register_row(5)["证件号"])
    staged = desk.stage(sheet([loan], "贷款台账.csv"), sheet(customers, "客户.csv"))
    desk.commit(staged["batch_id"])
    party = Loan.objects.select_related("party").get().party
    assert (party.name, party.phone, party.address) == ("钱有余", "13800138000", "柳溪村三组")
