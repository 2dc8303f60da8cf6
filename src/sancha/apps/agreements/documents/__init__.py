"""签约文书：明示表、借款合同、保证合同 → PDF。内容取自签约卷冻结的要素与按当日放款试排的计划。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sancha.apps.access.queries import full_name
from sancha.apps.agreements.documents.models import GuaranteeAgreementPaper, LoanAgreementPaper
from sancha.apps.agreements.models import PaperKind, SigningFile
from sancha.apps.agreements.queries import FileView, PaperInfo
from sancha.apps.agreements.terms import elements_for
from sancha.apps.servicing.documents import print_document
from sancha.apps.servicing.documents.models import CostDisclosure, Letterhead, ScheduleRow
from sancha.apps.servicing.queries import preview_booking
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.disclosure import ContingentItem, CostItem, cost_statement
from sancha.kernel.terms import Terms
from sancha.kernel.timetable import TimetableRow
from sancha.kit.actor import SYSTEM
from sancha.kit.clock import now
from sancha.kit.documents import render
from sancha.rulebook import parameter
from sancha.rulebook.evaluation import months_between

MONTHS_A_YEAR, DAYS_A_YEAR = 12, 365


@dataclass(frozen=True, slots=True)
class Identity:
    """签字人的身份，印在文书上；由调用者按权限给明文或遮蔽的。"""

    id_number: str
    address: str
    phone: str


def contract_pdf(view: FileView, paper: PaperInfo, *, identity: Identity, printed_by: str, on: date) -> bytes:
    """一份文书的 PDF；作废的在抬头下印明。"""
    file = SigningFile.objects.select_related("institution", "product").get(pk=view.row.id)
    head = Letterhead(
        institution=full_name(file.institution_id),
        number=paper.number,
        printed_by=f"制单：{printed_by}",
        printed_at=now(),
    )
    if paper.kind == PaperKind.COST_STATEMENT:
        return print_document(_cost(file, view, identity, head, on))
    document = (
        _guarantee(file, view, paper, identity, head, on)
        if paper.kind == PaperKind.GUARANTEE_AGREEMENT
        else _loan(file, view, paper, identity, head, on)
    )
    template = Path(__file__).with_name(document.template)
    return render(template, document.model_dump(), at=document.letterhead.printed_at)


def _plan(file: SigningFile, on: date) -> tuple[Terms, list[TimetableRow]]:
    """按当日放款试排：与登记借据同一套核对。"""
    preview = preview_booking(
        actor=SYSTEM,
        product_id=file.product_id,
        institution_id=file.institution_id,
        elements=elements_for(file, on),
    )
    assert preview.terms is not None, "an approved loan has terms: they were checked when it was approved"
    return preview.terms, preview.rows


def _void(paper: PaperInfo) -> str:
    return f"本份已于 {paper.voided_on} 作废" if paper.voided_on else ""


def _cost(file: SigningFile, view: FileView, identity: Identity, head: Letterhead, on: date) -> CostDisclosure:
    terms, rows = _plan(file, on)
    lender = full_name(file.institution_id)
    steps, per_year = _steps(terms, rows)
    interest = CostItem(
        "利息", f"随各期本息收取（{view.row.method_name}）", f"年利率 {_percent(file.rate_ppm)}", lender,
        tuple((steps[row.no], row.interest_fen) for row in rows if row.interest_fen),
    )  # fmt: skip
    statement = cost_statement(
        principal_flows=[
            (0, file.amount_fen),
            *((steps[row.no], -row.principal_fen) for row in rows if row.principal_fen),
        ],
        items=[interest],
        contingent=[
            ContingentItem(
                "罚息", "逾期", f"逾期本金按年利率 {_percent(terms.penalty_rate_ppm(file.rate_ppm))}", lender
            ),
            ContingentItem(
                "罚息", "挪用", f"挪用部分按年利率 {_percent(terms.misuse_rate_ppm(file.rate_ppm))}", lender
            ),
        ],
        periods_per_year=per_year,
    )
    return CostDisclosure.of(
        statement, letterhead=head, borrower=view.row.party_name, identity=identity.id_number,
        product=view.row.product_name, term=view.row.term, method=view.row.method_name,
    )  # fmt: skip


def _steps(terms: Terms, rows: list[TimetableRow]) -> tuple[dict[int, int], int]:
    """各期在现金流里的位置与一年几格：按月、季、年还的以月为格，按日、周还的以日为格（一年 365）。"""
    if terms.period_unit in {PeriodUnit.DAY, PeriodUnit.WEEK}:
        return {row.no: (row.due_on - terms.start).days for row in rows}, DAYS_A_YEAR
    return {row.no: months_between(terms.start, row.due_on) for row in rows}, MONTHS_A_YEAR


def _loan(
    file: SigningFile, view: FileView, paper: PaperInfo, identity: Identity, head: Letterhead, on: date
) -> LoanAgreementPaper:
    terms, rows = _plan(file, on)
    return LoanAgreementPaper(
        letterhead=head,
        lender=full_name(file.institution_id),
        lender_address=file.institution.address or "—",
        borrower=view.row.party_name,
        identity=identity.id_number,
        address=identity.address,
        phone=identity.phone,
        spouse_signs=view.spouse_signs,
        purpose=file.purpose or "—",
        amount_fen=file.amount_fen,
        term=view.row.term,
        rate_ppm=file.rate_ppm,
        penalty_ppm=terms.penalty_rate_ppm(file.rate_ppm),
        misuse_ppm=terms.misuse_rate_ppm(file.rate_ppm),
        method=view.row.method_name,
        guarantee=view.row.guarantee_name,
        conditions=tuple(row.text for row in view.conditions),
        schedule=tuple(
            ScheduleRow(
                no=row.no, from_on=row.starts_on, due_on=row.due_on, days=row.days, opening_fen=row.opening_fen,
                principal_fen=row.principal_fen, interest_fen=row.interest_fen, closing_fen=row.closing_fen,
            )
            for row in rows
        ),
        drawn_on=paper.drawn_on,
        void_note=_void(paper),
    )  # fmt: skip


def _guarantee(
    file: SigningFile, view: FileView, paper: PaperInfo, identity: Identity, head: Letterhead, on: date
) -> GuaranteeAgreementPaper:
    return GuaranteeAgreementPaper(
        letterhead=head,
        lender=full_name(file.institution_id),
        guarantor=paper.party_name,
        identity=identity.id_number,
        address=identity.address,
        phone=identity.phone,
        borrower=view.row.party_name,
        main_number=file.number,
        amount_fen=file.amount_fen,
        term=view.row.term,
        guarantee_years=parameter("agreements.guarantee_years", on).as_int(),
        drawn_on=paper.drawn_on,
        void_note=_void(paper),
    )


def _percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d}%"
