"""事实的作用：页面与案例没有走到的角落，以及修过的错。"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sancha.kernel import Fact, FactKind, State, Terms, advance, payoff, positions, project, replay
from sancha.kernel.calendar import Calendar
from sancha.kernel.fold import NEVER
from sancha.kernel.positions import Line, accounting_key, accrual_lines, fits
from sancha.kernel.quote import is_settled
from sancha.kernel.terms import TermsError
from tests.support import scenario

START = date(2026, 1, 15)


def loan(**words: str) -> Terms:
    base = {"起息日": "2026-01-15", "本金": "60,000.00", "年利率": "12%", "还款方式": "等额本金", "期数": "12"}
    return scenario.terms_of(base | words)


def fact(seq: int, kind: FactKind, on: str, amount: int = 0, **data: Any) -> Fact:
    return Fact(seq, kind, date.fromisoformat(on), date.fromisoformat(on), amount, data)


def lent(terms: Terms, *more: Fact) -> list[Fact]:
    return [Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen), *more]


def at(terms: Terms, facts: list[Fact], on: str) -> State:
    return replay(terms, facts, on=date.fromisoformat(on))


# --- 重订计划移来的欠息不会丢 ---------------------------------------------------------


@pytest.mark.parametrize("kind", [FactKind.PREPAYMENT, FactKind.SETTLEMENT])
def test_deferred_interest_is_paid_when_the_plan_ends_early(kind: FactKind) -> None:
    """曾经：提前还清本金，移来的欠息既不到期也不消失，借据却显示结清。"""
    terms = loan(还款方式="到期还本", 期数="3")
    moved = fact(2, FactKind.NEW_PLAN, "2026-03-20", ends=["2026-06-15", "2026-09-15"], reopen_overdue=True)
    facts = lent(terms, moved)
    before = at(terms, facts, "2026-04-01")
    assert before.deferred_interest == 120_000
    quote = payoff(terms, before)["total"]
    after = at(terms, [*facts, fact(3, kind, "2026-04-01", quote)], "2026-04-01")
    assert is_settled(terms, after)
    assert after.deferred_interest == after.overpayment == 0
    assert "INTEREST_RECEIVABLE" not in positions(terms, after)


def test_deferred_interest_falls_due_when_instalments_pay_the_principal_off() -> None:
    """每期还款额先把本金还完：最后一期带上欠息，不留在空计划里。"""
    terms = loan(期数="4")
    moved = fact(
        2, FactKind.NEW_PLAN, "2026-02-20", ends=["2026-03-20", "2026-04-20", "2026-05-20"], reopen_overdue=True
    )
    paid_early = fact(3, FactKind.PREPAYMENT, "2026-02-21", 4_500_000, mode="TERM")
    state = at(terms, lent(terms, moved, paid_early), "2026-06-01")
    assert state.cur == len(state.ends)
    assert state.deferred_interest == 0
    assert sum(item.interest_due for item in state.installments) == state.interest_billed + sum(
        item.moved_interest for item in state.installments
    )


# --- 第三方付息：换人不丢 -----------------------------------------------------------


def test_interest_of_a_payer_who_leaves_on_a_due_day_stays_his() -> None:
    """曾经：承担人恰在应还日退出，他当期的利息没有记到任何人名下。"""
    terms = loan(还款方式="到期还本", 承担份额="2026-01-15 财政 100%；2026-02-15 学校 100%；2026-03-15")
    state = at(terms, lent(terms), "2026-04-15")
    assert state.payers == {"财政": [60_000, 0], "学校": [60_000, 0]}
    assert state.interest_unpaid == 60_000


def test_interest_of_payers_who_change_within_a_period_is_split_by_days() -> None:
    """一期之内换人：各按自己的天数。2 月 15 日到 25 日 10 天财政，余 20 个单位学校。"""
    terms = loan(还款方式="到期还本", 承担份额="2026-02-15 财政 100%；2026-02-25 学校 50%")
    state = at(terms, lent(terms), "2026-03-15")
    assert state.payers == {"财政": [20_000, 0], "学校": [20_000, 0]}
    assert state.subsidy_billed == 40_000


def test_shares_beyond_the_whole_are_cut() -> None:
    state = at(
        terms := loan(),
        lent(terms, fact(2, FactKind.PAYER_SHARES, "2026-01-15", shares=[["甲", 800_000], ["乙", 700_000]])),
        "2026-02-15",
    )
    assert state.payers == {"甲": [48_000, 0], "乙": [12_000, 0]}
    assert state.interest_unpaid == 0


# --- 节假日 ---------------------------------------------------------------------


def closed(*days: str) -> dict[str, Any]:
    holidays = frozenset(map(date.fromisoformat, days))
    return dict(Calendar(holidays, published_years=frozenset({2026})).as_document())


def test_a_published_holiday_moves_only_what_is_not_yet_due() -> None:
    terms = loan(顺延="顺延", 期数="3")
    published = fact(2, FactKind.CALENDAR, "2026-03-01", calendar=closed("2026-02-15", "2026-03-16", "2026-03-17"))
    items = project(terms, at(terms, lent(terms, published), "2026-03-01")).installments
    # 2 月 15 日、3 月 15 日都是星期日；3 月 16、17 日放假，顺延到 18 日。
    assert [item.due_date.isoformat() for item in items] == ["2026-02-16", "2026-03-18", "2026-04-15"]


def test_maturity_moves_with_the_last_period() -> None:
    """曾经：节假日把末期推后，复利仍在旧到期日转成罚息利率，那天并没有事件，头寸于是拐了弯。"""
    terms = loan(顺延="顺延并调息", 期数="2", 罚息倍数="1.5 倍", 复利="期内合同期后罚息")
    days = [f"2026-03-{day}" for day in range(16, 28)]
    facts = lent(terms, fact(2, FactKind.CALENDAR, "2026-02-20", calendar=closed(*days)))
    state = at(terms, facts, "2026-02-25")
    assert state.maturity == state.ends[-1] == date(2026, 3, 30).toordinal()
    whole = at(terms, facts, "2026-04-20")
    for day in ("2026-03-15", "2026-03-16", "2026-03-17"):
        assert advance(terms, at(terms, facts, day), [], to=date(2026, 4, 20)) == whole


def test_given_interest_keeps_its_sum_when_its_period_moves() -> None:
    """照录利息的一期被节假日推后：合计仍是给定的数。"""
    terms = loan(顺延="顺延并调息", 期数="1")
    rows = [{"due_on": "2026-03-16", "principal_fen": 6_000_000, "interest_fen": 90_000}]
    given = Fact(1, FactKind.PLAN_GIVEN, START, START, data={"lines": rows})
    paid_out = Fact(2, FactKind.DISBURSEMENT, START, START, 6_000_000)
    moved = fact(3, FactKind.CALENDAR, "2026-02-10", calendar=closed("2026-03-16", "2026-03-17"))
    state = at(terms, [given, paid_out, moved], "2026-03-20")
    assert [(item.due_date.isoformat(), item.interest_due) for item in state.installments] == [("2026-03-18", 90_000)]


# --- 古怪的计划也走得通 -----------------------------------------------------------


def test_plan_lines_are_taken_in_order_of_time() -> None:
    rows = [
        {"due_on": "2026-05-15", "principal_fen": 1_000_000},
        {"due_on": "2026-03-15", "principal_fen": 2_000_000},
        {"due_on": "2026-04-15", "bill_on": "2026-04-20", "principal_fen": 0},
    ]
    terms = loan()
    state = project(terms, at(terms, lent(terms, fact(2, FactKind.PLAN_GIVEN, "2026-01-20", lines=rows)), "2026-01-20"))
    due = [(item.due_date.isoformat(), item.principal_due) for item in state.installments]
    assert due == [("2026-03-15", 2_000_000), ("2026-04-20", 0), ("2026-05-15", 4_000_000)]


def test_a_later_line_may_fall_due_first() -> None:
    """后一期的应还日更早：照样按日子到期，罚息不漏。"""
    rows = [
        {"bill_on": "2026-02-01", "due_on": "2026-04-01", "principal_fen": 1_000_000},
        {"bill_on": "2026-02-10", "due_on": "2026-02-15", "principal_fen": 5_000_000},
    ]
    terms = loan(罚息倍数="1 倍", 年利率="36%")
    state = at(terms, lent(terms, fact(2, FactKind.PLAN_GIVEN, "2026-01-20", lines=rows)), "2026-02-25")
    assert state.penalty_base == 5_000_000
    assert positions(terms, state)["PENALTY_RECEIVABLE"] == 50_000


def test_no_lines_left_makes_the_principal_due() -> None:
    terms = loan()
    state = at(terms, lent(terms, fact(2, FactKind.NEW_PLAN, "2026-03-01", ends=[])), "2026-03-02")
    assert state.not_due == 0
    assert state.overdue_principal == 6_000_000


def test_too_few_principals_leave_the_rest_to_the_last() -> None:
    terms = loan()
    plan = fact(
        2, FactKind.NEW_PLAN, "2026-01-20", ends=["2026-02-20", "2026-03-20", "2026-04-20"], principal=[1_000_000]
    )
    state = project(terms, at(terms, lent(terms, plan), "2026-01-20"))
    assert [item.principal_due for item in state.installments] == [1_000_000, 0, 5_000_000]


def test_an_extension_keeps_the_due_day_of_the_contract() -> None:
    """曾经：给了首期还款日的借据展期后，期次改按起息日那天推进。"""
    terms = loan(首期还款日="2026-02-20", 期数="3")
    state = project(
        terms, at(terms, lent(terms, fact(2, FactKind.EXTENSION, "2026-03-01", maturity="2026-06-20")), "2026-03-01")
    )
    assert {item.due_date.day for item in state.installments} == {20}


def test_numbers_go_on_after_an_opening() -> None:
    """曾经：期初带来第 7、8 期，新结的一期又叫第 3 期。"""
    terms = loan(起息日="2025-07-15", 期数="12")
    unpaid = [
        {"no": 7, "due_on": "2026-02-15", "principal_fen": 500_000},
        {"no": 8, "due_on": "2026-03-15", "principal_fen": 500_000},
    ]
    opening = fact(1, FactKind.OPENING, "2026-03-20", principal_fen=2_000_000, unpaid=unpaid, settled_periods=6)
    assert [item.no for item in at(terms, [opening], "2026-05-20").installments] == [7, 8, 9, 10]


def test_a_living_loan_cannot_be_opened_again() -> None:
    terms = loan()
    again = fact(2, FactKind.OPENING, "2026-02-20", principal_fen=100_000)
    state = at(terms, lent(terms, again), "2026-02-20")
    assert state.unapplied == {2: 100_000}
    assert state.principal == 6_000_000


def test_off_balance_interest_of_the_opening_has_no_equity() -> None:
    """旧账放在表外的利息，从来不是资产，也不是收入；收到了才是。"""
    terms = loan(起息日="2025-01-15", 期数="6", 罚息倍数="0 倍", 非应计天数="90")
    unpaid = [{"due_on": "2025-07-15", "principal_fen": 1_000_000, "interest_fen": 50_000}]
    opening = fact(1, FactKind.OPENING, "2026-01-20", principal_fen=0, unpaid=unpaid, off_balance=True)
    state = at(terms, [opening], "2026-01-20")
    assert positions(terms, state) == {
        "PRINCIPAL_NONACCRUAL": 1_000_000, "OPENING_EQUITY": -1_000_000, "OFF_INTEREST": 50_000, "OFF_CONTRA": -50_000,
    }  # fmt: skip
    paid = at(terms, [opening, fact(2, FactKind.REPAYMENT, "2026-01-21", 50_000)], "2026-01-21")
    assert positions(terms, paid)["INTEREST_INCOME"] == -50_000


# --- 多还、冲账、不良 ------------------------------------------------------------


@pytest.mark.parametrize(
    ("future", "level", "maturity"), [("缩期", 500_000, "2026-12-15"), ("减额", 454_547, "2027-01-15")]
)
def test_more_than_due_can_go_to_the_principal(future: str, level: int, maturity: str) -> None:
    """第一期应还 5,600，付 10,600：多出的 5,000 提前还本。缩期少一期；减额 50,000 ÷ 11 = 4,545.45（余 11 期）。"""
    terms = loan(多还=future)
    state = at(terms, lent(terms, fact(2, FactKind.REPAYMENT, "2026-02-15", 1_060_000)), "2026-02-15")
    assert (state.not_due, state.overpayment) == (5_000_000, 0)
    assert state.level == (level if future == "缩期" else 454_545)
    last = [item for item in project(terms, state).installments if item.principal_due][-1]
    assert last.due_date.isoformat() == maturity


def test_a_payment_may_bring_its_own_order() -> None:
    terms = loan()
    order = ["principal", "interest", "penalty", "compound", "fee"]
    state = at(terms, lent(terms, fact(2, FactKind.REPAYMENT, "2026-02-15", 500_000, order=order)), "2026-02-15")
    assert (state.principal_paid, state.interest_paid) == (500_000, 0)


def test_too_little_for_the_interest_of_the_day_is_kept() -> None:
    """付不清当日利息的提前还本不动本金。"""
    terms = loan()
    state = at(terms, lent(terms, fact(2, FactKind.PREPAYMENT, "2026-02-10", 10_000, mode="TERM")), "2026-02-10")
    assert (state.overpayment, state.not_due) == (10_000, 6_000_000)


def test_a_settlement_that_is_short_shortens_the_plan() -> None:
    terms = loan()
    state = at(terms, lent(terms, fact(2, FactKind.SETTLEMENT, "2026-02-15", 3_060_000)), "2026-02-15")
    assert not is_settled(terms, state)
    assert state.not_due == 3_000_000


def test_a_transfer_changes_the_key_and_no_amount() -> None:
    terms = loan()
    before = at(terms, lent(terms), "2026-02-20")
    after = at(
        terms, lent(terms, fact(2, FactKind.TRANSFER, "2026-02-20", institution="乙", product="丙")), "2026-02-20"
    )
    assert positions(terms, after) == positions(terms, before)
    assert accounting_key(terms, after)[:2] == ("乙", "丙")


def test_nothing_accrues_after_a_write_off() -> None:
    terms = loan(罚息倍数="1.5 倍")
    gone = [fact(2, FactKind.WRITE_OFF, "2026-06-01"), fact(3, FactKind.FEE, "2026-06-05", 1_000)]
    state = at(terms, lent(terms, *gone), "2026-06-10")
    later = at(terms, lent(terms, *gone), "2028-06-10")
    assert positions(terms, state) == positions(terms, later)
    assert state.unapplied == {3: 1_000}
    assert state.next_on == NEVER


def test_a_settled_instalment_is_not_written_to_by_a_later_state() -> None:
    """曾经：宽限期满把已还清的一期也标成起计，旧状态里同一个对象跟着变。"""
    terms = loan(宽限天数="10")
    state = at(terms, lent(terms, fact(2, FactKind.REPAYMENT, "2026-02-16", 560_000)), "2026-02-16")
    before = state.as_document()
    advance(terms, state, [], to=date(2026, 3, 10))
    assert state.as_document() == before
    assert not state.installments[0].bearing


# --- 条款 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"principal_fen": 0}, "principal_fen"),
        ({"principal_fen": 10**16}, "principal_fen"),
        ({"principal_fen": True}, "principal_fen"),
        ({"principal_fen": "60000"}, "principal_fen"),
        ({"rate_ppm": -1}, "rate_ppm"),
        ({"rate_ppm": 0.12}, "rate_ppm"),
        ({"rate_ppm": None}, "rate_ppm"),
        ({"start": "2026-02-30"}, "start"),
        ({"start": "0001-01-01"}, "start"),
        ({"method": "等额本息"}, "method"),
        ({"periods": 0}, "periods"),
        ({"periods": 100_000}, "periods"),
        ({"maturity": "2026-01-15"}, "maturity"),
        ({"maturity": "2190-01-15"}, "periods"),
        ({"first_due": "2026-01-01"}, "first_due"),
        ({"due_day": 32}, "due_day"),
        ({"due_day": 5, "period_unit": "WEEK"}, "due_day"),
        ({"grace_days": 400}, "grace_days"),
        ({"grace_retroactive": "是"}, "grace_retroactive"),
        ({"allocation": {"order": ["fee"]}}, "allocation.order"),
        ({"allocation": {"orders": []}}, "allocation.orders"),
        ({"payer_shares": [["2026-01-15", [["甲", 600_000], ["乙", 600_000]]]]}, "payer_shares"),
        ({"method": "INTEREST_WITH_PLAN", "plan": [1, 2]}, "plan"),
        ({"method": "GRACE_LEVEL_PAYMENT", "grace_periods": 12}, "grace_periods"),
        ({"利率": 1}, "利率"),
    ],
)
def test_bad_terms_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(TermsError) as caught:
        Terms.from_document(loan().as_document() | change)
    assert caught.value.field == field
    assert caught.value.message


def test_what_is_not_given_is_neutral() -> None:
    """ADR 0003：制度里的数没有默认值；不给就不加成、不计复利、不按天数分类与转非应计。"""
    terms = Terms.from_document(
        {
            "start": "2026-01-15",
            "principal_fen": 6_000_000,
            "rate_ppm": 120_000,
            "method": "LEVEL_PRINCIPAL",
            "periods": 2,
        }
    )
    state = replay(terms, lent(terms), on=date(2027, 6, 1))
    assert terms.penalty_rate_ppm(120_000) == terms.misuse_rate_ppm(120_000) == 120_000
    assert (state.compound_num, accounting_key(terms, state).loan_class, accounting_key(terms, state).accrual) == (
        0,
        1,
        1,
    )
    assert terms.allocation.npl_order == terms.allocation.order


def test_the_largest_loan_fits_the_line() -> None:
    """3 亿元、24% 仍在 64 位直线之内；再大就由登记拒绝，不会悄悄变成浮点。"""
    terms = loan(
        本金="300,000,000.00", 年利率="24%", 计息="实际/实际", 罚息倍数="1.5 倍", 承担份额="2026-01-15 财政 33.3333%"
    )
    assert fits(accrual_lines(terms, at(terms, lent(terms), "2026-01-20")))
    assert not fits((Line(1, 1 << 60, 1 << 52),))


def test_a_stored_state_that_does_not_fit_is_refused() -> None:
    document = at(loan(), lent(loan()), "2026-02-20").as_document()
    for broken in (document | {"别的": 1}, {name: value for name, value in document.items() if name != "ends"}):
        with pytest.raises((TypeError, KeyError)):
            State.from_document(broken)
