"""产品的查询：清单、某日的版本、钉住的条款、版本文件、利率价目、要素核对。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.products.models import DraftKind, DraftState, Product, ProductDraft, ProductVersion, RateCard
from sancha.kit.actor import Actor
from sancha.kit.dated import valid_on
from sancha.kit.errors import DomainError, NotFound
from sancha.rulebook import clause
from sancha.rulebook.product_terms import (
    PPM_PER_BP,
    ElementProblem,
    FixedRate,
    LoanElements,
    PinnedTerms,
    ProductTerms,
    lpr_ppm,
    pin,
    problems_with,
    rate_band,
)
from sancha.rulebook.vocabulary import CustomerKind, label


@dataclass(frozen=True, slots=True)
class ProductInfo:
    """产品一览行。``version_seq`` 当日版本号，空为当日没有版本；``offered`` 当日是否办理。"""

    id: int
    code: str
    name: str
    program: str
    customer_kinds: tuple[CustomerKind, ...]
    version_seq: int | None
    valid_from: date | None
    offered: bool


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """产品版本：某日有效的条款（未钉住）、依据与经办复核。"""

    id: int
    product_id: int
    product_code: str
    product_name: str
    customer_kinds: tuple[CustomerKind, ...]
    seq: int
    valid_from: date
    offered: bool
    terms: ProductTerms
    clauses: tuple[str, ...]
    reason: str
    booked_on: date
    recorded_by_id: int | None
    authorized_by_id: int | None


@dataclass(frozen=True, slots=True)
class Price:
    """执行价：``source`` 为 ``CARD``（机构价目）或 ``PRODUCT``（产品默认）。"""

    rate_ppm: int
    source: str
    card_id: int | None
    institution_id: int | None
    valid_from: date


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """修订稿：种类、内容、起草时的现行版本与状态。"""

    id: int
    product_id: int
    product_name: str
    kind: str
    kind_name: str
    content: dict[str, Any]
    valid_from: date
    base_seq: int
    reason: str
    state: str
    state_name: str
    drafted_by_id: int
    booked_on: date


@dataclass(frozen=True, slots=True)
class CardInfo:
    """利率价目一行。"""

    id: int
    institution_id: int
    customer_kind: str
    rate_ppm: int | None
    spread_bp: int | None
    valid_from: date
    reason: str
    recorded_by_id: int | None
    authorized_by_id: int | None


def list_products(*, actor: Actor, on: date, offered_only: bool = False) -> list[ProductInfo]:
    """产品清单，附某日的版本。两条语句。"""
    actor.require("products.view")
    current = _versions_on(ProductVersion.objects.only("product_id", "seq", "valid_from", "offered", "valid_to"), on)
    rows = [_info(product, current.get(product.pk)) for product in Product.objects.order_by("program", "code")]
    return [row for row in rows if row.offered] if offered_only else rows


def product_ids(codes: Iterable[str]) -> dict[str, int]:
    """产品代码 → 编号（导入与登记用）。"""
    return dict(Product.objects.filter(code__in=set(codes)).values_list("code", "pk"))


def product_version_on(*, product_id: int, on: date, known_on: date | None = None) -> VersionInfo:
    """某日有效的产品版本；``known_on`` 给出时只用那天及以前录入的。

    :raises NotFound: 没有此产品，或该日还没有版本。
    """
    rows = ProductVersion.objects.filter(product_id=product_id, valid_from__lte=on).select_related("product")
    if known_on is not None:
        rows = rows.filter(booked_on__lte=known_on)
    version = rows.order_by("-valid_from", "-seq").first()
    if version is None:
        raise NotFound(
            "PRODUCT_VERSION_NOT_FOUND",
            f"编号 {product_id} 的产品在 {on} 没有版本。",
            field="product_id",
            value=product_id,
            fix="先发布产品版本，或核对日期。",
        )
    return _version_info(version)


def version_history(*, product_id: int) -> list[VersionInfo]:
    """产品的全部版本，新的在前。"""
    rows = ProductVersion.objects.filter(product_id=product_id).select_related("product").order_by("-seq")
    return [_version_info(row) for row in rows]


def pinned_terms(*, product_id: int, on: date, offered: bool = True) -> PinnedTerms:
    """钉住的产品条款：登记借据用。``offered`` 为真时，停办的产品拒绝。

    :raises NotFound: 该日没有版本。
    :raises DomainError: 产品已停办。
    """
    version = product_version_on(product_id=product_id, on=on)
    if offered and not version.offered:
        raise DomainError(
            "PRODUCT_WITHDRAWN",
            f"「{version.product_name}」自 {version.valid_from} 起停办，不能登记新借据。",
            field="product_id",
            value=product_id,
            fix="换一个在办的产品。",
        )
    return pin(version.terms, on)


def version_document(*, version_id: int) -> dict[str, Any]:
    """版本文件：条款、依据、经办复核，可打印、可比对、可导出。

    :raises NotFound: 没有此版本。
    """
    row = ProductVersion.objects.select_related("product").filter(pk=version_id).first()
    if row is None:
        raise NotFound(
            "PRODUCT_VERSION_NOT_FOUND",
            f"没有编号为 {version_id} 的产品版本。",
            field="version_id",
            value=version_id,
            fix="从版本列表选择。",
        )
    version = _version_info(row)
    return {
        "product": {
            "id": version.product_id,
            "code": version.product_code,
            "name": version.product_name,
            "program": row.product.program,
            "customer_kinds": [{"code": kind.value, "name": label(kind)} for kind in version.customer_kinds],
        },
        "seq": version.seq,
        "valid_from": version.valid_from.isoformat(),
        "offered": version.offered,
        "reason": version.reason,
        "booked_on": version.booked_on.isoformat(),
        "recorded_by_id": version.recorded_by_id,
        "authorized_by_id": version.authorized_by_id,
        "terms": version.terms.model_dump(mode="json"),
        "pinned": pin(version.terms, version.valid_from).as_document(),
        "clauses": [
            {"code": code, "citation": clause(code).citation, "gist": clause(code).gist} for code in version.clauses
        ],
    }


def element_problems(*, product_id: int, chosen: LoanElements) -> list[ElementProblem]:
    """要素核对：以放款日的产品版本核对金额、期限、方式、利率、担保。空列表即相符。"""
    version = product_version_on(product_id=product_id, on=chosen.start)
    pinned = pinned_terms(product_id=product_id, on=chosen.start)
    return problems_with(pinned, chosen, version.customer_kinds)


def price_on(*, product_id: int, institution_path: str, customer_kind: str, on: date) -> Price:
    """执行价：本机构或最近的上级机构的价目；都没有则用产品默认。LPR 产品给出当日报价加点后的利率。

    :raises NotFound: 该日没有产品版本。
    """
    pinned = pinned_terms(product_id=product_id, on=on)
    line = [int(part) for part in institution_path.split("/") if part]
    cards = RateCard.objects.filter(
        valid_on(on),
        product_id=product_id,
        customer_kind=customer_kind,
        institution_id__in=line,
    )
    newest: dict[int, RateCard] = {}
    for card in cards.order_by("valid_from", "seq"):
        newest[card.institution_id] = card
    for institution_id in reversed(line):
        if (found := newest.get(institution_id)) is not None:
            return Price(_rate_of(pinned, found, on), "CARD", found.pk, institution_id, found.valid_from)
    return Price(rate_band(pinned.terms, on)[1], "PRODUCT", None, None, on)


def product_info(*, product_id: int, on: date) -> ProductInfo:
    """一个产品，附某日的版本（可能还没有）。

    :raises NotFound: 没有此产品。
    """
    row = Product.objects.filter(pk=product_id).first()
    if row is None:
        raise _no_product(product_id)
    return _info(row, _versions_on(ProductVersion.objects.filter(product=row), on).get(row.pk))


def rate_cards(*, product_id: int) -> list[CardInfo]:
    """产品的利率价目，新的在前。"""
    rows = RateCard.objects.filter(product_id=product_id).order_by("-valid_from", "-seq", "-pk")
    return [
        CardInfo(
            id=row.pk,
            institution_id=row.institution_id,
            customer_kind=label(CustomerKind(row.customer_kind)),
            rate_ppm=row.rate_ppm,
            spread_bp=row.spread_bp,
            valid_from=row.valid_from,
            reason=row.reason,
            recorded_by_id=row.recorded_by_id,
            authorized_by_id=row.authorized_by_id,
        )
        for row in rows
    ]


def open_drafts(*, product_id: int) -> list[DraftInfo]:
    """产品待复核的修订稿，新的在前。"""
    rows = ProductDraft.objects.filter(product_id=product_id, state=DraftState.OPEN).select_related("product")
    return [_draft_info(row) for row in rows.order_by("-pk")]


def draft(*, draft_id: int) -> DraftInfo:
    """一份修订稿。

    :raises NotFound: 没有。
    """
    row = ProductDraft.objects.select_related("product").filter(pk=draft_id).first()
    if row is None:
        raise NotFound(
            "DRAFT_NOT_FOUND", f"没有编号为 {draft_id} 的修订稿。", field="draft_id", value=draft_id, fix="从任务打开。"
        )
    return _draft_info(row)


def _draft_info(row: ProductDraft) -> DraftInfo:
    return DraftInfo(
        id=row.pk,
        product_id=row.product_id,
        product_name=row.product.name,
        kind=row.kind,
        kind_name=str(DraftKind(row.kind).label),
        content=row.content,
        valid_from=row.valid_from,
        base_seq=row.base_seq,
        reason=row.reason,
        state=row.state,
        state_name=str(DraftState(row.state).label),
        drafted_by_id=row.drafted_by_id,
        booked_on=row.booked_on,
    )


def _no_product(product_id: int) -> NotFound:
    return NotFound(
        "PRODUCT_NOT_FOUND",
        f"没有编号为 {product_id} 的产品。",
        field="product_id",
        value=product_id,
        fix="从产品列表选择。",
    )


def locked_product(product_id: int) -> Product:
    """锁住的产品，只供本应用的操作用：发布版本与价目排队进行。

    :raises NotFound: 没有此产品。
    """
    product = Product.objects.select_for_update().filter(pk=product_id).first()
    if product is None:
        raise _no_product(product_id)
    return product


def _rate_of(pinned: PinnedTerms, card: RateCard, on: date) -> int:
    rate = pinned.terms.rate
    if isinstance(rate, FixedRate):
        if card.rate_ppm is None:  # the product changed its way of pricing after this card
            return rate.default_ppm
        return card.rate_ppm
    if card.spread_bp is None:
        return rate_band(pinned.terms, on)[1]
    return max(0, lpr_ppm(rate.tenor, on) + card.spread_bp * PPM_PER_BP)


def _versions_on(rows: Any, on: date) -> dict[int, ProductVersion]:
    found: dict[int, ProductVersion] = {}
    for row in rows.filter(valid_from__lte=on).order_by("valid_from", "seq"):
        found[row.product_id] = row
    return found


def _kinds(product: Product) -> tuple[CustomerKind, ...]:
    return tuple(CustomerKind(value) for value in product.customer_kinds)


def _info(product: Product, version: ProductVersion | None) -> ProductInfo:
    return ProductInfo(
        id=product.pk,
        code=product.code,
        name=product.name,
        program=product.program,
        customer_kinds=_kinds(product),
        version_seq=version.seq if version else None,
        valid_from=version.valid_from if version else None,
        offered=version is not None and version.offered,
    )


def _version_info(row: ProductVersion) -> VersionInfo:
    return VersionInfo(
        id=row.pk,
        product_id=row.product_id,
        product_code=row.product.code,
        product_name=row.product.name,
        customer_kinds=_kinds(row.product),
        seq=row.seq,
        valid_from=row.valid_from,
        offered=row.offered,
        terms=ProductTerms.model_validate(row.terms),
        clauses=tuple(row.clauses),
        reason=row.reason,
        booked_on=row.booked_on,
        recorded_by_id=row.recorded_by_id,
        authorized_by_id=row.authorized_by_id,
    )
