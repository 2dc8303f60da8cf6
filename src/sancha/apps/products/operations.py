"""产品的写入：建产品、发布版本、停办、发布利率价目。改产品就是发布新版本，旧版本一个字不动。"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import ValidationError

from sancha.apps.access.queries import require_institution
from sancha.apps.products import queries
from sancha.apps.products.models import Product, ProductVersion, RateCard
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import operation
from sancha.rulebook import NotYetInForce, UnknownCode, clause, parameter
from sancha.rulebook.product_terms import FixedRate, LprRate, PinnedTerms, ProductTerms, percent, pin, rate_band
from sancha.rulebook.programs import product_definitions
from sancha.rulebook.vocabulary import CustomerKind, label

CAP_CODE = "disclosure.cost_cap_ppm"


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
    kinds = _customer_kinds(customer_kinds)
    if Product.objects.filter(code=code).exists():
        raise Conflict(
            "PRODUCT_CODE_TAKEN", f"产品代码「{code}」已在用。", field="code", value=code, fix="换一个代码。"
        )
    product = Product.objects.create(
        code=code, name=name, program=program, customer_kinds=[kind.value for kind in kinds], created_at=now()
    )
    return {"subject": f"product:{product.pk}", "product_id": product.pk, "code": code}


@operation("products.publish_version", permission="products.edit")
def publish_version(
    *,
    actor: Actor,
    key: str,
    on: date,
    product_id: int,
    valid_from: date,
    terms: dict[str, Any],
    clauses: list[str],
    authorized_by: int,
    reason: str = "",
) -> dict[str, Any]:
    """发布产品版本：自 ``valid_from`` 起按新条款登记借据；``authorized_by`` 是复核人，不能是录入人自己。

    首个版本可以从过去的日子起（导入存量借据用），以后的版本不得早于营业日，也不得早于已发布的版本。

    :raises NotPermitted: 自己复核自己。
    :raises DomainError: 条款不成立、依据条款不存在、起效日不对、超过综合融资成本上限。
    """
    _second_person(actor, authorized_by)
    product = queries.locked_product(product_id)
    document = _checked_terms(terms, valid_from)
    _known_clauses(clauses)
    last = ProductVersion.objects.filter(product=product).order_by("-seq").first()
    _starts_properly(last, valid_from, on)
    return _append_version(
        product,
        last,
        actor,
        on,
        valid_from,
        terms=document,
        clauses=clauses,
        offered=True,
        reason=reason,
        by=authorized_by,
    )


@operation("products.withdraw_product", permission="products.edit")
def withdraw_product(
    *, actor: Actor, key: str, on: date, product_id: int, valid_from: date, authorized_by: int, reason: str
) -> dict[str, Any]:
    """停办产品：自某日起不再登记新借据；已登记的照旧。再办就发布新版本。

    :raises NotPermitted: 自己复核自己。
    :raises DomainError: 没有版本、已停办、没有理由、起效日不对。
    """
    _second_person(actor, authorized_by)
    if not reason.strip():
        raise DomainError("REASON_MISSING", "停办产品须写明理由。", field="reason", fix="填写理由。")
    product = queries.locked_product(product_id)
    last = ProductVersion.objects.filter(product=product).order_by("-seq").first()
    if last is None or not last.offered:
        raise DomainError(
            "PRODUCT_NOT_OFFERED",
            f"「{product.name}」本来就没有办理。",
            field="product_id",
            value=product.pk,
            fix="无需停办。",
        )
    _starts_properly(last, valid_from, on)
    return _append_version(
        product,
        last,
        actor,
        on,
        valid_from,
        terms=last.terms,
        clauses=last.clauses,
        offered=False,
        reason=reason.strip(),
        by=authorized_by,
    )


@operation("products.publish_rate", permission="products.edit")
def publish_rate(
    *,
    actor: Actor,
    key: str,
    on: date,
    product_id: int,
    institution_id: int,
    customer_kind: str,
    valid_from: date,
    authorized_by: int,
    rate_ppm: int | None = None,
    spread_bp: int | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """发布利率：在产品范围之内，给某机构（及其下级）某类客户定一个执行价。同一时间只有一个价，经办不得变动。

    :raises NotPermitted: 自己复核自己。
    :raises DomainError: 超出范围、与产品定价方式不符、起效日不对。
    """
    _second_person(actor, authorized_by)
    institution = require_institution(actor, institution_id)
    product = queries.locked_product(product_id)
    kind = _one_of_product(product, customer_kind)
    pinned = queries.pinned_terms(product_id=product_id, on=valid_from)
    _price_in_band(pinned, rate_ppm, spread_bp, valid_from)
    cards = RateCard.objects.filter(product=product, institution_id=institution.id, customer_kind=kind.value)
    last = cards.order_by("-seq").first()
    _starts_properly(last, valid_from, on)
    card = RateCard.objects.create(
        product=product,
        institution_id=institution.id,
        customer_kind=kind.value,
        rate_ppm=rate_ppm,
        spread_bp=spread_bp,
        valid_from=valid_from,
        seq=last.seq + 1 if last else 1,
        supersedes=last if last is not None and last.valid_from == valid_from else None,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
        authorized_by_id=authorized_by,
        reason=reason.strip(),
    )
    return {"subject": f"product:{product.pk}", "rate_card_id": card.pk, "valid_from": valid_from.isoformat()}


@operation("products.install_samples", permission="products.edit")
def install_samples(
    *, actor: Actor, key: str, on: date, authorized_by: int, codes: list[str] | None = None
) -> dict[str, Any]:
    """装入样例产品：规则库 ``programs/products.yaml`` 里的定义各建一个产品与首个版本；已有同代码的跳过。

    :raises NotPermitted: 自己复核自己。
    """
    _second_person(actor, authorized_by)
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
            authorized_by_id=authorized_by,
            reason=item.source[:200],
        )
        for product, item in zip(products, fresh, strict=True)
    )
    return {
        "subject": "products",
        "installed": {product.code: product.pk for product in products},
        "skipped": [item.code for item in wanted if item.code in taken],
    }


def _append_version(
    product: Product,
    last: ProductVersion | None,
    actor: Actor,
    on: date,
    valid_from: date,
    *,
    terms: dict[str, Any],
    clauses: list[str],
    offered: bool,
    reason: str,
    by: int,
) -> dict[str, Any]:
    version = ProductVersion.objects.create(
        product=product,
        terms=terms,
        clauses=clauses,
        offered=offered,
        reason=reason.strip(),
        valid_from=valid_from,
        seq=last.seq + 1 if last else 1,
        supersedes=last if last is not None and last.valid_from == valid_from else None,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
        authorized_by_id=by,
    )
    return {
        "subject": f"product:{product.pk}",
        "version_id": version.pk,
        "seq": version.seq,
        "valid_from": valid_from.isoformat(),
        "offered": offered,
    }


def _second_person(actor: Actor, authorized_by: int) -> None:
    if actor.person_id is not None and authorized_by == actor.person_id:
        raise NotPermitted(
            "SECOND_PERSON_NEEDED",
            "录入人不能复核自己录入的产品与利率。",
            field="authorized_by",
            value=authorized_by,
            fix="请另一名有权人员复核。",
        )


def _customer_kinds(given: list[str]) -> list[CustomerKind]:
    known = {kind.value: kind for kind in CustomerKind}
    if unknown := [value for value in given if value not in known]:
        raise DomainError(
            "CUSTOMER_KIND_UNKNOWN",
            f"不认识的客户类别「{unknown[0]}」。",
            field="customer_kinds",
            value=unknown[0],
            fix=f"可选：{'、'.join(known)}。",
        )
    if not given or len(set(given)) != len(given):
        raise DomainError(
            "CUSTOMER_KINDS_WRONG",
            "客户类别至少一个且不重复。",
            field="customer_kinds",
            value=given,
            fix="逐一列出适用的客户类别。",
        )
    return [known[value] for value in given]


def _one_of_product(product: Product, customer_kind: str) -> CustomerKind:
    if customer_kind not in product.customer_kinds:
        allowed = "、".join(label(CustomerKind(value)) for value in product.customer_kinds)
        raise DomainError(
            "CUSTOMER_KIND_NOT_OF_PRODUCT",
            f"「{product.name}」的对象是{allowed}。",
            field="customer_kind",
            value=customer_kind,
            fix="换一个客户类别或产品。",
        )
    return CustomerKind(customer_kind)


def _checked_terms(document: dict[str, Any], on: date) -> dict[str, Any]:
    """条款先校验再钉一次：指向的参数都在、当日有值、放进去成立、利率不超过成本上限。"""
    try:
        terms = ProductTerms.model_validate(document)
        pinned = pin(terms, on)
        _, _, highest = rate_band(pinned.terms, on)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DomainError(
            "PRODUCT_TERMS_WRONG",
            f"产品条款「{field or '整体'}」不成立：{first['msg'].removeprefix('Value error, ')}",
            field=f"terms.{field}" if field else "terms",
            value=first.get("input") if field else None,
            fix="对照产品条款说明更正。",
        ) from error
    except (UnknownCode, NotYetInForce) as error:
        raise DomainError(
            "PRODUCT_PARAMETER_WRONG", str(error), field="terms", fix="改用规则库里有的参数，或推迟起效日。"
        ) from error
    _under_cap(highest, on)
    return terms.model_dump(mode="json")


def _under_cap(highest_ppm: int, on: date) -> None:
    try:
        cap = parameter(CAP_CODE, on)
    except NotYetInForce:
        return  # before the cap existed there is nothing to hold the product to
    if highest_ppm > cap.as_int():
        raise DomainError(
            "RATE_ABOVE_COST_CAP",
            f"利率上限 {percent(highest_ppm)} 超过综合融资成本上限 {percent(cap.as_int())}。",
            field="terms.rate",
            value=percent(highest_ppm),
            clause=clause(cap.clause).citation,
            fix="降低利率上限；费用另计入综合融资成本，也在上限之内。",
        )


def _known_clauses(codes: list[str]) -> None:
    if not codes:
        raise DomainError(
            "CLAUSES_MISSING", "产品版本须注明依据的条款。", field="clauses", fix="从规则库选择依据条款。"
        )
    for code in codes:
        try:
            clause(code)
        except UnknownCode as error:
            raise DomainError(
                "CLAUSE_UNKNOWN", str(error), field="clauses", value=code, fix="从规则库选择依据条款。"
            ) from error


def _starts_properly(last: ProductVersion | RateCard | None, valid_from: date, on: date) -> None:
    if last is None:
        return
    if valid_from < on:
        raise DomainError(
            "VALID_FROM_IN_THE_PAST",
            f"起效日 {valid_from} 早于营业日 {on}，已登记的业务不能改按新条款。",
            field="valid_from",
            value=valid_from,
            fix="起效日取营业日或以后。",
        )
    if valid_from < last.valid_from:
        raise DomainError(
            "VALID_FROM_OUT_OF_ORDER",
            f"起效日 {valid_from} 早于已发布版本的起效日 {last.valid_from}。",
            field="valid_from",
            value=valid_from,
            fix=f"起效日取 {last.valid_from} 或以后；同日起效即取代该版本。",
        )


def _price_in_band(pinned: PinnedTerms, rate_ppm: int | None, spread_bp: int | None, on: date) -> None:
    rate = pinned.terms.rate
    given, other = ("spread_bp", "rate_ppm") if isinstance(rate, LprRate) else ("rate_ppm", "spread_bp")
    values = {"rate_ppm": rate_ppm, "spread_bp": spread_bp}
    if values[given] is None or values[other] is not None:
        way = "LPR 加减点" if isinstance(rate, LprRate) else "固定利率"
        word = "加点（bp）" if given == "spread_bp" else "年利率"
        raise DomainError(
            "PRICE_KIND_WRONG", f"本产品按{way}定价，须填且只填{word}。", field=given, fix=f"填写{word}，另一项留空。"
        )
    if isinstance(rate, FixedRate):
        low, _, high = rate_band(pinned.terms, on)
        inside, shown, band = (
            low <= (rate_ppm or 0) <= high,
            percent(rate_ppm or 0),
            f"{percent(low)} 至 {percent(high)}",
        )
    else:
        inside, shown = rate.allows(spread_bp or 0), f"{spread_bp} bp"
        band = (
            f"{rate.min_spread_bp} 至 {rate.max_spread_bp} bp"
            if rate.min_spread_bp is not None
            else f"{rate.spread_bp} bp"
        )
    if not inside:
        raise DomainError(
            "PRICE_OUTSIDE_BAND",
            f"{shown} 超出产品范围（{band}）。",
            field=given,
            value=shown,
            clause=clause("PSBC-2014-PRICING").citation,
            fix="在范围内定价；要改范围须由总行发布产品新版本。",
        )
