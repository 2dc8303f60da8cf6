"""轮转抽查：每次日终把三十分之一没有动过的借据从头重放，与状态投影比对；忘了的事件最多活一个月。"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, TypedDict

from django.db import transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast, Mod

from sancha.apps.servicing.books import hold
from sancha.apps.servicing.mapping import booked_position, state_of, terms_of
from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import accounting_key, positions
from sancha.kernel.replay import advance, replay

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

SHARES = 30


class _Terms(TypedDict):
    """随状态一并取出的条款文本。"""

    terms_text: str


def todays_share(*, partition_id: int, on: date) -> list[int]:
    """``on`` 轮到抽查的借据编号：编号除以三十的余数与日序数相同的，隔离的不查。"""
    rows = LoanState.objects.annotate(share=Mod("pk", SHARES)).filter(
        partition_id=partition_id, share=on.toordinal() % SHARES, held=False
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


def check_share(loan_ids: Sequence[int], *, on: date, found: Callable[[int, str], None]) -> None:
    """抽查这些借据，不符的隔离，并在隔离的同一事务里经 ``found``（编号, 原因）报告：隔离的下次不再抽查，漏报就没有第二次。"""
    for loan_id, _ in check_loans(loan_ids, on=on):
        with transaction.atomic():
            if reason := _hold_if_wrong(loan_id, on):
                found(loan_id, reason)


def check_loans(loan_ids: Sequence[int], *, on: date | None = None) -> list[tuple[int, str]]:
    """重放这些借据，列出不符的（编号, 差异）。两条 SQL。"""
    facts = _facts(loan_ids)
    problems = []
    for row in _rows().filter(pk__in=loan_ids).order_by("pk"):
        stands = on or date.fromordinal(row.from_day)
        if problem := _problem(row, facts.get(row.pk, []), stands):
            problems.append((row.pk, problem))
    return problems


def _rows() -> QuerySet[WithAnnotations[LoanState, _Terms]]:
    # The terms come as text: equal texts are parsed once, and no model of the loan is built for each row.
    return LoanState.objects.annotate(terms_text=Cast("loan__terms", TextField()))


def _facts(loan_ids: Sequence[int]) -> dict[int, list[Fact]]:
    rows = (
        LoanFact.objects.filter(loan_id__in=loan_ids)
        .order_by("loan_id", "seq")
        .values_list("loan_id", "seq", "kind", "value_on", "booked_on", "amount_fen", "data")
    )
    return {
        loan_id: [Fact(seq, FactKind(kind), *rest) for _, seq, kind, *rest in group]
        for loan_id, group in groupby(rows, key=itemgetter(0))
    }


def _hold_if_wrong(loan_id: int, on: date) -> str:
    """锁住再看一遍：事实与状态分两次读，其间可能正好记了一笔，那不是差错。仍不符才隔离。"""
    row = _rows().select_for_update(of=("self",)).get(pk=loan_id)
    if row.held:
        return ""
    problem = _problem(row, _facts([loan_id]).get(loan_id, []), on)
    if not problem:
        return ""
    reason = f"抽查重放不符：{problem}"
    hold(row, reason=reason, stands_day=on.toordinal())
    return reason


def _problem(row: WithAnnotations[LoanState, _Terms], facts: Sequence[Fact], on: date) -> str:
    try:
        return _differences(row, facts, on)
    except Exception as error:  # a loan that cannot even be read is the finding itself, and must not stop the others
        return f"读不出或重放不动：{type(error).__name__} {error}"


def _differences(row: WithAnnotations[LoanState, _Terms], facts: Sequence[Fact], on: date) -> str:
    """状态投影与从头重放之差，一致为空串。独立于日终的写入路径。"""
    terms = terms_of(row.terms_text)
    stands = row.from_day if row.held else max(on.toordinal(), row.from_day)
    again = replay(terms, facts, on=date.fromordinal(stands))
    booked = booked_position(row, stands)
    expected = positions(terms, again)
    if booked != expected:
        return f"头寸：账上 {booked}，重放 {expected}"
    key = accounting_key(terms, again)
    held_key = (str(row.institution_id), str(row.product_id), row.loan_class, row.accrual, row.currency)
    if tuple(key) != held_key:
        return f"会计键：账上 {held_key}，重放 {tuple(key)}"
    stored = advance(terms, state_of(row), [], to=date.fromordinal(stands))
    if stored != again:
        return "状态：接着走的结果与重放不同"
    if again.next_on != stored.next_on or (row.next_day <= stands and not row.held):
        return f"日程：下一事件 {row.next_day} 未被处理（账立于 {stands}）"
    return ""
