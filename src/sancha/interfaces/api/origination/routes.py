"""申请的端点：受理台账、一案、裁定、谁能批，与各步的办理；退回、否决、上报的决定办任务（``/tasks``）。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from sancha.apps.origination import operations, queries
from sancha.interfaces.api.endpoints import Paging, Spec, act, ask, caller_of, page_reply
from sancha.interfaces.api.shapes import (
    Day,
    Id,
    Word,
    dataclass_body,
    done,
    list_of,
    page_of,
    query_of,
    record,
    reply_of,
)

router = Router(tags=["申请"])
ApplicationQuery = query_of(queries.ApplicationFilter)
ElementsBody = dataclass_body(queries.Elements)
ObservationBody = dataclass_body(operations.Observation)
PROPOSED = {
    "amount": "50000.00", "term_count": 12, "term_unit": "MONTH", "method": "LEVEL_PAYMENT", "guarantee": "GUARANTEE",
    "rate_ppm": 144000,
}  # fmt: skip
FactReply = reply_of(queries.FactCell, without=["definition"], name="CaseFact")
GuarantorReply = reply_of(queries.GuarantorInfo, without=["facts"], name="CaseGuarantor", facts=list_of(FactReply))
CaseReply = record(
    "ApplicationCase",
    {
        "application": reply_of(queries.ApplicationRow), "facts": list_of(FactReply), "guarantors": list_of(GuarantorReply),
        "rulings": list_of(reply_of(queries.RulingInfo)), "exceptions": list_of(reply_of(queries.ExceptionInfo)),
        "proposals": list_of(reply_of(queries.ProposalInfo)), "approval": reply_of(queries.ApprovalInfo) | None,
        "unverified": list[str],
    },
    "一案：要素、事实与由来、保证人、历次裁定、例外、建议、批复；``unverified`` 是只凭自述的事实。",
)  # fmt: skip
QuestionReply = record(
    "CaseQuestion", {"code": str, "name": str, "unit": str, "choices": dict[str, Any], "ask": str}, "申请表要问的一项。"
)
DecidedReply = record(
    "CaseRuling",
    {
        "outcome": str, "outcome_name": str, "effect_name": str, "limit_fen": int | None, "missing": list[Any], "verdicts": list[Any],
    },
    "此刻的裁定：逐条规则、依据、所据事实、还缺什么、最少改什么。不留底。",
)  # fmt: skip
Opened = done("ApplicationOpened", application_id=int, number=str)
Moved = done("ApplicationMoved", application_id=int)


@ask(
    router, "/applications", "origination.view", "受理台账", reply=page_of(reply_of(queries.ApplicationRow)),
    where=ApplicationQuery,
)  # fmt: skip
def applications(request: HttpRequest, *, where: Any, paging: Query[Paging]) -> Any:
    """范围内的每一次询问，新的在前。"""
    filters = queries.ApplicationFilter(**where.model_dump())
    found = queries.list_applications(
        actor=caller_of(request).actor, filters=filters, page=paging.page, size=paging.size
    )
    return page_reply(found, paging)


@ask(router, "/applications/questions", "origination.receive", "申请表要问的事实", reply=QuestionReply, many=True)
def questions(request: HttpRequest, *, program: Word, on: Day | None = None) -> Any:
    """某项目某日（缺省营业日）受理环节的规则要问的全部事实；填写的栏目名就是它的代码。"""
    day = on or caller_of(request).business_date
    return [
        {"code": fact.code, "name": fact.name, "unit": fact.unit, "choices": dict(fact.choices), "ask": fact.ask}
        for fact in queries.intake_questions(program, day)
    ]


@ask(router, "/applications/{application_id}", "origination.view", "一案", reply=CaseReply)
def application(request: HttpRequest, *, application_id: Id) -> Any:
    """一案的全貌。"""
    caller = caller_of(request)
    view = queries.view_case(actor=caller.actor, application_id=application_id, on=caller.business_date)
    return {
        "application": view.row,
        "facts": view.facts,
        "guarantors": view.guarantors,
        "rulings": view.rulings,
        "exceptions": view.exceptions,
        "proposals": view.proposals,
        "approval": view.approval,
        "unverified": [cell.code for cell in view.gaps],
    }


@ask(
    router, "/applications/{application_id}/materials", "origination.view", "材料清单", reply=queries.MaterialInfo,
    many=True,
)  # fmt: skip
def materials(request: HttpRequest, *, application_id: Id) -> Any:
    """本案要的材料、收了哪些、核对了没有；说不准要不要的写向谁要什么事实。"""
    caller = caller_of(request)
    return queries.case_materials(actor=caller.actor, application_id=application_id, on=caller.business_date)


@ask(router, "/applications/{application_id}/ruling", "origination.view", "此刻的裁定", reply=DecidedReply)
def ruling(request: HttpRequest, *, application_id: Id) -> Any:
    """对着此刻的事实求裁定：草稿看受理，调查看审查，其余看所在的一步。"""
    caller = caller_of(request)
    return queries.decided_now(actor=caller.actor, application_id=application_id, on=caller.business_date)


@ask(
    router, "/applications/{application_id}/signers", "origination.view", "谁今天能批", reply=queries.Signer, many=True
)
def signers(request: HttpRequest, *, application_id: Id) -> Any:
    """审批岗上的人各自的结论：能批的凭哪一份授权，不能的为什么；要素取最近一份建议。"""
    caller = caller_of(request)
    row = queries.find_application(caller.actor, application_id)
    chosen = queries.proposed_elements(row, on=caller.business_date)
    return queries.signers(row, chosen, on=caller.business_date)


act(
    router,
    "/applications",
    operations.open_application,
    "登记询问",
    fields={"typed": Spec(dict[str, str])},
    reply=Opened,
    status=201,
    example={
        "program": "S11", "party_id": 1, "product_id": 1, "channel": "COUNTER",
        "typed": {"purpose": "购买羊羔", "amount": "50000", "household.laborers": "2"}, "alone": False,
    },
)  # fmt: skip
act(
    router,
    "/applications/{application_id}/draft",
    operations.save_draft,
    "存草稿",
    method="PUT",
    fields={"typed": Spec(dict[str, str])},
    reply=Opened,
    example={"channel": "REMOTE", "typed": {"purpose": "购买羊羔", "amount": "50000"}},
)
act(
    router,
    "/applications/{application_id}/accept",
    operations.accept_application,
    "受理",
    reply=done("ApplicationAccepted", application_id=int, number=str, state=str, task_id=int, ruling_id=int),
)
act(
    router,
    "/applications/{application_id}/refuse",
    operations.refuse_application,
    "不予受理",
    reply=done("ApplicationRefused", application_id=int, number=str, reason=str, ruling_id=int),
    example={"reason": "没有有效证件"},
)
act(
    router,
    "/applications/{application_id}/withdraw",
    operations.withdraw_application,
    "申请人撤回",
    reply=Opened,
    example={"reason": "已从别处借到"},
)
act(
    router,
    "/applications/{application_id}/investigators",
    operations.assign_investigators,
    "指派调查",
    without=["task_id"],
    reply=Moved,
    example={"lead_id": 3, "assistant_id": 4, "instruction": "三日内入户"},
)
act(
    router,
    "/applications/{application_id}/facts",
    operations.record_facts,
    "记事实",
    fields={"observations": Spec(list_of(ObservationBody))},
    reply=done("FactsRecorded", application_id=int, recorded=int),
    status=201,
    example={
        "observations": [
            {"code": "household.laborers", "text": "2", "evidence": "SEEN", "reference": "户口簿", "guarantor_id": None}
        ]
    },
)
act(
    router,
    "/applications/{application_id}/guarantors",
    operations.add_guarantor,
    "登记保证人",
    reply=done("GuarantorAdded", application_id=int, guarantor_id=int),
    status=201,
    example={"party_id": 2, "kind": "FARMER"},
)
act(
    router,
    "/applications/{application_id}/guarantors/{guarantor_id}/removal",
    operations.remove_guarantor,
    "撤换保证人",
    reply=done("GuarantorRemoved", application_id=int, guarantor_id=int),
    example={"reason": "有不良记录"},
)
act(
    router,
    "/applications/{application_id}/survey",
    operations.finish_survey,
    "提交审查",
    without=["task_id"],
    fields={"proposed": Spec(ElementsBody)},
    reply=Moved,
    example={"proposed": PROPOSED, "opinion": "经双人实地调查，用途真实。", "conditions": ["保证人面签"]},
)
act(
    router,
    "/applications/{application_id}/survey/rejection",
    operations.reject_at_survey,
    "调查后建议拒绝",
    without=["task_id"],
    reply=Moved,
    example={"opinion": "隐瞒外债"},
)
act(
    router,
    "/applications/{application_id}/review",
    operations.pass_review,
    "审查通过",
    without=["task_id"],
    reply=Moved,
    example={"opinion": "资料完整、合规，拟同意。", "conditions": []},
)
act(
    router,
    "/applications/{application_id}/approval",
    operations.approve,
    "批准",
    without=["task_id"],
    fields={"chosen": Spec(ElementsBody | None, None), "conditions": Spec(list[str] | None, None)},
    reply=done("ApplicationApproved", application_id=int, approval_id=int, expires_on=str),
    example={"chosen": PROPOSED, "opinion": "同意", "conditions": ["保证人面签"]},
)
for path, operation, summary, example in (
    ("materials", operations.receive_material, "收材料", {"code": "id_card", "compared": True}),
    ("materials/comparison", operations.compare_material, "与原件核对", {"code": "id_card"}),
    ("materials/return", operations.return_material, "退还材料", {"code": "id_card", "reason": "复印不清"}),
):
    act(
        router,
        f"/applications/{{application_id}}/{path}",
        operation,
        summary,
        reply=done("MaterialDone", application_id=int, material_id=int),
        example={**example, "guarantor_id": None},
    )
