"""台账导出：贷款台账、到期与还款台账，列与次序照规则 E6；送回来导入时读得懂。

本系统还不知道的照列而留空，不编造：审批人、上次检查日、下次检查日、预警等级（审批、检查、预警还没有做）；
提醒日期、还款资金（提醒、资金来源还没有登记）。E6 之外的（产品、应计利息、罚息、复利、欠费、溢缴款、下次应还日、状态）排在后面。
证件号遮蔽；导出留痕。
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import FileResponse
from django.views.decorators.http import require_safe

from sancha.apps.servicing.queries import DueRow, RegisterRow, due_register, loan_register, loan_totals
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.loans.action_forms import CHANNELS
from sancha.interfaces.web.loans.forms import ListFilter
from sancha.interfaces.web.loans.words import STANDINGS, method_name
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.timetable import Standing
from sancha.kit.spreadsheets import Column, Kind
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind

EXPORT = "reporting.export"
CHANNEL_NAMES = {code: str(name) for code, name in CHANNELS} | {"FILE": "还款文件", "IMPORT": "存量转入"}

LOAN_SHEET = (
    Column("institution_name", "机构"),
    Column("number", "借据号"),
    Column("contract_number", "合同号"),
    Column("party_name", "姓名"),
    Column("party_id_number", "证件号"),
    Column("party_kind", "客户类型"),
    Column("industry_name", "行业"),
    Column("purpose", "用途"),
    Column("principal_fen", "金额", Kind.MONEY),
    Column("balance_fen", "余额", Kind.MONEY),
    Column("rate", "利率"),  # text: a percent cell is read back as a fraction
    Column("method", "还款方式"),
    Column("starts_on", "放款日", Kind.DATE),
    Column("matures_on", "到期日", Kind.DATE),
    Column("term_count", "期限", Kind.INTEGER),
    Column("guarantee", "担保方式"),
    Column("guarantor", "担保人/押品"),
    Column("officer_name", "信贷员"),
    Column("approver_name", "审批人"),
    Column("loan_class", "五级分类"),
    Column("days_past_due", "逾期天数", Kind.INTEGER),
    Column("overdue_principal_fen", "逾期本金", Kind.MONEY),
    Column("interest_due_fen", "欠息", Kind.MONEY),
    Column("off_interest_fen", "表外息", Kind.MONEY),
    Column("extended", "展期标志"),
    Column("inspected_on", "上次检查日", Kind.DATE),
    Column("next_inspection_on", "下次检查日", Kind.DATE),
    Column("alert_level", "预警等级"),
    Column("product_name", "产品"),
    Column("accrued_interest_fen", "应计利息", Kind.MONEY),
    Column("penalty_fen", "罚息", Kind.MONEY),
    Column("compound_fen", "复利", Kind.MONEY),
    Column("fee_fen", "欠费", Kind.MONEY),
    Column("overpayment_fen", "溢缴款", Kind.MONEY),
    Column("next_due_on", "下次应还日", Kind.DATE),
    Column("status_name", "状态"),
)
DUE_SHEET = (
    Column("institution_name", "机构"),
    Column("number", "借据号"),
    Column("party_name", "姓名"),
    Column("party_id_number", "证件号"),
    Column("no", "期次", Kind.INTEGER),
    Column("due_on", "应还日", Kind.DATE),
    Column("principal_fen", "应还本", Kind.MONEY),
    Column("interest_fen", "应还息", Kind.MONEY),
    Column("paid_fen", "实还", Kind.MONEY),
    Column("paid_on", "实还日", Kind.DATE),
    Column("reminded_on", "提醒日期", Kind.DATE),
    Column("channels", "方式"),
    Column("funds", "还款资金"),
    Column("unpaid_fen", "尚欠", Kind.MONEY),
    Column("days_late", "逾期天数", Kind.INTEGER),
    Column("standing", "状态"),
)


def _loan_cells(row: RegisterRow) -> dict[str, Any]:
    loan = row.loan
    cells = {column.key: getattr(row, column.key, getattr(loan, column.key, None)) for column in LOAN_SHEET}
    return cells | {
        "party_kind": CustomerKind(loan.party_kind).label,
        "method": method_name(loan.method),
        "guarantee": GuaranteeKind(loan.guarantee).label if loan.guarantee else "",
        "loan_class": str(words.CLASSES[loan.loan_class][0]),
        "rate": f"{Decimal(loan.rate_ppm).scaleb(-4).normalize():f}%",
        "extended": "是" if row.is_extended else "否",
    }


def _due_cells(row: DueRow) -> dict[str, Any]:
    cells = {column.key: getattr(row, column.key, None) for column in DUE_SHEET}
    return cells | {
        "channels": "、".join(CHANNEL_NAMES.get(code, code) for code in row.channels),
        "standing": str(STANDINGS[Standing(row.standing)][0]),
    }


def _notes(request: PageRequest) -> list[str]:
    # The conditions may hold a name or an ID number; the sheet says only that there were some.
    chosen = "按筛选条件" if request.GET else "全部"
    return [f"营业日：{request.business_date}　导出人：{request.actor.name}　范围：{chosen}"]


@page(EXPORT)
@require_safe
def loans(request: PageRequest) -> FileResponse:
    """贷款台账：全部符合条件的借据。"""
    actor, today = request.actor, request.business_date
    where = ListFilter(request.GET).wanted(today)
    totals = loan_totals(actor=actor, where=where, today=today)
    return excel(
        f"贷款台账-{today}",
        columns=LOAN_SHEET,
        rows=(_loan_cells(row) for row in loan_register(actor=actor, where=where, today=today)),
        totals={name: totals[name] for name in ("principal_fen", "balance_fen", "overdue_principal_fen")},
        notes=_notes(request),
    )


@page(EXPORT)
@require_safe
def dues(request: PageRequest) -> FileResponse:
    """到期与还款台账：符合条件的借据，一期一行。"""
    actor, today = request.actor, request.business_date
    where = ListFilter(request.GET).wanted(today)
    rows = due_register(actor=actor, where=where, today=today)
    return excel(
        f"到期与还款台账-{today}", columns=DUE_SHEET, rows=(_due_cells(row) for row in rows), notes=_notes(request)
    )
