"""工作台的数与任务的写法：各类件数、卡片上的数字、对象的链接。"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sancha.apps.work.queries import EventInfo, KindCount, TaskDetail, workbench_counts
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.templatetags import sancha as words

# 任务卡片上的数字由开出任务的应用给；这里只管叫法，没有列名的按原名显示。
FACT_LABELS: dict[str, Any] = {
    "amount_fen": gettext_lazy("金额"),
    "principal_fen": gettext_lazy("本金"),
    "balance_fen": gettext_lazy("余额"),
    "overdue_fen": gettext_lazy("逾期金额"),
    "days_past_due": gettext_lazy("逾期天数"),
    "rate_ppm": gettext_lazy("年利率"),
    "term": gettext_lazy("期数"),
    "due_on": gettext_lazy("到期日"),
    "loan_no": gettext_lazy("借据号"),
    "customer": gettext_lazy("客户"),
    "product": gettext_lazy("产品"),
    "method": gettext_lazy("还款方式"),
}
# 对象类型 → 详情页；页面尚未建好的不给链接。
SUBJECT_PAGES = {
    "loan": "loans:detail",
    "party": "parties:detail",
    "receipt": "cash:receipt",
    "voucher": "ledger:voucher",
    "manual_draft": "ledger:draft",
    "payment_order": "cash:order",
    "loan_adjustment": "loans:adjustment",
    "import": "imports:batch",
    "import_row": "imports:row",
    "product_draft": "products:draft",
    "application": "origination:detail",
    "mandate_draft": "authority:draft",
}
# 对象类型 → 任务页上一并显示的片段：办之前要看的东西就在眼前。
SUBJECT_BRIEFS = {
    "manual_draft": "ledger:draft-brief",
    "payment_order": "cash:order-brief",
    "loan_adjustment": "loans:adjustment-brief",
    "loan": "loans:brief",
    "product_draft": "products:draft-brief",
    "application": "origination:brief",
    "mandate_draft": "authority:draft-brief",
    "import": "imports:brief",
    "import_row": "imports:row-brief",
    "party_erasure": "parties:erasure-brief",
    "party_merge": "parties:merge-brief",
}
EVENT_NAMES: dict[str, Any] = {
    "assigned": gettext_lazy("指派"),
    "claimed": gettext_lazy("认领"),
    "released": gettext_lazy("退回本岗位"),
    "comment": gettext_lazy("留言"),
    "closed": gettext_lazy("办结"),
    "cancelled": gettext_lazy("撤销"),
    "replaced": gettext_lazy("改由新任务办理"),
}


def desk_counts(request: PageRequest) -> list[KindCount]:
    """本岗位各类待办件数；一次请求只查一次，菜单与首页共用。"""
    if not hasattr(request, "_desk_counts"):
        request._desk_counts = workbench_counts(request.actor, on=request.business_date)
    counts: list[KindCount] = request._desk_counts
    return counts


def open_task_count(request: PageRequest) -> int:
    """菜单上的待办数。"""
    actor = request.actor
    return sum(kind.open for kind in desk_counts(request)) if actor.may("work.view") else 0


def fact_items(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """卡片上的数字：``_fen`` 是金额，``_ppm`` 是利率，``_on`` 是日期。"""
    return [
        {
            "label": FACT_LABELS.get(name, name.removesuffix("_fen").removesuffix("_ppm")),
            "value": _fact(name, value),
        }
        for name, value in facts.items()
    ]


def _fact(name: str, value: Any) -> Any:
    if name.endswith("_fen"):
        return words.fen(value)
    if name.endswith("_ppm"):
        return words.ppm(value)
    if name.endswith("_on"):
        return words.day(value)
    return words.NOTHING if value in (None, "") else value


def page_of(subject_type: str, subject_id: int, pages: Mapping[str, str] = SUBJECT_PAGES) -> str:
    """对象的详情页（或 ``SUBJECT_BRIEFS`` 的片段）网址，没有则空。"""
    try:
        return reverse(pages[subject_type], args=[subject_id])
    except (KeyError, NoReverseMatch):
        return ""


def trail_of(detail: TaskDetail) -> list[dict[str, Any]]:
    """流程轨迹：开出、履历（含决定）、下一步。"""
    row = detail.row
    steps = [{"title": _("开出"), "on": row.opened_on, "note": row.reason, "state": "done"}]
    steps += [
        {
            "title": EVENT_NAMES.get(event.kind, event.kind),
            "by": f"{event.by_name}（{event.post_name}）" if event.by_id else event.by_name,
            "at": event.at,
            "note": _said(detail, event),
            "state": "bad" if event.kind in {"cancelled", "replaced"} else "done",
        }
        for event in detail.events
    ]
    if row.state == "open":
        who = row.assignee_name or row.post_name
        steps.append({"title": _("待%(who)s办理") % {"who": who}, "on": row.due_on, "state": "now"})
    return steps


def _said(detail: TaskDetail, event: EventInfo) -> str:
    if event.kind != "closed":
        return str(event.data.get("text") or event.data.get("reason") or "")
    outcome = next((d.outcome_name for d in detail.decisions if d.outcome == event.data.get("outcome")), "")
    return "：".join(part for part in (outcome, event.data.get("opinion", "")) if part)
