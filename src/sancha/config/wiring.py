"""接线：任务种类与办结操作、事件与订阅者——全系统唯一的对照表。"""

from __future__ import annotations

from sancha.apps.access.operations import register_closing_guard
from sancha.apps.recovery.kinds import FOLLOW_UP
from sancha.apps.servicing.operations.booking import BOOKING_CHECK, authorize_booking
from sancha.apps.servicing.queries import live_loans_reason
from sancha.apps.work.kinds import register_closer, register_kind


def connect() -> None:
    """登记全部任务种类与办结操作；重复调用无妨。"""
    register_kind(BOOKING_CHECK)
    register_closer(BOOKING_CHECK.code, authorize_booking)
    register_kind(FOLLOW_UP)
    register_closing_guard(live_loans_reason)


SUBSCRIBERS: dict[str, tuple[object, ...]] = {}
