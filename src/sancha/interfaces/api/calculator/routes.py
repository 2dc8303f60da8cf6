"""计算器的端点：一份文档进，一份结果出，什么也不读、什么也不写；与 ``sancha quote`` 是同一个函数。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Body, Router

from sancha.interfaces.api.endpoints import ask
from sancha.interfaces.api.problems import problem, shown
from sancha.interfaces.api.shapes import AsIs
from sancha.kernel import calculator

router = Router(tags=["计算器"])

EXAMPLE = {
    "terms": {
        "start": "2026-01-15", "principal_fen": 5_000_000, "rate_ppm": 144_000, "method": "LEVEL_PAYMENT", "periods": 12,
    },
    "facts": [
        {"seq": 1, "kind": "DISBURSEMENT", "value_on": "2026-01-15", "amount_fen": 5_000_000},
        {"seq": 2, "kind": "REPAYMENT", "value_on": "2026-02-15", "amount_fen": 449_030},
    ],
    "on": "2026-03-02",
}  # fmt: skip


@ask(router, "/calculator", "calculator.use", "利息试算", reply=dict[str, Any], method="POST", example=EXAMPLE)
def calculate(request: HttpRequest, *, body: Body[dict[str, Any]]) -> Any:
    """试算：{terms, facts, on, known_at, want} 进，状态、计划、头寸、结清报价与融资成本出；格式见 `GET /calculator/schema`。

    金额为整数分、年利率为百万分之一，与别的接口不同：它是 ``sancha quote`` 的同一份文档。文档不成立时返回 422，逐处说明。
    """
    result = calculator.calculate(body)
    if result["ok"]:
        return AsIs(result)
    errors = [
        {"field": str(item["field"]), "value": shown(item["value"]), "detail": f"{item['message']}{item['fix']}"}
        for item in result["errors"]
    ]
    first = result["errors"][0]
    return problem(
        422,
        "DOCUMENT_INVALID",
        first["message"],
        field=first["field"],
        value=first["value"],
        fix=first["fix"] or "格式见 GET /api/v1/calculator/schema。",
        errors=errors if len(errors) > 1 else None,
    )


@ask(router, "/calculator/schema", "calculator.use", "试算文档的格式", reply=dict[str, Any])
def schema(request: HttpRequest) -> Any:
    """试算两份文档（请求与结果）的 JSON Schema，与 `sancha quote --schema` 相同。"""
    return AsIs(calculator.schema())
