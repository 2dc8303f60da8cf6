"""一案的全貌：摘要、页签（概况、事实、规则、轨迹），与走到的一步可以办的事。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.agreements.queries import file_of_application
from sancha.apps.origination.queries import (
    CaseView,
    FactCell,
    asked_at,
    case_materials,
    decided_now,
    offered,
    proposed_elements,
    signers,
    view_case,
)
from sancha.apps.products.queries import VersionInfo, product_version_on
from sancha.interfaces.web.authority.mandates import may_pill
from sancha.interfaces.web.citations import citation
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.origination import forms
from sancha.interfaces.web.origination.register import TONES
from sancha.interfaces.web.pages import page, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words
from sancha.interfaces.web.work.trail import entered, review_of
from sancha.rulebook.facts import FactDefinition
from sancha.rulebook.packs import StepType, packs
from sancha.rulebook.rulebase import rulebase
from sancha.rulebook.rulebase import show as shown_value
from sancha.rulebook.rules import Stage
from sancha.rulebook.vocabulary import CustomerKind

READ = "origination.view"
TABS = {
    "overview": gettext_lazy("概况"),
    "materials": gettext_lazy("材料"),
    "facts": gettext_lazy("事实"),
    "rules": gettext_lazy("规则裁定"),
    "trail": gettext_lazy("流程轨迹"),
}
TAB_OF_FORM = {"facts": "facts", "collecting": "materials"}
OUTCOME_TONES = {"PASS": "green", "FAIL": "red", "UNKNOWN": "amber", "NOT_APPLICABLE": ""}
EVIDENCE_TONES = {"CLAIMED": "amber", "SEEN": "blue", "CROSS_CHECKED": "green", "THIRD_PARTY": "green", "COMPUTED": ""}


MATERIAL_STATES: dict[str, tuple[Any, str]] = {
    "DONE": (gettext_lazy("齐"), "green"),
    "UNCOMPARED": (gettext_lazy("没有与原件核对"), "red"),
    "OTHER": (gettext_lazy("已有替代的一样"), ""),
    "OWED": (gettext_lazy("缺"), "amber"),
    "UNDECIDED": (gettext_lazy("待定"), ""),
}


@page(READ)
@require_safe
def detail(request: PageRequest, application_id: int) -> HttpResponse:
    """一案。"""
    return show_case(request, application_id)


@page(READ)
@require_safe
def brief(request: PageRequest, application_id: int) -> HttpResponse:
    """一案的片段：任务页取用，办之前要看的就在眼前。"""
    view = _view(request, application_id)
    decided = decided_now(actor=request.actor, application_id=application_id, on=request.business_date)
    context = {"view": view, "items": _summary(view), "verdicts": _verdict_table(decided), "decided": decided}
    return render(request, "origination/brief.html", context)


def _view(request: PageRequest, application_id: int) -> CaseView:
    return view_case(actor=request.actor, application_id=application_id, on=request.business_date)


def show_case(request: PageRequest, application_id: int, **given: Form) -> HttpResponse:
    """出一案的页面；``given`` 是填错了要原样还回去的表单。"""
    view = _view(request, application_id)
    tab = request.GET.get("tab", "")
    tab = next((TAB_OF_FORM[name] for name in given if name in TAB_OF_FORM), tab if tab in TABS else "overview")
    path = reverse("origination:detail", args=[application_id])
    counts = {"facts": len(view.gaps) or None}
    context: dict[str, Any] = {
        "view": view,
        "tone": TONES[view.row.state],
        "tab": tab,
        "panel": f"origination/tab_{tab}.html",
        "tabs": [
            {"label": text, "url": f"{path}?tab={code}", "active": code == tab, "count": counts.get(code)}
            for code, text in TABS.items()
        ],
        **_panel(request, view, tab, given),
    }
    if request.htmx and request.htmx.target == "tabbed":
        return render(request, "parts/tabs.html", context)
    context |= {"items": _summary(view), **_acts(request, view, given), **given}
    context["file_id"] = file_of_application(application_id) if request.actor.may("agreements.view") else None
    context["step_clause"] = citation(view.step.clause) if view.step else ""
    # What decides is read first: for a reviewer or approver the evidence stands above the form.
    context["read_first"] = "review_form" in context or "approve_form" in context
    return show(request, "origination/detail.html", context)


def _summary(view: CaseView) -> list[dict[str, Any]]:
    row = view.row
    cells: list[tuple[Any, Any]] = [
        (_("申请金额"), words.fen(row.amount_fen) if row.amount_fen else words.NOTHING),
        (_("期限"), row.term or words.NOTHING),
        (_("担保"), row.guarantee or words.NOTHING),
        (_("用途"), row.purpose or words.NOTHING),
        (_("渠道"), row.channel_name),
        (_("受理"), row.received_by),
        (_("主调、辅调"), "、".join(name for name in (row.lead, row.assistant) if name) or words.NOTHING),
        (_("待核实"), _("%(n)s 项") % {"n": len(view.gaps)}),
    ]
    return [{"label": text, "value": value, "big": number == 0} for number, (text, value) in enumerate(cells)]


def _panel(request: PageRequest, view: CaseView, tab: str, given: dict[str, Form]) -> dict[str, Any]:
    if tab == "facts":
        may = _may_observe(request, view)
        form = given.get("facts") or (forms.FactsForm(view=view) if may else None)
        return {
            "facts_form": form,
            "sides": _sides(view, form if isinstance(form, forms.FactsForm) else None),
            "may_observe": may,
            "gaps": view.gaps,
        }
    if tab == "materials":
        may = request.actor.may("origination.collect") and view.row.state in {"DRAFT", "REFERRED", "IN_PROGRESS"}
        rows = case_materials(actor=request.actor, application_id=view.application.pk, on=request.business_date)
        owing = [row for row in rows if row.state in {"OWED", "UNCOMPARED"}]
        owed = len({(row.one_of or row.code, row.guarantor_id) for row in owing})
        return {"materials": [(row, *MATERIAL_STATES[row.state]) for row in rows], "may_collect": may, "owed": owed}
    if tab == "rules":
        decided = decided_now(actor=request.actor, application_id=view.application.pk, on=request.business_date)
        kept = [(item, _verdict_table({"verdicts": item.verdicts}, narrow=True)) for item in view.rulings]
        return {"decided": decided, "verdicts": _verdict_table(decided), "rulings": kept}
    if tab == "trail":
        return {"steps": _trail(request, view)}
    return {"proposals": _proposal_table(view), "approval": view.approval, "exceptions": view.exceptions}


def _trail(request: PageRequest, view: CaseView) -> list[dict[str, Any]]:
    steps, _waiting = review_of(request, "application", view.application.pk)
    row = view.application
    listed = [entered(view.row.received_by, row.recorded_at, _("登记询问")), *steps]
    if row.closed_on:
        listed.append(
            {"title": str(row.get_state_display()), "on": row.closed_on, "note": row.closing_reason, "state": "bad"}
        )
    return listed


def _verdict_table(decided: dict[str, Any], *, narrow: bool = False) -> Table:
    """逐条裁定：没有过的在前。``narrow`` 只列结论与规则，放在表单旁边。"""
    order = {"FAIL": 0, "UNKNOWN": 1, "PASS": 2, "NOT_APPLICABLE": 3}
    rows = sorted(decided["verdicts"], key=lambda verdict: order[verdict["outcome"]])
    if narrow:
        columns = [Column("outcome", _("结论"), show=_outcome), Column("name", _("规则"), show=_rule_told, css="wrap")]
        return Table(columns, rows, stack=False)
    return Table(
        [
            Column("outcome", _("结论"), show=_outcome),
            Column("name", _("规则"), show=_rule, css="wrap"),
            Column("message", _("说明"), show=_told, css="wrap"),
            Column("inputs", _("所据事实"), show=_inputs, css="wrap muted"),
            Column("citation", _("依据"), css="wrap muted"),
        ],
        rows,
        stack=True,
        row_css=lambda verdict: "bad" if verdict["outcome"] == "FAIL" and verdict["blocks"] else "",
    )


def _outcome(verdict: dict[str, Any]) -> SafeString:
    tone = OUTCOME_TONES[verdict["outcome"]]
    if verdict["outcome"] == "FAIL" and not verdict["blocks"]:
        tone = "amber"
    if verdict["limit_fen"] is not None:
        return format_html('<span class="pill blue">{}</span> {}', _("限额"), words.fen(verdict["limit_fen"]))
    return format_html('<span class="pill {}">{}</span>', tone, verdict["outcome_name"])


def _rule(verdict: dict[str, Any]) -> SafeString:
    url = reverse("rulebook:rule", args=[verdict["rule"]])
    since = _("自 %(day)s") % {"day": verdict["version"]}
    return format_html('<a href="{}">{}</a><div class="muted small">{}</div>', url, verdict["name"], since)


def _rule_told(verdict: dict[str, Any]) -> SafeString:
    told = _told(verdict)
    if not told:
        return format_html('<a href="{}">{}</a>', reverse("rulebook:rule", args=[verdict["rule"]]), verdict["name"])
    return format_html("{}<div>{}</div><div class='muted small'>{}</div>", _rule(verdict), told, verdict["citation"])


def _told(verdict: dict[str, Any]) -> SafeString | str:
    """没过的说缘由、补救与最少改什么；过了的不多话。"""
    if verdict["outcome"] == "UNKNOWN":
        return "；".join(rulebase().ask(name) for name in verdict["missing"])
    if verdict["outcome"] != "FAIL":
        return ""
    flips = "；".join(_flip(change) for change in verdict["changes"])
    text = _("最少改：%(flips)s") % {"flips": flips} if flips else ""
    return format_html("{} {}<div class='muted small'>{}</div>", verdict["message"], verdict["remedy"], text)


def _flip(change: dict[str, Any]) -> str:
    fact = rulebase().facts.get(change["fact"])
    unit = fact.unit if fact else ""
    return f"{change['name']} {shown_value(change['before'], unit)} → {shown_value(change['after'], unit)}"


def _inputs(verdict: dict[str, Any]) -> str:
    """用到的事实与值；记录只写几条。"""
    facts = rulebase().facts
    told = []
    for code, given in verdict["inputs"].items():
        fact = facts[code]
        value = given["value"]
        if isinstance(value, list):
            told.append(_("%(name)s %(n)s 条") % {"name": fact.name, "n": len(value)})
        else:
            text = fact.choices.get(value, "") if fact.choices else shown_value(value, fact.unit)
            told.append(f"{fact.name} {text}")
    return "；".join(told)


def _sides(view: CaseView, form: forms.FactsForm | None) -> list[dict[str, Any]]:
    """申请人一方与各位保证人，各一张事实表。"""
    sides: list[tuple[int | None, Any, tuple[FactCell, ...], Any]] = [(None, _("申请人"), view.facts, view.party)]
    sides += [
        (
            item.id,
            _("保证人 %(name)s（%(kind)s）") % {"name": item.party.name, "kind": item.kind_name},
            item.facts,
            item.party,
        )
        for item in view.guarantors
    ]
    return [
        {
            "id": holder,
            "title": title,
            "party": party,
            "table": Table(_fact_columns(), list(cells), stack=True, row_css=lambda cell: "" if cell.known else "warn"),
            "rows": form.rows(holder) if form else [],
        }
        for holder, title, cells, party in sides
    ]


def _fact_columns() -> list[Column]:
    return [
        Column("name", _("事实"), css="wrap"),
        Column(
            "text",
            _("值"),
            show=lambda cell: cell.text if cell.known else format_html('<span class="muted small">{}</span>', cell.ask),
        ),
        Column("evidence", _("凭什么"), show=evidence_pill),
        Column("reference", _("出处"), css="wrap muted"),
        Column("recorded_by", _("谁记的")),
        Column("recorded_on", _("何日"), kind="day"),
    ]


def evidence_pill(cell: FactCell) -> SafeString | str:
    """凭什么：自述的醒目。"""
    if not cell.evidence:
        return words.NOTHING
    return format_html('<span class="pill {}">{}</span>', EVIDENCE_TONES[cell.evidence], cell.evidence_name)


def _proposal_table(view: CaseView) -> Table:
    return Table(
        [
            Column("step_name", _("谁的建议"), show=lambda p: f"{p.step_name} · {p.by}"),
            Column("amount_fen", _("金额"), kind="fen"),
            Column("term", _("期限")),
            Column("rate_ppm", _("年利率"), kind="ppm"),
            Column("method_name", _("还款方式")),
            Column("guarantee_name", _("担保")),
            Column("conditions", _("放款条件"), show=lambda p: "；".join(p.conditions) or words.NOTHING, css="wrap"),
            Column("opinion", _("意见"), css="wrap"),
            Column("on_day", _("日期"), kind="day"),
        ],
        list(view.proposals),
        stack=True,
        empty=_("还没有建议"),
    )


def _may_observe(request: PageRequest, view: CaseView) -> bool:
    row, step = view.application, view.step
    mine = request.actor.person_id in {row.lead_id, row.assistant_id}
    return step is not None and step.type is StepType.SURVEY and mine and request.actor.may("origination.investigate")


def _acts(request: PageRequest, view: CaseView, given: dict[str, Form]) -> dict[str, Any]:
    """走到的一步可以办的事：表单放在页面右边或下面。"""
    actor, row, today = request.actor, view.application, request.business_date
    acts: dict[str, Any] = {}
    if view.row.state == "DRAFT" and actor.may("origination.receive"):
        decided = decided_now(actor=actor, application_id=row.pk, on=today)
        acts |= {
            "draft": given.get("draft") or draft_form(request, view),
            "decided": decided,
            "verdicts": _verdict_table(decided, narrow=True),
            "refuse_form": given.get("plain") or forms.ReasonForm(),
        }
    if view.row.state in {"REFERRED", "IN_PROGRESS", "APPROVED"} and actor.may("origination.receive"):
        acts["withdraw_form"] = given.get("plain") or forms.ReasonForm()
    if view.row.state == "REFERRED" and actor.may("origination.except"):
        acts["refer_form"] = given.get("refer") or forms.ReferForm()
    if view.step is not None:
        acts |= _step_acts(request, view, given)
    return acts


def _step_acts(request: PageRequest, view: CaseView, given: dict[str, Form]) -> dict[str, Any]:
    actor, row, today, step = request.actor, view.application, request.business_date, view.step
    assert step is not None
    if step.type is StepType.ASSIGNMENT and actor.may("origination.assign"):
        return {"assign_form": given.get("assign") or assign_form(view, today)}
    if step.type is StepType.SURVEY and _may_observe(request, view):
        return {
            "guarantor_form": given.get("guarantor") or forms.GuarantorForm(),
            "finish_form": (given.get("finish") or elements_form(view, today))
            if actor.person_id == row.lead_id
            else None,
        }
    if step.type is StepType.REVIEW and actor.may("origination.review"):
        return {
            "review_form": given.get("review") or forms.OpinionForm(),
            "turn_back_form": given.get("turn_back") or forms.TurnBackForm(),
        }
    if step.type is StepType.APPROVAL and actor.may("origination.approve"):
        return {
            "approve_form": given.get("approve") or elements_form(view, today),
            "turn_back_form": given.get("turn_back") or forms.TurnBackForm(),
            "signers": _signer_table(view, today),
        }
    return {}


def draft_form(request: PageRequest, view: CaseView, data: Any = None) -> forms.IntakeForm:
    """草稿的申请表，填着原样。"""
    application, today = view.application, request.business_date
    version = product_version_on(product_id=application.product_id, on=today)
    initial = dict(application.typed) | {"channel": application.channel, "alone": application.received_alone}
    asked = asked_of(application.program, view.party.kind, version, today)
    return forms.IntakeForm(data, version=version, asked=asked, initial=initial)


def asked_of(program: str, kind: CustomerKind, version: VersionInfo, today: date) -> list[FactDefinition]:
    """这类客户办这个产品，申请表要问的事实。"""
    applicant = packs()[program].applicant_kinds[kind]
    guarantees = [guarantee.value for guarantee in version.terms.guarantee_kinds]
    return asked_at(program, Stage.INTAKE, today, kind=applicant, guarantees=guarantees)


def assign_form(view: CaseView, today: Any, data: Any = None) -> forms.AssignForm:
    """指派的表单：能选的人，不能选的写明原因。"""

    def people(*, lead: bool) -> list[tuple[int, str]]:
        return [
            (person.id, f"{person.name}（{person.institution_name}）" + (f"　✕ {bar.reason}" if bar else ""))
            for person, bar in offered(view.application, on=today, lead=lead)
        ]

    return forms.AssignForm(data, leads=people(lead=True), assistants=people(lead=False))


def elements_form(view: CaseView, today: Any, data: Any = None) -> forms.ElementsForm:
    """建议、批准的表单，初值是上一份建议。"""
    version = product_version_on(product_id=view.application.product_id, on=today)
    last = view.proposals[-1] if view.proposals else None
    return forms.ElementsForm(
        data, version=version, initial=forms.initial_of(proposed_elements(view.application, on=today), last)
    )


def _signer_table(view: CaseView, today: Any) -> Table:
    """谁今天能批这一笔，为什么；别人为什么不能。"""
    return Table(
        [
            Column("may", _("能不能批"), show=lambda s: may_pill(s.may)),
            Column("name", _("姓名")),
            Column("post_name", _("岗位"), show=lambda s: f"{s.institution_name} {s.post_name}"),
            Column("why", _("为什么"), css="wrap"),
            Column("clause", _("依据"), show=lambda s: citation(s.clause), css="wrap muted"),
        ],
        signers(view.application, proposed_elements(view.application, on=today), on=today),
        stack=True,
        empty=_("本机构线上没有审批岗的人"),
    )
