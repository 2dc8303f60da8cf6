"""产品一览，与一个产品的各版本：条款、钉住的参数、依据。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.access.queries import institutions_by_id, names_of
from sancha.apps.products.queries import (
    CardInfo,
    VersionInfo,
    list_products,
    open_drafts,
    product_info,
    rate_cards,
    version_history,
)
from sancha.interfaces.web.loans.words import pill
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.products.forms import WithdrawForm
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.daycount import DayCount
from sancha.kernel.terms import Compound, Future
from sancha.kit.errors import NotFound
from sancha.rulebook import clause
from sancha.rulebook.errors import RulebookError
from sancha.rulebook.product_terms import FixedRate, PinnedTerms, pin, plain_int, rate_band
from sancha.rulebook.vocabulary import COMPONENT_LABELS, label

READ, WRITE = "products.view", "products.edit"


@page(READ)
@require_safe
def products(request: PageRequest) -> HttpResponse:
    """产品一览。"""
    rows = list_products(actor=request.actor, on=request.business_date)
    table = Table(
        [
            Column("name", _("产品"), link=lambda p: reverse("products:detail", args=[p.id])),
            Column("code", _("代码"), css="mono"),
            Column("program", _("所属方案")),
            Column(
                "customer_kinds",
                _("对象"),
                show=lambda p: "、".join(kind.label for kind in p.customer_kinds),
                css="wrap",
            ),
            Column(
                "version_seq",
                _("现行版本"),
                show=lambda p: f"{_('第')} {p.version_seq} {_('版')}" if p.version_seq else _("还没有"),
            ),
            Column("valid_from", _("起效日"), kind="day"),
            Column(
                "offered", _("办理"), show=lambda p: pill(_("在办"), "green") if p.offered else pill(_("停办"), "red")
            ),
        ],
        rows,
        stack=True,
        row_css=lambda p: "" if p.offered else "off",
        empty=_("还没有产品"),
    )
    return render(request, "products/list.html", {"table": table})


@page(READ)
@require_safe
def product(request: PageRequest, product_id: int) -> HttpResponse:
    """一个产品：各版本与所选版本的条款。"""
    today = request.business_date
    versions = version_history(product_id=product_id)
    if not versions:
        return _without_versions(request, product_id)
    wanted = request.GET.get("version", "")
    current = next((v for v in versions if v.valid_from <= today), versions[0])
    chosen = next((v for v in versions if str(v.seq) == wanted), current)
    names = names_of([chosen.recorded_by_id, chosen.authorized_by_id])
    context: dict[str, Any] = {
        "version": chosen,
        "versions": versions,
        "current": current,
        "recorded_by": names.get(chosen.recorded_by_id or 0, _("系统")),
        "authorized_by": names.get(chosen.authorized_by_id or 0, _("系统")),
        "clauses": [_clause(code) for code in chosen.clauses],
        "cards": _cards(rate_cards(product_id=product_id)),
        "drafts": open_drafts(product_id=product_id),
        "may_edit": request.actor.may(WRITE),
        "withdraw_form": WithdrawForm() if request.actor.may(WRITE) and versions[0].offered else None,
    }
    pinned_on = max(chosen.valid_from, today) if chosen is current else chosen.valid_from
    try:
        pinned = pin(chosen.terms, pinned_on)
    except RulebookError as wrong:
        context["unpinned"] = str(wrong)
    else:
        context |= {"pinned_on": pinned_on, "facts": _facts(chosen, pinned), "pins": _pins(pinned)}
    return render(request, "products/detail.html", context)


def _without_versions(request: PageRequest, product_id: int) -> HttpResponse:
    """还没有版本的产品：去起草，或等复核。"""
    info = product_info(product_id=product_id, on=request.business_date)
    waiting = open_drafts(product_id=product_id)
    if waiting:
        return redirect("products:draft", waiting[0].id)
    if request.actor.may(WRITE):
        return redirect("products:draft-version", product_id)
    raise NotFound(
        "PRODUCT_VERSION_NOT_FOUND",
        _("「%(name)s」还没有版本。") % {"name": info.name},
        value=product_id,
        fix=_("请等产品经理起草、复核后再看。"),
    )


def _cards(rows: list[CardInfo]) -> Table:
    places = institutions_by_id(row.institution_id for row in rows)
    names = names_of(person for row in rows for person in (row.recorded_by_id, row.authorized_by_id))
    return Table(
        [
            Column("institution_id", _("适用机构"), show=lambda r: places[r.institution_id].name),
            Column("customer_kind", _("客户类别")),
            Column(
                "rate_ppm",
                _("执行价"),
                show=lambda r: words.ppm(r.rate_ppm) if r.rate_ppm is not None else f"LPR {r.spread_bp:+d} bp",
            ),
            Column("valid_from", _("起效日"), kind="day"),
            Column("recorded_by_id", _("经办"), show=lambda r: names.get(r.recorded_by_id or 0, _("系统"))),
            Column("authorized_by_id", _("复核"), show=lambda r: names.get(r.authorized_by_id or 0, _("系统"))),
        ],
        rows,
        stack=True,
        empty=_("没有机构另定价目"),
    )


def _clause(code: str) -> dict[str, str]:
    try:
        found = clause(code)
    except RulebookError:
        return {"code": code, "citation": "", "gist": ""}
    return {"code": code, "citation": found.citation, "gist": found.gist}


def _facts(version: VersionInfo, pinned: PinnedTerms) -> list[tuple[Any, Any]]:
    """条款要点，都是数得清的话。"""
    terms = pinned.terms
    low, default, high = rate_band(terms, pinned.on)
    low_fen, high_fen, step = (
        plain_int(value) for value in (terms.amount.min_fen, terms.amount.max_fen, terms.amount.step_fen)
    )
    pricing = (
        _("固定利率") if isinstance(terms.rate, FixedRate) else f"LPR {terms.rate.tenor}，{label(terms.rate.reprice)}"
    )
    thresholds = "、".join(f"{dpd}{_('天')} {words.CLASSES[grade][0]}" for dpd, grade in _plain(terms.class_thresholds))
    shares = "；".join(
        f"{label(s.phase)} {label(s.payer)} {words.percent(plain_int(s.share_ppm))}" for s in terms.interest_shares
    )
    fee = terms.flat_fee
    return [
        (_("对象"), "、".join(kind.label for kind in version.customer_kinds)),
        (
            _("金额"),
            format_html("{} – {}（{} {}）", words.fen(low_fen), words.fen(high_fen), _("递增"), words.fen(step)),
        ),
        (_("期限"), "；".join(f"{rule.min}–{rule.max} {label(rule.unit)}" for rule in terms.terms)),
        (_("还款方式"), "、".join(label(method) for method in terms.repayment_methods)),
        (
            _("还款周期"),
            "、".join(f"{_('每')}{rule.every if rule.every > 1 else ''}{label(rule.unit)}" for rule in terms.periods),
        ),
        (
            _("应还日"),
            label(terms.due_day.rule)
            + (f" {plain_int(terms.due_day.day)}{_('日')}" if terms.due_day.day is not None else ""),
        ),
        (
            _("年利率"),
            format_html(
                "{} – {}，{} {}（{}）", words.ppm(low), words.ppm(high), _("默认"), words.ppm(default), pricing
            ),
        ),
        (_("计息基础"), label(DayCount(_plain(terms.day_count)))),
        (_("取整"), f"{label(terms.rounding.mode)}，{_('单位')} {terms.rounding.multiple_fen} {_('分')}"),
        (_("节假日"), label(terms.roll)),
        (_("宽限"), f"{plain_int(terms.grace_days)} {_('天')}"),
        (_("罚息倍数"), words.percent(plain_int(terms.penalty.multiplier_ppm))),
        (_("挪用倍数"), words.percent(plain_int(terms.penalty.misuse_multiplier_ppm))),
        (_("复利"), label(Compound(_plain(terms.penalty.compound)))),
        (_("冲账顺序"), "→".join(COMPONENT_LABELS[name] for name in _plain(terms.allocation.order))),
        (_("多还的钱"), label(Future(_plain(terms.allocation.future)))),
        (_("担保方式"), "、".join(kind.label for kind in terms.guarantee_kinds)),
        (_("提前还款费"), words.percent(terms.prepayment_fee_ppm)),
        (
            _("手续费"),
            format_html("{} + {}", words.fen(fee.fixed_fen), words.percent(fee.of_principal_ppm))
            if fee.fixed_fen or fee.of_principal_ppm
            else words.NOTHING,
        ),
        (_("利息承担"), shares or _("借款人")),
        (_("分类"), thresholds),
        (_("转非应计"), f"{_('逾期超过')} {plain_int(terms.nonaccrual_after_dpd)} {_('天')}"),
    ]


def _plain(value: Any) -> Any:
    return value


def _pins(pinned: PinnedTerms) -> Table:
    rows = [{"field": item.field, **item.parameter} for item in pinned.pins]
    return Table(
        [
            Column("name", _("参数")),
            Column("code", _("代码"), css="mono"),
            Column("value", _("值"), show=lambda r: _value(r["value"]), css="wrap"),
            Column("unit", _("单位")),
            Column("clause", _("条款"), css="mono"),
            Column("effective_from", _("起效日"), kind="day"),
            Column("last_checked", _("最近核对"), kind="day"),
        ],
        rows,
        stack=True,
        empty=_("没有取自参数的条款：都直接写在版本里"),
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return "、".join(
            "–".join(map(str, item)) if isinstance(item, (list, tuple)) else COMPONENT_LABELS.get(item, str(item))
            for item in value
        )
    return str(value)
