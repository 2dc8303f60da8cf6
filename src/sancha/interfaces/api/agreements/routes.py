"""签约与放款的端点：签约卷、面签、作废重出、条件、送放款；放款复核办任务（``/tasks``）。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.agreements import operations, queries
from sancha.interfaces.api.endpoints import Paging, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Id, done, page_of, query_of, reply_of

router = Router(tags=["签约放款"])
FileQuery = query_of(queries.FileFilter)
Signed = done("PaperSigned", file_id=int, signature_id=int, paper=str)


@ask(
    router, "/agreements", "agreements.view", "签约放款清单", reply=page_of(reply_of(queries.FileRow)), where=FileQuery
)
def files(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """范围内的签约卷，新的在前。"""
    caller = caller_of(request)
    found = queries.list_files(
        actor=caller.actor, filters=queries.FileFilter(**where.model_dump()), on=caller.business_date,
        page=paging.page, size=paging.size,
    )  # fmt: skip
    return page_reply(found, paging)


@ask(router, "/agreements/{file_id}", "agreements.view", "一卷", reply=queries.FileView)
def file(request: HttpRequest, *, file_id: Id) -> Any:
    """一卷的全貌：文书与签字、条件、离放款还差什么。"""
    caller = caller_of(request)
    return queries.view_file(actor=caller.actor, file_id=file_id, on=caller.business_date)


act(
    router,
    "/agreements/{file_id}/papers/{paper_id}/signatures",
    operations.sign_paper,
    "记面签",
    reply=Signed,
    status=201,
    example={
        "capacity": "BORROWER", "signer": "王秀兰", "second_witness_id": 4, "place": "柳溪支行面签室", "terms_read": True,
    },
)  # fmt: skip
act(
    router,
    "/agreements/{file_id}/papers/{paper_id}/redrawing",
    operations.redraw_paper,
    "作废重出",
    reply=done("PaperRedrawn", file_id=int, numbers=list[str]),
    example={"reason": "账号写错"},
)
act(
    router,
    "/agreements/{file_id}/conditions/{condition_id}",
    operations.meet_condition,
    "落实放款条件",
    method="PUT",
    reply=done("ConditionMet", file_id=int, condition_id=int),
    example={"proof": "保单 PICC-2026-001"},
)
act(
    router,
    "/agreements/{file_id}/lending",
    operations.send_to_lend,
    "送放款",
    reply=done("SentToLend", file_id=int, loan_id=int, number=str, task_id=int),
    example={"amount": "50000.00", "term_count": 12, "rate_ppm": 144000, "contract_number": "（2026）S1借字第000001号"},
)
