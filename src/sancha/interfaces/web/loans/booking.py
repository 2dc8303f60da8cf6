"""贷款录入：选客户与产品 → 填要素（边填边核对、边排计划）→ 登记，开出放款复核任务。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from sancha.apps.access.queries import institution_tree
from sancha.apps.parties.queries import PartyRow, party_row, search
from sancha.apps.products.queries import VersionInfo, list_products, price_on, product_version_on
from sancha.apps.servicing import operations
from sancha.apps.servicing.queries import preview_booking
from sancha.interfaces.web.access.forms import institution_choices
from sancha.interfaces.web.forms import DateField, Form, RateField, YuanField, lay
from sancha.interfaces.web.loans.detail import PLAN_SHORT, schedule_table
from sancha.interfaces.web.pages import attempt, go, page, show, submission_key
from sancha.interfaces.web.request import PageRequest
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.disclosure import DisclosureError, dated_cost
from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kernel.terms import Method
from sancha.kit.errors import DomainError
from sancha.rulebook.product_terms import FixedRate, LoanElements, PeriodRule
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind, label

BOOK = "servicing.book"
MATCHES = 8


class ElementsForm(Form):
    """贷款要素；选项随产品。"""

    institution_id = forms.TypedChoiceField(label=gettext_lazy("放款机构"), coerce=int)
    amount_fen = YuanField(label=gettext_lazy("借款金额"))
    rate_ppm = RateField(label=gettext_lazy("年利率"))
    term_count = forms.IntegerField(label=gettext_lazy("期限"), min_value=1, max_value=3660)
    term_unit = forms.ChoiceField(label=gettext_lazy("期限单位"))
    method = forms.ChoiceField(label=gettext_lazy("还款方式"))
    period = forms.ChoiceField(label=gettext_lazy("还款周期"))
    grace_periods = forms.IntegerField(label=gettext_lazy("只付息期数"), required=False, min_value=0, initial=0)
    guarantee = forms.ChoiceField(label=gettext_lazy("担保方式"))
    guarantor = forms.CharField(label=gettext_lazy("担保人或押品"), required=False, max_length=200)
    start = DateField(label=gettext_lazy("起息日"))
    first_due = DateField(label=gettext_lazy("首期还款日"), required=False, help_text=gettext_lazy("不填按产品规则。"))
    study_ends = DateField(label=gettext_lazy("毕业日"), required=False)
    purpose = forms.CharField(label=gettext_lazy("用途"), max_length=200)
    contract_number = forms.CharField(
        label=gettext_lazy("合同号"), required=False, max_length=60, help_text=gettext_lazy("不填自动编号。")
    )
    plan = forms.CharField(
        label=gettext_lazy("还本计划（元，每期一个，用空格或逗号隔开）"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    lay(institution_id, amount_fen, rate_ppm, term_count, term_unit, col="f4")
    lay(period, grace_periods, guarantee, start, first_due, study_ends, col="f4")
    lay(method, col="f4")
    lay(guarantor, purpose, col="f8")
    lay(plan, col="f12")

    def __init__(self, *args: Any, version: VersionInfo, places: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        terms = version.terms
        self.offer("institution_id", places)
        self.offer(
            "term_unit", [(rule.unit.value, f"{label(rule.unit)}（{rule.min}–{rule.max}）") for rule in terms.terms]
        )
        self.offer("method", [(method.value, label(method)) for method in terms.repayment_methods])
        self.offer(
            "period",
            [
                (
                    f"{rule.unit.value}:{rule.every}",
                    f"{_('每')}{rule.every if rule.every > 1 else ''}{label(rule.unit)}",
                )
                for rule in terms.periods
            ],
        )
        self.offer("guarantee", [(kind.value, kind.label) for kind in terms.guarantee_kinds])
        if not terms.max_grace_periods:
            del self.fields["grace_periods"]
        if not terms.interest_shares:
            del self.fields["study_ends"]
        if Method.INTEREST_WITH_PLAN not in terms.repayment_methods:
            del self.fields["plan"]

    def clean_plan(self) -> tuple[int, ...]:
        """还本计划：逐期的分。"""
        text = self.cleaned_data["plan"].replace("，", " ").replace("、", " ").replace("\n", " ")
        try:
            return tuple(parse_yuan(part) for part in text.split())
        except MoneyError as wrong:
            raise forms.ValidationError(str(wrong)) from wrong

    def elements(self, kind: CustomerKind) -> LoanElements:
        """要素。"""
        given = self.cleaned_data
        unit, every = given["period"].split(":")
        return LoanElements(
            customer_kind=kind,
            amount_fen=given["amount_fen"],
            term_unit=PeriodUnit(given["term_unit"]),
            term_count=given["term_count"],
            method=Method(given["method"]),
            period=PeriodRule(unit=PeriodUnit(unit), every=int(every)),
            rate_ppm=given["rate_ppm"],
            guarantee=GuaranteeKind(given["guarantee"]),
            start=given["start"],
            grace_periods=given.get("grace_periods") or 0,
        )

    def extras(self) -> dict[str, Any]:
        """要素之外、参与排计划的。"""
        given = self.cleaned_data
        return {
            "plan": given.get("plan") or (),
            "first_due": given.get("first_due"),
            "study_ends": given.get("study_ends"),
        }


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _chosen(request: PageRequest) -> tuple[PartyRow | None, VersionInfo | None]:
    """网址上选定的客户与产品。"""
    actor, today = request.actor, request.business_date
    party_id, product_id = (_number(request.GET.get(name, "")) for name in ("party", "product"))
    party = party_row(actor=actor, party_id=party_id) if party_id else None
    version = product_version_on(product_id=product_id, on=today) if product_id else None
    return party, version


def _elements_form(request: PageRequest, party: PartyRow, version: VersionInfo) -> ElementsForm:
    actor, today = request.actor, request.business_date
    terms = version.terms
    price = price_on(
        product_id=version.product_id, institution_path=actor.institution_path, customer_kind=party.kind, on=today
    )
    places = institution_choices(institution_tree(actor))
    initial = {
        "institution_id": actor.institution_id,
        "rate_ppm": price.rate_ppm,
        "start": today,
        "term_count": min(12, terms.terms[0].max) if terms.terms[0].unit is PeriodUnit.MONTH else terms.terms[0].min,
        "amount_fen": _plain(terms.amount.min_fen),
    }
    return ElementsForm(
        request.POST if request.method == "POST" else None, version=version, places=places, initial=initial
    )


def _plain(value: Any) -> int | None:
    return value if isinstance(value, int) else None


@page(BOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def book(request: PageRequest) -> HttpResponse:
    """贷款录入。"""
    actor, today = request.actor, request.business_date
    party, version = _chosen(request)
    form = _elements_form(request, party, version) if party and version else None
    if request.method == "POST" and form is not None and party and version and form.is_valid():
        given = form.cleaned_data
        done = attempt(
            form, operations.book_loan, actor=actor, key=submission_key(request), on=today, party_id=party.id, product_id=version.product_id,
            institution_id=given["institution_id"], elements=form.elements(party.kind), contract_number=given["contract_number"],
            purpose=given["purpose"], guarantor=given["guarantor"], officer_id=party.officer_id, **form.extras(),
        )  # fmt: skip
        if done is not None:
            said = _("借据 %(number)s 已登记，等待放款复核（须由另一人办理）。") % {"number": done["number"]}
            return go(request, "loans:detail", done["loan_id"], said=said)
    text = request.GET.get("q", "").strip()
    context = {
        "form": form,
        "party": party,
        "version": version,
        "q": text,
        "matches": search(actor=actor, text=text, limit=MATCHES) if text and not party else [],
        "products": list_products(actor=actor, on=today, offered_only=True) if party and not version else [],
        "lpr": version is not None and not isinstance(version.terms.rate, FixedRate),
    }
    return show(request, "loans/book.html", context)


@page(BOOK)
@require_POST
def preview(request: PageRequest) -> HttpResponse:
    """边填边看：不合产品之处，与排出的计划。"""
    actor = request.actor
    party, version = _chosen(request)
    context: dict[str, Any] = {}
    if party and version:
        form = _elements_form(request, party, version)
        form.is_valid()
        waiting = set(form.errors) - {"purpose", "contract_number", "guarantor"}
        if waiting:
            context["waiting"] = [form.fields[name].label for name in form.fields if name in waiting]
        else:
            try:
                context |= _preview_of(actor, version, party, form)
            except DomainError as problem:
                context["problem"] = problem
    return render(request, "loans/book_preview.html", context)


def _preview_of(actor: Any, version: VersionInfo, party: PartyRow, form: ElementsForm) -> dict[str, Any]:
    found = preview_booking(
        actor=actor,
        product_id=version.product_id,
        institution_id=form.cleaned_data["institution_id"],
        elements=form.elements(party.kind),
        **form.extras(),
    )
    rows = found.rows
    return {
        "problems": found.problems,
        "terms": found.terms,
        "table": schedule_table(rows, shown=PLAN_SHORT) if rows else None,
        "interest_fen": sum(row.interest_fen for row in rows),
        "cost_ppm": _cost(found.terms.start, found.terms.principal_fen, rows) if found.terms and rows else None,
        "matures_on": rows[-1].due_on if rows else None,
    }


def _cost(start: date, principal_fen: int, rows: Any) -> int | None:
    try:
        return dated_cost([(start, principal_fen), *((row.due_on, -row.total_fen) for row in rows)]).rate_ppm
    except DisclosureError:
        return None
