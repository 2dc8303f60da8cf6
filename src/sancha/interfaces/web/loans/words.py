"""借据页面的叫法：状态、事实、成分、各期状况的中文名与徽标，和可点开推导的数字。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from sancha.apps.servicing.queries import LoanView, Simulation
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.money import format_yuan
from sancha.kernel.terms import Method
from sancha.kernel.timetable import Standing, TimetableRow
from sancha.rulebook.vocabulary import label

STATUSES = {
    "PENDING": (_("待复核"), "amber"),
    "ACTIVE": (_("存续"), "blue"),
    "SETTLED": (_("结清"), "green"),
    "WRITTEN_OFF": (_("已核销"), "red"),
    "VOID": (_("作废"), ""),
}
ACCRUALS = {1: (_("应计"), "green"), 0: (_("非应计"), "red"), 2: (_("已核销"), "red")}
FACTS: dict[str, Any] = {
    "OPENING": _("期初转入"),
    "PLAN_GIVEN": _("照录计划"),
    "CALENDAR": _("节假日公布"),
    "PAYER_SHARES": _("利息承担变更"),
    "RATE_CHANGE": _("利率变更"),
    "DISBURSEMENT": _("放款"),
    "FEE": _("收费"),
    "EXTENSION": _("展期"),
    "NEW_PLAN": _("重订计划"),
    "TRANSFER": _("机构划转"),
    "CLASSIFICATION": _("五级分类认定"),
    "ACCRUAL_STATUS": _("应计状态认定"),
    "MISUSE": _("挪用罚息"),
    "RESTATEMENT": _("重述"),
    "ADJUSTMENT": _("调整"),
    "WAIVER": _("减免"),
    "REPAYMENT": _("还款"),
    "PREPAYMENT": _("提前部分还本"),
    "SETTLEMENT": _("提前结清"),
    "REFUND": _("退溢缴款"),
    "ACCELERATION": _("宣布提前到期"),
    "WRITE_OFF": _("核销"),
    "RECOVERY": _("核销后收回"),
    "REVERSAL": _("冲正"),
}
COMPONENTS: dict[str, Any] = {
    "principal": _("本金"),
    "interest": _("利息"),
    "penalty": _("罚息"),
    "compound": _("复利"),
    "fee": _("费用"),
    "subsidy": _("贴息"),
    "overpayment": _("溢缴"),
    "recovered": _("收回"),
}
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
    "LOSS": _("贷款损失"),
    "RECOVERY_INCOME": _("收回收益"),
    "ADJUSTMENT": _("调整"),
    "OPENING_EQUITY": _("期初转入"),
    "OFF_INTEREST": _("表外利息"),
    "OFF_SUBSIDY": _("表外贴息"),
    "OFF_PENALTY": _("表外罚息"),
    "OFF_COMPOUND": _("表外复利"),
    "OFF_CONTRA": _("表外对方"),
    "WRITTEN_OFF_PRINCIPAL": _("已核销本金"),
    "WRITTEN_OFF_INTEREST": _("已核销利息"),
    "WRITTEN_OFF_CONTRA": _("已核销对方"),
}
STANDINGS = {
    Standing.FUTURE: (_("未到期"), ""),
    Standing.DUE: (_("今日应还"), "amber"),
    Standing.OVERDUE: (_("逾期"), "red"),
    Standing.PAID: (_("已还"), "green"),
    Standing.PAID_LATE: (_("迟还"), "amber"),
    Standing.MOVED: (_("已重订"), ""),
    Standing.NOTHING: (_("无应还"), ""),
}
ROW_KINDS: dict[str, Any] = {
    "PREPAYMENT": _("提前还本"),
    "SETTLEMENT": _("结清"),
    "ACCELERATION": _("提前到期"),
    "OPENING": _("期初欠款"),
}


def pill(text: Any, css: str = "") -> SafeString:
    """徽标。"""
    return format_html('<span class="pill {}">{}</span>', css, text)


def status_pill(status: str, *, held: bool = False) -> SafeString:
    """借据状态；隔离的另标出来。"""
    name, css = STATUSES[status]
    return format_html("{}{}", pill(name, css), pill(_("隔离"), "red") if held else "")


def standing_pill(row: TimetableRow) -> SafeString:
    """一期的状况。"""
    name, css = STANDINGS[row.standing]
    return pill(name, css)


def method_name(code: str) -> str:
    """还款方式。"""
    return label(Method(code))


def spread_words(allocated: Mapping[str, int]) -> str:
    """「本金 3,898.77、利息 600.00」。"""
    return "、".join(f"{COMPONENTS[name]} {format_yuan(fen)}" for name, fen in allocated.items() if fen)


def voucher_link(voucher_id: int | None, text: str = "") -> SafeString:
    """凭证的链接；凭证页尚未建好时只显示编号。"""
    if voucher_id is None:
        return words.NOTHING
    try:
        return format_html(
            '<a href="{}">{}</a>', reverse("ledger:voucher", args=[voucher_id]), text or f"#{voucher_id}"
        )
    except NoReverseMatch:
        return format_html('<span class="mono">{}</span>', text or f"#{voucher_id}")


def why(view: LoanView, figure: str, shown: Any) -> SafeString:
    """可点开推导的数字。"""
    url = reverse("loans:why", args=[view.loan.pk, figure]) + when_query(view)
    return format_html('<a class="why" href="{0}" hx-get="{0}" hx-target="#why-body" data-why>{1}</a>', url, shown)


def when_query(view: LoanView, **more: str) -> str:
    """看哪一天、按当时所知：网址参数。"""
    params = dict(more)
    if view.on != view.business_date:
        params["on"] = view.on.isoformat()
    if view.known_at:
        params["known_at"] = view.known_at.isoformat()
    return "?" + "&".join(f"{name}={value}" for name, value in params.items()) if params else ""


# 未来的日子里没有「已还」，所以条形只画到当日。
BAR_WIDTH = 100


def bar(row: TimetableRow) -> SafeString:
    """一期的还款进度条：绿已还、橙迟还、红欠着，灰未到期。"""
    total = row.principal_fen + row.interest_fen
    if total <= 0:
        return words.NOTHING
    done = min(BAR_WIDTH, (row.paid_fen + row.waived_fen) * BAR_WIDTH // total)
    css = {Standing.PAID_LATE: "late", Standing.OVERDUE: "bad", Standing.DUE: "due"}.get(row.standing, "")
    name = STANDINGS[row.standing][0]
    return format_html(
        '<svg class="paybar {}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{} {}%">'
        '<rect class="bg" width="100" height="8"/><rect class="fg" width="{}" height="8"/></svg>',
        css, name, done, done,
    )  # fmt: skip


def list_of(parts: Iterable[tuple[Any, Any]]) -> SafeString:
    """小字明细：一行一项。"""
    return format_html_join("", '<div class="small"><span class="muted">{}</span> {}</div>', parts)


FIGURE_ROWS = (
    ("balance_fen", _("本金余额"), words.fen),
    ("overdue_principal_fen", _("逾期本金"), words.fen),
    ("interest_due_fen", _("欠息"), words.fen),
    ("interest_accrued_fen", _("未结利息"), words.fen),
    ("penalty_fen", _("罚息"), words.fen),
    ("compound_fen", _("复利"), words.fen),
    ("fee_fen", _("费用"), words.fen),
    ("overpayment_fen", _("溢缴款"), words.fen),
    ("owed_fen", _("当前应还"), words.fen),
    ("payoff_fen", _("结清应付"), words.fen),
    ("days_past_due", _("逾期天数"), words.overdue),
    ("loan_class", _("五级分类"), words.klass),
    ("accrual", _("应计状态"), lambda value: ACCRUALS[value][0]),
    ("rate_ppm", _("年利率"), words.ppm),
    ("maturity", _("到期日"), words.day),
    ("next_due_on", _("下一应还日"), words.day),
    ("next_due_fen", _("下期应还"), words.fen),
    ("installments_left", _("剩余期数"), lambda value: value),
)


def comparison(trial: Simulation) -> list[dict[str, Any]]:
    """试算前后对照。"""
    rows = []
    for name, text, show in FIGURE_ROWS:
        before, after = getattr(trial.before, name), getattr(trial.after, name)
        if before or after:
            rows.append({"label": text, "before": show(before), "after": show(after), "changed": before != after})
    return rows


def plan_comparison(trial: Simulation) -> list[dict[str, Any]]:
    """未来各期前后对照，按应还日排。"""
    sides = [
        {row.due_on: row for row in rows if row.standing is Standing.FUTURE}
        for rows in (trial.plan_before, trial.plan_after)
    ]
    days: list[date] = sorted({*sides[0], *sides[1]})
    return [{"due_on": day, "before": sides[0].get(day), "after": sides[1].get(day)} for day in days]
