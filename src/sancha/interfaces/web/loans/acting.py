"""办理业务：填表 → 试算（内核，不写库）→ 确认 → 入账 → 看结果与凭证。"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from sancha.apps.servicing.queries import LoanFilter, LoanView, list_loans, simulate, view_loan
from sancha.interfaces.web.forms import Form, lay
from sancha.interfaces.web.loans.action_forms import ActionForm
from sancha.interfaces.web.loans.actions import ACTIONS, Action
from sancha.interfaces.web.loans.listing import REPAY_COLUMNS, loan_table
from sancha.interfaces.web.loans.words import (
    COMPONENTS,
    comparison,
    plan_comparison,
    spread_words,
    status_pill,
    voucher_link,
)
from sancha.interfaces.web.pages import View, attempt, go, page, show, submission_key
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.errors import Conflict

FOUND = 12


class FindForm(Form):
    """找借据。"""

    use_required_attribute = False
    q = forms.CharField(label=gettext_lazy("借据号、合同号、姓名或证件末四位"), required=False)
    lay(q, col="w2")


@page("servicing.repay")
@require_safe
def repay(request: PageRequest) -> HttpResponse:
    """还款登记：先找借据；只找到一笔就直接进去。"""
    actor, today = request.actor, request.business_date
    form = FindForm(request.GET)
    keyword = request.GET.get("q", "").strip()
    where = LoanFilter(keyword=keyword, status="ACTIVE", order="next_due_on" if keyword else "-days_past_due")
    found = list_loans(actor=actor, where=where, today=today, size=FOUND)
    if keyword and found.total == 1:
        return redirect("loans:repay-loan", found.rows[0].id)

    def enter(row: Any) -> Any:
        return format_html(
            '<a class="btn btn-sm btn-primary" href="{}">{}</a>',
            reverse("loans:repay-loan", args=[row.id]),
            _("登记还款"),
        )

    empty = _("没有找到存续的借据：请核对借据号或姓名；已核销的请在借据页登记收回。")
    table = loan_table(found.rows, only=REPAY_COLUMNS, actions=enter, empty=empty)
    return render(
        request,
        "loans/repay.html",
        {"form": form, "table": table, "keyword": keyword, "more": found.total - len(found.rows)},
    )


def action_view(action: Action) -> View:
    """一种业务的页面。"""

    @page(action.permission)
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: PageRequest, loan_id: int) -> HttpResponse:
        return _act(request, loan_id, action)

    view.__name__ = view.__qualname__ = action.code.replace("-", "_")
    view.__doc__ = f"{action.label}。"
    return view


def _act(request: PageRequest, loan_id: int, action: Action) -> HttpResponse:
    actor = request.actor
    loan = view_loan(actor=actor, loan_id=loan_id)
    _suits(loan, action)
    data = request.POST if request.method == "POST" else None
    initial = request.GET.dict()
    form = action.form(data, view=loan, actor=actor, initial=initial)
    if request.method == "POST" and request.htmx:
        return _preview(request, form, loan, action)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            action.operation,
            actor=actor,
            key=submission_key(request),
            loan_id=loan_id,
            on=loan.business_date,
            **form.arguments(),
        )
        if done is not None and action.checked:
            return go(request, "loans:adjustment", done["adjustment_id"], said=_("已录入，待另一人复核后记账。"))
        if done is not None:
            return go(request, "loans:detail", loan_id, said=_said(action, loan, done))
    context = {
        "form": form,
        "action": action,
        "view": loan,
        "loan": loan.loan,
        "status": status_pill(loan.loan.status, held=bool(loan.row and loan.row.held)),
        "now": loan.figures(),
        "payoff": _payoff_lines(loan),
        "quick": _quick(loan) if action.code == "repay-loan" else [],
    }
    return show(request, "loans/act.html", context)


def _suits(loan: LoanView, action: Action) -> None:
    """状态不对的业务不给表单，说明为什么。"""
    if loan.loan.status not in action.statuses:
        raise Conflict(
            "LOAN_STATUS_WRONG",
            _("借据 %(number)s 是「%(status)s」，不能办理%(action)s。")
            % {"number": loan.loan.number, "status": loan.loan.get_status_display(), "action": action.label},
            value=loan.loan.number,
            fix=_("请回到借据页，按现在的状态办理。"),
        )


def _said(action: Action, loan: LoanView, done: dict[str, Any]) -> Any:
    spread = spread_words(done.get("allocated", {}))
    return format_html(
        "{}{}{}{}",
        _("%(action)s已入账") % {"action": action.label},
        f"：{spread}" if spread else "",
        "。" + _("凭证 ") if done.get("voucher_id") else "。",
        voucher_link(done["voucher_id"]) if done.get("voucher_id") else "",
    )


PARTS = (
    ("principal_due", gettext_lazy("到期本金")),
    ("principal_not_due", gettext_lazy("未到期本金")),
    ("interest_due", gettext_lazy("欠息")),
    ("interest_accrued", gettext_lazy("未结利息")),
    ("penalty", gettext_lazy("罚息")),
    ("compound", gettext_lazy("复利")),
    ("fee", gettext_lazy("费用")),
    ("flat_fee_rest", gettext_lazy("余下手续费")),
    ("prepayment_fee", gettext_lazy("提前还款费")),
    ("overpayment", gettext_lazy("减：溢缴款")),
)


def _payoff_lines(loan: LoanView) -> list[tuple[Any, Any]]:
    parts = loan.payoff()
    return [(text, words.fen(parts[name])) for name, text in PARTS if parts.get(name)] + [
        (_("结清应付"), words.fen(parts["total"]))
    ]


def _quick(loan: LoanView) -> list[dict[str, Any]]:
    """常用金额：一点就填。"""
    now = loan.figures()
    amounts = [
        (_("当前应还"), now.owed_fen),
        (_("当前应还加下一期") if now.owed_fen else _("下一期应还"), now.owed_fen + now.next_due_fen),
    ]
    named: dict[int, Any] = {}
    for text, fen in amounts:
        if fen > 0:
            named.setdefault(fen, text)
    return [{"label": text, "amount": fen, "text": words.yuan(fen)} for fen, text in named.items()]


def _preview(request: PageRequest, form: ActionForm, loan: LoanView, action: Action) -> HttpResponse:
    """试算片段：前后对照、分配、计划变化。填得不全时只说还差什么。"""
    form.is_valid()
    fact = (
        form.fact()
        if action.kind is not None and not (set(form.errors) - {"reason", "order_reason", "approval_number"})
        else None
    )
    context: dict[str, Any] = {"form": form, "action": action, "now": loan.figures()}
    day = (fact or {}).get("value_on")
    if action.kind is not None and fact is not None and not (day and not loan.terms.start <= day <= loan.on):
        trial = simulate(loan, kind=action.kind, **fact)
        context |= {
            "trial": trial,
            "rows": comparison(trial),
            "allocated": [(COMPONENTS[name], words.fen(fen)) for name, fen in trial.allocated.items()],
            "plan": plan_comparison(trial) if trial.plan_changed else [],
            "payoff": _payoff_lines(loan) if action.code == "settle" else [],
            "kept": trial.allocated.get("overpayment", 0) if action.code == "repay-loan" else 0,
            "settle_gap": (fact["amount_fen"] - max(0, loan.payoff()["total"]))
            if action.code == "settle" and day in (None, loan.on)
            else 0,
        }
    return render(request, "loans/preview.html", context)


VIEWS = {action.code: action_view(action) for action in ACTIONS}
