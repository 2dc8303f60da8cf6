"""申请的查询：受理台账、一案的全貌、事实与缺口、裁定、建议与批复。语句数与案子大小无关。"""

from sancha.apps.origination.authorities import Signer, signers
from sancha.apps.origination.elements import Elements, asked, elements_of, going_rate
from sancha.apps.origination.facts import askable_at, asked_at, definition_of, guarantor_kinds
from sancha.apps.origination.investigators import offered
from sancha.apps.origination.queries.case import (
    ApprovalInfo,
    CaseView,
    ExceptionInfo,
    FactCell,
    GuarantorInfo,
    MaterialInfo,
    ProposalInfo,
    RulingInfo,
    application_labels,
    case_materials,
    decided_now,
    find_application,
    intake_questions,
    proposed_elements,
    ruling_info,
    stage_now,
    view_case,
    waiting_task,
)
from sancha.apps.origination.queries.register import (
    ApplicationFilter,
    ApplicationRow,
    channel_choices,
    list_applications,
    state_choices,
)
from sancha.apps.origination.ruling import decide, foresee

__all__ = [
    "ApplicationFilter",
    "ApplicationRow",
    "ApprovalInfo",
    "CaseView",
    "Elements",
    "ExceptionInfo",
    "FactCell",
    "GuarantorInfo",
    "MaterialInfo",
    "ProposalInfo",
    "RulingInfo",
    "Signer",
    "application_labels",
    "askable_at",
    "asked",
    "asked_at",
    "case_materials",
    "channel_choices",
    "decide",
    "decided_now",
    "definition_of",
    "elements_of",
    "find_application",
    "foresee",
    "going_rate",
    "guarantor_kinds",
    "intake_questions",
    "list_applications",
    "offered",
    "proposed_elements",
    "ruling_info",
    "signers",
    "stage_now",
    "state_choices",
    "view_case",
    "waiting_task",
]
