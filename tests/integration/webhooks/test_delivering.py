"""送：签名、次序、重试、死信、自动暂停、范围、换密钥。接收方是真的。"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from sancha.apps.ledger.kinds import VOUCHER_CHECK
from sancha.apps.webhooks import engine, operations, queries
from sancha.apps.webhooks.models import Delivery, DeliveryAttempt, Subscription
from sancha.apps.work.models import Task
from sancha.apps.work.operations import TaskSpec, raise_task, submit_task
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import Outbox
from tests.integration.webhooks.conftest import Desk
from tests.support.echo import Received
from tests.support.factories_access import fresh_key
from tests.support.office import Office

pytestmark = pytest.mark.django_db


def verified(got: Received, secret: str) -> bool:
    """接收方的核对，独立写一遍（与对接手册的片段同一算法）。"""
    parts = [part.split("=", 1) for part in got.headers["Sancha-Signature"].split(",")]
    timestamp = next(value for name, value in parts if name == "t")
    if abs(time.time() - int(timestamp)) > 300:
        return False
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected, value) for name, value in parts if name == "v1")


def later() -> None:
    """把待送的都提前到此刻：等于时间过去了。"""
    Delivery.objects.filter(state="PENDING").update(next_at=engine.now() - timedelta(seconds=1))


def test_a_life_of_a_loan_arrives_in_order_and_signed(desk: Desk, office: Office) -> None:
    made = desk.subscribe()
    loan = office.lend()
    paid = office.repay(loan, 100_000)
    from sancha.apps.servicing import operations as servicing

    servicing.reverse_fact(
        actor=office.supervisor, key=fresh_key(), loan_id=loan, seq=paid["seq"], reason="错账", on=office.today
    )
    servicing.settle_loan(actor=office.clerk, key=fresh_key(), loan_id=loan, amount_fen=office.payoff(loan))
    while desk.work()["delivered"]:
        pass
    echo = desk.echo
    assert echo.types() == ["loan.booked", "repayment.posted", "repayment.reversed", "repayment.posted", "loan.settled"]
    assert all(verified(got, made["secret"]) for got in echo.received)
    assert not verified(echo.received[0], made["secret"] + "x")
    first = echo.received[0].event
    assert first["data"] | {"number": "…", "party_id": 0, "product_id": 0} == {
        "loan_id": loan, "number": "…", "party_id": 0, "product_id": 0, "amount": "50000.00", "rate_ppm": 144_000,
        "starts_on": "2026-03-02", "matures_on": "2027-03-02",
    }  # fmt: skip
    assert (first["business_date"], first["subject"], first["version"]) == ("2026-03-02", f"loan:{loan}", 1)
    assert echo.received[2].event["data"]["amount"] == "1000.00"
    assert len({got.event["id"] for got in echo.received}) == 5
    assert echo.received[0].headers["Sancha-Event-Id"] == first["id"]


def test_nothing_personal_leaves(desk: Desk, office: Office) -> None:
    from sancha.kit.events import catalog

    desk.subscribe(*(kind.name for kind in catalog() if kind.name != "webhook.test"))
    loan = office.lend()
    office.repay(loan, 100_000, payer_name="赵六", remark="赵六代付")
    office.close(40)
    while desk.work()["delivered"]:
        pass
    assert {"task.raised", "day.closed", "loan.overdue_entered"} <= set(desk.echo.types())
    for got in desk.echo.received:
        text = got.body.decode()
        # Chinese letters at all would be a name, a title or a remark.
        assert text.isascii(), text
        assert "赵六" not in json.loads(text)["data"].values()


def test_overdue_is_told_once_a_default(desk: Desk, office: Office) -> None:
    desk.subscribe("loan.overdue_entered")
    loan = office.lend()
    office.close(45)
    desk.work()
    told = [got.event for got in desk.echo.received]
    assert [(one["data"]["loan_id"], one["data"]["oldest_due_on"]) for one in told] == [(loan, "2026-04-02")]
    assert told[0]["business_date"] == "2026-04-03"


def test_one_subject_waits_for_its_elder_and_others_do_not(desk: Desk, office: Office) -> None:
    desk.subscribe("loan.booked", "repayment.posted")
    one, other = office.lend(), office.lend()
    office.repay(one, 100_000)
    office.repay(other, 200_000)
    desk.echo.refuse = {"loan.booked"}
    desk.work()
    assert set(desk.echo.types()) == {"loan.booked"}
    desk.echo.refuse = set()
    Delivery.objects.filter(subject=f"loan:{other}").update(next_at=engine.now())
    desk.echo.received.clear()
    for _ in range(3):
        desk.work()
    assert [(got.event["type"], got.event["subject"]) for got in desk.echo.received] == [
        ("loan.booked", f"loan:{other}"),
        ("repayment.posted", f"loan:{other}"),
    ]


def test_a_receiver_that_is_down_does_not_keep_the_others_waiting(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "AT_ONCE", 2)
    down = desk.subscribe("loan.booked", url=desk.echo.url.replace("/hook", "/down"))
    desk.echo.down = {"/down"}
    fine = desk.subscribe("loan.booked")
    office.lend()
    desk.work()
    # A long outage: a backlog of many subjects, all due, all older than what the other one waits for.
    first = Delivery.objects.get(subscription_id=down["subscription_id"])
    past = engine.now() - timedelta(hours=5)
    backlog = [
        Delivery(subscription_id=first.subscription_id, event_id=uuid4(), event=first.event, message_id=first.message_id,
                 subject=f"loan:{900_000 + number}", body=first.body, next_at=past, created_at=past)
        for number in range(60)
    ]  # fmt: skip
    Delivery.objects.bulk_create(backlog)
    for _ in range(5):
        office.lend()
    desk.echo.received.clear()
    sent = desk.work()
    reached = [got.path for got in desk.echo.received]
    assert (reached.count("/hook"), reached.count("/down")) == (5, 1), (
        "one knock at the door that is shut, then the rest"
    )
    assert (sent["delivered"], sent["failed"]) == (5, 1)
    assert queries.subscription_detail(desk.admin, fine["subscription_id"]).pending == 0


def test_failure_waits_longer_each_time_and_ends_as_a_dead_letter(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 500
    waits = []
    for _ in range(engine.MOST_ATTEMPTS):
        before = engine.now()
        desk.work()
        row = Delivery.objects.get()
        waits.append(round((row.next_at - before).total_seconds() / 30))
        Delivery.objects.update(next_at=before)
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == 720
    assert row.state == "DEAD"
    assert DeliveryAttempt.objects.count() == engine.MOST_ATTEMPTS
    assert set(DeliveryAttempt.objects.values_list("status_code", "error")) == {(500, "HTTP 500")}
    desk.work()
    assert len(desk.echo.received) == engine.MOST_ATTEMPTS

    desk.echo.status = 204
    dead = queries.dead_ids(desk.admin, subscription_id=made["subscription_id"])
    operations.redeliver(actor=desk.admin, key=fresh_key(), on=desk.county.opened_on, delivery_ids=dead)
    desk.work()
    assert Delivery.objects.get().state == "DELIVERED"
    assert len({got.event["id"] for got in desk.echo.received}) == 1


def test_long_failure_pauses_and_raises_a_task_for_the_administrator(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 502
    desk.work()
    assert Subscription.objects.get().state == "ACTIVE"
    Subscription.objects.update(failing_since=engine.now() - engine.PAUSE_AFTER)
    later()
    desk.work()
    row = Subscription.objects.get()
    assert (row.state, "HTTP 502" in row.paused_reason) == ("PAUSED", True)
    later()
    sent = len(desk.echo.received)
    office.lend()
    desk.work()
    assert len(desk.echo.received) == sent, "a paused subscription is left alone"
    assert Delivery.objects.filter(state="PENDING").count() == 2, "and what happens meanwhile is kept"

    task = Task.objects.get(kind="WEBHOOK_PAUSED")
    assert (task.post, task.state) == ("ADMINISTRATOR", "open")
    desk.echo.status = 200
    submit_task(actor=desk.admin, key=fresh_key(), on=office.today, task_id=task.pk, outcome="RESUMED")
    desk.work()
    desk.work()
    assert Delivery.objects.filter(state="DELIVERED").count() == 2
    row.refresh_from_db()
    assert (row.state, row.failing_since) == ("ACTIVE", None)
    assert made["secret"]


def test_resuming_by_hand_takes_the_task_away(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 500
    Subscription.objects.update(failing_since=engine.now() - engine.PAUSE_AFTER)
    desk.work()
    operations.resume_subscription(**desk.on(made["subscription_id"]))
    assert Task.objects.get(kind="WEBHOOK_PAUSED").state == "cancelled"


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_only_2xx_is_success_and_no_redirect_is_followed(desk: Desk, office: Office, status: int) -> None:
    desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = status
    desk.work()
    assert [got.path for got in desk.echo.received] == ["/hook"]
    assert Delivery.objects.get().state == "PENDING"


@pytest.mark.parametrize("manner", ["silent", "dripping"])
def test_a_slow_receiver_is_cut_off(desk: Desk, office: Office, manner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TIMEOUT", 0.4)
    desk.echo.pause, desk.echo.drip = (30.0, False) if manner == "silent" else (0.0, True)
    desk.subscribe("loan.booked")
    office.lend()
    started = time.perf_counter()
    desk.work()
    assert time.perf_counter() - started < 15, "far from the half minute and more that the receiver takes"
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.status_code, attempt.error) == (None, "TIMEOUT: 超过 0.4 秒")


def test_a_subscription_hears_its_own_subtree_only(desk: Desk, office: Office) -> None:
    for at in ("HO", "S1", "S9", "GC"):
        desk.subscribe("loan.booked", "day.closed", at=at, actor=None if at == "HO" else _anywhere(desk))
    office.lend(at="S1")
    office.close()
    desk.work()
    desk.work()
    heard = {
        (row.subscription.institution.code, row.event) for row in Delivery.objects.select_related("subscription__institution")
    }  # fmt: skip
    assert heard == {
        ("HO", "loan.booked"), ("S1", "loan.booked"), ("HO", "day.closed"), ("S1", "day.closed"), ("S9", "day.closed"),
    }  # fmt: skip


def _anywhere(desk: Desk) -> Any:
    from sancha.kit.actor import SYSTEM

    return SYSTEM


def test_another_branch_can_neither_see_nor_touch_it(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.work()
    delivery = Delivery.objects.get().pk
    stranger = desk.county.actor("ADMINISTRATOR", at="GC")
    own = desk.on(made["subscription_id"]) | {"actor": stranger}
    with pytest.raises(NotFound):
        queries.subscription_detail(stranger, made["subscription_id"])
    with pytest.raises(NotFound):
        queries.delivery_detail(stranger, delivery)
    for operation in (
        operations.pause_subscription, operations.close_subscription, operations.rotate_secret, operations.send_test,
    ):  # fmt: skip
        with pytest.raises(NotFound):
            operation(**own)
    with pytest.raises(NotFound):
        operations.redeliver(actor=stranger, key=fresh_key(), on=desk.county.opened_on, delivery_ids=[delivery])
    with pytest.raises(NotPermitted):
        operations.pause_subscription(**own | {"actor": desk.county.actor("CASHIER")})


def test_the_secret_is_shown_once_and_never_stored(desk: Desk) -> None:
    from django.core import serializers

    from sancha.kit.models import AuditEvent, Idempotency

    arguments = {
        "actor": desk.admin, "key": "once", "on": desk.county.opened_on, "institution_id": desk.county.ids["HO"],
        "name": "核心", "url": desk.echo.url, "events": ["loan.booked"],
    }  # fmt: skip
    first, again = operations.subscribe(**arguments), operations.subscribe(**arguments)
    assert first["secret"].startswith("whsec_")
    assert again["secret"] is None
    assert again["subscription_id"] == first["subscription_id"]
    stored = serializers.serialize(
        "json", [*Subscription.objects.all(), *Idempotency.objects.all(), *AuditEvent.objects.all()]
    )
    assert first["secret"] not in stored


def test_both_secrets_sign_while_the_secret_is_handed_over(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    fresh = operations.rotate_secret(**desk.on(made["subscription_id"]))
    assert fresh["secret"] not in {None, made["secret"]}
    office.lend()
    desk.work()
    got = desk.echo.received[-1]
    assert verified(got, made["secret"])
    assert verified(got, fresh["secret"])
    Subscription.objects.update(previous_until=engine.now())
    office.lend()
    desk.work()
    got = desk.echo.received[-1]
    assert not verified(got, made["secret"])
    assert verified(got, fresh["secret"])


def test_a_test_delivery_goes_to_that_one_only(desk: Desk) -> None:
    one, other = desk.subscribe(), desk.subscribe()
    operations.send_test(**desk.on(one["subscription_id"]))
    desk.work()
    assert desk.echo.types() == ["webhook.test"]
    assert desk.echo.received[0].event["data"] == {"subscription_id": one["subscription_id"]}
    assert queries.deliveries(desk.admin, subscription_id=other["subscription_id"]).total == 0
    listed = queries.deliveries(desk.admin, subscription_id=one["subscription_id"]).rows[0]
    assert (listed.state, listed.status_code, listed.attempts) == ("DELIVERED", 200, 1)
    assert listed.milliseconds is not None


def test_what_happened_before_is_not_sent_and_what_nobody_wants_is_let_by(desk: Desk, office: Office) -> None:
    office.lend()
    desk.subscribe("loan.booked")
    office.repay(office.lend(), 100)
    desk.work()
    assert Delivery.objects.count() == 1
    assert not Outbox.objects.filter(delivered_at=None).exists()


def test_closing_ends_it_for_good(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 500
    desk.work()
    operations.close_subscription(**desk.on(made["subscription_id"]))
    assert Delivery.objects.get().state == "DEAD"
    office.lend()
    desk.work()
    assert Delivery.objects.count() == 1
    for operation in (operations.resume_subscription, operations.rotate_secret, operations.send_test):
        with pytest.raises(Conflict):
            operation(**desk.on(made["subscription_id"]))
    with pytest.raises(Conflict):
        operations.edit_subscription(
            **desk.on(made["subscription_id"]), name="别的", url=desk.echo.url, events=["loan.booked"]
        )
    dead = queries.dead_ids(desk.admin, subscription_id=made["subscription_id"])
    with pytest.raises(Conflict):
        operations.redeliver(actor=desk.admin, key=fresh_key(), on=desk.county.opened_on, delivery_ids=dead)
    assert Delivery.objects.get().state == "DEAD"


def test_what_was_being_queued_while_it_was_closed_does_not_wait_for_ever(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 500
    desk.work()
    operations.close_subscription(**desk.on(made["subscription_id"]))
    # As the transaction that queued it would leave it, had it read the subscription before the closing.
    Delivery.objects.update(state="PENDING", finished_at=None)
    engine.purge()
    assert Delivery.objects.get().state == "DEAD"


def test_a_task_of_another_kind_settles_no_subscription(desk: Desk, office: Office) -> None:
    made = desk.subscribe("loan.booked")
    task = raise_task(
        spec=TaskSpec(
            kind=VOUCHER_CHECK.code, subject_type="manual_draft", subject_id=made["subscription_id"], institution_id=desk.county.ids["S1"],
            title="复核", reason="凭证", cause="x", opened_on=office.today, due_on=office.today,
        )
    )  # fmt: skip
    with pytest.raises(NotFound) as refused:
        operations.settle_paused(
            actor=desk.admin, key=fresh_key(), on=office.today, task_id=task, outcome="CLOSED", opinion="不要了"
        )
    assert refused.value.code == "TASK_NOT_FOUND"


def test_a_lease_is_won_by_one_and_runs_out(desk: Desk, office: Office) -> None:
    desk.subscribe("loan.booked")
    office.lend()
    desk.echo.status = 200
    from sancha.apps.webhooks.subscribers import enqueue
    from sancha.kit import outbox

    outbox.deliver(10, {"loan.booked": [enqueue]})
    assert len(engine._take(8)) == 1, "one worker takes it, and dies"
    assert engine._take(8) == []
    assert engine.send_due() == engine.Sent()
    Delivery.objects.update(lease_until=engine.now() - timedelta(seconds=1))
    assert engine.send_due() == engine.Sent(delivered=1)
    assert Delivery.objects.get().attempts == 2


def test_wrong_input_is_refused_with_words(desk: Desk) -> None:
    for change, code in (
        ({"events": []}, "EVENTS_MISSING"),
        ({"events": ["loan.bookd"]}, "EVENT_UNKNOWN"),
        ({"events": ["webhook.test"]}, "EVENT_UNKNOWN"),
        ({"name": " "}, "NAME_MISSING"),
        ({"url": "ftp://hooks.example.com/"}, "URL_NOT_HTTPS"),
        ({"url": "https://192.168.1.4/"}, "URL_PRIVATE"),
    ):
        arguments = {
            "actor": desk.admin, "key": fresh_key(), "on": desk.county.opened_on, "institution_id": desk.county.ids["HO"],
            "name": "核心", "url": desk.echo.url, "events": ["loan.booked"],
        }  # fmt: skip
        with pytest.raises(DomainError) as refused:
            operations.subscribe(**arguments | change)
        assert refused.value.code == code
        assert refused.value.fix


def test_old_deliveries_are_purged(desk: Desk, office: Office) -> None:
    desk.subscribe("loan.booked")
    office.lend()
    desk.work()
    assert engine.purge() == 0
    Delivery.objects.update(finished_at=engine.now() - engine.KEPT - timedelta(days=1))
    assert engine.purge() == 2, "the delivery and its attempt"
