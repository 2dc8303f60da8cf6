"""一案的全貌：要素、事实与由来、保证人、裁定、建议、批复。"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sancha.apps.access.queries import in_scope, names_of
from sancha.apps.authority.queries import pack_named
from sancha.apps.origination.elements import Elements, asked, elements_of
from sancha.apps.origination.facts import GUARANTOR_KIND, GUARANTORS, Document, askable_at, case_document, latest
from sancha.apps.origination.materials import MaterialLine, material_lines
from sancha.apps.origination.models import (
    Application,
    ApplicationState,
    Approval,
    CaseFact,
    CaseGuarantor,
    Proposal,
    RuleException,
    Ruling,
)
from sancha.apps.origination.queries.register import ApplicationRow, application_row
from sancha.apps.origination.ruling import decide, foresee
from sancha.apps.origination.steps import ROOT, current_step, kind_code, pack_of, referral_kind
from sancha.apps.parties.queries import PartyRow, row_of
from sancha.apps.work.queries import open_task_of
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.labels import Labels, labels
from sancha.rulebook.case_file import CaseFile, explain
from sancha.rulebook.expression import Kind
from sancha.rulebook.facts import Evidence, FactDefinition
from sancha.rulebook.packs import StepDocument
from sancha.rulebook.rulebase import rulebase, show
from sancha.rulebook.rules import Outcome, Stage
from sancha.rulebook.vocabulary import GuaranteeKind, label


@dataclass(frozen=True, slots=True)
class FactCell:
    """一项事实给人看：名、值、凭什么、出处、谁何时记的；没有的 ``known`` 为假，``ask`` 说向谁要。"""

    code: str
    name: str
    known: bool
    text: str
    evidence: str
    evidence_name: str
    reference: str
    recorded_on: date | None
    recorded_by: str
    ask: str
    definition: FactDefinition


@dataclass(frozen=True, slots=True)
class GuarantorInfo:
    """一位保证人与他的事实。"""

    id: int
    party: PartyRow
    kind: str
    kind_name: str
    added_on: date
    facts: tuple[FactCell, ...]


@dataclass(frozen=True, slots=True)
class MaterialInfo:
    """材料清单的一行。``state``：UNDECIDED 待定、DONE 齐、UNCOMPARED 没有核对、OTHER 已有替代、OWED 缺。"""

    code: str
    name: str
    holder: str
    guarantor_id: int | None
    state: str
    before_name: str
    one_of: str
    compared: bool
    received_on: date | None
    received_by: str
    compared_by: str
    asks: tuple[str, ...]
    clause: str


@dataclass(frozen=True, slots=True)
class RulingInfo:
    """一次裁定。"""

    id: int
    stage_name: str
    outcome: str
    outcome_name: str
    on_day: date
    at: datetime
    by: str
    limit_fen: int | None
    verdicts: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """一项同意照办的例外。"""

    rule: str
    name: str
    opinion: str
    on_day: date
    by: str


@dataclass(frozen=True, slots=True)
class ProposalInfo:
    """一份建议或批复的要素。"""

    step_name: str
    amount_fen: int
    term: str
    method_name: str
    guarantee_name: str
    rate_ppm: int
    opinion: str
    conditions: tuple[str, ...]
    on_day: date
    by: str


@dataclass(frozen=True, slots=True)
class ApprovalInfo:
    """批复：要素、有效期与所用的授权。"""

    id: int
    elements: ProposalInfo
    expires_on: date
    expired: bool
    authority: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseView:
    """一案。``step`` 是走到的一步，不在办理中为空；``gaps`` 是只凭客户自述的事实（CUS-15）。"""

    row: ApplicationRow
    application: Application
    party: PartyRow
    step: StepDocument | None
    facts: tuple[FactCell, ...]
    guarantors: tuple[GuarantorInfo, ...]
    rulings: tuple[RulingInfo, ...]
    exceptions: tuple[ExceptionInfo, ...]
    proposals: tuple[ProposalInfo, ...]
    approval: ApprovalInfo | None

    @property
    def gaps(self) -> tuple[FactCell, ...]:
        """只凭客户自述、还没有核实的事实。"""
        cells = [*self.facts, *(cell for guarantor in self.guarantors for cell in guarantor.facts)]
        return tuple(cell for cell in cells if cell.known and cell.evidence == Evidence.CLAIMED)


def application_labels(kind: str, ids: Collection[int]) -> Labels:
    """申请的称呼：申请号。"""
    return labels(Application.objects.all(), kind, ids, "number")


def find_application(actor: Actor, application_id: int) -> Application:
    """范围内的一案。

    :raises NotFound: 没有，或在范围之外。
    """
    rows = Application.objects.select_related("party", "product", "institution", "received_by", "lead", "assistant")
    found = rows.filter(in_scope(actor), pk=application_id).first()
    if found is None:
        raise NotFound(
            "APPLICATION_NOT_FOUND",
            f"没有编号为 {application_id} 的申请，或不在您的机构范围内。",
            field="application_id",
            value=application_id,
            fix="请从受理台账中选择。",
        )
    return found


def waiting_task(actor: Actor, application_id: int) -> int:
    """本案待办的任务（上报的或走到的一步的）。

    :raises NotFound: 没有待办的。
    """
    row = find_application(actor, application_id)
    pack = pack_of(row)
    kinds = [referral_kind(pack).code, *(kind_code(pack.program, step) for step in pack.steps)]
    for kind in kinds:
        if (task_id := open_task_of(kind=kind, subject_type=ROOT, subject_id=row.pk)) is not None:
            return task_id
    raise NotFound(
        "TASK_NOT_FOUND",
        f"申请 {row.number} 没有待办的任务。",
        field="application_id",
        value=row.number,
        fix="请刷新申请页。",
    )


def proposed_elements(application: Application, *, on: date) -> Elements:
    """最近一份建议的要素；还没有建议的取申请的。"""
    last = Proposal.objects.filter(application=application).order_by("-pk").first()
    return elements_of(last, rate_ppm=last.rate_ppm) if last is not None else asked(application, on=on)


def case_materials(*, actor: Actor, application_id: int, on: date) -> list[MaterialInfo]:
    """本案的材料清单。语句数固定。

    :raises NotFound: 没有，或在范围之外。
    """
    row = find_application(actor, application_id)
    guarantors = CaseGuarantor.objects.filter(application=row, removed_on__isnull=True).select_related("party")
    names = {item.pk: item.party.name for item in guarantors}
    return [_material(line, row, names) for line in material_lines(row, on=on)]


def _material(line: MaterialLine, row: Application, guarantors: Mapping[int, str]) -> MaterialInfo:
    item, held = line.material, line.held
    holder = f"{item.holder.label}{guarantors[line.guarantor_id]}" if line.guarantor_id else item.holder.label
    return MaterialInfo(
        code=item.code,
        name=item.name,
        holder=holder,
        guarantor_id=line.guarantor_id,
        state=line.state,
        before_name=item.before.label,
        one_of=item.one_of,
        compared=item.compared,
        received_on=held.received_on if held else None,
        received_by=held.received_by.name if held else "",
        compared_by=held.compared_by.name if held and held.compared_by else "",
        asks=line.asks,
        clause=item.clause,
    )


def stage_now(application: Application) -> Stage:
    """此刻该看哪个环节的规则：草稿看受理，调查看审查（要过的那一关），其余看所在的一步。"""
    if application.state != ApplicationState.IN_PROGRESS:
        return Stage.APPROVAL if application.state == ApplicationState.APPROVED else Stage.INTAKE
    pack, step = pack_of(application), current_step(application)
    while step.rules is None or step.rules is Stage.INVESTIGATION:
        following = pack.after(step.code)
        assert following is not None, f"{pack.program}: rules come before the end"
        step = following
    return step.rules


def decided_now(*, actor: Actor, application_id: int, on: date) -> dict[str, Any]:
    """此刻的裁定，不留底：草稿看受理（填得成的当事实），调查看要过的审查，其余看所在的一步。

    :raises NotFound: 没有，或在范围之外。
    """
    row = find_application(actor, application_id)
    if row.state == ApplicationState.DRAFT:
        return foresee(row, on=on)
    return decide(row, stage=stage_now(row), on=on)[0]


def intake_questions(program: str, on: date) -> list[FactDefinition]:
    """某项目申请表要问的全部事实。

    :raises DomainError: 没有这个项目。
    """
    return askable_at(pack_named(program).program, Stage.INTAKE, on)


def view_case(*, actor: Actor, application_id: int, on: date) -> CaseView:
    """一案的全貌。语句数固定。

    :raises NotFound: 没有，或在范围之外。
    """
    actor.require("origination.view")
    row = find_application(actor, application_id)
    facts = list(CaseFact.objects.filter(application=row))
    guarantors = list(
        CaseGuarantor.objects.filter(application=row, removed_on__isnull=True).select_related("party").order_by("pk")
    )
    rulings = list(Ruling.objects.filter(application=row).order_by("-pk"))
    exceptions = list(RuleException.objects.filter(application=row).order_by("pk"))
    proposals = list(Proposal.objects.filter(application=row).order_by("pk"))
    approval = Approval.objects.filter(application=row).order_by("-pk").first()
    names = names_of(
        [
            *(fact.by_id for fact in facts),
            *(ruling.by_id for ruling in rulings),
            *(item.by_id for item in exceptions),
            *(item.by_id for item in proposals),
            approval.by_id if approval else None,
        ]
    )
    document = case_document(row, on=on)
    found = latest(facts)
    step = pack_of(row).step(row.step) if row.state == ApplicationState.IN_PROGRESS else None
    return CaseView(
        row=application_row(row),
        application=row,
        party=row_of(row.party),
        step=step,
        facts=tuple(_case_cells(row, document, found, names, on)),
        guarantors=tuple(_guarantor(item, found, names) for item in guarantors),
        rulings=tuple(ruling_info(item, names) for item in rulings),
        exceptions=tuple(
            ExceptionInfo(item.rule, _rule_name(item.rule), item.opinion, item.on_day, names.get(item.by_id, ""))
            for item in exceptions
        ),
        proposals=tuple(
            _elements(item, _step_name(row, item.step), item.opinion, item.on_day, names) for item in proposals
        ),
        approval=_approval(approval, names, on) if approval else None,
    )


def ruling_info(row: Ruling, names: Mapping[int, str]) -> RulingInfo:
    """行 → 一次裁定。"""
    return RulingInfo(
        id=row.pk,
        stage_name=Stage(row.stage).label,
        outcome=row.outcome,
        outcome_name=Outcome(row.outcome).label,
        on_day=row.on_day,
        at=row.at,
        by=names.get(row.by_id or 0, "系统"),
        limit_fen=row.limit_fen,
        verdicts=tuple(row.verdicts),
    )


def _rule_name(code: str) -> str:
    versions = rulebase().rules.get(code)
    return versions[-1].name if versions else code


def _step_name(row: Application, code: str) -> str:
    return pack_of(row).step(code).name


def _case_cells(
    row: Application,
    document: Document,
    found: Mapping[tuple[int | None, str], CaseFact],
    names: Mapping[int, str],
    on: date,
) -> list[FactCell]:
    """知道的写值，不知道的写向谁要；对本案不适用的规则才用到的不列。按词典次序。"""
    base = rulebase()
    case = CaseFile(program=row.program, on=on, facts=document)
    applying = [item["rule"] for item in explain(case, base)["verdicts"] if item["outcome"] != Outcome.NOT_APPLICABLE]
    in_force = {rule.code: rule for rule in base.on(on, program=row.program)}
    wanted = document.keys() | {name for code in applying for name in in_force[code].fact_names}
    used = {code for code in wanted if base.facts[code].type.kind is not Kind.RECORDS}
    return [
        _cell(definition, document.get(code), found.get((None, code)), names)
        for code, definition in base.facts.items()
        if code in used
    ]


def _guarantor(
    row: CaseGuarantor, found: Mapping[tuple[int | None, str], CaseFact], names: Mapping[int, str]
) -> GuarantorInfo:
    fields = rulebase().facts[GUARANTORS].fields
    cells = []
    for code, definition in fields.items():
        if code in {GUARANTOR_KIND, "age_years"}:
            continue
        fact = found.get((row.pk, code))
        given = {"value": fact.value, "evidence": fact.evidence, "reference": fact.reference} if fact else None
        cells.append(_cell(definition, given, fact, names))
    return GuarantorInfo(
        id=row.pk,
        party=row_of(row.party),
        kind=row.kind,
        kind_name=fields[GUARANTOR_KIND].choices.get(row.kind, row.kind),
        added_on=row.added_on,
        facts=tuple(cells),
    )


def _cell(
    definition: FactDefinition, given: Mapping[str, Any] | None, fact: CaseFact | None, names: Mapping[int, str]
) -> FactCell:
    value = given["value"] if given else None
    evidence = given["evidence"] if given else ""
    text = definition.choices.get(value, "") if definition.choices and value is not None else ""
    recorded = fact if fact is not None and evidence != Evidence.COMPUTED else None
    return FactCell(
        code=definition.code,
        name=definition.name,
        known=value is not None,
        text=text or (show(value, definition.unit) if value is not None else ""),
        evidence=evidence,
        evidence_name=Evidence(evidence).label if evidence else "",
        reference=given["reference"] if given else "",
        recorded_on=recorded.on_day if recorded else None,
        recorded_by=names.get(recorded.by_id or 0, "") if recorded else "",
        ask=definition.ask,
        definition=definition,
    )


def _elements(
    row: Proposal | Approval, step_name: str, opinion: str, on_day: date, names: Mapping[int, str]
) -> ProposalInfo:
    return ProposalInfo(
        step_name=step_name,
        amount_fen=row.amount_fen,
        term=f"{row.term_count}{label(PeriodUnit(row.term_unit))}",
        method_name=label(Method(row.method)),
        guarantee_name=GuaranteeKind(row.guarantee).label,
        rate_ppm=row.rate_ppm,
        opinion=opinion,
        conditions=tuple(row.conditions),
        on_day=on_day,
        by=names.get(row.by_id, ""),
    )


def _approval(row: Approval, names: Mapping[int, str], on: date) -> ApprovalInfo:
    return ApprovalInfo(
        id=row.pk,
        elements=_elements(row, "批复", "", row.approved_on, names),
        expires_on=row.expires_on,
        expired=on > row.expires_on,
        authority=row.authority,
    )
