"""预演：说得准，不留痕迹。"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.db import connection

from sancha.dayclose import engine
from sancha.kit.actor import SYSTEM
from tests.support.office import Office


def digests() -> dict[str, tuple[int, str]]:
    """全库每张表的行数与内容摘要。"""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = sorted(repr(row) for row in cursor.fetchall())
            found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


def test_a_rehearsal_leaves_no_trace_and_tells_the_truth(office: Office) -> None:
    """预演前后全库一字不差；随后真做，各步件数、汇总与预演所说相同。"""
    ids = [office.lend(office.today - timedelta(days=days)) for days in (0, 27, 28, 29, 118, 119, 120)]
    office.close(2)
    before = digests()
    told = engine.rehearse(actor=SYSTEM, group_id=office.county.group_id)
    assert digests() == before
    assert told["changed"] > 0
    assert {change["loan_id"] for change in told["changes"]} <= set(ids)
    done = engine.run(actor=SYSTEM, group_id=office.county.group_id)[0]
    assert done.day == told["day"]
    assert {code: count for code, count in done.steps.items() if code != "SEAL"} == {
        code: count for code, count in told["steps"].items() if code != "SEAL"
    }
    assert digests() != before
    after = {row.pk: row for row in map(office.row, ids)}
    for change in told["changes"]:
        row = after[change["loan_id"]]
        assert (row.loan_class, row.accrual, row.overdue_principal_fen) == (
            change["class_after"],
            change["accrual_after"],
            change["overdue_after_fen"],
        )
    assert office.problems() == []
