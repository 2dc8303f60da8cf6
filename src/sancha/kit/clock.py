"""时钟：全系统只有这里读墙上时钟。营业日另见 apps.businessday，两者不是一回事。"""

from datetime import date, datetime

from django.utils import timezone


def now() -> datetime:
    """此刻（带时区）。只用于留痕，不用于计息。"""
    return timezone.now()


def calendar_today() -> date:
    """自然日。只用于界面默认值与证件有效期等与营业日无关的比较。"""
    return timezone.localdate()
