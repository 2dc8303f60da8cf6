"""要素：申请的、建议的、批准的都写成同一种值，对照产品条款核对。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sancha.apps.access import queries as access
from sancha.apps.origination.models import Application, Approval, Proposal
from sancha.apps.parties.queries import applicant_marks
from sancha.apps.products import queries as products
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.errors import DomainError
from sancha.rulebook.product_terms import ElementProblem, LoanElements, PeriodRule
from sancha.rulebook.vocabulary import GuaranteeKind

MONTHS = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.HALF_YEAR: 6, PeriodUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Elements:
    """金额、期限、方式、担保与利率（ppm）。"""

    amount_fen: int
    term_count: int
    term_unit: PeriodUnit
    method: Method
    guarantee: GuaranteeKind
    rate_ppm: int

    @property
    def term_months(self) -> int:
        """期限折成月；以日、周计的向上取整到月（三十日一月）。"""
        if self.term_unit in MONTHS:
            return self.term_count * MONTHS[self.term_unit]
        days = self.term_count * (7 if self.term_unit is PeriodUnit.WEEK else 1)
        return -(-days // 30)


def elements_of(row: Application | Proposal | Approval, *, rate_ppm: int) -> Elements:
    """行 → 值。"""
    assert row.amount_fen and row.term_count, "elements are read at acceptance"
    return Elements(
        amount_fen=row.amount_fen,
        term_count=row.term_count,
        term_unit=PeriodUnit(row.term_unit),
        method=Method(row.method),
        guarantee=GuaranteeKind(row.guarantee),
        rate_ppm=rate_ppm,
    )


def asked(application: Application, *, on: date) -> Elements:
    """申请的要素；利率取本机构当日的执行价。"""
    return elements_of(application, rate_ppm=going_rate(application, on=on))


def going_rate(application: Application, *, on: date) -> int:
    """执行年利率（ppm）：本机构或最近上级的价目，没有则产品默认（POL-9）。"""
    kind, _birth = applicant_marks([application.party_id])[application.party_id]
    path = access.institutions_by_id([application.institution_id])[application.institution_id].path
    price = products.price_on(product_id=application.product_id, institution_path=path, customer_kind=kind, on=on)
    return price.rate_ppm


def loan_elements(application: Application, chosen: Elements, *, on: date) -> LoanElements:
    """登记借据用的要素；还款周期取产品的第一种。"""
    kind, _birth = applicant_marks([application.party_id])[application.party_id]
    terms = products.pinned_terms(product_id=application.product_id, on=on).terms
    return LoanElements(
        customer_kind=kind,
        amount_fen=chosen.amount_fen,
        term_unit=chosen.term_unit,
        term_count=chosen.term_count,
        method=chosen.method,
        period=PeriodRule(unit=terms.periods[0].unit, every=terms.periods[0].every),
        rate_ppm=chosen.rate_ppm,
        guarantee=chosen.guarantee,
        start=on,
    )


def problems_of(application: Application, chosen: Elements, *, on: date) -> list[ElementProblem]:
    """要素不合产品条款之处；空列表即相符（POL-9、POL-10）。"""
    return products.element_problems(
        product_id=application.product_id, chosen=loan_elements(application, chosen, on=on)
    )


def require_elements_fit(problems: Sequence[ElementProblem]) -> None:
    """要素须合产品条款。

    :raises DomainError: 逐项列出哪里不合、怎么改。
    """
    if problems:
        raise DomainError(
            "ELEMENTS_OUT_OF_PRODUCT",
            "；".join(problem.message for problem in problems),
            field=problems[0].field,
            value=problems[0].value,
            clause="POL-9 POL-10",
            fix="；".join(problem.fix for problem in problems),
        )
