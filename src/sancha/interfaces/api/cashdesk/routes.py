"""出纳的端点。"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.cashdesk import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Day, Id, Word, body_of, done, list_of, page_of, record, reply_of

router = Router(tags=["出纳"])

ReceiptDetail = record(
    "ReceiptDetail", {"receipt": queries.ReceiptInfo, "uses": list[dict[str, Any]]}, "收款与它的全部用途。"
)
DebitLineReply = record(
    "DebitFileLine", {"reference": str, "payer_name": str, "payer_account": str, "amount_fen": int}, "送盘文件的一行。"
)


def _listing(found: queries.Listing, paging: Paging) -> dict[str, Any]:
    return page_reply(found.page, paging) | {"total_amount_fen": found.total_fen}


def _listing_of(kind: type) -> Any:
    return page_of(reply_of(kind), total_amount_fen=int)


@ask(router, "/cashdesk/own-accounts", "cashdesk.view", "自有账户", reply=queries.OwnAccountInfo, many=True)
def own_accounts(request: HttpRequest, *, institution_id: Id | None = None, kind: Word = "") -> Any:
    """范围内的银行账户与现金（账号遮蔽）。"""
    return queries.own_accounts(caller_of(request).actor, institution_id=institution_id, kind=kind)


act(
    router,
    "/cashdesk/own-accounts",
    operations.open_own_account,
    "登记自有账户",
    reply=done("OwnAccountDone", own_account_id=int),
    status=201,
    example={
        "institution_id": 4,
        "kind": "BANK",
        "name": "农商行基本户",
        "account_code": "1002",
        "number": "6217000100010001",
        "bank_name": "农商行营业部",
    },
)


@ask(router, "/cashdesk/receipts", "cashdesk.view", "收款", reply=_listing_of(queries.ReceiptInfo))
def receipts(
    request: HttpRequest,
    *,
    institution_id: Id | None = None,
    own_account_id: Id | None = None,
    state: Word = "",
    open_only: bool = False,
    first: Day | None = None,
    last: Day | None = None,
    subject: Word = "",
    party_id: Id | None = None,
    text: Word = "",
    paging: Query[Paging],
) -> Any:
    """收款，新的在前；``open_only`` 只列还有余额的（挂账）；``text`` 查付款人、流水号、备注。"""
    found = queries.receipts(
        caller_of(request).actor,
        institution_id=institution_id,
        own_account_id=own_account_id,
        state=state,
        open_only=open_only,
        first=first,
        last=last,
        subject=subject,
        party_id=party_id,
        text=text,
        page=paging.page,
        size=paging.size,
    )
    return _listing(found, paging)


@ask(router, "/cashdesk/receipts/{receipt_id}", "cashdesk.view", "一笔收款", reply=ReceiptDetail)
def receipt(request: HttpRequest, *, receipt_id: Id) -> Any:
    """收款与它的全部用途（含退回挂账的负数行）。"""
    found, uses = queries.receipt_detail(caller_of(request).actor, receipt_id)
    return {"receipt": found, "uses": uses}


act(
    router,
    "/cashdesk/receipts",
    operations.record_receipt,
    "登记收款",
    reply=done("ReceiptDone", receipt_id=int, voucher_id=int),
    status=201,
    example={
        "own_account_id": 1,
        "serial": "2026030200017",
        "amount": "4490.30",
        "value_on": "2026-03-02",
        "payer_name": "王秀兰",
        "payer_account": "6217000200020002",
        "channel": "TRANSFER",
        "subject_hint": "loan:1",
    },
    text="登记收款：先挂账（借 银行或现金，贷 暂收），再由还款登记以 ``receipt_id`` 使用。流水号在一个账户内只能登记一次。",
)
act(
    router,
    "/cashdesk/receipts/{receipt_id}/return",
    operations.return_receipt,
    "退回收款",
    reply=done("ReturnDone", order_id=int, amount_fen=int),
    status=201,
    example={"reason": "汇错", "payee_account": "6217000200020002", "payee_bank": "农商行"},
)


@ask(router, "/cashdesk/suspense", "cashdesk.view", "挂账账龄", reply=queries.AgeBand, many=True)
def suspense(request: HttpRequest, *, on: Day | None = None, institution_id: Id | None = None) -> Any:
    """挂账按天数分档的笔数与金额；各档之和等于挂账科目中收款的余额。"""
    caller = caller_of(request)
    return queries.suspense_ageing(caller.actor, on=on or caller.business_date, institution_id=institution_id)


@ask(router, "/cashdesk/payment-orders", "cashdesk.view", "付款单", reply=_listing_of(queries.OrderInfo))
def payment_orders(
    request: HttpRequest,
    *,
    institution_id: Id | None = None,
    state: Word = "",
    purpose: Word = "",
    subject: Word = "",
    first: Day | None = None,
    last: Day | None = None,
    paging: Query[Paging],
) -> Any:
    """付款单，新的在前（收款账号遮蔽）。"""
    found = queries.payment_orders(
        caller_of(request).actor,
        institution_id=institution_id,
        state=state,
        purpose=purpose,
        subject=subject,
        first=first,
        last=last,
        page=paging.page,
        size=paging.size,
    )
    return _listing(found, paging)


OrderReply = record(
    "OrderDetail",
    {
        "info": queries.OrderInfo, "institution_name": str, "own_account_name": str, "own_account_number": str,
        "created_by_name": str, "authorized_by_name": str, "recorded_at": datetime,
    },
    "付款单全貌。",
)  # fmt: skip


@ask(router, "/cashdesk/payment-orders/{order_id}", "cashdesk.view", "一张付款单", reply=OrderReply)
def payment_order(request: HttpRequest, *, order_id: Id) -> Any:
    """付款单：收款人（账号遮蔽）、从哪个账户付、谁录入、谁授权、复核意见、凭证。"""
    return queries.order_detail(caller_of(request).actor, order_id)


act(
    router,
    "/cashdesk/payment-orders",
    operations.enter_payment_order,
    "录入付款单",
    reply=done("OrderDone", order_id=int),
    status=201,
    example={
        "own_account_id": 1,
        "purpose": "DISBURSEMENT",
        "subject": "loan:1",
        "amount": "50000.00",
        "payee_name": "王秀兰",
        "payee_account": "6217000200020002",
        "payee_bank": "农商行",
    },
)
act(
    router,
    "/cashdesk/payment-orders/{order_id}/authorize",
    operations.authorize_payment_order,
    "授权付款单",
    example={"opinion": "同意"},
)
act(
    router, "/cashdesk/payment-orders/{order_id}/reject", operations.reject_payment_order, "退回付款单",
    example={"opinion": "户名与账号不符"},
)  # fmt: skip
act(
    router, "/cashdesk/payment-orders/{order_id}/correct", operations.correct_payment_order, "改正付款单",
    example={"payee_name": "王秀兰", "payee_account": "6217000200020002", "payee_bank": "农商行", "memo": "更正户名"},
    text="录入人改正待授权的或被退回的付款单，重新送复核。金额、用途不能改：撤销后重开。",
)  # fmt: skip
act(router, "/cashdesk/payment-orders/{order_id}/send", operations.send_payment_order, "发送付款单")
act(
    router,
    "/cashdesk/payment-orders/{order_id}/settle",
    operations.settle_payment_order,
    "付款成功",
    example={"bank_serial": "B20260302001"},
)
act(
    router,
    "/cashdesk/payment-orders/{order_id}/fail",
    operations.fail_payment_order,
    "付款失败",
    example={"reason": "账号户名不符"},
)
act(
    router,
    "/cashdesk/payment-orders/{order_id}/cancel",
    operations.cancel_payment_order,
    "撤销付款单",
    example={"reason": "录错金额"},
)

act(
    router,
    "/cashdesk/cash-moves",
    operations.move_cash,
    "现金缴存与提取",
    status=201,
    example={"from_account_id": 2, "to_account_id": 1, "amount": "20000.00", "serial": "XJ20260302001"},
)
act(
    router,
    "/cashdesk/cash-counts",
    operations.count_cash,
    "现金清点",
    status=201,
    example={"own_account_id": 2, "counted": "1580.50", "reason": ""},
)


@ask(router, "/cashdesk/cash-counts", "cashdesk.view", "柜员日结", reply=_listing_of(queries.TellerDayInfo))
def teller_days(request: HttpRequest, *, institution_id: Id | None = None, paging: Query[Paging]) -> Any:
    """柜员日结，新的在前；合计为长短款净额。"""
    found = queries.teller_days(
        caller_of(request).actor, institution_id=institution_id, page=paging.page, size=paging.size
    )
    return _listing(found, paging)


StatementBody = body_of(
    "StatementRowBody",
    {
        "serial": Spec(str),
        "value_on": Spec(date),
        "amount_fen": Spec(int),
        "balance_fen": Spec(int | None, None),
        "counterparty": Spec(str, ""),
        "counterparty_account": Spec(str, ""),
        "memo": Spec(str, ""),
    },
)
act(
    router,
    "/cashdesk/statements",
    operations.import_statement,
    "导入银行流水",
    reply=done("StatementDone", imported=int, duplicates=int, receipts=int),
    status=201,
    fields={"rows": Spec(list_of(StatementBody))},
    example={
        "own_account_id": 1,
        "rows": [{"serial": "2026030200017", "value_on": "2026-03-02", "amount": "4490.30", "counterparty": "王秀兰"}],
        "create_receipts": True,
    },
    text="导入银行流水：金额收正付负；流水号去重，相同的跳过，同号不同额者整批拒绝。``create_receipts`` 时没有登记过的进账成为挂账收款。",
)


@ask(
    router,
    "/cashdesk/own-accounts/{own_account_id}/statement",
    "cashdesk.view",
    "银行流水",
    reply=page_of(
        record(
            "StatementLine",
            {
                "id": int,
                "serial": str,
                "value_on": date,
                "amount_fen": int,
                "balance_fen": int | None,
                "counterparty": str,
                "memo": str,
            },
            "银行流水的一笔。",
        ),
        total_amount_fen=int,
    ),
)
def statement(
    request: HttpRequest,
    *,
    own_account_id: Id,
    first: Day | None = None,
    last: Day | None = None,
    paging: Query[Paging],
) -> Any:
    """银行流水，新的在前；合计为净额。"""
    found = queries.statement_lines(
        caller_of(request).actor,
        own_account_id=own_account_id,
        first=first,
        last=last,
        page=paging.page,
        size=paging.size,
    )
    return _listing(found, paging)


@ask(
    router,
    "/cashdesk/own-accounts/{own_account_id}/reconciliation",
    "cashdesk.view",
    "每日对账",
    reply=queries.ReconciliationProof,
)
def reconciliation(request: HttpRequest, *, day: Day, own_account_id: Id) -> Any:
    """自有记录与银行流水相配，累计到某日：账面、银行、两边未达、差额。"""
    return queries.reconcile(caller_of(request).actor, own_account_id=own_account_id, day=day)


act(
    router,
    "/cashdesk/own-accounts/{own_account_id}/reconciliation",
    operations.confirm_reconciliation,
    "确认对账",
    example={"day": "2026-03-02"},
)
act(
    router,
    "/cashdesk/statement-lines/{line_id}/explain",
    operations.explain_statement_line,
    "解释一笔流水",
    example={"voucher_id": 12},
)


@ask(router, "/cashdesk/debit-batches", "cashdesk.view", "批扣", reply=_listing_of(queries.BatchInfo))
def debit_batches(request: HttpRequest, *, institution_id: Id | None = None, paging: Query[Paging]) -> Any:
    """批扣，新的在前；合计为应扣。"""
    found = queries.debit_batches(
        caller_of(request).actor, institution_id=institution_id, page=paging.page, size=paging.size
    )
    return _listing(found, paging)


@ask(router, "/cashdesk/debit-batches/{batch_id}/file", "cashdesk.receive", "送盘文件", reply=DebitLineReply, many=True)
def debit_file(request: HttpRequest, *, batch_id: Id) -> Any:
    """送盘文件的内容（含完整账号），只在送出后给出。"""
    return queries.debit_file(caller_of(request).actor, batch_id=batch_id)


DebitBody = body_of(
    "DebitItemBody",
    {
        "subject": Spec(str),
        "amount_fen": Spec(int),
        "payer_name": Spec(str),
        "payer_account": Spec(str),
        "party_id": Spec(int | None, None),
    },
)
ResultBody = body_of(
    "DebitResultBody",
    {"reference": Spec(str), "paid_fen": Spec(int), "serial": Spec(str, ""), "failure": Spec(str, "")},
)
act(
    router,
    "/cashdesk/debit-batches",
    operations.create_debit_batch,
    "生成批扣",
    reply=done("DebitBatchDone", batch_id=int, amount_fen=int),
    status=201,
    fields={"items": Spec(list_of(DebitBody))},
    example={
        "own_account_id": 1,
        "items": [
            {"subject": "loan:1", "amount": "4490.30", "payer_name": "王秀兰", "payer_account": "6217000200020002"}
        ],
    },
    text="生成批扣：应扣清单取自 `GET /loans/due`；同一对象待回盘时不能再扣。",
)
act(router, "/cashdesk/debit-batches/{batch_id}/send", operations.send_debit_batch, "送盘")
act(
    router,
    "/cashdesk/debit-batches/{batch_id}/results",
    operations.record_debit_results,
    "回盘",
    fields={"results": Spec(list_of(ResultBody))},
    example={"results": [{"reference": "1-1", "paid": "4490.30", "serial": "K20260302001"}]},
    text="回盘：成功者成为收款（带对象线索），失败者记原因；可分几次，同一项重复且相同的跳过。",
)
