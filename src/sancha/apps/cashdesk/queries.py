"""出纳的查询：自有账户、收款与挂账账龄、付款单、现金日结、流水、对账、批扣。列表都带页码与合计。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from sancha.apps.access.queries import in_scope, names_of, require_institution
from sancha.apps.cashdesk.models import (
    BatchState,
    CashMovement,
    Channel,
    DebitBatch,
    DebitItem,
    ItemState,
    OrderState,
    OwnAccount,
    PaymentOrder,
    Purpose,
    Receipt,
    ReceiptState,
    ReceiptUse,
    Reconciliation,
    StatementLine,
    TellerDay,
)
from sancha.apps.ledger.queries import account_balance, manual_movements
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate

OPEN_STATES = (ReceiptState.UNMATCHED.value, ReceiptState.PARTLY.value)
AGEING_BANDS = ((0, 3), (4, 7), (8, 30), (31, 90), (91, None))
"""挂账账龄档（日）：内部管理口径，不是监管数字。"""


@dataclass(frozen=True, slots=True)
class Listing:
    """一页与全部（不只本页）的金额合计。"""

    page: Page[Any]
    total_fen: int


def _masked(number: str) -> str:
    return number if len(number) <= 8 else f"{number[:4]}****{number[-4:]}"


def _place(actor: Actor, institution_id: int | None, field: str = "institution") -> Q:
    """数据范围，或指定机构及其下级；``field`` 是指向机构的外键名。"""
    if institution_id is None:
        return in_scope(actor, field)
    return Q(**{f"{field}__path__startswith": require_institution(actor, institution_id).path})


@dataclass(frozen=True, slots=True)
class OwnAccountInfo:
    """自有账户一览行。"""

    id: int
    institution_id: int
    institution_name: str
    kind: str
    name: str
    bank_name: str
    number_masked: str
    account_id: int
    account_code: str
    is_active: bool


def own_accounts(actor: Actor, *, institution_id: int | None = None, kind: str = "") -> list[OwnAccountInfo]:
    """范围内的自有账户。"""
    rows = OwnAccount.objects.filter(_place(actor, institution_id)).select_related("institution", "ledger_account")
    if kind:
        rows = rows.filter(kind=kind)
    return [
        OwnAccountInfo(
            row.pk, row.institution_id, row.institution.name, row.kind, row.name, row.bank_name, row.number_masked,
            row.ledger_account_id, row.ledger_account.code, row.is_active,
        )
        for row in rows.order_by("institution__path", "id")
    ]  # fmt: skip


# 收款 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReceiptInfo:
    """收款一览行。``left_fen`` 尚可使用。"""

    id: int
    own_account_id: int
    institution_id: int
    serial: str
    amount_fen: int
    used_fen: int
    returned_fen: int
    state: str
    state_name: str
    payer_name: str
    payer_account_masked: str
    value_on: date
    booked_on: date
    channel: str
    channel_name: str
    subject_hint: str
    party_hint: int | None
    memo: str
    voucher_id: int

    @property
    def left_fen(self) -> int:
        """余额 = 金额 − 已用 − 已退。"""
        return self.amount_fen - self.used_fen - self.returned_fen


def _receipt_info(row: Receipt) -> ReceiptInfo:
    return ReceiptInfo(
        row.pk, row.own_account_id, row.institution_id, row.serial, row.amount_fen, row.used_fen, row.returned_fen,
        row.state, str(ReceiptState(row.state).label), row.payer_name, row.payer_account_masked, row.value_on,
        row.booked_on, row.channel, str(Channel(row.channel).label), row.subject_hint, row.party_hint, row.memo,
        row.voucher_id,
    )  # fmt: skip


def receipts(
    actor: Actor, *, institution_id: int | None = None, own_account_id: int | None = None, state: str = "",
    open_only: bool = False, first: date | None = None, last: date | None = None, subject: str = "",
    party_id: int | None = None, text: str = "", page: int = 1, size: int = 50,
) -> Listing:  # fmt: skip
    """收款列表，新的在前；合计为金额。``text`` 查付款人、流水号、备注。"""
    rows = Receipt.objects.filter(_place(actor, institution_id))
    exact = {
        "own_account_id": own_account_id, "state": state, "booked_on__gte": first, "booked_on__lte": last,
        "subject_hint": subject, "party_hint": party_id,
    }  # fmt: skip
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if open_only:
        rows = rows.filter(state__in=OPEN_STATES)
    if text := text.strip():
        rows = rows.filter(Q(payer_name__icontains=text) | Q(serial__icontains=text) | Q(memo__icontains=text))
    return _listing(rows.order_by("-booked_on", "-id"), "amount_fen", page, size, _receipt_info)


def _listing(rows: QuerySet[Any], total: str, page: int, size: int, to_row: Any) -> Listing:
    fen = rows.order_by().aggregate(fen=Sum(total))["fen"]
    return Listing(paginate(rows, page=page, size=size, to_row=to_row), int(fen or 0))


def receipt_detail(actor: Actor, receipt_id: int) -> tuple[ReceiptInfo, list[dict[str, Any]]]:
    """收款与它的全部用途（含退回挂账的负数行）。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    row = Receipt.objects.filter(in_scope(actor), pk=receipt_id).first()
    if row is None:
        raise NotFound(
            "RECEIPT_NOT_FOUND",
            f"没有编号为 {receipt_id} 的收款，或不在您的管辖范围内。",
            field="receipt_id",
            value=receipt_id,
        )
    uses = row.uses.order_by("id").values("id", "subject", "amount_fen", "booked_on", "voucher_id", "releases_id")
    return _receipt_info(row), list(uses)


def uses_of(subject: str) -> list[dict[str, Any]]:
    """某对象（如 ``loan:12``）用过的收款：冲正时据此退回挂账。"""
    rows = ReceiptUse.objects.filter(subject=subject).order_by("id")
    return list(rows.values("id", "receipt_id", "amount_fen", "booked_on", "voucher_id", "releases_id"))


def receipts_hinted(*, subjects: list[str]) -> dict[str, list[ReceiptInfo]]:
    """带对象线索、尚有余额的收款（批扣回盘后逐户入账用）：线索 → 收款。"""
    found: dict[str, list[ReceiptInfo]] = {}
    rows = Receipt.objects.filter(subject_hint__in=subjects, state__in=OPEN_STATES).order_by("value_on", "id")
    for row in rows:
        found.setdefault(row.subject_hint, []).append(_receipt_info(row))
    return found


@dataclass(frozen=True, slots=True)
class AgeBand:
    """挂账账龄一档。``to_days`` 空为以上。"""

    from_days: int
    to_days: int | None
    count: int
    amount_fen: int


def suspense_ageing(actor: Actor, *, on: date, institution_id: int | None = None) -> list[AgeBand]:
    """挂账账龄：按记账日至 ``on`` 的天数分档；各档之和 = 挂账科目中收款的余额。"""
    rows = Receipt.objects.filter(_place(actor, institution_id), state__in=OPEN_STATES, booked_on__lte=on)
    left = F("amount_fen") - F("used_fen") - F("returned_fen")
    counted = [[low, high, 0, 0] for low, high in AGEING_BANDS]
    by_day = rows.order_by().values("booked_on").annotate(fen=Sum(left), many=Count("id"))
    for row in by_day:
        days = (on - row["booked_on"]).days
        band = next(band for band in counted if band[1] is None or days <= band[1])
        band[2] += int(row["many"])
        band[3] += int(row["fen"])
    return [AgeBand(*band) for band in counted]


# 付款单 ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """付款单一览行，收款账号为掩码。"""

    id: int
    institution_id: int
    own_account_id: int
    purpose: str
    purpose_name: str
    subject: str
    receipt_id: int | None
    amount_fen: int
    payee_name: str
    payee_account_masked: str
    payee_bank: str
    memo: str
    state: str
    state_name: str
    created_on: date
    created_by: int | None
    authorized_by: int | None
    sent_on: date | None
    bank_serial: str
    finished_on: date | None
    failure: str
    voucher_id: int | None


def _order_info(row: PaymentOrder) -> OrderInfo:
    return OrderInfo(
        row.pk, row.institution_id, row.own_account_id, row.purpose, str(Purpose(row.purpose).label), row.subject,
        row.receipt_id, row.amount_fen, row.payee_name, _masked(row.payee_account), row.payee_bank, row.memo, row.state,
        str(OrderState(row.state).label), row.created_on, row.created_by, row.authorized_by, row.sent_on,
        row.bank_serial, row.finished_on, row.failure, row.voucher_id,
    )  # fmt: skip


def payment_orders(
    actor: Actor, *, institution_id: int | None = None, state: str = "", purpose: str = "", subject: str = "",
    first: date | None = None, last: date | None = None, page: int = 1, size: int = 50,
) -> Listing:  # fmt: skip
    """付款单列表，新的在前；合计为金额。"""
    exact = {"state": state, "purpose": purpose, "subject": subject, "created_on__gte": first, "created_on__lte": last}
    rows = PaymentOrder.objects.filter(_place(actor, institution_id))
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    return _listing(rows.order_by("-created_on", "-id"), "amount_fen", page, size, _order_info)


def payee_account_to_send(actor: Actor, order_id: int) -> str:
    """待发送或已发送的付款单的完整收款账号；须有付款权限。

    :raises NotFound: 没有、不在范围内，或还没授权。
    """
    actor.require("cashdesk.pay")
    states = [OrderState.AUTHORIZED, OrderState.SENT]
    row = PaymentOrder.objects.filter(in_scope(actor), pk=order_id, state__in=states).first()
    if row is None:
        raise NotFound("ORDER_NOT_FOUND", f"没有编号为 {order_id} 的待付付款单。", field="order_id", value=order_id)
    return row.payee_account


# 现金 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TellerDayInfo:
    """柜员日结一行。"""

    id: int
    own_account_id: int
    teller: int
    teller_name: str
    day: date
    opening_fen: int
    in_fen: int
    out_fen: int
    counted_fen: int
    difference_fen: int
    reason: str
    voucher_id: int | None


def teller_days(actor: Actor, *, institution_id: int | None = None, page: int = 1, size: int = 50) -> Listing:
    """柜员日结列表，新的在前；合计为长短款净额。"""
    rows = TellerDay.objects.filter(_place(actor, institution_id, "own_account__institution")).order_by("-day", "-id")
    found = _listing(rows, "difference_fen", page, size, lambda row: row)
    names = names_of(row.teller for row in found.page.rows)
    shown = [
        TellerDayInfo(
            row.pk, row.own_account_id, row.teller, names.get(row.teller, ""), row.day, row.opening_fen, row.in_fen,
            row.out_fen, row.counted_fen, row.difference_fen, row.reason, row.voucher_id,
        )
        for row in found.page.rows
    ]  # fmt: skip
    return Listing(
        Page(rows=shown, total=found.page.total, number=found.page.number, size=found.page.size), found.total_fen
    )


def uncounted_cash(actor: Actor, *, on: date) -> list[tuple[int, int]]:
    """当日有现金收付而未清点的（账户，柜员）：日终前的提醒。"""
    moves = CashMovement.objects.filter(in_scope(actor, "own_account__institution"), day=on, own_account__kind="CASH")
    counted = TellerDay.objects.filter(own_account=OuterRef("own_account"), teller=OuterRef("teller"), day=on)
    return list(moves.filter(~Exists(counted)).order_by().values_list("own_account_id", "teller").distinct())


# 对账 ------------------------------------------------------------------------------------------------------


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
    account = OwnAccount.objects.filter(in_scope(actor), pk=own_account_id).first()
    if account is None:
        raise NotFound(
            "OWN_ACCOUNT_NOT_FOUND",
            f"没有编号为 {own_account_id} 的自有账户。",
            field="own_account_id",
            value=own_account_id,
        )
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
    """银行流水列表，新的在前；合计为净额。"""
    rows = StatementLine.objects.filter(own_account__in=OwnAccount.objects.filter(in_scope(actor), pk=own_account_id))
    if first:
        rows = rows.filter(value_on__gte=first)
    if last:
        rows = rows.filter(value_on__lte=last)
    return _listing(
        rows.order_by("-value_on", "-id"), "amount_fen", page, size,
        lambda row: {
            "id": row.pk, "serial": row.serial, "value_on": row.value_on, "amount_fen": row.amount_fen,
            "balance_fen": row.balance_fen, "counterparty": row.counterparty, "memo": row.memo,
            "counterparty_account_masked": row.counterparty_account_masked, "explained_by": row.explained_by,
        },
    )  # fmt: skip


# 批量代扣 --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """批扣一览行。"""

    id: int
    institution_id: int
    own_account_id: int
    day: date
    state: str
    state_name: str
    items_count: int
    amount_fen: int
    paid_fen: int
    failed_count: int
    pending_count: int


def debit_batches(actor: Actor, *, institution_id: int | None = None, page: int = 1, size: int = 50) -> Listing:
    """批扣列表，新的在前；合计为应扣。"""
    rows = DebitBatch.objects.filter(_place(actor, institution_id)).order_by("-id")
    found = _listing(rows, "amount_fen", page, size, lambda row: row)
    items = DebitItem.objects.filter(batch__in=[row.pk for row in found.page.rows]).order_by().values("batch_id")
    sums = {
        row["batch_id"]: row
        for row in items.annotate(
            paid=Sum("paid_fen"), failed=Count("id", filter=Q(state=ItemState.FAILED)),
            pending=Count("id", filter=Q(state=ItemState.PENDING)),
        )
    }  # fmt: skip
    shown = [
        BatchInfo(
            row.pk, row.institution_id, row.own_account_id, row.day, row.state, str(BatchState(row.state).label),
            row.items_count, row.amount_fen, int(sums[row.pk]["paid"] or 0), int(sums[row.pk]["failed"] or 0),
            int(sums[row.pk]["pending"] or 0),
        )
        for row in found.page.rows
    ]  # fmt: skip
    return Listing(
        Page(rows=shown, total=found.page.total, number=found.page.number, size=found.page.size), found.total_fen
    )


def debit_items(actor: Actor, *, batch_id: int, state: str = "", page: int = 1, size: int = 50) -> Listing:
    """批扣明细（账号掩码）；合计为应扣。"""
    rows = DebitItem.objects.filter(in_scope(actor, "batch__institution"), batch_id=batch_id).order_by("id")
    if state:
        rows = rows.filter(state=state)
    return _listing(
        rows, "amount_fen", page, size,
        lambda row: {
            "reference": row.reference, "subject": row.subject, "payer_name": row.payer_name,
            "payer_account_masked": _masked(row.payer_account), "amount_fen": row.amount_fen, "paid_fen": row.paid_fen,
            "state": row.state, "state_name": str(ItemState(row.state).label), "failure": row.failure,
            "receipt_id": row.receipt_id,
        },
    )  # fmt: skip


def debit_file(actor: Actor, *, batch_id: int) -> list[dict[str, Any]]:
    """送盘文件的内容（含完整账号；须有收款登记权限，只在送出后给出）。

    :raises NotFound: 没有、不在范围内，或还没送盘。
    """
    actor.require("cashdesk.receive")
    batch = DebitBatch.objects.filter(in_scope(actor), pk=batch_id).exclude(state=BatchState.CREATED).first()
    if batch is None:
        raise NotFound("BATCH_NOT_FOUND", f"没有编号为 {batch_id} 的已送盘批扣。", field="batch_id", value=batch_id)
    return list(batch.items.order_by("id").values("reference", "payer_name", "payer_account", "amount_fen", "subject"))
