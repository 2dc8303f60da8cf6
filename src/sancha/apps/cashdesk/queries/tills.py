"""柜员日结与未清点的现金。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.cashdesk.models import CashMovement, TellerDay
from sancha.apps.cashdesk.queries.listing import Listing, place_of, small_listing
from sancha.kit.actor import Actor
from sancha.kit.paging import Page


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
    rows = TellerDay.objects.filter(place_of(actor, institution_id, "own_account__institution")).order_by("-day", "-id")
    found = small_listing(rows, "difference_fen", page, size)
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
