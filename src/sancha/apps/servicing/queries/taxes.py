"""印花税：一段时间放款的借款合同，逐份算税，免税的写明依据。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef

from sancha import rulebook
from sancha.apps.access import queries as access
from sancha.apps.servicing.models import ImportRow, Loan, LoanFact, LoanStatus
from sancha.kernel.facts import FactKind
from sancha.kernel.money import Rounding, round_div
from sancha.kit.actor import Actor
from sancha.rulebook.vocabulary import CustomerKind

PPM = 1_000_000
TAXABLE, TO_CHECK, EXEMPT = "TAXABLE", "TO_CHECK", "EXEMPT"
RATE, SMALL = "tax.stamp_duty_loan_ppm", "tax.stamp_duty_small_exempt"
SUBSIDIZED = "tax.stamp_duty_subsidized_exempt"
ENTERPRISES = frozenset({CustomerKind.COMPANY.value, CustomerKind.SOLE_TRADER.value})


@dataclass(frozen=True, slots=True)
class DutyRow:
    """一份借款合同的印花税。``treatment``：TAXABLE 应税，TO_CHECK 应税但可能免（企业规模未登记），EXEMPT 免税。"""

    loan_id: int
    number: str
    contract_number: str
    institution_id: int
    institution_name: str
    booked_on: date
    principal_fen: int
    rate_ppm: int
    treatment: str
    reason: str
    clause: str
    tax_fen: int


@dataclass(frozen=True, slots=True)
class Treatment:
    """一份合同怎么征：处理、理由、条款、税率（百万分率）。"""

    code: str
    reason: str
    clause: str
    rate_ppm: int


def duty_fen(principal_fen: int, rate_ppm: int) -> int:
    """印花税 = 借款金额 × 税率，逐份四舍五入到分。"""
    return round_div(principal_fen * rate_ppm, PPM, Rounding.HALF_UP)


def treatment_of(*, party_kind: str, loan_rate_ppm: int, is_subsidized: bool, on: date) -> Treatment:
    """一份借款合同怎么征。无息、贴息的免；小微企业的免要看规模，本系统没有这一项，故先计税并标明待核。"""
    rate = rulebook.parameter(RATE, on)
    free = rulebook.parameter(SUBSIDIZED, on)
    if free.as_bool() and (loan_rate_ppm == 0 or is_subsidized):
        reason = "贴息借款合同" if is_subsidized else "无息借款合同"
        return Treatment(EXEMPT, reason, free.clause, rate.as_int())
    small = rulebook.parameter(SMALL, on)
    if party_kind in ENTERPRISES and small.as_bool():
        return Treatment(TO_CHECK, "企业规模未登记，属小型、微型企业的免税", small.clause, rate.as_int())
    return Treatment(TAXABLE, "按借款金额计税", rate.clause, rate.as_int())


def stamp_duty(actor: Actor, *, first: date, last: date, institution_id: int | None = None) -> list[DutyRow]:
    """印花税：一段时间内首次放款的借据，按记账日与借据号。机构含下级。

    一笔借据是一份合同，以借款金额全额计税，分次放款只在首次计一次；作废的、转入的（在原系统已贴花）不列。
    至多两条查询，与笔数无关。
    """
    loans = Loan.objects.filter(access.in_scope(actor)).exclude(status=LoanStatus.VOID)
    if institution_id is not None:
        loans = loans.filter(institution__path__startswith=access.require_institution(actor, institution_id).path)
    facts = LoanFact.objects.filter(kind=str(FactKind.DISBURSEMENT))
    earlier = facts.filter(loan_id=OuterRef("loan_id"), seq__lt=OuterRef("seq"))
    imported = ImportRow.objects.filter(role="loan", loan_id__isnull=False).values("loan_id")
    found = (
        facts.filter(~Exists(earlier), booked_on__gte=first, booked_on__lte=last, loan__in=loans)
        .exclude(loan_id__in=imported)
        .order_by("booked_on", "loan__number")
        .values_list(
            "booked_on", "loan_id", "loan__number", "loan__contract_number", "loan__institution_id",
            "loan__institution__name", "loan__principal_fen", "loan__rate_ppm", "loan__party__kind",
            "loan__terms__payer_shares",
        )
    )  # fmt: skip
    rows = []
    for on, loan_id, number, contract, place, name, principal_fen, loan_rate, kind, shares in found:
        how = treatment_of(party_kind=kind, loan_rate_ppm=loan_rate, is_subsidized=bool(shares), on=on)
        rows.append(
            DutyRow(
                loan_id, number, contract, place, name, on, principal_fen, how.rate_ppm, how.code, how.reason, how.clause,
                0 if how.code == EXEMPT else duty_fen(principal_fen, how.rate_ppm),
            )
        )  # fmt: skip
    return rows
