"""借据的端点。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.servicing import operations, queries
from sancha.apps.servicing.queries import adjustments
from sancha.apps.work import queries as work
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.servicing.presenting import (
    BookingDone,
    DocumentReply,
    DueReply,
    FactDone,
    FigureReply,
    LoanListReply,
    LoanReply,
    MovementReply,
    PayoffReply,
    PreviewReply,
    RepaymentDone,
    calculator_fact,
    loan_document,
    movement_document,
    node_document,
)
from sancha.interfaces.api.shapes import (
    AsIs,
    Day,
    Id,
    Word,
    body_of,
    done,
    list_of,
    page_of,
    query_of,
    specs_of,
    unfold,
    yuan,
)
from sancha.kernel import derivation
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page

router = Router(tags=["借据"])
LoanQuery = query_of(queries.LoanFilter)

ELEMENTS = {
    "customer_kind": "FARMER", "amount": "50000.00", "term_unit": "MONTH", "term_count": 12, "method": "LEVEL_PAYMENT",
    "period": {"unit": "MONTH"}, "rate_ppm": 144000, "guarantee": "GUARANTEE", "start": "2026-03-02",
}  # fmt: skip
BOOKING = {
    "party_id": 1, "product_id": 1, "institution_id": 4, "elements": ELEMENTS, "purpose": "购买种苗与化肥", "guarantor": "李建国",
}  # fmt: skip


def _plan_specs(specs: dict[str, Spec]) -> dict[str, Spec]:
    # ``plan`` is an amount without the suffix that says so.
    return {("plan_fen" if name == "plan" else name): spec for name, spec in specs.items()}


# 查询 ------------------------------------------------------------------------------------------------------


@ask(router, "/loans", "servicing.view", "借据台账", reply=LoanListReply, where=LoanQuery)
def loans(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """借据台账：与页面同样的筛选与合计。``order`` 可为 starts_on、matures_on、number、principal_fen、balance_fen、
    overdue_principal_fen、next_due_on、days_past_due，前加 ``-`` 为倒序。"""
    caller = caller_of(request)
    chosen = queries.LoanFilter(**where.model_dump())
    found = queries.list_loans(
        actor=caller.actor, where=chosen, today=caller.business_date, page=paging.page, size=paging.size
    )
    return page_reply(
        found, paging, totals=queries.loan_totals(actor=caller.actor, where=chosen, today=caller.business_date)
    )


@ask(router, "/loans/due", "servicing.view", "某日应还清单", reply=DueReply, many=True)
def due(request: HttpRequest, *, day: Day | None = None) -> Any:
    """某日（缺省营业日）到期的与欠着的，金额按当日开门推演：代扣、还款窗口用。"""
    caller = caller_of(request)
    return queries.due_items(actor=caller.actor, day=day or caller.business_date)


PreviewBody = body_of(
    "BookingPreviewBody",
    _plan_specs(specs_of(queries.preview_booking)),
    example={"product_id": 1, "institution_id": 4, "elements": ELEMENTS},
)


@ask(router, "/loans/preview", "servicing.book", "登记前试排", reply=PreviewReply, method="POST", body=PreviewBody)
def preview(request: HttpRequest, *, body: Any) -> Any:
    """登记前试排还款计划：与登记同一套核对，什么也不写。"""
    given = unfold(body)
    given["plan"] = tuple(given.pop("plan_fen"))
    shown = queries.preview_booking(actor=caller_of(request).actor, **given)
    return {
        "problems": shown.problems,
        "rows": shown.rows,
        "terms": AsIs(shown.terms.as_document()) if shown.terms else None,
    }


@ask(router, "/loans/{loan_id}", "servicing.view", "一笔借据", reply=LoanReply)
def loan(request: HttpRequest, *, loan_id: Id, on: Day | None = None, known_at: Day | None = None) -> Any:
    """一笔借据：缺省是账上现状；``on`` 看某日开门的样子，``known_at`` 按那天当时所知（其后才录的事实不算）。"""
    return loan_document(_view(request, loan_id, on, known_at))


@ask(router, "/loans/{loan_id}/schedule", "servicing.view", "还款计划", reply=queries.TimetableRow, many=True)
def schedule(request: HttpRequest, *, loan_id: Id, on: Day | None = None, known_at: Day | None = None) -> Any:
    """还款计划：已结各期与假定此后没有收付、推演出的未来各期，连同已还、减免与逾期天数。"""
    return _view(request, loan_id, on, known_at).timetable()


@ask(router, "/loans/{loan_id}/facts", "servicing.view", "事实时间线", reply=queries.Step, many=True)
def facts(request: HttpRequest, *, loan_id: Id, on: Day | None = None, known_at: Day | None = None) -> Any:
    """事实时间线，新的在前：起息日、记账日、金额、分到了哪里、凭证、是否已被冲正。"""
    return queries.history(_view(request, loan_id, on, known_at))


@ask(router, "/loans/{loan_id}/movements", "servicing.view", "分户账", reply=page_of(MovementReply))
def movements(request: HttpRequest, *, loan_id: Id, paging: Query[Paging]) -> Any:
    """分户账，新的在前。日终逐日的直线增量不在此列。"""
    found: Page[Any] = queries.movements(
        actor=caller_of(request).actor, loan_id=loan_id, page=paging.page, size=paging.size
    )
    return page_reply(replace(found, rows=[movement_document(row) for row in found.rows]), paging)


@ask(router, "/loans/{loan_id}/payoff", "servicing.view", "结清报价", reply=PayoffReply)
def payoff(request: HttpRequest, *, loan_id: Id, on: Day | None = None) -> Any:
    """某日（缺省营业日）结清要付的各项与合计，与结清入账同一算法，一分不差；未来的日子假定其间没有收付。"""
    view = _view(request, loan_id, on, None)
    parts = view.payoff()
    return {
        "loan_id": loan_id,
        "number": view.loan.number,
        "on": view.on,
        "total_fen": parts["total"],
        "parts": {name: yuan(amount) for name, amount in parts.items() if name != "total"},
    }


@ask(router, "/loans/{loan_id}/document", "servicing.view", "借据的计算器文档", reply=DocumentReply)
def document(request: HttpRequest, *, loan_id: Id, on: Day | None = None, known_at: Day | None = None) -> Any:
    """条款与事实的全文：原样交给 ``POST /calculator`` 或 ``sancha quote`` 就得出同样的状态，谁都能独立复算。金额为整数分。"""
    view = _view(request, loan_id, on, known_at)
    return {
        "terms": AsIs(view.terms.as_document()),
        "facts": [AsIs(calculator_fact(fact)) for fact in view.facts],
        "on": view.on,
        "known_at": known_at,
    }


@ask(router, "/loans/{loan_id}/figures", "servicing.view", "可推导的数", reply=FigureReply, many=True)
def figures(request: HttpRequest, *, loan_id: Id, on: Day | None = None, known_at: Day | None = None) -> Any:
    """这笔借据可推导的数：名字与中文，含每个头寸代码与每一期。"""
    view = _view(request, loan_id, on, known_at)
    return [{"figure": name, "label": label} for name, label in derivation.figures(view.terms, view.state).items()]


@ask(router, "/loans/{loan_id}/derivation", "servicing.view", "一个数的推导", reply=dict[str, Any])
def derive(
    request: HttpRequest, *, figure: Word, loan_id: Id, on: Day | None = None, known_at: Day | None = None
) -> Any:
    """一个数怎么来的：基数 × 利率 × 天数 ÷ 基数、取整与规则，一层层到事实与条款。``figure`` 的名字见 `GET /loans/{loan_id}/figures`。"""
    view = _view(request, loan_id, on, known_at)
    try:
        node = derivation.derive(view.terms, view.facts, figure, on=view.on, known_at=known_at)
    except derivation.UnknownFigure as unknown:
        raise NotFound(
            "FIGURE_UNKNOWN", str(unknown), field="figure", value=figure, fix="名字见 GET /loans/{loan_id}/figures。"
        ) from unknown
    return AsIs(node_document(node))


@ask(router, "/loans/{loan_id}/tasks", "servicing.view", "借据的任务", reply=work.TaskRow, many=True)
def tasks_of(request: HttpRequest, *, loan_id: Id) -> Any:
    """一笔借据的全部任务，先开者在前。"""
    caller = caller_of(request)
    return work.tasks_of_root(caller.actor, root_type="loan", root_id=loan_id, on=caller.business_date)


def _view(request: HttpRequest, loan_id: int, on: Any, known_at: Any) -> queries.LoanView:
    return queries.view_loan(actor=caller_of(request).actor, loan_id=loan_id, on=on, known_at=known_at)


# 写入 ------------------------------------------------------------------------------------------------------


def _book(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    plan = given.pop("plan_fen")
    return given | {"plan": tuple(plan)}


act(
    router, "/loans", operations.book_loan, "登记借据", reply=BookingDone, status=201, without=["plan"], fields={"plan_fen": Spec(list[int], [])},
    example=BOOKING, prepare=_book,
    text="登记借据：核对客户、产品要素与机构，钉死条款，开出放款复核任务（``task_id``）；复核人以 `POST /tasks/{task_id}/submit` 同意后才入账。",
)  # fmt: skip
act(
    router, "/loans/{loan_id}/repayments", operations.post_repayment, "还款登记", reply=RepaymentDone, status=201,
    fields={"order": Spec(list[str] | None, None)},
    example={"amount": "4490.30", "channel": "TRANSFER", "payer_name": "王秀兰", "value_on": "2026-03-02", "remark": "核心流水 88012"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/prepayments", operations.prepay_loan, "提前部分还本", reply=RepaymentDone, status=201,
    example={"amount": "10000.00", "mode": "TERM"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/settlement", operations.settle_loan, "提前结清", reply=RepaymentDone, status=201, example={"amount": "50300.00"},
    text="提前结清：金额须等于结清报价（`GET /loans/{loan_id}/payoff`），一分不差。",
)  # fmt: skip
act(
    router, "/loans/{loan_id}/refunds", operations.refund_overpayment, "退还溢缴款", reply=FactDone, status=201,
    example={"amount": "12.50", "reason": "客户申请"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/reversals", operations.reverse_fact, "冲正", reply=FactDone, status=201,
    example={"seq": 2, "reason": "记错户", "accept_later": False},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/extension", operations.extend_loan, "展期", reply=FactDone, status=201,
    example={"matures_on": "2027-06-02", "reason": "受灾减产，经审批展期三个月"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/plan", operations.change_plan, "重订计划", reply=FactDone, status=201,
    example={"due_dates": ["2026-09-02", "2027-03-02"], "reason": "困难分期", "reopen_overdue": True},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/rate", operations.change_rate, "利率变更", reply=FactDone, status=201,
    example={"rate_ppm": 120000, "reason": "经审批下调"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/fees", operations.charge_fee, "收费", reply=FactDone, status=201,
    example={"amount": "50.00", "name": "公证费", "reason": "依约由借款人承担"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/waivers", operations.waive, "减免", reply=FactDone, status=201,
    example={"component": "penalty", "amount": "35.20", "reason": "受灾，经审批"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/acceleration", operations.accelerate_loan, "宣布提前到期", reply=FactDone, status=201,
    example={"reason": "挪用贷款，依合同第八条"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/classification", operations.classify_loan, "五级分类认定", reply=FactDone, status=201,
    example={"loan_class": 3, "reason": "经营停顿"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/accrual-status", operations.set_accrual_status, "应计与非应计认定", reply=FactDone, status=201,
    example={"accrual": False, "reason": "借款人停产"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/misuse", operations.mark_misuse, "挪用罚息", reply=FactDone, status=201,
    example={"active": True, "reason": "资金流入股市", "value_on": "2026-03-02"},
)  # fmt: skip
ShareBody = body_of("PayerShareBody", {"payer": Spec(str), "share_ppm": Spec(int)})
act(
    router, "/loans/{loan_id}/payer-shares", operations.set_payer_shares, "利息承担份额变更", reply=FactDone, status=201,
    fields={"shares": Spec(list_of(ShareBody))},
    prepare=lambda request, given: given | {"shares": [[item["payer"], item["share_ppm"]] for item in given["shares"]]},
    example={"shares": [{"payer": "STATE", "share_ppm": 500000}], "reason": "贴息文件〔2026〕3 号"},
    text="利息承担份额变更：列出各第三方的份额（百万分之一），其余归借款人。",
)  # fmt: skip
act(
    router, "/loans/{loan_id}/transfer", operations.transfer_loan, "机构划转", reply=FactDone, status=201,
    example={"institution_id": 5, "reason": "网点撤并"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/write-off", operations.write_off_loan, "核销", reply=FactDone, status=201,
    example={"reason": "借款人死亡，无遗产可供执行", "approval_number": "青农商核〔2026〕5 号"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/recoveries", operations.post_recovery, "核销后收回", reply=FactDone, status=201,
    example={"amount": "500.00", "remark": "法院执行款"},
)  # fmt: skip
act(
    router, "/loans/{loan_id}/release", operations.release_loan, "解除隔离", example={"reason": "数据已修复"},
)  # fmt: skip

# 调整：录入、改正、撤回；复核走 ``POST /tasks/{task_id}/submit`` ---------------------------------------------


@ask(
    router, "/loans/{loan_id}/adjustments", "servicing.view", "借据的调整", reply=adjustments.AdjustmentInfo, many=True
)
def adjustments_of(request: HttpRequest, *, loan_id: Id) -> Any:
    """一笔借据的全部调整，新的在前：待复核、已退回、已记账、已撤回。"""
    actor = caller_of(request).actor
    queries.find_loan(actor=actor, loan_id=loan_id)
    return adjustments.adjustments_of(actor, loan_id=loan_id)


@ask(router, "/loans/adjustments/{adjustment_id}", "servicing.view", "一笔调整", reply=adjustments.AdjustmentInfo)
def adjustment(request: HttpRequest, *, adjustment_id: Id) -> Any:
    """一笔调整：要调什么、为什么、谁录入、谁复核、记成了哪条事实与凭证。"""
    return adjustments.adjustment_detail(caller_of(request).actor, adjustment_id)


AdjustmentDone = done("AdjustmentDone", loan_id=int, adjustment_id=int, task_id=int)
act(
    router, "/loans/{loan_id}/adjustments", operations.propose_adjustment, "录入调整", reply=AdjustmentDone, status=201,
    example={"component": "fee", "direction": "INCREASE", "amount": "10.00", "reason": "核对函 2026-17 第 3 条"},
    text="录入一笔调整并开出复核任务（``task_id``）：此时不记账，另一人以 `POST /tasks/{task_id}/submit` 同意后才记。",
)  # fmt: skip
act(
    router, "/loans/adjustments/{adjustment_id}/correct", operations.correct_adjustment, "改正调整", reply=AdjustmentDone,
    example={"direction": "INCREASE", "amount": "8.00", "reason": "核对函 2026-17 第 3 条"},
)  # fmt: skip
act(
    router, "/loans/adjustments/{adjustment_id}/withdraw", operations.withdraw_adjustment, "撤回调整",
    example={"reason": "录错借据"},
)  # fmt: skip
