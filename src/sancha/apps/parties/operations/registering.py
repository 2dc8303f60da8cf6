"""登记客户，单个与成批：一人一档，证件唯一键相同就是同一个人。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.access.queries import InstitutionInfo, institutions_by_id
from sancha.apps.parties.intake import Prepared, prepare
from sancha.apps.parties.masking import mask_id_number
from sancha.apps.parties.models import FactSource, Party, PartyPresence
from sancha.apps.parties.operations.checks import CHUNK, index_names, officer_missing, officers_known
from sancha.apps.parties.operations.facts import append_facts
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.numbering import next_numbers
from sancha.kit.operation import operation

SEQUENCE = "parties.party"

CLAIMED_AT_IMPORT = "party.claimed"


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """批量登记一行的结果：``NEW`` 新档、``EXISTING`` 已有档、``ERROR`` 有毛病（``errors`` 列全）。"""

    row: int
    status: str
    party_id: int | None
    number: str | None
    errors: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """存成 JSON 的字典。"""
        return {
            "row": self.row,
            "status": self.status,
            "party_id": self.party_id,
            "number": self.number,
            "errors": list(self.errors),
        }


@operation("parties.register_party", permission="parties.edit")
def register_party(
    *,
    actor: Actor,
    key: str,
    on: date,
    kind: str,
    name: str,
    id_kind: str,
    id_number: str = "",
    gender: str = "",
    birth: date | None = None,
    phone: str = "",
    address: str = "",
    industry_code: str = "",
    industry_name: str = "",
    occupation: str = "",
    officer_id: int | None = None,
    institution_id: int | None = None,
) -> dict[str, Any]:
    """登记客户：建新档；此人已有档则返回原档（``existing``），并记下本机构与其往来。

    生日与性别由身份证得出，可以不填；``institution_id`` 不填取操作人所在机构。

    :raises DomainError: 资料有毛病（栏目指第一处，话里说全）。
    :raises Conflict: 证件已登记为另一个名字。
    """
    row = {
        "kind": kind,
        "name": name,
        "id_kind": id_kind,
        "id_number": id_number,
        "gender": gender,
        "birth": birth,
        "phone": phone,
        "address": address,
        "industry_code": industry_code,
        "industry_name": industry_name,
        "occupation": occupation,
        "officer_id": officer_id,
        "institution_id": institution_id,
    }
    (outcome,) = add_parties(actor=actor, on=on, rows=[row])
    if outcome.status == "ERROR":
        raise _as_one(outcome.errors)
    return {
        "subject": f"party:{outcome.party_id}",
        "party_id": outcome.party_id,
        "number": outcome.number,
        "existing": outcome.status == "EXISTING",
    }


@operation("parties.register_parties", permission="parties.edit")
def register_parties(
    *, actor: Actor, key: str, on: date, rows: Sequence[Mapping[str, Any]], all_or_nothing: bool = True
) -> dict[str, Any]:
    """批量登记：成批读写，没有一行一查；按证件去重，逐行报告。

    ``all_or_nothing`` 为真时，有一行错就一行也不写，只返回报告；为假时写入没有毛病的行。
    """
    outcomes = add_parties(actor=actor, on=on, rows=rows, all_or_nothing=all_or_nothing)
    counts = {status: sum(item.status == status for item in outcomes) for status in ("NEW", "EXISTING", "ERROR")}
    return {
        "subject": "parties",
        "written": not (all_or_nothing and counts["ERROR"]),
        "counts": counts,
        "rows": [item.as_dict() for item in outcomes],
        "audit": counts,
    }


CONFLICTS = {"IDENTITY_TAKEN", "DUPLICATE_IN_FILE"}


def add_parties(
    *, actor: Actor, on: date, rows: Sequence[Mapping[str, Any]], all_or_nothing: bool = False
) -> list[RowOutcome]:
    """登记一批客户（不带权限与幂等，供操作在自己的事务里用）：逐行给结果，次序与 ``rows`` 相同。"""
    checked, failures = _checked(actor, on, rows)
    existing = _existing(item.identity.key for item in checked.values())
    fresh = _first_of_each(checked, existing, failures)
    if all_or_nothing and failures:
        return [_outcome(index, checked, {}, existing, failures) for index in range(len(rows))]
    numbers = next_numbers(SEQUENCE, len(fresh))
    # Whoever registered the same person while we waited for the sequence row is visible now.
    raced = _existing(checked[index].identity.key for index in fresh)
    if raced:
        existing |= raced
        fresh = _first_of_each(checked, existing, failures)
        if all_or_nothing and failures:
            return [_outcome(index, checked, {}, existing, failures) for index in range(len(rows))]
    moment = now()
    created = Party.objects.bulk_create(
        (
            Party(
                number=f"C{number:010d}",
                institution_id=_home(checked[index]),
                created_on=on,
                created_at=moment,
                **checked[index].values,
            )
            for index, number in zip(fresh, numbers, strict=False)
        ),
        batch_size=CHUNK,
    )
    index_names([(party.pk, party.name) for party in created])
    new = dict(zip(fresh, created, strict=True))
    _meet_again(
        actor, on, [(item, existing[key]) for item in checked.values() if (key := item.identity.key) in existing]
    )
    by_key = existing | {party.identity_key: party for party in created if party.identity_key}
    return [_outcome(index, checked, new, by_key, failures) for index in range(len(rows))]


def _checked(
    actor: Actor, on: date, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, Prepared], dict[int, list[DomainError]]]:
    checked: dict[int, Prepared] = {}
    failures: dict[int, list[DomainError]] = {}
    for index, row in enumerate(rows):
        given = row if row.get("institution_id") else {**row, "institution_id": actor.institution_id}
        prepared, errors = prepare(given, on=on)
        if prepared is None:
            failures[index] = errors
        else:
            checked[index] = prepared
    institutions = institutions_by_id({item.institution_id for item in checked.values() if item.institution_id})
    officers = officers_known(checked.values())
    for index, item in list(checked.items()):
        wrong = _outside(actor, item, institutions, officers)
        if wrong:
            failures[index] = wrong
            del checked[index]
    return checked, failures


def _outside(
    actor: Actor, item: Prepared, institutions: dict[int, InstitutionInfo], officers: set[int]
) -> list[DomainError]:
    wrong = []
    institution = institutions.get(item.institution_id or 0)
    if institution is None or not actor.covers(institution.path):
        wrong.append(
            DomainError(
                "INSTITUTION_NOT_FOUND",
                "没有这个机构，或不在您的管辖范围内。",
                field="institution_id",
                value=item.institution_id,
                fix="请从机构列表中选择。",
            )
        )
    officer = item.values["officer_id"]
    if officer is not None and officer not in officers:
        wrong.append(officer_missing(officer))
    return wrong


def _home(item: Prepared) -> int:
    """管户机构：没有的行已在 ``_outside`` 列为错误。"""
    assert item.institution_id is not None
    return item.institution_id


def _first_of_each(
    checked: dict[int, Prepared], existing: Mapping[str, Party], failures: dict[int, list[DomainError]]
) -> list[int]:
    """要新建的行：同一证件只取第一行；同证件不同名的后一行算错。"""
    fresh: list[int] = []
    names: dict[str, tuple[str, int | None]] = {key: (party.name, None) for key, party in existing.items()}
    for index, item in sorted(checked.items()):
        key = item.identity.key
        if key is None:
            fresh.append(index)
        elif key not in names:
            names[key] = (item.values["name"], index)
            fresh.append(index)
        elif names[key][0] != item.values["name"]:
            failures[index] = [_taken(item, names[key][1])]
            del checked[index]
    return fresh


def _as_one(errors: Sequence[Mapping[str, Any]]) -> DomainError:
    """多处毛病合成一个错误：栏目与补救取第一处，话说全。"""
    first = errors[0]
    kind = Conflict if first["code"] in CONFLICTS else DomainError
    return kind(
        first["code"],
        "".join(error["message"] for error in errors),
        field=first.get("field"),
        value=first.get("value"),
        clause=first.get("clause"),
        fix=first.get("fix"),
    )


def _taken(item: Prepared, first_row: int | None) -> Conflict:
    masked = mask_id_number(item.identity.number)
    if first_row is None:
        return Conflict(
            "IDENTITY_TAKEN",
            f"证件 {masked} 已登记为另一个名字的客户。",
            field="id_number",
            value=masked,
            fix="核对姓名与证件；若客户改了名，请用「变更资料」并附证明。",
        )
    return Conflict(
        "DUPLICATE_IN_FILE",
        f"证件 {masked} 在本批第 {first_row + 1} 行已用于另一个名字。",
        field="id_number",
        value=masked,
        fix="核对两行的姓名与证件，改正其一。",
    )


def _outcome(
    index: int,
    checked: Mapping[int, Prepared],
    new: Mapping[int, Party],
    by_key: Mapping[str, Party],
    failures: Mapping[int, list[DomainError]],
) -> RowOutcome:
    if index in failures:
        return RowOutcome(index + 1, "ERROR", None, None, tuple(error.as_dict() for error in failures[index]))
    if index in new:
        return RowOutcome(index + 1, "NEW", new[index].pk, new[index].number)
    key = checked[index].identity.key
    if key is None or key not in by_key:  # nothing was written because another row is wrong
        return RowOutcome(index + 1, "NEW", None, None)
    return RowOutcome(index + 1, "EXISTING", by_key[key].pk, by_key[key].number)


def _existing(keys: Iterable[str | None]) -> dict[str, Party]:
    wanted = sorted({key for key in keys if key})
    found: dict[str, Party] = {}
    for start in range(0, len(wanted), CHUNK):
        for party in Party.objects.filter(identity_key__in=wanted[start : start + CHUNK]):
            found[str(party.identity_key)] = party
    return found


def _meet_again(actor: Actor, on: date, met: Sequence[tuple[Prepared, Party]]) -> None:
    """已有档的人再来登记：记下往来机构；电话、地址等与主档不同的，作为自述入档，主档不动。"""
    PartyPresence.objects.bulk_create(
        (
            PartyPresence(party=party, institution_id=_home(item), since=on)
            for item, party in met
            if item.institution_id != party.institution_id
        ),
        batch_size=CHUNK,
        ignore_conflicts=True,
    )
    append_facts(
        actor=actor,
        on=on,
        facts=[
            {
                "party_id": party.pk,
                "topic": CLAIMED_AT_IMPORT,
                "content": {"field": field, "claimed": item.values[field]},
                "source": FactSource.CLAIMED,
                "note": "再次登记时所填与主档不同",
            }
            for item, party in met
            for field in ("phone", "address", "occupation")
            if item.values[field] and item.values[field] != getattr(party, field)
        ],
    )
