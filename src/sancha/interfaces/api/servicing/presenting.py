"""借据的响应形状与遮蔽。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.servicing import queries
from sancha.interfaces.api.shapes import done, list_of, page_of, record, reply_of, yuan
from sancha.kernel.derivation import Node
from sancha.kernel.fact_data import DATA
from sancha.kernel.facts import Fact

LoanRowReply = reply_of(queries.LoanRow)
TOTALS = ("count", "principal_fen", "balance_fen", "overdue_principal_fen", "interest_due_fen", "charges_due_fen")
TotalsReply = record("LoanTotals", dict.fromkeys(TOTALS, int), "筛选结果的合计（不只这一页）。")
LoanListReply = page_of(LoanRowReply, totals=TotalsReply)
LoanReply = record(
    "Loan",
    {
        "id": int, "number": str, "contract_number": str, "party_id": int, "party_name": str, "product_id": int, "product_name": str,
        "institution_id": int, "institution_name": str, "officer_id": int | None, "officer_name": str, "method": str, "guarantee": str,
        "guarantor": str, "purpose": str, "principal_fen": int, "rate_ppm": int, "starts_on": date, "matures_on": date, "booked_on": date,
        "settled_on": date | None, "reprices_on": date | None, "external_ref": str, "status": str, "status_name": str, "held": bool,
        "held_reason": str, "on": date, "known_at": date | None, "business_date": date, "figures": queries.Figures,
    },
    "一笔借据在某日、按当时所知的样子。",
)  # fmt: skip
MovementReply = record(
    "Movement",
    {
        "id": int, "booked_on": date, "fact_seq": int | None, "voucher_id": int | None, "position_code": str, "institution_id": int,
        "product_id": int, "loan_class": int, "accrual": int, "currency": str, "amount_fen": int,
    },
    "分户账一行：借正贷负，同一次变动合计为零。",
)  # fmt: skip
PayoffReply = record(
    "Payoff", {"loan_id": int, "number": str, "on": date, "total_fen": int, "parts": dict[str, Any]}, "结清报价。"
)
DueReply = record(
    "DueItem",
    {"loan_id": int, "number": str, "party_id": int, "name": str, "amount_fen": int, "days_past_due": int},
    "某日应还的一笔。",
)
ProblemReply = record("ElementProblem", {"field": str, "value": str, "message": str, "fix": str}, "要素的一处毛病。")
PreviewReply = record(
    "BookingPreview",
    {"problems": list_of(ProblemReply), "rows": list[queries.TimetableRow], "terms": dict[str, Any] | None},
    "登记前的试排：要素的毛病、还款计划与将钉死的条款。",
)
DocumentReply = record(
    "LoanDocument",
    {"terms": dict[str, Any], "facts": list[dict[str, Any]], "on": date, "known_at": date | None},
    "借据的条款与事实，即计算器的文档（金额为整数分）。",
)


def loan_document(view: queries.LoanView) -> dict[str, Any]:
    """一笔借据的响应。"""
    loan = view.loan
    return {
        "id": loan.pk, "number": loan.number, "contract_number": loan.contract_number, "party_id": loan.party_id, "party_name": loan.party.name,
        "product_id": loan.product_id, "product_name": loan.product.name, "institution_id": loan.institution_id,
        "institution_name": loan.institution.name, "officer_id": loan.officer_id, "officer_name": loan.officer.name if loan.officer else "",
        "method": loan.method, "guarantee": loan.guarantee, "guarantor": loan.guarantor, "purpose": loan.purpose,
        "principal_fen": loan.principal_fen, "rate_ppm": view.state.rate_ppm, "starts_on": loan.starts_on, "matures_on": loan.matures_on,
        "booked_on": loan.booked_on, "settled_on": loan.settled_on, "reprices_on": loan.reprices_on, "external_ref": loan.external_ref,
        "status": loan.status, "status_name": loan.get_status_display(), "held": bool(view.row and view.row.held),
        "held_reason": view.row.held_reason if view.row else "", "on": view.on, "known_at": view.known_at,
        "business_date": view.business_date, "figures": view.figures(),
    }  # fmt: skip


def movement_document(row: Any) -> dict[str, Any]:
    """分户账一行的响应。"""
    columns = {name: name for name in MovementReply.model_fields} | {"amount": "amount_fen"}
    return {column: getattr(row, column) for column in columns.values()}


FigureReply = record("Figure", {"figure": str, "label": str}, "可推导的一个数。")


def node_document(node: Node) -> dict[str, Any]:
    """推导树的一个结点：``value`` 元，``exact`` 取整前的精确值（元，分数）。"""
    document: dict[str, Any] = {"label": node.label, "rule": str(node.rule)}
    if node.value_fen is not None:
        document["value"] = yuan(node.value_fen)
    if node.exact is not None:
        document["exact"] = str(node.exact / 100)
    if node.number is not None:
        document |= {"number": node.number, "unit": node.unit}
    if node.formula:
        document["formula"] = node.formula
    if node.source:
        document["source"] = node.source
    if node.children:
        document["children"] = [node_document(child) for child in node.children]
    return document


def calculator_fact(fact: Fact) -> dict[str, Any]:
    """一条事实，只留计算要用的栏目：付款人、备注之类留痕的不出借据，计算器也不认。"""
    document = fact.as_document()
    return document | {"data": {name: value for name, value in document["data"].items() if name in DATA[fact.kind]}}


BookingDone = done("BookingDone", loan_id=int, number=str, task_id=int)
FactDone = done("FactDone", loan_id=int, seq=int, voucher_id=int | None)
RepaymentDone = done(
    "RepaymentDone",
    loan_id=int,
    number=str,
    seq=int,
    voucher_id=int | None,
    allocated=dict[str, int],
    principal_fen=int,
    status=str,
)
