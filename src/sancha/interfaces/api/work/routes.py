"""任务的端点。"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import File, Query, Router
from ninja.files import UploadedFile

from sancha.apps.work import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, own_act, page_reply
from sancha.interfaces.api.shapes import Day, Done, Id, Word, page_of, query_of, reply_of

router = Router(tags=["任务"])
TaskQuery = query_of(queries.TaskFilter)


@ask(router, "/tasks", "work.view", "待办任务", reply=page_of(reply_of(queries.TaskRow)), where=TaskQuery)
def tasks(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """工作台：本岗位、范围内、已到可见日的待办，先到期者在前；``all_posts`` 看所有岗位的（须有督办权限）。"""
    caller = caller_of(request)
    found = queries.my_tasks(
        caller.actor, on=caller.business_date, filters=queries.TaskFilter(**where.model_dump()), page=paging.page, size=paging.size
    )  # fmt: skip
    return page_reply(found, paging)


@ask(router, "/tasks/counts", "work.view", "待办件数", reply=queries.KindCount, many=True)
def counts(request: HttpRequest, *, all_posts: bool = False) -> Any:
    """各类待办的件数、今日到期、逾期与无人认领。"""
    caller = caller_of(request)
    return queries.workbench_counts(caller.actor, on=caller.business_date, all_posts=all_posts)


@ask(router, "/tasks/coverage", "work.view", "任务覆盖率", reply=queries.Coverage)
def coverage(request: HttpRequest, *, kind: Word, first: Day, last: Day) -> Any:
    """某类任务在期间内应办的覆盖率：按时、迟办、逾期未办、未到期。"""
    caller = caller_of(request)
    return queries.coverage(caller.actor, kind=kind, first=first, last=last, on=caller.business_date)


@ask(router, "/tasks/{task_id}", "work.view", "一条任务", reply=queries.TaskDetail)
def task(request: HttpRequest, *, task_id: Id) -> Any:
    """任务的全貌：缘由、可选的结果、表单、填报、履历、决定、证据与签名；``may_act`` 为假时说明为什么办不了。"""
    caller = caller_of(request)
    return queries.task_detail(caller.actor, task_id, on=caller.business_date)


FREE_FORM = Spec(dict[str, Any] | None, None)
act(
    router, "/tasks/{task_id}/submit", operations.submit_task, "办理任务", fields={"data": FREE_FORM},
    example={"outcome": "APPROVED", "opinion": "材料齐全，同意放款"},
    text="办理任务：交给该种类登记的办结操作（如放款复核即入账）。``outcome`` 取自任务的 ``outcomes``；``data`` 为表单内容。",
)  # fmt: skip
act(router, "/tasks/{task_id}/claim", operations.claim_task, "认领任务")
act(router, "/tasks/{task_id}/release", operations.release_task, "退回任务")
act(router, "/tasks/{task_id}/assign", operations.assign_task, "指派任务", example={"person_id": 7})
act(
    router, "/tasks/{task_id}/comments", operations.comment_task, "留言", status=201,
    example={"text": "已电话联系，约定周五还款"},
)  # fmt: skip
act(
    router, "/tasks/{task_id}/form", operations.save_form, "暂存填报", method="PUT",
    fields={"data": Spec(dict[str, Any])},
    example={"data": {"result": "REACHED"}, "client_uuid": "5f0c2c0e-6f1b-4a53-9d1e-0a3b8a4f7c11", "base_revision": 0},
)  # fmt: skip
act(
    router, "/tasks/{task_id}/signatures", operations.sign_form, "签名", status=201,
    example={"role": "主调人", "signer": "张三", "method": "HANDWRITTEN"},
)  # fmt: skip


@own_act(router, "/tasks/{task_id}/evidence", "work.act", "附证据", reply=Done, status=201)
def evidence(
    request: HttpRequest,
    *,
    key: str,
    task_id: Id,
    file: File[UploadedFile],
    taken_at: datetime | None = None,
) -> Any:
    """附证据（multipart，栏目名 ``file``）：按内容摘要存放，同一内容在一条任务上只留一份。"""
    caller = caller_of(request)
    return operations.attach_evidence(
        actor=caller.actor, key=key, on=caller.business_date, task_id=task_id, content=file.read(), name=str(file.name or "证据")[:200],
        media_type=str(file.content_type or "application/octet-stream")[:80], taken_at=taken_at,
    )  # fmt: skip
