"""个人信息删除（个人信息保护法第四十七条）：申请、复核、删净、留墓碑。

保存期未满、借据或担保未了的拒绝，写明依据与最早可删之日。账、借据与客户号留着；谁、何时、为什么、依哪条删的，留在申请这一行。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Q

from sancha.apps.parties import queries
from sancha.apps.parties.departing import ERASED, Departing, erase_everywhere
from sancha.apps.parties.kinds import ERASURE_CHECK
from sancha.apps.parties.models import (
    ErasureGround,
    ErasureRequest,
    HouseholdMember,
    IdKind,
    MergeRequest,
    Party,
    PartyBigram,
    PartyContact,
    PartyFileEntry,
    PartyRelation,
    PartyReveal,
    RequestState,
    RiskEntry,
    RiskReview,
)
from sancha.apps.parties.operations.checks import index_names, locked_party, require_reason
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.erasure import erasing, forget_results, sweep
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation

CLAUSE = "PIPL-47"


@operation("parties.request_erasure", permission="parties.edit")
def request_erasure(*, actor: Actor, key: str, on: date, party_id: int, ground: str, reason: str) -> dict[str, Any]:
    """申请删除一位客户的个人信息，开出复核任务；另一人同意之后才删。

    :raises Conflict: 借据或担保未了、保存期未满（写明依据与最早可删之日），或已有待复核的申请。
    :raises DomainError: 事由不对、没有说明。
    """
    if ground not in ErasureGround.values:
        raise DomainError(
            "ERASURE_GROUND_UNKNOWN",
            f"不认识的事由「{ground}」。",
            field="ground",
            value=ground,
            clause=CLAUSE,
            fix=f"可选：{'、'.join(ErasureGround.labels)}。",
        )
    require_reason(reason)
    party = locked_party(actor, party_id)
    _refuse_if_held(party, on)
    if ErasureRequest.objects.filter(party=party, state=RequestState.OPEN).exists():
        raise Conflict(
            "REQUEST_WAITING", "已有一份待复核的删除申请。", field="party_id", value=party_id, fix="请等复核。"
        )
    assert actor.institution_id is not None, "whoever asks has a place"
    row = ErasureRequest.objects.create(
        party=party,
        ground=ground,
        reason=reason.strip(),
        clause=CLAUSE,
        institution_id=actor.institution_id,
        requested_by_id=actor.person_id or 0,
        requested_on=on,
        recorded_at=now(),
    )
    task_id = work.ask_second_person(
        ERASURE_CHECK,
        actor=actor,
        on=on,
        subject=("party_erasure", row.pk),
        institution_id=actor.institution_id,
        party_id=party.pk,
        title=f"复核个人信息删除 {party.number}",
        reason=f"{ErasureGround(ground).label}；删后不能恢复",
        facts={"客户号": party.number, "事由": str(ErasureGround(ground).label)},
    )
    return {"subject": f"party:{party.pk}", "request_id": row.pk, "task_id": task_id}


@operation("parties.decide_erasure", permission="parties.authorize")
def decide_erasure(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核删除：同意则在一个事务里删净各处，退回则什么也不动。

    :raises NotPermitted: 申请人复核自己的申请。
    :raises Conflict: 申请之后又有了未了的业务。
    """
    request = ErasureRequest.objects.select_for_update().get(pk=work.subject_to_check(ERASURE_CHECK, task_id=task_id))
    closed = work.close_task(actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, data=data)
    agreed = outcome == work.APPROVED
    if agreed:
        party = Party.objects.select_for_update().get(pk=request.party_id)
        _refuse_if_held(party, on)
        departing = _departing(party)
        with erasing():
            request.erased = _erase(departing, on)
        request.reason = departing.scrubbed(request.reason)
    request.state = RequestState.DONE if agreed else RequestState.RETURNED
    request.decided_by_id, request.decided_on = actor.person_id, on
    request.save(update_fields=["state", "decided_by_id", "decided_on", "erased", "reason"])
    audit = {"request_id": request.pk, "clause": request.clause, "requested_by_id": request.requested_by_id}
    return closed | {
        "subject": f"party:{request.party_id}",
        "request_id": request.pk,
        "erased": request.erased,
        "audit": audit | {"erased": request.erased},
    }


def _refuse_if_held(party: Party, on: date) -> None:
    holds = queries.holds_on_party(party, on=on)
    if not holds:
        return
    days = [hold.until for hold in holds]
    earliest = max(day for day in days if day is not None) if all(days) else None
    when = f"最早可于 {earliest} 删除。" if earliest else ""
    raise Conflict(
        "ERASURE_HELD",
        f"现在不能删除：{'；'.join(hold.text for hold in holds)}。{when}",
        field="party_id",
        value=party.number,
        clause="、".join(sorted({hold.clause for hold in holds})),
        fix=f"请于 {earliest} 或以后再办。" if earliest else "请先了结上列事项；期满之前，只存不用。",
    )


def _departing(party: Party) -> Departing:
    family = queries.family_ids(party.pk)
    return Departing(
        party_ids=family,
        names=tuple(queries.former_names(family)),
        needles=tuple(queries.former_marks(family)),
    )


def _erase(departing: Departing, on: date) -> dict[str, int]:
    counts = erase_everywhere(departing)
    for table, count in _erase_own(departing, on).items():
        counts[table] = counts.get(table, 0) + count
    subjects = [f"party:{pk}" for pk in departing.party_ids]
    if forgotten := forget_results(subjects, ("shown",), ERASED):
        counts["kit_idempotency"] = forgotten
    for table, count in sweep(departing.needles, ERASED).items():
        counts[table] = counts.get(table, 0) + count
    return counts


def _erase_own(departing: Departing, on: date) -> dict[str, int]:
    """本应用的表：主档只剩客户号，档案、联系方式、关系说明、查看理由都清空，检索索引删去。"""
    ids = departing.party_ids
    _scrub_households(departing)
    risks = list(queries.entries_of(ids).values_list("pk", flat=True))
    counts = {
        "parties_partybigram": PartyBigram.objects.filter(party_id__in=ids).delete()[0],
        "parties_party": Party.objects.filter(pk__in=ids).update(
            name=ERASED,
            id_kind=IdKind.ABSENT,
            id_number="",
            identity_key=None,
            gender="",
            birth=None,
            phone="",
            address="",
            industry_code="",
            industry_name="",
            occupation="",
            erased_on=on,
        ),
        "parties_partycontact": PartyContact.objects.filter(party_id__in=ids).update(value=ERASED, holder=""),
        "parties_partyfileentry": PartyFileEntry.objects.filter(party_id__in=ids).update(content={}, note=""),
        "parties_partyrelation": PartyRelation.objects.filter(Q(party_id__in=ids) | Q(other_id__in=ids)).update(
            note=""
        ),
        "parties_householdmember": HouseholdMember.objects.filter(household_id__in=ids, party=None).update(
            name=ERASED, note=""
        )
        + HouseholdMember.objects.filter(party_id__in=ids).update(note=""),
        "parties_riskreview": RiskReview.objects.filter(entry_id__in=risks).update(statement=ERASED, answer=""),
        "parties_riskentry": RiskEntry.objects.filter(pk__in=risks).update(
            name=ERASED, identity_digest="", id_shown="", evidence=ERASED, hearing="", release_reason=""
        ),
        "parties_partyreveal": PartyReveal.objects.filter(party_id__in=ids).update(reason=ERASED),
    }
    for merge in MergeRequest.objects.filter(Q(survivor_id__in=ids) | Q(duplicate_id__in=ids)):
        MergeRequest.objects.filter(pk=merge.pk).update(reason=departing.scrubbed(merge.reason))
    for asked in ErasureRequest.objects.filter(party_id__in=ids):
        ErasureRequest.objects.filter(pk=asked.pk).update(reason=departing.scrubbed(asked.reason))
    # An entry made before he was a customer has tasks that do not point to his file.
    counts |= work.erase_tasks(
        party_ids=(), roots=[("risk_entry", pk) for pk in risks], scrub=departing.scrubbed, mark=ERASED
    )
    return {table: count for table, count in counts.items() if count}


def _scrub_households(departing: Departing) -> None:
    """他所在的户以他命名的，换掉名字并重建检索；同户没有档的成员不动，那是别人。"""
    homes = HouseholdMember.objects.filter(party_id__in=departing.party_ids).values("household_id")
    for home in Party.objects.filter(pk__in=homes):
        name = departing.scrubbed(home.name)
        if name != home.name:
            Party.objects.filter(pk=home.pk).update(name=name)
            PartyBigram.objects.filter(party=home).delete()
            index_names([(home.pk, name)])
