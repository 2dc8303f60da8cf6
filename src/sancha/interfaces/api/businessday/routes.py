"""营业日与年历的端点。"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from sancha.apps.businessday import operations, queries
from sancha.interfaces.api.endpoints import Spec, act, ask, caller_of
from sancha.interfaces.api.shapes import body_of, list_of, record
from sancha.kit.errors import DomainError, NotFound

router = Router(tags=["营业日与年历"])
Year = Annotated[int, Field(ge=1950, le=2150)]
LONGEST_SPAN = 50

HolidayReply = record("Holiday", {"day": date, "kind": str, "name": str}, "放假或调休的一天。")


@ask(router, "/business-day", "businessday.view", "营业日", reply=queries.GroupInfo)
def business_day(request: HttpRequest) -> Any:
    """本机构所在营业日组的营业日与各分区的账立于何日。"""
    actor = caller_of(request).actor
    if actor.institution_id is None:
        raise NotFound("NOT_IN_GROUP", "没有所在机构。")
    partition = queries.partition_of(institution_id=actor.institution_id)
    return next(group for group in queries.groups() if group.id == partition.group_id)


@ask(router, "/calendar", "businessday.view", "年历一览", reply=queries.CalendarYearInfo, many=True)
def calendar(request: HttpRequest, *, first_year: Year, last_year: Year) -> Any:
    """各年的放假安排：来源、修订次数、是否已公布；没有公布的按周末推算。"""
    if not first_year <= last_year < first_year + LONGEST_SPAN:
        raise DomainError(
            "YEARS_WRONG", f"年份 {first_year} 到 {last_year} 不对。", field="last_year", value=last_year,
            fix=f"末年不早于首年，一次不超过 {LONGEST_SPAN} 年。",
        )  # fmt: skip
    return queries.calendar_years(first_year=first_year, last_year=last_year)


@ask(router, "/calendar/{year}", "businessday.view", "某年的放假与调休", reply=HolidayReply, many=True)
def holidays(request: HttpRequest, *, year: Year) -> Any:
    """某年最新版本的放假日与调休上班日。"""
    return [{"day": day, "kind": kind, "name": name} for day, kind, name in queries.holidays_of(year=year)]


DayBody = body_of(
    "CalendarDayBody", {"day": Spec(date), "kind": Spec(str), "name": Spec(str, "")}, target=operations.CalendarDay
)
act(
    router, "/calendar/{year}", operations.publish_calendar_year, "录入放假安排", method="PUT",
    fields={"days": Spec(list_of(DayBody))},
    example={
        "days": [{"day": "2027-01-01", "kind": "holiday", "name": "元旦"}], "source": "国办发明电〔2026〕7 号",
    },
)  # fmt: skip
