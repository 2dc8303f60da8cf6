"""风险名单的端点。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.parties import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Id, body_of, done, list_of, page_of, query_of, reply_of

router = Router(tags=["风险名单"])
RiskQuery = query_of(queries.RiskFilter)
EXAMPLE = {
    "cause": "FALSE_INFORMATION", "effect": "REFUSE", "evidence": "提交的收入证明经单位核实系伪造，见回函",
    "hearing": "2026年2月20日面谈，本人承认找人代开", "valid_from": "2026-03-02", "valid_to": "2028-03-02",
    "name": "王秀兰", "id_kind": "RESIDENT_ID", "id_number": "11010519491231002X",
}  # fmt: skip


@ask(router, "/risks", "parties.view", "风险名单", reply=page_of(reply_of(queries.RiskRow)), where=RiskQuery)
def risks(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """范围内提出的与法院名单，新的在前；证件号码已遮蔽。"""
    filters = queries.RiskFilter(**where.model_dump())
    found = queries.list_risks(actor=caller_of(request).actor, filters=filters, page=paging.page, size=paging.size)
    return page_reply(found, paging)


@ask(router, "/parties/{party_id}/risks", "parties.view", "客户命中的名单", reply=queries.RiskHit, many=True)
def hits_of(request: HttpRequest, *, party_id: Id) -> Any:
    """这位客户今天命中的名单，不限机构；不予办理的在前，没有命中返回空数组。"""
    caller = caller_of(request)
    party = queries.party_in_scope(caller.actor, party_id)
    return queries.hits(on=caller.business_date, party_id=party.pk)


act(
    router,
    "/risks",
    operations.propose_risk_entry,
    "提出列入名单",
    reply=done("RiskProposed", entry_id=int, task_id=int),
    status=201,
    example=EXAMPLE,
)
act(
    router,
    "/risks/{entry_id}/reviews",
    operations.request_risk_review,
    "异议与申请解除",
    reply=done("RiskReviewAsked", review_id=int, task_id=int),
    status=201,
    example={"kind": "OBJECTION", "statement": "证明是真的，附单位复函"},
)
CourtBody = body_of(
    "CourtListRow",
    {"name": Spec(str), "id_number": Spec(str), "case": Spec(str), "published_on": Spec(str)},
)
act(
    router,
    "/risks/court-list",
    operations.import_court_list,
    "转入法院失信名单",
    fields={"rows": Spec(list_of(CourtBody))},
    example={
        "source_on": "2026-03-01",
        "complete": True,
        "rows": [
            {
                "name": "王秀兰",
                "id_number": "11010519491231002X",
                "case": "（2025）川0822执1号",
                "published_on": "2025-06-01",
            }
        ],
    },
)
