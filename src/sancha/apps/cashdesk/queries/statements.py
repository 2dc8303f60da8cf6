"""银行流水、未达项与余额调节表。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from sancha.apps.access.queries import in_scope
from sancha.apps.cashdesk.models import (
    CashMovement,
    OrderState,
    OwnAccount,
    PaymentOrder,
    Receipt,
    Reconciliation,
    StatementLine,
)
from sancha.apps.cashdesk.queries.listing import Listing, listing_of
from sancha.apps.ledger.queries import account_balance, manual_movements
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class OpenItem:
    """未达项：``side`` 为 OURS（我方已记、银行未记）或 BANK（反之）；金额收正付负。"""

    side: str
    kind: str
    id: int
    serial: str
    day: date
    amount_fen: int
    text: str


@dataclass(frozen=True, slots=True)
class ReconciliationProof:
    """银行存款余额调节表：银行余额 = 账面余额 − 只有我方 + 只有银行。"""

    own_account_id: int
    day: date
    book_fen: int
    bank_fen: int | None
    matched_count: int
    matched_fen: int
    only_ours: list[OpenItem]
    only_bank: list[OpenItem]
    amount_differs: list[str]
    confirmed: bool

    @property
    def only_ours_fen(self) -> int:
        """只有我方记了的净额。"""
        return sum(item.amount_fen for item in self.only_ours)

    @property
    def only_bank_fen(self) -> int:
        """只有银行记了的净额。"""
        return sum(item.amount_fen for item in self.only_bank)

    @property
    def difference_fen(self) -> int:
        """调节后差额，应为零；没有银行余额时以零计，见 ``bank_fen``。"""
        if self.bank_fen is None:
            return 0
        return self.bank_fen - (self.book_fen - self.only_ours_fen + self.only_bank_fen)


def reconcile(actor: Actor, *, own_account_id: int, day: date) -> ReconciliationProof:
    """每日对账：自有记录（收款、付款、现金缴存、手工凭证）与银行流水按流水号和金额相配，累计到 ``day``。

    金额不符的两边都列为未达，并在 ``amount_differs`` 点名。SQL 条数固定。

    :raises NotFound: 没有该账户，或不在管辖范围内。
    """
    account = _account_in_scope(actor, own_account_id)
    bank = StatementLine.objects.filter(own_account=account, value_on__lte=day)
    explained = set(bank.exclude(explained_by=None).values_list("explained_by", flat=True))
    manual = manual_movements(account_id=account.ledger_account_id, institution_id=account.institution_id, upto=day)
    ours = [*_own_records(account, day, bank), *(
        OpenItem("OURS", "VOUCHER", voucher_id, "", booked_on, fen, summary)
        for voucher_id, booked_on, fen, summary in manual
        if voucher_id not in explained
    )]  # fmt: skip
    unexplained = bank.exclude(explained_by__in=[voucher_id for voucher_id, *_ in manual])
    theirs = [
        OpenItem(
            "BANK", "STATEMENT", line.pk, line.serial, line.value_on, line.amount_fen, line.counterparty or line.memo
        )
        for line in _without_own_record(account, day, unexplained).order_by("value_on", "id")
    ]
    of_day = bank.filter(value_on=day).exclude(pk__in=[item.id for item in theirs])
    matched = of_day.aggregate(fen=Sum("amount_fen"), many=Count("id"))
    balance = bank.exclude(balance_fen=None).order_by("-value_on", "-id").values_list("balance_fen", flat=True).first()
    return ReconciliationProof(
        own_account_id=account.pk, day=day,
        book_fen=account_balance(
            account_id=account.ledger_account_id, institution_id=account.institution_id, on=day
        ),
        bank_fen=balance, matched_count=int(matched["many"] or 0), matched_fen=int(matched["fen"] or 0),
        only_ours=ours, only_bank=theirs,
        amount_differs=sorted({item.serial for item in ours if item.serial} & {item.serial for item in theirs}),
        confirmed=Reconciliation.objects.filter(own_account=account, day=day).exists(),
    )  # fmt: skip


def _account_in_scope(actor: Actor, own_account_id: int) -> OwnAccount:
    account = OwnAccount.objects.filter(in_scope(actor), pk=own_account_id).first()
    if account is None:
        raise NotFound(
            "OWN_ACCOUNT_NOT_FOUND",
            f"没有编号为 {own_account_id} 的自有账户，或不在您的管辖范围内。",
            field="own_account_id",
            value=own_account_id,
            fix="请从自有账户清单中选择。",
        )
    return account


def _own_records(account: OwnAccount, day: date, bank: QuerySet[StatementLine]) -> list[OpenItem]:
    """我方已记而银行没有相同流水号、相同金额的。"""
    same = bank.filter(serial=OuterRef("serial"), amount_fen=OuterRef("amount_fen"))
    taken = Receipt.objects.filter(own_account=account, booked_on__lte=day).filter(~Exists(same))
    same_paid = bank.filter(serial=OuterRef("bank_serial"), amount_fen=-OuterRef("amount_fen"))
    paid = PaymentOrder.objects.filter(own_account=account, state=OrderState.SETTLED, finished_on__lte=day)
    moved = CashMovement.objects.filter(own_account=account, day__lte=day, reason__startswith="move:")
    serials = {row.pk: row.reason.removeprefix("move:") for row in moved}
    known = set(bank.filter(serial__in=serials.values()).values_list("serial", "amount_fen"))
    return [
        *(
            OpenItem("OURS", "RECEIPT", row.pk, row.serial, row.booked_on, row.amount_fen, row.payer_name)
            for row in taken
        ),
        *(
            OpenItem(
                "OURS", "PAYMENT", row.pk, row.bank_serial, row.finished_on or day, -row.amount_fen, row.payee_name
            )
            for row in paid.filter(~Exists(same_paid))
        ),
        *(
            OpenItem("OURS", "MOVE", row.pk, serials[row.pk], row.day, row.amount_fen, "现金缴存或提取")
            for row in moved
            if (serials[row.pk], row.amount_fen) not in known
        ),
    ]


def _without_own_record(account: OwnAccount, day: date, bank: QuerySet[StatementLine]) -> QuerySet[StatementLine]:
    taken = Receipt.objects.filter(
        own_account=account, booked_on__lte=day, serial=OuterRef("serial"), amount_fen=OuterRef("amount_fen")
    )
    paid = PaymentOrder.objects.filter(
        own_account=account, state=OrderState.SETTLED, finished_on__lte=day, bank_serial=OuterRef("serial"),
        amount_fen=-OuterRef("amount_fen"),
    )  # fmt: skip
    moves = CashMovement.objects.filter(own_account=account, day__lte=day, reason__startswith="move:")
    moved = Q()
    for reason, fen in moves.values_list("reason", "amount_fen"):
        moved |= Q(serial=reason.removeprefix("move:"), amount_fen=fen)
    left = bank.filter(~Exists(taken), ~Exists(paid))
    return left.exclude(moved) if moved else left


def statement_lines(
    actor: Actor,
    *,
    own_account_id: int,
    first: date | None = None,
    last: date | None = None,
    page: int = 1,
    size: int = 50,
) -> Listing:
    """银行流水列表，新的在前；合计为净额。

    :raises NotFound: 没有该账户，或不在管辖范围内。
    """
    rows = StatementLine.objects.filter(own_account=_account_in_scope(actor, own_account_id))
    if first:
        rows = rows.filter(value_on__gte=first)
    if last:
        rows = rows.filter(value_on__lte=last)
    return listing_of(
        rows.order_by("-value_on", "-id"), "amount_fen", page, size,
        lambda row: {
            "id": row.pk, "serial": row.serial, "value_on": row.value_on, "amount_fen": row.amount_fen,
            "balance_fen": row.balance_fen, "counterparty": row.counterparty, "memo": row.memo,
            "counterparty_account_masked": row.counterparty_account_masked, "explained_by": row.explained_by,
        },
    )  # fmt: skip
