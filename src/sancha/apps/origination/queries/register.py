"""受理台账：每一次询问一行，成否都在（规则 E6）。"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.db.models import Q

from sancha.apps.access.queries import in_scope
from sancha.apps.origination.models import Application, ApplicationState, Channel
from sancha.apps.parties.queries import PARTY_NUMBER, matching_party_ids, row_of
from sancha.kernel.dates import PeriodUnit
from sancha.kit.actor import Actor
from sancha.kit.paging import Page, paginate
from sancha.rulebook.packs import packs
from sancha.rulebook.vocabulary import GuaranteeKind, label


@dataclass(frozen=True, slots=True)
class ApplicationFilter:
    """受理台账的条件：``text`` 是申请号、客户号或姓名；``state`` 空为全部。"""

    text: str = ""
    program: str = ""
    state: str = ""
    channel: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """台账一行。姓名照列，证件、电话已遮蔽。"""

    id: int
    number: str
    program: str
    program_name: str
    state: str
    state_name: str
    waiting: str
    channel_name: str
    party_id: int
    party_name: str
    id_number: str
    phone: str
    address: str
    industry: str
    product_name: str
    purpose: str
    source: str
    amount_fen: int | None
    term: str
    guarantee: str
    institution_name: str
    received_by: str
    lead: str
    assistant: str
    opened_on: date
    closed_on: date | None
    closing_reason: str


@lru_cache
def _waiting() -> Mapping[tuple[str, str], str]:
    return {(pack.program, step.code): step.waiting for pack in packs().values() for step in pack.steps}


def waiting_name(application: Application) -> str:
    """走到哪里：办理中的写那一步在等什么，别的写状态。"""
    named = _waiting().get((application.program, application.step), "")
    in_progress = application.state == ApplicationState.IN_PROGRESS
    return named if in_progress and named else str(application.get_state_display())


def state_choices() -> list[tuple[str, str]]:
    """状态的选项。"""
    return [(value, str(name)) for value, name in ApplicationState.choices]


def list_applications(
    *, actor: Actor, filters: ApplicationFilter, page: int = 1, size: int = 50
) -> Page[ApplicationRow]:
    """受理台账，新的在前。两条语句。"""
    actor.require("origination.view")
    rows = Application.objects.filter(in_scope(actor)).select_related(
        "party", "product", "institution", "received_by", "lead", "assistant"
    )
    text = filters.text.strip()
    if text.upper().startswith("SQ-"):
        rows = rows.filter(number__startswith=text.upper())
    elif PARTY_NUMBER.fullmatch(text.upper()):
        rows = rows.filter(party__number=text.upper())
    elif text:
        rows = rows.filter(party_id__in=matching_party_ids(text))
    exact = {"program": filters.program, "state": filters.state, "channel": filters.channel}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    days = Q(opened_on__gte=filters.since) if filters.since else Q()
    days &= Q(opened_on__lte=filters.until) if filters.until else Q()
    return paginate(rows.filter(days).order_by("-pk"), page=page, size=size, to_row=application_row)


def application_row(row: Application) -> ApplicationRow:
    """行 → 台账一行。"""
    party = row_of(row.party)
    term = f"{row.term_count}{label(PeriodUnit(row.term_unit))}" if row.term_count and row.term_unit else ""
    return ApplicationRow(
        id=row.pk,
        number=row.number,
        program=row.program,
        program_name=packs()[row.program].name,
        state=row.state,
        state_name=str(row.get_state_display()),
        waiting=waiting_name(row),
        channel_name=str(Channel(row.channel).label),
        party_id=row.party_id,
        party_name=party.name,
        id_number=party.id_number,
        phone=party.phone,
        address=party.address,
        industry=party.industry_name,
        product_name=row.product.name,
        purpose=row.purpose or row.typed.get("purpose", ""),
        source=row.source,
        amount_fen=row.amount_fen,
        term=term,
        guarantee=GuaranteeKind(row.guarantee).label if row.guarantee else "",
        institution_name=row.institution.name,
        received_by=row.received_by.name,
        lead=row.lead.name if row.lead else "",
        assistant=row.assistant.name if row.assistant else "",
        opened_on=row.opened_on,
        closed_on=row.closed_on,
        closing_reason=row.closing_reason,
    )


def channel_choices() -> list[tuple[str, str]]:
    """受理渠道的选项。"""
    return [(value, str(name)) for value, name in Channel.choices]
