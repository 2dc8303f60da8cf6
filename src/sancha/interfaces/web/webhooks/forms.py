"""订阅的表单与投递的筛选。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.interfaces.web.forms import Form, lay
from sancha.kit.events import catalog

TEST_EVENT = "webhook.test"


def event_choices() -> list[tuple[str, str]]:
    """可订的事件：名称与中文名。"""
    return [(kind.name, f"{kind.title}　{kind.name}") for kind in catalog() if kind.name != TEST_EVENT]


class EditForm(Form):
    """名称、网址与事件。"""

    name = forms.CharField(label=_("名称"), max_length=80)
    url = forms.CharField(
        label=_("接收网址"),
        max_length=500,
        help_text=_("只许 https 的公网地址；内网地址须由部署者在设置里放行。"),
        widget=forms.TextInput(attrs={"placeholder": "https://hooks.example.com/sancha", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(label=_("事件"), widget=forms.CheckboxSelectMultiple)
    lay(url, col="f12")
    lay(events, col="f12")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("events", event_choices())


class SubscribeForm(EditForm):
    """新建订阅。"""

    institution_id = forms.TypedChoiceField(
        label=_("机构"), coerce=int, help_text=_("只推送本机构及下级的事件。"), required=True
    )
    field_order = ["name", "institution_id", "url", "events"]

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        top = min((node.depth for node in tree), default=0)
        self.offer(
            "institution_id",
            [(str(node.id), f"{'　' * (node.depth - top)}{node.name}（{node.code}）") for node in tree if node.is_open],
        )


class DeliveryFilter(Form):
    """投递筛选。"""

    use_required_attribute = False
    state = forms.ChoiceField(
        label=_("状态"),
        required=False,
        choices=[("", _("全部")), ("PENDING", _("待送达")), ("DELIVERED", _("已送达")), ("DEAD", _("死信"))],
    )
    event = forms.ChoiceField(label=_("事件"), required=False)
    lay(event, col="w2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("event", [("", _("全部")), *event_choices(), (TEST_EVENT, _("试送"))])

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的条件；网址里乱写的当作没写。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return {"state": data.get("state") or "", "event": data.get("event") or ""}
