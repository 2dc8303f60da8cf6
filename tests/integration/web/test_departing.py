"""客户页上的删除与合并：妨碍与最早之日写在原处；复核任务上看得见要办的事；办后留记录。"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from sancha.apps.parties.models import Party
from sancha.apps.parties.operations import register_party
from sancha.apps.parties.operations.registering import SEQUENCE
from sancha.apps.servicing.models import Loan
from sancha.apps.work.queries import my_tasks
from sancha.kit.models import NumberSequence
from tests.support.factories_access import County, fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(county: County) -> Office:
    opened = open_office(county)
    NumberSequence.objects.update_or_create(name=SEQUENCE, defaults={"last": 100})
    return opened


def register(office: Office, **more) -> int:
    given = {"kind": "FARMER", "name": "欧阳靖琪", "id_kind": "RESIDENT_ID", "id_number": "110105194912310054"}
    done = register_party(actor=office.clerk, key=fresh_key(), on=office.today, **(given | more))
    return int(done["party_id"])


def close_the_task(client: Client, office: Office) -> str:
    (task,) = my_tasks(office.county.actor("BRANCH_MANAGER"), on=office.today).rows
    page = client.get(f"/tasks/{task.id}/").content.decode()
    done = client.post(
        f"/tasks/{task.id}/act/", {"act": "submit", "outcome": "APPROVED", "submission_key": f"a{task.id}"}
    )
    assert done.status_code == 302, done.content.decode()[:1500]
    return page


def test_asked_checked_erased_and_on_record(as_post: Callable[..., Client], office: Office) -> None:
    party_id = register(office)
    clerk, manager = as_post("DISBURSEMENT_CLERK"), as_post("BRANCH_MANAGER")
    url = f"/parties/{party_id}/"
    assert "删除个人信息" in clerk.get(url).content.decode()
    wrong = clerk.post(f"{url}erase/", {"ground": "CONSENT_WITHDRAWN", "reason": "删", "submission_key": "e0"})
    assert wrong.status_code == 422
    assert 'value="删"' in wrong.content.decode(), "what was typed is still there"
    asked = clerk.post(
        f"{url}erase/", {"ground": "CONSENT_WITHDRAWN", "reason": "本人书面撤回同意", "submission_key": "e1"}
    )
    assert asked["Location"] == url
    page = close_the_task(manager, office)
    brief = re.search(r'hx-get="(/parties/\w+/\d+/brief/)"', page)[1]
    assert "删除" in manager.get(brief).content.decode()
    after = clerk.get(url).content.decode()
    assert "依法删除" in after
    assert "欧阳靖琪" not in after
    assert "个人信息删除：个人撤回同意" in after
    assert "客户主档 1" in after
    assert "查看明文" not in after, "there is nothing left to reveal"


def test_what_holds_it_is_told_beside_the_button(as_post: Callable[..., Client], office: Office) -> None:
    party_id = register(office)
    loan = office.lend()
    Loan.objects.filter(pk=loan).update(party_id=party_id)
    client = as_post("DISBURSEMENT_CLERK")
    page = client.get(f"/parties/{party_id}/").content.decode()
    assert "现在不能删除" in page
    assert "尚未了结" in page
    Loan.objects.filter(pk=loan).update(status="SETTLED", settled_on=office.today)
    page = client.get(f"/parties/{party_id}/").content.decode()
    assert "最早可于 2036-03-02 删除" in page
    assert "反洗钱法" in page or "保管" in page
    held = client.post(
        f"/parties/{party_id}/erase/", {"ground": "SERVICE_ENDED", "reason": "本人申请删除", "submission_key": "h"}
    )
    assert held.status_code == 409
    assert "ERASURE_HELD" in held.content.decode()


def test_two_files_become_one_and_the_old_address_leads_to_it(as_post: Callable[..., Client], office: Office) -> None:
    survivor = register(office)
    duplicate = register(office, id_kind="PASSPORT", id_number="E12345678")
    number = Party.objects.get(pk=duplicate).number
    clerk, manager = as_post("DISBURSEMENT_CLERK"), as_post("BRANCH_MANAGER")
    url = f"/parties/{survivor}/"
    missing = clerk.post(
        f"{url}merge/", {"duplicate_number": "C9999999999", "reason": "同一人两档", "submission_key": "m0"}
    )
    assert missing.status_code == 404
    clerk.post(f"{url}merge/", {"duplicate_number": number, "reason": "同一人先后建档", "submission_key": "m1"})
    page = close_the_task(manager, office)
    brief = manager.get(re.search(r'hx-get="(/parties/\w+/\d+/brief/)"', page)[1]).content.decode()
    assert "护照" in brief
    assert "居民身份证" in brief
    assert clerk.get(f"/parties/{duplicate}/")["Location"] == url
    shown = clerk.get(url).content.decode()
    assert number in shown
    assert "并入的旧号" in shown


def test_who_may_not_edit_sees_no_way_to_do_it(as_post: Callable[..., Client], office: Office) -> None:
    party_id = register(office)
    page = as_post("AUDITOR").get(f"/parties/{party_id}/").content.decode()
    assert "合并重复的客户" not in page
    assert as_post("AUDITOR").get(f"/parties/{party_id}/erase/").status_code in {302, 403}
