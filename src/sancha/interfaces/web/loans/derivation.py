"""利息推导：点任何一个数字，看它怎么来的，一直到事实与条款。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.servicing.queries import LoanView
from sancha.interfaces.web.loans.forms import seen
from sancha.interfaces.web.loans.words import FACTS, when_query
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.derivation import Node, Rule, UnknownFigure, derive
from sancha.kernel.money import Rounding, format_yuan, round_div
from sancha.kit.errors import NotFound

RULES: dict[str, Any] = {
    Rule.SUM: gettext_lazy("相加"),
    Rule.HALF_UP: gettext_lazy("合计后一次四舍五入到分"),
    Rule.EXACT: gettext_lazy("精确，不取整"),
    Rule.FORMULA: "",
    Rule.GIVEN: "",
    Rule.LESSER: gettext_lazy("取小"),
    Rule.WORSE: gettext_lazy("取较差"),
}
TERMS: dict[str, Any] = {
    "start": gettext_lazy("起息日"),
    "principal_fen": gettext_lazy("借款金额"),
    "rate_ppm": gettext_lazy("年利率"),
    "method": gettext_lazy("还款方式"),
    "periods": gettext_lazy("期数"),
    "day_count": gettext_lazy("计息基础"),
    "rounding": gettext_lazy("取整"),
    "multiple_fen": gettext_lazy("取整单位"),
    "grace_days": gettext_lazy("宽限天数"),
    "penalty_multiplier_ppm": gettext_lazy("罚息倍数"),
    "misuse_multiplier_ppm": gettext_lazy("挪用倍数"),
    "compound": gettext_lazy("复利办法"),
    "class_thresholds": gettext_lazy("分类天数"),
    "payer_shares": gettext_lazy("利息承担"),
    "prepayment_fee_ppm": gettext_lazy("提前还款费率"),
    "plan": gettext_lazy("还本计划"),
    "flat_fee_fen": gettext_lazy("定额手续费"),
}
OPEN_DEPTH = 2
EXACT_PLACES = 1_000_000


def _amount(node: Node) -> Any:
    if node.value_fen is not None:
        return words.fen(node.value_fen)
    if node.exact is not None:
        # Fractions of a fen are what the tree is about: four more places than money shows.
        scaled = round_div(node.exact.numerator * 10_000, node.exact.denominator, Rounding.HALF_UP)
        sign, scaled = ("-", -scaled) if scaled < 0 else ("", scaled)
        whole, part = divmod(scaled, EXACT_PLACES)
        return format_html('<span class="num">{}{}.{}</span>', sign, f"{whole:,}", f"{part:06d}")
    if node.number is not None:
        return (
            words.ppm(node.number)
            if node.unit == "ppm"
            else format_html('<span class="num">{} {}</span>', f"{node.number:,}", node.unit)
        )
    return ""


def _sources(view: LoanView, source: str) -> list[Any]:
    """出处：事实、日期、条款栏目，写成人话。"""
    facts = {fact.seq: fact for fact in view.facts}
    shown: list[str] = []
    for part in source.split():
        kind, _colon, value = part.partition(":")
        if kind == "fact" and value.isdigit() and int(value) in facts:
            fact = facts[int(value)]
            url = reverse("loans:detail", args=[view.loan.pk]) + when_query(view, tab="facts")
            amount = f" {format_yuan(fact.amount_fen)}" if fact.amount_fen else ""
            text = _("第 %(seq)s 号事实") % {"seq": fact.seq}
            shown.append(
                format_html(
                    '<a href="{}">{}</a> {} {}{}',
                    url,
                    text,
                    FACTS.get(str(fact.kind), fact.kind),
                    fact.value_on,
                    amount,
                )
            )
        elif kind == "terms":
            shown.append(_("条款「%(name)s」") % {"name": TERMS.get(value, value)})
        elif kind == "installment":
            url = reverse("loans:why", args=[view.loan.pk, part]) + when_query(view)
            text = _("第 %(no)s 期") % {"no": value.partition(".")[0]}
            shown.append(format_html('<a href="{0}" hx-get="{0}" hx-target="#why-body">{1}</a>', url, text))
        elif kind == "event":
            shown.append(_day(value))
        else:
            shown.append(part)
    return shown


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return value


def _tree(view: LoanView, node: Node, depth: int = 0) -> dict[str, Any]:
    return {
        "label": node.label,
        "amount": _amount(node),
        "formula": node.formula,
        "rule": RULES[node.rule],
        "sources": _sources(view, node.source),
        "children": [_tree(view, child, depth + 1) for child in node.children],
        "open": depth < OPEN_DEPTH,
    }


@page("servicing.view")
@require_safe
def why(request: PageRequest, loan_id: int, figure: str) -> HttpResponse:
    """一个数字的推导树。"""
    view = seen(request, loan_id)
    try:
        node = derive(view.terms, view.facts, figure, on=view.on, known_at=view.known_at)
    except UnknownFigure as unknown:
        raise NotFound("FIGURE_UNKNOWN", str(unknown), value=figure, fix=_("请从借据页上点数字。")) from unknown
    context = {"view": view, "loan": view.loan, "node": _tree(view, node)}
    partial = bool(request.htmx)
    return render(request, "loans/why_body.html" if partial else "loans/why.html", context)
