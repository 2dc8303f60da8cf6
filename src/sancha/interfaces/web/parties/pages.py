"""客户一档的页面：资料、借据、档案、联系方式与关系，与可办的事。各项办理出错时都回到这里。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sancha.apps.parties.queries import EntryRow, party_detail, party_ids
from sancha.apps.servicing.queries import loans_of_party
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.loans.listing import loan_table
from sancha.interfaces.web.loans.words import pill
from sancha.interfaces.web.pages import blame, show
from sancha.interfaces.web.parties import forms
from sancha.interfaces.web.parties.requests import departing_context
from sancha.interfaces.web.request import PageRequest
from sancha.kit.errors import NotFound

EDIT, REVEAL = "parties.edit", "parties.reveal"
TOPICS = dict(forms.ENTRY_TOPICS) | {
    "party.amended": gettext_lazy("资料更正"),
    "party.claimed": gettext_lazy("再次登记时所填不同"),
    "party.merged": gettext_lazy("并档"),
}
FIELDS = (
    dict(forms.AMENDABLE)
    | dict(forms.REVEAL)
    | {
        "officer_id": gettext_lazy("管户人"),
        "institution_id": gettext_lazy("管户机构"),
        "id_kind": gettext_lazy("证件类别"),
    }
)


def party_page(
    request: PageRequest, party_id: int, *, clear: dict[str, Any] | None = None, **bound: Form
) -> HttpResponse:
    """客户一档；``bound`` 是填错了的表单，填过的不丢。"""
    actor, today = request.actor, request.business_date
    detail = party_detail(actor=actor, party_id=party_id, on=today)
    loans = loans_of_party(actor=actor, party_id=party_id, today=today) if actor.may("servicing.view") else []
    totals = {
        name: sum(getattr(loan, name) for loan in loans)
        for name in ("principal_fen", "balance_fen", "overdue_principal_fen", "interest_due_fen", "charges_due_fen")
    }
    editable = {
        "amend_form": forms.AmendForm(),
        "contact_form": forms.ContactForm(),
        "relation_form": forms.RelationForm(initial={"valid_from": today}),
        "entry_form": forms.EntryForm(),
    }
    context: dict[str, Any] = {
        "detail": detail,
        "party": detail.row,
        "loans": loan_table(loans, with_party=False, totals=totals if loans else None, empty=_("名下没有借据")),
        "steps": [_step(entry) for entry in detail.entries],
        "clear": clear or {},
        "reveal_form": forms.RevealForm() if actor.may(REVEAL) and detail.erased_on is None else None,
        "may_book": actor.may("servicing.book") and detail.erased_on is None,
        **(editable if actor.may(EDIT) and detail.erased_on is None else {}),
        **departing_context(actor, party_id, today),
    }
    return show(request, "parties/detail.html", context | bound)


def other_party(form: Form, field: str, *, fix: str) -> int | None:
    """``field`` 栏所填客户号的客户；没有的记到这一栏上，返回 None。"""
    number = form.cleaned_data[field].strip().upper()
    found = party_ids([number]).get(number)
    if found is None:
        said = _("没有客户号 %(number)s 的客户。") % {"number": number}
        blame(form, NotFound("PARTY_NOT_FOUND", said, field=field, value=number, fix=fix))
    return found


def _step(entry: EntryRow) -> dict[str, Any]:
    """信用档案条目 → 轨迹。"""
    content = dict(entry.content)
    words = []
    if field := content.pop("field", ""):
        words.append(
            f"{FIELDS.get(field, field)}：{content.pop('before', '') or '—'} → {content.pop('after', content.pop('claimed', '')) or '—'}"
        )
    words += [str(value) for value in content.values() if value not in (None, "")]
    if entry.note:
        words.append(entry.note)
    return {
        "title": format_html("{} {}", TOPICS.get(entry.topic, entry.topic), pill(entry.source_name, "blue")),
        "by": entry.recorded_by,
        "on": entry.booked_on,
        "note": "；".join(words),
        "state": "done",
    }
