"""打印：借据的各种单据，PDF。"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from sancha.apps.ledger.queries import voucher_detail
from sancha.apps.servicing.documents import papers as makers
from sancha.apps.servicing.documents import print_document
from sancha.apps.servicing.documents.models import Document, Letterhead
from sancha.apps.servicing.queries import LoanView
from sancha.interfaces.web.loans.forms import seen
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.kit.clock import now
from sancha.kit.errors import NotFound

SETTLED, BOOKED = frozenset({"SETTLED"}), frozenset({"ACTIVE", "SETTLED", "WRITTEN_OFF"})
EVERY = BOOKED | {"PENDING"}


@dataclass(frozen=True)
class Paper:
    """一种单据：什么状态的借据能出。"""

    code: str
    label: Any
    note: Any
    make: Callable[[LoanView, Letterhead], Document]
    statuses: frozenset[str] = BOOKED


PAPERS = (
    Paper("note", _("借款借据"), _("要素、大写、还款计划，签章用"), makers.loan_note, EVERY),
    Paper("schedule", _("还款计划表"), _("各期应还与实还"), makers.repayment_schedule, EVERY),
    Paper("interest", _("贷款利息清单"), _("每期利息，罚息、复利的每一段"), makers.interest_list),
    Paper("statement", _("客户对账单"), _("自起息至今每一笔收付"), makers.account_statement),
    Paper("settlement", _("结清证明"), _("结清之后出具"), makers.settlement_certificate, SETTLED),
    Paper("release", _("解押退还清单"), _("要解除、退还的担保与原件"), makers.release_list, SETTLED),
)


def papers_of(view: LoanView) -> list[tuple[Paper, bool]]:
    """各种单据，以及现在能不能出。"""
    return [(paper, view.loan.status in paper.statuses) for paper in PAPERS]


@page("servicing.view")
@require_safe
def paper(request: PageRequest, loan_id: int, code: str) -> HttpResponse:
    """一份单据。"""
    view = seen(request, loan_id)
    actor = request.actor
    head = Letterhead(
        institution=view.loan.institution.name,
        number=view.loan.number,
        printed_by=f"制单：{actor.name}",
        printed_at=now(),
    )
    if code == "receipt":
        document: Document = _receipt(request, view, head)
    else:
        found = next((paper for paper in PAPERS if paper.code == code), None)
        if found is None:
            raise NotFound(
                "PAPER_NOT_FOUND", str(_("没有这种单据。")), value=code, fix=str(_("请从「打印」页签选择。"))
            )
        document = found.make(view, head)
    response = HttpResponse(print_document(document), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{view.loan.number}-{code}.pdf"'
    return response


def _receipt(request: PageRequest, view: LoanView, head: Letterhead) -> Document:
    text = request.GET.get("seq", "")
    step = makers.repayment_step(view, int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0)
    voucher = voucher_detail(request.actor, step.voucher_id) if step.voucher_id else None
    return makers.repayment_receipt(view, head, step, voucher)
