"""产品的端点：查询，与起草版本、停办、利率；发布由另一人办结复核任务（``/tasks``）。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from sancha.apps.access.queries import require_institution
from sancha.apps.products import operations, queries
from sancha.interfaces.api.endpoints import Spec, act, ask, caller_of
from sancha.interfaces.api.shapes import Day, Id, Word, done, record
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


DraftReply = record(
    "ProductDraft",
    {
        "id": int, "product_id": int, "product_name": str, "kind": str, "kind_name": str, "content": dict[str, Any],
        "valid_from": Day, "base_seq": int, "reason": str, "state": str, "state_name": str, "drafted_by_id": int, "booked_on": Day,
    },
    "产品修订稿：待复核、已发布或已退回。",
)  # fmt: skip
DraftDone = done("ProductDraftDone", draft_id=int, task_id=int)


@ask(router, "/products/{product_id}/drafts", "products.view", "待复核的修订稿", reply=DraftReply, many=True)
def drafts(request: HttpRequest, *, product_id: Id) -> Any:
    """产品待复核的修订稿，新的在前；复核办任务。"""
    return queries.open_drafts(product_id=product_id)


act(
    router,
    "/products/{product_id}/versions",
    operations.propose_version,
    "起草产品版本",
    fields={"terms": Spec(dict[str, Any])},
    reply=DraftDone,
    status=201,
    example={
        "valid_from": "2026-04-01", "terms": {"grace_days": 3}, "clauses": ["PSBC-2014-TERMS"], "reason": "增设宽限期",
    },
)  # fmt: skip
act(
    router,
    "/products/{product_id}/withdrawal",
    operations.propose_withdrawal,
    "起草停办",
    reply=DraftDone,
    status=201,
    example={"valid_from": "2026-07-01", "reason": "试点结束"},
)
act(
    router,
    "/products/{product_id}/rates",
    operations.propose_rate,
    "起草利率",
    reply=DraftDone,
    status=201,
    example={"institution_id": 3, "customer_kind": "FARMER", "valid_from": "2026-04-01", "rate_ppm": 120000},
)
