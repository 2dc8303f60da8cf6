"""规则：一览（按条款看覆盖）、一条规则的条件、依据、参数、例子与各版。规则文件随版本发布，页面只读。"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.rulebook.forms import RuleFilter
from sancha.interfaces.web.rulebook.views import READ, unsure_badge, value_text
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.errors import NotFound
from sancha.rulebook import Clause, all_clauses, all_parameters
from sancha.rulebook.rulebase import Rulebase, rulebase, show
from sancha.rulebook.rules import Effect, Outcome, Rule, Stage, constants_of, parameters_of

EFFECT_TONES = {Effect.REFUSE: "red", Effect.REFER: "amber", Effect.WARN: "blue", Effect.LIMIT: "green"}
OUTCOME_TONES = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "amber", Outcome.NOT_APPLICABLE: ""}


@page(READ)
@require_safe
def rules(request: PageRequest) -> HttpResponse:
    """规则一览与条款覆盖。"""
    today: date = request.business_date
    form = RuleFilter(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    base = rulebase()
    current = [_current(versions, today) for versions in base.rules.values()]
    shown = [rule for rule in current if _matches(base, rule, wanted)]
    tiles = [
        {"label": _("规则"), "value": len(current), "unit": _("条"), "icon": "gavel"},
        {"label": _("例子"), "value": sum(len(rule.cases) for rule in current), "unit": _("个"), "icon": "checklist"},
        {"label": _("事实"), "value": len(base.facts), "unit": _("个"), "icon": "file-text"},
        *_coverage_tiles(base),
    ]
    table = Table(
        [
            Column("name", _("规则"), show=_name, css="wrap"),
            Column("effect", _("不符合时"), show=_effect),
            Column("stages", _("环节"), show=lambda rule: "、".join(_stages(rule)), css="wrap"),
            Column("clause", _("条款"), show=lambda rule: all_clauses()[rule.clause].citation, css="wrap"),
            Column("effective_from", _("起效"), kind="day"),
            Column("cases", _("例子"), show=lambda rule: len(rule.cases)),
            Column("unsure", "", show=lambda rule: unsure_badge(rule.unsure)),
        ],
        shown,
        stack=True,
        empty=_("没有符合条件的规则"),
    )
    context = {"form": form, "table": table, "tiles": tiles, "count": len(shown), "unmapped": _unmapped(base)}
    return render(request, "rulebook/rules.html", context)


def _stages(rule: Rule) -> list[str]:
    return [stage.label for stage in Stage if stage in rule.stages]


def _current(versions: tuple[Rule, ...], on: date) -> Rule:
    return next((rule for rule in reversed(versions) if rule.effective_from <= on), versions[0])


def _matches(base: Rulebase, rule: Rule, wanted: Mapping[str, Any]) -> bool:
    text = str(wanted.get("q") or "").strip().casefold()
    cited = base.book.clause(rule.clause).citation
    if text and text not in " ".join([rule.code, rule.name, rule.clause, cited, rule.message]).casefold():
        return False
    if wanted.get("program") and rule.program != wanted["program"]:
        return False
    return not wanted.get("stage") or wanted["stage"] in rule.stages


def _name(rule: Rule) -> SafeString:
    url = reverse("rulebook:rule", args=[rule.code])
    return format_html('<a href="{}">{}</a><div class="mono muted small">{}</div>', url, rule.name, rule.code)


def _effect(rule: Rule) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', EFFECT_TONES[rule.effect], rule.effect.label)


def _coverage_tiles(base: Rulebase) -> list[dict[str, Any]]:
    """条款覆盖：有规则的、只有参数的、两样都没有的。"""
    by_rule = {rule.clause for versions in base.rules.values() for rule in versions}
    by_value = {item.clause for values in all_parameters().values() for item in values} - by_rule
    rest = len(all_clauses().keys() - by_rule - by_value)
    return [
        {"label": _("条款有规则"), "value": len(by_rule), "unit": _("条"), "icon": "circle-check", "tone": "green"},
        {"label": _("条款有参数"), "value": len(by_value), "unit": _("条"), "icon": "adjustments"},
        {"label": _("尚未对应"), "value": rest, "unit": _("条"), "icon": "help-circle", "tone": "amber" if rest else "green"},
    ]  # fmt: skip


def _unmapped(base: Rulebase) -> list[Clause]:
    by_rule = {rule.clause for versions in base.rules.values() for rule in versions}
    by_value = {item.clause for values in all_parameters().values() for item in values}
    return [clause for code, clause in sorted(all_clauses().items()) if code not in by_rule | by_value]


@page(READ)
@require_safe
def rule_page(request: PageRequest, code: str) -> HttpResponse:
    """一条规则：条件、依据、参数、用到的事实、例子、各版。"""
    base = rulebase()
    today: date = request.business_date
    if code not in base.rules:
        raise NotFound("RULE_UNKNOWN", _("没有规则「%(code)s」。") % {"code": code}, field="code", value=code)
    versions = base.rules[code]
    rule = _current(versions, today)
    on = max(today, rule.effective_from)
    parameters = parameters_of(rule, base.book, on)
    context = {
        "rule": rule,
        "effect": _effect(rule),
        "badge": unsure_badge(rule.unsure),
        "clause": base.book.clause(rule.clause),
        "stages": _stages(rule),
        "applies": rule.applies_text,
        "demand": rule.demand_text,
        "is_limit": rule.effect is Effect.LIMIT,
        "message": _with_parameters(base, rule, parameters, rule.message),
        "parameters": [{"alias": alias, "item": item, "value": value_text(item)} for alias, item in parameters.items()],
        "facts": [base.facts[name] for name in sorted(rule.fact_names)],
        "cases": [_case(base, case) for case in rule.cases],
        "versions": [
            {"rule": item, "state": "done" if item is rule else "now" if item.effective_from > today else ""}
            for item in reversed(versions)
        ],
    }
    return render(request, "rulebook/rule.html", context)


def _with_parameters(base: Rulebase, rule: Rule, parameters: Mapping[str, Any], text: str) -> str:
    """说明里的参数换成今天的值，事实换成它的中文名。"""
    for alias in constants_of(parameters):
        text = text.replace(f"{{{alias}}}", show(parameters[alias].value, parameters[alias].unit))
    for name in rule.fact_names:
        text = text.replace(f"{{{name}}}", f"〔{base.facts[name].name}〕")
    return text


def _case(base: Rulebase, case: Any) -> dict[str, Any]:
    given = [(base.facts[name].name, _shown(base, name, value)) for name, value in case.given.items()]
    return {
        "name": case.name,
        "given": given,
        "outcome": case.then.label,
        "tone": OUTCOME_TONES[case.then],
        "limit": words.fen(case.limit) if case.limit is not None else "",
    }


def _shown(base: Rulebase, name: str, value: Any) -> str:
    fact = base.facts[name]
    if isinstance(value, list):
        return "；".join(
            "，".join(
                f"{fact.fields[key].name} {fact.fields[key].choices.get(cell) or show(cell, fact.fields[key].unit)}"
                for key, cell in record.items()
            )
            or _("未填")
            for record in value
        ) or _("没有")  # fmt: skip
    return fact.choices.get(value) or show(value, fact.unit)
