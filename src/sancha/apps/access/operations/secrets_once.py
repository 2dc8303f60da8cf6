"""只显示一次的机密：首次密码与接口令牌。"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from pydantic import SecretStr

from sancha.kit.operation import keyed_digest

P = ParamSpec("P")

SECRET_DIGEST = "secret_digest"

NOT_GENERATED = SecretStr("")


def shown_once(
    field: str, make: Callable[[], str]
) -> Callable[[Callable[P, dict[str, Any]]], Callable[P, dict[str, Any]]]:
    """只显示一次的机密：随机生成，交给操作（``generated``），只在真正写入的那一次调用里返回明文。

    幂等表里只有带钥摘要，重复提交得到首次结果而没有明文——明文既不入库，也不可能给错人看。
    """

    def decorate(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
            secret = make()
            kwargs["generated"] = SecretStr(secret)
            result = dict(function(*args, **kwargs))
            digest = result.pop(SECRET_DIGEST, None)
            result[field] = secret if digest == keyed_digest(secret) else None
            return result

        return run

    return decorate
