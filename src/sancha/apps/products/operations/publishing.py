"""发布：复核任务的办结。第二人就是办结任务的人，不由起草人指定。"""

from __future__ import annotations

from datetime import date
from typing import Any

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
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict
from sancha.kit.operation import operation


@operation("products.decide_draft", permission="products.authorize")
def decide_draft(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核修订稿：同意则发布（再核一遍：条款、范围、起效日），退回则不留下任何改动。

    :raises NotPermitted: 起草人复核自己起草的。
    :raises Conflict: 起草之后版本已变，或起效日已过。
    """
    draft_id = work.subject_to_check(PRODUCT_CHECK, task_id=task_id)
    draft = ProductDraft.objects.select_for_update().get(pk=draft_id)
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    product = queries.locked_product(draft.product_id)
    result: dict[str, Any] = {}
    if outcome == work.APPROVED:
        _still_current(draft, on)
        publish = {DraftKind.VERSION: _version, DraftKind.WITHDRAWAL: _withdrawal, DraftKind.RATE: _rate}
        result = publish[DraftKind(draft.kind)](product, draft, actor, on)
    draft.state = DraftState.PUBLISHED if outcome == work.APPROVED else DraftState.RETURNED
    draft.save(update_fields=["state"])
    audit = {"drafted_by_id": draft.drafted_by_id, "draft_id": draft.pk}
    return closed | result | {"subject": f"product:{product.pk}", "draft_id": draft.pk, "audit": audit}


def _still_current(draft: ProductDraft, on: date) -> None:
    last = ProductVersion.objects.filter(product_id=draft.product_id).order_by("-seq").first()
    if (last.seq if last else 0) != draft.base_seq:
        raise Conflict(
            "DRAFT_OUTDATED",
            f"起草时的现行版本是第 {draft.base_seq} 版，现在已是第 {last.seq if last else 0} 版。",
            field="task_id",
            value=draft.pk,
            fix="请退回，由起草人在现行版本上重新起草。",
        )


def _version(product: Product, draft: ProductDraft, actor: Actor, on: date) -> dict[str, Any]:
    document = checked_terms(draft.content["terms"], draft.valid_from)
    known_clauses(draft.content["clauses"])
    return _append(product, draft, actor, on, document, draft.content["clauses"], offered=True)


def _withdrawal(product: Product, draft: ProductDraft, actor: Actor, on: date) -> dict[str, Any]:
    last = ProductVersion.objects.filter(product=product).order_by("-seq").first()
    assert last is not None, "a withdrawal is drafted on a version"
    return _append(product, draft, actor, on, last.terms, last.clauses, offered=False)


def _append(
    product: Product,
    draft: ProductDraft,
    actor: Actor,
    on: date,
    terms: dict[str, Any],
    clauses: list[str],
    *,
    offered: bool,
) -> dict[str, Any]:
    last = ProductVersion.objects.filter(product=product).order_by("-seq").first()
    starts_properly(last, draft.valid_from, on)
    version = ProductVersion.objects.create(
        product=product,
        terms=terms,
        clauses=clauses,
        offered=offered,
        reason=draft.reason,
        valid_from=draft.valid_from,
        seq=last.seq + 1 if last else 1,
        supersedes=last if last is not None and last.valid_from == draft.valid_from else None,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=draft.drafted_by_id,
        authorized_by_id=actor.person_id,
    )
    return {"version_id": version.pk, "seq": version.seq, "offered": offered}


def _rate(product: Product, draft: ProductDraft, actor: Actor, on: date) -> dict[str, Any]:
    content = draft.content
    kind = one_of_product(product, content["customer_kind"])
    pinned = queries.pinned_terms(product_id=product.pk, on=draft.valid_from)
    price_in_band(pinned, content["rate_ppm"], content["spread_bp"], draft.valid_from)
    of_place = {"product": product, "institution_id": content["institution_id"], "customer_kind": kind.value}
    last = RateCard.objects.filter(**of_place).order_by("-seq").first()
    starts_properly(last, draft.valid_from, on)
    card = RateCard.objects.create(
        **of_place,
        rate_ppm=content["rate_ppm"],
        spread_bp=content["spread_bp"],
        valid_from=draft.valid_from,
        seq=last.seq + 1 if last else 1,
        supersedes=last if last is not None and last.valid_from == draft.valid_from else None,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=draft.drafted_by_id,
        authorized_by_id=actor.person_id,
        reason=draft.reason,
    )
    return {"rate_card_id": card.pk}
