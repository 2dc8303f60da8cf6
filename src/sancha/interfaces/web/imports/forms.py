"""存量转入的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.servicing.importing.queries import LayoutInfo
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form

MOST_FILES = 10
LARGEST = 64 * 1024 * 1024


class FilesInput(forms.ClearableFileInput):
    """可以选几个文件。"""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """几个文件，得到 ``SourceFile`` 列表。"""

    widget = FilesInput
    default_error_messages = {
        "too_many": _("一次最多 10 个文件。"),
        "too_large": _("文件合计不能超过 64 MB，请拆开或压成 gzip。"),
    }

    def clean(self, data: Any, initial: Any = None) -> list[SourceFile]:  # type: ignore[override]
        given = data if isinstance(data, (list, tuple)) else [data]
        files = [super(FilesField, self).clean(item, initial) for item in given]
        if len(files) > MOST_FILES:
            raise forms.ValidationError(self.error_messages["too_many"], code="too_many")
        if sum(item.size for item in files) > LARGEST:
            raise forms.ValidationError(self.error_messages["too_large"], code="too_large")
        return [SourceFile(name=item.name, content=item.read()) for item in files]


class UploadForm(Form):
    """送件：版式、文件、归到哪个机构。"""

    layout = forms.ChoiceField(label=_("版式"), widget=forms.RadioSelect)
    files = FilesField(
        label=_("文件（可多选）"), help_text=_("借据、计划、还款、客户几个文件一起送；Excel、csv 或其 gzip。")
    )
    institution_id = forms.TypedChoiceField(label=_("归入机构"), coerce=int)
    product_id = forms.TypedChoiceField(label=_("产品（文件里没写时）"), coerce=int, required=False, empty_value=None)
    cutover_on = DateField(label=_("切换日"), required=False, help_text=_("余额截至哪一天；不填为营业日。"))
    basis = forms.ChoiceField(
        label=_("依据"),
        choices=[("AUTO", _("逐笔判断")), ("HISTORY", _("照历史重放")), ("BALANCE", _("只按余额"))],
    )
    currency = forms.CharField(label=_("币种"), max_length=3, required=False, help_text=_("不填照版式。"))
    shift_months = forms.IntegerField(
        label=_("日期平移（月）"), required=False, initial=0, help_text=_("只供用旧数据演示；真实存量填 0。")
    )
    create_customers = forms.BooleanField(label=_("没有的客户自动建档"), required=False, initial=True)
    layout.col = files.col = "f12"
    institution_id.col = product_id.col = cutover_on.col = basis.col = currency.col = shift_months.col = "f4"

    def __init__(
        self,
        *args: Any,
        layouts: list[LayoutInfo],
        tree: list[InstitutionInfo],
        products: list[tuple[int, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["layout"].choices = [(item.code, f"{item.name}（{'、'.join(item.roles)}）") for item in layouts]
        self.fields["institution_id"].choices = institution_choices(tree)
        self.fields["product_id"].choices = [("", "—"), *products]

    def clean_shift_months(self) -> int:
        return self.cleaned_data.get("shift_months") or 0

    def clean_currency(self) -> str:
        return (self.cleaned_data.get("currency") or "").strip()


class StartForm(Form):
    """同意转入。"""

    accept_doubts = forms.BooleanField(label=_("看过报告，认可存疑与不转入的"), required=False)
    only_good = forms.BooleanField(label=_("有错误的留下，只转入没有错误的"), required=False)
    accept_doubts.col = only_good.col = "f12"


class ProblemFilter(Form):
    """毛病筛选。"""

    use_required_attribute = False
    severity = forms.ChoiceField(
        label=_("轻重"), required=False,
        choices=[("", _("全部")), ("ERROR", _("错误")), ("DOUBT", _("存疑")), ("SKIP", _("不转入"))],
    )  # fmt: skip
    role = forms.ChoiceField(
        label=_("类别"), required=False,
        choices=[("", _("全部")), ("loan", _("借据")), ("installment", _("计划")), ("payment", _("还款")), ("customer", _("客户"))],
    )  # fmt: skip
    code = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def wanted(self) -> dict[str, str]:
        """交给查询的条件。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return {name: data.get(name) or "" for name in ("severity", "role", "code")}
