"""年历的预置、公布与修订；事件日程的写入与取用；行集在两种数据库上的样子。"""

from datetime import date, timedelta

import pytest
from django.db import connection

from sancha.apps.businessday import operations, queries
from sancha.apps.businessday.operations import AgendaRow, CalendarDay
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import DomainError, NotPermitted
from sancha.kit.rowset import rowset
from tests.support.factories_access import OPENING_DAY, County, fresh_key

DAY = OPENING_DAY


NEW_YEAR = CalendarDay(date(2027, 1, 1), "holiday", "元旦")
SUNDAY_WORK = CalendarDay(date(2027, 1, 3), "makeup", "元旦")


def publish(year: int, days: list, *, actor=SYSTEM, key: str = "", source: str = "国办发明电〔2026〕9号"):
    return operations.publish_calendar_year(
        actor=actor, key=key or fresh_key(), on=DAY, year=year, days=days, source=source
    )


def test_seeded_years_are_published_and_the_rest_flagged(county: County, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        calendar = queries.calendar_for(first_year=2025, last_year=2030)
    assert not calendar.is_working(date(2026, 10, 1))
    assert calendar.is_working(date(2026, 10, 10))
    assert calendar.published_years == {2025, 2026}
    years = {info.year: info for info in queries.calendar_years(first_year=2024, last_year=2027)}
    assert (years[2024].revision, years[2024].published) == (0, False)
    assert years[2026].holidays > 20
    assert years[2027].note == "未公布，按周末推算"
    assert ("春节" in [name for _, _, name in queries.holidays_of(year=2026)]) is True
    assert queries.holidays_of(year=2024) == []


def test_seeding_twice_changes_nothing(county: County) -> None:
    again = operations.seed_calendar(actor=SYSTEM, key=fresh_key(), on=DAY, first_year=2026, last_year=2031)
    assert again["seeded"] == again["unpublished"] == [2031]


def test_publication_replaces_the_guess_and_keeps_the_old_revision(county: County) -> None:
    operator = county.actor("DAYCLOSE_OPERATOR")
    first = publish(2027, [NEW_YEAR, SUNDAY_WORK], actor=operator, key="2027")
    assert first["revision"] == 2
    assert publish(2027, [NEW_YEAR, SUNDAY_WORK], actor=operator, key="2027") == first
    calendar = queries.calendar_for(first_year=2027, last_year=2027)
    assert calendar.is_published(2027)
    assert not calendar.is_working(date(2027, 1, 1))
    assert calendar.is_working(date(2027, 1, 3))
    publish(2027, [NEW_YEAR], actor=operator)
    assert not queries.calendar_for(first_year=2027, last_year=2027).is_working(date(2027, 1, 3))
    assert queries.calendar_years(first_year=2027, last_year=2027)[0].revision == 3


@pytest.mark.parametrize(
    ("days", "source", "said"),
    [
        ([CalendarDay(date(2026, 1, 1), "holiday", "元旦")], "文号", "不在 2027 年"),
        ([SUNDAY_WORK, CalendarDay(date(2027, 1, 3), "holiday", "元旦")], "文号", "不止一次"),
        ([CalendarDay(date(2027, 1, 4), "makeup", "元旦")], "文号", "不是周末"),
        ([CalendarDay(date(2027, 1, 1), "party", "元旦")], "文号", "类别"),
        ([], " ", "来源"),
    ],
)
def test_a_wrong_calendar_is_refused(county: County, days: list, source: str, said: str) -> None:
    with pytest.raises(DomainError) as refused:
        publish(2027, days, source=source)
    assert said in refused.value.message


def test_publishing_needs_the_permission(county: County) -> None:
    with pytest.raises(NotPermitted):
        publish(2027, [], actor=county.actor("BRANCH_MANAGER"))


def due(county: County, on: date, **more) -> list[int]:
    return queries.due_subjects(owner="loan", partition_id=county.partition_id, on=on, **more)


def test_agenda_is_written_and_rewritten_by_one_statement(county: County, django_assert_num_queries) -> None:
    part = county.partition_id
    rows = [AgendaRow(n, DAY + timedelta(days=n % 5), part) for n in range(1, 3001)]
    with django_assert_num_queries(1):
        assert operations.set_agenda_rows(owner="loan", rows=rows) == 3000
    assert queries.count_due(owner="loan", partition_id=part, on=DAY) == 600
    with django_assert_num_queries(1):
        operations.set_agenda_rows(owner="loan", rows=[AgendaRow(5, DAY + timedelta(days=40), part)])
    with django_assert_num_queries(1):
        assert due(county, DAY, limit=3) == [10, 15, 20]
    assert due(county, DAY, after=20, limit=2) == [25, 30]
    assert queries.next_event_of(owner="loan", subject=5) == DAY + timedelta(days=40)


def test_agenda_rows_leave_and_owners_do_not_mix(county: County) -> None:
    part = county.partition_id
    operations.set_agenda_rows(owner="loan", rows=[AgendaRow(1, DAY, part), AgendaRow(2, DAY, part)])
    operations.set_agenda_rows(owner="ladder", rows=[AgendaRow(1, DAY, part)])
    changed = operations.set_agenda_rows(
        owner="loan",
        rows=[AgendaRow(1, None, part), AgendaRow(2, DAY + timedelta(days=1), part), AgendaRow(3, None, part)],
    )
    assert changed == 2
    assert due(county, DAY) == []
    assert due(county, DAY + timedelta(days=1)) == [2]
    assert queries.due_subjects(owner="ladder", partition_id=part, on=DAY) == [1]
    assert operations.set_agenda_rows(owner="loan", rows=[]) == 0


@pytest.mark.django_db
def test_a_row_set_carries_types_nulls_and_big_integers_on_both_databases() -> None:
    rows = [[2**62, "引号'\"", date(2026, 2, 28), {"额": [1, None]}, True], [None, None, None, None, False]]
    kinds = {"big": "bigint", "words": "text", "day": "date", "doc": "jsonb", "flag": "boolean"}
    source = rowset("given", kinds, rows)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT big, words, CAST(day AS text), flag FROM {source.sql}", source.params)
        got = [(big, words, day, bool(flag)) for big, words, day, flag in cursor.fetchall()]
    assert got == [(2**62, "引号'\"", "2026-02-28", True), (None, None, None, False)]


def test_a_row_of_the_wrong_width_is_refused(db: None) -> None:
    with pytest.raises(AssertionError):
        rowset("given", {"one": "bigint"}, [[1, 2]])
