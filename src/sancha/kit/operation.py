"""操作：一切写入的唯一入口——权限、幂等、事务、审计在这里一次办妥。

用法::

    @operation("servicing.post_repayment", permission="servicing.repay")
    def post_repayment(*, actor: Actor, key: str, loan_id: int, ...) -> dict[str, Any]:
        ...
        return {"subject": f"loan:{loan_id}", ...}

函数只收关键字参数，必须有 ``actor`` 与 ``key``（幂等键），返回可存成 JSON 的字典；``subject`` 进审计。
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import inspect
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, ParamSpec, TypeVar, cast

from django.conf import settings
from django.db import IntegrityError, transaction

from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.models import AuditEvent, Idempotency

P = ParamSpec("P")
R = TypeVar("R")


NOT_CONTENT = frozenset({"actor", "key", "on"})
"""不算内容的参数：``on`` 是记账的营业日，不是要办的事——日终之后重试同一键，仍须返回首次结果，而不是报「换了内容」。"""


_names: set[str] = set()


def operation_names() -> list[str]:
    """操作名：已装入的全部，审计筛选时供选。"""
    return sorted(_names)


class KeyReused(Conflict):
    """幂等键被用于另一份内容。"""


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def canonical(document: Any) -> str:
    """规范 JSON：键排序、无空白，作摘要用。"""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def keyed_digest(text: str) -> str:
    """带钥摘要：可比对、不可反推，个人信息删除后仍可验证链条。"""
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def operation(name: str, *, permission: str) -> Callable[[Callable[P, dict[str, Any]]], Callable[P, dict[str, Any]]]:
    """把函数包装成操作。重复的幂等键返回首次结果；同键不同内容报 ``KeyReused``。"""

    def decorate(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
        accepts = inspect.signature(function).parameters
        assert "actor" in accepts and "key" in accepts, f"{name}: an operation takes actor and key"

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
            assert not args, f"{name}: operations take keyword arguments only"
            actor, key = cast(Actor, kwargs["actor"]), cast(str, kwargs["key"])
            actor.require(permission)
            if not key:
                raise Conflict("KEY_MISSING", "缺少幂等键。", field="key", fix="每次提交带一个不重复的幂等键。")
            digest = keyed_digest(canonical({k: v for k, v in kwargs.items() if k not in NOT_CONTENT}))
            try:
                with transaction.atomic():
                    if (first := _first_result(name, key, digest)) is not None:
                        return first
                    result = function(*args, **kwargs)
                    Idempotency.objects.create(operation=name, key=key, digest=digest, result=result, recorded_at=now())
                    write_audit(
                        actor=actor,
                        operation=name,
                        subject=result.get("subject", ""),
                        digest=digest,
                        data=result.get("audit", {}),
                    )
                    result.pop("audit", None)
                    return result
            except (IntegrityError, DomainError):
                # Two at once with one key: the loser meets the winner's row, or finds the thing already done; it reads
                # what the winner wrote. Any other broken constraint or refusal is re-raised.
                if (first := _first_result(name, key, digest)) is not None:
                    return first
                raise

        _names.add(name)
        return titled(run, name=name, permission=permission)

    return decorate


def titled(function: Callable[P, R], *, name: str, permission: str) -> Callable[P, R]:
    """在函数上写明操作名（``operation_name``）与所需权限（``permission``），供界面与权限测试读。"""
    vars(function).update(operation_name=name, permission=permission)
    return function


def _first_result(name: str, key: str, digest: str) -> dict[str, Any] | None:
    record = Idempotency.objects.filter(operation=name, key=key).values_list("digest", "result").first()
    if record is None:
        return None
    if record[0] != digest:
        raise KeyReused(
            "KEY_REUSED",
            f"幂等键「{key}」已用于另一份内容的同一操作。",
            field="key",
            value=key,
            fix="内容变了请换一个新键；重试请保持内容不变。",
        )
    return cast(dict[str, Any], record[1])


def write_audit(
    *,
    actor: Actor,
    operation: str,
    subject: str,
    digest: str = "",
    data: dict[str, Any] | None = None,
    on_day: date | None = None,
) -> None:
    """写一条审计事件（一条 INSERT）；链条由封存批次补上，见 ``kit.audit``。"""
    AuditEvent.objects.create(
        at=now(),
        person_id=actor.person_id,
        post_code=actor.post_code,
        institution_id=actor.institution_id,
        operation=operation,
        subject=subject,
        digest=digest,
        data=data or {},
        on_day=on_day,
    )
