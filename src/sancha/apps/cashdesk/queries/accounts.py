"""自有账户。"""

from __future__ import annotations

from dataclasses import dataclass

from sancha.apps.cashdesk.models import OwnAccount
from sancha.apps.cashdesk.queries.listing import place_of
from sancha.kit.actor import Actor


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
    rows = OwnAccount.objects.filter(place_of(actor, institution_id)).select_related("institution", "ledger_account")
    if kind:
        rows = rows.filter(kind=kind)
    return [
        OwnAccountInfo(
            row.pk, row.institution_id, row.institution.name, row.kind, row.name, row.bank_name, row.number_masked,
            row.ledger_account_id, row.ledger_account.code, row.is_active,
        )
        for row in rows.order_by("institution__path", "id")
    ]  # fmt: skip
