"""试算平衡表与科目明细账。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.db.models import F, Q, Sum, Window
from django.db.models.functions import Coalesce

from sancha.apps.ledger.models import Account, Category, Line
from sancha.apps.ledger.queries.balances import balances_by, opening_and_turnover, scope_of
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.fen import FenField
from sancha.kit.paging import Page, paginate

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class _Running(TypedDict):
    """随分录一并累计的余额（分）。"""

    running: int


@dataclass(frozen=True, slots=True)
class TrialRow:
    """试算平衡表一行。余额借正贷负；``opening_side`` 之类由界面按符号显示。"""

    account_id: int
    code: str
    name: str
    category: str
    normal_side: str
    is_leaf: bool
    opening_fen: int
    debit_fen: int
    credit_fen: int
    closing_fen: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """试算平衡表。表内、表外各自借贷相等才算平。"""

    first: date
    last: date
    rows: list[TrialRow]
    debit_fen: int
    credit_fen: int
    on_balance_closing_fen: int
    off_balance_closing_fen: int

    @property
    def balanced(self) -> bool:
        """借贷发生额相等，表内余额合计为零，表外余额合计为零。"""
        return (
            self.debit_fen == self.credit_fen and not self.on_balance_closing_fen and not self.off_balance_closing_fen
        )


def trial_balance(
    actor: Actor, *, first: date, last: date, institution_id: int | None = None, with_parents: bool = True
) -> TrialBalance:
    """试算平衡：期初、借方、贷方、期末，按科目。机构含下级；``with_parents`` 时上级科目为下级之和。

    合计只加末级。查询不超过四条，与分录多少无关。
    """
    own = opening_and_turnover(scope_of(actor, institution_id), first, last)
    accounts = list(Account.objects.order_by("code"))
    leaves = {pk: tuple(figures) for pk, figures in own.items()}
    if with_parents:
        parents = {account.pk: account.parent_id for account in accounts}
        for pk, figures in leaves.items():
            above = parents.get(pk)
            while above is not None:
                total = own.setdefault(above, [0, 0, 0])
                for index, fen in enumerate(figures):
                    total[index] += fen
                above = parents.get(above)
    rows = [
        TrialRow(
            account.pk, account.code, account.name, account.category, account.normal_side, account.is_leaf,
            row[0], row[1], row[2], row[0] + row[1] - row[2],
        )
        for account in accounts
        if (row := own.get(account.pk)) is not None
    ]  # fmt: skip
    off = {account.pk for account in accounts if account.category == Category.OFF_BALANCE}
    closing = {pk: figures[0] + figures[1] - figures[2] for pk, figures in leaves.items()}
    return TrialBalance(
        first=first, last=last, rows=rows,
        debit_fen=sum(figures[1] for figures in leaves.values()),
        credit_fen=sum(figures[2] for figures in leaves.values()),
        on_balance_closing_fen=sum(fen for pk, fen in closing.items() if pk not in off),
        off_balance_closing_fen=sum(fen for pk, fen in closing.items() if pk in off),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """科目明细账一行，``balance_fen`` 为逐笔余额（借正贷负）。"""

    line_id: int
    voucher_id: int
    booked_on: date
    summary: str
    subject: str
    institution_id: int
    debit_fen: int
    credit_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """科目明细账：期初、一页明细、期末。"""

    account_id: int
    code: str
    name: str
    opening_fen: int
    closing_fen: int
    page: Page[LedgerRow]


def account_ledger(
    actor: Actor,
    *,
    account_id: int,
    first: date,
    last: date,
    institution_id: int | None = None,
    page: int = 1,
    size: int = 50,
) -> AccountLedger:
    """科目明细账：逐笔余额由窗口函数在库里累计，不随页数取前面的行。

    :raises NotFound: 没有这个科目。
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound(
            "ACCOUNT_UNKNOWN",
            f"没有编号为 {account_id} 的科目。",
            field="account_id",
            value=account_id,
            fix="请从科目表中选择。",
        )
    scope = scope_of(actor, institution_id)
    of_account = Q(account_id=account_id)
    opening = balances_by(scope, first - timedelta(days=1), ("account_id",), of_account).get((account_id,), 0)
    lines = Line.objects.filter(scope.q(), of_account, booked_on__gte=first, booked_on__lte=last)
    order = [F("booked_on").asc(), F("id").asc()]
    running = lines.annotate(running=Window(Sum("amount_fen"), order_by=order)).select_related("voucher")

    def row(line: WithAnnotations[Line, _Running]) -> LedgerRow:
        fen = line.amount_fen
        return LedgerRow(
            line.pk, line.voucher_id, line.booked_on, line.summary or line.voucher.summary, line.voucher.subject,
            line.institution_id, max(fen, 0), max(-fen, 0), opening + line.running,
        )  # fmt: skip

    found = paginate(running.order_by("booked_on", "id"), page=page, size=size, to_row=row)
    moved = lines.aggregate(fen=Coalesce(Sum("amount_fen"), 0, output_field=FenField()))["fen"]
    return AccountLedger(account.pk, account.code, account.name, opening, opening + int(moved), found)
