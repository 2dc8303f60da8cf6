"""重定价：挂钩 LPR 的借据到重定价日按当日有效报价加点，记一条利率变更事实。"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from django.db import transaction

from sancha.apps.servicing.books import hold, open_loan, record_fact
from sancha.apps.servicing.models import Loan, LoanState, LoanStatus
from sancha.kernel.dates import add_months
from sancha.kernel.facts import FactKind
from sancha.kernel.terms import Terms
from sancha.kit.actor import SYSTEM
from sancha.rulebook import parameter
from sancha.rulebook.errors import NotYetInForce, UnknownCode
from sancha.rulebook.product_terms import LPR_CODES, PPM_PER_BP, lpr_ppm

EVERY_YEAR = 12


def next_reprice_on(terms: Terms, after: date) -> date | None:
    """``after`` 之后的下一个重定价日；不挂钩或合同期内不变的为空。

    方式（条款 ``rate_link`` 第三项）：``JANUARY_FIRST`` 每年 1 月 1 日；``ANNIVERSARY`` 放款日对年；``EVERY_MONTHS:n`` 每 n 个月对日；
    ``NONE`` 合同期内不变。
    """
    if terms.rate_link is None:
        return None
    rule, _, months = terms.rate_link[2].partition(":")
    if rule == "JANUARY_FIRST":
        return date(after.year + 1, 1, 1)
    if rule not in {"ANNIVERSARY", "EVERY_MONTHS"}:
        return None
    every = int(months or EVERY_YEAR)
    start, count = terms.start.toordinal(), 1
    while (day := date.fromordinal(add_months(start, every * count, terms.start.day))) <= after:
        count += 1
    return day


def reprice_partition(
    *,
    partition_id: int,
    on: date,
    progress: Callable[[int, int], None],
    found: Callable[[int, str], None] = lambda *_: None,
) -> int:
    """分区里到期（含漏过）该重定价的借据逐笔记事实，并排好下一次；每笔一个事务，重跑只做没做的。返回件数。

    读不出状态、账与状态不符的借据隔离并经 ``found`` 报告，其余照常；缺 LPR 报价则整步停下。
    """
    rows = LoanState.objects.filter(
        partition_id=partition_id, held=False, loan__reprices_on__lte=on, loan__status=LoanStatus.ACTIVE
    )
    due = list(rows.order_by("pk").values_list("pk", flat=True))
    for index, loan_id in enumerate(due):
        try:
            _reprice(loan_id, on)
        except (UnknownCode, NotYetInForce):  # a missing quotation is everybody's, not this loan's
            raise
        except Exception as error:  # one broken loan must never stop the close of all others; it is shown
            with transaction.atomic():
                row = LoanState.objects.select_for_update(of=("self",)).get(pk=loan_id)
                hold(row, reason=f"重定价未成：{type(error).__name__} {error}", stands_day=on.toordinal())
                found(loan_id, row.held_reason)
        progress(index + 1, len(due))
    return len(due)


def _reprice(loan_id: int, on: date) -> None:
    with transaction.atomic():
        opened = open_loan(loan_id=loan_id, actor=SYSTEM, on=on)
        assert opened.terms.rate_link is not None and opened.loan.reprices_on is not None
        tenor, spread_bp, _ = opened.terms.rate_link
        value_on = opened.loan.reprices_on
        rate_ppm = lpr_ppm(tenor, value_on) + spread_bp * PPM_PER_BP
        if rate_ppm != opened.state.rate_ppm and opened.state.cur < len(opened.state.ends):
            quoted = parameter(LPR_CODES[tenor], value_on)
            record_fact(
                opened,
                kind=FactKind.RATE_CHANGE,
                actor=SYSTEM,
                value_on=value_on,
                data={"rate_ppm": rate_ppm, "reason": f"LPR 重定价（{tenor}）", "clause": str(quoted.clause)},
                summary="利率重定价",
                operation="reprice",
            )
        Loan.objects.filter(pk=loan_id).update(reprices_on=next_reprice_on(opened.terms, value_on))
