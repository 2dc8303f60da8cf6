"""待办筛选、办理任务、指派、留言与附件的表单。"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import date
from typing import Any, cast, get_args

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sancha.apps.work.forms import FormField, FormSchema
from sancha.apps.work.kinds import Outcome
from sancha.apps.work.queries import DueWhen, TaskFilter, Whose
from sancha.interfaces.web.forms import DateField, Form, YuanField, lay

LONG_TEXT = 60
LARGEST_DRAWING = 400_000
INK_PREFIX = "data:image/png;base64,"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
WIDE = "f12"


class DeskFilter(Form):
    """待办筛选。"""

    use_required_attribute = False
    text = forms.CharField(label=_("事项"), required=False)
    kind = forms.ChoiceField(label=_("种类"), required=False)
    whose = forms.ChoiceField(
        label=_("归谁"),
        required=False,
        choices=[
            ("", _("我的与未认领")),
            ("mine", _("我名下")),
            ("free", _("未认领")),
            ("any", _("本岗位全部")),
        ],
    )
    due = forms.ChoiceField(
        label=_("期限"),
        required=False,
        choices=[("", _("全部")), ("overdue", _("已逾期")), ("today", _("今日到期")), ("week", _("七日内"))],
    )
    all_posts = forms.ChoiceField(
        label=_("岗位"), required=False, choices=[("", _("本岗位")), ("1", _("辖内所有岗位"))]
    )

    def __init__(self, *args: Any, kinds: Iterable[tuple[str, str]], oversee: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("kind", [("", _("全部")), *kinds])
        if not oversee:
            del self.fields["all_posts"]

    @property
    def wanted(self) -> TaskFilter:
        """查询条件；网址里乱写的值当作没写。"""
        self.is_valid()
        data = self.cleaned_data
        whose, due = data.get("whose") or "mine_or_free", data.get("due") or ""
        assert whose in get_args(Whose), "the choices above are those of the query"
        assert due in get_args(DueWhen), "the choices above are those of the query"
        return TaskFilter(
            kind=data.get("kind") or "",
            text=data.get("text") or "",
            whose=cast(Whose, whose),
            due=cast(DueWhen, due),
            all_posts=data.get("all_posts") == "1",
        )


def _control(item: FormField) -> forms.Field:
    """一栏的控件。必填与上下限由 ``work`` 在办结时一并检查，暂存时可以空着。"""
    label: dict[str, Any] = {"label": item.label, "required": False}
    if item.type == "fen":
        return YuanField(allow_zero=True, allow_negative=(item.least or 0) < 0, **label)
    if item.type == "int":
        return forms.IntegerField(**label)
    if item.type == "date":
        return DateField(**label)
    if item.type == "choice":
        return forms.ChoiceField(choices=[("", _("请选择")), *item.choices.items()], **label)
    if item.type == "bool":
        return forms.TypedChoiceField(
            choices=[("", _("请选择")), ("1", _("是")), ("0", _("否"))], coerce=lambda text: text == "1",
            empty_value=None, **label,
        )  # fmt: skip
    widget = forms.Textarea(attrs={"rows": 3}) if item.longest > LONG_TEXT else forms.TextInput()
    return forms.CharField(widget=widget, **label)


class ActForm(Form):
    """办理任务：表单各栏、结果、意见。"""

    use_required_attribute = False
    outcome = forms.ChoiceField(label=_("结果"), widget=forms.RadioSelect, required=False)
    opinion = forms.CharField(
        label=_("意见"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    base_revision = forms.IntegerField(widget=forms.HiddenInput, initial=0, required=False)
    lay(outcome, opinion, col=WIDE)

    def __init__(
        self, *args: Any, outcomes: tuple[Outcome, ...], schema: dict[str, Any] | None, data_now: dict[str, Any],
        revision: int, **kwargs: Any,
    ) -> None:  # fmt: skip
        initial = {"base_revision": revision, **data_now}
        super().__init__(*args, initial=initial, **kwargs)
        self.items = FormSchema.model_validate(schema).fields if schema else ()
        self.offer("outcome", [(o.code, _named(o)) for o in outcomes])
        for item in self.items:
            assert item.code not in self.fields, f"form field {item.code} clashes with one of the frame"
            control = _control(item)
            wide = item.type == "text" and item.longest > LONG_TEXT
            lay(control, col=WIDE if wide else "f4", starred=item.required)
            self.fields[item.code] = control
        if isinstance(data_now, dict):
            for item in self.items:
                if item.type == "bool" and item.code in data_now:
                    self.initial[item.code] = "1" if data_now[item.code] else "0"
        self.order_fields([*(item.code for item in self.items), "outcome", "opinion", "base_revision"])

    @property
    def answers(self) -> dict[str, Any] | None:
        """填报内容（可存 JSON）；没有表单的任务为空。"""
        if not self.items:
            return None
        given = {item.code: self.cleaned_data.get(item.code) for item in self.items}
        return {
            code: value.isoformat() if isinstance(value, date) else value
            for code, value in given.items()
            if value not in (None, "")
        }


def _named(outcome: Outcome) -> str:
    return f"{outcome.name}{_('（须写意见）')}" if outcome.needs_opinion else outcome.name


class AssignForm(Form):
    """指派。"""

    person_id = forms.TypedChoiceField(label=_("指派给"), coerce=int)
    lay(person_id, col=WIDE)

    def __init__(self, *args: Any, people: Iterable[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("person_id", [("", _("请选择")), *people])


class CommentForm(Form):
    """留言。"""

    text = forms.CharField(label=_("留言"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
    lay(text, col=WIDE)


class SignForm(Form):
    """签字：在屏幕上手写，或拍下纸上的签字。"""

    use_required_attribute = False
    role = forms.ChoiceField(label=_("谁签"))
    signer = forms.CharField(label=_("签字人姓名"), max_length=80)
    drawing = forms.CharField(
        label=_("在此手写"),
        required=False,
        max_length=LARGEST_DRAWING,
        widget=forms.HiddenInput(attrs={"data-ink": ""}),
    )
    photo = forms.FileField(
        label=_("或拍下纸上的签字"), required=False, widget=forms.FileInput(attrs={"accept": "image/*"})
    )
    lay(photo, col=WIDE)

    def __init__(self, *args: Any, roles: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("role", list(roles))
        lay(self.fields["signer"], starred=True)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("drawing"):
            cleaned["ink"] = ink_of(cleaned["drawing"])
        if not cleaned.get("ink") and not cleaned.get("photo"):
            raise ValidationError(_("请在框里手写签字，或拍下纸上的签字。"))
        return cleaned


def ink_of(drawing: str) -> bytes:
    """手写板交来的图（``data:image/png;base64,…``）→ PNG。

    :raises ValidationError: 不是 PNG。
    """
    try:
        content = base64.b64decode(drawing.removeprefix(INK_PREFIX), validate=True)
    except binascii.Error:
        content = b""
    if not drawing.startswith(INK_PREFIX) or not content.startswith(PNG_MAGIC):
        raise ValidationError(_("没有收到笔迹，请重新签一次。"))
    return content


class EvidenceForm(Form):
    """附件。"""

    file = forms.FileField(
        label=_("照片、录音、回执"),
        widget=forms.FileInput(attrs={"accept": "image/*,audio/*,video/*,.pdf,.doc,.docx,.xls,.xlsx"}),
        help_text=_("每个不超过 20 MB；同一文件只留一份。"),
    )
    lay(file, col=WIDE)
