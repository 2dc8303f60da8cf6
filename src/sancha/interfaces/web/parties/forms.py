"""客户的表单：筛选、登记、更正、联系方式、关系、信用档案、查看明文。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.parties.queries import PartyFilter, erasure_grounds, vocabulary
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, lay
from sancha.rulebook.vocabulary import CustomerKind, choices

WIDE = "f12"
ANY = ("", _("全部"))
REVEAL = [
    ("id_number", _("证件号码")),
    ("birth", _("出生日期")),
    ("phone", _("电话")),
    ("address", _("地址")),
    ("contacts", _("联系方式")),
]
AMENDABLE = [("name", _("名称")), ("id_number", _("证件号码")), ("phone", _("电话")), ("address", _("地址")), ("occupation", _("职业")),
             ("industry_code", _("行业代码")), ("industry_name", _("行业名称"))]  # fmt: skip


class PartiesFilter(Form):
    """客户筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("姓名、客户号、完整证件号或电话"), required=False)
    kind = forms.ChoiceField(label=_("客户类别"), required=False, choices=[ANY, *choices(CustomerKind)])
    lay(q, col="w2")

    @property
    def wanted(self) -> PartyFilter:
        """查询条件；乱写的当作没写。"""
        self.is_valid()
        return PartyFilter(text=self.cleaned_data.get("q") or "", kind=self.cleaned_data.get("kind") or "")


class RegisterForm(Form):
    """登记客户。"""

    kind = forms.ChoiceField(label=_("客户类别"), choices=choices(CustomerKind))
    name = forms.CharField(label=_("名称"), max_length=100)
    id_kind = forms.ChoiceField(label=_("证件类别"))
    id_number = forms.CharField(
        label=_("证件号码"), max_length=40, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    gender = forms.ChoiceField(label=_("性别"), required=False)
    birth = DateField(label=_("出生日期"), required=False, help_text=_("身份证不必填，由证件号得出。"))
    phone = forms.CharField(
        label=_("电话"), max_length=20, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    occupation = forms.CharField(label=_("职业"), max_length=60, required=False)
    address = forms.CharField(label=_("地址"), max_length=200, required=False)
    industry_code = forms.CharField(label=_("行业代码（GB/T 4754）"), max_length=6, required=False)
    industry_name = forms.CharField(label=_("行业名称"), max_length=60, required=False)
    institution_id = forms.TypedChoiceField(label=_("管户机构"), coerce=int)
    officer_id = forms.TypedChoiceField(label=_("管户人"), required=False, coerce=int, empty_value=None)
    lay(address, col=WIDE)

    def __init__(self, *args: Any, tree: list[InstitutionInfo], officers: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = vocabulary()
        self.offer("id_kind", words["id_kinds"])
        self.offer("gender", [("", _("不填")), *words["genders"]])
        self.offer("institution_id", institution_choices(tree))
        self.offer("officer_id", [("", _("未定")), *officers])


class RevealForm(Form):
    """查看明文：要看什么、为什么。"""

    fields_wanted = forms.MultipleChoiceField(
        label=_("要看的栏目"), choices=REVEAL, widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(label=_("理由"), max_length=200, help_text=_("查看会留痕：谁、何时、看了什么、为什么。"))
    lay(fields_wanted, reason, col=WIDE)


class AmendForm(Form):
    """更正一栏资料。"""

    field = forms.ChoiceField(label=_("改哪一栏"), choices=AMENDABLE)
    value = forms.CharField(label=_("改为"), max_length=200)
    source = forms.ChoiceField(label=_("来源"))
    reason = forms.CharField(label=_("理由"), max_length=200)
    lay(reason, col=WIDE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("source", vocabulary()["sources"])


class ContactForm(Form):
    """联系方式。"""

    channel = forms.ChoiceField(label=_("方式"))
    value = forms.CharField(label=_("内容"), max_length=200)
    holder = forms.CharField(label=_("谁的"), max_length=60, required=False, help_text=_("不填为本人。"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("channel", vocabulary()["channels"])


class RelationForm(Form):
    """关系。"""

    other_number = forms.CharField(label=_("对方客户号"), max_length=11, help_text=_("C 加十位数字；未登记的先登记。"))
    kind = forms.ChoiceField(label=_("对方是本客户的"))
    valid_from = DateField(label=_("起日"))
    note = forms.CharField(label=_("说明"), max_length=200, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("kind", vocabulary()["relations"])


class ErasureForm(Form):
    """申请删除个人信息。"""

    ground = forms.ChoiceField(label=_("事由"))
    reason = forms.CharField(label=_("说明"), max_length=200, help_text=_("如：本人 3 月 2 日书面申请，附件存档。"))
    lay(ground, reason, col=WIDE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("ground", erasure_grounds())


class MergeForm(Form):
    """申请把另一档并入本档。"""

    duplicate_number = forms.CharField(
        label=_("要并入本档的客户号"), max_length=11, help_text=_("C 加十位数字；其借据与档案归本档，旧号仍查得到。")
    )
    reason = forms.CharField(label=_("理由"), max_length=200)
    lay(duplicate_number, reason, col=WIDE)


ENTRY_TOPICS = (
    ("visit.finding", _("走访所见")), ("household.income", _("家庭收入")), ("business.turnover", _("经营流水")),
    ("credit.report", _("征信情况")), ("reputation.neighbors", _("邻里评价")), ("asset.statement", _("资产情况")), ("other.note", _("其他")),
)  # fmt: skip


class EntryForm(Form):
    """信用档案条目：一件事实，注明来源。"""

    topic = forms.ChoiceField(label=_("事项"), choices=ENTRY_TOPICS)
    source = forms.ChoiceField(label=_("来源"))
    text = forms.CharField(label=_("内容"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    lay(text, col=WIDE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("source", vocabulary()["sources"])
