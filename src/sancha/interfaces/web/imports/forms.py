"""存量转入的表单。"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.servicing.importing.queries import LayoutInfo
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, lay

FieldNames = Mapping[str, Mapping[str, tuple[str, str]]]
JOIN = "、"
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

    def clean(self, data: Any, initial: Any = None) -> list[SourceFile]:
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
    # Django takes the fields off the class: ``form.files`` stays the uploaded files.
    files = FilesField(  # type: ignore[assignment]
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
    lay(layout, files, col="f12")
    lay(institution_id, product_id, cutover_on, basis, currency, shift_months, col="f4")

    def __init__(
        self,
        *args: Any,
        layouts: list[LayoutInfo],
        tree: list[InstitutionInfo],
        products: list[tuple[int, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offer("layout", [(item.code, f"{item.name}（{'、'.join(item.roles)}）") for item in layouts])
        self.offer("institution_id", institution_choices(tree))
        self.offer("product_id", [("", "—"), *products])

    def clean_shift_months(self) -> int:
        return self.cleaned_data.get("shift_months") or 0

    def clean_currency(self) -> str:
        return (self.cleaned_data.get("currency") or "").strip()


class RepaymentsForm(Form):
    """还款文件送件。"""

    layout = forms.ChoiceField(label=_("版式"))
    institution_id = forms.TypedChoiceField(label=_("哪家机构的还款"), coerce=int)
    file = forms.FileField(
        label=_("还款文件"), help_text=_("一行一笔：借据号、金额，最好有流水号；Excel、csv 或其 gzip。")
    )
    lay(layout, institution_id, col="f6")
    lay(file, col="f12")

    def __init__(self, *args: Any, layouts: list[LayoutInfo], tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("layout", [(item.code, item.name) for item in layouts])
        self.offer("institution_id", institution_choices(tree))

    def clean_file(self) -> SourceFile:
        item = self.cleaned_data["file"]
        if item.size > LARGEST:
            raise forms.ValidationError(FilesField.default_error_messages["too_large"], code="too_large")
        return SourceFile(name=item.name, content=item.read())


class PostForm(Form):
    """还款文件开始入账。"""

    stop_on_error = forms.BooleanField(label=_("有一行不成立就一行也不入"), required=False)
    allow_overpayment = forms.BooleanField(label=_("允许溢缴：多出应还的记溢缴款"), required=False)
    lay(stop_on_error, allow_overpayment, col="f12")


class ReasonForm(Form):
    """理由：调整、撤回。"""

    reason = forms.CharField(
        label=_("理由"), max_length=200, widget=forms.Textarea(attrs={"rows": 3}), help_text=_("复核的人要看，进审计。")
    )
    lay(reason, col="f12")


class SaveLayoutForm(Form):
    """另存版式。"""

    code = forms.RegexField(
        r"^[a-z][a-z0-9_]{1,39}$", label=_("代码"), help_text=_("小写字母开头，字母、数字、下划线。"), max_length=40
    )
    name = forms.CharField(label=_("名称"), max_length=60)
    lay(code, name, col="f6")


class LayoutForm(SaveLayoutForm):
    """改对列：每个栏目一格，写这一列的表头，几个别名用顿号隔开；空着就是没有这一列。"""

    institution_id = forms.TypedChoiceField(label=_("归哪个机构"), coerce=int)
    lay(institution_id, col="f4")

    def __init__(
        self, *args: Any, document: dict[str, Any], tree: list[InstitutionInfo], fields: FieldNames, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        lay(self.fields["code"], self.fields["name"], col="f4")
        self.document = document
        self.offer("institution_id", institution_choices(tree))
        self.groups: list[tuple[str, list[str]]] = []
        for rule in document["files"]:
            role, placed = rule["role"], {column["field"]: column for column in rule["columns"]}
            names = []
            for field, (title, _kind) in fields[role].items():
                column = placed.get(field)
                control = forms.CharField(
                    label=title, required=False, max_length=200, initial=JOIN.join(column["titles"]) if column else ""
                )
                lay(control, col="f3", starred=bool(column and column["required"]))
                names.append(f"{role}.{field}")
                self.fields[names[-1]] = control
            self.groups.append((role, names))

    def bound_groups(self) -> list[tuple[str, list[Any]]]:
        """给模板：各种文件与它的各栏。"""
        return [(role, [self[name] for name in names]) for role, names in self.groups]

    def changed_document(self) -> dict[str, Any]:
        """改好的版式全文。原来那一列的类型、写法、单位照旧。"""
        files = []
        for rule in self.document["files"]:
            placed = {column["field"]: column for column in rule["columns"]}
            columns = []
            for name in dict(self.groups)[rule["role"]]:
                field = name.partition(".")[2]
                titles = [part for part in re.split(r"[、,，;；]\s*", self.cleaned_data[name].strip()) if part]
                if titles:
                    columns.append({**placed.get(field, {"field": field}), "titles": titles})
            given = {title for column in columns for title in column["titles"]}
            ignored = [title for title in rule["ignored"] if title not in given]
            files.append({**rule, "columns": columns, "ignored": ignored})
        files = [rule for rule in files if rule["columns"]]
        return {**self.document, "code": self.cleaned_data["code"], "name": self.cleaned_data["name"], "files": files}


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
    def wanted(self) -> dict[str, Any]:
        """交给查询的条件。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return {name: data.get(name) or "" for name in ("severity", "role", "code")}
