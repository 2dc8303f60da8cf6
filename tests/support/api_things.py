"""接口测试用的东西：一家支行里各样各一件，和一个样样能办的人。"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.parties.models import Party
from sancha.apps.servicing import operations as servicing
from sancha.apps.work import queries as work
from sancha.interfaces.api import gate
from sancha.interfaces.api.servicing.routes import BOOKING
from sancha.interfaces.api.shapes import dataclass_body, unfold
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM, Actor
from sancha.rulebook.posts import permission_names
from sancha.rulebook.product_terms import LoanElements
from tests.support.api_client import Api
from tests.support.factories_access import OPENING_DAY, County, fresh_key
from tests.support.factories_loans import open_lending


def all_powerful(county: County, at: str) -> Api:
    """该机构里一个样样能办的人：范围之外与权限不够，要分得开。"""

    actor = county.actor("CASHIER", at=at)
    mighty = replace(actor, permissions=frozenset(permission_names()))
    return _As(actor, mighty)


class _As(Api):
    def __init__(self, actor: Actor, mighty: Actor) -> None:
        super().__init__(actor)
        self.mighty = mighty

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        original = gate._by_token
        gate._by_token = lambda _token: gate.Caller(self.mighty, OPENING_DAY, f"sweep:{self.mighty.person_id}")
        try:
            return super().__call__(*args, **kwargs)
        finally:
            gate._by_token = original


def things_at_s1(county: County) -> dict[str, object]:
    """柳溪支行的各样东西，按路由参数名给编号。"""

    lending = open_lending(county)
    # The factory takes the first number of the real sequence; registering through the interface needs it.
    Party.objects.filter(pk=lending.party_id).update(number="C9999999999")
    s1 = county.ids["S1"]
    terms = Terms(start=OPENING_DAY, principal_fen=5_000_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=12)
    loan = lending.lend(terms)

    elements = unfold(dataclass_body(LoanElements).model_validate(BOOKING["elements"]))
    clerk, cashier = county.actor("DISBURSEMENT_CLERK"), county.actor("CASHIER")
    booked = servicing.book_loan(
        actor=clerk, key=fresh_key("book"), on=OPENING_DAY, party_id=lending.party_id, product_id=lending.product_id, institution_id=s1,
        elements=elements,
    )  # fmt: skip
    account = cashdesk.open_own_account(
        actor=SYSTEM, key=fresh_key("account"), institution_id=s1, kind="BANK", name="基本户", account_code="1002", on=OPENING_DAY,
        number="6217000100010001", bank_name="农商行",
    )["own_account_id"]  # fmt: skip
    receipt = cashdesk.record_receipt(
        actor=cashier, key=fresh_key("receipt"), own_account_id=account, serial="1", amount_fen=100, value_on=OPENING_DAY, on=OPENING_DAY,
    )  # fmt: skip
    order = cashdesk.enter_payment_order(
        actor=clerk, key=fresh_key("order"), own_account_id=account, purpose="DISBURSEMENT", subject=f"loan:{loan.pk}", amount_fen=100,
        payee_name="王秀兰", on=OPENING_DAY, payee_account="6217000200020002",
    )["order_id"]  # fmt: skip
    assert work.task_detail(county.actor("ACCOUNTING_SUPERVISOR"), booked["task_id"], on=OPENING_DAY).may_act
    return {
        "loan_id": loan.pk, "party_id": lending.party_id, "task_id": booked["task_id"], "institution_id": s1,
        "person_id": cashier.person_id, "voucher_id": receipt["voucher_id"], "receipt_id": receipt["receipt_id"], "order_id": order,
        "own_account_id": account, "holding_id": cashier.post_holding_id,
    }  # fmt: skip
