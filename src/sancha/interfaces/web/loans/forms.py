"""借据台账的筛选条，与 360 的日期条。"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.servicing.queries import ORDERS, LoanFilter, LoanView, view_loan
from sancha.interfaces.web.forms import DateField, Form, lay
from sancha.interfaces.web.request import PageRequest

HELD, NPL = "HELD", "3-5"
BAD_FROM = 3
WINDOWS = {"today": 0, "week": 6, "month": 29}


class ListFilter(Form):
    """借据台账筛选。产品与机构的选项要查库，等展开「更多条件」才取。"""

    use_required_attribute = False
    q = forms.CharField(label=_("借据号、合同号、姓名、证件末四位"), required=False)
    status = forms.ChoiceField(
        label=_("状态"),
        required=False,
        choices=[
            ("", _("全部")), ("ACTIVE", _("存续")), ("PENDING", _("待复核")), ("SETTLED", _("结清")),
            ("WRITTEN_OFF", _("已核销")), (HELD, _("隔离")),
        ],
    )  # fmt: skip
    klass = forms.ChoiceField(
        label=_("五级分类"),
        required=False,
        choices=[
            ("", _("全部")), ("1", _("正常")), ("2", _("关注")), ("3", _("次级")), ("4", _("可疑")), ("5", _("损失")),
            (NPL, _("不良（后三类）")),
        ],
    )  # fmt: skip
    overdue_from = forms.IntegerField(label=_("逾期天数 ≥"), required=False, min_value=0)
    overdue_to = forms.IntegerField(label=_("逾期天数 ≤"), required=False, min_value=0)
    due = forms.ChoiceField(
        label=_("下次应还"),
        required=False,
        choices=[("", _("全部")), ("today", _("今日")), ("week", _("七日内")), ("month", _("三十日内"))],
    )
    starts_from = DateField(label=_("起息自"), required=False)
    starts_to = DateField(label=_("起息至"), required=False)
    product = forms.IntegerField(label=_("产品"), required=False, widget=forms.Select)
    institution = forms.IntegerField(label=_("机构及其下级"), required=False, widget=forms.Select)
    sort = forms.CharField(required=False, widget=forms.HiddenInput)
    lay(q, col="w2")
    lay(product, institution, col="w2")
    EXTRA = ("starts_from", "starts_to")
    LAZY = ("product", "institution")

    def choose(self, **choices: Iterable[tuple[Any, Any]]) -> None:
        """填入产品与机构的选项。"""
        for name in self.LAZY:
            self.fields[name].widget.choices = [("", _("全部")), *choices.get(name, ())]

    def wanted(self, today: date) -> LoanFilter:
        """查询条件；网址里乱写的值当作没写。"""
        self.is_valid()
        data = self.cleaned_data
        status, klass, due = (data.get(name) or "" for name in ("status", "klass", "due"))
        order = data.get("sort") or "-starts_on"
        return LoanFilter(
            keyword=data.get("q") or "",
            status="" if status == HELD else status,
            held=status == HELD,
            loan_class=int(klass) if klass.isdigit() else None,
            class_from=BAD_FROM if klass == NPL else None,
            overdue_from=data.get("overdue_from"),
            overdue_to=data.get("overdue_to"),
            due_from=today if due else None,
            due_to=today + timedelta(days=WINDOWS[due]) if due else None,
            starts_from=data.get("starts_from"),
            starts_to=data.get("starts_to"),
            product_id=data.get("product"),
            institution_id=data.get("institution"),
            order=order if order.lstrip("-") in ORDERS else "-starts_on",
        )

    @property
    def main_fields(self) -> list[Any]:
        """总在筛选条上的栏目。"""
        return [bound for bound in self.visible_fields() if bound.name not in {*self.EXTRA, *self.LAZY}]

    @property
    def extra_fields(self) -> list[Any]:
        """「更多条件」里的日期栏。"""
        return [self[name] for name in self.EXTRA]

    @property
    def more_is_open(self) -> bool:
        """「更多条件」里有没有正在用的。"""
        return any(self.data.get(name) for name in (*self.EXTRA, *self.LAZY))


class WhenForm(Form):
    """看哪一天、按哪天所知。"""

    use_required_attribute = False
    on = DateField(label=_("看哪一天"), required=False)
    known_at = DateField(label=_("按当时所知"), required=False)

    @property
    def days(self) -> tuple[date | None, date | None]:
        """（日期, 所知日）；乱写的当作没写。"""
        self.is_valid()
        return self.cleaned_data.get("on"), self.cleaned_data.get("known_at")


def seen(request: PageRequest, loan_id: int) -> LoanView:
    """按网址上的日期看这笔借据。"""
    on, known_at = WhenForm(request.GET).days
    return view_loan(actor=request.actor, loan_id=loan_id, on=on, known_at=known_at)
