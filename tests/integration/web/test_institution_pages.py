"""机构页：开业、改名、划转、停业；停业的妨碍逐条列出，并链到了结的地方。"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from sancha.apps.access.queries import find_institution, institution_detail
from sancha.apps.businessday.queries import partition_of
from sancha.kit.actor import SYSTEM
from tests.integration.web.test_access_pages import key_in
from tests.support.factories_access import County
from tests.support.office import open_office

pytestmark = pytest.mark.django_db


def test_open_rename_move_and_close(as_post: Callable[..., Client], county: County) -> None:
    client = as_post("ADMINISTRATOR")
    shown = client.get("/access/institutions/new/", {"parent": county.ids["S1"]}).content.decode()
    values = {
        "parent_id": county.ids["S1"], "kind": "TIER2_SUB_BRANCH", "code": "S7", "name": "新桥支行", "submission_key": key_in(shown),
    }  # fmt: skip
    for _ in range(2):  # a double click opens once
        opened = client.post("/access/institutions/new/", values)
        assert opened.status_code == 302
    made = find_institution("S7")
    assert made is not None
    url = f"/access/institutions/{made.id}/"
    assert opened["Location"] == url
    assert partition_of(institution_id=made.id).id == county.partition_id

    wrong = client.post(
        "/access/institutions/new/", values | {"code": "S8", "kind": "HEAD_OFFICE", "submission_key": "k"}
    )
    assert wrong.status_code == 422
    assert "INSTITUTION_PARENT_KIND" in wrong.content.decode()
    assert 'value="S8"' in wrong.content.decode(), "what was typed is still there"

    client.post(f"{url}edit/", {"name": "新桥镇支行", "address": "新桥路 1 号", "submission_key": "e"})
    client.post(f"{url}move/", {"parent_id": county.ids["B2"], "submission_key": "m"})
    found = institution_detail(SYSTEM, made.id, on=county.opened_on)
    assert (found.info.name, found.parent_name, len(found.placements)) == ("新桥镇支行", "河东分行", 2)
    page = client.get(url).content.decode()
    assert "由「柳溪支行」管辖" in page
    assert "可以停业" in page
    assert client.post(f"{url}close/", {"submission_key": "c"})["Location"] == url
    closed = client.get(url).content.decode()
    assert "已停业" in closed
    assert "改由谁管辖" not in closed, "a closed institution offers nothing to do"


def test_what_stands_in_the_way_is_listed_with_the_way_out(as_post: Callable[..., Client], county: County) -> None:
    open_office(county).lend()
    client = as_post("ADMINISTRATOR")
    url = f"/access/institutions/{county.ids['S1']}/"
    page = client.get(url).content.decode()
    assert "现在还不能停业" in page
    assert f'href="/access/institutions/?institution={county.ids["S1"]}"' in page
    assert 'href="#holders"' in page
    assert "1 笔存续或待复核的借据" in page
    assert "请由能看「借据台账」的岗位了结" in page, "an administrator sees no loans, so there is no dead link"
    refused = client.post(f"{url}close/", {"submission_key": "c"})
    assert refused.status_code == 409
    assert "INSTITUTION_IN_USE" in refused.content.decode()


def test_who_may_only_look_has_no_forms_and_another_tree_is_not_found(
    as_post: Callable[..., Client], county: County
) -> None:
    page = as_post("AUDITOR").get(f"/access/institutions/{county.ids['S1']}/").content.decode()
    assert "柳溪支行" in page
    assert "停业后不能再恢复" not in page
    assert "保存" not in page
    assert as_post("ADMINISTRATOR").get(f"/access/institutions/{county.ids['GC']}/").status_code == 404


def test_a_post_ends_on_the_chosen_day(as_post: Callable[..., Client], county: County) -> None:
    held = county.actor("LOAN_OFFICER")
    client = as_post("ADMINISTRATOR")
    url = f"/access/people/{held.person_id}/"
    posted = {"valid_to": "2026-03-31", "submission_key": "x"}
    assert client.post(f"{url}posts/{held.post_holding_id}/end/", posted)["Location"] == url
    page = client.get(url).content.decode()
    assert "2026-03-31" in page
    before = client.post(f"{url}posts/{held.post_holding_id}/end/", {"valid_to": "2026-01-01", "submission_key": "y"})
    assert before.status_code == 409, "the record has been overtaken"
