"""转入的端点：送件预检 → 看毛病 → 另一人同意 → 后台转入 → 对账；批量还款文件。

转入、撤回、逐笔入账都在后台做：回 202，进度看 ``GET /imports/{batch_id}/progress``。
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Body, File, Form, Query, Router
from ninja.files import UploadedFile
from pydantic import BaseModel, ConfigDict, Field

from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.operations import importing as operations
from sancha.apps.work.operations import submit_task
from sancha.dayclose import background
from sancha.dayclose.exclusive import IMPORT
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, own_act, page_reply
from sancha.interfaces.api.shapes import AsIs, Day, Done, Id, Word, page_of, record, reply_of
from sancha.kit.errors import DomainError

router = Router(tags=["转入"])
PERMISSION, IMPORT_PERMISSION, AUTHORIZE, REPAY = (
    queries.PERMISSION,
    "servicing.import",
    "servicing.authorize",
    "servicing.repay",
)
STAGED = "STAGED"
LONGEST_NAME = 200
LONGEST_TITLE = 60

ProblemRow = record(
    "ImportProblemRow",
    {
        "row_id": int, "file": str, "row": int, "role": str, "ref": str, "status": str, "status_name": str, "loan_id": int | None,
        "problems": list[dict[str, Any]],
    },
    "有毛病的一行：哪个文件、第几行、哪一栏、什么值、依据哪条规则、怎么改。",
)  # fmt: skip
DifferenceRow = record(
    "ImportDifferenceRow",
    {"row_id": int, "row": int, "ref": str, "loan_id": int | None, "number": str, "differences": list[dict[str, Any]]},
    "对账有差异的一笔：各成分文件所说、账上所有（整数分）、差异与处理。",
)
ProgressReply = record(
    "ImportProgress",
    {
        "batch_id": int, "status": str, "status_name": str, "running": bool, "stage": str, "done": int, "total": int,
        "interrupted": bool, "problem": dict[str, Any] | None,
    },
    "后台做到哪里。``running`` 为假而 ``interrupted`` 为真的，是断了：再调一次 commit（或 post）从断处接上。",
)  # fmt: skip
Accepted = record(
    "ImportAccepted",
    {"subject": str, "batch_id": int, "status": str, "progress": str},
    "已收下，后台在做；进度看 ``progress`` 那个地址。",
)


class StageForm(BaseModel):
    """送件的选择。"""

    model_config = ConfigDict(extra="forbid")
    layout: Word = Field(description="版式代码，见 GET /imports/layouts。")
    institution_id: Id = Field(description="转入到哪家机构。")
    product_id: Id | None = Field(None, description="转入到哪个产品；版式里有产品列时可不给。")
    cutover_on: Day | None = Field(None, description="切换日，缺省营业日。")
    currency: Word = Field("", description="币种，缺省取版式的。")
    basis: Word = Field("AUTO", description="依据：HISTORY 照历史，BALANCE 只按余额，AUTO 逐笔判断。")
    shift_months: int = Field(0, ge=-600, le=600, description="日期平移的月数（用旧数据演示时）。")
    create_customers: bool = Field(True, description="没有的客户是否新建。")


class RepaymentsForm(BaseModel):
    """还款文件的选择。"""

    model_config = ConfigDict(extra="forbid")
    institution_id: Id = Field(description="哪家机构的还款。")
    layout: Word = Field("sancha_repayments", description="版式代码。")


class CommitBody(BaseModel):
    """同意转入时的认可；接着做的不必给。"""

    model_config = ConfigDict(extra="forbid")
    accept_doubts: bool = Field(False, description="看过报告，认可存疑与不转入的。")
    only_good: bool = Field(False, description="有错误的留下，只转入没有错误的。")
    opinion: Word = Field("", description="复核意见。")


class PostBody(BaseModel):
    """还款文件开始入账的选择。"""

    model_config = ConfigDict(extra="forbid")
    stop_on_error: bool = Field(False, description="有一行不成立就一行也不入。")
    allow_overpayment: bool = Field(False, description="允许溢缴：多出应还的记溢缴款。")


def _accepted(batch_id: int, status: str) -> dict[str, Any]:
    return {
        "subject": f"import:{batch_id}",
        "batch_id": batch_id,
        "status": status,
        "progress": f"/api/v1/imports/{batch_id}/progress",
    }


def _source(file: UploadedFile) -> SourceFile:
    return SourceFile(name=str(file.name or "")[:LONGEST_NAME], content=file.read())


@ask(router, "/imports/layouts", PERMISSION, "版式", reply=queries.LayoutInfo, many=True)
def layouts(request: HttpRequest) -> Any:
    """可用的版式：随系统带的（三查台账、Kiva、LendingClub、SuperLender、拍拍贷），加上本机构范围里自存的。"""
    return queries.layouts(actor=caller_of(request).actor)


@ask(router, "/imports/layouts/{code}", PERMISSION, "一份版式", reply=dict[str, Any])
def layout(request: HttpRequest, *, code: Word) -> Any:
    """版式全文，供改成自己的版式。"""
    return AsIs(queries.layout_document(actor=caller_of(request).actor, code=code))


def _short_title(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """版式名称的长度在文档里面，栏目规则够不着。"""
    title = given["document"].get("name")
    if isinstance(title, str) and len(title) > LONGEST_TITLE:
        raise DomainError(
            "LAYOUT_NAME_LONG",
            f"版式名称不能超过 {LONGEST_TITLE} 个字。",
            field="document.name",
            value=title,
            fix="请缩短。",
        )
    return given


act(
    router, "/imports/layouts", operations.save_import_layout, "自存版式", status=201, fields={"document": Spec(dict[str, Any])},
    prepare=_short_title,
    example={
        "institution_id": 4,
        "document": {
            "code": "county_ledger", "name": "县行旧台账",
            "files": [{"role": "loan", "columns": [{"field": "ref", "titles": ["借据号"], "required": True}]}],
        },
    },
)  # fmt: skip


@own_act(router, "/imports/layouts/{code}", IMPORT_PERMISSION, "删去自存版式", reply=Done, method="DELETE")
def delete_layout(request: HttpRequest, *, key: str, code: Word) -> Any:
    """删去一个自存版式（连同旧版）；用它送过的批次各存着当时的全文。随系统带的删不了。"""
    caller = caller_of(request)
    return operations.delete_import_layout(actor=caller.actor, key=key, on=caller.business_date, code=code)


@own_act(router, "/imports", IMPORT_PERMISSION, "送件预检", reply=Done, status=201)
def stage(request: HttpRequest, *, key: str, where: Form[StageForm], files: File[list[UploadedFile]]) -> Any:
    """送件预检（multipart，栏目 ``files`` 可有几个文件）：读文件、认列、逐行核对、试建每一笔，报告每一处毛病；账上什么也没有动。
    有可转入的，开出复核任务（``task_id``），由送件人以外的人同意。同样的文件已转入过的，返回那一批（``existing``）。"""
    caller = caller_of(request)
    return operations.stage_import(
        actor=caller.actor,
        key=key,
        on=caller.business_date,
        files=[_source(file) for file in files],
        **where.model_dump(),
    )


@ask(router, "/imports", PERMISSION, "转入批次", reply=page_of(reply_of(queries.BatchRow)))
def batches(request: HttpRequest, *, kind: Word = "", paging: Query[Paging]) -> Any:
    """批次，新的在前。"""
    found = queries.list_batches(actor=caller_of(request).actor, kind=kind, page=paging.page, size=paging.size)
    return page_reply(found, paging)


@ask(router, "/imports/{batch_id}", PERMISSION, "一个批次", reply=queries.BatchDetail)
def batch(request: HttpRequest, *, batch_id: Id) -> Any:
    """批次：文件、选择、各规则的毛病数、进度与对账结果。"""
    return queries.batch_detail(actor=caller_of(request).actor, batch_id=batch_id)


@ask(router, "/imports/{batch_id}/problems", PERMISSION, "批次的毛病", reply=page_of(ProblemRow))
def problems(
    request: HttpRequest,
    *,
    batch_id: Id,
    code: Word = "",
    severity: Word = "",
    role: Word = "",
    paging: Query[Paging],
) -> Any:
    """有毛病的行，按文件与行号；可按规则、轻重（ERROR、DOUBT、SKIP）、类别筛。"""
    found = queries.batch_problems(
        actor=caller_of(request).actor, batch_id=batch_id, code=code, severity=severity, role=role, page=paging.page, size=paging.size
    )  # fmt: skip
    return page_reply(found, paging)


@ask(router, "/imports/{batch_id}/differences", PERMISSION, "对账差异", reply=page_of(DifferenceRow))
def differences(request: HttpRequest, *, batch_id: Id, paging: Query[Paging]) -> Any:
    """文件所说的余额与账上事实从头重放的差异，按借据。"""
    found = queries.differences(actor=caller_of(request).actor, batch_id=batch_id, page=paging.page, size=paging.size)
    return page_reply(found, paging)


@ask(router, "/imports/{batch_id}/progress", PERMISSION, "批次的进度", reply=ProgressReply)
def progress(request: HttpRequest, *, batch_id: Id) -> Any:
    """后台做到哪里：转入、对账、撤回、逐笔入账。"""
    found = queries.batch_detail(actor=caller_of(request).actor, batch_id=batch_id)
    done, total = found.progress
    note, running = background.note(IMPORT, batch_id), background.is_running(IMPORT, batch_id)
    return {
        "batch_id": batch_id,
        "status": found.row.status,
        "status_name": found.row.status_name,
        "running": running,
        "stage": note.get("stage", "") if running else "",
        "done": note.get("done", done) if running else done,
        "total": note.get("total", total) if running else total,
        "interrupted": found.row.status in {"COMMITTING", "WITHDRAWING"} and not running,
        "problem": None if running else note.get("problem"),
    }


@own_act(router, "/imports/{batch_id}/commit", AUTHORIZE, "同意转入", reply=Accepted, status=202)
def commit(request: HttpRequest, *, key: str, batch_id: Id, body: Body[CommitBody]) -> Any:
    """同意转入（即办结「存量转入复核」任务，送件人自己办不了），后台分批入账；断了的、没入成的再调一次接着做。"""
    caller = caller_of(request)
    who: dict[str, Any] = {"actor": caller.actor, "key": key, "on": caller.business_date}
    detail = queries.batch_detail(actor=caller.actor, batch_id=batch_id)
    if detail.row.status == STAGED and detail.task_id is not None:
        done = submit_task(
            **who,
            task_id=detail.task_id,
            outcome="APPROVED",
            opinion=body.opinion,
            data={"accept_doubts": body.accept_doubts, "only_good": body.only_good},
        )
    else:
        done = operations.resume_import(**who, batch_id=batch_id)
    return _accepted(batch_id, done["status"])


act(router, "/imports/{batch_id}/recheck", operations.recheck_import, "重新预检")
act(router, "/imports/{batch_id}/cancel", operations.cancel_import, "放弃批次", example={"reason": "送错文件"})
act(router, "/imports/{batch_id}/reconcile", operations.reconcile_import, "重新对账")
act(
    router, "/imports/{batch_id}/withdraw", operations.request_import_withdrawal, "申请撤回批次",
    example={"reason": "版式选错，整批重来"},
)  # fmt: skip
act(
    router, "/imports/rows/{row_id}/adjustments", operations.propose_import_adjustment, "录入差异调整", status=201,
    example={"component": "principal", "reason": "原系统 10 月有一笔 100 元未列入还款文件"},
)  # fmt: skip
act(
    router, "/imports/{batch_id}/layout", operations.save_batch_layout, "另存批次的版式", status=201,
    example={"code": "county_ledger", "name": "县行旧台账"},
)  # fmt: skip


@own_act(router, "/imports/repayments", REPAY, "还款文件送件预检", reply=Done, status=201)
def repayments(request: HttpRequest, *, key: str, where: Form[RepaymentsForm], file: File[UploadedFile]) -> Any:
    """还款文件送件预检（multipart，栏目 ``file``）：文件一行一笔，逐行核对，账上什么也没有动；毛病看
    ``GET /imports/{batch_id}/problems``。同一文件再送，入过账的返回那一批（``existing``）。"""
    caller = caller_of(request)
    return operations.stage_repayments(
        actor=caller.actor, key=key, on=caller.business_date, file=_source(file), **where.model_dump()
    )


@own_act(router, "/imports/{batch_id}/post", REPAY, "还款文件入账", reply=Accepted, status=202)
def post(request: HttpRequest, *, key: str, batch_id: Id, body: Body[PostBody]) -> Any:
    """看过预检，后台逐笔入账，每行有结果；一行不成不碍别的行。断了的、没入成的再调一次，已入账的不再入。"""
    caller = caller_of(request)
    done = operations.begin_repayments(
        actor=caller.actor, key=key, on=caller.business_date, batch_id=batch_id, **body.model_dump()
    )
    return _accepted(batch_id, done["status"])
