"""结账记录与手工凭证草稿。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.ledger.models import Account, DraftState, ManualDraft, Period
from sancha.kit.actor import Actor
from sancha.kit.paging import Page, paginate


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """已结账期间。"""

    id: int
    institution_id: int
    institution_name: str
    kind: str
    first_on: date
    last_on: date
    closed_by: int | None
    closed_at: Any
    closing_voucher_id: int | None


def closed_periods(actor: Actor, *, page: int = 1, size: int = 50) -> Page[PeriodRow]:
    """结账记录，新的在前。"""
    rows = Period.objects.filter(in_scope(actor)).select_related("institution").order_by("-last_on", "-id")
    return paginate(
        rows, page=page, size=size,
        to_row=lambda row: PeriodRow(
            row.pk, row.institution_id, row.institution.name, row.kind, row.first_on, row.last_on, row.closed_by,
            row.closed_at, row.closing_voucher_id,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DraftRow:
    """手工凭证草稿一行。``lines`` 为 (科目代号, 科目名称, 分, 摘要)。"""

    id: int
    institution_id: int
    institution_name: str
    booked_on: date
    summary: str
    state: str
    state_name: str
    entered_by: int | None
    entered_by_name: str
    entered_at: Any
    decided_by: int | None
    opinion: str
    voucher_id: int | None
    reverses_id: int | None
    lines: list[tuple[str, str, int, str]]


def manual_drafts(actor: Actor, *, state: str = "", page: int = 1, size: int = 50) -> Page[DraftRow]:
    """手工凭证草稿，新的在前。"""
    rows = ManualDraft.objects.filter(in_scope(actor)).select_related("institution").order_by("-id")
    if state:
        rows = rows.filter(state=state)
    found = paginate(rows, page=page, size=size, to_row=lambda row: row)
    names = names_of(row.entered_by for row in found.rows)
    accounts = {row.pk: row for row in Account.objects.all()}
    return Page(
        rows=[
            DraftRow(
                row.pk, row.institution_id, row.institution.name, row.booked_on, row.summary, row.state,
                str(DraftState(row.state).label), row.entered_by, names.get(row.entered_by or 0, ""), row.entered_at,
                row.decided_by, row.opinion, row.voucher_id, row.reverses_id,
                [
                    (account.code, account.name, line["amount_fen"], line["summary"])
                    for line in row.lines
                    for account in [accounts[line["account_id"]]]
                ],
            )
            for row in found.rows
        ],
        total=found.total, number=found.number, size=found.size,
    )  # fmt: skip
