"""产品的表单：建产品、起草版本、停办、利率。"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, RateField, lay
from sancha.interfaces.web.products.terms import ITEMS, Item, assemble, pick, read, shown
from sancha.rulebook.vocabulary import CustomerKind, choices, label

HEAD = ("valid_from", "reason", "clauses")


class ProductForm(Form):
    """建产品：只立名目。"""

    code = forms.CharField(label=_("产品代码"), max_length=40, help_text=_("大写字母、数字、下划线；以后不改。"))
    name = forms.CharField(label=_("产品名称"), max_length=60)
    program = forms.CharField(label=_("所属方案"), max_length=40)
    customer_kinds = forms.MultipleChoiceField(
        label=_("对象"), choices=choices(CustomerKind), widget=forms.CheckboxSelectMultiple
    )
    lay(customer_kinds, col="f12")


class VersionForm(Form):
    """起草版本：全部条款，一栏不落。"""

    use_required_attribute = False
    valid_from = DateField(label=_("起效日"), help_text=_("自这天起登记的借据按新条款。"))
    reason = forms.CharField(label=_("变更说明"), max_length=200)
    clauses = forms.CharField(
        label=_("依据条款"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("规则库的条款代码，以逗号或空格分开。"),
    )
    lay(valid_from, reason, clauses, starred=True)
    lay(reason, col="f8")
    lay(clauses, col="f12")

    def __init__(
        self, *args: Any, document: dict[str, Any], based_on: list[str], valid_from: date, **kwargs: Any
    ) -> None:
        initial = {"valid_from": valid_from, "clauses": "、".join(based_on)}
        super().__init__(*args, initial=initial, **kwargs)
        for item in ITEMS:
            control = item.codec.control()
            control.label, control.help_text, control.required = item.title, item.hint, False
            lay(control, col=item.col, suffix=item.suffix, starred=not item.optional and not item.only)
            self.fields[f"terms.{item.path}"] = control
            self.initial[f"terms.{item.path}"] = shown(item, pick(document, item.path))
        self.read: dict[str, Any] = {}
        self.document_before = document

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("terms.rate.kind") or "FIXED"
        for item in ITEMS:
            if item.only and item.only != kind:
                continue
            try:
                value = read(item, cleaned.get(f"terms.{item.path}"))
                ticked = isinstance(self.fields[f"terms.{item.path}"], forms.MultipleChoiceField)
                self.read[item.path] = in_order(value, pick(self.document_before, item.path)) if ticked else value
            except ValidationError as wrong:
                self.add_error(f"terms.{item.path}", wrong)
        return cleaned

    @property
    def document(self) -> dict[str, Any]:
        """条款文件。"""
        return assemble(self.read)

    @property
    def clause_codes(self) -> list[str]:
        """依据条款的代码。"""
        return [code for code in re.split(r"[\s,，、;；]+", self.cleaned_data["clauses"]) if code]

    def groups(self) -> Iterator[tuple[Any, list[tuple[Item, Any]]]]:
        """分组的栏目，模板逐组画。"""
        names = dict.fromkeys(item.group for item in ITEMS)
        for name in names:
            yield name, [(item, self[f"terms.{item.path}"]) for item in ITEMS if item.group == name]

    def head(self) -> list[Any]:
        """条款以外的栏目。"""
        return [self[name] for name in HEAD]


def in_order(value: Any, before: Any) -> Any:
    """勾选的照原来的次序，新勾的在后：浏览器按选项次序交回，次序不同不算改动。"""
    if not isinstance(value, list) or not isinstance(before, list) or not all(isinstance(item, str) for item in value):
        return value
    kept = [item for item in before if item in value]
    return kept + [item for item in value if item not in kept]


class WithdrawForm(Form):
    """停办。"""

    valid_from = DateField(label=_("停办日"), help_text=_("自这天起不再登记新借据；已登记的照旧。"))
    reason = forms.CharField(label=_("理由"), max_length=200)
    lay(valid_from, reason, col="f12")


class RateCardForm(Form):
    """利率：固定利率产品填年利率，LPR 产品填加点。"""

    institution_id = forms.TypedChoiceField(label=_("适用机构（含下级）"), coerce=int)
    customer_kind = forms.ChoiceField(label=_("客户类别"))
    valid_from = DateField(label=_("起效日"))
    rate_ppm = RateField(label=_("年利率"), required=False)
    spread_bp = forms.IntegerField(label=_("加点（bp）"), required=False)
    reason = forms.CharField(label=_("调整说明"), max_length=200, required=False)
    lay(reason, col="f8")

    def __init__(
        self, *args: Any, tree: list[InstitutionInfo], kinds: tuple[CustomerKind, ...], by_spread: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))
        self.offer("customer_kind", [(kind.value, label(kind)) for kind in kinds])
        del self.fields["rate_ppm" if by_spread else "spread_bp"]
