"""接口总装：全部路由、错误处理与 OpenAPI 文档。"""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.operation import PathView
from ninja.parser import Parser
from ninja.renderers import JSONRenderer

from sancha import __version__
from sancha.interfaces.api import problems
from sancha.interfaces.api.access.routes import router as access
from sancha.interfaces.api.agreements.routes import router as agreements
from sancha.interfaces.api.audit.routes import router as audit
from sancha.interfaces.api.authority.routes import router as authority
from sancha.interfaces.api.businessday.routes import router as businessday
from sancha.interfaces.api.calculator.routes import router as calculator
from sancha.interfaces.api.cashdesk.routes import router as cashdesk
from sancha.interfaces.api.dayclose.routes import router as dayclose
from sancha.interfaces.api.endpoints import open_to_all
from sancha.interfaces.api.imports.routes import router as imports
from sancha.interfaces.api.ledger.routes import router as ledger
from sancha.interfaces.api.origination.routes import router as origination
from sancha.interfaces.api.parties.risks import router as risks
from sancha.interfaces.api.parties.routes import router as parties
from sancha.interfaces.api.products.routes import router as products
from sancha.interfaces.api.rulebook.routes import router as rulebook
from sancha.interfaces.api.servicing.routes import router as servicing
from sancha.interfaces.api.system.routes import router as system
from sancha.interfaces.api.webhooks.routes import router as webhooks
from sancha.interfaces.api.words import describe
from sancha.interfaces.api.work.routes import router as work
from sancha.rulebook.vocabulary import LABELS, CustomerKind, GuaranteeKind, label

ROUTERS = (
    access, authority, businessday, parties, risks, products, origination, agreements, servicing,
    work, ledger, cashdesk, dayclose, imports, rulebook, calculator, webhooks, audit, system,
)  # fmt: skip
PREFIX = "api/v1"

DESCRIPTION = """三查（Sancha）小额贷款系统的接口，与页面办同样的事、守同样的规矩。

- **身份**：`Authorization: Bearer <令牌>`，令牌绑定一段任职，权限与数据范围即该岗位的；或已登录页面的会话（写入须带 `X-CSRFToken`）。
- **金额**：元的十进制字符串，如 `"1234.50"`，最多两位小数；只有计算器文档与监控指标用整数分，并各自写明。
- **日期**：ISO 8601，如 `"2026-03-02"`。记账日总是服务端的营业日；倒签写 `value_on`。
- **利率**：年利率的百万分之一，整数，`144000` 即 14.4%。
- **幂等**：每个写入都要 `Idempotency-Key`；同键重试得首次结果，同键不同内容得 409。
- **分页**：`?page=&size=`，`size` 最多 500；超出末页得空页。不认识的查询参数会被拒绝。
- **错误**：`application/problem+json`，有 `code`、`field`、`value`、`clause`（依据）与 `fix`（怎么办）。
- **范围**：看不到的与不存在的一样是 404。
"""
ERRORS = {
    400: "请求不合格式：正文不是 JSON、缺幂等键、不认识的查询参数。",
    401: "没有带有效的身份。",
    403: "岗位没有这个权限，或违反职责分离。",
    404: "没有，或不在数据范围内。",
    409: "与当前状态冲突：重复、已锁、已关、幂等键用于另一份内容。",
    422: "栏目或业务上不成立，逐处说明。",
}


class StrictParser(Parser):
    """正文须是 UTF-8 的 JSON，没有 NaN，没有空字符与半个代理对：数据库存不下它们，与其在深处出错，不如在门口说。"""

    def parse_body(self, request: HttpRequest) -> Any:
        """读正文。

        :raises ValueError: 不成样子。
        """
        try:
            document = json.loads(request.body.decode("utf-8"), parse_constant=_not_a_number)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        if b"\\u" in request.body:
            _require_text(document)
        return document


def _not_a_number(name: str) -> Any:
    raise ValueError(name)


def _require_text(part: Any) -> None:
    if isinstance(part, str):
        if "\0" in part:
            raise ValueError("NUL")
        part.encode("utf-8")
    elif isinstance(part, dict):
        for name, inner in part.items():
            _require_text(name)
            _require_text(inner)
    elif isinstance(part, list):
        for inner in part:
            _require_text(inner)


class Renderer(JSONRenderer):
    """中文照写，不转义。"""

    json_dumps_params = {"ensure_ascii": False}


api = NinjaAPI(
    title="三查 Sancha",
    version=__version__,
    description=DESCRIPTION,
    openapi_url=None,
    docs_url=None,
    renderer=Renderer(),
    parser=StrictParser(),
    urls_namespace="api-v1",
)
problems.install(api)
for router in ROUTERS:
    api.add_router("", router)


@cache
def document() -> dict[str, Any]:
    """OpenAPI 文档：各端点都列出可能的错误。"""
    made: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=f"{PREFIX}/"), default=str))
    made["components"]["schemas"]["Problem"] = problems.PROBLEM_SCHEMA
    made["components"]["securitySchemes"] = {
        "Bearer": {"type": "http", "scheme": "bearer", "description": "接口令牌，由系统管理员签发。"},
        "Session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "已登录页面的会话；写入另带 X-CSRFToken 头。",
        },
    }
    reference = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for methods in made["paths"].values():
        for operation in methods.values():
            operation["responses"] = {str(code): body for code, body in operation["responses"].items()}
            for body in operation["responses"].values():
                body["description"] = "成功。"
            for status, text in ERRORS.items():
                operation["responses"].setdefault(str(status), {"description": text, "content": reference})
    _name_in_chinese(made)
    kinds: list[type[StrEnum]] = [*LABELS, CustomerKind, GuaranteeKind]
    for kind in kinds:
        if kind.__name__ in made["components"]["schemas"]:
            words = "；".join(f"{member.value} {label(member)}" for member in kind)
            made["components"]["schemas"][kind.__name__]["description"] = words
    made["paths"][f"/{PREFIX}/metrics"]["get"]["responses"]["200"]["content"] = {
        "text/plain": {"schema": {"type": "string"}}
    }
    return made


def _name_in_chinese(part: Any) -> None:
    """还没有说明的参数与栏目，按名字补上中文说明。"""
    if isinstance(part, dict):
        for name, field in (part.get("properties") or {}).items():
            if isinstance(field, dict) and not field.get("description"):
                field["description"] = describe(name)
        if "in" in part and "schema" in part and not part.get("description"):
            part["description"] = describe(part["name"])
        for inner in part.values():
            _name_in_chinese(inner)
    elif isinstance(part, list):
        for inner in part:
            _name_in_chinese(inner)


@open_to_all
def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 文档。不必认证：它只说有哪些接口，不含数据。"""
    text = json.dumps(document(), ensure_ascii=False)
    return HttpResponse(text, content_type="application/json; charset=utf-8")


def operations() -> list[tuple[str, str, Any]]:
    """全部端点：（方法, 网址, 视图）。清点测试用。"""
    found = []
    for bound in api._get_bound_routers():
        for path, view in bound.path_operations.items():
            assert isinstance(view, PathView)
            found += [
                (method, f"/{PREFIX}{path}", operation.view_func)
                for operation in view.operations
                for method in operation.methods
            ]
    return found
