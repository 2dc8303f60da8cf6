"""工作日历：以 2026 年的公布安排核对，并与 chinesecalendar 逐日比对。"""

from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sancha.kernel.calendar import WEEKENDS_ONLY, Calendar

# 2026 年国庆：10 月 1–7 日放假，10 月 10 日（周六）上班
NATIONAL_DAY = Calendar(
    holidays=frozenset(date(2026, 10, day) for day in range(1, 8)),
    makeup_workdays=frozenset({date(2026, 10, 10)}),
    published_years=frozenset({2026}),
)


def everything() -> Calendar:
    return Calendar(frozenset(chinese_calendar.holidays), frozenset(chinese_calendar.workdays))


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),
        (date(2026, 10, 11), False),
    ],
)
def test_holidays_makeup_days_and_weekends(day: date, working: bool) -> None:
    assert NATIONAL_DAY.is_working(day) is working


def test_rolling_over_a_long_holiday() -> None:
    assert NATIONAL_DAY.next_working(date(2026, 10, 1)) == date(2026, 10, 8)
    assert NATIONAL_DAY.previous_working(date(2026, 10, 7)) == date(2026, 9, 30)
    assert NATIONAL_DAY.next_working(date(2026, 10, 10)) == date(2026, 10, 10)
    assert NATIONAL_DAY.previous_working(date(2026, 10, 11)) == date(2026, 10, 10)


def test_an_unpublished_year_is_weekends_and_says_so() -> None:
    assert NATIONAL_DAY.is_published(2026)
    assert not NATIONAL_DAY.is_published(2027)
    assert NATIONAL_DAY.is_working(date(2027, 10, 1))  # 周五
    assert not WEEKENDS_ONLY.is_working(date(2027, 10, 2))


def test_every_day_agrees_with_the_published_data() -> None:
    calendar, day = everything(), date(2004, 1, 1)
    while day <= date(2026, 12, 31):
        assert calendar.is_working(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


@given(st.dates(date(2004, 1, 10), date(2026, 12, 1)))
def test_rolling_lands_on_the_nearest_working_day(day: date) -> None:
    calendar = everything()
    later, earlier = calendar.next_working(day), calendar.previous_working(day)
    assert earlier <= day <= later
    assert calendar.is_working(earlier)
    assert calendar.is_working(later)
    skipped = [earlier + timedelta(days=n) for n in range(1, (later - earlier).days)]
    assert not any(calendar.is_working(between) for between in skipped)


def test_document_round_trip() -> None:
    document = NATIONAL_DAY.as_document()
    assert Calendar.from_document(document) == NATIONAL_DAY
    assert document["holidays"][0] == "2026-10-01"


def test_a_day_cannot_be_both() -> None:
    with pytest.raises(ValueError, match="2026-10-01"):
        Calendar(holidays=frozenset({date(2026, 10, 1)}), makeup_workdays=frozenset({date(2026, 10, 1)}))


def test_a_calendar_without_working_days_is_an_error_not_a_loop() -> None:
    closed = Calendar(holidays=frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(90)))
    with pytest.raises(ValueError, match="no working day"):
        closed.next_working(date(2026, 1, 1))
