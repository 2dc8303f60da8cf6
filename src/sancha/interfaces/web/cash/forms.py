"""出纳的表单。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import InstitutionInfo
from sancha.apps.cashdesk.queries import OwnAccountInfo
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, YuanField, lay

CHANNELS = [
    ("TRANSFER", _("转账")),
    ("COUNTER", _("柜面现金")),
    ("ONLINE", _("网上支付")),
    ("WINDOW", _("还款窗口")),
]
RECEIPT_STATES = [
    ("", _("全部")),
    ("OPEN", _("有余额的")),
    ("UNMATCHED", _("挂账")),
    ("PARTLY", _("部分使用")),
    ("MATCHED", _("已用完")),
    ("RETURNED", _("已退回")),
]
ORDER_STATES = [
    ("", _("全部")),
    ("CREATED", _("待授权")),
    ("RETURNED", _("已退回")),
    ("AUTHORIZED", _("待发送")),
    ("SENT", _("已发送")),
    ("SETTLED", _("已付")),
    ("FAILED", _("失败")),
    ("CANCELLED", _("已撤销")),
]


def account_choices(accounts: list[OwnAccountInfo]) -> list[tuple[str, str]]:
    """自有账户下拉：在用的。"""
    return [
        (str(a.id), f"{a.institution_name} · {a.name}{'（' + a.number_masked + '）' if a.number_masked else ''}")
        for a in accounts
        if a.is_active
    ]


class WithAccounts(Form):
    """要选自有账户的表单。"""

    account_fields: tuple[str, ...] = ("own_account_id",)

    def __init__(self, *args: Any, accounts: list[OwnAccountInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.account_fields:
            self.offer(name, account_choices(accounts))


class ReceiptFilter(Form):
    """收款筛选；缺省只看有余额的。"""

    use_required_attribute = False
    q = forms.CharField(label=_("付款人、流水号、备注"), required=False)
    state = forms.ChoiceField(label=_("状态"), required=False, choices=RECEIPT_STATES)
    first = DateField(label=_("记账起"), required=False)
    last = DateField(label=_("记账止"), required=False)
    lay(q, col="w2")

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的条件。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        state = data.get("state") or ""
        return {
            "text": data.get("q") or "", "state": "" if state == "OPEN" else state, "open_only": state == "OPEN",
            "first": data.get("first"), "last": data.get("last"),
        }  # fmt: skip


class ReceiptForm(WithAccounts):
    """收款登记。"""

    own_account_id = forms.TypedChoiceField(label=_("收入账户"), coerce=int)
    amount_fen = YuanField(label=_("金额"))
    serial = forms.CharField(
        label=_("流水号"), max_length=64, help_text=_("银行流水号或收据号；同一账户不得重复，重复即视为同一笔。")
    )
    value_on = DateField(label=_("起息日"), help_text=_("钱到账的日子，可早于营业日。"))
    channel = forms.ChoiceField(label=_("渠道"), choices=CHANNELS)
    payer_name = forms.CharField(label=_("付款人"), max_length=80, required=False)
    payer_account = forms.CharField(
        label=_("付款账号"), max_length=40, required=False, help_text=_("只存掩码。"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )  # fmt: skip
    memo = forms.CharField(label=_("备注"), max_length=200, required=False)


class ReturnForm(Form):
    """退回收款。"""

    amount_fen = YuanField(label=_("退回金额"), required=False, help_text=_("不填为全部余额。"))
    reason = forms.CharField(label=_("原因"), max_length=200, help_text=_("如：误汇、重复汇入。"))
    payee_account = forms.CharField(label=_("收款账号"), max_length=40, required=False)
    payee_bank = forms.CharField(label=_("开户行"), max_length=80, required=False)


class OrderFilter(Form):
    """付款单筛选。"""

    use_required_attribute = False
    state = forms.ChoiceField(label=_("状态"), required=False, choices=ORDER_STATES)
    first = DateField(label=_("开单起"), required=False)
    last = DateField(label=_("开单止"), required=False)

    @property
    def wanted(self) -> dict[str, Any]:
        """交给查询的条件。"""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return {"state": data.get("state") or "", "first": data.get("first"), "last": data.get("last")}


class OrderForm(WithAccounts):
    """录入付款单。"""

    own_account_id = forms.TypedChoiceField(label=_("付出账户"), coerce=int)
    purpose = forms.ChoiceField(
        label=_("用途"), choices=[("DISBURSEMENT", _("放款")), ("REFUND", _("退还溢缴款"))],
        help_text=_("退回收款请从收款记录上办理。"),
    )  # fmt: skip
    amount_fen = YuanField(label=_("金额"))
    loan_number = forms.CharField(
        label=_("借据号"), max_length=40, required=False, help_text=_("为哪笔借据付的；没有可不填。")
    )
    payee_name = forms.CharField(label=_("收款人"), max_length=80)
    payee_account = forms.CharField(label=_("收款账号"), max_length=40, required=False)
    payee_bank = forms.CharField(label=_("收款行"), max_length=80, required=False)
    memo = forms.CharField(label=_("备注"), max_length=200, required=False)


class OrderCorrectForm(Form):
    """改正付款单：收款人、账号、收款行、备注。"""

    payee_name = forms.CharField(label=_("收款人"), max_length=80)
    payee_account = forms.CharField(label=_("收款账号"), max_length=40, required=False)
    payee_bank = forms.CharField(label=_("收款行"), max_length=80, required=False)
    memo = forms.CharField(label=_("备注"), max_length=200, required=False)

    def __init__(self, *args: Any, shown: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["payee_account"].help_text = _("现为 %(account)s；不填即不改。") % {"account": shown or "—"}


class OpinionForm(Form):
    """复核意见；退回须写。"""

    opinion = forms.CharField(label=_("意见"), max_length=200, required=False)


class SettleForm(Form):
    """付成。"""

    bank_serial = forms.CharField(label=_("银行流水号"), max_length=64)


class ReasonForm(Form):
    """失败或撤销的原因。"""

    reason = forms.CharField(label=_("原因"), max_length=200)


class CountForm(WithAccounts):
    """现金清点。"""

    own_account_id = forms.TypedChoiceField(label=_("现金账户"), coerce=int)
    counted_fen = YuanField(label=_("清点数"), allow_zero=True)
    reason = forms.CharField(label=_("长短款原因"), max_length=200, required=False, help_text=_("有差额时必填。"))
    lay(reason, col="f12")


class MoveForm(WithAccounts):
    """现金缴存或提取。"""

    account_fields = ("from_account_id", "to_account_id")
    from_account_id = forms.TypedChoiceField(label=_("转出"), coerce=int)
    to_account_id = forms.TypedChoiceField(label=_("转入"), coerce=int)
    amount_fen = YuanField(label=_("金额"))
    serial = forms.CharField(label=_("凭单号"), max_length=50)


class OwnAccountForm(Form):
    """登记自有账户。"""

    institution_id = forms.TypedChoiceField(label=_("机构"), coerce=int)
    kind = forms.ChoiceField(label=_("种类"), choices=[("BANK", _("银行账户")), ("CASH", _("现金"))])
    name = forms.CharField(label=_("名称"), max_length=60)
    account_code = forms.CharField(label=_("总账科目代号"), max_length=20, help_text=_("银行账户各用一个明细科目。"))
    bank_name = forms.CharField(label=_("开户行"), max_length=80, required=False)
    number = forms.CharField(label=_("账号"), max_length=40, required=False, help_text=_("只存掩码与摘要。"))

    def __init__(self, *args: Any, tree: list[InstitutionInfo], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("institution_id", institution_choices(tree))


class AccountDay(WithAccounts):
    """选账户与日期（对账）。"""

    use_required_attribute = False
    account_fields = ("account",)
    account = forms.TypedChoiceField(label=_("银行账户"), coerce=int, required=False, empty_value=None)
    day = DateField(label=_("对到哪一天"), required=False)
    lay(account, col="w2")


class StatementForm(WithAccounts):
    """上传银行流水。"""

    own_account_id = forms.TypedChoiceField(label=_("银行账户"), coerce=int)
    file = forms.FileField(
        label=_("银行流水（Excel 或 csv）"),
        help_text=_(
            "列：流水号、日期、金额（收正付负，或分「收入」「支出」两列）；可有余额、对方户名、对方账号、摘要。"
        ),
    )
    create_receipts = forms.BooleanField(label=_("没有登记过的进账自动成为挂账收款"), required=False, initial=True)
    lay(own_account_id, file, create_receipts, col="f12")


class ExplainForm(Form):
    """用凭证解释一笔流水。"""

    voucher_id = forms.IntegerField(label=_("凭证流水"), min_value=1)


class BatchForm(WithAccounts):
    """生成代扣批次。"""

    own_account_id = forms.TypedChoiceField(label=_("归集账户"), coerce=int)
    file = forms.FileField(
        label=_("扣款账号表（Excel 或 csv）"), help_text=_("列：借据号、户名、扣款账号。只扣表里有的借据。")
    )
    lay(own_account_id, file, col="f12")


class ResultForm(Form):
    """上传回盘文件。"""

    file = forms.FileField(
        label=_("回盘文件（Excel 或 csv）"), help_text=_("列：序号、实扣金额；可有流水号、失败原因。可分几次回盘。")
    )
    lay(file, col="f12")
