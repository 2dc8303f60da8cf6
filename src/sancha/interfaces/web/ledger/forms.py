"""总账的表单。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.ledger.queries import AccountRow
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, YuanField, lay

SOURCES = [
    ("SERVICING", _("借据业务")),
    ("ACCRUAL", _("计提")),
    ("CASHDESK", _("出纳")),
    ("MANUAL", _("手工")),
    ("OPENING", _("期初")),
    ("PROVISION", _("拨备")),
    ("CLOSING", _("期末结转")),
]


class PeriodFilter(Form):
    """机构与期间；没写或乱写的用缺省：本月初至营业日。"""

    use_required_attribute = False
    institution = forms.TypedChoiceField(label=_("机构（含下级）"), coerce=int, required=False, empty_value=None)
    first = DateField(label=_("起日"), required=False)
    last = DateField(label=_("止日"), required=False)
    lay(institution, col="w2")

    def __init__(self, data: Any, *, today: date, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        self.business_date = today
        given = {name: data.get(name, "") for name in data}
        given["first"] = given.get("first") or today.replace(day=1).isoformat()
        given["last"] = given.get("last") or today.isoformat()
        super().__init__(given, **kwargs)
        self.offer("institution", [("", _("全部所辖")), *institution_choices(tree)])

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的机构与起止日；起止写反了就换过来。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        first, last = data.get("first") or self.business_date.replace(day=1), data.get("last") or self.business_date
        return {"institution_id": data.get("institution"), "first": min(first, last), "last": max(first, last)}


class VoucherFilter(PeriodFilter):
    """凭证筛选。"""

    source = forms.ChoiceField(label=_("来源"), required=False, choices=[("", _("全部")), *SOURCES])
    q = forms.CharField(label=_("摘要"), required=False)
    loan = forms.IntegerField(required=False, widget=forms.HiddenInput)

    @property
    def wanted(self) -> dict[str, Any]:
        data = super().wanted
        cleaned = getattr(self, "cleaned_data", {})
        return data | {
            "source": cleaned.get("source") or "", "text": cleaned.get("q") or "", "loan_id": cleaned.get("loan"),
        }  # fmt: skip


class DraftFilter(Form):
    """手工凭证筛选。"""

    use_required_attribute = False
    state = forms.ChoiceField(
        label=_("状态"), required=False,
        choices=[("", _("全部")), ("ENTERED", _("待授权")), ("AUTHORIZED", _("已记账")), ("REJECTED", _("已退回")), ("WITHDRAWN", _("已撤回"))],
    )  # fmt: skip


class ManualForm(Form):
    """手工凭证的抬头。"""

    institution_id = forms.TypedChoiceField(label=_("机构"), coerce=int)
    booked_on = DateField(label=_("记账日"), help_text=_("可以是已日终而未结账的日子，不能晚于营业日。"))
    summary = forms.CharField(label=_("摘要"), max_length=200, help_text=_("写明事由与附件张数。"))
    lay(institution_id, booked_on, col="f4")
    lay(summary, col="f4")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))


class LineForm(Form):
    """一行分录：借方、贷方只填其一。"""

    use_required_attribute = False
    account = forms.ChoiceField(label=_("科目"), required=False)
    summary = forms.CharField(label=_("摘要"), max_length=200, required=False)
    debit = YuanField(label=_("借方"), required=False)
    credit = YuanField(label=_("贷方"), required=False)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("account", choices)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        debit, credit = data.get("debit"), data.get("credit")
        if debit and credit:
            raise ValidationError(_now("借方、贷方只填一边。"))
        if bool(debit or credit) != bool(data.get("account")) and not self.errors:
            raise ValidationError(_now("科目与金额要一起填。"))
        return data

    @property
    def line(self) -> dict[str, Any] | None:
        """交给操作的分录；空行没有。"""
        data = self.cleaned_data
        if not data.get("account"):
            return None
        return {
            "account": data["account"], "amount_fen": (data.get("debit") or 0) - (data.get("credit") or 0),
            "summary": data.get("summary") or "",
        }  # fmt: skip


Lines = forms.formset_factory(LineForm, extra=6, max_num=200, absolute_max=200)


def filled(lines: forms.BaseFormSet[LineForm]) -> list[dict[str, Any]]:
    """分录里填了的行。"""
    return [line for form in lines.forms if (line := form.line)]


def account_choices(chart: list[AccountRow]) -> list[tuple[str, str]]:
    """手工凭证可用的科目：末级、不受头寸控制。"""
    usable = [row for row in chart if row.is_leaf and not row.position_controlled]
    return [("", "—"), *((row.code, f"{row.code} {row.name}") for row in usable)]


class OpinionForm(Form):
    """授权或退回的意见。"""

    opinion = forms.CharField(label=_("意见"), max_length=200, required=False)


class ReverseForm(Form):
    """冲回原因。"""

    reason = forms.CharField(label=_("冲回原因"), max_length=150)
    lay(reason, col="f12")


class MonthForm(Form):
    """月结。"""

    institution_id = forms.TypedChoiceField(label=_("机构（连同下级）"), coerce=int)
    month = DateField(label=_("月份（任一天）"))

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))


class YearForm(Form):
    """年结。"""

    institution_id = forms.TypedChoiceField(label=_("机构（连同下级）"), coerce=int)
    year = forms.IntegerField(label=_("年度"), min_value=1990, max_value=2200)

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))


class OpeningForm(Form):
    """期初余额：一张科目余额表。"""

    institution_id = forms.TypedChoiceField(label=_("机构"), coerce=int)
    cut_over_on = DateField(label=_("切换日"))
    file = forms.FileField(
        label=_("科目余额表（Excel 或 csv）"),
        help_text=_("列：科目代号、借方余额、贷方余额；首行为列名。只填末级科目，元为单位。"),
    )
    lay(file, col="f12")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))
