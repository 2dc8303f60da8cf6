"""审计的端点：翻看记录，核对链条。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.access.queries import find_person, institution_tree
from sancha.interfaces.api.endpoints import Paging, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Day, Id, Word, page_of, record, reply_of
from sancha.kit import audit
from sancha.kit.audit_log import EventFilter, EventRow, events
from sancha.kit.errors import DomainError
from sancha.kit.paging import Page

router = Router(tags=["审计"])
NOBODY = 0

ChainReply = record(
    "AuditChain",
    {"head": str, "sealed": int, "unsealed": int, "missing_guards": list[str]},
    "审计链的现状：链头（序号:封条）、已封存与待封存的条数、缺少的触发器。",
)
FaultReply = record(
    "AuditFault", {"code": str, "seal_no": int, "event_id": int | None, "message": str}, "查出的第一处破坏。"
)
VerifyReply = record(
    "AuditVerification",
    {"intact": bool, "checked": int, "last_no": int, "fault": FaultReply | None},
    "逐条重算的结果。",
)


@ask(router, "/audit/events", "audit.view", "审计记录", reply=page_of(reply_of(EventRow)))
def audit_events(
    request: HttpRequest,
    *,
    username: Word = "",
    operation: Word = "",
    subject: Word = "",
    institution_id: Id | None = None,
    first: Day | None = None,
    last: Day | None = None,
    paging: Query[Paging],
) -> Any:
    """范围内的审计事件，新的在前。``subject`` 如 `loan:12`；``first``、``last`` 是自然日（含）；``institution_id`` 只看这一家。

    系统做的事没有机构，总在其中（给了 ``institution_id`` 时不在）。内容只有编号与摘要，没有个人信息。
    """
    places = {node.id for node in institution_tree(caller_of(request).actor, with_closed=True)}
    if institution_id is not None and institution_id not in places:
        nothing: Page[EventRow] = Page(rows=[], total=0, number=1, size=paging.size)
        return page_reply(nothing, paging)
    found = find_person(username) if username else None
    where = EventFilter(
        person_id=(found.id if found else NOBODY) if username else None,
        operation=operation,
        subject=subject,
        first=first,
        last=last,
        institution_ids=tuple(places) if institution_id is None else (institution_id,),
        with_system=institution_id is None,
    )
    return page_reply(events(where, page=paging.page, size=paging.size), paging)


@ask(router, "/audit/chain", "audit.view", "审计链现状", reply=ChainReply)
def chain(request: HttpRequest) -> Any:
    """链头与封存的条数；把链头抄送到别处，日后凭它发现断尾与重写。"""
    head = audit.head()
    return {
        "head": head.text,
        "sealed": head.seal_no,
        "unsealed": audit.pending_count(),
        "missing_guards": list(audit.missing_guards()),
    }


@ask(router, "/audit/verification", "audit.view", "核对审计链", reply=VerifyReply)
def verification(request: HttpRequest, *, published: Word = "") -> Any:
    """逐条重算封条，停在第一处破坏。``published`` 是过去印出的链头，带上它断尾与整链重写也查得出。"""
    try:
        against = audit.parse_head(published) if published else None
    except ValueError as wrong:
        raise DomainError(
            "HEAD_UNREADABLE", str(wrong), field="published", value=published, fix="请照日终报告上印的原样填写。"
        ) from wrong
    done = audit.verify(published=against)
    return {"intact": done.intact, "checked": done.checked, "last_no": done.last_no, "fault": done.fault}
