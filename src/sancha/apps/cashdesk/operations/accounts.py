"""自有账户：登记、取用、账号掩码。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Q

from sancha.apps.access.queries import require_institution
from sancha.apps.cashdesk.models import AccountKind, OwnAccount
from sancha.apps.ledger.operations import resolve_accounts
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import keyed_digest, operation


def mask_account(number: str) -> str:
    """账号掩码：留前四后四。"""
    number = number.strip()
    return number if len(number) <= 8 else f"{number[:4]}****{number[-4:]}"


@operation("cashdesk.open_own_account", permission="cashdesk.authorize")
def open_own_account(
    *, actor: Actor, key: str, institution_id: int, kind: str, name: str, account_code: str, on: date,
    number: str = "", bank_name: str = "",
) -> dict[str, Any]:  # fmt: skip
    """登记自有账户并对应总账科目（银行账户各用一个明细科目，才能逐户对账）。

    :raises DomainError: 科目不能用，或银行账户没填账号。
    :raises Conflict: 该机构该科目或该账号已登记。
    """
    require_institution(actor, institution_id)
    accounts = resolve_accounts(on, complete=False)
    facts = next((facts for facts in accounts.accounts.values() if facts.code == account_code), None)
    if facts is None or not facts.is_leaf or facts.position_controlled or facts.category != "ASSET":
        raise DomainError(
            "ACCOUNT_UNUSABLE", f"科目 {account_code} 不能作自有账户的科目。", field="account_code", value=account_code,
            fix="请用银行存款或库存现金下的末级科目。",
        )  # fmt: skip
    if kind not in AccountKind.values or (kind == AccountKind.BANK and not number.strip()):
        raise DomainError(
            "OWN_ACCOUNT_FIELD", "请选银行账户或现金；银行账户须填账号。", field="number", fix="填写完整账号。"
        )
    digest = keyed_digest(number.strip()) if number.strip() else ""
    taken = OwnAccount.objects.filter(Q(institution_id=institution_id, ledger_account_id=facts.id))
    if taken.exists() or (digest and OwnAccount.objects.filter(number_digest=digest).exists()):
        raise Conflict(
            "OWN_ACCOUNT_EXISTS",
            "该机构已有用此科目的账户，或此账号已登记。",
            field="number",
            fix="请另设明细科目，或查看已有账户。",
        )
    row = OwnAccount.objects.create(
        institution_id=institution_id, kind=kind, name=name, bank_name=bank_name, number_masked=mask_account(number),
        number_digest=digest, ledger_account_id=facts.id,
    )  # fmt: skip
    return {"subject": f"own_account:{row.pk}", "own_account_id": row.pk}


def own_account_of(actor: Actor, own_account_id: int) -> OwnAccount:
    """在用的自有账户；没有或不在管辖范围内则报 ``OWN_ACCOUNT_NOT_FOUND`` 等。"""
    row = OwnAccount.objects.filter(pk=own_account_id, is_active=True).first()
    if row is None:
        raise NotFound(
            "OWN_ACCOUNT_NOT_FOUND",
            f"没有编号为 {own_account_id} 的在用自有账户。",
            field="own_account_id",
            value=own_account_id,
            fix="请从在用的自有账户中选择。",
        )
    require_institution(actor, row.institution_id)
    return row
