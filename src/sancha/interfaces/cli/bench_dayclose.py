"""日终测速：造一本种子固定的账（12 期按月等额，5% 逾期），测清淡日、平常日、结息日，并与同样写入量的裸 SQL 相比。

在专用的空库里做：SQLite 是临时文件，PostgreSQL 是临时新建的库（用 SANCHA_DATABASE_URL 的服务器），测完即删。
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from datetime import date
from typing import Any
from urllib.parse import urlsplit, urlunsplit

DAY = date(2026, 6, 10)
# 代码 → (名称, 当日有事件的比例)
SCENES = {"quiet": ("清淡日", 0.02), "normal": ("平常日", 0.05), "due": ("结息日", 1.0)}


def measure(*, loans: int, seed: int, keep: bool, quiet: bool, scenes: list[str] | None = None) -> dict[str, Any]:
    """造库、造账、逐个场景测；``scenes`` 只测其中几个。"""
    url, drop = _scratch_database()
    os.environ["SANCHA_DATABASE_URL"] = url
    from sancha.interfaces.cli.main import start_django

    start_django()
    from django.core.management import call_command
    from django.db import connection

    try:
        call_command("migrate", verbosity=0, interactive=False)
        results = []
        world = _world()
        for index, code in enumerate(scenes or SCENES):
            name, share = SCENES[code]
            results.append(_scene(world, name, share, loans, seed + index, quiet))
        return {
            "database": connection.vendor,
            "loans": loans,
            "scenes": results,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    finally:
        connection.close()
        if not keep:
            drop()


def _scratch_database() -> tuple[str, Any]:
    url = os.environ.get("SANCHA_DATABASE_URL", "")
    if not url.startswith("postgres"):
        folder = tempfile.TemporaryDirectory(prefix="sancha-bench-")
        return f"sqlite:///{folder.name}/bench.sqlite3", folder.cleanup
    import psycopg

    parts = urlsplit(url)
    name = f"sancha_bench_{os.getpid()}"
    admin = url

    def execute(sql: str) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql)

    execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(parts._replace(path=f"/{name}")), lambda: execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _world() -> dict[str, Any]:
    """一家机构、一个营业日组、科目与产品。"""
    from sancha.apps.access import operations as access
    from sancha.apps.businessday import operations as businessday
    from sancha.apps.ledger import operations as ledger
    from sancha.apps.parties import operations as parties
    from sancha.apps.products import operations as products
    from sancha.kit.actor import SYSTEM

    opened = date(2026, 1, 1)
    head = access.open_institution(
        actor=SYSTEM, key="bench-ho", on=opened, code="HO", name="测速银行", kind="HEAD_OFFICE", parent_id=None
    )["institution_id"]
    group = businessday.open_group(
        actor=SYSTEM, key="bench-group", on=opened, code="BENCH", name="测速", business_date=DAY
    )
    businessday.assign_institution(
        actor=SYSTEM, key="bench-assign", on=opened, institution_id=head, partition_id=group["partition_ids"][0]
    )
    ledger.adopt_chart(actor=SYSTEM, key="bench-chart", template="BANK", on=opened)
    installed = products.install_samples(actor=SYSTEM, key="bench-products", on=opened)["installed"]
    party = parties.register_party(
        actor=SYSTEM,
        key="bench-party",
        on=opened,
        kind="FARMER",
        name="测速客户",
        id_kind="OTHER",
        id_number="BENCH1",
        institution_id=head,
    )["party_id"]
    return {
        "institution_id": head,
        "group_id": group["group_id"],
        "partition_id": group["partition_ids"][0],
        "product_id": next(iter(installed.values())),
        "party_id": party,
    }


def _scene(world: dict[str, Any], name: str, share: float, loans: int, seed: int, quiet: bool) -> dict[str, Any]:
    from django.db import connection

    from sancha.apps.servicing import benchmark
    from sancha.apps.servicing import dayclose as servicing
    from sancha.dayclose import engine
    from sancha.kit.actor import SYSTEM

    day = _today(world)
    started = time.perf_counter()
    benchmark.build(world, loans=loans, share=share, seed=seed, day=day)
    built = time.perf_counter() - started
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    events = servicing.count_due(partition_id=world["partition_id"], day=day)
    report = engine.run(actor=SYSTEM, group_id=world["group_id"], chunk=2000)[0]
    floor = benchmark.floor(partition_id=world["partition_id"], day=day)
    core = sum(report.step_seconds.get(code, 0.0) for code in ("LOANS", "ACCRUE"))
    result: dict[str, Any] = {
        "scene": name,
        "day": day,
        "loans": loans,
        "events": events,
        "seconds": round(report.seconds, 2),
        "core_seconds": round(core, 2),
        "floor_seconds": round(floor, 2),
        "ratio": round(core / floor, 1) if floor else None,
        "loans_per_second": round(loans / report.seconds),
        "steps": {code: round(seconds, 2) for code, seconds in report.step_seconds.items()},
        "tasks": report.steps.get("FOLLOW_UP", 0),
        "held": report.held,
        "build_seconds": round(built, 1),
    }
    if not quiet:
        print(
            f"{name}：{loans} 笔，事件 {events} 笔，日终 {result['seconds']} 秒，{result['loans_per_second']} 笔/秒，"
            f"隔离 {report.held}；逐笔与计提 {result['core_seconds']} 秒，裸 SQL 下限 {result['floor_seconds']} 秒，"
            f"比 {result['ratio']}"
        )
        print("    " + " ".join(f"{code} {seconds}s" for code, seconds in result["steps"].items()))
    # Each scene has its own book: the next one starts empty (the ledger keeps its vouchers; they are not per loan).
    benchmark.clear()
    return result


def _today(world: dict[str, Any]) -> date:
    from sancha.apps.businessday import queries

    return queries.group_date(group_id=world["group_id"])
