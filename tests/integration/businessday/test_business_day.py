"""营业日、分区与日终推进。"""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from sancha.apps.access import operations as access
from sancha.apps.businessday import operations, queries
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, NotFound, NotPermitted
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county

DAY = OPENING_DAY
NEXT = DAY + timedelta(days=1)


def new_partition(county: County, name: str = "南片") -> int:
    added = operations.add_partition(actor=SYSTEM, key=fresh_key(), on=DAY, group_id=county.group_id, name=name)
    return added["partition_id"]


def assign(county: County, code: str, partition_id: int, **more):
    inputs = {"actor": SYSTEM, "key": fresh_key(), "on": DAY, **more}
    return operations.assign_institution(**inputs, institution_id=county.ids[code], partition_id=partition_id)


def test_every_institution_of_the_tree_has_a_day(county: County, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        assert queries.business_date(institution_id=county.ids["S2"]) == DAY
    assert queries.group_date(group_id=county.group_id) == DAY
    assert queries.partition_of(institution_id=county.ids["GC0101"]).group_id == county.gc_group_id
    assert queries.institutions_of(partition_id=county.partition_id) == [
        county.ids[code] for code in ("HO", "B1", "B2", "S1", "S2", "S9")
    ]


def test_an_institution_without_a_group_is_told_what_to_do(county: County) -> None:
    opened = access.open_institution(
        actor=SYSTEM,
        key=fresh_key(),
        on=DAY,
        code="S7",
        name="新设的独立支行",
        kind="TIER1_SUB_BRANCH",
    )
    with pytest.raises(NotFound) as refused:
        queries.business_date(institution_id=opened["institution_id"])
    assert refused.value.code == "BUSINESS_DAY_MISSING"
    assert refused.value.fix


def test_a_close_moves_the_date_first_and_the_books_last(county: County) -> None:
    operations.begin_close(group_id=county.group_id, day=DAY)
    part = queries.partition_of(institution_id=county.ids["S1"])
    assert (part.accrued_to, part.closing, part.business_date) == (DAY, DAY, NEXT)
    assert queries.group_date(group_id=county.group_id) == NEXT
    assert queries.group_date(group_id=county.gc_group_id) == DAY
    operations.mark_closed(partition_id=county.partition_id, day=DAY)
    part = queries.partition_of(institution_id=county.ids["S1"])
    assert (part.accrued_to, part.closing, part.business_date) == (NEXT, None, NEXT)


def test_every_step_of_a_close_can_be_repeated(county: County) -> None:
    second = new_partition(county)
    for _ in range(2):
        operations.begin_close(group_id=county.group_id, day=DAY)
    for _ in range(2):
        operations.mark_closed(partition_id=county.partition_id, day=DAY)
    operations.begin_close(group_id=county.group_id, day=DAY)  # 一区已完、一区未完，重跑
    for _ in range(2):
        operations.mark_closed(partition_id=second, day=DAY)
    assert [part.accrued_to for part in queries.find_group("BANK").partitions] == [NEXT, NEXT]


def test_partition_by_partition_the_group_advances_only_when_all_have_begun(county: County) -> None:
    second = new_partition(county)
    operations.mark_closing(partition_id=county.partition_id, day=DAY)
    operations.mark_closing(partition_id=county.partition_id, day=DAY)
    with pytest.raises(Conflict) as refused:
        operations.advance_group_date(group_id=county.group_id, day=DAY)
    assert str(second) in refused.value.message
    operations.mark_closing(partition_id=second, day=DAY)
    assert operations.advance_group_date(group_id=county.group_id, day=DAY) == NEXT
    assert operations.advance_group_date(group_id=county.group_id, day=DAY) == NEXT


@pytest.mark.parametrize("offset", [-30, 1, 30])
def test_days_are_closed_one_by_one(county: County, offset: int) -> None:
    day = DAY + timedelta(days=offset)
    for step in (
        lambda: operations.begin_close(group_id=county.group_id, day=day),
        lambda: operations.mark_closing(partition_id=county.partition_id, day=day),
    ):
        with pytest.raises(Conflict) as refused:
            step()
        assert refused.value.code == "CLOSE_OUT_OF_ORDER"


def test_a_day_that_was_not_begun_cannot_be_finished(county: County) -> None:
    with pytest.raises(Conflict) as refused:
        operations.mark_closed(partition_id=county.partition_id, day=DAY)
    assert refused.value.code == "CLOSE_NOT_BEGUN"


def test_an_institution_changes_partition_only_when_both_stand_still(county: County) -> None:
    south = new_partition(county)
    assign(county, "S9", south)
    assert queries.partition_of(institution_id=county.ids["S9"]).id == south
    operations.begin_close(group_id=county.group_id, day=DAY)
    operations.mark_closed(partition_id=south, day=DAY)
    with pytest.raises(Conflict) as refused:
        assign(county, "S9", county.partition_id)
    assert refused.value.code == "PARTITION_NOT_ALIGNED"
    with pytest.raises(Conflict) as refused:
        assign(county, "S1", county.gc_partition_id)
    assert refused.value.code == "PARTITION_NOT_ALIGNED"


def test_an_institution_with_an_agenda_stays_where_it_is(county: County) -> None:
    south = new_partition(county)
    operations.set_agenda_rows(owner="test", rows=[operations.AgendaRow(1, DAY, county.partition_id)])
    with pytest.raises(Conflict) as refused:
        assign(county, "S9", south)
    assert refused.value.code == "PARTITION_HAS_AGENDA"


def test_partitions_are_not_added_during_a_close(county: County) -> None:
    operations.begin_close(group_id=county.group_id, day=DAY)
    with pytest.raises(Conflict) as refused:
        new_partition(county)
    assert refused.value.code == "DAY_CLOSE_RUNNING"


def test_groups_belong_to_the_system_and_scope_holds(county: County) -> None:
    operator = county.actor("DAYCLOSE_OPERATOR")
    with pytest.raises(NotPermitted):
        operations.open_group(actor=operator, key=fresh_key(), on=DAY, code="X", name="另一组", business_date=DAY)
    with pytest.raises(NotFound):
        operations.add_partition(actor=operator, key=fresh_key(), on=DAY, group_id=county.gc_group_id, name="x")
    with pytest.raises(NotFound):
        assign(county, "GC01", county.partition_id, actor=operator)
    with pytest.raises(NotPermitted):
        assign(county, "S9", county.partition_id, actor=county.actor("LOAN_OFFICER"))
    assert operations.add_partition(actor=operator, key="p", on=DAY, group_id=county.group_id, name="x") == (
        operations.add_partition(actor=operator, key="p", on=DAY, group_id=county.group_id, name="x")
    )


def test_a_lock_needs_a_transaction_and_a_partition(county: County) -> None:
    with pytest.raises(NotFound):
        queries.lock_partition(partition_id=10**9, exclusive=True)
    assert queries.lock_partition(partition_id=county.partition_id, exclusive=False).accrued_to == DAY


@pytest.mark.django_db(transaction=True)
def test_work_in_flight_holds_back_the_close() -> None:
    """在途业务持共享锁，日终的排他锁等它做完；两个业务互不妨碍。"""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite 的写事务一个接一个，没有行锁可看")
    county = open_county()
    order: list[str] = []
    locked, release = threading.Event(), threading.Event()

    def business() -> None:
        with transaction.atomic():
            queries.lock_partition(partition_id=county.partition_id, exclusive=False)
            locked.set()
            release.wait(10)
            order.append("business")
        connection.close()

    def close() -> None:
        with transaction.atomic():
            operations.mark_closing(partition_id=county.partition_id, day=DAY)
            order.append("close")
        connection.close()

    threads = [threading.Thread(target=business)]
    threads[0].start()
    assert locked.wait(10)
    with transaction.atomic():
        assert queries.lock_partition(partition_id=county.partition_id, exclusive=False).closing is None
        order.append("another business")
    threads.append(threading.Thread(target=close))
    threads[1].start()
    threads[1].join(0.5)
    assert order == ["another business"]
    release.set()
    for thread in threads:
        thread.join(10)
    assert order == ["another business", "business", "close"]


@pytest.mark.django_db(transaction=True)
def test_a_lock_outside_a_transaction_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        queries.lock_partition(partition_id=1, exclusive=True)
