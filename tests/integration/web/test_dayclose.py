"""日终控制台与不变式看板：从页面运行、进度、两个同时、预演不留痕、解除隔离。"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sancha.apps.businessday.queries import group_date
from sancha.apps.servicing.models import LoanState
from sancha.dayclose import background, engine, exclusive, invariants
from sancha.dayclose.models import CloseRun, InvariantResult
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict
from sancha.kit.models import AuditEvent
from tests.support.factories_access import County, fresh_key
from tests.support.factories_loans import Lending, open_lending

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def notes_of_this_test(settings: Any, tmp_path: Any) -> None:
    """便条与锁各测各的。"""
    settings.HOME = tmp_path


@pytest.fixture
def lending(county: County) -> Lending:
    return open_lending(county)


def lend(lending: Lending, *, start: date, periods: int = 12, at: str = "S1") -> Any:
    return lending.lend(
        Terms(start=start, principal_fen=1_200_000, rate_ppm=144_000, method=Method.LEVEL_PAYMENT, periods=periods),
        at=at,
    )


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """不另起进程，就在这里做：测试的库别的进程看不见。"""
    started: list[list[str]] = []

    class Done:
        def wait(self) -> int:
            return 0

    def spawn(arguments: list[str]) -> Any:
        started.append(arguments)
        task, number, holding, argument = arguments
        with contextlib.suppress(Conflict):
            background.perform(task, int(number), int(holding), argument)
        return Done()

    monkeypatch.setattr(background, "spawn", spawn)
    return started


def test_the_console_shows_every_step_before_any_close(as_post: Callable[..., Client]) -> None:
    text = as_post("DAYCLOSE_OPERATOR").get("/dayclose/").content.decode()
    for name in ("开日终", "借据逐笔结转", "计提入账", "封存审计链", "还没有做过日终", "运行日终", "预演"):
        assert name in text


def test_a_close_run_from_the_page_moves_the_business_date(
    as_post: Callable[..., Client], county: County, lending: Lending, in_this_process: list[list[str]]
) -> None:
    lend(lending, start=county.opened_on - timedelta(days=40))
    client = as_post("DAYCLOSE_OPERATOR")
    response = client.post("/dayclose/run/")
    assert response.status_code == 302
    assert group_date(group_id=county.group_id) == county.opened_on + timedelta(days=1)
    text = client.get("/dayclose/").content.decode()
    assert str(county.opened_on) in text
    assert "完成" in text
    operator = county.actor("DAYCLOSE_OPERATOR")
    event = AuditEvent.objects.get(operation="dayclose.run")
    assert event.person_id == operator.person_id
    assert in_this_process == [["close", str(county.group_id), str(operator.post_holding_id), str(county.opened_on)]]


def test_catching_up_goes_day_by_day(
    as_post: Callable[..., Client], county: County, lending: Lending, in_this_process: list[list[str]]
) -> None:
    until = county.opened_on + timedelta(days=2)
    as_post("DAYCLOSE_OPERATOR").post("/dayclose/run/", {"until": until.isoformat()})
    assert group_date(group_id=county.group_id) == until + timedelta(days=1)
    assert CloseRun.objects.filter(status="DONE").count() == 3


def test_catching_up_to_a_closed_day_is_refused_in_place(
    as_post: Callable[..., Client], county: County, in_this_process: list[list[str]]
) -> None:
    response = as_post("DAYCLOSE_OPERATOR").post("/dayclose/run/", {"until": str(county.opened_on - timedelta(days=1))})
    assert response.status_code == 409
    assert "DAY_ALREADY_CLOSED" in response.content.decode()
    assert in_this_process == []


def test_while_one_runs_a_second_is_refused_and_the_page_polls(as_post: Callable[..., Client], county: County) -> None:
    client = as_post("DAYCLOSE_OPERATOR")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with exclusive.only_one(exclusive.CLOSE, county.group_id):
                held.set()
                release.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        page = client.get("/dayclose/").content.decode()
        assert "every 500ms" in page
        assert "运行日终</button>" not in page
        refused = client.post("/dayclose/run/")
        assert refused.status_code == 409
        assert "DAY_CLOSE_RUNNING" in refused.content.decode()
        with pytest.raises(Conflict, match="正在进行"):
            engine.run(actor=SYSTEM, group_id=county.group_id)
        assert "HX-Refresh" not in client.get("/dayclose/progress/").headers
    finally:
        release.set()
        holder.join()
    assert client.get("/dayclose/progress/")["HX-Refresh"] == "true"
    assert group_date(group_id=county.group_id) == county.opened_on


def test_the_lock_of_a_killed_process_is_free_again(county: County, tmp_path: Any) -> None:
    code = (
        "import django,sys,time;django.setup();from sancha.dayclose import exclusive\n"
        f"with exclusive.only_one('close', {county.group_id}):\n    print('held', flush=True); time.sleep(60)"
    )
    if connection.vendor == "postgresql":
        given = connection.settings_dict
        url = f"postgresql://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    else:
        url = f"sqlite:///{tmp_path}/kill.sqlite3"
    environment = {**os.environ, "SANCHA_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "sancha.config.settings"}
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        name = connection.settings_dict["NAME"]
        if connection.vendor != "postgresql":
            connection.settings_dict["NAME"] = f"{tmp_path}/kill.sqlite3"
        try:
            assert exclusive.is_held(exclusive.CLOSE, county.group_id)
            child.kill()
            child.wait()
            for _attempt in range(100):
                if not exclusive.is_held(exclusive.CLOSE, county.group_id):
                    break
                threading.Event().wait(0.05)
            with exclusive.only_one(exclusive.CLOSE, county.group_id):
                pass
        finally:
            connection.settings_dict["NAME"] = name
    finally:
        child.kill()
        child.wait()


def test_a_stopped_close_says_where_why_and_what_to_do(
    as_post: Callable[..., Client], county: County, lending: Lending, in_this_process: list[list[str]]
) -> None:
    loan = lend(lending, start=county.opened_on - timedelta(days=40))
    state = LoanState.objects.get(pk=loan.pk)
    state.base = {**state.base, "PRINCIPAL": state.base.get("PRINCIPAL", 0) + 1}
    state.save(update_fields=["base"])
    client = as_post("DAYCLOSE_OPERATOR")
    client.post("/dayclose/run/")
    text = client.get("/dayclose/").content.decode()
    assert "停止" in text
    assert "BOOKS_DISAGREE" in text
    assert "不变式看板查明" in text
    assert 'class="failed"' in text
    # The board links the failing thing, and the same close goes on once it is mended.
    board = client.get("/dayclose/invariants/").content.decode()
    assert "tile red" in board


def test_a_process_that_broke_down_says_so(
    as_post: Callable[..., Client], county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setitem(background._TASKS, exclusive.CLOSE, broken)
    with pytest.raises(RuntimeError):
        background.perform(exclusive.CLOSE, county.group_id, 0, "")
    assert background.note(exclusive.CLOSE, county.group_id)["problem"]["code"] == "BACKGROUND_ENDED"
    assert "BACKGROUND_ENDED" in as_post("DAYCLOSE_OPERATOR").get("/dayclose/").content.decode()


def test_a_process_that_never_came_up_is_said(
    as_post: Callable[..., Client], county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        def wait(self) -> int:
            return 1

    monkeypatch.setattr(background, "spawn", lambda arguments: Dead())
    client = as_post("DAYCLOSE_OPERATOR")
    client.post("/dayclose/run/")
    for _attempt in range(100):
        if background.note(exclusive.CLOSE, county.group_id).get("ended"):
            break
        threading.Event().wait(0.05)
    text = client.get("/dayclose/").content.decode()
    assert "BACKGROUND_ENDED" in text
    assert "运行日终</button>" in text


def test_an_interrupted_close_is_named_and_goes_on(
    as_post: Callable[..., Client], county: County, in_this_process: list[list[str]]
) -> None:
    run = CloseRun.objects.create(
        group_id=county.group_id, day=county.opened_on, status="RUNNING", started_at="2026-03-02T12:00:00Z"
    )
    client = as_post("DAYCLOSE_OPERATOR")
    assert "上次没有做完就断了" in client.get("/dayclose/").content.decode()
    client.post("/dayclose/run/")
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("DONE", 2)


def test_a_rehearsal_shows_changes_and_leaves_no_trace(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    # The second instalment falls due on the day to be closed: tomorrow it is overdue.
    loan = lend(lending, start=date(2026, 2, 2))
    client = as_post("DAYCLOSE_OPERATOR")
    before = (AuditEvent.objects.count(), LoanState.objects.get(pk=loan.pk).state)
    response = client.post("/dayclose/rehearsal/")
    text = response.content.decode()
    assert response.status_code == 200
    assert "没有留下任何痕迹" in text
    assert loan.number in text
    assert "贷款余额" in text
    assert (AuditEvent.objects.count(), LoanState.objects.get(pk=loan.pk).state) == before
    assert not CloseRun.objects.exists()
    assert group_date(group_id=county.group_id) == county.opened_on


def test_the_other_legal_person_sees_its_own_day_only(as_post: Callable[..., Client]) -> None:
    text = as_post("DAYCLOSE_OPERATOR", at="GC").get("/dayclose/").content.decode()
    assert "担保中心" in text
    assert "青川县农村商业银行 ·" not in text


def test_the_board_is_checked_from_the_page(as_post: Callable[..., Client], county: County, lending: Lending) -> None:
    lend(lending, start=county.opened_on - timedelta(days=40))
    client = as_post("DAYCLOSE_OPERATOR")
    assert "还没有核对过" in client.get("/dayclose/invariants/").content.decode()
    client.post("/dayclose/invariants/check/")
    text = client.get("/dayclose/invariants/").content.decode()
    assert text.count("tile green") == len(invariants.CHECKS)
    assert "tile red" not in text


def test_everything_is_replayed_in_the_background(
    as_post: Callable[..., Client], county: County, lending: Lending, in_this_process: list[list[str]]
) -> None:
    for _n in range(3):
        lend(lending, start=county.opened_on - timedelta(days=40))
    as_post("DAYCLOSE_OPERATOR").post("/dayclose/invariants/check-all/")
    replay = InvariantResult.objects.get(code="REPLAY")
    assert (replay.ok, replay.checked) == (True, 3)
    assert background.note(exclusive.CHECK, county.group_id)["done"] == 3


def test_a_red_tile_links_the_loan_and_release_asks_for_a_reason(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    loan = lend(lending, start=county.opened_on - timedelta(days=40))
    LoanState.objects.filter(pk=loan.pk).update(held=True, held_reason="重放不符")
    supervisor = as_post("ACCOUNTING_SUPERVISOR")
    supervisor.post("/dayclose/invariants/check/")
    text = supervisor.get("/dayclose/invariants/").content.decode()
    assert "tile red" in text
    assert f"q={loan.number}" in text
    empty = supervisor.post(f"/dayclose/held/{loan.pk}/release/", {"reason": "", "submission_key": fresh_key()})
    assert empty.status_code == 422
    done = supervisor.post(
        f"/dayclose/held/{loan.pk}/release/", {"reason": "测试数据，已核对", "submission_key": fresh_key()}
    )
    assert done.status_code == 302
    assert not LoanState.objects.get(pk=loan.pk).held


def test_the_console_keeps_its_statement_budget(
    as_post: Callable[..., Client], county: County, lending: Lending
) -> None:
    client = as_post("DAYCLOSE_OPERATOR")
    engine.run(actor=SYSTEM, group_id=county.group_id)
    client.get("/dayclose/")
    with CaptureQueriesContext(connection) as one:
        client.get("/dayclose/")
    engine.run(actor=SYSTEM, group_id=county.group_id, until=county.opened_on + timedelta(days=3))
    with CaptureQueriesContext(connection) as many:
        client.get("/dayclose/")
    assert len(many) == len(one) <= 20, [q["sql"][:90] for q in many.captured_queries]
