"""本案的材料：要哪些、收了哪些、核对了没有；到一步之前缺的、没盖章签名的挡住那一步。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sancha.apps.origination.facts import Document, case_document
from sancha.apps.origination.models import Application, CaseGuarantor, CaseMaterial
from sancha.kit.errors import DomainError
from sancha.rulebook.materials import Holder, MaterialDocument, checklist
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rules import Stage

ORDER = tuple(Stage)


@dataclass(frozen=True, slots=True)
class MaterialLine:
    """清单上的一行：一样材料（保证人的每人一行）与收到的那一份。``asks`` 非空即还说不准要不要。"""

    material: MaterialDocument
    guarantor_id: int | None
    held: CaseMaterial | None
    satisfied_by_other: bool
    asks: tuple[str, ...]

    @property
    def state(self) -> str:
        """UNDECIDED 待定、DONE 齐、UNCOMPARED 没有核对、OTHER 已有替代的一样、OWED 缺。"""
        if self.asks:
            return "UNDECIDED"
        if self.held is not None:
            return "DONE" if not self.material.compared or self.held.compared_on else "UNCOMPARED"
        return "OTHER" if self.satisfied_by_other else "OWED"


def material_lines(application: Application, *, on: date, document: Document | None = None) -> list[MaterialLine]:
    """本案的材料清单，按清单次序。"""
    known = document if document is not None else case_document(application, on=on)
    values = {code: item["value"] for code, item in known.items()}
    wanted = checklist(application.program, values)
    guarantors = list(
        CaseGuarantor.objects.filter(application=application, removed_on__isnull=True)
        .values_list("pk", flat=True)
        .order_by("pk")
    )
    rows = CaseMaterial.objects.filter(application=application, returned_on__isnull=True).select_related(
        "received_by", "compared_by"
    )
    held = {(row.code, row.guarantor_id): row for row in rows}
    groups: dict[tuple[str, int | None], bool] = {}
    places = []
    for item in wanted:
        for who in guarantors if item.material.holder is Holder.GUARANTOR else [None]:
            places.append((item, who))
            if item.material.one_of and (item.material.code, who) in held:
                groups[item.material.one_of, who] = True
    base = rulebase()
    return [
        MaterialLine(
            material=item.material,
            guarantor_id=who,
            held=held.get((item.material.code, who)),
            satisfied_by_other=groups.get((item.material.one_of, who), False),
            asks=tuple(base.ask(name) for name in item.missing),
        )
        for item, who in places
    ]


def require_materials(application: Application, *, before: Stage, on: date) -> None:
    """这一步之前的材料都齐、该核对的都核对过。

    :raises DomainError: 逐样写明缺的、没有与原件核对签名的。
    """
    due = [
        line for line in material_lines(application, on=on) if ORDER.index(line.material.before) <= ORDER.index(before)
    ]
    owed = [line for line in due if line.state in {"OWED", "UNCOMPARED"}]
    if not owed:
        return
    told: dict[tuple[str, int | None], str] = {}
    for line in owed:
        one = line.material.one_of or line.material.code, line.guarantor_id
        name = line.material.name + ("（没有与原件核对签名）" if line.state == "UNCOMPARED" else "")
        told[one] = f"{told[one]}或{name}" if one in told else name
    raise DomainError(
        "MATERIALS_OWED",
        f"{before.label}之前还差 {len(told)} 样材料：{'、'.join(told.values())}。",
        field=owed[0].material.code,
        clause=owed[0].material.clause,
        fix="请收齐，复印件与原件核对一致后由经办人签名。",
    )
