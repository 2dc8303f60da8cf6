"""谁今天能批这笔：把本案写成一问，交给授权去答；经手过本案的人不得审批（ORG-3）。"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sancha.apps.access.queries import institutions_by_id
from sancha.apps.authority.queries import who_may_approve
from sancha.apps.authority.solving import Answer, Ask
from sancha.apps.origination.elements import Elements
from sancha.apps.origination.models import Application
from sancha.apps.origination.steps import ROOT, forbidden_duties, pack_of
from sancha.apps.servicing.queries import party_has_loans
from sancha.apps.work.queries import involvements_of
from sancha.rulebook.packs import StepType
from sancha.rulebook.posts import post_name


@dataclass(frozen=True, slots=True)
class Signer:
    """审批岗上的一个人：今天能不能批这一笔，凭哪一份授权，或为什么不能。``authority`` 是授权的快照，随批复留底。"""

    person_id: int
    name: str
    post_name: str
    institution_name: str
    may: bool
    why: str
    clause: str
    authority: dict[str, Any] = field(default_factory=dict)


def signers(application: Application, chosen: Elements, *, on: date) -> list[Signer]:
    """审批岗上的全部人与各自的结论，能批的在前。语句数固定。"""
    step = next(step for step in pack_of(application).steps if step.type is StepType.APPROVAL)
    forbidden = forbidden_duties(StepType.APPROVAL)
    involved: dict[int, list[str]] = {}
    for item in involvements_of(root_type=ROOT, root_id=application.pk):
        if item.duty in forbidden:
            involved.setdefault(item.person_id, []).append(item.duty_name)
    place = institutions_by_id([application.institution_id])[application.institution_id]
    ask = Ask(
        institution_path=place.path,
        program=application.program,
        product=application.product.code,
        guarantee=chosen.guarantee,
        amount_fen=chosen.amount_fen,
        months=chosen.term_months,
        repeat=party_has_loans(application.party_id),
        involved={person: f"在本案已任{'、'.join(duties)}" for person, duties in involved.items()},
    )
    answers = who_may_approve(ask, posts=step.posts, institution_id=application.institution_id, on=on)
    places = institutions_by_id({answer.seat.institution_id for answer in answers})
    return [_signer(answer, places[answer.seat.institution_id].name, on) for answer in answers]


def _signer(answer: Answer, institution_name: str, on: date) -> Signer:
    grant = answer.grant
    snapshot = (
        {
            "mandate": grant.number,
            "mandate_id": grant.id,
            "max_fen": grant.max_fen,
            "max_months": grant.max_months,
            "looked_at": on.isoformat(),
        }
        if grant
        else {}
    )
    seat = answer.seat
    return Signer(
        seat.person_id,
        seat.name,
        post_name(seat.post_code),
        institution_name,
        answer.may,
        answer.why,
        answer.clause,
        snapshot,
    )
