"""开卷与作废：审批通过即开卷出文书；批复过期、申请撤回的作废。"""

from __future__ import annotations

from datetime import date

from sancha.apps.access.queries import in_scope, institutions_by_id
from sancha.apps.agreements.approved import ApprovedLoan
from sancha.apps.agreements.models import FileState, LendingCondition, PaperKind, SigningFile, SigningPaper
from sancha.apps.servicing.queries import void_loans
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, NotFound
from sancha.kit.numbering import next_number


def open_file(approved: ApprovedLoan, *, on: date) -> SigningFile:
    """开卷（内层函数，在审批的事务里调用）：冻结要素，编号，出明示表、借款合同与每位保证人的保证合同。"""
    place = institutions_by_id([approved.institution_id])[approved.institution_id]
    order = next_number(f"agreement:{place.code}:{on.year}")
    file = SigningFile.objects.create(
        application_id=approved.application_id,
        approval_id=approved.approval_id,
        number=f"（{on.year}）{place.code}借字第{order:06d}号",
        party_id=approved.party_id,
        institution_id=approved.institution_id,
        product_id=approved.product_id,
        officer_id=approved.officer_id,
        purpose=approved.purpose,
        amount_fen=approved.amount_fen,
        term_count=approved.term_count,
        term_unit=approved.term_unit.value,
        method=approved.method.value,
        guarantee=approved.guarantee.value,
        rate_ppm=approved.rate_ppm,
        spouse_signs=approved.spouse_signs,
        expires_on=approved.expires_on,
        opened_on=on,
        recorded_at=now(),
    )
    draw(file, PaperKind.COST_STATEMENT, file.party_id, f"{file.number}-M", on)
    draw(file, PaperKind.LOAN_AGREEMENT, file.party_id, file.number, on)
    for order, guarantor in enumerate(approved.guarantor_ids, start=1):
        draw(file, PaperKind.GUARANTEE_AGREEMENT, guarantor, f"{file.number}-B{order:02d}", on)
    LendingCondition.objects.bulk_create(LendingCondition(file=file, text=text[:200]) for text in approved.conditions)
    return file


def draw(file: SigningFile, kind: PaperKind, party_id: int, number: str, on: date, revision: int = 1) -> SigningPaper:
    """出一份文书；重出的编号带第几版。"""
    shown = number if revision == 1 else f"{number}（{revision}）"
    return SigningPaper.objects.create(
        file=file, kind=kind, party_id=party_id, number=shown, revision=revision, drawn_on=on
    )


def close_file(*, application_id: int, reason: str) -> None:
    """作废（内层函数）：还没有送放款的卷随申请的撤回、过期一并作废；没有卷也无妨。

    :raises Conflict: 已送放款。
    """
    file = SigningFile.objects.select_for_update().filter(application_id=application_id).first()
    if file is None or file.state == FileState.CLOSED:
        return
    if file.state == FileState.SENT and file.loan_id not in void_loans([file.loan_id or 0]):
        raise Conflict(
            "FILE_SENT", f"合同 {file.number} 已送放款，不能作废。", field="application_id", value=file.number,
            fix="放款复核退回之后再办；已放款的按提前结清办理。",
        )  # fmt: skip
    file.state, file.closing_reason = FileState.CLOSED, reason[:300]
    file.save(update_fields=["state", "closing_reason"])


def reopen_rejected(file: SigningFile) -> None:
    """放款复核退回（借据作废）的卷恢复签约中，可更正后再送。卷须已锁住。"""
    if file.state == FileState.SENT and file.loan_id in void_loans([file.loan_id or 0]):
        file.state, file.loan_id = FileState.OPEN, None
        file.save(update_fields=["state", "loan_id"])


def locked_file(actor: Actor, file_id: int) -> SigningFile:
    """锁住范围内签约中的一卷。

    :raises NotFound: 没有，或在范围之外。
    :raises Conflict: 已送放款或已作废。
    """
    rows = SigningFile.objects.select_for_update(of=("self",)).select_related("party", "product", "institution")
    file = rows.filter(in_scope(actor), pk=file_id).first()
    if file is None:
        raise NotFound(
            "FILE_NOT_FOUND", f"没有编号为 {file_id} 的签约卷，或不在您的机构范围内。", field="file_id", value=file_id,
            fix="请从签约放款清单中选择。",
        )  # fmt: skip
    reopen_rejected(file)
    if file.state != FileState.OPEN:
        raise Conflict(
            "FILE_NOT_OPEN", f"合同 {file.number} 是「{file.get_state_display()}」，不能再办。", field="file_id",
            value=file.number, fix="已送放款的请看借据；作废的须重新审批。",
        )  # fmt: skip
    return file


def require_in_force(file: SigningFile, on: date) -> None:
    """批复还在有效期内（末日当天有效）。

    :raises Conflict: 已过期。
    """
    if on > file.expires_on:
        raise Conflict(
            "APPROVAL_EXPIRED", f"批复有效期至 {file.expires_on}，已过期。", field="file_id", value=file.number,
            clause="PSBC-APPROVAL-VALID", fix="请重新申请审批。",
        )  # fmt: skip
