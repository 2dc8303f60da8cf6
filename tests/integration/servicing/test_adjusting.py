"""借据调整：录入、复核是两个人，复核人取自任务；改正、撤回、重试、同时办理都不记两遍。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import LoanAdjustment, LoanFact
from sancha.apps.work import operations as work
from sancha.apps.work.models import Task
from sancha.apps.work.queries import my_tasks
from sancha.kit.errors import DomainError
from tests.support.at_once import at_once
from tests.support.factories_access import fresh_key
from tests.support.office import Office, open_office

REASON = "核对函 2026-17 第 3 条"


def propose(office: Office, loan_id: int, **how: Any) -> dict[str, Any]:
    given = {
        "actor": office.clerk, "key": fresh_key(), "loan_id": loan_id, "component": "fee", "direction": "INCREASE",
        "amount_fen": 10_00, "reason": REASON, "on": office.today,
    }  # fmt: skip
    return servicing.propose_adjustment(**{**given, **how})


def decide(office: Office, task_id: int, outcome: str = "APPROVED", **how: Any) -> dict[str, Any]:
    given = {"actor": office.supervisor, "key": fresh_key(), "task_id": task_id, "outcome": outcome, "on": office.today}
    return work.submit_task(**{**given, **how})


def correct(office: Office, adjustment_id: int, **how: Any) -> dict[str, Any]:
    given = {
        "actor": office.clerk, "key": fresh_key(), "adjustment_id": adjustment_id, "direction": "INCREASE",
        "amount_fen": 8_00, "reason": REASON, "on": office.today,
    }  # fmt: skip
    return servicing.correct_adjustment(**{**given, **how})


def withdraw(office: Office, adjustment_id: int, **how: Any) -> dict[str, Any]:
    given = {
        "actor": office.clerk, "key": fresh_key(), "adjustment_id": adjustment_id, "reason": "录错借据", "on": office.today,
    }  # fmt: skip
    return servicing.withdraw_adjustment(**{**given, **how})


def refusal(call: Any, *args: Any, **how: Any) -> DomainError:
    with pytest.raises(DomainError) as refused:
        call(*args, **how)
    return refused.value


def states(adjustment_id: int) -> list[str]:
    tasks = Task.objects.filter(subject_type="loan_adjustment", subject_id=adjustment_id).order_by("pk")
    return list(tasks.values_list("state", flat=True))


def test_nothing_is_booked_until_the_second_person_agrees(office: Office) -> None:
    loan_id = office.lend()
    proposed = propose(office, loan_id)
    facts = LoanFact.objects.filter(loan_id=loan_id, kind="ADJUSTMENT")
    assert not facts.exists()
    assert office.row(loan_id).charges_due_fen == 0
    [row] = my_tasks(office.supervisor, on=office.today).rows
    assert (row.subject_type, row.subject_id, row.kind_name) == (
        "loan_adjustment", proposed["adjustment_id"], "借据调整复核",
    )  # fmt: skip
    assert (row.facts["调整"], row.facts["amount_fen"]) == ("费用调增", 10_00)
    key = fresh_key()
    done = decide(office, proposed["task_id"], key=key)
    assert decide(office, proposed["task_id"], key=key) == done
    assert refusal(decide, office, proposed["task_id"]).code == "ADJUSTMENT_DECIDED"
    fact = facts.get()
    assert (fact.recorded_by_id, fact.data["entered_by"]) == (office.supervisor.person_id, office.clerk.person_id)
    assert (fact.seq, done["voucher_id"] is not None) == (done["seq"], True)
    assert office.row(loan_id).charges_due_fen == 10_00
    assert states(proposed["adjustment_id"]) == ["done"]
    assert office.problems() == []


def test_the_maker_is_refused_and_the_rule_is_named(office: Office) -> None:
    both = replace(office.supervisor, permissions=office.supervisor.permissions | {"servicing.change"})
    proposed = propose(office, office.lend(), actor=both)
    error = refusal(decide, office, proposed["task_id"], actor=both)
    assert (error.code, error.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "借据调整的录入与复核须两人办理" in error.message
    assert states(proposed["adjustment_id"]) == ["open"]
    assert not LoanFact.objects.filter(kind="ADJUSTMENT").exists()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"direction": "DECREASE"}, "ADJUSTMENT_TOO_MUCH"),
        ({"component": "luck"}, "COMPONENT_UNKNOWN"),
        ({"direction": "SIDEWAYS"}, "ADJUSTMENT_INVALID"),
        ({"amount_fen": 0}, "ADJUSTMENT_INVALID"),
        ({"reason": "  "}, "REASON_MISSING"),
    ],
)
def test_what_cannot_be_booked_is_refused_at_once_and_leaves_nothing(
    office: Office, how: dict[str, Any], code: str
) -> None:
    loan_id = office.lend()
    assert refusal(propose, office, loan_id, **how).code == code
    assert not LoanAdjustment.objects.exists()
    assert not LoanFact.objects.filter(kind="ADJUSTMENT").exists()
    assert my_tasks(office.supervisor, on=office.today).total == 0
    assert office.problems() == []


def test_sent_back_corrected_and_booked(office: Office) -> None:
    loan_id = office.lend()
    proposed = propose(office, loan_id)
    assert refusal(decide, office, proposed["task_id"], "RETURNED").code == "OPINION_MISSING"
    decide(office, proposed["task_id"], "RETURNED", opinion="核对函是 8 元")
    assert refusal(propose, office, loan_id).code == "ADJUSTMENT_WAITING"
    again = correct(office, proposed["adjustment_id"])
    assert states(proposed["adjustment_id"]) == ["done", "open"]
    decide(office, again["task_id"])
    assert office.row(loan_id).charges_due_fen == 8_00
    assert refusal(correct, office, proposed["adjustment_id"]).code == "ADJUSTMENT_DECIDED"
    propose(office, loan_id)
    assert office.problems() == []


def test_withdrawing_leaves_no_task_open(office: Office) -> None:
    loan_id = office.lend()
    proposed = propose(office, loan_id)
    assert refusal(withdraw, office, proposed["adjustment_id"], reason="").code == "REASON_MISSING"
    withdraw(office, proposed["adjustment_id"])
    assert states(proposed["adjustment_id"]) == ["cancelled"]
    assert refusal(decide, office, proposed["task_id"]).code == "ADJUSTMENT_DECIDED"
    propose(office, loan_id)


def test_only_the_maker_corrects_or_withdraws(office: Office) -> None:
    proposed = propose(office, office.lend())
    for call in (correct, withdraw):
        error = refusal(call, office, proposed["adjustment_id"], actor=office.manager)
        assert (error.code, error.clause) == ("NOT_THE_MAKER", "ORG-3")


def test_another_line_does_not_see_it(office: Office) -> None:
    proposed = propose(office, office.lend())
    stranger = office.county.actor("ACCOUNTING_SUPERVISOR", at="S9")
    assert refusal(decide, office, proposed["task_id"], actor=stranger).code == "TASK_NOT_FOUND"


def test_what_can_no_longer_be_booked_is_refused_and_waits(office: Office) -> None:
    """录入之后借据变了：复核时记不成，任务仍开着，可以退回。"""
    loan_id = office.lend()
    decide(office, propose(office, loan_id)["task_id"])
    down = propose(office, loan_id, direction="DECREASE")
    servicing.waive(
        actor=office.clerk,
        key=fresh_key(),
        loan_id=loan_id,
        component="fee",
        amount_fen=10_00,
        reason="免收",
        on=office.today,
    )
    assert refusal(decide, office, down["task_id"]).code == "ADJUSTMENT_TOO_MUCH"
    assert states(down["adjustment_id"]) == ["open"]
    decide(office, down["task_id"], "RETURNED", opinion="费用已减免")
    withdraw(office, down["adjustment_id"])
    assert not Task.objects.filter(subject_type="loan_adjustment", state="open").exists()
    assert office.problems() == []


def test_it_waits_over_the_day_close(office: Office) -> None:
    loan_id = office.lend()
    proposed = propose(office, loan_id)
    office.close(2)
    decide(office, proposed["task_id"])
    assert LoanFact.objects.get(kind="ADJUSTMENT").booked_on == office.today
    assert office.row(loan_id).charges_due_fen == 10_00
    assert office.problems() == []


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_book_once() -> None:
    office = open_office()
    proposed = propose(office, office.lend())
    results = at_once(
        lambda: decide(office, proposed["task_id"]),
        lambda: decide(office, proposed["task_id"]),
        lambda: withdraw(office, proposed["adjustment_id"]),
    )
    assert sum(isinstance(result, dict) for result in results) == 1, results
    assert LoanFact.objects.filter(kind="ADJUSTMENT").count() <= 1
    assert not Task.objects.filter(subject_type="loan_adjustment", state="open").exists()
