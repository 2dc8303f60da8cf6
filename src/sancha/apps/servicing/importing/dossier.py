"""一笔一档：借据行，加上属于它的计划、还款与客户行。转入以一档为单位：要么整笔进来，要么一行也不进。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sancha.apps.servicing.importing.layout import Layout
from sancha.apps.servicing.importing.problems import DOUBT, ERROR, Entry


@dataclass(slots=True)
class Choices:
    """一批的选择：缺省机构与产品、切换日、币种、日期平移、有无历史、客户是否新建。"""

    institution_id: int
    product_id: int | None
    business_date: date
    cutover_on: date
    currency: str
    basis: str = "AUTO"
    shift_months: int = 0
    create_customers: bool = True
    institutions: dict[str, tuple[int, str]] = field(default_factory=dict)  # 代码或名称 → （编号, 代码）
    products: dict[str, int] = field(default_factory=dict)
    officers: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Dossier:
    """一档。"""

    loan: Entry
    installments: list[Entry] = field(default_factory=list)
    payments: list[Entry] = field(default_factory=list)
    customer: Entry | None = None

    @property
    def ref(self) -> str:
        """借据的外部编号。"""
        return self.loan.ref

    @property
    def entries(self) -> list[Entry]:
        """全部行（客户行可能由几笔共用，不在内）。"""
        return [self.loan, *self.installments, *self.payments]

    @property
    def has_error(self) -> bool:
        """有没有不能转入的错误。"""
        return any(entry.has_error for entry in self.entries) or (self.customer is not None and self.customer.has_error)

    @property
    def is_skipped(self) -> bool:
        """是否不转入。"""
        return self.loan.is_skipped

    def value(self, name: str, otherwise: Any = None) -> Any:
        """借据行的一个值。"""
        return self.loan.values.get(name, otherwise)


def assemble(entries: Iterable[Entry]) -> tuple[list[Dossier], list[Entry], list[Entry]]:
    """行 → （各档, 没有归属的行, 客户行）。重复的借据行记为错误，只取第一行。"""
    dossiers: dict[str, Dossier] = {}
    rest: list[Entry] = []
    customers: dict[str, Entry] = {}
    orphans: list[Entry] = []
    for entry in entries:
        if entry.role == "customer":
            _keep_customer(customers, entry)
        elif entry.role != "loan":
            rest.append(entry)
        elif not entry.ref:
            orphans.append(entry)
        elif (first := dossiers.get(entry.ref)) is not None:
            entry.add(
                ERROR,
                "DUPLICATE_IN_FILE",
                "借据号",
                entry.ref,
                f"借据「{entry.ref}」在第 {first.loan.number} 行已有。",
                "删去重复的一行，或改正编号。",
            )
            orphans.append(entry)
        else:
            dossiers[entry.ref] = Dossier(entry)
    for entry in rest:
        owner = dossiers.get(entry.ref)
        if owner is None:
            entry.add(
                ERROR,
                "LOAN_UNKNOWN",
                "借据号",
                entry.ref,
                f"没有编号为「{entry.ref}」的借据。",
                "核对编号；或在借据文件里补上这一笔。",
            )
            orphans.append(entry)
        elif entry.role == "installment":
            owner.installments.append(entry)
        else:
            owner.payments.append(entry)
    for dossier in dossiers.values():
        dossier.customer = customers.get(str(dossier.value("customer_ref", "")))
        _find_doubles(dossier)
    return list(dossiers.values()), orphans, list(customers.values())


def _keep_customer(customers: dict[str, Entry], entry: Entry) -> None:
    first = customers.setdefault(entry.ref or f"#{entry.file_no}:{entry.number}", entry)
    if first is not entry:
        same = first.values == entry.values
        entry.add(
            DOUBT if same else ERROR,
            "DUPLICATE_IN_FILE",
            "客户编号",
            entry.ref,
            f"客户「{entry.ref}」在第 {first.number} 行已有{'，内容相同' if same else '，内容不同'}。",
            "内容相同的只取一行。" if same else "核对两行，留下正确的一行。",
        )


def _find_doubles(dossier: Dossier) -> None:
    serials: dict[str, Entry] = {}
    alike: dict[tuple[Any, Any], Entry] = {}
    for entry in dossier.payments:
        if entry.serial:
            first = serials.setdefault(entry.serial, entry)
            if first is not entry:
                entry.add(
                    ERROR,
                    "DUPLICATE_PAYMENT",
                    "流水号",
                    entry.serial,
                    f"流水号「{entry.serial}」在第 {first.number} 行已有。",
                    "删去重复的一行。",
                )
            continue
        first = alike.setdefault((entry.values.get("value_on"), entry.values.get("amount_fen")), entry)
        if first is not entry:
            entry.add(
                DOUBT,
                "DUPLICATE_PAYMENT",
                "金额",
                entry.cells.get("amount_fen", ""),
                f"与第 {first.number} 行同日同额，又没有流水号。",
                "确是两笔就认可；重复的请删去一行。",
            )
    days: dict[date, Entry] = {}
    for entry in dossier.installments:
        due_on = entry.values.get("due_on")
        if due_on is not None:
            first = days.setdefault(due_on, entry)
            if first is not entry:
                entry.add(
                    DOUBT,
                    "DUPLICATE_DUE",
                    "应还日",
                    due_on,
                    f"与第 {first.number} 行同日到期。",
                    "确是两期就认可（同日都到期）；否则更正日期。",
                )


def party_row(dossier: Dossier, layout: Layout, choices: Choices, institution_id: int) -> dict[str, Any]:
    """这一笔的借款人登记资料（交 ``parties.add_parties``）。客户文件为先，其次借据行的姓名证件，再其次版式的写法。"""
    loan = dossier.loan.values
    entry = dossier.customer
    row: dict[str, Any] = {"institution_id": institution_id}
    if entry is not None:
        row |= {
            name: entry.values[name]
            for name in ("name", "phone", "address", "industry_name", "occupation", "gender", "birth")
            if name in entry.values
        }
    if entry is not None and entry.values.get("name"):
        values = entry.values
        id_number, id_kind, kind = values.get("id_number", ""), values.get("id_kind", ""), values.get("kind", "")
    elif loan.get("customer_name"):
        row["name"] = loan["customer_name"]
        row |= {
            target: loan[source]
            for target, source in (("phone", "phone"), ("industry_name", "industry"))
            if loan.get(source)
        }
        id_number, id_kind, kind = loan.get("id_number", ""), loan.get("id_kind", ""), loan.get("customer_kind", "")
    elif layout.customer is not None:
        customer_ref = str(loan.get("customer_ref", dossier.ref))
        fill = {"ref": dossier.ref, "customer_ref": customer_ref, "customer_tail": customer_ref[-6:]}
        row["name"] = layout.customer.name.format(**fill)
        id_number, id_kind, kind = (
            layout.customer.id_number.format(**fill),
            layout.customer.id_kind,
            layout.customer.kind,
        )
    else:
        row["name"], id_number, id_kind, kind = "", "", "", ""
    kind = kind or "PERSON"
    if not id_kind:
        id_kind = "USCC" if kind == "COMPANY" else "RESIDENT_ID"
    return row | {"kind": kind, "id_kind": id_kind, "id_number": id_number}
