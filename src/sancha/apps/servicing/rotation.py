"""轮转抽查：每次日终把三十分之一没有动过的借据从头重放，与状态投影比对；忘了的事件最多活一个月。"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from django.db import transaction
from django.db.models.functions import Mod

from sancha.apps.servicing.books import hold
from sancha.apps.servicing.mapping import booked_position, facts_of, state_of, terms_of
from sancha.apps.servicing.models import LoanFact, LoanState
from sancha.kernel.positions import accounting_key, positions
from sancha.kernel.replay import advance, replay

SHARES = 30
_BATCH = 200


def differences(row: LoanState, facts: Iterable[LoanFact], on: date) -> str:
    """状态投影与从头重放之差，一致为空串。独立于日终的写入路径。"""
    terms = terms_of(row.loan.terms)
    stands = row.from_day if row.held else max(on.toordinal(), row.from_day)
    again = replay(terms, facts_of(facts), on=date.fromordinal(stands))
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


def replay_share(
    *,
    partition_id: int,
    on: date,
    progress: Callable[[int, int], None],
    found: Callable[[int, str], None] = lambda *_: None,
) -> int:
    """抽查本日的一份，不符的隔离并经 ``found``（编号, 原因）报告；返回抽查笔数。"""
    rows = LoanState.objects.annotate(share=Mod("pk", SHARES)).filter(
        partition_id=partition_id, share=on.toordinal() % SHARES, held=False
    )
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        for loan_id, _ in check_loans(ids[start : start + _BATCH], on=on):
            with transaction.atomic():
                if reason := _hold_if_wrong(loan_id, on):
                    found(loan_id, reason)
        progress(min(start + _BATCH, len(ids)), len(ids))
    return len(ids)


def _hold_if_wrong(loan_id: int, on: date) -> str:
    """锁住再看一遍：事实与状态分两次读，其间可能正好记了一笔，那不是差错。仍不符才隔离。"""
    row = LoanState.objects.select_for_update(of=("self",)).select_related("loan").get(pk=loan_id)
    if row.held:
        return ""
    problem = _problem(row, list(LoanFact.objects.filter(loan_id=loan_id).order_by("seq")), on)
    if not problem:
        return ""
    reason = f"抽查重放不符：{problem}"
    hold(row, reason=reason, stands_day=on.toordinal())
    return reason


def _problem(row: LoanState, facts: Iterable[LoanFact], on: date) -> str:
    try:
        return differences(row, facts, on)
    except Exception as error:  # a loan that cannot even be read is the finding itself, and must not stop the others
        return f"读不出或重放不动：{type(error).__name__} {error}"


def check_loans(loan_ids: list[int], *, on: date | None = None) -> list[tuple[int, str]]:
    """重放这些借据，列出不符的（编号, 差异）。两条 SQL。"""
    facts: dict[int, list[LoanFact]] = {}
    for fact in LoanFact.objects.filter(loan_id__in=loan_ids).order_by("loan_id", "seq"):
        facts.setdefault(fact.loan_id, []).append(fact)
    problems = []
    for row in LoanState.objects.select_related("loan").filter(pk__in=loan_ids).order_by("pk"):
        stands = on or date.fromordinal(row.from_day)
        if problem := _problem(row, facts.get(row.pk, []), stands):
            problems.append((row.pk, problem))
    return problems
