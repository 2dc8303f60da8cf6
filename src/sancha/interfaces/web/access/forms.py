"""机构与岗位的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo, institution_kinds
from sancha.interfaces.web.forms import DateField, Form, lay
from sancha.rulebook.posts import posts

INDENT = "\u3000"


def institution_choices(tree: list[InstitutionInfo]) -> list[tuple[str, str]]:
    """机构下拉：按层级缩进，只列在营的。"""
    top = min((node.depth for node in tree), default=0)
    return [(str(n.id), f"{INDENT * (n.depth - top)}{n.name}（{n.code}）") for n in tree if n.is_open]


class PeopleFilter(Form):
    """人员筛选。"""

    use_required_attribute = False
    q = forms.CharField(label=_("姓名、用户名、工号"), required=False)
    state = forms.ChoiceField(
        label=_("账户"), required=False, choices=[("", _("全部")), ("1", _("启用")), ("0", _("停用"))]
    )
    institution = forms.IntegerField(required=False, widget=forms.HiddenInput)
    lay(q, col="w2")

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的条件；网址里乱写的值当作没写。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        active = {"1": True, "0": False}.get(data.get("state") or "")
        return {"text": data.get("q") or "", "institution_id": data.get("institution"), "active": active}


class OpenInstitutionForm(Form):
    """设立机构。"""

    parent_id = forms.TypedChoiceField(label=_("上级机构"), coerce=int)
    kind = forms.ChoiceField(label=_("类别"))
    code = forms.CharField(label=_("机构号"), max_length=20, help_text=_("不复用；借据号、凭证号里都有它，以后不改。"))
    name = forms.CharField(label=_("名称"), max_length=80)
    address = forms.CharField(label=_("地址"), max_length=200, required=False)
    phone = forms.CharField(
        label=_("电话"), max_length=40, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    lay(parent_id, name, address, col="f12")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("parent_id", institution_choices(tree))
        self.offer("kind", [("", _("请选择")), *institution_kinds()])


class EditInstitutionForm(Form):
    """改名、改地址与电话。"""

    name = forms.CharField(label=_("名称"), max_length=80)
    address = forms.CharField(label=_("地址"), max_length=200, required=False)
    phone = forms.CharField(
        label=_("电话"), max_length=40, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    lay(name, address, col="f12")


class MoveInstitutionForm(Form):
    """划转。"""

    parent_id = forms.TypedChoiceField(label=_("改由谁管辖"), coerce=int)
    lay(parent_id, col="f12")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], moved: InstitutionInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [node for node in tree if not node.path.startswith(moved.path)]
        self.offer("parent_id", [("", _("请选择")), *institution_choices(others)])


class EndForm(Form):
    """结束任职。"""

    valid_to = DateField(label=_("止日（不含）"), required=False)


class PersonForm(Form):
    """添加人员。"""

    username = forms.CharField(
        label=_("用户名"),
        max_length=40,
        help_text=_("2–40 个小写字母、数字、点、横线或下划线；登录用，以后不改。"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    name = forms.CharField(label=_("姓名"), max_length=40)
    institution_id = forms.TypedChoiceField(label=_("所属机构"), coerce=int)
    employee_no = forms.CharField(label=_("工号"), max_length=20, required=False)
    phone = forms.CharField(
        label=_("电话"), max_length=20, required=False, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    lay(institution_id, col="f12")

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))


class GrantForm(Form):
    """授予岗位。"""

    institution_id = forms.TypedChoiceField(label=_("任职机构"), coerce=int)
    post_code = forms.ChoiceField(label=_("岗位"))
    valid_from = DateField(label=_("起日"), required=False, help_text=_("不填为当前营业日。"))
    valid_to = DateField(label=_("止日（不含）"), required=False, help_text=_("不填为长期。"))

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = {node.kind for node in tree if node.is_open}
        self.offer("institution_id", institution_choices(tree))
        self.offer(
            "post_code",
            [
                ("", _("请选择")),
                *((post.code, post.name) for post in posts().values() if kinds & set(post.kinds)),
            ],
        )
