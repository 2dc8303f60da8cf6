"""起草：新版本、停办、利率价目。起草人核对无误后写成修订稿，开出复核任务；发布在 :mod:`.publishing`。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import institutions_by_id, require_institution
from sancha.apps.products import queries
from sancha.apps.products.kinds import PRODUCT_CHECK
from sancha.apps.products.models import DraftKind, DraftState, Product, ProductDraft, ProductVersion, RateCard
from sancha.apps.products.operations.checks import (
    checked_terms,
    known_clauses,
    one_of_product,
    price_in_band,
    starts_properly,
)
from sancha.apps.work.operations import ask_second_person
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation
from sancha.rulebook.vocabulary import label


@operation("products.propose_version", permission="products.edit")
def propose_version(
    *,
    actor: Actor,
    key: str,
    on: date,
    product_id: int,
    valid_from: date,
    terms: dict[str, Any],
    clauses: list[str],
    reason: str = "",
) -> dict[str, Any]:
    """起草产品版本：自 ``valid_from`` 起按新条款登记借据，经另一人复核后发布。

    首个版本可以从过去的日子起（导入存量借据用），以后的版本不得早于营业日，也不得早于已发布的版本。

    :raises DomainError: 条款不成立、依据条款不存在、起效日不对、超过综合融资成本上限、与现行版本没有不同。
    :raises Conflict: 该产品已有待复核的修订稿。
    """
    product = queries.locked_product(product_id)
    document = checked_terms(terms, valid_from)
    known_clauses(clauses)
    last = _last_version(product)
    starts_properly(last, valid_from, on)
    if last is not None and last.offered and (last.terms, last.clauses) == (document, list(clauses)):
        raise DomainError("NOTHING_CHANGED", "与现行版本没有不同。", field="terms", fix="改动至少一处再提交。")
    content = {"terms": document, "clauses": list(clauses)}
    return _draft(product, DraftKind.VERSION, content, actor, on, valid_from, last, reason)


@operation("products.propose_withdrawal", permission="products.edit")
def propose_withdrawal(
    *, actor: Actor, key: str, on: date, product_id: int, valid_from: date, reason: str
) -> dict[str, Any]:
    """起草停办：自某日起不再登记新借据；已登记的照旧。再办就发布新版本。

    :raises DomainError: 没有版本、已停办、没有理由、起效日不对。
    :raises Conflict: 该产品已有待复核的修订稿。
    """
    if not reason.strip():
        raise DomainError("REASON_MISSING", "停办产品须写明理由。", field="reason", fix="填写理由。")
    product = queries.locked_product(product_id)
    last = _last_version(product)
    if last is None or not last.offered:
        raise DomainError(
            "PRODUCT_NOT_OFFERED",
            f"「{product.name}」本来就没有办理。",
            field="product_id",
            value=product.pk,
            fix="无需停办。",
        )
    starts_properly(last, valid_from, on)
    return _draft(product, DraftKind.WITHDRAWAL, {}, actor, on, valid_from, last, reason)


@operation("products.propose_rate", permission="products.edit")
def propose_rate(
    *,
    actor: Actor,
    key: str,
    on: date,
    product_id: int,
    institution_id: int,
    customer_kind: str,
    valid_from: date,
    rate_ppm: int | None = None,
    spread_bp: int | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """起草利率：在产品范围之内，给某机构（及其下级）某类客户定一个执行价。同一时间只有一个价，经办不得变动。

    :raises DomainError: 超出范围、与产品定价方式不符、起效日不对。
    """
    institution = require_institution(actor, institution_id)
    product = queries.locked_product(product_id)
    kind = one_of_product(product, customer_kind)
    pinned = queries.pinned_terms(product_id=product_id, on=valid_from)
    price_in_band(pinned, rate_ppm, spread_bp, valid_from)
    cards = RateCard.objects.filter(product=product, institution_id=institution.id, customer_kind=kind.value)
    starts_properly(cards.order_by("-seq").first(), valid_from, on)
    content = {
        "institution_id": institution.id,
        "customer_kind": kind.value,
        "rate_ppm": rate_ppm,
        "spread_bp": spread_bp,
    }
    return _draft(product, DraftKind.RATE, content, actor, on, valid_from, _last_version(product), reason)


def _last_version(product: Product) -> ProductVersion | None:
    return ProductVersion.objects.filter(product=product).order_by("-seq").first()


def _draft(
    product: Product,
    kind: DraftKind,
    content: dict[str, Any],
    actor: Actor,
    on: date,
    valid_from: date,
    last: ProductVersion | None,
    reason: str,
) -> dict[str, Any]:
    if kind != DraftKind.RATE:
        _no_other_open(product)
    assert actor.institution_id is not None, "a drafter has a place"
    draft = ProductDraft.objects.create(
        product=product,
        kind=kind,
        content=content,
        valid_from=valid_from,
        base_seq=last.seq if last else 0,
        reason=reason.strip(),
        institution_id=actor.institution_id,
        drafted_by_id=actor.person_id or 0,
        booked_on=on,
        recorded_at=now(),
    )
    facts: dict[str, Any] = {"product": product.name, "修订": str(kind.label), "起效日": valid_from.isoformat()}
    if kind == DraftKind.RATE:
        place = institutions_by_id([content["institution_id"]])[content["institution_id"]]
        facts |= {"适用机构": place.name, "客户类别": label(one_of_product(product, content["customer_kind"]))}
    task_id = ask_second_person(
        PRODUCT_CHECK,
        actor=actor,
        on=on,
        subject=("product_draft", draft.pk),
        institution_id=actor.institution_id,
        title=f"复核「{product.name}」{kind.label}",
        reason=reason.strip() or f"{actor.name} 起草，自 {valid_from.isoformat()} 起生效",
        facts=facts,
    )
    return {"subject": f"product:{product.pk}", "draft_id": draft.pk, "task_id": task_id}


def _no_other_open(product: Product) -> None:
    waiting = ProductDraft.objects.filter(product=product, state=DraftState.OPEN).exclude(kind=DraftKind.RATE).first()
    if waiting is not None:
        raise Conflict(
            "DRAFT_WAITING",
            f"「{product.name}」已有一份待复核的修订稿（{waiting.booked_on.isoformat()} 起草）。",
            field="product_id",
            value=product.pk,
            fix="请先由复核人同意或退回。",
        )
