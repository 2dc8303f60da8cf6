"""同一件事，三条路走到同一处：一笔借据经接口、经操作办一遍，账、事实、凭证一分不差；``sancha quote`` 与接口的计算器是同一个答案。"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sancha.apps.ledger import queries as ledger
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing import queries
from sancha.apps.work.operations import submit_task
from sancha.dayclose import invariants
from sancha.interfaces.api.servicing.routes import BOOKING
from sancha.interfaces.api.shapes import dataclass_body, unfold
from sancha.interfaces.cli.main import main
from sancha.kit.actor import SYSTEM
from sancha.rulebook.product_terms import LoanElements
from tests.support.api_client import Api, assert_problem
from tests.support.background import run_here
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county
from tests.support.factories_loans import Lending, open_lending

pytestmark = pytest.mark.django_db


@pytest.fixture
def lending(db: None) -> Lending:
    return open_lending(open_county())


@dataclass
class Desk:
    """放款、授权、柜员三个人，各有一个接口客户端。"""

    county: County

    def __post_init__(self) -> None:
        self.clerk, self.supervisor, self.cashier = (
            self.county.actor(post) for post in ("DISBURSEMENT_CLERK", "ACCOUNTING_SUPERVISOR", "CASHIER")
        )

    def apis(self) -> tuple[Api, Api, Api]:
        return Api(self.clerk), Api(self.supervisor), Api(self.cashier)


def by_operations(lending: Lending) -> int:
    """登记 → 复核 → 还款 → 还款 → 冲正，经操作。"""
    desk = Desk(lending.county)
    booked = servicing.book_loan(
        actor=desk.clerk, key=fresh_key("book"), on=OPENING_DAY, party_id=lending.party_id, product_id=lending.product_id,
        institution_id=lending.county.ids["S1"], elements=unfold(dataclass_body(LoanElements).model_validate(BOOKING["elements"])),
        purpose=BOOKING["purpose"], guarantor=BOOKING["guarantor"],
    )  # fmt: skip
    submit_task(
        actor=desk.supervisor,
        key=fresh_key("task"),
        on=OPENING_DAY,
        task_id=booked["task_id"],
        outcome="APPROVED",
        opinion="同意",
    )
    loan_id = int(booked["loan_id"])
    for amount in (449_030, 100_000):
        servicing.post_repayment(
            actor=desk.cashier,
            key=fresh_key("repay"),
            loan_id=loan_id,
            amount_fen=amount,
            channel="TRANSFER",
            payer_name="王秀兰",
        )
    servicing.reverse_fact(actor=desk.supervisor, key=fresh_key("reverse"), loan_id=loan_id, seq=3, reason="记错户")
    return loan_id


def by_api(lending: Lending) -> int:
    """同样的事，经接口；每一步都重试一次，幂等键不变。"""
    clerk, supervisor, cashier = Desk(lending.county).apis()

    def twice(api: Api, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        key = fresh_key("same")
        first, again = api.post(path, body, key=key), api.post(path, body, key=key)
        assert (first.status_code, again.status_code) == (status, status), first.content.decode()
        assert first.json() == again.json()
        done: dict[str, Any] = first.json()
        return done

    place = {"party_id": lending.party_id, "product_id": lending.product_id, "institution_id": lending.county.ids["S1"]}
    booked = twice(clerk, "/loans", BOOKING | place, 201)
    loan_id, task_id = int(booked["loan_id"]), booked["task_id"]
    waiting = supervisor.get("/tasks").json()["items"]
    assert task_id in {task["id"] for task in waiting}
    assert_problem(clerk.post(f"/tasks/{task_id}/submit", {"outcome": "APPROVED"}), 403)
    twice(supervisor, f"/tasks/{task_id}/submit", {"outcome": "APPROVED", "opinion": "同意"}, 200)
    for amount in ("4490.30", "1000.00"):
        paid = twice(
            cashier,
            f"/loans/{loan_id}/repayments",
            {"amount": amount, "channel": "TRANSFER", "payer_name": "王秀兰"},
            201,
        )
        voucher = cashier.get(f"/ledger/vouchers/{paid['voucher_id']}").json()
        assert sum(_fen(line["debit"]) - _fen(line["credit"]) for line in voucher["lines"]) == 0
        assert sum(_fen(part) for part in paid["allocated"].values()) == _fen(amount)
    twice(supervisor, f"/loans/{loan_id}/reversals", {"seq": 3, "reason": "记错户"}, 201)
    return loan_id


def _fen(yuan: str) -> int:
    whole, part = yuan.lstrip("-").split(".")
    return (int(whole) * 100 + int(part)) * (-1 if yuan.startswith("-") else 1)


def end_state(loan_id: int) -> dict[str, Any]:
    """一笔借据的全部结果，去掉编号与时刻。"""
    view = queries.view_loan(actor=SYSTEM, loan_id=loan_id)
    found = queries.movements(actor=SYSTEM, loan_id=loan_id)
    vouchers = ledger.voucher_list(SYSTEM, subject=f"loan:{loan_id}")
    return {
        "terms": view.terms.as_document(),
        "figures": view.figures(),
        "status": view.loan.status,
        "facts": [
            (step.seq, step.kind, step.value_on, step.booked_on, step.amount_fen, step.allocated, step.balance_fen, step.reversed_by, step.data)
            for step in queries.history(view)
        ],
        "schedule": view.timetable(),
        "movements": [
            (row.booked_on, row.fact_seq, row.position_code, row.loan_class, row.accrual, row.amount_fen) for row in found.rows
        ],
        "vouchers": [
            [
                (line.account_code, line.position_code, line.debit_fen, line.credit_fen)
                for line in ledger.voucher_detail(SYSTEM, row.id).lines
            ]
            for row in vouchers.rows
        ],
    }  # fmt: skip


def test_the_interface_and_the_operations_end_in_the_same_books(lending: Lending) -> None:
    one, other = end_state(by_operations(lending)), end_state(by_api(lending))
    assert one == other
    assert len(one["facts"]) == 4
    assert len(one["vouchers"]) == 4
    assert one["movements"]
    assert all(finding.ok for finding in invariants.check(group_id=lending.county.group_id, everything=True))


def test_a_loan_taken_out_of_the_interface_can_be_computed_again(
    lending: Lending, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """借据的文档原样交给命令行与接口的计算器：同一个答案，也就是账上的数。"""
    loan_id = by_api(lending)
    api = Api(lending.county.actor("CASHIER"))
    document = api.get(f"/loans/{loan_id}/document").json()
    figures = api.get(f"/loans/{loan_id}").json()["figures"]
    path = tmp_path / "loan.json"
    path.write_text(json.dumps(document))
    assert main(["quote", str(path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    answered = api.post("/calculator", document, key=None)
    assert answered.status_code == 200, answered.content.decode()
    assert answered.json() == printed
    assert printed["summary"]["principal_fen"] == _fen(figures["balance"])
    assert printed["payoff"]["total"] == _fen(figures["payoff"])
    assert printed["summary"]["days_past_due"] == figures["days_past_due"]
    assert [row["due_on"] for row in printed["schedule"]] == [
        row["due_on"] for row in api.get(f"/loans/{loan_id}/schedule").json()
    ]


def test_both_calculators_refuse_the_same_document_for_the_same_reasons(
    lending: Lending, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {
        "terms": {
            "start": "2026-03-02",
            "principal_fen": -1,
            "rate_ppm": 144_000,
            "method": "LEVEL_PAYMENT",
            "periods": 12,
        }
    }
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    assert main(["quote", str(path)]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    body = assert_problem(
        Api(lending.county.actor("CASHIER")).post("/calculator", document, key=None), 422, "DOCUMENT_INVALID"
    )
    assert (body["field"], body["detail"]) == (error["field"], error["message"])


def test_a_day_closed_through_the_interface_is_closed_once(
    lending: Lending, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    """重试日终不会多做一天；次日的账与命令行做的一样。"""
    loan_id = by_api(lending)
    api = Api(lending.county.actor("DAYCLOSE_OPERATOR"))
    rehearsed = api.post("/dayclose/rehearsal", key=None)
    assert rehearsed.status_code == 200, rehearsed.content.decode()
    assert api.get("/dayclose").json()["business_date"] == "2026-03-02"
    assert api.get("/dayclose/runs/2026-03-02").json()["state"] == "WAITING"
    run_here(monkeypatch, settings, tmp_path)
    body = {"day": "2026-03-02"}
    first, again = api.post("/dayclose/runs", body), api.post("/dayclose/runs", body)
    assert (first.status_code, again.status_code) == (202, 202), first.content.decode()
    done = api.get(first.json()["url"].removeprefix("/api/v1")).json()
    assert (done["state"], done["steps_done"]) == ("DONE", done["steps_total"])
    assert [step["code"] for step in done["run"]["steps"]][:2] == ["BEGIN", "LOANS"]
    assert_problem(api.get("/dayclose/runs/2026-02-01"), 404, "CLOSE_NOT_FOUND")
    assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
    assert first.json()["business_date"] == again.json()["business_date"] == "2026-03-03"
    assert_problem(api.post("/dayclose/runs", {"day": "2026-03-09"}), 409, "DAY_NOT_NEXT")
    assert {row["ok"] for row in api.get("/checks").json()} == {True}
    checked = api.post("/checks/runs", {})
    assert checked.json()["ok"] is True, checked.json()
    accrued = Api(lending.county.actor("CASHIER")).get(f"/loans/{loan_id}").json()
    assert (accrued["on"], accrued["figures"]["interest_accrued"] > "0.00") == ("2026-03-03", True)


def test_any_figure_is_derived_down_to_its_facts(lending: Lending) -> None:
    loan_id = by_api(lending)
    api = Api(lending.county.actor("CASHIER"))
    names = [row["figure"] for row in api.get(f"/loans/{loan_id}/figures").json()]
    assert "interest_accrued" in names
    for name in names:
        tree = api.get(f"/loans/{loan_id}/derivation?figure={name}&on=2026-03-20").json()
        assert tree["label"], name
        assert "value_fen" not in json.dumps(tree)
    tree = api.get(f"/loans/{loan_id}/derivation?figure=interest_accrued&on=2026-03-20").json()
    balance = _fen(api.get(f"/loans/{loan_id}?on=2026-03-20").json()["figures"]["interest_accrued"])
    assert _fen(tree["value"]) == balance > 0
    assert_problem(api.get(f"/loans/{loan_id}/derivation?figure=nothing"), 404, "FIGURE_UNKNOWN")
