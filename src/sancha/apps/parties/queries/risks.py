"""风险名单的查询：某人某日命中哪几条（还不是客户的人凭证件号），名单清单，法院名单逐行的毛病。"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from sancha.apps.access.queries import in_scope
from sancha.apps.parties.identity import check_identity, identity_key, normalized
from sancha.apps.parties.intake import clean_name
from sancha.apps.parties.masking import mask_id_number
from sancha.apps.parties.models import IdKind, Party, RiskCause, RiskEffect, RiskEntry, RiskState
from sancha.apps.parties.queries.looking import family_ids
from sancha.kit.actor import Actor
from sancha.kit.dated import valid_on
from sancha.kit.errors import DomainError, NotFound
from sancha.kit.paging import Page, paginate
from sancha.rulebook.vocabulary import CustomerKind

LONGEST_CASE = 80


@dataclass(frozen=True, slots=True)
class RiskHit:
    """命中的一条：为什么、效力、期限；拒绝时照它说话。"""

    entry_id: int
    cause: str
    cause_name: str
    effect: str
    effect_name: str
    name: str
    source_ref: str
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class RiskRow:
    """名单清单的一行。"""

    id: int
    party_id: int | None
    name: str
    id_shown: str
    cause: str
    cause_name: str
    effect: str
    effect_name: str
    evidence: str
    hearing: str
    source_ref: str
    source_on: date | None
    valid_from: date
    valid_to: date | None
    state: str
    state_name: str
    released_on: date | None
    release_reason: str


@dataclass(frozen=True, slots=True)
class RiskFilter:
    """名单筛选：都可不填。"""

    text: str = ""
    cause: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class CourtRow:
    """法院名单的一行：核对过的姓名、证件摘要、案号、发布日。"""

    name: str
    digest: str
    id_shown: str
    case: str
    published_on: date


def identity_digest(key: str) -> str:
    """证件唯一键的摘要。"""
    return hashlib.sha256(key.encode()).hexdigest()


def digests_of(party_ids: Iterable[int]) -> set[str]:
    """这些档的证件摘要。并入的旧档不再占唯一键，所以从证件号算。"""
    rows = Party.objects.filter(pk__in=list(party_ids)).exclude(id_number="").values_list("id_kind", "id_number")
    return {identity_digest(identity_key(IdKind(kind), number)) for kind, number in rows}


def entries_of(party_ids: Iterable[int]) -> QuerySet[RiskEntry]:
    """这些档的名单：指着档的，与凭证件对上的。"""
    ids = list(party_ids)
    return RiskEntry.objects.filter(Q(party_id__in=ids) | Q(identity_digest__in=digests_of(ids)))


def in_force_on(on: date) -> Q:
    """某日在列的条件：已列入、在期、当日尚未解除。"""
    listed = Q(state=RiskState.IN_FORCE) | Q(state=RiskState.RELEASED, released_on__gt=on)
    return listed & valid_on(on)


def hits(*, on: date, party_id: int | None = None, id_kind: str = "", id_number: str = "") -> list[RiskHit]:
    """某人某日命中的名单，不限机构；不予办理的在前。受理与放款之前各查一次（CUS-3、POL-2）。

    客户给编号；还不是客户的人给证件类别与号码。
    """
    if party_id is not None:
        rows = entries_of(family_ids(party_id))
    else:
        assert id_kind in IdKind.values, "a person who is no customer is known by a document"
        key = identity_key(IdKind(id_kind), normalized(id_number))
        rows = RiskEntry.objects.filter(identity_digest=identity_digest(key))
    found = [_hit(entry) for entry in rows.filter(in_force_on(on)).order_by("pk")]
    return sorted(found, key=lambda hit: hit.effect != RiskEffect.REFUSE)


def list_risks(*, actor: Actor, filters: RiskFilter, page: int = 1, size: int = 50) -> Page[RiskRow]:
    """名单清单，新的在前：本机构及下级提出的，与法院名单。两条语句。"""
    actor.require("parties.view")
    rows = RiskEntry.objects.filter(in_scope(actor) | Q(cause=RiskCause.COURT_DISHONEST))
    if filters.text.strip():
        rows = rows.filter(Q(name__icontains=filters.text.strip()) | Q(source_ref=filters.text.strip()))
    if filters.cause:
        rows = rows.filter(cause=filters.cause)
    if filters.state:
        rows = rows.filter(state=filters.state)
    return paginate(rows.order_by("-pk"), page=page, size=size, to_row=_row)


def risk_entry(*, actor: Actor, entry_id: int) -> RiskRow:
    """名单的一条。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("parties.view")
    rows = RiskEntry.objects.filter(in_scope(actor) | Q(cause=RiskCause.COURT_DISHONEST))
    found = rows.filter(pk=entry_id).first()
    if found is None:
        raise NotFound("RISK_NOT_FOUND", "没有这条名单。", field="entry_id", value=entry_id, fix="请从名单中选择。")
    return _row(found)


def check_court_rows(
    rows: Sequence[Mapping[str, str]], *, on: date
) -> tuple[list[tuple[int, CourtRow]], list[tuple[int, DomainError]]]:
    """核对法院名单：``(行号, 可列入的)`` 与 ``(行号, 存疑的)``，行号从 1 起。栏目：name、id_number、case、published_on。

    存疑的不列入：号码被隐去几位的对不上人，列错了人比漏列更糟；同一人同一案重复的只取第一行。
    """
    good: list[tuple[int, CourtRow]] = []
    doubtful: list[tuple[int, DomainError]] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows, start=1):
        try:
            checked = _court_row(row, on)
        except DomainError as error:
            doubtful.append((number, error))
            continue
        first = seen.setdefault((checked.digest, checked.case), number)
        if first != number:
            repeated = DomainError(
                "DUPLICATE_IN_FILE", f"与第 {first} 行是同一人同一案。", field="case", value=checked.case
            )
            doubtful.append((number, repeated))
        else:
            good.append((number, checked))
    return good, doubtful


def _court_row(row: Mapping[str, str], on: date) -> CourtRow:
    name, case = clean_name(row.get("name", "")), row.get("case", "").strip()
    if not case or len(case) > LONGEST_CASE:
        raise DomainError(
            "CASE_MISSING",
            f"案号不能为空，至多 {LONGEST_CASE} 个字。",
            field="case",
            fix="填执行案号，如（2025）川0822执123号。",
        )
    text = normalized(row.get("id_number", ""))
    if "*" in text:
        raise DomainError(
            "ID_NUMBER_MASKED",
            "证件号码隐去了几位，对不上人。",
            field="id_number",
            fix="向法院取得完整号码，或按案情人工提出。",
        )
    person = len(text) == 15 or (text[:17].isdigit() and not text.startswith(("91", "92", "93")))
    kind, id_kind = (
        (CustomerKind.PERSON, IdKind.RESIDENT_ID) if person else (CustomerKind.COMPANY, IdKind.USCC)
    )  # fmt: skip
    identity = check_identity(kind, id_kind, text, on=on)
    try:
        published_on = date.fromisoformat(row.get("published_on", "").strip().replace("/", "-")[:10])
    except ValueError:
        published_on = date.max
    if published_on > on:
        raise DomainError("DATE_WRONG", "发布日期读不懂，或晚于营业日。", field="published_on", fix="写成 2026-03-02。")
    assert identity.key is not None, "a resident or an organization has a number"
    return CourtRow(name, identity_digest(identity.key), mask_id_number(identity.number), case, published_on)


def _hit(entry: RiskEntry) -> RiskHit:
    return RiskHit(
        entry_id=entry.pk,
        cause=entry.cause,
        cause_name=str(RiskCause(entry.cause).label),
        effect=entry.effect,
        effect_name=str(RiskEffect(entry.effect).label),
        name=entry.name,
        source_ref=entry.source_ref,
        valid_from=entry.valid_from,
        valid_to=entry.valid_to,
    )


def _row(entry: RiskEntry) -> RiskRow:
    same: dict[str, Any] = {
        name: getattr(entry, name)
        for name in (
            "party_id", "name", "id_shown", "cause", "effect", "evidence", "hearing", "source_ref", "source_on",
            "valid_from", "valid_to", "state", "released_on", "release_reason",
        )
    }  # fmt: skip
    return RiskRow(
        id=entry.pk,
        cause_name=str(RiskCause(entry.cause).label),
        effect_name=str(RiskEffect(entry.effect).label),
        state_name=str(RiskState(entry.state).label),
        **same,
    )
