"""接线：任务种类与办结操作、事件与订阅者——全系统唯一的对照表。"""

from __future__ import annotations

from sancha.apps.access.obstacles import register_closing_guard, register_moving_guard, register_opening_step
from sancha.apps.agreements import customers as signers
from sancha.apps.agreements.approved import register_gate
from sancha.apps.authority.kinds import MANDATE_CHECK
from sancha.apps.authority.operations import decide_mandate
from sancha.apps.businessday.operations import crosses_groups, join_parent_partition
from sancha.apps.cashdesk.kinds import PAYMENT_CHECK
from sancha.apps.cashdesk.operations import decide_payment_order
from sancha.apps.cashdesk.queries import unfinished_money_reason
from sancha.apps.ledger.kinds import VOUCHER_CHECK
from sancha.apps.ledger.operations import decide_manual_voucher
from sancha.apps.origination import operations as origination
from sancha.apps.origination.customers import erase_applicant, move_applications
from sancha.apps.origination.customers import holds_on_erasure as holds_of_applications
from sancha.apps.origination.lending import recheck_before_lending
from sancha.apps.origination.queries import find_application
from sancha.apps.origination.steps import ROOT as APPLICATION_ROOT
from sancha.apps.origination.steps import step_kinds
from sancha.apps.parties.departing import register_eraser, register_hold_finder, register_mover
from sancha.apps.parties.exposure import register_exposure_source
from sancha.apps.parties.kinds import ERASURE_CHECK, MERGE_CHECK, RISK_CHECK, RISK_REVIEW_CHECK
from sancha.apps.parties.operations import decide_erasure, decide_merge, decide_risk_entry, decide_risk_review
from sancha.apps.products.kinds import PRODUCT_CHECK
from sancha.apps.products.operations import decide_draft
from sancha.apps.recovery.kinds import FOLLOW_UP
from sancha.apps.servicing import events as loan_events
from sancha.apps.servicing.customers import erase_customer, holds_on_erasure, move_loans
from sancha.apps.servicing.exposures import exposures
from sancha.apps.servicing.kinds import ADJUSTMENT_CHECK
from sancha.apps.servicing.operations import importing
from sancha.apps.servicing.operations.adjusting import adjust_loan
from sancha.apps.servicing.operations.booking import BOOKING_CHECK, authorize_booking
from sancha.apps.servicing.queries import find_loan, live_loans_reason
from sancha.apps.webhooks.kinds import PAUSED
from sancha.apps.webhooks.operations import settle_paused
from sancha.apps.webhooks.subscribers import enqueue
from sancha.apps.work import events as task_events
from sancha.apps.work.kinds import register_closer, register_kind, register_root
from sancha.apps.work.queries import open_tasks_reason
from sancha.dayclose import background
from sancha.dayclose import events as day_events
from sancha.kit.actor import Actor
from sancha.kit.outbox import Subscriber


def connect() -> None:
    """登记全部任务种类与办结操作；重复调用无妨。"""
    register_kind(BOOKING_CHECK)
    register_closer(BOOKING_CHECK.code, authorize_booking)
    for kind, closer in importing.CHECKS:
        register_kind(kind)
        register_closer(kind.code, closer)
    importing.register_runner(background.start_import)
    register_kind(VOUCHER_CHECK)
    register_closer(VOUCHER_CHECK.code, decide_manual_voucher)
    register_kind(PAYMENT_CHECK)
    register_closer(PAYMENT_CHECK.code, decide_payment_order)
    register_kind(ADJUSTMENT_CHECK)
    register_closer(ADJUSTMENT_CHECK.code, adjust_loan)
    register_kind(ERASURE_CHECK)
    register_closer(ERASURE_CHECK.code, decide_erasure)
    register_kind(MERGE_CHECK)
    register_closer(MERGE_CHECK.code, decide_merge)
    register_kind(RISK_CHECK)
    register_closer(RISK_CHECK.code, decide_risk_entry)
    register_kind(RISK_REVIEW_CHECK)
    register_closer(RISK_REVIEW_CHECK.code, decide_risk_review)
    register_hold_finder(holds_on_erasure)
    register_eraser(erase_customer)
    register_mover(move_loans)
    register_exposure_source(exposures)
    register_kind(PRODUCT_CHECK)
    register_closer(PRODUCT_CHECK.code, decide_draft)
    register_kind(MANDATE_CHECK)
    register_closer(MANDATE_CHECK.code, decide_mandate)
    register_kind(FOLLOW_UP)
    register_kind(PAUSED)
    register_closer(PAUSED.code, settle_paused)
    register_closing_guard("loan", live_loans_reason)
    register_closing_guard("money", unfinished_money_reason)
    register_closing_guard("task", open_tasks_reason)
    register_root("loan", _loan_in_scope)
    for kind, step_type in step_kinds():
        register_kind(kind)
        register_closer(kind.code, origination.CLOSERS[step_type] if step_type else origination.decide_referral)
    register_root(APPLICATION_ROOT, find_application)
    register_gate(recheck_before_lending)
    register_hold_finder(signers.holds_on_erasure)
    register_eraser(signers.erase_signer)
    register_mover(signers.move_files)
    register_hold_finder(holds_of_applications)
    register_eraser(erase_applicant)
    register_mover(move_applications)
    register_moving_guard(crosses_groups)
    register_opening_step(join_parent_partition)


def _loan_in_scope(actor: Actor, loan_id: int) -> None:
    find_loan(actor=actor, loan_id=loan_id)


SUBSCRIBERS: dict[str, tuple[Subscriber, ...]] = {
    kind.name: (enqueue,) for module in (loan_events, task_events, day_events) for kind in module.ALL
}
