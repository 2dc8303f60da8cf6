"""税费凭证草稿：就是手工凭证草稿，一家机构一个所属期只有一张，照样由另一人授权。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.mapping import resolve_accounts
from sancha.apps.ledger.models import LIVE_DRAFTS, InstitutionBooks, ManualDraft
from sancha.apps.ledger.operations.manual import check_draft, store_draft, written_lines
from sancha.kit.actor import Actor
from sancha.kit.errors import DomainError
from sancha.kit.operation import operation


def stamp_duty_occasion(first: date, last: date) -> str:
    """印花税所属期的事由键。"""
    return f"STAMP_DUTY:{first}:{last}"


@operation("ledger.enter_stamp_duty", permission="ledger.manual")
def enter_stamp_duty(
    *, actor: Actor, key: str, institution_id: int, first: date, last: date, booked_on: date, amount_fen: int,
    debit_account: str, credit_account: str, summary: str, on: date,
) -> dict[str, Any]:  # fmt: skip
    """录入印花税凭证草稿（借：税金及附加，贷：应交印花税；科目由办理人选）；同一机构同一所属期再录，答复原来那张。

    :raises DomainError: 税额不为正，所属期未完，科目不可用，期间已结账。
    """
    require_institution(actor, institution_id)
    if last > on:
        raise DomainError(
            "TAX_PERIOD_OPEN", f"所属期到 {last} 才完，现在是 {on}。", field="last", value=last,
            fix="期末以后再计提，免得漏了期末登记的借据。",
        )  # fmt: skip
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError(
            "TAX_NOTHING", "税额须大于零。", field="amount_fen", value=amount_fen, fix="没有税就不必记账。"
        )
    # The institution's row in the books is the queue: two clerks at once end with one draft.
    InstitutionBooks.objects.get_or_create(pk=institution_id)
    InstitutionBooks.objects.select_for_update().get(pk=institution_id)
    occasion = stamp_duty_occasion(first, last)
    found = ManualDraft.objects.filter(institution_id=institution_id, occasion=occasion, state__in=LIVE_DRAFTS).first()
    if found is not None:
        return {"subject": f"manual_draft:{found.pk}", "draft_id": found.pk, "existing": True}
    accounts = resolve_accounts(booked_on, complete=False)
    text = summary.strip()[:200]
    lines = written_lines(
        text,
        [{"account": debit_account, "amount_fen": amount_fen}, {"account": credit_account, "amount_fen": -amount_fen}],
        accounts,
    )
    check_draft(institution_id, booked_on, text, lines, on, actor, accounts)
    done = store_draft(
        actor=actor, institution_id=institution_id, booked_on=booked_on, summary=text, lines=lines, on=on,
        occasion=occasion,
    )  # fmt: skip
    return {**done, "existing": False}
