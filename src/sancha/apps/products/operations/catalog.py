"""建产品；装入样例产品。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.products.models import Product, ProductVersion
from sancha.apps.products.operations.checks import customer_kinds_of
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook.programs import product_definitions


@operation("products.create_product", permission="products.edit")
def create_product(
    *, actor: Actor, key: str, on: date, code: str, name: str, program: str, customer_kinds: list[str]
) -> dict[str, Any]:
    """建产品：只立名目，条款随版本发布。

    :raises Conflict: 代码已用。
    :raises DomainError: 代码、名称或客户类别不合格。
    """
    code, name, program = code.strip().upper(), name.strip(), program.strip()
    for field, value, title in (
        ("code", code, "产品代码"),
        ("name", name, "产品名称"),
        ("program", program, "所属方案"),
    ):
        if not value:
            raise DomainError("PRODUCT_FIELD_MISSING", f"{title}不能为空。", field=field, fix=f"填写{title}。")
    kinds = customer_kinds_of(customer_kinds)
    if Product.objects.filter(code=code).exists():
        raise Conflict(
            "PRODUCT_CODE_TAKEN", f"产品代码「{code}」已在用。", field="code", value=code, fix="换一个代码。"
        )
    product = Product.objects.create(
        code=code, name=name, program=program, customer_kinds=[kind.value for kind in kinds], created_at=now()
    )
    return {"subject": f"product:{product.pk}", "product_id": product.pk, "code": code}


@operation("products.install_samples", permission="products.edit")
def install_samples(*, actor: Actor, key: str, on: date, codes: list[str] | None = None) -> dict[str, Any]:
    """装入样例产品：规则库 ``programs/products.yaml`` 里的定义各建一个产品与首个版本；已有同代码的跳过。

    只有系统本身（命令行开户、样例）能这样装；登录的人发布产品一律起草、复核。

    :raises NotPermitted: 不是系统本身。
    """
    if actor.person_id is not None:
        raise NotPermitted(
            "SAMPLES_NEED_SYSTEM",
            "样例产品只由系统初始化装入。",
            clause="ORG-3",
            fix="请起草产品版本，由另一人复核后发布。",
        )
    taken = set(Product.objects.values_list("code", flat=True))
    wanted = [item for item in product_definitions() if codes is None or item.code in codes]
    fresh = [item for item in wanted if item.code not in taken]
    moment = now()
    products = Product.objects.bulk_create(
        Product(
            code=item.code,
            name=item.name,
            program=item.program,
            customer_kinds=[kind.value for kind in item.customer_kinds],
            created_at=moment,
        )
        for item in fresh
    )
    ProductVersion.objects.bulk_create(
        ProductVersion(
            product=product,
            terms=item.terms.model_dump(mode="json"),
            clauses=list(item.clauses),
            valid_from=item.valid_from,
            booked_on=on,
            recorded_at=moment,
            recorded_by_id=actor.person_id,
            reason=item.source[:200],
        )
        for product, item in zip(products, fresh, strict=True)
    )
    return {
        "subject": "products",
        "installed": {product.code: product.pk for product in products},
        "skipped": [item.code for item in wanted if item.code in taken],
    }
