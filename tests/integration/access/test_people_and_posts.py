"""人员、任职、不得兼任、密码与令牌。"""

from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory
from pydantic import SecretStr

from sancha.apps.access import operations, queries
from sancha.kit.actor import SYSTEM
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import AuditEvent, Idempotency
from tests.support.at_once import at_once
from tests.support.factories_access import OPENING_DAY, PASSWORD, County, fresh_key, open_county

DAY = OPENING_DAY
LATER = DAY + timedelta(days=10)


def grant(county: County, person_id: int, post: str, at: str, **more):
    return operations.grant_post(
        **{"actor": SYSTEM, "on": DAY, **more},
        key=fresh_key(),
        person_id=person_id,
        institution_id=county.ids[at],
        post_code=post,
    )


def test_actor_carries_the_posts_permissions_and_scope(county: County) -> None:
    officer = county.actor("LOAN_OFFICER")
    assert officer.may("parties.edit")
    assert not officer.may("servicing.book")
    assert officer.institution_path == queries.require_institution(SYSTEM, county.ids["S1"]).path


@pytest.mark.parametrize(
    ("held", "at", "wanted", "there", "rule"),
    [
        ("GC_HANDLER", "GC", "GC_REVIEWER", "GC", "GC_THREE_PERSONS"),
        ("GC_UNDERWRITER", "GC", "GC_HANDLER", "GC", "GC_THREE_PERSONS"),
        ("LOAN_OFFICER", "S1", "REVIEWER", "B2", "REVIEW_INDEPENDENT"),
        ("REVIEWER", "B2", "APPROVER", "B2", "APPROVAL_SEPARATE"),
        ("LOAN_OFFICER", "S1", "DISBURSEMENT_CLERK", "S1", "LENDING_NOT_DISBURSING"),
        ("DISBURSEMENT_CLERK", "S2", "ACCOUNTING_SUPERVISOR", "S1", "DISBURSEMENT_TWO_PERSONS"),
        ("INTAKE", "S1", "CASHIER", "S1", "INTAKE_NOT_BOOKING"),
        ("POST_LOAN", "S1", "LOAN_OFFICER", "S1", "POST_LOAN_SEPARATE"),
        ("CASHIER", "GC", "GC_DIRECTOR", "GC", "CENTER_MONEY_TWO_PERSONS"),
        ("ADMINISTRATOR", "HO", "CASHIER", "S9", "ADMINISTRATOR_NO_MONEY"),
        ("AUDITOR", "HO", "LOAN_OFFICER", "S9", "AUDITOR_ALONE"),
        ("BRANCH_MANAGER", "S1", "AUDITOR", "HO", "AUDITOR_ALONE"),
    ],
)
def test_incompatible_posts_are_refused_by_name(
    county: County, held: str, at: str, wanted: str, there: str, rule: str
) -> None:
    person_id = county.person("lin")
    grant(county, person_id, held, at)
    with pytest.raises(NotPermitted) as refused:
        grant(county, person_id, wanted, there)
    assert refused.value.code == rule
    assert refused.value.clause in {"ORG-3", "SEC-1", "SEC-2"}
    assert refused.value.fix


@pytest.mark.parametrize(
    ("held", "at", "wanted", "there"),
    [
        ("BRANCH_MANAGER", "S2", "TEAM_LEAD", "S2"),  # 二级支行行长可兼业务主管（ORG-2）
        ("LOAN_OFFICER", "S9", "DISBURSEMENT_CLERK", "S1"),  # 不在一条线上
        ("POST_LOAN", "S1", "LOAN_OFFICER", "S9"),
    ],
)
def test_compatible_posts_are_granted(county: County, held: str, at: str, wanted: str, there: str) -> None:
    person_id = county.person("lin")
    grant(county, person_id, held, at)
    grant(county, person_id, wanted, there)
    assert {info.post_code for info in queries.holdings_of(person_id, DAY)} == {held, wanted}


def test_incompatible_posts_may_follow_one_another(county: County) -> None:
    person_id = county.person("lin")
    first = grant(county, person_id, "REVIEWER", "B2")
    operations.end_post(actor=SYSTEM, key=fresh_key(), on=DAY, holding_id=first["holding_id"], valid_to=LATER)
    with pytest.raises(NotPermitted):
        grant(county, person_id, "APPROVER", "B2", valid_from=LATER - timedelta(days=1))
    grant(county, person_id, "APPROVER", "B2", valid_from=LATER)
    assert [info.post_code for info in queries.holdings_of(person_id, DAY)] == ["REVIEWER"]
    assert [info.post_code for info in queries.holdings_of(person_id, LATER)] == ["APPROVER"]


@pytest.mark.parametrize(
    ("post", "at"), [("REVIEWER", "S1"), ("LOAN_OFFICER", "B2"), ("POST_LOAN", "S2"), ("GC_HANDLER", "HO")]
)
def test_a_post_stands_only_where_it_may(county: County, post: str, at: str) -> None:
    with pytest.raises(DomainError) as refused:
        grant(county, county.person("lin"), post, at)
    assert (refused.value.code, refused.value.clause) == ("POST_NOT_AT_KIND", "ORG-2")


def test_the_same_post_twice_is_a_conflict(county: County) -> None:
    person_id = county.person("lin")
    grant(county, person_id, "LOAN_OFFICER", "S1")
    with pytest.raises(Conflict) as refused:
        grant(county, person_id, "LOAN_OFFICER", "S1")
    assert refused.value.code == "POST_ALREADY_HELD"


def test_nobody_grants_to_themselves_or_outside_their_scope(county: County) -> None:
    admin = county.actor("ADMINISTRATOR")
    with pytest.raises(NotPermitted) as refused:
        grant(county, admin.person_id, "DAYCLOSE_OPERATOR", "HO", actor=admin)
    assert refused.value.code == "SELF_GRANT"
    outsider = county.person("wai", at="GC")
    with pytest.raises(NotFound):
        grant(county, outsider, "LOAN_OFFICER", "S1", actor=admin)
    with pytest.raises(NotFound):
        grant(county, county.person("nei"), "GC_HANDLER", "GC", actor=admin)


def test_granting_needs_the_permission(county: County) -> None:
    with pytest.raises(NotPermitted) as refused:
        grant(county, county.person("lin"), "INTAKE", "S1", actor=county.actor("BRANCH_MANAGER"))
    assert refused.value.code == "PERMISSION_DENIED"


def test_ending_appends_and_what_was_known_stays(county: County) -> None:
    person_id = county.person("lin")
    holding = grant(county, person_id, "LOAN_OFFICER", "S1")["holding_id"]
    ended = operations.end_post(
        actor=SYSTEM, key=fresh_key(), on=LATER, holding_id=holding, valid_to=DAY + timedelta(days=5)
    )
    assert ended["holding_id"] != holding
    sixth = DAY + timedelta(days=6)
    assert queries.holdings_of(person_id, sixth) == []
    assert [info.id for info in queries.holdings_of(person_id, sixth, known_on=sixth)] == [holding]
    assert len(queries.holding_history(person_id)) == 2
    # 会话里的旧编号在止日前仍有效，止日起失效
    assert queries.actor_for(holding, DAY + timedelta(days=4)).post_holding_id == ended["holding_id"]
    with pytest.raises(NotPermitted):
        queries.actor_for(holding, DAY + timedelta(days=5))
    with pytest.raises(Conflict):
        operations.end_post(actor=SYSTEM, key=fresh_key(), on=LATER, holding_id=holding)


def test_actor_lookup_is_one_query(county: County, django_assert_num_queries) -> None:
    holding = county.actor("LOAN_OFFICER").post_holding_id
    with django_assert_num_queries(1):
        queries.actor_for(holding, DAY)


def test_deactivated_person_and_tokens_are_out(county: County) -> None:
    actor = county.actor("INTEGRATION")
    issued = operations.issue_token(
        actor=SYSTEM, key=fresh_key(), on=DAY, holding_id=actor.post_holding_id, name="核心系统", expires_on=LATER
    )
    assert queries.actor_for_token(issued["token"], DAY).post_code == "INTEGRATION"
    operations.deactivate_person(actor=SYSTEM, key=fresh_key(), on=DAY, person_id=actor.person_id)
    with pytest.raises(NotPermitted):
        queries.actor_for(actor.post_holding_id, DAY)
    operations.reactivate_person(actor=SYSTEM, key=fresh_key(), on=DAY, person_id=actor.person_id)
    assert queries.actor_for(actor.post_holding_id, DAY).person_id == actor.person_id
    with pytest.raises(NotPermitted) as refused:
        queries.actor_for_token(issued["token"], DAY)
    assert refused.value.code == "TOKEN_NOT_VALID"


def test_token_expires_is_revoked_and_is_shown_once(county: County) -> None:
    holding = county.actor("INTEGRATION").post_holding_id
    inputs = {"actor": SYSTEM, "on": DAY, "holding_id": holding, "name": "核心系统", "expires_on": LATER}
    first = operations.issue_token(**inputs, key="token")
    assert operations.issue_token(**inputs, key="token") == {**first, "token": None}
    assert queries.actor_for_token(first["token"], LATER).post_holding_id == holding
    with pytest.raises(NotPermitted):
        queries.actor_for_token(first["token"], LATER + timedelta(days=1))
    (listed,) = queries.list_tokens(county.actor("ADMINISTRATOR")).rows
    assert (listed.name, listed.expires_on, listed.revoked_at) == ("核心系统", LATER, None)
    assert queries.list_tokens(county.actor("ADMINISTRATOR", at="B1")).total == 0
    operations.revoke_token(actor=SYSTEM, key=fresh_key(), on=DAY, token_id=first["token_id"])
    with pytest.raises(NotPermitted):
        queries.actor_for_token(first["token"], DAY)


def test_no_secret_reaches_the_records(county: County) -> None:
    added = operations.add_person(
        actor=SYSTEM, key="wang", on=DAY, username="wang", name="王五", institution_id=county.ids["S1"]
    )
    operations.add_person(
        actor=SYSTEM, key="zhao", on=DAY, username="zhao", name="赵六", institution_id=county.ids["S1"],
        password=SecretStr("Given-password-1"),
    )  # fmt: skip
    stored = "".join(str(row) for row in [*Idempotency.objects.values(), *AuditEvent.objects.values()])
    assert added["password"] not in stored
    assert "Given-password-1" not in stored


def test_first_password_works_once_shown_and_must_be_changed(county: County, rf: RequestFactory) -> None:
    request = rf.get("/")
    inputs = {"actor": SYSTEM, "on": DAY, "username": " Wang.Wu ", "name": "王五", "institution_id": county.ids["S1"]}
    added = operations.add_person(**inputs, key="wang")
    assert operations.add_person(**inputs, key="wang") == {**added, "password": None}
    assert authenticate(request, username="WANG.WU", password=added["password"]).pk == added["person_id"]
    actor = queries.account_actor(added["person_id"])
    assert queries.find_person("wang.wu").must_change_password
    change = {"actor": actor, "on": DAY, "old": SecretStr(added["password"])}
    with pytest.raises(DomainError) as weak:
        operations.change_password(**change, key=fresh_key(), new=SecretStr("12345"))
    assert weak.value.code == "PASSWORD_WEAK"
    with pytest.raises(DomainError):
        operations.change_password(**{**change, "old": SecretStr("not it")}, key=fresh_key(), new=SecretStr(PASSWORD))
    operations.change_password(**change, key=fresh_key(), new=SecretStr(PASSWORD))
    assert authenticate(request, username="wang.wu", password=PASSWORD) is not None
    assert not queries.find_person("wang.wu").must_change_password
    reset = operations.reset_password(actor=SYSTEM, key=fresh_key(), on=DAY, person_id=added["person_id"])
    assert authenticate(request, username="wang.wu", password=PASSWORD) is None
    assert authenticate(request, username="wang.wu", password=reset["password"]) is not None


@pytest.mark.parametrize("username", ["", "张三", "a", "has space", "-x"])
def test_bad_usernames(county: County, username: str) -> None:
    with pytest.raises(DomainError) as refused:
        county.person(username)
    assert refused.value.field == "username"


def test_account_actor_can_do_nothing_else(county: County) -> None:
    actor = queries.account_actor(county.person("lin"))
    assert actor.permissions == {"access.self"}


def test_people_list_is_scoped_searched_and_flat_in_queries(county: County, django_assert_num_queries) -> None:
    for post in ("LOAN_OFFICER", "CASHIER", "REVIEWER", "GC_HANDLER"):
        county.actor(post)
    manager = county.actor("BRANCH_MANAGER")
    with django_assert_num_queries(3):
        seen = queries.list_people(manager, on=DAY)
    assert {person.username for person in seen.rows} == {"loan_officer.s1.1", "cashier.s1.1", "branch_manager.s1.1"}
    for nth in range(2, 12):
        county.actor("LOAN_OFFICER", nth=nth)
    with django_assert_num_queries(3):
        page = queries.list_people(manager, on=DAY, text="信贷员", size=5, page=2)
    assert (page.total, page.pages, len(page.rows)) == (11, 3, 5)
    assert all(person.holdings[0].post_code == "LOAN_OFFICER" for person in page.rows)
    assert queries.list_people(manager, on=DAY, page=10**9, size=10**9).number == 1
    with pytest.raises(NotFound):
        queries.person_detail(manager, county.actor("REVIEWER").person_id, on=DAY)


def test_holders_cover_institutions_below_them(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    found = queries.holders_of("ACCOUNTING_SUPERVISOR", institution_id=county.ids["S2"], on=DAY)
    assert [person.id for person in found] == [supervisor.person_id]
    assert queries.holders_of("ACCOUNTING_SUPERVISOR", institution_id=county.ids["S9"], on=DAY) == []


@pytest.mark.django_db(transaction=True)
def test_two_incompatible_grants_at_once_leave_one() -> None:
    county = open_county()
    person_id = county.person("lin", at="GC")
    results = at_once(
        *(lambda post=post: grant(county, person_id, post, "GC") for post in ("GC_HANDLER", "GC_REVIEWER"))
    )
    refused = [result for result in results if isinstance(result, NotPermitted)]
    assert [error.code for error in refused] == ["GC_THREE_PERSONS"]
    assert len(queries.holdings_of(person_id, DAY)) == 1


@pytest.mark.django_db(transaction=True)
def test_one_key_twice_at_once_adds_one_person_and_shows_one_password(rf: RequestFactory) -> None:
    county = open_county()
    inputs = {"actor": SYSTEM, "on": DAY, "username": "wang", "name": "王五", "institution_id": county.ids["S1"]}
    results = at_once(*(lambda: operations.add_person(**inputs, key="wang") for _ in range(2)))
    shown = [result["password"] for result in results if isinstance(result, dict) and result["password"]]
    assert len(shown) == 1
    assert authenticate(rf.get("/"), username="wang", password=shown[0]) is not None
