"""面签：明示表先签，合同后签；两名工作人员在场，逐条提示加粗条款；谁也不代谁签。要改的作废重出。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import names_of
from sancha.apps.agreements.models import (
    Capacity,
    LendingCondition,
    PaperKind,
    PaperSignature,
    SigningFile,
    SigningPaper,
)
from sancha.apps.agreements.operations.files import draw, locked_file, require_in_force
from sancha.apps.agreements.readiness import needed_capacities
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation

FACE_TO_FACE, DISCLOSE_FIRST = "SIGN-FACE-TO-FACE", "NFRA-2026-2-COST"


@operation("agreements.sign_paper", permission="agreements.sign")
def sign_paper(
    *,
    actor: Actor,
    key: str,
    on: date,
    file_id: int,
    paper_id: int,
    capacity: str,
    signer: str,
    second_witness_id: int,
    place: str,
    terms_read: bool,
) -> dict[str, Any]:
    """记一次面签。操作人是第一见证人，另须一名工作人员在场。

    :raises Conflict: 明示表还没有签、已签过、文书已作废、批复过期。
    :raises DomainError: 身份不对、见证人是同一人、签字人与主档不符、没有逐条提示。
    """
    file = locked_file(actor, file_id)
    require_in_force(file, on)
    paper = _paper(file, paper_id)
    if capacity not in needed_capacities(paper, file):
        wanted = "、".join(str(item.label) for item in needed_capacities(paper, file))
        raise DomainError(
            "CAPACITY_WRONG", f"《{paper.get_kind_display()}》由{wanted}签。", field="capacity", value=capacity,
            clause=FACE_TO_FACE, fix="请核对文书与签字人。",
        )  # fmt: skip
    if paper.kind != PaperKind.COST_STATEMENT and not _disclosed(file):
        raise Conflict(
            "DISCLOSURE_FIRST", "《综合融资成本明示表》须在签合同之前由借款人签署。", field="paper_id", value=paper.number,
            clause=DISCLOSE_FIRST, fix="请先签明示表。",
        )  # fmt: skip
    _require_people(paper, capacity, signer, actor, second_witness_id, place)
    if not terms_read:
        raise DomainError(
            "TERMS_NOT_READ", "须逐条提示加粗的条款（罚息、提前到期、管辖等）并经签字人确认。", field="terms_read",
            clause="CIVIL-496", fix="提示之后勾选。",
        )  # fmt: skip
    if PaperSignature.objects.filter(paper=paper, capacity=capacity).exists():
        raise Conflict("ALREADY_SIGNED", "这份文书他已签过。", field="paper_id", value=paper.number, fix="不必再签。")
    assert actor.person_id is not None
    row = PaperSignature.objects.create(
        paper=paper,
        capacity=capacity,
        signer=signer.strip(),
        witness_id=actor.person_id,
        second_witness_id=second_witness_id,
        place=place.strip()[:100],
        terms_read=True,
        on_day=on,
        at=now(),
    )
    return {"subject": f"signing_file:{file.pk}", "file_id": file.pk, "signature_id": row.pk, "paper": paper.number}


@operation("agreements.redraw_paper", permission="agreements.sign")
def redraw_paper(*, actor: Actor, key: str, on: date, file_id: int, paper_id: int, reason: str) -> dict[str, Any]:
    """作废重出：旧的留着号与签字，新的从头签；明示表作废的，合同也要重签（次序不能倒）。

    :raises DomainError: 没写原因。
    """
    file = locked_file(actor, file_id)
    paper = _paper(file, paper_id)
    if not reason.strip():
        raise DomainError("REASON_MISSING", "作废须写明原因。", field="reason", fix="请写明哪里要改。")
    papers = [paper]
    if paper.kind == PaperKind.COST_STATEMENT:
        papers = list(file.papers.filter(voided_on__isnull=True).order_by("pk"))
    numbers = []
    for old in papers:
        old.voided_on, old.void_reason = on, reason.strip()[:200]
        old.save(update_fields=["voided_on", "void_reason"])
        base = old.number.partition("（" + str(old.revision) + "）")[0] if old.revision > 1 else old.number
        numbers.append(draw(file, PaperKind(old.kind), old.party_id, base, on, old.revision + 1).number)
    return {"subject": f"signing_file:{file.pk}", "file_id": file.pk, "numbers": numbers}


@operation("agreements.meet_condition", permission="agreements.sign")
def meet_condition(*, actor: Actor, key: str, on: date, file_id: int, condition_id: int, proof: str) -> dict[str, Any]:
    """落实一条放款条件，写明凭什么。

    :raises DomainError: 没写凭什么。
    :raises Conflict: 已落实。
    """
    file = locked_file(actor, file_id)
    condition = LendingCondition.objects.filter(pk=condition_id, file=file).first()
    if condition is None:
        raise NotFound(
            "CONDITION_NOT_FOUND", "没有这条放款条件。", field="condition_id", value=condition_id, fix="请刷新。"
        )
    if condition.met_on is not None:
        raise Conflict("CONDITION_MET", "这条已经落实。", field="condition_id", value=condition_id, fix="不必再办。")
    if not proof.strip():
        raise DomainError(
            "PROOF_MISSING", "须写明凭什么算落实了。", field="proof", clause="CON-4", fix="如：保单号、抵押登记证号。"
        )
    condition.met_on, condition.met_by_id, condition.proof = on, actor.person_id, proof.strip()[:200]
    condition.save(update_fields=["met_on", "met_by", "proof"])
    return {"subject": f"signing_file:{file.pk}", "file_id": file.pk, "condition_id": condition.pk}


def _paper(file: SigningFile, paper_id: int) -> SigningPaper:
    paper = SigningPaper.objects.select_related("party").filter(pk=paper_id, file=file, voided_on__isnull=True).first()
    if paper is None:
        raise NotFound(
            "PAPER_NOT_FOUND", "没有这份文书，或已作废。", field="paper_id", value=paper_id, fix="请刷新签约卷。"
        )
    return paper


def _disclosed(file: SigningFile) -> bool:
    return PaperSignature.objects.filter(
        paper__file=file, paper__kind=PaperKind.COST_STATEMENT, paper__voided_on__isnull=True
    ).exists()


def _require_people(
    paper: SigningPaper, capacity: str, signer: str, actor: Actor, second_witness_id: int, place: str
) -> None:
    if second_witness_id == actor.person_id or second_witness_id not in names_of([second_witness_id]):
        raise DomainError(
            "TWO_WITNESSES", "须两名工作人员在场，第二名不能是本人。", field="second_witness_id", value=second_witness_id,
            clause=FACE_TO_FACE, fix="请选另一名在场的工作人员。",
        )  # fmt: skip
    if capacity != Capacity.SPOUSE and signer.strip() != paper.party.name:
        raise DomainError(
            "SIGNER_WRONG", f"签字人应是「{paper.party.name}」，不得代签。", field="signer", value=signer,
            clause=FACE_TO_FACE, fix="请由本人当面签；姓名有更正的先更正客户主档。",
        )  # fmt: skip
    for field, text in (("signer", signer), ("place", place)):
        if not text.strip():
            raise DomainError("FIELD_MISSING", "签字人与地点必填。", field=field, clause=FACE_TO_FACE, fix="请填写。")
