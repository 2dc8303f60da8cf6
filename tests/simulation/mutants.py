"""books.md 的八种误读，各改生产代码一处：独立核对必须每一种都抓得住（从没红过的核对什么也没证明）。

变体里关掉生产自己的把关（日终核对、轮转抽查），凭证前的核对只计数：要看的是模拟的核对自己抓不抓得住。
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from sancha.apps.servicing import accrual, books, dayclose, rotation
from sancha.apps.servicing.models import Loan, LoanState
from sancha.dayclose import invariants
from sancha.kernel.facts import Fact
from sancha.kernel.fold import NEVER, REBASE_DAYS, Fold
from sancha.kernel.positions import accounting_key, positions
from sancha.kernel.replay import replay
from tests.simulation.business import Business

Patch = pytest.MonkeyPatch


def silence_guards(patch: Patch) -> None:
    """关掉生产自己的把关。"""
    patch.setattr(invariants, "require_green", lambda **_: 0)
    patch.setattr(rotation, "todays_share", lambda **_: [])


# --- 凭证的「前」与「后」取错了日子 -----------------------------------------------------


def _voucher_at(patch: Patch, chosen: Callable[[books.OpenLoan, Fact], date]) -> None:
    """凭证 = position(那天, 加上该事实) − position(那天, 没有它)，``chosen`` 说是哪天。"""
    store, record, difference = books.store, books.record_fact, books.difference

    def record_fact(opened: books.OpenLoan, **how: Any) -> Fact:
        opened.all_facts()
        return record(opened, **how)

    def at(opened: books.OpenLoan, facts: list[Fact], day: date) -> books.Keyed:
        state = replay(opened.terms, facts, on=day)
        return books.keyed(accounting_key(opened.terms, state), positions(opened.terms, state))

    def wrong_store(opened: books.OpenLoan, before: books.Keyed, *, fact_seq: int | None, **how: Any) -> None:
        facts = opened.facts or []
        if fact_seq is None or len(facts) < 2:
            store(opened, before, fact_seq=fact_seq, **how)
            return
        day = chosen(opened, facts[-1])
        wrong = difference(at(opened, facts, day), at(opened, facts[:-1], day))
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(books, "difference", lambda after, before: wrong)
            store(opened, before, fact_seq=fact_seq, **how)

    patch.setattr(books, "record_fact", record_fact)
    patch.setattr(books, "store", wrong_store)


def voucher_at_value_date(patch: Patch, business: Business) -> None:
    """凭证的前后取在起息日。"""
    _voucher_at(patch, lambda opened, fact: fact.value_on)


def voucher_at_todays_end(patch: Patch, business: Business) -> None:
    """凭证的前后取在今天日终（今天的计提还没入账）。"""
    _voucher_at(patch, lambda opened, fact: opened.stands_on + timedelta(days=1))


# --- 取整 ---------------------------------------------------------------------------


def rounding_each_day(patch: Patch, business: Business) -> None:
    """每笔每天各自取整，不用累计之差。"""
    patch.setattr(accrual, "growth_sql", lambda index, *, since, until: f"((2*s{index} + d{index}) / (2*d{index}))")


def rounding_each_group(patch: Patch, business: Business) -> None:
    """先把同一会计键的精确增量相加，再取整一次。"""

    def partition_growth(*, partition_id: int, day: int) -> list[accrual.GroupGrowth]:
        groups: dict[tuple[Any, ...], list[list[Fraction]]] = {}
        for row in LoanState.objects.filter(partition_id=partition_id, from_day__lte=day, held=False).exclude(
            accrual=2
        ):
            key = (row.institution_id, row.product_id, row.loan_class, row.accrual, row.currency)
            sums = groups.setdefault(key, [[Fraction(0), Fraction(0)] for _ in range(4)])
            for index in range(4):
                carry, slope, den = (getattr(row, f"{name}{index}") for name in "csd")
                for side, when in enumerate((day, day + 1)):
                    sums[index][side] += Fraction(carry + slope * (when - row.from_day), den)
        return [
            accrual.GroupGrowth(*key, *(_round(after) - _round(before) for before, after in sums))
            for key, sums in groups.items()
        ]

    patch.setattr(dayclose, "partition_growth", partition_growth)


def _round(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


# --- 日程 ---------------------------------------------------------------------------


def next_event_is_next_due_date(patch: Patch, business: Business) -> None:
    """下一事件只看应还日：忘了宽限期满、逾期次日、分类与非应计门槛。"""

    def next_event(fold: Fold) -> int:
        state = fold.state
        if state.written_off:
            return NEVER
        grace, state.in_grace = state.in_grace, []
        event = min(fold.next_internal(), state.on + REBASE_DAYS if fold.is_bearing else NEVER)
        state.in_grace = grace
        return event

    patch.setattr(Fold, "next_event", next_event)


def next_event_kept_on_backdated_fact(patch: Patch, business: Business) -> None:
    """倒签的事实到来时不重算下一事件。"""
    store = books.store

    def forgetful(opened: books.OpenLoan, before: books.Keyed, *, fact_seq: int | None, **how: Any) -> None:
        # Facts are only read when a replay was needed: the fact comes before the state, or reverses what came before.
        kept, backdated = opened.row.next_day, bool(fact_seq and fact_seq > 1 and opened.facts is not None)
        store(opened, before, fact_seq=fact_seq, **how)
        if backdated:
            opened.row.next_day = kept
            opened.row.save(update_fields=["next_day"])

    patch.setattr(books, "store", forgetful)
    # An on-time fact heals the agenda, so few happen and on many loans.
    business.activity = 0.15
    for _ in range(16):
        business.lend(back=200)


# --- 没有事实的变化，与半关的分区 --------------------------------------------------------


def policy_edited_without_fact(patch: Patch, business: Business) -> None:
    """重放所读的政策值（宽限天数）被直接改掉，没有事实。"""

    def on_day(_: Business, number: int) -> None:
        if number == 8:
            for loan in Loan.objects.all():
                loan.terms["grace_days"] += 2
                loan.save(update_fields=["terms"])

    business.on_day = on_day


def fact_while_half_closed(patch: Patch, business: Business) -> None:
    """分区半关着，事实到来时不先让借据单独走完那一天。"""
    patch.setattr(books, "_advance_alone", lambda *_: None)
    patch.setattr(books, "check_value_date", lambda *_: None)
    business.halves = 0.8


MUTANTS: tuple[Callable[[Patch, Business], None], ...] = (
    voucher_at_value_date,
    voucher_at_todays_end,
    rounding_each_day,
    rounding_each_group,
    next_event_is_next_due_date,
    next_event_kept_on_backdated_fact,
    policy_edited_without_fact,
    fact_while_half_closed,
)
