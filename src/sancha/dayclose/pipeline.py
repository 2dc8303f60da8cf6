"""日终流水线：次序就是规则，写在一个元组里（docs/algorithms/day-close.md）。

开日终 → 借据逐笔走 → 计提入账并关分区 → 折叠总账 → 封存审计 → 重定价 → 催办任务 → 批复了结 → 抽查重放 → 核对。
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from django.db import transaction

from sancha.apps.businessday import operations as businessday
from sancha.apps.businessday import queries as businessday_queries
from sancha.apps.ledger import folding
from sancha.apps.origination import lending as origination
from sancha.apps.recovery import dayclose as recovery
from sancha.apps.servicing import dayclose as servicing
from sancha.apps.servicing import repricing, rotation
from sancha.dayclose import invariants
from sancha.dayclose.models import HeldLoan
from sancha.dayclose.step import CloseContext, Step
from sancha.kit import audit
from sancha.kit.clock import now


def _begin(context: CloseContext) -> int:
    """开日终：全组分区标记正在日终，营业日进到次日，此后的业务记在次日。"""
    with transaction.atomic():
        businessday.begin_close(group_id=context.group_id, day=context.day)
    return 1


def _advance_loans(context: CloseContext) -> int:
    """有事件的借据逐笔走到次日，一批一个事务；出错的隔离，其余照常。"""
    total = servicing.count_due(partition_id=context.partition_id, day=context.day)
    done = 0
    context.progress(0, total)
    batches = ((context.run_id, context.day, batch) for batch in _due_batches(context))
    for count in context.crew.spread(_advance_batch, batches, total):
        done += count
        context.progress(done, total)
    return done


def _due_batches(context: CloseContext) -> Iterator[list[int]]:
    last = 0
    while batch := servicing.due_loans(
        partition_id=context.partition_id, day=context.day, after=last, limit=context.chunk
    ):
        yield batch
        last = batch[-1]


def _advance_batch(run_id: int, day: date, loan_ids: list[int]) -> int:
    with transaction.atomic():
        result = servicing.advance_loans(loan_ids=loan_ids, day=day)
        _report_held(run_id, result.held)
    return len(loan_ids)


def _report_held(run_id: int, held: Iterable[tuple[int, str]]) -> None:
    """把隔离的借据与原因记到日终台账。"""
    HeldLoan.objects.bulk_create(
        HeldLoan(run_id=run_id, loan_id=loan_id, reason=reason, at=now()) for loan_id, reason in held
    )


def _close_partition(context: CloseContext) -> int:
    """最后一个短事务：锁住分区，计提入账，借据合计对账簿，账立于次日。"""
    with transaction.atomic():
        partition = businessday_queries.lock_partition(partition_id=context.partition_id, exclusive=True)
        if partition.accrued_to > context.day:
            return 0
        posted = servicing.post_accruals(partition_id=context.partition_id, day=context.day)
        businessday.mark_closed(partition_id=context.partition_id, day=context.day)
    return posted


def _fold_ledger(context: CloseContext) -> int:
    """把这一天的分录折成日汇总，编凭证号；此后这一天不能再记账。"""
    institutions = [
        institution
        for partition in next(
            group for group in businessday_queries.groups() if group.id == context.group_id
        ).partitions
        for institution in businessday_queries.institutions_of(partition_id=partition.id)
    ]
    with transaction.atomic():
        return folding.fold_day(day=context.day, institution_ids=institutions)["rows"]


def _seal_audit(context: CloseContext) -> int:
    """封存审计链。"""
    return audit.seal_pending(1_000_000)


def _reprice(context: CloseContext) -> int:
    """到重定价日的借据记利率变更事实（起息日 = 新营业日）。"""
    return repricing.reprice_partition(
        partition_id=context.partition_id,
        on=context.tomorrow,
        progress=context.progress,
        found=lambda loan_id, reason: _report_held(context.run_id, [(loan_id, reason)]),
    )


def _raise_follow_up(context: CloseContext) -> int:
    """按逾期阶梯开出催收跟进任务，同一次只开一条。"""
    with transaction.atomic():
        return recovery.raise_follow_up(partition_id=context.partition_id, on=context.tomorrow)


def _settle_approved(context: CloseContext) -> int:
    """放了款的申请了结，批复过期的作废。"""
    with transaction.atomic():
        return origination.settle_approved(
            institution_ids=businessday_queries.institutions_of(partition_id=context.partition_id), on=context.tomorrow
        )


def _rotate(context: CloseContext) -> int:
    """抽查：轮转的三十分之一借据从头重放，与状态投影比对，不符的隔离。"""
    share = rotation.todays_share(partition_id=context.partition_id, on=context.tomorrow)
    batches = ((context.run_id, context.tomorrow, batch) for batch in _cut(share, context.chunk))
    done = 0
    for count in context.crew.spread(_rotate_batch, batches, len(share)):
        done += count
        context.progress(done, len(share))
    return len(share)


def _cut(ids: list[int], size: int) -> Iterator[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _rotate_batch(run_id: int, on: date, loan_ids: list[int]) -> int:
    rotation.check_share(loan_ids, on=on, found=lambda loan_id, reason: _report_held(run_id, [(loan_id, reason)]))
    return len(loan_ids)


def _check(context: CloseContext) -> int:
    """核对：借据合计对账簿、凭证平衡。红则日终停在这里。"""
    return invariants.require_green(group_id=context.group_id, on=context.tomorrow)


PIPELINE: tuple[Step, ...] = (
    Step("BEGIN", "开日终", _begin),
    Step("LOANS", "借据逐笔结转", _advance_loans, per_partition=True),
    Step("ACCRUE", "计提入账", _close_partition, per_partition=True),
    Step("CHECK", "借据与账簿核对", _check),
    Step("FOLD", "总账折叠", _fold_ledger),
    Step("REPRICE", "利率重定价", _reprice, per_partition=True),
    Step("FOLLOW_UP", "逾期跟进任务", _raise_follow_up, per_partition=True),
    Step("APPROVALS", "批复的了结与过期", _settle_approved, per_partition=True),
    Step("ROTATE", "抽查重放", _rotate, per_partition=True),
    Step("SEAL", "封存审计链", _seal_audit),
)
