"""期初余额：登记原系统切换日的科目余额。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.mapping import AccountFacts, AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.models import Category, OpeningBalance, Source
from sancha.apps.ledger.posting import post_voucher
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation


@operation("ledger.post_opening_balances", permission="ledger.period")
def post_opening_balances(
    *, actor: Actor, key: str, institution_id: int, cut_over_on: date, balances: dict[str, int], on: date
) -> dict[str, Any]:
    """期初余额：登记原系统切换日的科目余额（科目代号 → 分，借正贷负）。

    不受头寸控制的科目在此记一张期初凭证；受控科目由各借据的期初凭证形成，这里只留数核对，差额落在「期初过渡」，
    全部借据开出后该科目应为零（``queries.compare_opening``）。

    :raises DomainError: 表内或表外借贷不等、科目不可用、切换日晚于营业日、该机构已登记过期初。
    """
    institution = require_institution(actor, institution_id)
    if cut_over_on > on:
        raise DomainError(
            "CUT_OVER_LATE",
            f"切换日 {cut_over_on} 晚于营业日 {on}。",
            field="cut_over_on",
            value=cut_over_on,
            fix="切换日不得晚于当前营业日。",
        )
    if OpeningBalance.objects.filter(institution_id=institution_id).exists():
        raise Conflict(
            "OPENING_DONE", f"{institution.name}已登记过期初余额。", field="institution_id", value=institution_id,
            fix="期初不能改写；有误请用手工凭证更正。",
        )  # fmt: skip
    accounts = resolve_accounts(on)
    stated = _stated_accounts(balances, accounts)
    OpeningBalance.objects.bulk_create(
        OpeningBalance(institution_id=institution_id, account_id=facts.id, cut_over_on=cut_over_on, amount_fen=fen)
        for facts, fen in stated
    )
    lines = [LineSpec(fen, account_id=facts.id) for facts, fen in stated if not facts.position_controlled]
    controlled = sum(
        fen for facts, fen in stated if facts.position_controlled and facts.category != Category.OFF_BALANCE
    )
    lines.append(LineSpec(controlled, account_id=accounts.account("OPENING_EQUITY")))
    voucher_id = None
    if any(line.amount_fen for line in lines):
        voucher_id = post_voucher(
            booked_on=on, institution_id=institution_id, source=Source.OPENING, kind="OPENING_BALANCE",
            summary=f"期初余额（切换日 {cut_over_on}）", subject=f"institution:{institution_id}", lines=lines,
            actor=actor, accounts=accounts,
        )  # fmt: skip
    return {"subject": f"institution:{institution_id}", "voucher_id": voucher_id, "awaiting_loans_fen": controlled}


def _stated_accounts(balances: dict[str, int], accounts: AccountResolver) -> list[tuple[AccountFacts, int]]:
    by_code = {facts.code: facts for facts in accounts.accounts.values()}
    contra = accounts.account("OPENING_EQUITY")
    stated, off, on_balance = [], 0, 0
    for code, fen in balances.items():
        facts = by_code.get(code)
        if facts is None or not facts.is_leaf or facts.id == contra:
            raise DomainError(
                "ACCOUNT_UNUSABLE", f"期初余额里的科目 {code} 不存在、不是末级，或是期初过渡科目。", field="balances",
                value=code, fix="请改用末级科目；期初过渡由系统自动记。",
            )  # fmt: skip
        if facts.category == Category.OFF_BALANCE:
            off += fen
        else:
            on_balance += fen
        if fen:
            stated.append((facts, fen))
    if on_balance or off:
        raise DomainError(
            "OPENING_UNBALANCED", f"期初余额借贷不等：表内差 {on_balance} 分，表外差 {off} 分。", field="balances",
            value=on_balance or off, clause="资产 = 负债 + 所有者权益", fix="请核对原系统切换日的余额表（借正贷负）。",
        )  # fmt: skip
    return stated
