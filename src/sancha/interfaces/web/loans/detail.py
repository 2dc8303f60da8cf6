"""借据 360：摘要、日期条、各页签、利息推导。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.ledger.queries import voucher_list
from sancha.apps.parties.queries import party_detail
from sancha.apps.servicing.queries import (
    LoanView,
    Step,
    balance_path,
    history,
    loans_of_party,
    movements,
)
from sancha.apps.work.queries import tasks_of_root
from sancha.interfaces.web.loans.actions import offered
from sancha.interfaces.web.loans.forms import WhenForm, seen
from sancha.interfaces.web.loans.papers import papers_of
from sancha.interfaces.web.loans.words import (
    ACCRUALS,
    FACTS,
    POSITIONS,
    ROW_KINDS,
    bar,
    method_name,
    pill,
    spread_words,
    standing_pill,
    status_pill,
    voucher_link,
    when_query,
    why,
)
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.timetable import Standing, TimetableRow
from sancha.rulebook.vocabulary import GuaranteeKind, label

READ = "servicing.view"
NEAR = 2
PRIMARY = "servicing.repay"
TABS = {
    "overview": gettext_lazy("概览"),
    "schedule": gettext_lazy("还款计划"),
    "facts": gettext_lazy("事实时间线"),
    "vouchers": gettext_lazy("凭证"),
    "movements": gettext_lazy("分户账"),
    "customer": gettext_lazy("客户与担保"),
    "tasks": gettext_lazy("任务"),
    "papers": gettext_lazy("打印"),
}
NEEDS = {"vouchers": "ledger.view", "customer": "parties.view", "tasks": "work.view"}


@page(READ)
@require_safe
def detail(request: PageRequest, loan_id: int) -> HttpResponse:
    """借据 360。换日期只换主体，换页签只换页签。"""
    view = seen(request, loan_id)
    actor = request.actor
    tabs = [code for code in TABS if actor.may(NEEDS.get(code, READ))]
    tab = request.GET.get("tab", "")
    tab = tab if tab in tabs else tabs[0]
    context = {
        "view": view,
        "loan": view.loan,
        "tab": tab,
        "panel": f"loans/tab_{tab}.html",
        "tabs": [
            {
                "label": TABS[code],
                "url": reverse("loans:detail", args=[loan_id]) + (when_query(view, tab=code)),
                "active": code == tab,
            }
            for code in tabs
        ],
        **PANELS[tab](request, view),
    }
    target = request.htmx.target if request.htmx else ""
    if target == "tabbed":
        return render(request, "parts/tabs.html", context)
    context["items"] = _summary(view)
    if target == "loan":
        return render(request, "loans/body.html", context)
    return render(request, "loans/detail.html", context | _frame(request, view))


def _frame(request: PageRequest, view: LoanView) -> dict[str, Any]:
    """页头与日期条：不随日期重画。"""
    loan = view.loan
    last = max(loan.matures_on, view.business_date)
    may = offered(request.actor, view)
    primary = next((action for action in may if not action.danger and action.permission == PRIMARY), None)
    return {
        "status": status_pill(loan.status, held=bool(view.row and view.row.held)),
        "held_reason": view.row.held_reason if view.row and view.row.held else "",
        "when": WhenForm(initial={"on": view.on, "known_at": view.known_at}),
        "first_day": loan.starts_on,
        "last_day": last,
        "span": (last - loan.starts_on).days,
        "at": max(0, (view.on - loan.starts_on).days),
        "primary": primary,
        "actions": [action for action in may if action is not primary],
    }


def _summary(view: LoanView) -> list[dict[str, Any]]:
    """摘要条：每个数字都能点开推导。"""
    now = view.figures()

    def cell(text: Any, figure: str, shown: Any, *, big: bool = False) -> dict[str, Any]:
        return {"label": text, "value": why(view, figure, shown), "big": big}

    name, css = ACCRUALS[now.accrual]
    due = (
        format_html("{} / {}", words.day(now.next_due_on), words.fen(now.next_due_fen))
        if now.next_due_on
        else words.NOTHING
    )
    return [
        cell(_("本金余额"), "principal", words.fen(now.balance_fen), big=True),
        cell(_("逾期本金"), "overdue_principal", words.fen(now.overdue_principal_fen)),
        cell(_("欠息"), "interest_due", words.fen(now.interest_due_fen)),
        cell(_("未结利息"), "interest_accrued", words.fen(now.interest_accrued_fen)),
        cell(_("罚息"), "penalty", words.fen(now.penalty_fen)),
        cell(_("复利"), "compound", words.fen(now.compound_fen)),
        cell(_("费用"), "fee", words.fen(now.fee_fen)),
        cell(_("溢缴款"), "overpayment", words.fen(now.overpayment_fen)),
        cell(_("逾期天数"), "days_past_due", words.overdue(now.days_past_due)),
        {"label": _("分类 / 应计"), "value": format_html("{} {}", words.klass(now.loan_class), pill(name, css))},
        {"label": _("下一应还"), "value": due},
        cell(_("结清应付"), "payoff", words.fen(now.payoff_fen)),
    ]


# 页签 ---------------------------------------------------------------------------------------------------------


def _overview(_request: PageRequest, view: LoanView) -> dict[str, Any]:
    rows = view.timetable()
    path = balance_path(view)
    spec = {
        "kind": "line",
        "labels": [day.isoformat() for day, _planned, _actual in path],
        "series": [
            {"name": _("约定余额"), "data": [planned for _day, planned, _actual in path], "step": "end"},
            {"name": _("实际余额"), "data": [actual for _day, _planned, actual in path], "step": "end"},
        ],
        "unit": _("万元"),
        "scale": "wan",
    }
    here = next(
        (i for i, row in enumerate(rows) if row.standing in {Standing.OVERDUE, Standing.DUE, Standing.FUTURE}),
        len(rows),
    )
    near = rows[max(0, here - NEAR) : here + NEAR + 2]
    return {
        "spec": spec if len(path) > 1 else None,
        "near": schedule_table(near, shown=NEAR_DUE, view=view),
        "terms": terms_facts(view),
    }


def terms_facts(view: LoanView) -> list[tuple[Any, Any]]:
    """合同要素。"""
    loan, terms = view.loan, view.terms
    every = f"{_('每')}{terms.period_every if terms.period_every > 1 else ''}{label(terms.period_unit)}"
    link = f"LPR {terms.rate_link[0]} {terms.rate_link[1]:+d}bp" if terms.rate_link else _("固定利率")
    return [
        (_("借款金额"), words.fen(terms.principal_fen)),
        (_("大写"), words.uppercase(terms.principal_fen)),
        (
            _("年利率"),
            format_html("{} <span class='muted'>{}</span>", words.ppm(view.state.rate_ppm or terms.rate_ppm), link),
        ),
        (_("还款方式"), f"{method_name(loan.method)}，{every}"),
        (_("起止日"), format_html("{} {} {}", words.day(loan.starts_on), _("至"), words.day(loan.matures_on))),
        (_("计息基础"), label(terms.day_count)),
        (_("罚息利率"), words.ppm(terms.penalty_rate_ppm(view.state.rate_ppm or terms.rate_ppm))),
        (_("复利"), label(terms.compound)),
        (_("宽限"), f"{terms.grace_days} {_('天')}"),
        (_("节假日"), label(terms.roll)),
        (_("用途"), loan.purpose or words.NOTHING),
        (_("担保方式"), GuaranteeKind(loan.guarantee).label if loan.guarantee else words.NOTHING),
        (_("担保人或押品"), loan.guarantor or words.NOTHING),
        (_("管户"), loan.officer.name if loan.officer else words.NOTHING),
    ]


FULL = ("no", "starts_on", "due_on", "days", "opening_fen", "principal_fen", "interest_fen", "subsidy_fen", "fee_fen", "total_fen",
        "closing_fen", "standing", "settled_on", "paid_principal_fen", "paid_interest_fen", "days_late")  # fmt: skip
NEAR_DUE = ("no", "due_on", "principal_fen", "interest_fen", "total_fen", "standing", "settled_on", "days_late")
PLAN_ONLY = FULL[:11]
PLAN_SHORT = ("no", "due_on", "principal_fen", "interest_fen", "subsidy_fen", "fee_fen", "total_fen", "closing_fen")
IF_ANY = {"subsidy_fen", "fee_fen"}
ROW_CSS = {Standing.OVERDUE: "bad", Standing.DUE: "warn", Standing.MOVED: "off"}


def schedule_table(rows: list[TimetableRow], *, shown: tuple[str, ...] = FULL, view: LoanView | None = None) -> Table:
    """还款计划表（E4 各栏）。给出 ``view`` 时本金、利息可点开推导；试算只列计划各栏（``PLAN_ONLY``）。"""

    def due(part: str) -> Any:
        if view is None or not view.facts:
            return None
        return lambda r: why(view, f"installment:{r.no}.{part}", words.fen(getattr(r, f"{part}_fen")))

    def named(row: TimetableRow) -> Any:
        return format_html("{} {}", row.no, pill(ROW_KINDS[row.kind])) if row.kind in ROW_KINDS else row.no

    columns = {
        "no": Column("no", _("期次"), show=named),
        "starts_on": Column("starts_on", _("计息起日"), kind="day"),
        "due_on": Column("due_on", _("应还日"), kind="day"),
        "days": Column("days", _("天数"), kind="int", total=True),
        "opening_fen": Column("opening_fen", _("期初本金"), kind="fen"),
        "principal_fen": Column("principal_fen", _("应还本金"), kind="fen", total=True, show=due("principal")),
        "interest_fen": Column("interest_fen", _("应还利息"), kind="fen", total=True, show=due("interest")),
        "subsidy_fen": Column("subsidy_fen", _("贴息"), kind="fen", total=True),
        "fee_fen": Column("fee_fen", _("费用"), kind="fen", total=True),
        "total_fen": Column(
            "total_fen", _("应还合计"), kind="fen", total=True, show=due("total") if not _fees(rows) else None
        ),
        "closing_fen": Column("closing_fen", _("期末本金"), kind="fen"),
        "standing": Column("standing", _("状态"), show=lambda r: format_html("{} {}", standing_pill(r), bar(r))),
        "settled_on": Column("settled_on", _("实还日"), kind="day"),
        "paid_principal_fen": Column(
            "paid_principal_fen", _("实还本金"), kind="fen", total=True, show=_paid("principal")
        ),
        "paid_interest_fen": Column("paid_interest_fen", _("实还利息"), kind="fen", total=True, show=_paid("interest")),
        "days_late": Column("days_late", _("逾期天数"), kind="overdue"),
    }
    names = [name for name in shown if name not in IF_ANY or any(getattr(row, name) for row in rows)]
    sums = {name: sum(getattr(row, name) for row in rows) for name in names if columns[name].total}
    return Table(
        [columns[name] for name in names],
        rows,
        totals=None if shown is NEAR_DUE else sums,
        stack=True,
        row_css=lambda r: ROW_CSS.get(r.standing, ""),
        empty=_("还没有还款计划"),
    )


def _fees(rows: list[TimetableRow]) -> bool:
    return any(row.fee_fen for row in rows)


def _paid(part: str) -> Any:
    return lambda r: words.fen(getattr(r, f"paid_{part}_fen") or None)


def _schedule(_request: PageRequest, view: LoanView) -> dict[str, Any]:
    state = view.state
    paid = [
        (_("已收罚息"), words.fen(state.penalty_paid)),
        (_("已收复利"), words.fen(state.compound_paid)),
        (_("已收费用"), words.fen(state.fee_paid)),
    ]
    return {"table": schedule_table(view.timetable(), view=view), "paid": paid, "terms": terms_facts(view)}


def _facts(request: PageRequest, view: LoanView) -> dict[str, Any]:
    steps = history(view)
    may_reverse = request.actor.may("servicing.reverse") and view.is_today

    def shown(step: Step) -> SafeString | str:
        parts = [spread_words(step.allocated)] if step.allocated else []
        data = step.data
        if step.kind == "REVERSAL":
            parts.append(_("冲正第 %(seq)s 号") % {"seq": data["seq"]})
        if "rate_ppm" in data:
            parts.append(_("年利率 %(rate)s") % {"rate": words.percent(data["rate_ppm"])})
        if "maturity" in data:
            parts.append(_("到期日 %(day)s") % {"day": data["maturity"]})
        if "component" in data:
            parts.append(str(POSITION_WORDS.get(data["component"], data["component"])))
        if data.get("class"):
            parts.append(str(words.CLASSES[data["class"]][0]))
        parts += [
            str(data[name])
            for name in ("name", "reason", "payer_name", "remark", "order_reason", "approval_number")
            if data.get(name) and data[name] != view.loan.party.name
        ]
        return "；".join(parts) or words.NOTHING

    def acts(step: Step) -> SafeString:
        if not may_reverse or step.reversed_by or step.kind in {"OPENING", "CALENDAR"}:
            return SafeString("")
        url = reverse("loans:reverse", args=[view.loan.pk])
        return format_html('<a class="danger" href="{}?seq={}">{}</a>', url, step.seq, _("冲正"))

    columns = [
        Column("seq", _("序号"), kind="int"),
        Column("kind", _("事实"), show=lambda s: FACTS.get(s.kind, s.kind)),
        Column(
            "value_on",
            _("起息日"),
            show=lambda s: format_html("{} {}", words.day(s.value_on), pill(_("倒签"), "amber") if s.backdated else ""),
        ),
        Column("booked_on", _("记账日"), kind="day"),
        Column(
            "amount_fen", _("金额"), show=lambda s: words.fen(s.amount_fen) if s.amount_fen else words.NOTHING, css="r"
        ),
        Column("allocated", _("分到与说明"), show=shown, css="wrap"),
        Column("balance_fen", _("其后本金"), kind="fen"),
        Column(
            "recorded_by",
            _("经办"),
            show=lambda s: format_html(
                '{}<div class="small muted">{}</div>', s.recorded_by, words.moment(s.recorded_at)
            ),
        ),
        Column("voucher_id", _("凭证"), show=lambda s: voucher_link(s.voucher_id)),
    ]
    table = Table(
        columns,
        steps,
        stack=True,
        actions=acts if may_reverse else None,
        row_css=lambda s: "struck" if s.reversed_by else "",
        empty=_("还没有事实：放款复核之后才有账"),
    )
    return {"table": table}


POSITION_WORDS = {
    "penalty": gettext_lazy("罚息"),
    "compound": gettext_lazy("复利"),
    "fee": gettext_lazy("费用"),
    "interest": gettext_lazy("利息"),
    "principal": gettext_lazy("本金"),
    "overpayment": gettext_lazy("溢缴款"),
}


def _vouchers(request: PageRequest, view: LoanView) -> dict[str, Any]:
    found = voucher_list(
        request.actor, loan_id=view.loan.pk, last=view.known_at, page=page_number(request.GET), size=100
    )
    columns = [
        Column("id", _("凭证"), show=lambda v: voucher_link(v.id, f"{_('记')}-{v.number}" if v.number else f"#{v.id}")),
        Column("booked_on", _("记账日"), kind="day"),
        Column("source_name", _("来源")),
        Column("summary", _("摘要"), css="wrap"),
        Column("institution_name", _("机构")),
        Column("amount_fen", _("借方合计"), kind="fen"),
    ]
    hint = _("逐日计提记在机构汇总凭证里，不在此列；点汇总凭证可以看到本借据那一份。")
    return {
        "table": Table(
            columns, found.rows, stack=True, pagination=Pagination.over(found), hint=hint, empty=_("还没有凭证")
        )
    }


def _movements(request: PageRequest, view: LoanView) -> dict[str, Any]:
    found = movements(actor=request.actor, loan_id=view.loan.pk, page=page_number(request.GET))
    columns = [
        Column("booked_on", _("记账日"), kind="day"),
        Column("fact_seq", _("事实"), show=lambda m: m.fact_seq or _("日终")),
        Column("position_code", _("成分"), show=lambda m: POSITIONS.get(m.position_code, m.position_code)),
        Column("debit", _("借方"), show=lambda m: words.fen(m.amount_fen) if m.amount_fen > 0 else "", css="r"),
        Column("credit", _("贷方"), show=lambda m: words.fen(-m.amount_fen) if m.amount_fen < 0 else "", css="r"),
        Column("loan_class", _("分类"), kind="klass"),
        Column("accrual", _("应计"), show=lambda m: ACCRUALS[m.accrual][0]),
        Column("voucher_id", _("凭证"), show=lambda m: voucher_link(m.voucher_id)),
    ]
    return {"table": Table(columns, found.rows, stack=True, pagination=Pagination.over(found), empty=_("还没有变动"))}


def _customer(request: PageRequest, view: LoanView) -> dict[str, Any]:
    actor, loan = request.actor, view.loan
    found = party_detail(actor=actor, party_id=loan.party_id, on=view.business_date, entry_limit=1)
    others = [
        row
        for row in loans_of_party(actor=actor, party_id=loan.party_id, today=view.business_date)
        if row.id != loan.pk
    ]
    columns = [
        Column("number", _("借据号"), link=lambda r: reverse("loans:detail", args=[r.id]), css="mono"),
        Column("product_name", _("产品")),
        Column("balance_fen", _("余额"), kind="fen"),
        Column("days_past_due", _("逾期天数"), kind="overdue"),
        Column("status", _("状态"), show=lambda r: status_pill(r.status, held=r.held)),
    ]
    return {"party": found, "others": Table(columns, others, stack=True, empty=_("没有其他借据"))}


def _tasks(request: PageRequest, view: LoanView) -> dict[str, Any]:
    rows = tasks_of_root(request.actor, root_type="loan", root_id=view.loan.pk, on=view.business_date)
    columns = [
        Column("title", _("事项"), link=lambda t: reverse("task", args=[t.id]), css="wrap"),
        Column("kind_name", _("种类")),
        Column("post_name", _("岗位")),
        Column("assignee_name", _("经办")),
        Column("opened_on", _("开出日"), kind="day"),
        Column("due_on", _("期限"), kind="day"),
        Column(
            "state_name",
            _("状态"),
            show=lambda t: pill(t.outcome_name or t.state_name, "green" if t.state == "done" else "blue"),
        ),
    ]
    return {"table": Table(columns, rows, stack=True, empty=_("没有任务"))}


def _papers(request: PageRequest, view: LoanView) -> dict[str, Any]:
    return {
        "papers": papers_of(view),
        "repayments": [
            s for s in history(view) if s.kind in {"REPAYMENT", "PREPAYMENT", "SETTLEMENT"} and not s.reversed_by
        ],
    }


PANELS = {
    "overview": _overview,
    "schedule": _schedule,
    "facts": _facts,
    "vouchers": _vouchers,
    "movements": _movements,
    "customer": _customer,
    "tasks": _tasks,
    "papers": _papers,
}


@page(READ)
@require_safe
def brief(request: PageRequest, loan_id: int) -> HttpResponse:
    """借据要素与还款计划的片段：放款复核的任务页取用。"""
    view = seen(request, loan_id)
    context = {
        "view": view,
        "loan": view.loan,
        "terms": terms_facts(view),
        "table": schedule_table(view.timetable(), shown=PLAN_ONLY),
    }
    return render(request, "loans/brief.html", context)
