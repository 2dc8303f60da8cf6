"""产品的端点（只读：发布版本须两人当面复核，在页面上办）。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from sancha.apps.access.queries import require_institution
from sancha.apps.products import queries
from sancha.interfaces.api.endpoints import ask, caller_of
from sancha.interfaces.api.shapes import Day, Id, Word, record
from sancha.rulebook.vocabulary import CustomerKind

router = Router(tags=["产品"])
VersionReply = record(
    "ProductVersion",
    {
        "id": int, "product_id": int, "product_code": str, "product_name": str, "customer_kinds": list[CustomerKind], "seq": int,
        "valid_from": Day, "offered": bool, "terms": dict[str, Any], "clauses": list[str], "reason": str, "booked_on": Day,
        "recorded_by_id": int | None, "authorized_by_id": int | None,
    },
    "产品版本：自某日起的条款。",
)  # fmt: skip


@ask(router, "/products", "products.view", "产品清单", reply=queries.ProductInfo, many=True)
def products(request: HttpRequest, *, on: Day | None = None, offered_only: bool = False) -> Any:
    """产品，附某日（缺省营业日）的版本；``offered_only`` 只列办理中的。"""
    caller = caller_of(request)
    return queries.list_products(actor=caller.actor, on=on or caller.business_date, offered_only=offered_only)


@ask(router, "/products/{product_id}", "products.view", "某日的产品条款", reply=VersionReply)
def product(request: HttpRequest, *, product_id: Id, on: Day | None = None, known_on: Day | None = None) -> Any:
    """某日（缺省营业日）有效的产品版本；``known_on`` 给出时只用那天及以前录入的。"""
    return queries.product_version_on(
        product_id=product_id, on=on or caller_of(request).business_date, known_on=known_on
    )


@ask(router, "/products/{product_id}/versions", "products.view", "产品的全部版本", reply=VersionReply, many=True)
def versions(request: HttpRequest, *, product_id: Id) -> Any:
    """产品的全部版本，新的在前。"""
    return queries.version_history(product_id=product_id)


@ask(router, "/products/{product_id}/price", "products.view", "执行价", reply=queries.Price)
def price(
    request: HttpRequest, *, institution_id: Id, customer_kind: Word, product_id: Id, on: Day | None = None
) -> Any:
    """某机构某类客户某日（缺省营业日）的执行利率：本机构或最近的上级机构的价目，都没有则用产品默认。"""
    caller = caller_of(request)
    place = require_institution(caller.actor, institution_id)
    return queries.price_on(
        product_id=product_id, institution_path=place.path, customer_kind=customer_kind, on=on or caller.business_date
    )
