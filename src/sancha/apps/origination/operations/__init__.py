"""申请的写操作：受理、指派、调查、审查、审批。"""

from sancha.apps.origination.operations.assigning import assign_investigators, close_assignment, decide_referral
from sancha.apps.origination.operations.collecting import compare_material, receive_material, return_material
from sancha.apps.origination.operations.deciding import (
    approve,
    close_approval,
    close_review,
    pass_review,
    turn_back,
)
from sancha.apps.origination.operations.intake import (
    accept_application,
    open_application,
    refuse_application,
    save_draft,
    withdraw_application,
)
from sancha.apps.origination.operations.surveying import (
    Observation,
    add_guarantor,
    close_survey,
    finish_survey,
    record_facts,
    reject_at_survey,
    remove_guarantor,
)
from sancha.rulebook.packs import StepType

CLOSERS = {
    StepType.ASSIGNMENT: close_assignment,
    StepType.SURVEY: close_survey,
    StepType.REVIEW: close_review,
    StepType.APPROVAL: close_approval,
}
"""每种做法的任务由谁办结；上报的任务由 ``decide_referral`` 办结。"""

__all__ = [
    "CLOSERS",
    "Observation",
    "accept_application",
    "add_guarantor",
    "approve",
    "assign_investigators",
    "close_approval",
    "close_assignment",
    "close_review",
    "close_survey",
    "compare_material",
    "decide_referral",
    "finish_survey",
    "open_application",
    "pass_review",
    "receive_material",
    "record_facts",
    "refuse_application",
    "reject_at_survey",
    "remove_guarantor",
    "return_material",
    "save_draft",
    "turn_back",
    "withdraw_application",
]
