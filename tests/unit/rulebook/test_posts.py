"""岗位目录：文件完整、各岗位站在 ORG-2 说的地方、有错的文件读不进来。"""

import copy
from importlib import resources

import pytest
import yaml
from pydantic import ValidationError

from sancha.rulebook import posts

# ORG-2 原文逐条：岗位 → 可设机构
BRANCHES = frozenset({"TIER1_BRANCH", "TIER2_BRANCH"})
SUB_BRANCHES = frozenset({"TIER1_SUB_BRANCH", "TIER2_SUB_BRANCH"})
ORG_2 = {
    **dict.fromkeys(["BUSINESS_MANAGER", "PRODUCT_MANAGER", "BUSINESS_INSPECTOR", "REVIEWER", "APPROVER"], BRANCHES),
    **dict.fromkeys(["OPERATIONS_SUPERVISOR", "ARCHIVIST"], BRANCHES | {"TIER1_SUB_BRANCH"}),
    # Beyond ORG-2: a lender that keeps books at head office needs a second person for them there.
    "ACCOUNTING_SUPERVISOR": BRANCHES | {"TIER1_SUB_BRANCH", "HEAD_OFFICE"},
    "POST_LOAN": frozenset({"TIER1_SUB_BRANCH"}),
    **dict.fromkeys(["LOAN_OFFICER", "INTAKE", "DISBURSEMENT_CLERK"], SUB_BRANCHES),
    "TEAM_LEAD": frozenset({"TIER2_SUB_BRANCH"}),
}


@pytest.mark.parametrize(("code", "kinds"), ORG_2.items())
def test_posts_stand_where_org_2_says(code: str, kinds: frozenset[str]) -> None:
    assert set(posts.posts()[code].kinds) == kinds


def test_booking_and_its_authorization_never_meet_in_one_post() -> None:
    for post in posts.posts().values():
        assert not {"servicing.book", "servicing.authorize"} <= post.permissions, post.code
        assert not {"ledger.manual", "ledger.authorize"} <= post.permissions, post.code
        assert not {"cashdesk.pay", "cashdesk.authorize"} <= post.permissions, post.code


def test_posts_that_book_and_authorize_at_one_institution_are_declared_incompatible() -> None:
    bookers = [post for post in posts.posts().values() if "servicing.book" in post.permissions]
    approvers = [post for post in posts.posts().values() if "servicing.authorize" in post.permissions]
    for one in bookers:
        for other in approvers:
            if set(one.kinds) & set(other.kinds):
                found = posts.conflict_between(one.code, other.code, same_institution=True, same_line=True)
                assert found is not None, (one.code, other.code)


def test_administrator_does_no_business_and_auditor_writes_nothing() -> None:
    administrator = posts.posts()["ADMINISTRATOR"].permissions
    assert not {name for name in administrator if name.startswith(("servicing.", "cashdesk.", "ledger."))}
    assert posts.posts()["AUDITOR"].read_only


def test_every_permission_is_named_in_chinese_and_held_by_someone() -> None:
    held = frozenset().union(*(post.permissions for post in posts.posts().values()))
    assert held == set(posts.permission_names())


def test_unknown_post_shows_its_code() -> None:
    assert posts.post_name("GONE_POST") == "GONE_POST"
    assert posts.find_post("GONE_POST") is None


def test_posts_offered_at_a_kind() -> None:
    offered = [post.code for post in posts.posts_at("TIER2_SUB_BRANCH")]
    assert "TEAM_LEAD" in offered
    assert "POST_LOAN" not in offered


def mutate(document: dict, path: list, value: object) -> dict:
    changed = copy.deepcopy(document)
    spot = changed
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["common"], ["no.such"]),
        (["posts", 0, "permissions"], ["servicing.fly"]),
        (["posts", 0, "sets"], ["read_nothing"]),
        (["posts", 0, "code"], "REVIEWER"),
        (["posts", 0, "kinds"], []),
        (["posts", 0, "salary"], "多"),
        (["posts", 0, "read_only"], True),
        (["incompatible", 0, "posts"], ["NO_SUCH_POST"]),
        (["incompatible", 0, "within"], "galaxy"),
    ],
)
def test_a_wrong_file_is_refused(path: list, value: object) -> None:
    text = resources.files("sancha.rulebook").joinpath("posts.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    posts.PostBook.model_validate(document)
    with pytest.raises(ValidationError):
        posts.PostBook.model_validate(mutate(document, path, value))
