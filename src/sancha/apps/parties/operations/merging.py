"""客户合并：一人误建了两档，并成一档。借据与往来归存续的一档，旧客户号照样查得到；两人办理，留痕。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.parties import queries
from sancha.apps.parties.departing import move_everywhere
from sancha.apps.parties.kinds import MERGE_CHECK
from sancha.apps.parties.models import (
    ErasureRequest,
    FactSource,
    MergeRequest,
    Party,
    PartyBigram,
    PartyPresence,
    RequestState,
)
from sancha.apps.parties.operations.checks import locked_party, require_reason
from sancha.apps.parties.operations.facts import append_facts
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation
from sancha.rulebook.vocabulary import CustomerKind

MERGED = "party.merged"


@operation("parties.request_merge", permission="parties.edit")
def request_merge(
    *, actor: Actor, key: str, on: date, survivor_id: int, duplicate_id: int, reason: str
) -> dict[str, Any]:
    """申请把 ``duplicate`` 并入 ``survivor``，开出复核任务；另一人同意之后才并。

    :raises Conflict: 已并过、已删、有待复核的申请。
    :raises DomainError: 同一档、两档类别不同、没有理由。
    :raises NotFound: 有一档不存在或不在范围。
    """
    require_reason(reason)
    survivor, duplicate = _two(actor, survivor_id, duplicate_id)
    if survivor.kind != duplicate.kind:
        raise DomainError(
            "MERGE_KINDS_DIFFER",
            "两档的客户类别不同，不能合并。",
            field="duplicate_id",
            value=duplicate.number,
            fix="先更正其中一档的类别。",
        )
    _one_household(survivor, duplicate, on)
    waiting = MergeRequest.objects.filter(state=RequestState.OPEN)
    if any(
        waiting.filter(**{side: party}).exists()
        for side in ("survivor", "duplicate")
        for party in (survivor, duplicate)
    ):
        raise Conflict(
            "REQUEST_WAITING",
            "其中一档已有待复核的合并。",
            field="duplicate_id",
            value=duplicate.number,
            fix="请等复核。",
        )
    assert actor.institution_id is not None, "whoever asks has a place"
    row = MergeRequest.objects.create(
        survivor=survivor,
        duplicate=duplicate,
        reason=reason.strip(),
        institution_id=actor.institution_id,
        requested_by_id=actor.person_id or 0,
        requested_on=on,
        recorded_at=now(),
    )
    task_id = work.ask_second_person(
        MERGE_CHECK,
        actor=actor,
        on=on,
        subject=("party_merge", row.pk),
        institution_id=actor.institution_id,
        party_id=survivor.pk,
        title=f"复核客户合并 {duplicate.number} → {survivor.number}",
        reason=reason.strip(),
        facts={"存续": survivor.number, "并入": duplicate.number},
    )
    return {"subject": f"party:{survivor.pk}", "request_id": row.pk, "task_id": task_id}


@operation("parties.decide_merge", permission="parties.authorize")
def decide_merge(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核合并：同意则改归，退回则什么也不动。

    :raises NotPermitted: 申请人复核自己的申请。
    :raises Conflict: 申请之后有一档已并或已删。
    """
    request = MergeRequest.objects.select_for_update().get(pk=work.subject_to_check(MERGE_CHECK, task_id=task_id))
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    agreed = outcome == work.APPROVED
    if agreed:
        request.moved = _merge(actor, request, on)
    request.state = RequestState.DONE if agreed else RequestState.RETURNED
    request.decided_by_id, request.decided_on = actor.person_id, on
    request.save(update_fields=["state", "decided_by_id", "decided_on", "moved"])
    audit = {"request_id": request.pk, "duplicate_id": request.duplicate_id, "moved": request.moved}
    return closed | {"subject": f"party:{request.survivor_id}", "request_id": request.pk, "audit": audit}


def _two(actor: Actor, survivor_id: int, duplicate_id: int) -> tuple[Party, Party]:
    """上锁取两档，编号小的先锁：两边同时并不会互等。"""
    found = {pk: locked_party(actor, pk) for pk in sorted({survivor_id, duplicate_id})}
    survivor, duplicate = found[survivor_id], found[duplicate_id]
    if survivor.pk == duplicate.pk:
        raise DomainError(
            "MERGE_WITH_SELF", "这两个客户号是同一档。", field="duplicate_id", value=duplicate.number, fix="选另一档。"
        )
    if ErasureRequest.objects.filter(party__in=[survivor, duplicate], state=RequestState.OPEN).exists():
        raise Conflict(
            "REQUEST_WAITING",
            "其中一档有待复核的删除申请。",
            field="duplicate_id",
            value=duplicate.number,
            fix="请等复核。",
        )
    return survivor, duplicate


def _one_household(survivor: Party, duplicate: Party, on: date) -> None:
    """两档在两户里的，先弄清他在哪一户：并档之后一个人只在一户。"""
    homes = {queries.household_id_of(party.pk, on=on) for party in (survivor, duplicate)} - {None}
    if survivor.kind != CustomerKind.HOUSEHOLD and len(homes) > 1:
        raise Conflict(
            "MERGE_TWO_HOUSEHOLDS",
            "两档分别在两户家庭里。",
            field="duplicate_id",
            value=duplicate.number,
            fix="先在其中一户办理离户，再合并。",
        )


def _merge(actor: Actor, request: MergeRequest, on: date) -> dict[str, int]:
    survivor, duplicate = request.survivor, request.duplicate
    for party in sorted([survivor, duplicate], key=lambda one: one.pk):
        held = Party.objects.select_for_update().get(pk=party.pk)
        if held.merged_into_id is not None or held.erased_on is not None:
            raise Conflict(
                "MERGE_OUTDATED",
                f"客户 {held.number} 已并入别的一档，或已删除。",
                field="task_id",
                value=held.number,
                fix="请退回，重新申请。",
            )
    _one_household(survivor, duplicate, on)
    moved = move_everywhere(duplicate.pk, survivor.pk)
    moved |= work.move_tasks(duplicate_id=duplicate.pk, survivor_id=survivor.pk)
    places = {duplicate.institution_id, *duplicate.presences.values_list("institution_id", flat=True)}
    PartyPresence.objects.bulk_create(
        [
            PartyPresence(party=survivor, institution_id=place, since=on)
            for place in sorted(places - {survivor.institution_id})
        ],
        ignore_conflicts=True,
    )
    PartyBigram.objects.filter(party=duplicate).delete()
    # Files that were merged into the duplicate before now lead to the survivor: a number is resolved in one step.
    Party.objects.filter(merged_into=duplicate).update(merged_into=survivor)
    # The identity of the duplicate stays on its row for the record, but no longer takes the number.
    Party.objects.filter(pk=duplicate.pk).update(merged_into=survivor, identity_key=None)
    if survivor.identity_key is None and duplicate.identity_key is not None:
        Party.objects.filter(pk=survivor.pk).update(
            identity_key=duplicate.identity_key, id_kind=duplicate.id_kind, id_number=duplicate.id_number
        )
    append_facts(
        actor=actor,
        on=on,
        facts=[
            {
                "party_id": survivor.pk,
                "topic": MERGED,
                "content": {"number": duplicate.number, "name": duplicate.name},
                "source": FactSource.CROSS_CHECKED,
                "note": request.reason,
            }
        ],
    )
    return moved
