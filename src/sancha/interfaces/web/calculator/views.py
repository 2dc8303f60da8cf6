"""利息试算：一张表单，一份计划，几种方式并排。网址就是试算条件，可以存、可以发、可以打印。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.interfaces.web.calculator.trial import STATE, Outcome, compare, payoff_on, run, with_rate
from sancha.interfaces.web.forms import DateField, Form, RateField, YuanField, lay
from sancha.interfaces.web.loans.acting import PARTS
from sancha.interfaces.web.loans.detail import PLAN_ONLY, schedule_table
from sancha.interfaces.web.loans.words import method_name
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import Rounding
from sancha.kernel.terms import PPM, Method, Terms, TermsError
from sancha.rulebook.errors import RulebookError
from sancha.rulebook.product_terms import PPM_PER_BP, lpr_ppm
from sancha.rulebook.vocabulary import LABELS

LONGEST = 600
METHODS = [(code, text) for code, text in LABELS[Method].items() if code != Method.INTEREST_WITH_PLAN]


class TrialForm(Form):
    """试算条件。"""

    use_required_attribute = False
    amount_fen = YuanField(label=gettext_lazy("借款金额"), initial=5_000_000)
    pricing = forms.ChoiceField(
        label=gettext_lazy("定价"),
        choices=[
            ("FIXED", gettext_lazy("固定利率")),
            ("1Y", gettext_lazy("LPR 一年期加点")),
            ("5Y", gettext_lazy("LPR 五年期加点")),
        ],
        initial="FIXED",
    )
    rate_ppm = RateField(label=gettext_lazy("年利率"), required=False, initial=144_000)
    spread_bp = forms.IntegerField(
        label=gettext_lazy("加点（bp）"), required=False, min_value=-1000, max_value=5000, initial=0
    )
    method = forms.ChoiceField(label=gettext_lazy("还款方式"), choices=METHODS, initial=Method.LEVEL_PAYMENT)
    periods = forms.IntegerField(label=gettext_lazy("期数"), min_value=1, max_value=LONGEST, initial=12)
    unit = forms.ChoiceField(
        label=gettext_lazy("每期"), choices=list(LABELS[PeriodUnit].items()), initial=PeriodUnit.MONTH
    )
    start = DateField(label=gettext_lazy("起息日"))
    day_count = forms.ChoiceField(
        label=gettext_lazy("计息基础"), choices=list(LABELS[DayCount].items()), initial=DayCount.MONTHLY
    )
    due_day = forms.IntegerField(label=gettext_lazy("固定还款日"), required=False, min_value=1, max_value=31)
    grace_periods = forms.IntegerField(label=gettext_lazy("只付息期数"), required=False, min_value=0, max_value=LONGEST)
    fee_fen = YuanField(label=gettext_lazy("手续费"), required=False, allow_zero=True)
    subsidy_ppm = RateField(label=gettext_lazy("贴息比例"), required=False)
    rounding = forms.ChoiceField(
        label=gettext_lazy("取整"), choices=list(LABELS[Rounding].items()), initial=Rounding.HALF_UP
    )
    payoff_on = DateField(label=gettext_lazy("结清报价日"), required=False)
    new_rate_ppm = RateField(label=gettext_lazy("若利率改为"), required=False)
    new_rate_on = DateField(label=gettext_lazy("自哪天起"), required=False)
    for _field in (
        amount_fen,
        pricing,
        rate_ppm,
        spread_bp,
        method,
        periods,
        unit,
        start,
        day_count,
        due_day,
        grace_periods,
        fee_fen,
        subsidy_ppm,
        rounding,
    ):
        lay(_field, col="f6")
    del _field

    def clean(self) -> dict[str, Any]:
        """贴息不超过全额；改利率要写自哪天起。"""
        data = super().clean() or self.cleaned_data
        if (data.get("subsidy_ppm") or 0) > PPM:
            self.add_error("subsidy_ppm", _("贴息比例最多 100%。"))
        if data.get("new_rate_ppm") is not None and not data.get("new_rate_on"):
            self.add_error("new_rate_on", _("请写自哪天起改利率。"))
        if data.get("pricing") == "FIXED" and data.get("rate_ppm") is None and "rate_ppm" not in self.errors:
            self.add_error("rate_ppm", _("请填年利率；免息就填 0。"))
        return data

    def terms(self) -> Terms:
        """合同条款。

        :raises TermsError: 条款不成立。
        """
        given = self.cleaned_data
        method, unit = Method(given["method"]), PeriodUnit(given["unit"])
        subsidy = given.get("subsidy_ppm") or 0
        return Terms(
            start=given["start"],
            principal_fen=given["amount_fen"],
            rate_ppm=self.rate(),
            method=method,
            periods=given["periods"],
            period_unit=unit,
            due_day=given.get("due_day") if method is not Method.BULLET else None,
            day_count=DayCount(given["day_count"]),
            rounding=Rounding(given["rounding"]),
            grace_periods=given.get("grace_periods") or 0 if method is Method.GRACE_LEVEL_PAYMENT else 0,
            flat_fee_fen=given.get("fee_fen") or 0 if method is Method.FLAT_FEE else 0,
            payer_shares=((given["start"], ((STATE, subsidy),)),) if subsidy else (),
        )

    def rate(self) -> int:
        """执行利率：固定，或起息日的 LPR 加点。"""
        given = self.cleaned_data
        if given["pricing"] == "FIXED":
            return int(given["rate_ppm"])
        return max(0, lpr_ppm(given["pricing"], given["start"]) + (given.get("spread_bp") or 0) * PPM_PER_BP)

    @property
    def upfront_fee(self) -> int:
        """放款时收的手续费；定额手续费的方式里它分摊在各期。"""
        given = self.cleaned_data
        return 0 if given["method"] == Method.FLAT_FEE else given.get("fee_fen") or 0


@page("calculator.use")
@require_safe
def calculator(request: PageRequest) -> HttpResponse:
    """利息试算。"""
    today: date = request.business_date
    asked = "amount_fen" in request.GET
    initial = {"start": today}
    form = TrialForm(request.GET if asked else _defaults(today), initial=initial)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            context |= _results(form)
        except TermsError as wrong:
            form.add_error(FIELDS.get(wrong.field), wrong.message)
        except RulebookError as wrong:
            form.add_error("pricing", str(wrong))
    return render(request, "calculator/calculator.html", context, status=200 if not form.errors else 422)


FIELDS = {
    "principal_fen": "amount_fen",
    "rate_ppm": "rate_ppm",
    "periods": "periods",
    "due_day": "due_day",
    "grace_periods": "grace_periods",
    "flat_fee_fen": "fee_fen",
}


def _defaults(today: date) -> dict[str, Any]:
    """第一次打开：先给一个算好的样子。"""
    fields = {name: field.initial for name, field in TrialForm.base_fields.items() if field.initial is not None}
    return fields | {"amount_fen": "50,000.00", "rate_ppm": "14.4", "start": today.isoformat()}


def _results(form: TrialForm) -> dict[str, Any]:
    given = form.cleaned_data
    outcome = run(form.terms(), upfront_fee_fen=form.upfront_fee)
    compared = compare(form.terms(), upfront_fee_fen=form.upfront_fee)
    found: dict[str, Any] = {
        "outcome": outcome,
        "table": schedule_table(outcome.rows, shown=PLAN_ONLY),
        "compared": [
            {"name": method_name(item.terms.method), "outcome": item, "same": item.terms.method == outcome.terms.method}
            for item in compared
        ],
        "spec": _chart(compared),
    }
    last = outcome.rows[-1].due_on
    if day := given.get("payoff_on"):
        if outcome.terms.start <= day <= last:
            parts = payoff_on(outcome, day)
            lines = [(text, words.fen(parts[name])) for name, text in PARTS if parts.get(name)]
            found["payoff"] = {"on": day, "lines": lines, "total": parts["total"]}
        else:
            form.add_error("payoff_on", _("请填在起息日与到期日之间。"))
    if (rate := given.get("new_rate_ppm")) is not None and (day := given.get("new_rate_on")):
        if outcome.terms.start <= day < last:
            rows = with_rate(outcome, rate, day)
            interest = sum(row.interest_fen for row in rows)
            coming = next((row for row in rows if row.due_on > day), None)
            found["what_if"] = {
                "rate": rate,
                "on": day,
                "interest": interest,
                "change": interest - outcome.interest_fen,
                "next": coming,
            }
        else:
            form.add_error("new_rate_on", _("请填在起息日与到期日之间。"))
    return found


def _chart(compared: list[Outcome]) -> dict[str, Any]:
    return {
        "kind": "mix",
        "labels": [method_name(item.terms.method) for item in compared],
        "series": [
            {"name": _("总成本"), "data": [item.cost_fen for item in compared], "type": "bar", "scale": "yuan"},
            {
                "name": _("综合年化（按日）"),
                "data": [item.xirr_ppm for item in compared],
                "type": "line",
                "axis": 1,
                "scale": "ppm",
            },
        ],
        "unit": _("元"),
        "unit2": "%",
        "scale": "yuan",
    }
