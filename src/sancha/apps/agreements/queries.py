"""签约放款的查询：清单、一卷的全貌、申请的卷。语句数与卷的大小无关。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.agreements.models import (
    Capacity,
    FileState,
    LendingCondition,
    PaperKind,
    PaperSignature,
    SigningFile,
    SigningPaper,
)
from sancha.apps.agreements.readiness import needed_capacities, unmet
from sancha.apps.parties.queries import PartyRow, row_of
from sancha.apps.servicing.queries import standing_of
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.labels import Labels, labels
from sancha.kit.paging import Page, paginate
from sancha.rulebook.vocabulary import GuaranteeKind, label

VOID = "VOID"


@dataclass(frozen=True, slots=True)
class FileFilter:
    """签约放款清单的条件。"""

    text: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class FileRow:
    """一卷。``loan_state`` 是借据的状态：复核退回的作废，可再送。"""

    id: int
    number: str
    application_id: int
    state: str
    state_name: str
    party_id: int
    party_name: str
    product_name: str
    institution_name: str
    amount_fen: int
    term: str
    rate_ppm: int
    method_name: str
    guarantee_name: str
    purpose: str
    expires_on: date
    expired: bool
    loan_id: int | None
    loan_number: str
    loan_state: str
    closing_reason: str


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """一次面签。"""

    capacity: str
    capacity_name: str
    signer: str
    witnesses: str
    place: str
    on_day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class PaperInfo:
    """一份文书：要谁签、谁签了。``wanted`` 是还没签的身份。"""

    id: int
    kind: str
    kind_name: str
    number: str
    party_id: int
    party_name: str
    revision: int
    drawn_on: date
    voided_on: date | None
    void_reason: str
    signatures: tuple[SignatureInfo, ...]
    wanted: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ConditionInfo:
    """一条放款条件。"""

    id: int
    text: str
    met_on: date | None
    met_by: str
    proof: str


@dataclass(frozen=True, slots=True)
class FileView:
    """一卷的全貌：``unmet`` 是离放款还差什么。"""

    row: FileRow
    party: PartyRow
    papers: tuple[PaperInfo, ...]
    void_papers: tuple[PaperInfo, ...]
    conditions: tuple[ConditionInfo, ...]
    unmet: tuple[str, ...]
    spouse_signs: bool


def state_choices() -> list[tuple[str, str]]:
    """状态的选项。"""
    return [(value, str(name)) for value, name in FileState.choices]


def file_labels(kind: str, ids: Collection[int]) -> Labels:
    """签约卷的称呼：主合同号。"""
    return labels(SigningFile.objects.all(), kind, ids, "number")


def list_files(*, actor: Actor, filters: FileFilter, on: date, page: int = 1, size: int = 50) -> Page[FileRow]:
    """签约放款清单，新的在前。三条语句。"""
    actor.require("agreements.view")
    rows = SigningFile.objects.filter(in_scope(actor)).select_related("party", "product", "institution")
    if filters.state:
        rows = rows.filter(state=filters.state)
    if text := filters.text.strip():
        rows = (
            rows.filter(number__contains=text) | rows.filter(party__number=text.upper()) | rows.filter(party__name=text)
        )
    found = paginate(rows.order_by("-pk"), page=page, size=size, to_row=lambda row: row)
    loans = standing_of([row.loan_id for row in found.rows if row.loan_id])
    listed = [_row(row, loans.get(row.loan_id or 0), on) for row in found.rows]
    return Page(rows=listed, total=found.total, number=found.number, size=found.size)


def file_of_application(application_id: int) -> int | None:
    """申请的签约卷编号，没有则空。"""
    return SigningFile.objects.filter(application_id=application_id).values_list("pk", flat=True).first()


def view_file(*, actor: Actor, file_id: int, on: date) -> FileView:
    """一卷的全貌。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("agreements.view")
    rows = SigningFile.objects.filter(in_scope(actor), pk=file_id).select_related("party", "product", "institution")
    file = rows.first()
    if file is None:
        raise NotFound(
            "FILE_NOT_FOUND", f"没有编号为 {file_id} 的签约卷，或不在您的机构范围内。", field="file_id", value=file_id,
            fix="请从签约放款清单中选择。",
        )  # fmt: skip
    papers = list(file.papers.select_related("party").order_by("pk"))
    signatures = list(PaperSignature.objects.filter(paper__file=file).order_by("pk"))
    conditions = list(LendingCondition.objects.filter(file=file).order_by("pk"))
    names = names_of(
        [
            *(person for row in signatures for person in (row.witness_id, row.second_witness_id)),
            *(row.met_by_id for row in conditions),
        ]
    )
    by_paper: dict[int, list[SignatureInfo]] = {}
    for row in signatures:
        by_paper.setdefault(row.paper_id, []).append(_signature(row, names))
    shown = [_paper(paper, file, tuple(by_paper.get(paper.pk, ()))) for paper in papers]
    loans = standing_of([file.loan_id] if file.loan_id else [])
    return FileView(
        row=_row(file, loans.get(file.loan_id or 0), on),
        party=row_of(file.party),
        papers=tuple(paper for paper in shown if paper.voided_on is None),
        void_papers=tuple(paper for paper in shown if paper.voided_on is not None),
        conditions=tuple(
            ConditionInfo(row.pk, row.text, row.met_on, names.get(row.met_by_id or 0, ""), row.proof)
            for row in conditions
        ),
        unmet=tuple(unmet(file)),
        spouse_signs=file.spouse_signs,
    )


def _row(file: SigningFile, loan: tuple[str, str, str] | None, on: date) -> FileRow:
    rejected = loan is not None and loan[1] == VOID
    return FileRow(
        id=file.pk,
        number=file.number,
        application_id=file.application_id,
        state=FileState.OPEN if rejected else file.state,
        state_name="放款退回，可再送" if rejected else str(file.get_state_display()),
        party_id=file.party_id,
        party_name=file.party.name,
        product_name=file.product.name,
        institution_name=file.institution.name,
        amount_fen=file.amount_fen,
        term=f"{file.term_count}{label(PeriodUnit(file.term_unit))}",
        rate_ppm=file.rate_ppm,
        method_name=label(Method(file.method)),
        guarantee_name=GuaranteeKind(file.guarantee).label,
        purpose=file.purpose,
        expires_on=file.expires_on,
        expired=on > file.expires_on,
        loan_id=file.loan_id,
        loan_number=loan[0] if loan else "",
        loan_state=loan[2] if loan else "",
        closing_reason=file.closing_reason,
    )


def _signature(row: PaperSignature, names: dict[int, str]) -> SignatureInfo:
    return SignatureInfo(
        capacity=row.capacity,
        capacity_name=str(Capacity(row.capacity).label),
        signer=row.signer,
        witnesses="、".join(names.get(person, "") for person in (row.witness_id, row.second_witness_id)),
        place=row.place,
        on_day=row.on_day,
        at=row.at,
    )


def _paper(paper: SigningPaper, file: SigningFile, signatures: tuple[SignatureInfo, ...]) -> PaperInfo:
    done = {row.capacity for row in signatures}
    wanted = [(item.value, str(item.label)) for item in needed_capacities(paper, file) if item.value not in done]
    return PaperInfo(
        id=paper.pk,
        kind=paper.kind,
        kind_name=str(PaperKind(paper.kind).label),
        number=paper.number,
        party_id=paper.party_id,
        party_name=paper.party.name,
        revision=paper.revision,
        drawn_on=paper.drawn_on,
        voided_on=paper.voided_on,
        void_reason=paper.void_reason,
        signatures=signatures,
        wanted=() if paper.voided_on else tuple(wanted),
    )
