"""申请的表单。申请表的栏目由规则用到的事实生成；填什么存什么，读得成读不成受理时再说。"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.origination.operations import Observation
from sancha.apps.origination.queries import (
    ApplicationFilter,
    CaseView,
    Elements,
    FactCell,
    ProposalInfo,
    channel_choices,
    guarantor_kinds,
    state_choices,
)
from sancha.apps.products.queries import VersionInfo
from sancha.interfaces.web.forms import DateField, Form, RateField, YuanField, lay
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.rulebook.expression import Kind
from sancha.rulebook.facts import Evidence, FactDefinition
from sancha.rulebook.packs import packs
from sancha.rulebook.vocabulary import GuaranteeKind, label

LONGEST = 200
UNKNOWN = _("未知")
OBSERVED = (Evidence.CROSS_CHECKED, Evidence.SEEN, Evidence.THIRD_PARTY, Evidence.CLAIMED)


class RegisterFilter(Form):
    """受理台账的筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("申请号、客户号、姓名"), required=False, max_length=40)
    program = forms.ChoiceField(label=_("项目"), required=False)
    state = forms.ChoiceField(label=_("状态"), required=False)
    channel = forms.ChoiceField(label=_("渠道"), required=False)
    since = DateField(label=_("登记日自"), required=False)
    until = DateField(label=_("至"), required=False)
    lay(q, col="w2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        everything = ("", _("全部"))
        self.offer("program", [everything, *((pack.program, pack.name) for pack in packs().values())])
        self.offer("state", [everything, *state_choices()])
        self.offer("channel", [everything, *channel_choices()])

    @property
    def wanted(self) -> ApplicationFilter:
        """交给查询的条件；乱写的当没写。"""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        return ApplicationFilter(
            text=given.get("q") or "",
            program=given.get("program") or "",
            state=given.get("state") or "",
            channel=given.get("channel") or "",
            since=given.get("since"),
            until=given.get("until"),
        )


class IntakeForm(Form):
    """申请表：渠道、要素，与受理环节的规则要问的事实。都不在这里校验：原样存成草稿。"""

    use_required_attribute = False
    channel = forms.ChoiceField(label=_("受理渠道"))
    alone = forms.BooleanField(label=_("上门单人受理（本人不得任主调）"), required=False)
    purpose = forms.CharField(label=_("用途"), required=False, max_length=LONGEST)
    amount = forms.CharField(label=_("申请金额"), required=False, max_length=30)
    term_count = forms.CharField(label=_("期限"), required=False, max_length=10)
    term_unit = forms.ChoiceField(label=_("期限单位"), required=False)
    method = forms.ChoiceField(label=_("还款方式"), required=False)
    guarantee = forms.ChoiceField(label=_("担保方式"), required=False)
    source = forms.CharField(label=_("信息来源"), required=False, max_length=100)
    lay(channel, amount, term_count, term_unit, method, guarantee, col="f4")
    lay(alone, purpose, source, col="f8")
    lay(amount, suffix=_("元"))
    lay(channel, purpose, amount, term_count, term_unit, method, guarantee, starred=True)

    def __init__(self, *args: Any, version: VersionInfo, asked: Iterable[FactDefinition], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        terms, blank = version.terms, ("", _("请选择"))
        self.offer("channel", channel_choices())
        self.offer(
            "term_unit", [(rule.unit.value, f"{label(rule.unit)}（{rule.min}–{rule.max}）") for rule in terms.terms]
        )
        self.offer("method", [blank, *((method.value, label(method)) for method in terms.repayment_methods)])
        self.offer("guarantee", [blank, *((kind.value, kind.label) for kind in terms.guarantee_kinds)])
        for definition in asked:
            self.fields[definition.code] = answer_field(definition)

    @property
    def typed(self) -> dict[str, str]:
        """填写的原样：要素与事实。"""
        return {name: str(self.data.get(name, "")) for name in self.fields if name not in {"channel", "alone"}}


def answer_field(definition: FactDefinition, *, blank: Any = UNKNOWN) -> forms.Field:
    """一项事实的栏目：是非与选项下拉（``blank`` 是不选的叫法），数字带单位。"""
    choices: list[tuple[str, Any]] = []
    if definition.type.kind is Kind.BOOL:
        choices = [("", blank), ("yes", _("是")), ("no", _("否"))]
    elif definition.choices:
        choices = [("", blank), *definition.choices.items()]
    field: forms.Field
    if choices:
        field = forms.ChoiceField(label=definition.name, required=False, choices=choices)
    else:
        field = forms.CharField(label=definition.name, required=False, max_length=LONGEST)
        unit = _("元") if definition.unit == "分" else definition.unit
        lay(field, suffix=unit or None)
    lay(field, col="f4")
    field.help_text = definition.ask
    return field


class ReasonForm(Form):
    """一句原因。"""

    reason = forms.CharField(label=_("原因"), max_length=LONGEST, required=False)
    lay(reason, col="f12")


class AssignForm(Form):
    """指派主调与辅调；不能选的列出原因。"""

    lead_id = forms.TypedChoiceField(label=_("主调"), coerce=int)
    assistant_id = forms.TypedChoiceField(label=_("辅调"), coerce=int)
    instruction = forms.CharField(label=_("指示"), max_length=LONGEST, required=False)
    lay(instruction, col="f12")

    def __init__(
        self, *args: Any, leads: list[tuple[int, str]], assistants: list[tuple[int, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offer("lead_id", [("", _("请选择")), *leads])
        self.offer("assistant_id", [("", _("请选择")), *assistants])


class MaterialForm(Form):
    """收一样材料、与原件核对、退还。"""

    code = forms.CharField(max_length=40)
    guarantor_id = forms.IntegerField(required=False)
    compared = forms.BooleanField(required=False)
    reason = forms.CharField(max_length=200, required=False)


class GuarantorForm(Form):
    """登记保证人：客户号。"""

    number = forms.CharField(label=_("保证人客户号"), max_length=11, help_text=_("没有客户号的先登记客户。"))
    kind = forms.ChoiceField(label=_("类别"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("kind", guarantor_kinds())


class ElementsForm(Form):
    """建议或批准的要素，与意见、放款条件。"""

    amount_fen = YuanField(label=_("金额"))
    term_count = forms.IntegerField(label=_("期限"), min_value=1, max_value=3660)
    term_unit = forms.ChoiceField(label=_("期限单位"))
    rate_ppm = RateField(label=_("年利率"))
    method = forms.ChoiceField(label=_("还款方式"))
    guarantee = forms.ChoiceField(label=_("担保方式"))
    conditions = forms.CharField(
        label=_("放款条件"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("一行一条，逐条落实才放款。"),
    )
    opinion = forms.CharField(label=_("意见"), widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    lay(amount_fen, term_count, term_unit, rate_ppm, method, guarantee, col="f4")
    lay(conditions, opinion, col="f12")

    def __init__(self, *args: Any, version: VersionInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        terms = version.terms
        self.offer("term_unit", [(rule.unit.value, label(rule.unit)) for rule in terms.terms])
        self.offer("method", [(method.value, label(method)) for method in terms.repayment_methods])
        self.offer("guarantee", [(kind.value, kind.label) for kind in terms.guarantee_kinds])

    @property
    def elements(self) -> Elements:
        """要素。"""
        given = self.cleaned_data
        return Elements(
            amount_fen=given["amount_fen"],
            term_count=given["term_count"],
            term_unit=PeriodUnit(given["term_unit"]),
            method=Method(given["method"]),
            guarantee=GuaranteeKind(given["guarantee"]),
            rate_ppm=given["rate_ppm"],
        )

    @property
    def listed(self) -> list[str]:
        """放款条件，一行一条。"""
        return [line.strip() for line in self.cleaned_data["conditions"].splitlines() if line.strip()]


def initial_of(elements: Elements, last: ProposalInfo | None) -> dict[str, Any]:
    """表单的初值：上一份建议，或申请的要素。"""
    return {
        "amount_fen": elements.amount_fen,
        "term_count": elements.term_count,
        "term_unit": elements.term_unit.value,
        "rate_ppm": elements.rate_ppm,
        "method": elements.method.value,
        "guarantee": elements.guarantee.value,
        "conditions": "\n".join(last.conditions) if last else "",
    }


class OpinionForm(Form):
    """意见。"""

    opinion = forms.CharField(label=_("意见"), widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    conditions = forms.CharField(
        label=_("另添放款条件"), required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text=_("一行一条。")
    )
    lay(opinion, conditions, col="f12")

    @property
    def listed(self) -> list[str]:
        """另添的放款条件。"""
        return [line.strip() for line in self.cleaned_data["conditions"].splitlines() if line.strip()]


class TurnBackForm(Form):
    """退回补充或否决。"""

    outcome = forms.ChoiceField(label=_("结果"), choices=[("RETURNED", _("退回补充")), ("REJECTED", _("否决"))])
    opinion = forms.CharField(label=_("意见"), widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)
    lay(opinion, col="f12")


class ReferForm(Form):
    """上报的决定。"""

    outcome = forms.ChoiceField(label=_("决定"), choices=[("APPROVED", _("同意照办")), ("REJECTED", _("不同意"))])
    opinion = forms.CharField(label=_("意见"), widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)
    lay(opinion, col="f12")


class FactsForm(Form):
    """记事实：这一批凭什么、出处各选一次，填了新值的才记。"""

    use_required_attribute = False
    evidence = forms.ChoiceField(label=_("这一批凭什么"), choices=[(kind.value, kind.label) for kind in OBSERVED])
    reference = forms.CharField(
        label=_("出处"), max_length=LONGEST, required=False, help_text=_("如：户口簿原件；东邻老李、饲料店旁证。")
    )
    lay(reference, col="f8")

    def __init__(self, *args: Any, view: CaseView, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cells: list[tuple[int | None, FactCell]] = [
            (None, cell) for cell in view.facts if cell.evidence != Evidence.COMPUTED
        ]
        self.cells += [(item.id, cell) for item in view.guarantors for cell in item.facts]
        for holder, cell in self.cells:
            self.fields[field_name(holder, cell.code)] = answer_field(cell.definition, blank=_("不改"))

    def batch(self) -> list[Any]:
        """这一批共用的两栏。"""
        return [self["evidence"], self["reference"]]

    def rows(self, holder: int | None) -> list[dict[str, Any]]:
        """一方的各行，供模板画表。"""
        return [
            {"cell": cell, "value": self[field_name(owner, cell.code)]} for owner, cell in self.cells if owner == holder
        ]

    @property
    def observations(self) -> list[Observation]:
        """填了的各项。"""
        evidence, reference = (str(self.data.get(name, "")) for name in ("evidence", "reference"))
        typed = (
            (holder, cell.code, str(self.data.get(field_name(holder, cell.code), ""))) for holder, cell in self.cells
        )
        return [Observation(code, text, evidence, reference, holder) for holder, code, text in typed if text.strip()]


def field_name(holder: int | None, code: str) -> str:
    """一项事实的栏目名；保证人的带编号。"""
    return f"{holder}:{code}" if holder is not None else code
