"""现金：缴存与提取、柜员清点、长短款。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Q, Sum

from sancha.apps.cashdesk.models import AccountKind, CashMovement, OwnAccount, TellerDay
from sancha.apps.cashdesk.operations.accounts import own_account_of
from sancha.apps.ledger.operations import LineSpec, post_voucher, resolve_accounts
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import operation


@operation("cashdesk.move_cash", permission="cashdesk.receive")
def move_cash(
    *, actor: Actor, key: str, from_account_id: int, to_account_id: int, amount_fen: int, serial: str, on: date
) -> dict[str, Any]:
    """现金缴存银行或从银行提取：借 转入账户，贷 转出账户（同一机构，至少一边是现金）。"""
    source, target = own_account_of(actor, from_account_id), own_account_of(actor, to_account_id)
    if type(amount_fen) is not int or amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE", "金额须为正整数分。", field="amount_fen", value=amount_fen, fix="请核对金额。"
        )
    if (
        source.institution_id != target.institution_id
        or source.pk == target.pk
        or AccountKind.CASH not in {source.kind, target.kind}
    ):
        raise DomainError(
            "MOVE_ACCOUNTS",
            "只能在同一机构的现金与银行账户之间缴存或提取。",
            field="to_account_id",
            value=to_account_id,
            fix="请重选账户。",
        )
    if actor.person_id is None:
        raise NotPermitted("TELLER_MISSING", "现金须由具体柜员经手。", fix="请以柜员身份办理。")
    voucher_id = post_voucher(
        booked_on=on, institution_id=source.institution_id, source="CASHDESK", kind="CASH_MOVE",
        summary=f"{source.name} → {target.name} {serial}", subject="", actor=actor, accounts=resolve_accounts(on),
        lines=[
            LineSpec(amount_fen, account_id=target.ledger_account_id),
            LineSpec(-amount_fen, account_id=source.ledger_account_id),
        ],
    )  # fmt: skip
    # Bank sides are kept here too: reconciliation compares them with the statement by ``reason``.
    CashMovement.objects.bulk_create(
        CashMovement(
            own_account=account,
            teller=actor.person_id,
            day=on,
            amount_fen=fen,
            reason=f"move:{serial}"[:60],
            voucher_id=voucher_id,
        )
        for account, fen in ((source, -amount_fen), (target, amount_fen))
    )
    return {"subject": f"own_account:{from_account_id}", "voucher_id": voucher_id}


@operation("cashdesk.count_cash", permission="cashdesk.receive")
def count_cash(
    *, actor: Actor, key: str, own_account_id: int, counted_fen: int, on: date, reason: str = ""
) -> dict[str, Any]:
    """现金清点（柜员日结）：应有 = 上次清点 + 其后收 − 付；有差额须写原因，差额记入长短款。

    :raises Conflict: 当日已清点。
    :raises DomainError: 有差额而没写原因，或不是现金账户。
    """
    account = own_account_of(actor, own_account_id)
    if account.kind != AccountKind.CASH or actor.person_id is None:
        raise DomainError(
            "NOT_CASH",
            f"{account.name}不是现金，不能清点。",
            field="own_account_id",
            value=own_account_id,
            fix="请选现金账户，由柜员本人清点。",
        )
    if type(counted_fen) is not int or counted_fen < 0:
        raise DomainError(
            "AMOUNT_NEGATIVE", "清点数须为非负整数分。", field="counted_fen", value=counted_fen, fix="请核对。"
        )
    mine = TellerDay.objects.filter(own_account=account, teller=actor.person_id)
    last = mine.select_for_update().order_by("-day").first()
    if last is not None and last.day >= on:
        raise Conflict("ALREADY_COUNTED", f"{last.day} 已清点。", field="on", value=on, fix="请在下一营业日清点。")
    moves = CashMovement.objects.filter(own_account=account, teller=actor.person_id, day__lte=on)
    if last is not None:
        moves = moves.filter(day__gt=last.day)
    sums = moves.aggregate(
        taken=Sum("amount_fen", filter=Q(amount_fen__gt=0)), paid=Sum("amount_fen", filter=Q(amount_fen__lt=0))
    )
    opening, taken, paid = (last.counted_fen if last else 0), int(sums["taken"] or 0), -int(sums["paid"] or 0)
    difference = counted_fen - (opening + taken - paid)
    if difference and not reason.strip():
        raise DomainError(
            "DIFFERENCE_UNEXPLAINED",
            f"清点 {counted_fen} 分，应有 {opening + taken - paid} 分，差 {difference} 分，须写原因。",
            field="reason", value=difference, fix="复点一遍；确有长短款，写明原因再提交。",
        )  # fmt: skip
    voucher_id = _book_difference(account, difference, on, actor) if difference else None
    row = TellerDay.objects.create(
        own_account=account, teller=actor.person_id, day=on, opening_fen=opening, in_fen=taken, out_fen=paid,
        counted_fen=counted_fen, difference_fen=difference, reason=reason.strip()[:200], voucher_id=voucher_id,
        counted_at=now(),
    )  # fmt: skip
    return {"subject": f"teller_day:{row.pk}", "difference_fen": difference, "voucher_id": voucher_id}


def _book_difference(account: OwnAccount, difference: int, on: date, actor: Actor) -> int:
    accounts = resolve_accounts(on)
    return post_voucher(
        booked_on=on, institution_id=account.institution_id, source="CASHDESK", kind="CASH_DIFFERENCE",
        summary="现金长款" if difference > 0 else "现金短款", subject=f"own_account:{account.pk}", actor=actor,
        accounts=accounts,
        lines=[
            LineSpec(difference, account_id=account.ledger_account_id),
            LineSpec(-difference, account_id=accounts.role("CASH_OVER_SHORT")),
        ],
    )  # fmt: skip
