"""产品与利率的核对：条款成立、依据存在、起效日、范围、综合融资成本上限。起草与发布时各核一遍。"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import ValidationError

from sancha.apps.products.models import Product, ProductVersion, RateCard
from sancha.kit.errors import DomainError
from sancha.rulebook import NotYetInForce, UnknownCode, clause, parameter
from sancha.rulebook.product_terms import FixedRate, LprRate, PinnedTerms, ProductTerms, percent, pin, rate_band
from sancha.rulebook.vocabulary import CustomerKind, label

CAP_CODE = "disclosure.cost_cap_ppm"


def customer_kinds_of(given: list[str]) -> list[CustomerKind]:
    """客户类别：认得、至少一个、不重复。"""
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


def one_of_product(product: Product, customer_kind: str) -> CustomerKind:
    """产品适用的一类客户。"""
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


def checked_terms(document: dict[str, Any], on: date) -> dict[str, Any]:
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


def known_clauses(codes: list[str]) -> None:
    """依据条款：至少一条，规则库里都有。"""
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


def starts_properly(last: ProductVersion | RateCard | None, valid_from: date, on: date) -> None:
    """起效日：不早于营业日，也不早于已发布的。"""
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


def price_in_band(pinned: PinnedTerms, rate_ppm: int | None, spread_bp: int | None, on: date) -> None:
    """价格与产品的定价方式相符，且在范围之内。"""
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
