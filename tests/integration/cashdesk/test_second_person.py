"""付款的第二个人：开单即送复核，授权、退回、改正、撤销各使任务了结一次。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.cashdesk import queries
from sancha.apps.ledger import operations as ledger
from sancha.apps.work import operations as work
from sancha.apps.work.models import Task
from sancha.apps.work.queries import my_tasks
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import DomainError
from sancha.kit.models import AuditEvent
from sancha.kit.operation import keyed_digest
from tests.support.factories_access import OPENING_DAY, fresh_key, open_county

pytestmark = pytest.mark.django_db
TODAY = OPENING_DAY


class Desk:
    """柳溪支行的出纳：``clerk`` 录入付款，``supervisor`` 复核。"""

    def __init__(self) -> None:
        self.county = open_county()
        ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=TODAY)
        self.clerk, self.supervisor = self.county.actor("CASHIER"), self.county.actor("ACCOUNTING_SUPERVISOR")
        self.bank = cashdesk.open_own_account(
            actor=self.supervisor, key=fresh_key(), institution_id=self.county.ids["S1"], kind="BANK", name="基本户",
            account_code="1002", number="3300012345678901", on=TODAY,
        )["own_account_id"]  # fmt: skip

    def enter(self, **how: Any) -> int:
        given = {
            "actor": self.clerk, "key": fresh_key(), "own_account_id": self.bank, "purpose": "DISBURSEMENT",
            "subject": "loan:12", "amount_fen": 500_00, "payee_name": "王五", "payee_account": "6222029876543210",
            "payee_bank": "农商行", "memo": "首笔", "on": TODAY,
        }  # fmt: skip
        return int(cashdesk.enter_payment_order(**{**given, **how})["order_id"])

    def act(self, operation: Any, order_id: int, **how: Any) -> dict[str, Any]:
        return operation(**{"actor": self.clerk, "key": fresh_key(), "order_id": order_id, "on": TODAY, **how})

    def decide(self, order_id: int, outcome: str = "APPROVED", **how: Any) -> dict[str, Any]:
        task = Task.objects.get(subject_type="payment_order", subject_id=order_id, state="open")
        given = {"actor": self.supervisor, "key": fresh_key(), "task_id": task.pk, "outcome": outcome, "on": TODAY}
        return work.submit_task(**{**given, **how})


@pytest.fixture
def desk() -> Desk:
    return Desk()


def states(order_id: int) -> list[str]:
    tasks = Task.objects.filter(subject_type="payment_order", subject_id=order_id).order_by("pk")
    return list(tasks.values_list("state", flat=True))


def refusal(call: Any, *args: Any, **how: Any) -> DomainError:
    with pytest.raises(DomainError) as refused:
        call(*args, **how)
    return refused.value


def test_an_order_stands_on_the_supervisors_desk(desk: Desk) -> None:
    order = desk.enter()
    [row] = my_tasks(desk.supervisor, on=TODAY).rows
    assert (row.subject_type, row.subject_id, row.kind_name) == ("payment_order", order, "付款复核")
    assert row.facts == {"amount_fen": 500_00, "用途": "放款", "收款人": "王五", "收款账号": "6222****3210"}
    desk.decide(order)
    assert queries.order_detail(desk.clerk, order).info.state == "AUTHORIZED"
    assert states(order) == ["done"]
    assert my_tasks(desk.supervisor, on=TODAY).total == 0


def test_the_maker_is_refused_and_the_rule_is_named(desk: Desk) -> None:
    both = replace(desk.supervisor, permissions=desk.supervisor.permissions | {"cashdesk.pay"})
    order = desk.enter(actor=both)
    error = refusal(desk.decide, order, actor=both)
    assert (error.code, error.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "付款的录入与复核须两人办理" in error.message
    assert states(order) == ["open"]


def test_sent_back_corrected_and_released(desk: Desk) -> None:
    order = desk.enter()
    assert refusal(desk.act, cashdesk.reject_payment_order, order, actor=desk.supervisor, opinion=" ").code == (
        "OPINION_MISSING"
    )
    desk.act(cashdesk.reject_payment_order, order, actor=desk.supervisor, opinion="户名不符")
    info = queries.order_detail(desk.clerk, order).info
    assert (info.state, info.opinion) == ("RETURNED", "户名不符")
    assert refusal(desk.act, cashdesk.send_payment_order, order).code == "ORDER_STATE"
    desk.act(cashdesk.correct_payment_order, order, payee_name="王五一", payee_bank="农行", memo="更正")
    info = queries.order_detail(desk.clerk, order).info
    assert (info.state, info.payee_name, info.payee_account_masked) == ("CREATED", "王五一", "6222****3210")
    [kept] = AuditEvent.objects.filter(operation="cashdesk.correct_payment_order").values_list("data", flat=True)
    assert kept["was"]["payee_name"] == keyed_digest("王五"), "the audit keeps no name"
    assert "6222029876543210" not in str(kept)
    assert states(order) == ["done", "open"]
    key = fresh_key()
    done = desk.act(cashdesk.authorize_payment_order, order, actor=desk.supervisor, key=key)
    assert desk.act(cashdesk.authorize_payment_order, order, actor=desk.supervisor, key=key) == done
    assert refusal(desk.act, cashdesk.authorize_payment_order, order, actor=desk.supervisor).code == "ORDER_STATE"
    assert states(order) == ["done", "done"]
    assert refusal(desk.act, cashdesk.correct_payment_order, order, payee_name="又改").code == "ORDER_STATE"


def test_only_the_maker_corrects(desk: Desk) -> None:
    order = desk.enter()
    other = desk.county.grant(desk.county.person("other", name="钱七"), "CASHIER", at="S1")
    error = refusal(desk.act, cashdesk.correct_payment_order, order, actor=other, payee_name="别人")
    assert (error.code, error.clause) == ("NOT_THE_MAKER", "ORG-3")


@pytest.mark.parametrize("stage", ["waiting", "sent back", "authorized"])
def test_cancelling_leaves_no_task_open(desk: Desk, stage: str) -> None:
    order = desk.enter()
    if stage == "sent back":
        desk.decide(order, "RETURNED", opinion="户名不符")
    if stage == "authorized":
        desk.decide(order)
    desk.act(cashdesk.cancel_payment_order, order, reason="录错金额")
    assert "open" not in states(order)
    assert queries.order_detail(desk.clerk, order).info.state == "CANCELLED"
    assert my_tasks(desk.supervisor, on=TODAY).total == 0


def test_returning_a_receipt_asks_for_the_second_person_too(desk: Desk) -> None:
    receipt = cashdesk.record_receipt(
        actor=desk.clerk, key=fresh_key(), own_account_id=desk.bank, serial="S1", amount_fen=800, value_on=TODAY, on=TODAY,
        payer_name="李四",
    )["receipt_id"]  # fmt: skip
    back = cashdesk.return_receipt(actor=desk.clerk, key=fresh_key(), receipt_id=receipt, reason="误汇", on=TODAY)
    assert states(back["order_id"]) == ["open"]
    desk.decide(back["order_id"], "RETURNED", opinion="未见回单")
    desk.act(cashdesk.cancel_payment_order, back["order_id"], reason="客户不退了")
    assert queries.receipt_detail(desk.clerk, receipt)[0].left_fen == 800
