"""工作日历：哪天上班、哪天放假、顺延到哪天。

纯值：一份日历随借据条款一起保存，后来修订的放假安排不会悄悄改动旧的还款计划（要改，须以事实改）。
未公布的年份按周六、周日推算，``is_published`` 说明这一点，界面应注明「未公布」。
依据：国务院办公厅每年的节假日安排通知；调休上班的周末是工作日。
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypedDict

_SATURDAY = 5
# 连续放假再长也不会超过一个月；超过即日历有误，宁可报错也不无限循环。
_LONGEST_BREAK_DAYS = 31


class CalendarDocument(TypedDict):
    """日历的 JSON 样子：日期为 ISO 8601，升序。"""

    holidays: list[str]
    makeup_workdays: list[str]
    published_years: list[int]


@dataclass(frozen=True, slots=True)
class Calendar:
    """日历。``holidays`` 法定放假日，``makeup_workdays`` 调休上班的周末，``published_years`` 已公布的年份。"""

    holidays: frozenset[date] = frozenset()
    makeup_workdays: frozenset[date] = frozenset()
    published_years: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if both := self.holidays & self.makeup_workdays:
            raise ValueError(f"calendar: both holiday and make-up workday: {min(both).isoformat()}")

    def is_working(self, day: date) -> bool:
        """是否工作日：调休上班日算，法定放假日不算，其余看周末。"""
        if day in self.makeup_workdays:
            return True
        return day.weekday() < _SATURDAY and day not in self.holidays

    def next_working(self, day: date) -> date:
        """当日或其后第一个工作日（节假日顺延）。"""
        return self._nearest(day, +1)

    def previous_working(self, day: date) -> date:
        """当日或其前最后一个工作日（节假日提前）。"""
        return self._nearest(day, -1)

    def is_published(self, year: int) -> bool:
        """该年放假安排是否已公布；否则结果只是按周末推算。"""
        return year in self.published_years

    def as_document(self) -> CalendarDocument:
        """可存成 JSON 的样子；同一日历总得到同一文本。"""
        return {
            "holidays": [day.isoformat() for day in sorted(self.holidays)],
            "makeup_workdays": [day.isoformat() for day in sorted(self.makeup_workdays)],
            "published_years": sorted(self.published_years),
        }

    @classmethod
    def from_document(cls, document: CalendarDocument) -> Calendar:
        """由 JSON 还原。

        :raises ValueError: 日期写法有误，年份不是整数，或同一天既放假又上班。
        """
        if not all(isinstance(year, int) and not isinstance(year, bool) for year in document["published_years"]):
            raise ValueError("calendar: published_years must be integers")
        return cls(
            holidays=frozenset(date.fromisoformat(text) for text in document["holidays"]),
            makeup_workdays=frozenset(date.fromisoformat(text) for text in document["makeup_workdays"]),
            published_years=frozenset(document["published_years"]),
        )

    def _nearest(self, day: date, step: int) -> date:
        candidate = day
        for _ in range(_LONGEST_BREAK_DAYS + 1):
            if self.is_working(candidate):
                return candidate
            candidate += timedelta(days=step)
        raise ValueError(f"calendar: no working day within {_LONGEST_BREAK_DAYS} days of {day.isoformat()}")


WEEKENDS_ONLY = Calendar()
