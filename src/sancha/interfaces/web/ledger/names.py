"""头寸代码的中文叫法。"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

POSITIONS: dict[str, Any] = {
    "CASH": _("贷款收付过渡"),
    "PRINCIPAL": _("正常本金"),
    "PRINCIPAL_OVERDUE": _("逾期本金"),
    "PRINCIPAL_NONACCRUAL": _("非应计本金"),
    "INTEREST_RECEIVABLE": _("应收利息"),
    "SUBSIDY_RECEIVABLE": _("应收贴息"),
    "PENALTY_RECEIVABLE": _("应收罚息"),
    "COMPOUND_RECEIVABLE": _("应收复利"),
    "FEE_RECEIVABLE": _("应收费用"),
    "OVERPAYMENT": _("溢缴款"),
    "INTEREST_INCOME": _("利息收入"),
    "PENALTY_INCOME": _("罚息收入"),
    "COMPOUND_INCOME": _("复利收入"),
    "FEE_INCOME": _("费用收入"),
    "LOSS": _("核销损失"),
    "RECOVERY_INCOME": _("核销后收回"),
    "ADJUSTMENT": _("调整"),
    "OPENING_EQUITY": _("期初过渡"),
    "OFF_INTEREST": _("表外应收利息"),
    "OFF_SUBSIDY": _("表外应收贴息"),
    "OFF_PENALTY": _("表外应收罚息"),
    "OFF_COMPOUND": _("表外应收复利"),
    "OFF_CONTRA": _("表外应收对方"),
    "WRITTEN_OFF_PRINCIPAL": _("已核销本金"),
    "WRITTEN_OFF_INTEREST": _("已核销利息"),
    "WRITTEN_OFF_CONTRA": _("已核销对方"),
}
