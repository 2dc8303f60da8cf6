"""预检：行归成档、逐档核对与试建、与账上比对，得出每行的状态与整批的汇总。写库的只有调用者（``operations.importing``）。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.products import queries as products
from sancha.apps.servicing.importing.building import Blueprint, Pins, build
from sancha.apps.servicing.importing.cells import read_entry
from sancha.apps.servicing.importing.checks import check
from sancha.apps.servicing.importing.dossier import Choices, Dossier, assemble, party_row
from sancha.apps.servicing.importing.layout import Layout
from sancha.apps.servicing.importing.problems import ERROR, SKIP, Entry
from sancha.apps.servicing.importing.reading import shift_entry
from sancha.apps.servicing.importing.writing import external_ref
from sancha.apps.servicing.models import ImportRow, Loan, RowStatus
from sancha.kit.actor import SYSTEM, Actor

Progress = Callable[[str, int, int], None]
Register = Callable[[Sequence[dict[str, Any]]], list[Any]]
_IN = 900


def quiet(name: str, done: int, total: int) -> None:
    """默认不报进度。"""


@dataclass(slots=True)
class Workshop:
    """一批的工作台：版式、选择、钉好的产品条款。"""

    layout: Layout
    choices: Choices
    pins: Pins = field(default_factory=Pins)


def open_workshop(
    *, layout: Layout, options: dict[str, Any], institution_id: int, actor: Actor, business_date: date, officers: bool
) -> Workshop:
    """由批次的选择与操作人的范围备好工作台。语句数与行数无关。"""
    places: dict[str, tuple[int, str]] = {}
    for info in access.institution_tree(actor):
        places[info.code] = places[info.name] = places[f"#{info.id}"] = (info.id, info.code)
    listed = products.list_products(actor=SYSTEM, on=business_date)
    by_name = {item.name: item.id for item in listed} | {item.code: item.id for item in listed}
    choices = Choices(
        institution_id=institution_id,
        product_id=options.get("product_id"),
        business_date=business_date,
        cutover_on=date.fromisoformat(options["cutover_on"]) if options.get("cutover_on") else business_date,
        currency=options["currency"],
        basis=options["basis"],
        shift_months=int(options["shift_months"]),
        create_customers=bool(options["create_customers"]),
        institutions=places,
        products=by_name,
        officers=_officers(actor, business_date) if officers else {},
    )
    return Workshop(layout, choices)


def _officers(actor: Actor, on: date) -> dict[str, int]:
    """姓名、用户名、工号 → 人员。重名的按姓名认不出，须写工号。"""
    found: dict[str, int] = {}
    names: Counter[str] = Counter()
    number, more = 1, True
    while more:
        page = access.list_people(actor, on=on, active=True, page=number, size=500)
        for person in page.rows:
            names[person.name] += 1
            found |= {person.name: person.id, person.username: person.id}
            if person.employee_no:
                found[person.employee_no] = person.id
        number, more = number + 1, page.has_next
    return {name: pk for name, pk in found.items() if names[name] < 2}


def entries_of(rows: Iterable[ImportRow], layout: Layout, shift_months: int) -> list[Entry]:
    """存下的行 → 读好的行。"""
    entries = []
    for row in rows:
        entry = Entry(row.role, row.file_no, row.number, dict(row.cells), row_id=row.pk)
        read_entry(entry, layout.file_for(row.role), layout)
        shift_entry(entry, shift_months)
        entries.append(entry)
    return entries


def examine(
    entries: Sequence[Entry], workshop: Workshop, *, try_customers: Register, progress: Progress = quiet
) -> tuple[list[Dossier], list[Entry], dict[str, Any]]:
    """把一批核一遍：（各档, 客户行, 汇总）。毛病都在行上。

    ``try_customers`` 登记一批客户并撤回（只为知道行不行），返回与入参同序的结果。
    """
    dossiers, orphans, customers = assemble(entries)
    known = _in_book(
        [external_ref(workshop.layout, dossier.ref) for dossier in dossiers], [dossier.ref for dossier in dossiers]
    )
    built = 0
    for index, dossier in enumerate(dossiers):
        number = known.get(external_ref(workshop.layout, dossier.ref)) or (
            known.get(dossier.ref) if workshop.layout.keep_numbers else None
        )
        if number is not None:
            dossier.loan.add(
                SKIP,
                "ALREADY_IN_BOOK",
                "借据号",
                dossier.ref,
                f"这笔已在账（{number}）。",
                "不再转入；要重来请先撤回原批次。",
            )
            continue
        check(dossier, workshop.layout, workshop.choices)
        if (
            not dossier.has_error
            and not dossier.is_skipped
            and build(dossier, workshop.layout, workshop.choices, workshop.pins) is not None
        ):
            built += 1
        if index % 500 == 0:
            progress("核对", index, len(dossiers))
    _examine_customers(
        [dossier for dossier in dossiers if not dossier.has_error and not dossier.is_skipped], workshop, try_customers
    )
    progress("核对", len(dossiers), len(dossiers))
    return dossiers, customers, summarize(dossiers, orphans, customers)


def rebuild(dossier: Dossier, workshop: Workshop) -> Blueprint | None:
    """入账前按当下的营业日重新核对并试建；不成立返回空（毛病在行上）。"""
    check(dossier, workshop.layout, workshop.choices)
    if dossier.has_error or dossier.is_skipped:
        return None
    return build(dossier, workshop.layout, workshop.choices, workshop.pins)


def _in_book(refs: list[str], numbers: list[str]) -> dict[str, str]:
    """已在账的：外部编号或借据号 → 借据号。分块等值查询。"""
    found: dict[str, str] = {}
    for start in range(0, len(refs), _IN):
        found |= dict(
            Loan.objects.filter(external_ref__in=refs[start : start + _IN]).values_list("external_ref", "number")
        )
        found |= {
            number: number
            for number in Loan.objects.filter(number__in=numbers[start : start + _IN]).values_list("number", flat=True)
        }
    return found


def in_book(layout: Layout, refs: list[str]) -> set[str]:
    """这些编号里已在账的。"""
    found = _in_book([external_ref(layout, ref) for ref in refs], refs)
    return {ref for ref in refs if external_ref(layout, ref) in found or (layout.keep_numbers and ref in found)}


def customer_rows(dossiers: Sequence[Dossier], workshop: Workshop) -> tuple[list[dict[str, Any]], list[int]]:
    """各档的借款人资料，相同的只留一份：（资料, 每档对应的下标）。"""
    rows: list[dict[str, Any]] = []
    index_of: dict[tuple[Any, ...], int] = {}
    places = []
    for dossier in dossiers:
        institution_id, _ = workshop.choices.institutions.get(
            str(dossier.value("institution", "")), (workshop.choices.institution_id, "")
        )
        row = party_row(dossier, workshop.layout, workshop.choices, institution_id)
        mark = tuple(sorted((name, str(value)) for name, value in row.items()))
        if mark not in index_of:
            index_of[mark] = len(rows)
            rows.append(row)
        places.append(index_of[mark])
    return rows, places


def _examine_customers(dossiers: Sequence[Dossier], workshop: Workshop, try_customers: Register) -> None:
    if not dossiers:
        return
    rows, places = customer_rows(dossiers, workshop)
    outcomes = try_customers(rows)
    for dossier, place in zip(dossiers, places, strict=True):
        outcome = outcomes[place]
        entry = (
            dossier.customer if dossier.customer is not None and dossier.customer.values.get("name") else dossier.loan
        )
        if outcome.status == "ERROR":
            if entry.has_error:
                continue
            for error in outcome.errors:
                entry.add(
                    ERROR,
                    "CUSTOMER_WRONG",
                    error.get("field", "客户"),
                    error.get("value", ""),
                    error["message"],
                    error.get("fix", "更正客户资料。"),
                )
        elif outcome.status == "NEW" and not workshop.choices.create_customers:
            dossier.loan.add(
                ERROR,
                "CUSTOMER_UNKNOWN",
                "证件号",
                "",
                f"没有客户「{rows[place]['name']}」。",
                "先登记这位客户；或转入时选择「没有的客户自动建档」。",
            )


def summarize(dossiers: Sequence[Dossier], orphans: Sequence[Entry], customers: Sequence[Entry]) -> dict[str, Any]:
    """整批的汇总：行数、笔数、金额、各类毛病各几处。"""
    kinds: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    doubtful = 0
    for entry in all_entries(dossiers, orphans, customers):
        rows[entry.role] += 1
        doubtful += bool(entry.problems)
        kinds.update(f"{problem.severity}:{problem.code}" for problem in entry.problems)
    errors = sum(dossier.has_error for dossier in dossiers)
    skipped = sum(dossier.is_skipped and not dossier.has_error for dossier in dossiers)
    ready = [dossier for dossier in dossiers if not dossier.has_error and not dossier.is_skipped]
    return {
        "rows": dict(rows),
        "doubtful_rows": doubtful,
        "problems": dict(sorted(kinds.items())),
        "loans": len(dossiers),
        "ready": len(ready),
        "errors": errors,
        "skipped": skipped,
        "orphans": sum(entry.has_error for entry in orphans),
        "amount_fen": sum(dossier.value("amount_fen", 0) for dossier in ready),
        "balance_fen": sum(dossier.value("balance_fen", 0) for dossier in ready),
        "payments_fen": sum(entry.values.get("amount_fen", 0) for dossier in ready for entry in dossier.payments),
        "doubts": sum(1 for dossier in ready if any(entry.problems for entry in dossier.entries)),
    }


def all_entries(dossiers: Sequence[Dossier], orphans: Sequence[Entry], customers: Sequence[Entry]) -> list[Entry]:
    """全部的行。"""
    return [*(entry for dossier in dossiers for entry in dossier.entries), *orphans, *customers]


def status_of(entry: Entry, owner: Dossier | None) -> str:
    """一行该是什么状态。借据行看整档，其余各看各的。"""
    if entry.has_error or (owner is not None and owner.loan is entry and owner.has_error):
        return str(RowStatus.ERROR)
    if entry.is_skipped or (owner is not None and owner.is_skipped):
        return str(RowStatus.SKIPPED)
    return str(RowStatus.READY)
