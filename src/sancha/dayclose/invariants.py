"""不变式：独立审计。日终用它把关，``sancha check`` 与看板用它查活数据；红的列出对象。

* 借据合计 = 账簿合计，逐会计键、逐头寸代码，一分不差；
* 每张凭证借贷相等，试算平衡；
* 状态投影 = 从头重放（日终抽查三十分之一，``--all`` 全查）；
* 没有应走未走的事件、没有隔离的借据；
* 审计链完好；同一次任务没有丢、没有重；日汇总 = 分录。
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db import connection, transaction

from sancha.apps.businessday import queries as businessday
from sancha.apps.ledger import queries as ledger
from sancha.apps.recovery import queries as recovery
from sancha.apps.servicing import queries as servicing
from sancha.apps.servicing import rotation
from sancha.apps.servicing.accrual import grown_positions
from sancha.dayclose.crew import Crew
from sancha.dayclose.guards import missing_guards
from sancha.dayclose.models import InvariantResult
from sancha.kit import audit
from sancha.kit.clock import now
from sancha.kit.errors import Conflict


@dataclass(slots=True)
class Finding:
    """一项不变式的结果。``problems`` 每条是一句话，能定位到对象。"""

    code: str
    name: str
    checked: int = 0
    problems: list[str] = field(default_factory=list)
    milliseconds: int = 0

    @property
    def ok(self) -> bool:
        """是否为绿。"""
        return not self.problems


Progress = Callable[[int, int], None]
_BATCH = 500


def _quiet(done: int, total: int) -> None:
    """默认不报进度。"""


@contextmanager
def _one_moment() -> Iterator[None]:
    """把几条查询看成同一时刻：营业照常，两条查询之间记的一笔不该看成差错。

    PostgreSQL 用可重复读的只读事务；已在事务里（预演）时分区锁着，本来就没有别人在写。SQLite 的事务就是一份快照。
    """
    fresh = not connection.in_atomic_block
    with transaction.atomic():
        if fresh and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def books_agree(*, group_id: int) -> Finding:
    """借据合计 = 账簿合计（按会计键与头寸代码）。"""
    with _one_moment():
        return _compare_books(group_id)


def _compare_books(group_id: int) -> Finding:
    group = _group(group_id)
    finding = Finding("BOOKS", "借据合计与账簿一致")
    loans = grown_positions({partition.id: partition.accrued_to.toordinal() for partition in group.partitions})
    institutions = [
        pk for partition in group.partitions for pk in businessday.institutions_of(partition_id=partition.id)
    ]
    booked = ledger.position_totals(group.business_date, ledger.Scope(institution_ids=tuple(institutions)))
    finding.checked = len(loans)
    for place in sorted(set(loans) | set(booked), key=str):
        if loans.get(place, 0) != booked.get(place, 0):
            institution, product, grade, accrual, currency, code = place
            finding.problems.append(
                f"机构 {institution} 产品 {product} 分类 {grade} 应计 {accrual} {currency} {code}："
                f"借据 {loans.get(place, 0)} 分，账簿 {booked.get(place, 0)} 分，差 {loans.get(place, 0) - booked.get(place, 0)} 分"
            )
    return finding


def vouchers_balance(*, group_id: int) -> Finding:
    """凭证借贷相等，全辖试算平衡。"""
    finding = Finding("VOUCHERS", "凭证借贷相等")
    bad = ledger.unbalanced_vouchers()
    finding.problems += [f"凭证 {pk} 借贷差 {amount} 分" for pk, amount in bad]
    group = _group(group_id)
    if not ledger.is_balanced(ledger.EVERYWHERE, group.business_date):
        finding.problems.append(f"{group.business_date} 试算不平衡")
    finding.problems += [f"分录 {pk} 没有凭证或科目" for pk in ledger.orphan_lines()]
    return finding


def nothing_forgotten(*, group_id: int) -> Finding:
    """没有应走未走的事件，没有隔离的借据。"""
    finding = Finding("AGENDA", "没有遗漏的事件与隔离的借据")
    for partition in _group(group_id).partitions:
        for number, reason in servicing.held_or_stale(partition_id=partition.id, accrued_to=partition.accrued_to):
            finding.problems.append(f"借据 {number}：{reason}")
        finding.checked += 1
    return finding


def projections_match(*, group_id: int, everything: bool = False, progress: Progress = _quiet) -> Finding:
    """状态投影 = 从头重放。缺省查轮转的一份，``everything`` 全查。"""
    finding = Finding("REPLAY", "状态投影与重放一致")
    for partition in _group(group_id).partitions:
        ids = servicing.loan_ids(
            partition_id=partition.id, share=None if everything else partition.accrued_to.toordinal() % rotation.SHARES
        )
        batches = ((group_id, partition.id, ids[start : start + _BATCH]) for start in range(0, len(ids), _BATCH))
        done = 0
        with Crew() as crew:
            for problems in crew.spread(_replay_batch, batches, len(ids)):
                finding.problems += [f"借据 {pk}：{problem}" for pk, problem in problems]
                done = min(done + _BATCH, len(ids))
                progress(done, len(ids))
        finding.checked += len(ids)
    return finding


def _replay_batch(group_id: int, partition_id: int, loan_ids: list[int]) -> list[tuple[int, str]]:
    with _one_moment():
        now_at = next(place for place in _group(group_id).partitions if place.id == partition_id)
        return rotation.check_loans(loan_ids, on=now_at.accrued_to)


def audit_intact(*, group_id: int) -> Finding:
    """审计链完好，只许追加的守卫齐全。"""
    result = audit.verify()
    finding = Finding("AUDIT", "审计链完好", checked=result.checked)
    if result.fault is not None:
        finding.problems.append(f"第 {result.fault.seal_no} 条（{result.fault.code}）：{result.fault.message}")
    finding.problems += [f"缺少防篡改触发器 {name}" for name in missing_guards()]
    return finding


def tasks_complete(*, group_id: int) -> Finding:
    """每笔逾期借据在已到的阶梯上恰有一条跟进任务，不丢不重。"""
    finding = Finding("TASKS", "逾期跟进任务不丢不重")
    for partition in _group(group_id).partitions:
        checked, problems = recovery.follow_up_gaps(partition_id=partition.id, on=partition.business_date)
        finding.checked += checked
        finding.problems += problems
    return finding


def ledger_folded(*, group_id: int) -> Finding:
    """日汇总 = 分录重算。"""
    finding = Finding("FOLD", "总账日汇总与分录一致")
    finding.problems += [str(difference) for difference in ledger.fold_differences()]
    return finding


CHECKS = (
    books_agree,
    vouchers_balance,
    nothing_forgotten,
    projections_match,
    audit_intact,
    tasks_complete,
    ledger_folded,
)


def check(*, group_id: int, everything: bool = False, progress: Progress = _quiet) -> list[Finding]:
    """把所有不变式查一遍，结果存库（看板读它）并返回。"""
    findings = []
    for function in CHECKS:
        started = time.perf_counter()
        if function is projections_match:
            finding = projections_match(group_id=group_id, everything=everything, progress=progress)
        else:
            with _one_moment():
                finding = function(group_id=group_id)
        finding.milliseconds = int((time.perf_counter() - started) * 1000)
        findings.append(finding)
    keep(findings, group_id=group_id)
    return findings


def keep(findings: Sequence[Finding], *, group_id: int) -> None:
    """存下结果，供看板显示。"""
    on_day = businessday.group_date(group_id=group_id)
    InvariantResult.objects.bulk_create(
        InvariantResult(
            group_id=group_id,
            code=finding.code,
            name=finding.name,
            on_day=on_day,
            ok=finding.ok,
            checked=finding.checked,
            problems=finding.problems[:100],
            milliseconds=finding.milliseconds,
            at=now(),
        )
        for finding in findings
    )


def latest(*, group_id: int) -> list[InvariantResult]:
    """每项不变式的最近结果。"""
    rows: dict[str, InvariantResult] = {}
    for row in InvariantResult.objects.filter(group_id=group_id).order_by("-at", "-pk")[:60]:
        rows.setdefault(row.code, row)
    return list(rows.values())


def require_green(*, group_id: int, on: date) -> int:
    """日终把关：借据与账簿不符就停。返回核对的键数。

    :raises Conflict: 不符之处逐条列出。
    """
    finding = books_agree(group_id=group_id)
    keep([finding], group_id=group_id)
    if not finding.ok:
        raise Conflict(
            "BOOKS_DISAGREE",
            f"{on - timedelta(days=1)} 日终后借据与账簿不符：{'；'.join(finding.problems[:5])}",
            field="day",
            value=on,
            clause="docs/algorithms/books.md",
            fix="日终已停。请在不变式看板查明，隔离出错的借据后重跑。",
        )
    return finding.checked


def _group(group_id: int) -> businessday.GroupInfo:
    return next(group for group in businessday.groups() if group.id == group_id)
