"""签约放款的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.agreements.queries import FileFilter, PaperInfo, state_choices
from sancha.interfaces.web.forms import Form, RateField, YuanField, lay


class FilesFilter(Form):
    """签约放款清单的筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("合同号、客户号、姓名"), required=False, max_length=60)
    state = forms.ChoiceField(label=_("状态"), required=False)
    lay(q, col="w2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("state", [("", _("全部")), *state_choices()])

    @property
    def wanted(self) -> FileFilter:
        """交给查询的条件。"""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        return FileFilter(text=given.get("q") or "", state=given.get("state") or "")


class SignForm(Form):
    """一次面签。"""

    capacity = forms.ChoiceField(label=_("以什么身份"))
    signer = forms.CharField(label=_("签字人"), max_length=80)
    second_witness_id = forms.TypedChoiceField(label=_("第二名在场的工作人员"), coerce=int)
    place = forms.CharField(label=_("地点"), max_length=100)
    terms_read = forms.BooleanField(label=_("已逐条提示加粗的条款，签字人确认"), required=False)
    lay(capacity, signer, second_witness_id, place, col="f4")
    lay(terms_read, col="f12")

    def __init__(self, *args: Any, paper: PaperInfo, staff: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("capacity", paper.wanted)
        self.offer("second_witness_id", [("", _("请选择")), *staff])


class ReasonForm(Form):
    """作废的原因。"""

    reason = forms.CharField(label=_("哪里要改"), max_length=200)
    lay(reason, col="f12")


class ProofForm(Form):
    """条件凭什么算落实。"""

    proof = forms.CharField(label=_("凭什么"), max_length=200)
    lay(proof, col="f12")


class LendForm(Form):
    """放款指令：照合同重新录入，与批复、合同三方核对。"""

    contract_number = forms.CharField(label=_("合同号"), max_length=60)
    amount_fen = YuanField(label=_("放款金额"))
    term_count = forms.IntegerField(label=_("期限"), min_value=1, max_value=3660)
    rate_ppm = RateField(label=_("年利率"))
    lay(contract_number, amount_fen, term_count, rate_ppm, col="f6")
