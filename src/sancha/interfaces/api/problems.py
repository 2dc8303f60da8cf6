"""错误：不论出在认证、校验、业务还是程序，返回同一个 ``application/problem+json``（RFC 9457）。

校验错误说中文：错在哪一栏、给了什么值、该怎样；多处错误列在 ``errors``，首处同时写在外层。
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from sancha.kit.errors import DomainError

logger = logging.getLogger("sancha.api")

CONTENT_TYPE = "application/problem+json"
LONGEST_VALUE = 200
TITLES = {
    400: "请求不合格式",
    401: "未认证",
    403: "无权办理",
    404: "没有找到",
    405: "不支持的方法",
    409: "与当前状态冲突",
    413: "请求太大",
    422: "不能办理",
    500: "系统出错",
    503: "暂时繁忙",
}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "错误：说清错在哪、是什么值、依据哪条、怎么办。",
    "properties": {
        "type": {"type": "string", "description": "问题类别的标识，urn:sancha:problem: 加代码。"},
        "title": {"type": "string", "description": "这一类问题的名称。"},
        "status": {"type": "integer", "description": "HTTP 状态码。"},
        "detail": {"type": "string", "description": "错在哪里，一句话。"},
        "code": {"type": "string", "description": "稳定的英文代码，程序据此判断。"},
        "field": {"type": "string", "description": "出错的栏目。"},
        "value": {"type": "string", "description": "出错的值。"},
        "clause": {"type": "string", "description": "依据的条款。"},
        "fix": {"type": "string", "description": "怎么办。"},
        "errors": {
            "type": "array",
            "description": "不止一处时，逐处列出。",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "出错的栏目。"},
                    "value": {"type": "string", "description": "出错的值。"},
                    "detail": {"type": "string", "description": "错在哪里。"},
                },
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
    "examples": [
        {
            "type": "urn:sancha:problem:ABOVE_DEBT",
            "title": "不能办理",
            "status": 422,
            "detail": "还款 9,000.00 元超过结清应付 8,515.00 元。",
            "code": "ABOVE_DEBT",
            "field": "amount",
            "value": "9,000.00",
            "clause": "民法典 677",
            "fix": "请核对金额；确需多收的，勾选「允许溢缴」，多出部分记溢缴款，可退还。",
        }
    ],
}


class Unauthenticated(DomainError):
    """没有可用的身份。"""

    status = 401


class BadRequest(DomainError):
    """请求本身不成样子。"""

    status = 400


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    value: Any = None,
    clause: str | None = None,
    fix: str | None = None,
    errors: list[dict[str, str]] | None = None,
) -> HttpResponse:
    """造一个错误响应；空项略去。"""
    body: dict[str, Any] = {
        "type": f"urn:sancha:problem:{code}",
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "code": code,
        "field": field,
        "value": None if value is None else shown(value),
        "clause": clause,
        "fix": fix,
        "errors": errors or None,
    }
    text = json.dumps({name: item for name, item in body.items() if item is not None}, ensure_ascii=False)
    # A value echoed back may hold a lone surrogate, which UTF-8 cannot carry.
    response = HttpResponse(text.encode("utf-8", "replace"), status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="sancha"'
    return response


def shown(value: Any) -> str:
    """把出错的值写成不太长的文本。"""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def from_domain(error: DomainError) -> HttpResponse:
    """业务错误。``amount_fen`` 之类的内部栏目名换成接口的。"""
    return problem(
        error.status,
        error.code,
        error.message,
        field=error.field.removesuffix("_fen") if error.field else None,
        value=error.value,
        clause=error.clause,
        fix=error.fix,
    )


def from_validation(error: ValidationError) -> HttpResponse:
    """栏目不合约定。"""
    listed = [
        {"field": _field(item["loc"]), "value": shown(item.get("input", "")), "detail": _words(item)}
        for item in error.errors
    ]
    for item, source in zip(listed, error.errors, strict=True):
        if source["type"] == "missing":
            del item["value"]
    first = listed[0]
    return problem(
        422,
        "INVALID_REQUEST",
        f"「{first['field']}」{first['detail']}" if first["field"] else first["detail"],
        field=first["field"] or None,
        value=first.get("value"),
        fix="请对照 /api/v1/openapi.json 更正。",
        errors=listed if len(listed) > 1 else None,
    )


def _field(location: tuple[Any, ...] | list[Any]) -> str:
    parts = [str(part) for part in location]
    # ("body", "body", "lines", 0, "amount"): the first says where it came from, the second is our own parameter name.
    if parts and parts[0] in {"body", "query", "path", "form", "file", "header"}:
        parts = parts[1:]
    if parts and parts[0] in {"body", "where", "paging"}:
        parts = parts[1:]
    return ".".join(parts)


_WORDS = {
    "missing": "必须填写。",
    "extra_forbidden": "是不认识的栏目。",
    "string_type": "须为字符串。",
    "string_too_short": "不能短于 {min_length} 个字。",
    "string_too_long": "不能超过 {max_length} 个字。",
    "string_pattern_mismatch": "写法不对，须合于 {pattern}。",
    "string_unicode": "含有不成字的编码。",
    "int_type": "须为整数。",
    "int_parsing": "须为整数。",
    "int_parsing_size": "数太大。",
    "int_from_float": "须为整数。",
    "bool_type": "须为 true 或 false。",
    "bool_parsing": "须为 true 或 false。",
    "enum": "须为 {expected} 之一。",
    "literal_error": "须为 {expected} 之一。",
    "list_type": "须为数组。",
    "tuple_type": "须为数组。",
    "too_short": "不能少于 {min_length} 项。",
    "too_long": "不能多于 {max_length} 项。",
    "dict_type": "须为对象。",
    "model_type": "须为对象。",
    "model_attributes_type": "须为对象。",
    "greater_than_equal": "不能小于 {ge}。",
    "less_than_equal": "不能大于 {le}。",
    "greater_than": "须大于 {gt}。",
    "less_than": "须小于 {lt}。",
    "union_tag_not_found": "缺少 {discriminator}。",
    "union_tag_invalid": "须为 {expected_tags} 之一。",
}


def _words(item: dict[str, Any]) -> str:
    context = item.get("ctx") or {}
    if item["type"] in {"value_error", "assertion_error"}:
        return str(context.get("error", item["msg"]))
    template = _WORDS.get(item["type"])
    return template.format(**context) if template else str(item["msg"])


def from_http(error: HttpError) -> HttpResponse:
    """框架自己的错误：认证不过、正文不是 JSON。"""
    if isinstance(error, AuthenticationError):
        return problem(
            401,
            "AUTHENTICATION_REQUIRED",
            "没有带有效的身份。",
            fix="请在 Authorization 头带 Bearer 令牌，或先登录页面并选择岗位。",
        )
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return problem(400, "BODY_UNREADABLE", "请求正文不是可读的 JSON。", fix="请以 UTF-8 的 JSON 对象提交。")
    return problem(error.status_code, "HTTP_ERROR", str(error))


def unknown_address(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """没有这个接口地址。"""
    return problem(
        404,
        "ADDRESS_UNKNOWN",
        f"没有接口地址 {request.path}。",
        field="path",
        value=request.path,
        fix="全部接口见 /api/v1/openapi.json。",
    )


def _crashed(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.exception("api %s %s", request.method, request.path, exc_info=error)
    return problem(
        500, "INTERNAL_ERROR", "系统出错，已记录。", fix="请稍后重试（幂等键不变）；仍不行请联系系统管理员。"
    )


def _busy(_: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("api: database busy: %s", error)
    response = problem(503, "BUSY", "系统正忙，没有办成。", fix="请稍后以同一幂等键重试。")
    response["Retry-After"] = "2"
    return response


def install(api: NinjaAPI) -> None:
    """给接口装上全部错误处理。"""

    def too_large(request: HttpRequest, error: Exception) -> HttpResponse:
        return problem(413, "REQUEST_TOO_LARGE", "请求太大。", fix="请分批提交。")

    def beyond_column(request: HttpRequest, error: Exception) -> HttpResponse:
        # The last net: an operation that let a text through which its column cannot hold.
        logger.warning("api %s %s: %s", request.method, request.path, error)
        return problem(422, "VALUE_TOO_LARGE", "有一栏的内容太长或数太大，存不下。", fix="请缩短文字或核对数值。")

    api.exception_handler(Exception)(_crashed)
    api.exception_handler(OperationalError)(_busy)
    api.exception_handler(DataError)(beyond_column)
    api.exception_handler(OverflowError)(beyond_column)
    api.exception_handler(RequestDataTooBig)(too_large)
    api.exception_handler(Http404)(lambda request, error: unknown_address(request))
    api.exception_handler(HttpError)(lambda request, error: from_http(error))
    api.exception_handler(ValidationError)(lambda request, error: from_validation(error))
    api.exception_handler(DomainError)(lambda request, error: from_domain(error))
