"""日终与不变式的端点。只管调用者所在机构的营业日组。"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from sancha.apps.businessday import queries as businessday
from sancha.dayclose import background, engine, exclusive, invariants
from sancha.dayclose.pipeline import PIPELINE
from sancha.interfaces.api.endpoints import Spec, ask, caller_of, own_act
from sancha.interfaces.api.shapes import Day, body_of, list_of, record
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, NotFound

router = Router(tags=["日终"])
DONE = "DONE"

StepReply = record(
    "CloseStep",
    {
        "code": str, "name": str, "partition_id": int | None, "status": str, "done": int, "total": int, "milliseconds": int, "message": str,
    },
    "日终的一步。",
)  # fmt: skip
RunReply = record(
    "CloseRun",
    {
        "id": int, "group_id": int, "day": date, "status": str, "status_name": str, "attempts": int, "message": str,
        "started_at": datetime, "finished_at": datetime | None, "steps": list_of(StepReply),
    },
    "一次日终：一个营业日组的一天。",
)  # fmt: skip
StatusReply = record(
    "CloseStatus",
    {"group_id": int, "business_date": date, "next_close": date, "running": bool, "runs": list_of(RunReply)},
    "日终的现状。",
)
ProgressReply = record(
    "CloseProgress",
    {
        "day": date, "state": str, "repeated": bool, "business_date": date, "steps_done": int, "steps_total": int, "held": int,
        "run": RunReply | None, "problem": dict[str, Any] | None, "url": str,
    },
    "一天日终做到哪里：``state`` 为 WAITING 未开始、STARTING 正在起、RUNNING 在做、DONE 做完、STOPPED 停住（原因在 ``problem``）。",
)  # fmt: skip
RehearsalReply = record(
    "Rehearsal",
    {
        "day": date, "seconds": float, "steps": dict[str, Any], "before": dict[str, Any], "after": dict[str, Any],
        "changes": list[dict[str, Any]], "changed": int, "held": int,
    },
    "预演：做一遍再全部退回，说出会发生什么。",
)  # fmt: skip
CheckReply = record(
    "Invariant",
    {"code": str, "name": str, "ok": bool, "checked": int, "milliseconds": int, "problems": list[str], "on_day": date, "at": datetime},
    "一项不变式的结果。",
)  # fmt: skip
CheckRunReply = record("CheckRun", {"ok": bool, "findings": list[dict[str, Any]], "started": bool}, "一次核对。")
HeldReply = record("HeldLoan", {"run_id": int, "loan_id": int, "reason": str, "at": datetime}, "日终时隔离的借据。")


def group_of(actor: Actor) -> int:
    """操作人所在机构的营业日组。

    :raises NotFound: 机构还没有归入营业日组。
    """
    if actor.institution_id is None:
        raise NotFound("NOT_IN_GROUP", "没有所在机构。")
    return businessday.partition_of(institution_id=actor.institution_id).group_id


@ask(router, "/dayclose", "dayclose.view", "日终现状", reply=StatusReply)
def status(request: HttpRequest, *, limit: Annotated[int, Field(ge=1, le=400)] = 30) -> Any:
    """营业日、下一个待日终的日子、是否正在跑，以及最近若干天的各步骤。"""
    group_id = group_of(caller_of(request).actor)
    return {
        "group_id": group_id,
        "business_date": businessday.group_date(group_id=group_id),
        "next_close": engine.unfinished_day(group_id),
        "running": background.is_running(exclusive.CLOSE, group_id),
        "runs": engine.status(group_id=group_id, limit=limit),
    }


@ask(router, "/dayclose/held-loans", "dayclose.view", "日终隔离的借据", reply=HeldReply, many=True)
def held_loans(request: HttpRequest, *, run_id: Annotated[int, Field(ge=1, le=2**63 - 1)]) -> Any:
    """某次日终隔离的借据与原因。"""
    group_id = group_of(caller_of(request).actor)
    if run_id not in {row["id"] for row in engine.status(group_id=group_id, limit=400)}:
        raise NotFound(
            "CLOSE_NOT_FOUND",
            f"没有编号为 {run_id} 的日终。",
            field="run_id",
            value=run_id,
            fix="编号见 GET /dayclose。",
        )
    return engine.held_loans(run_id=run_id)


CloseBody = body_of("CloseBody", {"day": Spec(date)}, example={"day": "2026-03-02"})


@own_act(router, "/dayclose/runs", "dayclose.run", "做一天日终", reply=ProgressReply, status=202, body=CloseBody)
def run(request: HttpRequest, *, key: str, body: Any) -> Any:
    """另起进程做一天日终，当场返回 202 与进度的网址 ``url``，逐步看 `GET /dayclose/runs/{day}`。

    ``day`` 须是待日终的那一天：写明日子，重试就不会多做一天；正在做的、已经做完的那天返回它的进度（``repeated`` 为真）。
    """
    actor = caller_of(request).actor
    group_id = group_of(actor)
    day: date = body.day
    waiting = engine.unfinished_day(group_id)
    if day > waiting:
        raise Conflict(
            "DAY_NOT_NEXT", f"待日终的是 {waiting}，不是 {day}。", field="day", value=day, fix=f"请先做 {waiting}。"
        )
    if day < waiting or _is_closing(group_id, day):
        return progress_of(group_id, day) | {"repeated": True}
    background.start_close(actor=actor, group_id=group_id, until=day)
    return progress_of(group_id, day)


def _is_closing(group_id: int, day: date) -> bool:
    """正在做的就是（或会做到）这一天。"""
    until = background.note(exclusive.CLOSE, group_id).get("until", "")
    return background.is_running(exclusive.CLOSE, group_id) and until >= day.isoformat()


@ask(router, "/dayclose/runs/{day}", "dayclose.view", "一天日终的进度", reply=ProgressReply)
def progress(request: HttpRequest, *, day: Day) -> Any:
    """这一天做到第几步、各步的件数与用时、停住的原因；半秒问一次也无妨。

    :raises NotFound: 台账上没有这天的日终，也不是待日终的那一天。
    """
    return progress_of(group_of(caller_of(request).actor), day)


def progress_of(group_id: int, day: date) -> dict[str, Any]:
    """进度。

    :raises NotFound: 没有这天。
    """
    row = next((row for row in engine.status(group_id=group_id, limit=400) if row["day"] == day), None)
    waiting = engine.unfinished_day(group_id)
    if row is None and day != waiting:
        raise NotFound(
            "CLOSE_NOT_FOUND", f"台账上没有 {day} 的日终。", field="day", value=day,
            fix=f"待日终的是 {waiting}；已做的见 GET /dayclose。",
        )  # fmt: skip
    running = background.is_running(exclusive.CLOSE, group_id)
    note = background.note(exclusive.CLOSE, group_id)
    partitions = next(len(group.partitions) for group in businessday.groups() if group.id == group_id)
    if row is not None and row["status"] == DONE:
        state = DONE
    elif running:
        state = "RUNNING" if row else "STARTING"
    else:
        state = "STOPPED" if row or note.get("problem") else "WAITING"
    problem = note.get("problem") if state == "STOPPED" else None
    return {
        "day": day,
        "state": state,
        "repeated": False,
        "business_date": businessday.group_date(group_id=group_id),
        "steps_done": sum(step["status"] == DONE for step in row["steps"]) if row else 0,
        "steps_total": sum(partitions if step.per_partition else 1 for step in PIPELINE),
        "held": len(engine.held_loans(run_id=row["id"])) if row else 0,
        "run": row,
        "problem": problem
        or ({"code": "DAY_CLOSE_STOPPED", "message": row["message"]} if row and state == "STOPPED" else None),
        "url": f"/api/v1/dayclose/runs/{day}",
    }


@ask(router, "/dayclose/rehearsal", "dayclose.view", "日终预演", reply=RehearsalReply, method="POST")
def rehearse(request: HttpRequest) -> Any:
    """预演：在必定回滚的事务里把待日终的那天做一遍，报告会发生的变化，不留任何痕迹。"""
    actor = caller_of(request).actor
    return engine.rehearse(actor=actor, group_id=group_of(actor))


@ask(router, "/checks", "dayclose.view", "不变式看板", reply=CheckReply, many=True)
def checks(request: HttpRequest) -> Any:
    """每项不变式的最近结果：绿或红，红的列出对象。"""
    rows = invariants.latest(group_id=group_of(caller_of(request).actor))
    return [{name: getattr(row, name) for name in CheckReply.model_fields} for row in rows]


CheckBody = body_of("CheckBody", {"everything": Spec(bool, False)}, example={"everything": False})


@own_act(router, "/checks/runs", "dayclose.view", "核对不变式", reply=CheckRunReply, body=CheckBody)
def check(request: HttpRequest, *, key: str, body: Any) -> Any:
    """独立审计一遍，当场返回；``everything`` 连全部借据都重放，另起进程去做（``started``），结果看 `GET /checks`。"""
    actor = caller_of(request).actor
    group_id = group_of(actor)
    if body.everything:
        background.start_check(actor=actor, group_id=group_id)
        return {"ok": True, "findings": [], "started": True}
    with exclusive.only_one(exclusive.CHECK, group_id):
        findings = invariants.check(group_id=group_id)
    return {
        "ok": all(finding.ok for finding in findings),
        "findings": findings,
        "started": False,
    }
