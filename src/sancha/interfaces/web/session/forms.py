"""登录、改密码与验证码的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr

from sancha.interfaces.web.forms import Form, Frame, lay


class LoginForm(Frame, AuthenticationForm):
    """用户名与密码。用户名先折成小写，免得换大小写绕过锁定计数。"""

    error_messages = {
        "invalid_login": _("用户名或密码不正确。连续 5 次不正确，账户将锁定 15 分钟。"),
        "inactive": _("账户已停用，请联系系统管理员。"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("用户名")
        self.fields["password"].label = _("密码")
        self.fields["username"].widget.attrs["autocapitalize"] = "none"
        for field in self.fields.values():
            lay(field, col="f12")

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()


def _secret(label: Any, autocomplete: str, help_text: Any = "") -> forms.CharField:
    field = forms.CharField(
        label=label,
        strip=False,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )
    lay(field, col="f12")
    return field


class PasswordForm(Form):
    """改密码：原密码、新密码、再输一次。"""

    old = _secret(_("原密码"), "current-password")
    new = _secret(_("新密码"), "new-password", _("至少 10 位，不能是常见密码，也不能与姓名、用户名相近。"))
    again = _secret(_("再输一次新密码"), "new-password")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "new" in data and "again" in data and data["new"] != data["again"]:
            self.add_error("again", _("两次输入的新密码不一样。"))
        return data

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """交给操作的参数；``SecretStr`` 不会落进摘要、审计与日志。"""
        return {"old": SecretStr(self.cleaned_data["old"]), "new": SecretStr(self.cleaned_data["new"])}


class CodeForm(Form):
    """六位验证码。"""

    code = forms.RegexField(
        r"^\s*[0-9]{3}\s?[0-9]{3}\s*$",
        label=_("六位验证码"),
        error_messages={"invalid": _("请填验证器上显示的六位数字。")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": "8"}),
    )
    lay(code, col="f12")

    def clean_code(self) -> str:
        return "".join(str(self.cleaned_data["code"]).split())


class VerifyForm(CodeForm):
    """登录时：六位验证码，或一个恢复码。"""

    code = forms.RegexField(
        r"^\s*([0-9]{3}\s?[0-9]{3}|[A-Za-z0-9]{10})\s*$",
        label=_("六位验证码，或一个恢复码"),
        error_messages={"invalid": _("请填验证器上显示的六位数字，或十位恢复码。")},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "maxlength": "12", "autocapitalize": "none"}),
    )
    lay(code, col="f12")
