"""机构与岗位的端点。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.access import operations, queries
from sancha.apps.access.obstacles import obstacles_to_closing
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import Id, Word, done, page_of, record, reply_of, text_of
from sancha.rulebook.posts import Post, permission_names, posts

router = Router(tags=["机构与岗位"])

Me = record(
    "Me",
    {
        "person_id": int | None,
        "name": str,
        "post_code": str,
        "post_name": str,
        "institution_id": int | None,
        "institution_name": str,
        "business_date": date,
        "permissions": list[str],
    },
    "调用者的身份：以哪个岗位、在哪家机构、能做什么。",
)
PostReply = reply_of(Post)
HistoryReply = record(
    "HoldingRecord",
    {"holding": queries.HoldingInfo, "booked_on": date, "recorded_by_id": int | None},
    "一条任职记录（含被盖过的）。",
)


@ask(router, "/me", "access.self", "我是谁", reply=Me)
def me(request: HttpRequest) -> dict[str, Any]:
    """调用者的岗位身份、所在机构的营业日与全部权限：程序启动时先看这里。"""
    caller = caller_of(request)
    actor = caller.actor
    institution = queries.institutions_by_id([actor.institution_id] if actor.institution_id else [])
    return {
        "person_id": actor.person_id,
        "name": actor.name,
        "post_code": actor.post_code,
        "post_name": posts()[actor.post_code].name if actor.post_code in posts() else actor.post_code,
        "institution_id": actor.institution_id,
        "institution_name": institution[actor.institution_id].name if actor.institution_id in institution else "",
        "business_date": caller.business_date,
        "permissions": sorted(actor.permissions & set(permission_names())),
    }


@ask(router, "/institutions", "access.view", "机构树", reply=queries.InstitutionInfo, many=True)
def institutions(request: HttpRequest, *, with_closed: bool = False) -> Any:
    """范围内的机构，先根后枝、同级按设立先后；``with_closed`` 连撤销的也列。"""
    return queries.institution_tree(caller_of(request).actor, with_closed=with_closed)


@ask(router, "/institutions/{institution_id}", "access.view", "一家机构", reply=queries.InstitutionInfo)
def institution(request: HttpRequest, *, institution_id: Id) -> Any:
    """范围内的一家机构。"""
    return queries.require_institution(caller_of(request).actor, institution_id)


act(
    router,
    "/institutions",
    operations.open_institution,
    "设立机构",
    fields={"phone": Spec(text_of(40), "")},
    reply=done("InstitutionDone", institution_id=int, path=str),
    status=201,
    example={
        "code": "S3",
        "name": "东河支行",
        "kind": "TIER2_SUB_BRANCH",
        "parent_id": 4,
        "address": "东河街 8 号",
        "phone": "0839-7200001",
    },
)
act(
    router,
    "/institutions/{institution_id}",
    operations.edit_institution,
    "修改机构",
    method="PUT",
    fields={"phone": Spec(text_of(40), "")},
    example={"name": "东河支行", "address": "东河街 8 号", "phone": "0839-7200001"},
)
act(router, "/institutions/{institution_id}/move", operations.move_institution, "划转机构", example={"parent_id": 3})
act(router, "/institutions/{institution_id}/close", operations.close_institution, "撤销机构")
ObstacleReply = record("Obstacle", {"kind": str, "text": str}, "撤销机构的一件妨碍。")


@ask(
    router,
    "/institutions/{institution_id}/obstacles",
    "access.view",
    "撤销机构的妨碍",
    reply=ObstacleReply,
    many=True,
)
def obstacles(request: HttpRequest, *, institution_id: Id) -> Any:
    """现在撤销这家机构，有什么挡着：下级、任职、借据、现金与挂账、待办。空数组即可以撤。"""
    caller = caller_of(request)
    queries.require_institution(caller.actor, institution_id)
    found = obstacles_to_closing(institution_id=institution_id, on=caller.business_date)
    return [{"kind": item.kind, "text": item.text} for item in found]


KindReply = record("InstitutionKind", {"code": str, "name": str}, "机构类别。")


@ask(router, "/institution-kinds", "access.view", "机构类别", reply=KindReply, many=True)
def institution_kinds(request: HttpRequest) -> Any:
    """机构类别的代码与中文名。"""
    return [{"code": code, "name": name} for code, name in queries.institution_kinds()]


@ask(router, "/people", "access.view", "人员", reply=page_of(reply_of(queries.PersonInfo)))
def people(
    request: HttpRequest,
    *,
    text: Word = "",
    institution_id: Id | None = None,
    active: bool | None = None,
    paging: Query[Paging],
) -> Any:
    """范围内的人员及其当日任职；``text`` 查姓名、用户名、工号，``institution_id`` 含下级。"""
    caller = caller_of(request)
    found = queries.list_people(
        caller.actor,
        on=caller.business_date,
        text=text,
        institution_id=institution_id,
        active=active,
        page=paging.page,
        size=paging.size,
    )
    return page_reply(found, paging)


@ask(router, "/people/{person_id}", "access.view", "一位人员", reply=queries.PersonInfo)
def person(request: HttpRequest, *, person_id: Id) -> Any:
    """范围内的一个人及其当日任职。"""
    caller = caller_of(request)
    return queries.person_detail(caller.actor, person_id, on=caller.business_date)


@ask(router, "/people/{person_id}/holdings", "access.view", "任职记录", reply=HistoryReply, many=True)
def holdings(request: HttpRequest, *, person_id: Id) -> Any:
    """某人全部任职记录，含被盖过的，连同录入的营业日与录入人。"""
    caller = caller_of(request)
    queries.person_detail(caller.actor, person_id, on=caller.business_date)
    return [
        {"holding": holding, "booked_on": booked_on, "recorded_by_id": by}
        for holding, booked_on, by in queries.holding_history(person_id)
    ]


act(
    router,
    "/people",
    operations.add_person,
    "添加人员",
    reply=done("PersonDone", person_id=int, username=str, password=str | None),
    status=201,
    without=["password", "must_change_password", "generated"],
    example={"username": "li.min", "name": "李敏", "institution_id": 4, "employee_no": "0107", "phone": "13800001111"},
    text="添加人员。随机生成的首次密码 ``password`` 只在这一次响应里出现；首次登录须改。重试（同一幂等键）不再给出密码。",
)
act(
    router,
    "/people/{person_id}",
    operations.edit_person,
    "修改人员",
    method="PUT",
    example={"name": "李敏", "institution_id": 4, "employee_no": "0107", "phone": "13800001112"},
)
act(
    router,
    "/people/{person_id}/reset-password",
    operations.reset_password,
    "重置密码",
    without=["generated"],
    text="重置密码：随机新密码 ``password`` 只在这一次响应里出现；旧会话全部失效，下次登录须改。",
)
act(router, "/people/{person_id}/deactivate", operations.deactivate_person, "停用人员")
act(router, "/people/{person_id}/reactivate", operations.reactivate_person, "恢复人员")
act(
    router,
    "/people/{person_id}/holdings",
    operations.grant_post,
    "授予岗位",
    reply=done("HoldingDone", holding_id=int),
    status=201,
    example={"institution_id": 4, "post_code": "LOAN_OFFICER", "valid_from": "2026-03-02"},
)
act(router, "/holdings/{holding_id}/end", operations.end_post, "结束任职", example={"valid_to": "2026-06-30"})


@ask(router, "/posts", "access.view", "岗位目录", reply=PostReply, many=True)
def post_catalog(request: HttpRequest) -> Any:
    """全部岗位：可设在哪类机构、职责、权限与出处。"""
    return list(posts().values())


@ask(router, "/tokens", "access.view", "接口令牌", reply=page_of(reply_of(queries.TokenInfo)))
def tokens(request: HttpRequest, *, paging: Query[Paging]) -> Any:
    """范围内人员的接口令牌，新签发的在前；没有明文，也没有摘要。"""
    return page_reply(queries.list_tokens(caller_of(request).actor, page=paging.page, size=paging.size), paging)


act(
    router,
    "/tokens",
    operations.issue_token,
    "签发令牌",
    reply=done("TokenDone", token_id=int, token=str | None),
    status=201,
    without=["generated"],
    example={"holding_id": 12, "name": "核心系统对接", "expires_on": "2027-03-01"},
    text="签发接口令牌，绑定一段任职。明文 ``token`` 只在这一次响应里出现，库里只有带钥摘要。",
)
act(router, "/tokens/{token_id}/revoke", operations.revoke_token, "撤销令牌")
