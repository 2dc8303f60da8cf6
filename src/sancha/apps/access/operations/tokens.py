"""签发与撤销接口令牌。"""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

from pydantic import SecretStr

from sancha.apps.access.operations.managed import required_text
from sancha.apps.access.operations.secrets_once import NOT_GENERATED, SECRET_DIGEST, shown_once
from sancha.apps.access.queries import in_scope, standing_holdings
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.dated import not_ended
from sancha.kit.errors import DomainError, NotFound
from sancha.kit.models import ApiToken
from sancha.kit.operation import keyed_digest, operation


def _random_token() -> str:
    return f"sancha_{secrets.token_urlsafe(32)}"


@shown_once("token", _random_token)
@operation("access.issue_token", permission="access.manage")
def issue_token(
    *,
    actor: Actor,
    key: str,
    on: date,
    holding_id: int,
    name: str,
    expires_on: date,
    generated: SecretStr = NOT_GENERATED,
) -> dict[str, Any]:
    """签发接口令牌：绑定一段任职，明文（``token``）只返回一次，库里只有带钥摘要。

    :raises DomainError: 到期日不在今天之后。
    """
    name = required_text("name", "令牌名称", name, 80)
    holding = standing_holdings().filter(not_ended(on) & in_scope(actor), pk=holding_id).first()
    if holding is None:
        raise NotFound(
            "HOLDING_NOT_FOUND",
            f"没有编号为 {holding_id} 的有效任职，或不在您的管辖范围内。",
            field="holding_id",
            value=holding_id,
            fix="请选择一段有效的任职（通常是「集成接口」岗位）。",
        )
    if expires_on <= on:
        raise DomainError(
            "TOKEN_EXPIRY",
            f"到期日 {expires_on.isoformat()} 须在今天之后。",
            field="expires_on",
            value=expires_on,
            fix="请填今天以后的日期。",
        )
    digest = keyed_digest(generated.get_secret_value())
    token = ApiToken.objects.create(
        person_id=holding.person_id,
        holding_id=holding.pk,
        name=name,
        digest=digest,
        created_at=now(),
        expires_on=expires_on,
    )
    return {"subject": f"token:{token.pk}", "token_id": token.pk, SECRET_DIGEST: digest}


@operation("access.revoke_token", permission="access.manage")
def revoke_token(*, actor: Actor, key: str, on: date, token_id: int) -> dict[str, Any]:
    """撤销接口令牌，立即失效。"""
    token = ApiToken.objects.filter(in_scope(actor, "person__institution"), pk=token_id).first()
    if token is None:
        raise NotFound(
            "TOKEN_NOT_FOUND",
            f"没有编号为 {token_id} 的令牌，或不在您的管辖范围内。",
            field="token_id",
            value=token_id,
            fix="请从令牌列表中选择。",
        )
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now())
    return {"subject": f"token:{token.pk}", "token_id": token.pk}
