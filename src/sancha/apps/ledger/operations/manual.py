"""手工凭证：一人录入，另一人复核后记账；冲回也是一张草稿。

送复核即开一条任务，复核（记账或退回）、录入人的改正与撤回都办结或撤销它，不留没人管的任务。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.kinds import VOUCHER_CHECK
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.models import DraftState, InstitutionBooks, ManualDraft, Source, Voucher
from sancha.apps.ledger.posting import VoucherSpec, post_voucher, post_vouchers
from sancha.apps.work import operations as work
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation


@operation("ledger.enter_manual_voucher", permission="ledger.manual")
def enter_manual_voucher(
    *, actor: Actor, key: str, institution_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """录入手工凭证草稿；由另一人授权后记账。``lines`` 为 [{account: 科目代号, amount_fen: 借正贷负, summary}]。

    记账日可以是已日终而未结账的日子（月末调整），不能晚于营业日。

    :raises DomainError: 借贷不等、科目不可用或受头寸控制、期间已结账。
    """
    require_institution(actor, institution_id)
    accounts = resolve_accounts(booked_on, complete=False)
    stored = written_lines(summary, lines, accounts)
    check_draft(institution_id, booked_on, summary.strip()[:200], stored, on, actor, accounts)
    return store_draft(
        actor=actor,
        institution_id=institution_id,
        booked_on=booked_on,
        summary=summary.strip()[:200],
        lines=stored,
        on=on,
    )


def written_lines(summary: str, lines: list[dict[str, Any]], accounts: AccountResolver) -> list[dict[str, Any]]:
    """填写的分录 → 存放的分录；摘要、科目、金额逐行核对。"""
    if not summary.strip():
        raise DomainError("SUMMARY_MISSING", "手工凭证须写摘要。", field="summary", fix="写明事由与附件张数。")
    by_code = {facts.code: facts.id for facts in accounts.accounts.values()}
    stored = []
    for number, line in enumerate(lines, start=1):
        account_id, fen = by_code.get(str(line.get("account", ""))), line.get("amount_fen")
        if account_id is None or type(fen) is not int or fen == 0:
            raise DomainError(
                "LINE_INVALID", f"第 {number} 行：科目「{line.get('account')}」不存在，或金额不是非零整数分。",
                field=f"lines.{number}", value=fen, fix="请填末级科目代号与金额（借正贷负）。",
            )  # fmt: skip
        stored.append({"account_id": account_id, "amount_fen": fen, "summary": str(line.get("summary", ""))[:200]})
    return stored


def check_draft(
    institution_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], on: date, actor: Actor,
    accounts: AccountResolver, reverses_id: int | None = None,
) -> None:  # fmt: skip
    """草稿此刻记得成：日子、期间，并在保存点里试记一遍，复核时才不会因草稿本身而记不成。"""
    if booked_on > on:
        raise DomainError(
            "BOOKED_LATE",
            f"记账日 {booked_on} 晚于营业日 {on}。",
            field="booked_on",
            value=booked_on,
            fix=f"请用 {on} 或以前未结账的日子。",
        )
    _require_period_open(institution_id, booked_on)
    spec = _draft_spec(institution_id, booked_on, summary, lines, reverses_id)
    with work.rehearsal():
        post_vouchers([spec], actor=actor, accounts=accounts)


def store_draft(
    *,
    actor: Actor,
    institution_id: int,
    booked_on: date,
    summary: str,
    lines: list[dict[str, Any]],
    on: date,
    reverses_id: int | None = None,
    occasion: str = "",
) -> dict[str, Any]:
    """存下草稿并开出复核任务；``occasion`` 是只许一张的事由。"""
    draft = ManualDraft.objects.create(
        institution_id=institution_id, booked_on=booked_on, summary=summary, lines=lines, reverses_id=reverses_id,
        occasion=occasion, entered_by=actor.person_id, entered_at=now(),
    )  # fmt: skip
    task_id = _ask_for_check(draft, actor, on)
    return {"subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk, "task_id": task_id}


def _ask_for_check(draft: ManualDraft, actor: Actor, on: date) -> int:
    """开出这一稿的复核任务，记下谁录入。"""
    return work.ask_second_person(
        VOUCHER_CHECK,
        actor=actor,
        on=on,
        subject=("manual_draft", draft.pk),
        institution_id=draft.institution_id,
        title=f"手工凭证复核 {draft.summary}",
        reason="手工凭证由录入人以外的人复核后才记账",
        cause=f"revision:{draft.revision}",
        facts={
            "借方合计_fen": sum(line["amount_fen"] for line in draft.lines if line["amount_fen"] > 0),
            "记账日": draft.booked_on.isoformat(),
            "稿次": draft.revision,
        },
    )


def _draft_spec(
    institution_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], reverses_id: int | None
) -> VoucherSpec:
    return VoucherSpec(
        booked_on=booked_on, institution_id=institution_id, source=Source.MANUAL,
        kind="REVERSAL" if reverses_id else "MANUAL", summary=summary, reverses_id=reverses_id,
        lines=[
            LineSpec(line["amount_fen"], account_id=line["account_id"], summary=line.get("summary", ""))
            for line in lines
        ],
    )  # fmt: skip


def _require_period_open(institution_id: int, booked_on: date) -> None:
    closed_to = InstitutionBooks.objects.filter(pk=institution_id).values_list("closed_to", flat=True).first()
    if closed_to is not None and booked_on <= closed_to:
        raise Conflict(
            "PERIOD_CLOSED", f"已结账到 {closed_to}，不能再记 {booked_on} 的账。", field="booked_on", value=booked_on,
            clause="结账后不得反结账", fix="请以当前营业日记账；涉及以前年度损益的走「以前年度损益调整」。",
        )  # fmt: skip


def _locked_draft(actor: Actor, draft_id: int, *states: DraftState) -> ManualDraft:
    draft = ManualDraft.objects.select_for_update(of=("self",)).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound("DRAFT_NOT_FOUND", f"没有编号为 {draft_id} 的手工凭证草稿。", field="draft_id", value=draft_id)
    require_institution(actor, draft.institution_id)
    if draft.state not in states:
        raise Conflict(
            "DRAFT_DECIDED", f"该草稿{DraftState(draft.state).label}，不能再办。", field="draft_id", value=draft_id,
            fix="请刷新后查看当前状态；记错的凭证请冲回。",
        )  # fmt: skip
    return draft


@operation("ledger.decide_manual_voucher", permission="ledger.authorize")
def decide_manual_voucher(
    *,
    actor: Actor,
    key: str,
    task_id: int,
    outcome: str,
    on: date,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核手工凭证（任务「手工凭证复核」的办结）：同意即记账，退回须写意见，录入人可改正再送或撤回。

    :raises NotPermitted: 复核人就是录入人（写明规则），或任务不归他办。
    :raises Conflict: 任务已办结，或期间已结账。
    """
    return _decide(actor, work.subject_to_check(VOUCHER_CHECK, task_id=task_id), task_id, outcome, opinion, on)


@operation("ledger.authorize_manual_voucher", permission="ledger.authorize")
def authorize_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str = "") -> dict[str, Any]:
    """授权手工凭证：办结它的复核任务，随即记账。规则同 ``decide_manual_voucher``。"""
    return _decide(actor, draft_id, None, work.APPROVED, opinion, on)


@operation("ledger.reject_manual_voucher", permission="ledger.authorize")
def reject_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str) -> dict[str, Any]:
    """退回手工凭证草稿：办结它的复核任务，须写意见。规则同 ``decide_manual_voucher``。"""
    return _decide(actor, draft_id, None, work.RETURNED, opinion, on)


def _decide(actor: Actor, draft_id: int, task_id: int | None, outcome: str, opinion: str, on: date) -> dict[str, Any]:
    draft = _locked_draft(actor, draft_id, DraftState.ENTERED)
    approved = work.close_check(
        VOUCHER_CHECK, actor=actor, subject=("manual_draft", draft.pk), task_id=task_id, outcome=outcome,
        opinion=opinion, on=on,
    )  # fmt: skip
    voucher_id = _book(draft, actor) if approved else None
    draft.state = DraftState.AUTHORIZED if voucher_id else DraftState.REJECTED
    draft.decided_by, draft.decided_at = actor.person_id, now()
    draft.opinion, draft.voucher_id = opinion.strip()[:200], voucher_id
    draft.save(update_fields=["state", "decided_by", "decided_at", "opinion", "voucher"])
    return {"subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk, "voucher_id": voucher_id}


def _book(draft: ManualDraft, actor: Actor) -> int:
    _require_period_open(draft.institution_id, draft.booked_on)
    spec = _draft_spec(draft.institution_id, draft.booked_on, draft.summary, draft.lines, draft.reverses_id)
    return post_voucher(
        booked_on=spec.booked_on, institution_id=spec.institution_id, source=spec.source, kind=spec.kind,
        summary=spec.summary, subject=f"manual_draft:{draft.pk}", lines=spec.lines, actor=actor,
        authorized_by=actor.person_id, posted_by=draft.entered_by, reverses_id=spec.reverses_id,
        accounts=resolve_accounts(spec.booked_on, complete=False),
    )  # fmt: skip


def _own_draft(actor: Actor, draft_id: int) -> ManualDraft:
    draft = _locked_draft(actor, draft_id, DraftState.ENTERED, DraftState.REJECTED)
    work.require_maker(VOUCHER_CHECK, actor=actor, maker_id=draft.entered_by, field="draft_id", value=draft_id)
    return draft


@operation("ledger.correct_manual_voucher", permission="ledger.manual")
def correct_manual_voucher(
    *, actor: Actor, key: str, draft_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """改正手工凭证草稿：录入人改待复核的或被退回的，重新送复核；原来的复核任务撤销，另开一条。

    :raises NotPermitted: 不是录入人。
    :raises Conflict: 已记账或已撤回；或是冲回草稿（分录须与原凭证相反，不能改）。
    """
    draft = _own_draft(actor, draft_id)
    if draft.reverses_id is not None:
        raise Conflict(
            "REVERSAL_NOT_EDITABLE", "冲回草稿的分录须与原凭证相反，不能改。", field="draft_id", value=draft_id,
            fix="请撤回，再从原凭证上重新冲回。",
        )  # fmt: skip
    accounts = resolve_accounts(booked_on, complete=False)
    stored = written_lines(summary, lines, accounts)
    check_draft(draft.institution_id, booked_on, summary.strip()[:200], stored, on, actor, accounts)
    _drop_check(draft, actor, on, "录入人改正后重新送复核")
    was = {"booked_on": draft.booked_on.isoformat(), "summary": draft.summary, "lines": draft.lines}
    draft.booked_on, draft.summary, draft.lines = booked_on, summary.strip()[:200], stored
    draft.state, draft.revision = DraftState.ENTERED, draft.revision + 1
    draft.save(update_fields=["booked_on", "summary", "lines", "state", "revision"])
    task_id = _ask_for_check(draft, actor, on)
    return {
        "subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk, "task_id": task_id, "audit": {"was": was},
    }  # fmt: skip


@operation("ledger.withdraw_manual_voucher", permission="ledger.manual")
def withdraw_manual_voucher(*, actor: Actor, key: str, draft_id: int, reason: str, on: date) -> dict[str, Any]:
    """撤回手工凭证草稿：录入人撤回待复核的或被退回的，复核任务一并撤销，须写原因。

    :raises NotPermitted: 不是录入人。
    :raises Conflict: 已记账或已撤回。
    """
    if not reason.strip():
        raise DomainError("REASON_MISSING", "撤回须写原因。", field="reason", fix="如：重复录入、事项取消。")
    draft = _own_draft(actor, draft_id)
    _drop_check(draft, actor, on, f"录入人撤回：{reason.strip()}")
    draft.state, draft.decided_by, draft.decided_at = DraftState.WITHDRAWN, actor.person_id, now()
    draft.opinion = reason.strip()[:200]
    draft.save(update_fields=["state", "decided_by", "decided_at", "opinion"])
    return {"subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk}


def _drop_check(draft: ManualDraft, actor: Actor, on: date, reason: str) -> None:
    work.cancel_check(VOUCHER_CHECK, actor=actor, subject=("manual_draft", draft.pk), on=on, reason=reason)


@operation("ledger.reverse_manual_voucher", permission="ledger.manual")
def reverse_manual_voucher(*, actor: Actor, key: str, voucher_id: int, reason: str, on: date) -> dict[str, Any]:
    """冲回手工凭证：按原分录反方向录一张草稿（记账日为当前营业日），同样由另一人授权。

    :raises Conflict: 不是手工凭证（借据与出纳的账须在原业务上冲正），或已冲回。
    """
    voucher = Voucher.objects.filter(pk=voucher_id).first()
    if voucher is None:
        raise NotFound("VOUCHER_NOT_FOUND", f"没有编号为 {voucher_id} 的凭证。", field="voucher_id", value=voucher_id)
    require_institution(actor, voucher.institution_id)
    if voucher.source != Source.MANUAL:
        raise Conflict(
            "VOUCHER_NOT_MANUAL", f"凭证 {voucher_id} 来自{Source(voucher.source).label}，不能在此冲回。",
            field="voucher_id", value=voucher_id, fix="请在原业务（借据、收款、付款）上冲正。",
        )  # fmt: skip
    if not reason.strip():
        raise DomainError("REASON_MISSING", "冲回须写原因。", field="reason", fix="写明原凭证错在哪里。")
    lines = [
        {"account_id": account_id, "amount_fen": -fen, "summary": summary}
        for account_id, fen, summary in voucher.lines.values_list("account_id", "amount_fen", "summary")
    ]
    summary = f"冲回凭证 {voucher_id}：{reason.strip()}"[:200]
    accounts = resolve_accounts(on, complete=False)
    try:
        with transaction.atomic():
            check_draft(voucher.institution_id, on, summary, lines, on, actor, accounts, reverses_id=voucher_id)
            return store_draft(
                actor=actor, institution_id=voucher.institution_id, booked_on=on, summary=summary, lines=lines, on=on,
                reverses_id=voucher_id,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(
            "ALREADY_REVERSED", f"凭证 {voucher_id} 已冲回或正在冲回。", field="voucher_id", value=voucher_id
        ) from error
