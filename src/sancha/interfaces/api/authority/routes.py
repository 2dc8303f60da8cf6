"""授权的端点：授权书、谁今天能批、信贷员的资格与停权；授权稿的复核办任务（``/tasks``）。"""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from sancha.apps.authority import operations, queries
from sancha.interfaces.api.endpoints import act, ask, caller_of
from sancha.interfaces.api.shapes import Id, Word, done
from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kit.errors import DomainError

router = Router(tags=["授权"])
Drafted = done("MandateDrafted", draft_id=int, task_id=int)


@ask(router, "/mandates", "authority.view", "授权书", reply=queries.MandateInfo, many=True)
def mandates(request: HttpRequest) -> Any:
    """范围内的授权书，有效的在前。"""
    caller = caller_of(request)
    return queries.list_mandates(actor=caller.actor, on=caller.business_date)


@ask(router, "/mandates/board", "authority.view", "谁今天能批", reply=queries.BoardRow, many=True)
def board(
    request: HttpRequest,
    *,
    institution_id: Id,
    program: Word,
    product: Word,
    guarantee: Word,
    amount: Word,
    months: Annotated[int, Field(ge=1, le=360)],
    repeat: bool = False,
) -> Any:
    """某机构某项目某产品的一笔：审批岗上的人各自能不能批、为什么。``amount`` 是元的十进制字符串。"""
    caller = caller_of(request)
    return queries.board(
        actor=caller.actor, institution_id=institution_id, program=program, product=product, guarantee=guarantee,
        amount_fen=_fen(amount), months=months, repeat=repeat, on=caller.business_date,
    )  # fmt: skip


def _fen(amount: str) -> int:
    try:
        return parse_yuan(amount)
    except MoneyError as wrong:
        raise DomainError("AMOUNT_INVALID", str(wrong), field="amount", value=amount, fix="如 50000.00。") from wrong


@ask(router, "/officers", "authority.view", "信贷员的资格与停权", reply=queries.OfficerStanding, many=True)
def officers(request: HttpRequest) -> Any:
    """范围内的信贷员：证书、停权、能不能调查新贷款。"""
    caller = caller_of(request)
    return queries.officer_roll(actor=caller.actor, posts=queries.OFFICER_POSTS, on=caller.business_date)


act(
    router,
    "/mandates",
    operations.propose_mandate,
    "起草授权书",
    reply=Drafted,
    status=201,
    example={
        "institution_id": 3, "post_code": "APPROVER", "program": "S11", "max": "50000.00", "max_months": 12,
        "valid_from": "2026-03-02", "reason": "总行授权书〔2026〕3号",
    },
)  # fmt: skip
act(
    router,
    "/mandates/{mandate_id}/revocation",
    operations.propose_revocation,
    "起草收回授权书",
    reply=Drafted,
    status=201,
    example={"valid_to": "2026-06-01", "reason": "不良上升"},
)
act(
    router,
    "/officers/{person_id}/certificates",
    operations.issue_certificate,
    "发上岗资格证书",
    reply=done("CertificateIssued", certificate_id=int, number=str),
    status=201,
    example={
        "theory_days": 7, "practice_days": 21, "theory_passed_on": "2026-01-20", "practice_passed_on": "2026-02-20",
        "valid_to": "2029-01-01",
    },
)  # fmt: skip
act(
    router,
    "/officers/{person_id}/suspension",
    operations.suspend_officer,
    "暂停贷前调查",
    reply=done("OfficerSuspended", suspension_id=int),
    status=201,
    example={"cause": "VIOLATION", "reason": "代客户签字"},
)
act(
    router,
    "/suspensions/{suspension_id}/resumption",
    operations.resume_officer,
    "恢复贷前调查",
    reply=done("OfficerResumed", suspension_id=int),
    example={"reason": "不良率回落到 2.1%，抽查属实"},
)
