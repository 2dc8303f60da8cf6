"""授权的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.authority.queries import MandateInfo, approving_posts, cause_choices
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, YuanField, lay
from sancha.rulebook.packs import packs
from sancha.rulebook.posts import post_name
from sancha.rulebook.programs import product_name
from sancha.rulebook.vocabulary import GuaranteeKind, choices


def program_choices() -> list[tuple[str, str]]:
    """项目的选项。"""
    return [(pack.program, pack.name) for pack in packs().values()]


def product_choices() -> list[tuple[str, str]]:
    """各项目的产品。"""
    return [(code, product_name(code)) for pack in packs().values() for code in pack.products]


class MandateForm(Form):
    """起草授权书。"""

    institution_id = forms.TypedChoiceField(label=_("被授权机构"), coerce=int)
    post_code = forms.ChoiceField(label=_("被授权岗位"))
    program = forms.ChoiceField(label=_("项目"))
    max_fen = YuanField(label=_("单笔最高金额"))
    max_months = forms.IntegerField(label=_("最长期限（月）"), min_value=1, max_value=360)
    valid_from = DateField(label=_("起效日"))
    valid_to = DateField(label=_("止日（不含）"), required=False, help_text=_("不填为长期。"))
    parent_id = forms.TypedChoiceField(label=_("上级授权书"), coerce=int, required=False, empty_value=None)
    products = forms.MultipleChoiceField(
        label=_("产品"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("不选为全部。")
    )
    guarantees = forms.MultipleChoiceField(
        label=_("担保方式"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("不选为全部。")
    )
    for_new = forms.BooleanField(label=_("新客户"), required=False, initial=True)
    for_repeat = forms.BooleanField(label=_("老客户"), required=False, initial=True)
    reason = forms.CharField(
        label=_("说明"), max_length=200, required=False, help_text=_("照书面授权录入的，写明文件与文号。")
    )
    lay(institution_id, post_code, program, max_fen, max_months, valid_from, valid_to, parent_id, col="f4")
    lay(for_new, for_repeat, col="f4")
    lay(products, guarantees, reason, col="f12")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], parents: list[MandateInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        posts = {code for pack in packs().values() for code in approving_posts(pack)}
        self.offer("institution_id", institution_choices(tree))
        self.offer("post_code", [(code, post_name(code)) for code in sorted(posts)])
        self.offer("program", program_choices())
        self.offer("products", product_choices())
        self.offer("guarantees", choices(GuaranteeKind))
        self.offer(
            "parent_id",
            [("", _("没有：照书面授权录入")), *((row.id, f"{row.number} {row.institution_name}") for row in parents)],
        )


class RevokeForm(Form):
    """收回授权书。"""

    valid_to = DateField(label=_("自哪天起不再有效"))
    reason = forms.CharField(label=_("原因"), max_length=200)
    lay(reason, col="f8")


class BoardForm(Form):
    """授权看板的一问。"""

    use_required_attribute = False
    institution = forms.TypedChoiceField(label=_("机构"), coerce=int)
    program = forms.ChoiceField(label=_("项目"))
    product = forms.ChoiceField(label=_("产品"))
    guarantee = forms.ChoiceField(label=_("担保方式"))
    amount_fen = YuanField(label=_("金额"))
    months = forms.IntegerField(label=_("期限（月）"), min_value=1, max_value=360)
    repeat = forms.BooleanField(label=_("老客户"), required=False)

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution", institution_choices(tree))
        self.offer("program", program_choices())
        self.offer("product", product_choices())
        self.offer("guarantee", choices(GuaranteeKind))


class CertifyForm(Form):
    """发资格证书。"""

    theory_days = forms.IntegerField(label=_("理论培训天数"), min_value=0, max_value=365)
    practice_days = forms.IntegerField(label=_("实务培训天数"), min_value=0, max_value=365)
    theory_passed_on = DateField(label=_("理论考试合格日"))
    practice_passed_on = DateField(label=_("实务考试合格日"))
    valid_to = DateField(label=_("有效期至（不含）"), required=False, help_text=_("不填为长期。"))
    lay(theory_days, practice_days, theory_passed_on, practice_passed_on, valid_to, col="f4")


class SuspendForm(Form):
    """暂停贷前调查。"""

    cause = forms.ChoiceField(label=_("原因"))
    reason = forms.CharField(label=_("事实与依据"), max_length=300)
    lay(reason, col="f8")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("cause", cause_choices())


class ResumeForm(Form):
    """恢复贷前调查。"""

    reason = forms.CharField(label=_("核实的结果与依据"), max_length=300)
    lay(reason, col="f12")
