"""系统查得到的不利事实：名单、同户在贷说没有也不作数；查不到的照样问人。"""

from __future__ import annotations

import pytest

from sancha.apps.origination import queries
from sancha.apps.origination.facts import case_document
from sancha.apps.origination.ruling import require_known
from sancha.apps.parties import operations as parties
from sancha.apps.servicing.models import Loan
from sancha.kernel.terms import Method, Terms
from sancha.kit.errors import DomainError
from tests.support.applications import Desk, card, case
from tests.support.factories_access import fresh_key
from tests.support.factories_loans import Lending
from tests.support.office import POLICY


def listed(desk: Desk, *orders: int) -> None:
    """法院名单上有这些人。"""
    parties.import_court_list(
        actor=desk.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=desk.today, source_on=desk.today, complete=True,
        rows=[
            {"name": "王秀兰", "id_number": card(order), "case": f"（2025）川0822执{order}号", "published_on": "2025-06-01"}
            for order in orders
        ],
    )  # fmt: skip


def test_the_court_list_outweighs_the_word_of_the_applicant(desk: Desk) -> None:
    one = desk.open()
    listed(desk, 1)
    found = case_document(case(one), on=desk.today)["applicant.on_court_list"]
    assert found == {"value": True, "evidence": "COMPUTED", "reference": "法院失信名单"}
    foreseen = queries.foresee(case(one), on=desk.today)
    assert "s11.borrower.court_list" in {
        verdict["rule"] for verdict in foreseen["verdicts"] if verdict["outcome"] == "FAIL"
    }, "the clerk sees it before the case is taken"
    with pytest.raises(DomainError) as refused:
        desk.accept(one)
    assert "失信被执行人名单" in refused.value.message


def test_who_is_listed_later_gets_no_money(desk: Desk) -> None:
    one = desk.to("SURVEY")
    desk.survey(one)
    listed(desk, 1)
    with pytest.raises(DomainError) as failed:
        desk.finish(one)
    assert failed.value.value == "s11.borrower.court_list"
    listed(desk, 2)
    desk.finish(one)


def test_not_on_record_is_not_the_same_as_no(desk: Desk) -> None:
    one = desk.open(**{"applicant.on_court_list": "-", "household.open_microloans": "2"})
    document = case_document(case(one), on=desk.today)
    assert "applicant.on_court_list" not in document
    with pytest.raises(DomainError, match="失信被执行人名单"):
        desk.accept(one)


def test_a_loan_in_the_household_counts_though_it_was_denied(desk: Desk) -> None:
    wife = desk.farmer(2, name="张桂花")
    one = desk.open()
    borrowed = lent(desk, wife)
    assert "household.open_microloans" not in case_document(case(one), on=desk.today), "nobody said they are a couple"
    parties.add_relation(
        actor=desk.intake, key=fresh_key(), on=desk.today, party_id=case(one).party_id, other_id=wife, kind="SPOUSE",
        valid_from=desk.today,
    )  # fmt: skip
    found = case_document(case(one), on=desk.today)["household.open_microloans"]
    assert found == {"value": 1, "evidence": "COMPUTED", "reference": f"借据 {borrowed.number}"}
    with pytest.raises(DomainError) as refused:
        desk.accept(one)
    assert "未结清" in refused.value.message


def lent(desk: Desk, party_id: int) -> Loan:
    """已登记、还没了结的一笔农户保证贷款。"""
    lending = Lending(desk.county, desk.product_ids["FARMER_GUARANTEE"], party_id)
    return lending.row(
        Terms(
            start=desk.today,
            principal_fen=5_000_000,
            rate_ppm=144_000,
            method=Method.LEVEL_PAYMENT,
            periods=12,
            **POLICY,
        )
    )


def test_without_a_rule_in_force_nothing_is_passed() -> None:
    with pytest.raises(DomainError) as none:
        require_known({"verdicts": [], "missing": []})
    assert none.value.code == "NO_RULES_IN_FORCE"
