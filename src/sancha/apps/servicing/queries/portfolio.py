"""整本账：分区与机构的借据、日终前后的比对、逾期与应还清单、合计与头寸。"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Mod

from sancha.apps.access import queries as access
from sancha.apps.servicing.mapping import booked_position, day_of, facts_of, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, LoanStatus, Movement
from sancha.apps.servicing.rotation import SHARES
from sancha.kernel import quote
from sancha.kernel.facts import FactKind
from sancha.kernel.positions import Line, accounting_key, accrual_lines, line_growth
from sancha.kernel.replay import advance, replay
from sancha.kit.actor import Actor
from sancha.kit.labels import Labels, labels


def loan_ids(*, partition_id: int, share: int | None = None) -> list[int]:
    """分区里的借据编号；``share`` 给出时只取轮转的那一份。"""
    rows = LoanState.objects.filter(partition_id=partition_id)
    if share is not None:
        rows = rows.annotate(share=Mod("pk", SHARES)).filter(share=share)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def loan_labels(kind: str, ids: Collection[int]) -> Labels:
    """借据的称呼：借据号。"""
    return labels(Loan.objects.all(), kind, ids, "number")


def held_or_stale(*, partition_id: int, accrued_to: date) -> list[tuple[str, str]]:
    """隔离的，或事件日已过而没有走的借据：（借据号, 原因）。"""
    ordinal = accrued_to.toordinal()
    rows = LoanState.objects.filter(
        Q(held=True) | Q(next_day__lte=ordinal, from_day__lt=ordinal), partition_id=partition_id
    ).select_related("loan")
    return [
        (
            row.loan.number,
            f"已隔离：{row.held_reason.splitlines()[0] if row.held_reason else ''}"
            if row.held
            else f"事件日 {day_of(row.next_day)} 已过而未处理",
        )
        for row in rows[:200]
    ]


def book_summary(*, partition_ids: list[int]) -> dict[str, Any]:
    """全部借据的汇总：笔数、余额、逾期、应收、各分类余额（两条 SQL）。"""
    rows = LoanState.objects.filter(partition_id__in=partition_ids)
    total = rows.aggregate(
        loans=Count("pk"),
        principal_fen=Sum("principal_fen"),
        overdue_principal_fen=Sum("overdue_principal_fen"),
        interest_due_fen=Sum("interest_due_fen"),
        charges_due_fen=Sum("charges_due_fen"),
    )
    classes = {
        row["loan_class"]: int(row["fen"] or 0)
        for row in rows.values("loan_class").annotate(fen=Sum("principal_fen")).order_by("loan_class")
    }
    return {name: int(value or 0) for name, value in total.items()} | {"classes": classes}


Mark = tuple[int, int, int, int]


def watch_marks(*, partition_ids: list[int]) -> dict[int, Mark]:
    """每笔借据的要紧标记：分类、应计、逾期本金、已结期数（预演前后对比用）。"""
    rows = LoanState.objects.filter(partition_id__in=partition_ids).values_list(
        "pk", "loan_class", "accrual", "overdue_principal_fen", "installments_billed"
    )
    return {pk: (grade, accrual, overdue, billed) for pk, grade, accrual, overdue, billed in rows}


def changed_since(marks: dict[int, Mark], *, partition_ids: list[int]) -> list[dict[str, Any]]:
    """与标记相比变化了的借据，说出变了什么。"""
    changes = []
    for row in (
        LoanState.objects.filter(partition_id__in=partition_ids)
        .select_related("loan__party")
        .defer("state", "base", "loan__terms")
    ):
        now = (row.loan_class, row.accrual, row.overdue_principal_fen, row.installments_billed)
        before = marks.get(row.pk, now)
        if before == now:
            continue
        changes.append(
            {
                "loan_id": row.pk,
                "number": row.loan.number,
                "name": row.loan.party.name,
                "class_before": before[0],
                "class_after": now[0],
                "accrual_before": before[1],
                "accrual_after": now[1],
                "overdue_before_fen": before[2],
                "overdue_after_fen": now[2],
                "billed": now[3] - before[3],
            }
        )
    return changes


def overdue_loans(
    *, partition_id: int, on: date, untouched_on: date | None = None
) -> list[tuple[int, str, int, int, int, int]]:
    """逾期借据：（编号, 借据号, 机构, 客户, 逾期天数, 最早应还日序数）。

    给了 ``untouched_on`` 就略去那天记过事实或解除过隔离的借据：当天才成为逾期的，还没有经过日终。
    """
    rows = LoanState.objects.filter(
        partition_id=partition_id, oldest_due_day__lt=on.toordinal(), loan__status=LoanStatus.ACTIVE
    )
    if untouched_on is not None:
        rows = rows.exclude(pk__in=LoanFact.objects.filter(booked_on__gte=untouched_on).values("loan_id"))
        rows = rows.exclude(Exists(Movement.objects.filter(loan_id=OuterRef("pk"), booked_on__gte=untouched_on)))
    return [
        (pk, number, institution, party, on.toordinal() - oldest, oldest)
        for pk, number, institution, party, oldest in rows.order_by("pk").values_list(
            "pk", "loan__number", "institution_id", "loan__party_id", "oldest_due_day"
        )
        if oldest is not None
    ]


def due_items(*, actor: Actor, day: date) -> list[dict[str, Any]]:
    """某日应还清单（代扣、还款窗口用）：到期的与欠着的，金额按当日开门推演。"""
    actor.require("servicing.view")
    rows = (
        LoanState.objects.filter(
            access.in_scope(actor, "loan__institution"), loan__status=LoanStatus.ACTIVE, held=False
        )
        .filter(Q(oldest_due_day__isnull=False) | Q(next_due_day__lte=day.toordinal()))
        .select_related("loan__party")
        .order_by("pk")
    )
    items = []
    for row in rows.iterator(chunk_size=1000):
        terms = terms_of(row.loan.terms)
        state = advance(terms, state_of(row), [], to=max(day, date.fromordinal(row.from_day)))
        parts = quote.payoff(terms, state)
        owed = (
            parts["fee"]
            + parts["penalty"]
            + parts["compound"]
            + parts["interest_due"]
            + parts["principal_due"]
            - state.overpayment
        )
        if owed > 0:
            items.append(
                {
                    "loan_id": row.pk,
                    "number": row.loan.number,
                    "party_id": row.loan.party_id,
                    "name": row.loan.party.name,
                    "amount_fen": owed,
                    "days_past_due": state.days_past_due,
                }
            )
    return items


def accrued_on(row: LoanState, on: date) -> dict[str, int]:
    """账上头寸（含直线增量）。"""
    return booked_position(row, max(on.toordinal(), row.from_day))


Part = tuple[int, str, int]
"""（借据编号, 借据号, 当日收入的增量）。"""


def aggregate_parts(*, partition_id: int, day: date, institution_id: int) -> list[Part]:
    """某日计提凭证的构成：每笔借据当日增量（F13：汇总凭证可以点开），合计须等于凭证。

    自那天起没有动过的借据，直线还是那一条；动过的按当时所知重放。
    当日逐笔走过的（有事件，或半关时因业务先走的）不在汇总里：它们那天有自己的分户账行。
    """
    ordinal = day.toordinal()
    # A loan transferred since belongs to another partition now, and did not then.
    moved = LoanFact.objects.filter(kind=str(FactKind.TRANSFER)).values("loan_id")
    rows = LoanState.objects.filter(Q(partition_id=partition_id) | Q(pk__in=moved))
    unmoved = Q(from_day__lte=ordinal, next_day__gt=ordinal + 1, held=False)
    alone = set(
        Movement.objects.filter(loan_id__in=rows.values("pk"), booked_on=day, fact_seq=None).values_list(
            "loan_id", flat=True
        )
    )
    parts = _unmoved_parts(rows.filter(unmoved, institution_id=institution_id), ordinal, alone)
    parts += _replayed_parts(rows.exclude(unmoved), day, institution_id, alone)
    return sorted(parts)


def _unmoved_parts(rows: QuerySet[LoanState], ordinal: int, alone: set[int]) -> list[Part]:
    columns = [f"{name}{index}" for index in range(4) for name in "csd"]
    parts = []
    for loan_id, number, accrual, from_day, *line in rows.values_list(
        "pk", "loan__number", "accrual", "from_day", *columns
    ).iterator(chunk_size=5000):
        if loan_id in alone:
            continue
        lines = tuple(Line(*line[at : at + 3]) for at in (0, 3, 6, 9))
        days = ordinal - from_day
        if grown := line_growth(lines, accrual, days + 1, since=days):
            parts.append((loan_id, number, _income(grown)))
    return parts


def _replayed_parts(rows: QuerySet[LoanState], day: date, institution_id: int, alone: set[int]) -> list[Part]:
    facts: dict[int, list[LoanFact]] = {}
    for fact in LoanFact.objects.filter(loan_id__in=rows.values("pk"), booked_on__lte=day).order_by("loan_id", "seq"):
        facts.setdefault(fact.loan_id, []).append(fact)
    parts = []
    for row in rows.select_related("loan").iterator(chunk_size=500):
        if row.pk not in facts or row.pk in alone or (row.held and row.from_day <= day.toordinal()):
            continue
        terms = terms_of(row.loan.terms)
        state = replay(terms, facts_of(facts[row.pk]), on=day)
        key = accounting_key(terms, state)
        if state.next_on <= day.toordinal() + 1 or int(key.institution) != institution_id:
            continue
        if grown := line_growth(accrual_lines(terms, state), key.accrual, 1):
            parts.append((row.pk, row.loan.number, _income(grown)))
    return parts


def _income(grown: dict[str, int]) -> int:
    return -sum(grown.get(code, 0) for code in ("INTEREST_INCOME", "PENALTY_INCOME", "COMPOUND_INCOME"))


def live_loans_reason(institution_id: int) -> str | None:
    """撤销机构前的检查：还有存续或待复核的借据就不能撤，返回理由。"""
    live = Loan.objects.filter(
        institution_id=institution_id, status__in=[LoanStatus.ACTIVE, LoanStatus.PENDING]
    ).count()
    return f"尚有 {live} 笔存续或待复核的借据，请先划转或结清" if live else None


def void_loans(ids: Collection[int]) -> frozenset[int]:
    """这些借据里作废的（放款复核退回）。"""
    return frozenset(Loan.objects.filter(pk__in=ids, status=LoanStatus.VOID).values_list("pk", flat=True))


def standing_of(ids: Collection[int]) -> dict[int, tuple[str, str, str]]:
    """借据编号 → （借据号, 状态代码, 状态名），一次取多笔；不看范围，范围由主体决定。"""
    rows = Loan.objects.filter(pk__in=ids)
    return {row.pk: (row.number, row.status, str(row.get_status_display())) for row in rows}
