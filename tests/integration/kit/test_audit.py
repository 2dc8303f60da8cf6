"""审计链：封存不间断；改字、删条、插条、断尾、整链重写都查得出；数据库自己也不许改。"""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from sancha.kit import audit
from sancha.kit.models import AuditEvent

PAGE = Path(__file__).parents[3] / "docs" / "algorithms" / "audit-chain.md"


def write(count: int, start: int = 1) -> None:
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=datetime(2026, 1, 1, 8, 0, number % 60, 5, tzinfo=UTC),
            person_id=number,
            post_code="OFFICER",
            institution_id=1,
            operation="test.do",
            subject=f"loan:{number}",
            on_day=date(2026, 1, 1) if number % 2 else None,
            data={"乙": 1, "a": ["中", None, 2]},
            digest="d" * 64,
        )
        for number in range(start, start + count)
    )


def drop_guards() -> None:
    on_table = " ON kit_auditevent" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in ("kit_audit_no_update", "kit_audit_no_delete"):
            cursor.execute(f"DROP TRIGGER {name}{on_table}")


def chain_of(count: int) -> audit.Head:
    write(count)
    assert audit.seal_pending() == count
    return audit.head()


def test_page_vector():
    """算法页的例子：内容、前封条、序号 → 封条。"""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| 第 ")]
    assert len(rows) == 2
    previous = audit.GENESIS
    for seal_no, (_, content, expected) in enumerate(rows, start=1):
        plain = json.loads(content)
        plain["at"] = datetime.fromisoformat(plain["at"])
        previous = audit.seal_of(previous, seal_no, plain)
        assert previous == expected


@pytest.mark.django_db
def test_sealing_is_gapless_in_batches_and_repeatable():
    assert audit.head() == audit.Head(0, audit.GENESIS)
    assert audit.verify() == audit.Verification(0, 0, None)
    write(7)
    assert [audit.seal_pending(3) for _ in range(4)] == [3, 3, 1, 0]
    write(2, start=8)
    assert audit.pending_count() == 2
    assert audit.seal_pending() == 2
    numbers = AuditEvent.objects.order_by("id").values_list("seal_no", flat=True)
    assert list(numbers) == list(range(1, 10))
    assert audit.verify() == audit.Verification(9, 9, None)
    assert audit.verify(4, 6) == audit.Verification(3, 6, None)


@pytest.mark.django_db
def test_head_is_printed_and_read_back():
    head = chain_of(3)
    assert audit.parse_head(head.text) == head
    assert head.seal_no == 3
    assert audit.verify(published=head).intact
    for wrong in ("", "3", "3:abc", "x:" + "0" * 64):
        with pytest.raises(ValueError):
            audit.parse_head(wrong)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"subject": "loan:99"},
        {"person_id": 77},
        {"data": {"a": 2}},
        {"at": datetime(2026, 1, 1, 8, 0, 3, 6, tzinfo=UTC)},
        {"on_day": date(2026, 1, 3)},
        {"digest": "e" * 64},
        {"operation": "test.undo"},
        {"post_code": "MANAGER"},
        {"institution_id": None},
        {"seal": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_changed_field_is_found(change):
    chain_of(6)
    drop_guards()
    row = AuditEvent.objects.get(seal_no=3)
    AuditEvent.objects.filter(pk=row.pk).update(**change)
    result = audit.verify()
    assert (result.fault.code, result.fault.seal_no, result.fault.event_id) == ("CHANGED", 3, row.pk)
    assert result.checked == 2
    assert not result.intact


@pytest.mark.django_db
def test_deleted_and_inserted_rows_are_found():
    chain_of(6)
    drop_guards()
    AuditEvent.objects.filter(seal_no=4).delete()
    assert (audit.verify().fault.code, audit.verify().fault.seal_no) == ("MISSING", 4)
    assert audit.verify(5).fault.code == "MISSING"
    write(1, start=50)
    AuditEvent.objects.filter(person_id=50).update(seal_no=4, seal="a" * 64)
    assert (audit.verify().fault.code, audit.verify().fault.seal_no) == ("CHANGED", 4)


@pytest.mark.django_db
def test_cut_tail_is_found_only_against_a_published_head():
    head = chain_of(6)
    drop_guards()
    AuditEvent.objects.filter(seal_no__gt=4).delete()
    assert audit.verify().intact  # the chain alone cannot tell
    assert audit.verify(published=head).fault.code == "TAIL_CUT"
    assert audit.verify(1, 6).fault.code == "TAIL_CUT"
    write(2, start=90)  # the thief fills the gap with new events
    audit.seal_pending()
    assert audit.verify().intact
    assert audit.verify(published=head).fault.code == "HEAD_DIFFERS"


@pytest.mark.django_db
def test_rewritten_chain_is_found_against_a_published_head():
    head = chain_of(4)
    drop_guards()
    AuditEvent.objects.filter(seal_no=2).update(person_id=999)
    AuditEvent.objects.update(seal_no=None, seal="")
    audit.seal_pending()
    assert audit.verify().intact
    assert audit.verify(published=head).fault.code == "HEAD_DIFFERS"


@pytest.mark.django_db
def test_database_refuses_changes_and_deletion():
    chain_of(2)
    write(1, start=3)
    sealed = AuditEvent.objects.filter(seal_no=1)
    unsealed = AuditEvent.objects.filter(seal_no=None)
    attempts = [
        lambda: sealed.update(subject="x"),
        lambda: sealed.update(seal_no=9),
        lambda: sealed.update(seal_no=None, seal=""),
        lambda: sealed.update(seal="f" * 64),
        sealed.delete,
        lambda: unsealed.update(person_id=5),
        lambda: unsealed.update(seal_no=7, seal="a" * 64, data={}),
        unsealed.delete,
    ]
    for attempt in attempts:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert audit.verify().intact
    assert audit.seal_pending() == 1


@pytest.mark.django_db
def test_missing_guards_are_named():
    assert audit.missing_guards() == ()
    drop_guards()
    assert audit.missing_guards() == ("kit_audit_no_update", "kit_audit_no_delete")


def test_three_sealers_and_a_writer_at_once_make_one_chain(new_office):
    """三个进程同时封存，另一个还在写：一条链，一条不少。"""
    office = new_office("sealing")
    write_some = """
from datetime import UTC, datetime
from sancha.kit.models import AuditEvent
for n in range(150):
    AuditEvent.objects.create(
        at=datetime(2026, 1, 1, tzinfo=UTC), post_code="X", operation="t", subject=str(n), digest="")
"""
    office.run(write_some)
    seal = "from sancha.kit import audit\nprint(sum(audit.seal_pending(7) for _ in range(30)))"
    processes = [office.start(code) for code in (seal, seal, seal, write_some)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    sealed = sum(int(out) for out, _ in outputs[:3])
    assert sealed >= 150
    rest = "from sancha.kit import audit\nrest = audit.seal_pending()\nprint(rest, audit.verify())"
    rest_count, verdict = office.run(rest).split(" ", 1)
    assert sealed + int(rest_count) == 300
    assert verdict == "Verification(checked=300, last_no=300, fault=None)"


def test_killed_sealer_leaves_a_whole_chain(new_office):
    """封存到一半被杀：整批不算，再封一次就好。"""
    office = new_office("killed")
    killed = """
import os
from datetime import UTC, datetime
from sancha.kit import audit
from sancha.kit.models import AuditEvent
AuditEvent.objects.bulk_create(
    AuditEvent(at=datetime(2026, 1, 1, tzinfo=UTC), post_code="X", operation="t", digest="") for _ in range(50))
audit.seal_pending(20)
real, count = audit.seal_of, [0]
def dies(*args):
    count[0] += 1
    if count[0] == 15:
        os._exit(9)
    return real(*args)
audit.seal_of = dies
audit.seal_pending()
"""
    process = office.start(killed)
    process.communicate(timeout=120)
    assert process.returncode == 9
    after = "from sancha.kit import audit\nprint(audit.head().seal_no, audit.seal_pending(), audit.verify().checked)"
    assert office.run(after) == "20 30 50"
