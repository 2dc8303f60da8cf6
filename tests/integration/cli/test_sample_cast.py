"""样例的人：哪一处都不会开出没有人能办的任务；经办与复核总是两个人。"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sancha.apps.work.kinds import TaskKind, kinds
from sancha.interfaces.cli.sample import cast
from sancha.rulebook.posts import find_post

# 任务种类 → 有这项权限的人会让它开出来。逾期跟进随借据走，借据在哪由登记的人定。
RAISED_WITH = {
    "BOOKING_CHECK": "servicing.book",
    "IMPORT_CHECK": "servicing.import",
    "IMPORT_DIFFERENCE_CHECK": "servicing.import",
    "IMPORT_WITHDRAWAL_CHECK": "servicing.import",
    "VOUCHER_CHECK": "ledger.manual",
    "PAYMENT_CHECK": "cashdesk.pay",
    "ADJUSTMENT_CHECK": "servicing.change",
    "ERASURE_CHECK": "parties.edit",
    "MERGE_CHECK": "parties.edit",
    "RISK_CHECK": "parties.edit",
    "RISK_REVIEW_CHECK": "parties.edit",
    "PRODUCT_CHECK": "products.edit",
    "OVERDUE_FOLLOW_UP": "servicing.book",
    "WEBHOOK_PAUSED": "webhooks.manage",
    "MANDATE_CHECK": "authority.grant",
    **{f"S11_{step}": "origination.receive" for step in ("REFERRAL", "ASSIGN", "SURVEY", "REVIEW", "APPROVAL")},
}
LENDING = {"TIER1_SUB_BRANCH", "TIER2_SUB_BRANCH", "GUARANTEE_CENTER", "STREET", "COMMUNITY"}


def _line(institution: str | None) -> Iterator[str]:
    while institution:
        yield institution
        institution = cast.INSTITUTIONS[institution][2]


def _holds(post: str, permission: str) -> bool:
    found = find_post(post)
    return found is not None and permission in found.permissions


def _desk(kind: TaskKind, institution: str, staff: tuple[tuple[str, str, str, str], ...]) -> tuple[str, list[str]]:
    """这种任务在这家机构归哪个岗位，谁任着：与 ``raise_tasks`` 同一条规矩。"""
    line = list(_line(institution))
    there = {cast.INSTITUTIONS[code][1] for code in line}
    post = next((code for code in kind.posts if (found := find_post(code)) and there & set(found.kinds)), "")
    return post, [username for username, _, held, at in staff if held == post and at in line]


def _unmanned(staff: tuple[tuple[str, str, str, str], ...]) -> list[str]:
    """开得出任务而没有第二个人能办的地方。"""
    missing = []
    for kind in kinds():
        for institution, (_, institution_kind, _parent) in cast.INSTITUTIONS.items():
            line = list(_line(institution))
            raisers = {who for who, _, post, at in staff if at in line and _holds(post, RAISED_WITH[kind.code])}
            if kind.code == "OVERDUE_FOLLOW_UP" and institution_kind not in LENDING:
                continue
            post, holders = _desk(kind, institution, staff)
            second = [who for who in holders if not kind.forbidden_duties or raisers - {who}]
            if raisers and post and not second:
                missing.append(f"{kind.code} {institution} {post}")
    return missing


def test_every_kind_of_task_says_who_raises_it() -> None:
    assert {kind.code for kind in kinds()} == RAISED_WITH.keys()


def test_no_task_of_the_sample_is_one_that_nobody_can_do() -> None:
    assert _unmanned(cast.STAFF) == []


def test_every_kind_of_task_finds_at_least_one_person() -> None:
    for kind in kinds():
        found = {who for code in cast.INSTITUTIONS for who in _desk(kind, code, cast.STAFF)[1]}
        assert found, kind.code


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("huaqiang", "VOUCHER_CHECK 90 GC_DIRECTOR"),
        ("weimin", "ERASURE_CHECK 01010102 BRANCH_MANAGER"),
        ("gaoshan", "IMPORT_CHECK 0101 ACCOUNTING_SUPERVISOR"),
        ("yunxia", "OVERDUE_FOLLOW_UP 900201 COMMUNITY_CLERK"),
    ],
)
def test_leaving_one_person_out_is_found(without: str, missing: str) -> None:
    left = tuple(row for row in cast.STAFF if row[0] != without)
    assert missing in _unmanned(left)


def test_usernames_and_names_are_not_shared() -> None:
    assert len({row[0] for row in cast.STAFF}) == len({row[1] for row in cast.STAFF}) == len(cast.STAFF)
