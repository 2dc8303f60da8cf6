"""总账的端点。"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from sancha.apps.ledger import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Day, Id, Word, body_of, list_of, page_of, record, reply_of
from sancha.kit.errors import DomainError

router = Router(tags=["总账"])

AccountLedgerReply = page_of(
    reply_of(queries.LedgerRow), account_id=int, code=str, name=str, opening_fen=int, closing_fen=int
)
DraftLineReply = record(
    "DraftLine", {"account_code": str, "account_name": str, "amount_fen": int, "summary": str}, "手工凭证草稿的一行。"
)
DraftReply = reply_of(queries.DraftRow, without=["lines"], lines=list_of(DraftLineReply))


def _period(first: date, last: date) -> None:
    if first > last:
        raise DomainError(
            "PERIOD_WRONG", f"起日 {first} 晚于止日 {last}。", field="first", value=first, fix="起日不得晚于止日。"
        )


@ask(router, "/ledger/trial-balance", "ledger.view", "试算平衡", reply=queries.TrialBalance)
def trial_balance(
    request: HttpRequest, *, first: Day, last: Day, institution_id: Id | None = None, with_parents: bool = True
) -> Any:
    """期初、借方、贷方、期末，按科目；机构含下级。合计只加末级。"""
    _period(first, last)
    return queries.trial_balance(
        caller_of(request).actor, first=first, last=last, institution_id=institution_id, with_parents=with_parents
    )


@ask(router, "/ledger/accounts", "ledger.view", "科目表", reply=queries.AccountRow, many=True)
def accounts(request: HttpRequest) -> Any:
    """科目表，按代号。"""
    return queries.chart_of_accounts()


@ask(router, "/ledger/accounts/{account_id}/entries", "ledger.view", "科目明细账", reply=AccountLedgerReply)
def entries(
    request: HttpRequest,
    *,
    first: Day,
    last: Day,
    account_id: Id,
    institution_id: Id | None = None,
    paging: Query[Paging],
) -> Any:
    """科目明细账：逐笔余额。"""
    _period(first, last)
    shown = queries.account_ledger(
        caller_of(request).actor, account_id=account_id, first=first, last=last, institution_id=institution_id,
        page=paging.page, size=paging.size,
    )  # fmt: skip
    return page_reply(
        shown.page, paging, account_id=shown.account_id, code=shown.code, name=shown.name
    ) | {"opening_fen": shown.opening_fen, "closing_fen": shown.closing_fen}  # fmt: skip


@ask(router, "/ledger/mappings", "ledger.view", "科目对照", reply=queries.MappingRow, many=True)
def mappings(request: HttpRequest, *, position_code: Word = "") -> Any:
    """头寸代码 → 科目的全部对照记录，按头寸、起效日。"""
    return queries.account_mappings(position_code=position_code)


@ask(router, "/ledger/vouchers", "ledger.view", "凭证", reply=page_of(reply_of(queries.VoucherRow)))
def vouchers(
    request: HttpRequest,
    *,
    institution_id: Id | None = None,
    first: Day | None = None,
    last: Day | None = None,
    source: Word = "",
    kind: Word = "",
    subject: Word = "",
    loan_id: Id | None = None,
    text: Word = "",
    paging: Query[Paging],
) -> Any:
    """凭证列表，新的在前。"""
    found = queries.voucher_list(
        caller_of(request).actor, institution_id=institution_id, first=first, last=last, source=source, kind=kind, subject=subject,
        loan_id=loan_id, text=text, page=paging.page, size=paging.size,
    )  # fmt: skip
    return page_reply(found, paging)


@ask(router, "/ledger/vouchers/{voucher_id}", "ledger.view", "一张凭证", reply=queries.VoucherDetail)
def voucher(request: HttpRequest, *, voucher_id: Id) -> Any:
    """凭证的表头、分录、制单与授权人、冲回关系。"""
    return queries.voucher_detail(caller_of(request).actor, voucher_id)


@ask(router, "/ledger/drafts", "ledger.view", "手工凭证草稿", reply=page_of(DraftReply))
def drafts(request: HttpRequest, *, state: Word = "", paging: Query[Paging]) -> Any:
    """手工凭证草稿，新的在前。"""
    found = queries.manual_drafts(caller_of(request).actor, state=state, page=paging.page, size=paging.size)
    shown = page_reply(found, paging)
    for item, row in zip(shown["items"], found.rows, strict=False):
        item["lines"] = _lines(row)
    return shown


def _lines(row: queries.DraftRow) -> list[dict[str, Any]]:
    return [
        {"account_code": code, "account_name": name, "amount_fen": fen, "summary": summary}
        for code, name, fen, summary in row.lines
    ]


@ask(router, "/ledger/drafts/{draft_id}", "ledger.view", "一张手工凭证草稿", reply=DraftReply)
def draft(request: HttpRequest, *, draft_id: Id) -> Any:
    """一张草稿：分录、谁录入、谁复核、意见、记成了哪张凭证。"""
    row = queries.draft_detail(caller_of(request).actor, draft_id)
    return {item.name: getattr(row, item.name) for item in fields(row)} | {"lines": _lines(row)}


LineBody = body_of("ManualLineBody", {"account": Spec(str), "amount_fen": Spec(int), "summary": Spec(str, "")})
act(
    router, "/ledger/drafts", operations.enter_manual_voucher, "录入手工凭证", status=201, fields={"lines": Spec(list_of(LineBody))},
    example={
        "institution_id": 4, "booked_on": "2026-03-02", "summary": "银行手续费，附件一张",
        "lines": [{"account": "6421", "amount": "15.00"}, {"account": "1002", "amount": "-15.00"}],
    },
    text="录入手工凭证草稿并开出复核任务，由另一人授权后记账。每行是末级科目代号与金额（借正贷负），借贷须相等。",
)  # fmt: skip
act(
    router,
    "/ledger/drafts/{draft_id}/authorize",
    operations.authorize_manual_voucher,
    "授权手工凭证",
    example={"opinion": "同意"},
)
act(
    router,
    "/ledger/drafts/{draft_id}/reject",
    operations.reject_manual_voucher,
    "退回手工凭证",
    example={"opinion": "缺附件"},
)
act(
    router, "/ledger/drafts/{draft_id}/correct", operations.correct_manual_voucher, "改正手工凭证草稿",
    fields={"lines": Spec(list_of(LineBody))},
    example={
        "booked_on": "2026-03-02", "summary": "银行手续费，附件一张",
        "lines": [{"account": "6421", "amount": "16.00"}, {"account": "1002", "amount": "-16.00"}],
    },
    text="录入人改正待复核的或被退回的草稿，重新送复核：原来的复核任务撤销，另开一条。",
)  # fmt: skip
act(
    router, "/ledger/drafts/{draft_id}/withdraw", operations.withdraw_manual_voucher, "撤回手工凭证草稿",
    example={"reason": "重复录入"},
)  # fmt: skip
act(
    router, "/ledger/vouchers/{voucher_id}/reverse", operations.reverse_manual_voucher, "冲回手工凭证", status=201,
    example={"reason": "科目记错"},
)  # fmt: skip


@ask(router, "/ledger/periods", "ledger.view", "结账记录", reply=page_of(reply_of(queries.PeriodRow)))
def periods(request: HttpRequest, *, paging: Query[Paging]) -> Any:
    """月结与年结的记录，新的在前。"""
    return page_reply(queries.closed_periods(caller_of(request).actor, page=paging.page, size=paging.size), paging)


@ask(router, "/ledger/opening", "ledger.view", "期初核对", reply=queries.OpeningRow, many=True)
def opening(request: HttpRequest, *, institution_id: Id) -> Any:
    """受头寸控制的科目：原系统余额与借据期初凭证逐科目比较。"""
    return queries.compare_opening(caller_of(request).actor, institution_id=institution_id)


act(
    router, "/ledger/opening", operations.post_opening_balances, "登记期初余额", status=201,
    fields={"balances": Spec(dict[str, int])},
    example={"institution_id": 4, "cut_over_on": "2026-03-01", "balances": {"1002": "500000.00", "4001": "-500000.00"}},
    text="登记原系统切换日的科目余额：科目代号 → 元（借正贷负），表内、表外各自须平。",
)  # fmt: skip
act(
    router,
    "/ledger/periods/month",
    operations.close_month,
    "月结",
    example={"institution_id": 1, "month": "2026-02-01"},
)
act(
    router,
    "/ledger/periods/year",
    operations.close_year,
    "年结",
    fields={"year": Spec(Annotated[int, Field(strict=True, ge=1950, le=2150)])},
    example={"institution_id": 1, "year": 2025},
)
act(
    router, "/ledger/accounts", operations.add_account, "新增科目", status=201,
    example={"code": "100203", "name": "存放农商行二户", "category": "ASSET", "normal_side": "DEBIT"},
)  # fmt: skip
act(
    router, "/ledger/mappings", operations.map_account, "改科目对照", status=201,
    example={"position_code": "INTEREST_INCOME", "account_code": "601101", "valid_from": "2026-04-01"},
)  # fmt: skip
