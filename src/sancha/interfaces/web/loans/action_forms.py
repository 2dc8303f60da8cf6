"""各项业务的表单：栏目，以及交给操作的参数、交给试算的事实。"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sancha.apps.access.queries import institution_tree
from sancha.apps.cashdesk.queries import ReceiptInfo, receipts
from sancha.apps.servicing.queries import LoanView, history, reversed_by
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, RateField, YuanField, choices_of, lay
from sancha.interfaces.web.loans.words import COMPONENTS, FACTS
from sancha.kernel.effects import BORROWER
from sancha.kernel.money import MoneyError, format_yuan, parse_yuan
from sancha.kernel.terms import Future, Method
from sancha.kit.actor import Actor
from sancha.rulebook.vocabulary import COMPONENT_LABELS, LABELS

WIDE = "f12"
OPEN_RECEIPTS = 50
CHANNELS = [
    ("COUNTER", _("柜面")),
    ("TRANSFER", _("转账")),
    ("DEBIT", _("代扣")),
    ("CASH", _("现金")),
    ("ONLINE", _("网银手机")),
]
DIRECTIONS = [("INCREASE", _("调增")), ("DECREASE", _("调减"))]
ADJUSTED = ("principal", "interest", "penalty", "compound", "fee", "overpayment")
ORDERS = {
    "standard": ("fee", "penalty", "compound", "interest", "principal"),
    "principal": ("principal", "interest", "compound", "penalty", "fee"),
    "interest": ("interest", "principal", "compound", "penalty", "fee"),
    "charges_last": ("interest", "principal", "penalty", "compound", "fee"),
}


def _reason(text: Any = None) -> forms.CharField:
    field = forms.CharField(label=text or _("理由与依据"), max_length=200, widget=forms.Textarea(attrs={"rows": 2}))
    lay(field, col=WIDE)
    return field


def _order_words(order: Iterable[str]) -> str:
    return "→".join(COMPONENT_LABELS[name] for name in order)


class ActionForm(Form):
    """一项业务的表单。``arguments`` 给操作，``fact`` 给试算（填得不全时为空）。"""

    backdated = False

    def __init__(self, *args: Any, view: LoanView, actor: Actor, **kwargs: Any) -> None:
        self.view, self.actor = view, actor
        super().__init__(*args, **kwargs)
        if "value_on" in self.fields:
            self.fields["value_on"].widget.attrs |= {"max": view.on.isoformat(), "min": view.terms.start.isoformat()}
            self.fields["value_on"].help_text = _("不填为营业日 %(day)s；更早为倒签，罚息、复利随之重算。") % {
                "day": view.on
            }
        self.prepare()

    def prepare(self) -> None:
        """补选项与初值。"""

    def arguments(self) -> dict[str, Any]:
        """交给操作的参数。"""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    def fact(self) -> dict[str, Any] | None:
        """试算的事实：起息日、金额、内容。"""
        given = self.cleaned_data
        amount = given.get("amount_fen") or 0
        if "amount_fen" in self.fields and not amount:
            return None
        return {"value_on": given.get("value_on"), "amount_fen": amount, "data": self.content()}

    def content(self) -> dict[str, Any] | None:
        """事实的内容。"""
        return {}


class _MoneyForm(ActionForm):
    amount_fen = YuanField(label=_("金额"))
    value_on = DateField(label=_("起息日"), required=False)


class _ReceiptForm(_MoneyForm):
    """收到的钱：可指明出纳已登记的收款。"""

    channel = forms.ChoiceField(label=_("渠道"), choices=CHANNELS)
    receipt_id = forms.TypedChoiceField(label=_("用已登记的收款"), required=False, coerce=int, empty_value=None)
    lay(receipt_id, col=WIDE)

    def prepare(self) -> None:
        found = self._open_receipts()
        self.offer(
            "receipt_id",
            [
                ("", _("不指明（由出纳清账）")),
                *((r.id, _receipt_words(r)) for r in found),
            ],
        )
        if not found:
            del self.fields["receipt_id"]

    def _open_receipts(self) -> list[ReceiptInfo]:
        if not self.actor.may("cashdesk.view"):
            return []
        found = receipts(self.actor, open_only=True, size=OPEN_RECEIPTS).page.rows
        loan = self.view.loan
        mine = {f"loan:{loan.pk}"}
        return sorted(
            found,
            key=lambda r: (r.subject_hint not in mine, r.party_hint != loan.party_id, r.payer_name != loan.party.name),
        )


def _receipt_words(receipt: ReceiptInfo) -> str:
    return (
        f"{receipt.value_on} {receipt.payer_name or '—'} {receipt.serial} {_('可用')} {format_yuan(receipt.left_fen)}"
    )


class RepayForm(_ReceiptForm):
    """还款登记。"""

    payer = forms.ChoiceField(label=_("付款方"), required=False)
    payer_name = forms.CharField(label=_("代付人"), required=False, max_length=60, help_text=_("他人代还的写姓名。"))
    order = forms.ChoiceField(label=_("冲账顺序"), required=False)
    order_reason = forms.CharField(label=_("改顺序的理由"), required=False, max_length=200)
    future = forms.ChoiceField(label=_("多还的钱"), required=False)
    remark = forms.CharField(label=_("备注"), required=False, max_length=200)
    allow_overpayment = forms.BooleanField(label=_("允许溢缴（超过结清应付的部分记溢缴款）"), required=False)
    lay(order, allow_overpayment, col=WIDE)

    def prepare(self) -> None:
        super().prepare()
        terms, now = self.view.terms, self.view.figures()
        self.fields["amount_fen"].initial = now.owed_fen or now.next_due_fen or None
        self.offer("payer", [(BORROWER, _("借款人")), *((name, name) for name in self.view.state.payers)])
        agreed = _("按约定：%(order)s") % {"order": _order_words(terms.allocation.order)}
        self.offer("order", [("", agreed), *((code, _order_words(order)) for code, order in ORDERS.items())])
        self.offer(
            "future",
            [
                ("", _("按约定：%(rule)s") % {"rule": LABELS[Future][terms.allocation.future]}),
                *LABELS[Future].items(),
            ],
        )
        if len(choices_of(self, "payer")) == 1:
            del self.fields["payer"]

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        if code := given.pop("order", ""):
            given["order"] = list(ORDERS[code])
        return given

    def content(self) -> dict[str, Any]:
        given = self.arguments()
        return {"payer": given.get("payer", BORROWER)} | {
            name: given[name] for name in ("order", "future") if name in given
        }


class PrepayForm(_ReceiptForm):
    """提前部分还本。"""

    mode = forms.ChoiceField(
        label=_("以后怎么还"),
        choices=[("TERM", _("缩短期限，每期不变")), ("INSTALLMENT", _("期限不变，每期减少"))],
        widget=forms.RadioSelect,
        initial="TERM",
    )
    lay(mode, col=WIDE)

    def content(self) -> dict[str, Any]:
        return {"mode": self.cleaned_data.get("mode") or "TERM"}


class SettleForm(_ReceiptForm):
    """提前结清。"""

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount_fen"].initial = max(0, self.view.payoff()["total"])


class RefundForm(ActionForm):
    """退溢缴款。"""

    amount_fen = YuanField(label=_("退款金额"))
    reason = _reason(_("退款原因"))

    def prepare(self) -> None:
        self.fields["amount_fen"].initial = self.view.state.overpayment


class RecoverForm(_MoneyForm):
    """核销后收回。"""

    remark = forms.CharField(label=_("备注"), required=False, max_length=200)
    lay(remark, col=WIDE)


class ExtendForm(ActionForm):
    """展期。"""

    matures_on = DateField(label=_("新到期日"))
    rate_ppm = RateField(label=_("展期利率"), required=False, help_text=_("不填则利率不变。"))
    reason = _reason()

    def fact(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if not given.get("matures_on"):
            return None
        data = {"maturity": given["matures_on"].isoformat()}
        if given.get("rate_ppm") is not None:
            data["rate_ppm"] = given["rate_ppm"]
        return {"data": data}


LINE = re.compile(r"\s*(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[\s,，:：\t]*(\S.*)?$")


class ReplanForm(ActionForm):
    """重订计划。"""

    lines = forms.CharField(
        label=_("新计划"),
        widget=forms.Textarea(
            attrs={"rows": 6, "class": "form-control num text-start", "placeholder": "2026-06-20 1,000.00"}
        ),
        help_text=_(
            "每行一期：应还日，后面可写本金（元）。都不写本金则按还款方式重算；写就各期都写，合计等于待还本金。"
        ),
    )
    reopen_overdue = forms.BooleanField(label=_("逾期本息一并移回新计划"), required=False)
    method = forms.ChoiceField(label=_("还款方式"), required=False)
    rate_ppm = RateField(label=_("新利率"), required=False, help_text=_("不填则利率不变。"))
    reason = _reason()
    lay(lines, col=WIDE)
    lay(reopen_overdue, col=WIDE)

    def prepare(self) -> None:
        self.offer("method", [("", _("不变")), *LABELS[Method].items()])

    def clean_lines(self) -> list[tuple[date, int | None]]:
        """逐行读成（应还日，本金）。"""
        rows: list[tuple[date, int | None]] = []
        for number, line in enumerate(self.cleaned_data["lines"].splitlines(), start=1):
            if not line.strip():
                continue
            try:
                found = LINE.match(line)
                assert found is not None
                day = date(*(int(part) for part in found.groups()[:3]))
                rows.append((day, parse_yuan(found[4].strip()) if found[4] else None))
            except (AssertionError, ValueError, MoneyError) as wrong:
                raise ValidationError(
                    _("第 %(n)s 行「%(line)s」读不懂：应写成 2026-06-20 1,000.00。") % {"n": number, "line": line}
                ) from wrong
        if len({fen is None for _day, fen in rows}) > 1:
            raise ValidationError(_("本金要么每行都写，要么都不写。"))
        return rows

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        rows = given.pop("lines")
        given["due_dates"] = [day for day, _fen in rows]
        if rows and rows[0][1] is not None:
            given["principal_fen"] = [fen for _day, fen in rows]
        return given

    def fact(self) -> dict[str, Any] | None:
        if not self.cleaned_data.get("lines"):
            return None
        given = self.arguments()
        if given["due_dates"] != sorted(set(given["due_dates"])) or given["due_dates"][0] <= self.view.on:
            return None
        data: dict[str, Any] = {
            "ends": [day.isoformat() for day in given["due_dates"]],
            "reopen_overdue": given.get("reopen_overdue", False),
        }
        if "principal_fen" in given:
            data["principal"] = given["principal_fen"]
        return {"data": data | {name: given[name] for name in ("rate_ppm", "method") if name in given}}


class RateForm(ActionForm):
    """利率变更。"""

    rate_ppm = RateField(label=_("新年利率"))
    value_on = DateField(label=_("自哪天起"), required=False)
    relevel = forms.BooleanField(label=_("重算每期还款额（不勾则每期不变，末期找齐）"), required=False, initial=True)
    reason = _reason()
    lay(relevel, col=WIDE)

    def fact(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if given.get("rate_ppm") is None:
            return None
        return {"value_on": given.get("value_on"), "data": {"rate_ppm": given["rate_ppm"], "relevel": given["relevel"]}}


class FeeForm(ActionForm):
    """收费。"""

    name = forms.CharField(label=_("费用名称"), max_length=40)
    amount_fen = YuanField(label=_("金额"))
    reason = _reason()

    def content(self) -> dict[str, Any]:
        return {"name": self.cleaned_data.get("name", "")}


class WaiveForm(_MoneyForm):
    """减免。"""

    component = forms.ChoiceField(
        label=_("减免什么"),
        choices=[(code, COMPONENTS[code]) for code in ("penalty", "compound", "fee", "interest", "principal")],
    )
    reason = _reason()
    field_order = ("component", "amount_fen", "value_on", "reason")

    def content(self) -> dict[str, Any]:
        return {"component": self.cleaned_data.get("component") or "penalty"}


class AdjustForm(ActionForm):
    """调整：按成分增减一笔，另一人复核后才记账。"""

    component = forms.ChoiceField(label=_("成分"), choices=[(name, COMPONENTS[name]) for name in ADJUSTED])
    direction = forms.ChoiceField(label=_("方向"), choices=DIRECTIONS)
    amount_fen = YuanField(label=_("金额"))
    reason = _reason()

    def content(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        return {"component": given["component"], "direction": given["direction"]}


class AccelerateForm(ActionForm):
    """宣布提前到期。"""

    reason = _reason(_("违约事实、合同条款与通知"))


class ClassifyForm(ActionForm):
    """五级分类认定。"""

    loan_class = forms.TypedChoiceField(
        label=_("不低于"),
        coerce=int,
        choices=[(1, _("正常（撤销认定）")), (2, _("关注")), (3, _("次级")), (4, _("可疑")), (5, _("损失"))],
    )
    reason = _reason()

    def prepare(self) -> None:
        self.fields["loan_class"].initial = self.view.state.class_floor

    def content(self) -> dict[str, Any]:
        return {"class": self.cleaned_data.get("loan_class") or 1}


class _SwitchForm(ActionForm):
    """二选一的认定。"""

    switch = ""

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {self.switch: self.cleaned_data[self.switch] == "1"}

    def content(self) -> dict[str, Any]:
        return {self.switch: self.cleaned_data.get(self.switch) == "1"}


class AccrualForm(_SwitchForm):
    """应计状态认定。"""

    switch = "accrual"
    accrual = forms.ChoiceField(
        label=_("认定为"), choices=[("0", _("非应计")), ("1", _("撤销认定"))], widget=forms.RadioSelect, initial="0"
    )
    reason = _reason()


class MisuseForm(_SwitchForm):
    """挪用罚息。"""

    switch = "active"
    active = forms.ChoiceField(
        label=_("挪用"), choices=[("1", _("按挪用加罚")), ("0", _("停止加罚"))], widget=forms.RadioSelect, initial="1"
    )
    value_on = DateField(label=_("自哪天起"), required=False)
    reason = _reason()


class TransferForm(ActionForm):
    """机构划转。"""

    institution_id = forms.TypedChoiceField(label=_("划到"), coerce=int)
    reason = _reason()
    lay(institution_id, col=WIDE)

    def prepare(self) -> None:
        own = self.view.loan.institution_id
        self.offer("institution_id", [c for c in institution_choices(institution_tree(self.actor)) if c[0] != str(own)])

    def content(self) -> dict[str, Any]:
        return {"institution": str(self.cleaned_data.get("institution_id") or self.view.loan.institution_id)}


class WriteOffForm(ActionForm):
    """核销。"""

    approval_number = forms.CharField(label=_("批准文号"), max_length=60)
    reason = _reason(_("呆账认定理由"))
    lay(approval_number, col=WIDE)


class ReverseForm(ActionForm):
    """冲正。"""

    seq = forms.TypedChoiceField(label=_("冲正哪一条"), coerce=int)
    reason = _reason(_("冲正原因"))
    accept_later = forms.BooleanField(label=_("已核对其后按当时状态登记的事实"), required=False)
    lay(seq, accept_later, col=WIDE)

    def prepare(self) -> None:
        dead = reversed_by(self.view.facts)
        self.offer(
            "seq",
            [
                (
                    step.seq,
                    f"{step.seq} · {FACTS.get(step.kind, step.kind)} · {step.value_on}"
                    + (f" · {format_yuan(step.amount_fen)}" if step.amount_fen else ""),
                )
                for step in history(self.view)
                if step.seq not in dead and step.kind not in {"OPENING", "CALENDAR"}
            ],
        )

    def content(self) -> dict[str, Any] | None:
        return {"seq": self.cleaned_data["seq"]} if self.cleaned_data.get("seq") else None

    def fact(self) -> dict[str, Any] | None:
        return {"data": content} if (content := self.content()) else None


class ReleaseForm(ActionForm):
    """解除隔离。"""

    reason = _reason(_("查明的原因与处理"))
