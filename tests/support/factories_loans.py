"""借据工厂：在县域银行上配好科目、产品与客户，直接按任意内核条款放款（绕过产品要素核对，供模拟与状态测试用）。"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import transaction

from sancha.apps.ledger import operations as ledger
from sancha.apps.parties.models import Party
from sancha.apps.products import operations as products
from sancha.apps.servicing import books
from sancha.apps.servicing.models import Loan, LoanStatus
from sancha.apps.servicing.operations.booking import start_books
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.fold import fresh
from sancha.kernel.terms import Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import now
from tests.support.factories_access import County, fresh_key

_numbers = itertools.count(1)


@dataclass
class Lending:
    """配好的放贷环境。"""

    county: County
    product_id: int
    party_id: int

    @property
    def today(self) -> date:
        """当前营业日。"""
        from sancha.apps.businessday import queries

        return queries.group_date(group_id=self.county.group_id)

    def lend(self, terms: Terms, *, at: str = "S1") -> Loan:
        """按给定条款放款（起息日可早于营业日）。"""
        with transaction.atomic():
            loan = self.row(terms, at=at)
            opened = start_books(loan, actor=SYSTEM)
            books.record_fact(
                opened,
                kind=FactKind.DISBURSEMENT,
                actor=SYSTEM,
                value_on=terms.start,
                amount_fen=terms.principal_fen,
                summary="放款",
                operation="test",
            )
        return loan

    def row(self, terms: Terms, *, at: str = "S1") -> Loan:
        """只建借据行，不入账。"""
        institution_id = self.county.ids[at]
        terms = replace(terms, institution=str(institution_id), product=str(self.product_id))
        number = next(_numbers)
        return Loan.objects.create(
            number=f"JKT{number:06d}",
            party_id=self.party_id,
            product_id=self.product_id,
            institution_id=institution_id,
            terms=terms.as_document(),
            principal_fen=terms.principal_fen,
            rate_ppm=terms.rate_ppm,
            method=str(terms.method),
            starts_on=terms.start,
            matures_on=date.fromordinal(fresh(terms).maturity),
            booked_on=self.today,
            status=LoanStatus.ACTIVE,
        )

    def record(self, loan_id: int, fact: Fact) -> None:
        """把一条内核事实原样记到借据上（今天记账）。"""
        data: dict[str, Any] = dict(fact.data)
        if fact.kind is FactKind.TRANSFER:
            data["institution"] = str(self.county.ids[data["institution"]])
        with transaction.atomic():
            opened = books.open_loan(loan_id=loan_id, actor=SYSTEM)
            books.record_fact(
                opened,
                kind=fact.kind,
                actor=SYSTEM,
                value_on=fact.value_on,
                amount_fen=fact.amount_fen,
                data=data,
                summary="测试",
                operation="test",
            )


def open_lending(county: County) -> Lending:
    """科目（银行模板）、一个产品、一位客户。"""
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key("chart"), template="BANK", on=county.opened_on)
    installed = products.install_samples(actor=SYSTEM, key=fresh_key("products"), on=county.opened_on)["installed"]
    party = Party.objects.create(
        number=f"C{next(_numbers):010d}",
        kind="FARMER",
        name="王秀兰",
        id_kind="OTHER",
        institution_id=county.ids["S1"],
        created_on=county.opened_on,
        created_at=now(),
    )
    return Lending(county, next(iter(installed.values())), party.pk)
