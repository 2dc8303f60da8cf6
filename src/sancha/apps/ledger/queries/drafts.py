"""结账记录与手工凭证草稿。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.ledger.models import Account, DraftState, ManualDraft, Period
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
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
    decided_by_name: str
    decided_at: Any
    revision: int
    lines: list[tuple[str, str, int, str]]


def manual_drafts(actor: Actor, *, state: str = "", page: int = 1, size: int = 50) -> Page[DraftRow]:
    """手工凭证草稿，新的在前。"""
    rows = ManualDraft.objects.filter(in_scope(actor)).select_related("institution").order_by("-id")
    if state:
        rows = rows.filter(state=state)
    found = paginate(rows, page=page, size=size, to_row=lambda row: row)
    return Page(rows=_draft_rows(found.rows), total=found.total, number=found.number, size=found.size)


def draft_detail(actor: Actor, draft_id: int) -> DraftRow:
    """一张手工凭证草稿。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    row = ManualDraft.objects.filter(in_scope(actor), pk=draft_id).select_related("institution").first()
    if row is None:
        raise NotFound(
            "DRAFT_NOT_FOUND", f"没有编号为 {draft_id} 的手工凭证草稿，或不在您的管辖范围内。", field="draft_id",
            value=draft_id, fix="请从手工凭证列表或待办中选择。",
        )  # fmt: skip
    return _draft_rows([row])[0]


def _draft_rows(rows: list[ManualDraft]) -> list[DraftRow]:
    names = names_of([number for row in rows for number in (row.entered_by, row.decided_by)])
    used = {line["account_id"] for row in rows for line in row.lines}
    accounts = Account.objects.in_bulk(used)
    return [
        DraftRow(
            row.pk, row.institution_id, row.institution.name, row.booked_on, row.summary, row.state,
            str(DraftState(row.state).label), row.entered_by, names.get(row.entered_by or 0, "系统"), row.entered_at,
            row.decided_by, row.opinion, row.voucher_id, row.reverses_id, names.get(row.decided_by or 0, ""),
            row.decided_at, row.revision,
            [
                (accounts[line["account_id"]].code, accounts[line["account_id"]].name, line["amount_fen"], line["summary"])
                for line in row.lines
            ],
        )
        for row in rows
    ]  # fmt: skip
