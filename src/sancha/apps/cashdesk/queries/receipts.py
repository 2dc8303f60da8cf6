"""收款、用途与挂账账龄。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Q, Sum

from sancha.apps.access.queries import in_scope
from sancha.apps.cashdesk.models import Channel, Receipt, ReceiptState, ReceiptUse
from sancha.apps.cashdesk.queries.listing import Listing, listing_of, place_of
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound

OPEN_STATES = (ReceiptState.UNMATCHED.value, ReceiptState.PARTLY.value)
AGEING_BANDS = ((0, 3), (4, 7), (8, 30), (31, 90), (91, None))
"""挂账账龄档（日）：内部管理口径，不是监管数字。"""


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
    rows = Receipt.objects.filter(place_of(actor, institution_id))
    exact = {
        "own_account_id": own_account_id, "state": state, "booked_on__gte": first, "booked_on__lte": last,
        "subject_hint": subject, "party_hint": party_id,
    }  # fmt: skip
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if open_only:
        rows = rows.filter(state__in=OPEN_STATES)
    if text := text.strip():
        rows = rows.filter(Q(payer_name__icontains=text) | Q(serial__icontains=text) | Q(memo__icontains=text))
    return listing_of(rows.order_by("-booked_on", "-id"), "amount_fen", page, size, _receipt_info)


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
            fix="请从收款列表中选择。",
        )
    uses = row.uses.order_by("id").values("id", "subject", "amount_fen", "booked_on", "voucher_id", "releases_id")
    return _receipt_info(row), [dict(use) for use in uses]


def uses_of(subject: str) -> list[dict[str, Any]]:
    """某对象（如 ``loan:12``）用过的收款：冲正时据此退回挂账。"""
    rows = ReceiptUse.objects.filter(subject=subject).order_by("id")
    uses = rows.values("id", "receipt_id", "amount_fen", "booked_on", "voucher_id", "releases_id")
    return [dict(use) for use in uses]


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
    rows = Receipt.objects.filter(place_of(actor, institution_id), state__in=OPEN_STATES, booked_on__lte=on)
    left = F("amount_fen") - F("used_fen") - F("returned_fen")
    many, fen = [0] * len(AGEING_BANDS), [0] * len(AGEING_BANDS)
    by_day = rows.order_by().values("booked_on").annotate(fen=Sum(left), many=Count("id"))
    for row in by_day:
        days = (on - row["booked_on"]).days
        band = next(index for index, (_, high) in enumerate(AGEING_BANDS) if high is None or days <= high)
        many[band] += int(row["many"])
        fen[band] += int(row["fen"])
    return [AgeBand(low, high, many[index], fen[index]) for index, (low, high) in enumerate(AGEING_BANDS)]
