"""模板过滤器与标签（内建，不必 load）：金额、利率、日期、掩码、图标、网址参数。"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.forms import BoundField
from django.forms.utils import flatatt
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from sancha.interfaces.web.pages import SUBMISSION_FIELD, fresh_submission_key
from sancha.interfaces.web.request import PageRequest
from sancha.kernel.money import Rounding, format_yuan, rmb_uppercase, round_div

register = template.Library()

NOTHING = mark_safe('<span class="nothing">—</span>')
SPRITE = "vendor/tabler-icons/sprite.svg"

CLASSES = {
    1: (_("正常"), "pass"),
    2: (_("关注"), "mention"),
    3: (_("次级"), "substandard"),
    4: (_("可疑"), "doubtful"),
    5: (_("损失"), "loss"),
}
"""五级分类：代码 → 名称、样式。"""


def _whole(value: Any) -> int | None:
    """整数才算数；空值显示为「—」，浮点是程序错误，当场报出来。"""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"金额与利率必须是整数，得到 {value!r}")
    whole: int = value
    return whole


def _beijing(value: datetime) -> datetime:
    """界面上的时刻一律按系统时区。"""
    return value.astimezone(timezone.get_current_timezone()) if timezone.is_aware(value) else value


@register.filter
def fen(value: Any) -> SafeString:
    """金额：整数分 → 「1,234.56」；负数标红。"""
    amount = _whole(value)
    if amount is None:
        return NOTHING
    if amount < 0:
        return format_html('<span class="num neg">{}</span>', format_yuan(amount))
    return format_html('<span class="num">{}</span>', format_yuan(amount))


@register.filter
def yuan(value: Any) -> str:
    """金额纯文字（没有标签），用于属性与图表说明。"""
    amount = _whole(value)
    return "" if amount is None else format_yuan(amount)


@register.filter
def wan(value: Any) -> SafeString:
    """万元：整数分 → 「123.46 万」，四舍五入到两位。只用于看板，不用于对账。"""
    amount = _whole(value)
    if amount is None:
        return NOTHING
    text = format_yuan(round_div(amount, 10_000, Rounding.HALF_UP))
    css = "num neg" if amount < 0 else "num"
    return format_html('<span class="{}">{}</span>&nbsp;<span class="unit">{}</span>', css, text, _("万"))


@register.filter
def uppercase(value: Any) -> str:
    """大写金额。"""
    amount = _whole(value)
    return "" if amount is None else rmb_uppercase(amount)


def percent(value: int) -> str:
    """百万分之一 → 百分数文字，至少两位、至多四位小数。"""
    whole, part = divmod(abs(value), 10_000)
    digits = f"{part:04d}"
    digits = digits[:2] + digits[2:].rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}.{digits}%"


@register.filter
def ppm(value: Any) -> SafeString:
    """年利率：144000 → 「14.40%」。"""
    rate = _whole(value)
    return NOTHING if rate is None else format_html('<span class="num">{}</span>', percent(rate))


@register.filter
def day(value: Any) -> SafeString:
    """日期：一律 ISO。"""
    if not value:
        return NOTHING
    if isinstance(value, datetime):
        value = _beijing(value).date()
    text = value.isoformat() if isinstance(value, date) else str(value)
    return format_html('<time class="num" datetime="{0}">{0}</time>', text)


@register.filter
def moment(value: Any) -> SafeString:
    """时刻：年-月-日 时:分:秒（北京时间）。"""
    if not value:
        return NOTHING
    return format_html(
        '<time class="num" datetime="{}">{}</time>', value.isoformat(), f"{_beijing(value):%Y-%m-%d %H:%M:%S}"
    )


@register.filter
def mask_id(value: Any) -> str:
    """证件号掩码：前三后四，其余为星号。"""
    text = str(value or "")
    if len(text) <= 7:
        return "*" * len(text)
    return f"{text[:3]}{'*' * (len(text) - 7)}{text[-4:]}"


@register.filter
def mask_phone(value: Any) -> str:
    """电话掩码：前三后四。"""
    text = str(value or "")
    if len(text) < 8:
        return "*" * len(text)
    return f"{text[:3]}****{text[-4:]}"


@register.filter
def mask_account(value: Any) -> str:
    """账号掩码：只露末四位。"""
    text = str(value or "")
    return "*" * len(text) if len(text) <= 4 else f"**** {text[-4:]}"


@register.filter
def klass(value: Any) -> SafeString:
    """五级分类徽标。"""
    if value is None or value == "":
        return NOTHING
    name, css = CLASSES[int(value)]
    return format_html('<span class="klass klass-{}">{}</span>', css, name)


@register.filter
def overdue(value: Any) -> SafeString:
    """逾期天数：零显示「—」，1–90 天橙色，90 天以上红色加粗。"""
    days = _whole(value)
    if not days:
        return NOTHING
    return format_html('<span class="num dpd {}">{}</span>', "dpd-bad" if days > 90 else "dpd-late", days)


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """图标（雪碧图）。有 ``label`` 时读屏软件会念，没有则当装饰略过。"""
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html('<svg class="icon {}" {}><use href="{}#{}"/></svg>', css, spoken, static(SPRITE), name)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """改动当前网址的参数：``{% query page=2 %}``；值为空即去掉该参数。换条件时页码自动回到第一页。"""
    request: PageRequest = context["request"]
    params = request.GET.copy()
    if "page" not in changes:
        params.pop("page", None)
    for name, value in changes.items():
        if value in (None, ""):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return "?" + urlencode([(k, v) for k, vs in params.lists() for v in vs if v != ""])


@register.simple_tag
def field(bound: BoundField, **attrs: Any) -> SafeString:
    """表单的一栏：标签、控件、说明、错误。``{% field form.amount col="col-md-3" %}``。"""
    assert isinstance(bound, BoundField), f"field 标签要的是表单栏目，得到 {bound!r}"
    context = {"field": bound, "col": attrs.get("col", "")}
    return mark_safe(bound.form.renderer.render("forms/field.html", context))


@register.simple_tag(takes_context=True)
def idempotency_key(context: template.Context) -> SafeString:
    """表单里的幂等键（隐藏栏目）。"""
    return format_html(
        '<input type="hidden" name="{}" value="{}">', SUBMISSION_FIELD, fresh_submission_key(context.get("request"))
    )


@register.simple_tag
def attributes(**values: Any) -> SafeString:
    """把非空的值拼成标签属性；下划线变连字符。"""
    return flatatt({k.replace("_", "-"): v for k, v in values.items() if v not in (None, "", False)})


@register.filter
def of(mapping: Any, key: Any) -> Any:
    """按键取值：``{{ names|of:code }}``。"""
    return mapping.get(key, "") if mapping else ""
