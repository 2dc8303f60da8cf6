"""离放款还差什么：哪份文书要谁签、谁还没签，哪条条件没落实。"""

from __future__ import annotations

from sancha.apps.agreements.models import Capacity, PaperKind, PaperSignature, SigningFile, SigningPaper


def needed_capacities(paper: SigningPaper, file: SigningFile) -> tuple[Capacity, ...]:
    """这份文书要谁签：明示表借款人签；借款合同借款人签，须配偶签的配偶也签；保证合同保证人签。"""
    if paper.kind == PaperKind.GUARANTEE_AGREEMENT:
        return (Capacity.GUARANTOR,)
    if paper.kind == PaperKind.LOAN_AGREEMENT and file.spouse_signs:
        return (Capacity.BORROWER, Capacity.SPOUSE)
    return (Capacity.BORROWER,)


def unmet(file: SigningFile) -> list[str]:
    """还差什么：没签的文书、没落实的条件。"""
    papers = list(file.papers.filter(voided_on__isnull=True).select_related("party").order_by("pk"))
    signed = _signed(papers)
    found = []
    for paper in papers:
        for capacity in needed_capacities(paper, file):
            if (paper.pk, capacity.value) not in signed:
                found.append(
                    f"《{paper.get_kind_display()}》{paper.number} 缺{capacity.label}（{paper.party.name}）签字"
                )
    found += [f"条件「{row.text}」没有落实" for row in file.conditions.filter(met_on__isnull=True).order_by("pk")]
    return found


def guarantor_names(file: SigningFile) -> list[str]:
    """保证人的姓名。"""
    papers = file.papers.filter(voided_on__isnull=True, kind="GUARANTEE_AGREEMENT").select_related("party")
    return [paper.party.name for paper in papers.order_by("pk")]


def _signed(papers: list[SigningPaper]) -> set[tuple[int, str]]:
    return set(PaperSignature.objects.filter(paper__in=papers).values_list("paper_id", "capacity"))
