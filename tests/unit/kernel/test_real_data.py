"""真实数据：外面的系统算过、收过的，照着算一遍。数据在仓库之外（../shared/data），没有就跳过并说明。"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from sancha.kernel import Fact, FactKind, State, Terms, positions, project, replay
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.money import Rounding, parse_yuan
from sancha.kernel.quote import is_settled
from sancha.kernel.schedule import level_payment, period_rate
from sancha.kernel.terms import Method, Roll

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"没有真实数据（{DATA}），跳过"),
]


def rows(name: str) -> Iterator[dict[str, str]]:
    path = DATA / name
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def cents(text: str) -> int:
    return parse_yuan(f"{text.partition('.')[0]}.{text.partition('.')[2].rstrip('0') or '0'}")


def day(text: str) -> date:
    return date.fromisoformat(text[:10])


def lend(terms: Terms) -> Fact:
    return Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen)


def whole_plan(terms: Terms) -> State:
    return project(terms, replay(terms, [lend(terms)], on=terms.start))


# --- LendingClub 2018 一季度：8,000 笔等额本息 ---------------------------------------


def test_lending_club_instalments_to_the_cent() -> None:
    """每期还款额按「进位到分」恰合 7,997 笔；其余 3 笔是 6% 的促销利率。四舍五入只合一半。"""
    agreed: Counter[str] = Counter()
    for row in rows("lendingclub_2018q1/loans.csv.gz"):
        principal, wanted = cents(row["loan_amount"]), cents(row["installment"])
        rate = period_rate(cents(row["interest_rate"]) * 100, PeriodUnit.MONTH, 1, Terms.day_count)
        agreed["all"] += 1
        for rounding in (Rounding.UP, Rounding.HALF_UP):
            agreed[rounding] += level_payment(principal, rate, int(row["term"].partition(".")[0]), rounding) == wanted
        if level_payment(principal, rate, int(row["term"].partition(".")[0]), Rounding.UP) != wanted:
            agreed[f"other {row['interest_rate']}"] += 1
    assert agreed["all"] == 8_000
    assert agreed[Rounding.UP] == 7_997
    assert 3_500 < agreed[Rounding.HALF_UP] < 4_500
    assert agreed["other 6.0"] == 3


def test_lending_club_balances_of_paid_instalments() -> None:
    """抽一百笔：整张计划的本金之和恰为贷款额，末期收尾差不超过每期一分。"""
    for index, row in enumerate(rows("lendingclub_2018q1/loans.csv.gz")):
        if index >= 100:
            break
        terms = Terms(
            start=date(2018, 3, 15), principal_fen=cents(row["loan_amount"]), rate_ppm=cents(row["interest_rate"]) * 100,
            method=Method.LEVEL_PAYMENT, periods=int(row["term"].partition(".")[0]), rounding=Rounding.UP,
        )  # fmt: skip
        items = whole_plan(terms).installments
        totals = [item.principal_due + item.interest_due for item in items]
        assert set(totals[:-1]) == {cents(row["installment"])}
        assert sum(item.principal_due for item in items) == terms.principal_fen
        # Up to a cent too much in each instalment, half a cent either way in each interest: that is all the last one may absorb.
        assert abs(totals[0] - totals[-1]) <= 3 * len(totals)


# --- Kiva 2005–2006：照录计划与 5,237 笔还款 -------------------------------------------


def kiva() -> Iterator[tuple[dict[str, str], Terms, list[Fact], date]]:
    """每笔有还款的贷款：条款、照录的计划与放款、各笔还款，以及都过去之后的一天。"""
    plans, payments = defaultdict(list), defaultdict(list)
    for row in rows("kiva_microloans/schedule_lender.csv"):
        plans[row["loan_id"]].append(row)
    for row in rows("kiva_microloans/payments.csv"):
        payments[row["loan_id"]].append(row)
    for loan in rows("kiva_microloans/loans.csv"):
        paid = sorted(payments[loan["loan_id"]], key=lambda row: row["processed_date"])
        plan = plans[loan["loan_id"]]
        if not paid and not plan:
            continue
        # Seven repayments came before the pay-out; the loan then starts with the first of them.
        start = min([day(loan["disbursal_date"]), *(day(row["processed_date"]) for row in paid)])
        terms = Terms(
            start=start, principal_fen=cents(loan["loan_amount"]), rate_ppm=0, method=Method.LEVEL_PRINCIPAL,
            periods=int(loan["repayment_term_months"] or 12),
        )  # fmt: skip
        facts = [lend(terms)]
        if plan:
            lines = [
                {"due_on": row["due_date"][:10], "principal_fen": cents(row["amount"]), "interest_fen": 0}
                for row in plan
            ]
            facts.append(Fact(2, FactKind.PLAN_GIVEN, start, start, data={"lines": lines}))
        for row in paid:
            on = day(row["processed_date"])
            facts.append(Fact(len(facts) + 1, FactKind.REPAYMENT, on, on, cents(row["amount"])))
        last = max(
            [*(fact.value_on for fact in facts), *(day(row["due_date"]) for row in plan), start + timedelta(days=900)]
        )
        yield loan, terms, facts, last + timedelta(days=1)


def test_kiva_plans_are_kept_as_given() -> None:
    """631 份计划逐期照录：应还日与金额一字不改，合计等于贷款额。"""
    wanted = defaultdict(list)
    for row in rows("kiva_microloans/schedule_lender.csv"):
        wanted[row["loan_id"]].append((row["due_date"][:10], cents(row["amount"])))
    seen = 0
    for loan, terms, facts, _ in kiva():
        if loan["loan_id"] not in wanted:
            continue
        items = project(terms, replay(terms, facts[:2], on=terms.start)).installments
        assert [(item.due_date.isoformat(), item.principal_due) for item in items] == sorted(wanted[loan["loan_id"]])
        seen += 1
    assert seen == 631


def test_kiva_repayments_replayed_with_overpayments_kept() -> None:
    """666 笔贷款、5,237 笔还款：收的钱一分不少，超过本金的留作溢缴款；状态为 paid 的有 81 笔多还。"""
    repayments = received = overpaid_while_paid = settled = with_payments = 0
    for loan, terms, facts, last in kiva():
        paid = [fact for fact in facts if fact.kind is FactKind.REPAYMENT]
        if not paid:
            continue
        with_payments += 1
        total = sum(fact.amount_fen for fact in paid)
        state = replay(terms, facts, on=last)
        assert state.received == total == state.principal_paid + state.overpayment
        assert state.overpayment == max(0, total - terms.principal_fen)
        assert state.principal == max(0, terms.principal_fen - total)
        assert is_settled(terms, state) is (total >= terms.principal_fen)
        assert sum(positions(terms, state).values()) == 0
        assert bool(state.days_past_due) is (total < terms.principal_fen)
        repayments += len(paid)
        received += total
        settled += is_settled(terms, state)
        overpaid_while_paid += state.overpayment > 0 and loan["status"] == "paid"
    assert (with_payments, repayments, received) == (666, 5_237, 361_763_00)
    assert overpaid_while_paid == 81
    assert settled > 500


def test_kiva_days_past_due_against_the_lenders_plan() -> None:
    """有计划又有还款的 502 笔：还清之前最久逾期的分布，与数据说明所列一致。"""
    buckets: Counter[str] = Counter()
    for loan, terms, facts, last in kiva():
        if len({fact.kind for fact in facts}) < 3 or loan["status"] != "paid":
            continue
        items = replay(terms, facts, on=last).installments
        if any(item.principal_unpaid for item in items):
            buckets["unpaid"] += 1
            continue
        worst = max(item.settled_on - item.due_on for item in items)
        buckets[
            "0"
            if worst <= 0
            else "1-30"
            if worst <= 30
            else "31-60"
            if worst <= 60
            else "61-90"
            if worst <= 90
            else "91+"
        ] += 1
    assert (buckets["0"], buckets["1-30"], buckets["31-60"], buckets["61-90"], buckets["91+"]) == (252, 119, 90, 28, 9)


# --- SuperLender 2016–2017：定额费用短贷 ---------------------------------------------


def test_super_lender_flat_fees() -> None:
    """18,183 笔：本金加定额费用逐笔等于应还总额；应还日遇周末顺延，与所记的首个应还日相合 16,428 笔。"""
    count = total = rolled = 0
    for row in rows("superlender_ng/loans_closed.csv.gz"):
        principal, due = cents(row["loanamount"]), cents(row["totaldue"])
        days = int(row["termdays"])
        each = min(days, 30)
        terms = Terms(
            start=day(row["approveddate"]), principal_fen=principal, rate_ppm=0, method=Method.FLAT_FEE, periods=days // each,
            period_unit=PeriodUnit.DAY, period_every=each, flat_fee_fen=due - principal, roll=Roll.FOLLOWING,
        )  # fmt: skip
        items = whole_plan(terms).installments
        assert sum(item.principal_due + item.fee_due for item in items) == due
        assert len(items) == days // each
        assert all(item.due_date.weekday() < 5 for item in items)
        rolled += items[0].due_date == day(row["firstduedate"])
        count += 1
        total += due
    assert (count, total) == (18_183, 355_899_548_90)
    assert rolled == 16_428
