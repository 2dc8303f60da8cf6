"""客户的端点。"""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from sancha.apps.parties import operations, queries
from sancha.apps.servicing import queries as servicing
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.servicing.presenting import LoanRowReply
from sancha.interfaces.api.shapes import (
    Day,
    Id,
    Word,
    body_of,
    done,
    list_of,
    page_of,
    query_of,
    record,
    reply_of,
    specs_of,
    text_of,
)

router = Router(tags=["客户"])
PartyQuery = query_of(queries.PartyFilter)
PERSON = {
    "kind": "FARMER", "name": "王秀兰", "id_kind": "RESIDENT_ID", "id_number": "11010519491231002X", "phone": "13800005678",
    "address": "四川省青川县乔庄镇 1 号", "industry_code": "A0111", "industry_name": "稻谷种植",
}  # fmt: skip


@ask(router, "/parties", "parties.view", "客户清单", reply=page_of(reply_of(queries.PartyRow)), where=PartyQuery)
def parties(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """范围内的客户（遮蔽），新建的在前。"""
    filters = queries.PartyFilter(**where.model_dump())
    found = queries.list_parties(actor=caller_of(request).actor, filters=filters, page=paging.page, size=paging.size)
    return page_reply(found, paging)


@ask(router, "/parties/search", "parties.view", "查找客户", reply=queries.PartyRow, many=True)
def search(request: HttpRequest, *, text: Word, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> Any:
    """按姓名片段（两个字就够）、客户号、完整证件号或电话查找，越像越靠前。"""
    return queries.search(actor=caller_of(request).actor, text=text, limit=limit)


LookupBody = body_of(
    "PartyLookupBody",
    {"id_kind": Spec(str), "id_number": Spec(str)},
    example={"id_kind": "RESIDENT_ID", "id_number": "11010519491231002X"},
)


@ask(
    router,
    "/parties/lookup",
    "parties.view",
    "凭证件号查人",
    reply=queries.PartyRow,
    many=True,
    method="POST",
    body=LookupBody,
)
def lookup(request: HttpRequest, *, body: Any) -> Any:
    """凭完整证件号查人，不限机构：一个人在全系统只有一档。证件号在正文里，不进网址与日志；查不到返回空数组。"""
    found = queries.find_by_id_number(actor=caller_of(request).actor, id_kind=body.id_kind, id_number=body.id_number)
    return [found] if found else []


@ask(router, "/parties/{party_id}", "parties.view", "客户一档", reply=queries.PartyDetail)
def party(request: HttpRequest, *, party_id: Id) -> Any:
    """客户主档（遮蔽）、联系方式、在期关系与信用档案。"""
    caller = caller_of(request)
    return queries.party_detail(actor=caller.actor, party_id=party_id, on=caller.business_date)


@ask(router, "/parties/{party_id}/loans", "servicing.view", "客户名下的借据", reply=LoanRowReply, many=True)
def loans_of(request: HttpRequest, *, party_id: Id) -> Any:
    """客户在范围内的全部借据，新的在前。"""
    caller = caller_of(request)
    queries.party_in_scope(caller.actor, party_id)
    return servicing.loans_of_party(actor=caller.actor, party_id=party_id, today=caller.business_date)


PartyBody = body_of("PartyRowBody", specs_of(operations.register_party))
ChangesBody = body_of(
    "PartyChangesBody",
    {name: Spec(spec.hint, None) for name, spec in specs_of(operations.register_party).items()},
)
ChangesBody.only_given = True

act(
    router,
    "/parties",
    operations.register_party,
    "登记客户",
    reply=done("PartyDone", party_id=int, number=str, existing=bool),
    status=201,
    example=PERSON,
)
act(
    router,
    "/parties/batch",
    operations.register_parties,
    "批量登记客户",
    fields={"rows": Spec(list_of(PartyBody))},
    example={"rows": [PERSON], "all_or_nothing": True},
)
act(
    router,
    "/parties/{party_id}",
    operations.amend_party,
    "变更客户资料",
    method="PATCH",
    fields={"changes": Spec(ChangesBody)},
    example={"changes": {"phone": "13900001234"}, "reason": "客户来电告知换号", "source": "CLAIMED"},
)
act(
    router,
    "/parties/{party_id}/reveal",
    operations.reveal_party,
    "查看明文",
    example={"fields": ["id_number", "phone"], "reason": "办理放款面签核对身份"},
    text="查看明文：先记下谁为什么看，再给明文。栏目：id_number、birth、phone、address、contacts。",
)
act(
    router,
    "/parties/{party_id}/contacts",
    operations.add_contact,
    "添联系方式",
    reply=done("ContactDone", contact_id=int, shown=str),
    status=201,
    example={"channel": "MOBILE", "value": "13900001234", "holder": "本人"},
)
act(
    router,
    "/parties/{party_id}/relations",
    operations.add_relation,
    "添关系",
    reply=done("RelationDone", relation_id=int),
    status=201,
    example={"other_id": 2, "kind": "SPOUSE", "valid_from": "2020-05-01", "note": "户口簿"},
)
act(
    router,
    "/parties/{party_id}/relations/{relation_id}/end",
    operations.end_relation,
    "结束关系",
    example={"valid_to": "2026-03-01", "reason": "离婚，见离婚证"},
)
act(
    router,
    "/parties/{party_id}/entries",
    operations.record_fact,
    "记入信用档案",
    reply=done("EntryDone", entry_id=int),
    status=201,
    fields={"content": Spec(dict[str, Any]), "note": Spec(text_of(500), "")},
    example={
        "topic": "household.income",
        "content": {"yearly": "80000.00", "basis": "走访"},
        "source": "SEEN",
        "note": "三户邻居印证",
    },
)


@ask(router, "/parties/{party_id}/relations", "parties.view", "某日的关系", reply=queries.RelationRow, many=True)
def relations(request: HttpRequest, *, party_id: Id, on: Day | None = None, known_on: Day | None = None) -> Any:
    """某日在期的关系，两个方向都算；``known_on`` 给出时只用那天及以前录入的。"""
    caller = caller_of(request)
    queries.party_in_scope(caller.actor, party_id)
    return queries.relations_of(party_id=party_id, on=on or caller.business_date, known_on=known_on)


HoldReply = record(
    "ErasureHold",
    {"kind": str, "text": str, "clause": str, "until": Day | None},
    "删除个人信息的一件妨碍。",
)
RequestDone = done("PartyRequestDone", request_id=int, task_id=int)


@ask(router, "/parties/{party_id}/erasure-holds", "parties.view", "删除的妨碍", reply=HoldReply, many=True)
def erasure_holds(request: HttpRequest, *, party_id: Id) -> Any:
    """现在删除这位客户的个人信息，有什么挡着：未了的借据与担保、没满的保存期（``until`` 最早可删之日）。空数组即可以申请。"""
    caller = caller_of(request)
    party = queries.party_in_scope(caller.actor, party_id)
    found = queries.holds_on_party(party, on=caller.business_date)
    return [{"kind": hold.kind, "text": hold.text, "clause": hold.clause, "until": hold.until} for hold in found]


@ask(router, "/parties/{party_id}/requests", "parties.view", "删除与合并的记录", reply=queries.RequestInfo, many=True)
def requests(request: HttpRequest, *, party_id: Id) -> Any:
    """这位客户（连同并入他的旧档）的删除与合并：谁申请、谁复核、为什么、依哪条、各处办了几行。"""
    party = queries.party_in_scope(caller_of(request).actor, party_id)
    return queries.requests_of(party.pk)


act(
    router,
    "/parties/{party_id}/erasure",
    operations.request_erasure,
    "申请删除个人信息",
    reply=RequestDone,
    status=201,
    example={"ground": "CONSENT_WITHDRAWN", "reason": "本人书面撤回同意"},
)
act(
    router,
    "/parties/{survivor_id}/merge",
    operations.request_merge,
    "申请合并客户",
    reply=RequestDone,
    status=201,
    example={"duplicate_id": 2, "reason": "同一人先后凭护照、身份证建档"},
)


@ask(router, "/parties/{party_id}/household", "parties.view", "某日的家庭", reply=queries.HouseholdInfo, many=True)
def household(request: HttpRequest, *, party_id: Id, on: Day | None = None) -> Any:
    """这位客户某日所在的户：成员与劳动力数。不在任何一户返回空数组。"""
    caller = caller_of(request)
    found = queries.find_household(actor=caller.actor, party_id=party_id, on=on or caller.business_date)
    return [found] if found else []


act(
    router,
    "/households",
    operations.open_household,
    "立户",
    reply=done("HouseholdDone", household_id=int, number=str, member_id=int),
    status=201,
    example={"head_id": 1, "valid_from": "2020-05-01", "labors": True, "book_number": "510822001"},
)
act(
    router,
    "/households/{household_id}/members",
    operations.add_household_member,
    "添家庭成员",
    reply=done("HouseholdMemberDone", member_id=int),
    status=201,
    example={"name": "王小明", "role": "CHILD", "labors": False, "valid_from": "2020-05-01"},
)
act(
    router,
    "/households/{household_id}/members/{member_id}/end",
    operations.end_household_member,
    "成员离户",
    reply=done("HouseholdMemberEnded", member_id=int),
    example={"valid_to": "2026-03-01", "reason": "结婚分户另过"},
)


@ask(router, "/parties/{party_id}/information-gap", "parties.view", "信息缺口", reply=queries.InformationGap)
def information_gap(request: HttpRequest, *, party_id: Id) -> Any:
    """信用档案里一共几件事，哪几件只凭本人自述（CUS-15）。"""
    caller = caller_of(request)
    party = queries.party_in_scope(caller.actor, party_id)
    return queries.information_gap(party.pk, on=caller.business_date)
