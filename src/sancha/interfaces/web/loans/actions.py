"""可以对一笔借据办的业务：每种是一行，表单、权限、操作、试算的事实。没有业务判断，判断都在操作里。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from sancha.apps.servicing import operations
from sancha.apps.servicing.queries import LoanView
from sancha.interfaces.web.loans import action_forms as forms
from sancha.kernel.facts import FactKind
from sancha.kit.actor import Actor

LIVE, WRITTEN_OFF = frozenset({"ACTIVE"}), frozenset({"WRITTEN_OFF"})
ANY = frozenset({"ACTIVE", "SETTLED", "WRITTEN_OFF"})


@dataclass(frozen=True)
class Action:
    """一种业务。``kind`` 是试算用的事实种类，空为不试算；``checked`` 的先送另一人复核，同意后才入账。"""

    code: str
    label: Any
    permission: str
    icon: str
    form: type[forms.ActionForm]
    operation: Callable[..., dict[str, Any]]
    kind: FactKind | None
    note: Any = ""
    statuses: frozenset[str] = LIVE
    danger: bool = False
    checked: bool = False

    @property
    def url(self) -> str:
        """网址名。"""
        return f"loans:{self.code}"


ACTIONS = (
    Action("repay-loan", _("还款登记"), "servicing.repay", "cash-banknote", forms.RepayForm, operations.post_repayment, FactKind.REPAYMENT),
    Action("prepay", _("提前还本"), "servicing.repay", "coins", forms.PrepayForm, operations.prepay_loan, FactKind.PREPAYMENT,
           _("先清欠款、结当日利息，余下还本；利息按实际占用天数计收（民法典 677）。")),
    Action("settle", _("提前结清"), "servicing.repay", "circle-check", forms.SettleForm, operations.settle_loan, FactKind.SETTLEMENT,
           _("金额须等于结清应付，一分不差。")),
    Action("refund", _("退溢缴款"), "servicing.repay", "arrow-back-up", forms.RefundForm, operations.refund_overpayment, FactKind.REFUND,
           _("付款指令由出纳另行复核付出。"), ANY),
    Action("recover", _("核销后收回"), "servicing.repay", "coins", forms.RecoverForm, operations.post_recovery, FactKind.RECOVERY,
           _("先冲已核销本金，再冲已核销利息。"), WRITTEN_OFF),
    Action("extend", _("展期"), "servicing.change", "calendar", forms.ExtendForm, operations.extend_loan, FactKind.EXTENSION,
           _("未到期本金延到新到期日；累计展期有上限。")),
    Action("replan", _("重订计划"), "servicing.change", "list-tree", forms.ReplanForm, operations.change_plan, FactKind.NEW_PLAN,
           _("重组、困难分期：此后各期以所填为准。")),
    Action("reprice", _("利率变更"), "servicing.change", "chart-line", forms.RateForm, operations.change_rate, FactKind.RATE_CHANGE),
    Action("charge", _("收费"), "servicing.change", "receipt", forms.FeeForm, operations.charge_fee, FactKind.FEE,
           _("须在综合融资成本明示表之内。")),
    Action("waive", _("减免"), "servicing.change", "minus", forms.WaiveForm, operations.waive, FactKind.WAIVER, _("减免不得超过应还余额。")),
    Action("adjust", _("调整"), "servicing.change", "adjustments", forms.AdjustForm, operations.propose_adjustment, FactKind.ADJUSTMENT,
           _("对方科目「调整」；另一人复核同意后才记账。"), checked=True),
    Action("accelerate", _("宣布提前到期"), "servicing.change", "flag", forms.AccelerateForm, operations.accelerate_loan, FactKind.ACCELERATION,
           _("依约定的加速条款，须有证据与通知（民法典 673）。"), danger=True),
    Action("classify", _("分类认定"), "servicing.change", "tag", forms.ClassifyForm, operations.classify_loan, FactKind.CLASSIFICATION,
           _("实际分类取认定与逾期天数所定者中较差的一个。")),
    Action("accrual", _("应计状态认定"), "servicing.change", "player-stop", forms.AccrualForm, operations.set_accrual_status,
           FactKind.ACCRUAL_STATUS),
    Action("misuse", _("挪用罚息"), "servicing.change", "ban", forms.MisuseForm, operations.mark_misuse, FactKind.MISUSE),
    Action("transfer", _("机构划转"), "servicing.change", "switch-horizontal", forms.TransferForm, operations.transfer_loan, FactKind.TRANSFER),
    Action("write-off", _("核销"), "servicing.writeoff", "archive", forms.WriteOffForm, operations.write_off_loan, FactKind.WRITE_OFF,
           _("账销案存：债权留在表外继续追索。"), danger=True),
    Action("reverse", _("冲正"), "servicing.reverse", "rotate", forms.ReverseForm, operations.reverse_fact, FactKind.REVERSAL,
           _("使那条事实如同没有发生过；差额记今天的凭证。"), ANY, danger=True),
    Action("release", _("解除隔离"), "servicing.authorize", "lock-open", forms.ReleaseForm, operations.release_loan, None,
           _("从事实重放，差额记今天的凭证。"), ANY),
)  # fmt: skip


def offered(actor: Actor, view: LoanView) -> list[Action]:
    """此刻可以办的：有权限、状态对。隔离的只能解除。看的不是现状时什么也不能办。"""
    held = bool(view.row and view.row.held)
    if not view.is_today:
        return []
    return [
        action
        for action in ACTIONS
        if actor.may(action.permission)
        and view.loan.status in action.statuses
        and (action.code == "release") == held
        and (action.code != "refund" or view.state.overpayment > 0)
    ]
