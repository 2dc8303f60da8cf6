"""两处同时登记同一个人：只有一档，两处都得到它；不同名的后到者得到清楚的拒绝。"""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from stdnum.cn import ric

from sancha.apps.parties import operations
from sancha.apps.parties.models import Party
from sancha.kit.errors import Conflict
from tests.support.factories_access import OPENING_DAY, fresh_key

BODY = "51082319850615001"
CARD = BODY + ric.calc_check_digit(BODY + "0")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("second_name", ["王伟", "李四"])
def test_one_person_registered_at_two_desks_at_once(county, second_name):
    if connection.vendor == "sqlite":
        pytest.skip("测试用的内存 SQLite 共享缓存，遇锁立即报错而不等待；并发登记在 PostgreSQL 上验证")
    desks = [county.actor("LOAN_OFFICER"), county.actor("LOAN_OFFICER", at="S9")]
    results: list[dict] = []
    errors: list[BaseException] = []
    start = threading.Barrier(2)

    def register(actor, name) -> None:
        row = {"kind": "FARMER", "name": name, "id_kind": "RESIDENT_ID", "id_number": CARD}
        try:
            start.wait()
            results.append(operations.register_party(actor=actor, key=fresh_key("race"), on=OPENING_DAY, **row))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=register, args=pair) for pair in zip(desks, ["王伟", second_name], strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Party.objects.count() == 1
    if second_name == "王伟":
        assert errors == []
        assert sorted(result["existing"] for result in results) == [False, True]
        assert len({result["party_id"] for result in results}) == 1
    else:
        assert [type(error) for error in errors] == [Conflict]
        assert len(results) == 1
