"""重放的性质：钱不多不少、接着走等于从头走、冲正如同没有、倒签如同当时就记、报价就是入账。

每条性质都在随机借据的一生上验：八种还款方式、五种计息天数、宽限、第三方付息、各种冲账次序、二十三种事实。
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sancha.kernel import Fact, FactKind, State, Terms, accrual_lines, advance, payoff, positions, project, replay
from sancha.kernel.fold import NEVER
from sancha.kernel.positions import accounting_key, line_growth
from sancha.kernel.quote import is_settled
from tests.support.lives import Life, live
from tests.support.random_loans import disbursement, random_fact, random_terms

SEEDS = st.integers(0, 10**9)
few = settings(max_examples=60, deadline=None)
more = settings(max_examples=150, deadline=None)


@more
@given(SEEDS)
def test_money_is_conserved(seed: int) -> None:
    """收进的钱 = 各项已还 + 溢缴 + 退款 + 核销后收回；本金 = 放款 + 调整 − 已还 − 减免 − 核销，恰在各期与未到期之中。"""
    life = live(seed)
    state = life.on(life.today)
    paid = state.principal_paid + state.interest_paid + state.penalty_paid + state.compound_paid + state.fee_paid
    sources = state.received + state.adjusted[5]
    assert sources == paid + state.subsidy_paid + state.overpayment + state.refunded + state.recovered
    items = state.installments
    if not state.written_off:
        assert state.principal == state.not_due + sum(item.principal_unpaid for item in items)
    assert state.principal_paid == sum(item.principal_paid for item in items)
    assert state.interest_paid == sum(item.interest_paid for item in items)
    assert state.subsidy_paid == sum(item.subsidy_paid for item in items)
    assert state.subsidy_billed == sum(item.subsidy_due for item in items)
    assert sum(due for due, _ in state.payers.values()) == state.subsidy_billed
    assert sum(paid for _, paid in state.payers.values()) == state.subsidy_paid
    for item in items:
        assert (
            item.principal_due
            == item.principal_paid + item.principal_waived + item.moved_principal + item.principal_unpaid
        )
        assert (
            item.interest_due == item.interest_paid + item.interest_waived + item.moved_interest + item.interest_unpaid
        )


@more
@given(SEEDS)
def test_nothing_is_negative(seed: int) -> None:
    """没有负的应还、应收与余额。"""
    life = live(seed)
    terms, state = life.terms, life.on(life.today)
    for item in state.installments:
        assert min(item.principal_due, item.interest_due, item.subsidy_due, item.fee_due) >= 0
        assert min(item.principal_unpaid, item.interest_unpaid, item.subsidy_unpaid) >= 0
    assert min(state.not_due, state.overpayment, state.penalty_base, state.compound_base, state.deferred_interest) >= 0
    receivable = (
        "PRINCIPAL",
        "RECEIVABLE",
        "OFF_INTEREST",
        "OFF_SUBSIDY",
        "OFF_PENALTY",
        "OFF_COMPOUND",
        "WRITTEN_OFF_P",
        "WRITTEN_OFF_I",
    )
    for code, amount in positions(terms, state).items():
        if any(word in code for word in receivable):
            assert amount > 0, (code, amount)
    assert sum(positions(terms, state).values()) == 0


@more
@given(SEEDS)
def test_the_bases_are_what_is_overdue(seed: int) -> None:
    """罚息、复利的基数恰是已起计各期的未还本金、未还利息。"""
    state = (life := live(seed)).on(life.today)
    bearing = [item for item in state.installments if item.bearing]
    assert state.penalty_base == sum(item.principal_unpaid for item in bearing)
    assert state.compound_base == sum(item.interest_unpaid for item in bearing)


@more
@given(SEEDS)
def test_all_that_was_lent_is_planned(seed: int) -> None:
    """只放款不还款：各期本金之和等于放款，利息之和不随怎样走到期末而变。"""
    life = live(seed, events=1)
    whole = project(life.terms, life.on(life.terms.start))
    assert sum(item.principal_due for item in whole.installments) == life.terms.principal_fen
    assert whole.not_due == 0
    stepped = life.on(life.terms.start)
    while stepped.cur < len(stepped.ends):
        stepped = advance(life.terms, stepped, [], to=stepped.day + timedelta(days=life.rng.randrange(1, 90)))
    due = [(item.principal_due, item.interest_due) for item in stepped.installments]
    assert due == [(item.principal_due, item.interest_due) for item in whole.installments]


@more
@given(SEEDS)
def test_advance_is_replay(seed: int) -> None:
    """从存下的状态（经 JSON 一个来回）接着走，与从头重放逐字段相同。"""
    life = live(seed, without={FactKind.REVERSAL})
    whole = life.on(life.today)
    middle = life.some_day()
    early = [fact for fact in life.facts if fact.value_on <= middle]
    late = [fact for fact in life.facts if middle < fact.value_on <= life.today]
    stored = json.dumps(replay(life.terms, early, on=middle).as_document())
    assert advance(life.terms, State.from_document(json.loads(stored)), late, to=life.today) == whole


@few
@given(SEEDS)
def test_advance_leaves_the_old_state_alone(seed: int) -> None:
    life = live(seed, without={FactKind.REVERSAL})
    middle = life.some_day()
    state = replay(life.terms, [fact for fact in life.facts if fact.value_on <= middle], on=middle)
    before = json.dumps(state.as_document())
    advance(life.terms, state, [fact for fact in life.facts if middle < fact.value_on <= life.today], to=life.today)
    payoff(life.terms, state, life.today + timedelta(days=40))
    project(life.terms, state)
    assert json.dumps(state.as_document()) == before


@few
@given(SEEDS)
def test_a_state_survives_json(seed: int) -> None:
    state = (life := live(seed)).on(life.today)
    assert State.from_document(json.loads(json.dumps(state.as_document()))) == state
    assert Terms.from_document(json.loads(json.dumps(life.terms.as_document()))) == life.terms


def same_books(one: State, other: State) -> bool:
    """除了「最后一条事实」的序号，两个状态处处相同。"""
    return replace(one, last_key=(0, -1, 0), unapplied={}) == replace(other, last_key=(0, -1, 0), unapplied={})


@more
@given(SEEDS)
def test_a_reversal_is_as_if_it_never_happened(seed: int) -> None:
    life = live(seed, without={FactKind.REVERSAL}, events=12)
    victim = life.rng.choice(life.facts)
    seq = len(life.facts) + 1
    undone = [*life.facts, Fact(seq, FactKind.REVERSAL, life.today, life.today, data={"seq": victim.seq})]
    never = [fact for fact in life.facts if fact.seq != victim.seq]
    assert same_books(replay(life.terms, undone, on=life.today), replay(life.terms, never, on=life.today))
    redone = [*undone, Fact(seq + 1, FactKind.REVERSAL, life.today, life.today, data={"seq": seq})]
    assert replay(life.terms, redone, on=life.today) == life.on(life.today)


@more
@given(SEEDS)
def test_backdated_is_recorded_in_order(seed: int) -> None:
    """记得晚与当时就记，结果相同：同日同类之间按序号，所以只换记账日与跨日的先后。"""
    life = live(seed, without={FactKind.REVERSAL}, events=15)
    kept = sorted(life.facts, key=lambda fact: (fact.value_on, fact.seq))
    in_time = [replace(fact, booked_on=fact.value_on, seq=seq) for seq, fact in enumerate(kept, 1)]
    late = replay(life.terms, life.facts, on=life.today)
    assert same_books(replay(life.terms, in_time, on=life.today), late)


@more
@given(SEEDS)
def test_known_at_only_adds(seed: int) -> None:
    """当时所知 = 只有当时已记的事实；记账日之后来的事实改不了它。"""
    life = live(seed)
    known = life.some_day()
    then = [fact for fact in life.facts if fact.booked_on <= known]
    assert life.on(life.today, known_at=known) == replay(life.terms, then, on=life.today)
    cut = life.rng.randrange(len(life.facts) + 1)
    assert replay(life.terms, life.facts, on=life.today, known_seq=cut) == replay(
        life.terms, life.facts[:cut], on=life.today
    )


@more
@given(SEEDS)
def test_between_events_every_position_is_a_line(seed: int) -> None:
    """从某天到下一事件日之前，头寸 = 那天的头寸 + 直线的增量，会计键不变。"""
    life = live(seed)
    terms = life.terms
    day = life.some_day()
    state = replay(terms, [fact for fact in life.facts if fact.value_on <= day], on=day)
    base, key, lines = positions(terms, state), accounting_key(terms, state), accrual_lines(terms, state)
    last = min(state.next_on, state.on + 400, NEVER)
    days = sorted({1, 2, last - state.on - 1, life.rng.randrange(1, max(2, last - state.on))})
    for ahead in (days_ahead for days_ahead in days if 0 < days_ahead < last - state.on):
        later = advance(terms, state, [], to=day + timedelta(days=ahead))
        grown = dict(base)
        for code, amount in line_growth(lines, key.accrual, ahead).items():
            grown[code] = grown.get(code, 0) + amount
        assert positions(terms, later) == {code: amount for code, amount in grown.items() if amount}, ahead
        assert accounting_key(terms, later) == key
        assert later.next_on == state.next_on or later.next_on > state.next_on


@more
@given(SEEDS)
def test_the_quote_is_what_settles(seed: int) -> None:
    """结清报价付进去，借据恰好为零，一分不剩；报给将来某天的价，也正是那天的价。"""
    life = live(seed, without={FactKind.WRITE_OFF}, events=15)
    state = life.on(life.today)
    ahead = life.today + timedelta(days=life.rng.randrange(40))
    quote = payoff(life.terms, state, ahead)["total"]
    later = advance(life.terms, state, [fact for fact in life.facts if life.today < fact.value_on <= ahead], to=ahead)
    if any(life.today < fact.value_on <= ahead for fact in life.facts):
        return
    assert payoff(life.terms, later)["total"] == quote
    if quote <= 0 or not state.drawn:
        return
    fact = Fact(len(life.facts) + 1, FactKind.SETTLEMENT, ahead, ahead, quote)
    settled = replay(life.terms, [*life.facts, fact], on=ahead)
    if any(other.key > fact.key for other in life.facts if other.value_on == ahead):
        return
    assert is_settled(life.terms, settled)
    assert settled.overpayment == 0
    assert settled.principal == 0
    still = {
        "SUBSIDY_RECEIVABLE",
        "OFF_SUBSIDY",
        "OFF_CONTRA",
    }  # a third party still owes its share; the borrower owes nothing
    left = {
        code
        for code in positions(life.terms, settled)
        if code.endswith("RECEIVABLE") or code.startswith(("PRINCIPAL", "OFF_"))
    }
    assert left <= still
    short = replay(life.terms, [*life.facts, replace(fact, amount_fen=quote - 1)], on=ahead)
    assert not is_settled(life.terms, short)


@few
@given(SEEDS)
def test_replay_never_raises(seed: int) -> None:
    """事实是完全的：放款之前、核销之后、日期倒错、金额荒唐，都有定义。"""
    from random import Random

    rng = Random(seed)
    start = date(2024, 1, 1)
    terms = random_terms(rng, start)
    facts: list[Fact] = []
    if rng.random() < 0.5:
        facts.append(disbursement(terms))
    day = start
    for _ in range(rng.randrange(40)):
        day += timedelta(days=rng.randrange(20))
        facts.append(random_fact(rng, terms, facts, booked_on=day, backdate=400) if facts else disbursement(terms))
    if rng.random() < 0.3:
        facts.append(Fact(len(facts) + 1, FactKind.OPENING, day, day, data={"principal_fen": 5_000_00}))
    for on in (start, day, day + timedelta(days=3000)):
        state = replay(terms, facts, on=on)
        assert sum(positions(terms, state).values()) == 0
        payoff(terms, state)


def test_a_life_is_rich() -> None:
    """随机借据不是空谈：五百个种子里，要紧的情形都出现过。"""
    seen: set[str] = set()
    for seed in range(500):
        life: Life = live(seed)
        state = life.on(life.today)
        facts = {fact.kind for fact in life.facts}
        seen |= {f"fact {kind}" for kind in facts}
        seen |= {
            f"method {life.terms.method}",
            f"days {life.terms.day_count}",
            f"accrual {accounting_key(life.terms, state).accrual}",
        }
        found = {
            "overdue": state.days_past_due > 0, "subsidy": bool(state.payers), "overpaid": state.overpayment > 0,
            "settled": is_settled(life.terms, state), "compound": state.compound_num > 0,
            "deferred": any(item.moved_interest for item in state.installments),
        }  # fmt: skip
        seen |= {word for word, happened in found.items() if happened}
    assert {
        "overdue",
        "subsidy",
        "overpaid",
        "settled",
        "deferred",
        "compound",
        "accrual 0",
        "accrual 1",
        "accrual 2",
    } <= seen
    assert len([word for word in seen if word.startswith("fact ")]) >= 22
    assert len([word for word in seen if word.startswith("method ")]) == 8
