"""手工凭证的第二个人：送复核开任务，办结、改正、撤回各一次，不留没人管的任务。"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries
from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.kinds import VOUCHER_CHECK
from sancha.apps.ledger.models import ManualDraft
from sancha.apps.work import operations as work
from sancha.apps.work.models import Decision, Task, TaskEvent
from sancha.apps.work.queries import my_tasks, task_detail
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.models import AuditEvent
from tests.support.at_once import at_once
from tests.support.factories_access import County, fresh_key, open_county

DAY = date(2026, 1, 5)
LINES = [{"account": "6601", "amount_fen": 300_00}, {"account": "1002", "amount_fen": -300_00}]


class Books:
    """柳溪支行的总账：``clerk`` 柜员录入，``supervisor`` 会计主管复核。"""

    def __init__(self) -> None:
        self.county: County = open_county(DAY)
        ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=date(2025, 11, 3))
        self.clerk, self.supervisor = self.county.actor("CASHIER"), self.county.actor("ACCOUNTING_SUPERVISOR")

    def enter(self, **how: Any) -> dict[str, Any]:
        given = {
            "actor": self.clerk, "key": fresh_key(), "institution_id": self.county.ids["S1"], "booked_on": DAY,
            "summary": "支付办公费", "lines": LINES, "on": DAY,
        }  # fmt: skip
        return ledger.enter_manual_voucher(**{**given, **how})

    def decide(self, task_id: int, outcome: str = "APPROVED", **how: Any) -> dict[str, Any]:
        given = {"actor": self.supervisor, "key": fresh_key(), "task_id": task_id, "outcome": outcome, "on": DAY}
        return work.submit_task(**{**given, **how})

    def correct(self, draft_id: int, **how: Any) -> dict[str, Any]:
        given = {
            "actor": self.clerk, "key": fresh_key(), "draft_id": draft_id, "booked_on": DAY, "summary": "支付办公费（改）",
            "lines": LINES, "on": DAY,
        }  # fmt: skip
        return ledger.correct_manual_voucher(**{**given, **how})

    def withdraw(self, draft_id: int, **how: Any) -> dict[str, Any]:
        given = {"actor": self.clerk, "key": fresh_key(), "draft_id": draft_id, "reason": "重复录入", "on": DAY}
        return ledger.withdraw_manual_voucher(**{**given, **how})


@pytest.fixture
def books(db: None) -> Books:
    return Books()


def states(draft_id: int) -> list[str]:
    tasks = Task.objects.filter(subject_type="manual_draft", subject_id=draft_id).order_by("pk")
    return list(tasks.values_list("state", flat=True))


def refusal(call: Any, *args: Any, **how: Any) -> DomainError:
    with pytest.raises(DomainError) as refused:
        call(*args, **how)
    return refused.value


def test_a_draft_stands_on_the_supervisors_desk_with_what_is_to_be_decided(books: Books) -> None:
    entered = books.enter()
    [row] = my_tasks(books.supervisor, on=DAY).rows
    assert (row.id, row.subject_type, row.subject_id) == (entered["task_id"], "manual_draft", entered["draft_id"])
    assert (row.kind_name, row.title) == ("手工凭证复核", "手工凭证复核 支付办公费")
    assert row.facts["借方合计_fen"] == 300_00
    assert my_tasks(books.clerk, on=DAY).total == 0
    assert my_tasks(books.county.actor("ACCOUNTING_SUPERVISOR", at="S9"), on=DAY).total == 0


def test_approving_the_task_books_once(books: Books) -> None:
    entered, key = books.enter(), fresh_key()
    done = books.decide(entered["task_id"], key=key)
    voucher = queries.voucher_detail(SYSTEM, done["voucher_id"])
    assert (voucher.posted_by, voucher.authorized_by) == (books.clerk.person_id, books.supervisor.person_id)
    assert books.decide(entered["task_id"], key=key) == done
    assert refusal(books.decide, entered["task_id"]).code == "DRAFT_DECIDED"
    assert states(entered["draft_id"]) == ["done"]
    assert queries.voucher_list(SYSTEM).total == 1
    assert Decision.objects.filter(task_id=entered["task_id"]).count() == 1
    assert TaskEvent.objects.filter(task_id=entered["task_id"], kind="closed").count() == 1


@pytest.mark.parametrize("direct", [True, False], ids=["by draft", "by task"])
def test_the_maker_is_refused_and_the_rule_is_named(books: Books, direct: bool) -> None:
    both = replace(books.supervisor, permissions=books.supervisor.permissions | {"ledger.manual"})
    entered = books.enter(actor=both)
    if direct:
        error = refusal(
            ledger.authorize_manual_voucher, actor=both, key=fresh_key(), draft_id=entered["draft_id"], on=DAY
        )
    else:
        error = refusal(books.decide, entered["task_id"], actor=both)
    assert isinstance(error, NotPermitted)
    assert (error.code, error.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "手工凭证的录入与复核须两人办理" in error.message
    assert states(entered["draft_id"]) == ["open"]
    assert queries.voucher_list(SYSTEM).total == 0


def test_another_post_does_not_decide(books: Books) -> None:
    entered = books.enter()
    mighty = replace(
        books.county.actor("BRANCH_MANAGER"), permissions=books.supervisor.permissions | {"ledger.authorize"}
    )
    assert refusal(books.decide, entered["task_id"], actor=mighty).code == "TASK_OF_OTHER_POST"


def test_without_a_person_there_is_no_second_one(books: Books) -> None:
    error = refusal(books.enter, actor=SYSTEM)
    assert (error.code, error.clause) == ("MAKER_MISSING", "ORG-3")
    assert not ManualDraft.objects.exists()
    assert not Task.objects.exists()


def test_a_draft_whose_task_is_gone_is_not_booked(books: Books) -> None:
    entered = books.enter()
    work.cancel_check(VOUCHER_CHECK, actor=SYSTEM, subject=("manual_draft", entered["draft_id"]), on=DAY, reason="误开")
    error = refusal(
        ledger.authorize_manual_voucher, actor=books.supervisor, key=fresh_key(), draft_id=entered["draft_id"], on=DAY
    )
    assert error.code == "TASK_MISSING"
    assert "手工凭证复核" in error.message
    assert queries.voucher_list(SYSTEM).total == 0


def test_a_task_of_another_kind_decides_nothing(books: Books) -> None:
    entered = books.enter()
    Task.objects.filter(pk=entered["task_id"]).update(kind="PAYMENT_CHECK")
    error = refusal(
        ledger.decide_manual_voucher,
        actor=books.supervisor, key=fresh_key(), task_id=entered["task_id"], outcome="APPROVED", on=DAY,
    )  # fmt: skip
    assert error.code == "TASK_NOT_FOUND"
    assert states(entered["draft_id"]) == ["open"]


def test_sent_back_with_a_reason_corrected_and_booked(books: Books) -> None:
    entered = books.enter()
    assert refusal(books.decide, entered["task_id"], "RETURNED").code == "OPINION_MISSING"
    books.decide(entered["task_id"], "RETURNED", opinion="附件不全")
    draft = queries.draft_detail(books.clerk, entered["draft_id"])
    assert (draft.state, draft.opinion, draft.decided_by_name) == ("REJECTED", "附件不全", books.supervisor.name)
    again = books.correct(entered["draft_id"], lines=[
        {"account": "6601", "amount_fen": 200_00}, {"account": "1002", "amount_fen": -200_00},
    ])  # fmt: skip
    assert again["task_id"] != entered["task_id"]
    assert states(entered["draft_id"]) == ["done", "open"]
    done = books.decide(again["task_id"])
    assert queries.voucher_detail(SYSTEM, done["voucher_id"]).head.amount_fen == 200_00
    assert states(entered["draft_id"]) == ["done", "done"]


def test_correcting_what_still_waits_replaces_its_task_and_keeps_what_was(books: Books) -> None:
    entered = books.enter()
    again = books.correct(entered["draft_id"], summary="支付水电费")
    assert states(entered["draft_id"]) == ["cancelled", "open"]
    assert refusal(books.decide, entered["task_id"]).code == "TASK_CLOSED"
    assert task_detail(books.supervisor, again["task_id"], on=DAY).row.facts["稿次"] == 2
    [kept] = AuditEvent.objects.filter(operation="ledger.correct_manual_voucher").values_list("data", flat=True)
    assert kept["was"]["summary"] == "支付办公费"
    assert kept["was"]["lines"][0]["amount_fen"] == 300_00


def test_withdrawing_leaves_no_task_open(books: Books) -> None:
    entered = books.enter()
    assert refusal(books.withdraw, entered["draft_id"], reason=" ").code == "REASON_MISSING"
    key = fresh_key()
    done = books.withdraw(entered["draft_id"], key=key)
    assert books.withdraw(entered["draft_id"], key=key) == done
    assert states(entered["draft_id"]) == ["cancelled"]
    assert my_tasks(books.supervisor, on=DAY).total == 0
    assert refusal(books.decide, entered["task_id"]).code == "DRAFT_DECIDED"
    assert refusal(books.correct, entered["draft_id"]).code == "DRAFT_DECIDED"
    assert refusal(books.withdraw, entered["draft_id"]).code == "DRAFT_DECIDED"


def test_only_the_maker_corrects_or_withdraws(books: Books) -> None:
    entered = books.enter()
    other = books.county.grant(books.county.person("other", name="钱七"), "CASHIER", at="S1")
    for call in (books.correct, books.withdraw):
        error = refusal(call, entered["draft_id"], actor=other)
        assert (error.code, error.clause) == ("NOT_THE_MAKER", "ORG-3")
    assert states(entered["draft_id"]) == ["open"]


def test_a_bad_correction_changes_nothing(books: Books) -> None:
    entered = books.enter()
    lines = [{"account": "6601", "amount_fen": 5}, {"account": "1002", "amount_fen": -4}]
    assert refusal(books.correct, entered["draft_id"], lines=lines).code == "VOUCHER_UNBALANCED"
    assert states(entered["draft_id"]) == ["open"]
    assert queries.draft_detail(books.clerk, entered["draft_id"]).revision == 1


def test_a_reversal_is_withdrawn_and_entered_again_not_edited(books: Books) -> None:
    voucher = books.decide(books.enter()["task_id"])["voucher_id"]
    how = {"actor": books.clerk, "voucher_id": voucher, "reason": "重复支付", "on": DAY}
    first = ledger.reverse_manual_voucher(key=fresh_key(), **how)
    assert refusal(books.correct, first["draft_id"]).code == "REVERSAL_NOT_EDITABLE"
    assert refusal(ledger.reverse_manual_voucher, key=fresh_key(), **how).code == "ALREADY_REVERSED"
    books.withdraw(first["draft_id"])
    second = ledger.reverse_manual_voucher(key=fresh_key(), **how)
    done = books.decide(second["task_id"])
    assert queries.voucher_detail(SYSTEM, voucher).reversed_by_id == done["voucher_id"]


def test_the_month_closes_when_the_draft_is_withdrawn(books: Books) -> None:
    fold_day(
        day=date(2025, 12, 31), institution_ids=[n for code, n in books.county.ids.items() if not code.startswith("GC")]
    )
    entered = books.enter(booked_on=date(2025, 11, 30))
    close = {"actor": SYSTEM, "institution_id": books.county.ids["HO"], "month": date(2025, 11, 1), "on": DAY}
    error = refusal(ledger.close_month, key=fresh_key(), **close)
    assert isinstance(error, Conflict)
    assert error.code == "DRAFTS_WAITING"
    assert "支付办公费" in error.message
    books.withdraw(entered["draft_id"])
    assert ledger.close_month(key=fresh_key(), **close)["closed_to"] == "2025-11-30"
    assert refusal(books.enter, booked_on=date(2025, 11, 30)).code == "PERIOD_CLOSED"


def test_a_draft_sent_back_cannot_return_into_a_closed_month(books: Books) -> None:
    fold_day(
        day=date(2025, 12, 31), institution_ids=[n for code, n in books.county.ids.items() if not code.startswith("GC")]
    )
    entered = books.enter(booked_on=date(2025, 11, 30))
    books.decide(entered["task_id"], "RETURNED", opinion="附件不全")
    ledger.close_month(
        actor=SYSTEM, key=fresh_key(), institution_id=books.county.ids["HO"], month=date(2025, 11, 1), on=DAY
    )
    assert refusal(books.correct, entered["draft_id"], booked_on=date(2025, 11, 30)).code == "PERIOD_CLOSED"
    assert books.correct(entered["draft_id"])["task_id"]


def test_head_office_has_a_desk_too(books: Books) -> None:
    entered = books.enter(actor=books.county.actor("CASHIER", at="HO"), institution_id=books.county.ids["HO"])
    boss = books.county.actor("ACCOUNTING_SUPERVISOR", at="HO")
    assert books.decide(entered["task_id"], actor=boss)["voucher_id"]


def test_a_street_office_without_the_post_is_told_at_once(books: Books) -> None:
    street = replace(books.clerk, institution_id=books.county.ids["GC01"], institution_path="/")
    entered = books.enter(actor=street, institution_id=books.county.ids["GC01"])
    assert Task.objects.get(pk=entered["task_id"]).post == "GC_DIRECTOR"


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_close_the_task_once() -> None:
    books = Books()
    entered = books.enter()
    results = at_once(
        lambda: books.decide(entered["task_id"]),
        lambda: ledger.authorize_manual_voucher(
            actor=books.supervisor, key=fresh_key(), draft_id=entered["draft_id"], on=DAY
        ),
        lambda: books.decide(entered["task_id"], "RETURNED", opinion="不对"),
        lambda: books.withdraw(entered["draft_id"]),
    )
    assert sum(isinstance(result, dict) for result in results) == 1, results
    assert TaskEvent.objects.filter(task_id=entered["task_id"]).count() == 1
    assert not Task.objects.filter(state="open").exists()
    assert ManualDraft.objects.get(pk=entered["draft_id"]).state != "ENTERED"
