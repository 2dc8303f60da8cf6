"""端点：``ask`` 登记一个查询，``act`` 把一个操作登记成写入。

每个端点都有权限（``.permission``，清点测试读它）或明说不必登录（``.public``）；写入都要幂等键；
错误 400/401/403/404/409/422 在每个端点的说明里都列出。
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, cast, get_args, get_origin

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.params import functions
from ninja.params.models import Param
from ninja.params.models import Query as QueryParam
from pydantic import BaseModel, Field

from sancha.interfaces.api.gate import Bearer, Caller, Session
from sancha.interfaces.api.problems import BadRequest
from sancha.interfaces.api.shapes import (
    Done,
    Id,
    Input,
    Spec,
    body_of,
    list_of,
    page_of,
    present,
    reply_of,
    specs_of,
    unfold,
)
from sancha.interfaces.api.words import describe
from sancha.kit.paging import LONGEST_PAGE, Page
from sancha.rulebook.posts import permission_names

IDEMPOTENCY_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,120}")
_OWNER = re.compile(r"^sancha\.(?:apps|interfaces\.api)\.(\w+)")
LAST_PAGE = 1_000_000

KEY_PARAMETER = {
    "in": "header",
    "name": IDEMPOTENCY_HEADER,
    "required": True,
    "description": "幂等键：每次新的提交用一个新键（如 UUID），重试沿用原键，得首次结果而不会办两次。键只在同一令牌（或同一人）内比较。",
    "schema": {"type": "string", "minLength": 1, "maxLength": 120, "pattern": "^[!-~]+$"},
    "example": "5f0c2c0e-6f1b-4a53-9d1e-0a3b8a4f7c11",
}


class Paging(BaseModel):
    """页码与页长。"""

    page: int = Field(1, ge=1, le=LAST_PAGE, description="页码，从 1 起；超出末页得空页。")
    size: int = Field(50, ge=1, le=LONGEST_PAGE, description=f"页长，最多 {LONGEST_PAGE}。")


@dataclass(frozen=True)
class Act:
    """登记好的写入：给测试与清点看。"""

    path: str
    method: str
    body: type[Input] | None
    example: dict[str, Any] | None


class AuthenticatedRequest(HttpRequest):
    """过了门的请求：ninja 把认证的结果放在 ``auth``。运行时就是 Django 的请求，这里只是类型。"""

    auth: Caller


def caller_of(request: HttpRequest) -> Caller:
    """这次请求的调用者。"""
    return cast(AuthenticatedRequest, request).auth


def idempotency_key(request: HttpRequest) -> str:
    """幂等键，加上调用者的前缀。

    :raises BadRequest: 没有带，或写法不对。
    """
    given = request.headers.get(IDEMPOTENCY_HEADER, "")
    if not given:
        raise BadRequest(
            "IDEMPOTENCY_KEY_MISSING",
            f"写入须带 {IDEMPOTENCY_HEADER} 头。",
            field=IDEMPOTENCY_HEADER,
            fix="每次新的提交用一个新键（如 UUID）；重试沿用原键。",
        )
    if not _KEY.fullmatch(given):
        raise BadRequest(
            "IDEMPOTENCY_KEY_WRONG",
            f"{IDEMPOTENCY_HEADER} 须为 1 到 120 个可见的 ASCII 字符，不含空格。",
            field=IDEMPOTENCY_HEADER,
            value=given,
            fix="建议用 UUID。",
        )
    return f"{caller_of(request).prefix}:{given}"


def page_reply(found: Page[Any], asked: Paging, **extra: Any) -> dict[str, Any]:
    """一页的响应。问的页超出末页时给空页：逐页取的程序据此停下。"""
    rows = found.rows if found.number == asked.page else []
    return {
        "items": [present(row) for row in rows],
        "total": found.total,
        "page": asked.page,
        "size": found.size,
        "pages": found.pages,
        **{name: present(value, name) for name, value in extra.items()},
    }


def ask(
    router: Router,
    path: str,
    permission: str,
    summary: str,
    *,
    reply: Any,
    many: bool = False,
    method: str = "GET",
    status: int = 200,
    example: Any = None,
    where: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """登记一个查询。``reply`` 是数据类或响应模型；``many`` 时响应为数组；``where``、``body`` 见 ``_signature``。

    ``method`` 为 POST 的查询（条件里有证件号之类、不宜写进网址的）不要幂等键：它什么也不写。
    """
    model: Any = reply_of(cast(type, reply)) if dataclasses.is_dataclass(reply) else reply

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = _signature(function, where=where, body=body)
        known = _query_names(signature, path)

        @functools.wraps(function)
        def run(request: HttpRequest, **values: Any) -> Any:
            _refuse_unknown(request, known)
            answer = function(request, **values)
            if isinstance(answer, HttpResponse):
                return answer
            return [present(item) for item in answer] if many else present(answer)

        _mark(run, permission, signature=signature)
        response = {status: list_of(model) if many else model}
        _route(router, path, method, run, permission, summary, response, function.__doc__, example)
        return run

    return register


def act(
    router: Router,
    path: str,
    operation: Callable[..., dict[str, Any]],
    summary: str,
    *,
    method: str = "POST",
    status: int = 200,
    without: Sequence[str] = (),
    fields: dict[str, Spec] | None = None,
    example: dict[str, Any] | None = None,
    prepare: Callable[[HttpRequest, dict[str, Any]], dict[str, Any]] | None = None,
    reply: type[BaseModel] = Done,
    text: str = "",
) -> None:
    """把一个操作登记成写入：正文由操作的签名生成，权限是操作的权限，``on`` 由服务端取营业日。

    ``fields`` 替换或补上签名里说不清类型的栏目；``without`` 不给接口用的栏目；``prepare`` 在调用前再改参数。
    """
    permission: str = vars(operation)["permission"]
    in_path = re.findall(r"{(\w+)}", path)
    specs = specs_of(operation, without=[*in_path, *without]) | (fields or {})
    name = "".join(part.title() for part in operation.__name__.split("_")) + "Body"
    body = body_of(name, specs, example=example) if specs else None
    on = inspect.signature(inspect.unwrap(operation)).parameters.get("on")
    dated = on is not None and on.default is inspect.Parameter.empty

    def run(request: HttpRequest, **values: Any) -> Any:
        _refuse_unknown(request, frozenset())
        caller = caller_of(request)
        key = idempotency_key(request)
        given = values.pop("body", None)
        arguments: dict[str, Any] = unfold(given) if given is not None else {}
        arguments |= values
        if dated:
            arguments["on"] = caller.business_date
        if prepare is not None:
            arguments = prepare(request, arguments)
        return present(operation(actor=caller.actor, key=key, **arguments))

    parameters = [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HttpRequest)]
    parameters += [
        inspect.Parameter(
            one, inspect.Parameter.KEYWORD_ONLY, annotation=Id, default=functions.Path(..., description=describe(one))
        )
        for one in in_path
    ]
    if body is not None:
        optional = all(spec.default is not ... for spec in specs.values())
        default = functions.Body(body() if optional else ...)
        parameters.append(inspect.Parameter("body", inspect.Parameter.KEYWORD_ONLY, annotation=body, default=default))
    run.__name__, run.__module__ = operation.__name__, operation.__module__
    _mark(run, permission, signature=inspect.Signature(parameters), act=Act(path, method, body, example))
    _route(
        router, path, method, run, permission, summary, {status: reply}, text or operation.__doc__, None, writes=True
    )


def own_act(
    router: Router,
    path: str,
    permission: str,
    summary: str,
    *,
    reply: Any,
    status: int = 200,
    method: str = "POST",
    body: type[BaseModel] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """登记一个自写的写入（日终、文件上传等不是单个操作的）。函数的第二个参数是幂等键 ``key``；``body`` 见 ``_signature``。"""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = _signature(function, body=body)
        shown = signature.replace(parameters=[item for item in signature.parameters.values() if item.name != "key"])
        known = _query_names(shown, path)

        @functools.wraps(function)
        def run(request: HttpRequest, **values: Any) -> Any:
            _refuse_unknown(request, known)
            return present(function(request, key=idempotency_key(request), **values))

        taken = next((item.annotation for item in shown.parameters.values() if item.name == "body"), None)
        _mark(run, permission, signature=shown, act=Act(path, method, taken, None))
        _route(router, path, method, run, permission, summary, {status: reply}, function.__doc__, None, writes=True)
        return run

    return register


def open_to_all(view: Callable[..., Any]) -> Callable[..., Any]:
    """不必认证的端点。每多一个都要想清楚。"""
    vars(view)["public"] = True
    return view


def _mark(view: Callable[..., Any], permission: str, *, signature: inspect.Signature, act: Act | None = None) -> None:
    """在端点上写明权限（清点测试读它）、签名（ninja 读它）与写入的登记。"""
    assert permission in permission_names(), f"{permission} is not in posts.yaml"
    vars(view).update(permission=permission, __signature__=signature, **({"act": act} if act else {}))


def _signature(
    function: Callable[..., Any], *, where: type[BaseModel] | None = None, body: type[BaseModel] | None = None
) -> inspect.Signature:
    """端点函数的签名。``where``（查询参数）与 ``body``（正文）的模型是运行时造的，函数上写不出这个类型，在登记时给。"""
    signature = inspect.signature(function, eval_str=True)
    given = {"where": (where, functions.Query), "body": (body, functions.Body)}
    parameters = dict(signature.parameters)
    for name, (model, source) in given.items():
        if model is not None:
            # The very mark that Query[Model] or Body[Model] would have made.
            parameters[name] = parameters[name].replace(annotation=Annotated[model, source()])
    return signature.replace(parameters=list(parameters.values()))


def _query_names(signature: inspect.Signature, path: str) -> frozenset[str]:
    names: set[str] = set()
    for item in signature.parameters.values():
        annotation, *notes = (
            get_args(item.annotation) if get_origin(item.annotation) is Annotated else (item.annotation,)
        )
        if any(isinstance(note, Param) and not isinstance(note, QueryParam) for note in notes):
            continue
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            names |= set(annotation.model_fields)
        elif item.name != "request" and f"{{{item.name}}}" not in path:
            names.add(item.name)
    return frozenset(names)


def _refuse_unknown(request: HttpRequest, known: frozenset[str]) -> None:
    # A misspelt filter that is silently ignored answers another question than the one asked.
    unknown = sorted(set(request.GET) - known)
    if unknown:
        raise BadRequest(
            "PARAMETER_UNKNOWN",
            f"不认识的查询参数「{unknown[0]}」。",
            field=unknown[0],
            value=request.GET[unknown[0]],
            fix=f"可用的参数：{'、'.join(sorted(known)) or '无'}。",
        )


def _route(
    router: Router,
    path: str,
    method: str,
    view: Callable[..., Any],
    permission: str,
    summary: str,
    response: dict[int, Any],
    text: str | None,
    example: Any,
    *,
    writes: bool = False,
) -> None:
    words = inspect.cleandoc(text or "")
    owner = _OWNER.search(view.__module__)
    assert owner is not None, view.__module__
    extra: dict[str, Any] = {"x-permission": permission}
    if writes:
        extra["parameters"] = [KEY_PARAMETER]
    if example is not None:
        extra["requestBody"] = {"content": {"application/json": {"example": example}}}
    router.add_api_operation(
        path,
        [method],
        view,
        auth=[Bearer(permission), Session(permission)],
        response=response,
        operation_id=f"{owner[1]}_{view.__name__}",
        summary=summary,
        description=f"{_prose(words)}\n\n需要的权限：{permission_names()[permission]}（`{permission}`）。",
        openapi_extra=extra,
    )


def _prose(text: str) -> str:
    """docstring → 说明：``:raises`` 改成逐条的「拒绝」，内部写法去掉。"""
    text = re.sub(r":raises \w+: *", "- 拒绝：", text)
    text = re.sub(r":(?:func|mod|class|data):`\.?([^`]+)`", r"`\1`", text)
    return re.sub(r"\n{3,}", "\n\n", text.replace("``", "`"))


__all__ = [
    "Act",
    "Paging",
    "Query",
    "Spec",
    "act",
    "ask",
    "caller_of",
    "date",
    "open_to_all",
    "own_act",
    "page_of",
    "page_reply",
]
