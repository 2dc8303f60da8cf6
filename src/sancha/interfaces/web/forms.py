"""表单：统一的样子（标签、控件、说明、错误），统一的中文说法。

页面的表单都从 :class:`Form` 派生；金额用 :class:`YuanField`（元进、分出），
年利率用 :class:`RateField`（百分数进、百万分之一出）。
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer, TemplatesSetting
from django.utils.translation import gettext_lazy as _

from sancha.kernel.money import MoneyError, format_yuan, parse_yuan
from sancha.kit.errors import DomainError

_CLASSES: dict[type[forms.Widget], str] = {
    forms.CheckboxInput: "form-check-input",
    forms.CheckboxSelectMultiple: "form-check-input",
    forms.RadioSelect: "form-check-input",
    forms.Select: "form-select",
    forms.SelectMultiple: "form-select",
    forms.FileInput: "form-control",
    forms.Textarea: "form-control",
    forms.widgets.Input: "form-control",
}


def _css(widget: forms.Widget) -> str:
    for kind in type(widget).__mro__:
        if kind in _CLASSES:
            return _CLASSES[kind]
    return ""


class BoundField(forms.BoundField):
    """栏目：按控件种类给样式，有错时标红。"""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        widget = widget or self.field.widget
        attrs = super().build_widget_attrs(attrs, widget)
        css = str(attrs.get("class") or widget.attrs.get("class") or _css(widget))
        if self.form.is_bound and self.errors:
            css += " is-invalid"
        if css:
            attrs["class"] = css
        return attrs

    @property
    def is_check(self) -> bool:
        """单个勾选框：标签放在控件后面。"""
        return isinstance(self.field.widget, forms.CheckboxInput)

    @property
    def is_group(self) -> bool:
        """一组单选或多选：用 fieldset。"""
        return isinstance(self.field.widget, (forms.RadioSelect, forms.CheckboxSelectMultiple))

    @property
    def is_file(self) -> bool:
        """选文件。"""
        return isinstance(self.field.widget, forms.FileInput)

    @property
    def starred(self) -> bool:
        """标星：必填，或由操作在办结时要求。筛选条里的栏目不标。"""
        needed = self.field.required and self.form.use_required_attribute
        return bool(needed or getattr(self.field, "starred", False))

    @property
    def suffix(self) -> str:
        """控件后的单位：元、%、天。"""
        return str(getattr(self.field, "suffix", ""))


class Renderer(TemplatesSetting):
    """本系统的表单模板；控件本身仍用 Django 的。"""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
    bound_field_class = BoundField


def lay(*fields: forms.Field, col: str | None = None, starred: bool | None = None, suffix: Any = None) -> None:
    """栏目在表单里的样子：``col`` 占几格，``starred`` 要不要标星，``suffix`` 控件后的单位；不给的不动。"""
    given = {"col": col, "starred": starred, "suffix": suffix}
    for field in fields:
        # Django's own fields know none of the three; the templates read them off the field.
        vars(field).update({name: value for name, value in given.items() if value is not None})


def _choice_field(form: forms.BaseForm, name: str) -> forms.ChoiceField:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField), name
    return field


def choices_of(form: forms.BaseForm, name: str) -> list[tuple[Any, Any]]:
    """一个选择栏现有的选项：（值, 名）。"""
    choices: Any = _choice_field(form, name).choices
    return list(choices)


class DateInput(forms.DateInput):
    """原生日期控件；值一律 ISO。"""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"lang": "zh-CN", **(attrs or {})}, format="%Y-%m-%d")


class DateField(forms.DateField):
    """日期：只认年-月-日，不猜月日次序。"""

    widget = DateInput
    input_formats = ["%Y-%m-%d"]
    default_error_messages = {"invalid": _("日期请写成 年-月-日，如 2026-01-31。")}


class YuanField(forms.CharField):
    """金额：填元（可带千分位、全角），得到整数分。"""

    def __init__(self, *, allow_zero: bool = False, allow_negative: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 30)
        super().__init__(**kwargs)
        self.allow_zero, self.allow_negative = allow_zero, allow_negative
        self.widget.attrs.update({"inputmode": "decimal", "class": "form-control num", "data-yuan": ""})
        self.suffix = _("元")

    def prepare_value(self, value: Any) -> Any:
        return format_yuan(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if text in self.empty_values:
            return None
        try:
            fen = parse_yuan(text, allow_negative=self.allow_negative)
        except MoneyError as wrong:
            raise ValidationError(str(wrong)) from wrong
        if fen == 0 and not self.allow_zero:
            raise ValidationError(_("金额不能为零。"))
        return fen


class RateField(forms.CharField):
    """年利率：填百分数（14.4 即 14.4 %），得到百万分之一的整数（144000）。"""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 12)
        super().__init__(**kwargs)
        self.widget.attrs.update({"inputmode": "decimal", "class": "form-control num"})
        self.suffix = "%"

    def prepare_value(self, value: Any) -> Any:
        return f"{Decimal(value) / 10000:f}" if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if text in self.empty_values:
            return None
        try:
            ppm = Decimal(unicodedata.normalize("NFKC", text).rstrip("%").strip()) * 10000
        except InvalidOperation as wrong:
            raise ValidationError(_("年利率请填百分数，如 14.4。")) from wrong
        if not ppm.is_finite() or ppm != ppm.to_integral_value():
            raise ValidationError(_("年利率最多四位小数。"))
        if not 0 <= ppm <= 10_000_000:
            raise ValidationError(_("年利率应在 0 到 1000% 之间。"))
        return int(ppm)


class Frame(forms.BaseForm):
    """表单的统一外观与错误面板；与 Django 现成的表单（登录、改密码）混合使用。"""

    default_renderer: type[BaseRenderer] = Renderer
    problem: DomainError | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class Form(Frame, forms.Form):
    """页面表单。"""

    use_required_attribute = True

    def offer(self, name: str, choices: Iterable[Any]) -> None:
        """给一个选择栏换上选项：（值, 名）或（组名, 各项）。"""
        _choice_field(self, name).choices = list(choices)
