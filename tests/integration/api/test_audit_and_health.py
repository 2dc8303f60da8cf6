"""审计的端点、就绪检查与监控指标：说的是真的——弄坏一处，就说那一处。"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from sancha.kit import audit, heartbeat, outbox
from sancha.kit.actor import SYSTEM
from sancha.kit.models import AuditEvent, Heartbeat, Outbox
from sancha.kit.operation import write_audit
from tests.support.api_client import Api, assert_problem
from tests.support.factories_access import County

pytestmark = pytest.mark.django_db


def test_events_are_filtered_paged_and_kept_within_the_scope(county: County) -> None:
    cashier, other = county.actor("CASHIER"), county.actor("CASHIER", at="S9")
    for number in range(3):
        write_audit(actor=cashier, operation="test.did", subject=f"loan:{number}")
    write_audit(actor=other, operation="test.did", subject="loan:9")
    write_audit(actor=SYSTEM, operation="test.did", subject="loan:0")
    api = Api(county.actor("AUDITOR"))
    every = api.get("/audit/events?operation=test.did&size=2").json()
    assert (every["total"], len(every["items"]), every["items"][0]["subject"]) == (5, 2, "loan:0")
    assert api.get("/audit/events?subject=loan:0&operation=test.did").json()["total"] == 2
    assert api.get(f"/audit/events?operation=test.did&institution_id={county.ids['S9']}").json()["total"] == 1
    username = "cashier.s1.1"
    assert api.get(f"/audit/events?operation=test.did&username={username}").json()["total"] == 3
    assert api.get("/audit/events?username=nobody").json()["total"] == 0
    assert api.get("/audit/events?first=2020-01-01&last=2020-12-31").json()["total"] == 0
    # The auditor of another tree sees the system's own, and nothing of this bank.
    gc = Api(county.actor("AUDITOR", at="GC"))
    assert [row["institution_id"] for row in gc.get("/audit/events?operation=test.did").json()["items"]] == [None]
    assert gc.get(f"/audit/events?institution_id={county.ids['S1']}").json()["total"] == 0
    assert_problem(Api(cashier).get("/audit/events"), 403, "PERMISSION_DENIED")


def test_the_chain_is_told_and_a_cut_tail_is_found(county: County) -> None:
    write_audit(actor=SYSTEM, operation="test.did", subject="x:1")
    api = Api(county.actor("AUDITOR"))
    assert api.get("/audit/chain").json()["unsealed"] > 0
    audit.seal_pending()
    chain = api.get("/audit/chain").json()
    assert (chain["unsealed"], chain["missing_guards"]) == (0, [])
    good = api.get(f"/audit/verification?published={chain['head']}").json()
    assert (good["intact"], good["checked"], good["fault"]) == (True, chain["sealed"], None)
    ahead = f"{chain['sealed'] + 5}:{'a' * 64}"
    cut = api.get(f"/audit/verification?published={ahead}").json()
    assert (cut["intact"], cut["fault"]["code"]) == (False, "TAIL_CUT")
    assert_problem(api.get("/audit/verification?published=12"), 422, "HEAD_UNREADABLE")
    assert AuditEvent.objects.count() >= chain["sealed"]


def checks(api: Api) -> dict[str, bool]:
    return {row["name"]: row["ok"] for row in api.get("/ready").json()["checks"]}


def test_ready_tells_the_truth_about_the_worker_and_the_outbox(county: County) -> None:
    stranger = Api(None)
    assert checks(stranger)["worker"] is False, "no worker has ever beaten"
    heartbeat.beat(heartbeat.WORKER)
    Outbox.objects.all().delete()
    assert checks(stranger) == dict.fromkeys(("database", "migrations", "append_only", "worker", "outbox"), True)
    Heartbeat.objects.update(at=outbox.now() - timedelta(minutes=5))
    outbox.record("x.y", {})
    Outbox.objects.update(recorded_at=outbox.now() - timedelta(hours=1))
    assert (checks(stranger)["worker"], checks(stranger)["outbox"]) == (False, False)


def test_not_ready_when_a_migration_is_missing(county: County) -> None:
    MigrationRecorder.Migration.objects.filter(app="servicing", name="0002_guards").delete()
    problem = assert_problem(Api(None).get("/ready"), 503, "MIGRATIONS_PENDING")
    assert "servicing.0002_guards" in problem["detail"]


def test_not_ready_when_a_guard_is_gone(county: County) -> None:
    on_table = " ON servicing_loanfact" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER servicing_loanfact_no_update{on_table}")
    problem = assert_problem(Api(None).get("/ready"), 503, "GUARDS_MISSING")
    assert "servicing_loanfact_no_update" in problem["detail"]


def test_metrics_say_how_old_things_are(county: County) -> None:
    api = Api(county.actor("ADMINISTRATOR"))
    Outbox.objects.all().delete()
    assert "\nsancha_worker_heartbeat_age_seconds" not in api.get("/metrics").content.decode()
    heartbeat.beat(heartbeat.WORKER)
    Heartbeat.objects.update(at=outbox.now() - timedelta(seconds=90))
    outbox.record("x.y", {})
    Outbox.objects.update(recorded_at=outbox.now() - timedelta(seconds=600))
    lines = dict(
        line.rsplit(" ", 1) for line in api.get("/metrics").content.decode().splitlines() if not line.startswith("#")
    )
    assert 90 <= int(lines["sancha_worker_heartbeat_age_seconds"]) < 120
    assert 600 <= int(lines["sancha_outbox_oldest_seconds"]) < 630
    assert (lines["sancha_outbox_waiting"], lines["sancha_append_only_missing"]) == ("1", "0")
    assert lines['sancha_webhook_paused{group="BANK"}'] == "0"
