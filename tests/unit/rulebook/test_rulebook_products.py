"""产品条款：钉住参数、利率范围、要素核对。"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from enum import StrEnum

import pytest

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import COMPONENTS, Method
from sancha.rulebook import vocabulary
from sancha.rulebook.product_terms import (
    LoanElements,
    PeriodRule,
    ProductTerms,
    percent,
    pin,
    plain,
    plain_int,
    problems_with,
    rate_band,
)
from sancha.rulebook.programs import product_definitions
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind

BY_CODE = {definition.code: definition for definition in product_definitions()}
MONTHLY = PeriodRule(unit=PeriodUnit.MONTH)
FARMER_LOAN = LoanElements(
    customer_kind=CustomerKind.FARMER,
    amount_fen=5_000_000,
    term_unit=PeriodUnit.MONTH,
    term_count=12,
    method=Method.LEVEL_PAYMENT,
    period=MONTHLY,
    rate_ppm=144_000,
    guarantee=GuaranteeKind.GUARANTEE,
    start=date(2026, 3, 1),
)


def problems(code: str = "FARMER_GUARANTEE", loan: LoanElements = FARMER_LOAN) -> list[str]:
    definition = BY_CODE[code]
    found = problems_with(pin(definition.terms, loan.start), loan, definition.customer_kinds)
    return [problem.field for problem in found]


def test_the_eight_sample_products_are_there():
    assert set(BY_CODE) == {
        "FARMER_GUARANTEE",
        "MERCHANT_GUARANTEE",
        "FARMER_JOINT",
        "STARTUP_PERSON",
        "STUDENT",
        "TRADER_REVOLVING",
        "HARVEST_BULLET",
        "CONSUMER_INSTALLMENT",
    }
    allowed = {method for definition in BY_CODE.values() for method in definition.terms.repayment_methods}
    assert allowed == set(Method)


def test_pinning_replaces_every_reference_and_tells_its_origin():
    pinned = pin(BY_CODE["FARMER_GUARANTEE"].terms, date(2026, 3, 1))

    assert "parameter" not in str(pinned.terms.model_dump(mode="json"))
    assert pinned.terms.penalty.multiplier_ppm == 1_500_000
    assert pinned.terms.allocation.order == ("fee", "penalty", "compound", "interest", "principal")
    (source,) = [pin_ for pin_ in pinned.pins if pin_.field == "penalty.multiplier_ppm"]
    assert source.parameter["clause"] == "PBC-2003-251-3"
    assert source.parameter["effective_from"] == "2004-01-01"
    assert ProductTerms.model_validate(pinned.as_document()["terms"]) == pinned.terms


def test_a_pinned_value_stays_when_read_before_pinning_it_is_refused():
    with pytest.raises(TypeError, match="pin"):
        plain_int(BY_CODE["FARMER_GUARANTEE"].terms.amount.min_fen)
    with pytest.raises(TypeError, match="pin"):
        plain(BY_CODE["FARMER_GUARANTEE"].terms.allocation.npl_enabled)
    allocation = pin(BY_CODE["FARMER_GUARANTEE"].terms, date(2026, 3, 1)).terms.allocation
    assert plain(allocation.order) == ("fee", "penalty", "compound", "interest", "principal")


def test_student_rate_follows_lpr_and_its_spread():
    terms = BY_CODE["STUDENT"].terms
    on = date(2026, 1, 20)

    assert rate_band(pin(terms, on).terms, on) == (28_000, 28_000, 28_000)
    before = date(2024, 12, 1)
    assert rate_band(pin(terms, before).terms, before) == (29_000, 29_000, 29_000)


def test_startup_band_moves_with_lpr():
    terms = BY_CODE["STARTUP_PERSON"].terms
    on = date(2026, 1, 20)

    assert rate_band(pin(terms, on).terms, on) == (30_000, 45_000, 45_000)


def test_a_loan_inside_the_product_has_no_problem():
    assert problems() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_kind": CustomerKind.STUDENT}, "customer_kind"),
        ({"guarantee": GuaranteeKind.UNSECURED}, "guarantee"),
        ({"amount_fen": 90_000}, "amount_fen"),
        ({"amount_fen": 10_010_000}, "amount_fen"),
        ({"amount_fen": 5_005_000}, "amount_fen"),
        ({"term_count": 13}, "term_count"),
        ({"term_unit": PeriodUnit.DAY, "term_count": 90}, "term_unit"),
        ({"method": Method.LEVEL_PRINCIPAL}, "method"),
        ({"method": Method.BULLET, "term_count": 5}, "term_count"),
        ({"period": PeriodRule(unit=PeriodUnit.MONTH, every=2)}, "period"),
        ({"method": Method.GRACE_LEVEL_PAYMENT, "grace_periods": 11}, "grace_periods"),
        ({"method": Method.GRACE_LEVEL_PAYMENT, "grace_periods": 0}, "grace_periods"),
        ({"grace_periods": 2}, "grace_periods"),
        ({"rate_ppm": 180_001}, "rate_ppm"),
        ({"rate_ppm": 59_999}, "rate_ppm"),
    ],
)
def test_each_element_outside_the_product_is_named(change, field):
    assert problems(loan=replace(FARMER_LOAN, **change)) == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"amount_fen": 100_000},
        {"amount_fen": 10_000_000},
        {"rate_ppm": 60_000},
        {"rate_ppm": 180_000},
        {"method": Method.BULLET, "term_count": 4},
        {"method": Method.BULLET, "term_unit": PeriodUnit.QUARTER, "term_count": 1},
        {"method": Method.GRACE_LEVEL_PAYMENT, "grace_periods": 10},
    ],
)
def test_the_edges_are_inside(change):
    assert problems(loan=replace(FARMER_LOAN, **change)) == []


def test_a_limit_in_months_holds_for_a_term_in_half_years():
    assert problems(loan=replace(FARMER_LOAN, method=Method.BULLET, term_unit=PeriodUnit.HALF_YEAR, term_count=1)) == [
        "term_count"
    ]


def test_flat_fee_is_rounded_to_the_fen():
    fee = BY_CODE["CONSUMER_INSTALLMENT"].terms.flat_fee
    assert fee.amount_fen(100_000) == 3_600
    assert fee.amount_fen(99_999) == 3_600  # 3599.964


def test_every_word_has_a_chinese_name():
    for kind, names in vocabulary.LABELS.items():
        assert set(names) == {member.value for member in kind}
    assert set(vocabulary.COMPONENT_LABELS) == set(COMPONENTS)
    for kind in vocabulary.Term.__subclasses__():
        assert issubclass(kind, StrEnum)
        assert all(
            vocabulary.label(member) and code == member
            for member, (code, _) in zip(kind, vocabulary.choices(kind), strict=True)
        )
    assert vocabulary.label(Method.BULLET) == "一次性还本付息"


def test_a_word_without_a_chinese_name_cannot_be_defined():
    with pytest.raises(AssertionError, match="NEW has no Chinese name"):
        vocabulary.Term("Mute", {"NEW": "NEW"})


@pytest.mark.parametrize(
    ("ppm", "text"), [(144_000, "14.4%"), (28_000, "2.8%"), (0, "0%"), (-7_000, "-0.7%"), (1, "0.0001%")]
)
def test_percent(ppm, text):
    assert percent(ppm) == text
