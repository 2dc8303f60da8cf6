"""申请一侧对客户删除与并档要做的事：在办的申请挡着，删净填写、事实与意见，改归存续的一档。"""

from __future__ import annotations

from datetime import date

from django.db.models import Q

from sancha.apps.origination.models import (
    Application,
    ApplicationState,
    Approval,
    CaseFact,
    CaseGuarantor,
    CaseMaterial,
    Proposal,
    RuleException,
    Ruling,
)
from sancha.apps.origination.steps import ROOT
from sancha.apps.parties.departing import ERASED, Departing, Hold
from sancha.apps.work import operations as work

OPEN = (ApplicationState.DRAFT, ApplicationState.REFERRED, ApplicationState.IN_PROGRESS, ApplicationState.APPROVED)
CLAUSE = "PIPL-47"


def holds_on_erasure(party_ids: tuple[int, ...], names: tuple[str, ...], on: date) -> list[Hold]:
    """删除的妨碍：在办的申请，以及在别人在办的申请里做保证人。"""
    own = Application.objects.filter(party_id__in=party_ids, state__in=OPEN).order_by("number")
    holds = [Hold("application", f"申请 {row.number} 尚未了结", CLAUSE) for row in own]
    guaranteed = CaseGuarantor.objects.filter(
        party_id__in=party_ids, removed_on__isnull=True, application__state__in=OPEN
    ).select_related("application")
    holds += [
        Hold("application", f"在申请 {row.application.number} 里做保证人，尚未了结", CLAUSE) for row in guaranteed
    ]
    return holds


def erase_applicant(departing: Departing) -> dict[str, int]:
    """删净申请一侧的个人信息：填写原样、用途、事实、裁定所据、意见。申请号、要素与结论留着。"""
    own = list(Application.objects.filter(party_id__in=departing.party_ids).values_list("pk", flat=True))
    as_guarantor = list(
        CaseGuarantor.objects.filter(party_id__in=departing.party_ids).values_list("pk", "application_id")
    )
    cases = {*own, *(case for _pk, case in as_guarantor)}
    facts = Q(application_id__in=own, guarantor__isnull=True) | Q(guarantor_id__in=[pk for pk, _case in as_guarantor])
    counts = {
        "origination_application": Application.objects.filter(pk__in=own).update(
            typed={}, purpose="", source="", closing_reason=""
        ),
        "origination_casefact": CaseFact.objects.filter(facts).update(value=None, reference=""),
        # A ruling shows borrower and guarantors together: it goes as a whole, its outcome stays.
        "origination_ruling": Ruling.objects.filter(application_id__in=cases).update(facts={}, verdicts=[]),
        "origination_ruleexception": RuleException.objects.filter(application_id__in=own).update(opinion=ERASED),
        "origination_proposal": Proposal.objects.filter(application_id__in=own).update(opinion=ERASED, conditions=[]),
        "origination_casematerial": CaseMaterial.objects.filter(application_id__in=own).update(note=""),
        "origination_approval": Approval.objects.filter(application_id__in=own).update(conditions=[]),
    }
    tasks = work.erase_tasks(
        party_ids=departing.party_ids, roots=[(ROOT, pk) for pk in own], scrub=departing.scrubbed, mark=ERASED
    )
    for place, count in tasks.items():
        counts[place] = counts.get(place, 0) + count
    return {place: count for place, count in counts.items() if count}


def move_applications(duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """并档：申请与保证改归存续的一档。"""
    counts = {
        "origination_application": Application.objects.filter(party_id=duplicate_id).update(party_id=survivor_id),
        "origination_caseguarantor": CaseGuarantor.objects.filter(party_id=duplicate_id).update(party_id=survivor_id),
    }
    return {place: count for place, count in counts.items() if count}
