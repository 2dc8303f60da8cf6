"""审计链：把审计事件按序封存成哈希链，改一字、缺一条、断尾巴都查得出。

写审计只是一条 INSERT（``kit.operation.write_audit``），不抢锁；封存由后台分批做，同一时刻只有一个封存者。
封条 ``seal = sha256(前一封条 ⏎ 序号 ⏎ 规范内容)``，序号从 1 起不间断。链条本身看不出尾部整段被删，
所以每天把链头（:func:`head`）印在日终报告上、抄送出去，核对时带上它。方法见 ``docs/algorithms/audit-chain.md``。
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from sancha.kit.models import AuditEvent
from sancha.kit.operation import canonical

GENESIS: Final = "0" * 64
"""第一条之前的封条。"""
_LOCK: Final = 0x5A4C_5EA1
"""PostgreSQL 咨询锁的编号：只作「封存」一件事。"""
_CONTENT: Final = (
    "id",
    "at",
    "person_id",
    "post_code",
    "institution_id",
    "operation",
    "subject",
    "on_day",
    "data",
    "digest",
)
_TRIGGERS: Final = ("kit_audit_no_update", "kit_audit_no_delete")


@dataclass(frozen=True, slots=True)
class Head:
    """链头：最后一个已封存的序号与封条。``text`` 是印在日终报告上的一行。"""

    seal_no: int
    seal: str

    @property
    def text(self) -> str:
        """「序号:封条」，可用 :func:`parse_head` 读回。"""
        return f"{self.seal_no}:{self.seal}"


@dataclass(frozen=True, slots=True)
class Fault:
    """查出的第一处破坏。

    ``code``：CHANGED 内容或封条被改；MISSING 序号缺失；TAIL_CUT 尾部被截；HEAD_DIFFERS 与印出的链头不符。
    """

    code: str
    seal_no: int
    event_id: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """核对结果：核对了多少条，末条序号，第一处破坏（没有则为空）。"""

    checked: int
    last_no: int
    fault: Fault | None

    @property
    def intact(self) -> bool:
        """链条完好。"""
        return self.fault is None


def seal_of(previous: str, seal_no: int, content: dict[str, Any]) -> str:
    """封条：前一封条、序号与规范内容的 SHA-256，十六进制。"""
    plain = {**content, "at": _instant(content["at"])}
    return hashlib.sha256(f"{previous}\n{seal_no}\n{canonical(plain)}".encode()).hexdigest()


def _instant(at: datetime) -> str:
    """时刻统一成 UTC、六位微秒：两种数据库、任何时区设置读回来都一样。"""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def seal_pending(limit: int = 10_000) -> int:
    """封存至多 ``limit`` 条未封存的事件，返回封存条数。可反复调用，可随时中断：要么整批封好，要么没动。

    PostgreSQL 用事务级咨询锁、SQLite 用写事务，保证一次只有一个封存者；并发写入者不受影响。
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = head()
        pending = AuditEvent.objects.filter(seal_no=None).order_by("id").values(*_CONTENT)[:limit]
        sealed, previous = [], last.seal
        for seal_no, content in enumerate(pending, start=last.seal_no + 1):
            previous = seal_of(previous, seal_no, content)
            sealed.append((seal_no, previous, content["id"]))
        if sealed:
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE kit_auditevent SET seal_no = %s, seal = %s WHERE id = %s AND seal_no IS NULL", sealed
                )
                assert cursor.rowcount in {len(sealed), -1}, "两个封存者同时在封存"
    return len(sealed)


def head() -> Head:
    """链头。还没有封存过时是序号 0。"""
    row = AuditEvent.objects.filter(seal_no__isnull=False).order_by("-seal_no").first()
    return Head(row.seal_no or 0, row.seal) if row else Head(0, GENESIS)


def pending_count() -> int:
    """尚未封存的事件数。长期不为零说明封存没有在跑。"""
    return AuditEvent.objects.filter(seal_no=None).count()


def parse_head(text: str) -> Head:
    """读印出的链头。

    :raises ValueError: 不是「序号:64 位十六进制」。
    """
    match = re.fullmatch(r"\s*([0-9]{1,18}):([0-9a-f]{64})\s*", text)
    if match is None:
        raise ValueError(f"链头应为「序号:64位封条」，得到「{text}」")
    return Head(int(match[1]), match[2])


def verify(first: int = 1, last: int | None = None, *, published: Head | None = None) -> Verification:
    """核对链条：逐条重算封条，内存恒定，停在第一处破坏。

    ``first``、``last`` 是序号（含）；``published`` 是过去印出的链头，用来发现断尾与整链重写。
    """
    previous = GENESIS
    if first > 1:
        before = AuditEvent.objects.filter(seal_no=first - 1).values_list("seal", flat=True).first()
        if before is None:
            return Verification(0, first - 1, Fault("MISSING", first - 1, None, f"第 {first - 1} 条不见了。"))
        previous = before
    rows = AuditEvent.objects.filter(seal_no__gte=first).order_by("seal_no")
    if last is not None:
        rows = rows.filter(seal_no__lte=last)
    expected, fault = first, None
    for row in rows.values("seal_no", "seal", *_CONTENT).iterator(chunk_size=2000):
        seal_no, seal = row.pop("seal_no"), row.pop("seal")
        if seal_no != expected:
            fault = Fault("MISSING", expected, None, f"第 {expected} 条不见了（下一条是第 {seal_no} 条）。")
            break
        if seal_of(previous, seal_no, row) != seal:
            fault = Fault("CHANGED", seal_no, row["id"], f"第 {seal_no} 条（事件 {row['id']}）与封条不符，被改动过。")
            break
        previous, expected = seal, expected + 1
    checked, last_no = expected - first, expected - 1
    if fault is None and last is not None and last_no < last:
        fault = Fault("TAIL_CUT", expected, None, f"只到第 {last_no} 条，应有第 {last} 条。")
    return Verification(checked, last_no, fault or (_against(published) if published else None))


def _against(published: Head) -> Fault | None:
    """与印出的链头比：那一条必须还在，封条必须一样。"""
    if published.seal_no == 0:
        return None
    seal = AuditEvent.objects.filter(seal_no=published.seal_no).values_list("seal", flat=True).first()
    if seal is None:
        reached = head().seal_no
        return Fault(
            "TAIL_CUT",
            published.seal_no,
            None,
            f"曾印出第 {published.seal_no} 条的链头，现在只到第 {reached} 条：尾部被截断。",
        )
    if seal != published.seal:
        return Fault(
            "HEAD_DIFFERS", published.seal_no, None, f"第 {published.seal_no} 条的封条与印出的不同：链条被重写。"
        )
    return None


def missing_guards() -> tuple[str, ...]:
    """缺失的数据库触发器。应为空；有缺失说明有人删过，或 SQLite 表被重建过。"""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'kit_auditevent'::regclass AND tgenabled <> 'D'"
            )
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'kit_auditevent'")
        present = {name for (name,) in cursor.fetchall()}
    return tuple(name for name in _TRIGGERS if name not in present)
