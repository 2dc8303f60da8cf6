"""发件箱：同生共死、至少一次、失败隔离、坏消息不堵路。"""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from sancha.kit import outbox
from sancha.kit.models import NumberSequence, Outbox


def put(event="loan.booked", **payload):
    with transaction.atomic():
        outbox.record(event, payload)


@pytest.mark.django_db(transaction=True)
def test_message_needs_the_business_transaction():
    with pytest.raises(AssertionError):
        outbox.record("loan.booked", {})


@pytest.mark.django_db(transaction=True)
def test_rolled_back_business_leaves_no_message():
    def business():
        with transaction.atomic():
            outbox.record("loan.booked", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        business()
    assert Outbox.objects.count() == 0


@pytest.mark.django_db
def test_each_message_reaches_its_subscribers_once_and_in_order():
    for number in (1, 2, 3):
        put(number=number)
    put("nobody.listens")
    seen, other = [], []
    wiring = {
        "loan.booked": [lambda m: seen.append(m.payload["number"]), lambda m: other.append(m.id)],
    }
    assert outbox.deliver(2, wiring) == outbox.Delivery(3, 0, 1)  # what nobody listens to is let by at once
    assert outbox.deliver(100, wiring) == outbox.Delivery(1, 0, 0)
    assert outbox.deliver(100, wiring) == outbox.Delivery(0, 0, 0)
    assert seen == [1, 2, 3]
    assert len(set(other)) == 3


@pytest.mark.django_db
def test_failure_is_recorded_undone_and_tried_again():
    put()
    put("fine")
    broken = [True]

    def subscriber(message):
        NumberSequence.objects.create(name="effect")
        if broken[0]:
            raise RuntimeError("短信网关不通")

    wiring = {"loan.booked": [subscriber]}
    assert outbox.deliver(10, wiring) == outbox.Delivery(1, 1, 1)
    row = Outbox.objects.get(event="loan.booked")
    assert (row.attempts, row.delivered_at) == (1, None)
    assert "短信网关不通" in row.last_error
    assert not NumberSequence.objects.exists()  # what the failed subscriber wrote is gone
    broken[0] = False
    assert outbox.deliver(10, wiring) == outbox.Delivery(1, 0, 0)
    row.refresh_from_db()
    assert (row.attempts, row.last_error) == (2, "")
    assert NumberSequence.objects.count() == 1


@pytest.mark.django_db
def test_one_failing_subscriber_undoes_the_others_of_that_message():
    put()

    def fails(message):
        raise RuntimeError

    outbox.deliver(1, {"loan.booked": [lambda m: NumberSequence.objects.create(name="x"), fails]})
    assert not NumberSequence.objects.exists()


@pytest.mark.django_db
def test_bad_message_neither_blocks_nor_runs_for_ever():
    put("bad")
    seen = []

    def fails(message):
        raise RuntimeError("永远不成")

    wiring = {"bad": [fails], "good": [lambda m: seen.append(m.id)]}
    outbox.deliver(1, wiring)
    put("good")
    outbox.deliver(1, wiring)  # a batch of one: the fresh message goes first
    assert len(seen) == 1
    for _ in range(outbox.MAX_ATTEMPTS + 3):
        outbox.deliver(10, wiring)
    (dead,) = outbox.stuck()
    assert dead["attempts"] == outbox.MAX_ATTEMPTS
    assert outbox.retry([dead["id"]]) == 1
    assert outbox.deliver(10, {}) == outbox.Delivery(1, 0, 0)
    assert outbox.stuck() == []


@pytest.mark.django_db
def test_purging_keeps_what_still_waits():
    put("old")
    put("waits")
    Outbox.objects.update(recorded_at=outbox.now() - timedelta(days=99))
    Outbox.objects.filter(event="old").update(delivered_at=outbox.now() - timedelta(days=outbox.KEPT_DAYS + 1))
    assert outbox.purge() == 1
    assert [row.event for row in Outbox.objects.all()] == ["waits"]
    assert outbox.oldest_waiting() == Outbox.objects.get().recorded_at
    assert outbox.waiting_count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time anyway")
def test_a_second_deliverer_goes_away_empty_handed():
    put()
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [outbox._LOCK])
        assert outbox.deliver(10, {}) == outbox.Delivery(0, 0, 1)
        # Let go here: the server frees the locks of a closed connection only when its process has ended.
        other.execute("SELECT pg_advisory_unlock(%s)", [outbox._LOCK])
    assert outbox.deliver(10, {}) == outbox.Delivery(1, 0, 0)
