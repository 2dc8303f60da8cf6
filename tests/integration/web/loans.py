"""借据页面测试的现成借据：一笔按期、一笔逾期，由真操作放款。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sancha.apps.servicing import operations
from sancha.apps.servicing.models import Loan
from sancha.kernel.terms import Compound, Method, Terms
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending


def twelve_months(start: date, **changes: Any) -> Terms:
    """五万元、年利率 14.4%、十二期等额本息。"""
    values = {
        "start": start,
        "principal_fen": 5_000_000,
        "rate_ppm": 144_000,
        "method": Method.LEVEL_PAYMENT,
        "periods": 12,
        "penalty_multiplier_ppm": 1_500_000,
        "compound": Compound.PENALTY,
        "class_thresholds": ((1, 2), (91, 3), (271, 4), (361, 5)),
        "nonaccrual_after_dpd": 90,
    }
    return Terms(**(values | changes))


def overdue_loan(lending: Lending, *, days: int = 100) -> Loan:
    """放款早于营业日 ``days`` 天、从未还过的借据。"""
    return lending.lend(twelve_months(lending.today - timedelta(days=days)))


def fresh_loan(lending: Lending) -> Loan:
    """今天放的借据。"""
    return lending.lend(twelve_months(lending.today))


def repay(county: County, loan: Loan, amount_fen: int, **given: Any) -> dict[str, Any]:
    """一笔还款。"""
    return operations.post_repayment(
        actor=county.actor("CASHIER"), key=fresh_key("repay"), loan_id=loan.pk, amount_fen=amount_fen, **given
    )
