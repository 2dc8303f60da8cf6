"""参数筛选与年历录入的表单。"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from sancha.apps.businessday.operations import CalendarDay
from sancha.interfaces.web.forms import Form, lay
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Stage
from sancha.rulebook.vocabulary import choices

_LINE = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:\s*(?:至|~|—|-{2})\s*(\d{4}-\d{2}-\d{2}))?\s+(\S.*)$")


class ParameterFilter(Form):
    """参数筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("名称、代码、条款、来源"), required=False)
    unsure = forms.BooleanField(label=_("只看待核的"), required=False)
    lay(q, col="w2")


class RuleFilter(Form):
    """规则筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("名称、代码、条款、说明"), required=False)
    program = forms.ChoiceField(label=_("项目"), required=False)
    stage = forms.ChoiceField(label=_("环节"), required=False)
    lay(q, col="w2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        programs = sorted({rule.program for versions in rulebase().rules.values() for rule in versions})
        self.offer("program", [("", _now("全部")), *((code, code) for code in programs)])
        self.offer("stage", [("", _now("全部")), *choices(Stage)])


class CalendarForm(Form):
    """某年放假安排：一行一天或一段。"""

    holidays = forms.CharField(
        label=_("放假"), widget=forms.Textarea(attrs={"rows": 9, "spellcheck": "false"}),
        help_text=_("一行一天或一段，后写名称：2027-02-06 至 2027-02-12 春节"),
    )  # fmt: skip
    makeup = forms.CharField(
        label=_("调休上班（周末）"), required=False, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=_("一行一天：2027-02-13 春节调休"),
    )  # fmt: skip
    source = forms.CharField(label=_("来源（文号）"), max_length=200, help_text=_("如：国办发明电〔2026〕×号。"))
    lay(holidays, makeup, source, col="f12")

    def clean_holidays(self) -> list[CalendarDay]:
        return list(_days(self.cleaned_data["holidays"], "holiday"))

    def clean_makeup(self) -> list[CalendarDay]:
        return list(_days(self.cleaned_data.get("makeup", ""), "makeup"))

    @property
    def days(self) -> list[CalendarDay]:
        """放假与调休合在一起。"""
        return [*self.cleaned_data["holidays"], *self.cleaned_data["makeup"]]


def _days(text: str, kind: str) -> Any:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.match(line.strip())
        try:
            first = date.fromisoformat(found[1]) if found else None
            last = date.fromisoformat(found[2]) if found and found[2] else first
        except ValueError:
            first = None
        if found is None or first is None or last is None or last < first or (last - first).days > 31:
            words = {"n": number, "line": line}
            raise ValidationError(_now("第 %(n)s 行「%(line)s」读不懂，应如：2027-02-06 至 2027-02-12 春节") % words)
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            yield CalendarDay(date.fromordinal(ordinal), kind, found[3].strip())


def as_lines(days: list[tuple[date, str, str]], kind: str) -> str:
    """现有安排写回文本框，供修订。"""
    return "\n".join(f"{day} {name}" for day, of, name in days if of == kind)
