"""样例机构的生意：收客户、放款、收款、拖欠、提前还、展期、核销，一个营业日接一个营业日。

每笔借据抽一种还款脾气（:class:`Temper`）；每天早上对当日应还清单各自决定还不还，然后日终。种子固定，故可重复。
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from random import Random

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.parties import operations as parties
from sancha.apps.products import queries as products
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing import queries as servicing_queries
from sancha.apps.work import operations as work
from sancha.apps.work import queries as work_queries
from sancha.dayclose import engine
from sancha.interfaces.cli.sample import applications, cast
from sancha.interfaces.cli.sample.world import World, key
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import DomainError
from sancha.rulebook.product_terms import LoanElements, PeriodRule
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind

Progress = Callable[[str, int, int], None]


class Temper(StrEnum):
    """还款脾气。"""

    PUNCTUAL = "按时"
    LATE = "常拖几天"
    PARTIAL = "先还一半"
    STOPPED = "中途停还"
    PREPAYS = "提前还"


@dataclass
class Borrower:
    """样例里的一笔借据与它的脾气。"""

    loan_id: int
    institution: str
    name: str
    temper: Temper
    stops_after: int
    paid: int = 0
    late_days: int = 0


# 产品 → (方式, 期限月数的选择, 周期, 金额万元的范围, 担保方式)
_SHAPES: dict[str, tuple[tuple[Method, ...], tuple[int, ...], PeriodUnit, tuple[int, int], GuaranteeKind]] = {
    "FARMER_GUARANTEE": (
        (Method.LEVEL_PAYMENT, Method.GRACE_LEVEL_PAYMENT),
        (10, 12),
        PeriodUnit.MONTH,
        (2, 10),
        GuaranteeKind.GUARANTEE,
    ),
    "MERCHANT_GUARANTEE": (
        (Method.LEVEL_PAYMENT, Method.LEVEL_PRINCIPAL),
        (12, 18, 24),
        PeriodUnit.MONTH,
        (5, 20),
        GuaranteeKind.GUARANTEE,
    ),
    "FARMER_JOINT": (
        (Method.LEVEL_PAYMENT, Method.GRACE_LEVEL_PAYMENT),
        (10, 12),
        PeriodUnit.MONTH,
        (2, 8),
        GuaranteeKind.JOINT_GUARANTEE,
    ),
    "STARTUP_PERSON": ((Method.INTEREST_FIRST,), (24, 36), PeriodUnit.QUARTER, (5, 20), GuaranteeKind.GUARANTEE),
    "TRADER_REVOLVING": ((Method.INTEREST_FIRST,), (12,), PeriodUnit.MONTH, (5, 50), GuaranteeKind.MORTGAGE),
    "HARVEST_BULLET": ((Method.BULLET,), (6, 8, 10), PeriodUnit.MONTH, (1, 5), GuaranteeKind.UNSECURED),
    "CONSUMER_INSTALLMENT": ((Method.FLAT_FEE,), (6, 12), PeriodUnit.MONTH, (1, 5), GuaranteeKind.UNSECURED),
}


_FINDINGS = (
    ("PROMISED", "电话联系本人，称货款本周到账，承诺三日内还清"),
    ("PROMISED", "上门见到本人，卖出第一批猪后即还，约定下周二"),
    ("HARDSHIP", "夏季内涝减产，拟申请困难分期，已告知准备证明材料"),
    ("UNREACHED", "两日内三次拨打无人接听，已留言并发送短信"),
    ("REFUSED", "本人表示暂不还款，已告知罚息与征信后果"),
)


class Business:
    """一家在营业的样例机构。"""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.rng = world, Random(seed)
        self.borrowers: dict[int, Borrower] = {}
        self.serial = 0

    # --- 放款 -----------------------------------------------------------------

    def lend(self, *, days_ago: int = 0) -> Borrower | None:
        """收一位客户、登记、复核、付款；``days_ago`` 大于 0 为补登。"""
        rng, world, today = self.rng, self.world, self.world.business_date
        kind, product, industry, industry_name, purpose, occupation = rng.choice(cast.TRADES)
        institution = rng.choice(cast.LENDERS)
        male = rng.random() < 0.6
        born = date(today.year - rng.randrange(25, 58), rng.randrange(1, 13), rng.randrange(1, 28))
        name = cast.person_name(rng, male=male)
        clerk = world.desk("DISBURSEMENT_CLERK", institution)
        officer = world.desk("LOAN_OFFICER", institution)
        party = parties.register_party(
            actor=officer,
            key=key("party"),
            on=today,
            kind=kind,
            name=name,
            id_kind="RESIDENT_ID",
            id_number=cast.id_number(rng, born, male=male),
            phone=f"1{rng.choice('3578')}{rng.randrange(10**8, 10**9)}",
            address=f"清河县{rng.choice(cast.PLACES)}{rng.randrange(1, 200)}号",
            industry_code=industry,
            industry_name=industry_name,
            occupation=occupation,
            officer_id=officer.person_id,
            institution_id=world.ids[institution],
        )
        elements = self._elements(product, kind, today - timedelta(days=days_ago))
        try:
            booked = servicing.book_loan(
                actor=clerk,
                key=key("book"),
                on=today,
                party_id=party["party_id"],
                product_id=world.products[product],
                institution_id=world.ids[institution],
                elements=elements,
                officer_id=officer.person_id,
                purpose=purpose,
                guarantor=self._guarantor(elements.guarantee),
            )
        except DomainError as error:
            raise RuntimeError(f"{product} {elements}: {error.message}") from error
        supervisor = world.desk("ACCOUNTING_SUPERVISOR", institution)
        work.submit_task(
            actor=supervisor,
            key=key("authorize"),
            on=today,
            task_id=booked["task_id"],
            outcome="APPROVED",
            opinion="要素与合同一致",
        )
        temper = rng.choices(list(Temper), [68, 14, 5, 9, 4])[0]
        borrower = Borrower(
            booked["loan_id"], institution, name, temper, rng.randrange(1, 6), 0, rng.choice([2, 4, 6, 12, 20, 35])
        )
        self.borrowers[borrower.loan_id] = borrower
        return borrower

    def _elements(self, product: str, kind: str, start: date) -> LoanElements:
        methods, months, unit, (low, high), guarantee = _SHAPES[product]
        rng = self.rng
        method = rng.choice(methods)
        term = rng.choice(
            [count for count in months if not (method is Method.BULLET and product == "FARMER_GUARANTEE" and count > 4)]
        )
        price = products.price_on(
            product_id=self.world.products[product], institution_path="/", customer_kind=kind, on=start
        ).rate_ppm
        return LoanElements(
            customer_kind=CustomerKind(kind),
            amount_fen=rng.randrange(low, high + 1) * 1_000_000,
            term_unit=PeriodUnit.MONTH,
            term_count=term,
            method=method,
            period=PeriodRule(unit=unit),
            rate_ppm=price,
            guarantee=guarantee,
            start=start,
            grace_periods=3 if method is Method.GRACE_LEVEL_PAYMENT else 0,
        )

    def _guarantor(self, guarantee: GuaranteeKind) -> str:
        rng = self.rng
        if guarantee is GuaranteeKind.UNSECURED:
            return ""
        if guarantee is GuaranteeKind.MORTGAGE:
            return f"清房权证城关字第{rng.randrange(10000, 99999)}号"
        count = 2 if guarantee is GuaranteeKind.JOINT_GUARANTEE else 1
        return "、".join(cast.person_name(rng, male=rng.random() < 0.5) for _ in range(count))

    # --- 收款 -----------------------------------------------------------------

    def pay(self, borrower: Borrower, amount_fen: int, *, value_on: date | None = None) -> None:
        """出纳收妥、还款登记。"""
        today = self.world.business_date
        self.serial += 1
        cashier = self.world.desk("CASHIER", _with_cashier(borrower.institution))
        receipt = cashdesk.record_receipt(
            actor=cashier,
            key=key("receipt"),
            own_account_id=self.world.accounts[borrower.institution],
            serial=f"{today:%Y%m%d}{self.serial:06d}",
            amount_fen=amount_fen,
            value_on=value_on or today,
            on=today,
            payer_name=borrower.name,
            channel="TRANSFER",
            subject_hint=f"loan:{borrower.loan_id}",
        )["receipt_id"]
        servicing.post_repayment(
            actor=self.world.desk("CASHIER", _with_cashier(borrower.institution)),
            key=key("repay"),
            loan_id=borrower.loan_id,
            amount_fen=amount_fen,
            on=today,
            value_on=value_on,
            receipt_id=receipt,
            channel="TRANSFER",
            payer_name=borrower.name,
            allow_overpayment=value_on is not None,
        )
        borrower.paid += 1

    def collect(self) -> int:
        """当日应还清单上，各自按脾气决定还不还。"""
        count = 0
        for item in servicing_queries.due_items(actor=SYSTEM, day=self.world.business_date):
            borrower = self.borrowers.get(item["loan_id"])
            if borrower is None or not self._pays_today(borrower, item["days_past_due"]):
                continue
            amount = item["amount_fen"]
            if borrower.temper is Temper.PARTIAL and item["days_past_due"] == 0:
                amount = max(1, amount // 2)
            self.pay(borrower, amount)
            count += 1
        return count

    def _pays_today(self, borrower: Borrower, days_past_due: int) -> bool:
        if borrower.temper is Temper.STOPPED and borrower.paid >= borrower.stops_after:
            return False
        if borrower.temper is Temper.LATE:
            return days_past_due >= borrower.late_days
        if borrower.temper is Temper.PARTIAL:
            return days_past_due in {0, 9} or days_past_due > 30
        return True

    def backfill(self, borrower: Borrower) -> None:
        """补登的借据：把到今天为止按脾气该有的还款逐笔倒签补上。"""
        view = servicing_queries.view_loan(actor=SYSTEM, loan_id=borrower.loan_id)
        due = [item for item in view.state.installments if item.kind == "PLAN" and item.due_date < view.on]
        for index, item in enumerate(due):
            owed = item.principal_due + item.interest_due + item.fee_due
            if borrower.temper is Temper.STOPPED and index >= borrower.stops_after:
                return
            late = borrower.late_days if borrower.temper is Temper.LATE else 0
            value_on = item.due_date + timedelta(days=late)
            if value_on > view.on:
                return
            if owed:
                self.pay(borrower, owed, value_on=value_on)

    # --- 不寻常的事 -------------------------------------------------------------

    def unusual(self) -> None:
        """偶尔有人提前还一部分、提前结清、展期、减免、冲正、核销——看板上各种状态都有。"""
        rng, today = self.rng, self.world.business_date
        live = list(self.borrowers.values())
        rng.shuffle(live)
        for borrower in live:
            view = servicing_queries.view_loan(actor=SYSTEM, loan_id=borrower.loan_id)
            if view.loan.status != "ACTIVE":
                continue
            if borrower.temper is Temper.PREPAYS and borrower.paid >= 2 and view.state.not_due:
                clerk = self.world.desk("CASHIER", _with_cashier(borrower.institution))
                if rng.random() < 0.5:
                    total = max(0, view.payoff()["total"])
                    if total:
                        servicing.settle_loan(
                            actor=clerk, key=key("settle"), loan_id=borrower.loan_id, amount_fen=total, on=today
                        )
                else:
                    part = min(view.state.not_due // 2, view.payoff()["total"])
                    if part > 0:
                        servicing.prepay_loan(
                            actor=clerk,
                            key=key("prepay"),
                            loan_id=borrower.loan_id,
                            amount_fen=part,
                            mode="INSTALLMENT",
                            on=today,
                        )
                borrower.temper = Temper.PUNCTUAL
                return

    def follow_up(self) -> None:
        """信贷员办一部分逾期跟进：打电话、上门，写下结果。"""
        for username, _, post, _ in cast.STAFF:
            if post != "LOAN_OFFICER":
                continue
            officer = self.world.actor(username)
            listed = work_queries.my_tasks(officer, on=self.world.business_date)
            for task in listed.rows:
                if task.kind != "OVERDUE_FOLLOW_UP" or self.rng.random() < 0.4:
                    continue
                outcome, opinion = self.rng.choice(_FINDINGS)
                work.submit_task(
                    actor=officer,
                    key=key("follow-up"),
                    on=self.world.business_date,
                    task_id=task.id,
                    outcome=outcome,
                    opinion=opinion,
                )

    def write_off_worst(self, days_past_due: int = 361) -> None:
        """损失类里拖得最久的一笔核销。"""
        for borrower in self.borrowers.values():
            view = servicing_queries.view_loan(actor=SYSTEM, loan_id=borrower.loan_id)
            if view.loan.status == "ACTIVE" and view.state.days_past_due >= days_past_due:
                servicing.write_off_loan(
                    actor=SYSTEM,
                    key=key("writeoff"),
                    loan_id=borrower.loan_id,
                    on=self.world.business_date,
                    reason="债务人失踪，穷尽追索，法院终结本次执行",
                    approval_number="江农商核批〔2026〕第 3 号",
                )
                return

    # --- 一天 -----------------------------------------------------------------

    def close_day(self) -> None:
        """日终。"""
        engine.run(actor=SYSTEM, group_id=self.world.group_id)


def _with_cashier(institution: str) -> str:
    return institution[:8]


def small(world: World, *, seed: int = 7, loans: int = 24, days: int = 3, progress: Progress) -> Business:
    """小样例：一批补登的借据（各种年龄与脾气），再营业几天。"""
    applications.empower(world)
    business = Business(world, seed)
    for number in range(loans):
        borrower = business.lend(days_ago=int(300 * business.rng.random() ** 2) + 3)
        if borrower is not None:
            business.backfill(borrower)
        progress("放款与补登", number + 1, loans)
    business.write_off_worst(days_past_due=200)
    for number in range(days):
        business.collect()
        business.follow_up()
        business.unusual()
        business.lend()
        business.close_day()
        progress("营业与日终", number + 1, days)
    business.collect()
    _receive(world, seed)
    return business


def full(world: World, *, seed: int = 7, loans: int = 300, days: int = 540, progress: Progress) -> Business:
    """全量样例：从空账开始，一天一天营业约一年半，三百来位借款人。"""
    applications.empower(world)
    business = Business(world, seed)
    made = 0
    for number in range(days):
        # New business comes in over the first three quarters of the history, so that loans of every age remain.
        wanted = min(loans, int(loans * (number + 1) / (days * 0.8)))
        while made < wanted:
            business.lend()
            made += 1
        business.collect()
        if number % 3 == 0:
            business.follow_up()
        if number % 15 == 0:
            business.unusual()
        if number == days - 30:
            business.write_off_worst()
        business.close_day()
        progress("营业与日终", number + 1, days)
    business.collect()
    _receive(world, seed)
    return business


def _receive(world: World, seed: int) -> None:
    """最后一天的柜台：停在每一步的申请；一位信贷员停了权。"""
    applications.Desk(world, Random(seed)).tell()
    applications.suspend_one(world)
