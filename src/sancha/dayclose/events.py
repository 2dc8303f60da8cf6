"""日终的对外事件。"""

from __future__ import annotations

from datetime import date

from sancha.kit.events import GROUP, EventField, EventKind, announce, declare

DAY_CLOSED = declare(
    EventKind(
        "day.closed",
        "日终完成",
        "一个营业日组的一天日终全部步骤做完；送给组内各机构的订阅",
        {
            "group_id": EventField("id", "营业日组编号"),
            "day": EventField("day", "日终的那一天"),
            "business_date": EventField("day", "此后的营业日"),
            "held_loans": EventField("count", "这次隔离的借据笔数"),
        },
        reach=GROUP,
    )
)
ALL = (DAY_CLOSED,)


def day_closed(*, group_id: int, day: date, business_date: date, held: int) -> None:
    """日终完成：不属于哪一家机构，正文里的机构为 null。"""
    announce(
        DAY_CLOSED,
        institution_id=None,
        on=day,
        subject=f"group:{group_id}",
        group_id=group_id,
        day=day,
        business_date=business_date,
        held_loans=held,
    )
