"""客户页上删除与合并的一块：历次申请、现在的妨碍、能填的表单。"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy

from sancha.apps.parties.departing import Hold
from sancha.apps.parties.queries import RequestInfo, holds_on_party, party_in_scope, requests_of
from sancha.interfaces.web.parties import forms
from sancha.kit.actor import Actor
from sancha.rulebook import clause
from sancha.rulebook.errors import RulebookError

EDIT = "parties.edit"
SHOWN = 8
TABLES = {
    "parties_party": gettext_lazy("客户主档"),
    "parties_partybigram": gettext_lazy("姓名索引"),
    "parties_partycontact": gettext_lazy("联系方式"),
    "parties_partyfileentry": gettext_lazy("信用档案"),
    "parties_partyrelation": gettext_lazy("关系"),
    "parties_partyreveal": gettext_lazy("查看明文的记录"),
    "servicing_loan": gettext_lazy("借据的用途与担保人"),
    "servicing_loanfact": gettext_lazy("还款说明"),
    "servicing_importrow": gettext_lazy("转入留底"),
    "servicing_loanadjustment": gettext_lazy("调整理由"),
    "work_task": gettext_lazy("任务"),
    "work_evidence": gettext_lazy("证据文件"),
    "work_signature": gettext_lazy("签字"),
    "work_submission": gettext_lazy("填报"),
    "work_finding": gettext_lazy("发现"),
    "work_decision": gettext_lazy("意见"),
    "work_taskevent": gettext_lazy("留言"),
    "cashdesk_receipt": gettext_lazy("收款"),
    "cashdesk_statementline": gettext_lazy("银行流水"),
    "cashdesk_paymentorder": gettext_lazy("付款单"),
    "cashdesk_debititem": gettext_lazy("代扣"),
    "kit_idempotency": gettext_lazy("幂等结果"),
    "kit_outbox": gettext_lazy("发件箱"),
}
"""删除记录里的表名 → 人看得懂的名字；没有列名的按原名显示。"""


def details_of(request: RequestInfo) -> str:
    """各处办了几行。"""
    return "、".join(f"{TABLES.get(table, table)} {count}" for table, count in request.details.items())


def cited(code: str) -> str:
    """条款代码 → 文件与条；认不出的原样显示。"""
    try:
        return clause(code).citation
    except RulebookError:
        return code


def departing_context(actor: Actor, party_id: int, today: Any) -> dict[str, Any]:
    """客户页上的这一块：历次申请；能申请的人还有妨碍与两张表单。"""
    asked = requests_of(party_id)
    context: dict[str, Any] = {
        "requests": [(item, details_of(item)) for item in asked],
        "waiting": any(item.state == "OPEN" for item in asked),
    }
    if actor.may(EDIT):
        holds = holds_on_party(party_in_scope(actor, party_id), on=today)
        context |= {
            "holds": [(hold, cited(hold.clause)) for hold in holds[:SHOWN]],
            "more_holds": max(0, len(holds) - SHOWN),
            "earliest": _earliest(holds),
            "erasure_form": forms.ErasureForm(),
            "merge_form": forms.MergeForm(),
        }
    return context


def _earliest(holds: list[Hold]) -> Any:
    days = [hold.until for hold in holds if hold.until is not None]
    return max(days) if days and len(days) == len(holds) else None
