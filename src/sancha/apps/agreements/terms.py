"""签约卷 → 登记借据用的要素，与据此排出的计划。"""

from __future__ import annotations

from datetime import date

from sancha.apps.agreements.models import SigningFile
from sancha.apps.parties.queries import applicant_marks
from sancha.apps.products import queries as products
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.rulebook.product_terms import LoanElements, PeriodRule
from sancha.rulebook.vocabulary import GuaranteeKind


def elements_for(file: SigningFile, on: date) -> LoanElements:
    """批准的要素，起息日为 ``on``；还款周期取产品的第一种。"""
    kind, _birth = applicant_marks([file.party_id])[file.party_id]
    terms = products.pinned_terms(product_id=file.product_id, on=on, offered=False).terms
    return LoanElements(
        customer_kind=kind,
        amount_fen=file.amount_fen,
        term_unit=PeriodUnit(file.term_unit),
        term_count=file.term_count,
        method=Method(file.method),
        period=PeriodRule(unit=terms.periods[0].unit, every=terms.periods[0].every),
        rate_ppm=file.rate_ppm,
        guarantee=GuaranteeKind(file.guarantee),
        start=on,
    )
