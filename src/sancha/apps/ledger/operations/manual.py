"""手工凭证：一人录入，另一人复核后记账；冲回也是一张草稿。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.models import DraftState, InstitutionBooks, ManualDraft, Source, Voucher
from sancha.apps.ledger.posting import VoucherSpec, post_voucher, post_vouchers
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
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
    if not summary.strip():
        raise DomainError("SUMMARY_MISSING", "手工凭证须写摘要。", field="summary", fix="写明事由与附件张数。")
    accounts = resolve_accounts(booked_on, complete=False)
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
    return _store_draft(
        actor=actor, institution_id=institution_id, booked_on=booked_on, summary=summary.strip()[:200], lines=stored,
        on=on, accounts=accounts,
    )  # fmt: skip


def _store_draft(
    *,
    actor: Actor,
    institution_id: int,
    booked_on: date,
    summary: str,
    lines: list[dict[str, Any]],
    on: date,
    accounts: AccountResolver,
    reverses_id: int | None = None,
) -> dict[str, Any]:
    if booked_on > on:
        raise DomainError(
            "BOOKED_LATE",
            f"记账日 {booked_on} 晚于营业日 {on}。",
            field="booked_on",
            value=booked_on,
            fix=f"请用 {on} 或以前未结账的日子。",
        )
    _require_period_open(institution_id, booked_on)
    # A trial run in a savepoint applies every rule of posting to the draft: it will not fail at authorization.
    _rehearse(_draft_spec(institution_id, booked_on, summary, lines, reverses_id), actor, accounts)
    draft = ManualDraft.objects.create(
        institution_id=institution_id, booked_on=booked_on, summary=summary, lines=lines, reverses_id=reverses_id,
        entered_by=actor.person_id, entered_at=now(),
    )  # fmt: skip
    return {"subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk}


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


def _rehearse(spec: VoucherSpec, actor: Actor, accounts: AccountResolver) -> None:
    class _Undo(Exception):
        """撤回试记。"""

    try:
        with transaction.atomic():
            post_vouchers([spec], actor=actor, accounts=accounts)
            raise _Undo
    except _Undo:
        return


def _require_period_open(institution_id: int, booked_on: date) -> None:
    closed_to = InstitutionBooks.objects.filter(pk=institution_id).values_list("closed_to", flat=True).first()
    if closed_to is not None and booked_on <= closed_to:
        raise Conflict(
            "PERIOD_CLOSED", f"已结账到 {closed_to}，不能再记 {booked_on} 的账。", field="booked_on", value=booked_on,
            clause="结账后不得反结账", fix="请以当前营业日记账；涉及以前年度损益的走「以前年度损益调整」。",
        )  # fmt: skip


def _draft_for_decision(actor: Actor, draft_id: int) -> ManualDraft:
    draft = ManualDraft.objects.select_for_update(of=("self",)).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound("DRAFT_NOT_FOUND", f"没有编号为 {draft_id} 的手工凭证草稿。", field="draft_id", value=draft_id)
    require_institution(actor, draft.institution_id)
    if draft.state != DraftState.ENTERED:
        raise Conflict(
            "DRAFT_DECIDED", f"该草稿{DraftState(draft.state).label}，不能再办。", field="draft_id", value=draft_id
        )
    if draft.entered_by is not None and draft.entered_by == actor.person_id:
        raise NotPermitted(
            "SAME_PERSON", "手工凭证不能由录入人自己复核。", field="draft_id", value=draft_id,
            clause="账务双人制", fix="请由另一名有复核权限的人员办理。",
        )  # fmt: skip
    return draft


def _decide(draft: ManualDraft, actor: Actor, state: DraftState, opinion: str, voucher_id: int | None = None) -> None:
    draft.state, draft.decided_by, draft.decided_at = state, actor.person_id, now()
    draft.opinion, draft.voucher_id = opinion[:200], voucher_id
    draft.save(update_fields=["state", "decided_by", "decided_at", "opinion", "voucher"])


@operation("ledger.authorize_manual_voucher", permission="ledger.authorize")
def authorize_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str = "") -> dict[str, Any]:
    """授权手工凭证：由录入人之外的人复核，随即记账。

    :raises NotPermitted: 复核人就是录入人。
    :raises Conflict: 草稿已处理，或期间已结账。
    """
    draft = _draft_for_decision(actor, draft_id)
    _require_period_open(draft.institution_id, draft.booked_on)
    spec = _draft_spec(draft.institution_id, draft.booked_on, draft.summary, draft.lines, draft.reverses_id)
    voucher_id = post_voucher(
        booked_on=spec.booked_on, institution_id=spec.institution_id, source=spec.source, kind=spec.kind,
        summary=spec.summary, subject=f"manual_draft:{draft.pk}", lines=spec.lines, actor=actor,
        authorized_by=actor.person_id, posted_by=draft.entered_by, reverses_id=spec.reverses_id,
        accounts=resolve_accounts(spec.booked_on, complete=False),
    )  # fmt: skip
    _decide(draft, actor, DraftState.AUTHORIZED, opinion, voucher_id)
    return {"subject": f"manual_draft:{draft.pk}", "voucher_id": voucher_id}


@operation("ledger.reject_manual_voucher", permission="ledger.authorize")
def reject_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str) -> dict[str, Any]:
    """退回手工凭证草稿，须写意见。"""
    if not opinion.strip():
        raise DomainError("OPINION_MISSING", "退回须写意见。", field="opinion", fix="写明哪里不对、怎么改。")
    draft = _draft_for_decision(actor, draft_id)
    _decide(draft, actor, DraftState.REJECTED, opinion)
    return {"subject": f"manual_draft:{draft.pk}"}


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
    try:
        with transaction.atomic():
            return _store_draft(
                actor=actor, institution_id=voucher.institution_id, booked_on=on,
                summary=f"冲回凭证 {voucher_id}：{reason.strip()}"[:200], lines=lines, on=on,
                accounts=resolve_accounts(on, complete=False), reverses_id=voucher_id,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(
            "ALREADY_REVERSED", f"凭证 {voucher_id} 已冲回或正在冲回。", field="voucher_id", value=voucher_id
        ) from error
