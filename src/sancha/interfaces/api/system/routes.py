"""健康与就绪检查（不必认证）、监控指标。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from ninja import Router

from sancha import __version__
from sancha.apps.businessday import queries as businessday
from sancha.apps.servicing import queries as servicing
from sancha.apps.webhooks import queries as webhooks
from sancha.apps.work import queries as work
from sancha.dayclose import engine, invariants
from sancha.dayclose.guards import missing_guards
from sancha.interfaces.api.endpoints import ask, caller_of, open_to_all
from sancha.interfaces.api.problems import problem
from sancha.interfaces.api.shapes import list_of, present, record
from sancha.interfaces.api.system import readiness
from sancha.kit import audit, outbox
from sancha.kit.actor import Actor
from sancha.kit.clock import calendar_today

router = Router(tags=["系统"])

GroupReply = record("GroupHealth", {"code": str, "business_date": date, "age_days": int}, "一个营业日组。")
HealthReply = record(
    "Health", {"ok": bool, "version": str, "database": str, "groups": list_of(GroupReply)}, "系统是否在工作。"
)  # fmt: skip


@open_to_all
def health(request: HttpRequest) -> Any:
    """数据库连得上没有、各营业日组的营业日落后自然日几天。不必认证，不含业务数据；连不上时返回 503。"""
    if not readiness.database_reachable():
        return problem(503, "DATABASE_UNREACHABLE", "数据库连不上。", fix="请检查数据库服务与磁盘空间。")
    groups = businessday.groups()
    today = calendar_today()
    return present(
        {
            "ok": True,
            "version": __version__,
            "database": connection.vendor,
            "groups": [
                {
                    "code": group.code,
                    "business_date": group.business_date,
                    "age_days": (today - group.business_date).days,
                }
                for group in groups
            ],
        }
    )


router.add_api_operation(
    "/health", ["GET"], health, auth=None, response={200: HealthReply}, summary="健康检查", description=health.__doc__
)


CheckItem = record("ReadyCheck", {"name": str, "ok": bool, "required": bool, "detail": str}, "就绪检查的一项。")
ReadyReply = record(
    "Ready", {"ok": bool, "version": str, "checks": list_of(CheckItem)}, "能不能接业务。"
)  # fmt: skip


@open_to_all
def ready(request: HttpRequest) -> Any:
    """能不能接业务：数据库、表结构、守卫缺一不可，不齐返回 503；后台与发件箱只作提示。不必认证，不含业务数据。"""
    if not readiness.database_reachable():
        return problem(503, "DATABASE_UNREACHABLE", "数据库连不上。", fix="请检查数据库服务与磁盘空间。")
    pending = readiness.pending_migrations()
    if pending:
        shown = "、".join(pending[:5])
        return problem(
            503,
            "MIGRATIONS_PENDING",
            f"表结构不是最新的：{shown}。",
            fix="请运行 sancha serve（自动升级），或先升级再启动。",
        )
    lost = missing_guards()
    if lost:
        return problem(
            503,
            "GUARDS_MISSING",
            f"缺少只许追加的触发器：{'、'.join(lost[:5])}。",
            fix="请查明谁动过数据库，从备份或迁移恢复。",
        )
    age, lag = readiness.worker_age(), readiness.outbox_lag()
    return present(
        {
            "ok": True,
            "version": __version__,
            "checks": [
                {"name": "database", "ok": True, "required": True, "detail": connection.vendor},
                {"name": "migrations", "ok": True, "required": True, "detail": ""},
                {"name": "append_only", "ok": True, "required": True, "detail": ""},
                {
                    "name": "worker", "ok": age is not None and age <= readiness.WORKER_LATE, "required": False,
                    "detail": "从来没有心跳" if age is None else f"{age} 秒前有心跳",
                },
                {
                    "name": "outbox", "ok": lag <= readiness.OUTBOX_LATE, "required": False,
                    "detail": f"最早一条等了 {lag} 秒" if lag else "没有积压",
                },
            ],
        }
    )  # fmt: skip


router.add_api_operation(
    "/ready", ["GET"], ready, auth=None, response={200: ReadyReply}, summary="就绪检查", description=ready.__doc__
)


@ask(router, "/metrics", "dayclose.view", "监控指标", reply=str)
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus 文本格式：营业日、日终、不变式、借据合计（整数分）、待办、审计封存、发件箱、推送与后台心跳。只含调用者机构所见。"""
    caller = caller_of(request)
    lines: list[str] = []
    for name, text, samples in _gauges(caller.actor, caller.business_date):
        lines += [f"# HELP sancha_{name} {text}", f"# TYPE sancha_{name} gauge"]
        lines += [f"sancha_{name}{_labels(labels)} {value}" for labels, value in samples]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


Sample = tuple[dict[str, str], int | float]


def _one(labels: dict[str, str], value: int) -> list[Sample]:
    return [(labels, value)]


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _gauges(actor: Actor, today: date) -> list[tuple[str, str, list[Sample]]]:
    place = businessday.partition_of(institution_id=actor.institution_id or 0)
    group = next(item for item in businessday.groups() if item.id == place.group_id)
    label = {"group": group.code}
    runs = engine.status(group_id=group.id, limit=1)
    totals = servicing.loan_totals(actor=actor, where=servicing.LoanFilter(), today=today)
    age = readiness.worker_age()
    pushed = webhooks.totals(actor.institution_path)
    counts = work.workbench_counts(actor, on=today, all_posts=True)
    return [
        ("business_date_age_days", "自然日减营业日", [(label, (calendar_today() - group.business_date).days)]),
        (
            "dayclose_last_stopped", "最近一次日终是否停住（1 停住）",
            [(label, int(run["status"] == "STOPPED")) for run in runs],
        ),
        (
            "dayclose_last_seconds", "最近一次日终各步用时合计",
            [(label, sum(step["milliseconds"] for step in run["steps"]) / 1000) for run in runs],
        ),
        (
            "invariant_ok", "不变式最近一次的结果（1 绿 0 红）",
            [(label | {"code": row.code}, int(row.ok)) for row in invariants.latest(group_id=group.id)],
        ),
        *(
            (f"loans_{name}", text, _one(label, totals[name]))
            for name, text in (
                ("count", "借据笔数"), ("balance_fen", "本金余额（分）"), ("overdue_principal_fen", "逾期本金（分）"),
                ("interest_due_fen", "欠息（分）"), ("charges_due_fen", "罚息、复利、费用（分）"),
            )
        ),
        ("tasks_open", "待办任务", [(label | {"kind": item.kind}, item.open) for item in counts]),
        ("tasks_overdue", "逾期未办任务", [(label | {"kind": item.kind}, item.overdue) for item in counts]),
        ("empty_desks", "有待办而无人可办的岗位", [(label, len(work.empty_desks(on=today)))]),
        ("audit_unsealed", "尚未封存的审计事件", [({}, audit.pending_count())]),
        ("outbox_stuck", "停投的消息", [({}, len(outbox.stuck(limit=1000)))]),
        ("outbox_waiting", "未投出的消息", [({}, outbox.waiting_count())]),
        ("outbox_oldest_seconds", "最早一条未投出的消息等了几秒", [({}, readiness.outbox_lag())]),
        ("worker_heartbeat_age_seconds", "后台最近一次心跳是几秒前（从来没有则无此行）", [({}, age)] if age is not None else []),
        ("append_only_missing", "缺少的只许追加的触发器", [({}, len(missing_guards()))]),
        ("migrations_pending", "还没有应用的迁移", [({}, len(readiness.pending_migrations()))]),
        (
            "dayclose_last_done_age_days", "最近一次做完的日终距今的自然日",
            [(label, (calendar_today() - run["day"]).days) for run in runs if run["status"] == "DONE"],
        ),
        *(
            (f"webhook_{name}", text, _one(label, pushed[name]))
            for name, text in (("pending", "待送达的推送"), ("dead", "死信"), ("paused", "暂停的订阅"))
        ),
    ]  # fmt: skip
