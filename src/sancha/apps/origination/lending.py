"""申请与签约放款的接头：批复交下去、放款前重查规则、放了款与过了期的了结。"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sancha.apps.agreements.approved import ApprovedLoan
from sancha.apps.agreements.lent import closed_files, lent_applications
from sancha.apps.agreements.operations import open_file
from sancha.apps.origination.facts import latest
from sancha.apps.origination.models import Application, ApplicationState, Approval, CaseFact, CaseGuarantor
from sancha.apps.origination.ruling import granted, require_passed, rule
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import Actor
from sancha.rulebook.rules import Stage
from sancha.rulebook.vocabulary import GuaranteeKind

MARITAL, MARRIED = "applicant.marital_status", "MARRIED"


def hand_down(row: Application, approval: Approval, *, on: date) -> None:
    """批复交给签约（内层函数，在审批的事务里调用）。"""
    facts = latest(CaseFact.objects.filter(application=row, code=MARITAL, guarantor__isnull=True))
    marital = facts.get((None, MARITAL))
    guarantors = CaseGuarantor.objects.filter(application=row, removed_on__isnull=True).order_by("pk")
    open_file(
        ApprovedLoan(
            application_id=row.pk,
            approval_id=approval.pk,
            party_id=row.party_id,
            institution_id=row.institution_id,
            product_id=row.product_id,
            officer_id=row.lead_id,
            purpose=row.purpose,
            amount_fen=approval.amount_fen,
            term_count=approval.term_count,
            term_unit=PeriodUnit(approval.term_unit),
            method=Method(approval.method),
            guarantee=GuaranteeKind(approval.guarantee),
            rate_ppm=approval.rate_ppm,
            spouse_signs=marital is not None and marital.value == MARRIED,
            guarantor_ids=tuple(guarantors.values_list("party_id", flat=True)),
            conditions=tuple(approval.conditions),
            expires_on=approval.expires_on,
        ),
        on=on,
    )


def recheck_before_lending(actor: Actor, application_id: int, on: date) -> None:
    """放款前的关口：对着当日的事实重跑放款环节的规则，留底。

    :raises DomainError: 不符合，或还缺事实。
    """
    row = Application.objects.select_related("party").get(pk=application_id)
    _ruling, decided = rule(row, actor=actor, stage=Stage.DISBURSEMENT, on=on)
    require_passed(decided, excepted=granted(row))


def settle_approved(*, institution_ids: Collection[int], on: date) -> int:
    """日终：已放款的申请了结为「已放款」，批复过期而没有送放款的作废。返回了结的件数，重跑不重。"""
    open_cases = Application.objects.filter(institution_id__in=institution_ids, state=ApplicationState.APPROVED)
    ids = list(open_cases.values_list("pk", flat=True))
    lent = lent_applications(ids)
    done = Application.objects.filter(pk__in=lent).update(
        state=ApplicationState.DISBURSED, closed_on=on, closing_reason=""
    )
    lapsed = closed_files(ids, expired_before=on, reason=f"批复于 {on} 之前到期未放款")
    done += Application.objects.filter(pk__in=lapsed).update(
        state=ApplicationState.LAPSED, closed_on=on, closing_reason="批复过期未放款"
    )
    return done
