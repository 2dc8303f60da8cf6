"""月结与年结：结账之后不能再记，没有反结账。"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db.models import Max, Q

from sancha.apps.access.queries import require_institution, subtree_ids
from sancha.apps.businessday.queries import business_dates
from sancha.apps.ledger.folding import lock_postings
from sancha.apps.ledger.mapping import LineSpec, resolve_accounts
from sancha.apps.ledger.models import (
    Category,
    DraftState,
    InstitutionBooks,
    Line,
    ManualDraft,
    Period,
    PeriodKind,
    Source,
)
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.ledger.queries import Scope, account_balances, is_balanced
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict
from sancha.kit.operation import operation


@operation("ledger.close_month", permission="ledger.period")
def close_month(*, actor: Actor, key: str, institution_id: int, month: date, on: date) -> dict[str, Any]:
    """月结：该机构及其下级截至月末结账，此后该月不能再记账；没有反结账。十二月随年结办理。

    :raises Conflict: 月内还有未日终的日子、未处理的手工凭证、上月未结、已结，或借贷不等。
    """
    first, last = _month_bounds(month)
    if first.month == 12:
        raise Conflict("DECEMBER_BY_YEAR", "十二月在年结时一并结账。", field="month", value=month, fix="请办理年结。")
    members = _begin_closing(actor, institution_id, first, last, on)
    _finish_closing(actor, institution_id, members, PeriodKind.MONTH, first, last, None)
    return {"subject": f"institution:{institution_id}", "closed_to": last.isoformat(), "institutions": len(members)}


@operation("ledger.close_year", permission="ledger.period")
def close_year(*, actor: Actor, key: str, institution_id: int, year: int, on: date) -> dict[str, Any]:
    """年结：损益类科目逐机构转入本年利润，再转未分配利润（来源「期末结转」，日期 12 月 31 日），随后十二月与全年结账。

    借据的收入头寸不受影响：Σ借据 = 总账 只看带头寸代码的分录（books.md F6）。

    :raises Conflict: 同 ``close_month``。
    """
    first, last = date(year, 12, 1), date(year, 12, 31)
    members = _begin_closing(actor, institution_id, first, last, on)
    vouchers = _transfer_profit(actor, members, last)
    closing = vouchers[-1] if vouchers else None
    _finish_closing(actor, institution_id, members, PeriodKind.MONTH, first, last, closing)
    _finish_closing(actor, institution_id, members, PeriodKind.YEAR, date(year, 1, 1), last, closing)
    return {"subject": f"institution:{institution_id}", "closed_to": last.isoformat(), "voucher_ids": vouchers}


def _month_bounds(month: date) -> tuple[date, date]:
    first = month.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _begin_closing(actor: Actor, institution_id: int, first: date, last: date, on: date) -> list[int]:
    """结账前的全部检查；返回要结账的机构。"""
    root = require_institution(actor, institution_id)
    lock_postings()
    members = subtree_ids(institution_id)
    if on <= last:
        raise Conflict(
            "PERIOD_NOT_OVER", f"营业日 {on} 还在期间之内（至 {last}），不能结账。", field="month", value=last,
            fix=f"请在 {last} 日终之后办理。",
        )  # fmt: skip
    behind = [day for day in business_dates(institution_ids=members).values() if day <= last]
    books = dict(InstitutionBooks.objects.filter(pk__in=members).values_list("pk", "folded_to"))
    unfolded = Q()
    for folded_to in set(books.values()) - {None}:
        ids = [pk for pk, day in books.items() if day == folded_to]
        unfolded |= Q(institution_id__in=ids, booked_on__lte=folded_to)
    open_lines = Line.objects.filter(institution_id__in=members, booked_on__lte=last)
    if (
        behind
        or (open_lines.exclude(unfolded) if unfolded else open_lines).exists()
        or any(day is not None and day < last for day in books.values())
    ):
        raise Conflict(
            "DAY_OPEN", f"{root.name}或其下级在 {last} 以前还有未日终的日子。", field="month", value=last,
            fix="请先把这些日子的日终跑完。",
        )  # fmt: skip
    _require_no_drafts(members, last)
    _require_consecutive(institution_id, members, first, last)
    if not is_balanced(Scope(institution_ids=tuple(members)), last):
        raise Conflict(
            "BOOKS_UNBALANCED", f"截至 {last} 的试算不平，不能结账。", field="month", value=last,
            fix="请运行 sancha check 查明差额。",
        )  # fmt: skip
    return members


def _require_no_drafts(members: list[int], last: date) -> None:
    """期间内没有未决的手工凭证草稿；有则逐张点名，知道去找谁。"""
    waiting = ManualDraft.objects.filter(institution_id__in=members, state=DraftState.ENTERED, booked_on__lte=last)
    if count := waiting.count():
        first_few = waiting.select_related("institution").order_by("booked_on", "id")[:5]
        named = "；".join(
            f"草稿 {row.pk}（{row.institution.name} {row.booked_on} {row.summary[:20]}）" for row in first_few
        )
        raise Conflict(
            "DRAFTS_WAITING", f"期间内还有 {count} 张手工凭证待授权：{named}{'……' if count > 5 else ''}。", field="month",
            value=count, clause="结账后不得反结账", fix="请先授权或退回这些草稿，或由录入人撤回。",
        )  # fmt: skip


def _require_consecutive(institution_id: int, members: list[int], first: date, last: date) -> None:
    closed_to = InstitutionBooks.objects.filter(pk__in=members).aggregate(last=Max("closed_to"))["last"]
    if closed_to is not None and closed_to >= last:
        raise Conflict(
            "PERIOD_CLOSED",
            f"已结账到 {closed_to}。",
            field="month",
            value=last,
            clause="结账后不得反结账",
            fix="请选未结账的月份；已结期间的差错在当期更正。",
        )
    expected = closed_to + timedelta(days=1) if closed_to else None
    if expected is None:
        oldest = (
            Line.objects.filter(institution_id__in=members).order_by("booked_on").values_list("booked_on", flat=True)
        )
        earliest = oldest.first()
        expected = earliest.replace(day=1) if earliest else first
    if first > expected:
        raise Conflict(
            "EARLIER_PERIOD_OPEN", f"{expected:%Y 年 %m 月}还没有结账。", field="month", value=first,
            fix="请按月份先后逐月结账。",
        )  # fmt: skip


def _finish_closing(
    actor: Actor, institution_id: int, members: list[int], kind: str, first: date, last: date, voucher_id: int | None
) -> None:
    Period.objects.create(
        institution_id=institution_id, kind=kind, first_on=first, last_on=last, closed_by=actor.person_id,
        closed_at=now(), closing_voucher_id=voucher_id,
    )  # fmt: skip
    InstitutionBooks.objects.bulk_create(
        [InstitutionBooks(institution_id=member, closed_to=last) for member in members],
        update_conflicts=True, unique_fields=["institution"], update_fields=["closed_to"],
    )  # fmt: skip


def _transfer_profit(actor: Actor, members: list[int], last: date) -> list[int]:
    accounts = resolve_accounts(last)
    profit, retained = accounts.role("PROFIT"), accounts.role("UNDISTRIBUTED")
    specs = []
    for institution_id, currency, balances in account_balances(Scope(institution_ids=tuple(members)), last):
        lines = [
            LineSpec(-fen, account_id=account_id, currency=currency)
            for account_id, fen in balances.items()
            if fen and accounts.accounts[account_id].category in {Category.INCOME, Category.EXPENSE}
        ]
        moved = -sum(line.amount_fen for line in lines)
        year_profit = moved + balances.get(profit, 0)
        if lines:
            specs.append(
                VoucherSpec(
                    booked_on=last, institution_id=institution_id, source=Source.CLOSING, kind="PROFIT_TRANSFER",
                    summary=f"{last.year} 年损益结转本年利润", subject=f"institution:{institution_id}",
                    lines=[*lines, LineSpec(moved, account_id=profit, currency=currency)],
                )
            )  # fmt: skip
        if year_profit:
            specs.append(
                VoucherSpec(
                    booked_on=last, institution_id=institution_id, source=Source.CLOSING, kind="PROFIT_CLOSE",
                    summary=f"{last.year} 年本年利润转未分配利润", subject=f"institution:{institution_id}",
                    lines=[
                        LineSpec(-year_profit, account_id=profit, currency=currency),
                        LineSpec(year_profit, account_id=retained, currency=currency),
                    ],
                )
            )  # fmt: skip
    return post_vouchers(specs, actor=actor, accounts=accounts)
