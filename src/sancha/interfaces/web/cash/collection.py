"""代扣：应扣清单与扣款账号相配，回盘到账的逐笔记到借据上。

一笔记不上（借据隔离、已结清）不妨碍别的；再点一次只补没记上的，因为每笔的幂等键由批次与序号定死。
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.cashdesk.queries import debit_items, receipts_hinted
from sancha.apps.servicing.operations import post_repayment
from sancha.apps.servicing.queries import due_items
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError
from sancha.kit.paging import LONGEST_PAGE


def due_with_accounts(actor: Actor, *, day: date, accounts: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """应扣清单里有扣款账号的：``cashdesk.create_debit_batch`` 要的样子。户名空着的用借款人。"""
    return [
        {
            "subject": f"loan:{item['loan_id']}", "amount_fen": item["amount_fen"], "party_id": item["party_id"],
            "payer_name": accounts[item["number"]][0] or item["name"], "payer_account": accounts[item["number"]][1],
        }
        for item in due_items(actor=actor, day=day)
        if item["number"] in accounts
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Posting:
    """一次入账的结果：记上几笔、合计多少、没记上的各是为什么。"""

    posted: int
    amount_fen: int
    problems: list[tuple[str, str]]


def post_paid_items(actor: Actor, *, batch_id: int, on: date) -> Posting:
    """把回盘到账的逐笔记到借据上。"""
    posted = amount = 0
    problems: list[tuple[str, str]] = []
    waiting = waiting_items(actor, batch_id=batch_id)
    for item, left_fen in waiting:
        try:
            post_repayment(
                actor=actor, key=f"debit:{batch_id}:{item['reference']}", loan_id=int(item["subject"].removeprefix("loan:")),
                amount_fen=left_fen, receipt_id=item["receipt_id"], channel="DEBIT", on=on, allow_overpayment=True,
            )  # fmt: skip
        except DomainError as problem:
            problems.append((item["reference"], problem.message))
            continue
        posted += 1
        amount += left_fen
    return Posting(posted, amount, problems)


def waiting_items(actor: Actor, *, batch_id: int) -> list[tuple[dict[str, Any], int]]:
    """到了账而还没记到借据上的明细，与它那笔收款的余额。"""
    items = [item for item in _all_items(actor, batch_id) if item["receipt_id"] and item["subject"].startswith("loan:")]
    found = receipts_hinted(subjects=[item["subject"] for item in items])
    left = {receipt.id: receipt.left_fen for receipts in found.values() for receipt in receipts}
    return [(item, left[item["receipt_id"]]) for item in items if left.get(item["receipt_id"], 0) > 0]


def _all_items(actor: Actor, batch_id: int) -> list[dict[str, Any]]:
    first = debit_items(actor, batch_id=batch_id, size=LONGEST_PAGE).page
    rows = list(first.rows)
    for number in range(2, first.pages + 1):
        rows += debit_items(actor, batch_id=batch_id, page=number, size=LONGEST_PAGE).page.rows
    return rows
