"""一个能办业务的支行：放贷环境 + 各岗位的人 + 一个银行账户，借据操作与日终的测试共用。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.mapping import state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanState
from sancha.dayclose import engine, invariants
from sancha.kernel import quote
from sancha.kernel.replay import advance
from sancha.kernel.terms import Compound, Method, Terms
from sancha.kit.actor import SYSTEM, Actor
from tests.support.factories_access import County, fresh_key, open_county
from tests.support.factories_loans import Lending, open_lending

ONE_DAY = timedelta(days=1)
POLICY: dict[str, Any] = {
    "penalty_multiplier_ppm": 1_500_000,
    "misuse_multiplier_ppm": 2_000_000,
    "compound": Compound.CONTRACT_THEN_PENALTY,
    "nonaccrual_after_dpd": 90,
    "class_thresholds": ((1, 2), (91, 3), (271, 4), (361, 5)),
}


@dataclass
class Office:
    """柳溪支行。``clerk`` 放款岗（登记、还款、变更），``supervisor`` 会计主管（复核、冲正），``manager`` 核销。"""

    county: County
    lending: Lending
    clerk: Actor
    supervisor: Actor
    manager: Actor
    bank: int

    @property
    def today(self) -> date:
        """当前营业日。"""
        return self.lending.today

    def lend(self, start: date | None = None, *, at: str = "S1", **terms: Any) -> int:
        """放一笔：缺省 50,000.00 元、14.4 %、12 期等额本息、今天起息；返回借据编号。"""
        values: dict[str, Any] = {
            "start": start or self.today, "principal_fen": 5_000_000, "rate_ppm": 144_000, "method": Method.LEVEL_PAYMENT, "periods": 12,
        }  # fmt: skip
        return int(self.lending.lend(Terms(**{**values, **POLICY, **terms}), at=at).pk)

    def receive(self, fen: int, serial: str = "") -> int:
        """到账一笔，返回收款编号。"""
        return int(
            cashdesk.record_receipt(
                actor=self.clerk, key=fresh_key(), own_account_id=self.bank, serial=serial or fresh_key("S"), amount_fen=fen,
                value_on=self.today, on=self.today, payer_name="李四", payer_account="6222021234567890",
            )["receipt_id"]
        )  # fmt: skip

    def repay(self, loan_id: int, fen: int, **how: Any) -> dict[str, Any]:
        """还款登记。"""
        return servicing.post_repayment(
            **{"actor": self.clerk, "key": fresh_key(), "loan_id": loan_id, "amount_fen": fen, **how}
        )

    def close(self, days: int = 1) -> None:
        """日终若干天。"""
        engine.run(actor=SYSTEM, group_id=self.county.group_id, until=self.today + (days - 1) * ONE_DAY)

    def row(self, loan_id: int) -> LoanState:
        """状态投影行。"""
        return LoanState.objects.select_related("loan").get(pk=loan_id)

    def loan(self, loan_id: int) -> Loan:
        """借据。"""
        return Loan.objects.get(pk=loan_id)

    def payoff(self, loan_id: int) -> int:
        """今天的结清报价（分）。"""
        row = self.row(loan_id)
        state = advance(terms_of(row.loan.terms), state_of(row), [], to=self.today)
        return int(quote.payoff(terms_of(row.loan.terms), state)["total"])

    def problems(self) -> list[str]:
        """全部不变式的红项。"""
        findings = invariants.check(group_id=self.county.group_id, everything=True)
        return [problem for finding in findings for problem in finding.problems]


def open_office(county: County | None = None) -> Office:
    """开一个支行。"""
    county = county or open_county()
    lending = open_lending(county)
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    bank = cashdesk.open_own_account(
        actor=supervisor, key=fresh_key(), institution_id=county.ids["S1"], kind="BANK", name="基本户", account_code="1002",
        number="3300012345678901", on=county.opened_on,
    )["own_account_id"]  # fmt: skip
    return Office(
        county, lending, county.actor("DISBURSEMENT_CLERK"), supervisor, county.actor("BUSINESS_MANAGER"), bank
    )
