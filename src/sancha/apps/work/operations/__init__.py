"""任务的写操作：开出、指派、填报、办结；记录决定与经手；检查职责分离。"""

from sancha.apps.work.operations.assigning import assign_task, claim_task, comment_task, release_task
from sancha.apps.work.operations.closing import (
    cancel_other_occurrences,
    cancel_tasks,
    close_task,
    record_decision,
    replace_task,
    submit_task,
)
from sancha.apps.work.operations.erasing import erase_reports, erase_tasks, move_tasks
from sancha.apps.work.operations.evidence import attach_evidence, evidence_path, keep_evidence
from sancha.apps.work.operations.filling import ensure_form, publish_form, save_form, sign_form
from sancha.apps.work.operations.raising import TaskSpec, raise_task, raise_tasks
from sancha.apps.work.operations.second_person import (
    APPROVED,
    RETURNED,
    ask_second_person,
    cancel_check,
    close_check,
    rehearsal,
    require_maker,
    second_check,
    subject_to_check,
)
from sancha.apps.work.operations.separation import check_separation, record_involvement, record_involvements

__all__ = [
    "APPROVED",
    "RETURNED",
    "TaskSpec",
    "ask_second_person",
    "assign_task",
    "attach_evidence",
    "cancel_check",
    "cancel_other_occurrences",
    "cancel_tasks",
    "check_separation",
    "claim_task",
    "close_check",
    "close_task",
    "comment_task",
    "ensure_form",
    "erase_reports",
    "erase_tasks",
    "evidence_path",
    "keep_evidence",
    "move_tasks",
    "publish_form",
    "raise_task",
    "raise_tasks",
    "record_decision",
    "record_involvement",
    "record_involvements",
    "rehearsal",
    "release_task",
    "replace_task",
    "require_maker",
    "save_form",
    "second_check",
    "sign_form",
    "subject_to_check",
    "submit_task",
]
