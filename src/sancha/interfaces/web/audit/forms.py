"""审计的筛选与核对。"""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.interfaces.web.forms import DateField, Form, lay
from sancha.kit.audit_log import EventFilter


class AuditFilter(Form):
    """审计筛选。"""

    use_required_attribute = False
    person = forms.CharField(label=_("用户名"), required=False)
    operation = forms.CharField(
        label=_("操作"), required=False, max_length=80,
        widget=forms.TextInput(attrs={"list": "operation-names", "placeholder": _("如 servicing.book_loan")}),
    )  # fmt: skip
    subject = forms.CharField(
        label=_("对象"), required=False, widget=forms.TextInput(attrs={"placeholder": _("如 loan:12")})
    )
    first = DateField(label=_("起"), required=False)
    last = DateField(label=_("止"), required=False)
    lay(operation, col="w2")

    def wanted(self, *, person_id: int | None, institution_ids: tuple[int, ...] | None) -> EventFilter:
        """交给查询的条件。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return EventFilter(
            person_id=person_id, operation=(data.get("operation") or "").strip(), subject=data.get("subject") or "",
            first=data.get("first"), last=data.get("last"), institution_ids=institution_ids,
        )  # fmt: skip


class VerifyForm(Form):
    """核对链条；带上过去印出的链头，断尾与重写也查得出。"""

    published = forms.CharField(
        label=_("过去印出的链头（可不填）"), required=False, max_length=100,
        widget=forms.TextInput(attrs={"placeholder": _("序号:64 位封条"), "autocomplete": "off"}),
    )  # fmt: skip
    lay(published, col="f12")
