"""备份与恢复：在另一处空安装里恢复，逐表逐行相同；拿错密钥、损坏、篡改、版本不合都在动手之前发现。"""

import gzip
import io
import json
import os
import shutil
import stat
import tarfile

import pytest

FILL = """
from datetime import UTC, date, datetime
from pathlib import Path
from django.conf import settings
from sancha.kit import audit
from sancha.kit.models import AuditEvent, Idempotency, NumberSequence, Outbox
at = datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=UTC)
AuditEvent.objects.bulk_create(
    AuditEvent(at=at, person_id=n, post_code='岗位', operation='t', subject=f'loan:{n}', data={'甲': [n, None]},
               digest='d', on_day=date(2026, 1, 1)) for n in range(30))
audit.seal_pending(25)
Idempotency.objects.create(operation='o', key='k\\tx\\\\y\\nz', digest='d', result={'a': '引"号'}, recorded_at=at)
NumberSequence.objects.create(name='借据', last=2**60)
Outbox.objects.create(event='e', payload={}, recorded_at=at)
root = Path(settings.DOCUMENT_ROOT)
(root / 'ab').mkdir(parents=True)
(root / 'ab' / '照片.jpg').write_bytes(bytes(range(256)) * 5000)
(root / 'empty').write_bytes(b'')
"""

# Every row of every table, as text, hashed: two databases are the same or they are not.
DIGEST = """
import hashlib, json
from pathlib import Path
from django.conf import settings
from django.db import connection
from sancha.kit import audit
total = {}
with connection.cursor() as cursor:
    for table in sorted(connection.introspection.table_names()):
        cursor.execute(f'SELECT * FROM "{table}"')
        rows = sorted(repr(row) for row in cursor.fetchall())
        columns = [column.name for column in cursor.description] if connection.vendor == "postgresql" else []
        total[table] = [len(rows), hashlib.sha256('\\n'.join([*columns, *rows]).encode()).hexdigest()]
files = {str(p.relative_to(settings.DOCUMENT_ROOT)): hashlib.sha256(p.read_bytes()).hexdigest()
         for p in Path(settings.DOCUMENT_ROOT).rglob('*') if p.is_file()}
print(json.dumps([total, files, audit.verify().intact, audit.verify().checked, audit.missing_guards()], sort_keys=True))
"""


def back_up(office, name="b.tar.gz", before=""):
    path = office.home / name
    run = office.run_alone if before else office.run
    run(f"{before}\nfrom pathlib import Path; from sancha.kit import backup; backup.backup(Path({str(path)!r}))")
    return path


def restore(office, path, options="", before=""):
    run = office.run_alone if before else office.run
    return run(
        f"{before}\nfrom pathlib import Path; from sancha.kit import backup, errors\n"
        f"try:\n    print(list(backup.restore(Path({str(path)!r}){options}).pending_migrations))\n"
        "except errors.DomainError as error:\n    print(error.code, '|', error.message, '|', error.fix)"
    )


@pytest.fixture(scope="module")
def full(new_office):
    """一处有数据的安装。各测试只读它；要写的另开一处。"""
    office = new_office("full")
    office.run(FILL)
    return office


@pytest.fixture(scope="module")
def kept(full):
    """它的一份备份，与它当时的内容。"""
    return back_up(full, "kept.tar.gz"), full.run(DIGEST)


def test_restored_office_is_the_same(kept, new_office):
    path, before = kept
    fresh = new_office("fresh", migrated=False)
    assert restore(fresh, path) == "[]"
    assert fresh.run(DIGEST) == before
    totals, files, intact, checked, guards = json.loads(before)
    assert (totals["kit_auditevent"][0], checked, intact, guards) == (30, 25, True, [])
    assert len(files) == 2


@pytest.mark.skipif(shutil.which("zstd") is None, reason="本机没有 zstd 程序")
def test_zstd_works_the_same(full, kept, new_office):
    fresh = new_office("fresh", migrated=False)
    assert restore(fresh, back_up(full, "b.tar.zst")) == "[]"
    assert fresh.run(DIGEST) == kept[1]


def test_restored_office_goes_on_working(kept, new_office):
    """恢复后能继续写（序列接得上）、能再备份、再恢复。"""
    fresh = new_office("fresh", migrated=False)
    restore(fresh, kept[0])
    fresh.run(
        "from sancha.kit.models import AuditEvent; from sancha.kit import audit; from django.utils import timezone\n"
        "AuditEvent.objects.create(at=timezone.now(), post_code='x', operation='t', digest='')\n"
        "assert audit.seal_pending() == 6 and audit.verify().checked == 31"
    )
    again = new_office("again", migrated=False)
    assert restore(again, back_up(fresh, "second.tar.gz")) == "[]"
    assert again.run(DIGEST) == fresh.run(DIGEST)


def test_without_pg_dump_tables_are_copied(full, new_office):
    if "postgres" not in full.database:
        pytest.skip("只与 PostgreSQL 有关：SQLite 不用外部程序")
    no_tools = "import shutil; shutil.which = lambda name: None"
    path = back_up(full, "copied.tar.gz", before=no_tools)
    with tarfile.open(path) as archive:
        assert "database.copy" in archive.getnames()
    fresh = new_office("fresh", migrated=False)
    assert restore(fresh, path, before=no_tools) == "[]"
    assert fresh.run(DIGEST) == full.run(DIGEST)
    fresh.run(
        "from sancha.kit.models import AuditEvent; from django.utils import timezone\n"
        "AuditEvent.objects.create(at=timezone.now(), post_code='x', operation='t', digest='')"
    )


def test_extensions_survive(kept, new_office):
    full = new_office("trgm", migrated=False)
    if "postgres" not in full.database:
        pytest.skip("只与 PostgreSQL 有关")
    restore(full, kept[0])
    full.run(
        "from django.db import connection as c; k = c.cursor(); k.execute('CREATE EXTENSION pg_trgm')\n"
        "k.execute('CREATE INDEX trgm ON kit_outbox USING gin (event gin_trgm_ops)')"
    )
    path = back_up(full)
    fresh = new_office("fresh", migrated=False)
    assert restore(fresh, path) == "[]"
    assert restore(full, path, ", force=True") == "[]"
    assert fresh.run(DIGEST) == full.run(DIGEST)


def test_backup_is_private_and_never_overwrites(full):
    path = back_up(full, "private.tar.gz")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code = f"from pathlib import Path; from sancha.kit import backup\nbackup.backup(Path({str(path)!r}))"
    process = full.start(code)
    assert "不覆盖旧备份" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert sorted(p.name for p in full.home.iterdir() if "partial" in p.name or p.name.startswith(".")) == []


def test_killed_backup_leaves_no_file_with_the_name(full):
    path = full.home / "killed.tar.gz"
    code = (
        "import os; from pathlib import Path; from sancha.kit import backup\n"
        "backup._add_documents = lambda archive: os._exit(9)\n"
        f"backup.backup(Path({str(path)!r}))"
    )
    process = full.start(code)
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert not path.exists()
    back_up(full, "killed.tar.gz")


def test_wrong_key_is_found_before_anything_is_touched(kept, new_office):
    path, _ = kept
    other = new_office("other", migrated=False, secret="another-secret")
    said = restore(other, path)
    assert said.startswith("BACKUP_KEY")
    assert "secret.key" in said
    assert other.run("from django.db import connection; print(connection.introspection.table_names())") == "[]"


def test_only_an_empty_office_unless_forced(kept, new_office):
    path, before = kept
    busy = new_office("busy")
    busy.run("from sancha.kit.models import NumberSequence; NumberSequence.objects.create(name='mine', last=1)")
    assert restore(busy, path).startswith("BACKUP_NOT_EMPTY")
    assert busy.run("from sancha.kit.models import NumberSequence as N; print(N.objects.get().name)") == "mine"
    assert restore(busy, path, ", force=True") == "[]"
    assert busy.run(DIGEST) == before
    assert sorted(p.name for p in busy.home.iterdir() if p.name.startswith(".")) == []


def test_documents_alone_also_count_as_not_empty(kept, new_office):
    path, _ = kept
    fresh = new_office("fresh", migrated=False)
    (fresh.home / "documents").mkdir()
    (fresh.home / "documents" / "mine.txt").write_text("x")
    assert "documents" in restore(fresh, path)
    assert (fresh.home / "documents" / "mine.txt").exists()


def rewritten(path, made, change):
    """解开备份，改一处，再打包：模拟损坏与篡改。"""
    members = {}
    with tarfile.open(path) as archive:
        for entry in archive.getmembers():
            members[entry.name] = archive.extractfile(entry).read()
    change(members)
    with tarfile.open(made, "w:gz") as archive:
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return made


def edit_manifest(members, **changes):
    members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **changes}).encode()


DAMAGE = {
    "changed": (lambda m: m.update({"documents/ab/照片.jpg": b"x"}), "BACKUP_DAMAGED"),
    "missing": (lambda m: m.pop("documents/empty"), "BACKUP_DAMAGED"),
    "extra": (lambda m: m.update({"documents/more": b"x"}), "BACKUP_DAMAGED"),
    "rows": (lambda m: edit_manifest(m, rows={}), "BACKUP_DAMAGED"),
    "head": (lambda m: edit_manifest(m, audit_head="0:" + "0" * 64), "BACKUP_DAMAGED"),
    "field": (lambda m: edit_manifest(m, unknown=1), "BACKUP_UNREADABLE"),
    "manifest": (lambda m: m.pop("manifest.json"), "BACKUP_UNREADABLE"),
    "escape": (lambda m: m.update({"../escape": b"x"}), "BACKUP_UNREADABLE"),
}


def test_damage_tampering_and_foreign_files_are_found(kept, new_office, tmp_path):
    """逐一损坏，在同一个进程里逐一恢复：个个报出，空安装仍是空的。"""
    path, _ = kept
    cases = [(rewritten(path, tmp_path / f"{name}.tar.gz", change), code) for name, (change, code) in DAMAGE.items()]
    cut, foreign = tmp_path / "cut.tar.gz", tmp_path / "foreign.tar.gz"
    cut.write_bytes(path.read_bytes()[:2000])
    foreign.write_bytes(gzip.compress(os.urandom(5000)))
    cases += [(cut, "BACKUP_UNREADABLE"), (foreign, "BACKUP_UNREADABLE")]
    cases += [(tmp_path / "none.tar.gz", "BACKUP_UNREADABLE"), (tmp_path / "b.zip", "BACKUP_NAME")]
    fresh = new_office("fresh", migrated=False)
    said = fresh.run(
        "from pathlib import Path; from sancha.kit import backup, errors\n"
        f"for path in {[str(path) for path, _ in cases]!r}:\n"
        "    try:\n        backup.restore(Path(path)); print('RESTORED')\n"
        "    except errors.DomainError as error:\n        assert error.fix; print(error.code)\n"
        "from django.db import connection; print(connection.introspection.table_names())"
    )
    assert said.split("\n") == [*(code for _, code in cases), "[]"]
    assert not (fresh.home / "escape").exists()


def test_newer_and_older_versions(full, new_office):
    """新版的备份拒绝；旧版的备份恢复后说明还差哪些迁移。"""
    fresh = new_office("fresh", migrated=False)
    newer = back_up(
        full, "newer.tar.gz",
        before="from sancha.kit.backup import manifest as b; real = b._applied_migrations\n"
        "b._applied_migrations = lambda: [*real(), ['kit', '9999_future']]",
    )  # fmt: skip
    assert restore(fresh, newer).startswith("BACKUP_VERSION")
    older = back_up(
        full, "older.tar.gz",
        before="from sancha.kit.backup import manifest as b; real = b._applied_migrations\n"
        "b._applied_migrations = lambda: [k for k in real() if k != ['kit', '0002_audit_guards']]",
    )  # fmt: skip
    assert restore(fresh, older) == "['kit.0002_audit_guards']"


def test_other_database_is_refused(kept, new_office):
    path, _ = kept
    fresh = new_office("fresh", migrated=False)
    said = restore(
        fresh, path,
        before="from sancha.kit import backup as b; real = b._unpack; from dataclasses import replace\n"
        "b._unpack = lambda s, t: (lambda m: replace(m, database={'database.sqlite3': 'database.dump'}.get("
        "m.database, 'database.sqlite3')))(real(s, t))",
    )  # fmt: skip
    assert said.startswith("BACKUP_VENDOR")


def test_failed_restore_leaves_the_old_book(kept, new_office):
    """恢复出来的行数不对：整个退回，原来的还在。"""
    path, _ = kept
    busy = new_office("busy")
    busy.run("from sancha.kit.models import NumberSequence; NumberSequence.objects.create(name='mine', last=1)")
    before = busy.run(DIGEST)
    said = restore(
        busy, path, ", force=True",
        before="from sancha.kit.backup import manifest as b\n"
        "def broken(*args): raise b.damaged('测试用')\nb.compare = broken",
    )  # fmt: skip
    assert said.startswith("BACKUP_DAMAGED")
    assert busy.run(DIGEST) == before


def test_backup_while_somebody_writes_is_one_moment(kept, new_office):
    """备份时有人在写：备份里是某一时刻的整体，恢复后链条与行数都对。"""
    busy = new_office("writing", migrated=False)
    restore(busy, kept[0])
    writer = busy.start(
        "from sancha.kit.models import AuditEvent; from sancha.kit import audit; from django.utils import timezone\n"
        "for n in range(120):\n"
        "    AuditEvent.objects.create(at=timezone.now(), post_code='x', operation='t', digest='')\n"
        "    audit.seal_pending()\n"
    )
    path = back_up(busy)
    out = writer.communicate(timeout=120)
    assert writer.returncode == 0, out
    fresh = new_office("fresh", migrated=False)
    assert restore(fresh, path) == "[]"
    assert json.loads(fresh.run(DIGEST))[2] is True
