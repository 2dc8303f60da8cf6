"""日终的表单。"""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.interfaces.web.forms import DateField, Form, lay


class CatchUpForm(Form):
    """连续补做到某一天。"""

    until = DateField(label=_("做到哪一天（含）"))
    lay(until, col="f12")


class ReleaseForm(Form):
    """解除隔离。"""

    reason = forms.CharField(
        label=_("查明的原因与处理"), max_length=200, widget=forms.TextInput(attrs={"placeholder": _("必填，写入审计")})
    )
    lay(reason, col="f12")
