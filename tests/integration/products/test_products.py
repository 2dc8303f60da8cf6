"""产品：建产品、发布版本、停办、利率价目、要素核对与内核条款。"""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date

import pytest

from sancha.apps.access.models import PostHolding
from sancha.apps.access.queries import actor_for
from sancha.apps.products import mapping, operations, queries
from sancha.apps.products.models import ProductDraft
from sancha.apps.work.operations import submit_task
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method, Terms
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.rulebook.product_terms import LoanElements, PeriodRule
from sancha.rulebook.programs import product_definitions
from sancha.rulebook.vocabulary import CustomerKind, GuaranteeKind
from tests.support.factories_access import OPENING_DAY, fresh_key

SAMPLES = {definition.code: definition for definition in product_definitions()}


@pytest.fixture
def manager(county):
    return county.actor("PRODUCT_MANAGER")


@pytest.fixture
def head(county):
    """复核人。"""
    return county.actor("DEPARTMENT_HEAD")


@pytest.fixture
def product_id(manager, head):
    result = operations.create_product(
        actor=manager,
        key=fresh_key("product"),
        on=OPENING_DAY,
        code="village",
        name="兴村贷",
        program="农户贷款",
        customer_kinds=["FARMER"],
    )
    return result["product_id"]


def document(code="FARMER_GUARANTEE", **changes):
    return SAMPLES[code].terms.model_dump(mode="json") | changes


def approve(drafted, on=OPENING_DAY, outcome="APPROVED", opinion=""):
    """由部门负责人办结复核任务。"""
    holding = PostHolding.objects.get(post_code="DEPARTMENT_HEAD")
    return submit_task(
        actor=actor_for(holding.pk, on), key=fresh_key("approve"), on=on, task_id=drafted["task_id"], outcome=outcome,
        opinion=opinion,
    )  # fmt: skip


def publish(actor, product_id, valid_from=OPENING_DAY, on=OPENING_DAY, terms=None, **changes):
    return approve(draft(actor, product_id, valid_from, on, terms, **changes), on=on)


def draft(actor, product_id, valid_from=OPENING_DAY, on=OPENING_DAY, terms=None, **changes):
    given = {
        "actor": actor,
        "key": fresh_key("version"),
        "on": on,
        "product_id": product_id,
        "valid_from": valid_from,
        "terms": terms or document(),
        "clauses": ["PSBC-2014-TERMS"],
    }
    return operations.propose_version(**(given | changes))


def code_of(caught) -> str:
    return caught.value.code


def test_a_version_is_read_back_by_date(manager, head, product_id):
    publish(manager, product_id, valid_from=date(2020, 1, 1))
    publish(manager, product_id, valid_from=date(2026, 4, 1), terms=document(grace_days=5), reason="增设宽限期")

    before = queries.product_version_on(product_id=product_id, on=date(2026, 3, 31))
    after = queries.product_version_on(product_id=product_id, on=date(2026, 4, 1))
    assert (before.seq, after.seq) == (1, 2)
    assert (after.terms.grace_days, after.authorized_by_id, after.recorded_by_id) == (
        5,
        head.person_id,
        manager.person_id,
    )
    assert after.product_code == "VILLAGE"
    with pytest.raises(NotFound):
        queries.product_version_on(product_id=product_id, on=date(2019, 12, 31))
    assert queries.product_version_on(product_id=product_id, on=date(2026, 4, 1), known_on=OPENING_DAY).seq == 2


def test_what_was_not_yet_booked_was_not_known(manager, product_id):
    publish(manager, product_id)
    publish(manager, product_id, on=date(2026, 3, 10), valid_from=date(2026, 3, 10), terms=document(grace_days=1))

    assert queries.product_version_on(product_id=product_id, on=date(2026, 3, 15), known_on=date(2026, 3, 9)).seq == 1
    assert queries.product_version_on(product_id=product_id, on=date(2026, 3, 15)).seq == 2


def test_a_correction_of_the_same_day_takes_its_place(manager, product_id):
    publish(manager, product_id)
    second = publish(manager, product_id, terms=document(grace_days=2))

    assert second["seq"] == 2
    assert queries.product_version_on(product_id=product_id, on=OPENING_DAY).terms.grace_days == 2
    assert [version.seq for version in queries.version_history(product_id=product_id)] == [2, 1]


def test_nobody_authorizes_oneself(county, manager, product_id):
    """起草人就是有复核岗位，也办不了自己起草的：写明是哪条规则。"""
    drafted = draft(manager, product_id)
    with pytest.raises(NotPermitted) as caught:
        submit_task(actor=manager, key=fresh_key(), on=OPENING_DAY, task_id=drafted["task_id"], outcome="APPROVED")
    assert code_of(caught) in {"TASK_OF_OTHER_POST", "PERMISSION_DENIED"}
    both = county.grant(manager.person_id, "DEPARTMENT_HEAD", at="B1")
    with pytest.raises(NotPermitted) as caught:
        submit_task(actor=both, key=fresh_key(), on=OPENING_DAY, task_id=drafted["task_id"], outcome="APPROVED")
    assert code_of(caught) == "SEPARATION_OF_DUTIES"
    assert "产品与利率的起草与复核须两人办理" in caught.value.message
    assert queries.version_history(product_id=product_id) == []


def test_no_operation_lets_the_caller_name_the_second_person():
    """第二人只从任务来：没有一个操作收 ``authorized_by``。"""
    for name in operations.__all__:
        assert "authorized_by" not in inspect.signature(getattr(operations, name)).parameters, name


def test_a_returned_draft_leaves_no_trace_but_the_task(manager, product_id):
    publish(manager, product_id)
    drafted = draft(manager, product_id, terms=document(grace_days=2))
    with pytest.raises(Conflict) as caught:
        draft(manager, product_id, terms=document(grace_days=3))
    assert code_of(caught) == "DRAFT_WAITING"
    approve(drafted, outcome="RETURNED", opinion="宽限期与总行办法不符")
    assert [version.seq for version in queries.version_history(product_id=product_id)] == [1]
    assert queries.draft(draft_id=drafted["draft_id"]).state == "RETURNED"
    assert queries.open_drafts(product_id=product_id) == []
    draft(manager, product_id, terms=document(grace_days=3))


def test_a_draft_on_an_old_version_is_not_published(manager, product_id):
    """复核人看到的差异须是真正的差异：起草之后版本变了就不发布。"""
    publish(manager, product_id)
    drafted = draft(manager, product_id, terms=document(grace_days=2))
    ProductDraft.objects.filter(pk=drafted["draft_id"]).update(base_seq=0)
    with pytest.raises(Conflict) as caught:
        approve(drafted)
    assert code_of(caught) == "DRAFT_OUTDATED"
    assert queries.open_drafts(product_id=product_id)[0].id == drafted["draft_id"], "nothing was written"


def test_the_day_may_have_passed_when_the_second_person_comes(manager, product_id):
    publish(manager, product_id)
    drafted = draft(manager, product_id, terms=document(grace_days=2))
    with pytest.raises(DomainError) as caught:
        approve(drafted, on=date(2026, 3, 5))
    assert code_of(caught) == "VALID_FROM_IN_THE_PAST"


def test_the_same_terms_are_no_new_version(manager, product_id):
    publish(manager, product_id)
    with pytest.raises(DomainError) as caught:
        draft(manager, product_id)
    assert code_of(caught) == "NOTHING_CHANGED"


def test_a_loan_officer_may_not_change_products(county, product_id):
    with pytest.raises(NotPermitted):
        publish(county.actor("LOAN_OFFICER"), product_id)


@pytest.mark.parametrize(
    ("terms", "changes", "code"),
    [
        (document(grace_days=-1), {}, "PRODUCT_TERMS_WRONG"),
        (document(repayment_methods=[]), {}, "PRODUCT_TERMS_WRONG"),
        (document(unknown=1), {}, "PRODUCT_TERMS_WRONG"),
        (document(grace_days={"parameter": "penalty.graces"}), {}, "PRODUCT_PARAMETER_WRONG"),
        (document(grace_days={"parameter": "penalty.compound_policy"}), {}, "PRODUCT_TERMS_WRONG"),
        (
            document(rate={"kind": "FIXED", "min_ppm": 1, "max_ppm": 240_001, "default_ppm": 1}),
            {},
            "RATE_ABOVE_COST_CAP",
        ),
        (document(), {"clauses": []}, "CLAUSES_MISSING"),
        (document(), {"clauses": ["CC-9999"]}, "CLAUSE_UNKNOWN"),
    ],
)
def test_terms_that_do_not_hold_are_refused(manager, product_id, terms, changes, code):
    with pytest.raises(DomainError) as caught:
        publish(manager, product_id, terms=terms, **changes)
    assert code_of(caught) == code
    assert caught.value.field
    assert caught.value.fix


def test_the_cost_cap_itself_is_allowed(manager, product_id):
    publish(
        manager, product_id, terms=document(rate={"kind": "FIXED", "min_ppm": 1, "max_ppm": 240_000, "default_ppm": 1})
    )


def test_versions_go_forward_only(manager, product_id):
    publish(manager, product_id, valid_from=date(2026, 5, 1))
    with pytest.raises(DomainError) as caught:
        publish(manager, product_id, valid_from=date(2026, 4, 30))
    assert code_of(caught) == "VALID_FROM_OUT_OF_ORDER"
    with pytest.raises(DomainError) as caught:
        publish(manager, product_id, on=date(2026, 6, 2), valid_from=date(2026, 6, 1))
    assert code_of(caught) == "VALID_FROM_IN_THE_PAST"


def test_a_withdrawn_product_keeps_its_past(manager, product_id):
    publish(manager, product_id)
    drafted = operations.propose_withdrawal(
        actor=manager,
        key=fresh_key("withdraw"),
        on=OPENING_DAY,
        product_id=product_id,
        valid_from=date(2026, 7, 1),
        reason="试点结束",
    )
    assert queries.pinned_terms(product_id=product_id, on=date(2026, 7, 1)), "nothing happens before the second person"
    approve(drafted)

    assert queries.pinned_terms(product_id=product_id, on=date(2026, 6, 30)).terms.repayment_methods
    with pytest.raises(DomainError) as caught:
        queries.pinned_terms(product_id=product_id, on=date(2026, 7, 1))
    assert code_of(caught) == "PRODUCT_WITHDRAWN"
    assert [row.offered for row in queries.list_products(actor=manager, on=date(2026, 7, 1))] == [False]
    assert queries.list_products(actor=manager, on=date(2026, 7, 1), offered_only=True) == []


def test_a_code_is_used_once_and_kinds_are_known(manager, product_id):
    given = {"actor": manager, "on": OPENING_DAY, "name": "又一个", "program": "农户贷款"}
    with pytest.raises(Conflict):
        operations.create_product(key=fresh_key(), code="VILLAGE", customer_kinds=["FARMER"], **given)
    with pytest.raises(DomainError) as caught:
        operations.create_product(key=fresh_key(), code="OTHER", customer_kinds=["MARTIAN"], **given)
    assert code_of(caught) == "CUSTOMER_KIND_UNKNOWN"


def test_a_repeat_returns_the_first_result(manager, product_id):
    key = fresh_key("once")
    first = draft(manager, product_id, key=key)
    assert draft(manager, product_id, key=key) == first
    assert len(queries.open_drafts(product_id=product_id)) == 1


def test_samples_install_once(manager):
    given = {"actor": SYSTEM, "on": OPENING_DAY}
    first = operations.install_samples(key=fresh_key("samples"), **given)
    second = operations.install_samples(key=fresh_key("samples"), **given)

    assert set(first["installed"]) == set(SAMPLES)
    assert (second["installed"], set(second["skipped"])) == ({}, set(SAMPLES))
    assert all(row.offered for row in queries.list_products(actor=manager, on=OPENING_DAY))
    with pytest.raises(NotPermitted) as caught:
        operations.install_samples(actor=manager, key=fresh_key(), on=OPENING_DAY)
    assert code_of(caught) == "SAMPLES_NEED_SYSTEM"
    assert queries.product_ids(["STUDENT"]) == {"STUDENT": first["installed"]["STUDENT"]}


def test_a_list_costs_two_statements(manager, django_assert_num_queries):
    operations.install_samples(actor=SYSTEM, key=fresh_key(), on=OPENING_DAY)
    with django_assert_num_queries(2):
        queries.list_products(actor=manager, on=OPENING_DAY)


def test_the_version_document_cites_its_clauses(manager, product_id):
    version = publish(manager, product_id)
    shown = queries.version_document(version_id=version["version_id"])

    assert shown["clauses"][0]["citation"] == "《中国邮政储蓄银行小额贷款管理办法》贷款要素部分"
    assert shown["terms"]["penalty"]["multiplier_ppm"] == {"parameter": "penalty.multiplier_ppm"}
    assert shown["pinned"]["terms"]["penalty"]["multiplier_ppm"] == 1_500_000
    assert {"FARMER"} == {kind["code"] for kind in shown["product"]["customer_kinds"]}


# 利率价目 ------------------------------------------------------------------------------------------------


def price(actor, product_id, county, at, **changes):
    given = {
        "actor": actor,
        "key": fresh_key("rate"),
        "on": OPENING_DAY,
        "product_id": product_id,
        "institution_id": county.ids[at],
        "customer_kind": "FARMER",
        "valid_from": OPENING_DAY,
    }
    return approve(operations.propose_rate(**(given | changes)))


def test_the_nearest_institution_sets_the_price(county, manager, product_id):
    publish(manager, product_id)
    price(manager, product_id, county, "B1", rate_ppm=120_000)
    price(manager, product_id, county, "S1", rate_ppm=108_000, valid_from=date(2026, 4, 1))

    def rate(at, on):
        path = county.actor("LOAN_OFFICER", at=at).institution_path
        found = queries.price_on(product_id=product_id, institution_path=path, customer_kind="FARMER", on=on)
        return found.rate_ppm, found.institution_id

    assert rate("S2", OPENING_DAY) == (120_000, county.ids["B1"])
    assert rate("S2", date(2026, 4, 1)) == (108_000, county.ids["S1"])
    assert rate("S9", date(2026, 4, 1)) == (120_000, county.ids["B1"])
    root = queries.price_on(product_id=product_id, institution_path="/", customer_kind="FARMER", on=OPENING_DAY)
    assert (root.rate_ppm, root.source) == (144_000, "PRODUCT")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rate_ppm": 180_001}, "PRICE_OUTSIDE_BAND"),
        ({"rate_ppm": 59_999}, "PRICE_OUTSIDE_BAND"),
        ({"spread_bp": 100}, "PRICE_KIND_WRONG"),
        ({}, "PRICE_KIND_WRONG"),
        ({"rate_ppm": 100_000, "spread_bp": 1}, "PRICE_KIND_WRONG"),
        ({"rate_ppm": 100_000, "customer_kind": "STUDENT"}, "CUSTOMER_KIND_NOT_OF_PRODUCT"),
    ],
)
def test_a_price_outside_the_band_is_refused(county, manager, product_id, changes, code):
    publish(manager, product_id)
    with pytest.raises(DomainError) as caught:
        price(manager, product_id, county, "B1", **changes)
    assert code_of(caught) == code


def test_an_lpr_price_moves_with_the_quote(county, manager, product_id):
    publish(manager, product_id, valid_from=date(2023, 10, 1), terms=document("STARTUP_PERSON"))
    price(manager, product_id, county, "B1", spread_bp=100, valid_from=date(2024, 1, 1))
    path = county.actor("LOAN_OFFICER").institution_path

    def rate(on):
        return queries.price_on(product_id=product_id, institution_path=path, customer_kind="FARMER", on=on).rate_ppm

    assert rate(date(2024, 10, 20)) == 43_500
    assert rate(date(2024, 10, 21)) == 41_000
    with pytest.raises(DomainError):
        price(manager, product_id, county, "B2", spread_bp=151)


# 要素与内核条款 --------------------------------------------------------------------------------------------

CHOSEN = LoanElements(
    customer_kind=CustomerKind.FARMER,
    amount_fen=5_000_000,
    term_unit=PeriodUnit.MONTH,
    term_count=12,
    method=Method.LEVEL_PAYMENT,
    period=PeriodRule(unit=PeriodUnit.MONTH),
    rate_ppm=144_000,
    guarantee=GuaranteeKind.GUARANTEE,
    start=OPENING_DAY,
)


def test_elements_are_checked_against_the_version_of_the_day(manager, product_id):
    publish(manager, product_id)
    assert queries.element_problems(product_id=product_id, chosen=CHOSEN) == []
    fields = [p.field for p in queries.element_problems(product_id=product_id, chosen=replace(CHOSEN, amount_fen=1))]
    assert fields == ["amount_fen"]


def kernel(code, chosen, **changes):
    from sancha.rulebook.product_terms import pin

    pinned = pin(SAMPLES[code].terms, chosen.start)
    return mapping.kernel_terms(pinned, chosen, product_code=code, institution_code="S1", **changes)


def test_policy_values_are_pinned_into_the_terms():
    terms = kernel("FARMER_GUARANTEE", CHOSEN)

    assert (terms.periods, terms.period_unit, terms.period_every) == (12, PeriodUnit.MONTH, 1)
    assert (terms.penalty_multiplier_ppm, terms.misuse_multiplier_ppm, terms.grace_days) == (1_500_000, 2_000_000, 0)
    assert terms.allocation.order == ("fee", "penalty", "compound", "interest", "principal")
    assert terms.allocation.npl_after_dpd is None
    assert terms.class_thresholds == ((1, 2), (91, 3), (271, 4), (361, 5))
    assert (terms.nonaccrual_after_dpd, terms.rate_link, terms.due_day) == (90, None, None)
    assert Terms.from_document(terms.as_document()) == terms


def test_a_bullet_is_one_period_of_the_whole_term():
    terms = kernel("FARMER_GUARANTEE", replace(CHOSEN, method=Method.BULLET, term_count=4))
    assert (terms.periods, terms.period_unit, terms.period_every) == (1, PeriodUnit.MONTH, 4)


def test_a_term_in_years_paid_by_quarter():
    chosen = replace(
        CHOSEN,
        customer_kind=CustomerKind.PERSON,
        term_unit=PeriodUnit.YEAR,
        term_count=2,
        method=Method.INTEREST_FIRST,
        period=PeriodRule(unit=PeriodUnit.QUARTER),
        rate_ppm=45_000,
    )
    terms = kernel("STARTUP_PERSON", chosen)

    assert (terms.periods, terms.due_day) == (8, 20)
    assert terms.rate_link == ("1Y", 150, "NONE")
    assert terms.payer_shares == ((OPENING_DAY, (("STATE", 500_000),)),)


def test_a_rate_between_two_basis_points_is_refused():
    chosen = replace(CHOSEN, method=Method.INTEREST_FIRST, rate_ppm=44_950, period=PeriodRule(unit=PeriodUnit.MONTH))
    with pytest.raises(DomainError) as caught:
        kernel("STARTUP_PERSON", chosen)
    assert code_of(caught) == "RATE_NOT_WHOLE_BASIS_POINTS"


def test_a_student_pays_no_interest_in_school():
    chosen = replace(
        CHOSEN,
        customer_kind=CustomerKind.STUDENT,
        amount_fen=2_000_000,
        term_unit=PeriodUnit.YEAR,
        term_count=3,
        method=Method.INTEREST_WITH_PLAN,
        period=PeriodRule(unit=PeriodUnit.YEAR),
        rate_ppm=28_000,
        guarantee=GuaranteeKind.UNSECURED,
    )
    with pytest.raises(DomainError) as caught:
        kernel("STUDENT", chosen, plan=(0, 1_000_000, 1_000_000))
    assert code_of(caught) == "STUDY_END_MISSING"
    terms = kernel("STUDENT", chosen, plan=(0, 1_000_000, 1_000_000), study_ends=date(2028, 9, 1))
    assert terms.payer_shares == ((OPENING_DAY, (("STATE", 1_000_000),)), (date(2028, 9, 1), ()))
    assert terms.rate_link == ("5Y", -70, "JANUARY_FIRST")


def test_a_term_that_is_not_whole_periods_is_refused():
    with pytest.raises(DomainError) as caught:
        kernel("FARMER_GUARANTEE", replace(CHOSEN, term_count=7, period=PeriodRule(unit=PeriodUnit.QUARTER)))
    assert code_of(caught) == "TERM_NOT_WHOLE_PERIODS"


def test_a_flat_fee_reaches_the_terms():
    chosen = replace(
        CHOSEN,
        customer_kind=CustomerKind.PERSON,
        amount_fen=1_200_000,
        method=Method.FLAT_FEE,
        rate_ppm=0,
        guarantee=GuaranteeKind.UNSECURED,
    )
    assert kernel("CONSUMER_INSTALLMENT", chosen).flat_fee_fen == 43_200
