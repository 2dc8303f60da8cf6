"""出纳：收款先于还款、挂账、付款单双人、现金清点、对账、批扣；账始终平。"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.cashdesk import queries
from sancha.apps.ledger import operations as ledger
from sancha.apps.ledger import queries as books
from sancha.apps.ledger.operations import LineSpec, VoucherSpec, post_vouchers, resolve_accounts
from sancha.kit.actor import SYSTEM, Actor
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county

pytestmark = pytest.mark.django_db
TODAY = OPENING_DAY


@dataclass
class Desk:
    county: County
    clerk: Actor
    supervisor: Actor
    bank: int
    cash: int

    def receive(self, fen: int = 1_000_00, serial: str = "", **changes) -> int:
        given = {
            "actor": self.clerk, "key": fresh_key(), "own_account_id": self.bank, "serial": serial or fresh_key("S"),
            "amount_fen": fen, "value_on": TODAY, "payer_name": "李四", "payer_account": "6222021234567890",
            "on": TODAY,
        }  # fmt: skip
        return cashdesk.record_receipt(**{**given, **changes})["receipt_id"]

    def order(self, fen: int = 500_00, **changes) -> int:
        given = {
            "actor": self.clerk, "key": fresh_key(), "own_account_id": self.bank, "purpose": "DISBURSEMENT",
            "subject": "loan:12", "amount_fen": fen, "payee_name": "王五", "payee_account": "6222029876543210",
            "on": TODAY,
        }  # fmt: skip
        return cashdesk.enter_payment_order(**{**given, **changes})["order_id"]

    def pay(self, order: int, serial: str, on: date = TODAY) -> int:
        cashdesk.authorize_payment_order(actor=self.supervisor, key=fresh_key(), order_id=order, on=on)
        cashdesk.send_payment_order(actor=self.clerk, key=fresh_key(), order_id=order, on=on)
        return cashdesk.settle_payment_order(
            actor=self.clerk, key=fresh_key(), order_id=order, bank_serial=serial, on=on
        )["voucher_id"]

    def statement(self, *rows: tuple, **changes) -> dict:
        lines = [
            {"serial": serial, "value_on": day, "amount_fen": fen, "balance_fen": balance, "counterparty": "李四"}
            for serial, day, fen, balance in rows
        ]
        given = {"actor": self.clerk, "key": fresh_key(), "own_account_id": self.bank, "rows": lines, "on": TODAY}
        return cashdesk.import_statement(**{**given, **changes})

    def info(self, receipt: int):
        return queries.receipt_detail(self.clerk, receipt)[0]


@pytest.fixture
def desk() -> Desk:
    county = open_county()
    ledger.adopt_chart(actor=SYSTEM, key=fresh_key(), template="BANK", on=TODAY)
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")

    def own(kind: str, name: str, code: str, number: str = "") -> int:
        return cashdesk.open_own_account(
            actor=supervisor, key=fresh_key(), institution_id=county.ids["S1"], kind=kind, name=name, account_code=code,
            number=number, on=TODAY,
        )["own_account_id"]  # fmt: skip

    return Desk(
        county, county.actor("CASHIER"), supervisor, own("BANK", "基本户", "1002", "3300012345678901"),
        own("CASH", "柜台现金", "1001"),
    )  # fmt: skip


def balance(role: str, on: date = TODAY) -> int:
    return books.totals_as_of(on).get(resolve_accounts(on).role(role), 0)


def use(desk: Desk, receipt: int, fen: int, subject: str = "loan:12", **changes) -> dict:
    given = {"receipt_id": receipt, "amount_fen": fen, "subject": subject, "booked_on": TODAY, "actor": desk.clerk}
    return cashdesk.use_receipt(**{**given, **changes})


def test_a_receipt_hangs_in_suspense_until_it_is_used(desk):
    receipt = desk.receive(1_000_00)
    assert (balance("BANK"), balance("SUSPENSE"), balance("LOAN_CLEARING")) == (1_000_00, -1_000_00, 0)
    assert desk.info(receipt).state == "UNMATCHED"
    use(desk, receipt, 300_00)
    assert (desk.info(receipt).state, desk.info(receipt).left_fen) == ("PARTLY", 700_00)
    use(desk, receipt, 700_00, subject="loan:13")
    assert desk.info(receipt).state == "MATCHED"
    assert (balance("BANK"), balance("SUSPENSE"), balance("LOAN_CLEARING")) == (1_000_00, 0, -1_000_00)
    assert [row["amount_fen"] for row in queries.uses_of("loan:13")] == [700_00]


def test_a_receipt_cannot_be_used_twice_over(desk):
    receipt = desk.receive(100)
    use(desk, receipt, 60)
    with pytest.raises(DomainError) as refused:
        use(desk, receipt, 41)
    assert refused.value.code == "RECEIPT_SHORT"
    assert "40 分" in str(refused.value)
    for fen in (0, -5, 1.0):
        with pytest.raises(DomainError) as refused:
            use(desk, receipt, fen)
        assert refused.value.code == "AMOUNT_NOT_POSITIVE"
    with pytest.raises(NotFound):
        use(desk, 999_999, 1)


def test_using_a_receipt_with_the_loans_voucher_costs_four_statements(desk, django_assert_num_queries):
    receipt, accounts = desk.receive(500), resolve_accounts(TODAY)
    repayment = VoucherSpec(
        TODAY,
        desk.county.ids["S1"],
        "SERVICING",
        "REPAYMENT",
        "还款",
        [LineSpec(500, "CASH"), LineSpec(-500, "PRINCIPAL")],
    )
    with django_assert_num_queries(4):
        claim = cashdesk.claim_receipt(
            receipt_id=receipt, amount_fen=500, subject="loan:12", booked_on=TODAY, accounts=accounts
        )
        _, voucher = post_vouchers([repayment, claim.voucher], actor=desk.clerk, accounts=accounts)
        cashdesk.settle_claim(claim=claim, voucher_id=voucher, actor=desk.clerk)
    assert (claim.value_on, claim.channel) == (TODAY, "TRANSFER")
    assert balance("LOAN_CLEARING") == 0


def test_releasing_a_use_puts_the_money_back_once(desk):
    receipt = desk.receive(500)
    used = use(desk, receipt, 500)
    cashdesk.release_use(use_id=used["use_id"], booked_on=TODAY, actor=desk.clerk)
    assert desk.info(receipt).state == "UNMATCHED"
    assert (balance("SUSPENSE"), balance("LOAN_CLEARING")) == (-500, 0)
    with pytest.raises(Conflict) as refused:
        cashdesk.release_use(use_id=used["use_id"], booked_on=TODAY, actor=desk.clerk)
    assert refused.value.code == "USE_RELEASED"
    assert [row["amount_fen"] for row in queries.uses_of("loan:12")] == [500, -500]


def test_the_same_serial_is_one_receipt(desk):
    desk.receive(100, serial="A1")
    with pytest.raises(Conflict) as refused:
        desk.receive(100, serial="A1")
    assert refused.value.code == "RECEIPT_EXISTS"
    assert desk.receive(100, serial="A1", own_account_id=desk.cash, channel="COUNTER")
    assert queries.receipts(desk.clerk).total_fen == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount_fen": 0}, "AMOUNT_NOT_POSITIVE"),
        ({"amount_fen": -1}, "AMOUNT_NOT_POSITIVE"),
        ({"value_on": TODAY + timedelta(days=1)}, "VALUE_DATE_LATE"),
        ({"serial": "  "}, "SERIAL_MISSING"),
        ({"channel": "PIGEON"}, "CHANNEL_UNKNOWN"),
        ({"own_account_id": 999}, "OWN_ACCOUNT_NOT_FOUND"),
    ],
)
def test_a_bad_receipt_is_refused(desk, changes, code):
    with pytest.raises(DomainError) as refused:
        desk.receive(**changes)
    assert refused.value.code == code
    assert queries.receipts(SYSTEM).page.total == 0


def test_another_branch_sees_and_touches_nothing(desk):
    receipt, stranger = desk.receive(), desk.county.actor("CASHIER", at="S9")
    with pytest.raises(NotFound):
        queries.receipt_detail(stranger, receipt)
    with pytest.raises(NotFound):
        desk.receive(actor=stranger)
    with pytest.raises(NotFound):
        queries.reconcile(stranger, own_account_id=desk.bank, day=TODAY)
    assert queries.receipts(stranger).page.total == 0
    assert queries.own_accounts(stranger) == []


def test_account_numbers_are_masked(desk):
    assert desk.info(desk.receive()).payer_account_masked == "6222****7890"
    order = desk.order()
    row = queries.payment_orders(desk.clerk).page.rows[0]
    assert row.payee_account_masked == "6222****3210"
    with pytest.raises(NotFound):
        queries.payee_account_to_send(desk.clerk, order)
    assert {info.number_masked for info in queries.own_accounts(desk.clerk)} == {"3300****8901", ""}


def test_suspense_ages_by_booked_day_and_sums_to_the_account(desk):
    amounts = {0: 100, 3: 20, 4: 7, 30: 5, 91: 3}
    for days, fen in amounts.items():
        day = TODAY - timedelta(days=days)
        desk.receive(fen, on=day, value_on=day)
    use(desk, desk.receive(50), 20)
    bands = queries.suspense_ageing(desk.clerk, on=TODAY)
    assert [(band.from_days, band.count, band.amount_fen) for band in bands] == [
        (0, 3, 150), (4, 1, 7), (8, 1, 5), (31, 0, 0), (91, 1, 3),
    ]  # fmt: skip
    assert sum(band.amount_fen for band in bands) == -balance("SUSPENSE")


def test_payment_needs_two_people_and_books_when_it_is_paid(desk):
    order = desk.order(500_00)
    both = desk.supervisor
    with pytest.raises(NotPermitted):
        cashdesk.authorize_payment_order(actor=desk.clerk, key=fresh_key(), order_id=order, on=TODAY)
    with pytest.raises(Conflict) as refused:
        cashdesk.send_payment_order(actor=desk.clerk, key=fresh_key(), order_id=order, on=TODAY)
    assert refused.value.code == "ORDER_STATE"
    voucher = desk.pay(order, "P1")
    assert (balance("BANK"), balance("LOAN_CLEARING")) == (-500_00, 500_00)
    assert books.voucher_detail(SYSTEM, voucher).authorized_by == both.person_id
    second = desk.order(1)
    cashdesk.authorize_payment_order(actor=both, key=fresh_key(), order_id=second, on=TODAY)
    cashdesk.send_payment_order(actor=desk.clerk, key=fresh_key(), order_id=second, on=TODAY)
    assert queries.payee_account_to_send(desk.clerk, second) == "6222029876543210"
    with pytest.raises(Conflict) as refused:
        cashdesk.settle_payment_order(actor=desk.clerk, key=fresh_key(), order_id=second, bank_serial="P1", on=TODAY)
    assert refused.value.code == "SERIAL_USED"
    cashdesk.fail_payment_order(actor=desk.clerk, key=fresh_key(), order_id=second, reason="户名不符", on=TODAY)
    assert balance("BANK") == -500_00
    assert [row.state for row in queries.payment_orders(desk.clerk).page.rows] == ["FAILED", "SETTLED"]


def test_nobody_authorizes_their_own_payment(desk):
    both = replace(desk.supervisor, permissions=desk.supervisor.permissions | {"cashdesk.pay"})
    order = desk.order(actor=both)
    with pytest.raises(NotPermitted) as refused:
        cashdesk.authorize_payment_order(actor=both, key=fresh_key(), order_id=order, on=TODAY)
    assert refused.value.code == "SEPARATION_OF_DUTIES"
    assert "付款的录入与复核须两人办理" in refused.value.message


def test_returning_a_receipt_holds_the_money_until_paid_or_failed(desk):
    receipt = desk.receive(800)
    use(desk, receipt, 300)
    back = cashdesk.return_receipt(actor=desk.clerk, key=fresh_key(), receipt_id=receipt, reason="多汇", on=TODAY)
    assert back["amount_fen"] == 500
    with pytest.raises(DomainError):
        use(desk, receipt, 1)
    cashdesk.cancel_payment_order(
        actor=desk.clerk, key=fresh_key(), order_id=back["order_id"], reason="客户改主意", on=TODAY
    )
    assert (desk.info(receipt).state, desk.info(receipt).left_fen) == ("PARTLY", 500)
    again = cashdesk.return_receipt(actor=desk.clerk, key=fresh_key(), receipt_id=receipt, reason="多汇", on=TODAY)
    desk.pay(again["order_id"], "R1")
    assert (desk.info(receipt).state, balance("SUSPENSE"), balance("BANK")) == ("MATCHED", 0, 300)
    whole = desk.receive(90)
    desk.pay(
        cashdesk.return_receipt(actor=desk.clerk, key=fresh_key(), receipt_id=whole, reason="误汇", on=TODAY)[
            "order_id"
        ],
        "R2",
    )
    assert desk.info(whole).state == "RETURNED"
    with pytest.raises(DomainError):
        cashdesk.return_receipt(actor=desk.clerk, key=fresh_key(), receipt_id=whole, reason="再退", on=TODAY)


def count(desk: Desk, fen: int, **changes) -> dict:
    given = {"actor": desk.clerk, "key": fresh_key(), "own_account_id": desk.cash, "counted_fen": fen, "on": TODAY}
    return cashdesk.count_cash(**{**given, **changes})


def test_cash_is_counted_against_what_came_and_went(desk):
    desk.receive(1_000, own_account_id=desk.cash, channel="COUNTER")
    desk.pay(desk.order(150, own_account_id=desk.cash, purpose="REFUND", payee_account=""), "C1")
    cashdesk.move_cash(
        actor=desk.clerk, key=fresh_key(), from_account_id=desk.cash, to_account_id=desk.bank, amount_fen=600,
        serial="D1", on=TODAY,
    )  # fmt: skip
    assert queries.uncounted_cash(desk.clerk, on=TODAY) == [(desk.cash, desk.clerk.person_id)]
    with pytest.raises(DomainError) as refused:
        count(desk, 240)
    assert (refused.value.code, refused.value.value) == ("DIFFERENCE_UNEXPLAINED", -10)
    assert count(desk, 240, reason="短款待查")["difference_fen"] == -10
    assert (balance("CASH_ON_HAND"), balance("CASH_OVER_SHORT"), balance("BANK")) == (240, 10, 600)
    with pytest.raises(Conflict) as refused:
        count(desk, 240)
    assert refused.value.code == "ALREADY_COUNTED"
    tomorrow = TODAY + timedelta(days=1)
    desk.receive(5, own_account_id=desk.cash, channel="COUNTER", on=tomorrow)
    assert count(desk, 245, on=tomorrow)["difference_fen"] == 0
    row = queries.teller_days(desk.clerk).page.rows[1]
    assert (row.opening_fen, row.in_fen, row.out_fen, row.counted_fen, row.difference_fen) == (0, 1_000, 750, 240, -10)
    assert queries.uncounted_cash(desk.clerk, on=TODAY) == []


def test_importing_a_statement_twice_changes_nothing(desk):
    rows = [("B1", TODAY, 700, 700), ("B2", TODAY, -20, 680), ("B3", TODAY, 50, 730)]
    assert desk.statement(*rows) | {"subject": ""} == {"subject": "", "imported": 3, "duplicates": 0, "receipts": 2}
    assert desk.statement(*rows) | {"subject": ""} == {"subject": "", "imported": 0, "duplicates": 3, "receipts": 0}
    assert queries.receipts(desk.clerk).total_fen == 750
    assert queries.statement_lines(desk.clerk, own_account_id=desk.bank).total_fen == 730
    with pytest.raises(Conflict) as refused:
        desk.statement(("B4", TODAY, 1, None), ("B1", TODAY, 701, None))
    assert refused.value.code == "SERIAL_CLASH"
    with pytest.raises(DomainError) as refused:
        desk.statement(("B4", TODAY, 1, None), ("", TODAY, 1, None))
    assert (refused.value.code, refused.value.field) == ("STATEMENT_ROW", "rows.2")
    assert queries.statement_lines(desk.clerk, own_account_id=desk.bank).page.total == 3


@pytest.mark.parametrize("day", ["2026-13-01", "昨天", "", None, TODAY + timedelta(days=1)])
def test_a_statement_row_whose_day_cannot_be_read_is_refused_with_its_number(desk, day):
    with pytest.raises(DomainError) as refused:
        desk.statement(("B1", TODAY, 1, None), ("B2", day, 1, None))
    assert (refused.value.code, refused.value.field) == ("STATEMENT_ROW", "rows.2")
    assert "日期" in refused.value.message


def test_daily_reconciliation_proves_the_bank_balance(desk):
    desk.receive(1_000, serial="B1")
    desk.receive(77, serial="LATE")
    desk.receive(30, serial="B3")
    desk.pay(desk.order(400), "B2")
    desk.statement(
        ("B1", TODAY, 1_000, 1_000), ("B2", TODAY, -400, 600), ("B3", TODAY, 31, 631), ("FEE", TODAY, -12, 619),
        create_receipts=False,
    )  # fmt: skip
    proof = queries.reconcile(desk.clerk, own_account_id=desk.bank, day=TODAY)
    assert (proof.book_fen, proof.bank_fen, proof.difference_fen) == (707, 619, 0)
    assert sorted(item.serial for item in proof.only_ours) == ["B3", "LATE"]
    assert sorted(item.serial for item in proof.only_bank) == ["B3", "FEE"]
    assert proof.amount_differs == ["B3"]
    assert (proof.matched_count, proof.matched_fen) == (2, 600)
    draft = ledger.enter_manual_voucher(
        actor=desk.clerk, key=fresh_key(), institution_id=desk.county.ids["S1"], booked_on=TODAY, summary="手续费",
        on=TODAY, lines=[{"account": "6421", "amount_fen": 12}, {"account": "1002", "amount_fen": -12}],
    )["draft_id"]  # fmt: skip
    voucher = ledger.authorize_manual_voucher(actor=desk.supervisor, key=fresh_key(), draft_id=draft, on=TODAY)[
        "voucher_id"
    ]
    fee = next(item for item in proof.only_bank if item.serial == "FEE")
    wrong = next(item for item in proof.only_bank if item.serial == "B3")
    explain = {"actor": desk.clerk, "voucher_id": voucher, "on": TODAY}
    with pytest.raises(DomainError) as refused:
        cashdesk.explain_statement_line(key=fresh_key(), line_id=wrong.id, **explain)
    assert refused.value.code == "VOUCHER_DIFFERS"
    assert queries.reconcile(desk.clerk, own_account_id=desk.bank, day=TODAY).difference_fen == 0
    cashdesk.explain_statement_line(key=fresh_key(), line_id=fee.id, **explain)
    proof = queries.reconcile(desk.clerk, own_account_id=desk.bank, day=TODAY)
    assert [item.serial for item in proof.only_bank] == ["B3"]
    assert (proof.book_fen, proof.difference_fen) == (695, 0)
    cashdesk.confirm_reconciliation(actor=desk.clerk, key=fresh_key(), own_account_id=desk.bank, day=TODAY, on=TODAY)
    assert queries.reconcile(desk.clerk, own_account_id=desk.bank, day=TODAY).confirmed


def test_a_bank_balance_that_does_not_prove_is_not_confirmed(desk):
    desk.receive(1_000, serial="B1")
    confirm = {"actor": desk.clerk, "own_account_id": desk.bank, "day": TODAY, "on": TODAY}
    with pytest.raises(Conflict) as refused:
        cashdesk.confirm_reconciliation(key=fresh_key(), **confirm)
    assert refused.value.code == "NOT_RECONCILED"
    desk.statement(("B1", TODAY, 1_000, 1_001))
    with pytest.raises(Conflict) as refused:
        cashdesk.confirm_reconciliation(key=fresh_key(), **confirm)
    assert (refused.value.code, refused.value.value) == ("NOT_RECONCILED", 1)


def batch(desk: Desk, *items: tuple[str, int]) -> int:
    listed = [
        {"subject": subject, "amount_fen": fen, "payer_name": "赵六", "payer_account": "6222000011112222"}
        for subject, fen in items
    ]
    number = cashdesk.create_debit_batch(
        actor=desk.clerk, key=fresh_key(), own_account_id=desk.bank, items=listed, on=TODAY
    )["batch_id"]
    cashdesk.send_debit_batch(actor=desk.clerk, key=fresh_key(), batch_id=number, on=TODAY)
    return number


def results(desk: Desk, number: int, *rows: dict) -> dict:
    return cashdesk.record_debit_results(
        actor=desk.clerk, key=fresh_key(), batch_id=number, results=list(rows), on=TODAY
    )


def test_direct_debit_goes_out_and_comes_back_as_receipts(desk):
    number = batch(desk, ("loan:1", 100), ("loan:2", 200), ("loan:3", 300))
    lines = queries.debit_file(desk.clerk, batch_id=number)
    assert [line["payer_account"] for line in lines] == ["6222000011112222"] * 3
    one, two, three = (line["reference"] for line in lines)
    with pytest.raises(Conflict) as refused:
        batch(desk, ("loan:2", 200))
    assert refused.value.code == "DEBIT_WAITING"
    part = results(
        desk,
        number,
        {"reference": one, "paid_fen": 100, "serial": "X1"},
        {"reference": two, "paid_fen": 0, "failure": "余额不足"},
    )
    assert (part["paid"], part["failed"], part["done"]) == (1, 1, False)
    done = results(
        desk,
        number,
        {"reference": one, "paid_fen": 100, "serial": "X1"},
        {"reference": three, "paid_fen": 120, "failure": "余额不足"},
    )
    assert (done["paid"], done["paid_fen"], done["done"]) == (1, 120, True)
    with pytest.raises(Conflict) as refused:
        results(desk, number, {"reference": one, "paid_fen": 99})
    assert refused.value.code == "DEBIT_RESULT_CHANGED"
    hinted = queries.receipts_hinted(subjects=["loan:1", "loan:2", "loan:3"])
    assert {subject: [info.left_fen for info in rows] for subject, rows in hinted.items()} == {
        "loan:1": [100],
        "loan:3": [120],
    }
    assert (balance("BANK"), balance("SUSPENSE")) == (220, -220)
    row = queries.debit_batches(desk.clerk).page.rows[0]
    assert (row.state, row.paid_fen, row.failed_count, row.pending_count) == ("DONE", 220, 1, 0)
    shown = queries.debit_items(desk.clerk, batch_id=number)
    assert [item["state"] for item in shown.page.rows] == ["PAID", "FAILED", "PARTLY"]
    assert shown.page.rows[0]["payer_account_masked"] == "6222****2222"


def test_a_wrong_result_file_changes_nothing(desk):
    number = batch(desk, ("loan:1", 100))
    reference = queries.debit_file(desk.clerk, batch_id=number)[0]["reference"]
    for bad in (
        {"reference": "nobody", "paid_fen": 1},
        {"reference": reference, "paid_fen": 101},
        {"reference": reference, "paid_fen": -1},
    ):
        with pytest.raises(Conflict) as refused:
            results(desk, number, {"reference": reference, "paid_fen": 100}, bad)
        assert refused.value.code == "DEBIT_RESULT"
    assert queries.receipts(desk.clerk).page.total == 0
    desk.receive(100, serial="X9")
    with pytest.raises(Conflict) as refused:
        results(desk, number, {"reference": reference, "paid_fen": 100, "serial": "X9"})
    assert refused.value.code == "RECEIPT_EXISTS"
    assert queries.debit_items(desk.clerk, batch_id=number).page.rows[0]["state"] == "PENDING"


def test_three_hundred_debit_results_take_a_fixed_number_of_statements(desk, django_assert_max_num_queries):
    number = batch(desk, *((f"loan:{n}", 100 + n) for n in range(300)))
    rows = [
        {"reference": line["reference"], "paid_fen": line["amount_fen"]}
        for line in queries.debit_file(desk.clerk, batch_id=number)
    ]
    with django_assert_max_num_queries(60):  # SQLite splits bulk writes by its limit on parameters
        results(desk, number, *rows)
    assert queries.receipts(desk.clerk).page.total == 300


def test_repeated_operations_return_the_first_result(desk):
    given = {
        "actor": desk.clerk, "key": "once", "own_account_id": desk.bank, "serial": "K1", "amount_fen": 5,
        "value_on": TODAY, "on": TODAY,
    }  # fmt: skip
    assert cashdesk.record_receipt(**given) == cashdesk.record_receipt(**given)
    assert balance("BANK") == 5


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_suspense_is_what_the_receipts_still_hold(desk, seed):
    dice = random.Random(seed)
    held: list[int] = []
    for step in range(40):
        act = dice.choice(["receive", "receive", "use", "release", "return"])
        if act == "receive" or not held:
            held.append(desk.receive(dice.randint(1, 900)))
        elif act == "use":
            info = desk.info(dice.choice(held))
            if info.left_fen:
                use(desk, info.id, dice.randint(1, info.left_fen), subject=f"loan:{step}")
        elif act == "release":
            _, uses = queries.receipt_detail(desk.clerk, dice.choice(held))
            gone = {row["releases_id"] for row in uses}
            left = [row["id"] for row in uses if row["amount_fen"] > 0 and row["id"] not in gone]
            if left:
                cashdesk.release_use(use_id=dice.choice(left), booked_on=TODAY, actor=desk.clerk)
        else:
            info = desk.info(dice.choice(held))
            if info.left_fen:
                back = cashdesk.return_receipt(
                    actor=desk.clerk, key=fresh_key(), receipt_id=info.id, reason="退", on=TODAY,
                    amount_fen=dice.randint(1, info.left_fen),
                )  # fmt: skip
                desk.pay(back["order_id"], fresh_key("P"))
    left = sum(info.left_fen for info in queries.receipts(desk.clerk, size=500).page.rows)
    assert left == -balance("SUSPENSE")
    assert sum(band.amount_fen for band in queries.suspense_ageing(desk.clerk, on=TODAY)) == left
    assert books.trial_balance(SYSTEM, first=TODAY, last=TODAY).balanced
