"""签约文书的打印：明示表、借款合同、保证合同，PDF。合同上要有完整的证件号：有权看明文的打印即留痕，没有的印遮蔽的。"""

from __future__ import annotations

from uuid import uuid4

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from sancha.apps.agreements.documents import Identity, contract_pdf
from sancha.apps.agreements.queries import PaperInfo, view_file
from sancha.apps.parties.operations import reveal_party
from sancha.apps.parties.queries import party_row
from sancha.interfaces.web.agreements.views import paper_of
from sancha.interfaces.web.downloads import pdf
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest

REVEAL = "parties.reveal"


@page("agreements.view")
@require_safe
def paper(request: PageRequest, file_id: int, paper_id: int) -> HttpResponse:
    """一份文书；作废的印明作废。"""
    view = view_file(actor=request.actor, file_id=file_id, on=request.business_date)
    chosen = paper_of(view, paper_id)
    content = contract_pdf(
        view, chosen, identity=_identity(request, chosen), printed_by=request.actor.name, on=request.business_date
    )
    return pdf(f"{chosen.kind_name}-{view.row.id}-{chosen.id}", content)


def _identity(request: PageRequest, chosen: PaperInfo) -> Identity:
    actor = request.actor
    masked = party_row(actor=actor, party_id=chosen.party_id)
    shown = {"id_number": masked.id_number, "address": masked.address, "phone": masked.phone}
    if actor.may(REVEAL):
        # Every print is a look at clear data of its own, with its own key.
        told = reveal_party(
            actor=actor, key=f"print-{uuid4()}", on=request.business_date, party_id=chosen.party_id,
            fields=list(shown), reason=f"打印{chosen.kind_name} {chosen.number}",
        )  # fmt: skip
        shown = {name: told["clear"].get(name) or "" for name in shown}
    return Identity(**{name: text or "—" for name, text in shown.items()})
