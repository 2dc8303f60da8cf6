"""日终与不变式的端点。只管调用者所在机构的营业日组。"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Body, Router
from pydantic import Field

from sancha.apps.businessday import queries as businessday
from sancha.dayclose import background, engine, exclusive, invariants
from sancha.interfaces.api.endpoints import Spec, ask, caller_of, own_act
from sancha.interfaces.api.shapes import body_of, record
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
        "started_at": datetime, "finished_at": datetime | None, "steps": list[StepReply],  # type: ignore[valid-type]
    },
    "一次日终：一个营业日组的一天。",
)  # fmt: skip
StatusReply = record(
    "CloseStatus",
    {"group_id": int, "business_date": date, "next_close": date, "running": bool, "runs": list[RunReply]},  # type: ignore[valid-type]
    "日终的现状。",
)
ReportReply = record(
    "CloseReport",
    {"day": date, "repeated": bool, "seconds": float, "held": int, "steps": dict[str, Any], "business_date": date},
    "一天日终的结果；``repeated`` 为真是说这天早已做完，这次什么也没做。",
)
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


@own_act(router, "/dayclose/runs", "dayclose.run", "做一天日终", reply=ReportReply, status=201)
def run(request: HttpRequest, *, key: str, body: Body[CloseBody]) -> Any:  # type: ignore[valid-type]
    """做一天日终，做完才返回。``day`` 须是待日终的那一天：写明日子，重试就不会多做一天；已经做完的日子返回当时的结果。"""
    actor = caller_of(request).actor
    group_id = group_of(actor)
    day: date = body.day
    waiting = engine.unfinished_day(group_id)
    if day < waiting:
        return _done_before(group_id, day)
    if day > waiting:
        raise Conflict(
            "DAY_NOT_NEXT", f"待日终的是 {waiting}，不是 {day}。", field="day", value=day, fix=f"请先做 {waiting}。"
        )
    report = engine.run(actor=actor, group_id=group_id, until=day)[0]
    return {
        "day": report.day,
        "repeated": False,
        "seconds": round(report.seconds, 3),
        "held": report.held,
        "steps": report.steps,
        "business_date": businessday.group_date(group_id=group_id),
    }


def _done_before(group_id: int, day: date) -> dict[str, Any]:
    for row in engine.status(group_id=group_id, limit=400):
        if row["day"] == day and row["status"] == DONE:
            steps: dict[str, int] = {}
            for step in row["steps"]:
                steps[step["code"]] = steps.get(step["code"], 0) + step["done"]
            return {
                "day": day,
                "repeated": True,
                "seconds": round(sum(step["milliseconds"] for step in row["steps"]) / 1000, 3),
                "held": len(engine.held_loans(run_id=row["id"])),
                "steps": steps,
                "business_date": businessday.group_date(group_id=group_id),
            }
    raise Conflict(
        "DAY_ALREADY_CLOSED",
        f"{day} 早于待日终的日子，台账上也没有它的日终。",
        field="day",
        value=day,
        fix="待日终的日子见 GET /dayclose。",
    )


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


@own_act(router, "/checks/runs", "dayclose.view", "核对不变式", reply=CheckRunReply)
def check(request: HttpRequest, *, key: str, body: Body[CheckBody]) -> Any:  # type: ignore[valid-type]
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
